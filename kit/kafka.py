"""Kafka: a publisher that survives a broker's absence, and the making of topics."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Container, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Any, Protocol
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, TopicAlreadyExistsError

from contracts.topics import TOPICS, Topic
from kit import metrics
from kit.errors import Permanent, Transient
from kit.logging import get_logger

MAX_EVENT_BYTES = 900_000
"""An event over this is refused when it is written, so it can never block the relay (the broker takes 1 MiB)."""

METADATA_MAX_AGE_MS = 30_000
"""Topics that were made anew are found after so long (aiokafka's own: five minutes)."""
_BATCH_BYTES = 262_144
"""With aiokafka's own 16 KiB a dozen events fill a partition's batch, and all others wait and are woken for each that leaves."""
_ONE_RECORD = 1
"""A batch takes its first record whatever its size, and with this bound no second one."""
_ALONE_FOR = 60.0
_SEND_TIMEOUT = 15.0
_START_TIMEOUT = 10.0
_DELETE_TIMEOUT = 30.0

Headers = Sequence[tuple[str, bytes]]


class Refused(Permanent):
    """The broker takes no record of this size."""


class Publisher(Protocol):
    """What the relay needs of Kafka."""

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> None:
        """Return when the record is acknowledged by all in-sync replicas. Raises `Transient`, or `Refused` for what it is."""


class KafkaPublisher:
    """An idempotent producer, started at the first record and thrown away when it fails.

    An aiokafka idempotent producer can wedge after a broker's restart (aiokafka issue 1017: every later send fails or
    hangs), so the first failure or timeout drops it and the next record builds a new one.

    A batch that is too large fails all its records, and nobody is told which of them was at fault. So for the next minute each
    record travels in a batch of its own, and what is refused then is refused for itself.
    """

    def __init__(self, bootstrap: str, *, linger_ms: int = 5, send_timeout: float = _SEND_TIMEOUT) -> None:
        self._bootstrap = bootstrap
        self._linger_ms = linger_ms
        self._send_timeout = send_timeout
        self._line: _Line | None = None
        self._starting = asyncio.Lock()
        self._alone_until = 0.0

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers = ()) -> None:
        line = self._line or await self._started()
        try:
            await line.owes(await line.producer.send(topic.name, value=value, key=key, headers=list(headers)))
        except (KafkaError, TimeoutError) as error:
            metrics.PUBLISH_FAILURES.labels(topic.name).inc()
            self._drop(line)
            if isinstance(error, (MessageSizeTooLargeError, RecordListTooLargeError)):
                self._alone_until = monotonic() + _ALONE_FOR
                if line.one_by_one:
                    raise Refused(f"{len(value)} bytes are too large for {topic.name}") from None
            raise Transient(f"not acknowledged: {type(error).__name__}") from None
        _published(topic.name).inc()

    async def stop(self) -> None:
        """Flush and close."""
        if (line := self._line) is not None:
            self._line = None
            await line.close(within=self._send_timeout)

    async def _started(self) -> "_Line":
        async with self._starting:
            if self._line is None:
                one_by_one = monotonic() < self._alone_until
                producer = await self._start(_ONE_RECORD if one_by_one else _BATCH_BYTES)
                self._line = _Line(producer, self._send_timeout, one_by_one=one_by_one)
                if one_by_one:
                    asyncio.get_running_loop().call_later(_ALONE_FOR, self._drop, self._line)
            return self._line

    async def _start(self, batch_bytes: int) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=self._linger_ms,
            request_timeout_ms=int(self._send_timeout * 1000),
            max_request_size=1_048_576,
            max_batch_size=batch_bytes,
            partitioner=_partition,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await _close(producer)
            raise Transient(f"no broker: {type(error).__name__}") from None
        return producer

    def _drop(self, line: "_Line") -> None:
        if self._line is line:
            self._line = None
            get_logger().warning("producer_dropped")
            _background(line.close())


class _Line:
    """A producer and the acknowledgements that it owes, watched by one timer: a timer for each would cost as much as sending."""

    def __init__(self, producer: AIOKafkaProducer, timeout: float, *, one_by_one: bool) -> None:
        self.producer = producer
        self.one_by_one = one_by_one
        self._timeout = timeout
        self._owed: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._watching = asyncio.create_task(self._watch())

    def owes(self, acknowledgement: "asyncio.Future[Any]") -> "asyncio.Future[Any]":
        """The acknowledgement, which raises `TimeoutError` when it is overdue."""
        self._owed.append((monotonic(), acknowledgement))
        return acknowledgement

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._timeout / 15)
            while self._owed and self._owed[0][1].done():
                self._owed.popleft()
            if self._owed and self._owed[0][0] < monotonic() - self._timeout:
                self._fail()

    async def close(self, *, within: float = 5.0) -> None:
        """Let what is under way be acknowledged; what then is not never will be."""
        await _close(self.producer, within=within)
        self._watching.cancel()
        self._fail()

    def _fail(self) -> None:
        for _, acknowledgement in self._owed:
            if not acknowledgement.done():
                acknowledgement.set_exception(TimeoutError())
        self._owed.clear()


@cache
def _published(topic: str) -> Any:
    return metrics.EVENTS_PUBLISHED.labels(topic)


def _partition(key: bytes, partitions: Sequence[int], _available: Sequence[int]) -> int:
    """The same key, the same partition. aiokafka's own hash runs in Python and takes a fifth of the time of sending."""
    return partitions[crc32(key) % len(partitions)]


async def _close(producer: AIOKafkaProducer, *, within: float = 5.0) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(within):
            await producer.stop()


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
