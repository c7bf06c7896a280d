"""The publisher against a producer that never acknowledges, as an idempotent one can after a broker's restart."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer

from contracts.topics import ROUTING_LETTERS
from kit.errors import Transient
from kit.kafka import KafkaPublisher


class Wedged:
    """Takes records; acknowledges them only if it is told to."""

    def __init__(self, *, acknowledges: bool) -> None:
        self.acknowledges = acknowledges
        self.stopped = False

    async def send(self, _topic: str, **_: Any) -> "asyncio.Future[None]":
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.acknowledges:
            acknowledged.set_result(None)
        return acknowledged

    async def stop(self) -> None:
        self.stopped = True


async def test_a_wedged_producer_fails_what_it_owes_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    producers = [Wedged(acknowledges=False), Wedged(acknowledges=True)]
    made = iter(producers)

    async def start(_publisher: KafkaPublisher, _batch_bytes: int) -> AIOKafkaProducer:
        return cast(AIOKafkaProducer, next(made))

    monkeypatch.setattr(KafkaPublisher, "_start", start)
    publisher = KafkaPublisher("nowhere", send_timeout=0.15)
    outcomes = await asyncio.gather(
        *(publisher.publish(ROUTING_LETTERS, b"key", b"value") for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(outcome, Transient) for outcome in outcomes)
    await publisher.publish(ROUTING_LETTERS, b"key", b"value")
    await publisher.stop()
    assert [producer.stopped for producer in producers] == [True, True]
