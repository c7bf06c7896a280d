"""Bad input through the front door of the whole stack: a clear answer to whoever sent it, a dead letter for a record, and what is
behind it flows on. Everything sent carries one invented person, who may then stand in no log, metric or address (I10).

The tests share one stack and run in this order; those that stop a part start it again.
"""

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from cli.up import sign_ins
from contracts import topics
from contracts.topics import Topic
from deploy.local.paths import ROOT
from deploy.local.stack import LocalStack
from kit import mongo
from kit.agency import load_agencies
from kit.clock import format_date, local_date, system_clock
from kit.mongo import Database
from tests.routing import registration
from tests.waiting import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

AGENCY = "bac-kan"
PERSON = {
    "name": "Quang Van Kinmatsao",
    "address": "Ngo Kinmatsao 7731",
    "phone": "0912 773 131",
    "email": "kinmatsao7731@nguoidan.example",
}
SECRETS = ("kinmatsao", "912773131", "912 773 131")
"""What of the planted person no log, metric or address may hold, in lower case."""
TEXT = "Thủ tục đăng ký nhãn hiệu mất bao lâu? (Kinmatsao)"
DENUNCIATION = "Tôi tố cáo ông Kinmatsao nhận hối lộ khi giải quyết hồ sơ."

READERS: dict[str, tuple[Topic, ...]] = {
    "intake": (topics.DIALOGUES, topics.CASES, topics.QUESTIONS, topics.STAFF, topics.CALENDARS),
    "routing": (topics.REGISTRATIONS, topics.FEEDBACK, topics.DELIVERIES),
    "notify": (
        topics.INTAKE_LETTERS,
        topics.ROUTING_LETTERS,
        topics.REPORTING_LETTERS,
        topics.REGISTRATIONS,
        topics.FEEDBACK,
        topics.STAFF,
    ),
    "reporting": (topics.CASES, topics.QUESTIONS, topics.DIALOGUES, topics.STAFF, topics.CALENDARS),
}
"""Service → the topics it reads."""


@dataclass
class Site:
    """The stack as people and programs reach it, and what may be seen from outside."""

    stack: LocalStack
    client: httpx.AsyncClient
    databases: mongo.Client
    plan: str
    consent: str
    addresses: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def database(self, service: str) -> Database:
        return self.databases[f"doithoai_{service}"]

    @property
    def form(self) -> str:
        return f"/{AGENCY}/dang-ky/{self.plan}"

    def web(self, **changes: str) -> dict[str, str]:
        filled = {**PERSON, "nonce": uuid4().hex, "kind": "individual", "sections.1": TEXT, "consent": self.consent}
        return {name: value for name, value in (filled | changes).items() if value}

    def body(self, **changes: Any) -> dict[str, Any]:
        whole = {"plan": self.plan, "person": PERSON, "sections": [{"no": 1, "text": TEXT}], "consent_version": self.consent}
        return whole | changes

    async def post_form(self, **changes: str) -> httpx.Response:
        return await self.client.post(self.form, data=self.web(**changes))

    async def post_api(self, body: Any, key: str = "", agency: str = AGENCY) -> httpx.Response:
        headers = {"Idempotency-Key": key or uuid4().hex}
        return await self.client.post(f"/api/v1/{agency}/registrations", json=body, headers=headers)

    async def accepted(self, **changes: Any) -> dict[str, Any]:
        """A registration that is taken; its answer."""
        answer = await self.post_api(self.body(**changes))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        self.codes.append(found["tracking_code"])
        return found

    async def count(self) -> int:
        return await self.database("intake")["registrations"].count_documents({})

    @asynccontextmanager
    async def without(self, part: str) -> AsyncIterator[None]:
        """While a part of the stack is down."""
        self.stack.stop_process(part)
        try:
            yield
        finally:
            self.stack.start_process(part)

    @asynccontextmanager
    async def staff(self, login: str) -> AsyncIterator[httpx.AsyncClient]:
        """A browser in which a sample account has signed in."""
        hooks = {"response": [self.note]}
        async with httpx.AsyncClient(base_url=self.stack.public_url, timeout=10, event_hooks=hooks) as browser:
            answer = await browser.post(f"/{AGENCY}/can-bo/dang-nhap", data=self.account(login))
            assert answer.status_code == 303, answer.text
            yield browser

    def account(self, login: str) -> dict[str, str]:
        """A sample account as its owner types it in."""
        found = next(a for a in sign_ins(self.stack) if (a["agency"], a["login"]) == (AGENCY, login))
        return {"username": login, "password": found["password"]}

    async def note(self, answer: httpx.Response) -> None:
        """Remember every address that was asked for or led to."""
        self.addresses += [str(answer.request.url), answer.headers.get("location", "")]

    async def reported(self) -> int:
        return await self.database("reporting")["facts"].count_documents({"kind": "case"})


