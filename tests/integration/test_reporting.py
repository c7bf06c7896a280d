"""Reporting on real MongoDB and Kafka: facts in any order, sums that are set, pages, a rebuild that gives the same."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from openpyxl import load_workbook
from prometheus_client import REGISTRY
from pydantic import SecretStr

from contracts import topics
from contracts.envelope import Event, Payload
from contracts.model import CalendarDay, CalendarState, CaseState, DialogueState, SurveyState
from contracts.views import QuestionFigures
from kit import mongo
from kit.auth import COOKIE, Role, Session, SessionCodec
from kit.clock import start_of_day, system_clock
from kit.kafka import KafkaPublisher, create_topics
from kit.mongo import Database
from kit.periods import Period, dates, parse_period
from kit.web.rendering import STATIC_FILES
from services.reporting.bootstrap import bootstrap
from services.reporting.consumers import READ, recorded
from services.reporting.domain import Cell, Measure, Tally, Timing, sums_of
from services.reporting.rebuild import rebuild
from services.reporting.report import build
from services.reporting.settings import ReportingSettings
from services.reporting.store import SPECS, Buckets, Facts
from services.reporting.usecases import STALENESS, Drawn, Reporting, draw, keep_sums, listing, record
from tests.databases import lent
from tests.unit.reporting_events import at, ident, question
from tests.unit.s5 import CASES, DIALOGUE, QUESTIONS
from tests.waiting import eventually

pytestmark = pytest.mark.stack

SECRET = "a secret of the tests, longer than 32 characters"
AGENCY = "bac-kan"
Q4 = parse_period("2021-Q4")
_TYPES: dict[type[Payload], str] = {
    CaseState: "case.opened.v1",
    QuestionFigures: "question.created.v1",
    DialogueState: "dialogue.held.v1",
}


def event(subject: str | UUID, state: Any, sequence: int | None = None, agency: str = AGENCY) -> Event[Any]:
    """An event of the aggregate's newest state; by default as new as its steps."""
    return Event[type(state)](  # type: ignore[misc]
        id=uuid4(), source="routing", type=_TYPES[type(state)], subject=str(subject), time=state.steps[-1].known_at,
        dataschema=type(state).__name__, agency=agency, sequence=sequence or len(state.steps), data=state,
    )  # fmt: skip


def s5_events() -> list[Event[Any]]:
    """Every state that each aggregate of S5 went through."""
    events = [event("d1", DIALOGUE)]
    for name, case in CASES.items():
        events += [event(ident(name), earlier) for earlier in _versions(case)]
    for name, asked in QUESTIONS.items():
        events += [event(ident(name), earlier) for earlier in _versions(asked)]
    return events


def _versions(state: Any) -> list[Any]:
    field = "status" if isinstance(state, CaseState) else "state"
    return [
        state.model_copy(update={"steps": state.steps[:n], field: type(getattr(state, field))(state.steps[n - 1].state)})
        for n in range(1, len(state.steps) + 1)
    ]


@pytest.fixture(params=["motor", "pymongo"])
async def reporting(mongodb_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Reporting]:
    async with _reporting(mongodb_url, driver=request.param) as (_, made):
        yield made


def _settings(mongodb_url: str, **more: Any) -> ReportingSettings:
    return ReportingSettings(
        session_secret=SecretStr(SECRET), session_secure=False, mongodb_url=mongodb_url,
        agencies_dir=Path("agencies"), **more,
    )  # fmt: skip


@asynccontextmanager
async def _reporting(mongodb_url: str, driver: str = "motor") -> AsyncIterator[tuple[FastAPI, Reporting]]:
    """Reporting with a database of its own; nothing runs in the background."""
    async with lent(mongodb_url, "reporting", SPECS) as prefix:
        app, service, made = bootstrap(_settings(mongodb_url, mongodb_prefix=prefix, store_driver=driver))
        yield app, made
        await mongo.close(service.client)


async def _sum_up(reporting: Reporting) -> None:
    while await reporting.buckets.recompute(reporting.facts):
        pass


async def _report(reporting: Reporting, code: str = "2021-Q4") -> Drawn:
    return await draw(reporting, reporting.agencies[AGENCY], parse_period(code))


def _numbers(drawn: Drawn) -> list[tuple[str, list[int]]]:
    return [(row.label, [v.n for v in row.values]) for table in drawn.report.tables for row in table.rows]


