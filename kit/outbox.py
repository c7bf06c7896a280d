"""The outbox inside the document: a command changes one document and, in the same write, appends the events it makes.

Fields that every such document has, beside its state:

- `_id`, `agency`
- `seq`     number of events ever appended
- `events`  all of them: the audit trail and the source of `republish`. Entries hold id, n, type, at, known_at, actor,
            reason, trace and small before/after values; never texts or personal fields, which live once in the document.
- `unsent`  the first event that may not be published yet; absent when all are
- `due`     since when (database clock) something waits; the sweeper claims what is overdue by moving it forward
- `since`   what `due` was before it was first moved, so that the age of what waits is known

The relay publishes from the post-image of the write, one event of a document at a time, stops that document at the first
failure, and marks what was acknowledged. Copies may repeat; first appearances are in order per document. See
docs/decisions/0003-outbox-inside-the-document.md for why nothing looser will do.
"""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import orjson
from pymongo import IndexModel, ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from uuid_utils.compat import uuid7

from contracts.envelope import Event, Payload
from contracts.events import CATALOGUE
from kit import metrics
from kit.errors import Conflict, NotFound, Permanent
from kit.kafka import MAX_EVENT_BYTES, Outcome, Publisher, Record, Refused
from kit.logging import get_logger
from kit.mongo import FAST, Collection, CollectionSpec, Document, ServerClock, duplicate_indexes, only_duplicates

_MARKS_WAIT = 0.025
_TAIL = 20
"""Events that a command's post-image brings along; a longer backlog is read by the relay."""
_ATTEMPTS = 30
_SWEPT = 500
"""Documents that one sweep claims."""
_COUNTED = 10_000
"""Unpublished documents are counted up to this, so that the count stays cheap in an outage."""
_REFUSED_AGAIN = timedelta(minutes=1)
"""After so long an event that the broker refused is tried again: an operator may have raised the limit."""
_SINCE = {"$ifNull": ["$since", "$due"]}
_EVENT = Event[Payload]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happened to an aggregate: becomes one event.

    `at` is the business time, `known_at` when the system learnt it; `changes` holds small before/after values, never texts or
    personal fields. `trace` is the W3C trace id of the request behind it.
    """

    type: str
    at: datetime
    known_at: datetime
    actor: str
    reason: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision does to a document: fields set and removed, and the acts that say so (at least one)."""

    acts: Sequence[Act]
    set: Mapping[str, Any] = field(default_factory=dict)
    unset: Sequence[str] = ()


Render = Callable[[Document, Document], Payload]
"""(document, entry of its `events`) → the state that the event carries."""

Decide = Callable[[Document], Change | None]
"""A pure decision on the current document. None: nothing to do. Raises a `Permanent` when the act is not allowed."""


def outbox_indexes() -> tuple[IndexModel, IndexModel]:
    """What the sweeper works on, and what was not published at the first try; what is published is in neither."""
    return (
        IndexModel([("due", 1)], name="outbox", partialFilterExpression={"due": {"$exists": True}}),
        IndexModel([("since", 1)], name="outbox_since", partialFilterExpression={"since": {"$exists": True}}),
    )


def spec(name: str, *indexes: IndexModel) -> CollectionSpec:
    """A collection of outbox documents, with its validator."""
    validator = {
        "$jsonSchema": {
            "bsonType": "object",
            "required": ["_id", "agency", "seq", "events"],
            "properties": {"agency": {"bsonType": "string"}, "seq": {"bsonType": ["int", "long"], "minimum": 1}},
        }
    }
    return CollectionSpec(name, (*outbox_indexes(), *indexes), validator, has_outbox=True)


