"""An operator's hour: what the runbook says one sees is seen, and what it says to type mends it (docs/operations.md).

Alerts are those of deploy/prometheus/rules.yml on a clock thirty times as fast, in a real Prometheus. The scenes follow one
another on one stack; after each, everything is well again.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from contracts.topics import INTAKE_LETTERS
from deploy.local.paths import ROOT
from deploy.local.ports import HOST, SERVICES
from tests.faults.load import Load, Sent
from tests.faults.row import new_load
from tests.faults.stack import FaultStack
from tests.faults.watching import Watcher
from tests.prometheus import Prometheus, prometheus
from tests.stack import QUICK, start_everything
from tests.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

TIMES_FASTER = 30


class Operator:
    """Sees alerts, types commands."""

    def __init__(self, stack: FaultStack, server: Prometheus, watcher: Watcher) -> None:
        self.stack, self.server, self.watcher = stack, server, watcher
        self.sent: list[Sent] = []
        self._began = monotonic()

    def note(self, what: str) -> None:
        print(f"  {monotonic() - self._began:5.0f} s  {what}", flush=True)

    async def types(self, *command: str, answer: str = "", fails: bool = False) -> str:
        """A command of `doithoai`; returns what it prints."""
        status, said = await self._run(*command, answer=answer)
        self.note(f"$ doithoai {' '.join(command)}  (exit {status})")
        assert (status != 0) == fails, said
        return said

    async def _run(self, *command: str, answer: str = "") -> tuple[int, str]:
        env = self.stack.command_env()
        line = [sys.executable, "-m", "cli", *command]
        done = await asyncio.to_thread(
            subprocess.run, line, env=env, cwd=ROOT, input=answer, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    async def sees(self, *alerts: str) -> None:
        """Wait until these fire."""
        await eventually(lambda: self._fire(set(alerts)), 90, every=0.5)
        self.note(f"fires: {', '.join(sorted(self.server.firing()))}")

    async def _fire(self, alerts: set[str]) -> bool:
        firing = self.server.firing()
        assert alerts <= firing, f"{alerts} expected, {firing} fire"
        return True

    async def is_calm(self) -> None:
        """Wait until nothing fires and `status` is nought everywhere."""
        await eventually(self._calm, 150, every=1.0)
        self.note("nothing fires, status is nought")

    async def _calm(self) -> bool:
        assert not self.server.firing(), self.server.ask('ALERTS{alertstate="firing"}')
        _, said = await self._run("status")
        assert not [row for row in rows(said) if row[-1] != "0" or (len(row) == 3 and row[1] != "0")], said
        return True

    @asynccontextmanager
    async def people(self, rate: int = 5) -> AsyncIterator[Load]:
        """People register while the block runs; afterwards each of them has been told yes."""
        load = await new_load(self.stack, self.watcher, mixed=False)  # nobody at the office lets go what is held
        load.sent += self.sent  # so that nobody takes the key of somebody before
        running = asyncio.create_task(load.run(rate))
        try:
            yield load
        finally:
            load.stop()
            await running
            await load.finish()
            self.sent = load.sent

    async def stop(self, *names: str) -> None:
        for name in names:
            await asyncio.to_thread(self.stack.stop_process, name)
        self.note(f"stopped: {', '.join(names)}")

    async def start(self, *names: str) -> None:
        for name in names:
            await asyncio.to_thread(self.stack.start_process, name)
        self.note(f"started: {', '.join(names)}")


def rows(table: str) -> list[list[str]]:
    """The cells of a printed table, without its heading."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if line.startswith("│")]


@pytest.fixture(scope="module")
async def operator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Operator]:
    state: Path = tmp_path_factory.mktemp("hour")
    # The answer of /metrics waits for the database; the scrapes of this fast clock do not.
    stack = FaultStack(state / "stack", links={"routing": ["mongodb"]}, settings={"routing": {"mongodb_timeout_ms": "500"}})
    watcher = Watcher(stack.mongodb_url, stack.kafka_bootstrap)
    try:
        await asyncio.to_thread(start_everything, stack, QUICK)
        with prometheus(stack, state / "prometheus", times_faster=TIMES_FASTER) as server:
            operator = Operator(stack, server, watcher)
            await operator.is_calm()
            yield operator
    finally:
        await watcher.close()
        await asyncio.to_thread(stack.stop)


