"""Kafka: a publisher that survives a broker's absence, and the making of topics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Container, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol, TypeAlias
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts.topics import TOPICS, Topic
from kit import metrics
from kit.errors import Permanent, Transient
from kit.logging import get_logger
from kit.uvloop_kafka import bear_with_uvloop

bear_with_uvloop()

MAX_EVENT_BYTES = 900_000
"""An event over this is refused when it is written, so it can never block the relay (the broker takes 1 MiB)."""

METADATA_MAX_AGE_MS = 30_000
"""Topics that were made anew are found after so long (aiokafka's own: five minutes)."""
_BATCH_BYTES = 262_144
_ALONE_FOR = 60.0
_SEND_TIMEOUT = 15.0
_START_TIMEOUT = 10.0
_GIVEN_UP_AFTER = 2.0
"""For what a producer still has under way when another of its records failed: most is acknowledged in that time, or never."""
_DELETE_TIMEOUT = 30.0

Headers = Sequence[tuple[str, bytes | None]]


class Refused(Permanent):
    """The broker takes no record of this size."""


@dataclass(frozen=True, slots=True)
class Record:
    """What goes to a topic. None is Kafka's null, which is not the same as empty: in a compacted topic it removes the key."""

    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


Outcome: TypeAlias = Transient | Refused | None
"""What became of a record: None when all in-sync replicas have it. `Transient`: perhaps they have it, perhaps not."""


class Publisher(Protocol):
    """What the relay needs of Kafka."""

    async def publish_all(self, records: Sequence[Record]) -> list[Outcome]:
        """Return when the fate of every record is known: their outcomes, in order. Raises nothing.

        The records may arrive in any order: what has to come after another belongs into a later call.
        """


@dataclass(slots=True)
class _Batch:
    """Records of one partition that travel together; `numbers` says which of a call's records they are."""

    builder: BatchBuilder
    numbers: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    """A producer; with `one_by_one` each record travels in a batch of its own. `waiting`: what ends the waits for its answers."""

    producer: AIOKafkaProducer
    one_by_one: bool
    waiting: set[asyncio.Timeout] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def patience(self, seconds: float) -> AsyncIterator[None]:
        """Raises `TimeoutError` after so long, or when the producer is closed: what it owes then will never come."""
        async with asyncio.timeout(seconds) as timeout:
            self.waiting.add(timeout)
            try:
                yield
            finally:
                self.waiting.discard(timeout)

    async def close(self, *, within: float) -> None:
        """Let what is under way be acknowledged; then nobody waits for the rest any more."""
        await _close(self.producer, within=within)
        for timeout in self.waiting:
            if not timeout.expired():
                timeout.reschedule(0)


class KafkaPublisher:
    """An idempotent producer, started at the first record and thrown away when it fails.

    The batches are made here, so that Python waits for each of them and not for each record, which took most of the time.

    An aiokafka idempotent producer can wedge after a broker's restart (aiokafka issue 1017: every later send fails or
    hangs), so the first failure or timeout drops it and the next record builds a new one.

    A batch that is too large fails all its records, and nobody is told which of them was at fault. So for the next minute each
    record travels in a batch of its own, and what is refused then is refused for itself.
    """

    def __init__(self, bootstrap: str, *, send_timeout: float = _SEND_TIMEOUT) -> None:
        self._bootstrap = bootstrap
        self._send_timeout = send_timeout
        self._line: _Line | None = None
        self._starting = asyncio.Lock()
        self._alone_until = 0.0

    async def publish(self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """One record. Raises `Transient`, or `Refused` for what it is."""
        (outcome,) = await self.publish_all([Record(topic, key, value, headers)])
        if outcome is not None:
            raise outcome

    async def publish_all(self, records: Sequence[Record]) -> list[Outcome]:
        """See `Publisher`."""
        try:
            line = self._line or await self._started()
        except Transient as error:
            return [error] * len(records)
        outcomes: list[Outcome] = [None] * len(records)
        of_topic: dict[str, list[int]] = {}
        for number, record in enumerate(records):
            of_topic.setdefault(record.topic.name, []).append(number)
        await asyncio.gather(*(self._publish_topic(line, *one, records, outcomes) for one in of_topic.items()))
        return outcomes

    async def _publish_topic(
        self, line: _Line, topic: str, numbers: Sequence[int], records: Sequence[Record], outcomes: list[Outcome]
    ) -> None:
        """Send these records of one topic and note what became of them."""
        try:
            async with line.patience(self._send_timeout):
                partitions = len(await line.producer.partitions_for(topic))
        except (KafkaError, TimeoutError) as error:
            self._failed(line, topic, numbers, error, outcomes)
            return
        batches = _batches(line, partitions, numbers, records)
        await asyncio.gather(*(self._send(line, topic, n, of_one, outcomes) for n, of_one in batches.items()))

    async def _send(self, line: _Line, topic: str, partition: int, batches: Sequence[_Batch], outcomes: list[Outcome]) -> None:
        """Send the batches of one partition, each after the one before; after one that failed no more."""
        for n, batch in enumerate(batches):
            try:
                async with line.patience(self._send_timeout):
                    await (await line.producer.send_batch(batch.builder, topic, partition=partition))
            except (KafkaError, TimeoutError) as error:
                self._failed(line, topic, batch.numbers, error, outcomes)
                for unsent in batches[n + 1 :]:
                    for number in unsent.numbers:
                        outcomes[number] = Transient("not sent")
                return
            metrics.EVENTS_PUBLISHED.labels(topic).inc(len(batch.numbers))

    def _failed(self, line: _Line, topic: str, numbers: Sequence[int], error: Exception, outcomes: list[Outcome]) -> None:
        metrics.PUBLISH_FAILURES.labels(topic).inc(len(numbers))
        self._drop(line)
        outcome: Outcome = Transient(f"not acknowledged: {type(error).__name__}")
        if isinstance(error, (MessageSizeTooLargeError, RecordListTooLargeError)):
            self._alone_until = monotonic() + _ALONE_FOR
            if line.one_by_one:
                outcome = Refused(f"a record is too large for {topic}")
        for number in numbers:
            outcomes[number] = outcome

    async def stop(self) -> None:
        """Flush and close."""
        if (line := self._line) is not None:
            self._line = None
            await line.close(within=self._send_timeout)

    async def _started(self) -> _Line:
        async with self._starting:
            if self._line is None:
                one_by_one = monotonic() < self._alone_until
                self._line = _Line(await self._start(), one_by_one)
                if one_by_one:
                    asyncio.get_running_loop().call_later(_ALONE_FOR, self._drop, self._line)
            return self._line

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=int(self._send_timeout * 1000),
            max_batch_size=_BATCH_BYTES,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await _close(producer)
            raise Transient(f"no broker: {type(error).__name__}") from None
        return producer

    def _drop(self, line: _Line) -> None:
        if self._line is line:
            self._line = None
            get_logger().warning("producer_dropped")
            _background(line.close(within=_GIVEN_UP_AFTER))


def _batches(line: _Line, partitions: int, numbers: Sequence[int], records: Sequence[Record]) -> dict[int, list[_Batch]]:
    """The records of one topic, by partition, in batches of which all but the last are full."""
    batches: dict[int, list[_Batch]] = {}
    for number in numbers:
        record = records[number]
        of_one = batches.setdefault(crc32(record.key or b"") % partitions, [])
        if not of_one or line.one_by_one or not _fits(of_one[-1], record):
            of_one.append(_Batch(line.producer.create_batch()))
            _fits(of_one[-1], record)  # the first one always does
        of_one[-1].numbers.append(number)
    for of_one in batches.values():
        for batch in of_one:
            batch.builder.close()
    return batches


def _fits(batch: _Batch, record: Record) -> bool:
    """Add the record, if there is room."""
    added = batch.builder.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
    return added is not None


async def _close(producer: AIOKafkaProducer, *, within: float = _GIVEN_UP_AFTER) -> None:
    """Stop a producer. One that cannot flush in time is ended: it would go on trying for ever, and what it gets through long
    afterwards would be the newest record of a key in a compacted topic.
    """
    try:
        async with asyncio.timeout(within):
            await producer.stop()
            return
    except Exception as error:
        get_logger().info("producer_ended", error=type(error).__name__)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_GIVEN_UP_AFTER):
            await producer._sender.close()
    with contextlib.suppress(Exception):
        producer._message_accumulator.fail_all(ProducerClosed())
        async with asyncio.timeout(_GIVEN_UP_AFTER):
            await producer.client.close()


_tasks: set[asyncio.Task[None]] = set()


def _background(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def create_topics(bootstrap: str, topics: Iterable[Topic], *, replication: int = 1) -> list[str]:
    """Create the topics that are missing; returns their names. Raises `Transient` when no broker answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    created: list[str] = []
    try:
        await admin.start()
        for topic in topics:
            new = NewTopic(
                topic.name, num_partitions=topic.partitions, replication_factor=replication, topic_configs=dict(topic.config)
            )
            try:
                response = await admin.create_topics([new])
            except TopicAlreadyExistsError:
                continue
            code = response.topic_errors[0][1]
            if code == 0:
                created.append(topic.name)
            elif code != TopicAlreadyExistsError.errno:
                raise Transient(f"topic {topic.name} not created: error {code}")
    except (KafkaError, OSError) as error:
        raise Transient(f"no broker: {type(error).__name__}") from None
    finally:
        await admin.close()
    return created


async def delete_topics(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Delete the topics that are there, and with them what groups committed. Raises `Transient` when no broker answers."""
    names = {topic.name for topic in topics}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        if there := sorted(names & set(await admin.list_topics())):
            await admin.delete_topics(there)
        async with asyncio.timeout(_DELETE_TIMEOUT):
            while names & set(await admin.list_topics()):  # noqa: ASYNC110 - the broker deletes after it has answered
                await asyncio.sleep(0.1)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(f"topics not deleted: {type(error).__name__}") from None
    finally:
        await admin.close()


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group: its members now, and for each topic the records that it has not committed yet."""

    name: str
    members: int
    behind: Mapping[str, int]


async def groups(bootstrap: str, prefix: str) -> list[Group]:
    """Consumer groups whose names begin with `prefix`. Raises `Transient` when no broker answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        await reader.start()
        names = sorted(group[0] for group in await admin.list_consumer_groups() if group[0].startswith(prefix))
        there = await reader.topics()
        return [await _group(admin, reader, name, there) for name in names]
    except (KafkaError, OSError) as error:
        raise Transient(f"no broker: {type(error).__name__}") from None
    finally:
        await reader.stop()
        await admin.close()


async def _group(admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, name: str, there: Container[str]) -> Group:
    # One group at a time: aiokafka 0.14 misreads an answer about several.
    (answer,) = await admin.describe_consumer_groups([name])
    members = answer.groups[0][5]
    offsets = {partition: at.offset for partition, at in (await admin.list_consumer_group_offsets(name)).items()}
    # What is subscribed to counts before anybody was given it: right after the topics were made anew nobody has them.
    wanted = {p for member in members for p in (*_assigned(member[4]), *_subscribed(member[3])) if p.topic in there}
    partitions = offsets.keys() | wanted
    starts, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    behind: dict[str, int] = {}
    for partition in partitions:
        read = max(offsets.get(partition, 0), starts[partition])
        behind[partition.topic] = behind.get(partition.topic, 0) + max(0, ends[partition] - read)
    return Group(name, len(members), behind)


def _assigned(assignment: bytes) -> list[TopicPartition]:
    if not assignment:
        return []
    partitions: list[TopicPartition] = ConsumerProtocolMemberAssignment.decode(assignment).partitions()
    return partitions


def _subscribed(metadata: bytes) -> list[TopicPartition]:
    """Every partition of the topics that a member subscribes to."""
    names: set[str] = set(ConsumerProtocolMemberMetadata.decode(metadata).subscription) if metadata else set()
    return [TopicPartition(topic.name, number) for topic in TOPICS if topic.name in names for number in range(topic.partitions)]