class Outbox:
    """One collection of aggregates that speak through events.

    `render` gives the state an event carries; `subject` and `source` fill the envelope. A type may go to another topic than
    its siblings (a letter asked for by a registration): the catalogue decides.
    """

    def __init__(
        self,
        collection: Collection,
        clock: ServerClock,
        *,
        source: str,
        render: Render,
        subject: Callable[[Document, Document], str] = lambda document, _: str(document["_id"]),
    ) -> None:
        self.collection = collection
        self.durable = collection.with_options(read_concern=ReadConcern("majority"))
        """For the relay: an event of a write that a failover takes back must never be published."""
        self.name = collection.name
        self._clock = clock
        self._source = source
        self._render = render
        self._subject = subject
        self._offer: Callable[[Outbox, Document], None] = lambda _outbox, _document: None

    def attach(self, offer: "Callable[[Outbox, Document], None]") -> None:
        """Tell the relay of every write."""
        self._offer = offer

    async def new(self, _id: Any, agency: str, state: Mapping[str, Any], acts: Sequence[Act]) -> Document:
        """A document ready to be inserted. Raises `Permanent` if its event could outgrow what the broker takes."""
        document: Document = {
            "_id": _id,
            "agency": agency,
            **state,
            "seq": len(acts),
            "unsent": 1,
            "due": await self._clock.now(),
            "events": [_entry(act, n) for n, act in enumerate(acts, 1)],
        }
        _check_size(document)
        return document

    async def insert(self, document: Document) -> bool:
        """Insert durably and hand to the relay; False if the id is taken (an earlier delivery of the same thing)."""
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError:
            return False
        self.offer(document)
        return True

    async def insert_many(self, documents: Sequence[Document]) -> None:
        """Insert those that are not there yet, each durable or an error raised; the rest is left as it is."""
        if not documents:
            return
        taken: frozenset[int] = frozenset()
        try:
            await self.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if not only_duplicates(error):
                raise
            taken = duplicate_indexes(error)
        for index, document in enumerate(documents):
            if index not in taken:
                self.offer(document)

    def offer(self, document: Document) -> None:
        """Hand a post-image to the relay (for writers that insert by themselves)."""
        self._offer(self, document)

    async def get(self, _id: Any, agency: str, *, events: bool = False) -> Document:
        """The aggregate, without its events unless asked for. Raises `NotFound`."""
        document = await self.collection.find_one({"_id": _id, "agency": agency}, None if events else {"events": 0})
        if document is None:
            raise NotFound(self.name)
        return document

    async def whole(self, _id: Any, agency: str) -> Document:
        """The aggregate with all its events, as no failover can take it back. Raises `NotFound`."""
        document = await self.durable.find_one({"_id": _id, "agency": agency})
        if document is None:
            raise NotFound(self.name)
        return document

    async def change(self, _id: Any, agency: str, decide: Decide) -> Document:
        """Decide on the current document and write the change with compare-and-set; on a lost race read and decide again.

        Returns the document as it is afterwards (without all but its last events). Raises `NotFound`, whatever `decide` raises,
        and `Conflict` when the race is lost too often.
        """
        for _ in range(_ATTEMPTS):
            current = await self.get(_id, agency)
            change = decide(current)
            if change is None:
                return current
            after = await self._write(current, change)
            if after is not None:
                self.offer(after)
                return after
        raise Conflict(f"{self.name} changed too often")

    async def change_many(self, decided: Sequence[tuple[Document, Change]], *, guard: Sequence[str] = ()) -> int:
        """Write changes that were decided on documents the caller holds, in one unordered bulk write.

        Each is a compare-and-set on `seq` and on the fields named in `guard` (an absent one must still be absent). Returns how
        many were written; for the others somebody else's write came between: the caller reads and decides again.
        """
        if not decided:
            return 0
        updates: list[UpdateOne] = []
        after: list[Document] = []
        for document, change in decided:
            update, image = _prepare(document, change)
            held = {name: document.get(name) for name in guard}
            updates.append(
                UpdateOne({"_id": document["_id"], "agency": document["agency"], "seq": document["seq"], **held}, update)
            )
            after.append(image)
        written = (await self.collection.bulk_write(updates, ordered=False)).matched_count
        if written == len(updates):  # else nobody knows which: the sweeper finds what was written
            for image in after:
                self.offer(image)
        return written

    async def _write(self, current: Document, change: Change) -> Document | None:
        update, _ = _prepare(current, change)
        return await self.collection.find_one_and_update(
            {"_id": current["_id"], "agency": current["agency"], "seq": current["seq"]},
            update,
            projection={"events": {"$slice": -_TAIL}},
            return_document=ReturnDocument.AFTER,
        )

    def event(self, document: Document, entry: Document) -> Event[Payload]:
        """The event of one entry, with the state of the document as it is held."""
        kind = CATALOGUE[entry["type"]]
        data = self._render(document, entry)
        return _EVENT.model_construct(
            specversion="1.0",
            id=entry["id"],
            source=self._source,
            type=entry["type"],
            subject=self._subject(document, entry),
            time=entry["known_at"],
            datacontenttype="application/json",
            dataschema=kind.state.__name__,
            agency=document["agency"],
            sequence=entry["n"],
            correlationid=entry.get("trace", ""),
            data=data,
        )


