"""When a consumer gives up committing a batch; what it commits is in tests/integration/test_consumer.py."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import CommitFailedError
from faststream.kafka.message import KafkaMessage
from faststream.message import AckStatus

from kit import consumer as kit_consumer
from kit.consumer import Consumer, Subscription
from kit.errors import Transient


class Message:
    """A batch whose commit ends when the test says so."""

    def __init__(self) -> None:
        self.committed: AckStatus | None = None
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ack(self) -> None:
        await self.answer
        self.committed = AckStatus.ACKED


class Committing:
    """A consumer that commits; `generation` below nought: it is no member of its group any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.message = Message()
        self.client = SimpleNamespace(_coordinator=SimpleNamespace(generation=7))
        monkeypatch.setattr(Consumer, "client", self.client)
        nothing: Any = None
        self.consumer = Consumer(Subscription("s", (), {}, nothing), nothing, bootstrap="", group="g")
        self.task = asyncio.create_task(self.consumer._commit(cast(KafkaMessage, self.message)))

    async def revoked(self) -> None:
        await asyncio.sleep(0)  # it has begun
        self.consumer._revoked()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_commit_that_is_answered_ends_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    committing = Committing(monkeypatch)
    committing.message.answer.set_result(None)
    await committing.task
    assert committing.message.committed is AckStatus.ACKED


async def test_who_is_no_member_any_more_commits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka takes a commit without a membership for a group that it does not know, as one that lost its data knows none."""
    committing = Committing(monkeypatch)
    await asyncio.sleep(0)
    committing.client._coordinator.generation = -1
    await committing.revoked()
    with pytest.raises(Transient):
        await committing.task
    assert committing.message.answer.cancelled()


async def test_who_is_no_member_any_more_does_not_begin_to_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    committing = Committing(monkeypatch)
    committing.client._coordinator.generation = -1
    with pytest.raises(Transient):
        await committing.task
    assert not committing.message.answer.done()


async def test_a_member_ends_its_batch_while_the_group_rebalances(monkeypatch: pytest.MonkeyPatch) -> None:
    committing = Committing(monkeypatch)
    await committing.revoked()
    assert not committing.task.done()
    committing.message.answer.set_result(None)
    await committing.task
    assert committing.message.committed is AckStatus.ACKED


async def test_a_commit_without_an_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit_consumer, "COMMIT_TIMEOUT", 0.01)
    committing = Committing(monkeypatch)
    with pytest.raises(Transient):
        await committing.task


async def test_a_batch_whose_partition_went_to_another_member_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    committing = Committing(monkeypatch)
    committing.message.answer.set_exception(CommitFailedError())
    await committing.task
    assert committing.message.committed is AckStatus.ACKED
