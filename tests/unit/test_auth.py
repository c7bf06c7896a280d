"""Staff sessions: signed, short, revocable; forms of staff carry a token; sign-in leads back to this agency only (design §8)."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from pymongo import UpdateOne
from pymongo.errors import AutoReconnect, BulkWriteError
from starlette.responses import Response

from contracts.envelope import Event
from contracts.model import StaffState
from kit import mongo
from kit.auth import COOKIE, READ_SEALED, Expired, Role, Session, SessionCodec, StaffProjection, local_path
from kit.web import AgencyFace, StaffGate, Templates, create_app, read_form, staff
from kit.web.navigation import HELD, sections_for

NOW = datetime(2022, 5, 4, 3, 0, tzinfo=UTC)
CODEC = SessionCodec(SecretStr("thu-nghiem-thu-nghiem-thu-nghiem-1"))
OTHER_CODEC = SessionCodec(SecretStr("thu-nghiem-thu-nghiem-thu-nghiem-2"))
FACE = AgencyFace("son-la", "Sở Khoa học và Công nghệ tỉnh Sơn La")


def session(**changes: Any) -> Session:
    return Session(
        **{"id": "s-1", "agency": "son-la", "username": "lan", "name": "Nguyễn Thị Lan", "roles": {Role.OFFICE}, "version": 3}
        | changes
    )


class Directory:
    """Accounts that a service knows to be revoked."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.down = False

    async def is_current(self, agency: str, username: str, version: int) -> bool:
        if self.down:
            raise AutoReconnect("away")
        return f"{agency}/{username}/{version}" not in self.revoked


class Desk:
    """A service with staff pages, and a browser whose cookie and clock the test sets."""

    def __init__(self) -> None:
        self.now = NOW
        self.directory = Directory()
        self.done: list[dict[str, str]] = []
        router = APIRouter(prefix="/{agency}/can-bo")
        templates = Templates()

        @router.get("/hang-doi")
        async def queue(request: Request, who: Annotated[Session, Depends(staff())]) -> Response:
            return Response(f"{who.name} {request.state.csrf}")

        @router.get("/phan-loai")
        async def triage(who: Annotated[Session, Depends(staff(Role.OFFICE, Role.LEADERSHIP))]) -> Response:
            return Response(who.username)

        @router.get("/han-che")
        async def sealed(who: Annotated[Session, Depends(staff(permission=READ_SEALED))]) -> Response:
            return Response(who.username)

        @router.post("/chuyen")
        async def transfer(request: Request, who: Annotated[Session, Depends(staff(Role.OFFICE))]) -> Response:
            self.done.append(dict((await read_form(request)).values))
            return Response(who.username)

        @router.post("/dang-nhap")
        async def sign_in(request: Request, agency: str) -> Response:
            response = Response()
            request.app.state.staff_gate.sign_in(response, session(agency=agency))
            return response

        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield

        async def ready() -> dict[str, bool]:
            return {}

        self.app = create_app(
            title="Điều phối",
            service="routing",
            settings=SimpleNamespace(session_secure=True),
            lifespan=lifespan,
            ready=ready,
            templates=templates,
        )
        self.app.include_router(router)
        self.app.state.staff_gate = StaffGate(CODEC, self.directory, lambda: self.now)
        self.browser = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="https://test")

    def has_cookie(self, value: str) -> None:
        self.browser.headers["cookie"] = f"{COOKIE}={value}"

    def signed_in(self, **changes: Any) -> Session:
        who = session(**changes)
        self.has_cookie(CODEC.encode(who, NOW))
        return who


@pytest.fixture(autouse=True)
def captured_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    async with made.browser:
        yield made


def back_to(answer: httpx.Response) -> tuple[str, str]:
    """The path a redirect leads to, and its `ve`."""
    location = urlsplit(answer.headers["location"])
    assert not location.netloc
    return location.path, parse_qs(location.query)["ve"][0]


# --- the cookie ---------------------------------------------------------------------------------------------------------------


def test_a_session_comes_back_as_it_was_for_15_minutes() -> None:
    who = session(permissions={READ_SEALED}, unit="phong-qlkh")
    cookie = CODEC.encode(who, NOW)
    assert CODEC.decode(cookie, NOW) == who
    assert CODEC.decode(cookie, NOW + timedelta(minutes=14, seconds=59)) == who
    assert CODEC.decode(cookie, NOW + timedelta(minutes=15)) == Expired(who)
    assert who.may_read_sealed
    assert not session(roles=set(Role)).may_read_sealed
    assert "Lan" not in cookie.encode().decode("ascii")


