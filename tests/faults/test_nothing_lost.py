"""The promises on the real stack while everything dies: 50 registrations a second for a minute, each service killed with -9 three
times with at least 20 requests or records in flight, Kafka away for 20 seconds in between.

The test fails unless the faults hit: a client that heard nothing, events waiting in an outbox, an event delivered twice.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import pytest

from contracts.topics import INTAKE_LETTERS, REGISTRATIONS
from deploy.local.paths import ROOT
from deploy.local.stack import LocalStack
from kit.agency import load_agencies
from services.intake.codes import code_hash
from tests.faults.load import Load
from tests.faults.report import counted_from_what_was_sent, shown_by_the_report
from tests.faults.watching import Watcher, doubled, mails
from tests.stack import start_everything
from tests.waiting import eventually

RATE, SECONDS = 50, 60
AT_LEAST = 20
SEED = int(os.environ.get("DOITHOAI_SEED", "20261121"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("faults")) as stack:
        start_everything(stack)
        yield stack


@pytest.fixture
async def watcher(stack: LocalStack) -> AsyncIterator[Watcher]:
    watcher = Watcher(stack.mongodb_url, stack.kafka_bootstrap)
    yield watcher
    await watcher.close()


class Faults:
    """Injects the faults and notes what each one hit."""

    def __init__(self, stack: LocalStack, watcher: Watcher, load: Load, chance: random.Random) -> None:
        self.stack, self.watcher, self.load, self.chance = stack, watcher, load, chance
        self.in_flight: dict[str, list[int]] = {"intake": [], "routing": [], "notify": [], "reporting": []}
        self.most_unpublished = 0
        self.redelivered = 0

    async def kill(self, service: str) -> None:
        """Let work pile up before a stopped process, let it go on for a moment, and kill it in the middle."""
        await asyncio.to_thread(self.stack.await_ready, service)
        pid = self.stack.pid(service)
        os.kill(pid, signal.SIGSTOP)
        self.load.burst(AT_LEAST + 10)
        await eventually(lambda: self._enough(service), timeout=20)
        self.in_flight[service].append(await self._waiting_for(service))
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(self.chance.uniform(0.005, 0.15))
        self.stack.kill(service)
        self.redelivered += await self._to_be_redelivered(service)

    async def kafka_away(self, seconds: float) -> None:
        """Stop the broker, and look at what waits for it."""
        await asyncio.to_thread(self.stack.stop_process, "kafka")
        await asyncio.sleep(seconds)
        self.most_unpublished = max(self.most_unpublished, await self.watcher.unpublished())
        await asyncio.to_thread(self.stack.start_process, "kafka")

    async def _enough(self, service: str) -> bool:
        return await self._waiting_for(service) >= AT_LEAST

    async def _waiting_for(self, service: str) -> int:
        """Requests that intake has not answered, or registrations whose effect in a service is not there yet."""
        if service == "intake":
            return self.load.in_flight
        return self.load.accepted - await self._effects(service)

    async def _effects(self, service: str) -> int:
        collection, query = EFFECTS[service]
        return await self.watcher.database(service)[collection].count_documents(query)

    async def _to_be_redelivered(self, service: str) -> int:
        """Records past the committed offset whose effect is there already: the service will read them a second time."""
        if service not in READS:
            return 0
        name, topic, known = READS[service]
        done = {str(d["_id"]) async for d in self.watcher.database(service)[known].find({}, {"_id": 1})}
        committed = await self.watcher.committed(f"doithoai.{service}.{name}", topic)
        records = await self.watcher.records(topic)
        return sum(key in done and offset >= committed[partition] for partition, offset, key in records)


EFFECTS = {
    "routing": ("cases", {}),
    "notify": ("ledger", {"kind": "receipt"}),
    "reporting": ("facts", {"kind": "case"}),
}
READS = {"routing": ("registrations", REGISTRATIONS, "cases")}


@pytest.mark.stack
@pytest.mark.timeout(540)
async def test_nothing_is_lost_or_doubled_when_everything_dies(stack: LocalStack, watcher: Watcher) -> None:
    chance = random.Random(SEED)
    agencies = load_agencies(ROOT / "agencies")
    plans = {p["agency"]: p["_id"] for p in await watcher.database("routing")["plans"].find().to_list(None)}
    load = Load(stack.public_url, plans, {code: a.privacy.version for code, a in agencies.items()}, SEED)
    faults = Faults(stack, watcher, load, chance)

    running = asyncio.create_task(load.run(RATE, SECONDS))
    order = [service for service in faults.in_flight for _ in range(3)]
    chance.shuffle(order)
    for n, service in enumerate(order):
        await asyncio.sleep(chance.uniform(0.2, 1.2))
        await faults.kill(service)
        if n == len(order) // 2:
            await faults.kafka_away(20)
    await running
    loaded = monotonic()
    await load.finish()
    await eventually(lambda: _settled(watcher, load), timeout=240, every=1.0)
    settled = monotonic()

    # The faults hit.
    told = load.told()
    records = await watcher.records(REGISTRATIONS) + await watcher.records(INTAKE_LETTERS)
    copies = len(records) - len({key for _, _, key in records})
    print(f"\nseed {SEED}: {len(load.sent)} registrations, clients told {dict(told)}")
    print(f"in flight at each kill: {faults.in_flight}; at most {faults.most_unpublished} events waited in outboxes")
    print(
        f"{faults.redelivered} records redelivered, {copies} published twice; all settled {settled - loaded:.0f} s after the load"
    )
    assert all(len(hits) == 3 and min(hits) >= AT_LEAST for hits in faults.in_flight.values())
    assert told["unknown"] > 0, "no client was left without an answer"
    assert faults.most_unpublished > 0, "no outbox had to wait"
    assert faults.redelivered + copies > 0, "nothing was delivered twice"

    # Every code shown is in exactly one registration, equal to what was sent.
    registrations = await watcher.database("intake")["registrations"].find().to_list(None)
    assert len(registrations) == len(load.sent)
    by_hash = {bytes(r["code_hash"]): r for r in registrations}
    for sent in load.sent:
        kept = by_hash[code_hash(sent.code)]
        assert kept["case_number"] == sent.case_number
        assert kept["person"]["email"] == sent.email
        assert [(s["no"], s["text"]) for s in kept["sections"]] == [(s["no"], s["text"]) for s in sent.body["sections"]]
    assert not doubled([r["case_number"] for r in registrations])

    # Every question is in exactly one state, and every section is one question.
    questions = await watcher.database("routing")["questions"].find({}, {"events": 0}).to_list(None)
    expected = Counter((sent.case_number, s["no"]) for sent in load.sent for s in sent.body["sections"])
    assert Counter((q["case_number"], q["section_no"]) for q in questions) == expected
    assert {q["state"] for q in questions} <= {"triage", "proposed", "sealed"}

    # One receipt each: one Message-ID, and a second copy only where a kill left the outcome unknown.
    receipts: dict[str, list[str]] = {sent.email: [] for sent in load.sent}
    for recipient, message_id in mails(Path(stack.mail_dir)):
        receipts[recipient].append(message_id)
    assert all(len(set(found)) == 1 for found in receipts.values())
    repeated = {r["_id"] for r in await watcher.database("notify")["ledger"].find({"repeats": {"$gt": 0}}).to_list(None)}
    assert sum(len(found) - 1 for found in receipts.values()) <= len(repeated)
    assert not doubled([next(iter(set(found))) for found in receipts.values()])

    # The report equals a second count from what the clients sent, and nothing was buried.
    assert await shown_by_the_report(stack) == counted_from_what_was_sent(load.sent)
    assert await watcher.dead_letters() == []


async def _settled(watcher: Watcher, load: Load) -> bool:
    """Everything accepted has reached its end: routed, told, reported, nothing waiting."""
    sections = sum(len(sent.body["sections"]) for sent in load.sent)
    return (
        await watcher.database("routing")["cases"].count_documents({}) == len(load.sent)
        and await watcher.database("routing")["questions"].count_documents({}) == sections
        and await watcher.database("notify")["ledger"].count_documents({"state": "sent"}) == len(load.sent)
        and await watcher.unpublished() == 0
        and await watcher.database("reporting")["facts"].count_documents({"kind": "question"}) == sections
        and await watcher.database("reporting")["buckets"].count_documents({"dirty": True}) == 0
    )
