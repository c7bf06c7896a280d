"""The staff desk, page by page, on a real MongoDB: one question from triage to its answer, refusals, conflicts, sealed ones."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from contracts.envelope import Event
from contracts.model import DeliveryState, LetterKind, Participation, PlanState, QuestionState
from kit.agency import Unit
from kit.auth import COOKIE, READ_SEALED, Role, Session
from kit.clock import TZ
from kit.errors import Conflict, Invalid, NotFound
from kit.mongo import Document
from kit.outbox import Relay
from services.routing.bootstrap import application
from services.routing.calendars import day_off_entry
from services.routing.context import Routing
from services.routing.dialogues import usecases as dialogues
from services.routing.dialogues.domain import Terms
from services.routing.questions import afterwards, domain, store, usecases, words
from services.routing.questions.states import Who
from services.routing.questions.usecases import Outcome, OutcomeKind
from services.routing.staff import usecases as staff
from services.routing.staff.domain import LOCK_AFTER, LOCK_FOR
from tests.routing import (
    DENUNCIATION,
    MEASURE,
    NOW,
    SCIENCE,
    SON_LA,
    UNCLEAR,
    FrozenClock,
    Remembering,
    acting,
    registration,
    running,
    take,
    with_dialogue,
)

pytestmark = pytest.mark.stack
DESK = f"/{SON_LA}/can-bo/"


@dataclass
class Desk:
    """Routing with its pages, and browsers for its staff."""

    routing: Routing
    app: Any

    def session(self, *roles: Role, unit: str | None = None, sealed: bool = False, username: str = "") -> Session:
        return Session(
            id=f"s-{username or '-'.join(roles)}",
            agency=SON_LA,
            username=username or "-".join(roles),
            name="Cán bộ Mẫu",
            roles=frozenset(roles),
            unit=unit,
            permissions=frozenset({READ_SEALED} if sealed else ()),
        )

    def browser(self, *roles: Role, unit: str | None = None, sealed: bool = False) -> "Browser":
        session = self.session(*roles, unit=unit, sealed=sealed)
        codec = self.app.state.staff_gate.codec
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://ban-lam-viec.example",
            cookies={COOKIE: codec.encode(session, self.routing.clock())},
        )
        return Browser(client, codec.csrf(session.id))

    async def question(self, case: str, section: int = 1) -> Document:
        found = await store.questions_of_case(self.routing.questions.collection, SON_LA, UUID(case), sealed=True)
        return next(q for q in found if q["section_no"] == section and q["source"] != "feedback")

    async def letters(self) -> list[str]:
        return [x["letter"]["kind"] for x in await self.routing.database["letters"].find({}).sort("_id").to_list(None)]


@dataclass
class Browser:
    """A signed-in member of staff."""

    client: httpx.AsyncClient
    csrf: str

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        return await self.client.post(path, data={"csrf": self.csrf, **fields})

    async def act(self, question: Document, slug: str, **fields: Any) -> httpx.Response:
        fields = {"seen": str(question["seq"]), **fields}
        return await self.post(f"{DESK}noi-dung/{question['_id']}/{slug}", **fields)


class EverybodyIsCurrent:
    """Accounts are another test's matter."""

    async def is_current(self, agency: str, username: str, version: int) -> bool:
        return True


@asynccontextmanager
async def a_desk(mongodb_url: str) -> AsyncIterator[Desk]:
    async with running(mongodb_url, session_secure=False) as (routing, service):
        app = application(routing, service)
        app.state.staff_gate = replace(app.state.staff_gate, directory=EverybodyIsCurrent())
        yield Desk(routing, app)


@pytest.fixture
async def desk(mongodb_url: str) -> AsyncIterator[Desk]:
    async with a_desk(mongodb_url) as made:
        await with_dialogue(made.routing)
        yield made


def clock(desk: Desk) -> FrozenClock:
    found = desk.routing.clock
    assert isinstance(found, FrozenClock)
    return found


async def done(answer: httpx.Response) -> None:
    assert answer.status_code == 303, re.sub(r"<[^>]+>|\s+", " ", answer.text)[:1500]


