"""Reports as functions of dated events: scenarios S5 and S10, the lock at the cut-off, sums that add up (K7)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from contracts.model import CLOSED_STATES, CaseSource, Channel, QuestionState
from kit.agency import load_agencies
from kit.periods import Period, parse_period
from services.reporting import public, xlsx
from services.reporting.domain import (
    Cell,
    CellError,
    Fact,
    Measure,
    Tally,
    Timing,
    case_fact,
    dialogue_fact,
    question_fact,
    sums_of,
)
from services.reporting.report import PlannedDialogue, Report, build
from tests.unit.reporting_events import at, case, clock, dialogue, question
from tests.unit.s5 import CASES, DIALOGUE, QUESTIONS

BAC_KAN = load_agencies(Path("agencies"))["bac-kan"]
ONE_DAY = timedelta(days=1)


def report_of(facts: Iterable[Fact], code: str, planned: Sequence[PlannedDialogue] = (), *, today: date | None = None) -> Report:
    period = parse_period(code)
    until = min(period.last_day, today or period.last_day) + ONE_DAY
    flows = [flow for fact in facts for flow in fact.flows]
    return build(BAC_KAN, period, until, Tally(sums_of(flows, period.first_day, until)), planned)


def s5() -> list[Fact]:
    return [*map(case_fact, CASES.values()), *map(question_fact, QUESTIONS.values()), dialogue_fact(DIALOGUE)]


def line(report: Report, table: str, label: str) -> list[int]:
    return [v.n for v in next(row for row in report.table(table).rows if row.label.endswith(label)).values]


def lines(report: Report, table: str) -> dict[str, int]:
    """First column by label, zeros left out."""
    return {row.label: row.values[0].n for row in report.table(table).rows if row.values[0].n}


# S5


def test_s5_counts_registrations_by_channel_and_kind() -> None:
    report = report_of(s5(), "2021-Q4")
    totals = {row.label: row.values[-2].n for row in report.table("phieu").rows if row.values[-2].n}
    assert totals == {
        "Trang thông tin điện tử": 4,
        "Nộp trực tiếp": 1,
        "Thư điện tử": 1,
        "Chuyên mục phản ánh, kiến nghị": 1,
        "Bưu điện": 1,
        "Cộng": 8,
    }
    assert line(report, "phieu", "Cộng") == [6, 0, 1, 1, 8, 2]  # persons, organisations, enterprise, cooperative, sum, late


def test_s5_overview() -> None:
    overview = lines(report_of(s5(), "2021-Q4"), "tong-hop")
    assert overview == {
        "Hội nghị đối thoại đã tổ chức": 1,
        "Phiếu đăng ký tham gia đối thoại": 8,
        "– trong đó đến sau thời hạn đăng ký": 2,
        "Phiếu được mời dự": 5,
        "– có mặt": 3,
        "– cử người dự thay": 1,
        "– vắng mặt": 1,
        "Người phát biểu ngoài danh sách đăng ký": 1,
        "Nội dung tiếp nhận": 10,
        "Phản ánh, kiến nghị tiếp nhận": 1,
    }


def test_s5_counts_questions_by_outcome() -> None:
    report = report_of(s5(), "2021-Q4")
    assert lines(report, "ket-qua") == {
        "Giải đáp tại Hội nghị": 3,
        "Đã trả lời bằng văn bản": 3,  # Q2 and Q10 after the meeting, Q4 to the absent
        "Không thuộc thẩm quyền – đã hướng dẫn": 1,
        "Không đưa ra đối thoại": 1,
        "Chuyển thành phản ánh, kiến nghị": 1,
        "Cộng": 9,
    }
    assert line(report, "bien-dong", "Đang giải quyết đến ngày chốt") == [1]
    assert lines(report, "trang-thai")["Vượt thẩm quyền – chờ cấp trên"] == 1
    assert lines(report, "muc")["Cộng"] == 10
    assert line(report, "muc", "Hồ sơ hạn chế (chỉ đếm)") == [1, 1, 0, 0]


def test_s5_keeps_the_two_clocks_apart() -> None:
    report = report_of(s5(), "2021-Q4")
    assert line(report, "thoi-han", "trước Hội nghị") == [6, 0, 6, 0, 0, 0]
    assert line(report, "thoi-han", "sau Hội nghị") == [1, 1, 2, 0, 0, 0]
    by_unit = {row.label: [v.n for v in row.values] for row in report.table("thoi-han-don-vi").rows}
    assert by_unit["Cộng"] == [6, 0, 0, 1, 1, 0]


def test_s5_the_upper_levels_answer_belongs_to_the_next_quarter() -> None:
    report = report_of(s5(), "2022-Q1")
    assert line(report, "bien-dong", "Kỳ trước chuyển sang") == [1]
    assert lines(report, "ket-qua") == {"Đã chuyển ý kiến cấp trên": 1, "Cộng": 1}
    assert line(report, "bien-dong", "Đang giải quyết đến ngày chốt") == [0]
    assert report.table("phieu").nothing


@pytest.mark.parametrize("code", ["2021-Q4", "2021", "2022-Q1", "2021-Q3", "2021-11-20..2021-11-22", "2021-T12"])
def test_s5_adds_up(code: str) -> None:
    report = report_of(s5(), code)
    assert report.adds_up, [c for c in report.checks if not c.holds]


def test_s5_late_written_answer_is_overdue_while_it_is_not_given() -> None:
    report = report_of(s5(), "2021-11-20..2021-12-10")
    assert line(report, "thoi-han", "sau Hội nghị") == [1, 0, 1, 0, 0, 1]


# S10


@pytest.mark.parametrize(
    ("received", "code"),
    [("14/03/2022 23:59:59", "2022-Q1"), ("15/03/2022 00:00", "2022-Q2"), ("15/03/2022 00:30", "2022-Q2")],
)
def test_s10_the_first_half_hour_of_15_march_is_the_second_quarters(received: str, code: str) -> None:
    facts = [case_fact(case("R1", at(received)))]
    found = {c: line(report_of(facts, c), "phieu", "Cộng")[4] for c in ("2022-Q1", "2022-Q2")}
    assert found == {"2022-Q1": 0, "2022-Q2": 0} | {code: 1}


def test_s10_what_routing_saw_after_the_cut_off_counts_by_when_intake_had_it() -> None:
    received, routed = at("14/03/2022 23:59:59"), at("15/03/2022 01:10")
    registered = case("R1", received, recorded=received)
    asked = question("R1", ("triage", received, routed), recorded=received)
    report = report_of([case_fact(registered), question_fact(asked)], "2022-Q1")
    assert line(report, "phieu", "Cộng")[4] == line(report, "bien-dong", "Tiếp nhận trong kỳ")[0] == 1


def _son_la() -> list[Fact]:
    told = at("05/01/2022 08:00")
    first = dialogue("09/KH-SKHCN", 1, year=2022, announced=told, meeting=at("11/05/2022 08:00"), held=at("11/05/2022 11:30"))
    second = dialogue("09/KH-SKHCN", 2, year=2022, announced=told, meeting=at("28/12/2022 08:00"), held=at("28/12/2022 11:30"))
    return [dialogue_fact(first), dialogue_fact(second)]


def _planned(facts: Sequence[Fact]) -> list[PlannedDialogue]:
    def day(text: str | None) -> date | None:
        return date.fromisoformat(text) if text else None

    return [
        PlannedDialogue(
            f.label, day(f.details["announced_on"]), day(f.details["held_on"]), day(f.details["counted_on"]),
            day(f.details["meeting_on"]), f.details["status"] == "cancelled",
        )
        for f in facts
    ]  # fmt: skip


def test_s10_a_dialogue_after_the_years_cut_off_is_named_in_a_note() -> None:
    facts = _son_la()
    year = report_of(facts, "2022", _planned(facts))
    assert line(year, "tong-hop", "Hội nghị đối thoại đã tổ chức") == [1, 0]
    assert year.notes == (
        "Kế hoạch năm 2022 có 2 hội nghị; hết ngày 14/12/2022 đã tổ chức 1.",
        "09/KH-SKHCN – lần 2: đã tổ chức ngày 28/12/2022, sau ngày chốt số liệu của năm, tính vào báo cáo Quý I năm 2023.",
    )
    assert line(report_of(facts, "2023-Q1"), "tong-hop", "Hội nghị đối thoại đã tổ chức") == [1, 0]
    assert line(report_of(facts, "2022-Q2"), "tong-hop", "Hội nghị đối thoại đã tổ chức") == [1, 0]


# The lock at the cut-off


def test_an_answer_noted_after_the_cut_off_is_a_supplement_of_the_next_period() -> None:
    asked, given, issued = at("06/12/2021 09:00"), at("07/12/2021 09:00"), at("13/12/2021 23:59")
    noted = at("16/12/2021 08:00")
    running = clock("written", given, date(2021, 12, 10), None)
    before = question("R1", ("triage", asked), ("to_write", given), unit="quan-ly-cong-nghe", clocks=[running])
    after = question(
        "R1", ("triage", asked), ("to_write", given), ("answered", issued, noted),
        unit="quan-ly-cong-nghe", clocks=[running.model_copy(update={"stopped_at": issued})],
    )  # fmt: skip
    locked = report_of([question_fact(before)], "2021-Q4")
    drawn_later = report_of([question_fact(after)], "2021-Q4")
    assert drawn_later == locked
    assert line(locked, "thoi-han", "sau Hội nghị") == [0, 0, 0, 0, 0, 1]
    following = report_of([question_fact(after)], "2022-Q1")
    assert line(following, "ket-qua", "Đã trả lời bằng văn bản") == [0, 1]
    assert line(following, "thoi-han", "sau Hội nghị") == [0, 0, 0, 1, 0, 0]
    assert line(following, "bien-dong", "Kết thúc thuộc kỳ trước, ghi nhận sau ngày chốt") == [1]
    assert following.adds_up


def test_a_paper_typed_after_the_cut_off_is_a_supplement_of_the_next_period() -> None:
    paper = case("R1", at("14/12/2021 16:00"), channel=Channel.PAPER, recorded=at("15/12/2021 08:00"))
    facts = [case_fact(paper)]
    assert report_of(facts, "2021-Q4").table("phieu").nothing
    assert line(report_of(facts, "2022-Q1"), "tong-hop", "Phiếu đăng ký tham gia đối thoại") == [0, 1]
    assert line(report_of(facts, "2021-12-14..2021-12-15"), "tong-hop", "Phiếu đăng ký tham gia đối thoại") == [1, 0]


def test_a_part_split_off_after_the_cut_off_is_known_since_the_split() -> None:
    received, split = at("10/12/2021 09:00"), at("16/12/2021 09:00")
    child = question("R1", ("triage", received, split), recorded=received).model_copy(update={"parent": QUESTIONS["Q1"].case})
    assert line(report_of([question_fact(child)], "2021-Q4"), "bien-dong", "Tiếp nhận trong kỳ") == [0]
    assert line(
        report_of([question_fact(child)], "2022-Q1"), "bien-dong", "Tiếp nhận thuộc kỳ trước, ghi nhận sau ngày chốt"
    ) == [1]


# Units and merged ones


def test_the_unit_of_a_period_is_the_one_that_had_it_at_its_cut_off() -> None:
    first, second = at("10/12/2021 09:00"), at("17/12/2021 09:00")
    moved = question(
        "R1", ("triage", at("09/12/2021 08:00")), ("transferred", first),
        ("returned", at("16/12/2021 08:00")), ("transferred", second),
        unit="tieu-chuan-do-luong", transfers=[("quan-ly-cong-nghe", first), ("tieu-chuan-do-luong", second)],
    )  # fmt: skip
    report, following = (report_of([question_fact(moved)], code) for code in ("2021-Q4", "2022-Q1"))
    assert lines(report, "don-vi") == {BAC_KAN.unit("quan-ly-cong-nghe").name: 1, "Cộng": 1}
    assert line(following, "don-vi", BAC_KAN.unit("tieu-chuan-do-luong").name)[3] == 1


def test_a_merged_question_stands_outside_the_sums() -> None:
    kept = question("R1", ("triage", at("10/11/2021 09:00")))
    merged = question("R2", ("triage", at("10/11/2021 10:00")), ("merged", at("11/11/2021 10:00")))
    report = report_of([question_fact(kept), question_fact(merged)], "2021-Q4")
    assert line(report, "muc", "Cộng") == [1, 0, 1, 1]
    assert line(report, "muc", "đã gộp vào nội dung khác")[0] == 1
    assert report.adds_up


def test_a_sealed_question_has_neither_section_nor_unit_nor_label_in_a_report() -> None:
    sealed = question_fact(
        question(
            "R1", ("proposed", at("10/11/2021 09:00")), ("sealed", at("11/11/2021 09:00")), unit="quan-ly-cong-nghe", sealed=True
        )
    )
    assert {flow.key[:2] for flow in sealed.flows if flow.measure is Measure.QUESTIONS} == {("sealed", "sealed")}


# Cells


@pytest.mark.parametrize(
    "code",
    ["", "x", "questions", "questions.never", "questions.period.unit", "questions.period.channel~web",
     "questions.period.unit~a.unit~b", "registrations.period.late~yes.channel~web"],
)  # fmt: skip
def test_what_names_no_cell_is_refused(code: str) -> None:
    with pytest.raises(CellError):
        Cell.parse(code)


def test_every_number_of_a_report_names_its_cell() -> None:
    for table in report_of(s5(), "2021-Q4").tables:
        for row in table.rows:
            for value in row.values:
                assert value.cell is None or Cell.parse(value.cell.code) == value.cell
                assert row.adds or value.cell is not None


def test_every_cell_leads_to_as_many_cases_as_it_says() -> None:
    facts = s5()
    period = parse_period("2021-Q4")
    for table in report_of(facts, "2021-Q4").tables:
        for value in (v for row in table.rows for v in row.values if v.cell):
            assert value.n == sum(_contribution(fact, value.cell, period) for fact in facts)  # type: ignore[arg-type]


def _contribution(fact: Fact, cell: Cell, period: Period) -> int:
    return Tally(sums_of(fact.flows, period.first_day, period.last_day + ONE_DAY)).count(cell)


# Workbook and public page


def _values(report: Report) -> list[list[int | str]]:
    """The sheet's rows with every formula worked out."""
    sheet = load_workbook(BytesIO(xlsx.workbook(BAC_KAN, report)))["Báo cáo"]

    def value(cell: str) -> int:
        content = sheet[cell].value
        if isinstance(content, str) and content.startswith("=SUM("):
            return sum(value(c.coordinate) for row in sheet[content[5:-1]] for c in (row if isinstance(row, tuple) else (row,)))
        assert isinstance(content, int)
        return content

    return [
        [
            value(c.coordinate) if isinstance(c.value, int) or str(c.value).startswith("=") else str(c.value)
            for c in row
            if c.value is not None
        ]
        for row in sheet.iter_rows()
    ]


