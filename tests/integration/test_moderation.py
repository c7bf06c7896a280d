"""Proof of work, trap and moderated queue, through intake's own pages: nobody is turned away, nothing doubtful goes on alone."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import pytest_asyncio

from cli.browser import Page
from contracts import topics
from contracts.events import CATALOGUE
from contracts.model import FileRef
from kit.auth import COOKIE, Role, Session, SessionCodec
from kit.web.proof import SPEC as PROOFS
from kit.web.proof import Proofs
from services.intake.metrics import HELD, HELD_OLDEST
from services.intake.moderation.domain import Held
from services.intake.moderation.usecases import keep_up
from services.intake.usecases import publish_unrouted
from tests.intake import NOW, PLAN, Running, api_body, running_intake, web_form
from tests.unit.test_attachments import PDF_BYTES
from tests.waiting import eventually

pytestmark = pytest.mark.stack
FORM = f"/son-la/dang-ky/{PLAN}"
FEEDBACK = "/son-la/phan-anh-kien-nghi"
QUEUE = "/son-la/tiep-nhan/cho-kiem-tra"
HELD_WORDS = "Đang được kiểm tra trước khi chuyển"


@pytest_asyncio.fixture
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url, proof_cost=1) as running:
        yield running


def code_in(page: str) -> str:
    found = re.search(r'<p class="code"[^>]*>([^<]+)</p>', page)
    assert found, page
    return found[1]


async def proof(intake: Running, page: str = FORM) -> str:
    form = Page(await intake.client.get(page)).form(having="altcha")
    form.prove()
    return form.value("altcha")


async def proven(intake: Running, **changes: str) -> dict[str, str]:
    return web_form(altcha=await proof(intake), **changes)


async def counts(intake: Running) -> tuple[int, int]:
    """Registrations, and what is held."""
    return (
        await intake.database["registrations"].count_documents({}),
        await intake.database["held"].count_documents({}),
    )


async def held(intake: Running) -> dict[str, Any]:
    document = await intake.database["held"].find_one({})
    assert document is not None
    return document


async def tracked(intake: Running, code: str) -> str:
    return unescape((await intake.client.post("/son-la/tra-cuu", data={"code": code})).text)


def sign_in(intake: Running, *roles: Role) -> str:
    """Give the client a session; returns its CSRF token."""
    codec = SessionCodec(intake.intake.settings.session_secret)
    session = Session(id="s1", agency="son-la", username="van.phong", name="Cầm Thị Mẫu", roles=frozenset(roles))
    intake.client.cookies.set(COOKIE, codec.encode(session, NOW))
    return codec.csrf("s1")


async def decide(intake: Running, **fields: Any) -> httpx.Response:
    return await intake.client.post(QUEUE, data={"csrf": sign_in(intake, Role.OFFICE), **fields})


def published(intake: Running) -> list[Mapping[str, Any]]:
    records = intake.published.of(topics.REGISTRATIONS) + intake.published.of(topics.INTAKE_LETTERS)
    return [orjson.loads(value) for _, value in records]


# Proof of work


async def test_a_form_with_a_proof_is_a_registration_at_once(intake: Running) -> None:
    page = await intake.client.get(FORM)
    assert "script-src 'self'; worker-src 'self'" in page.headers["content-security-policy"]
    assert len(page.content) < 50_000
    sent = await proven(intake)
    answers = [await intake.client.post(FORM, data=sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({code_in(answer.text) for answer in answers}) == 1
    assert "kiểm tra phiếu trước khi chuyển" not in answers[0].text
    assert await counts(intake) == (1, 0)


async def test_fifty_equal_forms_at_once_are_one_registration(intake: Running) -> None:
    sent = await proven(intake)
    answers = await asyncio.gather(*(intake.client.post(FORM, data=sent) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({code_in(answer.text) for answer in answers}) == 1
    assert await counts(intake) == (1, 0)


async def test_a_proof_is_good_for_one_form(intake: Running) -> None:
    sent = await proven(intake)
    await intake.client.post(FORM, data=sent)
    other = await intake.client.post(FORM, data=sent | {"sections.1": "Một nội dung khác"})
    assert "kiểm tra phiếu trước khi chuyển" in other.text
    assert await counts(intake) == (1, 1)
    assert (await held(intake))["held"]["why"] == "spent"


async def test_a_form_with_a_mistake_comes_back_with_its_proof_unused(intake: Running) -> None:
    sent = await proven(intake)
    page = await intake.client.post(FORM, data=sent | {"name": ""})
    assert page.status_code == 422
    assert Page(page).form(having="altcha").value("altcha") == sent["altcha"]
    assert "data-now" not in page.text
    await intake.client.post(FORM, data=sent)
    assert await counts(intake) == (1, 0)


async def test_an_expired_proof_brings_the_form_back_with_everything_and_a_new_challenge(intake: Running) -> None:
    sent = await proven(intake)
    code = code_in((await intake.client.post(FORM, data=sent)).text)
    secret = intake.intake.settings.code_secret.get_secret_value().encode()
    late = Proofs(intake.database[PROOFS.name], secret, cost=1, seconds=-1)
    form = Page(await intake.client.get(FORM)).form(having="altcha")
    form.challenge = late.challenge()
    form.prove()
    expired = {"altcha": form.value("altcha")}
    again = await intake.client.post(FORM, data=sent | expired)
    assert code_in(again.text) == code, "what was accepted is told again, however old its page"
    page = await intake.client.post(FORM, data=sent | expired | {"sections.1": "Viết trong hai giờ"})
    assert page.status_code == 422
    assert "Viết trong hai giờ" in page.text
    assert "hết hạn" in unescape(page.text)
    assert " data-now>" in page.text
    assert Page(page).form(having="altcha").value("altcha") == ""
    assert await counts(intake) == (1, 0)


async def test_a_challenge_is_renewed_at_an_address_of_its_own(intake: Running) -> None:
    answer = await intake.client.get("/son-la/thu-thach")
    assert answer.headers["cache-control"] == "no-store"
    form = Page(await intake.client.get(FORM)).form(having="altcha")
    form.challenge = answer.text
    form.prove()
    await intake.client.post(FORM, data=web_form(altcha=form.value("altcha")))
    assert await counts(intake) == (1, 0)
    assert (await intake.client.get("/khong-co/thu-thach")).status_code == 404


async def test_programs_are_asked_for_no_proof_and_nothing_is_looked_up_for_them(intake: Running) -> None:
    await intake.database.command("profile", 2)
    headers = {"Idempotency-Key": "one"}
    for status in (201, 200):
        answer = await intake.client.post("/api/v1/son-la/registrations", json=api_body(), headers=headers)
        assert answer.status_code == status
    feedback = {"person": api_body()["person"] | {"address": "Tổ 2"}, "text": "Đề nghị", "consent_version": "2026-01"}
    for status in (201, 200):
        answer = await intake.client.post("/api/v1/son-la/feedback", json=feedback, headers=headers)
        assert answer.status_code == status
    unknown = api_body(altcha="x")
    refused = await intake.client.post("/api/v1/son-la/registrations", json=unknown, headers={"Idempotency-Key": "two"})
    assert refused.status_code == 422, "a program's body is strict"
    await intake.database.command("profile", 0)
    assert await counts(intake) == (1, 0)
    asked = intake.database["system.profile"].find(
        {"ns": {"$regex": r"\.(held|proofs)$"}, "command.aggregate": {"$exists": False}}
    )
    assert [op["command"] async for op in asked if "held.state" not in str(op["command"])] == []


# The moderated queue


async def test_a_form_without_a_proof_is_kept_and_told_so_and_goes_nowhere(intake: Running) -> None:
    receipt = await intake.client.post(FORM, data=web_form(email="thu@nguoi-dan.example"))
    assert receipt.status_code == 200
    assert "thường trong một ngày làm việc" in receipt.text
    assert "SL-2026-000001" in receipt.text
    code = code_in(receipt.text)
    again = await intake.client.post(FORM, data=web_form(email="thu@nguoi-dan.example"))
    assert code_in(again.text) == code
    assert await counts(intake) == (0, 1)
    page = await tracked(intake, code)
    assert HELD_WORDS in page
    assert "SL-2026-000001" in page
    intake.clock.now = NOW + timedelta(hours=2)
    assert await publish_unrouted(intake.intake) == 0
    await keep_up(intake.intake)
    assert HELD.labels("son-la")._value.get() == 1
    assert HELD_OLDEST.labels("son-la")._value.get() == 7_200
    assert HELD.labels("bac-kan")._value.get() == 0
    assert published(intake) == []


async def test_the_office_lets_it_go_and_it_was_received_when_it_was_sent(intake: Running) -> None:
    code = code_in((await intake.client.post(FORM, data=web_form(email="thu@nguoi-dan.example"))).text)
    _id = (await held(intake))["_id"]
    intake.clock.now = NOW + timedelta(minutes=10)
    answer = await decide(intake, one=str(_id))
    assert answer.status_code == 303
    assert "Đã chuyển để phân loại" in (await intake.client.get(answer.headers["Location"])).text
    assert await counts(intake) == (1, 0)
    stored = await intake.database["registrations"].find_one({})
    assert stored is not None
    released_at = NOW + timedelta(minutes=10)
    assert (stored["_id"], stored["received_at"], stored["unrouted"]) == (_id, NOW, released_at)
    assert [(e["type"], e["actor"]) for e in stored["events"]] == [
        ("registration.received.v1", "van.phong"),
        ("intake_letter.requested.v1", "van.phong"),
    ]
    assert stored["events"][0]["changes"] == {"channel": "web", "held": "no_proof"}
    assert "held" not in stored

    async def both() -> bool:
        return len(published(intake)) == 2

    await eventually(both)
    received, letter = published(intake)
    for event in (received, letter):
        CATALOGUE[event["type"]].state.model_validate(event["data"])
    assert received["data"]["received_at"].startswith("2026-03-10T02:30")
    assert letter["data"]["fields"]["code"] == code
    assert letter["data"]["requested_at"].startswith("2026-03-10T02:40"), "an older one would wait for staff"
    assert HELD_WORDS not in await tracked(intake, code)
    again = await intake.client.post(FORM, data=web_form(email="thu@nguoi-dan.example"))
    assert code_in(again.text) == code
    assert await counts(intake) == (1, 0)


async def test_junk_has_a_reason_that_its_sender_reads_and_is_erased_after_thirty_days(intake: Running) -> None:
    code = code_in((await intake.client.post(FORM, data=web_form(trang_web="http://a.example"))).text)
    document = await held(intake)
    assert document["held"]["why"] == "trap"
    chosen = str(document["_id"])
    without = await decide(intake, chosen=chosen, act="junk")
    assert without.status_code == 422
    assert f'value="{chosen}" checked' in without.text
    assert (await decide(intake, chosen=chosen, act="junk", reason="Nội dung <b>quảng cáo</b>")).status_code == 303
    page = await intake.client.post("/son-la/tra-cuu", data={"code": code})
    assert "Nội dung &lt;b&gt;quảng cáo&lt;/b&gt;" in page.text
    assert "Văn phòng Sở không chuyển phiếu này" in page.text
    assert "Đã đánh dấu là thư rác" in (await intake.client.get(QUEUE)).text
    intake.clock.now = NOW + timedelta(days=29)
    await keep_up(intake.intake)
    assert await counts(intake) == (0, 1)
    intake.clock.now = NOW + timedelta(days=31)
    await keep_up(intake.intake)
    assert await counts(intake) == (0, 0)
    assert (await intake.client.post("/son-la/tra-cuu", data={"code": code})).status_code == 404
    assert published(intake) == []


async def test_a_mistaken_junk_is_let_go(intake: Running) -> None:
    await intake.client.post(FORM, data=web_form())
    _id = str((await held(intake))["_id"])
    await decide(intake, chosen=_id, act="junk", reason="Nhầm")
    await decide(intake, one=_id)
    assert await counts(intake) == (1, 0)


async def test_many_at_once_oldest_first_and_each_decided_once(intake: Running) -> None:
    for n in range(3):
        intake.clock.now = NOW + timedelta(minutes=2 - n)
        await intake.client.post(FORM, data=web_form(nonce=f"trang-thu-{n}-cua-mot-nguoi"))
    intake.clock.now = NOW + timedelta(minutes=5)
    sign_in(intake, Role.OFFICE)
    page = await intake.client.get(QUEUE)
    assert re.findall(r'name="chosen" value="[^"]+"> <span>Phiếu <span class="nowrap">SL-2026-00000(\d)', page.text) == [
        "3",
        "2",
        "1",
    ]
    ids = [d["_id"] async for d in intake.database["held"].find({}, {"_id": 1})]
    assert (await decide(intake, act="release")).status_code == 422
    both = await asyncio.gather(
        decide(intake, chosen=[str(i) for i in ids], act="release"),
        decide(intake, chosen=[str(i) for i in ids], act="junk", reason="Quảng cáo"),
    )
    assert [answer.status_code for answer in both] == [303, 303]
    released, kept = await counts(intake)
    assert released + kept == 3
    assert await intake.database["held"].count_documents({"held.state": "junk"}) == kept
    assert not {d["_id"] async for d in intake.database["registrations"].find()} & {
        d["_id"] async for d in intake.database["held"].find()
    }


async def test_a_release_that_was_cut_off_is_finished_once(intake: Running) -> None:
    await intake.client.post(FORM, data=web_form())
    document = await held(intake)
    decision = {"state": Held.RELEASED, "by": "van.phong", "at": NOW, "trace": ""}
    await intake.intake.held.decide("son-la", document["_id"], [Held.WAITING], decision)
    intake.clock.now = NOW + timedelta(seconds=10)
    await keep_up(intake.intake)
    assert await counts(intake) == (0, 1), "who released it may still be at it"
    intake.clock.now = NOW + timedelta(minutes=1)
    await asyncio.gather(*(keep_up(intake.intake) for _ in range(3)))
    assert await counts(intake) == (1, 0)
    stored = await intake.database["registrations"].find_one({})
    assert stored is not None
    assert [e["known_at"] for e in stored["events"]] == [NOW, NOW]


async def test_what_comes_again_with_a_proof_waits_no_longer(intake: Running) -> None:
    first = await intake.client.post(FORM, data=web_form())
    second = await intake.client.post(FORM, data=await proven(intake))
    assert code_in(first.text) == code_in(second.text)
    assert "kiểm tra phiếu trước khi chuyển" not in second.text
    await keep_up(intake.intake)
    assert await counts(intake) == (1, 0)


async def test_the_queue_is_for_the_office_alone_and_changed_by_its_forms_alone(intake: Running) -> None:
    await intake.client.post(FORM, data=web_form())
    one = {"one": str((await held(intake))["_id"])}
    assert (await intake.client.get(QUEUE)).status_code == 303
    csrf = sign_in(intake, Role.OFFICER)
    assert (await intake.client.get(QUEUE)).status_code == 403
    assert (await intake.client.post(QUEUE, data={"csrf": csrf, **one})).status_code == 403
    sign_in(intake, Role.OFFICE)
    assert (await intake.client.post(QUEUE, data={"csrf": "sai", **one})).status_code == 403
    assert (await intake.client.get(QUEUE, params=one)).status_code == 200
    assert (await decide(intake, one=str(UUID(int=1)))).status_code == 303, "gone meanwhile"
    assert await counts(intake) == (0, 1)


async def test_the_bar_says_how_many_wait(intake: Running) -> None:
    sign_in(intake, Role.OFFICE)
    assert 'class="count"' not in (await intake.client.get(QUEUE)).text
    await intake.client.post(FORM, data=web_form())
    await keep_up(intake.intake)
    page = await intake.client.get("/son-la/tiep-nhan/")
    assert re.search(r'Chờ kiểm tra <span class="count">1<', page.text)


# Feedback, by the same queue


def feedback_form(**changes: str) -> dict[str, str]:
    content = {"group": "7", "text": "Đề nghị rút ngắn thời gian kiểm định.", "procedure": "Kiểm định phương tiện đo"}
    person = {"name": "Lò Văn Thử", "address": "Tổ 2, phường Tô Hiệu", "email": "thu@nguoi-dan.example"}
    return {"nonce": "trang-phan-anh-cua-mot-nguoi", "consent": "2026-01", **content, **person} | changes


async def feedback_counts(intake: Running) -> tuple[int, int]:
    """Feedback, and what is held."""
    return await intake.database["feedback"].count_documents({}), (await counts(intake))[1]


@pytest.mark.parametrize("proved", [True, False])
async def test_fifty_equal_feedback_forms_at_once_are_one(intake: Running, proved: bool) -> None:
    sent = feedback_form(altcha=await proof(intake, FEEDBACK) if proved else "")
    answers = await asyncio.gather(*(intake.client.post(FEEDBACK, data=sent) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({code_in(answer.text) for answer in answers}) == 1
    told = ["kiểm tra phản ánh, kiến nghị trước khi chuyển" in answer.text for answer in answers]
    assert set(told) == {not proved}
    assert await feedback_counts(intake) == ((1, 0) if proved else (0, 1))


async def test_feedback_with_a_proof_is_not_held_by_what_came_without_and_is_forgotten_there(intake: Running) -> None:
    first = await intake.client.post(FEEDBACK, data=feedback_form())
    second = await intake.client.post(FEEDBACK, data=feedback_form(altcha=await proof(intake, FEEDBACK)))
    third = await intake.client.post(FEEDBACK, data=feedback_form())
    assert code_in(first.text) == code_in(second.text) == code_in(third.text)
    await keep_up(intake.intake)
    assert await feedback_counts(intake) == (1, 0)


async def test_feedback_whose_challenge_expired_comes_back_with_everything(intake: Running) -> None:
    secret = intake.intake.settings.code_secret.get_secret_value().encode()
    form = Page(await intake.client.get(FEEDBACK)).form(having="altcha")
    form.challenge = Proofs(intake.database[PROOFS.name], secret, cost=1, seconds=-1).challenge()
    form.prove()
    page = await intake.client.post(FEEDBACK, data=feedback_form(altcha=form.value("altcha")))
    assert page.status_code == 422
    again = Page(page).form(having="altcha")
    kept = feedback_form()
    assert {name: again.value(name) for name in kept} == kept
    assert (again.value("altcha"), " data-now>" in page.text) == ("", True)
    assert "đã hết hạn" in unescape(page.text)
    again.prove()
    assert (await intake.client.post(FEEDBACK, data=dict(again.values))).status_code == 200
    assert await feedback_counts(intake) == (1, 0)


async def test_feedback_is_let_go_and_was_received_when_it_was_sent(intake: Running) -> None:
    code = code_in((await intake.client.post(FEEDBACK, data=feedback_form())).text)
    document = await held(intake)
    assert (document["held"]["what"], "events" in document) == ("feedback", False)
    page = await tracked(intake, code)
    assert HELD_WORDS in page
    assert "Phản ánh, kiến nghị số" in page
    await keep_up(intake.intake)
    assert HELD.labels("son-la")._value.get() == 1
    sign_in(intake, Role.OFFICE)
    queue = unescape((await intake.client.get(QUEUE)).text)
    assert all(words in queue for words in (document["case_number"], document["text"], document["procedure"], "Lò Văn Thử"))
    intake.clock.now = released_at = NOW + timedelta(minutes=10)
    assert (await decide(intake, one=str(document["_id"]))).status_code == 303
    assert await feedback_counts(intake) == (1, 0)
    assert (await counts(intake))[0] == 0, "feedback is no registration"
    stored = await intake.database["feedback"].find_one({})
    assert stored is not None
    assert (stored["_id"], stored["received_at"], stored["unrouted"]) == (document["_id"], NOW, released_at)
    assert (stored["announced"], "held" in stored) == (document["announced"], False)

    def events() -> list[Any]:
        records = intake.published.of(topics.FEEDBACK) + intake.published.of(topics.INTAKE_LETTERS)
        return [orjson.loads(value) for _, value in records]

    async def both() -> bool:
        return len(events()) == 2

    await eventually(both)
    received, letter = events()
    assert [event["type"] for event in (received, letter)] == ["feedback.received.v1", "intake_letter.requested.v1"]
    for event in (received, letter):
        CATALOGUE[event["type"]].state.model_validate(event["data"])
    assert received["data"]["received_at"].startswith("2026-03-10T02:30")
    assert (letter["data"]["kind"], letter["data"]["fields"]["code"]) == ("feedback_receipt", code)
    assert letter["data"]["requested_at"].startswith("2026-03-10T02:40")
    assert HELD_WORDS not in await tracked(intake, code)
    again = await intake.client.post(FEEDBACK, data=feedback_form())
    assert code_in(again.text) == code
    assert await feedback_counts(intake) == (1, 0)


async def test_feedback_that_is_junk_says_why_and_is_erased(intake: Running) -> None:
    code = code_in((await intake.client.post(FEEDBACK, data=feedback_form(trang_web="http://a.example"))).text)
    document = await held(intake)
    assert (document["held"]["why"], (await decide(intake, one="", chosen=str(document["_id"]), act="junk")).status_code) == (
        "trap",
        422,
    )
    await decide(intake, chosen=str(document["_id"]), act="junk", reason="Nội dung quảng cáo")
    page = await tracked(intake, code)
    assert "Văn phòng Sở không chuyển phản ánh, kiến nghị này" in page
    assert "Lý do: Nội dung quảng cáo" in page
    intake.clock.now = NOW + timedelta(days=31)
    await keep_up(intake.intake)
    assert await feedback_counts(intake) == (0, 0)


async def test_what_is_held_keeps_its_files_wherever_it_goes(intake: Running) -> None:
    scan = [("files", ("bản quét.pdf", PDF_BYTES))]
    await intake.client.post(FEEDBACK, data=feedback_form(), files=scan)
    document = await held(intake)
    file = FileRef.model_validate(document["files"][0])
    intake.clock.now = NOW + timedelta(hours=26)
    await intake.intake.attachments.sweep()
    intake.clock.now = NOW
    await decide(intake, one=str(document["_id"]))
    stored = await intake.database["feedback"].find_one({})
    assert stored is not None
    assert (stored["files"], await feedback_counts(intake)) == (document["files"], (1, 0))
    assert await intake.intake.files.get(file) == PDF_BYTES

    junk = feedback_form(text="Mua ngay", trang_web="http://a.example")
    await intake.client.post(FEEDBACK, data=junk, files=scan)
    spam = await held(intake)
    await decide(intake, chosen=str(spam["_id"]), act="junk", reason="Nội dung quảng cáo")
    # Sent again with a proof it goes on beside what is held, under the same id and with the same files.
    await intake.database["feedback"].insert_one(
        {**stored, "_id": spam["_id"], "code_hash": spam["code_hash"], "files": spam["files"]}
    )
    intake.clock.now = NOW + timedelta(days=31)
    await keep_up(intake.intake)
    assert await feedback_counts(intake) == (2, 0)
    assert await intake.intake.files.get(FileRef.model_validate(spam["files"][0])) == PDF_BYTES
    await intake.intake.files._database.client.drop_database(intake.intake.files._database.name)


# What anybody may learn


async def test_a_wrong_code_and_an_unknown_one_cost_the_same(intake: Running) -> None:
    """Whatever is stored: the same commands, each answered from an index without looking at a document."""
    code = code_in((await intake.client.post(FORM, data=await proven(intake))).text)
    await intake.client.post(FORM, data=web_form())
    work: list[list[tuple[Any, ...]]] = []
    for agency, typed in (("son-la", "x"), ("son-la", "ACDE-HKMN-PQRT-UXYC"), ("bac-kan", code), ("son-la", f"{code[:-1]}Q")):
        await intake.database.command("profile", 2)
        page = await intake.client.post(f"/{agency}/tra-cuu", data={"code": typed})
        await intake.database.command("profile", 0)
        assert page.status_code in (404, 422)
        done = intake.database["system.profile"].find({"command.filter.code_hash": {"$exists": True}}).sort("ts", 1)
        work.append([(op["ns"].split(".")[1], op["op"], op["docsExamined"], op["nreturned"]) async for op in done])
        await intake.database["system.profile"].drop()
    assert work[0] == [(name, "query", 0, 0) for name in ("registrations", "feedback", "held")]
    assert all(each == work[0] for each in work)


HOSTILE = "<script>alert(1)</script>\u202egnp.exe<img src=x onerror=alert(2)>"


async def test_what_was_typed_is_shown_as_text_wherever_it_is_shown(intake: Running) -> None:
    typed = web_form(name=HOSTILE, address=HOSTILE, **{"sections.1": HOSTILE})
    pages = [await intake.client.post(FORM, data=typed | {"phone": "sai"})]
    receipt = await intake.client.post(FORM, data=typed)
    assert receipt.status_code == 200
    pages += [receipt, await intake.client.post("/son-la/tra-cuu", data={"code": code_in(receipt.text)})]
    pages.append(await intake.client.post("/son-la/tra-cuu", data={"code": HOSTILE}))
    csrf = sign_in(intake, Role.OFFICE)
    pages.append(await intake.client.get(QUEUE))
    pages.append(await decide(intake, act="junk", reason=HOSTILE))
    paper = {"csrf": csrf, "plan": PLAN, "channel": "paper", "received_on": "sai", "received_time": "16:40", "name": HOSTILE}
    pages.append(await intake.client.post("/son-la/tiep-nhan/", data=paper))
    await decide(intake, one=str((await held(intake))["_id"]))
    pages.append(await intake.client.post("/son-la/tra-cuu", data={"code": code_in(receipt.text)}))
    for page in pages:
        assert "<script>" not in page.text
        assert "<img src=x" not in page.text
    stored = await intake.database["registrations"].find_one({})
    assert stored is not None
    assert "\u202e" not in str(stored), "nothing turns a line round"
    assert sum("&lt;script&gt;" in page.text for page in pages) == len(pages)
