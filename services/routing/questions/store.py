"""Where cases and questions lie, and every query on them.

No query runs without the agency, none loads `events` but the history of one aggregate, and none but those named for it sees a
sealed question (D6): `_visible` is in every list, count and search.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from contracts.envelope import Event
from contracts.model import (
    CLOSED_STATES,
    SEALED_KINDS,
    CaseSource,
    CaseState,
    CaseStatus,
    DeliveryState,
    QuestionState,
    QuestionStateData,
)
from kit.errors import NotFound
from kit.mongo import FAST, Collection, CollectionSpec, Database, Document, ServerClock, aggregate, only_duplicates
from kit.outbox import Outbox, spec
from services.routing.questions.states import NO_DUE, OPEN_STATES

PAGE = 50
_WITHOUT_EVENTS = {"events": 0}
_IN_A_LIST = {"events": 0, "draft": 0, "additions": 0, "answer": 0, "seal": 0, "steps": 0}
_IN_ORDER = (("sort_at", ASCENDING), ("received_at", ASCENDING), ("_id", ASCENDING))
_OPEN = sorted(s.value for s in OPEN_STATES)
_RUNNING = {"$elemMatch": {"stopped_at": None}}
_HAS_DUE = {"sort_at": {"$lt": NO_DUE}}
"""True of every question whose clock runs; what has ended is not in its index."""
_IF_WAITING = {"dialogue": None, "status": CaseStatus.OPEN.value}
_IF_PROMISED = {"todo.0": {"$exists": True}}
_unfinished = IndexModel([("todo.again_at", 1), ("todo.at", 1)], name="unfinished", partialFilterExpression=_IF_PROMISED)

SPECS: tuple[CollectionSpec, ...] = (
    spec(
        "cases",
        IndexModel([("agency", 1), ("status", 1), ("received_at", 1)], name="by_status"),
        IndexModel([("agency", 1), ("dialogue", 1), ("received_at", 1), ("_id", 1)], name="in_dialogue"),
        IndexModel([("agency", 1), ("case_number", 1)], name="by_number"),
        IndexModel([("agency", 1), ("plan", 1)], name="waiting", partialFilterExpression=_IF_WAITING),
        _unfinished,
    ),
    spec(
        "questions",
        IndexModel([("agency", 1), ("sealed", 1), ("state", 1), *_IN_ORDER, ("dialogue", 1)], name="queue"),
        IndexModel([("agency", 1), ("unit", 1), ("sealed", 1), ("state", 1), *_IN_ORDER, ("dialogue", 1)], name="unit_queue"),
        IndexModel(
            [("agency", 1), ("clocks.stopped_at", 1), ("sort_at", 1), ("unit", 1), ("dialogue", 1)],
            name="running",
            partialFilterExpression=_HAS_DUE,
        ),
        IndexModel([("agency", 1), ("case", 1)], name="by_case"),
        IndexModel([("agency", 1), ("dialogue", 1), ("sealed", 1), ("case", 1), ("section_no", 1)], name="in_dialogue"),
        IndexModel(
            [("agency", 1), ("merged_into", 1)], name="merged", partialFilterExpression={"merged_into": {"$exists": True}}
        ),
        _unfinished,
    ),
    CollectionSpec("deliveries", (IndexModel([("agency", 1), ("case", 1), ("at", 1)], name="by_case"),)),
    CollectionSpec("openings", (IndexModel([("agency", 1), ("question", 1), ("at", -1)], name="by_question"),)),
)


def _visible(agency: str, **more: Any) -> Document:
    return {"agency": agency, "sealed": False, **more}


# What events carry


def render_question(document: Document, _entry: Document) -> QuestionStateData:
    """The question as others may see it; of a sealed one ids and state alone, from its creating write on (D6)."""
    fields = ("case", "case_number", "plan", "dialogue", "source", "state", "sealed", "parent", "steps")
    if document["sealed"]:
        return QuestionStateData.model_validate({k: document.get(k) for k in fields})
    return QuestionStateData.model_validate(document)


def render_case(document: Document, _entry: Document) -> CaseState:
    """The case without its person; of what the person said about coming the answer alone."""
    reply = document.get("attendance_reply")
    return CaseState.model_validate({**document, "attendance_reply": reply["answer"] if reply else None})


def cases_outbox(database: Database, clock: ServerClock) -> Outbox:
    return Outbox(database["cases"], clock, source="routing", render=render_case)


def questions_outbox(database: Database, clock: ServerClock) -> Outbox:
    return Outbox(database["questions"], clock, source="routing", render=render_question)


# One aggregate


async def case(collection: Collection, agency: str, case_id: UUID) -> Document:
    """A case. Raises `NotFound`."""
    return await _one(collection, {"_id": case_id, "agency": agency})


async def question(collection: Collection, agency: str, question_id: UUID, *, sealed: bool = False) -> Document:
    """A question with its history. A sealed one is found by those named for it alone (`sealed`). Raises `NotFound`."""
    return await _one(collection, {"_id": question_id, "agency": agency, "sealed": sealed}, events=True)


async def _one(collection: Collection, query: Document, *, events: bool = False) -> Document:
    document = await collection.find_one(query, None if events else _WITHOUT_EVENTS)
    if document is None:
        raise NotFound(collection.name)
    return document


async def history(collection: Collection, agency: str, _id: UUID) -> list[Document]:
    """The audit trail of one aggregate, oldest first."""
    document = await collection.find_one({"_id": _id, "agency": agency}, {"events": 1}) or {}
    entries: list[Document] = document.get("events", [])
    return entries


# Cases


async def cases_by_id(collection: Collection, agency: str, ids: Iterable[UUID]) -> dict[UUID, Document]:
    """The cases with these ids."""
    rows = collection.find({"_id": {"$in": list(set(ids))}, "agency": agency}, _WITHOUT_EVENTS)
    return {row["_id"]: row async for row in rows}


async def cases_of_dialogue(collection: Collection, agency: str, dialogue: str) -> list[Document]:
    """A dialogue's cases in the order in which they came: every one, since who is left out here is not invited."""
    cursor = collection.find({"agency": agency, "dialogue": dialogue}, _WITHOUT_EVENTS).sort([("received_at", 1), ("_id", 1)])
    return await cursor.to_list(None)


