"""What events mean for a report, as dated flows (K7). Pure: no I/O, no clock.

A **flow** says that on `day` a count changed by `n` in the place that `measure` and `key` name. It has two days:

- `about`: the business day, the day of receipt or of the act, which chooses the period;
- `day`: the day on which it was both done and known, never before `about`. A report whose cut-off lies after `day` has it, an
  earlier one has not, whenever either is drawn.

So what became known after a cut-off is in the next report, as a supplement with its own date, and a closed report stays the same.
Stocks (open at the cut-off) are sums of flows. A cell of a report is a selection of flows; the same selection over the flows of
one fact says whether the fact belongs to the cell, so a number and its list of cases cannot differ.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

from contracts.envelope import Step
from contracts.model import CLOSED_STATES, CaseSource, CaseState, CaseStatus, Clock, DialogueState, QuestionState
from contracts.views import QuestionFigures, SurveyFigures
from kit.clock import local_date

NONE = "none"
"""Stands in a key for what a question does not have: a section, a unit."""
SEALED = "sealed"
"""Stands for section and unit of a sealed question: it is counted and nothing else (D6)."""

OPEN_STATES = frozenset(QuestionState) - CLOSED_STATES - {QuestionState.MERGED}


class Measure(StrEnum):
    """What is counted. The values stand in addresses."""

    DIALOGUES = "dialogues"
    REGISTRATIONS = "registrations"
    WALK_INS = "walk-ins"
    INVITED = "invited"
    ATTENDANCE = "attendance"
    ENTERED = "entered"
    """Questions as they are received."""
    LEFT = "left"
    """Questions as they end, or leave the sum by being merged."""
    QUESTIONS = "questions"
    """Stock: each question stands in one place at a time."""
    CLOCKS = "clocks"
    """Deadlines that ended (D7, D10): each transfer has its own."""
    RUNNING = "running"
    """Stock: deadlines that run."""
    FEEDBACK = "feedback"
    """Feedback as it is received, and registrations that became it (K2, D3)."""
    FEEDBACK_ENTERED = "feedback-entered"
    """What of it is to be answered, each for itself: a registration may bring several."""
    FEEDBACK_LEFT = "feedback-left"
    FEEDBACK_QUESTIONS = "feedback-questions"
    """Stock, as QUESTIONS."""
    FEEDBACK_PUBLISHED = "feedback-published"
    SURVEYS = "surveys"
    """Answers to the survey (K3)."""
    MARKS = "marks"
    """Marks given in them, one for each criterion that was not left out."""


DIMENSIONS: Mapping[Measure, tuple[str, ...]] = {
    Measure.DIALOGUES: (),
    Measure.REGISTRATIONS: ("channel", "kind", "late"),
    Measure.WALK_INS: (),
    Measure.INVITED: (),
    Measure.ATTENDANCE: ("status",),
    Measure.ENTERED: (),
    Measure.LEFT: ("state",),
    Measure.QUESTIONS: ("section", "unit", "state"),
    Measure.CLOCKS: ("clock", "unit", "result"),
    Measure.RUNNING: ("clock", "unit", "result"),
    Measure.FEEDBACK: ("channel", "kind", "group", "origin"),
    Measure.FEEDBACK_ENTERED: (),
    Measure.FEEDBACK_LEFT: ("state",),
    Measure.FEEDBACK_QUESTIONS: ("state",),
    Measure.FEEDBACK_PUBLISHED: (),
    Measure.SURVEYS: ("way", "unit", "procedure"),
    Measure.MARKS: ("criterion", "mark", "unit", "procedure"),
}
"""The names of a key's parts."""

