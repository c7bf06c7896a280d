"""Reading Kafka in batches so that nothing is lost and nothing bad stops the flow: the only home of all this.

A batch ends in exactly two ways: the offsets are committed after every effect is durable, or, when something it needs is
down, a jittered wait and then an error that makes FastStream seek back to the batch's start. A record that cannot be handled
becomes a dead letter before the commit; what is behind it keeps flowing. Effects are idempotent by key, so a repeat is free.

FastStream's other ack policies commit past what failed (docs/decisions/0004-reading-in-batches.md has the measurements).
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.message import AckStatus
from pymongo.errors import PyMongoError

from contracts.envelope import Event, Undecodable, decode
from contracts.topics import Topic
from kit import metrics
from kit.deadletters import DeadLetters
from kit.errors import Permanent, Transient
from kit.kafka import METADATA_MAX_AGE_MS
from kit.lag import Lag, Record, by_partition
from kit.logging import get_logger
from kit.mongo import is_transient

MAX_WAIT = 20.0
"""Longest wait before a batch is given back. Stays below REBALANCE_TIMEOUT and max_poll_interval."""
REVOKE_WAIT = 25.0
REBALANCE_TIMEOUT_MS = 45_000
"""aiokafka's default of 10 s lets a batch of 18 s run in two consumers at once."""
COMMIT_TIMEOUT = 10.0
START_TIMEOUT = REBALANCE_TIMEOUT_MS / 1000 + 15
"""A group that lost its broker in a rebalance waits that long for its members; whoever gives up earlier and comes again makes
all of them wait anew."""
_PROBE_TIMEOUT = 10.0
DEAD_LETTER_WINDOW = 600.0

Reject = Callable[[Event[Any], Permanent], None]
"""Called by a handler for an event it can never handle: the record becomes a dead letter."""
Handle = Callable[[Sequence[Event[Any]], Reject], Awaitable[None]]
"""Makes the effects of a batch durable. Raises `Transient` (or a transient PyMongo error) when something is down."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one consumer group reads: topics, the models to decode them with, and the handler of a batch."""

    name: str
    topics: Sequence[Topic]
    models: Mapping[str, type[Event[Any]]]
    handle: Handle
    max_records: int = 300


def newest(events: Sequence[Event[Any]]) -> list[Event[Any]]:
    """The newest event of each subject. Enough for a projection, since an event carries the whole state."""
    latest: dict[str, Event[Any]] = {}
    for event in events:
        known = latest.get(event.subject)
        if known is None or known.sequence < event.sequence:
            latest[event.subject] = event
    return list(latest.values())


def each(handle_one: Callable[[Event[Any]], Awaitable[None]]) -> Handle:
    """A batch handler from a handler of one event; a `Permanent` of one event rejects that event alone."""

    async def handle(events: Sequence[Event[Any]], reject: Reject) -> None:
        for event in events:
            try:
                await handle_one(event)
            except Permanent as error:
                reject(event, error)

    return handle