def test_the_workbook_holds_the_numbers_and_its_formulas_give_the_sums() -> None:
    report = report_of(s5(), "2021-Q4")
    rows = _values(report)
    for table in report.tables:
        for row in () if table.nothing else table.rows:
            assert [row.label, *(v.n for v in row.values)] in rows, (table.title, row.label)
    assert ["Kênh tiếp nhận", "Cá nhân", "Tổ chức", "Doanh nghiệp", "Hợp tác xã", "Cộng", "Trong đó sau thời hạn"] in rows


def test_the_workbook_is_printed_on_a4_and_numbers_have_formats() -> None:
    sheet = load_workbook(BytesIO(xlsx.workbook(BAC_KAN, report_of(s5(), "2021-Q4"))))["Báo cáo"]
    assert (sheet.page_setup.paperSize, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (9, 1, 0)
    numbers = {c.number_format for row in sheet.iter_rows() for c in row if isinstance(c.value, int)}
    assert numbers == {"#,##0", '#,##0;-#,##0;"không phát sinh"'}


def test_what_somebody_typed_is_never_a_formula() -> None:
    report = report_of(s5(), "2021-Q4")
    typed = '=HYPERLINK("http://xau.example","bấm")'
    first = replace(
        report.tables[0], title=typed, rows=(replace(report.tables[0].rows[0], label=typed), *report.tables[0].rows[1:])
    )
    book = load_workbook(BytesIO(xlsx.workbook(BAC_KAN, replace(report, tables=(first, *report.tables[1:])))))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.data_type for cell in cells if cell.value == typed] == ["s", "s"]
    assert {str(c.value).partition("(")[0] for c in cells if c.data_type == "f"} == {"=SUM", "=IF"}