GROUPS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "state": {
        "open": frozenset(OPEN_STATES),
        "closed": frozenset(CLOSED_STATES),
        "counted": frozenset(QuestionState) - {QuestionState.MERGED},
    },
    "mark": {"satisfied": frozenset(("4", "5"))},
}
"""Names that stand for several values of a dimension."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """On `day` the count of `measure` at `key` changed by `n`; `about` is the business day."""

    day: date
    about: date
    measure: Measure
    key: Key
    n: int = 1


class FactKind(StrEnum):
    """What a fact is about."""

    CASE = "case"
    QUESTION = "question"
    DIALOGUE = "dialogue"
    SURVEY = "survey"


@dataclass(frozen=True, slots=True)
class Fact:
    """What reporting keeps of one aggregate: its flows, and what a list may show of it.

    `settled`: it is in no stock any more. `details`: what notes and reconciliation need, no personal data.
    """

    kind: FactKind
    label: str
    sealed: bool
    settled: bool
    flows: tuple[Flow, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


def booked(at: datetime, known_at: datetime) -> date:
    """The first day whose report has it: it was done, and it was known."""
    return local_date(max(at, known_at))


# Dialogues


def dialogue_fact(state: DialogueState) -> Fact:
    """A dialogue counts on the day it was held."""
    held = next((s for s in reversed(state.steps) if s.state == "held"), None)
    flows: tuple[Flow, ...] = ()
    if state.status == "held" and state.held_on is not None and held is not None:
        day = max(state.held_on, local_date(held.known_at))
        flows = (Flow(day, state.held_on, Measure.DIALOGUES, ()),)
    day_of_meeting = local_date(state.starts_at) if state.starts_at else None
    details = {
        "year": state.year,
        "ordinal": state.ordinal,
        "status": state.status,
        "announced_on": _iso(local_date(state.steps[0].known_at) if state.steps else None),
        "held_on": _iso(state.held_on),
        "counted_on": _iso(flows[0].day if flows else None),
        "meeting_on": _iso(day_of_meeting),
    }
    return Fact(FactKind.DIALOGUE, f"{state.plan_number} – lần {state.ordinal}", False, True, flows, details)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


# Registrations


def case_fact(state: CaseState) -> Fact:
    """A registration, or feedback, as routing has it: that topic is compacted, so a rebuild finds every one. A walk-in is neither
    (D10). What was turned into the other is counted as both, once each (D3).
    """
    known = state.recorded_at or (state.steps[0].known_at if state.steps else state.received_at)
    received = booked(state.received_at, known), local_date(state.received_at)
    flows: list[Flow] = []
    if state.source is CaseSource.REGISTRATION and state.channel is not None:
        key = (state.channel.value, state.kind.value, "yes" if state.late else "no")
        flows.append(Flow(*received, Measure.REGISTRATIONS, key))
    elif state.source is CaseSource.WALK_IN:
        flows.append(Flow(*received, Measure.WALK_INS, ()))
    if state.source is not CaseSource.WALK_IN:
        flows += _invitation(state.steps)
        flows += _attendance(state.steps)
    flows += _feedback(state, known)
    flows += _turned_into_registration(state)
    return Fact(FactKind.CASE, state.case_number, False, True, tuple(flows), {"dialogue": state.dialogue, "source": state.source})


def _invitation(steps: Sequence[Step]) -> Iterator[Flow]:
    first = next((s for s in steps if s.state == CaseStatus.INVITED), None)
    if first is not None:
        yield Flow(booked(first.at, first.known_at), local_date(first.at), Measure.INVITED, ())


_ATTENDANCE = frozenset({CaseStatus.ATTENDED, CaseStatus.SUBSTITUTE, CaseStatus.ABSENT})


def _attendance(steps: Sequence[Step]) -> Iterator[Flow]:
    """The last note counts; a corrected one is taken back on the day of the correction."""
    before: Flow | None = None
    for noted in (s for s in steps if s.state in _ATTENDANCE):
        day = booked(noted.at, noted.known_at)
        if before is not None:
            day = max(day, before.day)
            yield Flow(day, before.about, before.measure, before.key, -1)
        before = Flow(day, local_date(noted.at), Measure.ATTENDANCE, (noted.state,))
        yield before


FROM_FEEDBACK, FROM_REGISTRATION = "feedback", "registration"


def _feedback(state: CaseState, known: datetime) -> Iterator[Flow]:
    """Once, on its day of receipt: from then on, or from the day on which a registration became it (D3). Of a group that nobody
    knew, from the day on which the office classified it.
    """
    if state.source is CaseSource.FEEDBACK:
        origin, since = FROM_FEEDBACK, booked(state.received_at, known)
    else:
        turned = next((s for s in state.steps if s.state == CaseStatus.TO_FEEDBACK), None)
        if turned is None:
            return
        origin, since = FROM_REGISTRATION, booked(turned.at, turned.known_at)
    about = local_date(state.received_at)
    since = max(about, since)

    def key(group: int | None) -> Key:
        return (state.channel.value if state.channel else NONE, state.kind.value, NONE if group is None else str(group), origin)

    if state.grouped_at is None:
        yield Flow(since, about, Measure.FEEDBACK, key(state.group))
        return
    classified = max(since, local_date(state.grouped_at))
    yield Flow(since, about, Measure.FEEDBACK, key(None))
    yield Flow(classified, about, Measure.FEEDBACK, key(None), -1)
    yield Flow(classified, about, Measure.FEEDBACK, key(state.group))


def _turned_into_registration(state: CaseState) -> Iterator[Flow]:
    """Feedback that was taken into a dialogue keeps its day of receipt (D3)."""
    if state.source is not CaseSource.FEEDBACK or state.channel is None:
        return
    turned = next((s for s in state.steps if s.state == CaseStatus.OPEN), None)
    if turned is not None:
        about = local_date(state.received_at)
        day = max(about, booked(turned.at, turned.known_at))
        yield Flow(day, about, Measure.REGISTRATIONS, (state.channel.value, state.kind.value, "no"))


# Surveys


def survey_fact(state: SurveyFigures) -> Fact:
    """An answer counts on the day it was given. A list shows of it its day and way alone: nobody shall be found by it (K3)."""
    about = local_date(state.given_at)
    day = booked(state.given_at, state.recorded_at or state.given_at)
    place = (state.unit or NONE, state.procedure or NONE)
    flows = [Flow(day, about, Measure.SURVEYS, (state.way, *place))]
    flows += [Flow(day, about, Measure.MARKS, (criterion, str(mark), *place)) for criterion, mark in sorted(state.marks.items())]
    return Fact(FactKind.SURVEY, f"{about.isoformat()}/{state.way}", False, True, tuple(flows))


# Questions


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a question stands from `day` on; `about` is the business day of the step that brought it there."""

    day: date
    about: date
    state: QuestionState
    unit: str | None


