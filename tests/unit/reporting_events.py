"""Hand-made states for reporting's tests: what routing publishes, without a service."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID, uuid5

from contracts.envelope import Step
from contracts.model import (
    CaseSource,
    CaseState,
    CaseStatus,
    Channel,
    Clock,
    DialogueState,
    QuestionState,
    RegistrantKind,
    Transfer,
)
from contracts.views import QuestionFigures
from kit.clock import TZ, start_of_day

SPACE = UUID("0d6f4a52-64a5-5a31-8f39-2f4b8d9f7c02")
S = QuestionState


def at(text: str) -> datetime:
    """ "22/11/2021 08:30" in Vietnam; seconds may follow."""
    form = "%d/%m/%Y %H:%M:%S" if text.count(":") == 2 else "%d/%m/%Y %H:%M"
    return datetime.strptime(text, form).replace(tzinfo=TZ)


def steps(*entries: tuple[str, datetime] | tuple[str, datetime, datetime]) -> tuple[Step, ...]:
    """(state, when) or (state, when, known when)."""
    return tuple(Step(n=n, state=e[0], at=e[1], known_at=e[-1]) for n, e in enumerate(entries, 1))  # type: ignore[arg-type]


def ident(name: str) -> UUID:
    return uuid5(SPACE, name)


def case(
    name: str,
    received: datetime,
    *further: tuple[str, datetime] | tuple[str, datetime, datetime],
    channel: Channel | None = Channel.WEB,
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL,
    recorded: datetime | None = None,
    late: bool = False,
    source: CaseSource = CaseSource.REGISTRATION,
) -> CaseState:
    known = recorded or received
    first = (("open", received, known), *([("late", received, known)] if late else []))
    dated = steps(*first, *further)
    return CaseState(
        case_number=name,
        plan="bac-kan-2021",
        dialogue="bac-kan-2021-1",
        source=source,
        channel=channel,
        kind=kind,
        received_at=received,
        recorded_at=recorded,
        status=CaseStatus(dated[-1].state),
        late=late,
        steps=dated,
    )


def question(
    of: str,
    *dated: tuple[str, datetime] | tuple[str, datetime, datetime],
    section: int | None = 1,
    unit: str | None = None,
    transfers: Sequence[tuple[str, datetime]] = (),
    clocks: Sequence[Clock] = (),
    sealed: bool = False,
    recorded: datetime | None = None,
    source: CaseSource = CaseSource.REGISTRATION,
) -> QuestionFigures:
    made = steps(*dated)
    return QuestionFigures(
        case=ident(of),
        case_number=of,
        section_no=None if sealed else section,
        source=source,
        recorded_at=recorded,
        state=S(made[-1].state),
        sealed=sealed,
        unit=unit,
        transfers=tuple(Transfer(n=n, unit=u, at=t) for n, (u, t) in enumerate(transfers, 1)),
        clocks=tuple(clocks),
        steps=made,
    )


def clock(kind: str, start: datetime, due_on: date, stopped: datetime | None) -> Clock:
    return Clock(
        kind=kind,
        rule="D7",
        start=start,
        due_on=due_on,
        due_at=start_of_day(date.fromordinal(due_on.toordinal() + 1)),
        calendar_version="1",
        explanation="",
        stopped_at=stopped,
    )


def dialogue(
    plan: str, ordinal: int, *, year: int, announced: datetime, meeting: datetime, held: datetime | None
) -> DialogueState:
    dated = steps(("scheduled", announced), *([("held", held)] if held else []))
    return DialogueState(
        plan=plan,
        plan_number=plan,
        plan_title="Kế hoạch đối thoại",
        year=year,
        ordinal=ordinal,
        starts_at=meeting,
        status=dated[-1].state,
        held_on=meeting.date() if held else None,
        steps=dated,
    )