def test_nobody_registered_is_said_in_words() -> None:
    report = report_of([], "2021-Q4")
    assert all(table.nothing for table in report.tables)
    assert ["Không phát sinh trong kỳ."] in _values(report)
    assert report.adds_up


def test_the_public_sees_no_group_of_fewer_than_five() -> None:
    when = at("10/11/2021 09:00")
    facts = [question_fact(question(f"A{n}", ("triage", when), section=1)) for n in range(9)]
    facts += [question_fact(question(f"B{n}", ("triage", when), section=2)) for n in range(2)]
    shown = public.sections(report_of(facts, "2021"))
    assert shown == ()  # two alone could be told from the sum, and nine with them leave nothing to tell apart
    facts += [question_fact(question(f"C{n}", ("triage", when), section=None, source=CaseSource.WALK_IN)) for n in range(3)]
    assert [(s.received, s.label) for s in public.sections(report_of(facts, "2021"))] == [
        (9, BAC_KAN.form.section(1).label),
        (5, "Mục khác"),
    ]


def test_the_words_know_every_state() -> None:
    from services.reporting import labels

    assert set(labels.STATES) == set(QuestionState)
    assert set(labels.CHANNELS) == set(Channel)
    assert set(CLOSED_STATES) < set(labels.STATES)
    assert {t.value for t in Timing} == {t.value for t in labels._TIMINGS}
