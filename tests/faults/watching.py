"""What can be seen from outside: the databases, Kafka's offsets and the caught mail. Never the services' logs."""

import email
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import Topic
from kit import mongo
from kit.mongo import CollectionSpec, Database
from services.intake.store import SPECS as INTAKE
from services.notify.store import SPECS as NOTIFY
from services.reporting.store import SPECS as REPORTING
from services.routing.store import SPECS as ROUTING

SPECS: dict[str, Sequence[CollectionSpec]] = {"intake": INTAKE, "routing": ROUTING, "notify": NOTIFY, "reporting": REPORTING}


class Watcher:
    """Reads everything, writes nothing."""

    def __init__(self, mongodb_url: str, bootstrap: str, prefix: str = "doithoai") -> None:
        self.client = mongo.connect(mongodb_url, driver="pymongo")
        self.bootstrap = bootstrap
        self._prefix = prefix

    def database(self, service: str) -> Database:
        return self.client[f"{self._prefix}_{service}"]

    async def unpublished(self) -> int:
        """Documents with an event that Kafka has not acknowledged, in all outboxes."""
        total = 0
        for service, specs in SPECS.items():
            for spec in specs:
                if spec.has_outbox:
                    total += await self.database(service)[spec.name].count_documents({"due": {"$exists": True}})
        return total

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Every dead letter of every service."""
        return [row for service in SPECS for row in await self.database(service)["dead_letters"].find().to_list(None)]

    async def records(self, topic: Topic) -> list[tuple[TopicPartition, int, str]]:
        """(partition, offset, key) of every record of a topic."""
        reader = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        await reader.start()
        try:
            partitions = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
            reader.assign(partitions)
            ends = await reader.end_offsets(partitions)
            await reader.seek_to_beginning(*partitions)
            found: list[tuple[TopicPartition, int, str]] = []
            while [p for p in partitions if await reader.position(p) < ends[p]]:
                for partition, records in (await reader.getmany(timeout_ms=500)).items():
                    found += [(partition, r.offset, (r.key or b"").decode()) for r in records]
            return found
        finally:
            await reader.stop()

    async def committed(self, group: str, topic: Topic) -> dict[TopicPartition, int]:
        """The committed offsets of a group."""
        reader = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False)
        await reader.start()
        try:
            partitions = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
            return {p: await reader.committed(p) or 0 for p in partitions}
        finally:
            await reader.stop()

    async def close(self) -> None:
        await mongo.close(self.client)


def mails(directory: Path) -> list[tuple[str, str]]:
    """(recipient, Message-ID) of every message the catcher took."""
    found: list[tuple[str, str]] = []
    for file in sorted(directory.glob("**/*.eml")):
        headers = email.message_from_bytes(file.read_bytes().split(b"\r\n\r\n", 1)[0])
        found.append((headers["X-RcptTo"], headers["Message-ID"]))
    return found


def doubled(values: Sequence[Any]) -> dict[Any, int]:
    """What stands more than once, and how often."""
    return {value: count for value, count in Counter(values).items() if count > 1}
