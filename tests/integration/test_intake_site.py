"""The public site and the counter, as a browser without JavaScript uses them."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from uuid import uuid4, uuid5

import orjson
import pytest
import pytest_asyncio

from contracts import topics
from contracts.envelope import Event
from contracts.model import (
    CaseState,
    CaseStatus,
    ConclusionItem,
    LetterState,
    PublicNotice,
    QuestionState,
    QuestionStateData,
)
from deploy.local.stack import LocalStack
from kit.auth import COOKIE, Role, Session, SessionCodec
from services.intake.domain import registration_id
from services.intake.usecases import publish_unrouted
from tests.intake import NOW, PLAN, Running, dialogue, plan, running_intake, web_form
from tests.waiting import eventually

pytestmark = pytest.mark.stack
FORM = f"/son-la/dang-ky/{PLAN}"
TEXT = "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?"


@pytest_asyncio.fixture
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url, fonts_dir=Path(".local/cache/fonts")) as running:
        yield running


def code_in(page: str) -> str:
    found = re.search(r'<p class="code"[^>]*>([^<]+)</p>', page)
    assert found, page
    return found[1]


async def count(intake: Running) -> int:
    return await intake.database["registrations"].count_documents({})


async def test_the_answer_to_the_form_is_the_receipt_and_a_reload_repeats_it(intake: Running) -> None:
    first = await intake.client.post(FORM, data=web_form())
    assert first.status_code == 200
    assert "SL-2026-000001" in first.text
    again = await intake.client.post(FORM, data=web_form())
    assert again.status_code == 200
    assert (code_in(again.text), await count(intake)) == (code_in(first.text), 1)
    corrected = await intake.client.post(FORM, data=web_form(**{"sections.2": "Thêm một nội dung"}))
    assert code_in(corrected.text) != code_in(first.text)
    assert await count(intake) == 2


async def test_a_double_click_is_one_registration(intake: Running) -> None:
    answers = await asyncio.gather(*(intake.client.post(FORM, data=web_form()) for _ in range(2)))
    assert len({code_in(a.text) for a in answers}) == 1
    assert await count(intake) == 1


async def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(intake: Running) -> None:
    typed = web_form(phone="12", email="sai", consent="", **{"sections.1": "Chuyện <b>rất</b> dài"})
    page = await intake.client.post(FORM, data=typed)
    assert page.status_code == 422
    for name in ("phone", "email", "consent"):
        assert f'id="loi-{name}"' in page.text
    assert "Chuyện &lt;b&gt;rất&lt;/b&gt; dài" in page.text
    assert 'value="Lò Văn Thử"' in page.text
    assert await count(intake) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"sections.1": " "}, "sections"),
        ({"sections.1": "a" * 10_001}, "sections.1"),
        ({"sections.1": "a\x07b"}, "sections.1"),
        ({"sections.9": "x"}, "sections.9"),
        ({"consent": ""}, "consent"),
        ({"consent": "2020-01"}, "consent"),
        ({"dialogue": "son-la-2026-7"}, "dialogue"),
    ],
)
async def test_bad_fields(intake: Running, changes: dict[str, str], field: str) -> None:
    page = await intake.client.post(FORM, data=web_form(**changes))
    assert page.status_code == 422
    assert f'href="#o-{field}"' in page.text
    assert await count(intake) == 0


async def test_consent_is_not_ticked_beforehand(intake: Running) -> None:
    page = await intake.client.get(FORM)
    box = re.search(r'<input type="checkbox"[^>]*name="consent"[^>]*>', page.text)
    assert box
    assert "checked" not in box[0]


async def test_unknown_addresses_and_wrong_bodies(intake: Running) -> None:
    client = intake.client
    for path in ("/hoa-binh/", "/son-la/dang-ky/son-la-1999", "/son-la/doi-thoai/khong-co", "/son-la/ke-hoach/khong-co"):
        assert (await client.get(path)).status_code == 404
    assert (await client.post(FORM, json={})).status_code == 415
    assert (await client.post(FORM, data=web_form(**{"sections.1": "a" * 1_100_000}))).status_code == 413


async def test_before_the_opening_one_is_told_when(intake: Running) -> None:
    opens = NOW + timedelta(days=1)
    await intake.announce((PLAN, plan(opens_at=opens)), sequence=2)

    async def told() -> bool:
        return "Thời gian đăng ký bắt đầu từ 09 giờ 30, ngày 11/3/2026 (thứ Tư)" in (await intake.client.get(FORM)).text

    await eventually(told)
    page = await intake.client.post(FORM, data=web_form())
    assert page.status_code == 422
    assert TEXT in page.text
    assert await count(intake) == 0


async def test_after_the_closing_it_is_kept_and_told_so(intake: Running) -> None:
    intake.clock.now = NOW + timedelta(days=30, minutes=1)
    assert "không bị loại" in (await intake.client.get(FORM)).text
    page = await intake.client.post(FORM, data=web_form(email="thu@nguoi-dan.example"))
    assert page.status_code == 200
    assert "không bị loại" in page.text

    async def asked() -> bool:
        return bool(intake.published.of(topics.INTAKE_LETTERS))

    await eventually(asked)
    letter = LetterState.model_validate(orjson.loads(intake.published.of(topics.INTAKE_LETTERS)[0][1])["data"])
    assert letter.kind == "late"
    assert letter.fields["code"] == code_in(page.text)
    assert letter.fields["decide_by"]
    received = orjson.loads(intake.published.of(topics.REGISTRATIONS)[0][1])["data"]
    assert received["decide_by"] == letter.fields["decide_by"], "the office is shown the day that the person was told"


async def test_when_every_seat_is_taken_it_is_kept_and_told_so(intake: Running) -> None:
    """By routing's cases alone: who withdrew or came late takes no seat, and another dialogue's do not count."""
    states = [
        (f"{PLAN}-1", CaseStatus.WITHDRAWN),
        (f"{PLAN}-1", CaseStatus.LATE),
        (f"{PLAN}-2", CaseStatus.OPEN),
        (f"{PLAN}-1", CaseStatus.INVITED),
    ]
    cases = [
        CaseState(case_number=f"SL-2026-{n:06d}", plan=PLAN, dialogue=of, source="registration", received_at=NOW, status=status)
        for n, (of, status) in enumerate(states)
    ]
    await intake.announce((f"{PLAN}-1", dialogue(capacity=2)), sequence=2)
    await intake.intake.projections.save_cases([_event("case.opened.v1", str(uuid4()), case) for case in cases])
    await intake.intake.projections.count_seats()
    await eventually(lambda: _says(intake, "<dt>Số chỗ</dt><dd>2<"))
    first = await intake.client.post(FORM, data=web_form(phone="0912 345 679"))
    assert "không bị loại" not in first.text

    await intake.intake.projections.save_cases([_event("case.opened.v1", str(uuid4()), cases[-1])])
    await intake.intake.projections.count_seats()
    await eventually(lambda: _says(intake, "Đã đủ chỗ"))
    assert "bố trí chỗ" in (await intake.client.get(FORM)).text
    page = await intake.client.post(FORM, data=web_form(email="thu@nguoi-dan.example"))
    assert page.status_code == 200
    assert "không bị loại" in page.text
    assert "Văn phòng Sở xem xét việc bố trí chỗ và báo Ông/Bà" in page.text

    async def asked() -> bool:
        return len(intake.published.of(topics.INTAKE_LETTERS)) == 2

    await eventually(asked)
    letters = [LetterState.model_validate(orjson.loads(value)["data"]) for _, value in intake.published.of(topics.INTAKE_LETTERS)]
    assert {(letter.kind.value, letter.fields["full"]) for letter in letters} == {("receipt", False), ("receipt", True)}
    tracked = await intake.client.post("/son-la/tra-cuu", data={"code": code_in(page.text)})
    assert "Phiếu đến khi Hội nghị đã đủ chỗ" in tracked.text

    await intake.announce((f"{PLAN}-1", dialogue(capacity=3)), sequence=3)  # a larger room
    await intake.intake.projections.count_seats()
    await eventually(lambda: _says(intake, "<dt>Số chỗ</dt><dd>3<"))
    assert "bố trí chỗ" not in (await intake.client.get(FORM)).text


async def _says(intake: Running, words: str) -> bool:
    return words in (await intake.client.get(f"/son-la/doi-thoai/{PLAN}-1")).text


async def test_s4_the_last_second_of_the_closing_minute_is_in_time(intake: Running) -> None:
    closing = NOW + timedelta(days=30)
    intake.clock.now = closing + timedelta(seconds=59)
    assert "không bị loại" not in (await intake.client.post(FORM, data=web_form())).text


async def test_without_mongodb_the_form_comes_back_with_its_content(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        stack.start(mongodb=True)
        async with running_intake(stack.mongodb_url, mongodb_timeout_ms=300, request_deadline_seconds=1.0) as intake:
            assert (await intake.client.get(FORM)).status_code == 200
            await asyncio.to_thread(stack.stop_process, "mongodb")
            page = await intake.client.post(FORM, data=web_form())
            assert page.status_code == 503
            assert int(page.headers["Retry-After"]) > 0
            assert TEXT in page.text
            assert "Nội dung Ông/Bà đã nhập vẫn còn" in page.text
            intake.intake.announcements._known.clear()  # as in a process that never saw MongoDB
            assert TEXT in (await intake.client.post(FORM, data=web_form())).text
            await asyncio.to_thread(stack.start_process, "mongodb")  # what tidies up would wait for it in vain


async def test_the_tracking_page_shows_each_question_and_hides_what_is_sealed(intake: Running) -> None:
    receipt = await intake.client.post(FORM, data=web_form(**{"sections.2": "Nội dung thứ hai"}))
    code = code_in(receipt.text)
    stored = await intake.database["registrations"].find_one({})
    assert stored is not None
    case = CaseState(
        case_number="SL-2026-000001",
        plan=PLAN,
        dialogue=f"{PLAN}-1",
        source="registration",
        received_at=NOW,
        status=CaseStatus.INVITED,
        invited_on=(NOW + timedelta(days=32)).date(),
        invitation_number="07/GM-SKHCN",
        speaking_order=3,
    )
    await intake.intake.projections.save_cases([_event("case.invited.v1", str(stored["_id"]), case)])
    states = {1: QuestionState.TRANSFERRED, 2: QuestionState.SEALED}
    for no, state in states.items():
        question = QuestionStateData(case=stored["_id"], case_number="SL-2026-000001", state=state, sealed=state == "sealed")
        event = _event("question.transferred.v1", str(uuid5(stored["_id"], str(no))), question)
        await intake.intake.projections.save_questions([event])
    notice = PublicNotice(number="09/TB-SKHCN", issued_on=NOW.date(), items=(ConclusionItem(heading="a", text="b"),))
    await intake.announce((f"{PLAN}-1", dialogue(status="held", notice=notice)), sequence=2)

    async def complete() -> str:
        page = await intake.client.post("/son-la/tra-cuu", data={"code": code.lower()})
        assert page.status_code == 200
        assert "09/TB-SKHCN" in page.text
        return page.text

    text = unescape(await eventually(complete))
    assert "Đơn vị chuyên môn đang nghiên cứu trả lời" in text
    assert "Đang được xem xét" in text
    assert "Giấy mời số 07/GM-SKHCN" in text
    assert "số thứ tự 3" in text
    assert code not in text


async def test_a_code_is_looked_up_in_its_own_agency_and_a_miss_tells_nothing(intake: Running) -> None:
    code = code_in((await intake.client.post(FORM, data=web_form())).text)
    elsewhere = await intake.client.post("/bac-kan/tra-cuu", data={"code": code})
    unknown = await intake.client.post("/son-la/tra-cuu", data={"code": "ACDE-HKMN-PQRT-UXYC"})
    malformed = await intake.client.post("/son-la/tra-cuu", data={"code": "x"})
    assert elsewhere.status_code == 404
    assert malformed.status_code == 422
    assert unknown.status_code in (404, 422)
    assert (await intake.client.get("/son-la/tra-cuu", params={"code": code})).text.count(code) == 0


async def test_the_blank_form_and_the_public_pages_open(intake: Running) -> None:
    for path in ("/", "/son-la/", f"/son-la/ke-hoach/{PLAN}", f"/son-la/doi-thoai/{PLAN}-1", "/son-la/tra-cuu", "/api/docs"):
        assert (await intake.client.get(path)).status_code == 200, path
    paper = await intake.client.get(f"/son-la/ke-hoach/{PLAN}/mau-phieu.pdf")
    assert paper.content.startswith(b"%PDF")


def _event(type_: str, subject: str, state: object, sequence: int = 1) -> Event[object]:  # type: ignore[type-var]
    return Event.model_construct(type=type_, subject=subject, agency="son-la", sequence=sequence, data=state)


# The counter


def _sign_in(intake: Running, *roles: Role) -> str:
    """Give the client a session; returns its CSRF token."""
    codec = SessionCodec(intake.intake.settings.session_secret)
    session = Session(id="s1", agency="son-la", username="van.phong", name="Cầm Thị Mẫu", roles=frozenset(roles))
    intake.client.cookies.set(COOKIE, codec.encode(session, NOW))
    return codec.csrf("s1")


def _paper(csrf: str, **changes: str) -> dict[str, str]:
    return {
        "csrf": csrf,
        "nonce": "phieu-giay-so-mot-hai",
        "plan": PLAN,
        "channel": "paper",
        "received_on": "06/3/2026",
        "received_time": "16:40",
        "incoming_number": "215",
        "name": "",
        "sections.1": TEXT,
    } | changes


async def test_a_paper_is_kept_as_received_flagged_and_answered_with_a_slip(intake: Running) -> None:
    csrf = _sign_in(intake, Role.OFFICE)
    assert (await intake.client.get("/son-la/tiep-nhan/")).status_code == 200
    answer = await intake.client.post("/son-la/tiep-nhan/", data=_paper(csrf))
    assert answer.status_code == 303, answer.text
    page = await intake.client.get(answer.headers["Location"])
    assert "Phiếu còn thiếu" in page.text
    stored = await intake.database["registrations"].find_one({})
    assert stored is not None
    assert stored["received_at"] == datetime(2026, 3, 6, 9, 40, tzinfo=UTC)
    assert stored["recorded_at"] == NOW
    assert (stored["incoming_number"], stored["channel"]) == ("215", "paper")
    assert stored["incomplete"] == ["name", "address", "phone"]
    assert stored["events"][0]["actor"] == "van.phong"
    slip = await intake.client.get(f"{answer.headers['Location']}/phieu-tiep-nhan.pdf")
    assert slip.content.startswith(b"%PDF")


async def test_a_paper_is_late_by_when_it_came_not_by_when_it_was_typed(intake: Running) -> None:
    csrf = _sign_in(intake, Role.OFFICE)
    intake.clock.now = NOW + timedelta(minutes=10)
    closing = NOW - timedelta(days=1)
    await intake.announce((f"{PLAN}-1", dialogue(closes_at=closing)), sequence=2)

    async def late_is_known() -> bool:
        return "không bị loại" in (await intake.client.get(FORM)).text

    await eventually(late_is_known)
    await intake.client.post("/son-la/tiep-nhan/", data=_paper(csrf))
    after = _paper(csrf, received_on="09/3/2026", received_time="09:31")
    await intake.client.post("/son-la/tiep-nhan/", data=after)
    assert [d["late"] async for d in intake.database["registrations"].find().sort("received_at")] == [False, True]


async def test_the_counter_is_for_the_office_alone(intake: Running) -> None:
    assert (await intake.client.get("/son-la/tiep-nhan/")).status_code == 303
    csrf = _sign_in(intake, Role.OFFICER)
    assert (await intake.client.get("/son-la/tiep-nhan/")).status_code == 403
    assert (await intake.client.post("/son-la/tiep-nhan/", data=_paper(csrf))).status_code == 403
    _sign_in(intake, Role.OFFICE)
    assert (await intake.client.post("/son-la/tiep-nhan/", data=_paper("sai"))).status_code == 403


async def test_staff_do_not_see_the_code_of_who_registered_alone(intake: Running) -> None:
    await intake.client.post(FORM, data=web_form())
    stored = await intake.database["registrations"].find_one({})
    assert stored is not None
    _sign_in(intake, Role.OFFICE)
    assert (await intake.client.get(f"/son-la/tiep-nhan/{stored['_id']}")).status_code == 404


async def test_a_paper_from_the_future_or_by_an_unknown_channel_is_refused(intake: Running) -> None:
    csrf = _sign_in(intake, Role.OFFICE)
    for changes in ({"received_on": "06/3/2027"}, {"channel": "web"}, {"received_time": ""}, {"plan": ""}):
        assert (await intake.client.post("/son-la/tiep-nhan/", data=_paper(csrf, **changes))).status_code == 422, changes
    assert await count(intake) == 0


# Promise 2


async def test_what_routing_has_not_shown_in_ten_minutes_is_published_again_without_a_new_event(intake: Running) -> None:
    await intake.client.post(FORM, data=web_form())

    async def published() -> bool:
        return len(intake.published.of(topics.REGISTRATIONS)) == 1

    await eventually(published)
    intake.clock.now = NOW + timedelta(minutes=9)
    assert await publish_unrouted(intake.intake) == 0
    intake.clock.now = NOW + timedelta(minutes=10)
    assert await publish_unrouted(intake.intake) == 1
    assert await publish_unrouted(intake.intake) == 0

    async def again() -> bool:
        return len(intake.published.of(topics.REGISTRATIONS)) == 2

    await eventually(again)
    first, second = (orjson.loads(value) for _, value in intake.published.of(topics.REGISTRATIONS))
    assert first == second
    stored = await intake.database["registrations"].find_one({})
    assert stored is not None
    await intake.intake.registrations.routed([stored["_id"]])
    intake.clock.now = NOW + timedelta(hours=1)
    assert await publish_unrouted(intake.intake) == 0


def test_web_and_api_keys_never_meet() -> None:
    assert registration_id("son-la", "web:x") != registration_id("son-la", "api:x")
