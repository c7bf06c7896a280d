"""How a service faces people: the real ASGI application, asked over HTTP."""

import contextlib
import json
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from datetime import date, time
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal, cast

import httpx
import phonenumbers
import pytest
import structlog
from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, FastAPI, Header, Request
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import BaseLoader, ChoiceLoader, DictLoader
from pydantic import Field, TypeAdapter, ValidationError
from pymongo.errors import AutoReconnect, DuplicateKeyError
from starlette.responses import HTMLResponse, Response

from deploy.local.paths import ROOT
from kit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from kit.metrics import exposition
from kit.web import AgencyFace, Input, Templates, create_app, current_trace, read_form
from kit.web.downloads import download
from kit.web.forms import Email, FormDate, FormTime, Line, Phone, Text, has_control_characters, tidy
from kit.web.middleware import BODY_LIMIT, LARGE_BODY_LIMIT
from kit.web.policy import CONTENT_SECURITY_POLICY, WITH_SCRIPT
from kit.web.problems import problem
from kit.web.rendering import STATIC, format_phone, static_url

SECRET = "Bí mật của Ông Trần Văn Thử <script>alert(1)</script>"
SECRET_KEY = "nguyen_van_a_0912345678_khong_duoc_lap_lai_trong_loi"
FACE = AgencyFace("son-la", "Sở Khoa học và Công nghệ tỉnh Sơn La", phone="0212 3852 345")


class PersonForm(Input):
    required: ClassVar[dict[str, str]] = {"consent": "Xin Ông/Bà đánh dấu đồng ý để Sở được dùng thông tin này."}

    name: Line
    phone: Phone
    email: Email | None = None
    sections: dict[str, Text] = {}
    born: FormDate | None = None
    hour: FormTime | None = None
    kinds: list[Literal["a", "b"]] = []
    consent: Literal["1"]


class Body(Input):
    name: Line
    count: int = Field(1, ge=1)
    sections: dict[str, Text] = {}


ERRORS: dict[str, Exception] = {
    "not-found": NotFound(SECRET),
    "forbidden": Forbidden(SECRET),
    "conflict": Conflict(SECRET),
    "invalid": Invalid({"person.name": "Xin ghi họ tên."}),
    "unavailable": Unavailable(SECRET, retry_after=7),
    "mongo-away": AutoReconnect(SECRET),
    "mongo-bug": DuplicateKeyError(SECRET, 11000),
    "bug": RuntimeError(SECRET),
}

router = APIRouter()


@router.get("/{agency}/hong/{what}")
@router.get("/api/v1/{agency}/hong/{what}")
async def broken(what: str) -> None:
    raise ERRORS[what]


@router.post("/{agency}/phieu")
@router.post("/{agency}/tep/gui")
async def submit(request: Request) -> Response:
    submitted = await read_form(request)
    assert await read_form(request) is submitted
    try:
        parsed = submitted.parse(PersonForm)
    except Invalid as error:
        return Response(json.dumps({"errors": error.errors, "values": dict(submitted.values)}), 422)
    return Response(parsed.model_dump_json(), 200)


@router.post("/api/v1/{agency}/things")
async def create(body: Body, idempotency_key: Annotated[str, Header()]) -> dict[str, str]:
    return {"trace": current_trace(), "name": body.name}


@router.get("/{agency}/giay-moi.pdf")
async def pdf() -> Response:
    return Response(b"%PDF-1.7", media_type="application/pdf")


@router.get("/{agency}/co-chuong-trinh")
async def with_script() -> Response:
    return Response("<p>", media_type="text/html", headers={"Content-Security-Policy": WITH_SCRIPT})


@router.get("/{agency}/tep/tai-ve")
async def saved() -> Response:
    return download(b"%PDF", 'Đơn"\nmoi\u202e;.pdf')