@pytest.mark.parametrize("cookie", [None, "", "x", "a.b", "....", "ô", OTHER_CODEC.encode(session(), NOW)])
def test_what_we_did_not_sign_is_no_session(cookie: str | None) -> None:
    assert CODEC.decode(cookie, NOW) is None


@given(st.data())
def test_no_changed_cookie_is_a_session(data: st.DataObject) -> None:
    cookie = CODEC.encode(session(), NOW)
    at = data.draw(st.integers(0, len(cookie) - 2))  # the last character has bits that base64 does not use
    other = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda c: c != cookie[at]))
    assert CODEC.decode(cookie[:at] + other + cookie[at + 1 :], NOW) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        SessionCodec(SecretStr("short"))


def test_a_token_belongs_to_one_session() -> None:
    assert CODEC.csrf_matches("s-1", CODEC.csrf("s-1"))
    for token in (CODEC.csrf("s-2"), OTHER_CODEC.csrf("s-1"), "", "ô"):
        assert not CODEC.csrf_matches("s-1", token)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk) -> None:
    cookie = (await desk.browser.post("/son-la/can-bo/dang-nhap")).headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert (await desk.browser.get("/son-la/can-bo/hang-doi")).status_code == 200


# --- opening pages ------------------------------------------------------------------------------------------------------------


async def test_without_a_session_to_sign_in_and_back(desk: Desk) -> None:
    answer = await desk.browser.get("/son-la/can-bo/phan-loai?trang=2")
    assert answer.status_code == 303
    assert back_to(answer) == ("/son-la/can-bo/dang-nhap", "/son-la/can-bo/phan-loai?trang=2")
    desk.has_cookie(OTHER_CODEC.encode(session(), NOW))
    assert back_to(await desk.browser.get("/son-la/can-bo/hang-doi"))[0] == "/son-la/can-bo/dang-nhap"


async def test_a_post_without_a_session_does_nothing_and_leads_to_the_desk(desk: Desk) -> None:
    answer = await desk.browser.post("/son-la/can-bo/chuyen", data={"text": "x"})
    assert answer.status_code == 303
    assert back_to(answer) == ("/son-la/can-bo/dang-nhap", "/son-la/can-bo/")
    assert desk.done == []


async def test_expired_is_renewed_by_routing_and_a_post_keeps_its_content(desk: Desk) -> None:
    who = desk.signed_in()
    desk.now += timedelta(minutes=16)
    reading = await desk.browser.get("/son-la/can-bo/phan-loai?q=1")
    assert reading.status_code == 303
    assert back_to(reading) == ("/son-la/can-bo/gia-han-phien", "/son-la/can-bo/phan-loai?q=1")
    form = {"csrf": CODEC.csrf(who.id), "text": "soạn dở"}
    writing = await desk.browser.post("/son-la/can-bo/chuyen", data=form)
    assert writing.status_code == 307
    assert back_to(writing) == ("/son-la/can-bo/gia-han-phien", "/son-la/can-bo/chuyen")
    assert desk.done == []
    desk.has_cookie(CODEC.encode(who, desk.now))
    assert (await desk.browser.post("/son-la/can-bo/chuyen", data=form)).status_code == 200
    assert desk.done == [{"text": "soạn dở"}]


async def test_roles_agencies_and_permissions(desk: Desk) -> None:
    desk.signed_in(roles={Role.OFFICER})
    assert (await desk.browser.get("/son-la/can-bo/hang-doi")).status_code == 200
    refused = await desk.browser.get("/son-la/can-bo/phan-loai")
    assert refused.status_code == 403
    assert "không có quyền" in refused.text
    desk.signed_in(roles={Role.LEADERSHIP})
    assert (await desk.browser.get("/son-la/can-bo/phan-loai")).status_code == 200
    assert (await desk.browser.get("/bac-kan/can-bo/phan-loai")).status_code == 403
    desk.signed_in(roles=set(Role))
    assert (await desk.browser.get("/son-la/can-bo/han-che")).status_code == 403
    desk.signed_in(roles={Role.OFFICER}, permissions={READ_SEALED})
    assert (await desk.browser.get("/son-la/can-bo/han-che")).status_code == 200
    assert (await desk.browser.get("/SON-LA/can-bo/hang-doi")).status_code == 404


async def test_a_revoked_session_signs_in_again(desk: Desk) -> None:
    desk.signed_in()
    desk.directory.revoked.add("son-la/lan/3")
    assert back_to(await desk.browser.get("/son-la/can-bo/hang-doi"))[0] == "/son-la/can-bo/dang-nhap"


