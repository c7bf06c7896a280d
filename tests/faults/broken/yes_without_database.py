"""I9: intake says yes although MongoDB did not."""

from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from kit.errors import Unavailable
from kit.mongo import Document
from services.intake.groupcommit import GroupCommit

_insert = GroupCommit._insert


async def _hopeful(self: GroupCommit, documents: Sequence[Document]) -> BulkWriteError | None:
    try:
        return await _insert(self, documents)
    except Unavailable:
        return None


def apply() -> None:
    GroupCommit._insert = _hopeful  # type: ignore[method-assign]
