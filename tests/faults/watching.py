"""What can be seen from outside: the databases, Kafka's records and offsets, the caught mail. Never the services' logs."""

import email
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts import topics
from contracts.topics import Topic
from kit import mongo
from kit.mongo import CollectionSpec, Database, Document
from services.intake.store import SPECS as INTAKE
from services.notify.store import SPECS as NOTIFY
from services.reporting.store import SPECS as REPORTING
from services.routing.store import SPECS as ROUTING

SPECS: dict[str, Sequence[CollectionSpec]] = {"intake": INTAKE, "routing": ROUTING, "notify": NOTIFY, "reporting": REPORTING}
PREFIX = "doithoai"

GROUPS: Mapping[str, tuple[Topic, ...]] = {
    "intake.dialogues": (topics.DIALOGUES,),
    "intake.cases": (topics.CASES,),
    "intake.questions": (topics.QUESTIONS,),
    "intake.staff": (topics.STAFF,),
    "intake.calendars": (topics.CALENDARS,),
    "routing.registrations": (topics.REGISTRATIONS,),
    "routing.feedback": (topics.FEEDBACK,),
    "routing.deliveries": (topics.DELIVERIES,),
    "notify.letters": (topics.INTAKE_LETTERS, topics.ROUTING_LETTERS, topics.REPORTING_LETTERS),
    "notify.registrations": (topics.REGISTRATIONS,),
    "notify.feedback": (topics.FEEDBACK,),
    "notify.staff": (topics.STAFF,),
    "reporting.cases": (topics.CASES,),
    "reporting.questions": (topics.QUESTIONS,),
    "reporting.dialogues": (topics.DIALOGUES,),
    "reporting.surveys": (topics.SURVEYS,),
    "reporting.staff": (topics.STAFF,),
    "reporting.calendars": (topics.CALENDARS,),
}
"""Consumer group, without its prefix → what it reads."""


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Record:
    """A record as it lies in Kafka."""

    place: Place
    key: str
    value: bytes | None
    timestamp: int

    @cached_property
    def event(self) -> dict[str, Any] | None:
        """The event it holds, as JSON; None for what is none."""
        try:
            event = orjson.loads(self.value or b"")
        except orjson.JSONDecodeError:
            return None
        whole = isinstance(event, dict) and isinstance(event.get("sequence"), int) and "data" in event
        return event if whole else None


@dataclass(frozen=True)
class Caught:
    """A mail that the mail server took."""

    recipient: str
    message_id: str
    digest: str
    text: str


class Watcher:
    """Reads everything, writes nothing."""

    def __init__(self, mongodb_url: str, bootstrap: str) -> None:
        self.client = mongo.connect(mongodb_url, driver="pymongo", timeout_ms=20_000)
        self.bootstrap = bootstrap

    def database(self, service: str) -> Database:
        return self.client[f"{PREFIX}_{service}"]

    async def rows(
        self,
        service: str,
        collection: str,
        query: Document | None = None,
        *,
        events: bool = True,
        fields: Sequence[str] | None = None,
    ) -> list[Document]:
        """All documents of a collection; with `fields`, these alone."""
        wanted = fields or (None if events else {"events": 0})
        return await self.database(service)[collection].find(query or {}, wanted).to_list(None)

    async def unpublished(self) -> int:
        """Documents with an event that Kafka has not acknowledged, in all outboxes."""
        total = 0
        for service, specs in SPECS.items():
            for spec in specs:
                if spec.has_outbox:
                    total += await self.database(service)[spec.name].count_documents({"due": {"$exists": True}})
        return total

    async def dead_letters(self) -> list[Document]:
        """Every dead letter of every service."""
        return [row for service in SPECS for row in await self.rows(service, "dead_letters")]

    async def records(self, topic: Topic, since: Mapping[tuple[str, int], int] | None = None) -> list[Record]:
        """Every record of a topic, in order within its partition; at least those from `since` (topic, partition → offset) on."""
        # "earliest": a seek races with aiokafka's own search for a place to begin, which then is the beginning and not the end.
        reader = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
        await reader.start()
        try:
            partitions = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
            reader.assign(partitions)
            for p in partitions:
                if since and (p.topic, p.partition) in since:
                    reader.seek(p, since[p.topic, p.partition])
            ends = await reader.end_offsets(partitions)
            found: list[Record] = []
            while [p for p in partitions if await reader.position(p) < ends[p]]:
                for records in (await reader.getmany(timeout_ms=500)).values():
                    found += [
                        Record(
                            Place(r.topic, r.partition, r.offset), (r.key or b"").decode("utf-8", "replace"), r.value, r.timestamp
                        )
                        for r in records
                    ]
            assert found or since or not any(ends.values()), f"{topic.name} holds records and none was read"
            return found
        finally:
            await reader.stop()

    async def committed(self, *groups: str) -> dict[str, dict[TopicPartition, int]]:
        """The offsets that groups (named as in GROUPS) have committed, for every partition that they read."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found: dict[str, dict[TopicPartition, int]] = {}
            for group in groups:
                offsets = await admin.list_consumer_group_offsets(f"{PREFIX}.{group}")
                partitions = [TopicPartition(topic.name, n) for topic in GROUPS[group] for n in range(topic.partitions)]
                found[group] = {p: max(0, offsets[p].offset) if p in offsets else 0 for p in partitions}
            return found
        finally:
            await admin.close()

    async def lag(self) -> dict[str, int]:
        """Records that each group has not committed yet, of those that lag."""
        reader = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        await reader.start()
        try:
            committed = await self.committed(*GROUPS)
            ends = await reader.end_offsets(list({p for offsets in committed.values() for p in offsets}))
            behind = Counter({g: sum(max(0, ends[p] - at) for p, at in offsets.items()) for g, offsets in committed.items()})
            return dict(+behind)
        finally:
            await reader.stop()

    async def close(self) -> None:
        await mongo.close(self.client)


def mails(directory: Path) -> list[Caught]:
    """Every message that the mail server took, one for each recipient."""
    found: list[Caught] = []
    for file in sorted(directory.glob("**/*.eml")):
        content = file.read_bytes()
        message = email.message_from_bytes(content)  # the newer policy takes five times as long, for thousands of mails
        text = next((_text(part) for part in message.walk() if part.get_content_type() == "text/plain"), "")
        # The envelope line is the catcher's own.
        digest = sha256(content.split(b"\r\n", 1)[1]).hexdigest()
        found += [Caught(to, str(message["Message-ID"]), digest, text) for to in message.get_all("X-RcptTo", [])]
    return found


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode(part.get_content_charset("utf-8"))


def doubled(values: Sequence[Any]) -> dict[Any, int]:
    """What stands more than once, and how often."""
    return {value: count for value, count in Counter(values).items() if count > 1}


def repeated(records: Sequence[Record]) -> int:
    """How many records hold an event that another one holds."""
    return len(records) - len({(record.key, record.event and record.event["sequence"]) for record in records})
