"""What intake keeps and how it finds it: registrations, case numbers, and copies of what routing published."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo import IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from contracts.envelope import Event
from contracts.model import SEATLESS, CaseSource, CaseState, DialogueState, PlanState, QuestionStateData
from kit.auth import STAFF_SPEC
from kit.calendars import SPEC as CALENDARS
from kit.clock import local_date
from kit.limits import SPEC as RATES
from kit.mongo import Collection, CollectionSpec, Database, Document, only_duplicates
from kit.outbox import spec
from kit.web.proof import SPEC as PROOFS
from services.intake import domain
from services.intake.attachments.store import UPLOADS
from services.intake.data_requests.store import REQUESTS
from services.intake.domain import Dialogue, Plan
from services.intake.mailbox.store import SPECS as MAILBOX
from services.intake.moderation.store import SPEC as HELD
from services.intake.site.domain import published
from services.intake.site.store import INDEXES as PUBLIC_ANSWERS
from services.intake.surveys.store import SPECS as SURVEYS

REGISTRATIONS = spec(
    "registrations",
    IndexModel([("agency", 1), ("code_hash", 1)], name="by_code", unique=True),
    IndexModel([("unrouted", 1)], name="unrouted", partialFilterExpression={"unrouted": {"$exists": True}}),
    IndexModel([("alike", 1)], name="alike"),
    IndexModel([("files.key", 1)], name="by_file", partialFilterExpression={"files.0": {"$exists": True}}),
)
FEEDBACK = spec(
    "feedback",
    IndexModel([("agency", 1), ("code_hash", 1)], name="by_code", unique=True),
    IndexModel([("unrouted", 1)], name="unrouted", partialFilterExpression={"unrouted": {"$exists": True}}),
    IndexModel([("alike", 1)], name="alike"),
    IndexModel([("files.key", 1)], name="by_file", partialFilterExpression={"files.0": {"$exists": True}}),
)
COUNTERS = CollectionSpec("counters")
PLANS = CollectionSpec("plans", (IndexModel([("agency", 1), ("year", -1)], name="by_agency"),))
DIALOGUES = CollectionSpec("dialogues", (IndexModel([("agency", 1), ("plan", 1), ("ordinal", 1)], name="by_plan"),))
CASES = CollectionSpec("cases", (IndexModel([("agency", 1), ("state.dialogue", 1)], name="by_dialogue"),))
QUESTIONS = CollectionSpec("questions", (IndexModel([("agency", 1), ("case", 1)], name="by_case"), *PUBLIC_ANSWERS))
SPECS: tuple[CollectionSpec, ...] = (
    REGISTRATIONS,
    FEEDBACK,
    REQUESTS,
    COUNTERS,
    PLANS,
    DIALOGUES,
    CASES,
    QUESTIONS,
    UPLOADS,
    HELD,
    *SURVEYS,
    *MAILBOX,
    STAFF_SPEC,
    CALENDARS,
    RATES,
    PROOFS,
)

MOST_PLANS = 50
"""Newest plans of an agency that the public site shows: decades of them, at one or two a year."""


class RegistrationStore:
    """Queries on registrations, and on feedback in its own collection; writes go through the outbox and the group commit."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def by_code(self, agency: str, code_hash: bytes) -> Document | None:
        """The registration of a tracking code, without its events."""
        return await self._collection.find_one({"agency": agency, "code_hash": code_hash}, {"events": 0})

    async def by_id(self, agency: str, registration: UUID) -> Document | None:
        """The registration, without its events."""
        return await self._collection.find_one({"_id": registration, "agency": agency}, {"events": 0})

    async def by_number(self, agency: str, case_number: str) -> UUID | None:
        """Its id, by the number that staff and letters name it by."""
        found = await self._collection.find_one({"agency": agency, "case_number": case_number}, {"_id": 1})
        return found["_id"] if found else None

    async def has_file(self, key: str, *, but: UUID | None = None) -> bool:
        """Whether one of them, `but` that one, came with this file."""
        query = {"files.key": key, "files.0": {"$exists": True}, "_id": {"$ne": but}}
        return await self._collection.find_one(query, {"_id": 1}, hint="by_file") is not None

    async def alike(
        self, agency: str, keys: Sequence[int], *, but: UUID, since: datetime | None = None, limit: int = 5
    ) -> list[Document]:
        """The newest, `but` one, that share a name or a telephone (`domain.alike_keys`); received `since`, if that is given."""
        query: Document = {"alike": {"$in": list(keys)}, "agency": agency, "_id": {"$ne": but}}
        if since is not None:
            query["received_at"] = {"$gte": since}
        fields = {"case_number": 1, "received_at": 1, "channel": 1, "person": 1, "status": 1}
        return await self._collection.find(query, fields).sort("received_at", -1).limit(limit).to_list(limit)

    async def known(self, registrations: Sequence[UUID]) -> list[UUID]:
        """Those of them that are registrations."""
        found = self._collection.find({"_id": {"$in": list(registrations)}}, {"_id": 1})
        return [document["_id"] for document in await found.to_list(len(registrations))]

    async def routed(self, registrations: Iterable[UUID]) -> None:
        """Routing has shown them."""
        await self._collection.update_many(
            {"_id": {"$in": list(registrations)}, "unrouted": {"$exists": True}}, {"$unset": {"unrouted": ""}}
        )

    async def publish_again(self, before: datetime, now: datetime, *, limit: int = 200) -> AsyncIterator[Document]:
        """Make registrations that routing has not shown since `before` unpublished once more; yields their post-images.

        Each waits anew from `now`; of two processes one wins.
        """
        found = self._collection.find({"unrouted": {"$lte": before}}, {"unrouted": 1}).sort("unrouted", 1).limit(limit)
        for seen in await found.to_list(limit):
            after = await self._collection.find_one_and_update(
                {"_id": seen["_id"], "unrouted": seen["unrouted"]},
                {"$set": {"unrouted": now}, "$min": {"unsent": 1}, "$currentDate": {"due": True}},
                return_document=ReturnDocument.AFTER,
            )
            if after is not None:
                yield after


