"""Forms with files, checked before they are sent: kept before the registration is, once, and taken away when no form came."""

import asyncio
import base64
import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
import pytest_asyncio
from pymongo.errors import AutoReconnect

from contracts import topics
from contracts.model import FileRef, Mode
from kit.errors import NotFound, Unavailable
from services.intake.attachments.scanner import NoScanner
from services.intake.attachments.usecases import erase_files
from tests.intake import NOW, PLAN, Running, api_body, dialogue, plan, running_intake, web_form
from tests.unit.test_attachments import PDF_BYTES, SAMPLES, WORD, archive
from tests.waiting import eventually

pytestmark = pytest.mark.stack
FORM = f"/son-la/dang-ky/{PLAN}"
DOCX_BYTES = archive(WORD)
File = tuple[str, bytes]


@pytest_asyncio.fixture(scope="module")
async def running(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url, rate_contact="", rate_uploads="") as running:
        yield running
        await running.intake.files._database.client.drop_database(running.intake.files._database.name)


@pytest_asyncio.fixture
async def intake(running: Running) -> Running:
    for name in ("registrations", "uploads"):
        await running.database[name].delete_many({})
    running.published.records.clear()
    running.clock.now = NOW
    return running


async def post(intake: Running, *files: File, tokens: list[str] | None = None, **typed: Any) -> httpx.Response:
    data: dict[str, Any] = web_form(**typed) | ({"uploaded": tokens} if tokens else {})
    sent = [("files", (name, content, "application/x-whatever")) for name, content in files]
    return await intake.client.post(FORM, data=data, files=sent or None)


def tokens_in(page: httpx.Response) -> list[str]:
    return re.findall(r'name="uploaded" value="([^"]+)"', page.text)


def code_in(page: httpx.Response) -> str:
    found = re.search(r'<p class="code"[^>]*>([^<]+)</p>', page.text)
    assert found, page.text
    return found[1]


async def registrations(intake: Running) -> list[dict[str, Any]]:
    return await intake.database["registrations"].find().to_list(None)


async def kept(intake: Running) -> int:
    return await intake.intake.files._database["fs.files"].count_documents({})


def pdf(mark: str) -> bytes:
    return PDF_BYTES + mark.encode()


async def test_files_go_from_page_to_page_and_into_the_registration(intake: Running) -> None:
    first = await post(intake, ("đơn của tôi.pdf", pdf("một")), ("biểu.docx", DOCX_BYTES), action="review")
    assert first.status_code == 200
    assert "Phiếu chưa được gửi" in first.text
    assert "đơn của tôi.pdf" in first.text
    tokens = tokens_in(first)
    assert len(tokens) == 2
    assert await registrations(intake) == []

    changing = await post(intake, tokens=tokens, action="change")
    assert changing.status_code == 200
    assert tokens_in(changing) == tokens
    assert 'value="Lò Văn Thử"' in changing.text
    again = await post(intake, ("ảnh.png", SAMPLES["image/png"]), tokens=tokens, drop=tokens[1], action="review")
    assert [name in again.text for name in ("đơn của tôi.pdf", "biểu.docx", "ảnh.png")] == [True, False, True]

    sent = await post(intake, tokens=tokens_in(again), action="send")
    assert sent.status_code == 200
    assert "đơn của tôi.pdf (1 KB)" in sent.text
    reloaded = await post(intake, tokens=tokens_in(again), action="send")
    assert code_in(reloaded) == code_in(sent)
    [stored] = await registrations(intake)
    files = [FileRef.model_validate(file) for file in stored["files"]]
    assert [(f.name, f.media_type) for f in files] == [("đơn của tôi.pdf", "application/pdf"), ("ảnh.png", "image/png")]
    assert await intake.intake.files.get(files[0]) == pdf("một")

    async def published() -> bool:
        return len(intake.published.of(topics.REGISTRATIONS)) == 1

    await eventually(published)
    [(_, value)] = intake.published.of(topics.REGISTRATIONS)
    assert [f["sha256"] for f in orjson.loads(value)["data"]["files"]] == [f.sha256 for f in files]


