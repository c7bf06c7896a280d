"""The counter: staff enter a form that came on paper, by mail or by phone, and hand out the slip with its code (D3)."""

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
from kit.web import Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.intake import domain, printing, views
from services.intake.attachments.usecases import Attached
from services.intake.counter import beginning, onwards
from services.intake.formflow import AS_IT_IS, Hindrances, Shown, taken
from services.intake.forms import ENTRY_CHANNELS, EntryForm, entry_key
from services.intake.http import choice_pairs, labels_of, pdf, receipt_context, with_nonce
from services.intake.usecases import Intake, alike, enter, receipt_of

Office = Annotated[Session, Depends(staff(Role.OFFICE))]
_KEPT = ("plan", "dialogue", "channel", "received_on")
"""What the next form has in common with the last one, mostly."""
_HINDRANCES = Hindrances(
    unavailable=(
        "Hệ thống tạm thời gián đoạn nên phiếu chưa được lưu. Nội dung đã nhập vẫn còn: "
        "xin đợi ít giây rồi bấm “Ghi nhận phiếu” lần nữa."
    ),
    no_scanner=(
        "Hệ thống tạm thời chưa kiểm tra được tệp đính kèm nên phiếu chưa được lưu. Nội dung đã nhập vẫn còn: "
        "xin đợi ít phút, chọn lại tệp rồi bấm “Ghi nhận phiếu”, hoặc ghi nhận không kèm tệp."
    ),
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
        """The form, dated now, or going on from the last one: its plan, dialogue, channel and day."""
        values, goes_on = beginning(self._intake.clock(), request.query_params, _KEPT)
        return await self._form(request, self._intake.agency(agency), values, goes_on=goes_on)

    async def submit(self, request: Request, session: Office, agency: str) -> Response:
        """Keep the form, then show its receipt at an address of its own."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)

        async def act(attached: Attached) -> Response:
            typed = submitted.parse(EntryForm)
            if attached.errors:
                raise Invalid(attached.errors)
            submission, entry = typed.submission(typed.plan, attached.files), typed.entry()
            key = entry_key(values["nonce"], domain.payload_hash(submission, entry))
            if typed.anyway is None and (found := await alike(self._intake, agency, key, submission, entry.channel)):
                like = views.alike_rows(found, submission.person)
                return await self._form(request, profile, values, Shown(attached=attached), like=like)
            acting = Acting(agency, session.username, self._intake.clock(), current_trace())
            receipt = await enter(self._intake, acting, key, submission, entry)
            return RedirectResponse(f"/{agency}/tiep-nhan/{receipt.document['_id']}", 303)

        again = partial(self._form, request, profile, values)
        return await taken(self._intake.attachments, agency, submitted, values["nonce"], act, again, _HINDRANCES)

    async def receipt(self, request: Request, session: Office, agency: str, registration: UUID) -> Response:
        """What was kept, what is missing, and the slip to print."""
        profile = self._intake.agency(agency)
        receipt = await receipt_of(self._intake, agency, registration)
        document = receipt.document
        return self._page(
            request,
            profile,
            "entered.html",
            labels=labels_of(profile),
            onwards=onwards(f"/{agency}/tiep-nhan/", document, _KEPT),
            by_phone=document["channel"] == Channel.PHONE,
            staff_name=session.name,
            **receipt_context(profile, receipt),
        )

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
        shown: Shown = AS_IT_IS,
        *,
        like: Sequence[views.AlikeRow] = (),
        goes_on: bool = False,
    ) -> Response:
        plans = await self._intake.announcements.plans(profile.code)
        chosen = {"plan": plans[0].id} if len(plans) == 1 else {}
        return self._page(
            request,
            profile,
            "entry.html",
            status=shown.status,
            headers=shown.headers,
            form=profile.form,
            plans=[(plan.id, f"{plan.state.number}: {plan.state.title}") for plan in plans],
            dialogues=[(d.id, f"Lần {d.state.ordinal} năm {d.state.year}") for plan in plans for d in plan.dialogues],
            channels=[(channel.value, label) for channel, label in ENTRY_CHANNELS.items()],
            labels=labels_of(profile),
            choice_pairs=choice_pairs,
            values=chosen | dict(values),
            errors=shown.errors,
            warning=shown.warning,
            attached=shown.attached,
            allowed=self._intake.attachments.allowed,
            like=like,
            goes_on=goes_on,
            calm=not (shown.errors or like or shown.warning),
        )

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(profile), **context)