async def test_one_question_from_triage_to_its_answer(desk: Desk) -> None:
    event = registration(SCIENCE)
    await take(desk.routing, event)
    question = await desk.question(event.subject)
    unit = question["proposal"]["unit"]
    office, leadership = desk.browser(Role.OFFICE), desk.browser(Role.LEADERSHIP)
    officer, head = desk.browser(Role.OFFICER, unit=unit), desk.browser(Role.HEAD, unit=unit)

    triage = await office.get(f"{DESK}phan-loai")
    assert question["proposal"]["reason"] in triage.text.replace("&#34;", '"')
    assert "Độ tin cậy" in triage.text
    await done(await leadership.post(f"{DESK}phan-loai", ids=f"{question['_id']}.{question['seq']}", unit=""))
    question = await desk.question(event.subject)
    assert (question["state"], question["unit"]) == ("transferred", unit)
    assert question["clocks"][0]["due_on"] == "2022-04-29"
    assert await desk.letters() == ["new_question"]

    page = await officer.get(f"{DESK}noi-dung/{question['_id']}")
    assert "Nhận 26/4; ngày 1 là 27/4" in page.text
    assert "mau@nguoidan.example" not in page.text
    assert "mau@nguoidan.example" in (await office.get(f"{DESK}noi-dung/{question['_id']}")).text
    incomplete = await officer.act(question, "du-thao", kind="guidance", text="Đang viết dở", then="trinh-truong-don-vi")
    assert incomplete.status_code == 422
    assert "Đang viết dở" in incomplete.text
    draft = {"kind": "answer", "text": "Thực hiện theo Thông tư mẫu.", "then": "trinh-truong-don-vi"}
    await done(await officer.act(question, "du-thao", **draft))
    question = await desk.question(event.subject)
    await done(await head.act(question, "trinh-lanh-dao"))
    question = await desk.question(event.subject)
    assert question["clocks"][0]["stopped_at"] is not None
    await done(await leadership.act(question, "yeu-cau-hoan-thien", reason="Nêu rõ điều khoản"))
    question = await desk.question(event.subject)
    assert "Nêu rõ điều khoản" in (await officer.get(f"{DESK}noi-dung/{question['_id']}")).text
    await done(await head.act(question, "trinh-lanh-dao"))
    await done(await leadership.act(await desk.question(event.subject), "duyet"))
    question = await desk.question(event.subject)
    assert (question["state"], question["answer"]) == ("ready", "Thực hiện theo Thông tư mẫu.")
    states = [s["state"] for s in question["steps"]]
    assert states == ["proposed", "transferred", "at_head", "submitted", "sent_back", "submitted", "ready"]
    trail = await store.history(desk.routing.questions.collection, SON_LA, question["_id"])
    assert [e["actor"] for e in trail] == [
        "system:routing", "leadership", "officer", "officer", "head", "leadership", "head", "leadership",
    ]  # fmt: skip


async def test_what_a_role_may_not_do_is_not_offered_and_refused(desk: Desk) -> None:
    event = registration(SCIENCE)
    await take(desk.routing, event)
    question = await desk.question(event.subject)
    unit = question["proposal"]["unit"]
    assert desk.routing.agencies[SON_LA].assign_by.value == "leadership"
    for browser in (desk.browser(Role.OFFICE), desk.browser(Role.CONTROL), desk.browser(Role.ADMINISTRATOR)):
        answer = await browser.act(question, "chuyen", unit=unit)
        assert answer.status_code == 403
    other = desk.browser(Role.HEAD, unit="khong-phai")
    assert (await other.get(f"{DESK}noi-dung/{question['_id']}")).status_code == 403
    assert SCIENCE not in (await other.get(DESK)).text
    assert (await desk.question(event.subject))["seq"] == question["seq"]


async def test_without_its_token_a_post_changes_nothing(desk: Desk) -> None:
    event = registration(SCIENCE)
    await take(desk.routing, event)
    question = await desk.question(event.subject)
    leadership = desk.browser(Role.LEADERSHIP)
    leadership.csrf = "0" * 64
    assert (await leadership.act(question, "chuyen", unit=question["proposal"]["unit"])).status_code == 403
    assert (await desk.question(event.subject))["state"] == "proposed"


async def test_somebody_was_faster(desk: Desk) -> None:
    event = registration(SCIENCE)
    await take(desk.routing, event)
    question = await desk.question(event.subject)
    office = desk.browser(Role.OFFICE)
    await done(await desk.browser(Role.LEADERSHIP).act(question, "chuyen", unit=question["proposal"]["unit"]))
    answer = await office.act(question, "phan-loai-lai", reason="Nhầm đơn vị")
    assert answer.status_code == 409
    assert "Nội dung đã thay đổi" in answer.text
    assert "đang soạn" in answer.text
    assert (await desk.question(event.subject))["state"] == "transferred"


async def test_what_is_missing_is_said_and_nothing_typed_is_lost(desk: Desk) -> None:
    event = registration(SCIENCE)
    await take(desk.routing, event)
    question = await desk.question(event.subject)
    office = desk.browser(Role.OFFICE)
    answer = await office.act(question, "tach", part1="Phần một ở đây", reason="Hai việc")
    assert answer.status_code == 422
    assert "Phần một ở đây" in answer.text
    assert "Xin ghi nội dung thứ hai." in answer.text
    assert (await office.act(question, "phan-loai-lai", reason=" ")).status_code == 422


