"""A report as tables of cells, from a tally (K7, first form). Pure: pages and spreadsheets only draw it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from contracts.model import CLOSED_STATES, QuestionState
from kit.agency import Agency
from kit.clock import format_date, start_of_day
from kit.feedback import FeedbackGroups
from kit.periods import Period, PeriodKind, quarter_of
from services.reporting import labels
from services.reporting.domain import (
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
    Tally,
    Timing,
)

IN, EXTRA = Timing.PERIOD, Timing.SUPPLEMENT


@dataclass(frozen=True, slots=True)
class Value:
    """A number, and the cell whose cases it counts; None for a sum over cells."""

    n: int
    cell: Cell | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line. `adds`: the lines of this table that it is the sum of, column by column. `outside`: in no sum."""

    label: str
    values: tuple[Value, ...]
    adds: tuple[int, ...] = ()
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Ratio:
    """A further column of a table that is no count: the columns, each as often as its weight says, divided by column `of`."""

    label: str
    weights: tuple[int, ...]
    of: int
    percent: bool = False

    def value(self, row: Row) -> float | None:
        """None where nothing was counted."""
        whole = row.values[self.of].n
        return sum(v.n * weight for v, weight in zip(row.values, self.weights, strict=True)) / whole if whole else None


@dataclass(frozen=True, slots=True)
class Table:
    """`adds`: column → the columns that it is the sum of. `nothing`: all is zero, which is said in words (D14); with
    `zero_in_words`, of each line. `ratios` stand right of the columns. `sheet`: the workbook's
    sheet, if it is not the first.
    """

    code: str
    title: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    adds: tuple[tuple[int, tuple[int, ...]], ...] = ()
    note: str = ""
    zero_in_words: bool = False
    ratios: tuple[Ratio, ...] = ()
    sheet: str = ""

    @property
    def nothing(self) -> bool:
        return not any(value.n for row in self.rows for value in row.values)


@dataclass(frozen=True, slots=True)
class Check:
    """Two ways to count the same: they must agree."""

    text: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True, slots=True)