@pytest_asyncio.fixture(scope="module")
async def site(whole_stack: LocalStack) -> AsyncIterator[Site]:
    databases = mongo.connect(whole_stack.mongodb_url, driver="pymongo", timeout_ms=20_000)
    plan = await databases["doithoai_routing"]["plans"].find_one({"agency": AGENCY})
    assert plan is not None
    consent = load_agencies(ROOT / "agencies")[AGENCY].privacy.version
    async with httpx.AsyncClient(base_url=whole_stack.public_url, timeout=10) as client:
        site = Site(whole_stack, client, databases, plan["_id"], consent)
        client.event_hooks["response"].append(site.note)

        async def announced() -> bool:
            return (await client.get(site.form)).status_code == 200

        await eventually(announced)
        yield site
    await mongo.close(databases)


# What a person or a program types


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"sections.1": ""}, "sections"),
        ({"email": "kinmatsao.example"}, "email"),
        ({"phone": "0912 773 131 77"}, "phone"),
        ({"sections.1": TEXT + "ạ" * 10_000}, "sections.1"),
        ({"sections.2": TEXT + "\x1b[2J"}, "sections.2"),
        ({"sections.7": TEXT}, "sections.7"),
        ({"dialogue": "bac-kan-1999-1"}, "dialogue"),
    ],
)
async def test_a_form_that_is_wrong_comes_back_with_what_was_typed(site: Site, changes: dict[str, str], field: str) -> None:
    before = await site.count()
    page = await site.post_form(**changes)
    assert page.status_code == 422
    assert f'href="#o-{field}"' in page.text
    assert PERSON["address"] in html.unescape(page.text)
    assert await site.count() == before


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"person": {**PERSON, "name": " "}}, "#/person/name"),
        ({"sections": []}, "#/sections"),
        ({"person": {**PERSON, "email": "kinmatsao7731@"}}, "#/person/email"),
        ({"person": {**PERSON, "phone": "kinmatsao"}}, "#/person/phone"),
        ({"sections": [{"no": 1, "text": TEXT + "a" * 10_000}]}, "#/sections/0/text"),
        ({"sections": [{"no": 2, "text": TEXT + "\x00"}]}, "#/sections/0/text"),
        ({"sections": [{"no": 7, "text": TEXT}]}, "#/sections/0/no"),
        ({"dialogue": "bac-kan-1999-1"}, "#/dialogue"),
    ],
)
async def test_a_program_is_told_the_place_of_what_is_wrong(site: Site, changes: dict[str, Any], pointer: str) -> None:
    before = await site.count()
    answer = await site.post_api(site.body(**changes))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert not any(secret in answer.text.lower() for secret in SECRETS)
    assert await site.count() == before


async def test_unknown_addresses(site: Site) -> None:
    assert (await site.post_api(site.body(), agency="hoa-binh")).status_code == 404
    assert (await site.post_api(site.body(plan="bac-kan-1999"))).status_code == 404
    assert (await site.client.post("/hoa-binh/dang-ky/x", data=site.web())).status_code == 404
    assert (await site.client.get(f"/{AGENCY}/doi-thoai/bac-kan-1999-1")).status_code == 404


@pytest.mark.parametrize(
    ("code", "status"),
    [("ABCD", 422), ("AAAA-AAAA-AAAA-AAAC", 422), ("AAAA-AAAA-AAAA-AAAA", 404), ("Kinmatsao\x00" * 30, 422), ("", 422)],
)
async def test_a_code_that_is_none(site: Site, code: str, status: int) -> None:
    answer = await site.client.post(f"/{AGENCY}/tra-cuu", data={"code": code})
    assert answer.status_code == status, answer.text