async def test_many_are_transferred_together_and_those_that_changed_are_named(desk: Desk) -> None:
    events = [registration(SCIENCE, number=f"SL-2022-00000{n}") for n in range(4)]
    await take(desk.routing, *events)
    questions = [await desk.question(e.subject) for e in events]
    office = desk.browser(Role.OFFICE)
    await done(await office.act(questions[0], "phan-loai-lai", reason="Xem lại"))
    answer = await desk.browser(Role.LEADERSHIP).post(
        f"{DESK}phan-loai", ids=[f"{q['_id']}.{q['seq']}" for q in questions], unit=""
    )
    assert answer.status_code == 409
    assert "SL-2022-000000:" in answer.text
    assert [(await desk.question(e.subject))["state"] for e in events] == ["triage", *["transferred"] * 3]


async def test_split_and_merged_keep_the_sum(desk: Desk) -> None:
    first, second = registration(SCIENCE), registration(SCIENCE)
    await take(desk.routing, first, second)
    office = desk.browser(Role.OFFICE)
    parent = await desk.question(first.subject)
    await done(await office.act(parent, "tach", part1=SCIENCE, part2=MEASURE, part3=UNCLEAR, reason="Ba việc"))
    case = await store.case(desk.routing.cases.collection, SON_LA, UUID(first.subject))
    assert len(case["questions"]) == 3
    children = await desk.routing.questions.collection.find({"parent": parent["_id"]}).to_list(None)
    assert {c["text"] for c in children} == {MEASURE, UNCLEAR}
    twin = await desk.question(second.subject)
    form = await office.get(f"{DESK}noi-dung/{twin['_id']}/gop")
    assert str(parent["_id"]) in form.text
    await done(await office.act(twin, "gop", into=str(parent["_id"]), reason="Cùng một việc"))
    by_state = [q["state"] async for q in desk.routing.questions.collection.find({}, {"state": 1})]
    assert by_state.count("merged") == 1
    assert len(by_state) == 4
    parent = await desk.routing.questions.get(parent["_id"], SON_LA)
    answer = await office.act(parent, "gop", into=str(children[0]["_id"]), reason="Vòng quanh")
    assert answer.status_code == 409


async def test_a_late_registration_waits_for_the_office(desk: Desk) -> None:
    dialogue = await with_dialogue(desk.routing, plan="son-la-2022b", closes_at=NOW - timedelta(days=2))
    event = registration(SCIENCE, plan="son-la-2022b", received_at=NOW - timedelta(days=1))
    told = event.data.model_copy(update={"decide_by": date(2022, 5, 5)})
    await take(desk.routing, event.model_copy(update={"data": told}))
    office = desk.browser(Role.OFFICE)
    assert "05/5/2022" in (await office.get(f"{DESK}den-sau-han")).text, (
        "the day that its receipt says, however it is counted now"
    )
    question = await desk.question(event.subject)
    leadership = desk.browser(Role.LEADERSHIP)
    assert (await leadership.act(question, "chuyen", unit=question["proposal"]["unit"])).status_code == 409
    assert "phiếu đến sau hạn" in (await office.get(DESK)).text
    assert str(UUID(event.subject)) in (await office.get(f"{DESK}den-sau-han")).text
    await done(await office.post(f"{DESK}phieu/{event.subject}/dua-vao"))
    case = await store.case(desk.routing.cases.collection, SON_LA, UUID(event.subject))
    assert (case["status"], case["dialogue"], case["late"]) == ("admitted", dialogue, True)
    assert await desk.letters() == ["admitted"]
    await done(await leadership.act(question, "chuyen", unit=question["proposal"]["unit"]))


async def test_a_late_registration_becomes_feedback_with_its_questions(desk: Desk) -> None:
    await with_dialogue(desk.routing, plan="son-la-2022b", closes_at=NOW - timedelta(days=2))
    event = registration(SCIENCE, "", "", "", DENUNCIATION, plan="son-la-2022b", received_at=NOW - timedelta(days=1))
    await take(desk.routing, event)
    office = desk.browser(Role.OFFICE)
    assert (await office.post(f"{DESK}phieu/{event.subject}/phan-anh", reason="")).status_code == 422
    await done(await office.post(f"{DESK}phieu/{event.subject}/phan-anh", reason="Đã chuẩn bị xong Hội nghị"))
    assert (await desk.question(event.subject))["state"] == "to_feedback"
    assert (await desk.question(event.subject, 5))["state"] == "sealed"
    assert await desk.letters() == ["to_feedback"]


