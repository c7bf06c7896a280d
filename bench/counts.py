"""How many MongoDB commands and Kafka commits 1,000 registrations cost, step by step through all four services.

The services' own code runs here in one process, without the workers that poll; each step's input is complete before it begins,
so the counts depend on how the code groups its work and hardly on the machine.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr
from pymongo import monitoring

from bench import consume, samples
from bench import intake as intake_side
from bench.machine import Machine
from contracts.envelope import Event
from kit import deadletters, mongo
from kit.acting import Acting
from kit.clock import system_clock
from kit.consumer import Consumer, Reject, Subscription
from kit.deadletters import DeadLetters
from kit.outbox import Relay
from kit.service import Service
from services.intake import bootstrap as intake_bootstrap
from services.intake import store as intake_store
from services.intake.forms import RegistrationInput
from services.intake.usecases import Intake, register
from services.notify import bootstrap as notify_bootstrap
from services.notify import store as notify_store
from services.notify.settings import NotifySettings
from services.notify.smtp import Outcome, Reply
from services.reporting import bootstrap as reporting_bootstrap
from services.reporting import store as reporting_store
from services.reporting.settings import ReportingSettings
from services.routing import bootstrap as routing_bootstrap
from services.routing import store as routing_store
from services.routing.settings import RoutingSettings

REGISTRATIONS = 1_000
SECTIONS = 2
_SERVICES = {
    "intake": intake_store.SPECS,
    "routing": routing_store.SPECS,
    "notify": notify_store.SPECS,
    "reporting": reporting_store.SPECS,
}
LIMITS: Mapping[str, tuple[int, int]] = {
    "intake: accept and publish": (150, 0),
    "routing: registrations → cases and questions": (35, 6),
    "intake: what routing has shown": (14, 6),
    "intake: states of questions": (12, 10),
    "notify: letters → ledger": (26, 6),
    "notify: send": (330, 0),
    "routing: deliveries": (12, 10),
    "reporting: cases": (30, 6),
    "reporting: questions": (55, 10),
    "reporting: sums": (14, 0),
}
"""Step → MongoDB commands and Kafka commits that it may take: half as many again as full batches need, for those that are not."""


class _Commands(monitoring.CommandListener):
    """Counts what the drivers of this process send."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name not in ("hello", "endSessions"):
            self.sent[event.command_name] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing more to count."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing more to count."""


class _Taking:
    """A mail server that takes everything."""

    async def open(self) -> None:
        """There is nothing to open."""

    async def deliver(self, _sender: str, _recipient: str, _message: bytes) -> Reply:
        return Reply(Outcome.ACCEPTED)

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass
class _Counting:
    commands: _Commands
    steps: dict[str, dict[str, Any]]
    commits: int = 0

    async def step(self, name: str, work: Awaitable[None]) -> None:
        self.commands.sent.clear()
        self.commits = 0
        await work
        self.steps[name] = {
            "commands": self.commands.sent.total(),
            "commits": self.commits,
            "by_command": dict(self.commands.sent.most_common()),
        }


async def count(machine: Machine) -> dict[str, Any]:
    """Step → commands and commits, with their limits."""
    prefix = machine.new_prefix()
    for name, specs in _SERVICES.items():
        await mongo.apply(machine.client[f"{prefix}_{name}"], [*specs, deadletters.SPEC])
    result = await machine.run("bench.counts:run_through", prefix=prefix)
    for name, step in result["steps"].items():
        step["commands_limit"], step["commits_limit"] = LIMITS[name]
    return result


def over(counts: dict[str, Any]) -> list[str]:
    """What is over its limit, in words."""
    found: list[str] = []
    for name, step in counts["steps"].items():
        for what in ("commands", "commits"):
            if step[what] > step[f"{what}_limit"]:
                found.append(f"{name}: {step[what]} {what} for {REGISTRATIONS} registrations, at most {step[f'{what}_limit']}")
    return found


