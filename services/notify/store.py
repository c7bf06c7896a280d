"""The ledger: all queries of notify.

A row is an outbox document. Beside the outbox's own fields it has:

- `letter_id`, `letter_key`, `kind`, `owner`, `case`, `case_number`, `dialogue`, `requested_at`, `not_after`
- `supersedes`  ids of letters that must not go out any more
- `state`, `reason`, `way`, `steps`, `created_at`, `queued_at`, `attempt`, `repeats`, `calls`, `post`
- `next_at`     when a worker may take it up (database clock); for a claimed one the end of its lease; absent: no worker's turn
- `claimed_by`  the fencing token of the worker that holds it
- `to`          the recipient's name, until erased
- `content`     recipient, fields and files of the request, until the letter is settled: the only contact data, the only code
"""

import re
from collections.abc import Collection as Several
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pymongo import IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError

from contracts.model import SEALED_KINDS, DeliveryState, Recipient
from contracts.topics import CONTACT_DAYS
from kit import auth
from kit.errors import Conflict, NotFound
from kit.mongo import Collection, CollectionSpec, Database, Document, ServerClock, aggregate, only_duplicates
from kit.outbox import Change, Decide, Outbox, spec
from services.notify.domain import FOR_STAFF, IN_FLIGHT, OPEN, STATUS, UNSENT, WAITING, State

LEDGER = "ledger"
ERASED = "erased"
OPENINGS = "openings"
CORRECTIONS = "corrections"
"""Contacts that registrants corrected: {_id: case, agency, sequence, at, recipient}. A letter that was asked for before and is
read after the correction follows it. Kept as long as such a letter may travel, or until the person's data are erased.
"""
RESTORES = "restores"
"""When the ledger was restored from a backup: {at}."""

SPECS: tuple[CollectionSpec, ...] = (
    spec(
        LEDGER,
        IndexModel([("next_at", 1)], name="queue", partialFilterExpression={"next_at": {"$exists": True}}),
        IndexModel([("letter_id", 1)], name="letter"),
        IndexModel([("supersedes", 1)], name="supersedes", partialFilterExpression={"supersedes": {"$exists": True}}),
        IndexModel([("case", 1)], name="case", partialFilterExpression={"case": {"$exists": True}}),
        IndexModel([("state", 1), ("queued_at", 1)], name="state"),
        IndexModel([("agency", 1), ("created_at", -1), ("_id", -1)], name="page"),
        IndexModel([("agency", 1), ("state", 1), ("created_at", -1), ("_id", -1)], name="page_by_state"),
        IndexModel([("agency", 1), ("kind", 1), ("created_at", -1), ("_id", -1)], name="page_by_kind"),
        IndexModel([("agency", 1), ("dialogue", 1), ("created_at", -1), ("_id", -1)], name="page_by_dialogue"),
        IndexModel([("agency", 1), ("case_number", 1), ("created_at", -1), ("_id", -1)], name="page_by_case"),
    ),
    CollectionSpec(ERASED),
    CollectionSpec(CORRECTIONS, (IndexModel([("at", 1)], name="kept", expireAfterSeconds=CONTACT_DAYS * 24 * 3600),)),
    CollectionSpec(RESTORES),
    CollectionSpec(OPENINGS, (IndexModel([("agency", 1), ("row", 1), ("at", 1)], name="row"),)),
    auth.STAFF_SPEC,
)

PAGE = 50
_GUARD = ("state", "claimed_by")
_ATTEMPTS = 10
_NEWEST_EVENTS = {"events": {"$slice": -5}}


