"""Grouped writes: each waiter learns the fate of its own document, on a real database with a connection that fails on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from pymongo.errors import AutoReconnect, BulkWriteError

from kit import mongo
from kit.errors import Conflict, Unavailable
from services.intake.groupcommit import GroupCommit, Written

pytestmark = pytest.mark.stack


class Wire:
    """A real collection behind a connection that a test can cut before or after the server has written."""

    def __init__(self, collection: mongo.Collection) -> None:
        self._collection = collection
        self.groups: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.before: list[Exception] = []
        self.after: list[Exception] = []

    def with_options(self, **options: Any) -> mongo.Collection:
        return self._collection.with_options(**options)

    async def insert_many(self, documents: list[mongo.Document], *, ordered: bool) -> None:
        self.groups.append(len(documents))
        await self.gate.wait()
        if self.before:
            raise self.before.pop(0)
        await self._collection.insert_many(documents, ordered=ordered)
        if self.after:
            raise self.after.pop(0)


@pytest_asyncio.fixture
async def wire(mongodb_url: str) -> AsyncIterator[Wire]:
    client = mongo.connect(mongodb_url)
    name = f"groups_{uuid4().hex[:8]}"
    yield Wire(client[name]["documents"])
    await client.drop_database(name)
    await mongo.close(client)


def document(_id: UUID | None = None, payload: bytes = b"p") -> mongo.Document:
    return {"_id": _id or uuid4(), "payload_hash": payload, "events": [{"id": uuid4()}]}


async def fate(commits: GroupCommit, one: mongo.Document) -> Written | Exception:
    try:
        return await commits.write(one)
    except (Conflict, Unavailable) as error:
        return error


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110 - what is waited for happens inside the code under test
            await asyncio.sleep(0)


async def test_what_arrives_during_a_write_shares_the_next(wire: Wire) -> None:
    commits = GroupCommit(wire, size=200, in_flight=2)  # type: ignore[arg-type]
    wire.gate.clear()
    first = [asyncio.create_task(commits.write(document())) for _ in range(2)]
    await until(lambda: len(wire.groups) == 2)
    waiting = [asyncio.create_task(commits.write(document())) for _ in range(250)]
    await asyncio.sleep(0)
    wire.gate.set()
    assert all(w.created for w in await asyncio.gather(*first, *waiting))
    assert wire.groups == [1, 1, 200, 50]


async def test_one_group_of_new_repeated_and_conflicting_requests(wire: Wire) -> None:
    commits = GroupCommit(wire)  # type: ignore[arg-type]
    known = document(payload=b"known")
    assert (await commits.write(known)).created
    wire.gate.clear()
    blockers = [asyncio.create_task(commits.write(document())) for _ in range(2)]
    await until(lambda: len(wire.groups) == 3)
    twin = uuid4()
    fates = [
        asyncio.create_task(fate(commits, one))
        for one in (
            document(),
            document(known["_id"], b"known"),
            document(known["_id"], b"other"),
            document(twin, b"t"),
            document(twin, b"t"),
            document(twin, b"u"),
        )
    ]
    await asyncio.sleep(0)
    wire.gate.set()
    new, repeated, conflicting, one, same, other = await asyncio.gather(*fates)
    await asyncio.gather(*blockers)
    assert isinstance(new, Written)
    assert new.created
    assert isinstance(repeated, Written)
    assert not repeated.created
    assert repeated.document["events"][0]["id"] == known["events"][0]["id"]
    assert isinstance(conflicting, Conflict)
    assert isinstance(one, Written)
    assert isinstance(same, Written)
    assert (one.created, same.created) == (True, False)
    assert isinstance(other, Conflict)


async def test_a_connection_cut_after_the_write_is_found_to_be_ours(wire: Wire) -> None:
    commits = GroupCommit(wire)  # type: ignore[arg-type]
    wire.after = [AutoReconnect("cut")]
    written = await commits.write(document())
    assert written.created
    assert len(wire.groups) == 2


async def test_a_connection_cut_before_the_write_is_tried_once_more(wire: Wire) -> None:
    commits = GroupCommit(wire)  # type: ignore[arg-type]
    wire.before = [AutoReconnect("cut")]
    assert (await commits.write(document())).created


async def test_two_cuts_leave_the_fate_unknown_and_the_same_request_settles_it(wire: Wire) -> None:
    commits = GroupCommit(wire)  # type: ignore[arg-type]
    wire.before = [AutoReconnect("cut"), AutoReconnect("cut")]
    one = document()
    assert isinstance(await fate(commits, one), Unavailable)
    assert (await commits.write(one)).created


async def test_a_write_concern_error_fails_the_whole_group(wire: Wire) -> None:
    """Though the server wrote every document: none is known to be durable."""
    commits = GroupCommit(wire)  # type: ignore[arg-type]
    wire.gate.clear()
    blockers = [asyncio.create_task(fate(commits, document())) for _ in range(2)]
    await until(lambda: len(wire.groups) == 2)
    fates = [asyncio.create_task(fate(commits, document())) for _ in range(5)]
    await asyncio.sleep(0)
    wire.after = [BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}) for _ in range(3)]
    wire.gate.set()
    assert all(isinstance(f, Unavailable) for f in await asyncio.gather(*blockers, *fates))


async def test_a_full_queue_refuses_and_a_cancelled_waiter_is_left_out(wire: Wire) -> None:
    commits = GroupCommit(wire, in_flight=1, queue=2)  # type: ignore[arg-type]
    wire.gate.clear()
    running = asyncio.create_task(commits.write(document()))
    await until(lambda: len(wire.groups) == 1)
    waiting = [asyncio.create_task(commits.write(document())) for _ in range(2)]
    await asyncio.sleep(0)
    assert isinstance(await fate(commits, document()), Unavailable)
    waiting[0].cancel()
    await asyncio.sleep(0)
    wire.gate.set()
    await asyncio.gather(running, waiting[1])
    await commits.drain()
    assert wire.groups == [1, 1]
