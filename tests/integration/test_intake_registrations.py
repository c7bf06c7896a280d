"""Accepted means kept, once: registrations on a real database (promise 1)."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from contracts import topics
from deploy.local.stack import LocalStack
from services.intake.codes import code_hash
from tests.intake import PLAN, Running, api_body, dialogue, keys, running_intake, web_form
from tests.waiting import eventually

pytestmark = pytest.mark.stack
URL = "/api/v1/son-la/registrations"
FORM = f"/son-la/dang-ky/{PLAN}"


@pytest_asyncio.fixture
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url) as running:
        yield running


async def test_a_registration_is_durable_numbered_and_announced(intake: Running) -> None:
    answer = await intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["case_number"] == "SL-2026-000001"
    stored = await intake.database["registrations"].find_one({"code_hash": code_hash(body["tracking_code"])})
    assert stored is not None
    assert body["tracking_code"].replace("-", "") not in repr(stored).replace("-", "")

    async def both_published() -> bool:
        return len(intake.published.records) == 2

    await eventually(both_published)
    [(key, value)] = intake.published.of(topics.REGISTRATIONS)
    event = orjson.loads(value)
    assert event["type"] == "registration.received.v1"
    assert key == event["subject"].encode() == str(stored["_id"]).encode()
    assert event["data"]["sections"] == [
        {"no": 1, "title": "Về lĩnh vực quản lý khoa học", "text": "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?"}
    ]
    [(key, value)] = intake.published.of(topics.INTAKE_LETTERS)
    letter = orjson.loads(value)
    assert key == letter["subject"].encode() != event["subject"].encode()
    assert letter["data"]["kind"] == "receipt"
    assert letter["data"]["ways"] == ["email"]
    assert letter["data"]["fields"]["code"] == body["tracking_code"]


async def test_fifty_equal_submissions_at_once_are_one(intake: Running) -> None:
    answers = await asyncio.gather(
        *(intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": "same"}) for _ in range(50))
    )
    assert sorted(a.status_code for a in answers) == [200] * 49 + [201]
    assert len({a.json()["tracking_code"] for a in answers}) == 1
    assert len({a.json()["case_number"] for a in answers}) == 1
    assert await intake.database["registrations"].count_documents({}) == 1


async def test_different_submissions_at_once_share_writes_and_each_learns_its_own(intake: Running) -> None:
    answers = await asyncio.gather(
        *(intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": key}) for key in keys(120))
    )
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["case_number"] for a in answers}) == 120
    codes = {code_hash(a.json()["tracking_code"]) for a in answers}
    stored = {d["code_hash"] async for d in intake.database["registrations"].find({}, {"code_hash": 1})}
    assert stored == codes


async def test_a_key_used_for_other_content_is_refused(intake: Running) -> None:
    await intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": "k"})
    other = api_body(sections=[{"no": 2, "text": "Nội dung khác"}])
    answer = await intake.client.post(URL, json=other, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


async def meanwhile(intake: Running, change: str) -> None:
    """What was asked of a registration yesterday is not enough today."""
    if change == "opening":
        later = dialogue(opens_at=intake.clock() + timedelta(days=1))
        await intake.announce((f"{PLAN}-1", later), sequence=2)
        intake.intake.announcements._known.clear()
        return
    agencies = intake.intake.agencies
    assert isinstance(agencies, dict)
    privacy = agencies["son-la"].privacy.model_copy(update={"version": "2026-02"})
    agencies["son-la"] = agencies["son-la"].model_copy(update={"privacy": privacy})


@pytest.mark.parametrize("change", ["opening", "privacy notice"])
async def test_what_was_accepted_is_told_again_whatever_has_changed_since(intake: Running, change: str) -> None:
    key = {"Idempotency-Key": "k"}
    first = await intake.client.post(URL, json=api_body(), headers=key)
    page = await intake.client.post(FORM, data=web_form())
    assert (first.status_code, page.status_code) == (201, 200)
    await meanwhile(intake, change)
    again = await intake.client.post(URL, json=api_body(), headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    reloaded = await intake.client.post(FORM, data=web_form())
    assert (reloaded.status_code, code_in(reloaded.text)) == (200, code_in(page.text))
    other = api_body(sections=[{"no": 2, "text": "Nội dung khác"}])
    assert (await intake.client.post(URL, json=other, headers=key)).status_code == 409
    assert (await intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": "new"})).status_code == 422
    assert await intake.database["registrations"].count_documents({}) == 2


def code_in(page: str) -> str:
    found = re.search(r'<p class="code"[^>]*>([^<]+)</p>', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"person": {"name": ""}}, "#/person/name"),
        ({"person": {"name": "Lò Văn Thử", "phone": "12"}}, "#/person/phone"),
        ({"person": {"name": "Lò Văn Thử", "email": "khong-phai"}}, "#/person/email"),
        ({"sections": []}, "#/sections"),
        ({"sections": [{"no": 9, "text": "x"}]}, "#/sections/0/no"),
        ({"sections": [{"no": 1, "text": "a" * 10_001}]}, "#/sections/0/text"),
        ({"sections": [{"no": 1, "text": "a\x00b"}]}, "#/sections/0/text"),
        ({"dialogue": "son-la-2026-7"}, "#/dialogue"),
        ({"consent_version": "2020-01"}, "#/consent_version"),
    ],
)
async def test_bad_fields_are_named_by_their_place(intake: Running, changes: dict[str, object], pointer: str) -> None:
    answer = await intake.client.post(URL, json=api_body(**changes), headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422, answer.text
    assert pointer in [e["pointer"] for e in answer.json()["errors"]]
    assert await intake.database["registrations"].count_documents({}) == 0


async def test_requests_that_are_none(intake: Running) -> None:
    client = intake.client
    key = {"Idempotency-Key": "k"}
    assert (await client.post(URL, json=api_body())).status_code == 400
    assert (await client.post(URL, content=b"{", headers=key | {"Content-Type": "application/json"})).status_code == 400
    assert (await client.post(URL, data={"plan": "x"}, headers=key)).status_code == 415
    assert (
        await client.post(URL, content=b"x" * 1_100_000, headers=key | {"Content-Type": "application/json"})
    ).status_code == 413
    assert (await client.post("/api/v1/hoa-binh/registrations", json=api_body(), headers=key)).status_code == 404
    assert (await client.post(URL, json=api_body(plan="son-la-1999"), headers=key)).status_code == 404


async def test_without_mongodb_the_answer_is_503_and_the_same_key_is_accepted_later(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        stack.start(mongodb=True)
        async with running_intake(stack.mongodb_url, mongodb_timeout_ms=400, request_deadline_seconds=1.5) as intake:
            warm = await intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": "before"})
            assert warm.status_code == 201
            await asyncio.to_thread(stack.stop_process, "mongodb")
            down = await intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": "during"})
            assert down.status_code == 503
            assert int(down.headers["Retry-After"]) > 0
            await asyncio.to_thread(stack.start_process, "mongodb")

            async def accepted() -> bool:
                answer = await intake.client.post(URL, json=api_body(), headers={"Idempotency-Key": "during"})
                return answer.status_code in (200, 201)

            await eventually(accepted, timeout=30)
            assert await intake.database["registrations"].count_documents({}) == 2
