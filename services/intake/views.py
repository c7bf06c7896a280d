"""What pages say, in words: announcements and the state of a registration (the wording of states is one table here). Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.letters import Meeting
from contracts.model import (
    CLOSED_STATES,
    AttendanceReply,
    CaseSource,
    CaseState,
    CaseStatus,
    Channel,
    Clock,
    DialogueState,
    Mode,
    Person,
    PublicNotice,
    QuestionState,
    QuestionStateData,
    RegistrantKind,
    Way,
)
from kit.acting import Via
from kit.agency import Contacts
from kit.calendar import WorkCalendar
from kit.clock import format_date, format_date_long, format_moment, format_moment_long, local_date
from kit.web.rendering import format_phone
from services.intake.after.domain import family, is_hidden, standing
from services.intake.data_requests import domain as requests
from services.intake.data_requests.domain import State
from services.intake.documents import is_full
from services.intake.domain import Dialogue, Plan, Window, folded, opening, window
from services.intake.site.domain import Countdown, countdown, map_link

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
WAYS: Mapping[str | None, str] = {Way.EMAIL: "Thư điện tử", Way.POST: "Đường bưu điện", Way.PHONE: "Điện thoại"}
KINDS: Mapping[str, str] = {
    RegistrantKind.INDIVIDUAL: "Cá nhân",
    RegistrantKind.ORGANISATION: "Cơ quan, tổ chức",
    RegistrantKind.ENTERPRISE: "Doanh nghiệp",
    RegistrantKind.COOPERATIVE: "Hợp tác xã",
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
    seats: int | None = None
    full: bool = False
    map: str = ""
    countdown: Countdown | None = None


def dialogue_view(
    plan: Plan, dialogue: Dialogue, now: datetime, *, calendar: WorkCalendar | None = None, contacts: Contacts | None = None
) -> DialogueView:
    """With a `calendar` it says how long one may still register and how that is counted, with `contacts` where the place is."""
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
        seats=state.capacity if state.mode is not Mode.ONLINE else None,
        full=where is Window.OPEN and dialogue.is_full,
        map=map_link(state.place, contacts) if contacts else "",
        countdown=countdown(calendar, now, state.closes_at) if calendar and where is Window.OPEN else None,
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


STATES: Mapping[QuestionState, str] = {
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
_MEANING: Mapping[QuestionState, str] = {
    QuestionState.TRIAGE: "Văn phòng Sở đang xem nội dung thuộc trách nhiệm của đơn vị nào.",
    QuestionState.PROPOSED: "Văn phòng Sở đang xem nội dung thuộc trách nhiệm của đơn vị nào.",
    QuestionState.RETURNED: "Nội dung thuộc trách nhiệm của đơn vị khác; Văn phòng Sở đang xác định lại.",
    QuestionState.TRANSFERRED: "Đơn vị chuyên môn đã nhận nội dung và đang soạn trả lời.",
    QuestionState.AT_HEAD: "Dự thảo trả lời đang được Trưởng đơn vị xem.",
    QuestionState.SUBMITTED: "Dự thảo trả lời đã trình lãnh đạo Sở.",
    QuestionState.SENT_BACK: "Lãnh đạo Sở yêu cầu đơn vị làm rõ thêm trước khi trả lời.",
    QuestionState.READY: "Nội dung trả lời đã được duyệt.",
    QuestionState.RESOLVED: "Nội dung đã được giải đáp trực tiếp và khép lại.",
    QuestionState.TO_WRITE: "Hội nghị giao đơn vị trả lời Ông/Bà bằng văn bản.",
    QuestionState.ANSWERED: "Sở đã gửi trả lời đến Ông/Bà; nội dung đã khép lại.",
    QuestionState.GUIDED: "Nội dung thuộc thẩm quyền của cơ quan khác; Sở đã gửi Ông/Bà nơi liên hệ.",
    QuestionState.ESCALATED: "Nội dung vượt thẩm quyền của Sở nên đã được chuyển lên cấp trên.",
    QuestionState.ESCALATED_DONE: "Cấp trên đã có ý kiến và Sở đã gửi đến Ông/Bà.",
    QuestionState.ADOPTED: "Đề xuất của Ông/Bà được ghi nhận và giao đơn vị thực hiện.",
    QuestionState.MERGED: "Có nội dung tương tự nên Sở trả lời chung.",
    QuestionState.TO_FEEDBACK: "Nội dung không đưa ra Hội nghị mà được trả lời riêng.",
    QuestionState.WITHDRAWN: "Nội dung này không được xử lý tiếp.",
}
"""What a state means, in a sentence; a sealed question and one that is only received have none."""
_ANSWER_SHOWN = CLOSED_STATES - {
    QuestionState.EXCLUDED,
    QuestionState.WITHDRAWN,
    QuestionState.TO_FEEDBACK,
    QuestionState.TO_DIALOGUE,
}
_TONES = {**dict.fromkeys(CLOSED_STATES, "good"), QuestionState.WITHDRAWN: "neutral", QuestionState.READY: "good"}


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question as its registrant follows it. `no` and `mode` lead to the page where the section is changed."""

    title: str
    text: str
    state: str
    tone: str
    next: str = ""
    meaning: str = ""
    no: int | None = None
    mode: str = "none"
    additions: Sequence[Document] = ()
    amendment: str = ""
    due_on: date | None = None
    due_label: str = ""
    explanation: str = ""
    overdue: str = ""
    answer: str = ""
    outcome: str = ""


