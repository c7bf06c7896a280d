"""aiokafka on uvloop: a write to a connection that the broker closed a moment ago fails as aiokafka expects it to.

asyncio says `OSError` or nothing, uvloop `RuntimeError`, which aiokafka does not know (its issue 1038, open): the task that keeps
a consumer in its group, or sends a producer's batches, ended for good when a broker was killed; the consumer stood still until
its process was started again. `bear_with_uvloop` makes it what aiokafka makes of the others: a lost connection, and a new one.
"""

from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def bear_with_uvloop() -> None:
    """Of all connections of this process, whenever they are made. May be called again."""
    send = AIOKafkaConnection.send
    if getattr(send, "bears_with_uvloop", False):
        return

    @wraps(send)
    def translated(self: AIOKafkaConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return send(self, *args, **kwargs)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken") from error

    translated.bears_with_uvloop = True  # type: ignore[attr-defined]
    AIOKafkaConnection.send = translated