async def test_a_sealed_question_is_nowhere_but_with_its_readers(desk: Desk) -> None:
    event = registration(SCIENCE, "", "", "", DENUNCIATION, number="SL-2022-000777")
    await take(desk.routing, event)
    sealed = await desk.question(event.subject, 5)
    office, leadership = desk.browser(Role.OFFICE), desk.browser(Role.LEADERSHIP)
    secrets = (DENUNCIATION, "Nguyễn Văn X", str(sealed["_id"]))
    for browser in (office, leadership):
        for path in ("", "phan-loai", "danh-sach", f"phieu/{event.subject}", "?trang-thai=sealed", "danh-sach?trang-thai=sealed"):
            text = (await browser.get(DESK + path)).text
            assert not any(secret in text for secret in secrets), path
        assert (await browser.get(f"{DESK}noi-dung/{sealed['_id']}")).status_code == 404
        assert (await browser.get(f"{DESK}noi-dung/{sealed['_id']}/chuyen")).status_code == 404
        assert (await browser.act(sealed, "chuyen", unit="van-phong")).status_code == 404
        assert (await browser.get(f"{DESK}han-che")).status_code == 403
        assert (await browser.get(f"{DESK}han-che/{sealed['_id']}")).status_code == 403
        assert (await browser.post(f"{DESK}phan-loai", ids=f"{sealed['_id']}.1", unit="")).status_code != 303
    found = await office.get(f"{DESK}tim?so=sl-2022-000777")
    assert found.headers["location"].endswith(f"phieu/{event.subject}")
    open_one = await desk.question(event.subject)
    assert str(sealed["_id"]) not in (await office.get(f"{DESK}noi-dung/{open_one['_id']}/gop")).text
    with pytest.raises(NotFound):
        await usecases.record_outcome(desk.routing, acting(desk.routing), sealed["_id"], Outcome(OutcomeKind.RESOLVED))
    in_lists = await store.questions_of_dialogue(desk.routing.questions.collection, SON_LA, "son-la-2022-1")
    assert [q["_id"] for q in in_lists] == [open_one["_id"]]
    assert QuestionState.SEALED not in await store.counts_by_state(desk.routing.questions.collection, SON_LA)


async def test_a_named_reader_opens_it_each_opening_logged_and_decides(desk: Desk) -> None:
    event = registration("", "", "", "", DENUNCIATION)
    await take(desk.routing, event)
    sealed = await desk.question(event.subject, 5)
    reader = desk.browser(Role.HEAD, unit="thanh-tra", sealed=True)
    listed = await reader.get(f"{DESK}han-che")
    assert str(sealed["_id"]) in listed.text
    assert DENUNCIATION not in listed.text
    for _ in range(2):
        assert DENUNCIATION in (await reader.get(f"{DESK}han-che/{sealed['_id']}")).text
    opened = await store.openings(desk.routing.database["openings"], SON_LA, sealed["_id"])
    assert [o["by"] for o in opened] == ["head", "head"]
    path = f"{DESK}han-che/{sealed['_id']}/ket-luan"
    fields = {"seen": sealed["seq"], "kind": "denunciation", "reason": "Có hành vi bị tố cáo"}
    assert (await reader.post(path, **fields)).status_code == 422
    await done(await reader.post(path, **fields, passed_to="Thanh tra tỉnh", passed_on="26/4/2022"))
    question = await desk.question(event.subject, 5)
    assert (question["state"], question["sealed"]) == ("excluded", True)
    letters = await desk.routing.database["letters"].find({}).to_list(None)
    assert [x["letter"]["kind"] for x in letters] == ["denunciation_passed"]
    assert letters[0]["letter"]["ways"][0] == "post"
    assert "tố cáo" not in str(letters[0]["letter"]).lower()
    assert (await store.case(desk.routing.cases.collection, SON_LA, UUID(event.subject)))["status"] == "closed"


async def with_a_file(desk: Desk, *texts: str) -> tuple[str, str]:
    """A registration with a file, taken over; its id and the file's address below a page."""
    file = await desk.routing.files.put(SON_LA, f"upload-{uuid4().hex}", "Đơn “gửi” Sở.pdf", "application/pdf", b"%PDF-1.7 Don")
    event = registration(*texts)
    state = event.data.model_copy(update={"files": (file,), "participation": Participation.ONLINE})
    await take(desk.routing, event.model_copy(update={"data": state}))
    return event.subject, f"tep/{file.key.rsplit('/', 1)[-1]}"


