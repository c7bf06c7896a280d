"""What reporting keeps: facts, and buckets of flows summed from them; every query.

`facts`: one document per aggregate: `_id` kind/subject, `agency`, `sequence`, `kind`, `label`, `sealed`, `settled`, `details`,
`flows` [{day, about, measure, key, n}], `first` and `last` day of its flows, `days` (every day it ever had a flow on, so that a
day it moved away from is summed again too).

`buckets`: one document per agency and booking day: `flows`, the sum of that day's flows of all facts. They are recomputed and
set, never incremented: a write asks for it by raising `wanted`; a worker reads `wanted`, sums the facts, and sets the sum with
`done` = what it had read, if nobody has set a newer one. So a repeated, late or crashed worker can do no harm.

Days are ISO strings: BSON has no days, and they sort as they should.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pymongo import IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from contracts.envelope import Event
from kit.auth import STAFF_SPEC
from kit.errors import Transient
from kit.mongo import Collection, CollectionSpec, Database, Document, ServerClock, aggregate, only_duplicates
from services.reporting.domain import Fact, FactKind, Flow, Measure, Sum, Tally

FACTS = CollectionSpec(
    "facts",
    (
        IndexModel([("agency", 1), ("days", 1)], name="by_day"),
        IndexModel([("agency", 1), ("kind", 1), ("last", 1)], name="by_last_day"),
        IndexModel([("agency", 1), ("kind", 1), ("settled", 1)], name="by_settled"),
    ),
)
BUCKETS = CollectionSpec(
    "buckets",
    (
        IndexModel([("agency", 1), ("day", 1)], name="by_day"),
        IndexModel([("dirty_since", 1)], name="dirty", partialFilterExpression={"dirty": True}),
    ),
)
SPECS: tuple[CollectionSpec, ...] = (FACTS, BUCKETS, STAFF_SPEC)

Recorded = tuple[Event[Any], Fact]


def fact_id(kind: FactKind, subject: str) -> str:
    return f"{kind}/{subject}"


class Facts:
    """The facts of one database; `name` is another collection while a rebuild fills it."""

    def __init__(self, database: Database, name: str = FACTS.name) -> None:
        self.collection: Collection = database[name]

    async def save(self, recorded: Sequence[Recorded]) -> set[tuple[str, str]]:
        """Take over the newest facts in one write; an older event changes nothing.

        Returns every (agency, day) that may have changed, also those of facts that an earlier, interrupted delivery wrote.
        """
        if not recorded:
            return set()
        try:
            await self.collection.bulk_write([_upsert(event, fact) for event, fact in recorded], ordered=False)
        except BulkWriteError as error:
            if not only_duplicates(error):  # a duplicate: what is there is as new
                raise
        ids = [fact_id(fact.kind, event.subject) for event, fact in recorded]
        rows = self.collection.find({"_id": {"$in": ids}}, {"agency": 1, "days": 1})
        return {(row["agency"], day) async for row in rows for day in row["days"]}

    async def days(self) -> set[tuple[str, str]]:
        """Every (agency, day) that has flows."""
        stages: list[Document] = [{"$unwind": "$days"}, {"$group": {"_id": {"agency": "$agency", "day": "$days"}}}]
        return {(row["_id"]["agency"], row["_id"]["day"]) async for row in aggregate(self.collection, stages)}

    async def sum_of_day(self, agency: str, day: str) -> list[Document]:
        """The flows of a day, summed over all facts."""
        stages: list[Document] = [
            {"$match": {"agency": agency, "days": day}},
            {"$project": {"flows": 1}},
            {"$unwind": "$flows"},
            {"$match": {"flows.day": day}},
            {
                "$group": {
                    "_id": {"about": "$flows.about", "measure": "$flows.measure", "key": "$flows.key"},
                    "n": {"$sum": "$flows.n"},
                }
            },
            {"$match": {"n": {"$ne": 0}}},
            {"$sort": {"_id": 1}},
        ]
        return [{**row["_id"], "n": row["n"]} async for row in aggregate(self.collection, stages)]

    async def candidates(
        self, agency: str, kinds: Iterable[FactKind], first_day: date, until: date
    ) -> AsyncIterator[tuple[str, bool, list[Flow]]]:
        """(label, sealed, flows) of the facts that may be in a cell of a period: those that moved in it or were still open."""
        reaching = [{"last": {"$gte": first_day.isoformat()}}, {"settled": False}]
        query = {"agency": agency, "kind": {"$in": sorted(kinds)}, "$or": reaching, "first": {"$lt": until.isoformat()}}
        async for row in self.collection.find(query, {"label": 1, "sealed": 1, "flows": 1}):
            yield row["label"], row["sealed"], [_flow(f) for f in row["flows"]]

    async def dialogues_of_year(self, agency: str, year: int) -> list[Document]:
        """(label, details) of a plan year's dialogues, in their order."""
        query = {"agency": agency, "kind": FactKind.DIALOGUE.value, "details.year": year}
        return await self.collection.find(query, {"label": 1, "details": 1}).sort("details.ordinal", 1).limit(100).to_list(100)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether every bucket is up to date, and if not, since when the oldest waits."""

    waiting: int
    since: datetime | None

    @property
    def is_clean(self) -> bool:
        return self.waiting == 0


class Buckets:
    """The buckets of one database."""

    def __init__(self, database: Database) -> None:
        self._collection: Collection = database[BUCKETS.name]
        self._clock = ServerClock(database)

    async def mark(self, days: Iterable[tuple[str, str]]) -> None:
        """Ask for these (agency, day) to be summed again. Called after the facts are written."""
        updates = [_mark(agency, day) for agency, day in sorted(days)]
        if not updates:
            return
        try:
            await self._collection.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            if only_duplicates(error):  # two made the same bucket at once: the batch is repeated
                raise Transient("bucket made meanwhile") from None
            raise

    async def recompute(self, facts: Facts, *, limit: int = 50) -> int:
        """Sum the buckets that wait the longest; returns how many there were."""
        rows = self._collection.find({"dirty": True}, {"agency": 1, "day": 1, "wanted": 1})
        found = await rows.sort("dirty_since", 1).limit(limit).to_list(limit)
        for row in found:
            started = await self._clock.now()
            flows = await facts.sum_of_day(row["agency"], row["day"])
            await self._collection.bulk_write([_set(row, flows, started)])
        return len(found)

    async def staleness(self) -> float:
        """Seconds since which the oldest bucket waits to be summed again; 0 when none does."""
        oldest = await self._collection.find({"dirty": True}, {"dirty_since": 1}).sort("dirty_since", 1).limit(1).to_list(1)
        if not oldest:
            return 0.0
        waited: float = ((await self._clock.now()) - oldest[0]["dirty_since"]).total_seconds()
        return max(waited, 0.0)

    async def freshness(self, agency: str, until: date) -> Freshness:
        """What of the agency's buckets before `until` waits."""
        query = {"dirty": True, "agency": agency, "day": {"$lt": until.isoformat()}}
        stages: list[Document] = [
            {"$match": query},
            {"$group": {"_id": None, "waiting": {"$sum": 1}, "since": {"$min": "$dirty_since"}}},
        ]
        async for row in aggregate(self._collection, stages):
            return Freshness(row["waiting"], row["since"])
        return Freshness(0, None)

    async def tally(self, agency: str, first_day: date, until: date) -> Tally:
        """The sums of everything known before `until`, told apart by the period's first day."""
        first = first_day.isoformat()
        stages: list[Document] = [
            {"$match": {"agency": agency, "day": {"$lt": until.isoformat()}}},
            {"$unwind": "$flows"},
            {
                "$group": {
                    "_id": {
                        "measure": "$flows.measure",
                        "key": "$flows.key",
                        "about_before": {"$lt": ["$flows.about", first]},
                        "day_before": {"$lt": ["$day", first]},
                    },
                    "n": {"$sum": "$flows.n"},
                }
            },
        ]
        sums = []
        async for row in aggregate(self._collection, stages):
            place = row["_id"]
            sums.append(Sum(Measure(place["measure"]), tuple(place["key"]), place["about_before"], place["day_before"], row["n"]))
        return Tally(sums)


