"""How far behind a consumer is. Measured beside the reading, so that it is true when a batch is stuck: the one moment it matters.

Unread is what is not committed: a batch counts until its effects are durable, whether it is being handled or was given back.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import time
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from kit import metrics
from kit.logging import get_logger

MEASURE_EVERY = 5.0
DEAF_AFTER = 6
"""So many measures in a row without an answer, 30 to 54 seconds: longer than a broker takes to come back from a restart."""
IDLE_AFTER = 15
"""So many measures in a row at which records lie there and none is read, 75 seconds: longer than a group that lost its broker
waits for its members (kit/consumer.py, REBALANCE_TIMEOUT_MS).
"""
_ANSWER_WITHIN = 4.0

Record: TypeAlias = ConsumerRecord


def by_partition(records: Sequence[Record]) -> dict[TopicPartition, list[Record]]:
    """The records of each partition, in order."""
    parts: dict[TopicPartition, list[Record]] = {}
    for record in records:
        parts.setdefault((record.topic, record.partition), []).append(record)
    return {TopicPartition(*place): part for place, part in parts.items()}


class Lag:
    """What one member of a group has not read yet, of the partitions that it has."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._in_hand: dict[TopicPartition, Record] = {}
        """The first record of the batch that is being handled or was given back."""
        self._read_until: dict[TopicPartition, float] = {}
        """Everything older (Unix time) has been read."""
        self._shown: set[TopicPartition] = set()
        self._batches = 0
        self._unread = 0

    def begin(self, parts: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """A batch is in hand."""
        self._batches += 1
        self._in_hand = {partition: records[0] for partition, records in parts.items()}

    def done(self, parts: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """The batch is committed."""
        self._in_hand = {}
        self._read_until |= {partition: records[-1].timestamp / 1000 for partition, records in parts.items()}

    def forget(self) -> None:
        """The partitions were taken away."""
        self._in_hand, self._read_until = {}, {}

    async def watch(self, consumer: AIOKafkaConsumer, busy: asyncio.Lock) -> None:
        """Measure until this consumer has heard nothing for `DEAF_AFTER` measures, or has begun no batch for `IDLE_AFTER` though
        there are records and nothing is in hand (`busy`).
        """
        unanswered = idle = batches = 0
        while unanswered < DEAF_AFTER and idle < IDLE_AFTER:
            answered = await self.measure(consumer)
            unanswered = 0 if answered else unanswered + 1
            is_idle = answered and self._unread > 0 and self._batches == batches and not busy.locked()
            idle, batches = idle + 1 if is_idle else 0, self._batches
            await asyncio.sleep(MEASURE_EVERY)

    async def measure(self, consumer: AIOKafkaConsumer) -> bool:
        """Set the gauges; says whether Kafka answered. While it does not, ages grow: nobody knows whether anything newer came."""
        assigned: frozenset[TopicPartition] = consumer.assignment()
        unread: dict[TopicPartition, int] = {}
        asked = time()
        answered = False
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                unread = await self._count_unread(consumer, assigned)
            answered = True
        except Exception as error:  # whatever it is: a gauge that stands still tells a lie
            get_logger().warning("lag_unknown", group=self._group, error=type(error).__name__)
        ages: dict[str, float] = {}
        for partition in assigned:
            age = self._age(partition, unread.get(partition), asked)
            ages[partition.topic] = max(age, ages.get(partition.topic, 0.0))
        self._unread = sum(unread.values())
        self._show(assigned, unread, ages)
        return answered

    async def _count_unread(self, consumer: AIOKafkaConsumer, assigned: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        """Records of each partition that are not read; raises what aiokafka raises."""
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(assigned) if assigned else {}
        unread: dict[TopicPartition, int] = {}
        for partition, end in ends.items():
            position = await consumer.position(partition)
            first = self._in_hand.get(partition)
            unread[partition] = max(0, end - (position if first is None else first.offset))
        return unread

    def _age(self, partition: TopicPartition, unread: int | None, asked: float) -> float:
        """Seconds since the oldest unread record was written, or since it is known that there was none."""
        if (first := self._in_hand.get(partition)) is not None:
            return max(0.0, time() - float(first.timestamp) / 1000)
        if unread == 0:
            self._read_until[partition] = asked
            return 0.0
        return max(0.0, time() - self._read_until.setdefault(partition, asked))

    def _show(self, assigned: frozenset[TopicPartition], unread: Mapping[TopicPartition, int], ages: Mapping[str, float]) -> None:
        for topic, age in ages.items():
            metrics.CONSUMER_LAG_SECONDS.labels(self._group, topic).set(age)
        for partition, count in unread.items():
            metrics.CONSUMER_LAG.labels(self._group, partition.topic, str(partition.partition)).set(count)
        for partition in self._shown - assigned:
            metrics.CONSUMER_LAG.remove(self._group, partition.topic, str(partition.partition))
        for topic in {partition.topic for partition in self._shown} - ages.keys():
            metrics.CONSUMER_LAG_SECONDS.remove(self._group, topic)
        self._shown = set(assigned)
