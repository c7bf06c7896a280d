"""What a registrant does after registering, from the page to routing and notify and back, over real databases (D3, D7, D9).

Events travel between the three as bytes, at once instead of through Kafka; tests/browser/test_people.py goes through Kafka.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from cli.browser import Page
from contracts import topics
from contracts.envelope import Event, decode
from contracts.events import models
from contracts.model import CaseSource, Channel
from kit import mongo
from kit.auth import COOKIE as STAFF_COOKIE
from kit.auth import READ_SEALED, Role, Session, SessionCodec
from kit.mongo import Document
from kit.outbox import Outbox
from services.intake import metrics
from services.intake.after.session import COOKIE, MINUTES
from services.intake.data_requests.usecases import erase, measure
from services.intake.documents import LETTER
from services.intake.forms import ENTRY_CHANNELS
from services.intake.mailbox.imap import Fetched
from services.intake.mailbox.store import LetterCases, MailStore
from services.intake.mailbox.usecases import Mailroom, keep
from services.notify import consumers
from services.notify.bootstrap import Notify
from services.notify.bootstrap import bootstrap as notify_bootstrap
from services.notify.store import CORRECTIONS, ERASED, LEDGER
from services.routing.context import Routing
from services.routing.questions import states
from services.routing.questions import usecases as routing_usecases
from services.routing.questions.intake import take_over_feedback
from tests.intake import NOW, PLAN, Running, api_body, running_intake, web_form
from tests.integration.test_notify_service import prepared, settings
from tests.mails import PERSON as MAILED_BY
from tests.mails import ReadHere, filled, mail, raw
from tests.routing import acting, running_routing, take, with_dialogue

pytestmark = pytest.mark.stack
FORM = f"/son-la/dang-ky/{PLAN}"
LOOKUP = "/son-la/tra-cuu"
OLD, CHANGED = "cu@nguoi-dan.example", "moi@nguoi-dan.example"
TEXT = "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?"
OFFICE = states.Who(frozenset({"office", "leadership"}), assign_by="leadership")


@dataclass
class World:
    """The three services, and what one tells the others."""

    intake: Running
    routing: Routing
    notify: Notify
    ledger: mongo.Collection

    async def registration(self) -> Document:
        """The newest, or the feedback where nobody has registered."""
        newest = [("recorded_at", -1), ("case_number", -1)]
        found = await self.intake.database["registrations"].find_one({}, sort=newest)
        found = found or await self.intake.database["feedback"].find_one({}, sort=newest)
        assert found is not None
        return found

    async def pass_on(self) -> None:
        """All that intake has to say, then all that routing has."""
        document = await self.registration()
        source = CaseSource.REGISTRATION if "sections" in document else CaseSource.FEEDBACK
        told = [self._wire(self.intake.intake.releases[source].outbox, document, e) for e in document["events"]]
        letters = [e for e in told if e.type == LETTER]
        newest = [e for e in told if e.type != LETTER][-1]
        if source is CaseSource.REGISTRATION:
            await take(self.routing, newest)
        else:
            await take_over_feedback(self.routing, [newest], _refuse)
        subscribed = {s.name: s.handle for s in consumers.subscriptions(self.notify.desk, None)}  # type: ignore[arg-type]
        await subscribed["letters"](letters, _refuse)
        await subscribed["registrations" if source is CaseSource.REGISTRATION else "feedback"](
            [decode(newest.encode(), _NOTIFY)], _refuse
        )
        for outbox, save in (
            (self.routing.cases, self.intake.intake.projections.save_cases),
            (self.routing.questions, self.intake.intake.projections.save_questions),
        ):
            rows = await outbox.collection.find({}).to_list(None)
            await save([self._wire(outbox, row, row["events"][-1]) for row in rows])

    def _wire(self, outbox: Outbox, document: Document, entry: Document) -> Event[Any]:
        return decode(outbox.event(document, entry).encode(), _ALL)

    async def questions(self) -> list[Document]:
        return await self.routing.questions.collection.find({}).sort("section_no", 1).to_list(None)

    async def case(self) -> Document:
        found = await self.routing.cases.collection.find_one({})
        assert found is not None
        return found

    async def rows(self) -> dict[str, Document]:
        return {row["kind"]: row async for row in self.ledger.find({})}

    async def transfer(self, question: UUID) -> None:
        await routing_usecases.transfer(self.routing, acting(self.routing), OFFICE, question, "quan-ly-khoa-hoc")
        await self.pass_on()


_ALL = models(topics.REGISTRATIONS, topics.FEEDBACK, topics.INTAKE_LETTERS, topics.CASES, topics.QUESTIONS)
_NOTIFY = models(topics.REGISTRATIONS, topics.FEEDBACK, views=consumers.VIEWS)


def _refuse(event: Event[Any], error: Exception) -> None:
    raise AssertionError(f"{event.type}: {error}")


@pytest_asyncio.fixture(scope="module")
async def services(mongodb_url: str) -> AsyncIterator[World]:
    notify = notify_bootstrap(settings(mongodb_url), clock=lambda: NOW)
    ledger = (await prepared(notify))[LEDGER]
    async with running_intake(mongodb_url) as intake, running_routing(mongodb_url, now=NOW) as routing:
        await with_dialogue(routing, plan=PLAN, starts_at=NOW + timedelta(days=40), closes_at=NOW + timedelta(days=30))
        yield World(intake, routing, notify, ledger)
    await notify.service.client.drop_database(notify.service.database.name)
    await mongo.close(notify.service.client)


@pytest_asyncio.fixture
async def world(services: World) -> AsyncIterator[World]:
    """The services without anybody's registration, and a browser without cookies."""
    yield services
    services.intake.client.cookies.clear()
    services.intake.clock.now = NOW
    for database, names in (
        (services.intake.database, ("registrations", "feedback", "data_requests", "cases", "questions")),
        (services.routing.database, ("cases", "questions", "letters")),
        (services.notify.service.database, (LEDGER, CORRECTIONS, ERASED)),
    ):
        for name in names:
            await database[name].delete_many({})