def _upsert(event: Event[Any], fact: Fact) -> UpdateOne:
    days = sorted({flow.day.isoformat() for flow in fact.flows})
    fields = {
        "agency": event.agency,
        "sequence": event.sequence,
        "kind": fact.kind.value,
        "label": fact.label,
        "sealed": fact.sealed,
        "settled": fact.settled,
        "details": dict(fact.details),
        "flows": [_document(flow) for flow in fact.flows],
        "first": days[0] if days else None,
        "last": days[-1] if days else None,
    }
    kept = {"$setUnion": [{"$ifNull": ["$days", []]}, days]}
    return UpdateOne(
        {"_id": fact_id(fact.kind, event.subject), "sequence": {"$lt": event.sequence}},
        [{"$set": {name: {"$literal": value} for name, value in fields.items()} | {"days": kept}}],
        upsert=True,
    )


def _document(flow: Flow) -> Document:
    return {
        "day": flow.day.isoformat(),
        "about": flow.about.isoformat(),
        "measure": flow.measure.value,
        "key": [str(part) for part in flow.key],
        "n": flow.n,
    }


def _flow(document: Document) -> Flow:
    return Flow(
        date.fromisoformat(document["day"]),
        date.fromisoformat(document["about"]),
        Measure(document["measure"]),
        tuple(document["key"]),
        document["n"],
    )


def _mark(agency: str, day: str) -> UpdateOne:
    return UpdateOne(
        {"_id": f"{agency}/{day}"},
        [
            {
                "$set": {
                    "agency": agency,
                    "day": day,
                    "wanted": {"$add": [{"$ifNull": ["$wanted", 0]}, 1]},
                    "done": {"$ifNull": ["$done", 0]},
                    "flows": {"$ifNull": ["$flows", []]},
                    "dirty": True,
                    "dirty_since": {"$ifNull": ["$dirty_since", "$$NOW"]},
                }
            }
        ],
        upsert=True,
    )


def _set(row: Document, flows: list[Document], started: datetime) -> UpdateOne:
    """Set the sum if nobody has set one of later facts; what was asked for meanwhile stays asked for."""
    more = {"$gt": ["$wanted", row["wanted"]]}
    return UpdateOne(
        {"_id": row["_id"], "done": {"$lt": row["wanted"]}},
        [
            {
                "$set": {
                    "done": row["wanted"],
                    "flows": {"$literal": flows},
                    "dirty": more,
                    "dirty_since": {"$cond": [more, started, "$$REMOVE"]},
                }
            }
        ],
    )