async def cases_with_status(
    collection: Collection, agency: str, status: CaseStatus, *, skip: int, limit: int = PAGE
) -> list[Document]:
    """Cases of one status, oldest first."""
    cursor = collection.find({"agency": agency, "status": status.value}, _WITHOUT_EVENTS).sort([("received_at", 1), ("_id", 1)])
    return await cursor.skip(skip).limit(limit).to_list(limit)


async def count_cases(collection: Collection, agency: str, status: CaseStatus) -> int:
    return await collection.count_documents({"agency": agency, "status": status.value})


async def case_numbered(collection: Collection, agency: str, number: str) -> Document | None:
    """The case with this number, as it is typed in."""
    return await collection.find_one({"agency": agency, "case_number": number.strip().upper()}, _WITHOUT_EVENTS)


async def plans_waiting(collection: Collection) -> list[tuple[str, str]]:
    """(agency, plan) of all agencies' plans with cases that no dialogue has taken: the worker acts for each in its own."""
    stages: list[Document] = [
        {"$match": _IF_WAITING},
        {"$group": {"_id": {"agency": "$agency", "plan": "$plan"}}},
    ]
    return [(row["_id"]["agency"], row["_id"]["plan"]) async for row in aggregate(collection, stages, hint="waiting")]


async def unplaced(collection: Collection, agency: str, plan: str, limit: int = 500) -> list[Document]:
    """Cases of a plan that no dialogue has taken."""
    waiting = {"agency": agency, "plan": plan, **_IF_WAITING}
    return await collection.find(waiting, {"received_at": 1}, hint="waiting").limit(limit).to_list(limit)


# Questions


@dataclass(frozen=True, slots=True)
class Queue:
    """Which questions: states (empty: every open one), unit, dialogue, late ones alone, feedback alone or all but feedback."""

    states: Sequence[QuestionState] = ()
    unit: str | None = None
    dialogue: str | None = None
    overdue_at: datetime | None = None
    section: int | None = None
    feedback: bool | None = None

    def query(self, agency: str) -> Document:
        found = _visible(agency)
        if self.states:
            found["state"] = {"$in": [s.value for s in self.states]}
        elif self.overdue_at is None:
            found["state"] = {"$in": _OPEN}
        if self.unit is not None:
            found["unit"] = self.unit
        if self.dialogue is not None:
            found["dialogue"] = self.dialogue
        if self.feedback is not None:
            found["source"] = CaseSource.FEEDBACK.value if self.feedback else {"$ne": CaseSource.FEEDBACK.value}
        if self.section is not None:
            found["section_no"] = self.section
        if self.overdue_at is not None:
            found["sort_at"] = {"$lte": self.overdue_at}
            found["clocks"] = _RUNNING
        return found


