"""Files that were taken and whose form may still come: which they are and since when."""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as Some
from datetime import datetime
from uuid import UUID

from pymongo import IndexModel

from contracts.model import FileRef
from kit.mongo import Collection, CollectionSpec, Document

UPLOADS = CollectionSpec("uploads", (IndexModel([("at", 1)], name="by_age"), IndexModel([("file.key", 1)], name="by_file")))


class UploadStore:
    """One row for each file, written before the file itself, so that no file is without one: `_id`, `agency`, `nonce` (of the
    form's page; `api` where a program sent it), `at`, `file`. It stays a day after its form was sent too: the form may be sent
    again, and is the same form then.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, rows: Sequence[Document]) -> None:
        if rows:
            await self._collection.insert_many(rows)

    async def of_page(self, agency: str, nonce: str, ids: Some[UUID]) -> dict[UUID, FileRef]:
        """The files of a form's page with these ids."""
        found = self._collection.find({"_id": {"$in": list(ids)}, "agency": agency, "nonce": nonce})
        return {row["_id"]: FileRef.model_validate(row["file"]) async for row in found}

    async def older_than(self, moment: datetime, limit: int = 500) -> AsyncIterator[Document]:
        for row in await self._collection.find({"at": {"$lt": moment}}).sort("at", 1).limit(limit).to_list(limit):
            yield row

    async def forget(self, key: str) -> None:
        """No form names this file any more."""
        await self._collection.delete_many({"file.key": key})

    async def remove(self, _id: UUID) -> None:
        await self._collection.delete_one({"_id": _id})
