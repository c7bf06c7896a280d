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
from kit.auth import Role
from kit.errors import NotFound, Unavailable
from services.intake.attachments.api import ONE_FILE
from services.intake.attachments.scanner import NoScanner
from services.intake.attachments.usecases import UNKNOWN
from tests.intake import NOW, PLAN, Running, api_body, dialogue, plan, running_intake, web_form
from tests.integration.test_moderation import feedback_form, sign_in
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
    for name in ("registrations", "feedback", "uploads"):
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

    for _ in range(2):
        await attachments.erase(stored)
    with pytest.raises(NotFound):
        await intake.intake.files.get(file)


async def test_uploads_from_one_address_are_limited_and_nothing_typed_is_lost(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_uploads="2/minute") as intake:
        page = await post(intake, *((f"{n}.pdf", pdf(str(n))) for n in range(3)), action="review")
        assert page.status_code == 429
        assert 'value="Lò Văn Thử"' in page.text
        assert (await post(intake, action="send")).status_code == 200
        answer = await upload(intake, "a.pdf", pdf("a"))
        assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
        assert int(answer.headers["Retry-After"]) > 0
        page = await feedback(intake, ("a.pdf", pdf("a")))
        assert (page.status_code, 'value="Lò Văn Thử"' in page.text) == (429, True)
        assert (await feedback(intake)).status_code == 200


# From programs


API = "/api/v1/son-la"


async def upload(intake: Running, name: str, content: bytes, agency: str = "son-la") -> httpx.Response:
    return await intake.client.post(f"/api/v1/{agency}/uploads", files={"file": (name, content, "application/x-whatever")})


