"""All facts and sums again from the topics, while the service goes on (`doithoai rebuild`).

The topics are read from their start into a collection beside the live one, which then takes its place; what was read into the
live one meanwhile is read once more, which costs nothing: a fact is guarded by its sequence. All of the topics are compacted:
anything that they do not hold means that they lost data; then nothing is replaced, and `doithoai republish` comes first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.envelope import Event, Undecodable, decode
from contracts.events import models
from contracts.views import FIGURES
from kit import mongo
from kit.mongo import Database, Document, aggregate
from services.reporting.consumers import READ, recorded
from services.reporting.store import FACTS, Buckets, Facts

BESIDE = "facts_rebuilt"
_BATCH = 500
_ATTEMPTS = 5
_SUMS = 50
_MODELS = models(*READ.values(), views=FIGURES)

Positions = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did. `lost`: labels of some facts that the topics no longer hold; if any, nothing was replaced."""

    facts: int
    undecodable: int
    lost: Sequence[str]


async def rebuild(database: Database, bootstrap: str) -> Rebuilt:
    """Build the facts again and swap them in, then all sums. Raises Kafka's and MongoDB's errors; then nothing is replaced."""
    await database.drop_collection(BESIDE)
    await mongo.apply(database, [replace(FACTS, name=BESIDE)])
    live, beside = Facts(database), Facts(database, BESIDE)
    async with _Reader(bootstrap) as reader:
        for _ in range(_ATTEMPTS):  # the service reads on: what it has just read is no loss
            await reader.read_into(beside)
            lost = await _only_in(live, beside)
            if not lost:
                break
        else:
            await database.drop_collection(BESIDE)
            return Rebuilt(0, reader.undecodable, [row["label"] for row in lost[:10]])
        days = await live.days() | await beside.days()
        await beside.collection.rename(FACTS.name, dropTarget=True)
        days |= await reader.read_into(live)
    buckets = Buckets(database)
    await buckets.mark(days)
    for _ in range(len(days) // _SUMS + 2):  # those marked here wait the longest; what comes meanwhile is the service's
        if not await buckets.recompute(live, limit=_SUMS):
            break
    return Rebuilt(await live.collection.count_documents({}), reader.undecodable, ())


async def _only_in(live: Facts, beside: Facts) -> list[Document]:
    """Live facts that are not in the other collection."""
    stages: list[Document] = [
        {"$lookup": {"from": beside.collection.name, "localField": "_id", "foreignField": "_id", "as": "other"}},
        {"$match": {"other": []}},
        {"$project": {"other": 0}},
    ]
    return [row async for row in aggregate(live.collection, stages)]


class _Reader:
    """Reads the topics from their start, then on from where it stood; it belongs to no group and commits nothing."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
        self.undecodable = 0

    async def __aenter__(self) -> "_Reader":
        await self._consumer.start()
        names = [topic.name for topic in READ.values()]
        partitions = [TopicPartition(topic.name, number) for topic in READ.values() for number in range(topic.partitions)]
        missing = set(names) - await self._consumer.topics()
        if missing:
            await self._consumer.stop()
            raise LookupError(f"missing topics: {', '.join(sorted(missing))}")
        self._consumer.assign(partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read_into(self, facts: Facts) -> set[tuple[str, str]]:
        """Everything up to the topics' present ends; returns the (agency, day) touched."""
        days: set[tuple[str, str]] = set()
        ends: Positions = await self._consumer.end_offsets(list(self._consumer.assignment()))
        while any([await self._consumer.position(partition) < end for partition, end in ends.items()]):
            batches = await self._consumer.getmany(timeout_ms=500, max_records=_BATCH)
            records = [record for batch in batches.values() for record in batch]
            days |= await facts.save(recorded(self._events(records)))
        return days

    def _events(self, records: Sequence[ConsumerRecord]) -> list[Event]:  # type: ignore[type-arg]
        events = []
        for record in records:
            try:
                events.append(decode(record.value, _MODELS))
            except Undecodable:
                self.undecodable += 1
        return events
