"""Durable inserts that share writes: documents that arrive while a write is in flight go together in the next one.

No timer: a document that finds nothing in flight is written at once. Each waiter learns the fate of its own document:

- written with majority and journal: `Written(True, document)`
- an equal request was there before it: `Written(False, stored document)`
- the id is taken by other content: `Conflict`
- anything that leaves its fate unknown: `Unavailable`; the same request may be sent again, its id makes that safe
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern

from kit.errors import Conflict, Unavailable
from kit.logging import get_logger
from kit.mongo import Collection, Document, duplicate_indexes, is_transient
from services.intake.metrics import GROUP_SIZE

OTHER_CONTENT = "this key was used for other content"


@dataclass(frozen=True, slots=True)
class Written:
    """A document that is durably stored; `created` is False when an equal request had stored it before."""

    created: bool
    document: Document


@dataclass(slots=True)
class _Waiting:
    document: Document
    fate: asyncio.Future[Written]


class GroupCommit:
    """Writes documents into one collection, at most `size` in a write and `in_flight` writes at once.

    A document has `_id` (its request's identity) and `payload_hash` (its content's). At most `queue` documents wait; the next
    one is refused with `Unavailable`. A waiter that is cancelled is left out if its write has not begun.
    """

    def __init__(self, collection: Collection, *, size: int = 200, in_flight: int = 2, queue: int = 2_000) -> None:
        self._collection = collection
        self._majority = collection.with_options(read_concern=ReadConcern("majority"))
        self._size = size
        self._in_flight = in_flight
        self._queue_limit = queue
        self._queue: deque[_Waiting] = deque()
        self._writes: set[asyncio.Task[None]] = set()

    async def write(self, document: Document) -> Written:
        """Store the document or learn why not. Raises `Conflict` or `Unavailable`."""
        if len(self._queue) >= self._queue_limit:
            raise Unavailable("too many registrations at once")
        waiting = _Waiting(document, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._begin_writes()
        return await waiting.fate

    async def stored(self, _id: UUID, payload_hash: bytes) -> Document | None:
        """The document of an equal request, durably stored; None if there is none. Raises `Conflict`, or the driver's errors."""
        document = await self._majority.find_one({"_id": _id})
        if document is not None and document["payload_hash"] != payload_hash:
            raise Conflict(OTHER_CONTENT)
        return document

    async def drain(self) -> None:
        """Wait for the writes under way and those that wait for them."""
        while self._writes:
            await asyncio.wait(set(self._writes))

    def _begin_writes(self) -> None:
        while self._queue and len(self._writes) < self._in_flight:
            group = self._next_group()
            if not group:
                return
            task = asyncio.create_task(self._write(group))
            self._writes.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._writes.discard(task)
        self._begin_writes()

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        while self._queue and len(group) < self._size:
            waiting = self._queue.popleft()
            if not waiting.fate.done():
                group.append(waiting)
        return group

    async def _write(self, group: Sequence[_Waiting]) -> None:
        GROUP_SIZE.observe(len(group))
        try:
            refused = await self._insert([w.document for w in group])
            await self._tell(group, refused)
        except Exception as error:
            if not isinstance(error, Unavailable):
                get_logger().error("group_commit_failed", count=len(group), exc_info=error)
            for waiting in group:
                _fail(waiting, Unavailable("mongodb"))

    async def _insert(self, documents: Sequence[Document]) -> BulkWriteError | None:
        """Insert, and once more if the connection broke: what the first attempt stored is then found by its id.

        Returns what the server refused one by one; raises `Unavailable` when nothing is sure about any of them.
        """
        for attempt in (1, 2):
            try:
                await self._collection.insert_many(documents, ordered=False)
                return None
            except BulkWriteError as error:
                if (error.details or {}).get("writeConcernErrors"):
                    # Not even a document without an error of its own is known to be durable.
                    raise Unavailable("mongodb") from None
                return error
            except PyMongoError as error:
                if not is_transient(error):
                    raise
                get_logger().warning("group_write_failed", count=len(documents), attempt=attempt, error=type(error).__name__)
        raise Unavailable("mongodb")

    async def _tell(self, group: Sequence[_Waiting], refused: BulkWriteError | None) -> None:
        duplicates = duplicate_indexes(refused) if refused else frozenset()
        failed = {e["index"] for e in (refused.details or {}).get("writeErrors", [])} - duplicates if refused else set()
        for index, waiting in enumerate(group):
            if index in failed:
                _fail(waiting, Unavailable("mongodb"))
            elif index not in duplicates:
                _succeed(waiting, Written(True, waiting.document))
        if duplicates:
            await self._tell_duplicates([group[index] for index in sorted(duplicates)])

    async def _tell_duplicates(self, waiters: Sequence[_Waiting]) -> None:
        """Read what holds the ids; with majority, so that nothing is shown that a failover could take back."""
        ids = list({w.document["_id"] for w in waiters})
        stored: dict[UUID, Document] = {}
        try:
            async for document in self._majority.find({"_id": {"$in": ids}}):
                stored[document["_id"]] = document
        except PyMongoError as error:
            get_logger().warning("group_read_failed", count=len(ids), error=type(error).__name__)
        for waiting in waiters:
            _tell_duplicate(waiting, stored.get(waiting.document["_id"]))


def _tell_duplicate(waiting: _Waiting, stored: Document | None) -> None:
    if stored is None:
        _fail(waiting, Unavailable("mongodb"))
    elif stored["payload_hash"] != waiting.document["payload_hash"]:
        _fail(waiting, Conflict(OTHER_CONTENT))
    else:
        ours = stored["events"][0]["id"] == waiting.document["events"][0]["id"]
        _succeed(waiting, Written(ours, stored))


def _succeed(waiting: _Waiting, written: Written) -> None:
    if not waiting.fate.done():
        waiting.fate.set_result(written)


def _fail(waiting: _Waiting, error: Conflict | Unavailable) -> None:
    if not waiting.fate.done():
        waiting.fate.set_exception(error)