async def test_too_large_and_of_the_wrong_kind(site: Site) -> None:
    large = "a" * (1024 * 1024)
    assert (await site.post_form(**{"sections.1": large})).status_code == 413
    assert (await site.post_api(site.body(sections=[{"no": 1, "text": large}]))).status_code == 413
    key = {"Idempotency-Key": uuid4().hex}
    url = f"/api/v1/{AGENCY}/registrations"
    as_form = await site.client.post(url, data=site.web(), headers=key)
    assert (as_form.status_code, as_form.headers["content-type"]) == (415, "application/problem+json")
    assert (await site.client.post(site.form, json=site.body())).status_code == 415
    as_text = await site.client.post(url, content=json.dumps(site.body()), headers=key | {"Content-Type": "text/plain"})
    assert as_text.status_code == 415


async def test_a_key_used_for_other_content_and_a_form_that_was_corrected(site: Site) -> None:
    key = uuid4().hex
    first = await site.post_api(site.body(), key)
    again = await site.post_api(site.body(), key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["tracking_code"] == first.json()["tracking_code"]
    assert (await site.post_api(site.body(sections=[{"no": 2, "text": TEXT}]), key)).status_code == 409

    nonce = uuid4().hex
    wrong = await site.post_form(nonce=nonce, phone="123")
    assert wrong.status_code == 422
    assert nonce in wrong.text
    assert (await site.post_form(nonce=nonce)).status_code == 200


async def test_before_the_opening_and_after_the_closing(site: Site) -> None:
    """The office publishes two more plans: one that opens next week, one whose only dialogue has closed."""
    async with site.staff("vanphong") as office:
        today = local_date(system_clock())
        coming = await published(office, "77/KH-SKHCN", opens_on=format_date(today + timedelta(days=7)))
        closed = await published(office, "78/KH-SKHCN")
        fields = {
            "ordinal": "1",
            "starts_on": format_date(today + timedelta(days=9)),
            "starts_time": "08:00",
            "closes_on": format_date(today - timedelta(days=1)),
            "closes_time": "17:30",
            "place": "Phòng họp tầng 2",
            "mode": "in_person",
        }
        path = f"/{AGENCY}/can-bo/ke-hoach/{closed}"
        added = await posted(office, path, f"{path}/doi-thoai", fields)
        assert added.status_code == 303, added.text

    async def announced() -> bool:
        pages = [await site.client.get(f"/{AGENCY}/dang-ky/{plan}") for plan in (coming, closed)]
        return all(page.status_code == 200 for page in pages) and "đã qua thời hạn" in pages[1].text.lower()

    await eventually(announced)
    page = await site.client.post(f"/{AGENCY}/dang-ky/{coming}", data=site.web())
    assert page.status_code == 422
    assert f"{(today + timedelta(days=7)).day}/" in page.text
    assert PERSON["address"] in html.unescape(page.text)
    late = await site.client.post(f"/{AGENCY}/dang-ky/{closed}", data=site.web())
    assert late.status_code == 200
    by_program = await site.accepted(plan=closed)
    assert by_program["late"] is True

    async def kept_as_late() -> bool:
        return await site.database("routing")["cases"].count_documents({"plan": closed, "status": "late"}) == 2

    await eventually(kept_as_late)


async def published(office: httpx.AsyncClient, number: str, opens_on: str = "") -> str:
    """A new plan of this year; returns its id."""
    path = f"/{AGENCY}/can-bo/ke-hoach/moi"
    fields = {"number": number, "year": str(local_date(system_clock()).year), "title": "Kế hoạch đối thoại", "opens_on": opens_on}
    answer = await posted(office, path, path, fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0].rsplit("/", 1)[1]


async def posted(browser: httpx.AsyncClient, page: str, to: str, fields: dict[str, str]) -> httpx.Response:
    """Fill in a form of a staff page, with its token."""
    shown = await browser.get(page)
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', shown.text)
    assert token, shown.status_code
    return await browser.post(to, data={"csrf": token[1], **fields})


# Staff


async def test_staff_without_the_role_or_without_a_session(site: Site) -> None:
    counter = f"/{AGENCY}/tiep-nhan/"
    async with site.staff("vanphong.chuyenvien") as officer:
        for path in (counter, f"/{AGENCY}/van-thu/", f"/{AGENCY}/bao-cao/", f"/{AGENCY}/can-bo/tai-khoan"):
            assert (await officer.get(path)).status_code == 403, path
        assert (await officer.get("/son-la/can-bo/")).status_code == 403
        assert (await officer.post(counter, data={"plan": site.plan})).status_code == 403

    asked = f"/{AGENCY}/van-thu/so-gui?loai=receipt"
    async with httpx.AsyncClient(base_url=site.stack.public_url) as nobody:
        sent_away = await nobody.get(asked)
        assert sent_away.status_code == 303
        sign_in = await nobody.get(sent_away.headers["location"])
        back = re.search(r'name="ve" value="([^"]+)"', sign_in.text)
        assert back
        fields = {**site.account("vanphong"), "ve": html.unescape(back[1])}
        signed_in = await nobody.post(f"/{AGENCY}/can-bo/dang-nhap", data=fields)
        assert signed_in.headers["location"] == asked
        assert (await nobody.get(asked)).status_code == 200


async def test_a_sealed_question_is_not_there_and_each_page_is_silent_about_it(site: Site) -> None:
    answer = await site.accepted(sections=[{"no": 1, "text": TEXT}, {"no": 2, "text": DENUNCIATION}])
    questions = site.database("routing")["questions"]

    async def sealed() -> dict[str, Any]:
        return await questions.find_one({"case_number": answer["case_number"], "sealed": True}) or {}

    found = await eventually(sealed)
    for login in ("vanphong", "giamdoc", "vanphong.chuyenvien", "vanphong.truong"):
        async with site.staff(login) as browser:
            for path in ("", "/han-che", "/chuyen", "/ket-qua"):
                page = await browser.get(f"/{AGENCY}/can-bo/noi-dung/{found['_id']}{path}")
                assert page.status_code == 404, (login, path)
            for path in ("can-bo/", "can-bo/phan-loai", "can-bo/danh-sach", "can-bo/?trang-thai=sealed"):
                assert "hối lộ" not in html.unescape((await browser.get(f"/{AGENCY}/{path}")).text), (login, path)
    followed = await site.client.post(f"/{AGENCY}/tra-cuu", data={"code": answer["tracking_code"]})
    assert followed.status_code == 200


# What lies in topics


async def test_poison_in_every_topic_is_buried_and_the_rest_flows(site: Site) -> None:
    bad = (b"\xff\xfe Kinmatsao", b'{"type":"x.y.v9","name":"Kinmatsao"}', b"null")
    kinds = {topic for read in READERS.values() for topic in read}
    impossible = json.dumps({"type": "registration.received.v1", "data": {"person": {"name": PERSON["name"]}}}).encode()
    producer = AIOKafkaProducer(bootstrap_servers=site.stack.kafka_bootstrap)
    await producer.start()
    try:
        for topic in kinds:
            for value in bad:
                await producer.send_and_wait(topic.name, value, key=b"gift", partition=0, headers=[("traceparent", b"\xff")])
        await producer.send_and_wait(topics.REGISTRATIONS.name, impossible, key=b"gift", partition=0)
    finally:
        await producer.stop()

    async def buried() -> bool:
        for service, read in READERS.items():
            rows = await site.database(service)["dead_letters"].find({"key": b"gift"}).to_list(None)
            for topic in read:
                extra = topic is topics.REGISTRATIONS
                assert sorted(bytes(r["value"]) for r in rows if r["topic"] == topic.name) == sorted(
                    [*bad, *([impossible] if extra else [])]
                ), (service, topic.name)
        return True

    await eventually(buried)
    await flows(site)


async def test_a_record_with_headers_that_are_not_utf8_is_handled_by_its_body(site: Site) -> None:
    number, now = "BK-2026-900001", datetime.now(UTC)
    event = registration(TEXT, agency=AGENCY, plan=site.plan, received_at=now, person=PERSON, number=number)
    producer = AIOKafkaProducer(bootstrap_servers=site.stack.kafka_bootstrap)
    await producer.start()
    try:
        headers = [("traceparent", b"\xc3\x28\xff"), ("content-type", b"\xfe")]
        await producer.send_and_wait(topics.REGISTRATIONS.name, event.encode(), key=event.subject.encode(), headers=headers)
    finally:
        await producer.stop()

    async def routed() -> bool:
        return await site.database("routing")["cases"].count_documents({"case_number": number}) == 1

    await eventually(routed)


async def flows(site: Site) -> dict[str, Any]:
    """A registration made now reaches routing, the report, the tracking page and the person's mailbox."""
    reported = await site.reported()
    answer = await site.accepted()

    async def arrived() -> bool:
        page = await site.client.post(f"/{AGENCY}/tra-cuu", data={"code": answer["tracking_code"]})
        ledger = site.database("notify")["ledger"]
        return (
            await site.database("intake")["cases"].count_documents({"state.case_number": answer["case_number"]}) == 1
            and page.status_code == 200
            and await site.reported() > reported
            and await ledger.count_documents({"case_number": answer["case_number"], "state": "sent"}) == 1
        )

    await eventually(arrived, timeout=40)
    return answer


# When a part is down


async def test_without_mongodb_503_and_the_forms_content_is_kept(site: Site) -> None:
    form = site.web()
    key = uuid4().hex
    before = await site.count()
    async with site.without("mongodb"):
        page = await site.client.post(site.form, data=form)
        assert page.status_code == 503
        assert int(page.headers["Retry-After"]) > 0
        assert TEXT in html.unescape(page.text)
        assert f'value="{form["nonce"]}"' in page.text
        answer = await site.post_api(site.body(), key)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) > 0

    async def taken() -> bool:
        again = [await site.client.post(site.form, data=form), await site.post_api(site.body(), key)]
        return all(a.status_code in (200, 201) for a in again)

    await eventually(taken, timeout=40)
    assert await site.count() == before + 2


