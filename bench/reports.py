"""R7: a report from what reporting keeps, against the same figures summed from a million questions' facts."""

from collections.abc import Sequence
from datetime import date, timedelta
from statistics import median
from time import perf_counter
from typing import Any

from pydantic import SecretStr

from bench import history, samples
from bench.harness import Beside, Measure, Ratio
from bench.machine import Machine
from kit import mongo
from kit.clock import local_date
from kit.mongo import Document, aggregate
from kit.periods import Period, dates, quarter_of
from services.reporting.bootstrap import bootstrap
from services.reporting.domain import FactKind, Sum, Tally
from services.reporting.domain import Measure as Counted
from services.reporting.report import build
from services.reporting.settings import ReportingSettings
from services.reporting.store import SPECS
from services.reporting.usecases import Reporting, cut_off, draw

QUESTIONS = 1_000_000
REGISTRATIONS = QUESTIONS // 2
PREFIX = "r7"


async def _reporting(kafka_bootstrap: str, mongodb_url: str, prefix: str) -> Reporting:
    settings = ReportingSettings(
        session_secret=SecretStr("s" * 40),
        mongodb_url=mongodb_url,
        mongodb_prefix=prefix,
        kafka_bootstrap=kafka_bootstrap,
        mongodb_timeout_ms=600_000,
        log_level="ERROR",
    )
    _app, _service, reporting = bootstrap(settings)
    return reporting


async def load(
    kafka_bootstrap: str, mongodb_url: str, prefix: str, questions: int, registrations: int, **_: Any
) -> dict[str, float]:
    """Facts straight into the store, then every sum as reporting computes it."""
    reporting = await _reporting(kafka_bootstrap, mongodb_url, prefix)
    began = perf_counter()
    await history.fill(reporting.facts.collection, history.facts(questions, FactKind.QUESTION))
    await history.fill(reporting.facts.collection, history.facts(registrations, FactKind.CASE))
    loaded = perf_counter()
    await sum_up(reporting)
    return {"facts_seconds": loaded - began, "sums_seconds": perf_counter() - loaded}


async def sum_up(reporting: Reporting) -> None:
    """Every day's sums, as reporting computes them."""
    await reporting.buckets.mark(history.days_of_history())
    while await reporting.buckets.recompute(reporting.facts):
        pass


async def prepare(machine: Machine) -> None:
    """One million questions; read by every round."""
    await mongo.apply(machine.client[f"{PREFIX}_reporting"], SPECS)
    await machine.run("bench.reports:load", prefix=PREFIX, questions=QUESTIONS, registrations=REGISTRATIONS)


def periods(reporting: Reporting) -> tuple[Period, Period]:
    """A statutory quarter that is over, and ninety days chosen freely."""
    today = local_date(reporting.clock())
    last = today - timedelta(days=history.RECENT + 40)
    return quarter_of(reporting.clock() - timedelta(days=150)), dates(last - timedelta(days=89), last)


# Ours


async def kept(kafka_bootstrap: str, mongodb_url: str, prefix: str, seconds: float, **_: Any) -> dict[str, Any]:
    reporting = await _reporting(kafka_bootstrap, mongodb_url, prefix)
    agency = reporting.agency(samples.AGENCY)
    measured: list[float] = []
    reports: list[str] = []
    for period in periods(reporting):
        times: list[float] = []
        ends = perf_counter() + seconds / 2
        while perf_counter() < ends or len(times) < 3:
            began = perf_counter()
            drawn = await draw(reporting, agency, period)
            times.append(perf_counter() - began)
        if not drawn.freshness.is_clean:
            raise AssertionError("sums were not up to date")
        measured.append(median(times))
        reports.append(repr(drawn.report.tables))
    return {"statutory": measured[0], "any": measured[1], "reports": reports}


# Baseline


async def naive(kafka_bootstrap: str, mongodb_url: str, prefix: str, **_: Any) -> dict[str, Any]:
    """Every fact of the agency, its flows told apart and summed by the database."""
    reporting = await _reporting(kafka_bootstrap, mongodb_url, prefix)
    agency = reporting.agency(samples.AGENCY)
    measured: list[float] = []
    reports: list[str] = []
    for period in periods(reporting):
        until = cut_off(reporting, period)
        began = perf_counter()
        report = build(agency, period, until, Tally(await _sums(reporting, period.first_day, until)))
        measured.append(perf_counter() - began)
        reports.append(repr(report.tables))
    return {"statutory": measured[0], "any": measured[1], "reports": reports}


async def _sums(reporting: Reporting, first_day: date, until: date) -> Sequence[Sum]:
    first = first_day.isoformat()
    stages: list[Document] = [
        {"$match": {"agency": samples.AGENCY, "first": {"$lt": until.isoformat()}}},
        {"$project": {"flows": 1}},
        {"$unwind": "$flows"},
        {"$match": {"flows.day": {"$lt": until.isoformat()}}},
        {
            "$group": {
                "_id": {
                    "measure": "$flows.measure",
                    "key": "$flows.key",
                    "about_before": {"$lt": ["$flows.about", first]},
                    "day_before": {"$lt": ["$flows.day", first]},
                },
                "n": {"$sum": "$flows.n"},
            }
        },
    ]
    rows = aggregate(reporting.facts.collection, stages)
    return [
        Sum(
            Counted(row["_id"]["measure"]),
            tuple(row["_id"]["key"]),
            row["_id"]["about_before"],
            row["_id"]["day_before"],
            row["n"],
        )
        async for row in rows
    ]


# The row


_reports: dict[str, Any] = {}


async def _round(machine: Machine, side: str) -> Measure:
    """Reports a second. Both sides must draw the same tables."""
    result = await machine.run(f"bench.reports:{side}", prefix=PREFIX)
    if _reports.setdefault("tables", result["reports"]) != result["reports"]:
        raise AssertionError("the two reports differ")
    return Measure(1 / result["statutory"], {"any": 1 / result["any"]})


async def ours(machine: Machine) -> Measure:
    return await _round(machine, "kept")


async def theirs(machine: Machine) -> Measure:
    return await _round(machine, "naive")


R7 = Ratio(
    "R7",
    f"naive aggregation time ÷ our report's time at {QUESTIONS:,} questions, same tables: a statutory quarter",
    "reports/s",
    ours,
    theirs,
    floor=50,
    target=300,
    beside=(Beside("any", "any ninety days", 15, at_most=False, floor=10),),
    prepare=prepare,
    most_pairs=3,
)