async def test_while_the_database_is_away_nobody_passes(desk: Desk) -> None:
    desk.signed_in()
    desk.directory.down = True
    assert (await desk.browser.get("/son-la/can-bo/hang-doi")).status_code == 503


# --- CSRF ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "x", CODEC.csrf("s-2"), OTHER_CODEC.csrf("s-1")])
async def test_a_post_without_its_token_is_refused(desk: Desk, token: str | None) -> None:
    desk.signed_in()
    answer = await desk.browser.post("/son-la/can-bo/chuyen", data={"text": "x"} | ({} if token is None else {"csrf": token}))
    assert answer.status_code == 403
    assert desk.done == []


async def test_a_post_with_its_token_passes(desk: Desk) -> None:
    token = (await desk.browser.post("/son-la/can-bo/dang-nhap")) and (
        await desk.browser.get("/son-la/can-bo/hang-doi")
    ).text.split()[-1]
    assert (await desk.browser.post("/son-la/can-bo/chuyen", data={"text": "x", "csrf": token})).status_code == 200
    assert (await desk.browser.post("/son-la/can-bo/chuyen", json={"csrf": token})).status_code == 415
    assert desk.done == [{"text": "x"}]


# --- back after sign-in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/son-la/can-bo/", "/son-la/bao-cao/2022-q2?don-vi=a&trang=2", "/son-la/can-bo/noi-dung/0f-1"])
def test_addresses_of_this_agency_are_kept(path: str) -> None:
    assert local_path("son-la", path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "https://evil.example/son-la/",
        "//evil.example/son-la/",
        "/\\evil.example",
        "/son-la/\\evil.example",
        "/bac-kan/can-bo/",
        "/son-la",
        "/son-lax/can-bo/",
        "/son-la/../bac-kan/can-bo/",
        "/son-la/%2e%2e/bac-kan/",
        "/son-la//evil.example",
        "/son-la/can-bo/\r\nSet-Cookie: a=b",
        "/son-la/can-bo/\n",
        "javascript:alert(1)",
        "/son-la/can-bo/dang-nhap?ve=/son-la/",
        "/son-la/can-bo/gia-han-phien",
        "/son-la/can-bo/dang-xuat",
        "/son-la/" + "a" * 600,
    ],
)
def test_every_other_address_becomes_the_desk(path: str | None) -> None:
    assert local_path("son-la", path) == "/son-la/can-bo/"


@given(st.text(alphabet="/\\.%:@?#son-la evi\t\n", max_size=30))
def test_whatever_is_asked_the_browser_stays_here(path: str) -> None:
    found = urlsplit(local_path("son-la", path))
    assert not found.scheme
    assert not found.netloc
    assert found.path.startswith("/son-la/")


# --- navigation ---------------------------------------------------------------------------------------------------------------


def test_everybody_sees_what_the_role_opens() -> None:
    def labels(who: Session) -> list[str]:
        return [entry.label for entry in sections_for(who, "/")]

    assert labels(session(roles={Role.OFFICER})) == ["Hàng đợi"]
    assert labels(session(roles={Role.ADMINISTRATOR})) == ["Tài khoản"]
    assert labels(session(roles={Role.CONTROL})) == ["Hàng đợi", "Tiếp nhận PAKN", "Khảo sát", "Báo cáo"]
    assert "Hạn chế" not in labels(session(roles=set(Role)))
    assert "Hạn chế" in labels(session(permissions={READ_SEALED}))


def test_the_current_section_is_marked_once() -> None:
    def current(path: str) -> list[str]:
        return [entry.label for entry in sections_for(session(), path) if entry.current]

    assert current("/son-la/can-bo/noi-dung/1") == ["Hàng đợi"]
    assert current("/son-la/can-bo/phan-loai") == ["Phân loại"]
    assert current("/son-la/bao-cao/2022-q2") == ["Báo cáo"]
    assert current("/son-la/khac") == []


def test_the_bar_carries_the_name_and_a_sign_out_that_is_a_post(tmp_path: Path) -> None:
    (tmp_path / "desk.html").write_text('{% extends "staff.html" %}{% block content %}x{% endblock %}')
    request = Request({"type": "http", "path": "/son-la/can-bo/", "headers": [], "method": "GET", "query_string": b""})
    request.state.session, request.state.csrf = session(name="Lò Văn <Thử>"), "token"
    text = bytes(Templates(tmp_path).page(request, "desk.html", agency=FACE).body).decode()
    assert "Lò Văn &lt;Thử&gt;" in text
    assert 'method="post" action="/son-la/can-bo/dang-xuat"' in text
    assert 'name="csrf" value="token"' in text
    assert 'href="/son-la/can-bo/" aria-current="page"' in text