@dataclass
class Person:
    """Somebody with a code, and the page they look at."""

    client: httpx.AsyncClient
    code: str
    page: httpx.Response

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.page.text)
        assert found, self.page.text
        return found[1]

    async def open(self, path: str = "phieu") -> str:
        self.page = await self.client.get(f"{LOOKUP}/{path}")
        assert self.page.status_code == 200, self.page.status_code
        return unescape(self.page.text)

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        """What the form of this page sends, and the page after it."""
        sent = await self.client.post(f"{LOOKUP}/{path}", data={"csrf": self.csrf} | fields)
        self.page = await self.client.get(sent.headers["location"]) if sent.status_code == 303 else sent
        return sent


async def followed(world: World, receipt: httpx.Response) -> Person:
    """Who was given this receipt, with the tracking page of what was routed."""
    found = re.search(r'<p class="code"[^>]*>([^<]+)</p>', receipt.text)
    assert found, receipt.text
    await world.pass_on()
    page = await world.intake.client.post(LOOKUP, data={"code": found[1]})
    assert page.status_code == 200
    return Person(world.intake.client, found[1], page)


async def registered(world: World, **form: str) -> Person:
    """A form sent, routed, and looked up."""
    receipt = await world.intake.client.post(FORM, data=web_form(email=OLD, **form))
    return await followed(world, receipt)


async def test_before_the_transfer_the_text_is_replaced_and_afterwards_added_to(world: World) -> None:
    person = await registered(world)
    await person.open("noi-dung/1")
    assert TEXT in unescape(person.page.text)
    amended = {"text": "Đề tài cấp cơ sở thì sao?", "mode": "amend"}
    for _ in range(2):  # a double click
        assert (await person.send("noi-dung/1", **amended)).status_code == 303
        assert "Đã ghi nhận nội dung Ông/Bà sửa." in unescape(person.page.text)
        await person.open("noi-dung/1")
    await world.pass_on()
    [question] = await world.questions()
    assert (question["text"], question.get("additions")) == ("Đề tài cấp cơ sở thì sao?", [])
    assert "thay cho nội dung cũ" in await person.open()
    rows = await world.rows()
    assert (rows["receipt"]["state"], rows["amended"]["state"]) == ("pending", "pending")
    assert await world.ledger.count_documents({"kind": "amended"}) == 1

    await person.open("noi-dung/1")  # a page that is open while the office transfers
    await world.transfer(question["_id"])
    late = await person.send("noi-dung/1", text="Thêm: thời hạn?", mode="amend")
    assert late.status_code == 409
    assert "chỉ bổ sung được" in unescape(late.text)
    assert "Thêm: thời hạn?" in unescape(late.text)
    assert (await person.send("noi-dung/1", text="Thêm: thời hạn?", mode="add")).status_code == 303
    await world.pass_on()
    [question] = await world.questions()
    assert (question["text"], [a["text"] for a in question["additions"]]) == ("Đề tài cấp cơ sở thì sao?", ["Thêm: thời hạn?"])
    page = await person.open()
    assert "kèm vào nội dung như phần bổ sung" in page
    assert page.index("Sở tiếp nhận phiếu") < page.index("Ông/Bà sửa nội dung") < page.index("Ông/Bà bổ sung nội dung")


async def test_a_race_that_routing_decides_loses_nothing(world: World) -> None:
    person = await registered(world)
    [question] = await world.questions()
    # Transferred, and intake has not heard of it yet.
    await routing_usecases.transfer(world.routing, acting(world.routing), OFFICE, question["_id"], "quan-ly-khoa-hoc")
    await person.open("noi-dung/1")
    assert (await person.send("noi-dung/1", text="Cả nội dung viết lại", mode="amend")).status_code == 303
    await world.pass_on()
    [question] = await world.questions()
    assert (question["text"], [a["text"] for a in question["additions"]]) == (TEXT, ["Cả nội dung viết lại"])
    assert "kèm vào nội dung như phần bổ sung" in await person.open()


