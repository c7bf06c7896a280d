"""The public site in the states that people meet it in: before, during and after registration, with and without content.

What it looks like after a whole job, and the pages of staff, are in tests/integration/test_demo.py.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from fastapi import Request
from playwright.async_api import Browser, Page

from cli.serve import Service
from contracts.envelope import Event
from contracts.model import CaseSource, CaseState, CaseStatus, PublicNotice
from kit.acting import Acting
from kit.auth import COOKIE, Role, Session, SessionCodec
from kit.web import Templates
from kit.web.faces import face_of
from kit.web.navigation import HELD, MAILS
from services.intake.data_requests.domain import State
from services.intake.data_requests.usecases import ask, decide
from services.intake.mailbox.imap import Fetched
from services.intake.mailbox.store import LetterCases, MailStore
from services.intake.mailbox.usecases import Mailroom, keep
from services.intake.surveys.domain import Point
from services.intake.surveys.store import POINTS, PointStore
from tests.browser.judging import Judged
from tests.browser.pages import APART, NO_PAGES, Found, route_of, routes, survey
from tests.intake import NOW, PLAN, Running, api_body, dialogue, plan, running_intake
from tests.mails import DOCX, ReadHere, attach, filled_docx, mail, raw
from tests.stack import served

EARLY, LATE, FULL, UNDATED = f"{PLAN}-som", f"{PLAN}-muon", f"{PLAN}-du-cho", f"{PLAN}-chua-dinh"


@pytest_asyncio.fixture(scope="module")
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    """Sơn La with plans in every state, Bắc Kạn with none."""
    async with running_intake(mongodb_url) as intake:
        day = timedelta(days=1)
        held = {"status": "held", "starts_at": NOW - 9 * day, "closes_at": NOW - 19 * day}
        await intake.announce(
            (EARLY, plan(number="06/KH-SKHCN", title="Kế hoạch chưa mở", opens_at=NOW + 9 * day)),
            (f"{EARLY}-1", dialogue(plan=EARLY, ordinal=5, opens_at=NOW + 9 * day)),
            (LATE, plan(number="04/KH-SKHCN", title="Kế hoạch hết hạn")),
            (f"{LATE}-1", dialogue(plan=LATE, ordinal=4, closes_at=NOW - day)),
            (f"{LATE}-2", dialogue(plan=LATE, ordinal=2, status="cancelled")),
            (f"{LATE}-3", dialogue(plan=LATE, ordinal=3, notice=_NOTICE, **held)),
            (UNDATED, plan(number="07/KH-SKHCN", title="Kế hoạch chưa định ngày")),
            (FULL, plan(number="08/KH-SKHCN", title="Kế hoạch đã đủ chỗ")),
            (f"{FULL}-1", dialogue(plan=FULL, ordinal=6, capacity=1)),
        )
        await fill(intake, f"{FULL}-1")
        yield intake


async def fill(intake: Running, dialogue: str) -> None:
    """Take the one seat of a dialogue."""
    said = {"case_number": "SL-2026-000001", "plan": FULL, "dialogue": dialogue, "received_at": NOW}
    case = CaseState(source=CaseSource.REGISTRATION, status=CaseStatus.OPEN, **said)
    opened = Event[Any].model_construct(type="case.opened.v1", subject=str(uuid4()), agency="son-la", sequence=1, data=case)
    await intake.intake.projections.save_cases([opened])
    await intake.intake.projections.count_seats()


@pytest_asyncio.fixture(scope="module")
async def site(intake: Running) -> AsyncIterator[str]:
    async with served(intake.app) as address:
        yield address


_NOTICE = PublicNotice.model_validate(
    {
        "number": "12/TB-SKHCN",
        "issued_on": (NOW - timedelta(days=3)).date(),
        "opening": "Sở đã tổ chức Hội nghị đối thoại.",
        "items": [{"heading": "Nội dung số 1", "text": "Chi cục trả lời bằng văn bản."}],
        "closing": "Trên đây là kết luận.",
    }
)


@pytest.mark.stack
@pytest.mark.browser
async def test_every_public_page_is_good_for_everybody(site: str, browser: Browser, screens: Path | None) -> None:
    async with httpx.AsyncClient(base_url=site) as client:
        found = await survey({"": client}, {"": ["/", "/son-la/", "/bac-kan/"]}, [Service.INTAKE], kept=6)
    unknown = [Found("/son-la/khong-co-trang-nay"), Found("/khong-co-so/")]
    judged = Judged(browser, site, {}, screens / "mo-dang-ky" if screens else None)
    await judged.look_at([*found.pages, *unknown])
    assert not found.broken, "\n".join(found.broken)
    assert not judged.report(), judged.report()


@pytest.mark.stack
@pytest.mark.browser
async def test_pages_behind_a_code_and_behind_a_mail_are_good_for_everybody(
    intake: Running, site: str, browser: Browser, screens: Path | None
) -> None:
    async with httpx.AsyncClient(base_url=site) as person:
        request = await ask_for_a_copy(intake, person)
        asked = await intake.intake.requests.get(request, "son-la")
        visit = [{"name": n, "value": v, "url": f"{site}/son-la/tra-cuu"} for n, v in person.cookies.items()]
    of_mail, as_feedback = [f"/son-la/tiep-nhan/thu-dien-tu/{await put_mail(intake, n)}" for n in ("mot@x", "hai@x")]
    pages = [
        *(Found(f"/son-la/tra-cuu/{page}", "registrant") for page in ("noi-dung/1", "ban-sao")),
        *(Found(address, "office") for address in (of_mail, f"{as_feedback}/phieu/1/phan-anh")),
        Found(f"/son-la/tiep-nhan/yeu-cau-du-lieu/{request}/ban-sao", "office"),
        Found(f"/son-la/tiep-nhan/phieu/{asked['registration']}/noi-dung/1", "office"),
    ]
    assert {route.path for page in pages if (route := route_of(page.address))} == APART.keys()
    judged = Judged(
        browser, site, {"registrant": visit, "office": [office(intake, site)]}, screens / "rieng" if screens else None
    )
    await judged.look_at(pages)
    assert not judged.report(), judged.report()


@pytest.mark.stack
@pytest.mark.browser
async def test_pages_that_only_an_answer_shows_are_good_for_everybody(
    intake: Running, site: str, browser: Browser, screens: Path | None
) -> None:
    """Summaries, receipts, what a code shows, thanks, what the counter is asked: each the answer to a form."""
    await PointStore(intake.database[POINTS.name]).make(Point("ACDEHKMN", "son-la", "van-phong", None, closed=False), NOW, "a")
    judged = Judged(browser, site, {}, screens / "tra-loi" if screens else None)
    await asyncio.gather(
        *(_walk(judged, browser, walk) for walk in (_feedback, _held, _survey)), _walk(judged, browser, partial(_counter, intake))
    )
    assert not judged.report(), judged.report()


async def _walk(judged: Judged, browser: Browser, walk: Callable[[Judged, Page], Awaitable[None]]) -> None:
    context = await browser.new_context(locale="vi-VN", reduced_motion="reduce")
    context.set_default_timeout(15_000)
    page = await context.new_page()
    await page.goto(f"{judged.site}/son-la/lien-he")
    await walk(judged, page)
    await context.close()


PERSON = {"name": "Lò Văn Thử", "address": "Tổ 2", "phone": "0912 345 678", "email": "thu@nguoi-dan.example"}
FEEDBACK = {**PERSON, "consent": "2026-01", "group": "7", "text": "Đề nghị rút ngắn thời gian kiểm định phương tiện đo."}
LOOKUP = "/son-la/tra-cuu"


async def _code(page: Page) -> str:
    return await page.locator("p.code").inner_text()


async def _feedback(judged: Judged, page: Page) -> None:
    address = "/son-la/phan-anh-kien-nghi"
    await judged.sent(page, address, {**FEEDBACK, "action": "review"})
    await judged.sent(page, address, {**FEEDBACK, "action": "send"})
    await judged.sent(page, LOOKUP, {"code": await _code(page)})
    assert await page.get_by_role("heading", name="Phản ánh, kiến nghị số").count() == 1
    await page.context.clear_cookies()
    await judged.sent(page, f"{LOOKUP}/noi-dung/1", {"text": "Sửa lại", "mode": "amend"})
    assert await page.get_by_label("Mã tra cứu").count() == 1, "the visit is over: the code is asked for again"


async def _held(judged: Judged, page: Page) -> None:
    form = {**PERSON, "consent": "2026-01", "sections.1": "Hồ sơ gồm những gì?", "trang_web": "http://may.example"}
    await judged.sent(page, f"/son-la/dang-ky/{PLAN}", {**form, "action": "review"})
    await judged.sent(page, f"/son-la/dang-ky/{PLAN}", {**form, "action": "send"})
    await judged.sent(page, LOOKUP, {"code": await _code(page)})
    assert await page.get_by_text("Đang được kiểm tra trước khi chuyển").count() == 1


async def _survey(judged: Judged, page: Page) -> None:
    marks = {"time": "5", "attitude": "4", "clarity": "4", "result": "5"}
    await judged.sent(page, "/son-la/khao-sat/acde-hkmn", marks)
    assert await page.get_by_role("heading", name="Cảm ơn Ông/Bà đã đánh giá").count() == 1


async def _counter(intake: Running, judged: Judged, page: Page) -> None:
    await page.context.add_cookies([office(intake, judged.site)])  # type: ignore[list-item]
    csrf = SessionCodec(intake.intake.settings.session_secret).csrf("s1")
    came = {"csrf": csrf, "channel": "phone", "received_on": "09/3/2026", "received_time": "16:00", "text": "Xin hỏi."}
    called = {**came, "name": "Cà Thị Gọi", "phone": "0987 654 321"}
    await judged.sent(page, "/son-la/tiep-nhan/phan-anh", called)
    assert await page.get_by_text("tôi xin đọc chậm hai lần").count() == 1
    await judged.sent(page, "/son-la/tiep-nhan/phan-anh", called)
    assert await page.get_by_text("Có thể trùng với phản ánh, kiến nghị đã có").count() == 1


def office(intake: Running, site: str) -> dict[str, str]:
    """The cookie of somebody of the office."""
    session = Session(id="s1", agency="son-la", username="van.phong", name="Cầm Thị Mẫu", roles=frozenset({Role.OFFICE}))
    value = SessionCodec(intake.intake.settings.session_secret).encode(session, intake.clock.now)
    return {"name": COOKIE, "value": value, "url": site}


async def ask_for_a_copy(intake: Running, person: httpx.AsyncClient) -> UUID:
    """Register, look the form up, and be granted a copy of one's data; the request."""
    key = {"Idempotency-Key": uuid4().hex}
    sent = await person.post("/api/v1/son-la/registrations", json=api_body(), headers=key)
    await person.post("/son-la/tra-cuu", data={"code": sent.json()["tracking_code"]})
    document = await intake.database["registrations"].find_one({"case_number": sent.json()["case_number"]})
    assert document is not None
    request: UUID = (await ask(intake.intake, ACTING, document, "see", ""))["_id"]
    await decide(intake.intake, ACTING, request, State.GRANTED, "")
    return request


