"""Report periods against the hand-made table S10, and the laws that make them tile the time line."""

from datetime import UTC, date, datetime, time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.calendar import load_calendar
from kit.clock import TZ, at
from kit.periods import (
    Period,
    PeriodError,
    PeriodKind,
    PlanQuarter,
    dates,
    first_half,
    month,
    month_of,
    nine_months,
    parse_period,
    quarter,
    quarter_of,
    second_half,
    whole_year,
    year_of,
)

CALENDAR = load_calendar(Path(__file__).parents[2] / "agencies/calendars/vn.yaml")


def d(text: str) -> date:
    """4/5/2022."""
    day, month_, year = map(int, text.split("/"))
    return date(year, month_, day)


@pytest.mark.parametrize(
    ("code", "first", "last", "parts", "shown", "after"),
    [
        ("2021-Q1", "15/12/2020", "14/3/2021", "11/3/2021", "11/3/2021", "15/3/2021"),
        ("2021-Q2", "15/3/2021", "14/6/2021", "11/6/2021", "11/6/2021", "15/6/2021"),
        ("2021-6T", "15/12/2020", "14/6/2021", "11/6/2021", "11/6/2021", "15/6/2021"),
        ("2021-Q3", "15/6/2021", "14/9/2021", "11/9/2021", "10/9/2021", "15/9/2021"),
        ("2021-Q4", "15/9/2021", "14/12/2021", "11/12/2021", "10/12/2021", "15/12/2021"),
        ("2021", "15/12/2020", "14/12/2021", "11/12/2021", "10/12/2021", "15/12/2021"),
        ("2022-Q1", "15/12/2021", "14/3/2022", "11/3/2022", "11/3/2022", "15/3/2022"),
        ("2022-Q2", "15/3/2022", "14/6/2022", "11/6/2022", "10/6/2022", "15/6/2022"),
        ("2022-6T", "15/12/2021", "14/6/2022", "11/6/2022", "10/6/2022", "15/6/2022"),
        ("2022-Q3", "15/6/2022", "14/9/2022", "11/9/2022", "9/9/2022", "15/9/2022"),
        ("2022-Q4", "15/9/2022", "14/12/2022", "11/12/2022", "9/12/2022", "15/12/2022"),
        ("2022", "15/12/2021", "14/12/2022", "11/12/2022", "9/12/2022", "15/12/2022"),
    ],
)
def test_s10_periods(code: str, first: str, last: str, parts: str, shown: str, after: str) -> None:
    period = parse_period(code)
    deadline = period.parts_deadline(CALENDAR, before_day=12)
    assert (period.first_day, period.last_day) == (d(first), d(last))
    assert (deadline.due_on, deadline.shown_on) == (d(parts), d(shown))
    assert period.first_working_day_after(CALENDAR) == d(after)


def test_s10_a_part_on_saturday_is_in_time_and_on_sunday_late() -> None:
    deadline = quarter(2022, 2).parts_deadline(CALENDAR, before_day=12)
    assert not deadline.is_late(at(d("11/6/2022"), time(20)))
    assert deadline.is_late(at(d("12/6/2022"), time(0)))
    assert deadline.is_late(at(d("12/6/2022"), time(8)))


def test_s10_the_cut_off_is_midnight_in_vietnam() -> None:
    assert quarter_of(datetime(2022, 3, 14, 17, 30, tzinfo=UTC)) == quarter(2022, 2)
    assert quarter_of(at(d("14/3/2022"), time(23, 59, 59))) == quarter(2022, 1)


def test_s10_the_december_dialogue_is_next_years_report_but_this_years_plan() -> None:
    meeting = at(d("28/12/2022"), time(8))
    assert quarter_of(meeting) == quarter(2023, 1)
    assert not whole_year(2022).contains(meeting)
    assert PlanQuarter.of(meeting.date()) == PlanQuarter(2022, 4)


@pytest.mark.parametrize(
    ("meeting", "report_quarter"),
    [("11/5/2022", 2), ("13/4/2022", 2), ("20/4/2022", 2), ("4/5/2022", 2), ("15/6/2022", 3), ("30/6/2022", 3)],
)
def test_s1_a_plans_quarter_is_not_the_reports(meeting: str, report_quarter: int) -> None:
    day = d(meeting)
    assert quarter_of(at(day, time(8))) == quarter(2022, report_quarter)
    assert PlanQuarter.of(day) == PlanQuarter(2022, 2)


def test_s5_an_answer_of_20_december_falls_in_the_next_quarter() -> None:
    assert quarter_of(at(d("26/11/2021"), time(14))) == quarter(2021, 4)
    assert quarter_of(at(d("20/12/2021"), time(9))) == quarter(2022, 1)


