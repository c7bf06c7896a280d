"""Rows 1 to 5: services that are killed or stopped at the worst moments. Links that hold what passes make the moments certain."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from contracts.topics import REGISTRATIONS
from tests.faults.invariants import not_committed
from tests.faults.links import OFFSET_COMMIT, PRODUCE, commits_of, is_request, produces_to
from tests.faults.mailserver import STAGES, MailServer, Order
from tests.faults.poison import send_poison
from tests.faults.row import Row, row, unanswered
from tests.faults.watching import GROUPS, PREFIX, repeated

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

READS = {"routing": "routing.registrations", "notify": "notify.letters", "reporting": "reporting.cases"}
AT_LEAST = 20


async def _enough(r: Row, service: str) -> None:
    async def there() -> bool:
        return await r.waiting_for(service) >= AT_LEAST

    await r.until(there, timeout=60, every=0.05)


async def _written_and_not_told(r: Row) -> set[str]:
    return await r.kept(unanswered(r.load.sent))


INSERT = b"\x02insert\x00\x0e\x00\x00\x00registrations\x00"
"""How MongoDB is asked to insert registrations: a BSON string (2) named "insert", of 14 bytes."""


async def _until_written_and_not_told(r: Row) -> None:
    """With MongoDB's answers held: until something is written that its client is not told of, now and at the next look.

    (An answer that intake gave before they were held may still be on its way at the first.)
    """
    before: set[str] = set()

    async def for_two_looks() -> bool:
        nonlocal before
        earlier, before = before, await _written_and_not_told(r)
        return bool(earlier & before)

    await r.until(for_two_looks, timeout=20, every=0.2)


async def test_row01_intake_is_killed(tmp_path: Path) -> None:
    """Before the write; written and not answered; in the middle of a batch."""
    async with row("1 SIGKILL intake", tmp_path, links={"intake": ("mongodb",)}) as r:
        link = r.stack.links["intake", "mongodb"]
        async with r.loaded(30):
            for n in range(6):
                await asyncio.sleep(r.chance.uniform(0.2, 1.0))
                await r.ready("intake")
                match n % 3:
                    case 0:
                        link.hold("up")
                        r.load.burst(30)
                        await _enough(r, "intake")
                        waiting = len(unanswered(r.load.sent))
                        r.hit("killed before the write", waiting - len(await _written_and_not_told(r)))
                    case 1:
                        link.hold_replies_from(lambda request: INSERT in request)
                        r.load.burst(30)
                        await _until_written_and_not_told(r)
                    case _:
                        r.load.burst(200)
                        await asyncio.sleep(r.chance.uniform(0.01, 0.08))
                        r.hit("killed in the middle of a batch", r.load.in_flight)
                await r.kill("intake")
                if n % 3 == 1:  # counted when nobody can be told any more
                    r.hit("killed when written and not answered", len(await _written_and_not_told(r)))
                link.cut()
                link.heal()
        r.inject("SIGKILL of intake 6 times: before the write, after it and before the answer, in a batch")
        found = await r.judge()
        r.hit("clients that heard nothing", r.load.told()["unknown"])
        assert len(found.registrations) + len(found.feedback) + len(found.held) == len(r.load.sent)


OUTBOXES = {"intake": ("registrations",), "routing": ("cases", "questions")}


async def _unpublished(r: Row, service: str) -> int:
    counts = [await r.watcher.database(service)[name].count_documents({"due": {"$exists": True}}) for name in OUTBOXES[service]]
    return sum(counts)


async def _published_and_not_marked(r: Row) -> int:
    """Registrations that Kafka has and whose document does not know it."""
    there = {record.key for record in await r.watcher.records(REGISTRATIONS)}
    await asyncio.sleep(1)  # what is only on its way is marked by then
    rows = await r.watcher.rows("intake", "registrations", {"unsent": 1}, events=False)
    return sum(str(row["_id"]) in there for row in rows)


async def test_row02_the_relay_is_killed(tmp_path: Path) -> None:
    """Before it publishes; published, and not marked."""
    async with row("2 SIGKILL relay", tmp_path, links={"intake": ("kafka",), "routing": ("kafka",)}) as r:
        async with r.loaded(30):
            for service in ("intake", "routing", "intake", "routing"):
                link = r.stack.links[service, "kafka"]
                await r.ready(service)
                link.hold_frames(is_request(PRODUCE))
                await r.until(lambda: _at_least(_unpublished(r, service), AT_LEAST))  # noqa: B023 - awaited at once
                r.hit(f"unpublished when {service} was killed", await _unpublished(r, service))
                await r.kill(service)
                link.cut()
                link.heal()
            for _ in range(2):
                await r.ready("intake")
                link = r.stack.links["intake", "kafka"]
                link.hold_replies_from(produces_to(REGISTRATIONS.name))
                r.load.burst(AT_LEAST)
                await r.until(lambda: _published_and_not_marked(r), timeout=20)
                r.hit("published and not marked", await _published_and_not_marked(r))
                await r.kill("intake")
                link.cut()
                link.heal()
        r.inject("SIGKILL of intake and routing with Produce held (4×); of intake with Kafka's answers held (2×)")
        await r.settle()
        records = await r.watcher.records(REGISTRATIONS)
        r.hit("events of registrations published twice", repeated(records))
        await r.judge()


async def _at_least(counting: Any, least: int) -> bool:
    return bool(await counting >= least)


async def test_row03_consumers_are_killed(tmp_path: Path) -> None:
    """Before the write; after it, before the commit; while a dead letter is written."""
    links = dict.fromkeys(READS, ("mongodb", "kafka"))
    # Passwords that take long, and 64 MiB, to look at: everybody at the desks signs in again when routing is back (I11).
    async with row("3 SIGKILL consumers", tmp_path, samples=(), links=links) as r:
        async with r.loaded(30):
            for service, group in READS.items():
                await _killed_before_the_write(r, service)
                await _killed_before_the_commit(r, service, group)
            for service, group in READS.items():
                await _killed_at_a_dead_letter(r, service, group)
        r.inject("SIGKILL of routing, notify, reporting: MongoDB held; OffsetCommit held; a dead letter half way (twice each)")
        await r.judge()


async def _killed_before_the_write(r: Row, service: str) -> None:
    link = r.stack.links[service, "mongodb"]
    await r.ready(service)
    link.hold("up")
    r.load.burst(AT_LEAST)
    await _enough(r, service)
    r.hit(f"records that {service} had not written", await r.waiting_for(service))
    await r.kill(service)
    link.cut()
    link.heal()


async def _killed_before_the_commit(r: Row, service: str, group: str) -> None:
    link = r.stack.links[service, "kafka"]
    await r.ready(service)
    before = link.hits["frames held"]
    link.hold_frames(commits_of(f"{PREFIX}.{group}"))

    async def about_to_commit() -> bool:
        return link.hits["frames held"] > before

    await r.until(about_to_commit, timeout=60, every=0.02)
    await r.kill(service)
    seen = await r.look_for_offsets_ahead(group)
    again = not_committed(seen, group)
    assert again, f"nothing of {group} to be read again: committed {seen.committed}, {link.hits}"
    r.hit(f"records redelivered to {service}", again)
    link.cut()
    link.heal()


async def _killed_at_a_dead_letter(r: Row, service: str, group: str) -> None:
    """Once with the row on its way to MongoDB, once with the row there and the offset not committed."""
    await r.ready(service)
    database, kafka = r.stack.links[service, "mongodb"], r.stack.links[service, "kafka"]
    database.hold("up")
    await send_poison(r, GROUPS[group][0])
    held = database.hits["held"]

    async def on_its_way() -> bool:
        return database.hits["held"] > held

    async def written() -> int:
        return len(await r.watcher.rows(service, "dead_letters", {"group": f"{PREFIX}.{group}"}))

    await r.until(on_its_way)
    await r.kill(service)
    assert not await written()
    database.cut()
    database.heal()
    await r.ready(service)
    kafka.hold_frames(is_request(OFFSET_COMMIT))
    await r.until(written, timeout=60)
    r.hit(f"dead letters of {service} written and not committed", await written())
    await r.kill(service)
    kafka.cut()
    kafka.heal()


async def test_row04_notify_is_killed_at_each_step_of_a_dialogue(tmp_path: Path) -> None:
    """And after the server's 250, before SENT is written."""
    async with row("4 SIGKILL notify in SMTP", tmp_path, mail_server=True) as r:
        server = _mail_server(r)

        def strike() -> None:
            os.kill(r.stack.pid("notify"), signal.SIGKILL)

        def freeze() -> None:
            os.kill(r.stack.pid("notify"), signal.SIGSTOP)

        async with r.loaded(30):
            for stage in STAGES:
                await r.ready("notify")
                await _meet(r, server, stage, Order("SIGKILL", do=strike, cut=True))
                await r.note_sending()
            for _ in range(2):
                await r.ready("notify")
                said = server.said_yes
                await _meet(r, server, "KEPT", Order("250 before SENT", do=freeze))

                async def said_yes() -> bool:
                    return server.said_yes > said  # noqa: B023 - awaited at once

                await r.until(said_yes)
                await r.kill("notify")
        r.inject("SIGKILL of notify at CONNECT, EHLO, MAIL, RCPT, DATA, BODY, DOT, KEPT, and twice between 250 and SENT")
        for name, count in server.hits.items():
            r.hit(name, count)
        await r.settle()
        found = await r.evidence()
        copies = len(found.mails) - len({mail.message_id for mail in found.mails})
        r.hit("accepted twice under the same Message-ID", copies)
        await r.judge()


