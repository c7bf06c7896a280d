"""MongoDB: the one file that imports Motor (its critical fixes end on 14 May 2027; the successor is PyMongo's own async client).

Both drivers give the same objects here, so the way over is the setting `store_driver`. What differs between them
(`aggregate()`) is wrapped below. Writes are `w:majority, j:true` unless a collection says otherwise.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from typing import Any, Literal, TypeAlias, cast

from gridfs.asynchronous import AsyncGridFSBucket
from pymongo import AsyncMongoClient, IndexModel, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WTimeoutError,
)

Document: TypeAlias = dict[str, Any]
Client: TypeAlias = AsyncMongoClient[Document]
Database: TypeAlias = AsyncDatabase[Document]
Collection: TypeAlias = AsyncCollection[Document]

DUPLICATE_KEY = 11000
FAST = WriteConcern(w=1)
"""For marks whose loss only repeats work (outbox marks, leases)."""

_TRANSIENT_CODES = frozenset(
    {6, 7, 24, 50, 64, 89, 91, 112, 175, 189, 202, 262, 290, 314, 9001, 10107, 11600, 11602, 13435, 13436, 14031}
)


def connect(url: str, *, driver: Literal["motor", "pymongo"] = "motor", pool: int = 50, timeout_ms: int | None = 5_000) -> Client:
    """A client for `url`. It connects lazily: a database that is down is an error of the first use, not of this call.

    `timeout_ms` bounds every operation including the search for a primary; None leaves long ones (index builds) alone.
    """
    options: dict[str, Any] = {
        "w": "majority",
        "journal": True,
        "uuidRepresentation": "standard",
        "tz_aware": True,
        "tzinfo": UTC,
        "maxPoolSize": pool,
        "retryWrites": True,
        "appname": "doithoai",
    }
    if timeout_ms is not None:
        options |= {"timeoutMS": timeout_ms, "serverSelectionTimeoutMS": timeout_ms}
    if driver == "pymongo":
        return AsyncMongoClient(url, **options)
    os.environ.setdefault("MOTOR_MAX_WORKERS", str(pool))  # read when Motor is imported; its default is 5 × cores
    from motor.motor_asyncio import AsyncIOMotorClient

    return cast(Client, AsyncIOMotorClient(url, **options))


async def close(client: Client) -> None:
    """Close either driver's client."""
    done: Any = client.close()
    if isawaitable(done):
        await done


async def aggregate(collection: Collection, pipeline: Sequence[Mapping[str, Any]], **options: Any) -> AsyncIterator[Document]:
    """Documents of an aggregation, on both drivers (PyMongo's `aggregate` is awaited, Motor's is not)."""
    cursor: Any = collection.aggregate(list(pipeline), **options)
    if isawaitable(cursor):
        cursor = await cursor
    async for document in cursor:
        yield document


def bucket(database: Database) -> AsyncGridFSBucket:
    """GridFS of a database, on either driver."""
    if isinstance(database, AsyncDatabase):
        return AsyncGridFSBucket(database)
    from motor.motor_asyncio import AsyncIOMotorGridFSBucket

    return cast(AsyncGridFSBucket, AsyncIOMotorGridFSBucket(database))


def is_transient(error: PyMongoError) -> bool:
    """Whether trying again may help: the server is away, stepping down, slow or out of space."""
    if isinstance(error, (ConnectionFailure, NotPrimaryError, ExecutionTimeout, WTimeoutError, WriteConcernError)):
        return True
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        codes = {e.get("code") for e in details.get("writeErrors", [])}
        return bool(details.get("writeConcernErrors")) or bool(codes & _TRANSIENT_CODES)
    if isinstance(error, DuplicateKeyError):
        return False
    if isinstance(error, OperationFailure):
        return error.code in _TRANSIENT_CODES or error.has_error_label("RetryableWriteError")
    return error.timeout


def only_duplicates(error: BulkWriteError) -> bool:
    """True if every document that was refused was there already."""
    details = error.details or {}
    return not details.get("writeConcernErrors") and all(e.get("code") == DUPLICATE_KEY for e in details.get("writeErrors", []))


def duplicate_indexes(error: BulkWriteError) -> frozenset[int]:
    """Positions of a batch's operations that lost to a document already there."""
    return frozenset(e["index"] for e in (error.details or {}).get("writeErrors", []) if e.get("code") == DUPLICATE_KEY)


class ServerClock:
    """The database's clock, from the offset that `hello` tells: leases are judged by one clock, whatever the hosts say."""

    REFRESH = timedelta(seconds=60)

    def __init__(self, database: Database) -> None:
        self._database = database
        self._offset = timedelta()
        self._read_at: datetime | None = None

    async def now(self) -> datetime:
        """The server's time, to about a round trip."""
        local = datetime.now(UTC)
        if self._read_at is None or not timedelta() <= local - self._read_at < self.REFRESH:
            reply = await self._database.command("hello")
            self._read_at = local
            self._offset = reply["localTime"].replace(tzinfo=UTC) - local
        return local + self._offset


@dataclass(frozen=True)
class CollectionSpec:
    """A collection as its store needs it: indexes and a JSON-schema validator. Applied by `migrate`, checked at start."""

    name: str
    indexes: Sequence[IndexModel] = ()
    validator: Mapping[str, Any] = field(default_factory=dict)
    has_outbox: bool = False


async def apply(database: Database, specs: Sequence[CollectionSpec]) -> None:
    """Create what is missing; changes nothing that is already so."""
    existing = set(await database.list_collection_names())
    for spec in specs:
        if spec.name not in existing:
            await database.create_collection(spec.name)
        if spec.validator:
            await database.command("collMod", spec.name, validator=dict(spec.validator))
        if spec.indexes:
            await database[spec.name].create_indexes(list(spec.indexes))


async def missing(database: Database, specs: Sequence[CollectionSpec]) -> list[str]:
    """Names of collections and indexes that `migrate` would create; empty when the database is ready."""
    absent: list[str] = []
    existing = set(await database.list_collection_names())
    for spec in specs:
        if spec.name not in existing:
            absent.append(spec.name)
            continue
        have = set(await database[spec.name].index_information())
        absent += [f"{spec.name}.{i.document['name']}" for i in spec.indexes if i.document["name"] not in have]
    return absent
