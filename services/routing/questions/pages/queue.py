"""The queue of a role, a printable list of it, and the way to a case by its number."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from contracts.model import CaseStatus
from kit.auth import Role, Session
from services.routing.questions import store, views, words
from services.routing.questions.pages.desk import (
    FEEDBACK,
    LISTED,
    SEES_ALL_UNITS,
    WORKED_ON,
    Anybody,
    AtDesk,
    Desk,
    OpensCases,
    carried,
    in_words,
    page_number,
    pages,
    skipped,
)
from services.routing.questions.store import Queue

PRINTED = 1_000
"""Most rows of a printed list; it says when there are more."""


def router(desk: Desk) -> APIRouter:
    """The routes of this file."""
    routes = APIRouter()

    @routes.get("/")
    async def queue(request: Request, session: Anybody) -> Response:
        if not session.has(*WORKED_ON):
            return RedirectResponse(f"/{session.agency}/{_home(session)}", 303)
        return await _queue(desk, request, session)

    @routes.get("/danh-sach")
    async def printable(request: Request, session: AtDesk) -> Response:
        now, asked = desk.routing.clock(), desk.asked(request, session)
        found = await store.queue(desk.questions, session.agency, asked, limit=PRINTED)
        rows = views.rows(found, desk.routing.agencies[session.agency], now)
        total = await store.count(desk.questions, session.agency, asked)
        return desk.page(request, session, "printed.html", rows=rows, total=total, at=now)

    @routes.get("/tim")
    async def search(session: OpensCases, so: str = "") -> Response:
        case = await store.case_numbered(desk.cases, session.agency, so)
        return desk.to(session, f"phieu/{case['_id']}" if case else "?khong-thay=1")

    return routes


async def _queue(desk: Desk, request: Request, session: Session) -> Response:
    agency, now, number = desk.routing.agencies[session.agency], desk.routing.clock(), page_number(request)
    asked = desk.asked(request, session)
    found = await store.queue(desk.questions, session.agency, asked, skip=skipped(number))
    total = await store.count(desk.questions, session.agency, asked)
    cases = await store.cases_by_id(desk.cases, session.agency, [q["case"] for q in found])
    counts = await store.counts_by_state(desk.questions, session.agency, asked.unit, feedback=bool(asked.feedback))
    late_ones = Queue(unit=asked.unit, overdue_at=now, feedback=asked.feedback)
    overdue = await store.count(desk.questions, session.agency, late_ones)
    is_office = session.has(Role.OFFICE)
    return desk.page(
        request,
        session,
        "queue.html",
        rows=views.rows(found, agency, now, cases),
        tabs=views.tabs(counts, desk.states_of(session), request.query_params.get("trang-thai", "")),
        states=in_words(LISTED, words.STATES),
        total=total,
        overdue=overdue,
        late=await store.count_cases(desk.cases, session.agency, CaseStatus.LATE) if is_office else 0,
        units=desk.units(session) if session.has(*SEES_ALL_UNITS, Role.CONTROL) else [],
        dialogues=[] if asked.feedback else await desk.dialogues(session),
        sources=[] if desk.feedback_alone(session) else [(FEEDBACK, "Phản ánh, kiến nghị")],
        chosen=dict(request.query_params),
        number=number,
        pages=pages(total),
        carried=carried(request),
        not_found=request.query_params.get("khong-thay") == "1",
        may_assign=desk.may_assign(session) and session.has(*SEES_ALL_UNITS),
        is_office=is_office or session.has(Role.CONTROL),
    )


def _home(session: Session) -> str:
    """Where those begin who have no queue."""
    if session.has(Role.ADMINISTRATOR):
        return "can-bo/tai-khoan"
    return "can-bo/han-che" if session.may_read_sealed else "bao-cao/"
