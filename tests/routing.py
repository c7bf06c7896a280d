"""Routing on a real MongoDB, with a clock that stands still and a publisher that remembers: for the tests of its use cases."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts.envelope import Event
from contracts.events import CATALOGUE
from contracts.model import (
    Channel,
    DialogueState,
    PlanState,
    RegistrantKind,
    RegistrationState,
    SectionText,
)
from deploy.local.paths import ROOT
from kit import mongo
from kit.acting import Acting
from kit.clock import TZ
from kit.errors import Permanent
from kit.kafka import Outcome, Record
from kit.outbox import Act
from kit.service import Service
from services.routing.bootstrap import bootstrap
from services.routing.context import Routing
from services.routing.questions import intake
from services.routing.settings import RoutingSettings
from services.routing.store import SPECS
from tests.databases import lent

SON_LA = "son-la"
BAC_KAN = "bac-kan"
PLAN = "son-la-2022"
DIALOGUE = "son-la-2022-1"
NOW = datetime(2022, 4, 26, 9, 0, tzinfo=TZ)

SCIENCE = "Đề nghị hướng dẫn thủ tục đăng ký nhiệm vụ khoa học và công nghệ cấp tỉnh."
MEASURE = "Đề nghị rút ngắn thời gian kiểm định phương tiện đo tại Chi cục."
UNCLEAR = "Tôi muốn được nghe thêm."
DENUNCIATION = "Tôi tố cáo ông Nguyễn Văn X nhận tiền khi giải quyết hồ sơ của tôi."


class FrozenClock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Remembering:
    """A publisher that keeps what it is given, in order."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes]] = []

    async def publish_all(self, records: Sequence[Record]) -> list[Outcome]:
        self.records += [(record.topic.name, record.key, record.value) for record in records]
        return [None] * len(records)


@asynccontextmanager
async def running_routing(mongodb_url: str, *, now: datetime = NOW, **settings: Any) -> AsyncIterator[Routing]:
    """A routing of its own database, without pages and without Kafka."""
    async with running(mongodb_url, now=now, **settings) as (routing, _):
        yield routing


@asynccontextmanager
async def running(mongodb_url: str, *, now: datetime = NOW, **settings: Any) -> AsyncIterator[tuple[Routing, Service]]:
    """The same with its service, from which the pages are made."""
    async with lent(mongodb_url, "routing", SPECS) as prefix:
        chosen = RoutingSettings(
            mongodb_url=mongodb_url,
            mongodb_prefix=prefix,
            agencies_dir=ROOT / "agencies",
            session_secret="s" * 40,
            **settings,
        )
        routing, service = bootstrap(chosen, clock=FrozenClock(now), publisher=Remembering())
        try:
            yield routing, service
        finally:
            await mongo.close(service.client)


async def with_dialogue(
    routing: Routing,
    *,
    agency: str = SON_LA,
    plan: str = PLAN,
    ordinal: int = 1,
    starts_at: datetime | None = datetime(2022, 5, 11, 8, 0, tzinfo=TZ),
    closes_at: datetime | None = None,
    status: str = "scheduled",
) -> str:
    """A plan with a dialogue, as its events left them."""
    act = Act("plan.published.v1", NOW, NOW, "office")
    state = PlanState(number="12/KH-SKHCN", year=2022, title="Kế hoạch đối thoại").model_dump(mode="json", exclude={"steps"})
    await routing.plans.insert(await routing.plans.new(plan, agency, {**state, "steps": []}, [act]))
    dialogue = DialogueState(
        plan=plan, plan_number="12/KH-SKHCN", plan_title="Kế hoạch", year=2022, ordinal=ordinal, status=status
    )
    fields = dialogue.model_dump(mode="json", exclude={"steps"}) | {"starts_at": starts_at, "closes_at": closes_at, "steps": []}
    scheduled = Act("dialogue.scheduled.v1", NOW, NOW, "office")
    await routing.dialogues.insert(await routing.dialogues.new(f"{plan}-{ordinal}", agency, fields, [scheduled]))
    return f"{plan}-{ordinal}"


def registration(
    *texts: str,
    agency: str = SON_LA,
    plan: str = PLAN,
    dialogue: str | None = None,
    happening: str = "received",
    status: str = "received",
    subject: UUID | None = None,
    sequence: int = 1,
    received_at: datetime = NOW - timedelta(days=1),
    person: dict[str, str] | None = None,
    number: str | None = None,
) -> Event[Any]:
    """An event of `intake.registrations` with a section for each text; an empty text leaves its section out."""
    subject = subject or uuid4()
    state = RegistrationState(
        case_number=number or f"SL-2022-{subject.int % 1_000_000:06d}",
        plan=plan,
        dialogue=dialogue,
        channel=Channel.WEB,
        received_at=received_at,
        recorded_at=received_at,
        kind=RegistrantKind.INDIVIDUAL,
        person=None
        if status == "erased"
        else person or {"name": "Lò Thị Mẫu", "email": "mau@nguoidan.example", "address": "Tổ 1"},
        sections=tuple(SectionText(no=n, title=f"Mục {n}", text=text) for n, text in enumerate(texts, 1) if text),
        status=status,
    )
    type_ = f"registration.{happening}.v1"
    return Event[RegistrationState](
        id=uuid4(),
        source="intake",
        type=type_,
        subject=str(subject),
        time=NOW,
        dataschema=CATALOGUE[type_].state.__name__,
        agency=agency,
        sequence=sequence,
        data=state,
    )


async def take(routing: Routing, *events: Event[Any]) -> list[tuple[Event[Any], Permanent]]:
    """Hand a batch to routing as its consumer does; returns what was rejected."""
    rejected: list[tuple[Event[Any], Permanent]] = []
    await intake.take_over(routing, events, lambda event, error: rejected.append((event, error)))
    return rejected


def acting(routing: Routing, actor: str = "vanphong", agency: str = SON_LA) -> Acting:
    """Somebody who acts now."""
    return Acting(agency, actor, routing.clock())