@pytest.mark.parametrize(
    ("period", "title", "draft"),
    [
        (quarter(2022, 2), "Quý II năm 2022", False),
        (first_half(2022), "6 tháng đầu năm 2022", False),
        (second_half(2022), "6 tháng cuối năm 2022", True),
        (nine_months(2022), "9 tháng năm 2022", True),
        (whole_year(2022), "Năm 2022", False),
        (month(2022, 5), "Tháng 5 năm 2022", False),
        (dates(d("15/12/2021"), d("14/3/2022")), "Từ ngày 15/12/2021 đến ngày 14/3/2022", False),
    ],
)
def test_titles_and_drafts(period: Period, title: str, draft: bool) -> None:
    assert (period.title, period.is_draft) == (title, draft)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "2022-Q0",
        "2022-Q5",
        "2022-T13",
        "2022-q2",
        "22",
        "2022 ",
        "2022\n",
        "1999",
        "2100",
        "0000",
        "٢٠٢٢",
        "2022-6t",
        "2022-02-30..2022-03-01",
        "2022-03-14..2021-12-15",
        "0000-01-01..2022-01-01",
        "1990-01-01..2022-01-01",
        "2022-01-01..9999-12-31",
        "2022-01-01",
        "../etc/passwd",
    ],
)
def test_a_wrong_code_is_refused(code: str) -> None:
    with pytest.raises(PeriodError):
        parse_period(code)


def test_chosen_dates_have_no_parts_deadline() -> None:
    with pytest.raises(PeriodError):
        dates(d("1/1/2022"), d("31/1/2022")).parts_deadline(CALENDAR, before_day=12)


# Laws

YEARS = st.integers(2001, 2098)
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2098, 12, 1), timezones=st.just(TZ))  # noqa: DTZ001


def _tiles(whole: Period, parts: list[Period]) -> bool:
    joined = all(earlier.end == later.start for earlier, later in pairwise(parts))
    return joined and (parts[0].start, parts[-1].end) == (whole.start, whole.end)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    year = draw(YEARS)
    kind = draw(st.sampled_from(PeriodKind))
    match kind:
        case PeriodKind.MONTH:
            return month(year, draw(st.integers(1, 12)))
        case PeriodKind.QUARTER:
            return quarter(year, draw(st.integers(1, 4)))
        case PeriodKind.DATES:
            first, last = sorted(draw(st.tuples(*[st.dates(date(2000, 1, 1), date(2099, 12, 31))] * 2)))
            return dates(first, last)
    simple = {
        PeriodKind.FIRST_HALF: first_half,
        PeriodKind.SECOND_HALF: second_half,
        PeriodKind.NINE_MONTHS: nine_months,
        PeriodKind.YEAR: whole_year,
    }
    return simple[kind](year)


@given(periods())
def test_a_code_names_its_period(period: Period) -> None:
    assert parse_period(period.code) == period


@given(periods())
def test_a_period_holds_its_first_moment_and_not_its_end(period: Period) -> None:
    assert period.contains(period.start)
    assert period.contains(at(period.last_day, time.max))
    assert not period.contains(period.end)


@given(MOMENTS)
def test_every_moment_is_in_exactly_one_month_quarter_and_year(moment: datetime) -> None:
    years = range(moment.year - 1, moment.year + 2)
    months = [month(year, n) for year in years if year > 2000 for n in range(1, 13)]
    quarters = [quarter(year, n) for year in years if year > 2000 for n in range(1, 5)]
    whole_years = [whole_year(year) for year in years if year > 2000]
    assert [period for period in months if period.contains(moment)] == [month_of(moment)]
    assert [period for period in quarters if period.contains(moment)] == [quarter_of(moment)]
    assert [period for period in whole_years if period.contains(moment)] == [year_of(moment)]


@given(YEARS)
def test_a_year_is_its_quarters_and_halves_and_follows_the_last(year: int) -> None:
    quarters = [quarter(year, n) for n in range(1, 5)]
    assert _tiles(whole_year(year), quarters)
    assert _tiles(whole_year(year), [first_half(year), second_half(year)])
    assert _tiles(whole_year(year), [nine_months(year), quarters[3]])
    assert _tiles(first_half(year), quarters[:2])
    assert _tiles(whole_year(year), [month(year, n) for n in range(1, 13)])
    assert whole_year(year).end == whole_year(year + 1).start


@given(YEARS, st.integers(1, 4))
def test_a_quarter_is_its_three_months(year: int, number: int) -> None:
    months = [month(year, n) for n in range(3 * number - 2, 3 * number + 1)]
    assert _tiles(quarter(year, number), months)


@given(periods().filter(lambda period: period.kind is not PeriodKind.DATES))
def test_parts_are_due_on_a_working_day_before_the_cut_off(period: Period) -> None:
    deadline = period.parts_deadline(CALENDAR, before_day=12)
    assert CALENDAR.is_working_day(deadline.shown_on)
    assert deadline.shown_on <= deadline.due_on < period.last_day
    assert period.contains(deadline.due_at)
    assert period.first_working_day_after(CALENDAR) > period.last_day


@given(st.dates(date(2001, 1, 1), date(2098, 12, 31)))
def test_a_day_is_in_its_plan_quarter(day: date) -> None:
    plan_quarter = PlanQuarter.of(day)
    assert plan_quarter.first_day <= day <= plan_quarter.last_day
    assert PlanQuarter.of(plan_quarter.first_day) == PlanQuarter.of(plan_quarter.last_day) == plan_quarter
