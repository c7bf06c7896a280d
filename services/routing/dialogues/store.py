"""Queries on plans and dialogues."""

from collections.abc import Sequence

from pymongo import IndexModel, ReturnDocument

from contracts.model import DialogueState, PlanState
from kit.mongo import Collection, CollectionSpec, Database, Document, ServerClock
from kit.outbox import Outbox, spec
from services.routing import calendars, numbers

SPECS: tuple[CollectionSpec, ...] = (
    spec(
        "plans",
        IndexModel([("agency", 1), ("year", -1)], name="by_year"),
        IndexModel([("agency", 1), ("year", 1), ("number", 1)], name="by_number", unique=True),
    ),
    spec(
        "dialogues",
        IndexModel([("agency", 1), ("plan", 1), ("ordinal", 1)], name="by_plan"),
        IndexModel([("agency", 1), ("status", 1), ("starts_at", 1)], name="by_date"),
        IndexModel([("unfinished", 1)], name="unfinished", partialFilterExpression={"unfinished.0": {"$exists": True}}),
    ),
    calendars.SPEC,
    numbers.SPEC,
)

_WITHOUT_EVENTS = {"events": 0}
_MANY = 200
"""An agency has a few dialogues a year: no list of them needs pages, and none is unbounded."""


def plans_outbox(database: Database, clock: ServerClock) -> Outbox:
    return Outbox(database["plans"], clock, source="routing", render=lambda document, _: PlanState.model_validate(document))


def dialogues_outbox(database: Database, clock: ServerClock) -> Outbox:
    return Outbox(
        database["dialogues"], clock, source="routing", render=lambda document, _: DialogueState.model_validate(document)
    )


async def plans(collection: Collection, agency: str) -> list[Document]:
    """An agency's plans, newest first."""
    return await collection.find({"agency": agency}, _WITHOUT_EVENTS).sort([("year", -1), ("_id", 1)]).limit(_MANY).to_list(_MANY)


async def plan_numbered(collection: Collection, agency: str, year: int, number: str) -> Document | None:
    return await collection.find_one({"agency": agency, "year": year, "number": number}, _WITHOUT_EVENTS)


async def dialogue(collection: Collection, agency: str, dialogue_id: str) -> Document | None:
    return await collection.find_one({"_id": dialogue_id, "agency": agency}, _WITHOUT_EVENTS)


async def dialogues_of_plan(collection: Collection, agency: str, plan: str) -> list[Document]:
    """A plan's dialogues in their order."""
    cursor = collection.find({"agency": agency, "plan": plan}, _WITHOUT_EVENTS).sort("ordinal", 1)
    return await cursor.limit(_MANY).to_list(_MANY)


async def dialogues(collection: Collection, agency: str) -> list[Document]:
    """An agency's dialogues, newest year first."""
    cursor = collection.find({"agency": agency}, _WITHOUT_EVENTS).sort([("year", -1), ("plan", 1), ("ordinal", 1)])
    return await cursor.limit(_MANY).to_list(_MANY)


async def with_open_deadlines(collection: Collection, agency: str) -> list[Document]:
    """Dialogues of an agency whose notice is not out: their deadlines can still move."""
    open_ones = {"agency": agency, "status": {"$ne": "cancelled"}, "notice": None}
    return await collection.find(open_ones, _WITHOUT_EVENTS).sort([("year", -1), ("ordinal", 1)]).limit(_MANY).to_list(_MANY)


async def unfinished(collection: Collection) -> Sequence[Document]:
    """Dialogues with a fan-out that is still to be done, of every agency: the worker acts for each in its own."""
    cursor = collection.find({"unfinished.0": {"$exists": True}}, _WITHOUT_EVENTS)
    return await cursor.limit(_MANY).to_list(_MANY)


async def finished(collection: Collection, dialogue_id: str, fanout_id: str) -> None:
    """A fan-out is done. Not an event: nobody else needs to know, and repeating the step would cost nothing."""
    await collection.update_one({"_id": dialogue_id}, {"$pull": {"unfinished": fanout_id}})


async def next_speaking_order(collection: Collection, dialogue_id: str) -> int:
    """The next place in a dialogue's speaking order: given out once, even to two workers at a time."""
    after = await collection.find_one_and_update(
        {"_id": dialogue_id}, {"$inc": {"speakers": 1}}, {"speakers": 1}, return_document=ReturnDocument.AFTER
    )
    return int(after["speakers"]) if after else 1
