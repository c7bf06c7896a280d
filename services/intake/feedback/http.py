"""Feedback on the public site (K2): the form that is open all year, and its receipt."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.clock import format_date_long
from kit.errors import Invalid, TooMany, Unavailable
from kit.feedback import UNSURE, FeedbackGroups
from kit.web import Submitted, Templates, current_trace, read_form
from kit.web.faces import face_of
from kit.web.middleware import address_of
from services.intake import printing, views
from services.intake.attachments.domain import FIELD
from services.intake.attachments.scanner import SCANNER
from services.intake.attachments.usecases import NOTHING, Attached, file_rows
from services.intake.feedback import domain
from services.intake.feedback import views as feedback_views
from services.intake.feedback.forms import FeedbackForm, web_key
from services.intake.feedback.usecases import FeedbackIntake, receive
from services.intake.http import choice_pairs, with_nonce
from services.intake.ratelimits import ALL_REGISTRATIONS, FORM, count_uploads
from services.intake.usecases import Receipt

PATH = "phan-anh-kien-nghi"
_SEND_AGAIN = "Nội dung Ông/Bà đã nhập vẫn còn trên trang này: xin đợi {wait} rồi bấm “Gửi phản ánh, kiến nghị” lần nữa."
UNAVAILABLE = "Hệ thống tạm thời gián đoạn nên nội dung chưa được ghi nhận. " + _SEND_AGAIN.format(wait="ít giây")
NO_SCANNER = (
    "Hệ thống tạm thời chưa kiểm tra được tệp đính kèm nên nội dung chưa được ghi nhận. Nội dung Ông/Bà đã nhập vẫn còn trên "
    "trang này: xin đợi ít phút, chọn lại tệp rồi bấm “Gửi phản ánh, kiến nghị” lần nữa, hoặc gửi không kèm tệp."
)
TOO_MANY = (
    "Trong thời gian ngắn đã có quá nhiều lượt gửi từ cùng một nơi hoặc với cùng thông tin liên hệ nên lần gửi này chưa được "
    "ghi nhận. " + _SEND_AGAIN
)
TOO_MANY_OF_ALL = "Hệ thống đang nhận rất nhiều lượt gửi cùng lúc nên lần gửi này chưa được ghi nhận. " + _SEND_AGAIN
_RETRY_AFTER = 5
LABELS: Mapping[str, str] = {
    "group": "Nhóm nội dung",
    "text": "Nội dung",
    "procedure": "Thủ tục liên quan",
    "name": "Họ và tên",
    "address": "Địa chỉ",
    "phone": "Điện thoại",
    "email": "Thư điện tử",
    "organisation": "Tên cơ quan, tổ chức",
    "kind": "Tư cách",
    "preferred_way": "Cách nhận thông tin",
    FIELD: "Tệp đính kèm",
    "consent": "Đồng ý",
}
"""Field → its label, in the form's order."""


def router(desk: FeedbackIntake, templates: Templates) -> APIRouter:
    """`/{agency}/phan-anh-kien-nghi`."""
    pages = _Pages(desk, templates)
    routes = APIRouter(prefix="/{agency}", include_in_schema=False)
    routes.get(f"/{PATH}")(pages.form)
    routes.post(f"/{PATH}")(pages.submit)
    return routes


