"""The consumer alone, on real Kafka and MongoDB: whatever happens to a batch, every good record has its effect once, every bad
one its dead-letter row, and the committed offset is never ahead of a durable effect.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import REGISTRY

from contracts.envelope import Event
from contracts.events import models
from contracts.model import LetterKind, LetterState
from contracts.topics import ROUTING_LETTERS, Topic
from deploy.local.stack import LocalStack
from kit import deadletters, lag, mongo
from kit.consumer import Consumer, Handle, Reject, Subscription, each
from kit.deadletters import DeadLetters
from kit.errors import Permanent, Transient
from kit.kafka import Headers, KafkaPublisher, create_topics
from kit.metrics import DEAD_LETTERS
from kit.mongo import Database
from tests.waiting import eventually

MODELS = models(ROUTING_LETTERS)
POISON = [
    (b"{not json", "not JSON"),
    (b'"\xff\xfe"', "not JSON"),
    (b'{"type":"nobody.knows.v1"}', "unknown type or version"),
    (b'{"type":"routing_letter.requested.v9"}', "unknown type or version"),
    (b'{"type":"routing_letter.requested.v1","data":{}}', "missing"),
    (None, "empty record"),
]


@pytest.fixture
async def database(mongodb_url: str) -> AsyncIterator[Database]:
    client = mongo.connect(mongodb_url)
    database = client[f"consumer_{uuid4().hex[:8]}"]
    await mongo.apply(database, [deadletters.SPEC])
    yield database
    await client.drop_database(database.name)
    await mongo.close(client)


@pytest.fixture
async def topic(kafka_bootstrap: str) -> Topic:
    topic = Topic(f"test.{uuid4().hex[:8]}", "letter", 1, 7)
    await create_topics(kafka_bootstrap, [topic])
    return topic


class Bench:
    """A topic, a group, and what was done about its records."""

    def __init__(self, bootstrap: str, database: Database, topic: Topic) -> None:
        self.bootstrap, self.database, self.topic = bootstrap, database, topic
        self.group = f"group.{uuid4().hex[:8]}"
        self.publisher = KafkaPublisher(bootstrap)
        self.effects: list[str] = []
        self.dead_letters = DeadLetters(database)

    async def remember(self, events: Sequence[Event[Any]], reject: Reject) -> None:
        self.effects += [event.data.letter_key for event in events]

    def consumer(self, handle: Handle, **options: Any) -> Consumer:
        subscription = Subscription("test", [self.topic], MODELS, handle)
        return Consumer(subscription, self.dead_letters, bootstrap=self.bootstrap, group=self.group, **options)

    async def publish(self, *values: bytes | None, headers: Headers = ()) -> None:
        for value in values:
            await self.publisher.publish(self.topic, b"key", value, headers)

    async def committed(self) -> int:
        reader = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.group, enable_auto_commit=False)
        await reader.start()
        try:
            return await reader.committed(TopicPartition(self.topic.name, 0)) or 0
        finally:
            await reader.stop()

    @contextlib.asynccontextmanager
    async def running(self, *consumers: Consumer) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def bench(kafka_bootstrap: str, database: Database, topic: Topic) -> AsyncIterator[Bench]:
    bench = Bench(kafka_bootstrap, database, topic)
    yield bench
    await bench.publisher.stop()


def letter(name: str) -> bytes:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return Event[LetterState](
        id=UUID(int=1),
        source="routing",
        type="routing_letter.requested.v1",
        subject=name,
        time=now,
        dataschema="LetterState",
        agency="son-la",
        sequence=1,
        data=LetterState(letter_key=name, kind=LetterKind.RECEIPT, requested_at=now),
    ).encode()


async def test_poison_anywhere_in_a_batch_is_buried_and_the_rest_flows(bench: Bench) -> None:
    bad = [value for value, _ in POISON]
    records = [*bad, letter("a"), letter("b"), *bad, letter("c"), *bad]
    await bench.publish(*records)
    async with bench.running(bench.consumer(bench.remember)):
        await eventually(lambda: _count(bench, len(bad) * 3))
        await eventually(lambda: _done(bench, {"a", "b", "c"}))
        await eventually(lambda: _committed(bench, len(records)))
    rows = await bench.dead_letters.find(limit=100)
    assert sorted(row["offset"] for row in rows) == [n for n, value in enumerate(records) if value in bad]
    by_value = {row["value"]: row["reason"] for row in rows}
    for value, reason in POISON:
        assert reason in by_value[value], "the original bytes, and why"
    assert _dead_letters(bench) == {"Undecodable": len(bad) * 3}, "and no name of a field, which may be anybody's input"


def _dead_letters(bench: Bench) -> dict[str, float]:
    samples = (sample for family in DEAD_LETTERS.collect() for sample in family.samples)
    counted = (s for s in samples if s.labels["topic"] == bench.topic.name and s.name.endswith("_total"))
    return {sample.labels["reason"]: sample.value for sample in counted}


async def test_headers_that_are_no_utf8_or_too_many_do_not_matter(bench: Bench) -> None:
    await bench.publish(letter("strange"), headers=[("traceparent", b"\xff\xfe\x00")])
    await bench.publish(letter("many"), headers=[(f"h{n}", b"x") for n in range(10_000)])
    await bench.publish(None, headers=[("strange", b"\xff\xfe"), ("null", None)])
    await bench.publish(b"{}", headers=[(f"h{n}", b"x") for n in range(10_000)])
    async with bench.running(bench.consumer(bench.remember)):
        await eventually(lambda: _done(bench, {"strange", "many"}))
        await eventually(lambda: _count(bench, 2))
    buried = {row["value"]: row for row in await bench.dead_letters.find()}
    assert (buried[None]["headers"], buried[None]["headers_cut"]) == ([["strange", b"\xff\xfe"], ["null", None]], 0)
    assert buried[b"{}"]["headers"] == [[f"h{n}", b"x"] for n in range(deadletters.HEADERS_KEPT)]
    assert buried[b"{}"]["headers_cut"] == 10_000 - deadletters.HEADERS_KEPT


async def test_a_handler_that_raises_loses_only_the_record_it_raises_for(bench: Bench) -> None:
    async def handle(events: Sequence[Event[Any]], reject: Reject) -> None:
        if any(event.data.letter_key == "culprit" for event in events):
            raise ValueError("Lò Thị Kín, 0912 345 678")
        await bench.remember(events, reject)

    await bench.publish(letter("before"), letter("culprit"), letter("after"))
    async with bench.running(bench.consumer(handle)):
        await eventually(lambda: _done(bench, {"before", "after"}))
        await eventually(lambda: _count(bench, 1))
    (row,) = await bench.dead_letters.find()
    assert row["reason"] == "Permanent: ValueError", "and no text, which may quote anybody's data"


async def test_a_rule_that_one_event_breaks_rejects_that_event_alone(bench: Bench) -> None:
    async def handle_one(event: Event[Any]) -> None:
        if event.data.letter_key == "impossible":
            raise Permanent("valid but impossible")
        bench.effects.append(event.data.letter_key)

    await bench.publish(letter("x"), letter("impossible"), letter("y"))
    async with bench.running(bench.consumer(each(handle_one))):
        await eventually(lambda: _done(bench, {"x", "y"}))
        await eventually(lambda: _count(bench, 1))


async def test_infrastructure_that_is_down_is_waited_for_and_nothing_is_committed_or_buried(bench: Bench) -> None:
    down = True
    attempts = 0

    async def handle(events: Sequence[Event[Any]], reject: Reject) -> None:
        nonlocal attempts
        attempts += 1
        if down:
            raise Transient("database")
        await bench.remember(events, reject)

    await bench.publish(letter("one"), letter("two"))
    async with bench.running(bench.consumer(handle, max_wait=0.5)):
        await eventually(lambda: _true(attempts >= 3))
        assert await bench.committed() == 0
        down = False
        await eventually(lambda: _done(bench, {"one", "two"}))
    assert await bench.dead_letters.count() == 0
    assert bench.effects == ["one", "two"]


@pytest.mark.parametrize("stuck_by", ["giving back", "hanging"])
async def test_a_stuck_batch_is_seen_to_grow_older_and_what_comes_behind_it_is_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, stuck_by: str
) -> None:
    monkeypatch.setattr(lag, "MEASURE_EVERY", 0.05)
    mended = asyncio.Event()

    async def handle(events: Sequence[Event[Any]], reject: Reject) -> None:
        if stuck_by == "giving back" and not mended.is_set():
            raise Transient("database")
        await mended.wait()
        await bench.remember(events, reject)

    await bench.publish(letter("one"), letter("two"))
    async with bench.running(bench.consumer(handle, max_wait=0.5)):
        await eventually(lambda: _behind(bench, 2, older_than=1.0))
        await bench.publish(letter("three"))
        await eventually(lambda: _behind(bench, 3, older_than=1.5))
        mended.set()
        await eventually(lambda: _done(bench, {"one", "two", "three"}))
        await eventually(lambda: _caught_up(bench))


def _gauges(bench: Bench) -> tuple[float | None, float | None]:
    labels = {"group": bench.group, "topic": bench.topic.name}
    unread = REGISTRY.get_sample_value("consumer_lag_messages", {**labels, "partition": "0"})
    return unread, REGISTRY.get_sample_value("consumer_lag_seconds", labels)


async def _behind(bench: Bench, count: int, *, older_than: float) -> bool:
    unread, age = _gauges(bench)
    return unread == count and age is not None and age > older_than


async def _caught_up(bench: Bench) -> bool:
    return _gauges(bench) == (0.0, 0.0)


async def test_whatever_else_goes_wrong_the_batch_waits_before_it_is_read_again(bench: Bench) -> None:
    """A socket's error is infrastructure, though neither Kafka's nor MongoDB's: no dead letter, and no spinning."""
    tries = 0

    async def handle(events: Sequence[Event[Any]], reject: Reject) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionResetError
        await bench.remember(events, reject)

    began = monotonic()
    async with bench.running(bench.consumer(handle)):
        await bench.publish(letter("a"))
        await eventually(lambda: _done(bench, {"a"}))
    assert await bench.dead_letters.count() == 0
    assert tries == 3
    assert monotonic() - began > 0.25 + 0.5  # half of each of the two waits at least


