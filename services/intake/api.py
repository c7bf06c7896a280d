"""`POST /api/v1/{agency}/registrations`: registrations from programs.

A plain endpoint: FastAPI's body and dependency handling would cost more than the rest of the request. Its OpenAPI
description is made from the same models that check the body.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from contracts.model import Channel, FileRef
from kit.acting import Acting
from kit.errors import Invalid
from kit.web import current_trace
from kit.web.middleware import address_of
from kit.web.problems import PROBLEM_JSON, ProblemDocument
from services.intake.documents import is_full
from services.intake.forms import RegistrationInput, api_key
from services.intake.ratelimits import FORM
from services.intake.usecases import Intake, Receipt, register

_PATH = "/api/v1/{agency}/registrations"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_PROBLEM = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
M = TypeVar("M", bound=BaseModel)


class RegistrationAnswer(BaseModel):
    """Phiếu đã được tiếp nhận và lưu bền vững."""

    case_number: str = Field(description="Số phiếu, dùng khi liên hệ với Sở")
    tracking_code: str = Field(description="Mã tra cứu, chỉ giao cho người đăng ký")
    tracking_url: str = Field(description="Trang tra cứu: nhập mã vào biểu mẫu, không đặt mã vào địa chỉ")
    received_at: datetime
    late: bool = Field(description="Đến sau thời hạn đăng ký; Văn phòng Sở sẽ xem xét và thông báo")
    full: bool = Field(description="Đến khi Hội nghị đã đủ chỗ; nội dung vẫn được trả lời, Văn phòng Sở sẽ báo việc bố trí chỗ")


HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": "Khóa do chương trình gọi tự đặt cho mỗi phiếu; gửi lại cùng khóa, cùng nội dung thì nhận lại đúng kết quả cũ",
}
AGENCY = {
    "name": "agency",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": "son-la",
    "description": "Mã của Sở, như trong địa chỉ trang đăng ký",
}
_EXAMPLE = {
    "plan": "son-la-2026",
    "kind": "individual",
    "person": {"name": "Lò Văn Mẫu", "address": "Tổ 2, phường Mẫu", "phone": "0912 345 678", "email": "mau@nguoi-dan.example"},
    "preferred_way": "email",
    "sections": [{"no": 1, "text": "Hồ sơ đăng ký đề tài cấp tỉnh gồm những giấy tờ gì?"}],
    "consent_version": "2026-01",
}


def router(intake: Intake) -> APIRouter:
    """The routes of the programming interface."""
    routes = APIRouter()

    @routes.post(
        _PATH,
        status_code=201,
        summary="Đăng ký tham gia đối thoại",
        description="Ghi nhận một phiếu đăng ký. Khi có câu trả lời 201 hoặc 200, phiếu đã được lưu bền vững.",
        responses={
            201: {"model": RegistrationAnswer, "description": "Đã tiếp nhận"},
            200: {"model": RegistrationAnswer, "description": "Phiếu đã được tiếp nhận trước đó với cùng khóa và cùng nội dung"},
            400: {"model": ProblemDocument, "description": "Thiếu Idempotency-Key, hoặc nội dung không phải JSON"},
            404: {"model": ProblemDocument, "description": "Không có cơ quan hoặc kế hoạch này"},
            409: {"model": ProblemDocument, "description": "Khóa này đã dùng cho một phiếu có nội dung khác"},
            413: {"model": ProblemDocument, "description": "Nội dung lớn hơn 1 MiB"},
            415: {"model": ProblemDocument, "description": "Content-Type không phải application/json"},
            422: {"model": ProblemDocument, "description": "Có mục chưa đúng, nêu trong `errors`"},
            429: {
                "model": ProblemDocument,
                "description": "Quá nhiều phiếu trong thời gian ngắn; xin gửi lại sau thời gian ở Retry-After",
            },
            503: {"model": ProblemDocument, "description": "Chưa chắc đã lưu; xin gửi lại cùng khóa sau thời gian ở Retry-After"},
        },
        openapi_extra={
            "parameters": [HEADER, AGENCY],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/RegistrationInput"}, "example": _EXAMPLE}
                },
            },
        },
    )
    async def post_registration(request: Request) -> Response:
        key = idempotency_key(request)
        intake.limits.count(FORM, address_of(request.scope))
        body = await body_of(request, RegistrationInput)
        acting = Acting(request.path_params["agency"], "registrant", intake.clock(), current_trace())
        files = await named_files(intake, acting.agency, body.files)
        try:
            receipt = await register(intake, acting, api_key(key), body.submission(files), channel=Channel.API)
        except Invalid as error:
            places = body.places()
            raise Invalid({places.get(name, name): detail for name, detail in error.errors.items()}) from None
        return _answer(intake, acting.agency, receipt)

    return routes


def shorten(app: FastAPI, routes: APIRouter) -> None:
    """Answer POSTs before FastAPI looks for a route and its dependencies: a seventh of the time of a registration."""
    documented = next(route for route in routes.routes if isinstance(route, APIRoute) and route.path == _PATH)

    app.router.routes.insert(0, Route(_PATH, _Short(documented), methods=["POST"]))


class _Short:
    """An ASGI application of one route: Starlette wraps functions once more than its middleware does already."""

    def __init__(self, documented: APIRoute) -> None:
        self._documented = documented

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self._documented  # by which metrics name it
        response: Response = await self._documented.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def describe(app: FastAPI, model: type[BaseModel] = RegistrationInput) -> None:
    """Add to the OpenAPI document what FastAPI does not know: the models of a body that it does not parse itself, and that
    problems are no plain JSON (RFC 9457).
    """
    generate = app.openapi
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document["components"]["schemas"]
        if model.__name__ not in schemas:
            schemas |= schema["$defs"] | {model.__name__: {k: v for k, v in schema.items() if k != "$defs"}}
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            for answer in operation["responses"].values():
                if answer.get("content", {}).get("application/json", {}).get("schema") == _PROBLEM:
                    answer["content"] = {PROBLEM_JSON: {"schema": _PROBLEM}}
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def idempotency_key(request: Request) -> str:
    """The key that the calling program gave. Raises `RequestValidationError`."""
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise RequestValidationError([{"type": "missing", "loc": ("header", "Idempotency-Key"), "msg": "", "input": None}])
    return key


async def named_files(intake: Intake, agency: str, tokens: Sequence[str]) -> tuple[FileRef, ...]:
    """What was uploaded before and is named by its tokens. Raises `NotFound` (agency), `Invalid` and `Unavailable`."""
    return await intake.attachments.named(intake.agency(agency).code, tokens) if tokens else ()


async def body_of(request: Request, model: type[M]) -> M:
    """The JSON body as a `model`. Raises `HTTPException` 415 or `RequestValidationError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415)
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(_in_body(error)) from None


def _in_body(error: ValidationError) -> Sequence[Any]:
    return [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False, include_input=False)]


def _answer(intake: Intake, agency: str, receipt: Receipt) -> Response:
    answer = RegistrationAnswer(
        case_number=receipt.document["case_number"],
        tracking_code=receipt.code,
        tracking_url=f"{intake.settings.public_url}/{agency}/tra-cuu",
        received_at=receipt.document["received_at"],
        late=receipt.document["late"],
        full=is_full(receipt.document),
    )
    return Response(answer.model_dump_json(), 201 if receipt.created else 200, media_type="application/json")
