"""Feedback on real Kafka and MongoDB, from the form to the public answer, and turned into a registration and back (K2, D3)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.model import CaseSource, QuestionState
from contracts.topics import TOPICS
from deploy.local.paths import ROOT
from kit import mongo
from kit.auth import COOKIE, Role
from kit.kafka import create_topics
from kit.mongo import Document
from services.intake.codes import code_hash, parse_code
from services.intake.feedback.usecases import ALIKE_WITHIN, NO_SUCH_NUMBER
from services.routing.bootstrap import application, bootstrap
from services.routing.questions.feedback import IN_FILES
from services.routing.settings import RoutingSettings
from services.routing.store import SPECS
from tests.intake import NOW, Running, api_body, running_intake, web_form
from tests.integration.test_routing_desk import Browser, Desk, EverybodyIsCurrent, done
from tests.routing import SON_LA, FrozenClock, with_dialogue
from tests.unit.test_attachments import PDF_BYTES
from tests.waiting import eventually

pytestmark = pytest.mark.stack

PAGE = f"/{SON_LA}/phan-anh-kien-nghi"
DESK = f"/{SON_LA}/can-bo/"
TEXT = "Đề nghị rút ngắn thời gian kiểm định phương tiện đo tại Chi cục."
UNIT = "tieu-chuan-do-luong"


def form(**changes: str) -> dict[str, str]:
    return {
        "nonce": "trang-phan-anh-cua-mot-nguoi",
        "group": "7",
        "text": TEXT,
        "name": "Lò Văn Thử",
        "address": "Tổ 2, phường Tô Hiệu",
        "phone": "0912 345 678",
        "consent": "2026-01",
    } | changes


def code_of(page: str) -> str:
    found = re.search(r'class="code" translate="no">([^<]+)<', page)
    assert found is not None, page
    assert parse_code(found[1])
    return found[1]


@dataclass
class Both:
    """Intake and routing at work, with Kafka between them."""

    intake: Running
    desk: Desk
    plan: str

    async def receive(self, **changes: str) -> str:
        """Feedback by the form; its code."""
        answer = await self.intake.client.post(PAGE, data=form(nonce=uuid4().hex, **changes))
        assert answer.status_code == 200, answer.text
        return code_of(answer.text)

    async def tracking(self, code: str) -> str:
        return (await self.intake.client.post(f"/{SON_LA}/tra-cuu", data={"code": code})).text

    async def shown(self, code: str, *words: str) -> str:
        """The tracking page, once it says all of this."""

        async def says() -> str:
            page = await self.tracking(code)
            missing = [word for word in words if word not in page]
            assert not missing, (missing, re.sub(r"<[^>]+>|\s+", " ", page))
            return page

        return await eventually(says)

    async def case(self, number: str) -> Document:
        async def taken() -> Document | None:
            return await self.desk.routing.cases.collection.find_one({"case_number": number})

        return await eventually(taken)

    async def questions(self, case: UUID) -> list[Document]:
        return await self.desk.routing.questions.collection.find({"case": case}).sort("received_at", 1).to_list(None)

    async def question(self, case: UUID, source: CaseSource) -> Document:
        return next(q for q in await self.questions(case) if q["source"] == source)

    async def prepare(self, control: Browser, question: Document) -> Document:
        """Transferred by the control unit, drafted and handed over by the unit, approved by the leadership."""
        await done(await control.act(question, "chuyen", unit=UNIT))
        head = self.desk.browser(Role.HEAD, unit=UNIT)
        await done(await head.act(await self._again(question), "du-thao", kind="answer", text="Từ tháng 5 còn 3 ngày."))
        await done(await head.act(await self._again(question), "trinh-lanh-dao"))
        await done(await self.desk.browser(Role.LEADERSHIP).act(await self._again(question), "duyet"))
        return await self._again(question)

    async def _again(self, question: Document) -> Document:
        return await self.desk.routing.questions.get(question["_id"], SON_LA)


@asynccontextmanager
async def _routing(mongodb_url: str, kafka_bootstrap: str, prefix: str) -> AsyncIterator[Desk]:
    settings = RoutingSettings(
        mongodb_url=mongodb_url,
        mongodb_prefix=prefix,  # intake's: they share the file store
        kafka_bootstrap=kafka_bootstrap,
        kafka_group_prefix=uuid4().hex,
        agencies_dir=ROOT / "agencies",
        session_secret="s" * 40,
        session_secure=False,
        log_level="ERROR",
    )
    routing, service = bootstrap(settings, clock=FrozenClock(NOW + timedelta(hours=1)))
    await mongo.apply(routing.database, SPECS)
    app = application(routing, service)
    app.state.staff_gate = replace(app.state.staff_gate, directory=EverybodyIsCurrent())
    async with app.router.lifespan_context(app):
        yield Desk(routing, app)
    owner = mongo.connect(mongodb_url, driver="pymongo", timeout_ms=10_000)
    for name in (routing.database.name, f"{prefix}_files"):
        await owner.drop_database(name)
    await mongo.close(owner)


@pytest.fixture(scope="module")
async def both(mongodb_url: str, kafka_bootstrap: str) -> AsyncIterator[Both]:
    await create_topics(kafka_bootstrap, TOPICS)
    async with (
        running_intake(mongodb_url, kafka_bootstrap=kafka_bootstrap, announced=False, proof_cost=0) as intake,
        _routing(mongodb_url, kafka_bootstrap, intake.intake.settings.mongodb_prefix) as desk,
    ):
        plan = f"son-la-2026-{uuid4().hex[:6]}"
        closes_at, starts_at = NOW + timedelta(days=30), NOW + timedelta(days=40)
        await with_dialogue(desk.routing, plan=plan, closes_at=closes_at, starts_at=starts_at)

        async def announced() -> bool:
            return (await intake.client.get(f"/{SON_LA}/doi-thoai/{plan}-1")).status_code == 200

        await eventually(announced, 60)
        yield Both(intake, desk, plan)


async def test_from_the_form_to_the_public_answer(both: Both) -> None:
    page = (await both.intake.client.get(PAGE)).text
    assert page.count('type="radio" name="group"') == 9
    assert "Tôi không rõ" in page
    assert f'href="{PAGE}"' in (await both.intake.client.get(f"/{SON_LA}/")).text

    code = await both.receive(email="thu@nguoi-dan.example")
    kept = await both.intake.database["feedback"].find_one({"text": TEXT, "person.email": "thu@nguoi-dan.example"})
    assert kept is not None
    case = await both.case(kept["case_number"])
    assert (case["source"], case["status"], case["group"], case["received_at"]) == (
        "feedback",
        "to_feedback",
        7,
        kept["received_at"],
    )
    page = await both.shown(code, "Đã tiếp nhận", "Hạn phân loại, hoặc chuyển cơ quan có thẩm quyền")
    assert "17/3/2026" in page, "five working days after 10 March 2026, a Tuesday"

    control = both.desk.browser(Role.CONTROL)
    (question,) = await both.questions(case["_id"])
    assert kept["case_number"] in (await control.get(DESK)).text
    assert (await control.get(f"{DESK}phieu/{case['_id']}")).text.count("thu@nguoi-dan.example") == 1
    question = await both.prepare(control, question)
    assert (question["state"], question["draft"]["stage"]) == ("to_write", "approved")
    kinds = [(clock["kind"], clock["stopped_at"] is None) for clock in question["clocks"]]
    assert kinds == [("forward", False), ("feedback", True)], "its answer is due when it is out, not when it is handed over"
    await both.shown(code, "Đang xử lý", "24/3/2026")
    await done(await control.act(question, "tra-loi", number="131/SKHCN-VP", on="10/3/2026"))
    await both.shown(code, "Đã trả lời", "Từ tháng 5 còn 3 ngày.", "131/SKHCN-VP")

    question = await both.question(case["_id"], CaseSource.FEEDBACK)
    named = {"public_question": "Ông Lò Văn Thử hỏi", "public_answer": "Còn 3 ngày."}
    refused = await control.act(question, "cong-khai", **named)
    assert (refused.status_code, "Có thể là thông tin cá nhân" in refused.text) == (422, True)
    public = {
        "public_question": "Đề nghị rút ngắn thời gian kiểm định.",
        "public_answer": "Từ tháng 5 còn 3 ngày.",
    }
    await done(await control.act(question, "cong-khai", **public))
    await both.shown(code, "Đã công khai")
    shown = await both.intake.database["questions"].find_one({"_id": question["_id"]})
    assert shown is not None
    names = ("source", "public_question", "public_answer", "published_on")
    assert [shown["state"].get(name) for name in names] == ["feedback", *public.values(), "2026-03-10"]
    assert (await both.case(kept["case_number"]))["status"] == "closed"


async def test_a_registration_made_feedback_goes_on_as_feedback(both: Both) -> None:
    body = api_body(plan=both.plan, sections=[{"no": 3, "text": TEXT}, {"no": 5, "text": "Tôi muốn được nghe thêm."}])
    answer = await both.intake.client.post(f"/api/v1/{SON_LA}/registrations", json=body, headers={"Idempotency-Key": uuid4().hex})
    receipt = answer.json()
    code = receipt["tracking_code"]
    case = await both.case(receipt["case_number"])
    await both.shown(code, "Phiếu đăng ký số", "Đang phân loại")
    before = case["received_at"]

    office, control = both.desk.browser(Role.OFFICE), both.desk.browser(Role.CONTROL)
    await done(await office.post(f"{DESK}phieu/{case['_id']}/phan-anh", reason="Đã chuẩn bị xong Hội nghị"))
    questions = await both.questions(case["_id"])
    assert sorted((q["source"], q["state"]) for q in questions) == [
        ("feedback", "proposed"),
        ("feedback", "triage"),
        ("registration", "to_feedback"),
        ("registration", "to_feedback"),
    ]
    followed = next(q for q in questions if q["source"] == "feedback" and q["section_no"] == 3)
    assert (followed["text"], followed["received_at"], followed["clocks"][0]["kind"]) == (TEXT, before, "forward")
    await both.shown(code, "Phản ánh, kiến nghị số", "mã tra cứu không đổi", "Đã tiếp nhận", receipt["case_number"])

    question = await both.prepare(control, followed)
    await done(await control.act(question, "tra-loi", number="132/SKHCN-VP", on="10/3/2026"))
    await both.shown(code, "132/SKHCN-VP", "Đã trả lời", "Đã tiếp nhận")
    other = next(q for q in await both.questions(case["_id"]) if q["source"] == "feedback" and q["section_no"] == 5)
    guide = {"body": "Sở Xây dựng", "address": "Phường Chiềng Lề", "phone": "0212 3852 345", "on": "10/3/2026"}
    await done(await control.act(other, "chuyen-co-quan", number="133/SKHCN-VP", **guide))
    await both.shown(code, "Đã chuyển Sở Xây dựng ngày 10/3/2026")
    ended = await both.case(receipt["case_number"])
    assert (ended["status"], ended["received_at"], ended["source"]) == ("closed", before, "registration")
    await both.shown(code, "Phản ánh, kiến nghị số", "Đã chuyển Sở Xây dựng")


async def test_feedback_that_is_a_registration_is_taken_into_a_dialogue(both: Both) -> None:
    code = await both.receive(text="Tôi muốn dự đối thoại để hỏi về kiểm định phương tiện đo.", name="Cà Thị Thử")
    kept = await both.intake.database["feedback"].find_one({"person.name": "Cà Thị Thử"})
    assert kept is not None
    case = await both.case(kept["case_number"])
    control = both.desk.browser(Role.CONTROL)
    dialogue = f"{both.plan}-1"
    refused = await control.post(f"{DESK}phieu/{case['_id']}/vao-hoi-nghi", dialogue=dialogue, reason="")
    assert refused.status_code == 422
    await done(await control.post(f"{DESK}phieu/{case['_id']}/vao-hoi-nghi", dialogue=dialogue, reason="Người gửi muốn dự"))
    case = await both.case(kept["case_number"])
    assert (case["status"], case["source"], case["dialogue"], case["plan"]) == ("open", "feedback", dialogue, both.plan)
    question = await both.question(case["_id"], CaseSource.REGISTRATION)
    assert (question["dialogue"], question["received_at"], question["text"]) == (dialogue, kept["received_at"], kept["text"])
    assert (await both.question(case["_id"], CaseSource.FEEDBACK))["state"] == QuestionState.TO_DIALOGUE
    await both.shown(code, kept["case_number"], "Hội nghị đối thoại lần 1", "mã tra cứu không đổi")
    # From here on it is the dialogue's: the profile's assigner transfers it, and the control unit does not see it.
    assert (await control.get(f"{DESK}noi-dung/{question['_id']}")).status_code == 403
    await done(await both.desk.browser(Role.LEADERSHIP).act(question, "chuyen", unit=UNIT))
    assert (await both.question(case["_id"], CaseSource.REGISTRATION))["clocks"][-1]["kind"] == "preparation"
    # And back: nothing that was turned once is stuck.
    office = both.desk.browser(Role.OFFICE)
    await done(await office.post(f"{DESK}phieu/{case['_id']}/phan-anh", reason="Không dự được"))
    again = [q for q in await both.questions(case["_id"]) if q["source"] == "feedback" and q["state"] == "proposed"]
    assert [q["proposal"]["unit"] for q in again] == [UNIT]
    await both.shown(code, "Phản ánh, kiến nghị số", "Đã tiếp nhận")


async def test_asked_back_collected_and_taken_up_again(both: Both) -> None:
    code = await both.receive(group="khong-ro", name="Hà Văn Thử", email="ha@nguoi-dan.example")
    kept = await both.intake.database["feedback"].find_one({"person.name": "Hà Văn Thử"})
    assert kept is not None
    assert (kept["group"], kept["group_unknown"]) == (6, True)
    case = await both.case(kept["case_number"])
    control = both.desk.browser(Role.CONTROL)
    assert case["group"] is None
    await done(await control.post(f"{DESK}phieu/{case['_id']}/nhom", group="2"))
    assert (await control.post(f"{DESK}phieu/{case['_id']}/nhom", group="3")).status_code == 409
    (question,) = await both.questions(case["_id"])
    await done(await control.act(question, "hoi-them", text="Tên thủ tục"))
    await both.shown(code, "Đề nghị bổ sung thông tin")
    (question,) = await both.questions(case["_id"])
    await done(await control.act(question, "bo-sung", text="Thủ tục kiểm định"))
    (question,) = await both.questions(case["_id"])
    await done(await control.act(question, "tap-hop", reason="Mới có một ý kiến"))
    page = await both.shown(code, "Đã ghi nhận, tiếp tục tập hợp")
    assert "Hạn phân loại" not in page
    (question,) = await both.questions(case["_id"])
    assert all(clock["stopped_at"] for clock in question["clocks"])
    await done(await control.act(question, "tiep-tuc", reason="Đã có thêm ý kiến"))
    (question,) = await both.questions(case["_id"])
    assert (question["state"], question["clocks"][-1]["stopped_at"]) == ("triage", None)
    kinds = {
        x["letter"]["kind"] for x in await both.desk.routing.database["letters"].find({"letter.case": case["_id"]}).to_list(None)
    }
    assert kinds == {"feedback_asked", "feedback_collecting"}


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ({"name": ""}, "Xin Ông/Bà ghi họ và tên."),
        ({"address": ""}, "để Sở gửi văn bản trả lời"),
        ({"phone": ""}, "Xin Ông/Bà ghi số điện thoại hoặc địa chỉ thư điện tử"),
        ({"text": " "}, "Ông/Bà chưa ghi nội dung."),
        ({"consent": ""}, "đánh dấu vào ô đồng ý"),
        ({"group": "9"}, "Xin chọn một nhóm trong danh sách"),
    ],
)
async def test_what_is_missing_is_said_and_nothing_typed_is_lost(both: Both, missing: dict[str, str], sentence: str) -> None:
    answer = await both.intake.client.post(PAGE, data=form(procedure="Kiểm định phương tiện đo", **missing))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Kiểm định phương tiện đo" in answer.text


def at_counter(both: Both, role: Role) -> tuple[httpx.AsyncClient, str]:
    """The browser of somebody at intake's counter, and the token of its forms."""
    app = both.intake.app
    app.state.staff_gate = replace(app.state.staff_gate, directory=EverybodyIsCurrent())
    codec, session = app.state.staff_gate.codec, both.desk.session(role)
    cookies = {COOKIE: codec.encode(session, both.intake.clock())}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tiep-nhan.example", cookies=cookies)
    return client, codec.csrf(session.id)


