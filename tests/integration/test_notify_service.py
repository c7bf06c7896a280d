"""Notify as it runs: letters from real Kafka become mail and deliveries; the office's pages over HTTP."""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from contracts import topics
from contracts.envelope import decode
from contracts.events import models
from contracts.model import LetterKind, Recipient, RegistrationState
from deploy.local.downloads import font_dir
from kit import deadletters, mongo
from kit.auth import COOKIE, READ_SEALED, Role, Session, SessionCodec
from kit.kafka import KafkaPublisher, create_topics
from kit.mongo import Document
from services.notify import usecases
from services.notify.bootstrap import Notify, bootstrap
from services.notify.domain import State, row_id
from services.notify.settings import NotifySettings
from services.notify.store import LEDGER, OPENINGS, SPECS
from tests.databases import lent
from tests.intake import Hand, Recorded
from tests.notify import CASE, CODE, NOW, PERSON, Misbehaving, asked, file_ref, letter, mail_server
from tests.waiting import eventually

pytestmark = pytest.mark.stack

OFFICE = Session(id="s1", agency="son-la", username="vanphong", name="Trần Thị Mẫu", roles=frozenset({Role.OFFICE}))
ON_PAPER = Recipient(name="Lò Văn Giấy", address="Bản Mẫu, xã Mẫu, tỉnh Sơn La", phone="+84912345678")
BY_PHONE = Recipient(name="Cầm Thị Gọi", phone="+84987654321")


def settings(mongodb_url: str, **values: Any) -> NotifySettings:
    return NotifySettings(
        **{
            "session_secret": "s" * 40,
            "session_secure": False,
            "mongodb_url": mongodb_url,
            "mongodb_prefix": f"t{uuid4().hex[:12]}",
            "kafka_bootstrap": "127.0.0.1:1",
            "kafka_group_prefix": f"g{uuid4().hex[:12]}",
            "smtp_tls": "none",
            "smtp_sender": "doi-thoai@so-khcn.example",
            "poll_seconds": 0.1,
            "fonts_dir": str(font_dir()),
            "log_level": "ERROR",
        }
        | values
    )


async def prepared(notify: Notify) -> mongo.Database:
    await mongo.apply(notify.service.database, [*SPECS, deadletters.SPEC])
    return notify.service.database


# From Kafka to Kafka


async def test_letters_from_kafka_become_mail_and_deliveries(mongodb_url: str, kafka_bootstrap: str) -> None:
    await create_topics(kafka_bootstrap, topics.TOPICS)
    server, publisher = Misbehaving(), KafkaPublisher(kafka_bootstrap)
    case = uuid4()
    wanted = [letter(case=case) for _ in range(30)]
    async with mail_server(server) as port:
        notify = bootstrap(settings(mongodb_url, kafka_bootstrap=kafka_bootstrap, smtp_port=port), clock=Hand())
        database = await prepared(notify)
        async with notify.app.router.lifespan_context(notify.app):
            for state in [*wanted, *wanted]:
                event = asked(state)
                await publisher.publish(topics.INTAKE_LETTERS, event.subject.encode(), event.encode())

            async def all_sent() -> bool:
                return (
                    await database[LEDGER].count_documents({"case": case, "state": State.SENT, "unsent": {"$exists": False}})
                    == 30
                )

            await eventually(all_sent, 60)
            erased = erasure(case)
            await publisher.publish(topics.REGISTRATIONS, str(case).encode(), erased)

            async def forgotten() -> bool:
                return await database[LEDGER].count_documents({"case": case, "to": {"$exists": True}}) == 0

            await eventually(forgotten)
            assert (await notify.service.ready())["mongodb"]
        await publisher.stop()
    ids = [email.message_from_bytes(m, policy=email.policy.default)["Message-ID"] for m in server.messages]
    ours = {f"<{row_id('son-la', s.letter_key, s.recipient)}@so-khcn.example>" for s in wanted}
    assert sorted(i for i in ids if i in ours) == sorted(ours)
    told = await deliveries(kafka_bootstrap, {s.letter_key for s in wanted})
    assert {t[0] for t in told.values()} == {"delivery.queued.v1"}
    assert {t[1] for t in told.values()} == {"delivery.sent.v1"}


def erasure(case: object) -> bytes:
    state = RegistrationState(
        case_number="SL-2026-000123", plan="p", channel="web", received_at=NOW, recorded_at=NOW, status="erased"
    )
    event = asked(letter())
    changed = event.model_copy(update={"type": "registration.erased.v1", "subject": str(case), "data": state, "sequence": 2})
    return changed.encode()


async def deliveries(bootstrap_servers: str, keys: set[str]) -> dict[str, list[str]]:
    """Letter key → types of its deliveries, in the order of their sequence, copies once."""
    consumer = AIOKafkaConsumer(
        topics.DELIVERIES.name, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", group_id=f"g{uuid4().hex}"
    )
    found: dict[str, dict[int, str]] = {}
    await consumer.start()
    try:

        async def complete() -> bool:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    event = decode(record.value, models(topics.DELIVERIES))
                    assert b"hop-thu.example" not in record.value
                    assert CODE.encode() not in record.value
                    if event.data.letter_key in keys:
                        found.setdefault(event.data.letter_key, {})[event.sequence] = event.type
            return len(found) == len(keys) and all(len(types) >= 2 for types in found.values())

        await eventually(complete, 30)
    finally:
        await consumer.stop()
    return {key: [types[n] for n in sorted(types)] for key, types in found.items()}


