"""`POST /api/v1/{agency}/uploads`: a file from a program, kept before the registration or the feedback that will name it."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.responses import Response

from kit.errors import Invalid
from kit.web import read_form
from kit.web.middleware import address_of
from kit.web.problems import ProblemDocument
from services.intake.api import AGENCY
from services.intake.attachments.domain import MB, Allowed, Refused
from services.intake.attachments.usecases import KEPT_FOR, Upload
from services.intake.ratelimits import count_uploads
from services.intake.usecases import Intake

FIELD = "file"
ONE_FILE = "Mỗi lần tải lên đúng một tệp, trong mục `file` của nội dung multipart/form-data, kèm tên tệp."


class UploadAnswer(BaseModel):
    """Tệp đã được kiểm tra và lưu bền vững, chờ phiếu nêu mã của tệp."""

    token: str = Field(description="Mã của tệp, đưa vào `files` của phiếu hoặc của phản ánh, kiến nghị; xin giữ kín")
    name: str
    media_type: str = Field(description="Loại tệp, xác định theo nội dung")
    size: int = Field(description="Dung lượng (byte)")
    sha256: str
    expires_at: datetime = Field(description="Sau thời điểm này mã không dùng được nữa, và tệp chưa có phiếu nào nêu bị xóa")


def router(intake: Intake) -> APIRouter:
    """The route of the programming interface."""
    routes, allowed = APIRouter(), intake.attachments.allowed

    @routes.post(
        "/api/v1/{agency}/uploads",
        status_code=201,
        summary="Tải lên một tệp đính kèm",
        description="Tải tệp lên trước, rồi nêu mã của tệp trong `files` của phiếu đăng ký hoặc của phản ánh, kiến nghị. "
        f"Mỗi phiếu kèm nhiều nhất {allowed.count} tệp, cộng lại không quá {allowed.total // MB} MB.",
        responses={
            201: {"model": UploadAnswer, "description": "Đã lưu"},
            400: {"model": ProblemDocument, "description": "Nội dung không phải multipart/form-data hợp lệ"},
            404: {"model": ProblemDocument, "description": "Không có cơ quan này"},
            413: {"model": ProblemDocument, "description": "Nội dung lớn hơn 20 MiB"},
            415: {"model": ProblemDocument, "description": "Content-Type không phải multipart/form-data"},
            422: {"model": ProblemDocument, "description": "Tệp không được nhận, lý do nêu trong `errors`"},
            429: {"model": ProblemDocument, "description": "Quá nhiều tệp trong thời gian ngắn; xin gửi lại sau Retry-After"},
            503: {"model": ProblemDocument, "description": "Chưa lưu, hoặc chưa kiểm tra được tệp; xin gửi lại sau Retry-After"},
        },
        openapi_extra={
            "parameters": [AGENCY],
            "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _body(allowed)}}},
        },
    )
    async def post_upload(request: Request) -> Response:
        agency = intake.agency(request.path_params["agency"]).code
        count_uploads(intake.limits, address_of(request.scope), 1)
        uploaded = await _the_file(request)
        before = intake.clock()
        try:
            upload = await intake.attachments.upload(agency, uploaded)
        except Refused as error:
            raise Invalid({FIELD: error.sentence}) from None
        return _answer(upload, before + KEPT_FOR)

    return routes


def _body(allowed: Allowed) -> dict[str, Any]:
    file = {
        "type": "string",
        "format": "binary",
        "description": f"Một tệp PDF, DOCX, XLSX, JPG hoặc PNG có tên, không quá {allowed.size // MB} MB",
    }
    return {"type": "object", "required": [FIELD], "properties": {FIELD: file}}


async def _the_file(request: Request) -> UploadFile:
    """Raises `Invalid`, or what `read_form` does."""
    submitted = await read_form(request)
    found = submitted.files.get(FIELD, ())
    if len(found) != 1:
        raise Invalid({FIELD: ONE_FILE})
    return found[0]


def _answer(upload: Upload, expires_at: datetime) -> Response:
    file = upload.file
    answer = UploadAnswer(
        token=upload.token,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        expires_at=expires_at,
    )
    return Response(answer.model_dump_json(), 201, media_type="application/json")