async def token_of(intake: Running, name: str, content: bytes) -> str:
    answer = await upload(intake, name, content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def register(intake: Running, key: str, *tokens: str) -> httpx.Response:
    body = api_body(files=list(tokens))
    return await intake.client.post(f"{API}/registrations", json=body, headers={"Idempotency-Key": key})


def pointers(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.headers["content-type"] == "application/problem+json"
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


async def test_a_program_uploads_files_and_names_them_in_its_form(intake: Running) -> None:
    answer = await upload(intake, "đơn.pdf", pdf("chương trình"))
    told = answer.json()
    assert (answer.status_code, told["name"], told["media_type"]) == (201, "đơn.pdf", "application/pdf")
    assert (told["size"], told["expires_at"]) == (len(pdf("chương trình")), "2026-03-11T02:30:00Z")
    other = await token_of(intake, "biểu.docx", DOCX_BYTES)

    first = await register(intake, "khoa-1", told["token"], other)
    assert first.status_code == 201
    [stored] = await registrations(intake)
    files = [FileRef.model_validate(file) for file in stored["files"]]
    assert [file.name for file in files] == ["đơn.pdf", "biểu.docx"]
    assert files[0].sha256 == told["sha256"]
    assert await intake.intake.files.get(files[0]) == pdf("chương trình")

    assert (await register(intake, "khoa-1", told["token"], other)).json() == first.json()
    uploaded_again = await token_of(intake, "tên khác.pdf", pdf("chương trình"))
    assert (await register(intake, "khoa-1", uploaded_again, other)).status_code == 200, "the same content is the same form"
    assert (await register(intake, "khoa-1", told["token"])).status_code == 409
    assert (await register(intake, "khoa-1")).status_code == 409
    twice = await register(intake, "khoa-2", told["token"], uploaded_again)
    assert twice.status_code == 201
    assert [len(document["files"]) for document in await registrations(intake)] == [2, 1]


async def test_a_token_is_of_its_agency_s_programs_and_of_one_day(intake: Running) -> None:
    good = await token_of(intake, "a.pdf", pdf("a"))
    elsewhere = (await upload(intake, "a.pdf", pdf("a"), "bac-kan")).json()["token"]
    [of_a_page] = tokens_in(await post(intake, ("a.pdf", pdf("a")), action="review"))
    wrong = await register(intake, "khoa-3", good, elsewhere, of_a_page, f"{good}A")
    assert wrong.status_code == 422
    assert pointers(wrong) == [(f"#/files/{n}", UNKNOWN) for n in (1, 2, 3)]
    assert (await post(intake, tokens=[good])).status_code == 422, "nor is a program's a page's"
    many = [await token_of(intake, f"{n}.pdf", pdf(f"nhiều {n}")) for n in range(6)]
    assert pointers(await register(intake, "khoa-3", *many)) == [
        ("#/files/5", "Mỗi phiếu được kèm nhiều nhất 5 tệp; tệp “5.pdf” chưa được kèm.")
    ]
    assert (await register(intake, "khoa-3", *[good] * 21)).status_code == 422
    nowhere = await intake.client.post(
        "/api/v1/khong-co/registrations", json=api_body(files=[good]), headers={"Idempotency-Key": "k"}
    )
    assert nowhere.status_code == 404
    assert await registrations(intake) == []
    intake.clock.now = NOW + timedelta(hours=24)
    assert pointers(await register(intake, "khoa-3", good)) == [("#/files/0", UNKNOWN)]


async def test_what_a_program_uploads_is_checked_as_what_a_person_does(intake: Running) -> None:
    before = await kept(intake)
    for name, content, words in (
        ("xấu.pdf", b"MZ", "không đúng với đuôi tên tệp"),
        ("chạy.exe", b"MZ", "không thuộc loại được nhận"),
        ("macro.docx", archive(WORD | {"word/vbaProject.bin": b"x"}), "có chứa macro"),
        ("bom.docx", archive(WORD | {"word/media/a.bin": bytes(30_000_000)}), "quá nhiều dữ liệu nén"),
        ("trống.pdf", b"", "trống"),
        ("lớn.pdf", pdf("a" * 10_000_000), "lớn hơn 10 MB"),
    ):
        [(pointer, detail)] = pointers(await upload(intake, name, content))
        assert (pointer, words in detail) == ("#/file", True), detail
    assert (await upload(intake, "lớn.pdf", pdf("a" * 21_000_000))).status_code == 413
    assert (await upload(intake, "a.pdf", pdf("a"), "khong-co")).status_code == 404
    address = f"{API}/uploads"
    for sent in ({"data": {"file": "chữ"}}, {"files": [("file", ("1.pdf", pdf("1"))), ("file", ("2.pdf", pdf("2")))]}):
        assert pointers(await intake.client.post(address, **sent)) == [("#/file", ONE_FILE)]
    assert (await intake.client.post(address, json={})).status_code == 415
    attachments = intake.intake.attachments
    try:
        attachments._scanner = _Scanner(None)
        answer = await upload(intake, "a.pdf", pdf("s"))
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
        attachments._scanner = _Scanner(True)
        [(_, detail)] = pointers(await upload(intake, "a.pdf", pdf("s")))
        assert "Phần mềm diệt vi-rút" in detail
    finally:
        attachments._scanner = NoScanner()
    assert await kept(intake) == before


async def test_the_page_for_programmers_tells_of_uploads(intake: Running) -> None:
    page = (await intake.client.get("/api/docs")).text
    assert [
        word for word in ("POST /api/v1/{agency}/uploads", "multipart/form-data", "không quá 10 MB") if word not in page
    ] == []


async def test_a_form_without_files_asks_nothing_about_files(intake: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(type(intake.intake.attachments), "named", never)
    assert (await register(intake, "khoa-4")).status_code == 201


# With feedback


FEEDBACK = "/son-la/phan-anh-kien-nghi"
COUNTER = "/son-la/tiep-nhan/phan-anh"


async def feedback(intake: Running, *files: File, tokens: list[str] | None = None, **typed: Any) -> httpx.Response:
    data: dict[str, Any] = feedback_form(**typed) | ({"uploaded": tokens} if tokens else {})
    return await intake.client.post(FEEDBACK, data=data, files=[("files", file) for file in files] or None)


async def test_feedback_keeps_its_files_until_it_is_erased(intake: Running) -> None:
    refused = await feedback(intake, ("ảnh.png", SAMPLES["image/png"]), ("xấu.pdf", b"MZ"), text="")
    assert refused.status_code == 422
    assert [f'href="#o-{name}"' in refused.text for name in ("text", "files")] == [True, True]
    [token] = tokens_in(refused)
    sent = await feedback(intake, ("đơn.pdf", pdf("phản ánh")), tokens=[token])
    assert sent.status_code == 200
    assert "đơn.pdf (1 KB)" in sent.text
    assert code_in(await feedback(intake, ("đơn.pdf", pdf("phản ánh")), tokens=[token])) == code_in(sent)
    [stored] = await intake.database["feedback"].find().to_list(None)
    files = [FileRef.model_validate(file) for file in stored["files"]]
    assert [file.name for file in files] == ["ảnh.png", "đơn.pdf"]
    assert "đơn.pdf" in (await intake.client.post("/son-la/tra-cuu", data={"code": code_in(sent)})).text

    async def published() -> bool:
        return len(intake.published.of(topics.FEEDBACK)) == 1

    await eventually(published)
    [(_, value)] = intake.published.of(topics.FEEDBACK)
    assert [f["sha256"] for f in orjson.loads(value)["data"]["files"]] == [f.sha256 for f in files]

    intake.clock.now = NOW + timedelta(hours=25, minutes=1)
    await intake.intake.attachments.sweep()
    assert await intake.intake.files.get(files[1]) == pdf("phản ánh")

    csrf = sign_in(intake, Role.OFFICE)
    intake.clock.now = NOW
    for _ in range(2):
        typed = {"csrf": csrf, "number": stored["case_number"], "confirmed": "1"}
        assert (await intake.client.post(f"{COUNTER}/xoa", data=typed)).status_code == 303
    [erased] = await intake.database["feedback"].find().to_list(None)
    assert "files" not in erased
    for file in files:
        with pytest.raises(NotFound):
            await intake.intake.files.get(file)


async def test_the_counter_keeps_the_scan_of_feedback_on_paper(intake: Running) -> None:
    csrf = sign_in(intake, Role.OFFICE)
    paper = {"csrf": csrf, "nonce": "ban-giay-o-quay-mot-cua", "channel": "paper", "received_time": "08:00"}
    scan = [("files", ("bản quét.pdf", pdf("quét")))]
    page = await intake.client.post(COUNTER, data=paper, files=scan)
    assert page.status_code == 422
    [token] = tokens_in(page)
    entered = await intake.client.post(COUNTER, data=paper | {"received_on": "09/3/2026", "uploaded": token})
    assert entered.status_code == 303, "a scan is a content"
    assert "bản quét.pdf (1 KB)" in (await intake.client.get(entered.headers["location"])).text
    [stored] = await intake.database["feedback"].find().to_list(None)
    assert await intake.intake.files.get(FileRef.model_validate(stored["files"][0])) == pdf("quét")
    blank = await intake.client.post(COUNTER, data=paper | {"received_on": "09/3/2026"}, files=[("files", ("x.pdf", b"MZ"))])
    assert (blank.status_code, "không đúng với đuôi tên tệp" in blank.text) == (422, True)


async def test_a_file_that_two_have_stays_until_the_second_is_erased(intake: Running) -> None:
    token = await token_of(intake, "chung.pdf", pdf("chung"))
    assert (await register(intake, "khoa-5", token)).status_code == 201
    person = api_body()["person"] | {"address": "Tổ 2"}
    body = {"person": person, "text": "Đề nghị", "consent_version": "2026-01", "files": [token]}
    for status in (201, 200):
        answer = await intake.client.post(f"{API}/feedback", json=body, headers={"Idempotency-Key": "khoa-5"})
        assert answer.status_code == status
    wrong = await intake.client.post(f"{API}/feedback", json=body | {"files": ["x"]}, headers={"Idempotency-Key": "khoa-6"})
    assert pointers(wrong) == [("#/files/0", UNKNOWN)]
    [stored] = await registrations(intake)
    file = FileRef.model_validate(stored["files"][0])
    await intake.intake.attachments.erase(stored)
    await intake.database["registrations"].update_one({"_id": stored["_id"]}, {"$unset": {"files": ""}})
    assert await intake.intake.files.get(file) == pdf("chung")
    [other] = await intake.database["feedback"].find().to_list(None)
    assert other["files"] == stored["files"]
    await intake.intake.attachments.erase(other)
    with pytest.raises(NotFound):
        await intake.intake.files.get(file)
    assert pointers(await register(intake, "khoa-7", token)) == [("#/files/0", UNKNOWN)], "what is gone is not taken for kept"


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