def question_fact(state: QuestionFigures) -> Fact:
    """A question from its dated steps. Of a sealed one neither section, unit nor clocks count (D6)."""
    places = list(_places(state))
    flows = [*_movements(state, places), *_clock_flows(state), *_published(state)]
    ended = state.state not in OPEN_STATES
    settled = ended and all(clock.stopped_at is not None for clock in state.clocks)
    details = {"case": str(state.case), "state": state.state}
    return Fact(FactKind.QUESTION, state.case_number, state.sealed, settled, tuple(flows), details)


def _places(state: QuestionFigures) -> Iterator[_Place]:
    units = _units(state)
    latest: date | None = None
    for i, (step, unit) in enumerate(zip(state.steps, units, strict=True)):
        # A question is known since its registration was; a part that was split out of it, since the split.
        known = state.recorded_at if i == 0 and state.parent is None and state.recorded_at else step.known_at
        day = booked(step.at, known)
        latest = day if latest is None else max(day, latest)
        yield _Place(latest, local_date(step.at), QuestionState(step.state), unit)


def _units(state: QuestionFigures) -> list[str | None]:
    """The unit that has the question after each step, from the dated transfers.

    The acts after the meeting name a unit without a transfer: the newest of them left the unit that the state carries.
    """
    transferred = {transfer.at: transfer.unit for transfer in state.transfers}
    named = [i for i, s in enumerate(state.steps) if s.state in _NAMES_UNIT]
    unit: str | None = None
    units: list[str | None] = []
    for i, step in enumerate(state.steps):
        if step.state in _WITHOUT_UNIT:
            unit = None
        elif step.state == QuestionState.TRANSFERRED:
            unit = transferred.get(step.at, unit)
        elif named and i == named[-1]:
            unit = state.unit
        units.append(unit)
    return units


_NAMES_UNIT = frozenset({QuestionState.TO_WRITE, QuestionState.ADOPTED})
_WITHOUT_UNIT = frozenset({QuestionState.RETURNED, QuestionState.TRIAGE, QuestionState.SEALED})


@dataclass(frozen=True, slots=True)
class _Family:
    """The measures that a question moves in: a dialogue's, or feedback's; it never changes from one to the other."""

    entered: Measure
    left: Measure
    stock: Measure


_OF_DIALOGUES = _Family(Measure.ENTERED, Measure.LEFT, Measure.QUESTIONS)
_OF_FEEDBACK = _Family(Measure.FEEDBACK_ENTERED, Measure.FEEDBACK_LEFT, Measure.FEEDBACK_QUESTIONS)


def _movements(state: QuestionFigures, places: Sequence[_Place]) -> Iterator[Flow]:
    """Into the first place, and from each place to the next. All carry the day of receipt, which chooses the period."""
    if not places:
        return
    family = _OF_FEEDBACK if _is_feedback(state) else _OF_DIALOGUES
    first = places[0]
    received = first.about
    yield Flow(first.day, received, family.entered, ())
    yield Flow(first.day, received, family.stock, _place_key(state, first))
    if first.state not in OPEN_STATES:
        yield Flow(first.day, received, family.left, (first.state,))
    for before, after in pairwise(places):
        yield Flow(after.day, received, family.stock, _place_key(state, before), -1)
        yield Flow(after.day, received, family.stock, _place_key(state, after))
        if before.state in OPEN_STATES and after.state not in OPEN_STATES:
            yield Flow(after.day, after.about, family.left, (after.state,))


