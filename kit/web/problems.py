"""What went wrong, told to whoever asked: a page to a person, problem+json (RFC 9457) to a program under /api/.

Both say what happened, what it means and what to do, and repeat nothing of what was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from kit.errors import Conflict, Forbidden, Invalid, NotFound, Permanent, StaleForm, TooMany, Transient, Unavailable
from kit.logging import get_logger
from kit.mongo import is_transient
from kit.tracing import current_trace
from kit.web.messages import message_for, place
from kit.web.rendering import Templates

API = "/api/"
PROBLEM_JSON = "application/problem+json"


class FieldProblem(BaseModel):
    """One wrong field of a problem document."""

    pointer: str | None = Field(None, description="JSON Pointer into the body, e.g. #/person/phone")
    parameter: str | None = Field(None, description="Name of the header or parameter, where it is not in the body")
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457; sent as application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
    trace: str = Field("", description="Tell us this code when you ask about the answer")


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that is no success. `title` is what happened, `meaning` what it means, `advice` what to do."""

    status: int
    title: str
    meaning: str
    advice: str
    kind: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


_TEXTS = {
    400: (
        "bad-request",
        "Yêu cầu không đọc được",
        "Dữ liệu gửi đến bị thiếu hoặc hỏng nên chưa có gì được ghi nhận.",
        "Xin Ông/Bà quay lại trang trước và gửi lại.",
    ),
    403: (
        "forbidden",
        "Ông/Bà không có quyền mở trang này",
        "Trang hoặc thao tác này dành cho người được giao nhiệm vụ khác; chưa có gì thay đổi.",
        "Nếu công việc cần đến, xin liên hệ quản trị hệ thống của Sở để được cấp quyền.",
    ),
    404: (
        "not-found",
        "Không tìm thấy trang",
        "Địa chỉ này không có, hoặc nội dung không còn ở đây.",
        "Xin Ông/Bà kiểm tra lại địa chỉ, hoặc bắt đầu lại từ trang chủ.",
    ),
    405: (
        "method-not-allowed",
        "Thao tác không dùng được ở địa chỉ này",
        "Trang này không nhận kiểu yêu cầu vừa gửi; chưa có gì thay đổi.",
        "Xin Ông/Bà mở lại trang từ đường dẫn trên trang chủ rồi thao tác lại.",
    ),
    409: (
        "conflict",
        "Nội dung đã thay đổi",
        "Trong lúc Ông/Bà thao tác, nội dung này đã được người khác cập nhật, hoặc không còn ở bước cho phép việc vừa làm.",
        "Xin Ông/Bà mở lại trang để xem tình trạng mới nhất, rồi thực hiện lại nếu còn cần.",
    ),
    413: (
        "too-large",
        "Nội dung gửi quá lớn",
        "Dung lượng vượt quá mức cho phép nên chưa được ghi nhận.",
        "Xin Ông/Bà giảm dung lượng tệp hoặc rút gọn nội dung rồi gửi lại.",
    ),
    415: (
        "unsupported-media-type",
        "Kiểu dữ liệu không được hỗ trợ",
        "Dữ liệu gửi đến không thuộc kiểu mà địa chỉ này nhận, nên chưa được ghi nhận.",
        "Xin Ông/Bà gửi bằng biểu mẫu trên trang; chương trình xin gửi đúng Content-Type nêu trong tài liệu.",
    ),
    422: (
        "invalid",
        "Một số mục chưa đúng",
        "Chưa có gì được ghi nhận vì còn mục cần sửa.",
        "Xin Ông/Bà sửa các mục nêu dưới đây rồi gửi lại.",
    ),
    429: (
        "too-many-requests",
        "Có quá nhiều yêu cầu trong thời gian ngắn",
        "Hệ thống tạm dừng nhận thêm; yêu cầu vừa rồi chưa được thực hiện.",
        "Xin Ông/Bà đợi ít phút rồi thử lại.",
    ),
    500: (
        "internal-error",
        "Hệ thống gặp lỗi",
        "Lỗi này ở phía chúng tôi và đã được ghi lại; yêu cầu vừa rồi có thể chưa được thực hiện.",
        "Xin Ông/Bà thử lại sau ít phút. Nếu vẫn lỗi, xin gọi số điện thoại ở cuối trang và đọc mã sự cố.",
    ),
    503: (
        "unavailable",
        "Hệ thống tạm thời gián đoạn",
        "Một bộ phận của hệ thống đang khởi động lại; yêu cầu vừa rồi có thể chưa được ghi nhận.",
        "Xin Ông/Bà đợi ít giây rồi tải lại trang hoặc gửi lại.",
    ),
}

