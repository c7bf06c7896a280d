"""What the gauges of a consumer say where no broker is needed to see it; the stuck batch itself is in test_consumer.py."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY

from kit import lag
from kit.lag import Lag, by_partition

ONE, TWO = TopicPartition("t", 0), TopicPartition("t", 1)


class Kafka:
    """What `Lag` asks an aiokafka consumer, and the hands of a clock."""

    def __init__(self) -> None:
        self.assigned = {ONE, TWO}
        self.ends = {ONE: 10, TWO: 10}
        self.positions = {ONE: 10, TWO: 10}
        self.answers = True
        self.now = 1_000.0

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.assigned)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        if not self.answers:
            raise KafkaConnectionError
        return {p: self.ends[p] for p in partitions}

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]


class Watched:
    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.group = uuid4().hex
        self.lag = Lag(self.group)

    async def at(self, now: float) -> tuple[list[float | None], float | None]:
        """Records unread in each partition and the age of the oldest, as measured at `now`."""
        self.kafka.now = now
        await self.lag.measure(cast(AIOKafkaConsumer, self.kafka))
        labels = {"group": self.group, "topic": "t"}
        unread = [REGISTRY.get_sample_value("consumer_lag_messages", {**labels, "partition": p}) for p in "01"]
        return unread, REGISTRY.get_sample_value("consumer_lag_seconds", labels)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    kafka = Kafka()
    monkeypatch.setattr(lag, "time", lambda: kafka.now)
    return kafka


@pytest.fixture
def watched(kafka: Kafka) -> Watched:
    return Watched(kafka)


def record(partition: TopicPartition, offset: int, written: float) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(partition.topic, partition.partition, offset, int(written * 1000), 0, None, b"", None, 0, 0, ())


async def test_who_has_read_everything_is_not_behind(watched: Watched) -> None:
    assert await watched.at(1_000) == ([0, 0], 0)


async def test_a_batch_in_hand_is_unread_from_its_first_record_on(watched: Watched) -> None:
    watched.lag.begin(by_partition([record(ONE, 7, 900), record(ONE, 9, 950), record(TWO, 9, 940)]))
    assert await watched.at(1_000) == ([3, 1], 100)
    assert await watched.at(2_000) == ([3, 1], 1_100)


async def test_a_record_that_is_not_fetched_grows_older_from_when_all_was_read(watched: Watched) -> None:
    await watched.at(1_000)
    watched.kafka.ends[TWO] = 12
    assert await watched.at(1_005) == ([0, 2], 5)
    assert await watched.at(1_300) == ([0, 2], 300)


async def test_between_two_batches_of_a_backlog_the_age_is_that_of_the_last_record_read(watched: Watched) -> None:
    parts = by_partition([record(ONE, 4, 400), record(ONE, 5, 500)])
    watched.lag.begin(parts)
    watched.lag.done(parts)
    watched.kafka.positions[ONE] = 6
    assert await watched.at(1_000) == ([4, 0], 500)


async def test_while_kafka_does_not_answer_the_age_grows(watched: Watched) -> None:
    await watched.at(1_000)
    watched.kafka.answers = False
    assert await watched.at(1_600) == ([0, 0], 600)


async def test_a_partition_that_went_to_another_member_is_shown_no_more(watched: Watched) -> None:
    watched.lag.begin(by_partition([record(TWO, 7, 900)]))
    await watched.at(1_000)
    watched.lag.forget()
    watched.kafka.assigned = {ONE}
    assert await watched.at(1_010) == ([0, None], 0)
    watched.kafka.assigned = set()
    assert await watched.at(1_020) == ([None, None], None)


async def test_the_watch_ends_when_many_measures_in_a_row_had_no_answer(
    watched: Watched, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly = [False] * (lag.DEAF_AFTER - 1)
    answers = iter([*nearly, True, *nearly, False, True])

    async def next_measure(_: float) -> None:
        kafka.answers = next(answers)

    monkeypatch.setattr("kit.lag.asyncio.sleep", next_measure)
    await watched.lag.watch(cast(AIOKafkaConsumer, kafka), asyncio.Lock())
    assert list(answers) == []


@pytest.mark.parametrize("something", ["a batch is begun", "a batch is in hand", "all is read", "no answer"])
async def test_the_watch_ends_when_records_lie_there_for_long_and_none_is_read(
    watched: Watched, kafka: Kafka, monkeypatch: pytest.MonkeyPatch, something: str
) -> None:
    """And begins to count anew whenever there is a reason that none is read, or one is."""
    busy = asyncio.Lock()
    kafka.ends[ONE] = 12
    measures = 0

    async def next_measure(_: float) -> None:
        nonlocal measures
        measures += 1
        now = measures == lag.IDLE_AFTER - 1  # what the last measure but one before the end meets
        if something == "a batch is begun" and now:
            watched.lag.begin(by_partition([record(ONE, 10, 900)]))
        if something == "a batch is in hand" and (now or busy.locked()):
            await busy.acquire() if now else busy.release()
        kafka.ends[ONE] = 10 if something == "all is read" and now else 12
        kafka.answers = not (something == "no answer" and now)

    monkeypatch.setattr("kit.lag.asyncio.sleep", next_measure)
    await watched.lag.watch(cast(AIOKafkaConsumer, kafka), busy)
    assert measures == 2 * lag.IDLE_AFTER