async def test_too_many_dead_letters_halt_the_consumer_before_it_commits_them(bench: Bench) -> None:
    await bench.publish(*[b"bad code was shipped"] * 12)
    consumer = bench.consumer(bench.remember, dead_letter_limit=10, max_wait=0.5)
    async with bench.running(consumer):
        await eventually(lambda: _true(consumer.halted))
        assert not consumer.healthy
    assert await bench.dead_letters.count() == 0
    assert await bench.committed() == 0


async def test_a_second_member_joining_in_a_long_batch_does_nothing_twice(bench: Bench) -> None:
    entered = asyncio.Event()

    async def slow(events: Sequence[Event[Any]], reject: Reject) -> None:
        entered.set()
        await asyncio.sleep(13)  # with aiokafka's default of 10 a rebalance ends without whoever is still at work
        await bench.remember(events, reject)

    names = [f"r{n}" for n in range(20)]
    await bench.publish(*map(letter, names))
    async with bench.running(bench.consumer(slow)):
        await asyncio.wait_for(entered.wait(), 30)
        async with bench.running(bench.consumer(bench.remember)):
            await eventually(lambda: _done(bench, set(names)), timeout=60)
            await eventually(lambda: _committed(bench, len(names)), timeout=60)
    assert sorted(bench.effects) == sorted(names), "an effect happened twice"


