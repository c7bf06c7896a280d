"""Triage: what the software proposes and why; many questions transferred at once (D5)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.model import QuestionState
from kit.auth import Session
from kit.errors import Forbidden, Invalid, NotFound
from kit.web.forms import Input, Line, read_form
from services.routing.questions import store, usecases, views
from services.routing.questions.pages.desk import Desk, OfficeOrLeadership, carried, page_number, pages, skipped
from services.routing.questions.store import Queue
from services.routing.questions.usecases import Refused

WAITING = (QuestionState.PROPOSED, QuestionState.TRIAGE, QuestionState.RETURNED)


class _Chosen(Input):
    """`ids`: `<question>.<events seen>`; no `unit`: each to the one proposed."""

    ids: list[str] = []
    unit: Line = ""


def router(desk: Desk) -> APIRouter:
    """The routes of this file."""
    routes = APIRouter()

    @routes.get("/phan-loai")
    async def triage(request: Request, session: OfficeOrLeadership) -> Response:
        return await _page(desk, request, session)

    @routes.post("/phan-loai")
    async def transfer(request: Request, session: OfficeOrLeadership) -> Response:
        form = (await read_form(request)).parse(_Chosen)
        chosen = _seen(form.ids)
        if not chosen:
            errors = {"": "Xin đánh dấu ít nhất một nội dung."}
            return await _page(desk, request, session, status=422, errors=errors, values={"unit": form.unit})
        who, acting = desk.who(session), desk.acting(session)
        refused = await usecases.many(
            list(chosen),
            lambda _id: usecases.transfer(desk.routing, acting, who, _id, form.unit or None, seen=chosen[_id]),
        )
        if not refused:
            return desk.to(session, "phan-loai", "chuyen")
        why = [(await _number(desk, session, r.id), _why(r)) for r in refused]
        return await _page(desk, request, session, status=409, refused=why, done=len(chosen) - len(refused))

    return routes


async def _page(desk: Desk, request: Request, session: Session, *, status: int = 200, **context: Any) -> Response:
    agency, now, number = desk.routing.agencies[session.agency], desk.routing.clock(), page_number(request)
    chosen = request.query_params.get("trang-thai", "")
    states = [s for s in WAITING if s.value == chosen] or WAITING
    asked = Queue(states=states, dialogue=request.query_params.get("hoi-nghi") or None)
    found = await store.queue(desk.questions, session.agency, asked, skip=skipped(number))
    total = await store.count(desk.questions, session.agency, asked)
    cases = await store.cases_by_id(desk.cases, session.agency, [q["case"] for q in found])
    counts = await store.counts_by_state(desk.questions, session.agency)
    shown = {
        "rows": views.rows(found, agency, now, cases),
        "tabs": views.tabs(counts, WAITING, chosen),
        "units": desk.units(session),
        "total": total,
        "number": number,
        "pages": pages(total),
        "carried": carried(request),
        "may_assign": desk.may_assign(session),
        "assign_by": agency.assign_by.value,
        "refused": [],
    }
    return desk.page(request, session, "triage.html", status=status, **(shown | context))


def _seen(values: Sequence[str]) -> dict[UUID, int]:
    """The questions that were ticked, with how many events each had on the page. Raises `Invalid`."""
    try:
        return {UUID(_id): int(seen) for _id, _, seen in (value.partition(".") for value in values)}
    except ValueError:
        raise Invalid({"": "Danh sách gửi lên không đọc được. Xin tải lại trang."}) from None


async def _number(desk: Desk, session: Session, question_id: UUID) -> str:
    """The case number of a question; nothing of one that is not to be seen."""
    try:
        return str((await store.question(desk.questions, session.agency, question_id))["case_number"])
    except NotFound:
        return "Một nội dung"


def _why(refused: Refused) -> str:
    match refused.error:
        case Invalid():
            return next(iter(refused.error.errors.values()))
        case Forbidden():
            return "Vai trò của Ông/Bà không được chuyển nội dung này."
        case NotFound():
            return "không còn ở đây."
        case _:
            return "Nội dung vừa được người khác thay đổi, hoặc phiếu đến sau hạn chưa được đưa vào Hội nghị."