def _prepare(current: Document, change: Change) -> tuple[Document, Document]:
    """The update that writes a change, and the document as it is afterwards. Raises `Permanent` if it grew too large."""
    n = current["seq"]
    entries = [_entry(act, n + k) for k, act in enumerate(change.acts, 1)]
    _check_size({**current, **change.set})
    update: Document = {
        "$push": {"events": {"$each": entries}},
        "$set": {**change.set, "seq": n + len(entries)},
        "$currentDate": {"due": True},
        "$min": {"unsent": n + 1},
    }
    if change.unset:
        update["$unset"] = dict.fromkeys(change.unset, "")
    image = {name: value for name, value in current.items() if name not in change.unset}
    image |= {**change.set, "seq": n + len(entries), "unsent": min(current.get("unsent", n + 1), n + 1)}
    image["events"] = [*current.get("events", ()), *entries]
    return update, image


def step(act: Act, n: int, state: str) -> Document:
    """A dated step, as a document keeps it in `steps` and its events carry it."""
    return {"n": n, "at": act.at, "known_at": act.known_at, "state": state}


def _entry(act: Act, n: int) -> Document:
    if act.type not in CATALOGUE:
        raise ValueError(f"{act.type} is not in the catalogue")
    return {
        "id": uuid7(),
        "n": n,
        "type": act.type,
        "at": act.at,
        "known_at": act.known_at,
        "actor": act.actor,
        "reason": act.reason,
        "changes": dict(act.changes),
        "trace": act.trace,
    }


def _check_size(document: Document) -> None:
    """Measured as JSON, like an event, and in a quarter of the time that BSON takes."""
    state = {k: v for k, v in document.items() if k != "events"}
    if len(orjson.dumps(state, default=str, option=orjson.OPT_NON_STR_KEYS)) > MAX_EVENT_BYTES * 2 // 3:
        raise Permanent("too large for one event")


@dataclass(slots=True)
class _Work:
    """What is to be published of one document: its newest post-image, and which of its events were `sent`."""

    outbox: Outbox
    newest: Document
    sending: int = 0
    sent: int = 0

    def next(self) -> int | None:
        """The number of the first event that was not sent; None: all were."""
        if "unsent" not in self.newest:
            return None
        n: int = max(self.newest["unsent"], self.sent + 1)
        return n if n <= self.newest["seq"] else None


_Key: TypeAlias = tuple[str, Any]
"""A document: its collection's name and its id."""


