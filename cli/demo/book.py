"""What the demonstration knows that it did: every form, every content, what became of it. The report is held against these."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.model import CLOSED_STATES, Channel, QuestionState, RegistrantKind, SurveyWay

State = QuestionState
Tables = dict[str, dict[str, tuple[int, ...]]]
"""Title of a table → label of a line → its numbers. A line that is not here is all zero."""


class Path(StrEnum):
    """What happens to a content before the meeting."""

    ANSWERED = "answered"
    IMPROVED = "improved"
    """The leadership sends it back once."""
    RETURNED = "returned"
    """It went to the wrong unit, which gives it back to the office."""
    OVERDUE = "overdue"
    """The unit hands it over only after its due day."""
    GUIDED = "guided"
    ESCALATED = "escalated"
    SEALED = "sealed"
    UNTOUCHED = "untouched"
    """It becomes feedback before anybody works on it."""


@dataclass
class Content:
    """One filled section. `proposed` is the unit that the software has to find, None: triage. `unit` answers in the end."""

    section: int | None
    text: str
    proposed: str | None = None
    unit: str | None = None
    path: Path = Path.ANSWERED
    outcome: State = State.RESOLVED
    """What the meeting makes of it."""
    due: bool = False
    """Whether the chair sets a day for the written answer."""
    written: bool = False
    """Whether the written answer goes out before the report is drawn."""
    state: State = State.NEW
    page: str = ""
    """Its address at the staff desk."""
    clocks: list[tuple[str, str]] = field(default_factory=list)
    """(kind, result) of every deadline that the unit had; the last may be running."""

    @property
    def sealed(self) -> bool:
        return self.path is Path.SEALED

    @property
    def spoken(self) -> bool:
        """Whether it is one for the meeting."""
        return self.path not in (Path.SEALED, Path.GUIDED, Path.UNTOUCHED)


@dataclass
class Registrant:
    """Who sends a form, and what came of it."""

    name: str
    contents: list[Content]
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    organisation: str = ""
    address: str = ""
    phone: str = ""
    email: str = ""
    channel: Channel | None = Channel.WEB
    """None: who speaks at the meeting without having registered."""
    attendance: str = "attended"
    late: bool = False
    feedback: bool = False
    """The office makes the registration feedback."""
    number: str = ""
    code: str = ""
    page: str = ""

    @property
    def registered(self) -> bool:
        return self.channel is not None

    @property
    def invited(self) -> bool:
        """Whether something of this registration is for the meeting."""
        return self.registered and not self.feedback and any(content.spoken for content in self.contents)

    @property
    def names(self) -> tuple[str, ...]:
        """What a public page must not tell."""
        return tuple(filter(None, (self.name, self.organisation, self.email, self.phone)))


@dataclass
class AgencyBook:
    """One agency's part of the demonstration. Words are those of its printed form and of its profile."""

    code: str
    name: str
    prefix: str
    sections: dict[int, str]
    units: dict[str, str]
    assigner: str
    """The account that puts contents before units."""
    registrants: list[Registrant]
    latecomers: list[Registrant]
    """Who comes, or is typed in, after the closing."""
    walk_in: Registrant
    plan: str = ""
    dialogue: str = ""
    held: bool = False
    surveys: list[tuple[SurveyWay, tuple[int | None, ...]]] = field(default_factory=list)
    """Answers to the survey: how they came, and their marks in the order of the criteria."""

    def everybody(self) -> list[Registrant]:
        """All who have come so far: a form has its number when it was received."""
        return [r for r in (*self.registrants, *self.latecomers, self.walk_in) if r.number]

    def invited(self) -> list[Registrant]:
        return [r for r in self.everybody() if r.invited]

    def contents(self) -> Iterator[tuple[Registrant, Content]]:
        for registrant in self.everybody():
            for content in registrant.contents:
                yield registrant, content

    # The second count

    def tables(self) -> Tables:
        """The report as it has to be, counted from nothing but this book."""
        contents = [content for _, content in self.contents()]
        return {
            "Tổng hợp": self._overview(contents),
            "Phiếu đăng ký theo kênh": self._registrations(),
            "Biến động nội dung": _movement(contents),
            "Nội dung theo mục": _grouped(contents, self._section),
            "Nội dung theo đơn vị": _grouped(contents, self._unit),
            "Nội dung tiếp nhận trong kỳ theo tình trạng": _totalled((_STATES[c.state], (1,)) for c in contents),
            "Nội dung kết thúc theo kết quả": _totalled((_STATES[c.state], (1, 0)) for c in contents if c.state in CLOSED_STATES),
            "Đúng hạn và quá hạn": _clocks(contents),
            "Phiếu khảo sát mức độ hài lòng": _totalled((_SURVEY_WAYS[way], (1, 0)) for way, _ in self.surveys),
            "Mức độ hài lòng theo tiêu chí": _totalled(
                (criterion, (*(int(mark == n) for n in range(1, 6)), 1))
                for _, marks in self.surveys
                for criterion, mark in zip(_CRITERIA, marks, strict=True)
                if mark is not None
            ),
        }

    def _overview(self, contents: list[Content]) -> dict[str, tuple[int, ...]]:
        registered = [r for r in self.everybody() if r.registered]
        invited = self.invited()
        counted = {
            "Hội nghị đối thoại đã tổ chức": int(self.held),
            "Phiếu đăng ký tham gia đối thoại": len(registered),
            "– trong đó đến sau thời hạn đăng ký": sum(r.late for r in registered),
            "Phiếu được mời dự": len(invited),
            "– có mặt": sum(r.attendance == "attended" for r in invited),
            "– cử người dự thay": sum(r.attendance == "substitute" for r in invited),
            "– vắng mặt": sum(r.attendance == "absent" for r in invited),
            "Người phát biểu ngoài danh sách đăng ký": len(self.everybody()) - len(registered),
            "Nội dung tiếp nhận": len(contents),
            "Phản ánh, kiến nghị tiếp nhận": sum(r.feedback for r in registered),
        }
        return {label: (n, 0) for label, n in counted.items()}

    def _registrations(self) -> dict[str, tuple[int, ...]]:
        kinds = list(RegistrantKind)
        lines = [
            (_CHANNELS[r.channel], (*(int(r.kind is kind) for kind in kinds), 1, int(r.late)))
            for r in self.everybody()
            if r.channel is not None
        ]
        return _totalled(lines)

    def _section(self, content: Content) -> str:
        if content.sealed:
            return _SEALED
        return self.sections[content.section] if content.section is not None else "Nêu trực tiếp, không theo mục"

    def _unit(self, content: Content) -> str:
        if content.sealed:
            return _SEALED
        return self.units[content.unit] if content.unit is not None else "Chưa giao đơn vị (Văn phòng)"