async def test_attachments_are_saved_by_those_who_may_read_the_question(desk: Desk) -> None:
    case, file = await with_a_file(desk, SCIENCE)
    question = await desk.question(case)
    unit = question["proposal"]["unit"]
    office, officer = desk.browser(Role.OFFICE), desk.browser(Role.OFFICER, unit=unit)
    stranger = desk.browser(Role.OFFICER, unit="thanh-tra")
    on_question, on_case = f"{DESK}noi-dung/{question['_id']}", f"{DESK}phieu/{case}"
    assert (await officer.get(f"{on_question}/{file}")).status_code == 403
    await done(await desk.browser(Role.LEADERSHIP).act(question, "chuyen", unit=unit))
    for browser, page in ((office, on_case), (office, on_question), (officer, on_question)):
        shown = await browser.get(page)
        assert f"{page}/{file}" in shown.text
        saved = await browser.get(f"{page}/{file}")
        assert (saved.status_code, saved.content) == (200, b"%PDF-1.7 Don")
        assert saved.headers["content-type"] == "application/octet-stream"
        assert saved.headers["x-content-type-options"] == "nosniff"
        assert saved.headers["content-disposition"].startswith("attachment; ")
        assert "%C4%90%C6%A1n" in saved.headers["content-disposition"]
    assert "Trực tuyến" in (await office.get(on_case)).text
    assert (await stranger.get(f"{on_question}/{file}")).status_code == 403
    assert (await officer.get(f"{on_case}/{file}")).status_code == 403
    assert (await office.get(f"{on_case}/tep/{uuid4()}")).status_code == 404
    anonymous = await httpx.AsyncClient(transport=httpx.ASGITransport(desk.app), base_url="http://x").get(f"{on_case}/{file}")
    assert anonymous.status_code == 303


async def test_attachments_of_a_case_with_a_sealed_question_are_the_named_readers_alone(desk: Desk) -> None:
    case, file = await with_a_file(desk, SCIENCE, "", "", "", DENUNCIATION)
    open_one, sealed = await desk.question(case), await desk.question(case, 5)
    office, reader = desk.browser(Role.OFFICE), desk.browser(Role.HEAD, unit="thanh-tra", sealed=True)
    for page in (f"{DESK}phieu/{case}", f"{DESK}noi-dung/{open_one['_id']}"):
        assert "Tệp đính kèm" not in (await office.get(page)).text
        assert (await office.get(f"{page}/{file}")).status_code == 404
    of_sealed = f"{DESK}han-che/{sealed['_id']}"
    assert (await office.get(f"{of_sealed}/{file}")).status_code == 403
    assert f"{of_sealed}/{file}" in (await reader.get(of_sealed)).text
    assert (await reader.get(f"{of_sealed}/{file}")).content == b"%PDF-1.7 Don"
    assert len(await store.openings(desk.routing.database["openings"], SON_LA, sealed["_id"])) == 2


async def test_unsealed_it_goes_on_like_any_other(desk: Desk) -> None:
    event = registration("", "", "", "", DENUNCIATION)
    await take(desk.routing, event)
    sealed = await desk.question(event.subject, 5)
    reader = desk.browser(Role.OFFICE, sealed=True)
    path = f"{DESK}han-che/{sealed['_id']}/mo-lai"
    await done(await reader.post(path, seen=sealed["seq"], reason="Chỉ hỏi thủ tục"))
    assert (await reader.get(f"{DESK}noi-dung/{sealed['_id']}")).status_code == 200
    assert DENUNCIATION in (await desk.browser(Role.OFFICE).get(f"{DESK}phan-loai")).text


async def test_sealed_by_hand_it_leaves_every_page_and_every_event(desk: Desk) -> None:
    event = registration(UNCLEAR)
    await take(desk.routing, event)
    publisher = Remembering()
    relay = Relay(publisher, [desk.routing.questions])
    question = await desk.question(event.subject)
    office = desk.browser(Role.OFFICE)
    await done(await office.act(question, "han-che", reason="Có dấu hiệu khiếu nại"))
    assert (await office.get(f"{DESK}noi-dung/{question['_id']}")).status_code == 404
    await relay.stop()
    last = orjson.loads(publisher.records[-1][2])["data"]
    assert last["state"] == "sealed"
    assert "section_title" not in last
    assert "unit" not in last


async def test_a_unit_sees_its_queue_with_the_overdue_first(desk: Desk) -> None:
    first, second = registration(SCIENCE), registration(SCIENCE)
    await take(desk.routing, first, second)
    leadership = desk.browser(Role.LEADERSHIP)
    question = await desk.question(first.subject)
    unit = question["proposal"]["unit"]
    await done(await leadership.act(question, "chuyen", unit=unit))
    clock(desk).now = datetime(2022, 5, 5, 9, 0, tzinfo=TZ)
    leadership = desk.browser(Role.LEADERSHIP)
    other = await desk.question(second.subject)
    await done(await leadership.act(other, "chuyen", unit=unit))
    text = (await desk.browser(Role.OFFICER, unit=unit).get(DESK)).text
    assert "Quá hạn 6 ngày" in text
    assert text.index(str(question["_id"])) < text.index(str(other["_id"]))
    assert "1 nội dung quá hạn" in text
    overdue = (await desk.browser(Role.OFFICER, unit=unit).get(f"{DESK}?qua-han=1")).text
    assert str(question["_id"]) in overdue
    assert str(other["_id"]) not in overdue