async def test_another_section_is_filled_until_the_closing(world: World) -> None:
    person = await registered(world)
    assert "2. Về lĩnh vực quản lý công nghệ" in await person.open()
    await person.open("noi-dung/2")
    assert (await person.send("noi-dung/2", text="Nội dung thêm", mode="new")).status_code == 303
    await world.pass_on()
    assert [q["section_no"] for q in await world.questions()] == [1, 2]
    assert len((await world.case())["questions"]) == 2
    world.intake.clock.now = NOW + timedelta(days=30, minutes=1)
    again = await world.intake.client.post(LOOKUP, data={"code": person.code})
    assert "3. Về lĩnh vực tiêu chuẩn" not in unescape(again.text)


async def test_letters_that_have_not_gone_out_follow_a_corrected_address(world: World) -> None:
    person = await registered(world)
    await person.open("lien-he")
    contact = {"name": "Lò Văn Thử", "address": "Bản Mới", "phone": "0912 345 678", "email": "sai"}
    wrong = await person.send("lien-he", **contact)
    assert wrong.status_code == 422
    assert "Bản Mới" in unescape(wrong.text)
    assert (await person.send("lien-he", **contact | {"email": CHANGED})).status_code == 303
    assert CHANGED not in person.page.text
    await world.pass_on()
    case = await world.case()
    assert case["person"]["email"] == CHANGED
    assert case["events"][-1]["changes"]["registrant"] == ["contact"]
    rows = await world.rows()
    to = {kind: row["content"]["recipient"]["email"] for kind, row in rows.items()}
    assert to == {"receipt": CHANGED, "amended": CHANGED, "contact_changed": OLD}
    assert await world.ledger.count_documents({}) == 3
    await world.pass_on()  # everything once more, in any order
    assert await world.ledger.count_documents({}) == 3
    # What routing asked for before it heard of the correction follows as well.
    corrections = world.notify.service.database[CORRECTIONS]
    assert await corrections.count_documents({}) == 1


async def test_one_question_then_the_whole_form_is_withdrawn(world: World) -> None:
    person = await registered(world, **{"sections.2": "Nội dung hai"})
    await world.transfer((await world.questions())[1]["_id"])
    await person.open("rut")
    assert (await person.send("rut")).status_code == 422
    asked = await person.send("rut", sections="2", reason="không cần nữa")
    assert asked.status_code == 200
    assert "không lấy lại được" in unescape(asked.text)
    assert [q["state"] for q in await world.questions()][1] == "transferred"
    assert (await person.send("rut", sections="2", reason="không cần nữa", confirm="true")).status_code == 303
    await world.pass_on()
    assert [q["state"] for q in await world.questions()] == ["proposed", "withdrawn"]
    case = await world.case()
    assert (case["status"], case["withdrawal_reason"]) == ("open", "không cần nữa")

    await person.open("rut")
    assert "phiếu được rút" in unescape((await person.send("rut", sections="1")).text)
    await person.send("rut", sections="1", confirm="true")
    await world.pass_on()
    assert {q["state"] for q in await world.questions()} == {"withdrawn"}
    assert (await world.case())["status"] == "withdrawn"
    assert "Ông/Bà đã rút phiếu" in await person.open()
    assert "/noi-dung/1" not in person.page.text


async def test_an_invitation_is_answered_and_the_chair_sees_it(world: World) -> None:
    person = await registered(world)
    assert "không có giấy mời nào chờ trả lời" in await person.open("tham-du")
    case = await world.case()
    await routing_usecases.mark_invited(world.routing, acting(world.routing), case["_id"], "07", NOW.date(), 1)
    await world.pass_on()
    await person.open("tham-du")
    assert (await person.send("tham-du", answer="substitute")).status_code == 422
    assert (await person.send("tham-du", answer="substitute", substitute="Cầm Văn Thay")).status_code == 303
    assert "Ông/Bà đã cử người dự thay: Cầm Văn Thay" in unescape(person.page.text)
    await world.pass_on()
    reply = (await world.case())["attendance_reply"]
    assert (reply["answer"], reply["substitute"]) == ("substitute", "Cầm Văn Thay")
    shown = await world.intake.intake.projections.case("son-la", case["_id"])
    assert shown is not None
    assert shown.attendance_reply == "substitute"
    assert "Cầm Văn Thay" not in shown.model_dump_json()


# Feedback (K2), and what the office made feedback (D3)


FEEDBACK_PAGE = "/son-la/phan-anh-kien-nghi"
FEEDBACK_TEXT = "Đề nghị rút ngắn thời gian kiểm định phương tiện đo."


async def sent_feedback(world: World, **form: str) -> Person:
    """Feedback sent, routed, and looked up."""
    values = {name: value for name, value in web_form(email=OLD).items() if not name.startswith("sections")}
    receipt = await world.intake.client.post(FEEDBACK_PAGE, data=values | {"group": "7", "text": FEEDBACK_TEXT} | form)
    return await followed(world, receipt)


