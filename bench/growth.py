"""What grows with the number of registrations: `python -m bench --growth` fills the stores and opens every page at each size.

The history grows; what is being worked on stays the same (bench/history.py). MongoDB's profiler tells what each page's queries
examined: as many documents at every size. A page may take GROWTH times as long at the largest size as at the smallest.
"""

import contextlib
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from bench import consume, history, intake, mails, reports, results, samples
from bench.child import say
from bench.machine import Machine, machine
from contracts.model import CaseStatus, QuestionState
from kit import deadletters, mongo
from kit.acting import Acting
from kit.auth import COOKIE, READ_SEALED, Role, Session
from kit.clock import local_date, system_clock
from kit.mongo import Database, Document
from kit.periods import dates, quarter_of, whole_year
from services.intake import bootstrap as intake_bootstrap
from services.intake import store as intake_store
from services.intake.codes import code_hash, tracking_code
from services.intake.forms import RegistrationInput
from services.intake.usecases import register
from services.notify import bootstrap as notify_bootstrap
from services.notify import store as notify_store
from services.notify.domain import State
from services.notify.settings import NotifySettings
from services.notify.usecases import take_letters
from services.reporting import bootstrap as reporting_bootstrap
from services.reporting import store as reporting_store
from services.reporting.domain import FactKind
from services.reporting.settings import ReportingSettings
from services.routing import bootstrap as routing_bootstrap
from services.routing import store as routing_store
from services.routing.bootstrap import application
from services.routing.questions.intake import take_over
from services.routing.settings import RoutingSettings

GROWTH = 1.5
TIMES = 7
PREFIX = "growth"
OLD_DIALOGUES = 100
_SECRET = SecretStr("s" * 40)
_CODE_SECRET = SecretStr("c" * 40)
_STORES = {
    "intake": intake_store.SPECS,
    "routing": routing_store.SPECS,
    "notify": notify_store.SPECS,
    "reporting": reporting_store.SPECS,
}


@dataclass(frozen=True, slots=True)
class Page:
    """An address of a service; with `form` it is a POST of the public."""

    service: str
    path: str
    form: Mapping[str, str] | None = None


@dataclass
class Seen:
    """What a page cost: documents examined and milliseconds, at each size in turn."""

    examined: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    @property
    def bounded(self) -> bool:
        return len(set(self.examined)) == 1

    @property
    def growth(self) -> float:
        return self.milliseconds[-1] / self.milliseconds[0]


async def run(sizes: Sequence[int]) -> int:
    """Fill and look, size by size; returns the exit status."""
    seen: dict[str, Seen] = {}
    provenance = results.Provenance(f"make bench-growth SIZES={','.join(map(str, sizes))}", 0)
    async with machine(0, 0) as here:
        for name, specs in _STORES.items():
            await mongo.apply(here.client[f"{PREFIX}_{name}"], [*specs, deadletters.SPEC])
        before = 0
        for size in sizes:
            await here.run("bench.growth:load", start=before, end=size)
            _tell(f"{size:,} registrations are in the stores")
            await _look(here, size, seen)
            before = size
    results.keep("growth", {"sizes": list(sizes), "pages": {path: vars(page) for path, page in seen.items()}}, provenance)
    return 0 if all(page.bounded and page.growth <= GROWTH for page in seen.values()) else 1


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _line(path: str, page: Seen) -> str:
    good = page.bounded and page.growth <= GROWTH
    times = " → ".join(f"{ms:.1f}" for ms in page.milliseconds)
    return f"{'  ' if good else '! '}{path}: examined {' → '.join(map(str, page.examined))}; {times} ms (× {page.growth:.2f})"


# Looking


async def _look(here: Machine, size: int, seen: dict[str, Seen]) -> None:
    async with here.child("bench.growth:look", size=size) as child:
        while "done" not in (said := await child.hear(600)):
            page = seen.setdefault(said["page"], Seen())
            page.examined.append(said["examined"])
            page.milliseconds.append(said["milliseconds"])
            _tell(_line(said["page"], page))