async def test_the_meeting_says_what_was_recorded_and_keeps_what_could_not_be(desk: Desk) -> None:
    clock(desk).now = datetime(2022, 5, 11, 9, tzinfo=TZ)
    office = desk.browser(Role.OFFICE)
    [dialogue] = await desk.routing.dialogues.collection.distinct("_id")
    meeting = f"{DESK}doi-thoai/{dialogue}/dien-bien"
    speaker = {"key": "k1", "name": "Lò Văn Phát Biểu", "phone": "0912345678", "text": SCIENCE, "kind": "individual"}
    answer = await office.post(f"{meeting}/phat-sinh", **speaker)
    await done(answer)
    assert answer.headers["location"] == f"{meeting}?da=phat-sinh"
    shown = await office.get(answer.headers["location"])
    assert "Đã ghi phát biểu phát sinh tại Hội nghị." in shown.text
    assert 'role="status"' not in (await office.get(f"{meeting}?da=tin-la")).text

    [question] = [q async for q in desk.routing.questions.collection.find({})]
    form, unit = f"{meeting}/noi-dung/{question['_id']}", desk.routing.agencies[SON_LA].units[0].code
    assert f'action="{form}' in shown.text
    answer = await office.post(form, kind="to_write", unit=unit)
    await done(answer)
    shown = await office.get(answer.headers["location"])
    assert shown.text.count("Đã ghi kết quả của nội dung.") == 1
    assert "Đã ghi kết quả" in shown.text.partition(f'id="noi-dung-{question["_id"]}"')[2]
    assert f'action="{form}' not in shown.text

    refused = await office.post(form, kind="to_write", unit=unit, text="Trả lời đã gõ rất lâu")
    assert refused.status_code == 409
    assert "Trả lời đã gõ rất lâu</textarea>" in refused.text
    assert "điều Ông/Bà vừa nhập chưa được ghi" in refused.text


async def test_outcomes_only_once_the_meeting_has_begun(desk: Desk) -> None:
    event = registration(SCIENCE, MEASURE)
    await take(desk.routing, event)
    question, other = await desk.question(event.subject, 1), await desk.question(event.subject, 2)
    routing = desk.routing
    with pytest.raises(Invalid):
        await usecases.record_outcome(routing, acting(routing), question["_id"], Outcome(OutcomeKind.RESOLVED))
    clock(desk).now = datetime(2022, 5, 11, 9, 0, tzinfo=TZ)
    await usecases.record_outcome(routing, acting(routing), question["_id"], Outcome(OutcomeKind.RESOLVED, text="Đã nêu rõ."))
    unit = other["proposal"]["unit"]
    await usecases.record_outcome(routing, acting(routing), other["_id"], Outcome(OutcomeKind.TO_WRITE, unit=unit))
    assert (await desk.question(event.subject, 1))["answer"] == "Đã nêu rõ."
    await usecases.start_written_clocks(routing, acting(routing), "son-la-2022-1", datetime(2022, 5, 13, 9, 0, tzinfo=TZ))
    await usecases.start_written_clocks(routing, acting(routing), "son-la-2022-1", datetime(2022, 5, 14, 9, 0, tzinfo=TZ))
    other = await desk.question(event.subject, 2)
    assert [c["due_on"] for c in other["clocks"]] == ["2022-05-16"]
    case = await store.case(routing.cases.collection, SON_LA, UUID(event.subject))
    assert case["status"] == "open"


async def test_invited_attended_and_closed_when_all_has_ended(desk: Desk) -> None:
    event = registration(SCIENCE)
    await take(desk.routing, event)
    case_id, routing = UUID(event.subject), desk.routing
    for _ in range(2):
        await usecases.mark_invited(routing, acting(routing), case_id, "05/GM-SKHCN", date(2022, 5, 4))
    clock(desk).now = datetime(2022, 5, 11, 9, 0, tzinfo=TZ)
    await usecases.record_attendance(routing, acting(routing), case_id, "substitute", "Có giấy giới thiệu")
    question = await desk.question(event.subject)
    await usecases.record_outcome(routing, acting(routing), question["_id"], Outcome(OutcomeKind.RESOLVED, text="Rõ."))
    case = await store.case(routing.cases.collection, SON_LA, case_id)
    assert [s["state"] for s in case["steps"]] == ["open", "invited", "substitute", "closed"]
    assert case["attendance"] == "substitute"


async def test_a_walk_in_is_a_case_of_its_own(desk: Desk) -> None:
    routing = desk.routing
    person = {"name": "Vàng A Mẫu", "phone": "0912000000"}
    for _ in range(2):
        case_id = await usecases.open_walk_in(routing, acting(routing), "son-la-2022-1", person, SCIENCE, key="phieu-1")
    case = await store.case(routing.cases.collection, SON_LA, case_id)
    assert (case["source"], case["attendance"]) == ("walk_in", "attended")
    assert await routing.cases.collection.count_documents({"source": "walk_in"}) == 1
    [question] = await routing.questions.collection.find({"case": case_id}).to_list(None)
    assert question["section_no"] is None  # it was raised, not written into a section of the form