async def test_feedback_is_amended_then_added_to_and_its_letters_follow_the_corrected_contact(world: World) -> None:
    person = await sent_feedback(world)
    page = unescape(person.page.text)
    for offered in ("Sửa nội dung", "Sửa thông tin liên hệ", "Chọn cách nhận thông tin", "Rút phản ánh", "Xem, xóa dữ liệu"):
        assert offered in page
    await person.open("noi-dung/1")
    assert FEEDBACK_TEXT in unescape(person.page.text)
    assert (await person.send("noi-dung/1", text="Kiểm định cân mất bao lâu?", mode="amend")).status_code == 303
    await world.pass_on()
    [question] = await world.questions()
    assert (question["text"], question["section_no"], question["source"]) == ("Kiểm định cân mất bao lâu?", None, "feedback")
    assert question["proposal"]["unit"] is None, "it stands in no section of the form that could say whose it is"
    assert [clock["kind"] for clock in question["clocks"]] == ["forward"]
    who = states.Who(frozenset({"control"}))
    await routing_usecases.transfer(world.routing, acting(world.routing), who, question["_id"], "tieu-chuan-do-luong")
    await world.pass_on()
    assert "Sửa nội dung<" not in await person.open()
    await person.open("noi-dung/1")
    assert (await person.send("noi-dung/1", text="Cân ô tô 80 tấn.", mode="add")).status_code == 303
    await world.pass_on()
    [question] = await world.questions()
    assert [a["text"] for a in question["additions"]] == ["Cân ô tô 80 tấn."]
    assert "kèm vào nội dung như phần bổ sung" in await person.open()

    await person.open("lien-he")
    contact = {"name": "Lò Văn Thử", "address": "Bản Mới", "phone": "", "email": ""}
    assert (await person.send("lien-he", **contact)).status_code == 422, "a telephone or a mail address"
    assert (await person.send("lien-he", **contact | {"email": CHANGED})).status_code == 303
    await person.open("cach-nhan")
    assert (await person.send("cach-nhan", preferred_way="post")).status_code == 303
    await world.pass_on()
    case = await world.case()
    assert (case["person"]["email"], case["preferred_way"]) == (CHANGED, "post")
    rows = await world.ledger.find({}).to_list(None)
    assert sorted((r["kind"], r["content"]["recipient"]["email"]) for r in rows) == [
        ("amended", CHANGED), ("amended", CHANGED), ("amended", CHANGED), ("amended", CHANGED),
        ("contact_changed", OLD), ("feedback_receipt", CHANGED),
    ]  # fmt: skip


async def test_feedback_is_withdrawn_by_its_sender(world: World) -> None:
    person = await sent_feedback(world)
    await person.open("rut")
    asked = await person.send("rut", sections="1", reason="đã rõ")
    assert "không lấy lại được" in unescape(asked.text)
    assert "Hội nghị" not in unescape(re.sub(r"<header.*?</header>|<footer.*?</footer>", "", asked.text, flags=re.S))
    assert (await person.send("rut", sections="1", reason="đã rõ", confirm="true")).status_code == 303
    assert "Ông/Bà đã rút" in unescape(person.page.text)
    await world.pass_on()
    case = await world.case()
    assert ([q["state"] for q in await world.questions()], case["status"]) == (["withdrawn"], "withdrawn")
    assert case["withdrawal_reason"] == "đã rõ"
    page = await person.open()
    assert "/noi-dung/1" not in page
    assert "Ông/Bà rút phản ánh, kiến nghị" in page


async def test_the_office_hands_over_a_copy_of_feedback_and_erases_it_at_its_senders_request(world: World) -> None:
    person = await sent_feedback(world)
    address = await asked_for(world, person, "see")
    csrf = sign_in(world)
    await world.intake.client.post(f"{address}/quyet-dinh", data={"csrf": csrf, "decision": "granted"})
    assert FEEDBACK_TEXT in unescape((await world.intake.client.get(f"{address}/ban-sao")).text)
    assert FEEDBACK_TEXT in await person.open("ban-sao")
    address = await asked_for(world, person, "delete")
    csrf = sign_in(world)
    await world.intake.client.post(f"{address}/quyet-dinh", data={"csrf": csrf, "decision": "granted"})
    assert (await world.intake.client.post(f"{address}/xong", data={"csrf": csrf})).status_code == 303
    await world.pass_on()
    held = repr(
        [await world.registration(), await world.questions(), await world.case(), await world.ledger.find({}).to_list(None)]
    )
    for secret in (OLD, "Lò Văn Thử", FEEDBACK_TEXT, "912345678"):
        assert secret not in held
    assert "đã được xóa" in await person.open()


