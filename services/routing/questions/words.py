"""What staff read: states, acts, channels, deliveries in words."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from contracts.model import CaseSource, CaseStatus, Channel, LetterKind, QuestionState, RegistrantKind, Way
from kit.agency import Agency
from kit.clock import format_date, local_date
from kit.errors import NotFound
from services.routing.questions.clocks import running_clock
from services.routing.questions.domain import Stage, stage_of
from services.routing.questions.states import is_feedback, state_of

Document = Mapping[str, Any]
State = QuestionState

STATES: Mapping[State, str] = {
    State.NEW: "Mới tiếp nhận",
    State.SEALED: "Hồ sơ hạn chế – chờ xác định",
    State.TRIAGE: "Chờ phân loại",
    State.PROPOSED: "Đã đề xuất đơn vị – chờ giao",
    State.TRANSFERRED: "Đã chuyển đơn vị – đang soạn",
    State.RETURNED: "Đơn vị chuyển lại – chờ giao lại",
    State.AT_HEAD: "Chờ Trưởng đơn vị trình",
    State.SUBMITTED: "Chờ lãnh đạo Sở duyệt",
    State.SENT_BACK: "Lãnh đạo yêu cầu hoàn thiện",
    State.READY: "Đã duyệt – sẵn sàng",
    State.RESOLVED: "Giải đáp tại Hội nghị",
    State.TO_WRITE: "Giao trả lời bằng văn bản",
    State.ANSWERED: "Đã trả lời",
    State.GUIDED: "Không thuộc thẩm quyền – đã hướng dẫn",
    State.ESCALATED: "Vượt thẩm quyền – chờ cấp trên",
    State.ESCALATED_DONE: "Đã chuyển ý kiến cấp trên",
    State.ADOPTED: "Tiếp thu",
    State.EXCLUDED: "Không đưa ra đối thoại",
    State.MERGED: "Gộp vào nội dung khác",
    State.TO_FEEDBACK: "Chuyển thành PAKN",
    State.WITHDRAWN: "Người đăng ký rút",
    State.COLLECTING: "Đã ghi nhận, tiếp tục tập hợp",
    State.TO_DIALOGUE: "Đưa vào Hội nghị đối thoại",
}
STAGES: Mapping[Stage, str] = {
    Stage.DRAFTING: "đang soạn",
    Stage.AT_HEAD: "chờ Trưởng đơn vị trình",
    Stage.SUBMITTED: "chờ lãnh đạo Sở duyệt",
    Stage.APPROVED: "đã duyệt, chờ số văn bản",
    Stage.SENT_BACK: "lãnh đạo yêu cầu hoàn thiện",
}
TONES: Mapping[State, str] = {
    State.TRIAGE: "warning",
    State.RETURNED: "warning",
    State.COLLECTING: "neutral",
    State.SENT_BACK: "warning",
    State.PROPOSED: "info",
    State.TRANSFERRED: "info",
    State.AT_HEAD: "info",
    State.SUBMITTED: "info",
    State.TO_WRITE: "info",
    State.READY: "good",
    State.RESOLVED: "good",
    State.ANSWERED: "good",
    State.ADOPTED: "good",
    State.ESCALATED_DONE: "good",
}
STATUSES: Mapping[CaseStatus, str] = {
    CaseStatus.OPEN: "Đã tiếp nhận",
    CaseStatus.INVITED: "Đã mời",
    CaseStatus.ATTENDED: "Có mặt",
    CaseStatus.SUBSTITUTE: "Dự thay",
    CaseStatus.ABSENT: "Vắng",
    CaseStatus.CLOSED: "Đã kết thúc",
    CaseStatus.LATE: "Đến sau hạn – chờ quyết định",
    CaseStatus.ADMITTED: "Đã đưa vào danh sách đối thoại",
    CaseStatus.TO_FEEDBACK: "Chuyển thành PAKN",
    CaseStatus.WITHDRAWN: "Người đăng ký rút",
}
CHANNELS: Mapping[Channel, str] = {
    Channel.WEB: "Trang đăng ký",
    Channel.API: "Phần mềm của cơ quan, tổ chức",
    Channel.EMAIL: "Thư điện tử",
    Channel.PAPER: "Nộp trực tiếp",
    Channel.POST: "Bưu điện",
    Channel.FEEDBACK_SECTION: "Chuyên mục phản ánh, kiến nghị",
    Channel.PHONE: "Điện thoại",
    Channel.TELEVISION: "Chương trình truyền hình",
}
SOURCES: Mapping[CaseSource, str] = {
    CaseSource.REGISTRATION: "Phiếu đăng ký",
    CaseSource.FEEDBACK: "Phản ánh, kiến nghị",
    CaseSource.WALK_IN: "Phát sinh tại Hội nghị",
}
KINDS: Mapping[RegistrantKind, str] = {
    RegistrantKind.INDIVIDUAL: "Cá nhân",
    RegistrantKind.ORGANISATION: "Cơ quan, tổ chức",
    RegistrantKind.ENTERPRISE: "Doanh nghiệp",
    RegistrantKind.COOPERATIVE: "Hợp tác xã",
}
WAYS: Mapping[Way, str] = {Way.EMAIL: "thư điện tử", Way.POST: "bưu điện", Way.PHONE: "điện thoại"}
LETTERS: Mapping[LetterKind, str] = {
    LetterKind.RECEIPT: "Thư tiếp nhận",
    LetterKind.LATE: "Thư báo phiếu đến sau hạn",
    LetterKind.ADMITTED: "Thư báo đã bổ sung vào Hội nghị",
    LetterKind.TO_FEEDBACK: "Thư báo chuyển thành phản ánh, kiến nghị",
    LetterKind.INVITATION: "Giấy mời",
    LetterKind.INTERNAL_INVITATION: "Giấy mời nội bộ",
    LetterKind.RESCHEDULED: "Thư đổi lịch",
    LetterKind.CANCELLED: "Thư hủy Hội nghị",
    LetterKind.CONCLUSION: "Thông báo kết luận",
    LetterKind.ABSENT_ANSWER: "Trả lời người vắng mặt",
    LetterKind.WRITTEN_ANSWER: "Văn bản trả lời",
    LetterKind.GUIDANCE: "Văn bản hướng dẫn",
    LetterKind.COMPLAINT_GUIDANCE: "Văn bản trả lời phiếu đăng ký",
    LetterKind.DENUNCIATION_PASSED: "Văn bản trả lời phiếu đăng ký",
    LetterKind.NEW_QUESTION: "Thư báo đơn vị có nội dung mới",
    LetterKind.REMINDER: "Thư nhắc hạn",
    LetterKind.OVERDUE: "Thư báo quá hạn",
    LetterKind.EXTENDED: "Thư xin lỗi và báo hạn mới",
    LetterKind.DATE_FIXED: "Thư báo ngày tổ chức",
    LetterKind.FEEDBACK_RECEIPT: "Thư tiếp nhận phản ánh, kiến nghị",
    LetterKind.FEEDBACK_ASKED: "Thư đề nghị bổ sung thông tin",
    LetterKind.FEEDBACK_COLLECTING: "Thư báo tiếp tục tập hợp",
}
DELIVERIES: Mapping[str, str] = {
    "sent": "Đã gửi",
    "deferred": "Chưa gửi được, sẽ gửi lại",
    "failed": "Không gửi được",
    "unknown": "Chưa rõ kết quả gửi",
    "held": "Tạm giữ, chờ cán bộ quyết định",
    "to_print": "Chờ in",
    "printed": "Đã in",
    "posted": "Đã gửi bưu điện",
    "to_phone": "Chờ gọi điện thoại",
    "phoned": "Đã báo qua điện thoại",
    "returned": "Bị trả lại",
    "skipped": "Không gửi",
}
_EVENTS: Mapping[str, str] = {
    "created": "Tiếp nhận nội dung",
    "sealed": "Đưa vào hồ sơ hạn chế",
    "unsealed": "Đưa ra khỏi hồ sơ hạn chế",
    "triaged": "Đưa về phân loại",
    "proposed": "Đề xuất đơn vị",
    "transferred": "Chuyển đơn vị",
    "drafted": "Cập nhật dự thảo",
    "at_head": "Trình Trưởng đơn vị",
    "returned": "Đơn vị chuyển lại Văn phòng",
    "submitted": "Trình lãnh đạo Sở",
    "sent_back": "Lãnh đạo yêu cầu hoàn thiện",
    "ready": "Lãnh đạo duyệt",
    "resolved": "Giải đáp tại Hội nghị",
    "to_write": "Giao trả lời bằng văn bản",
    "answered": "Trả lời người đăng ký",
    "guided": "Hướng dẫn đến cơ quan có thẩm quyền",
    "escalated": "Kiến nghị cấp trên",
    "escalated_done": "Chuyển ý kiến của cấp trên",
    "adopted": "Tiếp thu",
    "excluded": "Không đưa ra đối thoại",
    "withdrawn": "Rút",
    "to_feedback": "Chuyển thành phản ánh, kiến nghị",
    "merged": "Gộp vào nội dung khác",
    "split": "Tách thành nhiều nội dung",
    "amended": "Cập nhật",
    "extended": "Gia hạn",
    "due_recomputed": "Tính lại hạn",
    "published": "Công khai hỏi đáp",
    "unpublished": "Thôi công khai hỏi đáp",
    "erased": "Xóa thông tin cá nhân",
    "collecting": "Chưa đủ cơ sở, tiếp tục tập hợp",
    "to_dialogue": "Đưa vào Hội nghị đối thoại",
    "to_registration": "Đưa vào Hội nghị đối thoại",
    "asked_back": "Đề nghị bổ sung thông tin",
    "opened": "Lập phiếu",
    "placed": "Xếp vào Hội nghị",
    "late": "Đến sau thời hạn đăng ký",
    "admitted": "Đưa vào danh sách đối thoại",
    "invited": "Gửi giấy mời",
    "attended": "Ghi nhận tham dự",
    "closed": "Kết thúc",
}
_ACTORS = {"registrant": "Người đăng ký", "system:routing": "Phần mềm"}


def unit_name(agency: Agency, code: str | None) -> str:
    """A unit's short name; a code that the profile no longer has is shown as it is."""
    if not code:
        return ""
    try:
        return agency.unit(code).short_name
    except NotFound:
        return code