def application(ready: dict[str, bool] | Exception) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    async def is_ready() -> dict[str, bool]:
        if isinstance(ready, Exception):
            raise ready
        return ready

    app = create_app(
        title="Tiếp nhận",
        service="intake",
        settings=SimpleNamespace(session_secure=True),
        lifespan=lifespan,
        ready=is_ready,
        templates=Templates(faces={"son-la": FACE}.get),
        docs=True,
        large_bodies=("/*/tep/*",),
    )
    app.include_router(router)
    return app


def browser(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.fixture(autouse=True)
def captured_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with browser(application({"mongodb": True})) as c:
        yield c


GOOD = {"name": "Trần Thị Thử", "phone": "0912 345 678", "consent": "1"}


# --- operations ---------------------------------------------------------------------------------------------------------------


async def test_health_and_readiness(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]) == (200, {"mongodb": True})


@pytest.mark.parametrize("state", [{"mongodb": True, "kafka": False}, AutoReconnect(SECRET)])
async def test_not_ready_is_503(state: dict[str, bool] | Exception) -> None:
    async with browser(application(state)) as c:
        answer = await c.get("/readyz")
    assert answer.status_code == 503
    assert SECRET not in answer.text


async def test_what_is_not_ready_is_a_metric_as_long_as_it_is_not() -> None:
    state = {"mongodb": True, "indexes": False}
    async with browser(application(state)) as c:
        first = (await c.get("/metrics")).text
        del state["indexes"]
        second = (await c.get("/metrics")).text
    assert 'service_ready{part="mongodb"} 1.0' in first
    assert 'service_ready{part="indexes"} 0.0' in first
    assert 'part="indexes"' not in second
    async with browser(application(AutoReconnect(SECRET))) as c:
        assert 'service_ready{part="check"} 0.0' in (await c.get("/metrics")).text


async def test_metrics_name_routes_never_paths(client: httpx.AsyncClient) -> None:
    await client.get("/son-la/hong/not-found")
    await client.get("/mat-ma-tra-cuu-7GK2")
    await client.request("BREW", "/son-la/phieu")
    metrics = (await client.get("/metrics")).text
    assert 'http_requests_total{method="GET",route="/{agency}/hong/{what}",status="404"}' in metrics
    assert 'route="unmatched",status="404"' in metrics
    assert 'method="other"' in metrics
    assert "7GK2" not in metrics
    assert "BREW" not in metrics
    assert exposition()[1].startswith("text/plain")


# --- headers ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/son-la/khong-co", "/son-la/hong/bug", "/healthz", "/api/v1/son-la/hong/bug", "/static/site.css"]
)
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert len(headers["x-request-id"]) == 32


async def test_pdf_may_be_viewed_but_not_framed(client: httpx.AsyncClient) -> None:
    assert (await client.get("/son-la/giay-moi.pdf")).headers["content-security-policy"] == "frame-ancestors 'none'"


async def test_a_page_runs_scripts_only_where_it_says_so_and_then_ours_alone(client: httpx.AsyncClient) -> None:
    assert "script-src" not in (await client.get("/son-la/khong-co")).headers["content-security-policy"]
    policies = (await client.get("/son-la/co-chuong-trinh")).headers.get_list("content-security-policy")
    assert [policy.partition("script-src ")[2] for policy in policies] == ["'self'; worker-src 'self'; connect-src 'self'"]
    assert "default-src 'none'" in policies[0]


async def test_a_file_of_others_is_saved_and_never_shown(client: httpx.AsyncClient) -> None:
    answer = await client.get("/son-la/tep/tai-ve")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"__n__moi__.pdf\"; filename*=UTF-8''%C4%90%C6%A1n%22%0Amoi%E2%80%AE%3B.pdf"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_pages_are_not_kept_by_browsers_but_hashed_files_are(client: httpx.AsyncClient) -> None:
    assert (await client.get("/son-la/khong-co")).headers["cache-control"] == "no-store"
    hashed = await client.get(static_url("site.css"))
    assert "immutable" in hashed.headers["cache-control"]
    assert "immutable" not in (await client.get("/static/site.css?v=0000")).headers["cache-control"]
    again = await client.get("/static/site.css", headers={"If-None-Match": hashed.headers["etag"]})
    assert again.status_code == 304
    assert (await client.get("/static/..%2Fapp.py")).status_code == 404