async def put_mail(intake: Running, name: str) -> UUID:
    """A mail as the reader keeps it: with a form, and files of which two do not go with it. Another `name` is another mail."""
    room = Mailroom(intake.intake, {}, MailStore(intake.database, intake.intake.files), LetterCases(intake.database))
    message = attach(mail("Gửi Sở phiếu.", message_id=name), filled_docx(), DOCX, "phiếu.docx")
    attach(message, b"%PDF-1.4 khong phai anh", "image/png", "ảnh chụp giấy tờ.png")
    attach(message, b"PK", "application/zip", "hồ sơ.zip")
    return await keep(room, intake.intake.agency("son-la"), ReadHere(), Fetched(raw(message), NOW))


ACTING = Acting("son-la", "van.phong", NOW)


@pytest.mark.stack
@pytest.mark.browser
async def test_the_bar_of_another_service_s_page_tells_what_waits_in_intake(
    intake: Running, site: str, browser: Browser, tmp_path: Path
) -> None:
    """The page is routing's, drawn without knowing; its script asks intake, which is real (decision 0018)."""
    intake.intake.waiting.update({MAILS: {"son-la": 2, "bac-kan": 9}, HELD: {"bac-kan": 1}})
    (tmp_path / "desk.html").write_text('{% extends "staff.html" %}{% block content %}<h1>Hàng đợi</h1>{% endblock %}')
    asked = Request({"type": "http", "path": "/son-la/can-bo/", "headers": [], "method": "GET", "query_string": b""})
    asked.state.session = Session(id="s1", agency="son-la", username="a", name="Cầm", roles=frozenset({Role.OFFICE}))
    desk = Templates(tmp_path).page(asked, "desk.html", agency=face_of(intake.intake.agency("son-la")))
    context = await browser.new_context()
    await context.add_cookies([office(intake, site)])  # type: ignore[list-item]
    page = await context.new_page()
    await page.route("**/son-la/can-bo/", lambda route: route.fulfill(body=bytes(desk.body).decode(), headers=dict(desk.headers)))
    await page.goto(f"{site}/son-la/can-bo/")
    await page.get_by_role("link", name="Thư điện tử 2 đang chờ").wait_for(timeout=10_000)
    assert await page.get_by_role("link", name="Chờ kiểm tra", exact=True).count() == 1  # none is held here
    await context.close()


def test_what_is_said_to_be_no_page_exists() -> None:
    assert NO_PAGES.keys() - {route.path for route in routes()} == set()