ViewOf = Callable[[str, str, QuestionStateData | None, datetime], QuestionView]


def question_views(
    document: Document,
    questions: Mapping[UUID, QuestionStateData],
    now: datetime,
    modes: Mapping[int, str] | None = None,
    view_of: ViewOf | None = None,
) -> list[QuestionView]:
    """A view for each section of the form in its order, and for each question that came out of one, after it. `modes`: what may
    be done to a section: to the question that it is now.
    """
    views: list[QuestionView] = []
    for section in document["sections"]:
        now_it_is = standing(document["_id"], section["no"], questions)
        for n, part in enumerate(family(document["_id"], section["no"], questions)):
            question = questions.get(part)
            as_feedback = question is not None and question.source is CaseSource.FEEDBACK
            more = " – xử lý như phản ánh, kiến nghị" if as_feedback else f" (phần {n + 1})" if n else ""
            title = f"{section['no']}. {section['title']}{more}"
            if section["no"] in document.get("withdrawn_sections", ()) and is_still_open(question):
                views.append(withdrawn_view(title))  # routing hears of it yet
                continue
            view = (view_of or question_view)(title, section["text"] if part == now_it_is else "", question, now)
            mode = (modes or {}).get(section["no"], "none")
            views.append(changeable(view, section, question, mode) if part == now_it_is else view)
    return views


def is_still_open(question: QuestionStateData | None) -> bool:
    """As far as routing has shown it."""
    return question is None or question.state not in CLOSED_STATES


def withdrawn_view(title: str) -> QuestionView:
    """What was taken back, though routing has not shown it yet."""
    state = QuestionState.WITHDRAWN
    return QuestionView(title, "", STATES[state], "neutral", meaning=_MEANING[state])


def changeable(view: QuestionView, section: Document, question: QuestionStateData | None, mode: str) -> QuestionView:
    """With what the person added, what became of that, and what may be done now. Of what is sealed nothing is shown (D6)."""
    view = replace(view, no=section["no"], mode=mode)
    if not view.text:
        return view
    taken = question.amendments[-1] if question and question.amendments else None
    words = f"{_TAKEN[taken.taken_as]} lúc {format_moment(taken.at)}" if taken else ""
    return replace(view, additions=section.get("additions") or (), amendment=words)