async def test_what_the_office_made_feedback_is_still_added_to_and_withdrawn(world: World) -> None:
    person = await registered(world, **{"sections.2": "Nội dung hai"})
    case = await world.case()
    await routing_usecases.case_to_feedback(world.routing, acting(world.routing), case["_id"], "Hội nghị đã chuẩn bị xong")
    await world.pass_on()
    assert "Được xử lý như phản ánh, kiến nghị" in await person.open()
    goes_on = [q for q in await world.questions() if q["source"] == "feedback"]
    who = states.Who(frozenset({"control"}))
    await routing_usecases.transfer(world.routing, acting(world.routing), who, goes_on[0]["_id"], "quan-ly-khoa-hoc")
    await world.pass_on()
    await person.open("noi-dung/1")
    assert (await person.send("noi-dung/1", text="Thêm: thời hạn?", mode="add")).status_code == 303
    await person.open("noi-dung/2")
    assert (await person.send("noi-dung/2", text="Nội dung hai viết lại", mode="amend")).status_code == 303
    await world.pass_on()
    first, second = [q for q in await world.questions() if q["source"] == "feedback"]
    assert ([a["text"] for a in first["additions"]], second["text"]) == (["Thêm: thời hạn?"], "Nội dung hai viết lại")
    assert "kèm vào nội dung như phần bổ sung" in await person.open()
    for no, left in ((1, ["withdrawn", "proposed"]), (2, ["withdrawn", "withdrawn"])):
        await person.open("rut")
        assert (await person.send("rut", sections=str(no), confirm="true")).status_code == 303
        await world.pass_on()
        assert [q["state"] for q in await world.questions() if q["source"] == "feedback"][: len(left)] == left
    assert (await world.case())["status"] == "withdrawn"
    assert "Ông/Bà đã rút" in await person.open()


# The visit


async def test_the_visit_ends_by_itself_and_by_the_button_and_loses_nothing_typed(world: World) -> None:
    person = await registered(world)
    cookie = next(c for c in world.intake.client.cookies.jar if c.name == COOKIE)
    assert cookie.path == LOOKUP
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    assert person.code.replace("-", "") not in (cookie.value or "").replace("-", "")

    world.intake.clock.now = NOW + timedelta(minutes=MINUTES, seconds=1)
    assert (await world.intake.client.get(f"{LOOKUP}/phieu")).status_code == 303
    late = await person.send("noi-dung/1", text="Viết rất lâu", mode="amend")
    assert late.status_code == 403
    assert "Viết rất lâu" in unescape(late.text)
    wrong = await world.intake.client.post(f"{LOOKUP}/noi-dung/1", data={"code": "sai", "text": "Viết rất lâu", "mode": "amend"})
    assert wrong.status_code == 422
    assert "Viết rất lâu" in unescape(wrong.text)
    with_code = {"code": person.code, "text": "Viết rất lâu", "mode": "amend"}
    assert (await world.intake.client.post(f"{LOOKUP}/noi-dung/1", data=with_code)).status_code == 303
    await person.open()
    assert (await person.send("ket-thuc")).status_code == 303
    assert "Đã kết thúc xem" in unescape(person.page.text)
    assert (await world.intake.client.get(f"{LOOKUP}/phieu")).status_code == 303


async def test_without_the_token_nothing_changes(world: World) -> None:
    person = await registered(world)
    before = (await world.registration())["seq"]
    forged = await world.intake.client.post(f"{LOOKUP}/rut", data={"sections": "1", "confirm": "true", "csrf": "0" * 64})
    assert forged.status_code == 403
    stranger = await world.intake.client.post(
        "/bac-kan/tra-cuu/rut", data={"sections": "1", "confirm": "true", "csrf": person.csrf}
    )
    assert stranger.status_code == 403
    for path in ("phieu", "noi-dung/1", "lien-he", "cach-nhan", "rut", "tham-du", "du-lieu"):
        await person.open(path)
    assert (await world.registration())["seq"] == before


# Personal data


def sign_in(world: World, *, reads_sealed: bool = False) -> str:
    codec = SessionCodec(world.intake.intake.settings.session_secret)
    permissions = frozenset({READ_SEALED}) if reads_sealed else frozenset()
    session = Session(
        id="s1",
        agency="son-la",
        username="van.phong",
        name="Cầm Thị Mẫu",
        roles=frozenset({Role.OFFICE}),
        permissions=permissions,
    )
    world.intake.client.cookies.set(STAFF_COOKIE, codec.encode(session, world.intake.clock()))
    return codec.csrf("s1")


DESK = "/son-la/tiep-nhan/yeu-cau-du-lieu"


def standing() -> tuple[float, ...]:
    """How many requests are open, how old the oldest is, and how many are overdue, as Prometheus reads it."""
    gauges = (metrics.DATA_REQUESTS, metrics.DATA_REQUESTS_OLDEST, metrics.DATA_REQUESTS_OVERDUE)
    return tuple(gauge.labels("son-la")._value.get() for gauge in gauges)


async def asked_for(world: World, person: Person, what: str) -> str:
    await person.open("du-lieu")
    for _ in range(2):
        assert (await person.send("du-lieu", what=what)).status_code == 303
        await person.open("du-lieu")
    assert await world.intake.database["data_requests"].count_documents({"what": what}) == 1
    request = await world.intake.database["data_requests"].find_one({"what": what})
    assert request is not None
    return f"{DESK}/{request['_id']}"


