"""I8: a change is written although somebody else's came between: there is no compare-and-set."""

import asyncio

from pymongo import ReturnDocument

from kit.mongo import Document
from kit.outbox import Change, Outbox, _prepare


async def _whatever_came_between(self: Outbox, current: Document, change: Change) -> Document | None:
    await asyncio.sleep(0.02)  # as on a slower machine: the other press has read by then
    update, _ = _prepare(current, change)
    return await self.collection.find_one_and_update(
        {"_id": current["_id"], "agency": current["agency"]}, update, return_document=ReturnDocument.AFTER
    )


def apply() -> None:
    Outbox._write = _whatever_came_between  # type: ignore[method-assign]