class Relay:
    """Publishes what the outboxes of one process wrote, and sweeps up what any process left behind.

    Documents that are offered within `linger` seconds go together in a round. A round has at most `size` documents, `rounds`
    are under way at once, and `backlog` documents wait; what comes beyond is left to the sweeper, so memory stays bounded when
    Kafka is away.
    """

    def __init__(
        self,
        publisher: Publisher,
        outboxes: Sequence[Outbox],
        *,
        size: int = 200,
        rounds: int = 4,
        linger: float = 0.005,
        backlog: int = 5_000,
        sweep_every: float = 1.0,
        overdue_after: timedelta = timedelta(seconds=5),
        lease: timedelta = timedelta(seconds=25),
    ) -> None:
        self._publisher = publisher
        self._outboxes = outboxes
        self._size = size
        self._at_once = rounds
        self._linger = linger
        self._backlog = backlog
        self._sweep_every = sweep_every
        self._overdue_after = overdue_after
        self._lease = lease
        self._work: dict[_Key, _Work] = {}
        self._queue: deque[_Key] = deque()
        self._rounds: set[asyncio.Task[None]] = set()
        self._marks: dict[str, dict[Any, int]] = {}
        self._marking: asyncio.Task[None] | None = None
        self._beginning: asyncio.TimerHandle | None = None
        self._failing = False
        self._stopped = False
        for outbox in outboxes:
            outbox.attach(self.offer)
            metrics.EVENTS_REFUSED.labels(outbox.name)  # shown before the first: a rate needs a nought to grow from

    def offer(self, outbox: Outbox, document: Document) -> None:
        """Take a post-image; returns at once."""
        key = (outbox.name, document["_id"])
        if (work := self._work.get(key)) is not None:
            if work.newest["seq"] < document["seq"]:
                work.newest = document
            return
        if len(self._work) >= self._backlog or "unsent" not in document:
            return
        self._work[key] = _Work(outbox, document)
        self._queue.append(key)
        self._begin_soon()

    def _begin_soon(self) -> None:
        """What comes within a moment goes together, and whoever has just written need not wait for it to be published."""
        if self._beginning is None and len(self._rounds) < self._at_once:
            wait = self._linger if len(self._queue) < self._size else 0
            self._beginning = asyncio.get_running_loop().call_later(wait, self._begin_rounds)

    def _begin_rounds(self) -> None:
        self._beginning = None
        while self._queue and len(self._rounds) < self._at_once and not self._stopped:
            keys = [self._queue.popleft() for _ in range(min(self._size, len(self._queue)))]
            task = asyncio.create_task(self._round({key: self._work[key] for key in keys}))
            self._rounds.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._rounds.discard(task)
        if self._queue:
            self._begin_soon()

    @property
    def waiting(self) -> int:
        """Documents offered and not published yet."""
        return len(self._work)

    async def run(self) -> None:
        """Sweep until cancelled: steadily while Kafka answers, more slowly and with one document while it does not."""
        pause = self._sweep_every
        while True:
            await asyncio.sleep(pause)
            for outbox in self._outboxes:
                try:
                    await self._measure(outbox)
                    await self._sweep_up(outbox)
                except PyMongoError as error:
                    get_logger().warning("sweep_failed", collection=outbox.name, error=type(error).__name__)
            pause = min(pause * 2, 8 * self._sweep_every) if self._failing else self._sweep_every

    async def stop(self, *, within: float = 10.0) -> None:
        """Let what is in flight finish and write its marks; what does not finish is swept up after the restart."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._queue or self._rounds:
                    self._begin_rounds()
                    await asyncio.wait(set(self._rounds))
                while self._marking is not None:
                    await asyncio.shield(self._marking)
        self._stopped = True

    async def _round(self, works: dict[_Key, _Work]) -> None:
        """Publish the next event of each document together. Those that have more wait for a later round."""
        try:
            records = await self._next_records(works)
            if records:
                outcomes = await self._publisher.publish_all(list(records.values()))
                await self._note(works, dict(zip(records, outcomes, strict=True)))
            for key in list(works):
                work = works.pop(key)
                if work.next() is None or self._stopped:
                    self._end(work, key)
                else:
                    self._queue.append(key)
        except Exception as error:
            get_logger().error("round_failed", exc_info=error)
        finally:
            for key, work in works.items():
                self._end(work, key)

    async def _next_records(self, works: dict[_Key, _Work]) -> dict[_Key, Record]:
        """The next event of each document; a document that has none, or whose event cannot be made, leaves the round."""
        records: dict[_Key, Record] = {}
        for key, work in list(works.items()):
            try:
                record = await _next_record(work)
            except PyMongoError as error:
                get_logger().warning("outbox_read_failed", collection=work.outbox.name, error=type(error).__name__)
                record = None
            except Exception as error:
                get_logger().error("event_not_rendered", collection=work.outbox.name, exc_info=error)
                record = None
            if record is None:
                self._end(works.pop(key), key)
            else:
                records[key] = record
        return records

    async def _note(self, works: dict[_Key, _Work], outcomes: Mapping[_Key, Outcome]) -> None:
        """Note what was acknowledged; give back what was not."""
        failed: dict[Outbox, list[Any]] = {}
        refused: dict[Outbox, list[Any]] = {}
        for key, outcome in outcomes.items():
            work = works[key]
            if outcome is None:
                work.sent = work.sending
            elif isinstance(outcome, Refused):
                metrics.EVENTS_REFUSED.labels(work.outbox.name).inc()
                get_logger().error("event_refused", collection=work.outbox.name, error=str(outcome))
                refused.setdefault(work.outbox, []).append(key[1])
            else:
                failed.setdefault(work.outbox, []).append(key[1])
        self._failing = bool(failed)
        for outbox, ids in failed.items():
            await self._give_back(outbox, ids)
        for outbox, ids in refused.items():
            await self._give_back(outbox, ids, after=_REFUSED_AGAIN)
        for key in [key for key, outcome in outcomes.items() if outcome is not None]:
            self._end(works.pop(key), key)

    def _end(self, work: _Work, key: _Key) -> None:
        """Nothing more of this document is published for now."""
        del self._work[key]
        if work.sent:
            self._mark(work.outbox, key[1], work.sent)

    def _mark(self, outbox: Outbox, _id: Any, n: int) -> None:
        marks = self._marks.setdefault(outbox.name, {})
        marks[_id] = max(n, marks.get(_id, 0))
        if self._marking is None:
            self._marking = asyncio.create_task(self._write_marks())

    async def _write_marks(self) -> None:
        """Write marks in bulk, one bulk at a time, and not at once: nobody waits for them. A lost mark only republishes."""
        by_name = {outbox.name: outbox for outbox in self._outboxes}
        try:
            while self._marks:
                await asyncio.sleep(_MARKS_WAIT)
                taken, self._marks = self._marks, {}
                for name, marks in taken.items():
                    collection = by_name[name].collection.with_options(write_concern=FAST)
                    await collection.bulk_write(_mark_updates(marks), ordered=False)
        except PyMongoError as error:
            get_logger().warning("marks_lost", error=type(error).__name__)
        finally:
            self._marking = None

    async def _give_back(self, outbox: Outbox, ids: Sequence[Any], *, after: timedelta = timedelta()) -> None:
        """Return the leases, so that any process may sweep them as soon as Kafka answers again, or when some time has passed."""
        due = _now_plus(after - self._overdue_after)
        returned = UpdateMany({"_id": {"$in": list(ids)}, "due": {"$exists": True}}, [{"$set": {"due": due, "since": _SINCE}}])
        with contextlib.suppress(PyMongoError):
            await outbox.collection.with_options(write_concern=FAST).bulk_write([returned], ordered=False)

    async def _measure(self, outbox: Outbox) -> None:
        count = await outbox.collection.count_documents({"due": {"$exists": True}}, limit=_COUNTED)
        now = await outbox._clock.now()
        earliest = [await _earliest(outbox.collection, moment) or now for moment in ("due", "since")]
        metrics.OUTBOX_PENDING.labels(outbox.name).set(count)
        metrics.OUTBOX_OLDEST.labels(outbox.name).set((now - min(now, *earliest)).total_seconds())

    async def _sweep_up(self, outbox: Outbox) -> None:
        """Sweep until nothing is overdue; while Kafka does not answer one document is enough to find out."""
        while True:
            limit = 1 if self._failing else min(_SWEPT, self._backlog - len(self._work))
            if limit <= 0 or await self._sweep(outbox, limit=limit) < _SWEPT:
                return

    async def _sweep(self, outbox: Outbox, *, limit: int) -> int:
        """Claim overdue documents in one write and publish them; returns how many."""
        overdue = {"due": {"$exists": True}, "$expr": {"$lte": ["$due", _now_plus(-self._overdue_after)]}}
        found = await outbox.collection.find(overdue, {"_id": 1}).sort("due", 1).limit(limit).to_list(limit)
        ids = [d["_id"] for d in found if (outbox.name, d["_id"]) not in self._work]
        if not ids:
            return 0
        token = secrets.token_hex(8)
        claim = UpdateMany(
            {"_id": {"$in": ids}, **overdue}, [{"$set": {"due": _now_plus(self._lease), "since": _SINCE, "claim": token}}]
        )
        await outbox.collection.bulk_write([claim])
        async for document in outbox.durable.find({"_id": {"$in": ids}, "claim": token}):
            self.offer(outbox, document)
        return len(ids)


async def _next_record(work: _Work) -> Record | None:
    """The next event that is to be published of a document; a backlog longer than the image is read whole."""
    n = work.next()
    if n is None:
        return None
    outbox, document = work.outbox, work.newest
    entry = _entry_of(document, n)
    if entry is None:
        document = await outbox.whole(document["_id"], document["agency"])
        if document["seq"] >= work.newest["seq"]:
            work.newest = document
        entry = _entry_of(document, n)
    if entry is None:
        raise LookupError(f"{outbox.name} has no event {n}")
    work.sending = n
    event = outbox.event(document, entry)
    return Record(CATALOGUE[event.type].topic, event.subject.encode(), event.encode(), headers(event))


def _entry_of(document: Document, n: int) -> Document | None:
    return next((entry for entry in reversed(document["events"]) if entry["n"] == n), None)


async def _earliest(collection: Collection, moment: str) -> datetime | None:
    """The earliest value of an indexed field."""
    found = await collection.find({moment: {"$exists": True}}, {moment: 1}).sort(moment, 1).limit(1).to_list(1)
    return found[0][moment] if found else None


def _mark_updates(marks: Mapping[Any, int]) -> list[UpdateMany]:
    """Marks of one collection (`_id` → last acknowledged), those of equal numbers in one update."""
    by_number: dict[int, list[Any]] = {}
    for _id, n in marks.items():
        by_number.setdefault(n, []).append(_id)
    return [_mark_update(ids, n) for n, ids in by_number.items()]


def _mark_update(ids: Sequence[Any], n: int) -> UpdateMany:
    more = {"$gt": ["$seq", n]}
    return UpdateMany(
        {"_id": {"$in": list(ids)}, "unsent": {"$lte": n}},
        [
            {
                "$set": {
                    "unsent": {"$cond": [more, n + 1, "$$REMOVE"]},
                    "due": {"$cond": [more, "$due", "$$REMOVE"]},
                    "since": {"$cond": [more, "$since", "$$REMOVE"]},
                }
            }
        ],
    )


def _now_plus(delta: timedelta) -> Document:
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(delta.total_seconds() * 1000)}}


def headers(event: Event[Payload]) -> list[tuple[str, bytes]]:
    """W3C trace context: the trace of the request, and a span of the event's own."""
    if len(event.correlationid) != 32:
        return []
    return [("traceparent", f"00-{event.correlationid}-{event.id.hex[-16:]}-01".encode())]