def status(case: Document) -> str:
    """The status of a case; of feedback that came as such, that it is worked on."""
    found = CaseStatus(case["status"])
    if found is CaseStatus.TO_FEEDBACK and case["source"] == CaseSource.FEEDBACK:
        return "Đang xử lý như PAKN"
    return STATUSES[found]


def channel(case: Document) -> str:
    """How it came."""
    if not case.get("channel"):
        return SOURCES[case["source"]]
    found = Channel(case["channel"])
    if found is Channel.WEB and case["source"] == CaseSource.FEEDBACK:
        return "Trang Phản ánh, kiến nghị"
    return CHANNELS[found]


def state(agency: Agency, question: Document) -> str:
    """The state as staff read it, with unit, number or stage."""
    found = state_of(question)
    unit = unit_name(agency, question.get("unit"))
    match found:
        case State.TRANSFERRED:
            return f"Đã chuyển {unit} – đang soạn"
        case State.ADOPTED if unit:
            return f"Tiếp thu – giao {unit}"
        case State.TO_WRITE:
            return f"Giao {unit} trả lời bằng văn bản – {STAGES[stage_of(question)]}"
        case State.GUIDED if is_feedback(question):
            number = f", VB số {question['outcome_number']}" if question.get("outcome_number") else ""
            return f"Đã chuyển {question['outcome_body']}{number}"
        case State.ANSWERED if question.get("public_answer"):
            return f"Đã trả lời – VB số {question.get('outcome_number') or '–'} – đã công khai"
        case State.ANSWERED if question.get("outcome_number"):
            return f"Đã trả lời – VB số {question['outcome_number']}"
        case _:
            return STATES[found]


def tone(question: Document) -> str:
    return TONES.get(state_of(question), "neutral")


def actor(name: str) -> str:
    return _ACTORS.get(name, name)


def event(entry: Document, agency: Agency) -> str:
    """One line of the history."""
    what = _EVENTS.get(entry["type"].split(".")[1], entry["type"])
    changes = entry.get("changes") or {}
    unit = changes.get("unit")
    if isinstance(unit, list):
        unit = unit[-1]
    if unit:
        what += f": {unit_name(agency, unit)}"
    if "due_on" in changes:
        what += f" đến {format_date(date.fromisoformat(changes['due_on'][-1]))}"
    if changes.get("number"):
        what += f", số {changes['number']}"
    return what


def days_over(question: Document, now: datetime) -> int | None:
    """Days over the due day (negative: days left); None without a running clock."""
    clock = running_clock(question)
    return None if clock is None else (local_date(now) - date.fromisoformat(clock["due_on"])).days
