"""The rules of the survey (K3): what an answer holds, whom it is about, when two are the same. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid5

from contracts.model import Criterion, QuestionState, QuestionStateData, SurveyWay
from services.intake.codes import ALPHABET

_ANSWERS = UUID("7d1f8f5c-0d0c-5c0e-9a3e-6b8f4c1d2e90")
SLUG_LENGTH = 8
_GROUP = 4

NO_MARK = "Xin Ông/Bà cho ý kiến về ít nhất một mục."
NO_UNIT = "Đơn vị này không có trong danh sách. Xin chọn lại."
NO_PROCEDURE = "Thủ tục này không có trong danh mục. Xin chọn lại."
TRAPPED = (
    "Một ô ẩn chỉ để ngăn thư rác đã được điền, có thể do trình duyệt tự điền, nên phiếu chưa được ghi nhận. Ô ấy nay đã được "
    "xóa trống: xin Ông/Bà bấm “Gửi đánh giá” lần nữa."
)
IN_THE_FUTURE = "Ngày ghi phiếu ở trong tương lai. Xin kiểm tra lại."


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person said: marks from 1 to 5, and perhaps some words, which never leave intake."""

    marks: Mapping[Criterion, int]
    text: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What an answer is about. `counter`: the slug of the QR code that it was given by."""

    way: SurveyWay
    unit: str | None = None
    procedure: str | None = None
    counter: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A QR code on a wall: it stands for one unit, and for one procedure or for all of them."""

    slug: str
    agency: str
    unit: str
    procedure: str | None
    closed: bool


def answer_id(agency: str, key: str) -> UUID:
    """The same key of an agency is the same answer, whatever it says."""
    return uuid5(_ANSWERS, f"{agency}/{key}")


def case_key(case: UUID) -> str:
    """A case is asked once."""
    return f"case/{case}"


def page_key(place: str, nonce: str) -> str:
    """A page is sent once; at a counter the next person opens another."""
    return f"page/{place}/{nonce}"


def parse_slug(typed: str) -> str | None:
    """The eight symbols of a slug, whatever case and dashes they were typed with; None for anything else."""
    slug = typed.replace("-", "").upper()
    return slug if len(slug) == SLUG_LENGTH and all(symbol in ALPHABET for symbol in slug) else None


def shown(slug: str) -> str:
    """As it stands in an address and on paper: two groups of four."""
    return f"{slug[:_GROUP]}-{slug[_GROUP:]}".lower()


_GOES_ON_ELSEWHERE = frozenset({QuestionState.MERGED, QuestionState.TO_FEEDBACK, QuestionState.TO_DIALOGUE})


def unit_of(questions: Iterable[QuestionStateData]) -> str | None:
    """The unit that a case's answers came from; None when there were several, or none."""
    units = {question.unit for question in questions if question.state not in _GOES_ON_ELSEWHERE}
    return units.pop() if len(units) == 1 else None


def check(
    answers: Answers, about: About, *, units: Collection[str | None] | None = None, procedures: Mapping[str, str]
) -> dict[str, str]:
    """Field → what is wrong. `units`: those that may be named, where a unit is typed in."""
    errors = {}
    if units is not None and about.unit not in units:
        errors["unit"] = NO_UNIT
    if about.procedure is not None and about.procedure not in procedures:
        errors["procedure"] = NO_PROCEDURE
    if not answers.marks:
        errors[""] = NO_MARK
    return errors
