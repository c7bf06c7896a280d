"""What pages say, in words: announcements and the state of a registration (the wording of states is one table here). Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from contracts.letters import Meeting
from contracts.model import (
    CLOSED_STATES,
    CaseSource,
    CaseState,
    CaseStatus,
    Channel,
    Clock,
    DialogueState,
    Mode,
    PublicNotice,
    QuestionState,
    QuestionStateData,
)
from kit.clock import format_date, format_date_long, format_moment_long, local_date
from services.intake.domain import Dialogue, Plan, Window, opening, window

Document = Mapping[str, Any]

MODES: Mapping[Mode, str] = {
    Mode.IN_PERSON: "Trực tiếp",
    Mode.ONLINE: "Trực tuyến",
    Mode.HYBRID: "Trực tiếp kết hợp trực tuyến",
}
CHANNELS: Mapping[Channel, str] = {
    Channel.WEB: "qua trang đăng ký này",
    Channel.API: "qua phần mềm kết nối",
    Channel.EMAIL: "qua thư điện tử",
    Channel.PAPER: "nộp trực tiếp",
    Channel.POST: "qua đường bưu điện",
    Channel.FEEDBACK_SECTION: "qua chuyên mục phản ánh, kiến nghị",
    Channel.PHONE: "qua điện thoại",
    Channel.TELEVISION: "qua chương trình truyền hình",
}
_QUARTERS = ("I", "II", "III", "IV")
NOT_FIXED = "Ngày tổ chức chưa ấn định; Sở sẽ báo Ông/Bà ngay khi có"


@dataclass(frozen=True, slots=True)
class DialogueView:
    """A dialogue on the public site (D1)."""

    id: str
    plan: str
    title: str
    when: str
    place: str
    mode: str
    chair: str
    opens: str
    closes: str
    status: str
    tone: str
    window: Window
    cancelled: bool
    past: bool
    notice: PublicNotice | None


def dialogue_view(plan: Plan, dialogue: Dialogue, now: datetime) -> DialogueView:
    state = dialogue.state
    where = window(plan, dialogue, now)
    status, tone = _dialogue_status(state, where, now)
    opens_at = opening(plan, dialogue)
    return DialogueView(
        id=dialogue.id,
        plan=plan.id,
        title=f"Hội nghị đối thoại lần {state.ordinal} năm {state.year}",
        when=when(state),
        place=state.place,
        mode=MODES[state.mode],
        chair=state.chair,
        opens=format_moment_long(opens_at) if opens_at else "",
        closes=format_moment_long(state.closes_at) if state.closes_at else "",
        status=status,
        tone=tone,
        window=where,
        cancelled=state.status == "cancelled",
        past=_is_past(state, now),
        notice=state.notice if state.notice and state.notice.issued_on else None,
    )


def _is_past(state: DialogueState, now: datetime) -> bool:
    begun = state.starts_at is not None and now >= state.starts_at + timedelta(days=1)
    return state.status in ("held", "cancelled") or begun


def _dialogue_status(state: DialogueState, where: Window, now: datetime) -> tuple[str, str]:
    if state.status == "cancelled":
        return "Không tổ chức", "warning"
    if state.notice and state.notice.issued_on:
        return "Đã có thông báo kết luận", "good"
    if _is_past(state, now):
        return "Đã tổ chức", "neutral"
    return {
        Window.OPEN: ("Đang nhận đăng ký", "good"),
        Window.NOT_YET: ("Chưa mở đăng ký", "info"),
        Window.CLOSED: ("Đã hết hạn đăng ký", "neutral"),
    }[where]


def when(state: DialogueState | Meeting) -> str:
    """When it takes place, as far as it is known: a moment, a quarter, a period, or that nothing is fixed yet."""
    if state.starts_at:
        return format_moment_long(state.starts_at)
    if state.window_from and state.window_to:
        return f"{_period(state.window_from, state.window_to)}; thời gian cụ thể sẽ được thông báo"
    return NOT_FIXED


def _period(first: date, last: date) -> str:
    """A calendar quarter by its number (D1: not the reports' quarters), any other period by its days."""
    quarter = (first.month - 1) // 3
    following = date(first.year + quarter // 3, (quarter * 3 + 3) % 12 + 1, 1)
    if first == date(first.year, quarter * 3 + 1, 1) and last == following - timedelta(days=1):
        return f"Trong quý {_QUARTERS[quarter]} năm {first.year}"
    return f"Từ ngày {format_date(first)} đến ngày {format_date(last)}"


# The state of a registration and of its questions, as the registrant reads it ----------------------------------------


_STATES: Mapping[QuestionState, str] = {
    QuestionState.NEW: "Đã tiếp nhận",
    QuestionState.SEALED: "Đang được xem xét",
    QuestionState.TRIAGE: "Đang phân loại",
    QuestionState.PROPOSED: "Đang phân loại",
    QuestionState.RETURNED: "Đang phân loại",
    QuestionState.TRANSFERRED: "Đơn vị chuyên môn đang nghiên cứu trả lời",
    QuestionState.AT_HEAD: "Đơn vị chuyên môn đang nghiên cứu trả lời",
    QuestionState.SUBMITTED: "Đang hoàn thiện nội dung trả lời",
    QuestionState.SENT_BACK: "Đang hoàn thiện nội dung trả lời",
    QuestionState.READY: "Đã chuẩn bị trả lời, sẽ giải đáp tại Hội nghị",
    QuestionState.RESOLVED: "Đã giải đáp tại Hội nghị",
    QuestionState.TO_WRITE: "Sẽ trả lời bằng văn bản",
    QuestionState.ANSWERED: "Đã trả lời bằng văn bản",
    QuestionState.GUIDED: "Đã hướng dẫn đến cơ quan có thẩm quyền",
    QuestionState.ESCALATED: "Đã kiến nghị cấp trên, đang chờ trả lời",
    QuestionState.ESCALATED_DONE: "Đã thông báo ý kiến của cấp trên",
    QuestionState.ADOPTED: "Đã tiếp thu",
    QuestionState.EXCLUDED: "Đã có văn bản trả lời",
    QuestionState.MERGED: "Được trả lời chung với nội dung tương tự",
    QuestionState.TO_FEEDBACK: "Được xử lý như phản ánh, kiến nghị",
    QuestionState.WITHDRAWN: "Ông/Bà đã rút",
    QuestionState.COLLECTING: "Đã ghi nhận, tiếp tục tập hợp",
    QuestionState.TO_DIALOGUE: "Được đưa vào Hội nghị đối thoại",
}
_NEXT: Mapping[QuestionState, str] = {
    QuestionState.NEW: "Văn phòng Sở phân loại và chuyển đến đơn vị chuyên môn.",
    QuestionState.TRIAGE: "Văn phòng Sở phân loại và chuyển đến đơn vị chuyên môn.",
    QuestionState.PROPOSED: "Văn phòng Sở phân loại và chuyển đến đơn vị chuyên môn.",
    QuestionState.RETURNED: "Văn phòng Sở chuyển đến đơn vị có trách nhiệm trả lời.",
    QuestionState.TRANSFERRED: "Đơn vị chuyên môn trình lãnh đạo Sở nội dung trả lời.",
    QuestionState.AT_HEAD: "Đơn vị chuyên môn trình lãnh đạo Sở nội dung trả lời.",
    QuestionState.SUBMITTED: "Lãnh đạo Sở xem xét, duyệt nội dung trả lời.",
    QuestionState.SENT_BACK: "Đơn vị chuyên môn hoàn thiện, trình lại lãnh đạo Sở.",
    QuestionState.READY: "Sở giải đáp tại Hội nghị. Nếu Ông/Bà không dự được, Sở gửi trả lời theo địa chỉ ghi trên phiếu.",
    QuestionState.TO_WRITE: "Sở gửi văn bản trả lời đến Ông/Bà.",
    QuestionState.ESCALATED: "Khi cấp trên có ý kiến, Sở thông báo ngay đến Ông/Bà.",
    QuestionState.MERGED: "Ông/Bà nhận được câu trả lời chung tại Hội nghị hoặc theo địa chỉ ghi trên phiếu.",
    QuestionState.TO_FEEDBACK: "Sở trả lời Ông/Bà bằng văn bản; mã tra cứu không đổi.",
}
_ANSWER_SHOWN = CLOSED_STATES - {
    QuestionState.EXCLUDED,
    QuestionState.WITHDRAWN,
    QuestionState.TO_FEEDBACK,
    QuestionState.TO_DIALOGUE,
}
_TONES = {**dict.fromkeys(CLOSED_STATES, "good"), QuestionState.WITHDRAWN: "neutral", QuestionState.READY: "good"}


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question as its registrant follows it."""

    title: str
    text: str
    state: str
    tone: str
    next: str = ""
    due_on: date | None = None
    due_label: str = ""
    explanation: str = ""
    overdue: str = ""
    answer: str = ""
    outcome: str = ""


def question_views(document: Document, questions: Mapping[UUID, QuestionStateData], now: datetime) -> list[QuestionView]:
    """A view for each section of the form in its order, and for each question split out of one, after it."""
    views: list[QuestionView] = []
    for section in document["sections"]:
        _id = uuid5(document["_id"], str(section["no"]))
        parts = [_id, *sorted(i for i, q in questions.items() if q.parent == _id)]
        for n, part in enumerate(parts):
            known = questions.get(part)
            as_feedback = known is not None and known.source is CaseSource.FEEDBACK
            more = " – xử lý như phản ánh, kiến nghị" if as_feedback else f" (phần {n + 1})" if n else ""
            title = f"{section['no']}. {section['title']}{more}"
            views.append(question_view(title, section["text"] if n == 0 else "", known, now))
    return views


def question_view(title: str, text: str, question: QuestionStateData | None, now: datetime) -> QuestionView:
    """What the registrant reads; of a sealed question nothing but that it is being looked at, not even its text: who else holds
    the code must not learn of a denunciation (D6).
    """
    if question is None or question.state is QuestionState.NEW:
        return QuestionView(title, text, _STATES[QuestionState.NEW], "info", _NEXT[QuestionState.NEW])
    state = question.state
    if state is QuestionState.EXCLUDED:
        return QuestionView(title, "", _STATES[state], _TONES[state])
    if question.sealed or state is QuestionState.SEALED:
        return QuestionView(title, "", _STATES[QuestionState.SEALED], "info")
    running = running_clock(question)
    words = _STATES[state]
    if state is QuestionState.TO_WRITE and running:
        words = f"{words}, chậm nhất {format_date_long(running.due_on)}"
    return QuestionView(
        title=title,
        text=text,
        state=words,
        tone=_TONES.get(state, "info"),
        next=_NEXT.get(state, ""),
        due_on=running.due_on if running else None,
        due_label="Thời hạn mới" if running and running.extended else "Thời hạn",
        explanation=running.explanation if running else "",
        overdue=_overdue(running, now),
        answer=(question.answer or "") if state in _ANSWER_SHOWN or state is QuestionState.ESCALATED else "",
        outcome=_outcome(question),
    )


def running_clock(question: QuestionStateData) -> Clock | None:
    """The deadline that runs now, if one does."""
    if question.state in CLOSED_STATES or question.state is QuestionState.MERGED:
        return None
    return next((clock for clock in reversed(question.clocks) if clock.stopped_at is None), None)


def _overdue(clock: Clock | None, now: datetime) -> str:
    if clock is None or now < clock.due_at:
        return ""
    return f"Chậm so với thời hạn {format_date(clock.due_on)}; Văn phòng Sở đang đôn đốc"


def _outcome(question: QuestionStateData) -> str:
    """The paper behind a closed question: number, day, body."""
    if question.state not in _ANSWER_SHOWN and question.state is not QuestionState.ESCALATED:
        return ""
    number = f"Văn bản số {question.outcome_number}" if question.outcome_number else ""
    on = f"ngày {format_date(question.outcome_on)}" if question.outcome_on else ""
    paper = " ".join(part for part in (number, on) if part)
    if paper and not number:
        paper = f"kết quả {paper}"
    body = f"Cơ quan có thẩm quyền: {question.outcome_body}" if question.outcome_body else ""
    return ". ".join(part for part in (paper[:1].upper() + paper[1:], body) if part)


_CASES: Mapping[CaseStatus, str] = {
    CaseStatus.OPEN: "Đã tiếp nhận",
    CaseStatus.INVITED: "Đã gửi giấy mời dự Hội nghị",
    CaseStatus.ATTENDED: "Ông/Bà đã dự Hội nghị",
    CaseStatus.SUBSTITUTE: "Đã cử người dự thay Hội nghị",
    CaseStatus.ABSENT: "Ông/Bà không dự Hội nghị",
    CaseStatus.CLOSED: "Đã trả lời đủ các nội dung",
    CaseStatus.LATE: "Đã tiếp nhận sau thời hạn, đang xem xét",
    CaseStatus.ADMITTED: "Đã đưa vào Hội nghị",
    CaseStatus.TO_FEEDBACK: "Được xử lý như phản ánh, kiến nghị",
    CaseStatus.WITHDRAWN: "Ông/Bà đã rút",
}


def case_words(document: Document, case: CaseState | None, questions: Iterable[QuestionStateData] = ()) -> str:
    """The stage of the registration as a whole; one that is closed is not answered where a question became feedback (D3)."""
    if case is None:
        return _CASES[CaseStatus.LATE if document["late"] else CaseStatus.OPEN]
    if case.status is CaseStatus.CLOSED and any(q.state is QuestionState.TO_FEEDBACK for q in questions):
        return _CASES[CaseStatus.TO_FEEDBACK]
    return _CASES[case.status]


def invitation_words(case: CaseState | None) -> str:
    """What became of the invitation; "" while there is nothing to say."""
    if case is None or case.invited_on is None:
        return ""
    number = f" số {case.invitation_number}" if case.invitation_number else ""
    order = f"; Ông/Bà phát biểu ở số thứ tự {case.speaking_order}" if case.speaking_order else ""
    return f"Đã gửi Giấy mời{number} ngày {format_date(case.invited_on)}{order}"


_ATTENDANCE = {"attended": "Ông/Bà đã dự", "substitute": "Đã cử người dự thay", "absent": "Ông/Bà không dự"}


def attendance_words(case: CaseState | None) -> str:
    return _ATTENDANCE.get(case.attendance or "", "") if case else ""


def next_steps(document: Document) -> Sequence[str]:
    """What happens after a registration (texts: receipt)."""
    announced = document["announced"]
    meeting = Meeting.model_validate(announced["meeting"])
    due = announced["invitations_due"]
    invited = f"chậm nhất ngày {format_date(date.fromisoformat(due))}" if due else "ngay khi ấn định ngày tổ chức"
    return (
        "Văn phòng Sở phân loại, chuyển từng nội dung đến đơn vị chuyên môn.",
        f"Sở gửi giấy mời đến Ông/Bà {invited}.",
        _held(meeting),
    )


def _held(meeting: Meeting) -> str:
    words = when(meeting)
    if words == NOT_FIXED:
        return f"{NOT_FIXED}."
    place = f", tại {meeting.place}" if meeting.place else ""
    return f"Hội nghị tổ chức: {words[:1].lower()}{words[1:]}{place}."


def decide_by_words(document: Document) -> str:
    """Until when the office says what becomes of a late registration (D4)."""
    day = document["announced"]["decide_by"]
    return f"chậm nhất {format_date_long(date.fromisoformat(day))}" if day else "trong thời gian sớm nhất"


def printed_month(plan: Plan, now: datetime) -> int:
    """The month that a blank form is dated with, where the form names one: that of the next closing, else the present."""
    closings = [d.state.closes_at or d.state.starts_at for d in plan.dialogues]
    coming = [moment for moment in closings if moment is not None and moment > now]
    return local_date(min(coming, default=now)).month


def waiting(seconds: int) -> str:
    """How long to wait, as one says it."""
    return f"{seconds} giây" if seconds < 90 else f"{-(-seconds // 60)} phút"