_TAKEN: Mapping[str, str] = {
    "replaced": "Văn phòng Sở đã nhận nội dung Ông/Bà sửa; nội dung này thay cho nội dung cũ,",
    "added": "Văn phòng Sở đã nhận phần Ông/Bà ghi thêm; phần này được kèm vào nội dung như phần bổ sung,",
    "late": "Phần Ông/Bà ghi thêm đến sau khi nội dung đã kết thúc; Văn phòng Sở xem và liên hệ khi cần,",
}


def question_view(title: str, text: str, question: QuestionStateData | None, now: datetime) -> QuestionView:
    """What the registrant reads; of a sealed question nothing but that it is being looked at, not even its text: who else holds
    the code must not learn of a denunciation (D6).
    """
    if question is None or question.state is QuestionState.NEW:
        return QuestionView(title, text, STATES[QuestionState.NEW], "info", _NEXT[QuestionState.NEW])
    state = question.state
    if state is QuestionState.EXCLUDED:
        return QuestionView(title, "", STATES[state], _TONES[state])
    if question.sealed or state is QuestionState.SEALED:
        return QuestionView(title, "", STATES[QuestionState.SEALED], "info")
    running = running_clock(question)
    words = STATES[state]
    if state is QuestionState.TO_WRITE and running:
        words = f"{words}, chậm nhất {format_date_long(running.due_on)}"
    return QuestionView(
        title=title,
        text=text,
        state=words,
        tone=_TONES.get(state, "info"),
        next=_NEXT.get(state, ""),
        meaning=_MEANING.get(state, ""),
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
    if document.get("status") == "erased":
        return "Đã xóa dữ liệu cá nhân"
    if document.get("status") == "withdrawn":
        return _CASES[CaseStatus.WITHDRAWN]
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


_REPLIES = {"coming": "Ông/Bà đã xác nhận dự", "substitute": "Ông/Bà đã cử người dự thay", "absent": "Ông/Bà đã báo vắng"}


def reply_words(reply: AttendanceReply | None) -> str:
    """What the person said about coming (texts: tham dự)."""
    if reply is None:
        return ""
    who = f": {reply.substitute}" if reply.substitute else ""
    return f"{_REPLIES[reply.answer]}{who}, lúc {format_moment(reply.at)}"


_ATTENDANCE = {"attended": "Ông/Bà đã dự", "substitute": "Đã cử người dự thay", "absent": "Ông/Bà không dự"}


def attendance_words(case: CaseState | None) -> str:
    return _ATTENDANCE.get(case.attendance or "", "") if case else ""


def stage_words(document: Document, case: CaseState | None) -> str:
    """What the stage of the registration means and what comes next."""
    if document["status"] == "erased":
        return "Dữ liệu cá nhân và nội dung của phiếu đã được xóa theo yêu cầu của Ông/Bà."
    if document["status"] == "withdrawn":
        return "Ông/Bà đã rút phiếu; phiếu không được xử lý tiếp."
    status = case.status if case else CaseStatus.LATE if document["late"] else CaseStatus.OPEN
    if status is CaseStatus.OPEN and is_full(document):
        return _STAGE_WITHOUT_SEAT
    return _STAGES.get(status, "")


_STAGES: Mapping[CaseStatus, str] = {
    CaseStatus.OPEN: "Văn phòng Sở phân loại, chuyển từng nội dung đến đơn vị chuyên môn, rồi gửi giấy mời đến Ông/Bà.",
    CaseStatus.INVITED: "Xin Ông/Bà cho biết có dự được không và mang theo giấy mời khi đến.",
    CaseStatus.ATTENDED: "Kết quả từng nội dung ở dưới đây; nội dung giao trả lời bằng văn bản được gửi đến Ông/Bà.",
    CaseStatus.SUBSTITUTE: "Kết quả từng nội dung ở dưới đây; nội dung giao trả lời bằng văn bản được gửi đến Ông/Bà.",
    CaseStatus.ABSENT: "Sở gửi nội dung trả lời theo địa chỉ ghi trên phiếu.",
    CaseStatus.LATE: "Phiếu không bị loại; Văn phòng Sở quyết định đưa vào Hội nghị hoặc xử lý như phản ánh, kiến nghị.",
    CaseStatus.ADMITTED: "Sở gửi giấy mời đến Ông/Bà.",
    CaseStatus.TO_FEEDBACK: "Sở trả lời Ông/Bà bằng văn bản; mã tra cứu không đổi.",
}
_STAGE_WITHOUT_SEAT = (
    "Văn phòng Sở phân loại, chuyển từng nội dung đến đơn vị chuyên môn. Phiếu đến khi Hội nghị đã đủ chỗ: nội dung của Ông/Bà "
    "vẫn được trả lời bằng văn bản; Văn phòng Sở xem xét việc bố trí chỗ và báo Ông/Bà."
)
STEPS: Mapping[str, str] = {
    "received": "Sở tiếp nhận phiếu",
    "amended": "Ông/Bà sửa nội dung",
    "added": "Ông/Bà bổ sung nội dung",
    "contact": "Ông/Bà sửa thông tin liên hệ",
    "way": "Ông/Bà đổi cách nhận thông tin",
    "section_withdrawn": "Ông/Bà rút một phần nội dung",
    "withdrawn": "Ông/Bà rút phiếu",
    "attendance_coming": "Ông/Bà xác nhận dự Hội nghị",
    "attendance_substitute": "Ông/Bà cử người dự thay",
    "attendance_absent": "Ông/Bà báo vắng",
    "erased": "Sở xóa dữ liệu cá nhân theo yêu cầu",
}
"""Steps of the registration itself."""
CASE_STEPS: Mapping[str, str] = {
    CaseStatus.LATE: "Phiếu đến sau thời hạn đăng ký",
    CaseStatus.ADMITTED: "Phiếu được đưa vào Hội nghị",
    CaseStatus.INVITED: "Sở gửi giấy mời",
    CaseStatus.ATTENDED: "Ông/Bà dự Hội nghị",
    CaseStatus.SUBSTITUTE: "Người được cử dự thay Hội nghị",
    CaseStatus.ABSENT: "Hội nghị diễn ra, Ông/Bà không dự",
    CaseStatus.TO_FEEDBACK: "Phiếu được xử lý như phản ánh, kiến nghị",
    CaseStatus.CLOSED: "Các nội dung đã có kết quả",
}


_VIA: Mapping[str, str] = {
    Via.PHONE: "qua điện thoại",
    Via.EMAIL: "qua thư điện tử",
    Via.POST: "bằng văn bản",
    Via.IN_PERSON: "trực tiếp tại Sở",
}


def asked_words(asked: Document) -> str:
    """How a person asked staff to act for them: qua điện thoại ngày 04/5/2022."""
    return f"{_VIA[asked['via']]} ngày {format_date(date.fromisoformat(asked['on']))}"


def step_words(step: Document, steps: Mapping[str, str]) -> str:
    """What a step of the registration itself says; of one that staff recorded, that they did, and how they were asked."""
    words = steps[step["state"]]
    if "asked" not in step:
        return words
    return f"Sở ghi theo đề nghị của Ông/Bà {asked_words(step['asked'])}: {words.removeprefix('Ông/Bà ')}"


def timeline(
    document: Document,
    case: CaseState | None,
    questions: Mapping[UUID, QuestionStateData],
    *,
    steps: Mapping[str, str] = STEPS,
    case_steps: Mapping[str, str] = CASE_STEPS,
    words_of: Callable[[QuestionStateData, QuestionState], str] = lambda _, state: STATES[state],
) -> list[tuple[datetime, str, str]]:
    """What happened, oldest first: when, what, and to which content. Of a sealed question nothing (D6)."""
    found = [(s["at"], step_words(s, steps), "") for s in document["steps"] if s["state"] in steps]
    found += [(s.at, case_steps[s.state], "") for s in (case.steps if case else ()) if s.state in case_steps]
    for section in document["sections"]:
        for _id in family(document["_id"], section["no"], questions):
            question = questions.get(_id)
            if question is None or is_hidden(question):
                continue
            words = words_of(question, QuestionState.NEW)  # told by the first step of the whole
            # What came out of another question was created as of the day of receipt: that is told of the other.
            for step in question.steps[1:] if question.parent else question.steps:
                state = QuestionState(step.state)
                said = words_of(question, state)
                if state not in (QuestionState.NEW, QuestionState.WITHDRAWN) and said != words:
                    words = said
                    found.append((step.at, words, f"{section['no']}. {section['title']}"))
    return sorted(found, key=lambda entry: entry[0])


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request about personal data, as the person follows it."""

    what: str
    asked_at: datetime
    state: str
    tone: str
    reason: str
    due_label: str
    due_on: date | None
    explanation: str
    overdue: bool
    asked: str = ""
    """How staff were asked, where they recorded it."""


REQUESTS: Mapping[str, str] = {"see": "Xem dữ liệu cá nhân", "delete": "Xóa dữ liệu cá nhân"}
REQUEST_STATES: Mapping[State, tuple[str, str]] = {
    State.RECEIVED: ("Đang xem xét", "info"),
    State.GRANTED: ("Sở đồng ý, đang thực hiện", "good"),
    State.PARTLY: ("Sở đồng ý một phần, đang thực hiện", "good"),
    State.REFUSED: ("Sở không thực hiện được", "warning"),
    State.DONE: ("Đã thực hiện xong", "good"),
}


def request_view(request: Document, now: datetime) -> RequestView:
    """A request with the clock that runs now."""
    state, tone = REQUEST_STATES[State(request["state"])]
    clock = requests.running(request)
    return RequestView(
        what=REQUESTS[request["what"]],
        asked_at=request["asked_at"],
        state=state,
        tone=tone,
        reason=request["reason"],
        due_label="Trả lời chậm nhất" if request["state"] == State.RECEIVED else "Thực hiện chậm nhất",
        due_on=date.fromisoformat(clock["due_on"]) if clock else None,
        explanation=clock["explanation"] if clock else "",
        overdue=requests.is_overdue(request, now),
        asked=asked_words(request["asked"]) if "asked" in request else "",
    )


def next_steps(document: Document) -> Sequence[str]:
    """What happens after a registration (texts: receipt)."""
    announced = document["announced"]
    meeting = Meeting.model_validate(announced["meeting"])
    due = announced["invitations_due"]
    by = f"chậm nhất ngày {format_date(date.fromisoformat(due))}" if due else "ngay khi ấn định ngày tổ chức"
    invited = (
        f"Văn phòng Sở xem xét việc bố trí chỗ và báo Ông/Bà {by}." if is_full(document) else f"Sở gửi giấy mời đến Ông/Bà {by}."
    )
    return ("Văn phòng Sở phân loại, chuyển từng nội dung đến đơn vị chuyên môn.", invited, _held(meeting))


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


@dataclass(frozen=True, slots=True)
class AlikeRow:
    """A registration, or feedback, that the one at the counter may repeat (D3)."""

    case_number: str
    received_at: datetime
    channel: str
    name: str
    phone: str
    same: str


def alike_rows(found: Iterable[Document], typed: Person, channels: Mapping[Channel, str] = CHANNELS) -> list[AlikeRow]:
    """What tells the clerk whether it is the same person, and what it has in common. Never what was written: it may be sealed."""
    rows = []
    for document in found:
        person = document.get("person") or {}
        name, phone = person.get("name", ""), person.get("phone", "")
        same_name = bool(name) and folded(name) == folded(typed.name)
        same_phone = bool(phone) and format_phone(phone) == format_phone(typed.phone)
        same = " và ".join(word for word, holds in (("họ tên", same_name), ("điện thoại", same_phone)) if holds)
        rows.append(
            AlikeRow(
                document["case_number"], document["received_at"], channels[document["channel"]], name, format_phone(phone), same
            )
        )
    return rows


def waiting(seconds: int) -> str:
    """How long to wait, as one says it."""
    return f"{seconds} giây" if seconds < 90 else f"{-(-seconds // 60)} phút"