async def test_walk_ins_have_numbers_of_their_own(desk: Desk) -> None:
    """By agency and year, in the order in which they spoke, and kept when the form is sent twice."""
    routing = desk.routing

    async def speak(n: int) -> UUID:
        person = {"name": f"Vàng A Mẫu {n}"}
        return await usecases.open_walk_in(routing, acting(routing), "son-la-2022-1", person, SCIENCE, key=f"phieu-{n}")

    async def numbers_of(cases: list[UUID]) -> list[str]:
        return [(await store.case(routing.cases.collection, SON_LA, case))["case_number"] for case in cases]

    at_once = await asyncio.gather(*(speak(n) for n in range(8)), *(speak(n) for n in range(8)))
    assert at_once[:8] == at_once[8:]
    numbers = await numbers_of(at_once[:8])
    assert sorted(numbers) == [f"SL-2022-HN{n:06d}" for n in range(1, 9)]
    clock(desk).now = datetime(2023, 1, 2, 9, tzinfo=TZ)
    assert await numbers_of([await speak(9), await speak(0)]) == ["SL-2023-HN000001", numbers[0]]


async def test_a_day_off_added_later_moves_the_clocks_that_run(desk: Desk) -> None:
    event = registration(SCIENCE)
    await take(desk.routing, event)
    question = await desk.question(event.subject)
    leadership = desk.browser(Role.LEADERSHIP)
    await done(await leadership.act(question, "chuyen", unit=question["proposal"]["unit"]))
    entry = day_off_entry(date(2022, 4, 29), "Nghỉ bù", at=NOW, by="vanphong", reason="QĐ mẫu")
    await desk.routing.calendars.enter(acting(desk.routing), entry, 0)
    assert await usecases.recount(desk.routing, acting(desk.routing)) == 1
    assert await usecases.recount(desk.routing, acting(desk.routing)) == 0
    assert (await desk.question(event.subject))["clocks"][0]["due_on"] == "2022-05-04"


async def test_those_without_a_queue_are_led_to_their_work(desk: Desk) -> None:
    assert (await desk.browser(Role.ADMINISTRATOR).get(DESK)).headers["location"].endswith("/can-bo/tai-khoan")


async def test_a_letter_about_a_sealed_question_is_on_no_page_but_its_readers(desk: Desk) -> None:
    """Beside the person's name, the letter or the number of what is withheld would say what was asked (D6)."""
    event = registration(SCIENCE, "", "", "", DENUNCIATION)
    await take(desk.routing, event)
    sent = [delivery(event.subject, LetterKind.RECEIPT), delivery(event.subject, LetterKind.DENUNCIATION_PASSED)]
    await store.keep_deliveries(desk.routing.database["deliveries"], sent)
    path = f"{DESK}phieu/{event.subject}"
    closed_letter = words.LETTERS[LetterKind.DENUNCIATION_PASSED]
    for browser in (desk.browser(Role.OFFICE), desk.browser(Role.LEADERSHIP)):
        page = (await browser.get(path)).text
        assert words.LETTERS[LetterKind.RECEIPT] in page
        assert closed_letter not in page
        assert "xem xét riêng" not in page
    reader = (await desk.browser(Role.OFFICE, sealed=True).get(path)).text
    assert closed_letter in reader
    assert "1 nội dung đang được xem xét riêng" in reader


def delivery(case: str, kind: LetterKind) -> Event[DeliveryState]:
    state = DeliveryState(
        letter_key=f"registration/{case}/{kind}", kind=kind, owner="routing", case=UUID(case), status="posted", reason="", at=NOW
    )
    return Event[DeliveryState](
        id=uuid4(), source="notify", type="delivery.posted.v1", subject=f"{case}/{kind}", time=NOW, dataschema="DeliveryState",
        agency=SON_LA, sequence=1, data=state,
    )  # fmt: skip


