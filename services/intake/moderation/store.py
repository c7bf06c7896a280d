"""What is held: all queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo import IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from kit.errors import Conflict
from kit.mongo import Collection, CollectionSpec, Document, aggregate
from services.intake.groupcommit import OTHER_CONTENT, Written
from services.intake.moderation.domain import Held

SPEC = CollectionSpec(
    "held",
    (
        IndexModel([("agency", 1), ("code_hash", 1)], name="by_code", unique=True),
        IndexModel([("held.state", 1), ("agency", 1), ("received_at", 1)], name="queue"),
        IndexModel([("files.key", 1)], name="by_file", partialFilterExpression={"files.0": {"$exists": True}}),
    ),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in an agency: how many, and since when the first of them."""

    agency: str
    count: int
    since: datetime


class HeldStore:
    """Held registrations and feedback. Writes are durable as a registration's are."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._majority = collection.with_options(read_concern=ReadConcern("majority"))

    async def keep(self, document: Document) -> Written:
        """Keep it durably; an equal one that is kept already is told instead. Raises `Conflict`, or the driver's errors."""
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            stored = await self.stored(document["_id"], document["payload_hash"])
            if stored is None:  # erased at this very moment
                raise Conflict(OTHER_CONTENT) from None
            return Written(False, stored)
        return Written(True, document)

    async def stored(self, _id: UUID, payload_hash: bytes) -> Document | None:
        """The document of an equal request, durably kept; None if there is none. Raises `Conflict`."""
        document = await self._majority.find_one({"_id": _id})
        if document is not None and document["payload_hash"] != payload_hash:
            raise Conflict(OTHER_CONTENT)
        return document

    async def by_code(self, agency: str, code_hash: bytes) -> Document | None:
        """What is held under a tracking code."""
        return await self._collection.find_one({"agency": agency, "code_hash": code_hash})

    async def listed(self, agency: str, state: Held, limit: int) -> list[Document]:
        """Those of an agency in a state, oldest first."""
        found = self._collection.find({"agency": agency, "held.state": state}).sort([("received_at", 1), ("_id", 1)])
        return await found.limit(limit).to_list(limit)

    async def oldest(self, limit: int) -> list[UUID]:
        """Ids of those that have waited longest."""
        found = self._collection.find({"held.state": Held.WAITING}, {"_id": 1}).sort("received_at", 1).limit(limit)
        return [document["_id"] for document in await found.to_list(limit)]

    async def decide(self, agency: str, _id: UUID, states: Sequence[Held], decision: Mapping[str, Any]) -> Document | None:
        """Write a decision about one that is in one of the states, and return it; None: somebody else decided meanwhile."""
        return await self._collection.find_one_and_update(
            {"_id": _id, "agency": agency, "held.state": {"$in": list(states)}},
            {"$set": {f"held.{name}": value for name, value in decision.items()}},
            return_document=ReturnDocument.AFTER,
        )

    async def released_before(self, moment: datetime, limit: int = 100) -> list[Document]:
        """Released ones that are still here: their release was cut off."""
        found = self._collection.find({"held.state": Held.RELEASED, "held.at": {"$lte": moment}}).limit(limit)
        return await found.to_list(limit)

    async def remove(self, *ids: UUID) -> None:
        """Forget them: they went on, or their time is over."""
        await self._collection.delete_many({"_id": {"$in": list(ids)}})

    async def has_file(self, key: str, *, but: UUID | None = None) -> bool:
        """Whether something held, `but` that one, came with this file."""
        query = {"files.key": key, "files.0": {"$exists": True}, "_id": {"$ne": but}}
        return await self._collection.find_one(query, {"_id": 1}, hint="by_file") is not None

    async def ended_junk(self, now: datetime, limit: int = 100) -> list[Document]:
        """Junk whose time is over."""
        found = self._collection.find({"held.state": Held.JUNK, "held.erase_after": {"$lte": now}}).limit(limit)
        return await found.to_list(limit)

    async def waiting(self) -> list[Waiting]:
        """What waits, by agency."""
        grouped = {"_id": "$agency", "count": {"$sum": 1}, "since": {"$min": "$received_at"}}
        rows = aggregate(self._collection, [{"$match": {"held.state": Held.WAITING}}, {"$group": grouped}])
        return [Waiting(row["_id"], row["count"], row["since"]) async for row in rows]