async def test_without_kafka_it_is_accepted_as_usual(site: Site) -> None:
    async with site.without("kafka"):
        assert (await site.post_form()).status_code == 200
        answer = await site.accepted()
    assert answer["late"] is False

    async def routed() -> bool:
        return await site.database("routing")["cases"].count_documents({"case_number": answer["case_number"]}) == 1

    await eventually(routed, timeout=60)
    await flows(site)


async def test_without_a_mail_server_letters_are_put_off_and_sent_later(site: Site) -> None:
    ledger = site.database("notify")["ledger"]
    email = f"cho-{uuid4().hex[:8]}@nguoidan.example"
    async with site.without("mail"):
        answer = await site.accepted(person={**PERSON, "email": email})
        query = {"case_number": answer["case_number"]}

        async def deferred() -> bool:
            return await ledger.count_documents({**query, "state": "deferred", "next_at": {"$gt": datetime.now(UTC)}}) == 1

        await eventually(deferred, timeout=30)
    # The first pause is about a minute: let it be over.
    await ledger.update_one({**query, "state": "deferred"}, {"$set": {"next_at": datetime.now(UTC) - timedelta(seconds=1)}})

    async def sent() -> bool:
        return await ledger.count_documents({**query, "state": "sent"}) == 1

    await eventually(sent, timeout=60)
    assert len(caught(site.stack, email)) == 1