# The office's pages


@dataclass
class Desk:
    notify: Notify
    client: httpx.AsyncClient
    database: mongo.Database

    async def ask(self, *letters: Any, **event: Any) -> list[str]:
        await usecases.take_letters(self.notify.desk, [asked(one, **event) for one in letters])
        return [row_id("son-la", one.letter_key, one.recipient) for one in letters]

    async def row(self, _id: str) -> Document:
        return await self.notify.desk.ledger.get(_id, "son-la")

    async def see(self, path: str) -> str:
        response = await self.client.get(f"/son-la/van-thu/{path}")
        assert response.status_code == 200, response.status_code
        return response.text

    def become(self, session: Session) -> None:
        cookie = SessionCodec(self.notify.service.settings.session_secret).encode(session, NOW)
        self.client.cookies = httpx.Cookies({COOKIE: cookie})

    async def do(self, _id: str, act: str, **fields: str) -> httpx.Response:
        csrf = SessionCodec(self.notify.service.settings.session_secret).csrf(OFFICE.id)
        return await self.client.post(f"/son-la/van-thu/thu/{_id}/{act}", data={"csrf": csrf, **fields})


@pytest.fixture
async def desk(mongodb_url: str) -> AsyncIterator[Desk]:
    async with lent(mongodb_url, "notify", [*SPECS, deadletters.SPEC]) as prefix:
        notify = bootstrap(settings(mongodb_url, mongodb_prefix=prefix), clock=Hand(), publisher=Recorded())
        cookie = SessionCodec(notify.service.settings.session_secret).encode(OFFICE, NOW)
        transport = httpx.ASGITransport(app=notify.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://notify", cookies={COOKIE: cookie}) as client:
            yield Desk(notify, client, notify.service.database)
        await mongo.close(notify.service.client)


async def test_the_overview_counts_what_waits(desk: Desk) -> None:
    await desk.ask(
        letter(), letter(recipient=ON_PAPER), letter(recipient=BY_PHONE), letter(recipient=Recipient(name="Không Địa Chỉ"))
    )
    page = await desk.see("")
    for words in ("Cần in, gửi bưu điện", "Cần gọi điện thoại", "Chờ in", "Không gửi được", PERSON.name):
        assert words in page
    assert PERSON.email not in page
    assert CODE not in page


async def test_a_letter_is_printed_and_posted(desk: Desk) -> None:
    (_id,) = await desk.ask(letter(LetterKind.INVITATION, recipient=ON_PAPER, files=(file_ref("giay-moi-1.pdf"),)))
    page = await desk.see("can-in")
    assert "Bản Mẫu, xã Mẫu" in page
    assert ">Giấy mời (PDF)</a>" in page
    assert "giay-moi-1.pdf" not in page
    for paper in ("thu.pdf", "phieu.pdf"):
        response = await desk.client.get(f"/son-la/van-thu/thu/{_id}/{paper}")
        assert response.content.startswith(b"%PDF")
    done = await desk.do(_id, "da-in", ve="can-in")
    assert (done.status_code, done.headers["location"]) == (303, "/son-la/van-thu/can-in")
    assert (await desk.row(_id))["state"] == State.PRINTED
    wrong = await desk.do(_id, "da-gui", number="", on="31/2/2026")
    assert wrong.status_code == 422
    assert "Xin ghi số trong sổ gửi bưu điện." in wrong.text
    await desk.do(_id, "da-gui", number="127", on="11/3/2026", ve="can-in")
    row = await desk.row(_id)
    assert (row["state"], row["post"]) == (State.POSTED, {"number": "127", "on": "2026-03-11"})
    assert "content" not in row
    assert (await desk.client.get(f"/son-la/van-thu/thu/{_id}/thu.pdf")).status_code == 404
    await desk.do(_id, "bi-tra-lai", reason="Không có người nhận")
    assert "Không có người nhận" in await desk.see("can-xu-ly")


async def test_a_call_has_a_script_and_a_result(desk: Desk) -> None:
    (_id,) = await desk.ask(letter(LetterKind.INVITATION, recipient=BY_PHONE))
    page = await desk.see("can-goi")
    assert "0987 654 321" in page
    assert "Thưa Ông/Bà Cầm Thị Gọi, tôi là …" in page
    await desk.do(_id, "da-goi", result="no_answer", ve="can-goi")
    assert "đã gọi 1 lần" in await desk.see("can-goi")
    assert (await desk.do(_id, "da-goi", result="xyz")).status_code == 422
    await desk.do(_id, "da-goi", result="told", ve="can-goi")
    assert (await desk.row(_id))["state"] == State.PHONED


async def test_the_ledger_is_narrowed_and_paged(desk: Desk) -> None:
    await desk.ask(
        *(letter() for _ in range(55)), letter(LetterKind.CONCLUSION, case_number="SL-2026-000999", recipient=ON_PAPER)
    )
    page = await desk.see("so-gui")
    assert page.count("<tr>") == 51
    following = re.search(r'href="([^"]*)" rel="next"', page)
    assert following is not None
    second = (await desk.client.get(following[1].replace("&amp;", "&"))).text
    assert second.count("<tr>") == 7
    assert (await desk.see("so-gui?phieu=SL-2026-000999")).count("<tr>") == 2
    assert (await desk.see("so-gui?loai=conclusion&trang_thai=can-in")).count("<tr>") == 2
    assert "Không có thư nào như vậy." in await desk.see("so-gui?trang_thai=da-gui")
    assert (await desk.see("so-gui?loai=xyz&truoc=xyz")).count("<tr>") == 51


async def test_staff_decide_about_what_was_not_sent(desk: Desk) -> None:
    held, given_up = await desk.ask(letter(), letter(), at=NOW.replace(day=1))
    assert "Tạm giữ" in await desk.see("can-xu-ly")
    assert "Gửi lại bằng thư điện tử" in await desk.see(f"thu/{held}")
    assert (await desk.do(held, "gui-lai")).status_code == 303
    assert (await desk.row(held))["state"] == State.PENDING
    await desk.do(given_up, "thoi", reason="Người đăng ký đã nhận tại quầy")
    row = await desk.row(given_up)
    assert (row["state"], row["reason"]) == (State.SKIPPED, "Người đăng ký đã nhận tại quầy")
    assert (await desk.do(given_up, "gui-lai")).status_code == 409
    assert "Nội dung và địa chỉ đã được xóa" in await desk.see(f"thu/{given_up}")


@pytest.mark.parametrize("path", ["", "so-gui", "can-in", "can-goi", "can-xu-ly", "thu/" + "0" * 40])
async def test_pages_are_for_the_office_of_the_agency(desk: Desk, path: str) -> None:
    address = f"/son-la/van-thu/{path}"

    async def status(session: Session | None) -> int:
        desk.client.cookies.clear()
        if session:
            desk.become(session)
        return (await desk.client.get(address)).status_code

    assert await status(None) == 303
    assert await status(OFFICE.model_copy(update={"agency": "bac-kan"})) == 403
    assert await status(OFFICE.model_copy(update={"roles": frozenset({Role.OFFICER, Role.ADMINISTRATOR})})) == 403


async def test_letters_about_sealed_questions_exist_for_named_readers_alone(desk: Desk) -> None:
    (_id,) = await desk.ask(letter(LetterKind.DENUNCIATION_PASSED, recipient=ON_PAPER))
    for path in ("", "so-gui", "so-gui?loai=denunciation_passed", "can-in", "can-xu-ly"):
        assert ON_PAPER.name not in await desk.see(path)
    for path in ("", "/thu.pdf", "/tep/0"):
        assert (await desk.client.get(f"/son-la/van-thu/thu/{_id}{path}")).status_code == 404
    assert (await desk.do(_id, "da-in")).status_code == 404
    assert await desk.database[OPENINGS].count_documents({}) == 0

    desk.become(OFFICE.model_copy(update={"roles": frozenset(), "permissions": frozenset({READ_SEALED}), "username": "thanhtra"}))
    (usual,) = await desk.ask(letter(recipient=BY_PHONE))
    assert ON_PAPER.name in await desk.see("can-in")
    assert BY_PHONE.name not in await desk.see("so-gui")
    assert (await desk.client.get(f"/son-la/van-thu/thu/{usual}")).status_code == 404
    assert (await desk.client.get(f"/son-la/van-thu/thu/{_id}/thu.pdf")).status_code == 200
    noted = await desk.database[OPENINGS].find({}).to_list(None)
    assert [(n["row"], n["by"]) for n in noted] == [(_id, "thanhtra")]


async def test_acts_need_the_token_and_the_own_agency(desk: Desk) -> None:
    (_id,) = await desk.ask(letter(recipient=ON_PAPER))
    assert (await desk.client.post(f"/son-la/van-thu/thu/{_id}/da-in", data={"csrf": "x"})).status_code == 403
    assert (await desk.client.get(f"/son-la/van-thu/thu/{_id}/da-in")).status_code in (404, 405)
    assert (await desk.do("0" * 40, "da-in")).status_code == 404
    assert (await desk.do(_id, "khong-co")).status_code == 404
    assert (await desk.row(_id))["state"] == State.TO_PRINT


async def test_an_erased_case_shows_nobody(desk: Desk) -> None:
    (_id,) = await desk.ask(letter(recipient=ON_PAPER))
    await usecases.obey_erasure(desk.notify.desk, {CASE: "son-la"})
    assert ON_PAPER.name not in await desk.see(f"thu/{_id}")
    assert ON_PAPER.name not in await desk.see("")
