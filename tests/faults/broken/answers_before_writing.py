"""I1: intake answers and writes afterwards."""

import asyncio

from kit.mongo import Document
from services.intake.groupcommit import GroupCommit, Written

_write = GroupCommit.write
_later: set[asyncio.Task[Written]] = set()


async def _answer_first(self: GroupCommit, document: Document) -> Written:
    async def later() -> Written:
        await asyncio.sleep(1)
        return await _write(self, document)

    _later.add(asyncio.create_task(later()))
    return Written(True, document)


def apply() -> None:
    GroupCommit.write = _answer_first  # type: ignore[method-assign]