async def test_row_hour_a_poison_record(operator: Operator) -> None:
    async with AIOKafkaProducer(bootstrap_servers=operator.stack.kafka_bootstrap) as producer:
        await producer.send_and_wait(INTAKE_LETTERS.name, b"Nguoi Thu, 0912 345 678", key=b"x")
    await operator.sees("DeadLetters")
    listed = await operator.types("deadletters", "list")
    ((row, *place),) = rows(listed)
    assert place[:2] == ["notify", INTAKE_LETTERS.name]
    assert "0912" not in listed
    assert "0912" in await operator.types("deadletters", "show", row, "--service", "notify")
    await operator.types("deadletters", "drop", row, "--service", "notify", answer="y\n")
    await operator.is_calm()


async def test_row_hour_a_halted_consumer(operator: Operator) -> None:
    async with AIOKafkaProducer(bootstrap_servers=operator.stack.kafka_bootstrap) as producer:
        for _ in range(150):
            await producer.send(INTAKE_LETTERS.name, b"bad code was shipped", key=b"x", partition=0)
    await operator.sees("ConsumerHalted", "ConsumerBehind")
    await operator.stop("notify")
    operator.stack.change_settings("notify", {"DOITHOAI_DEAD_LETTER_LIMIT": "100000"})
    await operator.start("notify")
    await operator.sees("DeadLetters")
    assert "… and 50 older ones" in await operator.types("deadletters", "list")
    await operator.types("deadletters", "drop", "--all", "--service", "notify", answer="y\n")
    operator.stack.change_settings("notify", {"DOITHOAI_DEAD_LETTER_LIMIT": "100"})
    await operator.stop("notify")
    await operator.start("notify")
    await operator.is_calm()


async def test_row_hour_a_database_that_is_down(operator: Operator) -> None:
    async with operator.people():
        await operator.stop("mongodb")
        await operator.sees("RegistrationsUnavailable")
        await operator.start("mongodb")
    await operator.is_calm()


async def test_row_hour_kafka_has_lost_its_data(operator: Operator) -> None:
    async with operator.people():
        await asyncio.sleep(3)
    await operator.is_calm()
    await asyncio.to_thread(operator.stack.wipe_kafka)
    operator.note("Kafka has lost everything")
    await operator.stop(*SERVICES)
    await operator.types("migrate")
    await operator.start(*SERVICES)
    await operator.types("republish")
    await operator.is_calm()
    assert "Everything agrees" in await operator.types("reconcile")


async def test_row_hour_kafka_has_lost_its_data_and_the_services_ran_on(operator: Operator) -> None:
    async with operator.people(rate=1):
        await asyncio.to_thread(operator.stack.wipe_kafka)
        operator.note("Kafka has lost everything")
        await operator.types("migrate")
    await operator.types("republish")
    await operator.is_calm()
    await operator.stop(*SERVICES)
    await operator.start(*SERVICES)
    await operator.types("republish")
    await operator.is_calm()
    assert "Everything agrees" in await operator.types("reconcile")


async def test_row_hour_a_stuck_consumer(operator: Operator) -> None:
    link = operator.stack.links["routing", "mongodb"]
    async with operator.people():
        link.refuse()
        try:
            # Not ConsumerRetries: its pauses of up to 20 s do not run faster with the rules.
            await operator.sees("ConsumerBehind", "ServiceNotReady")
            (behind,) = [row for row in rows(await operator.types("status")) if row[0].endswith("routing.registrations")]
            ((_, unread),) = operator.server.ask('sum(consumer_lag_messages{group=~".*routing.registrations"})')
        finally:
            link.heal()
    operator.note(f"status: {behind}; consumer_lag_messages {unread:.0f}")
    assert behind[1] == "1"
    assert int(behind[3]) > 0
    assert unread > 0
    await operator.is_calm()


async def test_row_hour_an_index_is_lost(operator: Operator) -> None:
    await operator.watcher.database("notify")["ledger"].drop_index("letter")
    await operator.sees("ServiceNotReady")
    assert await _parts(operator, "notify") == {"mongodb": True, "indexes": False}
    await operator.types("migrate")
    await operator.is_calm()
    assert await _parts(operator, "notify") == {"mongodb": True, "indexes": True}


