"""What every request asks for and what rarely changes, held in memory: read from the database at most so often."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pymongo.errors import PyMongoError

from kit.mongo import is_transient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    value: T
    until: float


class Fresh(Generic[T]):
    """Values by key (an agency), at most `seconds` old; older when MongoDB does not answer."""

    def __init__(
        self,
        read: Callable[[str], Coroutine[Any, Any, T]],
        *,
        seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = read
        self._seconds = seconds
        self._monotonic = monotonic
        self._known: dict[str, _Known[T]] = {}
        self._reads: dict[str, asyncio.Task[T]] = {}

    async def of(self, key: str) -> T:
        """The value of a key. Raises the driver's error when it was never read and cannot be."""
        known = self._known.get(key)
        now = self._monotonic()
        if known is not None and now < known.until:
            return known.value
        if known is not None:
            # Those who ask while this read is under way get what is known.
            self._known[key] = _Known(known.value, now + self._seconds)
        try:
            value = await self._read(key)
        except PyMongoError as error:
            if known is None or not is_transient(error):
                raise
            return known.value
        self._known[key] = _Known(value, self._monotonic() + self._seconds)
        return value

    async def _read(self, key: str) -> T:
        """Read by one for all who ask meanwhile: after a start that is every request under way."""
        if key not in self._reads:
            self._reads[key] = asyncio.create_task(self._reader(key))
            self._reads[key].add_done_callback(lambda _: self._reads.pop(key))
        return await asyncio.shield(self._reads[key])