def caught(stack: LocalStack, email: str) -> list[str]:
    """The mails that the catcher has for an address."""
    mails = (path.read_text(errors="replace") for path in stack.mail_dir.rglob("*") if path.is_file())
    return [mail for mail in mails if f"X-RcptTo: {email}" in mail]


# And nobody talked about it


async def test_nothing_personal_in_logs_metrics_or_addresses(site: Site) -> None:
    """I10, after everything above: malformed forms, poison, a database and a mail server that were away."""
    stored = [d async for d in site.database("intake")["registrations"].find({}, {"_id": 1, "code_hash": 1})]
    assert len(stored) > 8
    assert site.codes
    secrets = [*SECRETS, *(code.lower() for code in site.codes), *(code.replace("-", "").lower() for code in site.codes)]
    said: dict[str, str] = {log.name: log.read_text(errors="replace") for log in site.stack.log_dir.rglob("*.log")}
    assert all(any(name.startswith(service) for name in said) for service in (*READERS, "mail", "proxy")), sorted(said)
    async with httpx.AsyncClient() as inside:
        for service in READERS:
            said[f"{service} /metrics"] = (await inside.get(f"{site.stack.service_url(service)}/metrics")).text
    said["addresses"] = unquote("\n".join(site.addresses))
    for where, text in said.items():
        found = [secret for secret in secrets if secret in text.lower()]
        assert not found, (where, found)

    # The probe itself sees what it looks for: the person stands where it belongs.
    assert await site.database("intake")["registrations"].count_documents({"person.address": PERSON["address"]}) > 0