def render_delivery(row: Document, _entry: Document) -> DeliveryState:
    """What became of a letter, without contact data."""
    return DeliveryState(
        letter_key=row["letter_key"],
        kind=row["kind"],
        owner=row["owner"],
        case=row.get("case"),
        case_number=row.get("case_number"),
        dialogue=row.get("dialogue"),
        way=row.get("way"),
        status=STATUS[State(row["state"])],
        reason=row["reason"],
        at=row["steps"][-1]["at"],
        steps=row["steps"],
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks: the agency, and which letters this person may know of (D6)."""

    agency: str
    usual: bool = True
    sealed: bool = False

    def may_see(self, kind: str) -> bool:
        """Whether a letter of this kind exists for this reader."""
        return self.sealed if kind in SEALED_KINDS else self.usual

    def query(self) -> Document:
        """The part of every query that keeps the others out."""
        if self.usual and self.sealed:
            return {"agency": self.agency}
        return {"agency": self.agency, "kind": {"$nin" if self.usual else "$in": sorted(SEALED_KINDS)}}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page of the ledger shows. `before` is the `_id` of the last row of the page before."""

    states: Sequence[State] = ()
    kind: str = ""
    dialogue: str = ""
    case_number: str = ""
    before: str = ""


class Ledger:
    """The rows of every agency. Workers serve all agencies; what a person sees is asked for by agency."""

    def __init__(self, database: Database) -> None:
        self._clock = ServerClock(database)
        self.outbox = Outbox(database[LEDGER], self._clock, source="notify", render=render_delivery)
        self._rows: Collection = database[LEDGER]
        self._erased: Collection = database[ERASED]
        self._corrections: Collection = database[CORRECTIONS]
        self._openings: Collection = database[OPENINGS]
        self._restores: Collection = database[RESTORES]
        self._restored_at: datetime | None = None

    async def note_restore(self, at: datetime) -> None:
        """What was sent between the backup and this moment is not in the ledger."""
        await self._restores.insert_one({"at": at})

    async def restored_at(self) -> datetime:
        """The last restore; long ago if there was none. No process lives through one, so it is read once."""
        if self._restored_at is None:
            last = await self._restores.find_one({}, sort=[("at", -1)])
            self._restored_at = last["at"] if last else datetime.min.replace(tzinfo=UTC)
        return self._restored_at

    async def server_now(self) -> datetime:
        """The database's time: what falls due and whose lease is over is judged by it alone."""
        return await self._clock.now()

    async def due_now(self) -> datetime:
        """A moment that has certainly come by the database's clock, which is known here to about a round trip only."""
        return await self.server_now() - timedelta(seconds=1)

    # Rows come in

    async def insert(self, rows: Sequence[Document]) -> None:
        """Durably add those that are not there yet."""
        await self.outbox.insert_many(rows)

    async def superseded(self, letter_ids: Several[str]) -> set[str]:
        """Which of these letters another one supersedes."""
        found: set[str] = set()
        async for row in self._rows.find({"supersedes": {"$in": list(letter_ids)}}, {"supersedes": 1}):
            found.update(row["supersedes"])
        return found & set(letter_ids)

    async def open_rows_of(self, letter_ids: Several[str]) -> list[tuple[str, str]]:
        """(`_id`, agency) of rows of these letters that are not settled."""
        query = {"letter_id": {"$in": list(letter_ids)}, "state": {"$in": OPEN}}
        return [(row["_id"], row["agency"]) async for row in self._rows.find(query, {"agency": 1})]

    # Erasure

    async def remember_erased(self, cases: Mapping[UUID, str], now: datetime) -> None:
        """Note that these cases (id → agency) were erased, so that a letter asked for earlier and read later is not kept."""
        try:
            await self._erased.insert_many(
                [{"_id": case, "agency": agency, "at": now} for case, agency in cases.items()], ordered=False
            )
        except BulkWriteError as error:
            if not only_duplicates(error):
                raise

    async def erased_among(self, cases: Iterable[UUID]) -> set[UUID]:
        """Which of these cases were erased."""
        return {row["_id"] async for row in self._erased.find({"_id": {"$in": list(cases)}}, {"_id": 1})}

    async def rows_of_cases(self, cases: Iterable[UUID]) -> list[tuple[str, str]]:
        """(`_id`, agency) of rows that still hold something personal of these cases."""
        query = {"case": {"$in": list(cases)}, "$or": [{"to": {"$exists": True}}, {"content": {"$exists": True}}]}
        return [(row["_id"], row["agency"]) async for row in self._rows.find(query, {"agency": 1})]

    # Corrected contacts

    async def remember_corrected(self, case: UUID, agency: str, sequence: int, at: datetime, recipient: Recipient) -> bool:
        """Note a registrant's newest contact; False when a newer one is known."""
        corrected = {"agency": agency, "sequence": sequence, "at": at, "recipient": recipient.model_dump(mode="json")}
        try:
            await self._corrections.update_one({"_id": case, "sequence": {"$lte": sequence}}, {"$set": corrected}, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    async def corrected_among(self, cases: Iterable[UUID]) -> dict[UUID, Recipient]:
        """The contact of each of these cases that was corrected."""
        found = self._corrections.find({"_id": {"$in": list(cases)}}, {"recipient": 1})
        return {row["_id"]: Recipient.model_validate(row["recipient"]) async for row in found}

    async def forget_corrected(self, cases: Iterable[UUID]) -> None:
        """The data of these cases are erased."""
        await self._corrections.delete_many({"_id": {"$in": list(cases)}})

    async def open_rows_of_cases(self, cases: Iterable[UUID]) -> list[tuple[str, str, UUID]]:
        """(`_id`, agency, case) of rows of these cases that have not gone out."""
        query = {"case": {"$in": list(cases)}, "state": {"$in": OPEN}}
        return [(row["_id"], row["agency"], row["case"]) async for row in self._rows.find(query, {"agency": 1, "case": 1})]

    # Workers

    async def claim(self, limit: int, token: str, lease: timedelta) -> list[Document]:
        """Take up to `limit` letters whose time has come; nobody else gets them while the lease lasts."""
        query = {"next_at": {"$lte": await self.server_now()}, "state": {"$in": WAITING}}
        found = await self._rows.find(query, {"_id": 1}).sort("next_at", 1).limit(limit).to_list(limit)
        if not found:
            return []
        ids = [row["_id"] for row in found]
        taken = {"state": State.CLAIMED, "claimed_by": token, "next_at": _after(lease), "attempt": {"$add": ["$attempt", 1]}}
        still = {"_id": {"$in": ids}, "state": {"$in": WAITING}, "$expr": {"$lte": ["$next_at", "$$NOW"]}}
        await self._rows.update_many(still, [{"$set": taken}])
        return await self._held(ids, token, State.CLAIMED)

    async def begin(self, rows: Sequence[Document], token: str, lease: timedelta) -> list[Document]:
        """Mark letters SENDING, before the dialogue with the mail server begins; returns those still this worker's."""
        ids = [row["_id"] for row in rows]
        mine = {"_id": {"$in": ids}, "claimed_by": token, "state": State.CLAIMED, "$expr": {"$gt": ["$next_at", "$$NOW"]}}
        result = await self._rows.update_many(mine, [{"$set": {"state": State.SENDING, "next_at": _after(lease)}}])
        if result.modified_count == len(ids):
            return [{**row, "state": State.SENDING} for row in rows]
        return await self._held(ids, token, State.SENDING)

    async def release(self, rows: Sequence[Document], token: str) -> None:
        """Give back letters whose dialogue never began."""
        ids = [row["_id"] for row in rows]
        mine = {"_id": {"$in": ids}, "claimed_by": token, "state": {"$in": IN_FLIGHT}}
        await self._rows.update_many(mine, [{"$set": {"state": State.PENDING, "next_at": "$$NOW"}}, {"$unset": "claimed_by"}])

    async def _held(self, ids: Sequence[str], token: str, state: State) -> list[Document]:
        query = {"_id": {"$in": list(ids)}, "claimed_by": token, "state": state}
        return await self._rows.find(query, _NEWEST_EVENTS).to_list(len(ids))

    async def write(self, decided: Sequence[tuple[Document, Change]]) -> int:
        """Write what workers decided, unless a row has passed to another meanwhile; returns how many were written."""
        return await self.outbox.change_many(decided, guard=_GUARD)

    async def abandoned(self, limit: int) -> list[Document]:
        """Letters whose worker died in the dialogue: SENDING past its lease."""
        query = {"next_at": {"$lte": await self.server_now()}, "state": State.SENDING}
        return await self._rows.find(query, _NEWEST_EVENTS).limit(limit).to_list(limit)

    async def unsent(self) -> list[tuple[str, str]]:
        """(`_id`, agency) of every row that a worker would mail, or was mailing."""
        found = self._rows.find({"state": {"$in": UNSENT}}, {"agency": 1})
        return [(row["_id"], row["agency"]) async for row in found]

    # Everybody else

    async def change(self, _id: str, agency: str, decide: Decide) -> Document:
        """Decide on a row and write it with compare-and-set, also against workers. Raises as `Outbox.change` does."""
        for _ in range(_ATTEMPTS):
            row = await self.outbox.get(_id, agency)
            change = decide(row)
            if change is None or await self.write([(row, change)]):
                return row
        raise Conflict("the letter changed too often")

    async def get(self, _id: str, agency: str) -> Document:
        """A row without its events. Raises `NotFound`."""
        return await self.outbox.get(_id, agency)

    # Pages

    async def opened(self, _id: str, reader: Reader, by: str, now: datetime) -> Document:
        """The row, for its page or its paper; of a sealed kind the opening is noted first. Raises `NotFound`."""
        row = await self.get(_id, reader.agency)
        if not reader.may_see(row["kind"]):
            raise NotFound("letter")
        if row["kind"] in SEALED_KINDS:
            await self._openings.insert_one({"agency": reader.agency, "row": _id, "by": by, "at": now})
        return row

    async def page(self, reader: Reader, filters: Filters) -> tuple[list[Document], str]:
        """Newest first, at most PAGE rows without content; and the `before` of the next page, or ""."""
        query: Document = {"$and": [reader.query()]}
        if filters.states:
            query["state"] = {"$in": list(filters.states)}
        if filters.kind:
            query["kind"] = filters.kind
        if filters.dialogue:
            query["dialogue"] = filters.dialogue
        if filters.case_number:
            query["case_number"] = filters.case_number
        if filters.before:
            query |= await self._older_than(filters.before, reader.agency)
        fields = {"events": 0, "content": 0}
        found = await self._rows.find(query, fields).sort([("created_at", -1), ("_id", -1)]).limit(PAGE + 1).to_list(PAGE + 1)
        return found[:PAGE], found[PAGE - 1]["_id"] if len(found) > PAGE else ""

    async def _older_than(self, _id: str, agency: str) -> Document:
        if not re.fullmatch(r"[0-9a-f]{40}", _id):
            return {}
        last = await self._rows.find_one({"_id": _id, "agency": agency}, {"created_at": 1})
        if last is None:
            return {}
        return {"$or": [{"created_at": {"$lt": last["created_at"]}}, {"created_at": last["created_at"], "_id": {"$lt": _id}}]}

    async def with_content(self, reader: Reader, states: Sequence[State], limit: int = PAGE) -> list[Document]:
        """Oldest first, with content: lists from which staff write addresses and call people."""
        query = {**reader.query(), "state": {"$in": list(states)}}
        return await self._rows.find(query, {"events": 0}).sort([("created_at", 1), ("_id", 1)]).limit(limit).to_list(limit)

    async def counts(self, reader: Reader, limit: int = 10_000) -> dict[State, int]:
        """Rows in each state that waits for something. Counted up to `limit` each, so that the page stays cheap."""
        waiting = [s for s in (*OPEN, State.RETURNED) if s not in IN_FLIGHT]
        return {s: await self._rows.count_documents({**reader.query(), "state": s}, limit=limit) for s in waiting}

    # Figures

    async def oldest_waiting(self) -> datetime | None:
        """Since when the letter that waits longest to be mailed has been waiting."""
        states = (State.PENDING, State.DEFERRED, *IN_FLIGHT)
        oldest = [
            row["queued_at"]
            for state in states
            if (row := await self._rows.find_one({"state": state}, {"queued_at": 1}, sort=[("queued_at", 1)]))
        ]
        return min(oldest, default=None)

    async def count_for_staff(self) -> dict[State, int]:
        """Rows of all agencies that wait for somebody's decision, by state."""
        stages: list[dict[str, Any]] = [
            {"$match": {"state": {"$in": list(FOR_STAFF)}}},
            {"$group": {"_id": "$state", "n": {"$sum": 1}}},
        ]
        return {State(row["_id"]): row["n"] async for row in aggregate(self._rows, stages)}


def _after(lease: timedelta) -> Document:
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(lease.total_seconds() * 1000)}}