async def queue(collection: Collection, agency: str, which: Queue, *, skip: int = 0, limit: int = PAGE) -> list[Document]:
    """A queue: what is due first stands first, so the overdue lead; what has no clock follows by its receipt."""
    return await collection.find(which.query(agency), _IN_A_LIST).sort(_IN_ORDER).skip(skip).limit(limit).to_list(limit)


async def count(collection: Collection, agency: str, which: Queue) -> int:
    """How many a queue has, read from an index; late ones are few enough to be looked at."""
    index = "running" if which.overdue_at else "queue" if which.unit is None else "unit_queue"
    return await collection.count_documents(which.query(agency), hint=index)


async def counts_by_state(
    collection: Collection, agency: str, unit: str | None = None, *, feedback: bool = False
) -> dict[QuestionState, int]:
    """How many questions are in each open state; of one unit, or of the agency: read from an index alone. Or feedback alone."""
    match = _visible(agency, state={"$in": _OPEN}, **({"unit": unit} if unit is not None else {}))
    if feedback:
        match["source"] = CaseSource.FEEDBACK.value
    rows = aggregate(collection, [{"$match": match}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}])
    return {QuestionState(row["_id"]): row["n"] async for row in rows}


async def questions_of_case(collection: Collection, agency: str, case_id: UUID, *, sealed: bool = False) -> list[Document]:
    """A case's questions in the order of the form; with `sealed`, those too (never for a page)."""
    query: Document = {"agency": agency, "case": case_id} if sealed else _visible(agency, case=case_id)
    cursor = collection.find(query, _WITHOUT_EVENTS).sort([("section_no", 1), ("_id", 1)])
    return await cursor.limit(500).to_list(500)


async def questions_of_dialogue(collection: Collection, agency: str, dialogue: str) -> list[Document]:
    """The questions of a dialogue's cases, every one, sealed ones apart."""
    cursor = collection.find(_visible(agency, dialogue=dialogue), _WITHOUT_EVENTS).sort([("case", 1), ("section_no", 1)])
    return await cursor.to_list(None)


async def merged_into(collection: Collection, agency: str, target: UUID) -> list[Document]:
    """The questions that are answered together with `target`."""
    return await collection.find({"agency": agency, "merged_into": target}, _IN_A_LIST).to_list(None)


async def states_of(collection: Collection, agency: str, ids: Iterable[UUID]) -> list[QuestionState]:
    """The states of these questions."""
    rows = collection.find({"_id": {"$in": list(ids)}, "agency": agency}, {"state": 1})
    return [QuestionState(row["state"]) async for row in rows]


async def cases_ever_sealed(collection: Collection, agency: str, ids: Iterable[UUID]) -> set[UUID]:
    """Those of these cases that have, or had, a sealed question: for what must not be sent to them, never for a page (D6)."""
    was_sealed = [{"sealed": True}, {"steps.state": QuestionState.SEALED.value}]
    rows = collection.find({"agency": agency, "case": {"$in": list(ids)}, "$or": was_sealed}, {"case": 1})
    return {row["case"] async for row in rows}


async def sealed_questions(collection: Collection, agency: str, *, skip: int = 0, limit: int = PAGE) -> list[Document]:
    """For the named readers alone: ids, dates and state, no text."""
    fields = {"agency": 1, "case_number": 1, "state": 1, "received_at": 1, "seal.kind": 1, "seal.at": 1, "outcome_on": 1}
    cursor = collection.find({"agency": agency, "sealed": True}, fields).sort([("state", -1), ("received_at", 1)])
    return await cursor.skip(skip).limit(limit).to_list(limit)


async def with_running_clock(collection: Collection, agency: str, dialogue: str | None = None) -> AsyncIterator[UUID]:
    """Ids of the questions whose clock runs (of one dialogue): to be counted again when a calendar or a meeting moves."""
    query: Document = {"agency": agency, "clocks": _RUNNING, **_HAS_DUE}
    if dialogue is not None:
        query["dialogue"] = dialogue
    async for row in collection.find(query, {"_id": 1}):
        yield row["_id"]


async def to_write_without_clock(collection: Collection, agency: str, dialogue: str) -> AsyncIterator[UUID]:
    """Ids of a dialogue's questions that are to be answered in writing and wait for the notice to start their clock (D10)."""
    query = {
        "agency": agency,
        "dialogue": dialogue,
        "state": QuestionState.TO_WRITE.value,
        "clocks": {"$not": _RUNNING},
    }
    async for row in collection.find(query, {"_id": 1}):
        yield row["_id"]