def _mail_server(r: Row) -> MailServer:
    assert r.stack.mail_server is not None
    return r.stack.mail_server


async def _meet(r: Row, server: MailServer, stage: Any, order: Order) -> None:
    name = f"{stage}: {order.name}"
    before = server.hits[name]
    server.order(stage, order)

    async def met() -> bool:
        return server.hits[name] > before

    await r.until(met, timeout=60, every=0.05)


async def test_row05_zombies(tmp_path: Path) -> None:
    """Stopped for 5, 20 and 60 seconds and then woken: past their lease and session others have taken over; fenced."""
    async with row("5 SIGSTOP and CONT", tmp_path, mail_server=True) as r:
        server = _mail_server(r)
        twins = [await asyncio.to_thread(r.stack.add_twin, service) for service in ("routing", "notify", "reporting")]
        assert len(twins) == 3
        async with r.loaded(110):
            for seconds in (5, 20, 60):
                # A dialogue that stands at its dot while the process stands: kept by the server, unknown to the ledger.
                await _meet(r, server, "DOT", Order("slow", wait=3.0))
                for service in ("routing", "notify", "reporting"):
                    await r.signal(service, signal.SIGSTOP)
                claimed = await r.watcher.rows("notify", "ledger", {"state": {"$in": ["claimed", "sending"]}}, events=False)
                r.hit("letters claimed when notify was stopped", len(claimed))
                await r.note_sending()
                if seconds == 5:
                    await r.signal("intake", signal.SIGSTOP)
                await asyncio.sleep(seconds)
                mine = {"_id": {"$in": [row["_id"] for row in claimed]}, "state": {"$in": ["sent", "unknown"]}}
                taken_over = await r.watcher.database("notify")["ledger"].count_documents(mine)
                if seconds > 10:
                    r.hit("letters that another process took over", taken_over)
                for service in ("routing", "notify", "reporting", *(("intake",) if seconds == 5 else ())):
                    await r.signal(service, signal.SIGCONT)
                await asyncio.sleep(2)
        r.inject("SIGSTOP for 5, 20, 60 s, then CONT: routing, notify, reporting with a second process each; intake for 5 s")
        await r.judge()