PAGES = [
    template
    for folder in ("kit", "services")
    for template in (ROOT / folder).rglob("templates/**/*.html")
    if not template.is_relative_to(ROOT / "services" / "notify" / "templates" / "letters") and template.name != "mail.html"
]
OUR_SCRIPT = re.compile(r"""<script src="\{\{ static_url\('[a-z-]+\.js'\) \}\}"( data-address="[^"]*")? defer></script>""")


def test_the_style_is_small_and_no_page_needs_inline_style_or_script() -> None:
    assert (STATIC / "site.css").stat().st_size <= 28_000
    assert len(PAGES) > 20
    for template in PAGES:
        text = OUR_SCRIPT.sub("", template.read_text(encoding="utf-8"))
        for forbidden in (r"<script", r"<style", r"\sstyle=", r"\son[a-z]+=", r"javascript:", r"\|\s*safe\b", r"autoescape"):
            assert not re.search(forbidden, text), (template, forbidden)


async def test_only_a_page_with_a_script_of_ours_may_load_scripts() -> None:
    pages = Templates()
    pages.environment.globals["proofs"] = SimpleNamespace(
        asked=True, seconds=3600, margin=300, challenge=lambda: "{}", carried=lambda _: ""
    )
    pages.environment.loader = ChoiceLoader(
        [
            DictLoader(
                {
                    "with.html": '{% extends "layout.html" %}{% block content %}{% include "proof.html" %}{% endblock %}',
                    "without.html": '{% extends "layout.html" %}{% block content %}{{ typed }}{% endblock %}',
                }
            ),
            cast(BaseLoader, pages.environment.loader),
        ]
    )
    app = application({"mongodb": True})

    @app.get("/{agency}/trang/{name}")
    async def page(request: Request, name: str) -> Response:
        return pages.page(request, name, agency=FACE, typed='<script src="/static/proof.js"></script>')

    async with browser(app) as c:
        scripted = (await c.get("/son-la/trang/with.html")).headers["content-security-policy"]
        plain = (await c.get("/son-la/trang/without.html")).headers["content-security-policy"]
    assert "script-src 'self'; worker-src 'self'" in scripted
    assert "unsafe" not in scripted
    assert "default-src 'none'" in scripted
    assert plain == CONTENT_SECURITY_POLICY
    assert "script-src" not in plain


async def test_a_script_of_ours_is_served_as_one(client: httpx.AsyncClient) -> None:
    for name in ("proof.js", "altcha-worker.js"):
        answer = await client.get(static_url(name))
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "immutable" in answer.headers["cache-control"]
    assert (STATIC / "proof.js").stat().st_size + (STATIC / "altcha-worker.js").stat().st_size < 12_000


async def test_what_a_form_brings_beside_its_fields_is_in_no_field(client: httpx.AsyncClient) -> None:
    sent = await client.post("/son-la/phieu", data=GOOD | {"altcha": "x" * 10, "trang_web": "http://a.example"})
    assert sent.status_code == 200, "unknown fields are refused, these are known"
    wrong = await client.post("/son-la/phieu", data={"altcha": "abc", "trang_web": "def"})
    assert wrong.status_code == 422
    assert wrong.json()["values"] == {}


@pytest.mark.parametrize("mark", "\u202e \u202d \u2066 \u2067 \u200f \u061c".split())
def test_marks_that_turn_a_line_round_are_left_out(mark: str) -> None:
    assert tidy(f" Lò {mark}Văn{mark} Thử") == "Lò Văn Thử"