async def run_through(kafka_bootstrap: str, mongodb_url: str, prefix: str, **_: Any) -> dict[str, Any]:
    """1,000 registrations from the POST to report and mail."""
    counting = _Counting(_Commands(), {})
    monitoring.register(counting.commands)
    _count_commits(counting)
    common: dict[str, Any] = {
        "session_secret": SecretStr("s" * 40),
        "mongodb_url": mongodb_url,
        "mongodb_prefix": prefix,
        "kafka_bootstrap": kafka_bootstrap,
        "mongodb_timeout_ms": 60_000,
        "log_level": "ERROR",
    }
    more = {"mongodb_timeout_ms": 60_000, "request_deadline_seconds": 60}
    _app, intake_service, intake = intake_bootstrap.bootstrap(intake_side.settings(kafka_bootstrap, mongodb_url, prefix, **more))
    routing, routing_service = routing_bootstrap.bootstrap(RoutingSettings(**common))
    notify = notify_bootstrap.bootstrap(NotifySettings(**common), transport=_Taking)
    _app, reporting_service, reporting = reporting_bootstrap.bootstrap(ReportingSettings(**common))
    await intake.projections.save_announcements(samples.announcements())
    await consume.announce(routing)

    def reading(service: Service, name: str, events: int) -> Awaitable[None]:
        return _read(service, name, events, kafka_bootstrap, prefix)

    questions = SECTIONS * REGISTRATIONS
    await counting.step("intake: accept and publish", _accept(intake, intake_service))
    await counting.step("routing: registrations → cases and questions", reading(routing_service, "registrations", REGISTRATIONS))
    await counting.step("intake: what routing has shown", reading(intake_service, "cases", REGISTRATIONS))
    await counting.step("intake: states of questions", reading(intake_service, "questions", questions))
    await counting.step("notify: letters → ledger", reading(notify.service, "letters", REGISTRATIONS))
    await counting.step("notify: send", _send(notify))
    await counting.step("routing: deliveries", reading(routing_service, "deliveries", 2 * REGISTRATIONS))
    await counting.step("reporting: cases", reading(reporting_service, "cases", REGISTRATIONS))
    await counting.step("reporting: questions", reading(reporting_service, "questions", questions))
    await counting.step("reporting: sums", _sums(reporting))
    return {"registrations": REGISTRATIONS, "steps": counting.steps}


def _count_commits(counting: _Counting) -> None:
    commit = AIOKafkaConsumer.commit

    async def counted(consumer: AIOKafkaConsumer, *arguments: Any) -> None:
        counting.commits += 1
        await commit(consumer, *arguments)

    AIOKafkaConsumer.commit = counted


async def _accept(intake: Intake, service: Service) -> None:
    """All at once, as a burst comes."""
    relay = Relay(service.publisher, service.outboxes)
    submission = RegistrationInput.model_validate_json(samples.body()).submission()
    acting = Acting(samples.AGENCY, "registrant", system_clock())
    await asyncio.gather(*(register(intake, acting, f"key {n}", submission) for n in range(REGISTRATIONS)))
    await relay.stop(within=60)


async def _read(service: Service, name: str, events: int, kafka_bootstrap: str, prefix: str) -> None:
    """Let one of the service's consumers read what waits, then publish what comes of it."""
    relay = Relay(service.publisher, service.outboxes)
    subscription, all_read = _counted(next(s for s in service.subscriptions if s.name == name), events)
    consumer = Consumer(
        subscription, DeadLetters(service.database), bootstrap=kafka_bootstrap, group=f"{prefix}.{service.name}.{name}"
    )
    running = asyncio.create_task(consumer.run())
    async with asyncio.timeout(120):
        await all_read.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await relay.stop(within=60)


def _counted(subscription: Subscription, wanted: int) -> tuple[Subscription, asyncio.Event]:
    """The subscription, and what is set when it has handled as many events as are wanted."""
    handled, all_read = 0, asyncio.Event()

    async def handle(events: Sequence[Event[Any]], reject: Reject) -> None:
        nonlocal handled
        await subscription.handle(events, reject)
        handled += len(events)
        if handled >= wanted:
            all_read.set()

    return replace(subscription, handle=handle), all_read


async def _send(notify: notify_bootstrap.Notify) -> None:
    relay = Relay(notify.service.publisher, notify.service.outboxes)
    transport = _Taking()
    while await notify.senders.round(transport):
        pass
    await relay.stop(within=60)


async def _sums(reporting: Any) -> None:
    while await reporting.buckets.recompute(reporting.facts):
        pass
