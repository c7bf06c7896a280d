"""The counter's quick entry: every channel ends in the same registration, who is there already is shown, a call is read back."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from contracts.model import Channel
from kit.auth import COOKIE, Role, Session, SessionCodec
from services.intake.forms import ENTRY_CHANNELS
from tests.intake import NOW, PLAN, Running, running_intake, web_form
from tests.unit.test_attachments import PDF_BYTES

pytestmark = pytest.mark.stack
COUNTER = "/son-la/tiep-nhan/"
TEXT = "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?"


@pytest_asyncio.fixture(scope="module")
async def running(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url) as running:
        codec = SessionCodec(running.intake.settings.session_secret)
        session = Session(id="s1", agency="son-la", username="van.phong", name="Cầm Thị Mẫu", roles=frozenset({Role.OFFICE}))
        running.client.cookies.set(COOKIE, codec.encode(session, NOW))
        yield running
        await running.intake.files._database.client.drop_database(running.intake.files._database.name)


@pytest_asyncio.fixture
async def intake(running: Running) -> Running:
    await running.database["registrations"].delete_many({})
    return running


def entry(intake: Running, **changes: str) -> dict[str, str]:
    return {
        "csrf": SessionCodec(intake.intake.settings.session_secret).csrf("s1"),
        "nonce": "phieu-giay-so-mot-hai",
        "plan": PLAN,
        "channel": "paper",
        "received_on": "06/3/2026",
        "received_time": "16:40",
        "incoming_number": "215",
        "name": "Lò Văn Thử",
        "address": "Tổ 2",
        "phone": "0912.345.678",
        "sections.1": TEXT,
    } | changes


async def stored(intake: Running) -> list[dict[str, Any]]:
    return await intake.database["registrations"].find().sort("recorded_at").to_list(None)


@pytest.mark.parametrize("channel", ENTRY_CHANNELS)
async def test_whatever_the_channel_it_is_one_registration_with_its_channel_and_receipt(
    intake: Running, channel: Channel
) -> None:
    answer = await intake.client.post(COUNTER, data=entry(intake, channel=channel, read_back="1"))
    assert answer.status_code == 303, answer.text
    [found] = await stored(intake)
    assert (found["channel"], found["incoming_number"], found["incomplete"]) == (channel, "215", [])
    assert found["received_at"] == datetime(2026, 3, 6, 9, 40, tzinfo=UTC)
    assert found["recorded_at"] == NOW
    assert [event["type"] for event in found["events"]] == ["registration.received.v1", "intake_letter.requested.v1"]
    assert found.get("read_back") is (True if channel is Channel.PHONE else None)


@pytest.mark.parametrize("changes", [{"name": "LO  VAN THU", "phone": ""}, {"name": "Người Khác", "phone": "+84912345678"}])
async def test_who_may_be_there_already_is_shown_and_kept_all_the_same_when_wished(
    intake: Running, changes: dict[str, str]
) -> None:
    await intake.client.post(f"/son-la/dang-ky/{PLAN}", data=web_form())
    [web] = await stored(intake)
    page = await intake.client.post(COUNTER, data=entry(intake, **changes))
    assert page.status_code == 200
    assert "Có thể trùng với phiếu đã có" in page.text
    assert web["case_number"] in page.text
    assert TEXT in page.text
    assert len(await stored(intake)) == 1
    assert (await intake.client.post(COUNTER, data=entry(intake, **changes, anyway="1"))).status_code == 303
    assert (await intake.client.post(COUNTER, data=entry(intake, **changes, anyway="1"))).status_code == 303
    assert len(await stored(intake)) == 2


async def test_a_double_click_is_no_duplicate_and_neither_is_another_person(intake: Running) -> None:
    for _ in range(2):
        assert (await intake.client.post(COUNTER, data=entry(intake))).status_code == 303
    other = entry(intake, name="Cầm Thị Khác", phone="0987 654 321", nonce="phieu-giay-so-mot-ba")
    assert (await intake.client.post(COUNTER, data=other)).status_code == 303
    assert len(await stored(intake)) == 2


async def test_the_search_for_duplicates_reads_an_index(intake: Running) -> None:
    explained = await intake.database.command(
        "explain", {"find": "registrations", "filter": {"alike": {"$in": [1, 2]}, "agency": "son-la", "plan": PLAN}}
    )
    assert '"alike"' in str(explained["queryPlanner"]["winningPlan"]).replace("'", '"')


async def test_a_call_that_was_not_read_back_is_flagged(intake: Running) -> None:
    form = await intake.client.get(COUNTER)
    assert "Tôi xin đọc lại nội dung đã ghi để Ông/Bà kiểm tra" in form.text
    assert "Thưa Ông/Bà, tôi là Cầm Thị Mẫu" in form.text
    answer = await intake.client.post(COUNTER, data=entry(intake, channel="phone"))
    page = await intake.client.get(answer.headers["Location"])
    assert "<li>Đọc lại cho người gọi</li>" in page.text
    assert "tôi xin đọc chậm hai lần" in page.text
    [found] = await stored(intake)
    assert found["incomplete"] == ["read_back"]


async def test_the_next_form_is_one_key_away_and_goes_on_with_plan_channel_and_day(intake: Running) -> None:
    answer = await intake.client.post(COUNTER, data=entry(intake, channel="television"))
    page = await intake.client.get(answer.headers["Location"])
    link = re.search(r'<a class="button secondary" href="([^"]+)" accesskey="n" autofocus>', page.text)
    assert link
    following = await intake.client.get(link[1].replace("&amp;", "&"))
    assert '<option value="television" selected>' in following.text
    assert 'value="06/3/2026"' in following.text
    assert re.search(r'name="incoming_number"[^>]*autofocus', following.text)
    for said in ("Lò", "0912", "345678"):
        assert said not in link[1]


async def test_a_scan_comes_with_a_paper_and_survives_a_correction(intake: Running) -> None:
    files = [("files", ("phiếu quét.pdf", PDF_BYTES, "application/pdf"))]
    refused = await intake.client.post(COUNTER, data=entry(intake, received_time=""), files=files)
    assert refused.status_code == 422
    [token] = re.findall(r'name="uploaded" value="([^"]+)"', refused.text)
    answer = await intake.client.post(COUNTER, data=entry(intake, uploaded=token))
    assert answer.status_code == 303
    assert "phiếu quét.pdf" in (await intake.client.get(answer.headers["Location"])).text
    [found] = await stored(intake)
    assert [file["name"] for file in found["files"]] == ["phiếu quét.pdf"]
