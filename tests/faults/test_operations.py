"""Rows 16 to 19 and 21: clocks that lie, restarts, a late infrastructure, two versions at once, a restore."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from cli.up import run_command
from deploy.local.ports import SERVICES
from tests.faults.preload import compiled
from tests.faults.row import Row, new_load, row
from tests.faults.stack import FaultStack
from tests.faults.watching import Watcher
from tests.stack import QUICK, start_everything

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

HOUR, YEAR = 3600, 365 * 24 * 3600


@pytest.mark.parametrize("shifts", [(HOUR, -HOUR), (YEAR,)], ids=["an hour", "a year"])
async def test_row16_a_clock_that_lies(tmp_path: Path, shifts: Sequence[int]) -> None:
    """One service at a time: leases hold, since the database judges them; everything ends as it should."""
    library = compiled("clock", tmp_path)
    words = " and ".join(f"{shift:+} s" for shift in shifts)
    async with row(f"16 clock {words}", tmp_path / "s") as r:
        # A letter that is a year old is held for staff; and a registration a year on is after every closing.
        letters = ("sent", "held")
        r.load.moves_on = YEAR not in shifts  # what is moved a year on is in no report of today
        services = ("routing", "notify", "reporting") if YEAR in shifts else SERVICES
        async with r.loaded(30):
            for service in services:
                for shift in shifts:
                    await _lying(r, service, str(library), shift)
                    r.hit(f"registrations while the clock of {service} was off", await _accepted_during(r, 5))
                await _lying(r, service, "", 0)
        r.inject(f"wall clock {words} in {', '.join(services)}, one after the other")
        await r.judge(letters)


async def _lying(r: Row, service: str, library: str, shift: int) -> None:
    r.stack.change_settings(service, {"LD_PRELOAD": library, "CLOCK_SHIFT": str(shift)})
    await r.stop(service)
    await r.start(service)


async def _accepted_during(r: Row, seconds: float) -> int:
    before = r.load.accepted
    await asyncio.sleep(seconds)
    return r.load.accepted - before


async def test_row17_restarts_that_nobody_notices(tmp_path: Path) -> None:
    """SIGTERM under load, one service after the other, twice: no client is told no, nothing is lost."""
    async with row("17 rolling restart", tmp_path) as r:
        longest = 0.0
        async with r.loaded(30):
            for _ in range(2):
                for service in SERVICES:
                    await asyncio.sleep(1)
                    r.load.burst(20)
                    began = monotonic()
                    await r.stop(service)
                    await r.start(service)
                    longest = max(longest, monotonic() - began)
                    r.hit("services restarted under load", 1)
        r.inject(f"SIGTERM and start of each service, twice, under load; a restart took {longest:.0f} s at most")
        found = await r.judge()
        refused = Counter((a.status, round(a.ended - a.began)) for a in r.load.answers() if a.told != "ok" and a.status != 409)
        assert not refused, f"(status, seconds): {refused}"
        assert len(found.mails) == r.load.letters()


async def test_row18_services_before_their_infrastructure(tmp_path: Path) -> None:
    """Services first, then Kafka, MongoDB, the topics: they wait, become ready, and do not crash."""
    stack = FaultStack(tmp_path)
    try:
        await asyncio.to_thread(start_everything, stack, QUICK)  # once, for topics, samples and accounts
        for name in (*SERVICES, "kafka", "mongodb"):
            await asyncio.to_thread(stack.stop_process, name)
        pids = {}
        for service in SERVICES:
            stack.begin(service)
        await asyncio.sleep(8)
        for service in SERVICES:
            pids[service] = stack.pid(service)
        await asyncio.to_thread(stack.wipe_kafka)
        await asyncio.sleep(4)
        await asyncio.to_thread(stack.start_process, "mongodb")
        await asyncio.sleep(4)
        await asyncio.to_thread(run_command, stack, "migrate")  # the topics come last
        for service in SERVICES:
            await asyncio.to_thread(stack.await_ready, service)
            assert stack.pid(service) == pids[service], f"{service} crashed while it waited"
        await asyncio.to_thread(run_command, stack, "republish")
        watcher = Watcher(stack.mongodb_url, stack.kafka_bootstrap)
        r = Row("18 services first", stack, watcher, await new_load(stack, watcher))
        try:
            async with r.loaded(10):
                pass
            r.inject("four services started first, Kafka (empty) 8 s later, MongoDB after it, then the topics")
            r.hit("services that waited without a crash", len(pids))
            await r.judge()
            r.say("")
        finally:
            await r.close()
    finally:
        await asyncio.to_thread(stack.stop)


async def test_row19_two_versions_at_once(tmp_path: Path) -> None:
    """A newer build of intake and routing says some things in a second version beside the first; every reader knows both."""
    serve = (sys.executable, "-m", "tests.faults.broken", "two_versions")
    async with row("19 two versions", tmp_path, serve=serve) as r:
        async with r.loaded(25):
            pass
        r.inject("every second event of registrations, cases and questions is a …v2, with a field more")
        await r.settle()
        found = await r.evidence()
        types = [record.event["type"] for records in found.records.values() for record in records if record.event]
        r.hit("events of version 1", sum(name.endswith(".v1") for name in types))
        r.hit("events of version 2", sum(name.endswith(".v2") for name in types))
        await r.judge()


async def test_row21_backup_wipe_restore_republish(tmp_path: Path) -> None:
    """Nobody is written to twice: what may have been sent since the backup is held for staff."""
    async with row("21 restore", tmp_path / "s") as r:
        r.load.moves_on = False  # what is let go, moved or amended after the backup is lost with it
        async with r.loaded(20):
            await asyncio.sleep(10)
            r.hit("requests that came in during the backup", -len(r.load.sent) + await _backed_up(r, tmp_path))
        await r.settle()
        before = Counter(mail.message_id for mail in (await r.evidence()).mails)
        for service in SERVICES:
            await r.stop(service)
        await asyncio.to_thread(r.stack.wipe_mongodb)
        await r.run("restore", str(tmp_path / "backup"), "--yes-replace", "--delete-topics")
        await r.run("migrate")
        collections = ("registrations", "feedback", "held")
        kept = [row for name in collections for row in await r.watcher.rows("intake", name, events=False)]
        lost = r.load.forget_all_but({row["person"]["email"] for row in kept})
        r.hit("requests younger than the backup", lost)
        for service in SERVICES:
            await r.start(service)
        await r.run("republish")
        r.inject("backup under load, MongoDB wiped, restore --delete-topics, migrate, republish")
        await r.settle(("sent", "held"))
        found = await r.evidence()
        again = Counter(mail.message_id for mail in found.mails) - before
        rows = {f"<{row['_id']}@{row['agency']}.example>": row["steps"] for row in found.ledger}
        assert not again, f"written to twice: {[rows.get(message_id) for message_id in again][:3]}"
        r.hit("letters held for staff", sum(row["state"] == "held" for row in found.ledger))
        known = {sent.email for sent in r.load.sent}
        await r.judge(("sent", "held"), but=lambda e: replace(e, mails=[m for m in e.mails if m.recipient in known]))


async def _backed_up(r: Row, directory: Path) -> int:
    await r.run("backup", str(directory / "backup"))
    return len(r.load.sent)
