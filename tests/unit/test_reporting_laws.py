"""Laws of reports on random histories: they equal a second count, add up, stay locked, and lead to their cases (K7)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.model import CLOSED_STATES, QuestionState
from contracts.views import QuestionFigures
from kit.clock import start_of_day
from kit.periods import Period, dates
from services.reporting.domain import Tally, question_fact, sums_of
from services.reporting.report import Report, build
from tests.unit.reporting_events import clock, question
from tests.unit.test_reporting import BAC_KAN, ONE_DAY, report_of

FIRST = date(2022, 2, 1)
DAYS = 40
OPEN = ("triage", "proposed", "transferred", "submitted", "returned", "to_write", "escalated")
ENDS = ("resolved", "answered", "guided", "to_feedback", "merged")

moments = st.integers(0, DAYS * 24 * 60 - 1).map(lambda minutes: start_of_day(FIRST) + timedelta(minutes=minutes))


@st.composite
def histories(draw: st.DrawFn) -> QuestionFigures:
    """A question with steps known in order, each done before it was known; perhaps ended, perhaps with clocks."""
    known = sorted(draw(st.lists(moments, min_size=1, max_size=6)))
    done = [moment - timedelta(minutes=draw(st.sampled_from((0, 0, 0, 90, 26 * 60, 9 * 24 * 60)))) for moment in known]
    states = [draw(st.sampled_from(OPEN)) for _ in known]
    # Given to a unit for writing once: the state tells the newest such unit only.
    states = ["submitted" if s == "to_write" and "to_write" in states[:i] else s for i, s in enumerate(states)]
    if draw(st.booleans()):
        states[-1] = draw(st.sampled_from(ENDS))
    entries = list(zip(states, done, known, strict=True))
    clocks = []
    if draw(st.booleans()):
        stopped = done[-1] if states[-1] in ENDS and done[-1] >= done[0] else None
        due = done[0].astimezone().date() + timedelta(days=draw(st.integers(0, 12)))
        clocks = [clock(draw(st.sampled_from(("preparation", "written"))), done[0], due, stopped)]
    unit = draw(st.sampled_from((None, "tieu-chuan-do-luong", "van-phong")))
    return question(
        f"BK-{draw(st.integers(1, 99))}", *entries, section=draw(st.sampled_from((None, 1, 2))), unit=unit, clocks=clocks,
        transfers=[("tieu-chuan-do-luong", at) for state, at, _ in entries if state == "transferred"],
    )  # fmt: skip


@st.composite
def periods(draw: st.DrawFn) -> Period:
    first = FIRST + timedelta(days=draw(st.integers(-3, DAYS)))
    return dates(first, first + timedelta(days=draw(st.integers(0, DAYS))))


class SecondCount:
    """The report's main numbers, counted from the steps themselves, one question after the other."""

    def __init__(self, questions: Sequence[QuestionFigures], period: Period) -> None:
        self.opening = self.entered = self.supplement = self.open = self.merged = 0
        self.closed: dict[str, int] = {}
        self.closed_late: dict[str, int] = {}
        self.late = self.on_time = 0
        for one in questions:
            self._question(one, period)
            self._clocks(one, period)

    def _question(self, one: QuestionFigures, period: Period) -> None:
        before, now = _known(one, period.start), _known(one, period.end)
        if before and _is_open(before[-1]):
            self.opening += 1
        if not now:
            return
        received = one.steps[0].at
        if received >= period.start:
            self.entered += 1
        elif not before:
            self.supplement += 1
        if _is_open(now[-1]):
            self.open += 1
        elif not before or _is_open(before[-1]):
            self._ended(one, now[-1], period)

    def _ended(self, one: QuestionFigures, state: str, period: Period) -> None:
        if state == "merged":
            self.merged += 1
            return
        ended = one.steps[-1].at
        into = self.closed if ended >= period.start else self.closed_late
        into[state] = into.get(state, 0) + 1

    def _clocks(self, one: QuestionFigures, period: Period) -> None:
        known = {s.at: s.known_at for s in one.steps}
        for each in one.clocks:
            stopped = each.stopped_at
            if stopped is None or not period.start <= stopped < period.end or known[stopped] >= period.end:
                continue
            if stopped < each.due_at:
                self.on_time += 1
            else:
                self.late += 1


