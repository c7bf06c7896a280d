"""All the evidence of one row, gathered when everything has settled: what the invariants are judged by."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from contracts.topics import TOPICS
from deploy.local.stack import LocalStack
from kit.mongo import Document
from tests.faults.load import Load, Sent
from tests.faults.report import Numbers, counted_from_what_was_sent, shown_by_the_report
from tests.faults.watching import GROUPS, Caught, Place, Record, Watcher, mails


@dataclass(frozen=True)
class Poison:
    """A record that nobody can handle, and the groups (as in GROUPS) that read its topic."""

    place: Place
    value: bytes | None
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """From when to when (monotonic seconds) something was down for certain: mongodb, kafka or smtp."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Size:
    """What a process used at one moment."""

    process: str
    megabytes: float
    files: int


@dataclass
class Evidence:
    """Plain data; nothing here comes from what a service says about itself but its logs and metrics, which are searched."""

    sent: Sequence[Sent] = ()
    registrations: Sequence[Document] = ()
    feedback: Sequence[Document] = ()
    held: Sequence[Document] = ()
    cases: Sequence[Document] = ()
    questions: Sequence[Document] = ()
    ledger: Sequence[Document] = ()
    facts: Sequence[Document] = ()
    buckets: Sequence[Document] = ()
    months: Sequence[Document] = ()
    deliveries: Sequence[Document] = ()
    shown_cases: Sequence[Document] = ()
    shown_questions: Sequence[Document] = ()
    shown_plans: Sequence[Document] = ()
    shown_dialogues: Sequence[Document] = ()
    intake_staff: Sequence[Document] = ()
    notify_staff: Sequence[Document] = ()
    reporting_staff: Sequence[Document] = ()
    intake_calendars: Sequence[Document] = ()
    reporting_calendars: Sequence[Document] = ()
    dead_letters: Sequence[Document] = ()
    records: dict[str, list[Record]] = field(default_factory=dict)
    committed: dict[str, dict[tuple[str, int], int]] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    mails: Sequence[Caught] = ()
    reported: Numbers = field(default_factory=dict)
    counted: Numbers = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    """Logs and metrics, by name."""
    poison: Sequence[Poison] = ()
    windows: Sequence[Window] = ()
    sizes: Sequence[Size] = ()
    cuts: int = 0
    """How many letters may have become UNKNOWN: dialogues cut after the dot, letters in a killed process's hands."""
    ahead: Sequence[str] = ()
    """Offsets that were found ahead of their effects while faults were going on."""


async def gather(stack: LocalStack, watcher: Watcher, load: Load) -> Evidence:
    """Everything that can be read when all has settled; the row adds what it injected."""
    return replace(
        await durable_effects(watcher),
        sent=load.sent,
        buckets=await watcher.rows("reporting", "buckets"),
        months=await watcher.rows("reporting", "months"),
        lag=await watcher.lag(),
        mails=await asyncio.to_thread(mails, stack.mail_dir),
        reported=await shown_by_the_report(stack),
        counted=counted_from_what_was_sent(load.sent),
        written=await asyncio.to_thread(_written, stack),
    )


SOURCES: Mapping[str, tuple[str, str]] = {
    "registrations": ("intake", "registrations"),
    "feedback": ("intake", "feedback"),
    "held": ("intake", "held"),
    "cases": ("routing", "cases"),
    "questions": ("routing", "questions"),
    "ledger": ("notify", "ledger"),
    "facts": ("reporting", "facts"),
    "deliveries": ("routing", "deliveries"),
    "shown_cases": ("intake", "cases"),
    "shown_questions": ("intake", "questions"),
    "shown_plans": ("intake", "plans"),
    "shown_dialogues": ("intake", "dialogues"),
    "intake_staff": ("intake", "staff"),
    "notify_staff": ("notify", "staff"),
    "reporting_staff": ("reporting", "staff"),
    "intake_calendars": ("intake", "calendars"),
    "reporting_calendars": ("reporting", "calendars"),
}
"""Field of the evidence → service and collection."""
EFFECTS: Mapping[str, Sequence[str]] = {
    "routing.registrations": ("cases",),
    "routing.feedback": ("cases",),
    "routing.deliveries": ("deliveries",),
    "intake.cases": ("shown_cases",),
    "intake.questions": ("shown_questions",),
    "intake.dialogues": ("shown_plans", "shown_dialogues"),
    "intake.staff": ("intake_staff",),
    "intake.calendars": ("intake_calendars",),
    "reporting.cases": ("facts",),
    "reporting.questions": ("facts",),
    "reporting.dialogues": ("facts",),
    "reporting.surveys": ("facts",),
    "reporting.staff": ("reporting_staff",),
    "reporting.calendars": ("reporting_calendars",),
    "notify.letters": ("ledger",),
    "notify.staff": ("notify_staff",),
}
"""Group → the fields in which its effects show. (What notify reads of registrations and feedback has one only when a contact
changes or is erased.)
"""
SHOWS: Mapping[str, Sequence[str]] = {
    "cases": ("registration_seq",),
    "deliveries": ("sequence",),
    "shown_cases": ("sequence",),
    "shown_questions": ("sequence",),
    "shown_plans": ("sequence",),
    "shown_dialogues": ("sequence",),
    "intake_staff": ("sequence",),
    "notify_staff": ("sequence",),
    "reporting_staff": ("sequence",),
    "intake_calendars": ("sequence",),
    "reporting_calendars": ("sequence",),
    "facts": ("sequence",),
    "ledger": ("agency", "letter_key"),
}
"""Field of the evidence → what tells that an effect is there; it is looked at while the load goes on, which has but two cores."""


async def durable_effects(watcher: Watcher, group: str = "", since: Mapping[tuple[str, int], int] | None = None) -> Evidence:
    """Offsets first, effects afterwards: an effect that is missing then was missing when the offset was committed.

    With a `group` only what is needed to judge it, of the records `since` an offset (topic, partition → offset).
    """
    committed = await watcher.committed(*([group] if group else GROUPS))
    fields = EFFECTS[group] if group else SOURCES
    rows: dict[str, Any] = {name: await watcher.rows(*SOURCES[name], fields=SHOWS[name] if group else None) for name in fields}
    topics = GROUPS[group] if group else TOPICS
    records = await asyncio.gather(*(watcher.records(topic, since) for topic in topics))
    return replace(
        Evidence(),
        committed={group: {(p.topic, p.partition): at for p, at in offsets.items()} for group, offsets in committed.items()},
        records={topic.name: found for topic, found in zip(topics, records, strict=True)},
        dead_letters=await watcher.dead_letters(),
        **rows,
    )


def _written(stack: LocalStack) -> dict[str, bytes]:
    found = {f"log of {path.stem}": path.read_bytes() for path in stack.log_dir.glob("*.log*")}
    for service in stack.ports.services:
        found[f"metrics of {service}"] = httpx.get(f"{stack.service_url(service)}/metrics", timeout=10).content
    return found
