"""Feedback on the public site (K2): the form that is open all year, and its receipt."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.clock import format_date_long
from kit.errors import Invalid
from kit.feedback import UNSURE, FeedbackGroups
from kit.web import Submitted, Templates, current_trace, read_form
from kit.web.faces import face_of
from kit.web.middleware import address_of
from services.intake import printing, summary
from services.intake.attachments.domain import FIELD
from services.intake.attachments.usecases import Attached, file_rows
from services.intake.feedback import domain
from services.intake.feedback import views as feedback_views
from services.intake.feedback.domain import Feedback
from services.intake.feedback.forms import STEPS, FeedbackForm, web_key
from services.intake.feedback.usecases import FeedbackIntake, check, receive
from services.intake.formflow import AS_IT_IS, Hindrances, Shown, count_step, taken
from services.intake.forms import Step, carried, step_of
from services.intake.http import choice_pairs, with_nonce
from services.intake.usecases import Receipt

PATH = "phan-anh-kien-nghi"
_SEND_AGAIN = "Nội dung Ông/Bà đã nhập vẫn còn trên trang này: xin đợi {wait} rồi bấm gửi lần nữa."
_HINDRANCES = Hindrances(
    unavailable="Hệ thống tạm thời gián đoạn nên nội dung chưa được ghi nhận. " + _SEND_AGAIN.format(wait="ít giây"),
    no_scanner=(
        "Hệ thống tạm thời chưa kiểm tra được tệp đính kèm nên nội dung chưa được ghi nhận. Nội dung Ông/Bà đã nhập vẫn còn "
        "trên trang này: xin đợi ít phút, chọn lại tệp rồi bấm gửi lần nữa, hoặc gửi không kèm tệp."
    ),
    too_many=(
        "Trong thời gian ngắn đã có quá nhiều lượt gửi từ cùng một nơi hoặc với cùng thông tin liên hệ nên lần gửi này chưa "
        "được ghi nhận. " + _SEND_AGAIN
    ),
    too_many_of_all="Hệ thống đang nhận rất nhiều lượt gửi cùng lúc nên lần gửi này chưa được ghi nhận. " + _SEND_AGAIN,
)
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
        return self._form(request, self._intake.agency(agency), {"nonce": secrets.token_urlsafe(16), "group": UNSURE})

    async def submit(self, request: Request, agency: str) -> Response:
        """What a button of the form or of its summary asks for. To what was sent the answer is the receipt itself; wherever
        something is in the way, the form comes again with everything that was typed and uploaded.
        """
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values, step = with_nonce(submitted), step_of(submitted, STEPS)

        async def act(attached: Attached) -> Response:
            if step is Step.CHANGE:
                return self._form(request, profile, values, Shown(attached.errors, attached))
            feedback = _feedback(profile, submitted, attached)
            if step is Step.REVIEW:
                return await self._summary(request, profile, feedback, carried(submitted, values["nonce"]), attached)
            return await self._send(request, profile, feedback, values["nonce"], submitted)

        async def again(shown: Shown) -> Response:
            return self._form(request, profile, values, shown)

        def count() -> None:
            count_step(self._intake.limits, address_of(request.scope), submitted, step)

        attachments = self._intake.attachments
        return await taken(attachments, agency, submitted, values["nonce"], act, again, _HINDRANCES, step=step, count=count)

    async def _summary(
        self, request: Request, profile: Agency, feedback: Feedback, again: Sequence[tuple[str, str]], attached: Attached
    ) -> Response:
        """What was filled in, to be checked; `again`: what the next page sends once more."""
        await check(self._desk, self._acting(profile), feedback)
        return self._page(
            request,
            profile,
            "feedback_summary.html",
            form_address=f"/{profile.code}/{PATH}",
            facts=summary.sender(profile, feedback, LABELS),
            about=summary.about(self._desk.groups, feedback, LABELS),
            text=feedback.text,
            attached=attached,
            consent=profile.privacy.feedback_consent,
            carried=again,
        )

    async def _send(self, request: Request, profile: Agency, feedback: Feedback, nonce: str, submitted: Submitted) -> Response:
        key = web_key(nonce, domain.payload_hash(feedback))
        receipt = await receive(self._desk, self._acting(profile), key, feedback, vouching=submitted.vouching)
        if receipt.document["status"] == "erased":  # the page of a receipt was loaded again
            return RedirectResponse(f"/{profile.code}/tra-cuu", 303)
        return self._page(request, profile, "feedback_receipt.html", **receipt_context(self._desk.groups, receipt))

    def _acting(self, profile: Agency) -> Acting:
        return Acting(profile.code, "registrant", self._intake.clock(), current_trace())

    def _form(self, request: Request, profile: Agency, values: Mapping[str, str], shown: Shown = AS_IT_IS) -> Response:
        return self._page(
            request,
            profile,
            "feedback.html",
            status=shown.status,
            headers=shown.headers,
            groups=self._desk.groups,
            unsure=UNSURE,
            web_fields=profile.form.web_fields,
            privacy=profile.privacy,
            labels=LABELS,
            choice_pairs=choice_pairs,
            values=values,
            errors={name if name in LABELS else "": shown.errors[name] for name in sorted(shown.errors, key=_place)},
            warning=shown.warning,
            attached=shown.attached,
            allowed=self._intake.attachments.allowed,
            resend=shown.resend,
            fresh=request.method == "GET",
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


def _feedback(profile: Agency, submitted: Submitted, attached: Attached) -> Feedback:
    """What was typed and attached. Raises `Invalid` with everything that is wrong with either."""
    try:
        feedback = submitted.parse(FeedbackForm).feedback(attached.files)
    except Invalid as error:
        raise Invalid(_all_errors(profile, submitted, error.errors) | attached.errors) from None
    if attached.errors:
        raise Invalid(domain.check(feedback, consent_version=profile.privacy.version) | attached.errors)
    return feedback


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
