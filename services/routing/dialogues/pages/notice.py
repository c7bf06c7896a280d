"""The conclusion notice: drafted from the outcomes, edited, signed, numbered, issued (D12)."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.auth import Session
from kit.calendar import Deadline
from kit.clock import local_date
from kit.errors import Conflict, NotFound
from kit.web import Submitted
from services.routing.dialogues import forms, usecases
from services.routing.dialogues.conclusion import NoticeText
from services.routing.dialogues.pages.desk import READERS, Desk, Office, Reader, base, pdf, uploaded

NOTICE_STATUSES = {
    "drafted": "Đang soạn",
    "signed": "Đã ký, chờ số",
    "numbered": "Đã có số, chờ phát hành",
    "issued": "Đã phát hành",
}


def router(desk: Desk) -> APIRouter:
    """`doi-thoai/{id}/ket-luan…`."""
    routes = APIRouter(prefix="/doi-thoai/{dialogue_id}")
    routing = desk.routing

    async def notice_page(
        request: Request,
        session: Session,
        dialogue_id: str,
        form: str = "",
        submitted: Submitted | None = None,
        errors: Any = None,
    ) -> Response:
        dialogue = await desk.dialogue(session.agency, dialogue_id)
        agency = desk.agency(session.agency)
        written = dialogue["conclusion"]
        shown: dict[str, Mapping[str, str]] = {}
        if written:
            text = NoticeText.model_validate(written["text"])
            shown["text"] = forms.notice_values(text, no_conclusion=written["no_conclusion"])
        elif dialogue["held_on"]:
            text = await usecases.draft_notice(routing, session.agency, dialogue)
            shown["text"] = forms.notice_values(text, no_conclusion=False)
        if submitted:
            shown[form] = submitted.values
        due = dialogue["deadlines"].get("conclusion")
        return desk.page(
            request,
            session,
            "notice.html",
            status=422 if errors else 200,
            dialogue=dialogue,
            written=written,
            notice_statuses=NOTICE_STATUSES,
            due=Deadline.model_validate(due) if due else None,
            gaps=await usecases.unrecorded(routing, dialogue) if dialogue["held_on"] and not dialogue["notice"] else None,
            places=range(1, forms.ITEMS + 1),
            require_signed_file=agency.require_signed_file.value,
            allotted=agency.numbering.value == "allotted",
            today=local_date(routing.clock()).isoformat(),
            form=form,
            shown=shown,
            errors=errors or {},
        )

    def again(request: Request, session: Session, dialogue_id: str, form: str) -> Any:
        async def show(submitted: Submitted, errors: Mapping[str, str]) -> Response:
            return await notice_page(request, session, dialogue_id, form, submitted, errors)

        return show

    @routes.get("/ket-luan")
    async def notice(request: Request, dialogue_id: str, session: Reader) -> Response:
        return await notice_page(request, session, dialogue_id)

    @routes.post("/ket-luan")
    async def write(request: Request, dialogue_id: str, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.NoticeForm)
            await usecases.write_notice(
                routing, desk.acting(session), dialogue_id, form.notice(), no_conclusion=form.no_conclusion
            )

        shown_again = again(request, session, dialogue_id, "text")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "ket-luan")

    @routes.post("/ket-luan/ban-ky")
    async def attach(request: Request, dialogue_id: str, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            await usecases.attach_signed_notice(routing, desk.acting(session), dialogue_id, await uploaded(submitted))

        shown_again = again(request, session, dialogue_id, "file")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "ket-luan-ban-ky")

    @routes.post("/ket-luan/so")
    async def number(request: Request, dialogue_id: str, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.NumberForm)
            await usecases.number_notice(routing, desk.acting(session), dialogue_id, form.number, form.signed_on)

        shown_again = again(request, session, dialogue_id, "number")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "ket-luan-so")

    @routes.post("/ket-luan/phat-hanh")
    async def issue(request: Request, dialogue_id: str, session: Office) -> Response:
        async def act(_: Submitted) -> None:
            await usecases.issue_notice(routing, desk.acting(session), dialogue_id)

        shown_again = again(request, session, dialogue_id, "issue")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "ket-luan-phat-hanh")

    @routes.get("/ket-luan.pdf", dependencies=READERS)
    async def paper(agency: str, dialogue_id: str) -> Response:
        dialogue = await desk.dialogue(agency, dialogue_id)
        if dialogue["conclusion"] is None:
            raise NotFound("notice")
        if dialogue["conclusion"]["no_conclusion"]:
            raise Conflict("there is no notice")
        return pdf(await usecases.notice_file(routing, dialogue), "thong-bao-ket-luan.pdf")

    return routes


def _to(session: Session, dialogue_id: str) -> str:
    return f"{base(session)}/doi-thoai/{dialogue_id}/ket-luan"