def test_the_bar_asks_intake_where_its_service_does_not_know_what_waits(tmp_path: Path) -> None:
    (tmp_path / "desk.html").write_text('{% extends "staff.html" %}{% block content %}x{% endblock %}')
    request = Request({"type": "http", "path": "/son-la/can-bo/", "headers": [], "method": "GET", "query_string": b""})

    def page(role: Role, **knowing: Any) -> Response:
        request.state.session = session(roles={role})
        return Templates(tmp_path, **knowing).page(request, "desk.html", agency=FACE)

    asking = page(Role.OFFICE)
    assert 'data-address="/son-la/tiep-nhan/dang-cho"' in bytes(asking.body).decode()
    assert 'data-count="/son-la/tiep-nhan/cho-kiem-tra" hidden' in bytes(asking.body).decode()
    assert "connect-src 'self'" in asking.headers["Content-Security-Policy"]
    for other in (page(Role.OFFICER), page(Role.OFFICE, waiting=lambda _: {HELD: 3})):
        assert b"<script" not in other.body
    assert '<span class="count">3<span class="sr"> đang chờ</span>' in bytes(other.body).decode()


# --- what a service knows of accounts -----------------------------------------------------------------------------------------


def event(sequence: int, *, version: int = 1, disabled: bool = False, username: str = "lan") -> Event[StaffState]:
    return Event[StaffState](
        id=UUID(int=sequence),
        source="routing",
        type="staff.changed.v1",
        subject=f"son-la/{username}",
        time=NOW,
        dataschema="StaffState",
        agency="son-la",
        sequence=sequence,
        data=StaffState(username=username, name="Lan", unit="phong-qlkh", session_version=version, disabled=disabled),
    )


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(params=["motor", "pymongo"])
async def accounts(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncIterator[mongo.Collection]:
    client = mongo.connect(mongodb_url, driver=request.param)
    collection = client["test_auth"][f"staff_{request.param}"]
    await collection.delete_many({})
    yield collection
    await mongo.close(client)


@pytest.mark.stack
async def test_a_raised_version_or_a_disabled_account_revokes(accounts: mongo.Collection) -> None:
    directory = StaffProjection(accounts, cache_seconds=0)
    assert await directory.is_current("son-la", "lan", 1)  # not heard of yet: the event may be on its way
    await directory.apply([event(1)])
    assert await directory.is_current("son-la", "lan", 1)
    await directory.apply([event(2, version=2)])
    assert not await directory.is_current("son-la", "lan", 1)
    assert await directory.is_current("son-la", "lan", 2)
    assert await directory.is_current("bac-kan", "lan", 1)
    await directory.apply([event(3, version=2, disabled=True)])
    assert not await directory.is_current("son-la", "lan", 2)
    assert await directory.of_unit("son-la", "phong-qlkh") == []


@pytest.mark.stack
@pytest.mark.parametrize("batches", [[[3, 1, 2]], [[3], [2], [1]], [[1, 3], [2, 3]], [[1], [1], [2, 1], [3]]])
async def test_order_and_repetition_do_not_matter(accounts: mongo.Collection, batches: Sequence[Sequence[int]]) -> None:
    directory = StaffProjection(accounts, cache_seconds=0)
    for batch in batches:
        await directory.apply([event(n, version=n) for n in batch] + [event(1, username="mai")])
    assert not await directory.is_current("son-la", "lan", 2)
    assert await directory.is_current("son-la", "lan", 3)
    assert [a["username"] for a in await directory.of_unit("son-la", "phong-qlkh")] == ["lan", "mai"]


@pytest.mark.stack
async def test_what_another_process_revoked_is_known_after_the_cache(accounts: mongo.Collection) -> None:
    clock = Clock()
    here, there = StaffProjection(accounts, cache_seconds=3, monotonic=clock), StaffProjection(accounts)
    assert await here.is_current("son-la", "lan", 1)
    await there.apply([event(1, version=2)])
    assert await here.is_current("son-la", "lan", 1)
    clock.seconds = 3.0
    assert not await here.is_current("son-la", "lan", 1)


async def test_a_write_that_fails_for_another_reason_is_not_swallowed() -> None:
    class Refusing:
        async def bulk_write(self, operations: Sequence[UpdateOne], *, ordered: bool) -> None:
            raise BulkWriteError({"writeErrors": [{"index": 0, "code": 121}], "writeConcernErrors": []})

    with pytest.raises(BulkWriteError):
        await StaffProjection(Refusing()).apply([event(1)])  # type: ignore[arg-type]