async def test_the_summary_shows_every_word_as_it_will_be_sent(intake: Running) -> None:
    typed = {"sections.2": "Dòng một\nDòng <hai>", "kind": "enterprise", "organisation": "Hợp tác xã Mẫu & Con"}
    page = await post(intake, action="review", **typed)
    words = html.unescape(page.text)
    for said in (
        "1. Về lĩnh vực quản lý khoa học",
        "Dòng một\nDòng <hai>",
        "0912 345 678",
        "Doanh nghiệp",
        "Hợp tác xã Mẫu & Con",
    ):
        assert said in words
    assert "<hai>" not in page.text
    assert "Không có tệp đính kèm" in page.text
    refused = await post(intake, action="review", phone="12", consent="")
    assert refused.status_code == 422
    assert 'id="loi-phone"' in refused.text
    assert 'id="loi-consent"' in refused.text


async def test_fifty_equal_forms_with_a_file_at_once_are_one(intake: Running) -> None:
    answers = await asyncio.gather(*(post(intake, ("a.pdf", pdf("x"))) for _ in range(50)))
    assert {a.status_code for a in answers} == {200}
    assert len({code_in(a) for a in answers}) == 1
    [stored] = await registrations(intake)
    assert await intake.intake.files.get(FileRef.model_validate(stored["files"][0])) == pdf("x")
    other = await post(intake, ("a.pdf", pdf("y")))
    assert code_in(other) != code_in(answers[0])


