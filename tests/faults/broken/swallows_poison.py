"""I7: what cannot be handled is dropped without a trace."""

from collections.abc import Mapping, Sequence

from kit.consumer import Consumer, Record


async def _nothing(self: Consumer, records: Sequence[Record], dead: Mapping[int, str]) -> None:
    return


def apply() -> None:
    Consumer._bury = _nothing  # type: ignore[method-assign]
