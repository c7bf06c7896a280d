"""The counter: staff enter a form that came on paper, by mail or by phone, and hand out the slip with its code (D3)."""

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
from kit.web import Submitted, Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.intake import domain, printing
from services.intake.forms import ENTRY_CHANNELS, EntryForm, entry_key
from services.intake.http import choice_pairs, labels_of, pdf, receipt_context, with_nonce
from services.intake.usecases import Intake, Receipt, enter, receipt_of

Office = Annotated[Session, Depends(staff(Role.OFFICE))]
UNAVAILABLE = (
    "Hệ thống tạm thời gián đoạn nên phiếu chưa được lưu. Nội dung đã nhập vẫn còn: "
    "xin đợi ít giây rồi bấm “Ghi nhận phiếu” lần nữa."
)


def router(intake: Intake, templates: Templates) -> APIRouter:
    """`/{agency}/tiep-nhan/…`, for the office alone."""
    routes = APIRouter(prefix="/{agency}/tiep-nhan", include_in_schema=False)
    counter = _Counter(intake, templates)
    routes.get("/")(counter.form)
    routes.post("/")(counter.submit)
    routes.get("/{registration}")(counter.receipt)
    routes.get("/{registration}/phieu-tiep-nhan.pdf")(counter.slip)
    return routes


class _Counter:
    def __init__(self, intake: Intake, templates: Templates) -> None:
        self._intake = intake
        self._templates = templates

    async def form(self, request: Request, session: Office, agency: str) -> Response:  # noqa: ARG002 - the dependency guards
        """The form, dated now."""
        now = local(self._intake.clock())
        values = {
            "nonce": secrets.token_urlsafe(16),
            "received_on": format_date(now.date()),
            "received_time": f"{now:%H:%M}",
            "channel": "paper",
        }
        return await self._form(request, self._intake.agency(agency), values, {})

    async def submit(self, request: Request, session: Office, agency: str) -> Response:
        """Keep the form, then show its receipt at an address of its own."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)
        try:
            receipt = await self._enter(profile, session, submitted, values["nonce"])
        except Invalid as error:
            return await self._form(request, profile, values, error.errors, status=422)
        except Unavailable:
            return await self._form(request, profile, values, {}, status=503, warning=UNAVAILABLE)
        return RedirectResponse(f"/{agency}/tiep-nhan/{receipt.document['_id']}", 303)

    async def _enter(self, profile: Agency, session: Session, submitted: Submitted, nonce: str) -> Receipt:
        typed = submitted.parse(EntryForm)
        submission, entry = typed.submission(typed.plan), typed.entry()
        acting = Acting(profile.code, session.username, self._intake.clock(), current_trace())
        return await enter(self._intake, acting, entry_key(nonce, domain.payload_hash(submission, entry)), submission, entry)

    async def receipt(self, request: Request, session: Office, agency: str, registration: UUID) -> Response:  # noqa: ARG002
        """What was kept, what is missing, and the slip to print."""
        profile = self._intake.agency(agency)
        receipt = await receipt_of(self._intake, agency, registration)
        context = receipt_context(profile, receipt)
        return self._page(request, profile, "entered.html", labels=labels_of(profile), **context)

    async def slip(self, session: Office, agency: str, registration: UUID) -> Response:
        """PHIẾU TIẾP NHẬN."""
        profile = self._intake.agency(agency)
        receipt = await receipt_of(self._intake, agency, registration)
        return pdf(await printing.receipt_slip(self._intake, profile, receipt, received_by=session.name), "phieu-tiep-nhan.pdf")

    async def _form(
        self,
        request: Request,
        profile: Agency,
        values: Mapping[str, str],
        errors: Mapping[str, str],
        *,
        status: int = 200,
        warning: str = "",
    ) -> Response:
        plans = await self._intake.announcements.plans(profile.code)
        chosen = {"plan": plans[0].id} if len(plans) == 1 else {}
        return self._page(
            request,
            profile,
            "entry.html",
            status=status,
            headers={"Retry-After": "5"} if status == 503 else {},
            form=profile.form,
            plans=[(plan.id, f"{plan.state.number}: {plan.state.title}") for plan in plans],
            dialogues=[(d.id, f"Lần {d.state.ordinal} năm {d.state.year}") for plan in plans for d in plan.dialogues],
            channels=[(channel.value, label) for channel, label in ENTRY_CHANNELS.items()],
            labels=labels_of(profile),
            choice_pairs=choice_pairs,
            values=chosen | dict(values),
            errors=errors,
            warning=warning,
        )

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(profile), **context)