class Consumer:
    """One consumer group's member. `run` joins as soon as Kafka and the topics are there and works until cancelled.

    With an `instance` (unique in the group) the membership is static (KIP-345): whoever comes back under that name gets its
    partitions at once; without, those of a killed process lie idle until its session ends.
    """

    def __init__(
        self,
        subscription: Subscription,
        dead_letters: DeadLetters,
        *,
        bootstrap: str,
        group: str,
        instance: str = "",
        dead_letter_limit: int = 100,
        max_wait: float = MAX_WAIT,
    ) -> None:
        self.group = group
        self.halted = False
        self._subscription = subscription
        self._dead_letters = dead_letters
        self._bootstrap = bootstrap
        self._instance = instance
        self._limit = dead_letter_limit
        self._max_wait = max_wait
        self._broker: KafkaBroker | None = None
        self._busy = asyncio.Lock()
        self._interrupted = asyncio.Event()
        self._committing: asyncio.Timeout | None = None
        self._failures = 0
        self._recent_dead: deque[float] = deque()
        self._lag = Lag(group)
        metrics.CONSUMER_HALTED.labels(group).set(0)
        self._set_joined(False)
        metrics.BATCH_RETRIES.labels(group)  # shown before the first: a rate needs a nought to grow from

    @property
    def healthy(self) -> bool:
        """Joined, and not halted by too many dead letters."""
        return self.joined and not self.halted

    @property
    def client(self) -> AIOKafkaConsumer | None:
        """What reads from Kafka, while it does."""
        subscriber: Any = self._broker and self._broker.subscribers[0]
        return subscriber and subscriber.consumer

    async def run(self) -> None:
        """Join the group, trying again until Kafka answers and the topics exist; leave it when cancelled.

        A client that has gone deaf while Kafka answers others, or that leaves records lying, is given up and a new one joins:
        aiokafka's can wait for ever for an answer that a killed broker owed it in a rebalance.
        """
        try:
            while True:
                reader = await self._join()
                while not await self._is_deaf(reader):
                    pass
                get_logger().error("consumer_deaf", group=self.group)
                await self._leave()
        finally:
            await self._leave()

    async def _join(self) -> AIOKafkaConsumer:
        pause = 0.5
        while True:
            self._broker = self._new_broker()
            try:
                async with asyncio.timeout(START_TIMEOUT):
                    await self._topics_exist()
                    await self._broker.start()
            except (KafkaError, OSError, TimeoutError, Transient) as error:
                get_logger().warning("consumer_waits", group=self.group, error=type(error).__name__)
                await self._leave()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                self._set_joined(True)
                get_logger().info("consumer_joined", group=self.group)
                return self.client

    async def _is_deaf(self, reader: AIOKafkaConsumer) -> bool:
        """Watch the lag until nothing is heard any more; true if Kafka does answer a newcomer."""
        await self._lag.watch(reader, self._busy)
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                await self._topics_exist()
        except (KafkaError, OSError, TimeoutError, Transient):
            return False
        return True

    async def _leave(self) -> None:
        """Stop the client; a batch in hand is given back."""
        self._set_joined(False)
        if self._broker is not None:
            self._interrupted.set()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(REVOKE_WAIT + 10):
                    await self._broker.stop()
            self._broker = None
            self._interrupted.clear()
        self._lag.forget()

    def _set_joined(self, joined: bool) -> None:
        self.joined = joined
        metrics.CONSUMER_JOINED.labels(self.group).set(int(joined))

    async def _topics_exist(self) -> None:
        """`broker.start()` hangs when a topic is missing, so ask first."""
        probe = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        try:
            await probe.start()
            there = await probe.topics()
        finally:
            await probe.stop()
        absent = [t.name for t in self._subscription.topics if t.name not in there]
        if absent:
            raise Transient(f"missing topics: {', '.join(absent)}")

    def _new_broker(self) -> KafkaBroker:
        broker = KafkaBroker(
            self._bootstrap.split(","),  # FastStream takes a string for one address
            logger=None,  # FastStream logs what handlers raise, and such texts can hold personal data
            apply_types=False,
            allow_auto_create_topics=False,
            graceful_timeout=REVOKE_WAIT + 5,
            enable_idempotence=True,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
        )
        subscriber = broker.subscriber(
            *(t.name for t in self._subscription.topics),
            batch=True,
            group_id=self.group,
            group_instance_id=self._instance or None,
            max_records=self._subscription.max_records,
            batch_timeout_ms=50,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            listener=_Listener(self._busy, self._interrupted, self._lag, self._revoked),
            parser=_parse,
            decoder=_as_is,
        )
        subscriber(self._on_batch)
        return broker

    async def _on_batch(self, message: KafkaMessage) -> None:
        raw: Any = message.raw_message
        records: Sequence[Record] = raw
        parts = by_partition(records)
        async with self._busy:
            self._lag.begin(parts)
            if self.halted:
                await self._pause(self._max_wait)
                raise Transient("halted")
            started = monotonic()
            try:
                dead = await self._handle(records)
                await self._bury(records, dead)
                await self._commit(message)
            except Exception as error:  # whatever it is: without the wait it would be read again at once, without end
                self._failures += 1
                metrics.BATCH_RETRIES.labels(self.group).inc()
                get_logger().warning("batch_given_back", group=self.group, count=len(records), error=type(error).__name__)
                await self._pause(min(0.25 * 2**self._failures, self._max_wait))
                raise Transient("given back") from None
            self._failures = 0
            self._lag.done(parts)
            metrics.BATCH_SECONDS.labels(self.group).observe(monotonic() - started)
            for partition, read in parts.items():
                metrics.RECORDS_CONSUMED.labels(partition.topic).inc(len(read))

    async def _handle(self, records: Sequence[Record]) -> dict[int, str]:
        """Make the effects durable; returns the positions of records that never can be, with the reason."""
        dead: dict[int, str] = {}
        events: list[Event[Any]] = []
        position: dict[int, int] = {}
        for index, record in enumerate(records):
            try:
                event = decode(record.value, self._subscription.models)
            except Undecodable as error:
                dead[index] = f"{type(error).__name__}: {error}"
                continue
            position[id(event)] = index
            events.append(event)

        def reject(event: Event[Any], error: Permanent) -> None:
            dead[position[id(event)]] = f"{type(error).__name__}: {error}"

        if events:
            await self._apply(events, reject)
        return dead

    async def _apply(self, events: Sequence[Event[Any]], reject: Reject) -> None:
        """Hand the batch to the handler. When it raises what is nobody's infrastructure, find the culprit one by one."""
        try:
            await self._subscription.handle(events, reject)
        except Exception as error:
            if _is_infrastructure(error):
                raise
            get_logger().error("batch_handler_raised", group=self.group, exc_info=error)
            for event in events:
                await self._apply_one(event, reject)

    async def _apply_one(self, event: Event[Any], reject: Reject) -> None:
        try:
            await self._subscription.handle([event], reject)
        except Exception as error:
            if _is_infrastructure(error):
                raise
            reject(event, error if isinstance(error, Permanent) else Permanent(type(error).__name__))

    async def _bury(self, records: Sequence[Record], dead: Mapping[int, str]) -> None:
        """Write the dead letters before the commit. Over the limit the consumer halts: bad code has been shipped."""
        if not dead:
            return
        now = monotonic()
        while self._recent_dead and self._recent_dead[0] < now - DEAD_LETTER_WINDOW:
            self._recent_dead.popleft()
        if len(self._recent_dead) + len(dead) > self._limit:
            self.halted = True
            metrics.CONSUMER_HALTED.labels(self.group).set(1)
            get_logger().error("consumer_halted_too_many_dead_letters", group=self.group, count=len(dead), limit=self._limit)
            raise Transient("too many dead letters")
        await self._dead_letters.add([(records[i], reason) for i, reason in dead.items()], self.group)
        self._recent_dead.extend([now] * len(dead))
        for index, reason in dead.items():
            # The class alone: what follows names fields, and a name can be a stranger's input.
            metrics.DEAD_LETTERS.labels(records[index].topic, reason.split(":")[0]).inc()
            get_logger().error("dead_letter", topic=records[index].topic, offset=records[index].offset, reason=reason)

    async def _commit(self, message: KafkaMessage) -> None:
        """Raises `Transient` when it does not come through while this client is a member of its group.

        aiokafka tries again for ever, and without a membership too, which Kafka takes from a group that it does not know: after a
        broker lost its data that would skip as many records of the new topic as had been read of the old one.
        """
        if not self._is_member():
            raise Transient("no member")
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT) as self._committing:
                await message.ack()
        except TimeoutError:
            raise Transient("not committed") from None
        except (CommitFailedError, IllegalStateError):
            # The partition went to another member meanwhile; it repeats the batch, which costs nothing.
            message.committed = AckStatus.ACKED
            get_logger().info("partition_lost", group=self.group)
        finally:
            self._committing = None

    def _revoked(self) -> None:
        """Whoever lost its membership is told by a revocation, and commits no longer. One that is still a member may, so that a
        rebalance does not make it do the batch again.
        """
        if self._committing is not None and not self._is_member():
            self._committing.reschedule(asyncio.get_running_loop().time())
            self._committing = None

    def _is_member(self) -> bool:
        reader: Any = self.client
        return reader is not None and bool(reader._coordinator.generation >= 0)  # aiokafka shows it nowhere else

    async def _pause(self, seconds: float) -> None:
        """Wait with jitter; a revocation or the end cuts it short."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
                await self._interrupted.wait()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Makes a rebalance wait for the running batch, so that no two members work on the same records."""

    def __init__(self, busy: asyncio.Lock, interrupted: asyncio.Event, lag: Lag, revoked: Callable[[], None]) -> None:
        self._busy = busy
        self._revoked = revoked
        self._interrupted = interrupted
        self._lag = lag

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002
        self._interrupted.set()
        self._revoked()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_WAIT), self._busy:
                self._lag.forget()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # noqa: ARG002
        self._interrupted.clear()


async def _parse(records: tuple[Record, ...], original: Callable[[Any], Awaitable[Any]]) -> Any:
    """FastStream decodes headers as UTF-8 and dies on others. Nothing here needs what it makes of the records: it gets the first
    one, without headers.
    """
    message = await original((replace(records[0], headers=()),))
    message.raw_message = records
    return message


async def _as_is(message: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:  # noqa: ARG001 - FastStream's form
    return message


def _is_infrastructure(error: Exception) -> bool:
    return isinstance(error, (Transient, KafkaError, OSError)) or (isinstance(error, PyMongoError) and is_transient(error))