async def test_a_consumer_started_before_its_topic_waits_for_it(kafka_bootstrap: str, database: Database) -> None:
    topic = Topic(f"test.{uuid4().hex[:8]}", "letter", 1, 7)
    bench = Bench(kafka_bootstrap, database, topic)
    consumer = bench.consumer(bench.remember)
    async with bench.running(consumer):
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=2)
        assert not consumer.healthy
        await create_topics(kafka_bootstrap, [topic])
        await bench.publish(letter("late"))
        await eventually(lambda: _done(bench, {"late"}))
    await bench.publisher.stop()


async def test_a_consumer_started_before_kafka_waits_for_it(tmp_path: Path, database: Database) -> None:
    topic = Topic("test.early", "letter", 1, 7)
    with LocalStack(tmp_path) as stack:
        bench = Bench(stack.kafka_bootstrap, database, topic)
        consumer = bench.consumer(bench.remember)
        async with bench.running(consumer):
            await asyncio.to_thread(stack.start, kafka=True)
            assert not consumer.healthy
            await create_topics(stack.kafka_bootstrap, [topic])
            await bench.publish(letter("early"))
            await eventually(lambda: _done(bench, {"early"}), timeout=40)
        await bench.publisher.stop()


async def test_a_consumer_whose_client_has_gone_deaf_joins_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As aiokafka's does at times when its broker is killed in a rebalance: it waits for ever, for whatever it is asked."""
    monkeypatch.setattr(lag, "MEASURE_EVERY", 0.01)
    monkeypatch.setattr(lag, "_ANSWER_WITHIN", 0.2)
    consumer = bench.consumer(bench.remember)
    async with bench.running(consumer):
        await bench.publish(letter("before"))
        await eventually(lambda: _done(bench, {"before"}))
        deaf = consumer.client
        assert deaf is not None
        assert consumer._is_member()

        async def never(*_: object) -> None:
            await asyncio.Event().wait()

        deaf.end_offsets = deaf.getmany = never
        await eventually(lambda: _true(consumer.client not in (None, deaf)), timeout=60)
        await bench.publish(letter("after"))
        await eventually(lambda: _done(bench, {"before", "after"}))


async def _true(value: bool) -> bool:
    return value


async def _done(bench: Bench, names: set[str]) -> bool:
    return set(bench.effects) == names


async def _count(bench: Bench, number: int) -> bool:
    return await bench.dead_letters.count() == number


async def _committed(bench: Bench, offset: int) -> bool:
    return await bench.committed() == offset
