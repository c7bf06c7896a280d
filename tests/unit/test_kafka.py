"""The publisher against a producer that never acknowledges, as an idempotent one can after a broker's restart."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts.topics import ROUTING_LETTERS
from kit.errors import Transient
from kit.kafka import KafkaPublisher, Record


class Wedged:
    """Takes batches; acknowledges them only if it is told to."""

    def __init__(self, *, acknowledges: bool) -> None:
        self.acknowledges = acknowledges
        self.stopped = False

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0, 1, 2}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(16_384, 0, is_transactional=False)

    async def send_batch(self, _batch: BatchBuilder, _topic: str, **_: Any) -> "asyncio.Future[None]":
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.acknowledges:
            acknowledged.set_result(None)
        return acknowledged

    async def stop(self) -> None:
        self.stopped = True


async def test_a_wedged_producer_fails_what_it_owes_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    producers = [Wedged(acknowledges=False), Wedged(acknowledges=True)]
    made = iter(producers)

    async def start(_publisher: KafkaPublisher) -> AIOKafkaProducer:
        return cast(AIOKafkaProducer, next(made))

    monkeypatch.setattr(KafkaPublisher, "_start", start)
    publisher = KafkaPublisher("nowhere", send_timeout=0.15)
    records = [Record(ROUTING_LETTERS, b"key %d" % n, b"value") for n in range(20)]
    assert all(isinstance(outcome, Transient) for outcome in await publisher.publish_all(records))
    assert await publisher.publish_all(records) == [None] * 20
    await publisher.stop()
    assert [producer.stopped for producer in producers] == [True, True]
