"""The outbox protocol alone, on real MongoDB and both drivers: writers and relays of two processes that crash between any two
steps, sends that fail before or after the broker took the record, stalls. Afterwards nothing is unpublished and the first
appearances of every document's events are in order.

The log below stands for a topic: what it does not do (offsets, rebalances) the consumer's tests do on real Kafka.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID, uuid5

import pytest
from prometheus_client import REGISTRY

from contracts.envelope import decode
from contracts.events import models
from contracts.model import LetterKind, LetterState
from contracts.topics import ROUTING_LETTERS
from kit import mongo
from kit.acting import Acting
from kit.errors import Permanent, Transient
from kit.kafka import Outcome, Record
from kit.mongo import Collection, Database, Document, ServerClock
from kit.outbox import Change, Outbox, Relay, spec
from tests.waiting import eventually

AGENCY = "son-la"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
NAMESPACE = UUID(int=7)
ACTING = Acting(AGENCY, "test", NOW)
DOCUMENTS, APPENDS = 12, 8

FAST: dict[str, Any] = {
    "sweep_every": 0.02,
    "overdue_after": timedelta(milliseconds=60),
    "lease": timedelta(milliseconds=300),
}


@pytest.fixture(params=["motor", "pymongo"])
async def database(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncIterator[Database]:
    driver = cast(Literal["motor", "pymongo"], request.param)
    client = mongo.connect(mongodb_url, driver=driver)
    database = client[f"outbox_{driver}"]
    await mongo.apply(database, [spec("letters")])
    await database["letters"].delete_many({})
    yield database
    await mongo.close(client)


def _render(document: Document, _entry: Document) -> LetterState:
    return LetterState(
        letter_key=str(document["_id"]), kind=LetterKind.RECEIPT, requested_at=NOW, fields={"value": document["value"]}
    )


def _outbox(database: Database, collection: Collection | None = None) -> Outbox:
    return Outbox(collection or database["letters"], ServerClock(database), source="routing", render=_render)


class Log:
    """What was published, in order; sends fail by chance, before or after the record was taken."""

    def __init__(self, chance: random.Random, failing: float) -> None:
        self.records: list[bytes] = []
        self.failing = failing
        self._chance = chance

    async def publish_all(self, records: Sequence[Record]) -> list[Outcome]:
        """In any order, as the protocol allows."""
        numbers = self._chance.sample(range(len(records)), len(records))
        outcomes = {number: await self._publish(records[number].value) for number in numbers}
        return [outcomes[number] for number in range(len(records))]

    async def _publish(self, value: bytes) -> Outcome:
        await asyncio.sleep(self._chance.random() * 0.005)
        if self._chance.random() < self.failing / 2:
            return Transient("before")
        self.records.append(value)
        return Transient("after") if self._chance.random() < self.failing / 2 else None

    def appearances(self) -> dict[str, list[tuple[int, int]]]:
        """Per document: (sequence, value) in the order published."""
        seen: dict[str, list[tuple[int, int]]] = {}
        for record in self.records:
            event = decode(record, models(ROUTING_LETTERS))
            seen.setdefault(event.subject, []).append((event.sequence, event.data.fields["value"]))
        return seen


class Crashed(Exception):
    """The process the call was made in is dead; nobody knows whether its effect happened."""


class Process:
    """A process with an outbox and a relay that dies at a seeded step: all its tasks are cancelled, its memory is gone."""

    def __init__(self, database: Database, log: Log, chance: random.Random, crashing: float) -> None:
        self.crashing = crashing
        self.chance = chance
        self.dead = False
        self._tasks: set[asyncio.Task[Any]] = set()
        faulty = cast(Collection, _Faulty(database["letters"], self))
        self.outbox = _outbox(database, faulty)
        self._relay = Relay(log, [self.outbox], **FAST)
        self._sweeper = self._spawn(self._relay.run())

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        task = self._spawn(work)
        try:
            return await task
        except asyncio.CancelledError:
            raise Crashed from None

    def step(self) -> None:
        """A point at which a process can die."""
        if not self.dead and self.chance.random() < self.crashing:
            self.die()
        if self.dead:
            raise asyncio.CancelledError

    def die(self) -> None:
        self.dead = True
        for task in [*self._tasks, *self._relay._rounds, *([self._relay._marking] if self._relay._marking else [])]:
            task.cancel()


class _Faulty:
    """A collection whose every operation is a point to die at, before and after."""

    def __init__(self, collection: Collection, process: Process) -> None:
        self._collection = collection
        self._process = process

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._collection, name)
        if name == "with_options":
            return lambda **options: _Faulty(value(**options), self._process)
        if name not in {"find_one_and_update", "insert_one", "find_one", "bulk_write", "update_one"}:
            return value

        async def operation(*args: Any, **kwargs: Any) -> Any:
            self._process.step()
            result = await value(*args, **kwargs)
            self._process.step()
            return result

        return operation


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_stays_unpublished_and_first_appearances_are_in_order(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    log = Log(chance, failing=0.15)
    processes = [Process(database, log, chance, crashing=0.05) for _ in range(2)]
    crashes = 0

    async def attempt(make: Any) -> None:
        """Call in a living process; after a crash nobody knows, so look before trying again."""
        nonlocal crashes
        index = chance.randrange(2)
        if processes[index].dead:
            crashes += 1
            processes[index] = Process(database, log, chance, crashing=0.05)
        await processes[index].call(make(processes[index].outbox))

    async def write(number: int) -> None:
        _id = uuid5(NAMESPACE, f"{seed}/{number}")
        value = 0
        while value <= APPENDS:
            stored = await database["letters"].find_one({"_id": _id}, {"value": 1})
            value = -1 if stored is None else stored["value"]
            if value == APPENDS:
                return
            try:
                await attempt(lambda outbox, v=value: _create(outbox, _id) if v < 0 else _append(outbox, _id, v + 1))
            except Crashed:
                continue

    await asyncio.gather(*(write(n) for n in range(DOCUMENTS)))
    for process in processes:
        process.die()
    assert crashes > 0, "the test proves nothing unless processes died"

    log.failing = 0.0
    survivor = Process(database, log, chance, crashing=0.0)

    async def all_sent() -> bool:
        return await database["letters"].count_documents({"due": {"$exists": True}}) == 0

    await eventually(all_sent, timeout=20)
    survivor.die()

    appearances = log.appearances()
    assert len(appearances) == DOCUMENTS
    for sequences in appearances.values():
        first: list[int] = list(dict.fromkeys(n for n, _ in sequences))
        assert first == list(range(1, APPENDS + 2)), f"seed {seed}"
        assert all(value >= n - 1 for n, value in sequences), "an event's state is at least as new as its change"


async def _create(outbox: Outbox, _id: UUID) -> None:
    document = await outbox.new(_id, AGENCY, {"value": 0}, [ACTING.act("routing_letter.requested.v1")])
    await outbox.insert(document)


async def _append(outbox: Outbox, _id: UUID, value: int) -> None:
    def decide(document: Document) -> Change | None:
        if document["value"] >= value:
            return None
        return Change([ACTING.act("routing_letter.requested.v1")], set={"value": value})

    await outbox.change(_id, AGENCY, decide)


async def test_concurrent_changes_are_all_made_each_on_what_the_other_left(database: Database) -> None:
    outbox = _outbox(database)
    _id = uuid5(NAMESPACE, "concurrent")
    await _create(outbox, _id)

    def one_more(document: Document) -> Change:
        return Change([ACTING.act("routing_letter.requested.v1")], set={"value": document["value"] + 1})

    await asyncio.gather(*(outbox.change(_id, AGENCY, one_more) for _ in range(10)))
    stored = await outbox.get(_id, AGENCY, events=True)
    assert stored["value"] == 10
    assert [e["n"] for e in stored["events"]] == list(range(1, 12))
    assert stored["unsent"] == 1


async def test_the_oldest_age_is_that_of_the_event_however_often_its_lease_was_moved(database: Database) -> None:
    log = Log(random.Random(1), failing=2.0)
    process = Process(database, log, random.Random(1), crashing=0.0)
    await _create(process.outbox, uuid5(NAMESPACE, "old"))
    await database["letters"].update_one({}, {"$set": {"due": datetime.now(UTC) - timedelta(hours=1)}, "$unset": {"since": ""}})
    leases: set[str] = set()

    async def moved_thrice() -> bool:
        leases.add((await database["letters"].find_one({}) or {}).get("claim", ""))
        return len(leases - {""}) >= 3

    await eventually(moved_thrice, every=0.01)
    await process._relay._measure(process.outbox)
    assert 3600 <= _oldest_age() < 3700
    log.failing = 0.0
    await eventually(_nothing_waits)
    process.die()
    assert "since" not in (await database["letters"].find_one({}) or {})


async def _nothing_waits() -> bool:
    return _oldest_age() == 0


def _oldest_age() -> float:
    return REGISTRY.get_sample_value("outbox_oldest_age_seconds", {"collection": "letters"}) or 0.0


async def test_a_backlog_longer_than_the_image_is_read_whole(database: Database) -> None:
    outbox = _outbox(database)
    _id = uuid5(NAMESPACE, "backlog")
    await _create(outbox, _id)
    for value in range(1, 40):
        await _append(outbox, _id, value)
    log = Log(random.Random(1), failing=0)
    relay = Relay(log, [outbox], **FAST)
    await _append(outbox, _id, 40)
    await relay.stop()
    assert [n for n, _ in log.appearances()[str(_id)]] == list(range(1, 42))


async def test_a_state_too_large_for_an_event_is_refused_when_written(database: Database) -> None:
    outbox = _outbox(database)
    with pytest.raises(Permanent, match="too large"):
        await outbox.new(uuid5(NAMESPACE, "large"), AGENCY, {"value": "x" * 700_000}, [ACTING.act("routing_letter.requested.v1")])


async def test_the_sweeper_reads_only_what_waits(database: Database) -> None:
    """Published documents cost the sweeper nothing: its query examines only those in the partial index."""
    outbox = _outbox(database)
    await database["letters"].insert_many(
        [{"_id": uuid5(NAMESPACE, f"old{n}"), "agency": AGENCY, "seq": 1, "events": [], "value": 0} for n in range(500)]
    )
    await _create(outbox, uuid5(NAMESPACE, "waiting"))
    plan = await database.command(
        {
            "explain": {
                "find": "letters",
                "filter": {"due": {"$exists": True}, "$expr": {"$lte": ["$due", "$$NOW"]}},
                "sort": {"due": 1},
            },
            "verbosity": "executionStats",
        }
    )
    assert plan["executionStats"]["totalDocsExamined"] <= 1


async def test_every_driver_gives_the_same_store(database: Database) -> None:
    outbox = _outbox(database)
    _id = uuid5(NAMESPACE, "driver")
    await _create(outbox, _id)
    await _append(outbox, _id, 3)
    pipeline: list[dict[str, Any]] = [{"$match": {"agency": AGENCY}}, {"$group": {"_id": "$agency", "most": {"$max": "$value"}}}]
    assert [d async for d in mongo.aggregate(database["letters"], pipeline)] == [{"_id": AGENCY, "most": 3}]
    stored = await outbox.get(_id, AGENCY)
    assert stored["_id"] == _id
    assert stored["due"].tzinfo is not None