async def _facts(reporting: Reporting) -> list[dict[str, Any]]:
    return await reporting.facts.collection.find({}, {"days": 0}).sort("_id", 1).to_list(None)


async def test_any_order_and_repetition_gives_the_same_facts_and_sums(reporting: Reporting) -> None:
    await record(reporting, recorded(s5_events()))
    await _sum_up(reporting)
    facts, numbers = await _facts(reporting), _numbers(await _report(reporting))
    assert dict(numbers)["Phiếu đăng ký tham gia đối thoại"] == [8, 0]
    assert len(facts) == 1 + len(CASES) + len(QUESTIONS)

    for seed in range(4):
        dice = random.Random(seed)
        await reporting.facts.collection.delete_many({})
        events = [e for e in s5_events() for _ in range(dice.randint(1, 3))]
        dice.shuffle(events)
        while events:
            size = dice.randint(1, 9)
            batch, events = events[:size], events[size:]
            await record(reporting, recorded(batch))
            if dice.random() < 0.2:
                await reporting.buckets.recompute(reporting.facts, limit=dice.randint(1, 4))
        await _sum_up(reporting)
        assert await _facts(reporting) == facts
        assert _numbers(await _report(reporting)) == numbers


async def test_a_report_of_any_period_is_the_sum_over_its_facts(reporting: Reporting) -> None:
    """Whole months are read where a period allows; what is kept of them must be right to the day, the 14th and 15th above all."""
    dice = random.Random(7)
    for sequence in (1, 2, 3):  # again after facts have moved to other days
        facts = recorded(_questions(dice, sequence))
        await record(reporting, facts)
        await _sum_up(reporting)
        flows = [flow for _, fact in facts for flow in fact.flows]
        for period in _periods(dice):
            until = period.last_day + timedelta(days=1)
            kept = await reporting.buckets.tally(AGENCY, period.first_day, until)
            counted = Tally(sums_of(flows, period.first_day, until))
            agency = reporting.agencies[AGENCY]
            assert build(agency, period, until, kept).tables == build(agency, period, until, counted).tables, period.code


_BEGIN = date(2020, 11, 3)
_UNTIL_ENDS = 600


def _questions(dice: random.Random, sequence: int) -> list[Event[Any]]:
    """Questions whose steps lie on random days, half of them at the edge of a report month."""

    def day() -> date:
        chosen = _BEGIN + timedelta(days=dice.randrange(_UNTIL_ENDS))
        return chosen.replace(day=dice.choice((14, 15))) if dice.random() < 0.5 else chosen

    made = []
    for n in range(60):
        known = sorted(start_of_day(day()) + timedelta(minutes=dice.choice((0, 1, 700, 1439))) for _ in range(3))
        steps = [(name, at - timedelta(days=dice.choice((0, 0, 3))), at) for name, at in zip(_STATES, known, strict=True)]
        made.append(event(ident(f"Q{n}"), question(f"R{n}", *steps, section=dice.choice((1, 2))), sequence))
    return made


_STATES = ("triage", "submitted", "resolved")


def _periods(dice: random.Random) -> list[Period]:
    """Statutory ones, and such as begin or end on any day, or next to a month's edge."""
    found = [parse_period(code) for code in ("2021-T01", "2021-T12", "2021-Q1", "2021-6T", "2021-9T", "2021", "2022-Q1")]
    edges = [date(2021, month, day) for month in range(1, 13) for day in (13, 14, 15, 16)]
    for first in dice.sample(edges, 12):
        found.append(dates(first, first + timedelta(days=dice.choice((0, 1, 27, 30, 31, 90)))))
    for last in dice.sample(edges, 12):
        found.append(dates(last - timedelta(days=dice.randrange(200)), last))
    return found


async def test_an_interrupted_batch_is_summed_when_it_comes_again(reporting: Reporting) -> None:
    """The facts were written, the process died before it asked for the sums: the repetition asks, also for days moved from."""
    first, moved = (question("R1", ("triage", at(f"1{n}/11/2021 09:00"))) for n in (0, 2))
    await record(reporting, recorded([event(ident("Q"), first, 1)]))
    await _sum_up(reporting)
    await reporting.facts.save(recorded([event(ident("Q"), moved, 2)]))
    await record(reporting, recorded([event(ident("Q"), moved, 2)]))
    await _sum_up(reporting)
    found = {code: dict(_numbers(await _report(reporting, code)))["Nội dung tiếp nhận"] for code in _DAYS}
    assert found == {"2021-11-10..2021-11-11": [0, 0], "2021-11-12..2021-11-12": [1, 0]}