async def test_a_copy_is_given_when_a_person_has_granted_it_and_says_nothing_of_what_is_sealed(world: World) -> None:
    secret = "Tôi tố cáo ông Nguyễn Văn X nhận tiền khi giải quyết hồ sơ của tôi."
    person = await registered(world, **{"sections.2": secret})
    assert {q["section_no"]: q["sealed"] for q in await world.questions()} == {1: False, 2: True}
    assert secret not in await person.open()
    assert secret not in await person.open("noi-dung/2")
    address = await asked_for(world, person, "see")
    assert (await world.intake.client.get(f"{LOOKUP}/ban-sao")).status_code == 404
    csrf = sign_in(world)
    await measure(world.intake.intake)
    assert standing() == (1, 0, 0)
    listed = unescape((await world.intake.client.get(DESK)).text)
    assert "12/3/2026" in listed  # two working days
    assert 'Dữ liệu cá nhân <span class="count">1' in listed
    waiting = await world.intake.client.get("/son-la/tiep-nhan/dang-cho")
    assert waiting.json()[DESK] == 1
    world.intake.clock.now = NOW + timedelta(days=3)
    await measure(world.intake.intake)
    assert standing() == (1, 3 * 86_400, 1)
    world.intake.clock.now = NOW
    assert (await world.intake.client.get(f"{address}/ban-sao")).status_code == 404
    refused = await world.intake.client.post(f"{address}/quyet-dinh", data={"csrf": csrf, "decision": "refused"})
    assert refused.status_code == 422
    granted = await world.intake.client.post(f"{address}/quyet-dinh", data={"csrf": csrf, "decision": "granted"})
    assert granted.status_code == 303
    assert standing() == (1, 0, 0)
    copy = unescape((await world.intake.client.get(f"{LOOKUP}/ban-sao")).text)
    assert TEXT in copy
    assert OLD in copy
    assert secret not in copy
    plain = await world.intake.client.get(f"{LOOKUP}/ban-sao.json")
    assert plain.json()["person"]["email"] == OLD
    assert secret not in plain.text
    printed = unescape((await world.intake.client.get(f"{address}/ban-sao")).text)
    assert TEXT in printed
    assert secret not in printed
    assert "2. Về lĩnh vực" not in printed
    sign_in(world, reads_sealed=True)
    assert secret in unescape((await world.intake.client.get(f"{address}/ban-sao")).text)


async def test_a_deletion_is_decided_by_a_person_and_leaves_nothing_anywhere(world: World) -> None:
    person = await registered(world)
    document = await world.registration()
    file = await world.intake.intake.files.put("son-la", str(document["_id"]), "a.txt", "text/plain", b"rieng")
    await world.intake.database["registrations"].update_one({"_id": document["_id"]}, {"$set": {"files": [file.model_dump()]}})
    await person.open("lien-he")
    await person.send("lien-he", name="Lò Văn Thử", phone="0912 345 678", email=CHANGED)
    await world.pass_on()
    address = await asked_for(world, person, "delete")
    csrf = sign_in(world)
    early = await world.intake.client.post(f"{address}/xong", data={"csrf": csrf})
    assert early.status_code == 409
    extended = await world.intake.client.post(f"{address}/gia-han", data={"csrf": csrf, "why": "Cần xác minh"})
    assert extended.status_code == 303
    twice = await world.intake.client.post(f"{address}/gia-han", data={"csrf": csrf, "why": "Nữa"})
    assert twice.status_code == 409
    await world.intake.client.post(f"{address}/quyet-dinh", data={"csrf": csrf, "decision": "granted"})
    done = await world.intake.client.post(f"{address}/xong", data={"csrf": csrf})
    assert done.status_code == 303
    await world.pass_on()

    held = repr(
        [
            await world.registration(),
            await world.intake.database["data_requests"].find({}).to_list(None),
            await world.questions(),
            await world.case(),
            await world.routing.database["letters"].find({}).to_list(None),
            await world.ledger.find({}).to_list(None),
            await world.notify.service.database[CORRECTIONS].find({}).to_list(None),
        ]
    )
    for secret in (OLD, CHANGED, "Lò Văn Thử", TEXT, "912345678"):
        assert secret not in held
    assert await world.intake.intake.files._database["fs.files"].count_documents({"_id": file.key}) == 0
    assert "đã được xóa" in await person.open()
    steps = [s["state"] for s in (await world.intake.database["data_requests"].find_one({}))["steps"]]  # type: ignore[index]
    assert steps == ["received", "extended", "granted", "done"]
    # A repetition after a crash finds nothing more to do.
    await erase(world.intake.intake, acting(world.routing), document["_id"])


# Staff act for somebody who calls, writes or comes


def counter(world: World, document: Document) -> str:
    return f"/son-la/tiep-nhan/phieu/{document['_id']}"


