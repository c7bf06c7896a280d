"""A checker proves nothing until it fails: each invariant against a build that breaks it. `make faults-proof`."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.topics import INTAKE_LETTERS, REGISTRATIONS
from tests.faults.evidence import Evidence, gather
from tests.faults.invariants import INVARIANTS, answered_within, violations
from tests.faults.poison import send_poison
from tests.faults.row import Row, row
from tests.faults.test_records import publish

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

Fault = Callable[[Row], Awaitable[None]]


async def nothing(_: Row) -> None:
    """The build shows itself."""


async def kill_intake(r: Row) -> None:
    await r.kill("intake")
    await r.ready("intake")


async def everything_again(r: Row) -> None:
    for topic in (REGISTRATIONS, INTAKE_LETTERS):
        await publish(r, await r.watcher.records(topic))


async def kill_routing_before_it_writes(r: Row) -> None:
    link = r.stack.links["routing", "mongodb"]
    held = link.hits["held"]
    link.hold("up")

    async def committed_ahead() -> bool:
        return link.hits["held"] > held and bool(r.ahead or await _ahead(r))

    await r.until(committed_ahead)
    await r.kill("routing")
    link.cut()
    link.heal()


async def _ahead(r: Row) -> list[str]:
    await r.look_for_offsets_ahead("routing.registrations")
    return r.ahead


async def poison(r: Row) -> None:
    await send_poison(r, REGISTRATIONS)


async def stop_mongodb(r: Row) -> None:
    await r.signal("mongodb", signal.SIGSTOP)
    async with r.down("mongodb", certainly_after=1.0):
        await asyncio.sleep(5)
    await r.signal("mongodb", signal.SIGCONT)


async def stop_kafka(r: Row) -> None:
    await r.stop("kafka")
    async with r.down("kafka"):
        await asyncio.sleep(5)
    await r.start("kafka")


BUILDS: list[tuple[str, str, Fault]] = [
    ("I1", "answers_before_writing", kill_intake),
    ("I2", "no_idempotency", nothing),
    ("I3", "assigns_anew", everything_again),
    ("I1", "loses_releases", nothing),
    ("I2", "doubles_feedback", nothing),
    ("I3", "loses_feedback", nothing),
    ("I4", "no_ledger_key", everything_again),
    ("I5", "forgets_some_facts", nothing),
    ("I6", "commits_first", kill_routing_before_it_writes),
    ("I7", "swallows_poison", poison),
    ("I8", "skips_the_rules", nothing),
    ("I8", "rewrites_history", nothing),
    ("I8", "loses_transfers", nothing),
    ("I8", "overtakes", nothing),
    ("I1", "loses_amendments", nothing),
    ("I9", "yes_without_database", stop_mongodb),
    ("I9", "waits_for_kafka", stop_kafka),
    ("I10", "logs_people", nothing),
    ("I11", "hoards", nothing),
]


def test_every_invariant_has_a_build_that_breaks_it() -> None:
    assert {invariant for invariant, _, _ in BUILDS} == set(INVARIANTS)


@pytest.mark.parametrize(("invariant", "build", "fault"), BUILDS, ids=[f"{i}-{build}" for i, build, _ in BUILDS])
async def test_a_broken_build_is_reported(tmp_path: Path, invariant: str, build: str, fault: Fault) -> None:
    serve = (sys.executable, "-m", "tests.faults.broken", build)
    links = {"routing": ("mongodb",)} if invariant == "I6" else None
    async with row(f"proof {invariant}", tmp_path, serve=serve, links=links) as r:
        async with r.loaded(12):
            await asyncio.sleep(5)
            await fault(r)
        await asyncio.wait_for(r.load.finish(), 60)
        with contextlib.suppress(AssertionError):  # what a broken build loses can never be moved
            await r.office.finish(20)
        found = await _as_it_is(r)
        broken = violations(found)
        print(f"\n{build}: {invariant} says {broken.get(invariant)}; after {len(r.load.sent)} requests")
        if invariant == "I9":
            assert answered_within(found, "mongodb") + answered_within(found, "kafka") > 0
        assert broken.get(invariant), f"{invariant} did not notice the build {build}: {broken}"


async def _as_it_is(r: Row) -> Evidence:
    """The evidence of a build that will never settle, once what can be done has been done."""
    await r.ready("intake", "routing", "notify", "reporting")

    async def still() -> bool:
        before = await r.unsettled()
        await asyncio.sleep(3)
        return not before or before == await r.unsettled()

    await r.until(still, timeout=90, every=0.1)
    found = await gather(r.stack, r.watcher, r.load)
    return replace(found, windows=r.windows, poison=r.poison, cuts=r.may_be_unknown, sizes=r.sizes, ahead=r.ahead)
