"""The Vietnamese words of reports (docs: states as staff read them)."""

from collections.abc import Callable, Mapping
from datetime import date

from contracts.model import Channel, Criterion, QuestionState, RegistrantKind, SurveyWay
from kit.agency import Agency
from kit.clock import format_date
from kit.errors import NotFound
from kit.procedures import procedures_of
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
SURVEYED = frozenset({Measure.SURVEYS, Measure.MARKS})

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

SURVEY_WAYS: Mapping[str, str] = {
    SurveyWay.QR: "Mã QR tại quầy",
    SurveyWay.PAPER: "Phiếu giấy tại quầy",
    SurveyWay.CASE: "Sau trả lời hoặc Hội nghị",
}

CRITERIA: Mapping[str, str] = {
    Criterion.TIME: "Thời gian",
    Criterion.ATTITUDE: "Thái độ",
    Criterion.CLARITY: "Mức độ rõ ràng",
    Criterion.RESULT: "Kết quả",
}

MARKS: Mapping[str, str] = {
    "1": "Rất không hài lòng (1)",
    "2": "Không hài lòng (2)",
    "3": "Bình thường (3)",
    "4": "Hài lòng (4)",
    "5": "Rất hài lòng (5)",
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
    Measure.SURVEYS: "Phiếu khảo sát",
    Measure.MARKS: "Ý kiến đánh giá trong phiếu khảo sát",
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
    "way": SURVEY_WAYS,
    "criterion": CRITERIA,
    "mark": {**MARKS, "satisfied": "hài lòng hoặc rất hài lòng (4–5)"},
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


def surveyed_unit_label(agency: Agency, unit: str) -> str:
    """As `unit_label`; an answer may concern several units."""
    return "Không gắn với riêng một đơn vị" if unit == NONE else unit_label(agency, unit)


def procedure_label(agency: Agency, procedure: str) -> str:
    """The procedure's name; its code where the profile does not have it."""
    return "Không nêu thủ tục" if procedure == NONE else procedures_of(agency).get(procedure, procedure)


def listed(measure: Measure, label: str) -> str:
    """A fact's label in the list of a cell; of an answer to the survey its day and way."""
    if measure not in SURVEYED:
        return label
    day, _, way = label.partition("/")
    return f"Ngày {format_date(date.fromisoformat(day))}: {SURVEY_WAYS.get(way, way)}"


def describe(agency: Agency, cell: Cell) -> str:
    """What a cell counts, in words."""
    parts = [f"{_MEASURES[cell.measure]} {_TIMINGS[cell.timing]}"]
    for name, value in cell.where:
        if name == "section":
            parts.append(section_label(agency, value))
        elif name == "unit":
            label = surveyed_unit_label if cell.measure in SURVEYED else unit_label
            parts.append(label(agency, value))
        elif name == "procedure":
            parts.append(procedure_label(agency, value))
        else:
            parts.append(_VALUES[name].get(value, value))
    return " · ".join(parts)
