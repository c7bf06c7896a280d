"""What becomes of feedback, as its sender reads it (texts: PAKN). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.model import CaseSource, CaseState, CaseStatus, Channel, QuestionState, QuestionStateData
from kit.clock import format_date
from services.intake.views import CHANNELS as REGISTRATION_CHANNELS
from services.intake.views import QuestionView, question_view, running_clock

Document = Mapping[str, Any]
State = QuestionState

CHANNELS: Mapping[Channel, str] = {**REGISTRATION_CHANNELS, Channel.WEB: "qua trang Phản ánh, kiến nghị"}
RECEIVED, WORKED_ON, COLLECTING = "Đã tiếp nhận", "Đang xử lý", "Đã ghi nhận, tiếp tục tập hợp"
_WORDS: Mapping[State, str] = {
    **dict.fromkeys((State.NEW, State.TRIAGE, State.PROPOSED, State.RETURNED), RECEIVED),
    **dict.fromkeys((State.TRANSFERRED, State.AT_HEAD, State.SUBMITTED, State.SENT_BACK, State.READY, State.TO_WRITE), WORKED_ON),
    State.COLLECTING: COLLECTING,
    State.ANSWERED: "Đã trả lời",
    State.TO_DIALOGUE: "Đã chuyển thành phiếu đăng ký tham gia đối thoại",
}
_NEXT: Mapping[str, str] = {
    RECEIVED: "Sở phân loại, giao đơn vị xử lý, hoặc chuyển đến cơ quan có thẩm quyền và báo Ông/Bà.",
    WORKED_ON: "Sở trả lời Ông/Bà bằng văn bản.",
    COLLECTING: "Sở tập hợp thêm phản ánh, kiến nghị cùng nội dung để có đủ cơ sở xem xét, rồi báo lại Ông/Bà.",
}
ASKED = "Đề nghị bổ sung thông tin"
_ASKED_NEXT = "Xin Ông/Bà bổ sung theo thư đề nghị của Sở: trả lời thư, gọi điện hoặc đến trực tiếp Văn phòng Sở."


def is_feedback(case: CaseState | None) -> bool:
    """Whether a case is treated as feedback now: the last time the office (or its coming as such) said which (D3)."""
    if case is None:
        return False
    said = [s.state for s in case.steps if s.state in (CaseStatus.TO_FEEDBACK, CaseStatus.OPEN, CaseStatus.ADMITTED)]
    return bool(said) and said[-1] == CaseStatus.TO_FEEDBACK


def case_words(case: CaseState | None, views: Iterable[QuestionView]) -> str:
    """Where the feedback as a whole stands: where all its parts stand alike, that; else that it is worked on."""
    if case is not None and case.status is CaseStatus.WITHDRAWN:
        return "Ông/Bà đã rút"
    states = {view.state for view in views}
    return states.pop() if len(states) == 1 else WORKED_ON if states else RECEIVED


def parts(questions: Mapping[UUID, QuestionStateData]) -> list[QuestionStateData]:
    """What is treated as feedback, in the order of the form: of a split the parts, of a registration what became it (D3)."""
    found = [(i, q) for i, q in questions.items() if q.source is CaseSource.FEEDBACK]
    return [q for _, q in sorted(found, key=lambda entry: (entry[1].section_no or 0, entry[1].parent is not None, str(entry[0])))]


def parts_of(document: Document, questions: Mapping[UUID, QuestionStateData], now: datetime) -> list[QuestionView]:
    """What the sender follows: each part of the feedback; of a registration that became feedback, each of its sections."""
    sections = {section["no"]: section for section in document.get("sections", ())}
    found = parts(questions)
    if not found and not sections:
        return [feedback_view("Nội dung", document.get("text", ""), None, now)]
    views: list[QuestionView] = []
    for n, question in enumerate(found, 1):
        section = sections.get(question.section_no)
        title = f"{section['no']}. {section['title']}" if section else "Nội dung" if len(found) == 1 else f"Nội dung (phần {n})"
        text = section["text"] if section else document.get("text", "") if n == 1 else ""
        views.append(feedback_view(title, text, question, now))
    # What had ended, or is sealed, before the rest became feedback; and what feedback became when it was taken into a dialogue.
    others = [(i, q) for i, q in questions.items() if q.source is not CaseSource.FEEDBACK and q.state is not State.TO_FEEDBACK]
    for _, question in sorted(others, key=lambda entry: str(entry[0])):
        section = sections.get(question.section_no)
        title = f"{section['no']}. {section['title']}" if section else "Nội dung tại Hội nghị đối thoại"
        views.append(question_view(title, section["text"] if section else "", question, now))
    return views


def day_of(iso: str) -> date:
    return date.fromisoformat(iso)


def feedback_view(title: str, text: str, question: QuestionStateData | None, now: datetime) -> QuestionView:
    """One part in the words of feedback; of a sealed one no more than of any sealed question (D6)."""
    view = question_view(title, text, question, now)
    if question is None:
        return replace(view, state=RECEIVED, next=_NEXT[RECEIVED])
    if question.sealed or question.state in (State.SEALED, State.EXCLUDED):
        return view
    words = _words(question) or view.state
    clock = running_clock(question)
    label = "Hạn phân loại, hoặc chuyển cơ quan có thẩm quyền" if clock and clock.kind == "forward" else view.due_label
    following = _ASKED_NEXT if words == ASKED else _NEXT.get(words, view.next)
    return replace(view, state=words, next=following, due_label=label)


def _words(question: QuestionStateData) -> str | None:
    """What feedback says in words of its own; None: as any question."""
    if question.state is State.GUIDED:
        on = f" ngày {format_date(question.outcome_on)}" if question.outcome_on else ""
        return f"Đã chuyển {question.outcome_body or 'cơ quan có thẩm quyền'}{on}"
    if question.state is State.ANSWERED and question.public_answer:
        return "Đã công khai"
    if question.asked_on is not None and question.state not in (State.ANSWERED, State.WITHDRAWN):
        return ASKED
    return _WORDS.get(question.state)