async def test_a_walk_in_cut_off_after_its_case_gets_its_question(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    routing = desk.routing
    person = {"name": "Vàng A Mẫu", "phone": "0912000000"}
    with monkeypatch.context() as crash:
        crash.setattr(afterwards, "settle", cut_off)
        with pytest.raises(ConnectionError):
            await usecases.open_walk_in(routing, acting(routing), "son-la-2022-1", person, SCIENCE, key="phieu-2")
    (case,) = await routing.cases.collection.find({}).to_list(None)
    assert await routing.questions.collection.count_documents({}) == 0
    clock(desk).now += timedelta(minutes=5)
    await afterwards.finish_left_behind(routing)
    (question,) = await routing.questions.collection.find({}).to_list(None)
    assert (question["case"], question["_id"]) == (case["_id"], case["questions"][0])
    assert (question["text"], question["source"]) == (SCIENCE, "walk_in")


async def cut_off(*_: object) -> None:
    raise ConnectionError


async def test_merged_into_one_that_ended_meanwhile_its_case_is_closed_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    routing = desk.routing
    first, second = registration(SCIENCE), registration(SCIENCE)
    await take(routing, first, second)
    source, target = await desk.question(first.subject), await desk.question(second.subject)
    reserve = store.reserve_merge

    async def reserve_and_end(*args: Any) -> bool:
        reserved = await reserve(*args)
        who = Who(frozenset({"office"}))
        await usecases.decide(
            routing, SON_LA, target["_id"], lambda d: domain.withdrawn(d, acting(routing), who, "Đã rút qua điện thoại")
        )
        return reserved

    monkeypatch.setattr(store, "reserve_merge", reserve_and_end)
    await usecases.merge(routing, acting(routing), Who(frozenset({"office"})), source["_id"], target["_id"], "Cùng nội dung")
    case = await store.case(routing.cases.collection, SON_LA, UUID(first.subject))
    assert case["status"] == "withdrawn"


async def test_a_unit_that_is_none_is_not_proposed(desk: Desk) -> None:
    event = registration(UNCLEAR)
    await take(desk.routing, event)
    question = await desk.question(event.subject)
    assert (await desk.browser(Role.OFFICE).act(question, "de-xuat", unit="khong-co", reason="x")).status_code == 422


async def test_many_passwords_tried_at_once_are_no_more_than_one_after_the_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    routing, checked = desk.routing, 0

    async def wrong(_hash: str, _password: str) -> bool:
        nonlocal checked
        checked += 1
        await asyncio.sleep(0)
        return False

    monkeypatch.setattr(staff, "_verify", wrong)
    tries = [staff.sign_in(routing.staff, acting(routing), "vanphong", f"mat-khau-{n}") for n in range(40)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert checked == LOCK_AFTER
    assert sum(isinstance(a, Conflict) for a in answers) == 40 - LOCK_AFTER
    clock(desk).now += LOCK_FOR
    assert await staff.sign_in(routing.staff, acting(routing), "vanphong", "mat-khau") is None
    assert checked == LOCK_AFTER + 1


async def test_before_seven_in_the_morning_a_unit_of_today_is_known(desk: Desk) -> None:
    """Half past midnight in Vietnam is still yesterday in UTC."""
    event = registration(UNCLEAR)
    await take(desk.routing, event)
    asked: list[date] = []
    agency = desk.routing.agencies[SON_LA]

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(agency, name)

        def units_on(self, day: date) -> tuple[Unit, ...]:
            asked.append(day)
            return agency.units_on(day)

    clock(desk).now = datetime(2022, 4, 25, 17, 30, tzinfo=UTC)
    question = await desk.question(event.subject)
    routing = replace(desk.routing, agencies={SON_LA: Watched()})  # type: ignore[dict-item]
    who = Who(frozenset({"office"}))
    await usecases.transfer(routing, acting(routing), who, question["_id"], "van-phong")
    assert asked == [date(2022, 4, 26)]


async def test_the_office_names_the_seats_of_a_dialogue_and_reads_how_many_are_taken(mongodb_url: str) -> None:
    async with a_desk(mongodb_url) as desk:
        plan = PlanState(number="12/KH-SKHCN", year=2022, title="Kế hoạch đối thoại")
        plan_id = await dialogues.publish_plan(desk.routing, acting(desk.routing), plan)
        terms = Terms(starts_at=datetime(2022, 5, 11, 8, 0, tzinfo=TZ), place="Hội trường")
        dialogue = await dialogues.add_dialogue(desk.routing, acting(desk.routing), plan_id, 1, terms)
        for _ in range(2):
            await take(desk.routing, registration(SCIENCE))
        office, page = desk.browser(Role.OFFICE), f"{DESK}doi-thoai/{dialogue}"
        assert "2 / không giới hạn" in (await office.get(page)).text
        said = {
            "starts_on": "2022-05-11",
            "starts_time": "08:00",
            "place": "Hội trường",
            "mode": "in_person",
            "reason": "hội trường",
        }
        for wrong in ("0", "-1", "nhiều", "10001"):
            refused = await office.post(f"{page}/sua", **said, capacity=wrong)
            assert refused.status_code == 422, wrong
            assert 'id="loi-capacity"' in refused.text, wrong
        assert (await office.post(f"{page}/sua", **said, capacity="2")).status_code == 303
        shown = (await office.get(page)).text
        assert "2 / 2" in shown
        assert "Số đăng ký vượt số chỗ" not in shown
        await take(desk.routing, registration(SCIENCE))
        assert "Số đăng ký vượt số chỗ" in (await office.get(page)).text
        assert 'value="2"' in (await office.get(f"{page}/sua")).text
        assert (await office.post(f"{page}/sua", **said, capacity="")).status_code == 303
        assert "3 / không giới hạn" in (await office.get(page)).text
