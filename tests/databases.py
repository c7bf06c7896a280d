"""Databases that tests use one after the other: to make the collections and indexes of one costs more than most tests do."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from pymongo.errors import PyMongoError

from kit import mongo

_idle: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
"""Server, service and collections → prefixes of databases that nobody uses."""


@contextlib.asynccontextmanager
async def lent(url: str, service: str, specs: Sequence[mongo.CollectionSpec]) -> AsyncIterator[str]:
    """A prefix for the block alone, whose `<prefix>_<service>` has all of `specs` and no document, and whose files are none.

    Emptied afterwards and lent again; one that lacks an index by then, or cannot be reached, is not.
    """
    idle = _idle[url, service, *(spec.name for spec in specs)]
    client = mongo.connect(url, driver="pymongo", timeout_ms=10_000)
    try:
        prefix = idle.pop() if idle else await _made(client, service, specs)
        yield prefix
        with contextlib.suppress(PyMongoError, TimeoutError):
            async with asyncio.timeout(5):  # a test may have stopped the server
                await _empty(client[f"{prefix}_{service}"], {spec.name for spec in specs})
                await _empty(client[f"{prefix}_files"])
                if not await mongo.missing(client[f"{prefix}_{service}"], specs):
                    idle.append(prefix)
    finally:
        await mongo.close(client)


async def _made(client: mongo.Client, service: str, specs: Sequence[mongo.CollectionSpec]) -> str:
    prefix = f"test_{uuid4().hex[:12]}"
    await mongo.apply(client[f"{prefix}_{service}"], specs)
    return prefix


async def _empty(database: mongo.Database, kept: set[str] | None = None) -> None:
    """No document in any collection, and no collection but the `kept` (without: all)."""
    names = [name for name in await database.list_collection_names() if not name.startswith("system.")]
    await asyncio.gather(
        *(database[name].delete_many({}) if kept is None or name in kept else database.drop_collection(name) for name in names)
    )
