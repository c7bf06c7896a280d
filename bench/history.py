"""Years of work put straight into the stores: registrations, cases, questions, letters, facts, as the services keep them.

What lies in the past grows with the number of registrations; what is being worked on is always the same: one dialogue of
CURRENT registrations whose questions are open.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from bench import samples
from contracts.envelope import Step
from contracts.model import CaseSource, CaseState, CaseStatus, Channel, Clock, QuestionState, RegistrantKind, Transfer
from contracts.views import QuestionFigures
from kit.clock import TZ, local_date, system_clock
from kit.mongo import Collection, Document
from services.reporting.domain import Fact, FactKind, Flow, case_fact, question_fact

DAYS = 3 * 365
"""How long the history is, ending two months ago."""
RECENT = 60
CURRENT = 500
TEMPLATES = 300
CHUNK = 2_000
_UNITS = ("khoa-hoc", "do-luong", "van-phong", "thanh-tra")
_NAMES = UUID(int=9)


# Facts


@dataclass(frozen=True, slots=True)
class _Shape:
    """A fact whose days are told from the day of receipt."""

    fact: Fact
    flows: Sequence[tuple[int, int, Document]]
    days: Sequence[int]


def facts(count: int, kind: FactKind, seed: int = 1, start: int = 0) -> Iterator[Document]:
    """Facts of questions or cases, received evenly over the history."""
    chance = random.Random(seed)
    shapes = [_shape(kind, chance) for _ in range(TEMPLATES)]
    first = local_date(system_clock()) - timedelta(days=DAYS + RECENT)
    iso = [(first + timedelta(days=n)).isoformat() for n in range(DAYS + 2 * RECENT)]
    for n in range(count):
        yield _document(chance.choice(shapes), kind, start + n, n * DAYS // count, iso)


def _document(shape: _Shape, kind: FactKind, n: int, received: int, iso: Sequence[str]) -> Document:
    days = [iso[received + day] for day in shape.days]
    return {
        "_id": f"{kind}/{uuid5(_NAMES, str(n))}",
        "agency": samples.AGENCY,
        "sequence": 9,
        "kind": kind.value,
        "label": f"SL-2026-{n:06d}",
        "sealed": shape.fact.sealed,
        "settled": shape.fact.settled,
        "details": dict(shape.fact.details),
        "flows": [{"day": iso[received + day], "about": iso[received + about], **rest} for day, about, rest in shape.flows],
        "first": days[0],
        "last": days[-1],
        "days": days,
    }


def _shape(kind: FactKind, chance: random.Random) -> _Shape:
    begun = datetime(2025, 1, 6, 9, tzinfo=TZ)
    fact = question_fact(question(begun, chance)) if kind is FactKind.QUESTION else case_fact(case(begun, chance))
    zero = local_date(begun)
    flows = [((f.day - zero).days, (f.about - zero).days, _rest(f)) for f in fact.flows]
    return _Shape(fact, flows, sorted({day for day, _, _ in flows}))


def _rest(flow: Flow) -> Document:
    return {"measure": flow.measure.value, "key": [str(part) for part in flow.key], "n": flow.n}


def question(begun: datetime, chance: random.Random) -> QuestionFigures:
    """Proposed, transferred, drafted, approved, answered; some in writing, some late, a few sealed."""
    path = [QuestionState(name) for name in ("proposed", "transferred", "at_head", "submitted", "ready", "resolved")]
    if chance.random() < 0.3:
        path[-1:] = [QuestionState.TO_WRITE, QuestionState.ANSWERED]
    at, steps = begun, []
    for n, state in enumerate(path, 1):
        steps.append(Step(n=n, at=at, known_at=at, state=state.value))
        at += timedelta(days=chance.randint(1, 8))
    unit = chance.choice(_UNITS)
    transferred = steps[1].at
    return QuestionFigures(
        case=uuid4(),
        case_number="SL-2026-000001",
        plan=samples.PLAN,
        dialogue=f"{samples.PLAN}-1",
        section_no=chance.randint(1, 5),
        recorded_at=begun,
        state=path[-1],
        sealed=chance.random() < 0.01,
        unit=unit,
        clocks=(_clock("preparation", transferred, 7, steps[3].at), *_written(path, steps)),
        transfers=(Transfer(n=1, unit=unit, at=transferred),),
        steps=tuple(steps),
    )


def _written(path: Sequence[QuestionState], steps: Sequence[Step]) -> Iterator[Clock]:
    if QuestionState.ANSWERED in path:
        yield _clock("written", steps[-2].at, 5, steps[-1].at)


def _clock(kind: str, start: datetime, days: int, stopped: datetime) -> Clock:
    due = start + timedelta(days=days)
    return Clock(
        kind=kind,
        rule="D7",
        start=start,
        due_on=local_date(due),
        due_at=due,
        calendar_version="2026",
        explanation="",
        stopped_at=stopped,
    )


def case(begun: datetime, chance: random.Random) -> CaseState:
    attendance = chance.choice((CaseStatus.ATTENDED, CaseStatus.SUBSTITUTE, CaseStatus.ABSENT))
    moments = zip((CaseStatus.OPEN, CaseStatus.INVITED, attendance, CaseStatus.CLOSED), (0, 20, 35, 40), strict=True)
    steps = [
        Step(n=n, at=begun + timedelta(days=day), known_at=begun + timedelta(days=day), state=status.value)
        for n, (status, day) in enumerate(moments, 1)
    ]
    return CaseState(
        case_number="SL-2026-000001",
        plan=samples.PLAN,
        dialogue=f"{samples.PLAN}-1",
        source=CaseSource.REGISTRATION,
        channel=chance.choice(list(Channel)),
        kind=chance.choice(list(RegistrantKind)),
        received_at=begun,
        recorded_at=begun,
        status=CaseStatus.CLOSED,
        steps=tuple(steps),
    )


def days_of_history() -> Iterator[tuple[str, str]]:
    """Every (agency, day) that these facts may have flows on."""
    first = local_date(system_clock()) - timedelta(days=DAYS + RECENT)
    return ((samples.AGENCY, (first + timedelta(days=n)).isoformat()) for n in range(DAYS + 2 * RECENT))


async def fill(collection: Collection, documents: Iterable[Document]) -> int:
    """Insert them in chunks; returns how many."""
    count = 0
    iterator = iter(documents)
    while chunk := list(itertools.islice(iterator, CHUNK)):
        await collection.insert_many(chunk, ordered=False)
        count += len(chunk)
    return count


# The other stores, each from a document that the product wrote


def many(template: Document, count: int, start: int, ids: Sequence[str], **unique: Any) -> Iterator[Document]:
    """`count` documents like the template. `ids`: fields that hold the n-th registration's id. `unique`: field → n → value."""
    for n in range(start, start + count):
        _id = registration_id(n)
        document = {**template, **{name: make(n) for name, make in unique.items()}}
        for name in ids:
            document[name] = _id
        yield document


def registration_id(n: int) -> UUID:
    """The id of the n-th registration of the history."""
    return uuid5(_NAMES, str(n))


def received(n: int, count: int) -> datetime:
    """When the n-th of `count` came."""
    first = system_clock() - timedelta(days=DAYS + RECENT)
    return first + timedelta(days=DAYS * n / count)