_STALE_FORM = Problem(
    403,
    "Biểu mẫu đã cũ nên chưa được nhận",
    "Trang này được mở từ trước lần đăng nhập hiện tại; chưa có gì thay đổi.",
    "Xin Ông/Bà quay lại trang trước, sao lại nội dung đã nhập nếu cần, tải lại trang rồi gửi lần nữa.",
    "stale-form",
)


def problem(status: int, *, errors: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] | None = None) -> Problem:
    """The house's words for a status; one that has none is told like 400 or 500."""
    kind, title, meaning, advice = _TEXTS.get(status) or _TEXTS[400 if status < 500 else 500]
    return Problem(status, title, meaning, advice, kind, errors, headers or {})


def problem_for(error: Exception) -> Problem:
    """The problem that an exception stands for."""
    match error:
        case HTTPException():
            return problem(error.status_code, headers=error.headers)
        case RequestValidationError():
            return _request_problem(error)
        case Invalid():
            return problem(422, errors=[{"pointer": _pointer(name.split(".")), "detail": d} for name, d in error.errors.items()])
        case NotFound():
            return problem(404)
        case StaleForm():
            return _STALE_FORM
        case Forbidden():
            return problem(403)
        case Conflict():
            return problem(409)
        case Permanent():
            return problem(400)
        case Unavailable():
            return problem(503, headers={"Retry-After": str(error.retry_after)})
        case TooMany():
            return problem(429, headers={"Retry-After": str(error.retry_after)})
        case Transient():
            return problem(503, headers={"Retry-After": "5"})
        case PyMongoError() if is_transient(error):
            return problem(503, headers={"Retry-After": "5"})
        case _:
            return problem(500)


def _request_problem(error: RequestValidationError) -> Problem:
    """A body that is no JSON and a missing header are 400; a body of another kind is 415; the rest are fields: 422."""
    errors: list[dict[str, str]] = []
    status = 422
    for detail in error.errors():
        source, *rest = detail["loc"]
        if detail["type"] == "json_invalid" or source == "header":
            status = 400
        elif source == "body" and not rest and detail["type"] == "model_attributes_type" and isinstance(error.body, bytes):
            status = 415
        where = [] if detail["type"] == "json_invalid" else place(detail["type"], rest)
        named = {"pointer": _pointer(where)} if source == "body" else {"parameter": ".".join(where)}
        errors.append(named | {"detail": message_for(detail)})
    return problem(status, errors=[] if status == 415 else errors)


def _pointer(parts: Sequence[str]) -> str:
    """JSON Pointer as a URI fragment (RFC 6901)."""
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts if part)


class Answers:
    """Turns an exception into the response, and logs what somebody should look at."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def __call__(self, request: Request, error: Exception) -> Response:
        """The answer to a request that ended in `error`; an exception handler of Starlette's."""
        if isinstance(error, HTTPException) and 300 <= error.status_code < 400:
            return _redirect(error)
        found = problem_for(error)
        if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            event = "unexpected_error" if found.status == HTTPStatus.INTERNAL_SERVER_ERROR else "unavailable"
            get_logger().error(event, method=request.method, path=route_template(request.scope), exc_info=error)
        if request.url.path.startswith(API):
            return self._document(found)
        return self._templates.page(
            request,
            "problem.html",
            status=found.status,
            headers=found.headers,
            agency=self._templates.face_for(request),
            problem=found,
        )

    def _document(self, found: Problem) -> Response:
        body: dict[str, Any] = {
            "type": f"urn:doithoai:problem:{found.kind}",
            "title": found.title,
            "status": found.status,
            "detail": f"{found.meaning} {found.advice}",
            "trace": current_trace(),
        }
        if found.errors:
            body["errors"] = list(found.errors)
        return Response(orjson.dumps(body), found.status, dict(found.headers), PROBLEM_JSON)


def _redirect(error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    return RedirectResponse(headers.pop("Location"), error.status_code, headers)


def route_template(scope: Mapping[str, Any]) -> str:
    """The route's template for metrics and logs, never the path itself, which may hold a token."""
    return getattr(scope.get("route"), "path", None) or "unmatched"
