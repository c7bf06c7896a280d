"""One row of the table of faults: a stack of its own, a load on it, what was injected and what it hit, and the verdict."""

import asyncio
import contextlib
import json
import os
import random
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import psutil

from cli.up import run_command
from deploy.local.paths import LOCAL, ROOT
from deploy.local.ports import SERVICES
from deploy.local.stack import LocalStack
from kit.agency import load_agencies
from tests.faults.evidence import Evidence, Poison, Size, Window, durable_effects, gather
from tests.faults.invariants import RECEIPTS, offsets_ahead, violations
from tests.faults.load import Load, Sent, Way
from tests.faults.office import Office
from tests.faults.stack import FaultStack
from tests.faults.watching import Watcher
from tests.stack import QUICK, start_everything
from tests.waiting import eventually

SEED = int(os.environ.get("DOITHOAI_SEED", "20261121"))
RATE = 50
RESULTS = LOCAL / "faults" / "results.jsonl"

EFFECTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "routing": ("cases", {}),
    "notify": ("ledger", {"kind": {"$in": RECEIPTS}}),
    "reporting": ("facts", {"kind": "case"}),
}


class Row:
    """What a test of one row works with."""

    def __init__(self, name: str, stack: FaultStack, watcher: Watcher, load: Load) -> None:
        self.name, self.stack, self.watcher, self.load = name, stack, watcher, load
        self.office = Office(stack, watcher, load)
        self.chance = random.Random(SEED)
        self.injected: list[str] = []
        self.hits: Counter[str] = Counter()
        self.windows: list[Window] = []
        self.poison: list[Poison] = []
        self.ahead: list[str] = []
        self._looked: dict[str, dict[tuple[str, int], int]] = {}
        """Group → what it had committed when it was last looked at."""
        self.cuts = 0
        """Dialogues that were cut after the dot, as the link or the mail server counted them."""
        self._in_hands: set[str] = set()
        """Letters that were marked SENDING when their process was killed, or the server that they went to."""
        self.seconds: Counter[str] = Counter()
        """What took how long, by phase."""
        self.sizes: list[Size] = []
        self._is_checked = False
        self._measuring = asyncio.create_task(self._measure())

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What the block takes is time of this phase."""
        began = monotonic()
        try:
            yield
        finally:
            self.seconds[name] += monotonic() - began

    # Injecting

    def inject(self, what: str) -> None:
        """Note what was done."""
        self.injected.append(what)

    def hit(self, what: str, count: int) -> int:
        """Note what a fault met. It must meet something, or nothing was tried: raises AssertionError."""
        assert count > 0, f"the fault did not hit: {what}"
        self.hits[what] += count
        return count

    @contextlib.asynccontextmanager
    async def loaded(self, seconds: float, rate: int = RATE) -> AsyncIterator[None]:
        """A load of `rate` requests a second while the block runs, and at least for `seconds`; the office works beside it."""
        running = asyncio.create_task(self.load.run(rate))
        began = monotonic()
        with self.phase("load"):
            async with self.office.at_work():
                try:
                    yield
                    await asyncio.sleep(max(0.0, began + seconds - monotonic()))
                finally:
                    self.load.stop()
                    await running

    @contextlib.asynccontextmanager
    async def down(self, what: str, *, certainly_after: float = 0.0) -> AsyncIterator[None]:
        """A window in which `what` does not answer; the fault is in force before it, and ends after it."""
        began = monotonic() + certainly_after
        yield
        self.windows.append(Window(what, began, monotonic()))

    async def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.stack.pid(name), number)

    async def kill(self, name: str) -> None:
        """SIGKILL, without waiting for the next process."""
        self.stack.kill(name)
        if name == "notify":
            await self.note_sending()

    async def note_sending(self, *also: str) -> None:
        """These letters may become UNKNOWN: what is marked SENDING now, or stands in a state `also`.

        What a process wrote just before it was killed is waited for; nobody else touches its letters before their lease ends.
        """
        await asyncio.sleep(0.3)
        states = {"$in": ["sending", *also]}
        self._in_hands |= {row["_id"] for row in await self.watcher.rows("notify", "ledger", {"state": states}, fields=["_id"])}

    async def ready(self, *names: str) -> None:
        for name in names:
            await asyncio.to_thread(self.stack.await_ready, name)

    async def stop(self, name: str) -> None:
        await asyncio.to_thread(self.stack.stop_process, name)

    async def start(self, name: str) -> None:
        await asyncio.to_thread(self.stack.start_process, name)

    async def run(self, *arguments: str) -> None:
        """A command of `doithoai` against the stack."""
        await asyncio.to_thread(run_command, self.stack, *arguments)

    async def waiting_for(self, service: str) -> int:
        """Requests that intake has not answered, or accepted ones that go on and whose effect in a service is not there yet."""
        if service == "intake":
            return self.load.in_flight
        collection, query = EFFECTS[service]
        return self.load.accepted - await self.watcher.database(service)[collection].count_documents(query)

    async def kept(self, sent: Sequence[Sent]) -> set[str]:
        """Those of these that intake keeps, by their address, whatever their clients were told."""
        query = {"person.email": {"$in": [one.email for one in sent]}}
        found = [
            await self.watcher.rows("intake", name, query, fields=["person.email"])
            for name in ("registrations", "feedback", "held")
        ]
        return {row["person"]["email"] for rows in found for row in rows}

    async def until(self, check: Callable[[], Awaitable[object]], timeout: float = 30, every: float = 0.1) -> None:  # noqa: ASYNC109
        await eventually(lambda: _truthy(check), timeout, every=every)

    async def metrics(self, service: str, name: str) -> list[float]:
        """The values of a metric of a service, whatever its labels."""
        async with httpx.AsyncClient(timeout=10) as client:
            text = (await client.get(f"{self.stack.service_url(service)}/metrics")).text
        return [float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)]

    async def look_for_offsets_ahead(self, group: str) -> Evidence:
        """Compare offsets and effects of a group now, while things are down.

        What was committed before the last look was compared then, and is again in the end: reading all of it each time takes most
        of the time of a load that shares its two cores.
        """
        seen = await durable_effects(self.watcher, group, self._looked.get(group))
        self.ahead += offsets_ahead(seen)
        self._looked[group] = seen.committed[group]
        return seen

    # Judging

    async def settle(self, letters: Sequence[str] = ("sent",), *, timeout: float = 240) -> None:  # noqa: ASYNC109
        """Wait until every client was told yes and everything accepted has come to its end."""
        with self.phase("settle"):
            await self.finish()
            await eventually(lambda: self._is_settled(letters), timeout, every=1.0)

    async def finish(self) -> None:
        """Wait until every client was told yes, and the office has let go what it means to."""
        await self.load.finish()
        await self.office.finish()

    async def _is_settled(self, letters: Sequence[str]) -> bool:
        state = await self.unsettled(letters)
        assert not state, f"not settled: {state}"
        return True

    async def unsettled(self, letters: Sequence[str] = ("sent",)) -> dict[str, int]:
        """What is still missing, by name."""
        database = self.watcher.database
        going_on = self.load.going_on()
        sent, questions = len(going_on), sum(len(s.texts) for s in going_on)
        missing = {
            "held": len(self.load.sent) - sent - await database("intake")["held"].count_documents({}),
            "cases": sent - await database("routing")["cases"].count_documents({}),
            "questions": questions - await database("routing")["questions"].count_documents({}),
            "letters": self.load.letters() - await database("notify")["ledger"].count_documents(_ended(letters)),
            "facts": questions - await database("reporting")["facts"].count_documents({"kind": "question"}),
            "buckets": await database("reporting")["buckets"].count_documents({"dirty": True}),
            "months": await database("reporting")["months"].count_documents({"dirty": True}),
            "unpublished": await self.watcher.unpublished(),
        }
        missing = {name: n for name, n in missing.items() if n}
        if not missing:
            missing = {f"lag of {group}": n for group, n in (await self.watcher.lag()).items()}
        return missing

    @property
    def may_be_unknown(self) -> int:
        """How many letters the faults until now may have left UNKNOWN."""
        return self.cuts + len(self._in_hands)

    async def evidence(self) -> Evidence:
        """Everything, with what was injected."""
        await self.ready(*SERVICES)
        found = await gather(self.stack, self.watcher, self.load)
        injected = {"windows": self.windows, "poison": self.poison, "cuts": self.may_be_unknown}
        return replace(found, sizes=self.sizes, ahead=self.ahead, **injected)

    async def judge(
        self,
        letters: Sequence[str] = ("sent",),
        *,
        timeout: float = 240,  # noqa: ASYNC109
        but: Callable[[Evidence], Evidence] = lambda found: found,
    ) -> Evidence:
        """Settle, check every invariant, say what happened. Raises AssertionError with what did not hold.

        `but` takes out what the row lost on purpose (what is younger than a backup).
        """
        await self.settle(letters, timeout=timeout)
        with self.phase("gather"):
            found = but(await self.evidence())
        with self.phase("check"):
            broken = violations(found)
        self._is_checked = True
        assert not broken, f"seed {SEED}: {json.dumps(broken, ensure_ascii=False, indent=1)}"
        return found

    def say(self, failure: str) -> None:
        """Print and note what was done, what it met and how it ended; an empty `failure`: the row held."""
        sent, seconds = len(self.load.sent), self.load.seconds
        line = {
            "row": self.name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": SEED,
            "injected": self.injected,
            "requests": sent,
            "feedback": len(self.load.of(Way.FEEDBACK)),
            "held": len(self.load.of(Way.FORM)),
            "released": sum(s.released for s in self.load.sent),
            "moves": sum(len(s.moved) for s in self.load.sent),
            "changed": sum(s.is_changed for s in self.load.sent),
            "rate": round(sent / seconds, 1) if seconds else None,
            "told": dict(self.load.told()),
            "hits": dict(self.hits),
            "memory_mb": round(max((s.megabytes for s in self.sizes), default=0)),
            "load_s": round(seconds),
            "settled_s": round(self.seconds["settle"]),
            "seconds": {name: round(taken, 1) for name, taken in self.seconds.items()},
            "failure": failure,
        }
        print(f"\n{self.name} (DOITHOAI_SEED={SEED})")
        print(f"  injected: {'; '.join(self.injected)}")
        print(f"  load: {sent} requests, {line['rate']}/s for {seconds:.0f} s; clients were told {line['told']}")
        print(f"  among them {line['feedback']} of feedback, {line['held']} forms that were held ({line['released']} let go)")
        print(f"  afterwards {line['moves']} moves of questions, {line['changed']} amended or taken back by their registrants")
        print(f"  hit: {line['hits']}")
        print(f"  seconds: {', '.join(f'{name} {taken}' for name, taken in line['seconds'].items())}")
        checked = f"I1-I11, {line['settled_s']} s after the load" if self._is_checked else "nothing, it did not come to that"
        print(f"  checked: {checked}; the largest process had {line['memory_mb']} MB")
        print(f"  result: {failure or 'passed'}")
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    async def _measure(self) -> None:
        while True:
            for service in SERVICES:
                with contextlib.suppress(ProcessLookupError, StopIteration, psutil.Error):
                    process = psutil.Process(self.stack.pid(service))
                    self.sizes.append(Size(service, process.memory_info().rss / 2**20, process.num_fds()))
            await asyncio.sleep(1)

    async def close(self) -> None:
        self._measuring.cancel()
        await self.office.close()
        await self.watcher.close()


def _ended(letters: Sequence[str]) -> dict[str, Any]:
    """Letters that have come to their end. One that was cut twice goes out no more by itself: it waits for a person."""
    return {"$or": [{"state": {"$in": list(letters)}}, {"state": "unknown", "next_at": {"$exists": False}}]}


async def _truthy(check: Callable[[], Awaitable[object]]) -> bool:
    return bool(await check())


@contextlib.asynccontextmanager
async def row(name: str, state: Path, *, samples: Sequence[str] = (QUICK,), **options: Any) -> AsyncIterator[Row]:
    """A row on a stack of its own; `options` are those of `FaultStack`, `samples` those of `doithoai sample`. On failure the seed
    is part of the message.
    """
    stack = FaultStack(state, **options)
    began = monotonic()
    try:
        await asyncio.to_thread(start_everything, stack, *samples)
        watcher = Watcher(stack.mongodb_url, stack.kafka_bootstrap)
        made = Row(name, stack, watcher, await new_load(stack, watcher))
        made.seconds["start"] = monotonic() - began
        try:
            yield made
            made.say("")
        except BaseException as error:
            made.say(f"{type(error).__name__}: {error}"[:2000])
            raise
        finally:
            await made.close()
    finally:
        began = monotonic()
        await asyncio.to_thread(stack.stop)
        print(f"  stopped in {monotonic() - began:.1f} s")


async def new_load(stack: LocalStack, watcher: Watcher, *, mixed: bool = True) -> Load:
    """A load for the plans of the samples; `mixed` False: registrations by the API alone."""
    agencies = load_agencies(ROOT / "agencies")
    plans = {p["agency"]: p["_id"] for p in await watcher.rows("routing", "plans")}

    async def intake_knows_them() -> bool:
        return set(plans.values()) <= {p["_id"] for p in await watcher.rows("intake", "plans", fields=["_id"])}

    await eventually(intake_knows_them)
    return Load(stack.public_url, plans, {code: a.privacy.version for code, a in agencies.items()}, SEED, mixed=mixed)


def unanswered(sent: Sequence[Sent]) -> list[Sent]:
    """Clients that were not told yes yet."""
    return [s for s in sent if not s.accepted]
