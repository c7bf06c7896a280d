"""The counter: staff enter feedback from paper, post or phone, or from the province with its number and day (D3, K2)."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.auth import Role, Session
from kit.clock import format_date, local
from kit.errors import Invalid, Unavailable
from kit.feedback import UNSURE
from kit.web import Submitted, Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.intake import printing
from services.intake.attachments.scanner import SCANNER
from services.intake.attachments.usecases import NOTHING, Attached
from services.intake.data_requests.usecases import Forget
from services.intake.feedback import domain
from services.intake.feedback.forms import ENTRY_CHANNELS, ErasureForm, FeedbackEntryForm, entry_key
from services.intake.feedback.http import LABELS, receipt_context
from services.intake.feedback.usecases import FeedbackIntake, enter, erase, receipt_of
from services.intake.http import choice_pairs, pdf, with_nonce
from services.intake.usecases import Receipt

AtCounter = Annotated[Session, Depends(staff(Role.OFFICE, Role.CONTROL))]
UNAVAILABLE = (
    "Hệ thống tạm thời gián đoạn nên nội dung chưa được lưu. Những gì đã nhập vẫn còn: "
    "xin đợi ít giây rồi bấm “Ghi nhận phản ánh, kiến nghị” lần nữa."
)
NO_SCANNER = (
    "Hệ thống tạm thời chưa kiểm tra được tệp đính kèm nên nội dung chưa được lưu. Những gì đã nhập vẫn còn: "
    "xin đợi ít phút, chọn lại tệp rồi bấm “Ghi nhận phản ánh, kiến nghị”, hoặc ghi nhận không kèm tệp."
)
_LABELS: Mapping[str, str] = {
    "channel": "Kênh tiếp nhận",
    "received_on": "Ngày nhận",
    "received_time": "Giờ nhận",
    "incoming_number": "Số đến",
    "outside_number": "Số văn bản của cấp trên",
    "outside_due": "Hạn cấp trên giao",
    **LABELS,
}


def router(desk: FeedbackIntake, templates: Templates, forget: Forget) -> APIRouter:
    """`/{agency}/tiep-nhan/phan-anh…`, for the office and the control unit."""
    routes = APIRouter(prefix="/{agency}/tiep-nhan/phan-anh", include_in_schema=False)
    counter = _Counter(desk, templates, forget)
    routes.get("")(counter.form)
    routes.post("")(counter.submit)
    routes.get("/xoa")(counter.erasure)
    routes.post("/xoa")(counter.erase)
    routes.get("/{feedback}")(counter.receipt)
    routes.get("/{feedback}/phieu-tiep-nhan.pdf")(counter.slip)
    return routes


class _Counter:
    def __init__(self, desk: FeedbackIntake, templates: Templates, forget: Forget) -> None:
        self._desk = desk
        self._forget = forget
        self._intake = desk.intake
        self._templates = templates

    async def form(self, request: Request, session: AtCounter, agency: str) -> Response:  # noqa: ARG002 - the dependency guards
        """The form, dated now."""
        now = local(self._intake.clock())
        values = {
            "nonce": secrets.token_urlsafe(16),
            "received_on": format_date(now.date()),
            "received_time": f"{now:%H:%M}",
            "channel": "paper",
            "group": UNSURE,
        }
        return self._form(request, self._intake.agency(agency), values, {})

    async def submit(self, request: Request, session: AtCounter, agency: str) -> Response:
        """Keep it, then show its receipt at an address of its own."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)
        attached: Attached | None = None
        try:
            attached = await self._intake.attachments.attach(agency, values["nonce"], submitted)
            receipt = await self._enter(profile, session, submitted, values["nonce"], attached)
        except (Invalid, Unavailable) as error:
            if attached is None:
                attached = await self._intake.attachments.recall(agency, values["nonce"], submitted)
            if isinstance(error, Invalid):
                return self._form(request, profile, values, error.errors | attached.errors, status=422, attached=attached)
            warning = NO_SCANNER if SCANNER in error.args else UNAVAILABLE
            return self._form(request, profile, values, attached.errors, status=503, warning=warning, attached=attached)
        return RedirectResponse(f"/{agency}/tiep-nhan/phan-anh/{receipt.document['_id']}", 303)

    async def _enter(self, profile: Agency, session: Session, submitted: Submitted, nonce: str, attached: Attached) -> Receipt:
        typed = submitted.parse(FeedbackEntryForm)
        if attached.errors:
            raise Invalid(attached.errors)
        feedback, entry = typed.feedback(attached.files), typed.entry()
        acting = Acting(profile.code, session.username, self._intake.clock(), current_trace())
        return await enter(self._desk, acting, entry_key(nonce, domain.payload_hash(feedback, entry)), feedback, entry)

    async def receipt(self, request: Request, session: AtCounter, agency: str, feedback: UUID) -> Response:  # noqa: ARG002
        """What was kept, what is missing, and the slip to print."""
        profile = self._intake.agency(agency)
        context = receipt_context(self._desk.groups, await receipt_of(self._desk, agency, feedback))
        return self._page(request, profile, "feedback_entered.html", labels=_LABELS, **context)

    async def slip(self, session: AtCounter, agency: str, feedback: UUID) -> Response:
        """PHIẾU TIẾP NHẬN."""
        profile = self._intake.agency(agency)
        receipt = await receipt_of(self._desk, agency, feedback)
        paper = await printing.receipt_slip(self._intake, profile, receipt, received_by=session.name)
        return pdf(paper, "phieu-tiep-nhan.pdf")

    async def erasure(self, request: Request, session: AtCounter, agency: str) -> Response:  # noqa: ARG002
        """Where staff name the feedback whose sender asked for the deletion of the data."""
        done = "Đã xóa dữ liệu cá nhân của phản ánh, kiến nghị này." if "xong" in request.query_params else None
        return self._page(request, self._intake.agency(agency), "feedback_erasure.html", flash=done)

    async def erase(self, request: Request, session: AtCounter, agency: str) -> Response:
        """Delete now; it cannot be undone."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        try:
            typed = submitted.parse(ErasureForm)
            acting = Acting(profile.code, session.username, self._intake.clock(), current_trace())
            await erase(self._desk, acting, typed.number, self._forget)
        except Invalid as error:
            shown = {"values": submitted.values, "errors": error.errors}
            return self._page(request, profile, "feedback_erasure.html", status=422, **shown)
        return RedirectResponse(f"/{agency}/tiep-nhan/phan-anh/xoa?xong=1", 303)

    def _form(
        self,
        request: Request,
        profile: Agency,
        values: Mapping[str, str],
        errors: Mapping[str, str],
        *,
        status: int = 200,
        warning: str = "",
        attached: Attached = NOTHING,
    ) -> Response:
        groups = self._desk.groups
        return self._page(
            request,
            profile,
            "feedback_entry.html",
            status=status,
            headers={"Retry-After": "5"} if status == 503 else {},
            groups=groups.for_staff(),
            web_fields=profile.form.web_fields,
            channels=[(channel.value, label) for channel, label in ENTRY_CHANNELS.items()],
            labels=_LABELS,
            choice_pairs=choice_pairs,
            values=values,
            errors=errors,
            warning=warning,
            attached=attached,
            allowed=self._intake.attachments.allowed,
        )

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(profile), **context)
