"""The counter: staff enter feedback from paper, post or phone, or from the province with its number and day (D3, K2)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from contracts.model import Channel
from kit.acting import Acting
from kit.agency import Agency
from kit.auth import Role, Session
from kit.errors import Invalid
from kit.feedback import UNSURE
from kit.web import Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.intake import printing
from services.intake.attachments.usecases import Attached
from services.intake.counter import beginning, onwards
from services.intake.data_requests.usecases import Forget
from services.intake.feedback import domain
from services.intake.feedback.forms import ENTRY_CHANNELS, ErasureForm, FeedbackEntryForm, entry_key
from services.intake.feedback.http import LABELS, receipt_context
from services.intake.feedback.usecases import ALIKE_WITHIN, FeedbackIntake, alike, enter, erase, receipt_of
from services.intake.feedback.views import CHANNELS
from services.intake.formflow import AS_IT_IS, Hindrances, Shown, taken
from services.intake.http import choice_pairs, pdf, with_nonce
from services.intake.views import AlikeRow, alike_rows

AtCounter = Annotated[Session, Depends(staff(Role.OFFICE, Role.CONTROL))]
_KEPT = ("channel", "received_on")
"""What the next one has in common with the last one, mostly."""
_HINDRANCES = Hindrances(
    unavailable=(
        "Hệ thống tạm thời gián đoạn nên nội dung chưa được lưu. Những gì đã nhập vẫn còn: "
        "xin đợi ít giây rồi bấm “Ghi nhận phản ánh, kiến nghị” lần nữa."
    ),
    no_scanner=(
        "Hệ thống tạm thời chưa kiểm tra được tệp đính kèm nên nội dung chưa được lưu. Những gì đã nhập vẫn còn: "
        "xin đợi ít phút, chọn lại tệp rồi bấm “Ghi nhận phản ánh, kiến nghị”, hoặc ghi nhận không kèm tệp."
    ),
)
_LABELS: Mapping[str, str] = {
    "channel": "Kênh tiếp nhận",
    "received_on": "Ngày nhận",
    "received_time": "Giờ nhận",
    "incoming_number": "Số đến",
    "outside_number": "Số văn bản của cơ quan chuyển đến",
    "outside_due": "Hạn cơ quan chuyển đến giao",
    **LABELS,
    "read_back": "Đọc lại cho người gọi",
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
        """The form, dated now, or going on from the last one: its channel and day."""
        values, goes_on = beginning(self._intake.clock(), request.query_params, _KEPT)
        return await self._form(request, self._intake.agency(agency), {"group": UNSURE, **values}, goes_on=goes_on)

    async def submit(self, request: Request, session: AtCounter, agency: str) -> Response:
        """Keep it, then show its receipt at an address of its own."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)

        async def act(attached: Attached) -> Response:
            typed = submitted.parse(FeedbackEntryForm)
            if attached.errors:
                raise Invalid(attached.errors)
            feedback, entry = typed.feedback(attached.files), typed.entry()
            key = entry_key(values["nonce"], domain.payload_hash(feedback, entry))
            acting = Acting(agency, session.username, self._intake.clock(), current_trace())
            if typed.anyway is None and (found := await alike(self._desk, acting, key, feedback, entry.channel)):
                like = alike_rows(found, feedback.person, CHANNELS)
                return await self._form(request, profile, values, Shown(attached=attached), like=like)
            receipt = await enter(self._desk, acting, key, feedback, entry)
            return RedirectResponse(f"/{agency}/tiep-nhan/phan-anh/{receipt.document['_id']}", 303)

        again = partial(self._form, request, profile, values)
        return await taken(self._intake.attachments, agency, submitted, values["nonce"], act, again, _HINDRANCES)

    async def receipt(self, request: Request, session: AtCounter, agency: str, feedback: UUID) -> Response:
        """What was kept, what is missing, and the slip to print."""
        profile = self._intake.agency(agency)
        receipt = await receipt_of(self._desk, agency, feedback)
        return self._page(
            request,
            profile,
            "feedback_entered.html",
            labels=_LABELS,
            onwards=onwards(f"/{agency}/tiep-nhan/phan-anh", receipt.document, _KEPT),
            by_phone=receipt.document["channel"] == Channel.PHONE,
            staff_name=session.name,
            **receipt_context(self._desk.groups, receipt),
        )

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

    async def _form(
        self,
        request: Request,
        profile: Agency,
        values: Mapping[str, str],
        shown: Shown = AS_IT_IS,
        *,
        like: Sequence[AlikeRow] = (),
        goes_on: bool = False,
    ) -> Response:
        groups = self._desk.groups
        return self._page(
            request,
            profile,
            "feedback_entry.html",
            status=shown.status,
            headers=shown.headers,
            groups=groups.for_staff(),
            web_fields=profile.form.web_fields,
            channels=[(channel.value, label) for channel, label in ENTRY_CHANNELS.items()],
            labels=_LABELS,
            choice_pairs=choice_pairs,
            values=values,
            errors=shown.errors,
            warning=shown.warning,
            attached=shown.attached,
            allowed=self._intake.attachments.allowed,
            like=like,
            alike_days=ALIKE_WITHIN.days,
            goes_on=goes_on,
            calm=not (shown.errors or like or shown.warning),
        )

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(profile), **context)
