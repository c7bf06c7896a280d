"""What becomes of feedback, as its sender reads it (texts: PAKN). Pure.

`document`: a sheet (services/intake/after/sheets.py), of feedback or of a registration that the office made feedback (D3).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.model import CaseSource, CaseState, CaseStatus, Channel, QuestionState, QuestionStateData
from kit.clock import format_date
from services.intake import views
from services.intake.after.domain import standing
from services.intake.views import QuestionView, question_view, running_clock

Document = Mapping[str, Any]
State = QuestionState

CHANNELS: Mapping[Channel, str] = {**views.CHANNELS, Channel.WEB: "qua trang Phản ánh, kiến nghị"}
CONTACT: Sequence[tuple[str, str, bool]] = (
    ("name", "Họ và tên", True),
    ("organisation", "Tên cơ quan, tổ chức", False),
    ("address", "Địa chỉ", True),
    ("phone", "Điện thoại", False),
    ("email", "Thư điện tử", False),
)
"""Field, label, whether it must be there; a telephone or an e-mail address must (NĐ 20/2008 art. 7)."""
RECEIVED, WORKED_ON, COLLECTING = "Đã tiếp nhận", "Đang xử lý", "Đã ghi nhận, tiếp tục tập hợp"
ANSWERED, PUBLISHED = "Đã trả lời", "Đã công khai"
_WORDS: Mapping[State, str] = {
    **dict.fromkeys((State.NEW, State.TRIAGE, State.PROPOSED, State.RETURNED), RECEIVED),
    **dict.fromkeys((State.TRANSFERRED, State.AT_HEAD, State.SUBMITTED, State.SENT_BACK, State.READY, State.TO_WRITE), WORKED_ON),
    State.COLLECTING: COLLECTING,
    State.ANSWERED: ANSWERED,
    State.TO_DIALOGUE: "Đã chuyển thành phiếu đăng ký tham gia đối thoại",
}
_NEXT: Mapping[str, str] = {
    RECEIVED: "Sở phân loại, giao đơn vị xử lý, hoặc chuyển đến cơ quan có thẩm quyền và báo Ông/Bà.",
    WORKED_ON: "Sở trả lời Ông/Bà bằng văn bản.",
    COLLECTING: "Sở tập hợp thêm phản ánh, kiến nghị cùng nội dung để có đủ cơ sở xem xét, rồi báo lại Ông/Bà.",
}
ASKED = "Đề nghị bổ sung thông tin"
_ASKED_NEXT = (
    "Xin Ông/Bà bổ sung theo thư đề nghị của Sở: bấm “Bổ sung nội dung” hoặc “Sửa nội dung” ở dưới, trả lời thư, gọi điện "
    "hoặc đến trực tiếp Văn phòng Sở."
)
_MEANING: Mapping[str, str] = {
    RECEIVED: "Sở đang xem nội dung thuộc trách nhiệm của đơn vị nào, hay thuộc thẩm quyền của cơ quan khác.",
    WORKED_ON: "Đơn vị chuyên môn đã nhận nội dung và đang nghiên cứu, soạn văn bản trả lời.",
    COLLECTING: "Chưa đủ cơ sở để giải quyết ngay; nội dung được giữ lại, Ông/Bà không cần gửi lần nữa.",
    ASKED: "Sở cần thêm thông tin của Ông/Bà để xem xét, trả lời được đầy đủ.",
    ANSWERED: "Sở đã gửi văn bản trả lời đến Ông/Bà; nội dung đã khép lại.",
    PUBLISHED: "Nội dung đã khép lại; kết quả được công khai, không nêu tên và thông tin của Ông/Bà.",
}
_MEANING_OF: Mapping[State, str] = {
    State.GUIDED: "Nội dung thuộc thẩm quyền của cơ quan khác; Sở đã chuyển đến cơ quan đó và báo Ông/Bà.",
    State.TO_DIALOGUE: "Nội dung được giải đáp tại Hội nghị đối thoại; mã tra cứu không đổi.",
    State.WITHDRAWN: "Nội dung này không được xử lý tiếp.",
}
STEPS: Mapping[str, str] = {
    **views.STEPS,
    "received": "Sở tiếp nhận phản ánh, kiến nghị",
    "withdrawn": "Ông/Bà rút phản ánh, kiến nghị",
}
"""Steps of feedback itself."""
CASE_STEPS: Mapping[str, str] = {
    **views.CASE_STEPS,
    CaseStatus.OPEN: "Nội dung được đưa vào Hội nghị đối thoại",
    CaseStatus.TO_FEEDBACK: "Được xử lý như phản ánh, kiến nghị",
}


def is_feedback(case: CaseState | None) -> bool:
    """Whether a case is treated as feedback now: the last time the office (or its coming as such) said which (D3)."""
    if case is None:
        return False
    said = [s.state for s in case.steps if s.state in (CaseStatus.TO_FEEDBACK, CaseStatus.OPEN, CaseStatus.ADMITTED)]
    return bool(said) and said[-1] == CaseStatus.TO_FEEDBACK


def is_of_feedback(document: Document) -> bool:
    """Whether it came as such."""
    return bool(document.get("source") == CaseSource.FEEDBACK)


def treated_as_feedback(document: Document, case: CaseState | None) -> bool:
    """Whether letters answer it now, and no meeting: as the case says; before routing has shown one, as it came."""
    return is_of_feedback(document) if case is None else is_feedback(case)


def case_words(document: Document, case: CaseState | None, shown: Iterable[QuestionView]) -> str:
    """Where the feedback as a whole stands: where all its parts stand alike, that; else that it is worked on."""
    if document["status"] == "erased":
        return "Đã xóa dữ liệu cá nhân"
    if document["status"] == "withdrawn" or (case is not None and case.status is CaseStatus.WITHDRAWN):
        return "Ông/Bà đã rút"
    states = {view.state for view in shown}
    return states.pop() if len(states) == 1 else WORKED_ON if states else RECEIVED


def stage_words(document: Document) -> str:
    """What there is to say of the whole once nothing is done with it any more."""
    if document["status"] == "erased":
        return "Dữ liệu cá nhân và nội dung đã được xóa theo yêu cầu của Ông/Bà."
    if document["status"] == "withdrawn":
        return "Ông/Bà đã rút; nội dung chưa trả lời không được xử lý tiếp."
    return ""


def parts(questions: Mapping[UUID, QuestionStateData]) -> list[tuple[UUID, QuestionStateData]]:
    """What is treated as feedback, in the order of the form: of a split the parts, of a registration what became it (D3)."""
    found = [(i, q) for i, q in questions.items() if q.source is CaseSource.FEEDBACK]
    return sorted(found, key=lambda entry: (entry[1].section_no or 0, entry[1].parent is not None, str(entry[0])))


def parts_of(
    document: Document,
    questions: Mapping[UUID, QuestionStateData],
    now: datetime,
    modes: Mapping[int, str] | None = None,
) -> list[QuestionView]:
    """What the sender follows: each part of the feedback; of a registration that became feedback, each of its sections. `modes`:
    what may be done to a section, which is done to the question that it is now.
    """
    of_feedback, found = is_of_feedback(document), parts(questions)
    sections = {section["no"]: section for section in document["sections"]}
    if not found and of_feedback:
        section = sections.get(1, {"no": 1, "text": ""})
        view = feedback_view("Nội dung", section["text"], None, now)
        return [_as_it_stands(document, view, section, None, modes)]
    # What had ended, or is sealed, before the rest became feedback; and what feedback became when it was taken into a dialogue.
    others = [(i, q) for i, q in questions.items() if q.source is not CaseSource.FEEDBACK and q.state is not State.TO_FEEDBACK]
    stands = {standing(document["_id"], no, questions): section for no, section in sections.items()}
    shown: list[QuestionView] = []
    for n, (_id, question) in enumerate([*found, *sorted(others, key=lambda entry: str(entry[0]))], 1):
        section = stands.get(_id) or sections.get(question.section_no)
        if section and not of_feedback:
            title = f"{section['no']}. {section['title']}"
        elif question.source is not CaseSource.FEEDBACK:
            title = "Nội dung tại Hội nghị đối thoại"
        else:
            title = "Nội dung" if len(found) == 1 else f"Nội dung (phần {n})"
        view = any_view(title, section["text"] if section and _id in stands else "", question, now)
        shown.append(_as_it_stands(document, view, section, question, modes) if section and _id in stands else view)
    return shown


def _as_it_stands(
    document: Document,
    view: QuestionView,
    section: Document,
    question: QuestionStateData | None,
    modes: Mapping[int, str] | None,
) -> QuestionView:
    """The question that a section is now: withdrawn, though routing has not shown it yet, or with what may be done to it."""
    gone = document["status"] == "withdrawn" or section["no"] in document.get("withdrawn_sections", ())
    if gone and views.is_still_open(question):
        return views.withdrawn_view(view.title)
    return views.changeable(view, section, question, (modes or {}).get(section["no"], "none"))


def any_view(title: str, text: str, question: QuestionStateData | None, now: datetime) -> QuestionView:
    """A question in the words of what it is treated as."""
    is_dialogues = question is not None and question.source is not CaseSource.FEEDBACK
    return (question_view if is_dialogues else feedback_view)(title, text, question, now)


def timeline(
    document: Document, case: CaseState | None, questions: Mapping[UUID, QuestionStateData]
) -> list[tuple[datetime, str, str]]:
    """What happened, oldest first: when, what, and to which content."""
    of_feedback = is_of_feedback(document)
    if case is not None and of_feedback:
        case = case.model_copy(update={"steps": case.steps[1:]})  # the first says no more than that it was received
    found = views.timeline(
        document,
        case,
        questions,
        steps=STEPS if of_feedback else views.STEPS,
        case_steps=CASE_STEPS,
        words_of=lambda question, state: (
            _WORDS.get(state, views.STATES[state]) if question.source is CaseSource.FEEDBACK else views.STATES[state]
        ),
    )
    return [(at, what, "") for at, what, _ in found] if of_feedback else found


def day_of(iso: str) -> date:
    return date.fromisoformat(iso)


def feedback_view(title: str, text: str, question: QuestionStateData | None, now: datetime) -> QuestionView:
    """One part in the words of feedback; of a sealed one no more than of any sealed question (D6)."""
    view = question_view(title, text, question, now)
    if question is None:
        return replace(view, state=RECEIVED, meaning=_MEANING[RECEIVED], next=_NEXT[RECEIVED])
    if question.sealed or question.state in (State.SEALED, State.EXCLUDED):
        return view
    words = _words(question) or view.state
    clock = running_clock(question)
    label = "Hạn phân loại, hoặc chuyển cơ quan có thẩm quyền" if clock and clock.kind == "forward" else view.due_label
    following = _ASKED_NEXT if words == ASKED else _NEXT.get(words, view.next)
    meaning = _MEANING_OF.get(question.state) or _MEANING.get(words, view.meaning)
    return replace(view, state=words, meaning=meaning, next=following, due_label=label)


def _words(question: QuestionStateData) -> str | None:
    """What feedback says in words of its own; None: as any question."""
    if question.state is State.GUIDED:
        on = f" ngày {format_date(question.outcome_on)}" if question.outcome_on else ""
        return f"Đã chuyển {question.outcome_body or 'cơ quan có thẩm quyền'}{on}"
    if question.state is State.ANSWERED and question.public_answer:
        return PUBLISHED
    if question.asked_on is not None and question.state not in (State.ANSWERED, State.WITHDRAWN):
        return ASKED
    return _WORDS.get(question.state)