class _Pages:
    """The endpoints."""

    def __init__(self, desk: FeedbackIntake, templates: Templates) -> None:
        self._desk = desk
        self._intake = desk.intake
        self._templates = templates

    async def form(self, request: Request, agency: str) -> Response:
        """The form to fill in."""
        values = {"nonce": secrets.token_urlsafe(16), "group": UNSURE}
        return self._form(request, self._intake.agency(agency), values, {})

    async def submit(self, request: Request, agency: str) -> Response:
        """The form filled in: the answer is the receipt itself, or the form again with everything that was typed."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)
        attached: Attached | None = None
        try:
            self._count(request, submitted)
            attached = await self._intake.attachments.attach(agency, values["nonce"], submitted)
            receipt = await self._receive(profile, submitted, values["nonce"], attached)
        except (TooMany, Invalid, Unavailable) as error:
            if attached is None:
                attached = await self._intake.attachments.recall(agency, values["nonce"], submitted)
            return self._form(request, profile, values, **_in_the_way(error, attached))
        if receipt.document["status"] == "erased":  # the page of a receipt was loaded again
            return RedirectResponse(f"/{agency}/tra-cuu", 303)
        return self._page(request, profile, "feedback_receipt.html", **receipt_context(self._desk.groups, receipt))

    def _count(self, request: Request, submitted: Submitted) -> None:
        limits, address = self._intake.limits, address_of(request.scope)
        limits.count(FORM, address)
        count_uploads(limits, address, len(submitted.files.get(FIELD, ())))

    async def _receive(self, profile: Agency, submitted: Submitted, nonce: str, attached: Attached) -> Receipt:
        try:
            feedback = submitted.parse(FeedbackForm).feedback(attached.files)
        except Invalid as error:
            raise Invalid(_all_errors(profile, submitted, error.errors) | attached.errors) from None
        if attached.errors:
            raise Invalid(domain.check(feedback, consent_version=profile.privacy.version) | attached.errors)
        acting = Acting(profile.code, "registrant", self._intake.clock(), current_trace())
        key = web_key(nonce, domain.payload_hash(feedback))
        return await receive(self._desk, acting, key, feedback, vouching=submitted.vouching)

    def _form(
        self,
        request: Request,
        profile: Agency,
        values: Mapping[str, str],
        errors: Mapping[str, str],
        *,
        status: int = 200,
        warning: str = "",
        retry_after: int = _RETRY_AFTER,
        attached: Attached = NOTHING,
    ) -> Response:
        return self._page(
            request,
            profile,
            "feedback.html",
            status=status,
            headers={"Retry-After": str(retry_after)} if warning else {},
            groups=self._desk.groups,
            unsure=UNSURE,
            web_fields=profile.form.web_fields,
            privacy=profile.privacy,
            labels=LABELS,
            choice_pairs=choice_pairs,
            values=values,
            errors={name if name in LABELS else "": errors[name] for name in sorted(errors, key=_place)},
            warning=warning,
            attached=attached,
            allowed=self._intake.attachments.allowed,
        )

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(profile), **context)


def receipt_context(groups: FeedbackGroups, receipt: Receipt) -> dict[str, Any]:
    """What a receipt of feedback shows, on the public site and at the counter."""
    document = receipt.document
    announced = document["announced"]
    return {
        "document": document,
        "code": receipt.code,
        "channel": feedback_views.CHANNELS[document["channel"]],
        "registrant": printing.registrant(document["person"]),
        "group": "" if document["group_unknown"] else groups.label(document["group"]),
        "forward_by": _in_words(announced["forward_by"]),
        "answer_by": _in_words(announced["answer_by"]),
        "files": file_rows(document.get("files", ())),
    }


def _in_words(day: str | None) -> str:
    return format_date_long(feedback_views.day_of(day)) if day else ""


def _in_the_way(error: TooMany | Invalid | Unavailable, attached: Attached) -> dict[str, Any]:
    """How the form is shown again: what is wrong, or what hinders just now and after how many seconds it is worth another try."""
    if isinstance(error, Invalid):
        return {"errors": error.errors, "status": 422, "attached": attached}
    again = {"errors": attached.errors, "retry_after": error.retry_after, "attached": attached}
    if isinstance(error, TooMany):
        words = TOO_MANY_OF_ALL if error.what == ALL_REGISTRATIONS else TOO_MANY
        return again | {"warning": words.format(wait=views.waiting(error.retry_after)), "status": 429}
    return again | {"warning": NO_SCANNER if SCANNER in error.args else UNAVAILABLE, "status": 503}


def _all_errors(profile: Agency, submitted: Submitted, malformed: Mapping[str, str]) -> dict[str, str]:
    """What is malformed and, among the rest, what is missing: a person corrects a form once, not twice."""
    readable = replace(submitted, lists={n: v for n, v in submitted.lists.items() if n not in malformed}, values={})
    try:
        feedback = readable.parse(FeedbackForm).feedback()
    except Invalid:
        return dict(malformed)
    return domain.check(feedback, consent_version=profile.privacy.version) | dict(malformed)


_ORDER = {name: n for n, name in enumerate(LABELS)}


def _place(name: str) -> int:
    return _ORDER.get(name, -1)
