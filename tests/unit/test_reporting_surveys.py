"""The survey in reports (K3, K7): laws on random answers, the workbook's formulas, and what the public may see."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from contracts.model import Criterion, SurveyWay
from contracts.views import SurveyFigures
from kit.clock import start_of_day
from kit.periods import Period
from services.reporting import labels, public, xlsx
from services.reporting.domain import Cell, Fact, Measure, Tally, Timing, sums_of, survey_fact
from services.reporting.report import Report
from tests.unit.reporting_events import at
from tests.unit.test_reporting import BAC_KAN, ONE_DAY, line, report_of
from tests.unit.test_reporting_laws import moments, periods

UNITS = (None, "van-phong", "tieu-chuan-do-luong")
PROCEDURES = (None, "1.001786.000.00.00.H52", "2.002278")


@st.composite
def answers(draw: st.DrawFn) -> SurveyFigures:
    """An answer; a paper is typed in some days after it was given."""
    recorded = draw(moments)
    way = draw(st.sampled_from(SurveyWay))
    given_at = recorded - timedelta(days=draw(st.integers(0, 9))) if way is SurveyWay.PAPER else recorded
    marked = draw(st.lists(st.sampled_from(Criterion), min_size=1, unique=True))
    return SurveyFigures(
        way=way,
        unit=draw(st.sampled_from(UNITS)),
        procedure=draw(st.sampled_from(PROCEDURES)),
        given_at=given_at,
        recorded_at=recorded,
        marks={criterion: draw(st.integers(1, 5)) for criterion in marked},
    )


ONE_MORNING = at("10/11/2021 09:00")


def answer(*marks: int, on: datetime = ONE_MORNING) -> SurveyFigures:
    named = dict(zip(Criterion, marks, strict=False))
    return SurveyFigures(way=SurveyWay.QR, unit="van-phong", given_at=on, recorded_at=on, marks=named)


def _in_report(one: SurveyFigures, period: Period) -> bool:
    assert one.recorded_at is not None
    return period.start <= one.given_at < period.end and one.recorded_at < period.end


@settings(max_examples=60)
@given(st.lists(answers(), max_size=12), periods())
def test_a_report_equals_a_second_count(given_answers: list[SurveyFigures], period: Period) -> None:
    report = report_of(map(survey_fact, given_answers), period.code)
    counted = [one for one in given_answers if _in_report(one, period)]
    for way, label in labels.SURVEY_WAYS.items():
        assert line(report, "khao-sat", label)[0] == sum(one.way == way for one in counted)
    for criterion, label in labels.CRITERIA.items():
        marks = [one.marks[criterion] for one in counted if criterion in one.marks]
        row = next(row for row in report.table("khao-sat-tieu-chi").rows if row.label == label)
        assert [v.n for v in row.values] == [*(marks.count(mark) for mark in range(1, 6)), len(marks)]
        average, satisfied = (ratio.value(row) for ratio in report.table("khao-sat-tieu-chi").ratios)
        assert average == (pytest.approx(sum(marks) / len(marks)) if marks else None)
        assert satisfied == (pytest.approx(sum(mark >= 4 for mark in marks) / len(marks)) if marks else None)
    for table, name, code in (("khao-sat-don-vi", "unit", UNITS), ("khao-sat-thu-tuc", "procedure", PROCEDURES)):
        by_value = [sum(getattr(one, name) == value for one in counted) for value in code]
        rows = [row.values[0].n for row in report.table(table).rows if not row.adds]
        assert sorted(n for n in rows if n) == sorted(n for n in by_value if n)
    supplement = [one for one in given_answers if one.given_at < period.start <= _known(one) < period.end]
    assert line(report, "khao-sat", "Cộng") == [len(counted), len(supplement)]
    assert report.adds_up, [check for check in report.checks if not check.holds]


def _known(one: SurveyFigures) -> datetime:
    return one.recorded_at or one.given_at


@settings(max_examples=30)
@given(st.lists(answers(), max_size=8), periods())
def test_what_is_typed_in_later_changes_no_closed_report(given_answers: list[SurveyFigures], period: Period) -> None:
    then = [one for one in given_answers if _known(one) < period.end]
    assert report_of(map(survey_fact, then), period.code) == report_of(map(survey_fact, given_answers), period.code)


@settings(max_examples=20)
@given(st.lists(answers(), max_size=6), periods())
def test_each_cell_is_named_by_its_code_and_is_the_sum_of_its_answers(given_answers: list[SurveyFigures], period: Period) -> None:
    facts = [survey_fact(one) for one in given_answers]
    for table in report_of(facts, period.code).tables:
        for value in (v for row in table.rows for v in row.values if v.cell):
            cell = Cell.parse(value.cell.code)  # type: ignore[union-attr]
            assert cell == value.cell
            assert value.n == sum(_count(fact, cell, period) for fact in facts)


def _count(fact: Fact, cell: Cell, period: Period) -> int:
    return Tally(sums_of(fact.flows, period.first_day, period.last_day + ONE_DAY)).count(cell)


def test_the_last_moment_of_the_14th_belongs_to_the_quarter_and_the_next_does_not() -> None:
    in_time = answer(5, on=start_of_day(date(2021, 12, 15)) - timedelta(seconds=1))
    after = answer(5, on=start_of_day(date(2021, 12, 15)))
    facts = [survey_fact(in_time), survey_fact(after)]
    assert line(report_of(facts, "2021-Q4"), "khao-sat", "Cộng") == [1, 0]
    assert line(report_of(facts, "2022-Q1"), "khao-sat", "Cộng") == [1, 0]


def test_a_fact_says_of_an_answer_its_day_and_way_alone() -> None:
    fact = survey_fact(answer(5, 4))
    assert fact.label == "2021-11-10/qr"
    assert labels.listed(Measure.MARKS, fact.label) == "Ngày 10/11/2021: Mã QR tại quầy"
    assert labels.listed(Measure.REGISTRATIONS, "BK-2021-000001") == "BK-2021-000001"
    assert fact.details == {}


def test_a_cell_is_described_with_the_dots_of_its_procedure() -> None:
    cell = Cell.of(Measure.MARKS, Timing.PERIOD, procedure="1.001786.000.00.00.H52", mark="satisfied")
    assert cell.code == "marks.period.mark~satisfied.procedure~1!001786!000!00!00!H52"
    assert labels.describe(BAC_KAN, Cell.parse(cell.code)).endswith("hài lòng hoặc rất hài lòng (4–5) · 1.001786.000.00.00.H52")


# Workbook


def _worked_out(sheet: Worksheet, formula: str) -> float | str:
    """=IF(G5=0,"",(B5*1+C5*2)/G5) and =SUM(B5:F5), from the cells they name."""

    def number(cell: str) -> float:
        content = sheet[cell].value
        if isinstance(content, str) and content.startswith("=SUM("):
            rows = sheet[content[5:-1]]
            return sum(number(c.coordinate) for row in rows for c in (row if isinstance(row, tuple) else (row,)))
        return float(content)

    match = re.fullmatch(r'=IF\((\w+)=0,"",\(([\w*+]+)\)/\1\)', formula)
    assert match is not None, formula
    if not number(match[1]):
        return ""
    parts = [part.split("*") for part in match[2].split("+")]
    return sum(number(cell) * int(weight) for cell, weight in parts) / number(match[1])


def test_the_workbook_has_a_sheet_whose_formulas_give_averages_and_shares() -> None:
    report = report_of(map(survey_fact, [answer(5, 4, 3), answer(2, 4), answer(1)]), "2021-Q4")
    sheet = load_workbook(BytesIO(xlsx.workbook(BAC_KAN, report)))["Khảo sát"]
    found = {
        str(row[0].value): [_worked_out(sheet, str(cell.value)) for cell in row if str(cell.value).startswith("=IF(")]
        for row in sheet.iter_rows()
    }
    assert found["Thời gian"] == [pytest.approx(8 / 3), pytest.approx(1 / 3)]
    assert found["Thái độ"] == [4, 1]
    assert found["Mức độ rõ ràng"] == [3, 0]
    assert found["Kết quả"] == ["", ""]
    assert found["Không nêu thủ tục"] == [0.5]


# The public


def _public(marks: Iterable[Sequence[int]]) -> public.PublicSurvey | None:
    report: Report = report_of([survey_fact(answer(*each)) for each in marks], "2021")
    return public.survey(report)


def test_the_public_sees_no_figure_of_fewer_than_five() -> None:
    assert _public([(5,)] * 4) is None
    shown = _public([(5, 4)] * 4 + [(1,)])
    assert shown is not None
    assert shown.answers == 5
    assert [(c.label, c.marks, c.average, c.satisfied) for c in shown.criteria] == [("Thời gian", 5, 4.2, 0.8)]