async def reserve_merge(collection: Collection, agency: str, into: UUID, source: UUID) -> bool:
    """Mark that `source` is being merged into `into`, which then cannot be merged away itself; False if it is not open to it."""
    ended = [s.value for s in (*CLOSED_STATES, QuestionState.MERGED)]
    query = _visible(agency, _id=into, state={"$nin": ended}, source={"$ne": CaseSource.FEEDBACK.value})
    result = await collection.update_one(query, {"$addToSet": {"merged_from": source}})
    return result.matched_count == 1


async def release_merge(collection: Collection, agency: str, into: UUID, source: UUID) -> None:
    """Take the mark back: the merge was refused."""
    await collection.update_one({"_id": into, "agency": agency}, {"$pull": {"merged_from": source}})


# Steps that an act promised


async def unfinished(collection: Collection, before: datetime, now: datetime, limit: int = 100) -> list[Document]:
    """Documents of every agency with a step left from `before` (a crash between two writes), or put off until `now`.

    What was never tried stands first, then what has waited longest: as each try settles a step or puts it off, none starves.
    """
    left = {"todo": {"$elemMatch": {"again_at": None, "at": {"$lt": before}}}}
    due_again = {"todo": {"$elemMatch": {"again_at": {"$lte": now}}}}
    cursor = collection.find({**_IF_PROMISED, "$or": [left, due_again]}, _WITHOUT_EVENTS).sort("todo.again_at", ASCENDING)
    return await cursor.limit(limit).to_list(limit)


async def put_off(collection: Collection, key: tuple[UUID, str], tries: int, again_at: datetime) -> None:
    """A step (document, step) could not be done `tries` times: not again before `again_at`. Losing the mark only repeats it."""
    document, step = key
    await collection.with_options(write_concern=FAST).update_one(
        {"_id": document},
        {"$set": {"todo.$[step].tries": tries, "todo.$[step].again_at": again_at}},
        array_filters=[{"step.id": step}],
    )


async def count_put_off(collection: Collection) -> int:
    """Documents with a step that could not be done."""
    return await collection.count_documents({**_IF_PROMISED, "todo.again_at": {"$exists": True}})


async def done(collection: Collection, ids: Sequence[tuple[UUID, str]]) -> None:
    """These steps (document, step) are done. Losing the mark only repeats them."""
    if ids:
        marks = [UpdateOne({"_id": _id}, {"$pull": {"todo": {"id": step}}}) for _id, step in ids]
        await collection.with_options(write_concern=FAST).bulk_write(marks, ordered=False)


# Deliveries and openings


async def keep_deliveries(collection: Collection, events: Sequence[Event[DeliveryState]]) -> None:
    """Take over what became of letters; an older event changes nothing."""
    writes = [
        UpdateOne(
            {"_id": event.subject, "sequence": {"$lt": event.sequence}},
            {
                "$set": {
                    "sequence": event.sequence,
                    "agency": event.agency,
                    **event.data.model_dump(mode="python", exclude={"steps"}),
                }
            },
            upsert=True,
        )
        for event in events
    ]
    if not writes:
        return
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        if not only_duplicates(error):
            raise


async def deliveries_of_case(collection: Collection, agency: str, case_id: UUID, *, sealed: bool = False) -> list[Document]:
    """What became of the letters about a case, oldest first; with `sealed`, of those about its sealed questions too (D6)."""
    query: Document = {"agency": agency, "case": case_id}
    if not sealed:
        query["kind"] = {"$nin": sorted(SEALED_KINDS)}
    return await collection.find(query).sort("at", 1).limit(500).to_list(500)


async def deliveries_of_cases(collection: Collection, agency: str, ids: Iterable[UUID]) -> dict[UUID, list[Document]]:
    """Case → its deliveries, those about sealed questions apart."""
    found: dict[UUID, list[Document]] = {}
    query = {"agency": agency, "case": {"$in": list(ids)}, "kind": {"$nin": sorted(SEALED_KINDS)}}
    async for row in collection.find(query).sort("at", 1):
        found.setdefault(row["case"], []).append(row)
    return found


async def log_opening(collection: Collection, agency: str, question_id: UUID, username: str, at: datetime) -> None:
    """A named reader opened a sealed question (D6)."""
    await collection.insert_one({"_id": uuid4(), "agency": agency, "question": question_id, "by": username, "at": at})


async def openings(collection: Collection, agency: str, question_id: UUID) -> list[Document]:
    """Who opened a sealed question, newest first."""
    return await collection.find({"agency": agency, "question": question_id}).sort("at", -1).limit(100).to_list(100)
