"""Rates on real MongoDB and through intake's own pages: who asks too often is refused, others are not, what was typed stays."""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from kit import mongo
from kit.errors import TooMany
from kit.limits import SPEC, Limits
from tests.intake import PLAN, Running, api_body, running_intake, web_form
from tests.waiting import eventually

pytestmark = pytest.mark.stack

OTHER = "203.0.113.77"


def client_from(running: Running, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=running.app, client=(address, 1234), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://intake")


async def test_processes_count_together(mongodb_url: str) -> None:
    client = mongo.connect(mongodb_url)
    database = client["rates_shared"]
    await mongo.apply(database, [SPEC])
    await database[SPEC.name].delete_many({})
    rates, clock = {"form": "10/minute"}, lambda: 4_000_000_030.0
    here, there = (Limits(database[SPEC.name], b"secret", rates, clock) for _ in range(2))
    for _ in range(6):
        here.count("form", "203.0.113.9")
    await here.merge()
    there.count("form", "203.0.113.9")
    await there.merge()  # learns of the six
    for _ in range(3):
        there.count("form", "203.0.113.9")
    with pytest.raises(TooMany):
        there.count("form", "203.0.113.9")
    there.count("form", "203.0.113.10")
    await here.merge()
    await there.merge()
    rows = await database[SPEC.name].find({}).to_list(10)
    assert sorted(row["n"] for row in rows) == [1, 11]
    assert "203.0.113" not in str(rows), "addresses are personal data"
    await mongo.close(client)


async def test_200_requests_from_one_address_are_limited_and_others_are_not(mongodb_url: str) -> None:
    async with (
        running_intake(mongodb_url, rate_requests="50/day") as running,
        client_from(running, "203.0.113.9") as flooding,
        client_from(running, OTHER) as somebody,
    ):
        flood = asyncio.gather(*(flooding.get("/son-la/") for _ in range(200)))
        quiet = [await somebody.get("/son-la/") for _ in range(20)]
        assert Counter(answer.status_code for answer in await flood) == {200: 50, 429: 150}
        assert {answer.status_code for answer in quiet} == {200}
        refused = await flooding.get("/son-la/")
        assert int(refused.headers["Retry-After"]) >= 1
        assert "content-security-policy" in refused.headers
        assert "Có quá nhiều yêu cầu" in refused.text
        assert (await flooding.get("/healthz")).status_code == 200


async def test_a_real_burst_from_one_address_is_limited_and_others_are_served(mongodb_url: str) -> None:
    """200 requests at once through the running service, their addresses told by its proxy."""
    async with (
        running_intake(mongodb_url, rate_requests="50/minute") as running,
        served(running) as url,
        httpx.AsyncClient() as client,
    ):

        async def ask(address: str) -> int:
            return (await client.get(f"{url}/son-la/tra-cuu", headers={"X-Forwarded-For": address})).status_code

        flood = asyncio.gather(*(ask("203.0.113.9") for _ in range(200)))
        quiet = [await ask(f"203.0.113.{20 + n % 10}") for n in range(50)]
        statuses = Counter(await flood)
        assert statuses.keys() == {200, 429}
        assert 50 <= statuses[200] <= 100, "a minute may have ended meanwhile"
        assert set(quiet) == {200}


@contextlib.asynccontextmanager
async def served(running: Running) -> AsyncIterator[str]:
    """Intake on a port, behind a proxy whose word about addresses is taken."""
    server = uvicorn.Server(uvicorn.Config(running.app, port=0, lifespan="off", log_config=None, forwarded_allow_ips="*"))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_a_form_too_many_comes_back_with_what_was_typed(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_registrations="2/day") as running:
        answers = [
            await running.client.post(f"/son-la/dang-ky/{PLAN}", data=web_form(nonce=f"trang-nay-la-trang-{n}")) for n in range(3)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "Lò Văn Thử" in answers[2].text
        assert re.search(r"xin đợi \d+ (giây|phút)", answers[2].text)
        assert int(answers[2].headers["Retry-After"]) > 0
        assert await running.database["registrations"].count_documents({}) == 2


async def test_one_contact_from_many_addresses(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_contact="3/day") as running:
        statuses = []
        for n in range(5):
            async with client_from(running, f"203.0.113.{n}") as somebody:
                answer = await somebody.post(
                    "/api/v1/son-la/registrations", json=api_body(), headers={"Idempotency-Key": f"key-{n}"}
                )
                statuses.append(answer.status_code)
        assert statuses == [201, 201, 201, 429, 429]
        again = await running.client.post("/api/v1/son-la/registrations", json=api_body(), headers={"Idempotency-Key": "key-0"})
        assert again.status_code == 200, "what was kept before is told again"
        other = api_body(person={"name": "Cà Thị Khác", "phone": "0912 345 679"})
        answer = await running.client.post("/api/v1/son-la/registrations", json=other, headers={"Idempotency-Key": "other"})
        assert answer.status_code == 201


async def test_look_ups_of_codes_are_limited(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_lookups="5/day") as running:
        typed = {"code": "ACDE-HKMN-PQRT-UXY2"}
        statuses = [(await running.client.post("/son-la/tra-cuu", data=typed)).status_code for _ in range(8)]
        assert [status == 429 for status in statuses] == [False] * 5 + [True] * 3
        page = await running.client.post("/son-la/tra-cuu", data=typed)
        assert typed["code"] in page.text
        assert int(page.headers["Retry-After"]) > 0
        async with client_from(running, OTHER) as somebody:
            assert (await somebody.post("/son-la/tra-cuu", data=typed)).status_code in (404, 422)


async def test_what_was_not_kept_does_not_count(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_contact="1/day") as running:
        for n in range(3):
            wrong = api_body(sections=[])
            answer = await running.client.post("/api/v1/son-la/registrations", json=wrong, headers={"Idempotency-Key": f"w{n}"})
            assert answer.status_code == 422
        for _ in range(3):
            answer = await running.client.post(
                "/api/v1/son-la/registrations", json=api_body(), headers={"Idempotency-Key": "one"}
            )
            assert answer.status_code in (200, 201)
        upper = api_body(person={"name": "Lò Văn Thử", "email": "THU+2@nguoi-dan.example"})
        answer = await running.client.post("/api/v1/son-la/registrations", json=upper, headers={"Idempotency-Key": "two"})
        assert answer.status_code == 429, "the same mailbox, written otherwise"


async def test_a_form_is_not_stopped_by_the_rate_of_requests(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_requests="1/day") as running:
        assert (await running.client.get("/son-la/")).status_code == 200
        assert (await running.client.get("/son-la/")).status_code == 429
        assert (await running.client.post(f"/son-la/dang-ky/{PLAN}", data=web_form())).status_code == 200
        headers = {"Idempotency-Key": "key"}
        answer = await running.client.post("/api/v1/son-la/registrations", json=api_body(), headers=headers)
        assert answer.status_code == 429
        assert answer.headers["content-type"].startswith("application/problem+json")


async def test_fifty_equal_submissions_at_once_are_one_registration(mongodb_url: str) -> None:
    defaults = {"rate_requests": "50/second;1200/minute", "rate_registrations": "60/minute;600/hour", "rate_contact": "60/hour"}
    async with running_intake(mongodb_url, **defaults) as running:
        body, headers = api_body(), {"Idempotency-Key": "the-same"}
        send = [running.client.post("/api/v1/son-la/registrations", json=body, headers=headers) for _ in range(50)]
        answers = await asyncio.gather(*send)
        assert Counter(a.status_code for a in answers) <= Counter({201: 1, 200: 49})
        assert len({a.json()["tracking_code"] for a in answers}) == 1
        assert await running.database["registrations"].count_documents({}) == 1


async def test_counts_reach_mongodb_by_themselves(mongodb_url: str) -> None:
    async with running_intake(mongodb_url, rate_requests="1000/day") as running:
        await running.client.get("/son-la/")

        async def merged() -> bool:
            return await running.database["rates"].count_documents({}) > 0

        await eventually(merged, timeout=10)
