"""The survey on real MongoDB (K3): opened often it is no answer, sent twice it is one; from the letter to the report."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr
from pymongo.errors import AutoReconnect

from cli.browser import Page
from contracts import topics
from contracts.envelope import decode
from contracts.events import models
from contracts.model import LetterKind, QuestionState, QuestionStateData
from contracts.views import FIGURES
from kit import mongo
from kit.agency import Agency, load_agencies
from kit.auth import COOKIE, Role, Session, SessionCodec
from kit.outbox import Outbox
from kit.periods import quarter_of
from kit.surveylinks import SurveyLinks
from services.intake.surveys.domain import parse_slug
from services.intake.surveys.store import PointStore
from services.reporting.bootstrap import bootstrap as bootstrap_reporting
from services.reporting.consumers import recorded
from services.reporting.settings import ReportingSettings
from services.reporting.store import SPECS as REPORTING
from services.reporting.usecases import draw, record
from services.routing import surveys as routing_surveys
from services.routing.questions import store as questions_store
from tests.intake import NOW, Running, running_intake
from tests.routing import DENUNCIATION, MEASURE, SCIENCE, registration, running_routing, take, with_dialogue
from tests.waiting import eventually

pytestmark = pytest.mark.stack

NONCE = "mot-trang-cua-mot-nguoi"
MARKS = {"time": "5", "attitude": "4", "clarity": "3", "result": "1"}
LINKS = SurveyLinks(SecretStr("s" * 40))


@pytest_asyncio.fixture(scope="module")
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url, announced=False, proof_cost=1, fonts_dir=Path(".local/cache/fonts")) as running:
        yield running


@pytest.fixture(autouse=True)
def _signed_out(intake: Running) -> None:
    intake.client.cookies.clear()
    intake.clock.now = NOW


def link(case: UUID, agency: str = "son-la", until: datetime = NOW + timedelta(days=60)) -> str:
    return f"/{agency}/khao-sat/{LINKS.token(agency, case, until)}"


def form(nonce: str = NONCE, **changes: str) -> dict[str, str]:
    return {"nonce": nonce, **MARKS, **changes}


async def answers(intake: Running, **query: Any) -> int:
    return await intake.database["surveys"].count_documents(query)


def sign_in(intake: Running, *roles: Role, agency: str = "son-la") -> str:
    codec = SessionCodec(intake.intake.settings.session_secret)
    session = Session(id="s1", agency=agency, username="van.phong", name="Cầm Thị Mẫu", roles=frozenset(roles))
    intake.client.cookies.set(COOKIE, codec.encode(session, intake.clock.now))
    return codec.csrf("s1")


async def code(intake: Running, unit: str = "van-phong") -> str:
    """The address of an open QR code."""
    csrf = sign_in(intake, Role.CONTROL)
    made = await intake.client.post("/son-la/tiep-nhan/khao-sat", data={"csrf": csrf, "unit": unit})
    assert made.status_code == 303, made.text
    row = await intake.database["survey_points"].find_one({"agency": "son-la", "unit": unit, "open": True})
    assert row is not None
    intake.client.cookies.clear()
    return f"/son-la/khao-sat/{row['_id']}"


# A case


async def test_opening_a_link_is_no_answer_and_one_sending_is(intake: Running) -> None:
    before = await answers(intake)
    address = link(uuid4())
    for _ in range(5):
        assert (await intake.client.get(address)).status_code == 200
        assert (await intake.client.head(address)).status_code == 200
    assert (await intake.client.get(f"{address}?time=5&attitude=5")).status_code == 200
    assert await answers(intake) == before
    thanks = await intake.client.post(address, data=form())
    assert "Cảm ơn Ông/Bà đã đánh giá" in thanks.text
    again = await intake.client.post(address, data=form("trang-khac-cua-nguoi-do", time="1"))
    assert "đã được ghi nhận trước đó" in again.text
    assert "đã được ghi nhận trước đó" in (await intake.client.get(address)).text
    assert await answers(intake) == before + 1
    stored = await intake.database["surveys"].find_one({"marks.time": 5, "way": "case"}, {"marks": 1})
    assert stored is not None
    assert stored["marks"] == {"time": 5, "attitude": 4, "clarity": 3, "result": 1}


async def test_fifty_sent_at_once_are_one(intake: Running) -> None:
    before, address = await answers(intake), link(uuid4())
    sent = await asyncio.gather(*(intake.client.post(address, data=form()) for _ in range(50)))
    assert {answer.status_code for answer in sent} == {200}
    assert sum("Cảm ơn Ông/Bà đã đánh giá" in answer.text for answer in sent) == 1
    assert await answers(intake) == before + 1


async def test_the_unit_is_the_one_that_answered_the_case(intake: Running) -> None:
    case = uuid4()
    state = QuestionStateData(case=case, case_number="SL-2026-000009", state=QuestionState.ANSWERED, unit="tieu-chuan-do-luong")
    collection = intake.database["questions"]
    await collection.insert_one({"_id": uuid4(), "agency": "son-la", "case": case, "state": state.model_dump(mode="json")})
    await intake.client.post(link(case), data=form(text="Cảm ơn chị Hoa"))
    stored = await intake.database["surveys"].find_one({"text": "Cảm ơn chị Hoa"})
    assert stored is not None
    assert (stored["unit"], stored["way"], stored["procedure"]) == ("tieu-chuan-do-luong", "case", None)
    assert "SL-2026-000009" not in str(stored)
    assert str(case) not in str(stored)

    async def told() -> bytes | None:
        return next((value for key, value in intake.published.of(topics.SURVEYS) if key == str(stored["_id"]).encode()), None)

    event = orjson.loads(await eventually(told) or b"")
    assert event["data"]["marks"] == stored["marks"]
    assert "Hoa" not in str(event)
    assert "case_number" not in event["data"]


# A proof of work, which nobody must bring


async def test_without_a_proof_an_answer_counts_is_marked_and_the_desk_told(intake: Running) -> None:
    address = await code(intake)
    page = Page(await intake.client.get(address))
    sent = page.form(having="altcha")
    assert "Phiếu vẫn được ghi nhận." in page.text
    assert "Văn phòng Sở xem trước" not in page.text
    sent.prove()
    proven = form("trang-co-tu-kiem-tra", altcha=sent.value("altcha"), text="Có tự kiểm tra")
    once_more = proven | {"nonce": "trang-khac-dung-lai-no", "text": "Dùng lại phần tự kiểm tra"}
    for data in (proven, proven, once_more, form("trang-khong-tu-kiem-tra", text="Không tự kiểm tra")):
        assert (await intake.client.post(address, data=data)).status_code == 200
    rows = await intake.database["surveys"].find({"text": {"$regex": "tự kiểm tra$"}}).sort("text", 1).to_list(None)
    assert [row.get("unproven") for row in rows] == [None, "spent", "no_proof"]

    async def told() -> list[bytes]:
        ids = {str(row["_id"]).encode() for row in rows}
        found = [value for key, value in intake.published.of(topics.SURVEYS) if key in ids]
        assert len(found) == 3
        return found

    assert not any(b"unproven" in value for value in await eventually(told))
    count = await answers(intake, unproven={"$exists": True})
    sign_in(intake, Role.OFFICE)
    desk = await intake.client.get("/son-la/tiep-nhan/khao-sat/y-kien")
    assert f"có {count} phiếu không qua phần tự kiểm tra" in desk.text
    other = await intake.client.get("/son-la/tiep-nhan/khao-sat/y-kien?tu=2025-01-01&den=2025-12-31")
    assert "không qua phần tự kiểm tra" not in other.text


async def test_a_filled_trap_brings_the_survey_back_as_it_was_chosen(intake: Running) -> None:
    before, address = await answers(intake), link(uuid4())
    page = await intake.client.post(address, data=form(trang_web="http://a.example", text="Điền nhầm ô ẩn"))
    assert page.status_code == 422
    assert "xin Ông/Bà bấm “Gửi đánh giá” lần nữa" in page.text
    assert await answers(intake) == before
    again = Page(page).form(having="nonce")
    kept = form(text="Điền nhầm ô ẩn", trang_web="")
    assert {name: again.value(name) for name in kept} == kept
    assert "Cảm ơn Ông/Bà đã đánh giá" in (await intake.client.post(address, data=dict(again.values))).text
    assert await answers(intake) == before + 1


# A link that opens nothing


async def test_links_that_open_nothing_say_so(intake: Running) -> None:
    before, case = await answers(intake), uuid4()
    slug = (await code(intake)).rpartition("/")[2]
    for address, status, words in (
        (link(case, "bac-kan").replace("bac-kan", "son-la"), 404, "Không tìm thấy phiếu khảo sát"),
        (f"/bac-kan/khao-sat/{slug}", 404, "Không tìm thấy phiếu khảo sát"),
        ("/son-la/khao-sat/acde-hkmn", 404, "Không tìm thấy phiếu khảo sát"),
        ("/son-la/khao-sat/x.y", 404, "Không tìm thấy phiếu khảo sát"),
        (link(case, until=NOW), 410, "đã hết hạn"),
    ):
        for answer in (await intake.client.get(address), await intake.client.post(address, data=form())):
            assert (answer.status_code, words in answer.text) == (status, True), address
    assert await answers(intake) == before


async def test_a_code_that_was_closed_opens_nothing_and_another_takes_its_place(intake: Running) -> None:
    address = await code(intake, "thanh-tra")
    slug = address.rpartition("/")[2]
    csrf = sign_in(intake, Role.OFFICE)
    closed = await intake.client.post(f"/son-la/tiep-nhan/khao-sat/{slug}/dong", data={"csrf": csrf})
    assert closed.status_code == 303
    assert (await intake.client.get(f"/son-la/tiep-nhan/khao-sat/{slug}/ap-phich.pdf")).status_code == 404
    answer = await intake.client.post(address, data=form())
    assert (answer.status_code, "đã kết thúc" in answer.text) == (410, True)
    assert await code(intake, "thanh-tra") != address


# The counter


async def test_a_counter_takes_one_answer_after_the_other_and_each_page_once(intake: Running) -> None:
    address = await code(intake)
    assert await code(intake) == address  # a unit has one code
    before = await answers(intake, way="qr")
    page = (await intake.client.get(address)).text
    nonces = set()
    for _ in range(3):
        nonce = re.search(r'name="nonce" value="([^"]+)"', page)
        assert nonce is not None
        nonces.add(nonce[1])
        thanks = await intake.client.post(address, data=form(nonce[1]))
        assert "Phiếu mới" in thanks.text
        repeated = await intake.client.post(address, data=form(nonce[1]))
        assert "đã được ghi nhận trước đó" in repeated.text
        page = (await intake.client.get(address)).text
    assert len(nonces) == 3
    assert await answers(intake, way="qr", unit="van-phong") == before + 3


async def test_what_was_chosen_is_kept_when_something_is_wrong(intake: Running) -> None:
    address = await code(intake)
    before = await answers(intake)
    empty = await intake.client.post(address, data={"nonce": NONCE, "text": "Chỉ <góp> ý"})
    assert empty.status_code == 422
    assert "ít nhất một mục" in empty.text
    assert "Chỉ &lt;góp&gt; ý" in empty.text
    wrong = await intake.client.post(address, data=form(time="9"))
    assert wrong.status_code == 422
    assert re.search(r'name="attitude" value="4" checked', wrong.text)
    assert await answers(intake) == before


async def test_a_procedure_is_one_of_the_agencys_list(intake: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = intake.intake.agencies["son-la"].model_copy()
    listed = (SimpleNamespace(code="1.001786", name="Cấp giấy phép X-quang"), SimpleNamespace(code="2.002278", name="Đăng ký"))
    object.__setattr__(profile, "procedures", listed)
    monkeypatch.setitem(cast(dict[str, Agency], intake.intake.agencies), "son-la", profile)
    general = await code(intake, "quan-ly-cong-nghe")
    assert "Cấp giấy phép X-quang" in (await intake.client.get(general)).text
    await intake.client.post(general, data=form("trang-chon-thu-tuc-mot", procedure="1.001786"))
    refused = await intake.client.post(general, data=form("trang-chon-thu-tuc-hai", procedure="9.9"))
    assert refused.status_code == 422
    csrf = sign_in(intake, Role.CONTROL)
    own = {"csrf": csrf, "unit": "quan-ly-cong-nghe", "procedure": "2.002278"}
    await intake.client.post("/son-la/tiep-nhan/khao-sat", data=own)
    row = await intake.database["survey_points"].find_one({"procedure": "2.002278"})
    assert row is not None
    page = (await intake.client.get(f"/son-la/khao-sat/{row['_id']}")).text
    assert "<strong>Đăng ký</strong>" in page
    assert "<select" not in page
    # Whatever is sent with it, the code of one procedure stands for that one.
    await intake.client.post(f"/son-la/khao-sat/{row['_id']}", data=form("trang-chon-thu-tuc-ba", procedure="1.001786"))
    found = intake.database["surveys"].find({"unit": "quan-ly-cong-nghe"}).sort("procedure", 1)
    assert [one["procedure"] async for one in found] == ["1.001786", "2.002278"]


@pytest.mark.parametrize("broken", [(PointStore, "find"), (Outbox, "insert")])
async def test_what_was_chosen_is_kept_while_the_database_is_away(
    intake: Running, monkeypatch: pytest.MonkeyPatch, broken: tuple[type, str]
) -> None:
    async def away(*_: object) -> None:
        raise AutoReconnect

    address, before = await code(intake), await answers(intake)
    monkeypatch.setattr(*broken, away)
    answer = await intake.client.post(address, data=form("trang-gui-luc-mat-ket-noi"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert re.search(r'name="attitude" value="4" checked', answer.text)
    assert 'value="trang-gui-luc-mat-ket-noi"' in answer.text
    assert await answers(intake) == before


async def test_too_many_answers_from_one_address_are_refused_and_nothing_chosen_is_lost(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, announced=False, rate_surveys="2/day") as running:
        sent = [await running.client.post(link(uuid4()), data=form()) for _ in range(3)]
        assert [answer.status_code for answer in sent] == [200, 200, 429]
        assert re.search(r'name="attitude" value="4" checked', sent[2].text)
        assert int(sent[2].headers["Retry-After"]) > 0
        transport = httpx.ASGITransport(app=running.app, client=("203.0.113.77", 1), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://intake") as other:
            assert (await other.post(link(uuid4()), data=form())).status_code == 200


# The desk


async def test_poster_and_paper_are_printed(intake: Running) -> None:
    slug = (await code(intake)).rpartition("/")[2]
    sign_in(intake, Role.CONTROL)
    for name in ("ap-phich", "phieu-giay"):
        paper = await intake.client.get(f"/son-la/tiep-nhan/khao-sat/{slug.lower()}/{name}.pdf")
        assert paper.content.startswith(b"%PDF"), paper.text[:200]


async def test_a_pile_of_papers_is_typed_in(intake: Running) -> None:
    before = await answers(intake, way="paper")
    csrf = sign_in(intake, Role.CONTROL)
    paper = {"csrf": csrf, "given_on": "04/3/2026", "unit": "van-phong", "time": "4", "text": "Nên có ghế chờ"}
    first = await intake.client.post("/son-la/tiep-nhan/khao-sat/nhap", data=paper | {"nonce": "to-giay-thu-nhat-mot"})
    assert first.status_code == 303, first.text
    twice = await intake.client.post("/son-la/tiep-nhan/khao-sat/nhap", data=paper | {"nonce": "to-giay-thu-nhat-mot"})
    shown = (await intake.client.get(twice.headers["Location"])).text
    assert "đã được ghi trước đó" in shown
    assert 'value="04/3/2026"' in shown
    assert re.search(r'<option value="van-phong" selected', shown)
    assert "Nên có ghế chờ" not in twice.headers["Location"]
    assert await answers(intake, way="paper") == before + 1
    stored = await intake.database["surveys"].find_one({"way": "paper", "text": "Nên có ghế chờ"})
    assert stored is not None
    assert stored["given_at"] == datetime(2026, 3, 3, 17, tzinfo=UTC)
    assert stored["recorded_at"] == NOW
    for wrong in ({"given_on": "04/3/2027"}, {"given_on": ""}, {"unit": "khong-co"}, {"time": ""}, {"time": "x"}):
        answer = await intake.client.post(
            "/son-la/tiep-nhan/khao-sat/nhap", data=paper | {"nonce": "to-giay-thu-hai-sai"} | wrong
        )
        assert answer.status_code == 422, wrong


async def test_words_are_read_by_period_at_the_own_desk_alone(intake: Running) -> None:
    address = await code(intake)
    await intake.client.post(address, data=form("trang-co-gop-y-rieng", text="Bàn viết hơi thấp <b>"))
    sign_in(intake, Role.CONTROL)
    page = await intake.client.get("/son-la/tiep-nhan/khao-sat/y-kien")
    assert "Bàn viết hơi thấp &lt;b&gt;" in page.text
    assert "thông tin cá nhân" in page.text
    other = await intake.client.get("/son-la/tiep-nhan/khao-sat/y-kien?tu=2025-01-01&den=2025-12-31")
    assert "Không có ý kiến nào" in other.text
    wrong = await intake.client.get("/son-la/tiep-nhan/khao-sat/y-kien?tu=2026-02-01&den=2026-01-01")
    assert wrong.status_code == 422
    sign_in(intake, Role.CONTROL, agency="bac-kan")
    assert (await intake.client.get("/son-la/tiep-nhan/khao-sat/y-kien")).status_code == 403
    assert "Bàn viết" not in (await intake.client.get("/bac-kan/tiep-nhan/khao-sat/y-kien")).text


async def test_the_desk_is_for_office_and_control_unit_and_changes_by_its_own_forms_alone(intake: Running) -> None:
    paths = ("", "/nhap", "/y-kien")
    assert [(await intake.client.get(f"/son-la/tiep-nhan/khao-sat{path}")).status_code for path in paths] == [303] * 3
    sign_in(intake, Role.OFFICER, Role.HEAD, Role.LEADERSHIP, Role.ADMINISTRATOR)
    assert [(await intake.client.get(f"/son-la/tiep-nhan/khao-sat{path}")).status_code for path in paths] == [403] * 3
    sign_in(intake, Role.OFFICE)
    assert [(await intake.client.get(f"/son-la/tiep-nhan/khao-sat{path}")).status_code for path in paths] == [200] * 3
    made = await intake.client.post("/son-la/tiep-nhan/khao-sat", data={"csrf": "sai", "unit": "van-phong"})
    assert made.status_code == 403


def test_no_address_of_the_desk_is_a_code() -> None:
    assert [parse_slug(name) for name in ("nhap", "y-kien")] == [None, None]


# Whom routing asks, and the way from its letter to the report


@pytest_asyncio.fixture(scope="module")
async def asked_of(mongodb_url: str) -> dict[str, str]:
    """Who registered → the link that routing puts into the letter at the end, of those who get one."""
    people = {
        "plain": registration(MEASURE),
        "with a sealed question": registration(SCIENCE, DENUNCIATION),
        "sealed once": registration(SCIENCE),
        "by post": registration(MEASURE, person={"name": "Lò Văn Giấy", "address": "Tổ 1"}),
    }
    async with running_routing(mongodb_url, now=NOW) as routing:
        await with_dialogue(routing)
        assert await take(routing, *people.values()) == []
        ids = {name: UUID(event.subject) for name, event in people.items()}
        await routing.questions.collection.update_one(
            {"case": ids["sealed once"]}, {"$push": {"steps": {"$each": [{"state": "sealed"}, {"state": "triage"}]}}}
        )
        cases = [await questions_store.case(routing.cases.collection, "son-la", _id) for _id in ids.values()]
        links = await routing_surveys.links(routing, "son-la", cases, routing.clock())
        return {name: links[_id].removeprefix(routing.settings.public_url) for name, _id in ids.items() if _id in links}


async def test_who_is_asked_by_mail(asked_of: dict[str, str]) -> None:
    """Neither those without e-mail, nor those with a question that is sealed, or was before it proved harmless (D6)."""
    assert list(asked_of) == ["plain"]


async def test_from_the_letter_to_one_answer_to_the_report(mongodb_url: str, intake: Running, asked_of: dict[str, str]) -> None:
    address = asked_of["plain"]
    seen = len(intake.published.of(topics.SURVEYS))
    await asyncio.gather(*(intake.client.post(address, data=form(text="Tốt")) for _ in range(5)))

    async def published() -> list[tuple[bytes, bytes]]:
        return intake.published.of(topics.SURVEYS)[seen:]

    [(_, value)] = await eventually(published)
    settings = ReportingSettings(
        session_secret=SecretStr("s" * 40), mongodb_url=mongodb_url, mongodb_prefix=f"survey_{uuid4().hex[:8]}", log_level="ERROR"
    )
    _, service, reporting = bootstrap_reporting(settings, clock=lambda: NOW)
    await mongo.apply(service.database, REPORTING)
    try:
        events = [decode(value, models(topics.SURVEYS, views=FIGURES))] * 2
        await record(reporting, recorded(events))
        await record(reporting, recorded(events))
        while await reporting.buckets.recompute(reporting.facts):
            pass
        report = (await draw(reporting, load_agencies(Path("agencies"))["son-la"], quarter_of(NOW))).report
        by_way = {row.label: row.values[0].n for row in report.table("khao-sat").rows}
        assert by_way == {"Mã QR tại quầy": 0, "Phiếu giấy tại quầy": 0, "Sau trả lời hoặc Hội nghị": 1, "Cộng": 1}
        marks = {row.label: [v.n for v in row.values] for row in report.table("khao-sat-tieu-chi").rows}
        assert marks["Thời gian"] == [0, 0, 0, 0, 1, 1]
        assert marks["Kết quả"] == [1, 0, 0, 0, 0, 1]
        assert report.adds_up
    finally:
        await service.client.drop_database(service.database.name)
        await mongo.close(service.client)


def test_the_letters_that_end_a_case_have_a_place_for_the_link() -> None:
    from contracts.letters import FIELDS

    kinds = {kind for kind, fields in FIELDS.items() if "survey_url" in fields.model_fields}
    assert kinds == {LetterKind.WRITTEN_ANSWER, LetterKind.CONCLUSION, LetterKind.ABSENT_ANSWER}
