"""Records that could never be handled, kept in the consumer's own database until an operator decides (`doithoai deadletters`)."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from aiokafka import ConsumerRecord
from bson import Binary
from pymongo import IndexModel
from pymongo.errors import BulkWriteError, PyMongoError

from kit import metrics
from kit.mongo import Collection, CollectionSpec, Database, Document, only_duplicates

COLLECTION = "dead_letters"
KEPT = timedelta(days=30)
COUNT_EVERY = 5.0
HEADERS_KEPT = 100
HEADERS_BYTES = 64 * 1024
"""A record's first headers are kept, so many and so large together at most. Our events have one; a stranger's record may have
thousands.
"""

SPEC = CollectionSpec(
    COLLECTION,
    (
        IndexModel([("expires_at", 1)], name="expiry", expireAfterSeconds=0),
        IndexModel([("group", 1), ("at", -1)], name="by_group"),
    ),
)


def dead_letter_id(record: ConsumerRecord) -> str:
    """SHA-256 of where the record lies and what it holds, so a crash between row and commit cannot double it."""
    place = f"{record.topic}\0{record.partition}\0{record.offset}\0{record.timestamp}\0".encode()
    return sha256(place + (record.value or b"")).hexdigest()


def _binary(content: bytes | None) -> Binary | None:
    return None if content is None else Binary(content)


def _headers(record: ConsumerRecord) -> Document:
    """Pairs of name and content in their order, and how many behind them were not kept."""
    kept: list[list[str | Binary | None]] = []
    size = 0
    for name, content in record.headers[:HEADERS_KEPT]:
        size += len(name.encode()) + len(content or b"")
        if size > HEADERS_BYTES:
            break
        kept.append([name, _binary(content)])
    return {"headers": kept, "headers_cut": len(record.headers) - len(kept)}


class DeadLetters:
    """The rows of one service."""

    def __init__(self, database: Database) -> None:
        self._rows: Collection = database[COLLECTION]

    async def add(self, records: Sequence[tuple[ConsumerRecord, str]], group: str) -> None:
        """Write a row for each (record, reason); repeating is harmless."""
        now = datetime.now(UTC)
        rows: list[Document] = [
            {
                "_id": dead_letter_id(record),
                "group": group,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "timestamp": record.timestamp,
                "key": _binary(record.key),
                "value": _binary(record.value),
                **_headers(record),
                "reason": reason,
                "at": now,
                "expires_at": now + KEPT,
            }
            for record, reason in records
        ]
        try:
            await self._rows.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            if not only_duplicates(error):
                raise

    async def find(self, row: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Newest first, all of them with limit 0; with `row`, those whose id begins so."""
        query = {"_id": {"$gte": row, "$lt": row + "g"}} if row else {}
        return await self._rows.find(query).sort("at", -1).limit(limit).to_list(limit or None)

    async def drop(self, row: str) -> bool:
        """Remove one row for good."""
        return (await self._rows.delete_one({"_id": row})).deleted_count == 1

    async def count(self) -> int:
        """Rows waiting for a decision."""
        return await self._rows.count_documents({})

    async def watch(self) -> None:
        """Show the count until cancelled. A counter of those that came would forget the ones before the last restart."""
        while True:
            with contextlib.suppress(PyMongoError):  # readiness says that MongoDB is down
                metrics.DEAD_LETTERS_WAITING.set(await self.count())
            await asyncio.sleep(COUNT_EVERY)
