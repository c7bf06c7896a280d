"""What the public may see of a report: sums, and no group so small that somebody could be recognised in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.reporting.domain import NONE, SEALED
from services.reporting.report import Report, Row

SMALLEST = 5
"""A group of fewer is put together with others, or not shown."""
OTHERS = "Mục khác"
_APART = (f"section~{NONE}", f"section~{SEALED}")


@dataclass(frozen=True, slots=True)
class PublicLine:
    """A group of questions: received, ended, open."""

    label: str
    received: int
    ended: int
    open: int


def sections(report: Report) -> tuple[PublicLine, ...]:
    """Questions by section. Small groups, and what names no section, become one; if that is still small, no breakdown."""
    rows = [row for row in report.table("muc").rows if not row.adds and not row.outside and row.values[0].n]
    shown = sorted((row for row in rows if not _is_apart(row)), key=lambda row: row.values[0].n)
    others = [row for row in rows if _is_apart(row)]
    while shown and (shown[0].values[0].n < SMALLEST or (others and _received(others) < SMALLEST)):
        others.append(shown.pop(0))
    order = [row for row in rows if row in shown]
    lines = [_line(row.label, [row]) for row in order]
    if not lines:
        return ()
    return (*lines, _line(OTHERS, others)) if others else tuple(lines)


def _is_apart(row: Row) -> bool:
    cell = row.values[0].cell
    return cell is not None and any(mark in cell.code.split(".") for mark in _APART)


def _received(rows: Sequence[Row]) -> int:
    return sum(row.values[0].n for row in rows)


def _line(label: str, rows: Sequence[Row]) -> PublicLine:
    received, ended, open_ = (sum(row.values[i].n for row in rows) for i in range(3))
    return PublicLine(label, received, ended, open_)


@dataclass(frozen=True, slots=True)
class PublicCriterion:
    """A criterion of the survey: how many marks, their average, the share of 4 and 5 (0 to 1)."""

    label: str
    marks: int
    average: float
    satisfied: float


@dataclass(frozen=True, slots=True)
class PublicSurvey:
    """The survey of a year: how many answers, and the criteria that were marked often enough."""

    answers: int
    criteria: tuple[PublicCriterion, ...]


def survey(report: Report) -> PublicSurvey | None:
    """What people said in the survey (K3); None below the smallest group, then not even its number is shown."""
    answers = report.table("khao-sat").rows[-1].values[0].n
    if answers < SMALLEST:
        return None
    table = report.table("khao-sat-tieu-chi")
    average, satisfied = table.ratios
    marked = [row for row in table.rows if not row.adds and row.values[-1].n >= SMALLEST]
    criteria = [
        PublicCriterion(row.label, row.values[-1].n, average.value(row) or 0.0, satisfied.value(row) or 0.0) for row in marked
    ]
    return PublicSurvey(answers, tuple(criteria))