async def look(kafka_bootstrap: str, mongodb_url: str, size: int, **_: Any) -> dict[str, bool]:
    """Open every page; says for each what it cost."""
    client = mongo.connect(mongodb_url, driver="pymongo", timeout_ms=None)
    apps = _applications(kafka_bootstrap, mongodb_url)
    for page in pages(await _known(client[f"{PREFIX}_routing"], client[f"{PREFIX}_notify"], size)):
        database = client[f"{PREFIX}_{page.service}"]
        async with _browser(apps[page.service]) as browser:
            await _open(browser, page)  # what is read once and kept
            async with _profiled(database) as examined:
                await _open(browser, page)
            times = [await _open(browser, page) for _ in range(TIMES)]
        name = page.path.replace(str(history.registration_id(size // 2)), "{id}")
        say(page=f"{page.service} {_stable(name)}", examined=sum(examined), milliseconds=1000 * median(times))
    await mongo.close(client)
    return {"done": True}


def _stable(path: str) -> str:
    """The address without the ids of this run."""
    return "/".join("{id}" if len(part) >= 36 else part for part in path.split("/"))


async def _open(browser: httpx.AsyncClient, page: Page) -> float:
    began = perf_counter()
    answer = await (browser.get(page.path) if page.form is None else browser.post(page.path, data=dict(page.form)))
    seconds = perf_counter() - began
    if answer.status_code != 200:
        raise AssertionError(f"{page.path}: {answer.status_code}")
    return seconds


@contextlib.asynccontextmanager
async def _profiled(database: Database) -> AsyncIterator[list[int]]:
    """Documents that each query of the block examined."""
    await database.command({"profile": 0})
    await database.drop_collection("system.profile")
    await database.command({"profile": 2})
    examined: list[int] = []
    try:
        yield examined
    finally:
        await database.command({"profile": 0})
        async for entry in database["system.profile"].find({"docsExamined": {"$exists": True}}, {"docsExamined": 1}):
            examined.append(entry["docsExamined"])


def _browser(app: FastAPI) -> httpx.AsyncClient:
    """Signed in as somebody who may open everything."""
    session = Session(
        id="bench",
        agency=samples.AGENCY,
        username="bench",
        name="Cán bộ Thử",
        roles=frozenset(Role),
        unit="khoa-hoc",
        permissions=frozenset({READ_SEALED}),
    )
    cookie = app.state.staff_gate.codec.encode(session, system_clock())
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://bench",
        cookies={COOKIE: cookie},
        timeout=600,
        follow_redirects=True,
    )


class _EverybodyIsCurrent:
    async def is_current(self, _agency: str, _username: str, _version: int) -> bool:
        return True


def _applications(kafka_bootstrap: str, mongodb_url: str) -> dict[str, FastAPI]:
    """The four services' pages, without what runs behind them."""
    common: dict[str, Any] = {
        "session_secret": _SECRET,
        "session_secure": False,
        "mongodb_url": mongodb_url,
        "mongodb_prefix": PREFIX,
        "kafka_bootstrap": kafka_bootstrap,
        "mongodb_timeout_ms": 600_000,
        "log_level": "ERROR",
    }
    routing, routing_service = routing_bootstrap.bootstrap(RoutingSettings(**common))
    settings = intake.settings(kafka_bootstrap, mongodb_url, PREFIX, session_secure=False, mongodb_timeout_ms=600_000)
    apps = {
        "intake": intake_bootstrap.bootstrap(settings)[0],
        "routing": application(routing, routing_service),
        "notify": notify_bootstrap.bootstrap(NotifySettings(**common)).app,
        "reporting": reporting_bootstrap.bootstrap(ReportingSettings(**common))[0],
    }
    for app in apps.values():
        app.state.staff_gate = replace(app.state.staff_gate, directory=_EverybodyIsCurrent())
    return apps


@dataclass(frozen=True, slots=True)
class Known:
    """What addresses need of the stores: a question being worked on, its case (id and number), a letter that was sent, an old
    registration and its code.
    """

    question: UUID
    case: UUID
    number: str
    letter: str
    registration: UUID
    code: str


async def _known(routing: Database, notify: Database, size: int) -> Known:
    dialogue = f"{samples.PLAN}-1"
    question = await routing["questions"].find_one({"dialogue": dialogue, "state": "proposed", "sealed": False})
    letter = await notify["ledger"].find_one({"state": State.SENT}, {"_id": 1})
    assert question is not None
    assert letter is not None
    old = history.registration_id(size // 2)
    code = tracking_code(_CODE_SECRET.get_secret_value().encode(), old)
    return Known(question["_id"], question["case"], question["case_number"], letter["_id"], old, code)


LEFT_OUT = {
    **dict.fromkeys(
        ("/api/openapi.json", "/api/docs", "/", "/{agency}/lien-he", "/{agency}/thu-tuc"), "the same whoever registered"
    ),
    "/{agency}/tra-cuu/phieu": "what POST /tra-cuu shows",
    "/{agency}/tra-cuu/{task}": "a form, of what POST /tra-cuu shows",
    "/{agency}/khao-sat/{token}": "a form",
    "/{agency}/hoi-dap/{answer}": "one question by its id",
    "/{agency}/hoi-dap/niem-yet.pdf": "the page of the same name, printed",
    "/{agency}/tiep-nhan/yeu-cau-du-lieu/{request_id}": "one request by its id",
    "/{agency}/tiep-nhan/phan-anh/{feedback}": "one feedback by its id",
    "/{agency}/tiep-nhan/khao-sat/nhap": "a form",
    "/{agency}/tiep-nhan/phieu/{case}/{task}": "a form",
    "/{agency}/can-bo/han-che/{question_id}": "as the page of a question; opening one is logged",
    "/{agency}/can-bo/noi-dung/{question_id}/{slug}": "a form; that of merging lists what the queue lists",
    "/{agency}/can-bo/dang-nhap": "a form",
    "/{agency}/can-bo/mat-khau": "a form",
    "/{agency}/can-bo/tai-khoan/moi": "a form",
    "/{agency}/can-bo/tai-khoan/{username}": "one account",
    "/{agency}/can-bo/ke-hoach/moi": "a form",
    "/{agency}/can-bo/ke-hoach/{plan_id}/sua": "a form",
    "/{agency}/can-bo/ke-hoach/{plan_id}/doi-thoai": "a form",
    "/{agency}/can-bo/doi-thoai/{dialogue_id}/sua": "a form",
    "/{agency}/can-bo/doi-thoai/{dialogue_id}/huy": "a form",
    **dict.fromkeys(
        (
            "/{agency}/tiep-nhan/khao-sat/{slug}/ap-phich.pdf",
            "/{agency}/tiep-nhan/khao-sat/{slug}/phieu-giay.pdf",
            "/{agency}/tiep-nhan/{registration}/phieu-tiep-nhan.pdf",
            "/{agency}/ke-hoach/{plan}/mau-phieu.pdf",
            "/{agency}/ke-hoach/{plan}/mau-phieu.docx",
            "/{agency}/ke-hoach/{plan}/ke-hoach.pdf",
            "/{agency}/ke-hoach/{plan}/ke-hoach.docx",
            "/{agency}/doi-thoai/{dialogue}/thong-bao.pdf",
            "/{agency}/can-bo/doi-thoai/{dialogue_id}/giay-moi/{n}.pdf",
            "/{agency}/can-bo/doi-thoai/{dialogue_id}/ket-luan.pdf",
            "/{agency}/van-thu/thu/{_id}/thu.pdf",
            "/{agency}/van-thu/thu/{_id}/tep/{n}",
        ),
        "a file of one thing, whose page is looked at",
    ),
}
"""GET routes that list, count and find nothing by themselves, and why (`tests/unit/test_growth_pages.py` compares)."""


def pages(known: Known) -> list[Page]:
    """Every page that lists, counts or finds something."""
    site, desk = f"/{samples.AGENCY}", f"/{samples.AGENCY}/can-bo"
    mail, figures = f"/{samples.AGENCY}/van-thu", f"/{samples.AGENCY}/bao-cao"
    dialogue = f"{samples.PLAN}-1"
    now = system_clock()
    today = local_date(now)
    past = quarter_of(now - timedelta(days=150))
    chosen = dates(today - timedelta(days=200), today - timedelta(days=111))
    return [
        Page("intake", f"{site}/"),
        Page("intake", f"{site}/ke-hoach/{samples.PLAN}"),
        Page("intake", f"{site}/doi-thoai/{dialogue}"),
        Page("intake", f"{site}/dang-ky/{samples.PLAN}"),
        Page("intake", f"{site}/tra-cuu", {"code": known.code}),
        Page("intake", f"{site}/phan-anh-kien-nghi"),
        Page("intake", f"{site}/doi-thoai"),
        Page("intake", f"{site}/ket-luan"),
        Page("intake", f"{site}/hoi-dap"),
        Page("intake", f"{site}/hoi-dap?q=ho+so"),
        Page("intake", f"{site}/hoi-dap/niem-yet"),
        Page("intake", f"{site}/tiep-nhan/"),
        Page("intake", f"{site}/tiep-nhan/{known.registration}"),
        Page("intake", f"{site}/tiep-nhan/phieu/{known.registration}"),
        Page("intake", f"{site}/tiep-nhan/cho-kiem-tra"),
        Page("intake", f"{site}/tiep-nhan/phan-anh"),
        Page("intake", f"{site}/tiep-nhan/phan-anh/xoa"),
        Page("intake", f"{site}/tiep-nhan/yeu-cau-du-lieu"),
        Page("intake", f"{site}/tiep-nhan/khao-sat"),
        Page("intake", f"{site}/tiep-nhan/khao-sat/y-kien"),
        Page("intake", f"{site}/tiep-nhan/thu-dien-tu"),
        Page("routing", f"{desk}/"),
        Page("routing", f"{desk}/?trang-thai=proposed"),
        Page("routing", f"{desk}/?trang-thai=answered"),
        Page("routing", f"{desk}/?don-vi=khoa-hoc"),
        Page("routing", f"{desk}/danh-sach"),
        Page("routing", f"{desk}/phan-loai"),
        Page("routing", f"{desk}/noi-dung/{known.question}"),
        Page("routing", f"{desk}/phieu/{known.case}"),
        Page("routing", f"{desk}/tim?so={known.number}"),
        Page("routing", f"{desk}/den-sau-han"),
        Page("routing", f"{desk}/han-che"),
        Page("routing", f"{desk}/ke-hoach"),
        Page("routing", f"{desk}/ke-hoach/{samples.PLAN}"),
        Page("routing", f"{desk}/doi-thoai/{dialogue}"),
        Page("routing", f"{desk}/doi-thoai/{dialogue}/giay-moi"),
        Page("routing", f"{desk}/doi-thoai/{dialogue}/dien-bien"),
        Page("routing", f"{desk}/doi-thoai/{dialogue}/ket-luan"),
        Page("routing", f"{desk}/lich"),
        Page("routing", f"{desk}/tai-khoan"),
        Page("notify", f"{mail}/"),
        Page("notify", f"{mail}/so-gui"),
        Page("notify", f"{mail}/so-gui?trang-thai=sent"),
        Page("notify", f"{mail}/can-in"),
        Page("notify", f"{mail}/can-goi"),
        Page("notify", f"{mail}/can-xu-ly"),
        Page("notify", f"{mail}/thu/{known.letter}"),
        Page("reporting", f"{figures}/"),
        Page("reporting", f"{figures}/{past.code}"),
        Page("reporting", f"{figures}/{past.code}.xlsx"),
        Page("reporting", f"{figures}/{whole_year(past.last_day.year).code}"),
        Page("reporting", f"{figures}/{chosen.code}"),
        Page("reporting", f"{figures}/{past.code}/o/questions.cutoff.state~open"),
        Page("reporting", f"{figures}/{past.code}/o/entered.period"),
        Page("reporting", f"{site}/so-lieu"),
    ]


# Filling


async def load(kafka_bootstrap: str, mongodb_url: str, start: int, end: int, **_: Any) -> dict[str, int]:
    """Registrations `start` to `end` of the history into all stores; with the first, what is being worked on."""
    await _load_intake(kafka_bootstrap, mongodb_url, start, end)
    await _load_routing(kafka_bootstrap, mongodb_url, start, end)
    await _load_notify(kafka_bootstrap, mongodb_url, start, end)
    await _load_reporting(kafka_bootstrap, mongodb_url, start, end)
    return {"registrations": end}


_PUBLISHED = ("unsent", "due", "unrouted")


def _template(document: Document, **changes: Any) -> Document:
    """A document as it is when all is published."""
    return {name: value for name, value in document.items() if name not in _PUBLISHED} | changes


async def _load_intake(kafka_bootstrap: str, mongodb_url: str, start: int, end: int) -> None:
    more = {"mongodb_timeout_ms": 600_000, "request_deadline_seconds": 60}
    settings = intake.settings(kafka_bootstrap, mongodb_url, PREFIX, **more)
    _app, service, intake_ = intake_bootstrap.bootstrap(settings)
    await intake_.projections.save_announcements(samples.announcements())
    submission = RegistrationInput.model_validate_json(samples.body()).submission()
    acting = Acting(samples.AGENCY, "registrant", system_clock())
    receipt = await register(intake_, acting, uuid4().hex, submission)
    template = _template(receipt.document)

    def hashed(n: int) -> bytes:
        return code_hash(tracking_code(_CODE_SECRET.get_secret_value().encode(), history.registration_id(n)))

    unique = {"code_hash": hashed, "case_number": _number, "received_at": lambda n: history.received(n, end)}
    await history.fill(service.database["registrations"], history.many(template, end - start, start, ["_id"], **unique))
    state = _states()
    case = {"sequence": 3, "agency": samples.AGENCY, "state": state["case"]}
    await history.fill(service.database["cases"], history.many(case, end - start, start, ["_id"]))
    question = {"sequence": 7, "agency": samples.AGENCY, "state": state["question"]}
    await history.fill(service.database["questions"], history.many(question, end - start, start, ["_id", "case"]))


def _states() -> dict[str, Document]:
    """A closed case and an answered question as their events carry them."""
    chance = random.Random(1)
    begun = system_clock()
    return {
        "case": history.case(begun, chance).model_dump(mode="json"),
        "question": history.question(begun, chance).model_dump(mode="json"),
    }


def _number(n: int) -> str:
    return f"SL-2026-{n:07d}"


async def _load_routing(kafka_bootstrap: str, mongodb_url: str, start: int, end: int) -> None:
    routing = await consume.routing_of(kafka_bootstrap, mongodb_url, PREFIX)
    if start == 0:
        events = [samples.registration(n) for n in range(history.CURRENT)]
        for first in range(0, len(events), 100):
            await take_over(routing, events[first : first + 100], _refuse)
    case = await routing.cases.collection.find_one({})
    question = await routing.questions.collection.find_one({"sealed": False})
    assert case is not None
    assert question is not None
    closed = _template(case, status=CaseStatus.ATTENDED.value)
    answered = _template(question, state=QuestionState.ANSWERED.value, unit="khoa-hoc")
    unique = {
        "case_number": _number,
        "received_at": lambda n: history.received(n, end),
        "dialogue": lambda n: f"old-{n % OLD_DIALOGUES}",
    }
    await history.fill(routing.cases.collection, history.many(closed, end - start, start, ["_id"], **unique))
    await history.fill(routing.questions.collection, history.many(answered, end - start, start, ["_id", "case"], **unique))
    delivery = {"sequence": 2, "agency": samples.AGENCY, "letter_key": "", "kind": "receipt", "owner": "intake"}
    told = {"status": "sent", "reason": "", "way": "email", "at": system_clock(), "dialogue": None}
    rows = history.many(delivery | told, end - start, start, ["case"], _id=lambda n: str(history.registration_id(n)))
    await history.fill(routing.database["deliveries"], rows)


def _refuse(_event: Any, error: Exception) -> None:
    raise error


async def _load_notify(kafka_bootstrap: str, mongodb_url: str, start: int, end: int) -> None:
    settings = NotifySettings(
        session_secret=_SECRET,
        mongodb_url=mongodb_url,
        mongodb_prefix=PREFIX,
        kafka_bootstrap=kafka_bootstrap,
        mongodb_timeout_ms=600_000,
    )
    notify = notify_bootstrap.bootstrap(settings)
    rows = notify.service.database["ledger"]
    if start == 0:
        await take_letters(notify.desk, [mails.letter() for _ in range(history.CURRENT)])
    row = await rows.find_one({})
    assert row is not None
    sent = _template(row, state=State.SENT.value)
    for name in ("next_at", "content"):
        sent.pop(name, None)
    unique = {
        "_id": lambda n: history.registration_id(n).hex + "00000000",
        "letter_id": lambda n: history.registration_id(n).hex,
        "case_number": _number,
        "created_at": lambda n: history.received(n, end),
        "dialogue": lambda n: f"old-{n % OLD_DIALOGUES}",
    }
    await history.fill(rows, history.many(sent, end - start, start, ["case"], **unique))


async def _load_reporting(kafka_bootstrap: str, mongodb_url: str, start: int, end: int) -> None:
    settings = ReportingSettings(
        session_secret=_SECRET,
        mongodb_url=mongodb_url,
        mongodb_prefix=PREFIX,
        kafka_bootstrap=kafka_bootstrap,
        mongodb_timeout_ms=600_000,
    )
    _app, _service, reporting = reporting_bootstrap.bootstrap(settings)
    for kind in (FactKind.QUESTION, FactKind.CASE):
        await history.fill(reporting.facts.collection, history.facts(end - start, kind, seed=1, start=start))
    await reports.sum_up(reporting)
