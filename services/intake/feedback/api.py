"""`POST /api/v1/{agency}/feedback`: feedback from programs. A plain endpoint, described as that of registrations is."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from contracts.model import Channel
from kit.acting import Acting
from kit.errors import Invalid
from kit.web import current_trace
from kit.web.middleware import address_of
from kit.web.problems import ProblemDocument
from services.intake.api import AGENCY, HEADER, body_of, idempotency_key, named_files
from services.intake.feedback.forms import FeedbackInput, api_key
from services.intake.feedback.usecases import FeedbackIntake, receive
from services.intake.ratelimits import FORM
from services.intake.usecases import Receipt

_PATH = "/api/v1/{agency}/feedback"


class FeedbackAnswer(BaseModel):
    """Phản ánh, kiến nghị đã được tiếp nhận và lưu bền vững."""

    case_number: str = Field(description="Số tiếp nhận, dùng khi liên hệ với Sở")
    tracking_code: str = Field(description="Mã tra cứu, chỉ giao cho người gửi")
    tracking_url: str = Field(description="Trang tra cứu: nhập mã vào biểu mẫu, không đặt mã vào địa chỉ")
    received_at: datetime


def router(desk: FeedbackIntake) -> APIRouter:
    """The route of the programming interface."""
    routes = APIRouter()

    @routes.post(
        _PATH,
        status_code=201,
        summary="Gửi phản ánh, kiến nghị",
        description="Ghi nhận một phản ánh, kiến nghị. Khi có câu trả lời 201 hoặc 200, nội dung đã được lưu bền vững.",
        responses={
            201: {"model": FeedbackAnswer, "description": "Đã tiếp nhận"},
            200: {"model": FeedbackAnswer, "description": "Đã được tiếp nhận trước đó với cùng khóa và cùng nội dung"},
            400: {"model": ProblemDocument, "description": "Thiếu Idempotency-Key, hoặc nội dung không phải JSON"},
            404: {"model": ProblemDocument, "description": "Không có cơ quan này"},
            409: {"model": ProblemDocument, "description": "Khóa này đã dùng cho nội dung khác"},
            413: {"model": ProblemDocument, "description": "Nội dung lớn hơn 1 MiB"},
            415: {"model": ProblemDocument, "description": "Content-Type không phải application/json"},
            422: {"model": ProblemDocument, "description": "Có mục chưa đúng, nêu trong `errors`"},
            429: {"model": ProblemDocument, "description": "Quá nhiều trong thời gian ngắn; xin gửi lại sau Retry-After"},
            503: {"model": ProblemDocument, "description": "Chưa chắc đã lưu; xin gửi lại cùng khóa sau Retry-After"},
        },
        openapi_extra={
            "parameters": [HEADER, AGENCY],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/FeedbackInput"}}},
            },
        },
    )
    async def post_feedback(request: Request) -> Response:
        key = idempotency_key(request)
        desk.intake.limits.count(FORM, address_of(request.scope))
        body = await body_of(request, FeedbackInput)
        acting = Acting(request.path_params["agency"], "registrant", desk.intake.clock(), current_trace())
        files = await named_files(desk.intake, acting.agency, body.files)
        try:
            receipt = await receive(desk, acting, api_key(key), body.feedback(files), channel=Channel.API)
        except Invalid as error:
            places = body.places()
            raise Invalid({places.get(name, name): detail for name, detail in error.errors.items()}) from None
        return _answer(desk, acting.agency, receipt)

    return routes


def _answer(desk: FeedbackIntake, agency: str, receipt: Receipt) -> Response:
    answer = FeedbackAnswer(
        case_number=receipt.document["case_number"],
        tracking_code=receipt.code,
        tracking_url=f"{desk.intake.settings.public_url}/{agency}/tra-cuu",
        received_at=receipt.document["received_at"],
    )
    return Response(answer.model_dump_json(), 201 if receipt.created else 200, media_type="application/json")