async def looked_up_again(world: World, person: Person) -> str:
    return unescape((await world.intake.client.post(LOOKUP, data={"code": person.code})).text)


CALLED = {"via": "phone", "on": "09/3/2026"}


async def test_the_office_does_for_a_caller_what_the_person_could_do_by_the_code(world: World) -> None:
    earlier = NOW - timedelta(days=2)
    world.intake.clock.now = earlier
    person = await registered(world)
    world.intake.clock.now = NOW
    here, client = counter(world, await world.registration()), world.intake.client
    csrf = sign_in(world)
    page = unescape((await client.get(here)).text)
    assert "Lò Văn Thử" in page
    assert person.code not in page

    async def record(path: str, **fields: str) -> httpx.Response:
        return await client.post(f"{here}/{path}", data={"csrf": csrf} | CALLED | fields)

    text = {"text": "Đề tài cấp cơ sở thì sao?", "mode": "amend"}
    for wrong in ({"via": ""}, {"on": "11/3/2026"}, {"on": "07/3/2026"}):
        refused = await record("noi-dung/1", **(text | wrong))
        assert refused.status_code == 422
        assert text["text"] in unescape(refused.text)
    assert (await record("noi-dung/1", **text)).status_code == 303
    # A paper without an address is taken: so is what a caller leaves out. The number stays as it was said.
    contact = {"name": "Lò Văn Thử", "phone": "0912 345 678 (gặp anh Thử)", "email": CHANGED}
    assert (await record("lien-he", **contact)).status_code == 303
    assert (await record("cach-nhan", preferred_way="email")).status_code == 303
    await world.pass_on()
    [question] = await world.questions()
    case = await world.case()
    assert (question["text"], case["person"]["phone"], case["preferred_way"]) == (text["text"], contact["phone"], "email")
    # The same letters as when the person does it.
    assert {"receipt", "amended", "contact_changed"} == (await world.rows()).keys()

    await routing_usecases.mark_invited(world.routing, acting(world.routing), case["_id"], "07", NOW.date(), 1)
    await world.pass_on()
    assert (await record("tham-du", answer="substitute", substitute="Cầm Văn Thay")).status_code == 303
    await world.pass_on()
    assert (await world.case())["attendance_reply"]["substitute"] == "Cầm Văn Thay"
    asked = await record("rut", sections="1")
    assert "phiếu được rút" in unescape(asked.text)
    assert 'name="via" value="phone"' in asked.text
    assert (await record("rut", sections="1", confirm="true")).status_code == 303
    await world.pass_on()
    assert (await world.case())["status"] == "withdrawn"

    history = await looked_up_again(world, person)
    for done in ("sửa nội dung", "sửa thông tin liên hệ", "đổi cách nhận thông tin", "cử người dự thay", "rút phiếu"):
        assert f"Sở ghi theo đề nghị của Ông/Bà qua điện thoại ngày 09/3/2026: {done}" in history
    stored = await world.registration()
    kept = [e for e in stored["events"] if e["actor"] == "van.phong" and e["type"] != LETTER]
    assert [e["changes"]["asked"] for e in kept] == [{"via": "phone", "on": "2026-03-09"}] * 5
    assert "người ghi: van.phong" in unescape((await client.get(here)).text)


async def test_the_office_records_a_request_about_data_whose_clock_began_on_the_day_it_was_asked(world: World) -> None:
    world.intake.clock.now = NOW - timedelta(days=2)
    person = await registered(world)
    world.intake.clock.now = NOW
    document = await world.registration()
    sent = {"csrf": sign_in(world), "what": "delete", "note": "", "via": "email", "on": "08/3/2026"}
    assert (await world.intake.client.post(f"{counter(world, document)}/du-lieu", data=sent)).status_code == 303
    request = await world.intake.database["data_requests"].find_one({})
    assert request is not None
    # Two working days after a Sunday; twenty days after it.
    assert (request["answer"]["due_on"], request["completion"]["due_on"]) == ("2026-03-10", "2026-03-30")
    decided = f"{DESK}/{request['_id']}"
    assert decided in (await world.intake.client.get(counter(world, document))).text
    assert "qua thư điện tử ngày 08/3/2026" in unescape((await world.intake.client.get(decided)).text)
    assert "Sở ghi theo đề nghị của Ông/Bà qua thư điện tử ngày 08/3/2026" in await looked_up_again(world, person)