_DAYS = ("2021-11-10..2021-11-11", "2021-11-12..2021-11-12")


async def test_a_slow_worker_never_overwrites_a_newer_sum(reporting: Reporting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker reads, is held up, another sums newer facts: the first one's sum is not set."""
    await record(reporting, recorded([event(ident("Q1"), question("R1", ("triage", at("10/11/2021 09:00"))))]))
    read, go_on = asyncio.Event(), asyncio.Event()
    sum_of_day = reporting.facts.sum_of_day

    async def slow(agency: str, day: str) -> Any:
        flows = await sum_of_day(agency, day)
        read.set()
        await go_on.wait()
        return flows

    monkeypatch.setattr(Facts, "sum_of_day", lambda _, agency, day: slow(agency, day))
    held_up = asyncio.create_task(reporting.buckets.recompute(reporting.facts))
    await read.wait()
    monkeypatch.setattr(Facts, "sum_of_day", lambda _, agency, day: sum_of_day(agency, day))
    await record(reporting, recorded([event(ident("Q2"), question("R2", ("triage", at("10/11/2021 10:00"))))]))
    await _sum_up(reporting)
    go_on.set()
    await held_up
    assert dict(_numbers(await _report(reporting)))["Nội dung tiếp nhận"] == [2, 0]
    assert (await reporting.buckets.freshness(AGENCY, Q4.last_day)).is_clean


async def test_numbers_lead_to_case_numbers_and_sealed_ones_are_only_counted(reporting: Reporting) -> None:
    await record(reporting, recorded(s5_events()))
    await _sum_up(reporting)
    agency = reporting.agencies[AGENCY]
    for table in (await _report(reporting)).report.tables:
        for value in (v for row in table.rows for v in row.values if v.cell):
            assert value.cell is not None
            assert (await listing(reporting, agency, Q4, value.cell, 1)).total == value.n
    late = await listing(reporting, agency, Q4, Cell.of(Measure.REGISTRATIONS, Timing.PERIOD, late="yes"), 1)
    assert [label for label, _ in late.rows] == ["R5", "R6"]
    excluded = await listing(reporting, agency, Q4, Cell.of(Measure.LEFT, Timing.PERIOD, state="excluded"), 1)
    assert (excluded.total, excluded.sealed, excluded.rows) == (1, 1, [])


async def test_another_agencys_events_are_in_no_report(reporting: Reporting) -> None:
    await record(reporting, recorded([event(ident("Q"), QUESTIONS["Q1"], agency="son-la")]))
    await _sum_up(reporting)
    assert all(table.nothing for table in (await _report(reporting)).report.tables)


async def test_while_sums_wait_the_report_says_how_fresh_it_is(reporting: Reporting) -> None:
    await record(reporting, recorded(s5_events()))
    drawn = await _report(reporting)
    assert not drawn.freshness.is_clean
    assert drawn.freshness.since is not None
    assert await reporting.buckets.staleness() > 0
    await _sum_up(reporting)
    assert (await _report(reporting)).freshness.is_clean
    assert await reporting.buckets.staleness() == 0


async def test_months_that_wait_for_their_sums_are_stale_too(reporting: Reporting) -> None:
    await record(reporting, recorded(s5_events()))
    while await reporting.buckets._recompute_days(reporting.facts, 50):
        pass
    assert await reporting.buckets.staleness() > 0


async def test_sums_that_cannot_be_computed_are_seen_to_grow_old(reporting: Reporting, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> int:
        raise ZeroDivisionError

    await record(reporting, recorded(s5_events()))
    monkeypatch.setattr(Buckets, "recompute", fails)
    STALENESS.set(0)
    with pytest.raises(ZeroDivisionError):
        await keep_sums(reporting)
    assert (REGISTRY.get_sample_value("report_staleness_seconds") or 0) > 0


async def test_every_query_has_an_index(reporting: Reporting) -> None:
    await record(reporting, recorded(s5_events()))
    explained = await reporting.facts.collection.find({"agency": AGENCY, "days": "2021-11-26"}).explain()
    assert "IXSCAN" in str(explained["queryPlanner"]["winningPlan"])


# Pages


async def _client(app: Any, *roles: Role, agency: str = AGENCY) -> httpx.AsyncClient:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    if roles:
        session = Session(id="s", agency=agency, username="vanphong", name="Trần Thị Mẫu", roles=frozenset(roles))
        client.cookies.set(COOKIE, SessionCodec(SecretStr(SECRET)).encode(session, system_clock()))
    return client


@pytest.fixture
async def site(mongodb_url: str) -> AsyncIterator[Any]:
    async with _reporting(mongodb_url) as (app, reporting):
        await record(reporting, recorded(s5_events()))
        await _sum_up(reporting)
        yield app


async def test_pages_for_staff(site: Any) -> None:
    async with await _client(site, Role.OFFICE) as client:
        index = await client.get("/bac-kan/bao-cao/?nam=2022")
        page = await client.get("/bac-kan/bao-cao/2021-Q4")
        cell = await client.get("/bac-kan/bao-cao/2021-Q4/o/registrations.period.late~yes")
        chosen = await client.get("/bac-kan/bao-cao/?tu=2021-11-01&den=2021-11-30")
        wrong = await client.get("/bac-kan/bao-cao/?tu=2021-11-30&den=2021-11-01")
        book = await client.get("/bac-kan/bao-cao/2021-Q4.xlsx")
        missing = [await client.get(f"/bac-kan/bao-cao/{path}") for path in ("2021-Q5", "x.xlsx", "2021-Q4/o/x")]
    assert index.status_code == page.status_code == cell.status_code == 200
    assert "15/12/2021 – 14/3/2022" in index.text
    assert "<svg" in page.text
    assert " style=" not in page.text
    assert 'href="/bac-kan/bao-cao/2021-Q4/o/registrations.period"' in page.text
    assert "R5" in cell.text
    assert "R6" in cell.text
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/bac-kan/bao-cao/2021-11-01..2021-11-30")
    assert wrong.status_code == 422
    assert "Ngày cuối phải từ ngày đầu trở đi" in wrong.text
    assert load_workbook(BytesIO(book.content))["Báo cáo"]["A3"].value == "BÁO CÁO KẾT QUẢ ĐỐI THOẠI VỀ THỦ TỤC HÀNH CHÍNH"
    assert [answer.status_code for answer in missing] == [404, 404, 404]


@pytest.mark.parametrize(
    ("roles", "agency", "status"),
    [((Role.OFFICER,), AGENCY, 403), ((Role.OFFICE,), "son-la", 403), ((), AGENCY, 303), ((Role.CONTROL,), AGENCY, 200)],
)
async def test_who_may_read_reports(site: Any, roles: Sequence[Role], agency: str, status: int) -> None:
    async with await _client(site, *roles, agency=agency) as client:
        for path in ("", "2021-Q4", "2021-Q4.xlsx", "2021-Q4/o/registrations.period"):
            assert (await client.get(f"/bac-kan/bao-cao/{path}")).status_code == status


async def test_the_public_page_needs_no_sign_in_and_names_no_case(site: Any) -> None:
    async with await _client(site) as client:
        page = await client.get("/bac-kan/so-lieu?nam=2021")
        empty = await client.get("/bac-kan/so-lieu?nam=2015")
        unknown = await client.get("/nowhere/so-lieu")
    assert page.status_code == 200
    assert len(page.content) + len(STATIC_FILES["site.css"]) <= 50_000
    assert "R1" not in page.text
    assert "/o/" not in page.text
    assert "không phát sinh" in empty.text
    assert unknown.status_code == 404


def _calendar_changed(sequence: int, *days: date) -> Event[CalendarState]:
    """What the office entered so far, as routing publishes it."""
    entries = tuple(CalendarDay(what="day_off", day=day, name="Nghỉ bổ sung") for day in days)
    return Event[CalendarState](
        id=uuid4(), source="routing", type="calendar.changed.v1", subject=AGENCY, time=at("01/03/2022 08:00"),
        dataschema="CalendarState", agency=AGENCY, sequence=sequence, data=CalendarState(entries=entries),
    )  # fmt: skip


async def test_the_days_of_a_period_are_counted_with_what_the_office_entered(mongodb_url: str) -> None:
    async with _reporting(mongodb_url) as (app, reporting), await _client(app, Role.OFFICE) as client:
        await reporting.calendars.apply([_calendar_changed(2, date(2022, 3, 15), date(2022, 3, 16))])
        await reporting.calendars.apply([_calendar_changed(1, date(2022, 3, 15))])  # once more, and late
        index = await client.get("/bac-kan/bao-cao/?nam=2022")
    assert "ngày 17/3/2022" in index.text, "the first working day after the cut-off of 14 March"
    assert "ngày 15/3/2022" not in index.text


# Kafka


@pytest.fixture
async def running(mongodb_url: str, kafka_bootstrap: str) -> AsyncIterator[tuple[Reporting, Database, KafkaPublisher]]:
    """The whole service on real topics."""
    await create_topics(kafka_bootstrap, topics.TOPICS)
    settings = _settings(
        mongodb_url,
        kafka_bootstrap=kafka_bootstrap,
        kafka_group_prefix=f"g{uuid4().hex}",
        mongodb_prefix=f"reporting{uuid4().hex[:8]}",
    )
    _app, service, reporting = bootstrap(settings)
    await mongo.apply(service.database, service.all_specs())
    publisher = KafkaPublisher(kafka_bootstrap)
    async with service.running():
        yield reporting, service.database, publisher
        await service.client.drop_database(service.database.name)
    await publisher.stop()


async def test_from_events_to_a_report_and_a_rebuild_that_gives_the_same(
    running: tuple[Reporting, Database, KafkaPublisher], kafka_bootstrap: str
) -> None:
    reporting, database, publisher = running
    for each in [*s5_events(), _survey_event()]:
        topic = next(t for t in READ.values() if each.type.startswith(_AGGREGATES[t.name]))
        await publisher.publish(topic, each.subject.encode(), each.encode(), ())
    changed = _calendar_changed(1, date(2022, 3, 15))
    await publisher.publish(topics.CALENDARS, changed.subject.encode(), changed.encode(), ())

    async def all_read() -> bool:
        labels = [*CASES, DIALOGUE_LABEL, SURVEY_LABEL]
        here = await reporting.facts.collection.count_documents({"agency": AGENCY, "label": {"$in": labels}})
        drawn = await _report(reporting)
        return here == _EXPECTED and drawn.freshness.is_clean and dict(_numbers(drawn))["Nội dung tiếp nhận"] == [10, 0]

    await eventually(all_read, 60)

    async def counted() -> bool:
        return not (await reporting.calendars.of(AGENCY)).is_working_day(date(2022, 3, 15))

    await eventually(counted)
    old = await reporting.facts.collection.find_one({"kind": "case"})
    assert old is not None
    facts, numbers = await _facts(reporting), _numbers(await _report(reporting))
    await database["buckets"].update_many({}, {"$set": {"flows": []}})

    done = await rebuild(database, kafka_bootstrap)
    await eventually(lambda: _is_clean(reporting))
    assert done.lost == ()
    assert await _facts(reporting) == facts
    assert _numbers(await _report(reporting)) == numbers

    await reporting.facts.collection.insert_one({**old, "_id": f"case/{uuid4()}", "label": "BK-LOST"})
    refused = await rebuild(database, kafka_bootstrap)
    assert refused.lost == ["BK-LOST"]
    assert len(await _facts(reporting)) == len(facts) + 1


async def _is_clean(reporting: Reporting) -> bool:
    return (await _report(reporting)).freshness.is_clean


_AGGREGATES = {
    "routing.cases": "case.",
    "routing.questions": "question.",
    "routing.dialogues": "dialogue.",
    "intake.surveys": "survey.",
}
DIALOGUE_LABEL = "15/KH-SKHCN – lần 1"
SURVEY_LABEL = "2021-11-26/qr"
_EXPECTED = 1 + len(CASES) + len(QUESTIONS) + 1


def _survey_event() -> Event[SurveyState]:
    """An answer as intake publishes it."""
    given = at("26/11/2021 16:00")
    return Event[SurveyState](
        id=uuid4(), source="intake", type="survey.given.v1", subject=str(ident("S1")), time=given, dataschema="SurveyState",
        agency=AGENCY, sequence=1, data=SurveyState(unit="van-phong", given_at=given, recorded_at=given, marks={"time": 4}),
    )  # fmt: skip
