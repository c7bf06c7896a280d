"""The publisher against a producer that never acknowledges, as an idempotent one can after a broker's restart."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts.topics import ROUTING_LETTERS
from kit import kafka
from kit.errors import Transient
from kit.kafka import KafkaPublisher, Record
from tests.waiting import eventually


class Wedged:
    """Takes batches; acknowledges them, and stops, only if it is told to."""

    def __init__(self, *, well: bool) -> None:
        self.well = well
        self.ended: list[str] = []
        self._sender = self.client = self._message_accumulator = self

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0, 1, 2}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(16_384, 0, is_transactional=False)

    async def send_batch(self, _batch: BatchBuilder, _topic: str, **_: Any) -> "asyncio.Future[None]":
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.well:
            acknowledged.set_result(None)
        return acknowledged

    async def stop(self) -> None:
        if not self.well:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.ended.append("close")

    def fail_all(self, _error: Exception) -> None:
        self.ended.append("fail")


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[Wedged]:
    """The first is wedged, the second is well."""
    producers = [Wedged(well=False), Wedged(well=True)]
    made = iter(producers)

    async def start(_publisher: KafkaPublisher) -> AIOKafkaProducer:
        return cast(AIOKafkaProducer, next(made))

    monkeypatch.setattr(KafkaPublisher, "_start", start)
    monkeypatch.setattr(kafka, "_GIVEN_UP_AFTER", 0.1)
    monkeypatch.setattr(kafka._close, "__kwdefaults__", {"within": 0.1})
    return producers


RECORDS = [Record(ROUTING_LETTERS, b"key %d" % n, b"value") for n in range(20)]


async def test_a_wedged_producer_fails_what_it_owes_and_is_replaced(producers: list[Wedged]) -> None:
    publisher = KafkaPublisher("nowhere", send_timeout=0.15)
    assert all(isinstance(outcome, Transient) for outcome in await publisher.publish_all(RECORDS))
    assert await publisher.publish_all(RECORDS) == [None] * 20
    await publisher.stop()

    async def ended() -> bool:
        return producers[0].ended == ["close", "fail", "close"]  # its sender, its batches, its connections

    await eventually(ended, timeout=5, every=0.01)


async def test_what_a_given_up_producer_owes_others_fails_with_it(producers: list[Wedged]) -> None:
    publisher = KafkaPublisher("nowhere", send_timeout=30)
    waiting = asyncio.create_task(publisher.publish_all(RECORDS))
    await asyncio.sleep(0)
    while publisher._line is None or not publisher._line.waiting:  # noqa: ASYNC110 - the publisher tells nobody
        await asyncio.sleep(0)
    publisher._drop(publisher._line)
    async with asyncio.timeout(5):
        assert all(isinstance(outcome, Transient) for outcome in await waiting)