async def test_to_the_office_what_is_sealed_is_a_section_that_was_not_filled(world: World) -> None:
    secret = "Tôi tố cáo ông Nguyễn Văn X nhận tiền khi giải quyết hồ sơ của tôi."
    await registered(world, **{"sections.2": secret})
    here, client = counter(world, await world.registration()), world.intake.client
    csrf = sign_in(world)
    blank = re.sub(r"\d\. ", "", re.search(r'<a href="[^"]+/noi-dung/3">(.+?)</a>', unescape((await client.get(here)).text))[1])  # type: ignore[index]
    assert blank
    pages = [unescape((await client.get(f"{here}{path}")).text) for path in ("", "/noi-dung/2", "/rut")]
    assert 'noi-dung/2">2. ' in pages[0]
    assert "Thêm nội dung" in pages[1]
    assert "2. Về lĩnh vực" not in pages[2]
    for page in pages:
        assert secret not in page
        assert "xem xét" not in page
    taken = await client.post(
        f"{here}/rut", data={"csrf": csrf, "sections": "2", "confirm": "true", "via": "phone", "on": "10/3/2026"}
    )
    assert taken.status_code == 409
    more = {"csrf": csrf, "text": "Bổ sung: ngày 02/3/2026.", "mode": "new", "via": "phone", "on": "10/3/2026"}
    assert (await client.post(f"{here}/noi-dung/2", data=more)).status_code == 303
    await world.pass_on()
    sealed = (await world.questions())[1]
    assert (sealed["text"], [a["text"] for a in sealed["additions"]]) == (secret, ["Bổ sung: ngày 02/3/2026."])
    sign_in(world, reads_sealed=True)
    named = unescape((await client.get(here)).text)
    assert "Bổ sung nội dung" in named[named.index("2. Về lĩnh vực") :]
    assert secret not in unescape((await client.get(f"{here}/noi-dung/2")).text)


async def test_feedback_is_added_to_by_the_control_unit_and_a_registration_is_not(world: World) -> None:
    await sent_feedback(world)
    feedback = await world.registration()
    codec = SessionCodec(world.intake.intake.settings.session_secret)
    session = Session(id="s2", agency="son-la", username="mot.cua", name="Lò Mẫu", roles=frozenset({Role.CONTROL}))
    client = world.intake.client
    client.cookies.set(STAFF_COOKIE, codec.encode(session, world.intake.clock()))
    told = {"text": "Thêm: cân ở chợ Chiềng Lề.", "mode": "add", "via": "in_person", "on": "10/3/2026"}
    forged = await client.post(f"{counter(world, feedback)}/noi-dung/1", data=told)
    assert forged.status_code == 403
    await world.transfer((await world.questions())[0]["_id"])
    added = await client.post(f"{counter(world, feedback)}/noi-dung/1", data=told | {"csrf": codec.csrf("s2")})
    assert added.status_code == 303
    await world.pass_on()
    [question] = await world.questions()
    assert [a["text"] for a in question["additions"]] == [told["text"]]
    await registered(world)
    registration = await world.registration()
    client.cookies.set(STAFF_COOKIE, codec.encode(session, world.intake.clock()))
    assert (await client.get(counter(world, registration))).status_code == 403


# Whatever the channel (D3)


async def by_web(world: World) -> httpx.Response:
    return await world.intake.client.post(FORM, data=web_form())


async def by_program(world: World) -> httpx.Response:
    return await world.intake.client.post(
        "/api/v1/son-la/registrations", json=api_body(), headers={"Idempotency-Key": uuid4().hex}
    )


async def by_mail(world: World) -> httpx.Response:
    """A mail with the form in it, read, and confirmed by the office as it was read."""
    own, client = world.intake.intake, world.intake.client
    room = Mailroom(own, {}, MailStore(world.intake.database, own.files), LetterCases(world.intake.database))
    message = mail(filled(MAILED_BY, {1: TEXT}))
    _id = await keep(room, own.agency("son-la"), ReadHere(), Fetched(raw(message), world.intake.clock()))
    csrf = sign_in(world)
    form = Page(await client.get(f"/son-la/tiep-nhan/thu-dien-tu/{_id}")).form("phieu/1")
    return await client.post(form.action, data=dict(form.values) | {"csrf": csrf})


def by_counter(channel: Channel) -> Callable[[World], Awaitable[httpx.Response]]:
    async def enter(world: World) -> httpx.Response:
        form = {name: value for name, value in web_form().items() if name != "consent"}
        received = {"received_on": "10/3/2026", "received_time": "08:00", "read_back": "1", "plan": PLAN, "channel": channel}
        return await world.intake.client.post("/son-la/tiep-nhan/", data=form | received | {"csrf": sign_in(world)})

    return enter


WAYS_HERE = {
    Channel.WEB: by_web,
    Channel.API: by_program,
    Channel.EMAIL: by_mail,
    **{channel: by_counter(channel) for channel in ENTRY_CHANNELS if channel is not Channel.EMAIL},
}


@pytest.mark.parametrize("channel", WAYS_HERE)
async def test_by_whatever_channel_a_text_comes_it_is_proposed_to_the_same_unit(world: World, channel: Channel) -> None:
    answer = await WAYS_HERE[channel](world)
    assert answer.status_code in (200, 201, 303), answer.text
    await world.pass_on()
    [question] = await world.questions()
    found = (question["section_no"], question["text"], question["state"], question["proposal"]["unit"])
    assert found == (1, TEXT, "proposed", "quan-ly-khoa-hoc")
    case = await world.case()
    assert (case["channel"], case["status"], case["late"]) == (channel, "open", False)
    assert case["dialogue"] == question["dialogue"] is not None
