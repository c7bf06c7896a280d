"""Row 23, and the promises in one test: everything dies while registrations come in, in an order that the seed decides.

50 requests a second, feedback and held forms among them; each service is killed with -9 three times with at least 20 requests
or records in flight, Kafka is away for 20 seconds, MongoDB is killed and stands still, the mail server stops.
`DOITHOAI_MIX_SECONDS=1200` goes on for 20 minutes. The test fails unless the faults hit.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from contracts.topics import INTAKE_LETTERS, REGISTRATIONS
from deploy.local.ports import SERVICES
from tests.faults.invariants import answered_within, not_committed
from tests.faults.row import Row, row
from tests.faults.watching import repeated
from tests.waiting import eventually

SECONDS = float(os.environ.get("DOITHOAI_MIX_SECONDS", "60"))
ROUNDS = max(1, round(SECONDS / 60))
AT_LEAST = 20
READS = {"routing": "routing.registrations", "notify": "notify.letters", "reporting": "reporting.cases"}
LEASE = {"notify": {"smtp_timeout_seconds": "10", "lease_seconds": "20"}}


class Mix:
    """The faults of the mix, and what they hit."""

    def __init__(self, mixed: Row) -> None:
        self.row = mixed
        self.in_flight: dict[str, list[int]] = {service: [] for service in SERVICES}
        self.most_unpublished = 0
        self.redelivered = 0

    async def kill(self, service: str, *, look: bool) -> None:
        """Let work pile up before a stopped process, let it go on for a moment, and kill it in the middle; then `look` for
        offsets that are ahead, which takes longer than all the rest.
        """
        with self.row.phase("kill: wait until ready"):
            await self.row.ready(service)
        await self.row.signal(service, signal.SIGSTOP)
        if service == "notify":  # it may find replies too late when it wakes
            await self.row.note_sending()
        self.row.load.burst(AT_LEAST + 10)
        await eventually(lambda: self._enough(service), timeout=60)
        self.in_flight[service].append(await self.row.waiting_for(service))
        await self.row.signal(service, signal.SIGCONT)
        await asyncio.sleep(self.row.chance.uniform(0.005, 0.15))
        await self.row.kill(service)
        if look and service in READS:
            with self.row.phase("kill: look for offsets ahead"):
                self.redelivered += not_committed(await self.row.look_for_offsets_ahead(READS[service]), READS[service])

    async def _enough(self, service: str) -> bool:
        waiting = await self.row.waiting_for(service)
        assert waiting >= AT_LEAST, f"{waiting} wait for {service}"
        return True

    async def kafka_away(self) -> None:
        """Stop the broker for 20 seconds, and look at what waits for it."""
        await self.row.ready("intake")
        await self.row.stop("kafka")
        async with self.row.down("kafka"):
            await asyncio.sleep(20)
            self.most_unpublished = max(self.most_unpublished, await self.row.watcher.unpublished())
        await self.row.start("kafka")

    async def mongodb_killed(self) -> None:
        """The supervisor starts it again."""
        self.row.stack.kill("mongodb")
        await self.row.ready("mongodb")
        await self.row.note_sending("unknown")

    async def mongodb_stands_still(self) -> None:
        """It answers nobody, and goes on where it was."""
        await self.row.ready("intake")
        await self.row.signal("mongodb", signal.SIGSTOP)
        # What was answered at this moment may still be on its way to a client.
        async with self.row.down("mongodb", certainly_after=1.0):
            # Intake gives up on a request after 3 s: some must begin and be answered while it lasts.
            began = monotonic() + 1.0
            await asyncio.sleep(self.row.chance.uniform(6, 8))
            await eventually(lambda: self._answered_since(began), timeout=20, every=0.2)
        await self.row.signal("mongodb", signal.SIGCONT)
        await self.row.note_sending("unknown")  # it may have stood still for longer than a lease

    async def _answered_since(self, began: float) -> bool:
        return any(answer.began >= began for answer in self.row.load.answers())

    async def mail_away(self) -> None:
        await self.row.ready("intake")
        await self.row.note_sending()
        await self.row.stop("mail")
        await self.row.note_sending("unknown")
        async with self.row.down("smtp"):
            await asyncio.sleep(self.row.chance.uniform(2, 4))
        await self.row.start("mail")


Fault = tuple[str, Callable[[], Awaitable[None]]]


def _in_some_order(mix: Mix, chance: random.Random) -> list[Fault]:
    """Each service is killed three times, and not again before the others were: it comes back meanwhile, instead of being waited
    for. Everything else is somewhere in between.
    """
    order: list[Fault] = []
    for look in (False, True, False):
        order += [("kill", partial(mix.kill, service, look=look)) for service in chance.sample(SERVICES, len(SERVICES))]
    others: list[Fault] = [
        ("kafka away", mix.kafka_away),
        ("mongodb killed", mix.mongodb_killed),
        ("mongodb still", mix.mongodb_stands_still),
        ("mail away", mix.mail_away),
    ]
    for fault in others:
        order.insert(chance.randint(0, len(order)), fault)
    return order


@pytest.mark.stack
@pytest.mark.timeout(600 + 20 * SECONDS)
async def test_row23_nothing_is_lost_or_doubled_when_everything_dies(tmp_path: Path) -> None:
    async with row("23 seeded mix", tmp_path, settings=LEASE) as mixed:
        mix = Mix(mixed)
        mixed.inject(f"{ROUNDS} × (each service SIGKILLed 3 times; broker away 20 s; mongod SIGKILL, SIGSTOP; SMTP down)")
        async with mixed.loaded(SECONDS):
            for _ in range(ROUNDS):
                for name, fault in _in_some_order(mix, mixed.chance):
                    await asyncio.sleep(mixed.chance.uniform(0.2, 1.2))
                    with mixed.phase(name):
                        await fault()
        await mixed.settle(timeout=300)

        # The faults hit.
        told = mixed.load.told()
        records = await mixed.watcher.records(REGISTRATIONS) + await mixed.watcher.records(INTAKE_LETTERS)
        copies = repeated(records)
        for service, hits in mix.in_flight.items():
            assert len(hits) == 3 * ROUNDS
            assert min(hits) >= AT_LEAST
            mixed.hit(f"in flight when {service} was killed", sum(hits))
        mixed.hit("clients without an answer", told["unknown"])
        mixed.hit("documents waiting in outboxes at most", mix.most_unpublished)
        mixed.hit("records delivered or published twice", mix.redelivered + copies)
        found = await mixed.judge()
        mixed.hit("requests while MongoDB stood still", answered_within(found, "mongodb"))
        mixed.hit("requests while Kafka was away", answered_within(found, "kafka"))
