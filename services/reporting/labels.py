"""The Vietnamese words of reports (docs: states as staff read them)."""

from collections.abc import Callable, Mapping

from contracts.model import Channel, QuestionState, RegistrantKind
from kit.agency import Agency
from kit.errors import NotFound
from services.reporting.domain import (
    FEEDBACK,
    FORWARD,
    FROM_FEEDBACK,
    FROM_REGISTRATION,
    IN_TIME,
    LATE,
    NONE,
    ON_TIME,
    OVERDUE,
    PREPARATION,
    SEALED,
    WRITTEN,
    Cell,
    Measure,
    Timing,
)

NOTHING = "Không phát sinh"

Labeller = Callable[[Agency, str], str]

CHANNELS: Mapping[str, str] = {
    Channel.WEB: "Trang thông tin điện tử",
    Channel.API: "Kết nối phần mềm (API)",
    Channel.EMAIL: "Thư điện tử",
    Channel.PAPER: "Nộp trực tiếp",
    Channel.POST: "Bưu điện",
    Channel.FEEDBACK_SECTION: "Chuyên mục phản ánh, kiến nghị",
    Channel.PHONE: "Điện thoại",
    Channel.TELEVISION: "Chương trình truyền hình",
}

KINDS: Mapping[str, str] = {
    RegistrantKind.INDIVIDUAL: "Cá nhân",
    RegistrantKind.ORGANISATION: "Tổ chức",
    RegistrantKind.ENTERPRISE: "Doanh nghiệp",
    RegistrantKind.COOPERATIVE: "Hợp tác xã",
}

STATES: Mapping[str, str] = {
    QuestionState.NEW: "Mới tiếp nhận",
    QuestionState.SEALED: "Hồ sơ hạn chế – chờ xác định",
    QuestionState.TRIAGE: "Chờ phân loại",
    QuestionState.PROPOSED: "Đã đề xuất đơn vị – chờ giao",
    QuestionState.TRANSFERRED: "Đã chuyển đơn vị – đang soạn",
    QuestionState.AT_HEAD: "Chờ Trưởng đơn vị trình",
    QuestionState.RETURNED: "Đơn vị chuyển lại – chờ giao lại",
    QuestionState.SUBMITTED: "Chờ lãnh đạo Sở duyệt",
    QuestionState.SENT_BACK: "Lãnh đạo yêu cầu hoàn thiện",
    QuestionState.READY: "Đã duyệt – sẵn sàng",
    QuestionState.TO_WRITE: "Giao trả lời bằng văn bản",
    QuestionState.ESCALATED: "Vượt thẩm quyền – chờ cấp trên",
    QuestionState.RESOLVED: "Giải đáp tại Hội nghị",
    QuestionState.ANSWERED: "Đã trả lời bằng văn bản",
    QuestionState.GUIDED: "Không thuộc thẩm quyền – đã hướng dẫn",
    QuestionState.ESCALATED_DONE: "Đã chuyển ý kiến cấp trên",
    QuestionState.ADOPTED: "Đã tiếp thu",
    QuestionState.EXCLUDED: "Không đưa ra đối thoại",
    QuestionState.WITHDRAWN: "Người đăng ký rút",
    QuestionState.TO_FEEDBACK: "Chuyển thành phản ánh, kiến nghị",
    QuestionState.MERGED: "Gộp vào nội dung khác",
    QuestionState.COLLECTING: "Đã ghi nhận, tiếp tục tập hợp",
    QuestionState.TO_DIALOGUE: "Đưa vào Hội nghị đối thoại",
}

ATTENDANCE: Mapping[str, str] = {"attended": "có mặt", "substitute": "cử người dự thay", "absent": "vắng mặt"}

CLOCKS: Mapping[str, str] = {
    PREPARATION: "Chuẩn bị dự thảo trước Hội nghị",
    WRITTEN: "Trả lời bằng văn bản sau Hội nghị",
}

FEEDBACK_CLOCKS: Mapping[str, str] = {
    FORWARD: "Chuyển cơ quan có thẩm quyền",
    FEEDBACK: "Trả lời phản ánh, kiến nghị",
}

ORIGINS: Mapping[str, str] = {
    FROM_FEEDBACK: "gửi như phản ánh, kiến nghị",
    FROM_REGISTRATION: "từ phiếu đăng ký đối thoại chuyển sang",
}