async def test_the_counter_notes_what_came_from_the_province_with_its_day(both: Both) -> None:
    client, csrf = at_counter(both, Role.CONTROL)
    address = f"/{SON_LA}/tiep-nhan/phan-anh"
    assert "Tiếp nhận phản ánh, kiến nghị" in (await client.get(address)).text
    paper = form(nonce=uuid4().hex, name="Mùa A Thử", address="", phone="", consent="") | {"csrf": csrf}
    came = {"channel": "post", "received_on": "09/3/2026", "received_time": "16:00", "incoming_number": "55"}
    assert (await client.post(address, data=paper | came | {"channel": "web"})).status_code == 422
    province = {"outside_number": "12/VP-KSTT", "outside_due": "13/3/2026"}
    entered = await client.post(address, data=paper | came | province)
    assert entered.status_code == 303
    page = (await client.get(entered.headers["location"])).text
    assert [word for word in ("12/VP-KSTT", "Điện thoại hoặc thư điện tử", "13/3/2026") if word not in page] == []
    code = code_of(page)
    slip = await client.get(f"{entered.headers['location']}/phieu-tiep-nhan.pdf")
    assert slip.content.startswith(b"%PDF")
    kept = await both.intake.database["feedback"].find_one({"person.name": "Mùa A Thử"})
    assert kept is not None
    case = await both.case(kept["case_number"])
    assert (case["outside_number"], case["incoming_number"], case["channel"]) == ("12/VP-KSTT", "55", "post")
    (question,) = await both.questions(case["_id"])
    await done(await both.desk.browser(Role.OFFICE).act(question, "chuyen", unit=UNIT))
    assert (await both.question(case["_id"], CaseSource.FEEDBACK))["clocks"][-1]["due_on"] == "2026-03-13"
    await both.shown(code, "13/3/2026")
    assert (await client.get(f"{address}/{uuid4()}")).status_code == 404