def _is_feedback(state: QuestionFigures) -> bool:
    return state.source is CaseSource.FEEDBACK


def _published(state: QuestionFigures) -> Iterator[Flow]:
    if _is_feedback(state) and not state.sealed and state.published_on is not None:
        yield Flow(state.published_on, state.published_on, Measure.FEEDBACK_PUBLISHED, ())


def _place_key(state: QuestionFigures, place: _Place) -> Key:
    if _is_feedback(state):
        return (place.state,)
    if state.sealed:
        return (SEALED, SEALED, place.state)
    section = NONE if state.section_no is None else str(state.section_no)
    return (section, place.unit or NONE, place.state)


def _clock_flows(state: QuestionFigures) -> Iterator[Flow]:
    if state.sealed:
        return
    known = {step.at: step.known_at for step in state.steps}
    if _is_feedback(state):
        yield from _feedback_clocks(state, known)
        return
    transferred = {transfer.at: transfer.unit for transfer in state.transfers}
    for clock in state.clocks:
        unit = transferred.get(clock.start) or state.unit or NONE
        yield from _one_clock(clock, unit, known, clock.start)


_ANSWERED = frozenset({QuestionState.ANSWERED, QuestionState.RESOLVED, QuestionState.ADOPTED, QuestionState.ESCALATED_DONE})


def _feedback_clocks(state: QuestionFigures, known: Mapping[datetime, datetime]) -> Iterator[Flow]:
    """All that ran; and the one deadline that feedback met or missed: that of forwarding if it was forwarded, else that of its
    answer. What stopped for another reason (a transfer, collecting) was neither met nor missed (K2).
    """
    met = FORWARD if state.state is QuestionState.GUIDED else FEEDBACK if state.state in _ANSWERED else None
    last = next((clock for clock in reversed(state.clocks) if clock.kind == met), None)
    seen: set[tuple[str, datetime]] = set()
    free = state.steps[0].at
    for clock in state.clocks:
        # Its answer's clock is counted from the receipt, and runs since the transfer: before, that of forwarding ran.
        since = clock.start if clock.kind == FORWARD else _first_transfer(state, free)
        ran = (clock.kind, clock.start) not in seen  # one that ended twice (a unit had it in between) ran once
        seen.add((clock.kind, clock.start))
        for flow in _one_clock(clock, NONE, known, since):
            if (flow.measure is Measure.RUNNING and ran) or (flow.measure is Measure.CLOCKS and clock is last):
                yield flow
        free = clock.stopped_at or free


def _first_transfer(state: QuestionFigures, since: datetime) -> datetime:
    return min((transfer.at for transfer in state.transfers if transfer.at >= since), default=since)


def _one_clock(clock: Clock, unit: str, known: Mapping[datetime, datetime], since: datetime) -> Iterator[Flow]:
    """It runs from `since` in time, from the end of its last day on overdue, until it stops: then it was on time or late."""
    about = local_date(clock.start)
    began = booked(since, known.get(since, since))
    overdue_from = max(began, local_date(clock.due_at))
    stopped = clock.stopped_at
    ended = None if stopped is None else max(began, booked(stopped, known.get(stopped, stopped)))

    def running(day: date, result: str, n: int) -> Flow:
        return Flow(day, about, Measure.RUNNING, (clock.kind, unit, result), n)

    yield running(began, IN_TIME, 1)
    last = IN_TIME
    if ended is None or overdue_from < ended:
        yield running(overdue_from, IN_TIME, -1)
        yield running(overdue_from, OVERDUE, 1)
        last = OVERDUE
    if stopped is not None and ended is not None:
        yield running(ended, last, -1)
        result = LATE if stopped >= clock.due_at else ON_TIME
        yield Flow(ended, local_date(stopped), Measure.CLOCKS, (clock.kind, unit, result))


ON_TIME, LATE = "on-time", "late"
IN_TIME, OVERDUE = "in-time", "overdue"
PREPARATION, WRITTEN = "preparation", "written"
FORWARD, FEEDBACK = "forward", "feedback"


# Reading flows


class Timing(StrEnum):
    """Which flows a cell takes, by its period's first day and its cut-off. The values stand in addresses."""

    PERIOD = "period"
    """Business day in the period, known at the cut-off."""
    SUPPLEMENT = "supplement"
    """Business day before the period, known in it: what an earlier report could not have."""
    BOOKED = "booked"
    """Both of them: what this report has and the one of the cut-off before has not."""
    CUTOFF = "cutoff"
    """Everything known at the cut-off: a stock."""
    OPENING = "opening"
    """Everything known when the period began: the stock of the cut-off before."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Flows of one place, summed by whether their business day and their booking day lie before the period."""

    measure: Measure
    key: Key
    about_before: bool
    day_before: bool
    n: int


