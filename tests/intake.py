"""What the tests of intake share: an application of its own on a real database, plans, and forms filled in."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pymongo
from fastapi import FastAPI
from pydantic import SecretStr

from contracts.envelope import Event, Payload
from contracts.events import CATALOGUE
from contracts.model import DialogueState, PlanState
from contracts.topics import Topic
from kit import deadletters, mongo
from kit.kafka import Outcome, Record
from services.intake.bootstrap import bootstrap
from services.intake.settings import IntakeSettings
from services.intake.store import SPECS
from services.intake.usecases import Intake
from tests.databases import lent

NOW = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)
PLAN = "son-la-2026"


@dataclass
class Recorded:
    """A publisher that keeps what it is given."""

    records: list[tuple[Topic, bytes, bytes]] = field(default_factory=list)

    async def publish_all(self, records: Sequence[Record]) -> list[Outcome]:
        self.records += [(record.topic, record.key, record.value) for record in records]
        return [None] * len(records)

    def of(self, topic: Topic) -> list[tuple[bytes, bytes]]:
        return [(key, value) for t, key, value in self.records if t is topic]


@dataclass
class Hand:
    """A clock that a test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Running:
    """Intake at work."""

    app: FastAPI
    intake: Intake
    client: httpx.AsyncClient
    published: Recorded
    clock: Hand
    database: mongo.Database

    async def announce(self, *states: tuple[str, Payload], sequence: int = 1) -> None:
        """Take over plans and dialogues as if their events had been read."""
        with pymongo.timeout(20):  # nobody waits as for a request: a busy machine may take its time
            await self.intake.projections.save_announcements([announcement(_id, state, sequence) for _id, state in states])


def announcement(_id: str, state: Payload, sequence: int = 1) -> Event[Any]:
    """The event of a plan or dialogue, `<agency>-<year>…`."""
    type_ = "plan.published.v1" if isinstance(state, PlanState) else "dialogue.scheduled.v1"
    return Event[Any].model_construct(
        specversion="1.0",
        id=uuid4(),
        source="routing",
        type=type_,
        subject=_id,
        time=NOW,
        datacontenttype="application/json",
        dataschema=CATALOGUE[type_].state.__name__,
        agency=_id.rsplit("-2026", 1)[0],
        sequence=sequence,
        correlationid="",
        data=state,
    )


def plan(**changes: Any) -> PlanState:
    return PlanState.model_validate({"number": "05/KH-SKHCN", "year": 2026, "title": "Kế hoạch đối thoại năm 2026"} | changes)


def dialogue(**changes: Any) -> DialogueState:
    state = {
        "plan": PLAN,
        "plan_number": "05/KH-SKHCN",
        "plan_title": "Kế hoạch đối thoại năm 2026",
        "year": 2026,
        "ordinal": 1,
        "starts_at": NOW + timedelta(days=40),
        "closes_at": NOW + timedelta(days=30),
        "place": "Hội trường tầng 3",
    }
    return DialogueState.model_validate(state | changes)


def api_body(**changes: Any) -> dict[str, Any]:
    return {
        "plan": PLAN,
        "person": {"name": "Lò Văn Thử", "phone": "0912 345 678", "email": "thu@nguoi-dan.example"},
        "sections": [{"no": 1, "text": "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?"}],
        "consent_version": "2026-01",
    } | changes


def web_form(**changes: str) -> dict[str, str]:
    return {
        "nonce": "trang-nay-cua-mot-nguoi",
        "name": "Lò Văn Thử",
        "address": "Tổ 2, phường Tô Hiệu",
        "phone": "0912 345 678",
        "sections.1": "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?",
        "consent": "2026-01",
    } | changes


@contextlib.asynccontextmanager
async def running_intake(
    mongodb_url: str, *, kafka_bootstrap: str | None = None, announced: bool = True, **settings: Any
) -> AsyncIterator[Running]:
    """Intake with a database of its own. Without Kafka its consumers keep trying, as they do in life, and `published` records."""
    async with lent(mongodb_url, "intake", [*SPECS, deadletters.SPEC]) as prefix:
        values = IntakeSettings(
            session_secret=SecretStr("s" * 40),
            code_secret=SecretStr("c" * 40),
            session_secure=False,
            mongodb_url=mongodb_url,
            mongodb_prefix=prefix,
            kafka_bootstrap=kafka_bootstrap or "127.0.0.1:1",
            kafka_group_prefix=uuid4().hex,
            log_level="ERROR",
            **settings,
        )
        clock, published = Hand(), Recorded()
        app, service, intake = bootstrap(values, clock=clock, publisher=None if kafka_bootstrap else published)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://intake") as client:
            running = Running(app, intake, client, published, clock, service.database)
            if announced:
                await running.announce((PLAN, plan()), (f"{PLAN}-1", dialogue()))
            yield running


def keys(count: int) -> Sequence[str]:
    return [uuid4().hex for _ in range(count)]
