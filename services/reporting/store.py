"""What reporting keeps: facts, and buckets of flows summed from them; every query.

`facts`: one document per aggregate: `_id` kind/subject, `agency`, `sequence`, `kind`, `label`, `sealed`, `settled`, `details`,
`flows` [{day, about, measure, key, n}], `first` and `last` day of its flows, `days` (every day it ever had a flow on, so that a
day it moved away from is summed again too).

`buckets`: one document per agency and booking day: `flows`, the sum of that day's flows of all facts. They are recomputed and
set, never incremented: a write asks for it by raising `wanted`; a worker reads `wanted`, sums the facts, and sets the sum with
`done` = what it had read, if nobody has set a newer one. So a repeated, late or crashed worker can do no harm.

`months`: one document per agency and report month (15th to 14th, as the law counts), named by its first day: `flows`, the sums of
its days with `about` rolled up to the month, and `totals` without it. Kept like the buckets, only from days that do not wait.

Days are ISO strings: BSON has no days, and they sort as they should.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pymongo import IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from contracts.envelope import Event
from kit.auth import STAFF_SPEC
from kit.calendars import SPEC as CALENDARS
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
MONTHS = CollectionSpec(
    "months",
    (
        IndexModel([("agency", 1), ("month", 1)], name="by_month"),
        IndexModel([("dirty_since", 1)], name="dirty", partialFilterExpression={"dirty": True}),
    ),
)
SPECS: tuple[CollectionSpec, ...] = (FACTS, BUCKETS, MONTHS, STAFF_SPEC, CALENDARS)

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
        self, agency: str, kinds: Iterable[FactKind], measure: Measure, first_day: date, until: date
    ) -> AsyncIterator[tuple[str, bool, list[Flow]]]:
        """(label, sealed, flows of the measure) of the facts that may be in a cell of a period: those that moved in it or were
        still open.
        """
        reaching = [{"last": {"$gte": first_day.isoformat()}}, {"settled": False}]
        query = {"agency": agency, "kind": {"$in": sorted(kinds)}, "$or": reaching, "first": {"$lt": until.isoformat()}}
        # A fact has a dozen flows, of which a cell counts one or two.
        counted = {"$filter": {"input": "$flows", "cond": {"$eq": ["$$this.measure", measure.value]}}}
        async for row in self.collection.find(query, {"label": 1, "sealed": 1, "flows": counted}):
            if row["flows"]:
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
    """The buckets of one database, by day and by month."""

    def __init__(self, database: Database) -> None:
        self._days: Collection = database[BUCKETS.name]
        self._months: Collection = database[MONTHS.name]
        self._clock = ServerClock(database)

    async def mark(self, days: Iterable[tuple[str, str]]) -> None:
        """Ask for these (agency, day) to be summed again. Called after the facts are written."""
        asked = sorted(days)
        # Days first: a month that is summed in between finds its day waiting, and one summed before is asked for again.
        await _write_marks(self._days, [_mark(agency, "day", day) for agency, day in asked])
        await self._mark_months(asked)

    async def _mark_months(self, days: Iterable[tuple[str, str]]) -> None:
        months = sorted({(agency, _month_of(day)) for agency, day in days})
        await _write_marks(self._months, [_mark(agency, "month", month) for agency, month in months])

    async def adopt(self) -> None:
        """Ask for the months of days that were summed before months were kept."""
        if await self._months.find_one({}, {"_id": 1}) is None:
            await self._mark_months([(row["agency"], row["day"]) async for row in self._days.find({}, {"agency": 1, "day": 1})])

    async def recompute(self, facts: Facts, *, limit: int = 50) -> int:
        """Sum the days that wait the longest, then the months that wait for no day; returns how many there were."""
        return await self._recompute_days(facts, limit) + await self._recompute_months(limit)

    async def _recompute_days(self, facts: Facts, limit: int) -> int:
        found = await self._waiting(self._days, "day", limit)
        for row in found:
            started = await self._clock.now()
            flows = await facts.sum_of_day(row["agency"], row["day"])
            await self._days.bulk_write([_set(row, {"flows": flows}, started)])
        return len(found)

    async def _recompute_months(self, limit: int) -> int:
        done = 0
        for row in await self._waiting(self._months, "month", limit):
            started = await self._clock.now()
            days = {"agency": row["agency"], "day": _days_of(row["month"])}
            if await self._days.find_one({**days, "dirty": True}, {"_id": 1}) is None:
                flows = [flow async for flow in aggregate(self._days, _sum_of_month(days))]
                await self._months.bulk_write([_set(row, {"flows": flows, "totals": _totals(flows)}, started)])
                done += 1
        return done

    async def _waiting(self, collection: Collection, name: str, limit: int) -> list[Document]:
        rows = collection.find({"dirty": True}, {"agency": 1, name: 1, "wanted": 1})
        return await rows.sort("dirty_since", 1).limit(limit).to_list(limit)

    async def staleness(self) -> float:
        """Seconds since which the oldest day or month waits to be summed again; 0 when none does."""
        now = await self._clock.now()
        oldest = now
        for collection in (self._days, self._months):
            rows = collection.find({"dirty": True}, {"dirty_since": 1}).sort("dirty_since", 1).limit(1)
            oldest = min([oldest, *(row["dirty_since"] for row in await rows.to_list(1))])
        return (now - oldest).total_seconds()

    async def freshness(self, agency: str, until: date) -> Freshness:
        """What of the agency's days before `until`, and of the months that are over by then, waits."""
        days = {"day": {"$lt": until.isoformat()}}
        months = {"month": {"$lt": _month_of(until.isoformat())}}
        waiting, since = 0, []
        for collection, some in ((self._days, days), (self._months, months)):
            stages: list[Document] = [
                {"$match": {"dirty": True, "agency": agency, **some}},
                {"$group": {"_id": None, "waiting": {"$sum": 1}, "since": {"$min": "$dirty_since"}}},
            ]
            # Without the hint every day of the agency is read to see that none waits.
            async for row in aggregate(collection, stages, hint="dirty"):
                waiting += row["waiting"]
                since.append(row["since"])
        return Freshness(waiting, min(since, default=None))

    async def tally(self, agency: str, first_day: date, until: date) -> Tally:
        """The sums of everything known before `until`, told apart by the period's first day.

        From whole months as far as they go: those before the period, and, when it begins with a month, those in it.
        """
        first, end = first_day.isoformat(), until.isoformat()
        begins, tail = _month_of(first), _month_of(end)
        start = min(begins, tail)
        reads = [self._sums_of_months(agency, {"$lt": start}, first, "totals")]
        if begins == first and begins < tail:
            reads.append(self._sums_of_months(agency, {"$gte": begins, "$lt": tail}, first, "flows"))
            start = tail
        reads.append(self._sums_of_days(agency, {"$gte": start, "$lt": end}, first))
        sums: Counter[tuple[str, tuple[str, ...], bool, bool]] = Counter()
        for read in reads:
            for place, n in await read:
                sums[place] += n
        return Tally([Sum(Measure(measure), key, about, day, n) for (measure, key, about, day), n in sums.items()])

    async def _sums_of_months(self, agency: str, months: Document, first: str, of: str) -> "_Sums":
        day_before = of == "totals"
        place: Document = {"measure": f"${of}.measure", "key": f"${of}.key"}
        if not day_before:
            place["about_before"] = {"$lt": ["$flows.about", first]}
        stages: list[Document] = [
            {"$match": {"agency": agency, "month": months}},
            {"$project": {of: 1}},
            {"$unwind": f"${of}"},
            {"$group": {"_id": place, "n": {"$sum": f"${of}.n"}}},
        ]
        rows = [(row["_id"], row["n"]) async for row in aggregate(self._months, stages)]
        # What was booked before the period is about a day before it: no flow is booked before its business day.
        return [((p["measure"], tuple(p["key"]), p.get("about_before", True), day_before), n) for p, n in rows]

    async def _sums_of_days(self, agency: str, days: Document, first: str) -> "_Sums":
        stages: list[Document] = [
            {"$match": {"agency": agency, "day": days}},
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
        rows = [(row["_id"], row["n"]) async for row in aggregate(self._days, stages)]
        return [((p["measure"], tuple(p["key"]), p["about_before"], p["day_before"]), n) for p, n in rows]


_Sums = list[tuple[tuple[str, tuple[str, ...], bool, bool], int]]
"""(measure, key, business day before the period, booking day before the period) → n."""

_FIRST_OF_MONTH = 15


def _month_of(day: str) -> str:
    """The first day of the report month to which a day belongs."""
    return (date.fromisoformat(day) - timedelta(days=_FIRST_OF_MONTH - 1)).replace(day=_FIRST_OF_MONTH).isoformat()


def _days_of(month: str) -> Document:
    """The days of a report month, as a query."""
    following = (date.fromisoformat(month) + timedelta(days=31)).replace(day=_FIRST_OF_MONTH)
    return {"$gte": month, "$lt": following.isoformat()}


def _sum_of_month(days: Document) -> list[Document]:
    """The flows of these days, summed by the month that they are about."""
    about = {"$dateSubtract": {"startDate": {"$toDate": "$flows.about"}, "unit": "day", "amount": _FIRST_OF_MONTH - 1}}
    place = {
        "about": {"$dateToString": {"date": about, "format": f"%Y-%m-{_FIRST_OF_MONTH}"}},
        "measure": "$flows.measure",
        "key": "$flows.key",
    }
    return [
        {"$match": days},
        {"$unwind": "$flows"},
        {"$group": {"_id": place, "n": {"$sum": "$flows.n"}}},
        {"$match": {"n": {"$ne": 0}}},
        {"$sort": {"_id": 1}},
        {"$replaceWith": {"$mergeObjects": ["$_id", {"n": "$n"}]}},
    ]


def _totals(flows: Iterable[Document]) -> list[Document]:
    totals: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for flow in flows:
        totals[flow["measure"], tuple(flow["key"])] += flow["n"]
    return [{"measure": measure, "key": list(key), "n": n} for (measure, key), n in totals.items() if n]


async def _write_marks(collection: Collection, updates: Sequence[UpdateOne]) -> None:
    if not updates:
        return
    try:
        await collection.bulk_write(list(updates), ordered=False)
    except BulkWriteError as error:
        if only_duplicates(error):  # two made the same bucket at once: the batch is repeated
            raise Transient("bucket made meanwhile") from None
        raise


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


def _mark(agency: str, name: str, first_day: str) -> UpdateOne:
    """Ask for the day or month of this first day; `name` is its field."""
    return UpdateOne(
        {"_id": f"{agency}/{first_day}"},
        [
            {
                "$set": {
                    "agency": agency,
                    name: first_day,
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


def _set(row: Document, sums: Document, started: datetime) -> UpdateOne:
    """Set the sums if nobody has set those of later facts; what was asked for meanwhile stays asked for."""
    more = {"$gt": ["$wanted", row["wanted"]]}
    return UpdateOne(
        {"_id": row["_id"], "done": {"$lt": row["wanted"]}},
        [
            {
                "$set": {
                    "done": row["wanted"],
                    **{name: {"$literal": value} for name, value in sums.items()},
                    "dirty": more,
                    "dirty_since": {"$cond": [more, started, "$$REMOVE"]},
                }
            }
        ],
    )