async def _parts(operator: Operator, service: str) -> dict[str, bool]:
    """What /readyz says of the parts that every service has."""
    async with httpx.AsyncClient() as client:
        said = await client.get(f"http://{HOST}:{operator.stack.ports.services[service]}/readyz")
    return {part: well for part, well in said.json()["parts"].items() if not part.startswith("consumer")}


async def test_row_hour_a_step_that_cannot_be_done(operator: Operator) -> None:
    async with operator.people(rate=2):
        await asyncio.sleep(3)
    await operator.is_calm()
    questions = operator.watcher.database("routing")["questions"]
    step = {"id": "broken", "do": "letter", "by": "system:hour", "at": datetime.now(UTC) - timedelta(hours=1)}
    question = await questions.find_one_and_update({}, {"$push": {"todo": step}})
    assert question is not None
    await operator.sees("StepNotDone")
    waiting = await questions.find({"todo.tries": {"$gt": 0}}, {"case_number": 1, "todo.do": 1, "todo.tries": 1}).to_list(None)
    assert [(row["_id"], row["todo"][0]["do"]) for row in waiting] == [(question["_id"], "letter")]
    await questions.update_one({"_id": question["_id"]}, {"$pull": {"todo": {"id": "broken"}}})
    await operator.is_calm()


async def test_row_hour_a_full_outbox(operator: Operator) -> None:
    async with operator.people():
        await operator.stop("kafka")
        await operator.sees("OutboxOld")
    shown = await operator.types("status", fails=True)
    assert "Kafka does not answer" in shown
    assert re.search(r"intake *│ registrations: \d+", shown)
    await operator.start("kafka")
    await operator.is_calm()


async def test_row_hour_a_dead_mail_server(operator: Operator) -> None:
    await operator.stop("mail")
    async with operator.people(rate=2):
        await operator.sees("MailServerDown")
    await operator.start("mail")
    await operator.is_calm()
    await eventually(lambda: _all_sent(operator), 120, every=1.0)
    await operator.is_calm()


async def _all_sent(operator: Operator) -> bool:
    ledger = operator.watcher.database("notify")["ledger"]
    return await ledger.count_documents({"state": {"$ne": "sent"}}) == 0


async def test_row_hour_a_case_that_differs(operator: Operator) -> None:
    assert "Everything agrees" in await operator.types("reconcile")
    facts = operator.watcher.database("reporting")["facts"]
    lost = await facts.find_one_and_delete({"kind": "case"})
    assert lost is not None
    said = await operator.types("reconcile", fails=True)
    ((agency, case, what),) = [row for row in rows(said) if len(row) == 3]
    assert (agency, case, what) == (lost["agency"], lost["label"], "case not in the reports")
    await operator.types("rebuild")
    assert "Everything agrees" in await operator.types("reconcile")


async def test_row_hour_a_backup_a_wipe_and_a_restore(operator: Operator, tmp_path: Path) -> None:
    await operator.types("backup", str(tmp_path / "one"))
    before = len(operator.sent)
    async with operator.people():
        await asyncio.sleep(3)  # these come after the backup
    await operator.is_calm()
    late = {sent.case_number for sent in operator.sent[before:]}
    mails = operator.stack.mail_dir
    written = len(list(mails.rglob("*.eml")))
    await operator.types("rescue", str(tmp_path / "one"), str(tmp_path / "late.jsonl"))
    saved = [json.loads(line) for line in (tmp_path / "late.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {event["data"]["case_number"] for event in saved} == late
    await operator.stop(*SERVICES)
    await operator.sees("ServiceDown")
    await asyncio.to_thread(operator.stack.wipe_mongodb)
    operator.note("MongoDB has lost everything")
    await operator.types("restore", str(tmp_path / "one"), "--yes-replace", "--delete-topics")
    await operator.types("migrate")
    await operator.start(*SERVICES)
    await operator.types("republish")
    await operator.is_calm()
    assert "Everything agrees" in await operator.types("reconcile")
    assert len(list(mails.rglob("*.eml"))) == written, "somebody was written to twice"
