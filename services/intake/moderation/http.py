"""The page on which the office looks at what is held, and the address that renews a form's challenge."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.auth import Role, Session
from kit.errors import Invalid
from kit.mongo import Document
from kit.web import Submitted, Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from kit.web.forms import Input, Line
from kit.web.navigation import HELD
from kit.web.proof import Doubt
from services.intake.moderation.domain import Held
from services.intake.moderation.usecases import release, set_aside
from services.intake.usecases import Intake

Office = Annotated[Session, Depends(staff(Role.OFFICE))]
_SHOWN = 50
_WHY: Mapping[str, tuple[str, str]] = {
    Doubt.NO_PROOF: ("Trình duyệt không chạy phần tự kiểm tra", "neutral"),
    Doubt.TRAP: ("Ô ẩn đã được điền, có thể do máy gửi", "warning"),
    Doubt.WRONG: ("Phần tự kiểm tra không đúng, có thể do máy gửi", "warning"),
    Doubt.SPENT: ("Dùng lại phần tự kiểm tra của phiếu khác, có thể do máy gửi", "warning"),
}
_DONE = {
    "chuyen": "Đã chuyển để phân loại. Phiếu nào vừa được người khác quyết định thì giữ theo quyết định đó.",
    "bo": "Đã đánh dấu là thư rác. Phiếu nào vừa được người khác quyết định thì giữ theo quyết định đó.",
}


class Decision(Input):
    """What the office sends: one to let go, or those chosen to let go or to set aside."""

    one: UUID | None = None
    chosen: list[UUID] = []
    act: Literal["release", "junk"] = "release"
    reason: Line = ""


def router(intake: Intake, templates: Templates) -> APIRouter:
    """`/{agency}/tiep-nhan/cho-kiem-tra` for the office, `/{agency}/thu-thach` for the script of a form."""
    queue = _Queue(intake, templates)
    routes = APIRouter(prefix="/{agency}", include_in_schema=False)
    routes.get("/thu-thach")(queue.challenge)
    routes.get("/tiep-nhan/cho-kiem-tra")(queue.page)
    routes.post("/tiep-nhan/cho-kiem-tra")(queue.decide)
    return routes


class _Queue:
    def __init__(self, intake: Intake, templates: Templates) -> None:
        self._intake = intake
        self._templates = templates

    async def challenge(self, agency: str) -> Response:
        """A new challenge for a form that was open for longer than the first was good."""
        self._intake.agency(agency)
        return Response(self._intake.proofs.challenge(), media_type="application/json")

    async def page(self, request: Request, session: Office, da: str = "") -> Response:
        """What waits, oldest first, and what was set aside as junk."""
        return await self._page(request, session, flash=_DONE.get(da))

    async def decide(self, request: Request, session: Office) -> Response:
        """Let go, or set aside with a reason; then the page with what is left."""
        submitted = await read_form(request)
        try:
            done = await self._decide(session, submitted)
        except Invalid as error:
            chosen = submitted.lists.get("chosen", ())
            return await self._page(request, session, status=422, errors=error.errors, values=submitted.values, chosen=chosen)
        return RedirectResponse(f"/{session.agency}/tiep-nhan/cho-kiem-tra?da={done}", 303)

    async def _decide(self, session: Session, submitted: Submitted) -> str:
        decision = submitted.parse(Decision)
        acting = Acting(session.agency, session.username, self._intake.clock(), current_trace())
        if decision.one is None and decision.act == "junk":
            await set_aside(self._intake, acting, decision.chosen, decision.reason)
            return "bo"
        await release(self._intake, acting, [decision.one] if decision.one else decision.chosen)
        return "chuyen"

    async def _page(
        self, request: Request, session: Session, *, status: int = 200, chosen: Sequence[str] = (), **context: Any
    ) -> Response:
        waiting, junk = [await self._intake.held.listed(session.agency, s, _SHOWN) for s in (Held.WAITING, Held.JUNK)]
        if len(waiting) < _SHOWN:  # all of them, and newer than the last count
            self._intake.waiting[HELD] = {**self._intake.waiting.get(HELD, {}), session.agency: len(waiting)}
        return self._templates.page(
            request,
            "moderation/queue.html",
            agency=face_of(self._intake.agency(session.agency)),
            status=status,
            waiting=waiting,
            junk=junk,
            total=max(self._intake.waiting_in(session.agency).get(HELD, 0), len(waiting)),
            chosen=chosen,
            why=_why,
            junk_days=self._intake.settings.junk_days,
            **context,
        )


def _why(document: Document) -> tuple[str, str]:
    """The doubt in words, and its tone."""
    return _WHY[document["held"]["why"]]
