"""I6: a consumer commits its offsets before it writes."""

from faststream.kafka.message import KafkaMessage

from kit.consumer import Consumer

_on_batch = Consumer._on_batch


async def _commit_first(self: Consumer, message: KafkaMessage) -> None:
    await message.ack()
    await _on_batch(self, message)


def apply() -> None:
    Consumer._on_batch = _commit_first  # type: ignore[method-assign]