async def test_trace_is_taken_over_or_begun(client: httpx.AsyncClient) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    taken = await client.get("/healthz", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert taken.headers["x-request-id"] == trace
    for bad in ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", "rubbish", f"ff-{trace}-00f067aa0ba902b7-01"):
        begun = (await client.get("/healthz", headers={"traceparent": bad})).headers["x-request-id"]
        assert begun not in (trace, "0" * 32)
        assert len(begun) == 32
    said = await client.post(
        "/api/v1/son-la/things",
        json={"name": "A"},
        headers={"Idempotency-Key": "k", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    assert said.json()["trace"] == trace
    assert current_trace() == ""


# --- body limit ---------------------------------------------------------------------------------------------------------------


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 65_536):
        yield b"a" * 65_536


async def upload(size: int) -> AsyncIterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="scan"; filename="a.pdf"\r\n\r\n'
    async for chunk in chunks(size):
        yield chunk
    yield b"\r\n--x--\r\n"


MULTIPART = {"content-type": "multipart/form-data; boundary=x"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_too_large_by_announced_length(client: httpx.AsyncClient) -> None:
    answer = await client.post("/son-la/phieu", content=b"name=" + b"a" * BODY_LIMIT, headers=FORM)
    assert answer.status_code == 413
    assert "quá lớn" in answer.text


async def test_too_large_in_chunks(client: httpx.AsyncClient) -> None:
    page = await client.post("/son-la/phieu", content=chunks(BODY_LIMIT + 65_536), headers=FORM)
    assert page.status_code == 413
    problem_document = await client.post(
        "/api/v1/son-la/things",
        content=chunks(BODY_LIMIT + 65_536),
        headers={"content-type": "application/json", "Idempotency-Key": "k"},
    )
    assert problem_document.status_code == 413
    assert problem_document.headers["content-type"] == "application/problem+json"


async def test_a_refused_body_is_read_to_its_end(client: httpx.AsyncClient) -> None:
    """A proxy that is still sending when the connection closes says 502 and loses the answer."""
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(40):
            sent += 65_536
            yield b"a" * 65_536

    for headers in (FORM, FORM | {"content-length": str(40 * 65_536)}):
        sent = 0
        assert (await client.post("/son-la/phieu", content=body(), headers=headers)).status_code == 413
        assert sent == 40 * 65_536


async def test_upload_addresses_take_more(client: httpx.AsyncClient) -> None:
    file = {"scan": ("phieu.pdf", b"a" * (2 * BODY_LIMIT), "application/pdf")}
    assert (await client.post("/son-la/tep/gui", data=GOOD, files=file)).status_code == 200
    assert (await client.post("/son-la/phieu", data=GOOD, files=file)).status_code == 413
    much = await client.post("/son-la/tep/gui", content=upload(LARGE_BODY_LIMIT), headers=MULTIPART)
    assert much.status_code == 413
    # A form without files is held in memory whole, so it is no larger there than elsewhere.
    typed = await client.post("/son-la/tep/gui", content=b"name=" + b"a" * BODY_LIMIT, headers=FORM)
    assert typed.status_code == 413


# --- errors -------------------------------------------------------------------------------------------------------------------

STATUSES = {
    "not-found": 404,
    "forbidden": 403,
    "conflict": 409,
    "invalid": 422,
    "unavailable": 503,
    "mongo-away": 503,
    "mongo-bug": 500,
    "bug": 500,
}


@pytest.mark.parametrize(("what", "status"), STATUSES.items())
async def test_errors_as_pages_and_as_problem_documents(client: httpx.AsyncClient, what: str, status: int) -> None:
    page = await client.get(f"/son-la/hong/{what}")
    document = await client.get(f"/api/v1/son-la/hong/{what}")
    assert page.status_code == document.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert FACE.name in page.text
    assert document.headers["content-type"] == "application/problem+json"
    body = document.json()
    assert body["status"] == status
    assert {"type", "title", "detail"} <= body.keys()
    assert body["title"] in page.text
    assert "Trần Văn Thử" not in page.text + document.text
    if status == 503:
        assert int(page.headers["retry-after"]) >= 1
    if status == 500:
        assert page.headers["x-request-id"] in page.text


async def test_retry_after_is_what_the_error_says(client: httpx.AsyncClient) -> None:
    assert (await client.get("/son-la/hong/unavailable")).headers["retry-after"] == "7"


async def test_invalid_names_its_fields(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/v1/son-la/hong/invalid")).json()
    assert document["errors"] == [{"pointer": "#/person/name", "detail": "Xin ghi họ tên."}]
    assert "Xin ghi họ tên." in (await client.get("/son-la/hong/invalid")).text


async def test_unexpected_errors_are_logged_with_the_route_not_the_path(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logged:
        await client.get("/son-la/hong/bug")
    (line,) = logged
    assert line == {
        "event": "unexpected_error",
        "log_level": "error",
        "method": "GET",
        "path": "/{agency}/hong/{what}",
        "exc_info": ERRORS["bug"],
    }


async def test_wrong_method_tells_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.get("/son-la/phieu")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_unknown_page_is_courteous_without_a_known_agency(client: httpx.AsyncClient) -> None:
    for path in ("/", "/khong-co", "/khong-co/x"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "Không tìm thấy trang" in answer.text


def test_every_status_has_words() -> None:
    for status in (400, 401, 403, 404, 405, 409, 410, 413, 415, 418, 422, 429, 500, 502, 503):
        found = problem(status)
        assert found.status == status
        assert found.title
        assert found.advice.startswith(("Xin", "Nếu"))


# --- API bodies ---------------------------------------------------------------------------------------------------------------


async def post(client: httpx.AsyncClient, **options: Any) -> httpx.Response:
    return await client.post("/api/v1/son-la/things", **({"headers": {"Idempotency-Key": "k"}} | options))


async def test_wrong_fields_are_pointed_at_and_nothing_is_repeated(client: httpx.AsyncClient) -> None:
    answer = await post(
        client, json={"name": "a\x00" + SECRET, "count": 0, "sections": {SECRET_KEY: 5}, SECRET_KEY: SECRET, "<b>x</b>": 1}
    )
    assert answer.status_code == 422
    errors = {e["pointer"]: e["detail"] for e in answer.json()["errors"]}
    assert errors["#/name"].startswith("Nội dung có ký tự không đọc được")
    assert errors["#/count"] == "Số này nhỏ quá. Xin ghi từ 1 trở lên."
    assert set(errors) == {"#/name", "#/count", "#/sections", "#"}
    for repeated in (SECRET, SECRET_KEY, "Trần", "<b>"):
        assert repeated not in answer.text


async def test_blank_is_absent(client: httpx.AsyncClient) -> None:
    answer = await post(client, json={"name": "  "})
    assert answer.json()["errors"] == [{"pointer": "#/name", "detail": "Mục này còn trống. Xin Ông/Bà điền nội dung."}]


async def test_missing_header_and_broken_json_are_400(client: httpx.AsyncClient) -> None:
    missing = await client.post("/api/v1/son-la/things", json={"name": "A"})
    assert missing.status_code == 400
    assert missing.json()["errors"][0]["parameter"] == "idempotency-key"
    broken_json = await post(client, content=b'{"name": "', headers={"Idempotency-Key": "k", "content-type": "application/json"})
    assert broken_json.status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
async def test_another_kind_of_body_is_415(client: httpx.AsyncClient, kind: str) -> None:
    answer = await post(client, content=b'{"name": "A"}', headers={"Idempotency-Key": "k", "content-type": kind})
    assert answer.status_code == 415
    assert "errors" not in answer.json()


async def test_api_docs_describe_the_operations(client: httpx.AsyncClient) -> None:
    page = await client.get("/api/docs")
    assert page.status_code == 200
    assert "POST /api/v1/{agency}/things" in page.text
    assert "/{agency}/phieu" not in page.text
    assert "idempotency-key" in page.text
    schema = (await client.get("/api/openapi.json")).json()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    assert "ProblemDocument" in schema["components"]["schemas"]


# --- forms --------------------------------------------------------------------------------------------------------------------


async def send(client: httpx.AsyncClient, **fields: str | list[str]) -> httpx.Response:
    return await client.post("/son-la/phieu", data={**GOOD, **fields})


async def test_a_good_form(client: httpx.AsyncClient) -> None:
    answer = await send(
        client,
        name="  Trâ\u0300n Thị Thử ",
        email="thu@hoptacxa.example",
        born="04/5/1990",
        hour="14 giờ 30",
        kinds=["a", "b"],
        csrf="t",
        **{"sections.1": "Dòng một\r\nDòng hai", "sections.2": "   "},
    )
    assert answer.status_code == 200, answer.text
    assert PersonForm.model_validate_json(answer.text) == PersonForm(
        name="Trần Thị Thử",
        phone="+84912345678",
        email="thu@hoptacxa.example",
        born=date(1990, 5, 4),
        hour=time(14, 30),
        kinds=["a", "b"],
        sections={"1": "Dòng một\nDòng hai"},
        consent="1",
    )


async def test_wrong_fields_have_each_a_sentence_and_nothing_typed_is_lost(client: httpx.AsyncClient) -> None:
    typed = {
        "phone": "12",
        "email": "khong phai thu",
        "born": "31/02/1990",
        "hour": "25:61",
        "name": "",
        "consent": "",
        "sections.1": "x" * 10_001,
        "sections.2": "a\x07b",
        "kinds": "c",
    }
    answer = (await send(client, **typed)).json()
    assert answer["values"] == typed
    errors = answer["errors"]
    assert set(errors) == {*typed} - {"kinds"} | {"kinds.0"}
    assert errors["phone"].startswith("Số điện thoại chưa đúng")
    assert errors["email"].startswith("Địa chỉ thư điện tử chưa đúng")
    assert errors["born"].startswith("Ngày chưa đúng")
    assert errors["hour"].startswith("Giờ chưa đúng")
    assert errors["name"].startswith("Mục này còn trống")
    assert errors["consent"] == PersonForm.required["consent"]
    assert "10.000" in errors["sections.1"]
    assert "ký tự không đọc được" in errors["sections.2"]


async def test_the_limit_counts_characters_as_read_not_as_sent(client: httpx.AsyncClient) -> None:
    decomposed = "e\u0302\u0301" * 10_000
    assert (await send(client, **{"sections.1": decomposed})).status_code == 200


async def test_an_unknown_field_is_refused(client: httpx.AsyncClient) -> None:
    errors = (await send(client, role="administrator")).json()["errors"]
    assert set(errors) == {""}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("0912345678", "+84912345678"),
        ("0912.345.678", "+84912345678"),
        ("+84 912 345 678", "+84912345678"),
        ("84912345678", "+84912345678"),
        ("0212 3852 345", "+842123852345"),
        ("(0209) 3870 123", "+842093870123"),
    ],
)
async def test_vietnamese_phone_numbers(client: httpx.AsyncClient, typed: str, kept: str) -> None:
    assert (await send(client, phone=typed)).json()["phone"] == kept


@pytest.mark.parametrize("typed", ["01234567890", "0912 345 67", "chín một hai", "++84", "0" * 500])
async def test_what_is_no_phone_number(client: httpx.AsyncClient, typed: str) -> None:
    assert (await send(client, phone=typed)).status_code == 422


@pytest.mark.parametrize("typed", ["a@b", "a b@c.vn", "@c.vn", "a@c..vn", "a@c.vn,b@c.vn", "a@c.vn\nBcc: x@y.vn", "ông@c.vn"])
async def test_what_is_no_email_address(client: httpx.AsyncClient, typed: str) -> None:
    assert (await send(client, email=typed)).status_code == 422


@given(st.from_regex(r"0[0-9]{2,4}[ .-]?[0-9]{2,4}[ .-]?[0-9]{2,4}", fullmatch=True))
def test_the_short_way_of_a_phone_number_is_the_library_s(typed: str) -> None:
    try:
        number = phonenumbers.parse(typed, "VN")
    except phonenumbers.NumberParseException:  # 00 and a country that is none
        assert _or_refused(Phone, typed) is None
        return
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert _or_refused(Phone, typed) == (expected if phonenumbers.is_valid_number(number) else None)


@given(st.emails() | st.from_regex(r"[a-zA-Z0-9._+-]{1,70}@[a-zA-Z0-9.-]{1,80}", fullmatch=True))
@example(f"{'a' * 65}@c.vn")
@example(f"a@{'b' * 60}.{'b' * 60}.{'b' * 60}.{'b' * 60}.{'b' * 20}.vn")
@example("a@C.VN")
def test_the_short_way_of_an_address_is_the_library_s(typed: str) -> None:
    try:
        expected = validate_email(tidy(typed), check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError:
        expected = None
    assert _or_refused(Email, typed) == expected


def _or_refused(kind: Any, typed: str) -> str | None:
    try:
        return str(TypeAdapter(kind).validate_python(typed))
    except ValidationError:
        return None


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
async def test_a_form_of_another_kind_is_415(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post("/son-la/phieu", content=b"name=A", headers={"content-type": kind})
    assert answer.status_code == 415
    assert "Kiểu dữ liệu không được hỗ trợ" in answer.text


async def test_an_unreadable_multipart_is_400(client: httpx.AsyncClient) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = await client.post("/son-la/phieu", content=b"\xff\xfe rubbish", headers={"content-type": kind})
        assert answer.status_code in (400, 422)


def test_control_characters_are_found_wherever_they_stand() -> None:
    found = {c for c in map(chr, range(0x10000)) if has_control_characters(f"Lò{c}Văn")}
    assert found == {c for c in map(chr, range(0x10000)) if unicodedata.category(c) in ("Cc", "Cs")} - {"\t", "\n"}


@given(st.text(max_size=60))
def test_tidying_twice_changes_nothing(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


# --- pages --------------------------------------------------------------------------------------------------------------------


def test_what_was_typed_is_shown_again_escaped_with_its_error() -> None:
    templates = Templates()
    template = templates.environment.from_string(
        '{% import "macros.html" as ui %}{{ ui.error_summary(errors, {"name": "Họ và tên"}) }}'
        '{{ ui.field("name", "Họ và tên", values, errors, hint="Như trên giấy tờ") }}'
        '{{ ui.field("sections.1", "Mục 1", values, errors, rows=3) }}'
    )
    html = template.render(values={"name": SECRET, "sections.1": "</textarea><b>"}, errors={"name": "Xin ghi họ tên."})
    assert "<script>" not in html
    assert "&lt;/textarea&gt;&lt;b&gt;" in html
    assert 'href="#o-name"' in html
    assert 'aria-describedby="goi-y-name loi-name"' in html
    assert html.count('aria-invalid="true"') == 1
    assert html.count("Xin ghi họ tên.") == 2


def test_an_undefined_name_is_an_error() -> None:
    with pytest.raises(Exception, match="nothing"):
        Templates().environment.from_string("{{ nothing }}").render()


def test_phone_filter() -> None:
    assert format_phone("+84912345678") == "0912 345 678"
    assert format_phone("không có") == "không có"


async def test_flash_and_contacts_stand_in_the_layout() -> None:
    templates = Templates()
    scope = {"type": "http", "path": "/son-la/", "headers": [], "method": "GET", "query_string": b"", "server": ("t", 80)}
    page: HTMLResponse = templates.page(
        Request(scope), "problem.html", agency=FACE, flash="Đã chuyển <1> nội dung.", problem=problem(404)
    )
    text = bytes(page.body).decode()
    assert "Đã chuyển &lt;1&gt; nội dung." in text
    assert "tel:02123852345" in text
    assert 'lang="vi"' in text
    assert 'href="#noi-dung"' in text