async def test_a_call_is_read_back_and_who_may_be_there_already_is_shown(both: Both) -> None:
    await both.receive(name="Tòng Văn Gọi", phone="0981 222 333")
    client, csrf = at_counter(both, Role.OFFICE)
    address = f"/{SON_LA}/tiep-nhan/phan-anh"
    page = (await client.get(address)).text
    assert "Tôi xin đọc lại nội dung đã ghi để Ông/Bà kiểm tra" in page
    assert re.search(r'<select id="o-channel"[^>]* autofocus', page)
    came = {"csrf": csrf, "channel": "phone", "received_on": "09/3/2026", "received_time": "16:00"}
    call = form(nonce=uuid4().hex, name="TONG VAN GOI", phone="", consent="") | came
    asked = await client.post(address, data=call)
    assert asked.status_code == 200
    assert "Có thể trùng với phản ánh, kiến nghị đã có" in asked.text
    assert "(trùng họ tên): Tòng Văn Gọi, 0981 222 333" in asked.text
    assert TEXT not in asked.text.partition("<textarea")[0], "what others wrote may be sealed"
    for _ in range(2):
        entered = await client.post(address, data=call | {"anyway": "1"})
        assert entered.status_code == 303
    kept = await both.intake.database["feedback"].find({"person.name": "TONG VAN GOI"}).to_list(None)
    assert [(k["channel"], k["read_back"], k["incomplete"]) for k in kept] == [("phone", False, ["phone", "read_back"])]
    page = (await client.get(entered.headers["location"])).text
    assert "<li>Đọc lại cho người gọi</li>" in page
    assert "tôi xin đọc chậm hai lần" in page
    link = re.search(r'href="([^"]+)" accesskey="n" autofocus', page)
    assert link is not None
    following = (await client.get(link[1].replace("&amp;", "&"))).text
    assert ['value="09/3/2026"' in following, '<option value="phone" selected>' in following] == [True, True]
    assert re.search(r'name="incoming_number"[^>]* autofocus', following)
    case = await both.case(kept[0]["case_number"])
    assert case["incomplete"] == ["phone", "read_back"], "the desk sees what is to be made up for"
    long_ago = {"$set": {"received_at": NOW - ALIKE_WITHIN - timedelta(days=1)}}
    await both.intake.database["feedback"].update_many({"person.name": {"$in": ["TONG VAN GOI", "Tòng Văn Gọi"]}}, long_ago)
    assert (await client.post(address, data=call | {"nonce": uuid4().hex})).status_code == 303, "after months a name says nothing"