class PlannedDialogue:
    """A dialogue of a plan's year: when it was announced, held (and from which day's report on that counts) or to be held."""

    label: str
    announced_on: date | None
    held_on: date | None
    counted_on: date | None
    meeting_on: date | None
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Report:
    """`until`: the first day whose events are not in it; `running`: the period is not over."""

    period: Period
    until: date
    running: bool
    tables: tuple[Table, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    def table(self, code: str) -> Table:
        return next(table for table in self.tables if table.code == code)

    @property
    def adds_up(self) -> bool:
        return all(check.holds for check in self.checks)


def build(
    agency: Agency,
    period: Period,
    until: date,
    tally: Tally,
    planned: Sequence[PlannedDialogue] = (),
    *,
    running: bool = False,
    groups: FeedbackGroups | None = None,
) -> Report:
    """The report of a period; `until` is the day after its last one, or tomorrow while it is `running`: its last day's numbers
    change until midnight. `groups`: the words for the content groups of feedback.
    """
    maker = _Maker(agency, period, tally)
    tables = (
        maker.overview(),
        maker.registrations(),
        maker.movement(),
        maker.by_section(),
        maker.by_unit(),
        maker.by_state(),
        maker.outcomes(),
        maker.timeliness(),
        maker.timeliness_by_unit(),
        maker.feedback(),
        maker.feedback_groups(groups),
        maker.feedback_movement(),
        maker.feedback_outcomes(),
        maker.feedback_timeliness(),
        maker.surveys(),
        maker.surveys_by_criterion(),
        maker.surveys_by_unit(),
        maker.surveys_by_procedure(),
    )
    return Report(period, until, running, tables, tuple(maker.checks()), tuple(_notes(period, until, planned)))


class _Maker:
    """Makes the tables of one report."""

    def __init__(self, agency: Agency, period: Period, tally: Tally) -> None:
        self._agency = agency
        self._period = period
        self._tally = tally

    def _value(self, cell: Cell) -> Value:
        return Value(self._tally.count(cell), cell)

    def _row(self, label: str, *cells: Cell) -> Row:
        return Row(label, tuple(map(self._value, cells)))

    def overview(self) -> Table:
        registrations = Cell.of(Measure.REGISTRATIONS, IN)
        lines = [
            ("Hội nghị đối thoại đã tổ chức", Cell.of(Measure.DIALOGUES, IN)),
            ("Phiếu đăng ký tham gia đối thoại", registrations),
            ("– trong đó đến sau thời hạn đăng ký", registrations.also(late="yes")),
            ("Phiếu được mời dự", Cell.of(Measure.INVITED, IN)),
            *((f"– {text}", Cell.of(Measure.ATTENDANCE, IN, status=status)) for status, text in labels.ATTENDANCE.items()),
            ("Người phát biểu ngoài danh sách đăng ký", Cell.of(Measure.WALK_INS, IN)),
            ("Nội dung tiếp nhận", Cell.of(Measure.ENTERED, IN)),
            ("Phản ánh, kiến nghị tiếp nhận", Cell.of(Measure.FEEDBACK, IN)),
        ]
        rows = tuple(self._row(label, cell, _supplement(cell)) for label, cell in lines)
        return Table(
            "tong-hop",
            "Tổng hợp",
            "Chỉ tiêu",
            ("Trong kỳ", "Bổ sung của kỳ trước"),
            rows,
            note=_SUPPLEMENT_NOTE,
            zero_in_words=True,
        )

    def registrations(self) -> Table:
        total = Cell.of(Measure.REGISTRATIONS, IN)
        rows = [self._registrations_row(label, total.also(channel=channel)) for channel, label in labels.CHANNELS.items()]
        columns = (*labels.KINDS.values(), "Cộng", "Trong đó sau thời hạn")
        return Table(
            "phieu", "Phiếu đăng ký theo kênh tiếp nhận và đối tượng", "Kênh tiếp nhận", columns,
            (*rows, _sum_row("Cộng", rows)), adds=((len(labels.KINDS), tuple(range(len(labels.KINDS)))),),
        )  # fmt: skip

    def _registrations_row(self, label: str, cell: Cell) -> Row:
        return self._row(label, *(cell.also(kind=kind) for kind in labels.KINDS), cell, cell.also(late="yes"))

    def movement(self) -> Table:
        """Like the law's own forms: carried over + received = ended + open, and what is open is carried over."""
        return self._movement("bien-dong", "Biến động nội dung trong kỳ", Measure.ENTERED, Measure.LEFT, Measure.QUESTIONS)

    def _movement(self, code: str, title: str, entered: Measure, left: Measure, stock: Measure) -> Table:
        cells = [
            ("Kỳ trước chuyển sang", Cell.of(stock, Timing.OPENING, state="open")),
            ("Tiếp nhận trong kỳ", Cell.of(entered, IN)),
            ("Tiếp nhận thuộc kỳ trước, ghi nhận sau ngày chốt", Cell.of(entered, EXTRA)),
            ("Kết thúc trong kỳ", Cell.of(left, IN, state="closed")),
            ("Kết thúc thuộc kỳ trước, ghi nhận sau ngày chốt", Cell.of(left, EXTRA, state="closed")),
            ("Gộp vào nội dung khác", Cell.of(left, Timing.BOOKED, state=QuestionState.MERGED)),
            ("Đang giải quyết đến ngày chốt", Cell.of(stock, Timing.CUTOFF, state="open")),
        ]
        rows = [self._row(label, cell) for label, cell in cells]
        incoming, outgoing = rows[:3], rows[3:]
        return Table(
            code, title, "Chỉ tiêu", ("Số nội dung",),
            (*incoming, _sum_row("Cộng phải giải quyết", incoming), *outgoing, _sum_row("Cộng", outgoing, start=4)),
        )  # fmt: skip

    def by_section(self) -> Table:
        known = [str(section.no) for section in self._agency.form.sections]
        return self._questions("muc", "Nội dung theo mục của phiếu đăng ký", "Mục", "section", known, labels.section_label)

    def by_unit(self) -> Table:
        return self._questions("don-vi", "Nội dung theo đơn vị giải quyết", "Đơn vị", "unit", self._units(), labels.unit_label)

    def _units(self) -> list[str]:
        """Units that existed in the period."""
        first, last = self._period.first_day, self._period.last_day
        return [
            unit.code
            for unit in self._agency.units
            if (unit.valid_from is None or unit.valid_from <= last) and (unit.valid_until is None or first <= unit.valid_until)
        ]

    def _questions(
        self, code: str, title: str, first: str, dimension: str, known: Sequence[str], label: labels.Labeller
    ) -> Table:
        values = _in_order(known, self._tally.values(Measure.QUESTIONS, dimension))
        rows = [self._questions_row(label(self._agency, value), {dimension: value}) for value in values]
        merged = self._value(Cell.of(Measure.QUESTIONS, IN, state=QuestionState.MERGED))
        outside = Row("Ngoài tổng: đã gộp vào nội dung khác", (merged, Value(0), Value(0), Value(0)), outside=True)
        shown = (*rows, _sum_row("Cộng", rows), *([outside] if merged.n else []))
        return Table(code, title, first, _QUESTION_COLUMNS, shown, adds=((0, (1, 2)),))

    def _questions_row(self, label: str, where: dict[str, str]) -> Row:
        received = Cell.of(Measure.QUESTIONS, IN, **where)
        return self._row(
            label, received.also(state="counted"), received.also(state="closed"), received.also(state="open"),
            Cell.of(Measure.QUESTIONS, Timing.CUTOFF, state="open", **where),
        )  # fmt: skip

    def by_state(self) -> Table:
        cells = [(state, Cell.of(Measure.QUESTIONS, IN, state=state)) for state in labels.STATES]
        rows = [self._row(labels.STATES[s], cell) for s, cell in cells if s != QuestionState.MERGED and self._tally.count(cell)]
        return Table(
            "trang-thai", "Nội dung tiếp nhận trong kỳ theo tình trạng đến ngày chốt", "Tình trạng", ("Số nội dung",),
            (*rows, _sum_row("Cộng", rows) if rows else Row("Cộng", (Value(0),))),
        )  # fmt: skip

    def outcomes(self) -> Table:
        rows = [self._outcome_row(state) for state in labels.STATES if state in CLOSED_STATES]
        return Table(
            "ket-qua", "Nội dung kết thúc theo kết quả", "Kết quả", ("Trong kỳ", "Bổ sung của kỳ trước"),
            (*rows, _sum_row("Cộng", rows)), note="Kể cả nội dung tiếp nhận từ các kỳ trước.",
        )  # fmt: skip

    def _outcome_row(self, state: str) -> Row:
        cell = Cell.of(Measure.LEFT, IN, state=state)
        return self._row(labels.STATES[state], cell, _supplement(cell))

    def timeliness(self) -> Table:
        rows = tuple(self._clock_row(label, clock) for clock, label in labels.CLOCKS.items())
        return Table("thoi-han", "Đúng hạn và quá hạn", "Thời hạn", _CLOCK_COLUMNS, rows, adds=((2, (0, 1)),), note=_CLOCK_NOTE)

    def _clock_row(self, label: str, clock: str) -> Row:
        ended = Cell.of(Measure.CLOCKS, IN, clock=clock)
        running = Cell.of(Measure.RUNNING, Timing.CUTOFF, clock=clock)
        return self._row(
            label, ended.also(result=ON_TIME), ended.also(result=LATE), ended, _supplement(ended),
            running.also(result=IN_TIME), running.also(result=OVERDUE),
        )  # fmt: skip

    def timeliness_by_unit(self) -> Table:
        found = self._tally.values(Measure.CLOCKS, "unit") | self._tally.values(Measure.RUNNING, "unit")
        lines = [(unit, self._unit_clocks_row(unit)) for unit in _in_order(self._units(), found)]
        # The clocks of feedback belong to no unit, and are not these.
        rows = [row for unit, row in lines if unit != NONE or any(value.n for value in row.values)]
        return Table(
            "thoi-han-don-vi", "Đúng hạn và quá hạn theo đơn vị", "Đơn vị", _UNIT_CLOCK_COLUMNS,
            (*rows, _sum_row("Cộng", rows)),
        )  # fmt: skip

    def _unit_clocks_row(self, unit: str) -> Row:
        cells = []
        for clock in (PREPARATION, WRITTEN):
            ended = Cell.of(Measure.CLOCKS, IN, clock=clock, unit=unit)
            overdue = Cell.of(Measure.RUNNING, Timing.CUTOFF, clock=clock, unit=unit, result=OVERDUE)
            cells += [ended.also(result=ON_TIME), ended.also(result=LATE), overdue]
        return self._row(labels.unit_label(self._agency, unit), *cells)

    def surveys(self) -> Table:
        rows = [self._surveys_row(label, way) for way, label in labels.SURVEY_WAYS.items()]
        return Table(
            "khao-sat", "Phiếu khảo sát mức độ hài lòng theo cách thu nhận", "Cách thu nhận",
            ("Trong kỳ", "Bổ sung của kỳ trước"), (*rows, _sum_row("Cộng", rows)), sheet=_SURVEYS,
        )  # fmt: skip

    def _surveys_row(self, label: str, way: str) -> Row:
        cell = Cell.of(Measure.SURVEYS, IN, way=way)
        return self._row(label, cell, _supplement(cell))

    def surveys_by_criterion(self) -> Table:
        rows = [self._criterion_row(label, criterion) for criterion, label in labels.CRITERIA.items()]
        n = len(labels.MARKS)
        return Table(
            "khao-sat-tieu-chi", "Mức độ hài lòng theo tiêu chí", "Tiêu chí", (*labels.MARKS.values(), "Cộng"),
            (*rows, _sum_row("Cộng", rows)), adds=((n, tuple(range(n))),), note=_SURVEY_NOTE, sheet=_SURVEYS,
            ratios=(
                Ratio("Điểm trung bình", (*map(int, labels.MARKS), 0), of=n),
                Ratio(_SATISFIED, (0, 0, 0, 1, 1, 0), of=n, percent=True),
            ),
        )  # fmt: skip

    def _criterion_row(self, label: str, criterion: str) -> Row:
        cell = Cell.of(Measure.MARKS, IN, criterion=criterion)
        return self._row(label, *(cell.also(mark=mark) for mark in labels.MARKS), cell)

    def surveys_by_unit(self) -> Table:
        units = _in_order(self._units(), self._tally.values(Measure.SURVEYS, "unit"))
        rows = [self._surveyed_row(labels.surveyed_unit_label(self._agency, unit), {"unit": unit}) for unit in units]
        return self._surveyed("khao-sat-don-vi", "Mức độ hài lòng theo đơn vị", "Đơn vị", rows)

    def surveys_by_procedure(self) -> Table:
        found = _in_order((), self._tally.values(Measure.SURVEYS, "procedure")) or [NONE]
        rows = [self._surveyed_row(labels.procedure_label(self._agency, one), {"procedure": one}) for one in found]
        return self._surveyed("khao-sat-thu-tuc", "Mức độ hài lòng theo thủ tục hành chính", "Thủ tục hành chính", rows)

    def _surveyed_row(self, label: str, where: dict[str, str]) -> Row:
        marks = Cell.of(Measure.MARKS, IN, **where)
        return self._row(label, Cell.of(Measure.SURVEYS, IN, **where), marks, marks.also(mark="satisfied"))

    def _surveyed(self, code: str, title: str, first: str, rows: Sequence[Row]) -> Table:
        satisfied = Ratio(_SATISFIED, (0, 0, 1), of=1, percent=True)
        return Table(code, title, first, _SURVEYED_COLUMNS, (*rows, _sum_row("Cộng", rows)), ratios=(satisfied,), sheet=_SURVEYS)

    def feedback(self) -> Table:
        """Feedback (K2) by the way it came and by whom; what became feedback was counted with the registrations too (D3)."""
        total = Cell.of(Measure.FEEDBACK, IN)
        channels = {**labels.CHANNELS, **({NONE: "Khác"} if self._tally.count(total.also(channel=NONE)) else {})}
        rows = [self._feedback_row(label, total.also(channel=channel)) for channel, label in channels.items()]
        columns = (*labels.KINDS.values(), "Cộng", "Trong đó từ phiếu đăng ký chuyển sang")
        return Table(
            "pakn", "Phản ánh, kiến nghị theo kênh tiếp nhận và đối tượng", "Kênh tiếp nhận", columns,
            (*rows, _sum_row("Cộng", rows)), adds=((len(labels.KINDS), tuple(range(len(labels.KINDS)))),),
        )  # fmt: skip

    def _feedback_row(self, label: str, cell: Cell) -> Row:
        kinds = (cell.also(kind=kind) for kind in labels.KINDS)
        return self._row(label, *kinds, cell, cell.also(origin=FROM_REGISTRATION))

    def feedback_groups(self, groups: FeedbackGroups | None) -> Table:
        """By the content groups of the law, as known at the cut-off."""
        received = Cell.of(Measure.FEEDBACK, IN)
        names = {str(no): (groups.label(no) if groups else f"Nhóm {no}") for no in range(1, 9)} | {NONE: "Chưa phân nhóm"}
        rows = [self._row(label, received.also(group=no), _supplement(received.also(group=no))) for no, label in names.items()]
        return Table(
            "pakn-nhom", "Phản ánh, kiến nghị theo nhóm nội dung", "Nhóm", ("Trong kỳ", "Bổ sung của kỳ trước"),
            (*rows, _sum_row("Cộng", rows)),
        )  # fmt: skip

    def feedback_movement(self) -> Table:
        """As of any question; a registration that became feedback brings each of its contents."""
        table = self._movement(
            "pakn-bien-dong", "Phản ánh, kiến nghị: biến động trong kỳ",
            Measure.FEEDBACK_ENTERED, Measure.FEEDBACK_LEFT, Measure.FEEDBACK_QUESTIONS,
        )  # fmt: skip
        collecting = Cell.of(Measure.FEEDBACK_QUESTIONS, Timing.CUTOFF, state=QuestionState.COLLECTING)
        line = self._row("Trong số đang giải quyết: đã ghi nhận, tiếp tục tập hợp", collecting)
        return replace(table, rows=(*table.rows, replace(line, outside=True)))

    def feedback_outcomes(self) -> Table:
        """What became of it: answered, forwarded, taken into a dialogue; and what was published."""
        rows = [
            self._row(label, cell := Cell.of(Measure.FEEDBACK_LEFT, IN, state=state), _supplement(cell))
            for state, label in labels.FEEDBACK_OUTCOMES.items()
        ]
        published = Cell.of(Measure.FEEDBACK_PUBLISHED, IN)
        line = replace(self._row("Trong đó đã công khai kết quả", published, _supplement(published)), outside=True)
        return Table(
            "pakn-ket-qua", "Phản ánh, kiến nghị: kết quả xử lý", "Kết quả", ("Trong kỳ", "Bổ sung của kỳ trước"),
            (*rows, _sum_row("Cộng", rows), line), note="Kể cả nội dung tiếp nhận từ các kỳ trước.",
        )  # fmt: skip

    def feedback_timeliness(self) -> Table:
        """In time or late: what was forwarded by the days of forwarding, what was answered by those of the answer."""
        rows = [self._clock_row(label, clock) for clock, label in labels.FEEDBACK_CLOCKS.items()]
        return Table(
            "pakn-thoi-han", "Phản ánh, kiến nghị: đúng hạn và quá hạn", "Thời hạn", _CLOCK_COLUMNS,
            tuple(rows), adds=((2, (0, 1)),),
        )  # fmt: skip

    def checks(self) -> Iterable[Check]:
        """The same numbers counted on other ways."""
        count = self._tally.count
        registrations = self.registrations().rows[-1]
        yield Check(
            "Phiếu đăng ký theo kênh = tổng số phiếu", registrations.values[-2].n, count(Cell.of(Measure.REGISTRATIONS, IN))
        )
        received = count(Cell.of(Measure.ENTERED, IN)) - count(Cell.of(Measure.QUESTIONS, IN, state=QuestionState.MERGED))
        for what, table in (("mục", self.by_section()), ("đơn vị", self.by_unit()), ("tình trạng", self.by_state())):
            yield Check(f"Nội dung theo {what} = tiếp nhận trong kỳ, không kể đã gộp", _total(table).values[0].n, received)
        movement = self.movement().rows
        yield Check("Phải giải quyết = kết thúc + gộp + đang giải quyết", movement[3].values[0].n, movement[-1].values[0].n)
        ended = _total(self.outcomes()).values
        yield Check("Kết thúc theo kết quả = kết thúc trong kỳ và bổ sung", ended[0].n + ended[1].n, _n(movement, 4, 5))
        for what, table in (("mục", self.by_section()), ("đơn vị", self.by_unit())):
            yield Check(f"Đang giải quyết đến ngày chốt theo {what} = biến động", _total(table).values[3].n, _n(movement, 7))
        by_unit, clocks = _total(self.timeliness_by_unit()).values, self.timeliness().rows
        received = count(Cell.of(Measure.FEEDBACK, IN))
        yield Check("Phản ánh, kiến nghị theo kênh = tổng số", self.feedback().rows[-1].values[-2].n, received)
        yield Check("Phản ánh, kiến nghị theo nhóm = tổng số", _total(self.feedback_groups(None)).values[0].n, received)
        feedback = self.feedback_movement().rows
        due, done = feedback[3].values[0].n, _total(self.feedback_movement()).values[0].n
        yield Check("Phản ánh, kiến nghị phải giải quyết = kết thúc + đang giải quyết", due, done)
        outcomes = _total(self.feedback_outcomes()).values
        yield Check("Phản ánh, kiến nghị theo kết quả = kết thúc", outcomes[0].n + outcomes[1].n, _n(feedback, 4, 5))
        yield Check("Thời hạn theo đơn vị = thời hạn chung", sum(v.n for v in by_unit), sum(_ended_or_overdue(r) for r in clocks))
        given, marks = _total(self.surveys()).values[0].n, _total(self.surveys_by_criterion()).values[-1].n
        for what, table in (("đơn vị", self.surveys_by_unit()), ("thủ tục", self.surveys_by_procedure())):
            yield Check(f"Phiếu khảo sát theo {what} = theo cách thu nhận", _total(table).values[0].n, given)
            yield Check(f"Ý kiến khảo sát theo {what} = theo tiêu chí", _total(table).values[1].n, marks)


_SUPPLEMENT_NOTE = (
    "Số liệu được chốt vào hết ngày cuối kỳ. Việc thuộc kỳ trước nhưng ghi nhận sau ngày chốt không làm thay đổi báo cáo "
    "đã chốt, mà là số bổ sung của kỳ ghi nhận."
)
_QUESTION_COLUMNS = ("Tiếp nhận trong kỳ", "Đã kết thúc", "Đang giải quyết", "Tồn đến ngày chốt, kể cả kỳ trước")
_CLOCK_COLUMNS = (
    "Đúng hạn",
    "Quá hạn",
    "Cộng đã kết thúc",
    "Bổ sung của kỳ trước",
    "Đang tính, trong hạn",
    "Đang tính, quá hạn",
)
_CLOCK_NOTE = "Mỗi lần chuyển đơn vị là một lượt có thời hạn riêng. Hai thời hạn khác nhau, không cộng với nhau."
_SURVEYED_COLUMNS = ("Số phiếu", "Số ý kiến đánh giá", "Trong đó hài lòng, rất hài lòng")
_SURVEYS = "Khảo sát"
_SATISFIED = "Tỷ lệ hài lòng"
_SURVEY_NOTE = (
    "Mỗi phiếu có thể bỏ trống một số tiêu chí. Tỷ lệ hài lòng là tỷ lệ ý kiến ở mức 4 và 5 trên tổng số ý kiến đánh giá."
)
_UNIT_CLOCK_COLUMNS = (
    "Chuẩn bị: đúng hạn",
    "Chuẩn bị: quá hạn",
    "Chuẩn bị: đang quá hạn",
    "Văn bản: đúng hạn",
    "Văn bản: quá hạn",
    "Văn bản: đang quá hạn",
)


def _supplement(cell: Cell) -> Cell:
    return Cell(cell.measure, EXTRA, cell.where)


def _in_order(known: Sequence[str], found: set[str]) -> list[str]:
    """Known values, then others that were found, then those that stand for none and for sealed ones if found."""
    special = [value for value in (NONE, SEALED) if value in found]
    return [*known, *sorted(found - set(known) - set(special)), *special]


def _sum_row(label: str, rows: Sequence[Row], *, start: int = 0) -> Row:
    """The sum of rows that stand in the table from line `start` on."""
    columns = zip(*(row.values for row in rows), strict=True)
    return Row(label, tuple(Value(sum(v.n for v in column)) for column in columns), adds=tuple(range(start, start + len(rows))))


def _total(table: Table) -> Row:
    return next(row for row in reversed(table.rows) if not row.outside)


def _n(rows: Sequence[Row], *lines: int) -> int:
    return sum(rows[line].values[0].n for line in lines)


def _ended_or_overdue(row: Row) -> int:
    return row.values[2].n + row.values[5].n


def _notes(period: Period, until: date, planned: Sequence[PlannedDialogue]) -> Iterable[str]:
    """Of a year: which dialogues of its plans were not held by the cut-off, so that the number is not misread (S10)."""
    announced = [d for d in planned if not d.cancelled and d.announced_on is not None and d.announced_on < until]
    held = [d for d in announced if d.counted_on is not None and d.counted_on < until]
    if period.kind is not PeriodKind.YEAR or len(held) == len(announced):
        return
    cutoff = format_date(until - timedelta(days=1))
    yield f"Kế hoạch năm {period.last_day.year} có {len(announced)} hội nghị; hết ngày {cutoff} đã tổ chức {len(held)}."
    for dialogue in announced:
        if dialogue not in held:
            yield f"{dialogue.label}: {_outside(dialogue, period)}"


def _outside(dialogue: PlannedDialogue, period: Period) -> str:
    day = dialogue.held_on or dialogue.meeting_on
    if day is None:
        return "chưa ấn định ngày."
    verb = "đã tổ chức" if dialogue.held_on else "ấn định tổ chức"
    if day <= period.last_day:
        return f"{verb} ngày {format_date(day)}, chưa ghi nhận kết quả tại thời điểm chốt."
    return (
        f"{verb} ngày {format_date(day)}, sau ngày chốt số liệu của năm, tính vào báo cáo {quarter_of(start_of_day(day)).title}."
    )
