"""Giấy mời: waves from draft to issue, and the gap list (D9)."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.auth import Session
from kit.clock import local_date
from kit.errors import Conflict, NotFound
from kit.mongo import Document
from kit.web import Submitted
from services.routing.dialogues import agenda, forms, papers, usecases, waves
from services.routing.dialogues.pages.desk import READERS, Desk, Office, Reader, after, base, pdf, uploaded
from services.routing.questions import store as questions_store
from services.routing.questions import views as question_views

SHOWN = 100
"""People on one page of a list; of the gap lists the first so many, with their number."""
WAVE_STATUSES = {"drafted": "Chờ ký", "signed": "Đã ký, chờ số", "numbered": "Đã có số, chờ phát hành", "issued": "Đã phát hành"}
DELIVERIES = {
    "requested": "Đã yêu cầu gửi",
    "queued": "Chờ gửi",
    "deferred": "Đang gửi lại",
    "failed": "Không gửi được",
    "unknown": "Chưa rõ đã đến",
    "held": "Chờ Văn phòng xem xét",
    "to_print": "Chờ in",
    "printed": "Đã in, chưa gửi bưu điện",
    "to_phone": "Chờ gọi điện thoại",
    "returned": "Bị trả lại",
    "skipped": "Không gửi",
    "withdrawn": "Đã rút",
}


def router(desk: Desk) -> APIRouter:
    """`doi-thoai/{id}/giay-moi…`."""
    routes = APIRouter(prefix="/doi-thoai/{dialogue_id}")
    routing = desk.routing

    async def invitations_page(
        request: Request,
        session: Session,
        dialogue_id: str,
        form: str = "",
        submitted: Submitted | None = None,
        errors: Any = None,
        trang: int = 1,
    ) -> Response:
        dialogue = await desk.dialogue(session.agency, dialogue_id)
        agency = desk.agency(session.agency)
        shown: dict[str, Mapping[str, str]] = {
            f"draft-{w['n']}": forms.wave_values(waves.WaveDraft.model_validate(w["draft"])) for w in dialogue["waves"]
        }
        # A further wave begins only when the one before it is out.
        following = len(dialogue["waves"]) + 1 if all(w["status"] == waves.ISSUED for w in dialogue["waves"]) else None
        if following:
            shown[f"draft-{following}"] = forms.wave_values(papers.first_wave(agency, dialogue))
        if submitted:
            shown[form] = submitted.values
        return desk.page(
            request,
            session,
            "invitations.html",
            status=422 if errors else 200,
            dialogue=dialogue,
            following=following,
            wave_statuses=WAVE_STATUSES,
            require_signed_file=agency.require_signed_file.value,
            allotted=agency.numbering.value == "allotted",
            today=local_date(routing.clock()).isoformat(),
            form=form,
            shown=shown,
            errors=errors or {},
            **await _gaps(desk, dialogue, trang),
        )

    @routes.get("/giay-moi")
    async def invitations(request: Request, dialogue_id: str, session: Reader, trang: int = 1) -> Response:
        return await invitations_page(request, session, dialogue_id, trang=trang)

    @routes.post("/giay-moi/{n}")
    async def draft(request: Request, dialogue_id: str, n: int, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            await usecases.draft_wave(routing, desk.acting(session), dialogue_id, n, submitted.parse(forms.WaveForm).draft())

        shown_again = again(request, session, dialogue_id, f"draft-{n}")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "giay-moi")

    @routes.post("/giay-moi/{n}/ban-ky")
    async def attach(request: Request, dialogue_id: str, n: int, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            content = await uploaded(submitted)
            await usecases.attach_signed_invitation(routing, desk.acting(session), dialogue_id, n, content)

        shown_again = again(request, session, dialogue_id, f"file-{n}")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "giay-moi-ban-ky")

    @routes.post("/giay-moi/{n}/so")
    async def number(request: Request, dialogue_id: str, n: int, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.NumberForm)
            await usecases.number_wave(routing, desk.acting(session), dialogue_id, n, form.number, form.signed_on)

        shown_again = again(request, session, dialogue_id, f"number-{n}")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "giay-moi-so")

    @routes.post("/giay-moi/{n}/phat-hanh")
    async def issue(dialogue_id: str, n: int, session: Office) -> Response:
        await usecases.issue_wave(routing, desk.acting(session), dialogue_id, n)
        return after(_to(session, dialogue_id), "giay-moi-phat-hanh")

    @routes.post("/giay-moi/{n}/gui-tiep")
    async def send_on(dialogue_id: str, n: int, session: Office) -> Response:
        await usecases.send_on(routing, desk.acting(session), dialogue_id, n)
        return after(_to(session, dialogue_id), "giay-moi-gui-tiep")

    @routes.get("/giay-moi/{n}.pdf", dependencies=READERS)
    async def paper(agency: str, dialogue_id: str, n: int) -> Response:
        """The signed file where there is one, else the paper as it would be issued now."""
        dialogue = await desk.dialogue(agency, dialogue_id)
        wave = waves.find(dialogue, n)
        if wave is None:
            raise NotFound("wave")
        if dialogue["starts_at"] is None:
            raise Conflict("the meeting has no date")
        return pdf(await usecases.invitation_file(routing, dialogue, wave), f"giay-moi-{n}.pdf")

    def again(request: Request, session: Session, dialogue_id: str, form: str) -> Any:
        async def show(submitted: Submitted, errors: Mapping[str, str]) -> Response:
            return await invitations_page(request, session, dialogue_id, form, submitted, errors)

        return show

    return routes


def _to(session: Session, dialogue_id: str) -> str:
    return f"{base(session)}/doi-thoai/{dialogue_id}/giay-moi"


async def _gaps(desk: Desk, dialogue: Document, trang: int) -> dict[str, Any]:
    """The gap list: who should have been invited and was not, and whom no delivery proves to have been reached."""
    routing = desk.routing
    agency = dialogue["agency"]
    cases = await questions_store.cases_of_dialogue(routing.cases.collection, agency, dialogue["_id"])
    questions = await questions_store.questions_of_dialogue(routing.questions.collection, agency, dialogue["_id"])
    ids = [case["_id"] for case in cases]
    known = await questions_store.deliveries_of_cases(routing.database["deliveries"], agency, ids)
    invitations = {case: [d for d in rows if d["kind"] == "invitation"] for case, rows in known.items()}
    missed = agenda.missed(dialogue, cases, questions)
    unverified = agenda.unverified(cases, invitations)
    invited = [case for case in agenda.in_order(cases) if case["invited_on"]]
    pages = max(1, -(-len(invited) // SHOWN))
    page = min(max(trang, 1), pages)
    due = dialogue["deadlines"].get("invitation")
    return {
        "missed": missed[:SHOWN],
        "to_invite": len(missed),
        "unverified": [(case, DELIVERIES.get(s, s)) for case, s in unverified[:SHOWN]],
        "unreached": len(unverified),
        "invited": invited[(page - 1) * SHOWN : page * SHOWN],
        "invited_count": len(invited),
        "participation": question_views.participation,
        "replies": agenda.replies(dialogue, invited),
        "reply_words": question_views.reply_words,
        "page": page,
        "pages": pages,
        "invitation_due": due,
        "is_past_due": bool(due) and local_date(routing.clock()).isoformat() > due["due_on"],
    }
