"""Where requests about personal data lie, and every query on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo import ASCENDING, DESCENDING, IndexModel

from contracts.model import LetterState
from kit.letters import letter_id
from kit.mongo import Collection, Database, Document, ServerClock, aggregate
from kit.outbox import Outbox, spec
from services.intake.data_requests import domain

REQUESTS = spec(
    "data_requests",
    IndexModel([("agency", ASCENDING), ("state", ASCENDING), ("sort_at", ASCENDING)], name="queue"),
    IndexModel([("agency", ASCENDING), ("registration", ASCENDING)], name="by_registration"),
)
PAGE = 50


def requests_outbox(database: Database, clock: ServerClock) -> Outbox:
    """Requests speak through the letters they ask for."""

    def render(document: Document, entry: Document) -> LetterState:
        return domain.letter(document, entry)

    def subject(document: Document, entry: Document) -> str:
        return str(letter_id(document["agency"], domain.letter_key(document, entry)))

    return Outbox(database[REQUESTS.name], clock, source="intake", render=render, subject=subject)


async def of_registration(collection: Collection, agency: str, registration: UUID) -> list[Document]:
    """All requests about one registration, oldest first."""
    found = collection.find({"agency": agency, "registration": registration}, {"events": 0}).sort("asked_at", ASCENDING)
    return await found.to_list(None)


async def to_do(collection: Collection, agency: str, *, skip: int = 0) -> list[Document]:
    """Open requests; what is due first stands first."""
    query: Mapping[str, Any] = {"agency": agency, "state": {"$in": [s.value for s in domain.OPEN]}}
    return await collection.find(query, {"events": 0}).sort("sort_at", ASCENDING).skip(skip).limit(PAGE).to_list(PAGE)


async def count_to_do(collection: Collection, agency: str) -> int:
    return await collection.count_documents({"agency": agency, "state": {"$in": [s.value for s in domain.OPEN]}})


@dataclass(frozen=True, slots=True)
class Standing:
    """Open requests of an agency: how many, since when the first of them, and how many are overdue."""

    count: int
    since: datetime
    overdue: int


async def standings(collection: Collection, agencies: Iterable[str], now: datetime) -> dict[str, Standing]:
    """Agency → its open requests; nothing for one that has none. `sort_at` is when the clock that runs is over."""
    open_ones = {"agency": {"$in": list(agencies)}, "state": {"$in": [s.value for s in domain.OPEN]}}
    over = {"$sum": {"$cond": [{"$lte": ["$sort_at", now]}, 1, 0]}}
    grouped = {"_id": "$agency", "count": {"$sum": 1}, "since": {"$min": "$asked_at"}, "overdue": over}
    rows = aggregate(collection, [{"$match": open_ones}, {"$group": grouped}])
    return {row["_id"]: Standing(row["count"], row["since"], row["overdue"]) async for row in rows}


async def closed(collection: Collection, agency: str) -> list[Document]:
    """The newest of those that have come to their end."""
    query = {"agency": agency, "state": {"$in": [domain.State.REFUSED.value, domain.State.DONE.value]}}
    return await collection.find(query, {"events": 0}).sort("asked_at", DESCENDING).limit(PAGE).to_list(PAGE)


async def forget_person(collection: Collection, agency: str, registration: UUID) -> None:
    """The person's data are deleted; that they were asked for, and what was decided, stays."""
    await collection.update_many(
        {"agency": agency, "registration": registration}, {"$unset": {"person": "", "preferred_way": ""}, "$set": {"note": ""}}
    )