_SEALED = "Hồ sơ hạn chế (chỉ đếm)"
_CHANNELS = {
    Channel.WEB: "Trang thông tin điện tử",
    Channel.API: "Kết nối phần mềm (API)",
    Channel.PAPER: "Nộp trực tiếp",
}
_SURVEY_WAYS = {
    SurveyWay.QR: "Mã QR tại quầy",
    SurveyWay.PAPER: "Phiếu giấy tại quầy",
    SurveyWay.CASE: "Sau trả lời hoặc Hội nghị",
}
_CRITERIA = ("Thời gian", "Thái độ", "Mức độ rõ ràng", "Kết quả")
_STATES = {
    State.SEALED: "Hồ sơ hạn chế – chờ xác định",
    State.TO_WRITE: "Giao trả lời bằng văn bản",
    State.ESCALATED: "Vượt thẩm quyền – chờ cấp trên",
    State.RESOLVED: "Giải đáp tại Hội nghị",
    State.ANSWERED: "Đã trả lời bằng văn bản",
    State.GUIDED: "Không thuộc thẩm quyền – đã hướng dẫn",
    State.ADOPTED: "Đã tiếp thu",
    State.EXCLUDED: "Không đưa ra đối thoại",
    State.TO_FEEDBACK: "Chuyển thành phản ánh, kiến nghị",
}
_CLOCKS = {
    "preparation": "Chuẩn bị dự thảo trước Hội nghị",
    "written": "Trả lời bằng văn bản sau Hội nghị",
}


def _totalled(lines: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """Lines of the same label added up, and the sum of all as "Cộng"."""
    found: dict[str, tuple[int, ...]] = {}
    for label, numbers in lines:
        for name in (label, "Cộng"):
            before = found.get(name, (0,) * len(numbers))
            found[name] = tuple(a + b for a, b in zip(before, numbers, strict=True))
    return found


def _grouped(contents: Iterable[Content], label: Callable[[Content], str]) -> dict[str, tuple[int, ...]]:
    """Received, ended, open, open at the cut-off: all began in this period, so the last two are the same."""
    closed = [(content, int(content.state in CLOSED_STATES)) for content in contents]
    return _totalled((label(content), (1, ended, 1 - ended, 1 - ended)) for content, ended in closed)


def _movement(contents: list[Content]) -> dict[str, tuple[int, ...]]:
    ended = sum(content.state in CLOSED_STATES for content in contents)
    return {
        "Tiếp nhận trong kỳ": (len(contents),),
        "Cộng phải giải quyết": (len(contents),),
        "Kết thúc trong kỳ": (ended,),
        "Đang giải quyết đến ngày chốt": (len(contents) - ended,),
        "Cộng": (len(contents),),
    }


def _clocks(contents: Iterable[Content]) -> dict[str, tuple[int, ...]]:
    """On time, late, ended, supplement, running, overdue: each transfer has a deadline of its own."""
    clocks = [clock for content in contents if not content.sealed for clock in content.clocks]
    lines: dict[str, tuple[int, ...]] = {}
    for kind, label in _CLOCKS.items():
        on_time, late, running = (clocks.count((kind, result)) for result in ("on time", "late", "running"))
        lines[label] = (on_time, late, on_time + late, 0, running, 0)
    return lines