def sums_of(flows: Iterable[Flow], first_day: date, until: date) -> list[Sum]:
    """The sums of flows known before `until`, the first day after the cut-off."""
    return [
        Sum(flow.measure, flow.key, flow.about < first_day, flow.day < first_day, flow.n) for flow in flows if flow.day < until
    ]


SOURCES: Mapping[Measure, frozenset[FactKind]] = {
    Measure.DIALOGUES: frozenset({FactKind.DIALOGUE}),
    **dict.fromkeys((Measure.REGISTRATIONS, Measure.WALK_INS, Measure.INVITED, Measure.ATTENDANCE), frozenset({FactKind.CASE})),
    **dict.fromkeys(
        (Measure.ENTERED, Measure.LEFT, Measure.QUESTIONS, Measure.CLOCKS, Measure.RUNNING), frozenset({FactKind.QUESTION})
    ),
    Measure.FEEDBACK: frozenset({FactKind.CASE}),
    **dict.fromkeys(
        (Measure.FEEDBACK_ENTERED, Measure.FEEDBACK_LEFT, Measure.FEEDBACK_QUESTIONS, Measure.FEEDBACK_PUBLISHED),
        frozenset({FactKind.QUESTION}),
    ),
    **dict.fromkeys((Measure.SURVEYS, Measure.MARKS), frozenset({FactKind.SURVEY})),
}
"""Which facts have flows of a measure."""


class CellError(ValueError):
    """The text names no cell."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a report: a measure, a timing and the values that some parts of the key must have.

    Its code stands in addresses: `questions.period.section~2.state~open`. A dot in a value (codes of procedures have them) is
    written as "!".
    """

    measure: Measure
    timing: Timing
    where: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, measure: Measure, timing: Timing, **where: str) -> Self:
        return cls(measure, timing, tuple(sorted(where.items())))

    def also(self, **where: str) -> "Cell":
        """The part of this cell that has these values too."""
        return Cell(self.measure, self.timing, tuple(sorted({**dict(self.where), **where}.items())))

    @property
    def code(self) -> str:
        return ".".join((self.measure, self.timing, *(f"{name}~{value.replace('.', '!')}" for name, value in self.where)))

    @classmethod
    def parse(cls, code: str) -> Self:
        """The cell of a code. Raises CellError."""
        measure, _, rest = code.partition(".")
        timing, *filters = rest.split(".")
        try:
            cell = cls(Measure(measure), Timing(timing), tuple(_filter(text) for text in filters))
        except ValueError:
            raise CellError("no cell") from None
        names = [name for name, _ in cell.where]
        if names != sorted(set(names)) or not set(names) <= set(DIMENSIONS[cell.measure]):
            raise CellError("no cell")
        return cell

    def taken(self, rows: Iterable[Sum]) -> Iterator[Sum]:
        """Those of these sums, all of the cell's measure, that belong to it."""
        parts = [
            (DIMENSIONS[self.measure].index(name), GROUPS.get(name, {}).get(wanted, frozenset((wanted,))))
            for name, wanted in self.where
        ]
        for row in rows:
            if self._in_time(row) and all(row.key[at] in values for at, values in parts):
                yield row

    def _in_time(self, row: Sum) -> bool:
        match self.timing:
            case Timing.PERIOD:
                return not row.about_before
            case Timing.SUPPLEMENT:
                return row.about_before and not row.day_before
            case Timing.BOOKED:
                return not row.day_before
            case Timing.OPENING:
                return row.day_before
            case Timing.CUTOFF:
                return True


def _filter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("~")
    if not separator or not value:
        raise CellError("no cell")
    return name, value.replace("!", ".")


@dataclass(frozen=True)
class Tally:
    """The sums that a report is read from."""

    sums: Sequence[Sum]

    @cached_property
    def _of(self) -> Mapping[Measure, Sequence[Sum]]:
        by_measure: dict[Measure, list[Sum]] = {}
        for row in self.sums:
            by_measure.setdefault(row.measure, []).append(row)
        return by_measure

    def count(self, cell: Cell) -> int:
        return sum(row.n for row in cell.taken(self._of.get(cell.measure, ())))

    def values(self, measure: Measure, name: str) -> set[str]:
        """The values that a part of the key has anywhere."""
        at = DIMENSIONS[measure].index(name)
        return {row.key[at] for row in self._of.get(measure, ()) if row.n}