async def test_what_is_refused_is_said_and_the_rest_is_kept(intake: Running) -> None:
    page = await post(intake, ("tốt.pdf", pdf("ok")), ("xấu.pdf", b"MZ"), ("cũ.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
    assert page.status_code == 422
    assert 'href="#o-files"' in page.text
    assert "Nội dung của tệp “xấu.pdf” không đúng với đuôi tên tệp" in page.text
    assert "Tệp “cũ.doc” là tệp Word, Excel kiểu cũ" in page.text
    assert len(tokens_in(page)) == 1
    assert 'value="Lò Văn Thử"' in page.text
    six = await post(intake, *((f"{n}.pdf", pdf(str(n))) for n in range(6)), action="review")
    assert six.status_code == 422
    assert "nhiều nhất 5 tệp" in six.text
    assert await registrations(intake) == []


async def test_a_form_of_several_megabytes_comes_in_and_one_over_its_limit_does_not(intake: Running) -> None:
    large = await post(intake, ("lớn.pdf", pdf("a" * 3_000_000)), nonce="trang-co-tep-lon-1")
    assert large.status_code == 200
    too_large = await post(intake, ("lớn.pdf", pdf("a" * 10_000_000)), nonce="trang-co-tep-lon-2")
    assert too_large.status_code == 422
    assert "lớn hơn 10 MB" in too_large.text
    assert (await post(intake, ("lớn.pdf", pdf("a" * 21_000_000)))).status_code == 413


async def test_a_token_is_of_its_page_alone_and_says_nothing(intake: Running) -> None:
    [token] = tokens_in(await post(intake, ("Giấy khai của Lò Văn Thử.pdf", pdf("t")), action="review"))
    elsewhere = await post(intake, tokens=[token], nonce="trang-cua-mot-nguoi-khac")
    forged = await post(intake, tokens=[token[:-4] + "AAAA"])
    for page in (elsewhere, forged):
        assert page.status_code == 422
        assert "không còn được giữ" in page.text
    intake.clock.now = NOW + timedelta(hours=24)
    assert (await post(intake, tokens=[token])).status_code == 422
    said = base64.urlsafe_b64decode(token.split(".")[0] + "==")
    assert "Giấy".encode() not in said
    assert b"Th\xe1" not in said


async def test_accepted_means_that_the_files_are_kept_too(intake: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    [token] = tokens_in(await post(intake, ("a.pdf", pdf("a")), action="review"))

    async def fails(*_: object, **__: object) -> None:
        raise AutoReconnect("cut")

    with monkeypatch.context() as patched:
        patched.setattr(type(intake.intake.files), "put", fails)
        page = await post(intake, ("b.pdf", pdf("b")), tokens=[token])
    assert page.status_code == 503
    assert int(page.headers["Retry-After"]) > 0
    assert await registrations(intake) == []
    assert tokens_in(page) == [token]
    assert "Tệp vừa chọn chưa được nhận" in page.text
    with monkeypatch.context() as patched:
        patched.setattr(type(intake.intake.attachments._uploads), "of_page", fails)
        page = await post(intake, tokens=[token])
    assert (page.status_code, tokens_in(page)) == (503, [token])
    assert (await post(intake, tokens=[token])).status_code == 200


class _Scanner:
    def __init__(self, finds: bool | None) -> None:
        self._finds = finds

    async def finds(self, content: bytes) -> bool:
        if self._finds is None:
            raise Unavailable("virus scanner")
        return self._finds


async def test_nothing_is_kept_that_the_scanner_did_not_clear(intake: Running) -> None:
    attachments, before = intake.intake.attachments, await kept(intake)
    try:
        attachments._scanner = _Scanner(None)
        page = await post(intake, ("a.pdf", pdf("s")))
        assert page.status_code == 503
        assert "chưa kiểm tra được tệp đính kèm" in page.text
        assert 'value="Lò Văn Thử"' in page.text
        attachments._scanner = _Scanner(True)
        page = await post(intake, ("a.pdf", pdf("s")))
        assert page.status_code == 422
        assert "Phần mềm diệt vi-rút cảnh báo tệp “a.pdf”" in page.text
    finally:
        attachments._scanner = NoScanner()
    assert await kept(intake) == before
    assert await registrations(intake) == []


async def test_what_was_not_sent_is_swept_after_a_day_and_what_was_sent_stays(intake: Running) -> None:
    before = await kept(intake)
    await post(intake, ("gửi.pdf", pdf("sent")))
    await post(intake, ("bỏ.pdf", pdf("left")), action="review")
    assert await kept(intake) == before + 2
    attachments = intake.intake.attachments
    intake.clock.now = NOW + timedelta(hours=24)
    assert await attachments.sweep() == 0
    intake.clock.now = NOW + timedelta(hours=25, minutes=1)
    assert await attachments.sweep() == 1
    assert await intake.database["uploads"].count_documents({}) == 0
    assert await kept(intake) == before + 1
    [stored] = await registrations(intake)
    file = FileRef.model_validate(stored["files"][0])
    assert await intake.intake.files.get(file) == pdf("sent")

    async def shared(key: str) -> bool:
        return await intake.intake.registrations.has_file(key, but=stored["_id"])

    for _ in range(2):
        await erase_files(intake.intake.files, stored, shared)
    with pytest.raises(NotFound):
        await intake.intake.files.get(file)


async def test_uploads_from_one_address_are_limited_and_nothing_typed_is_lost(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_uploads="2/minute") as intake:
        page = await post(intake, *((f"{n}.pdf", pdf(str(n))) for n in range(3)), action="review")
        assert page.status_code == 429
        assert 'value="Lò Văn Thử"' in page.text
        assert (await post(intake, action="send")).status_code == 200


# In person or online; several forms of one body


async def test_in_person_or_online_is_asked_where_it_is_a_question(intake: Running) -> None:
    assert 'name="participation"' not in (await intake.client.get(FORM)).text
    await intake.announce((f"{PLAN}b", plan()), (f"{PLAN}b-1", dialogue(plan=f"{PLAN}b", mode=Mode.HYBRID)))
    intake.intake.announcements._known.clear()
    form = f"/son-la/dang-ky/{PLAN}b"
    assert 'name="participation"' in (await intake.client.get(form)).text
    summary = await intake.client.post(form, data=web_form(participation="online", action="review"))
    assert "Dự trực tuyến" in summary.text
    assert (await intake.client.post(form, data=web_form(participation="online"))).status_code == 200
    body = api_body(participation="in_person", plan=f"{PLAN}b")
    key = {"Idempotency-Key": uuid4().hex}
    assert (await intake.client.post("/api/v1/son-la/registrations", json=body, headers=key)).status_code == 201
    assert [d["participation"] for d in await registrations(intake)] == ["online", "in_person"]


async def test_another_form_of_the_same_body_begins_with_what_is_said_of_the_body(intake: Running) -> None:
    body = {"kind": "cooperative", "organisation": "Hợp tác xã Mẫu", "email": "mau@hop-tac-xa.example"}
    receipt = await post(intake, **body)
    hidden = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', receipt.text))
    assert "Gửi thêm một phiếu của cùng cơ quan" in receipt.text
    page = await intake.client.post(FORM, data={name: html.unescape(value) for name, value in hidden.items()})
    assert page.status_code == 200
    for shown in (
        'value="Hợp tác xã Mẫu"',
        'value="mau@hop-tac-xa.example"',
        'value="cooperative" checked',
        "Tổ 2, phường Tô Hiệu",
    ):
        assert shown in page.text
    assert "Lò Văn Thử" not in page.text
    assert web_form()["sections.1"] not in page.text
    assert f'value="{web_form()["nonce"]}"' not in page.text
    assert len(await registrations(intake)) == 1
    assert "Gửi thêm một phiếu" not in (await post(intake)).text