async def test_a_program_sends_feedback_once_under_its_key(both: Both) -> None:
    address, key = f"/api/v1/{SON_LA}/feedback", {"Idempotency-Key": uuid4().hex}
    body: dict[str, Any] = {
        "person": {"name": "Lò Văn Máy", "address": "Tổ 1", "email": "may@nguoi-dan.example"},
        "group": 3,
        "text": "Hai văn bản ghi thời hạn khác nhau.",
        "consent_version": "2026-01",
    }
    first = await both.intake.client.post(address, json=body, headers=key)
    again = await both.intake.client.post(address, json=body, headers=key)
    other = await both.intake.client.post(address, json=body | {"text": "Khác"}, headers=key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    wrong = await both.intake.client.post(address, json=body | {"person": {"name": "A"}}, headers={"Idempotency-Key": "x"})
    assert wrong.status_code == 422
    assert {e["pointer"] for e in wrong.json()["errors"]} == {"#/person/address", "#/person/phone"}
    described = (await both.intake.client.get("/api/openapi.json")).json()
    assert {"FeedbackInput", "PersonInput", "RegistrationInput"} <= described["components"]["schemas"].keys()


async def test_a_registration_is_tracked_as_before(both: Both) -> None:
    answer = await both.intake.client.post(f"/{SON_LA}/dang-ky/{both.plan}", data=web_form(nonce=uuid4().hex))
    code = code_of(answer.text)
    assert "Phiếu đăng ký số" in await both.tracking(code)


async def test_files_come_with_feedback_to_those_who_may_read_it_until_it_is_erased(both: Both) -> None:
    client, csrf = at_counter(both, Role.OFFICE)
    paper = {"csrf": csrf, "nonce": uuid4().hex, "name": "Quàng Thị Thử", "channel": "paper"}
    came = {"received_on": "09/3/2026", "received_time": "16:00"}
    address = f"/{SON_LA}/tiep-nhan/phan-anh"
    entered = await client.post(address, data=paper | came, files={"files": ("bản quét.pdf", PDF_BYTES)})
    assert entered.status_code == 303, entered.text
    kept = await both.intake.database["feedback"].find_one({"person.name": "Quàng Thị Thử"})
    assert kept is not None
    case = await both.case(kept["case_number"])
    (question,) = await both.questions(case["_id"])
    assert question["text"] == IN_FILES, "a scan of which nothing was typed is a question all the same"

    office, control = both.desk.browser(Role.OFFICE), both.desk.browser(Role.CONTROL)
    await done(await control.act(question, "chuyen", unit=UNIT))
    file = kept["files"][0]["key"].rsplit("/", 1)[-1]
    at_case, at_question = f"{DESK}phieu/{case['_id']}", f"{DESK}noi-dung/{question['_id']}"
    readers = [(office, at_case), (control, at_case), (both.desk.browser(Role.HEAD, unit=UNIT), at_question)]
    for browser, page in readers:
        assert f'href="{page}/tep/{file}"' in (await browser.get(page)).text
        saved = await browser.get(f"{page}/tep/{file}")
        assert (saved.content, saved.headers["content-type"]) == (PDF_BYTES, "application/octet-stream")
    assert (await both.desk.browser(Role.HEAD, unit="van-phong").get(f"{at_question}/tep/{file}")).status_code in (403, 404)

    typed = {"csrf": csrf, "number": kept["case_number"], "confirmed": "1"}
    assert (await client.post(f"{address}/xoa", data=typed)).status_code == 303

    async def gone() -> bool:
        return (await office.get(f"{at_case}/tep/{file}")).status_code == 404 and not (await both.case(kept["case_number"]))[
            "files"
        ]

    await eventually(gone)


async def test_feedback_is_erased_everywhere_at_its_senders_request(both: Both) -> None:
    code = await both.receive(name="Lường Văn Xóa", text="Xin xóa nội dung này.")
    found = await both.intake.database["feedback"].find_one({"person.name": "Lường Văn Xóa"})
    assert found is not None
    case = await both.case(found["case_number"])
    erase = f"/{SON_LA}/tiep-nhan/phan-anh/xoa"
    office, csrf = at_counter(both, Role.OFFICE)
    unconfirmed = await office.post(erase, data={"csrf": csrf, "number": found["case_number"]})
    assert (unconfirmed.status_code, found["case_number"] in unconfirmed.text) == (422, True)
    unknown = await office.post(erase, data={"csrf": csrf, "number": "SL-0", "confirmed": "1"})
    assert (unknown.status_code, NO_SUCH_NUMBER in unknown.text) == (422, True)
    for _ in range(2):
        answer = await office.post(erase, data={"csrf": csrf, "number": found["case_number"], "confirmed": "1"})
        assert answer.status_code == 303
    kept = await both.intake.database["feedback"].find_one({"_id": found["_id"]})
    assert kept is not None
    assert (kept["status"], kept["text"], "person" in kept) == ("erased", "", False)
    assert len(kept["events"]) == 3

    async def gone() -> bool:
        routed = [await both.case(found["case_number"]), *await both.questions(case["_id"])]
        return "Lường Văn Xóa" not in str(routed) and "Xin xóa nội dung này." not in str(routed)

    await eventually(gone)
    await both.tracking(code)


async def test_what_the_office_enters_into_its_calendar_counts_for_people_too(
    both: Both, mongodb_url: str, kafka_bootstrap: str
) -> None:
    """A day off of Thursday 12 March: the receipt, the countdown, and an intake that comes late and reads it from the topic."""
    address = f"/{SON_LA}/doi-thoai/{both.plan}-1"
    assert "12/3 (Nghỉ theo thông báo)" not in (await both.intake.client.get(address)).text
    office = both.desk.browser(Role.OFFICE)
    entered = {"what": "day_off", "name": "Nghỉ theo thông báo", "reason": "Thông báo của UBND tỉnh", "revision": "0"}
    await done(await office.post(f"{DESK}lich", day="2026-03-12", **entered))
    assert (await office.post(f"{DESK}lich", day="2026-03-13", **entered)).status_code == 409, "somebody was faster"

    async def explained() -> bool:
        page = (await both.intake.client.get(address)).text
        return "12/3 (Nghỉ theo thông báo)" in page and "dự kiến, vì lịch nghỉ năm 2026 chưa được xác nhận" in page

    await eventually(explained)
    answer = await both.intake.client.post(PAGE, data=form(nonce=uuid4().hex))
    assert "chậm nhất ngày 18/3/2026" in answer.text, "five working days after 10 March, without the 12th"
    kept = await both.intake.database["feedback"].find_one({"code_hash": code_hash(code_of(answer.text))})
    assert kept is not None
    case = await both.case(kept["case_number"])
    (question,) = await both.questions(case["_id"])
    assert question["clocks"][0]["due_on"] == kept["announced"]["forward_by"] == "2026-03-18", "staff and people are told one day"

    await done(await office.post(f"{DESK}lich/xac-nhan", year="2026", source="Công văn mẫu", revision="1"))
    async with running_intake(mongodb_url, kafka_bootstrap=kafka_bootstrap, announced=False) as late:

        async def caught_up() -> bool:
            calendar = await late.intake.calendars.of(SON_LA)
            return not calendar.is_working_day(date(2026, 3, 12)) and calendar.table(2026).confirmed

        await eventually(caught_up, 60)

    async def the_same() -> bool:
        ours = await both.desk.routing.calendars.of(SON_LA)
        return (await both.intake.intake.calendars.of(SON_LA)).version == ours.version

    await eventually(the_same)
