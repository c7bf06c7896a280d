"""I10: intake writes who registered into its log."""

from kit.mongo import Document
from services.intake.groupcommit import GroupCommit, Written

_write = GroupCommit.write


async def _talkative(self: GroupCommit, document: Document) -> Written:
    print("registration of", document["person"]["email"], flush=True)
    return await _write(self, document)


def apply() -> None:
    GroupCommit.write = _talkative  # type: ignore[method-assign]
