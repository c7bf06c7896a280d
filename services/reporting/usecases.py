"""What reporting does: keep facts, keep sums, draw a report, list the cases of a cell."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from time import monotonic
from typing import Any

from prometheus_client import Gauge

from kit.agency import Agency
from kit.calendars import CalendarProjection
from kit.clock import Clock, local_date
from kit.errors import NotFound
from kit.feedback import FeedbackGroups
from kit.periods import Period, PeriodKind, whole_year
from services.reporting.domain import SOURCES, Cell, Tally, sums_of
from services.reporting.report import PlannedDialogue, Report, build
from services.reporting.settings import ReportingSettings
from services.reporting.store import Buckets, Facts, Freshness, Recorded

STALENESS = Gauge("report_staleness_seconds", "Since when the oldest day's or month's sums wait to be computed again")

PAGE = 50
_ONE_DAY = timedelta(days=1)
_WAIT_FOR_SUMS = 2.0
_IDLE = 1.0


@dataclass(frozen=True)
class Reporting:
    """What use cases are handed. `wake` is set when sums have to be computed."""

    settings: ReportingSettings
    agencies: Mapping[str, Agency]
    calendars: CalendarProjection
    groups: FeedbackGroups
    clock: Clock
    facts: Facts
    buckets: Buckets
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def agency(self, code: str) -> Agency:
        """Raises `NotFound`."""
        agency = self.agencies.get(code)
        if agency is None:
            raise NotFound("agency")
        return agency


async def record(reporting: Reporting, recorded: Sequence[Recorded]) -> None:
    """Keep facts, then ask for the sums of the days that they touch: in this order, so that no sum misses a fact."""
    await reporting.buckets.mark(await reporting.facts.save(recorded))
    reporting.wake.set()


async def keep_sums(reporting: Reporting) -> None:
    """Compute waiting sums until cancelled; while many come it rests as long as it works, so a day is summed few times."""
    await reporting.buckets.adopt()
    while True:
        reporting.wake.clear()
        STALENESS.set(await reporting.buckets.staleness())  # first: when a sum cannot be computed, its age still grows
        started = monotonic()
        done = await reporting.buckets.recompute(reporting.facts)
        if done:
            await asyncio.sleep(min(monotonic() - started, 5.0))
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE):
                    await reporting.wake.wait()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A report and how fresh its numbers are."""

    report: Report
    freshness: Freshness


async def draw(reporting: Reporting, agency: Agency, period: Period) -> Drawn:
    """The report of a period. Waits briefly for sums that are being computed, then takes what there is and says so."""
    until = cut_off(reporting, period)
    freshness = await _settled(reporting, agency.code, until)
    tally = await reporting.buckets.tally(agency.code, period.first_day, until)
    planned = await _planned(reporting, agency.code, period)
    running = local_date(reporting.clock()) <= period.last_day
    return Drawn(build(agency, period, until, tally, planned, running=running, groups=reporting.groups), freshness)


def cut_off(reporting: Reporting, period: Period) -> date:
    """The first day whose events are not in the report: tomorrow while the period runs."""
    return min(period.last_day, local_date(reporting.clock())) + _ONE_DAY


async def _settled(reporting: Reporting, agency: str, until: date) -> Freshness:
    deadline = monotonic() + _WAIT_FOR_SUMS
    while True:
        freshness = await reporting.buckets.freshness(agency, until)
        if freshness.is_clean or monotonic() > deadline:
            return freshness
        await asyncio.sleep(0.1)


async def _planned(reporting: Reporting, agency: str, period: Period) -> list[PlannedDialogue]:
    if period.kind is not PeriodKind.YEAR:
        return []
    rows = await reporting.facts.dialogues_of_year(agency, period.last_day.year)
    return [_planned_dialogue(row["label"], row["details"]) for row in rows]


def _planned_dialogue(label: str, details: Mapping[str, Any]) -> PlannedDialogue:
    def day(name: str) -> date | None:
        return date.fromisoformat(details[name]) if details[name] else None

    return PlannedDialogue(
        label, day("announced_on"), day("held_on"), day("counted_on"), day("meeting_on"), details["status"] == "cancelled"
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """The cases of a cell: (label, how often it counts), one page of them; sealed ones are only counted (D6)."""

    total: int
    sealed: int
    rows: Sequence[tuple[str, int]]
    page: int
    pages: int


async def listing(reporting: Reporting, agency: Agency, period: Period, cell: Cell, page: int) -> Listing:
    """The cases behind a number, by the same rule that made the number."""
    until = cut_off(reporting, period)
    counts: Counter[str] = Counter()
    sealed = 0
    candidates = reporting.facts.candidates(agency.code, SOURCES[cell.measure], cell.measure, period.first_day, until)
    async for label, is_sealed, flows in candidates:
        n = Tally(sums_of(flows, period.first_day, until)).count(cell)
        if is_sealed:
            sealed += n
        elif n:
            counts[label] += n
    found = sorted((label, n) for label, n in counts.items() if n)
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    return Listing(sum(n for _, n in found) + sealed, sealed, shown, page, pages)


async def public_year(reporting: Reporting, agency: Agency, year: int) -> Drawn:
    """The year's report, of which the public page shows the sums."""
    return await draw(reporting, agency, whole_year(year))