def _known(one: QuestionFigures, cut_off: datetime) -> list[str]:
    return [s.state for s in one.steps if s.at < cut_off and s.known_at < cut_off]


def _is_open(state: str) -> bool:
    return QuestionState(state) not in CLOSED_STATES and state != "merged"


def _column(report: Report, table: str, column: int = 0) -> dict[str, int]:
    return {row.label: row.values[column].n for row in report.table(table).rows if row.values[column].n and not row.adds}


@settings(max_examples=200)
@given(st.lists(histories(), max_size=8), periods())
def test_a_report_equals_a_second_count(questions: list[QuestionFigures], period: Period) -> None:
    report = report_of(map(question_fact, questions), period.code)
    second = SecondCount(questions, period)
    movement = [row.values[0].n for row in report.table("bien-dong").rows if not row.adds]
    assert movement == [
        second.opening, second.entered, second.supplement,
        sum(second.closed.values()), sum(second.closed_late.values()), second.merged, second.open,
    ]  # fmt: skip
    assert sorted(_column(report, "ket-qua").values()) == sorted(second.closed.values())
    assert sorted(_column(report, "ket-qua", 1).values()) == sorted(second.closed_late.values())
    assert sum(_column(report, "thoi-han").values()) == second.on_time
    assert sum(_column(report, "thoi-han", 1).values()) == second.late
    assert report.adds_up, [check for check in report.checks if not check.holds]


@settings(max_examples=100)
@given(st.lists(histories(), max_size=5), periods())
def test_what_is_known_later_changes_no_closed_report(questions: list[QuestionFigures], period: Period) -> None:
    """The report of the histories as they were known at the cut-off is the report of the whole histories."""
    then = [known for one in questions if (known := _as_known(one, period.end)) is not None]
    assert report_of(map(question_fact, then), period.code) == report_of(map(question_fact, questions), period.code)


def _as_known(one: QuestionFigures, cut_off: datetime) -> QuestionFigures | None:
    known = [s for s in one.steps if s.known_at < cut_off]
    if not known:
        return None
    left_out = {s.at for s in one.steps} - {s.at for s in known}
    clocks = [
        c.model_copy(update={"stopped_at": None}) if c.stopped_at in left_out else c
        for c in one.clocks
        if c.start not in left_out
    ]
    transfers = [t for t in one.transfers if t.at not in left_out]
    return one.model_copy(
        update={
            "steps": tuple(known),
            "state": QuestionState(known[-1].state),
            "clocks": tuple(clocks),
            "transfers": tuple(transfers),
        }
    )


@settings(max_examples=60)
@given(st.lists(histories(), max_size=6), periods(), st.integers(0, DAYS))
def test_each_cell_is_the_sum_of_its_cases(questions: list[QuestionFigures], period: Period, day: int) -> None:
    facts = [question_fact(one) for one in questions]
    until = min(period.last_day, FIRST + timedelta(days=day)) + ONE_DAY
    sums = [sums_of(fact.flows, period.first_day, until) for fact in facts]
    report = build(BAC_KAN, period, until, Tally([row for rows in sums for row in rows]))
    for table in report.tables:
        for value in (v for row in table.rows for v in row.values if v.cell):
            assert value.n == sum(Tally(rows).count(value.cell) for rows in sums)  # type: ignore[arg-type]


@settings(max_examples=100)
@given(st.lists(histories(), max_size=6), st.integers(1, DAYS - 2))
def test_what_is_open_at_a_cut_off_is_carried_over(questions: list[QuestionFigures], day: int) -> None:
    cut = FIRST + timedelta(days=day)
    facts = [question_fact(one) for one in questions]
    first = report_of(facts, dates(FIRST - timedelta(days=20), cut).code).table("bien-dong").rows
    second = report_of(facts, dates(cut + ONE_DAY, FIRST + timedelta(days=DAYS)).code).table("bien-dong").rows
    assert first[-2].values[0].n == second[0].values[0].n