FEEDBACK_OUTCOMES: Mapping[str, str] = {
    QuestionState.ANSWERED: "Đã trả lời bằng văn bản",
    QuestionState.GUIDED: "Đã chuyển cơ quan có thẩm quyền",
    QuestionState.ESCALATED_DONE: "Đã thông báo ý kiến của cấp trên",
    QuestionState.ADOPTED: "Đã tiếp thu",
    QuestionState.RESOLVED: "Đã giải đáp",
    QuestionState.TO_DIALOGUE: "Đưa vào Hội nghị đối thoại",
    QuestionState.EXCLUDED: "Giải quyết theo pháp luật khiếu nại, tố cáo",
    QuestionState.WITHDRAWN: "Người gửi rút",
    QuestionState.TO_FEEDBACK: "Chuyển thành phản ánh, kiến nghị",
}

_MEASURES: Mapping[Measure, str] = {
    Measure.DIALOGUES: "Hội nghị đối thoại đã tổ chức",
    Measure.REGISTRATIONS: "Phiếu đăng ký",
    Measure.WALK_INS: "Người phát biểu ngoài danh sách đăng ký",
    Measure.INVITED: "Phiếu được mời dự",
    Measure.ATTENDANCE: "Phiếu được mời",
    Measure.ENTERED: "Nội dung tiếp nhận",
    Measure.LEFT: "Nội dung kết thúc",
    Measure.QUESTIONS: "Nội dung",
    Measure.CLOCKS: "Lượt thực hiện thời hạn đã kết thúc",
    Measure.RUNNING: "Lượt thực hiện thời hạn đang tính",
    Measure.FEEDBACK: "Phản ánh, kiến nghị",
    Measure.FEEDBACK_ENTERED: "Nội dung phản ánh, kiến nghị tiếp nhận",
    Measure.FEEDBACK_LEFT: "Nội dung phản ánh, kiến nghị kết thúc",
    Measure.FEEDBACK_QUESTIONS: "Nội dung phản ánh, kiến nghị",
    Measure.FEEDBACK_PUBLISHED: "Kết quả xử lý phản ánh, kiến nghị đã công khai",
}

_TIMINGS: Mapping[Timing, str] = {
    Timing.PERIOD: "trong kỳ",
    Timing.SUPPLEMENT: "bổ sung của kỳ trước",
    Timing.BOOKED: "ghi nhận trong kỳ",
    Timing.CUTOFF: "đến ngày chốt số liệu",
    Timing.OPENING: "kỳ trước chuyển sang",
}

_VALUES: Mapping[str, Mapping[str, str]] = {
    "channel": CHANNELS,
    "kind": KINDS,
    "late": {"yes": "đến sau thời hạn đăng ký", "no": "trong thời hạn đăng ký"},
    "status": ATTENDANCE,
    "state": {**STATES, "open": "đang giải quyết", "closed": "đã kết thúc", "counted": "không kể nội dung đã gộp"},
    "clock": {**CLOCKS, **FEEDBACK_CLOCKS},
    "origin": ORIGINS,
    "group": {NONE: "chưa phân nhóm", **{str(n): f"nhóm {n}" for n in range(1, 9)}},
    "result": {ON_TIME: "đúng hạn", LATE: "quá hạn", IN_TIME: "còn trong hạn", OVERDUE: "đang quá hạn"},
}


def section_label(agency: Agency, section: str) -> str:
    """The section as the form prints it."""
    if section == SEALED:
        return "Hồ sơ hạn chế (chỉ đếm)"
    try:
        return agency.form.section(int(section)).label
    except (ValueError, NotFound):
        return "Nêu trực tiếp, không theo mục" if section == NONE else f"Mục {section}"


def unit_label(agency: Agency, unit: str) -> str:
    """The unit's name; its code where the profile no longer has it."""
    if unit == SEALED:
        return "Hồ sơ hạn chế (chỉ đếm)"
    if unit == NONE:
        return "Chưa giao đơn vị (Văn phòng)"
    try:
        return agency.unit(unit).name
    except NotFound:
        return unit


def describe(agency: Agency, cell: Cell) -> str:
    """What a cell counts, in words."""
    parts = [f"{_MEASURES[cell.measure]} {_TIMINGS[cell.timing]}"]
    for name, value in cell.where:
        if name == "section":
            parts.append(section_label(agency, value))
        elif name == "unit":
            parts.append(unit_label(agency, value))
        else:
            parts.append(_VALUES[name].get(value, value))
    return " · ".join(parts)