@dataclass(slots=True)
class _Block:
    """Numbers of one agency and year that this process may still give out."""

    next: int = 0
    end: int = 0
    refill: asyncio.Lock = field(default_factory=asyncio.Lock)


class CaseNumbers:
    """Case numbers from blocks of `size`: unique, with gaps where a process ended before its block did."""

    def __init__(self, counters: Collection, size: int) -> None:
        self._counters = counters
        self._size = size
        self._blocks: dict[str, _Block] = {}

    async def next(self, agency: str, prefix: str, received_at: datetime) -> str:
        """The next number of the agency and of the year of receipt."""
        name = f"{agency}/{local_date(received_at).year}"
        block = self._blocks.setdefault(name, _Block())
        if block.next >= block.end:
            async with block.refill:
                if block.next >= block.end:
                    block.end = await self._take(name)
                    block.next = block.end - self._size
        block.next += 1
        return domain.case_number(prefix, received_at, block.next)

    async def _take(self, name: str) -> int:
        after = await self._counters.find_one_and_update(
            {"_id": name}, {"$inc": {"taken": self._size}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        assert after is not None  # noqa: S101 - an upsert always has an afterwards
        return int(after["taken"])


class Projections:
    """Copies of routing's published states. An event older than what is held changes nothing.

    How many seats of a dialogue are taken is counted apart (`count_seats`) and remembered, so that no request counts anything.
    """

    def __init__(self, database: Database) -> None:
        self._plans: Collection = database[PLANS.name]
        self._dialogues: Collection = database[DIALOGUES.name]
        self._cases: Collection = database[CASES.name]
        self._questions: Collection = database[QUESTIONS.name]
        self._registered: Mapping[str, int] = {}

    async def save_announcements(self, events: Sequence[Event[Any]]) -> None:
        """Take over plans and dialogues."""
        plans = [e for e in events if isinstance(e.data, PlanState)]
        dialogues = [e for e in events if isinstance(e.data, DialogueState)]
        await _save(self._plans, [_upsert(e, e.subject, {"year": e.data.year}) for e in plans])
        await _save(self._dialogues, [_upsert(e, e.subject, {"plan": e.data.plan, "ordinal": e.data.ordinal}) for e in dialogues])

    async def save_cases(self, events: Sequence[Event[CaseState]]) -> None:
        await _save(self._cases, [_upsert(e, UUID(e.subject), {}) for e in events])

    async def save_questions(self, events: Sequence[Event[QuestionStateData]]) -> None:
        """Take over questions; what is public of one is kept beside it, and goes when a newer event says so."""
        updates = []
        for event in events:
            _id = UUID(event.subject)
            updates.append(_upsert(event, _id, {"case": event.data.case, "public": published(_id, event.data)}))
        await _save(self._questions, updates)

    async def plans(self, agency: str) -> tuple[Plan, ...]:
        """The agency's plans with their dialogues, newest first."""
        plans = await self._plans.find({"agency": agency}).sort([("year", -1), ("_id", 1)]).limit(MOST_PLANS).to_list(MOST_PLANS)
        ids = [p["_id"] for p in plans]
        found = self._dialogues.find({"agency": agency, "plan": {"$in": ids}}).sort([("plan", 1), ("ordinal", 1)])
        dialogues: dict[str, list[Dialogue]] = {}
        async for document in found:
            state = DialogueState.model_validate(document["state"])
            registered = self._registered.get(document["_id"], 0)
            dialogues.setdefault(document["plan"], []).append(Dialogue(document["_id"], state, registered))
        return tuple(Plan(p["_id"], PlanState.model_validate(p["state"]), tuple(dialogues.get(p["_id"], ()))) for p in plans)

    async def count_seats(self) -> None:
        """Count anew how many take a seat, for each dialogue to come, of every agency, that names its seats; no further than they
        go. Where none does, this is one small query.
        """
        limited = {"state.status": "scheduled", "state.capacity": {"$gt": 0}}
        found = await self._dialogues.find(limited, {"agency": 1, "state.capacity": 1}).to_list(None)
        self._registered = {d["_id"]: await self._seated(d["agency"], d["_id"], d["state"]["capacity"]) for d in found}

    async def _seated(self, agency: str, dialogue: str, seats: int) -> int:
        query = {
            "agency": agency,
            "state.dialogue": dialogue,
            "state.source": {"$ne": CaseSource.WALK_IN},
            "state.status": {"$nin": sorted(SEATLESS)},
        }
        return await self._cases.count_documents(query, limit=seats, hint="by_dialogue")

    async def case(self, agency: str, registration: UUID) -> CaseState | None:
        document = await self._cases.find_one({"_id": registration, "agency": agency})
        return CaseState.model_validate(document["state"]) if document else None

    async def questions(self, agency: str, registration: UUID) -> dict[UUID, QuestionStateData]:
        """The questions of a registration, by id."""
        found = self._questions.find({"agency": agency, "case": registration})
        return {d["_id"]: QuestionStateData.model_validate(d["state"]) async for d in found}


def _upsert(event: Event[Any], _id: str | UUID, keys: Mapping[str, Any]) -> UpdateOne:
    # As JSON values: BSON has no dates without an hour.
    fields = {"sequence": event.sequence, "agency": event.agency, **keys, "state": event.data.model_dump(mode="json")}
    return UpdateOne({"_id": _id, "sequence": {"$lt": event.sequence}}, {"$set": fields}, upsert=True)


async def _save(collection: Collection, updates: Sequence[UpdateOne]) -> None:
    if not updates:
        return
    try:
        await collection.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        if not only_duplicates(error):  # a duplicate: what is held is newer
            raise
