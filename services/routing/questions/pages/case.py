"""One case: all questions of a registration, its letters, where it is placed; and those that came late (D4)."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.model import CaseStatus
from kit.auth import Role, Session
from kit.deadlines import late_notice_due
from kit.errors import Forbidden, Invalid
from kit.mongo import Document
from kit.web.forms import Input, Line, Submitted, Text, read_form
from services.routing.questions import store, usecases, views
from services.routing.questions.pages.attachments import attachments
from services.routing.questions.pages.desk import SEES_ALL_UNITS, Desk, Office, OpensCases, page_number, pages, skipped
from services.routing.questions.states import Party, is_feedback


class _Reason(Input):
    required = {"reason": "Xin ghi lý do."}

    reason: Text


class _ToDialogue(Input):
    required = {"dialogue": "Xin chọn Hội nghị.", "reason": "Xin ghi lý do."}

    dialogue: Line
    reason: Text


class _Group(Input):
    required = {"group": "Xin chọn một nhóm trong danh sách."}

    group: int


class _Place(Input):
    required = {"dialogue": "Xin chọn Hội nghị."}

    dialogue: Line


def router(desk: Desk) -> APIRouter:
    """The routes of this file."""
    routes = APIRouter()

    @routes.get("/phieu/{case_id}")
    async def show(request: Request, session: OpensCases, case_id: UUID) -> Response:
        return await _page(desk, request, session, case_id)

    @routes.post("/phieu/{case_id}/dua-vao")
    async def admit(session: Office, case_id: UUID) -> Response:
        await usecases.admit(desk.routing, desk.acting(session), case_id)
        return desk.to(session, f"phieu/{case_id}", "dua-vao")

    @routes.post("/phieu/{case_id}/phan-anh")
    async def make_feedback(request: Request, session: Office, case_id: UUID) -> Response:
        async def act(form: Submitted) -> None:
            await usecases.case_to_feedback(desk.routing, desk.acting(session), case_id, form.parse(_Reason).reason)

        return await _do(desk, request, session, case_id, "phan-anh", act)

    @routes.post("/phieu/{case_id}/xep")
    async def place(request: Request, session: Office, case_id: UUID) -> Response:
        async def act(form: Submitted) -> None:
            await usecases.place(desk.routing, desk.acting(session), case_id, form.parse(_Place).dialogue)

        return await _do(desk, request, session, case_id, "xep", act)

    @routes.post("/phieu/{case_id}/vao-hoi-nghi")
    async def to_dialogue(request: Request, session: OpensCases, case_id: UUID) -> Response:
        async def act(form: Submitted) -> None:
            typed = form.parse(_ToDialogue)
            who, acting = desk.who(session), desk.acting(session)
            await usecases.to_registration(desk.routing, acting, who, case_id, typed.dialogue, typed.reason)

        return await _do(desk, request, session, case_id, "vao-hoi-nghi", act)

    @routes.post("/phieu/{case_id}/nhom")
    async def group(request: Request, session: OpensCases, case_id: UUID) -> Response:
        async def act(form: Submitted) -> None:
            await usecases.group(desk.routing, desk.acting(session), desk.who(session), case_id, form.parse(_Group).group)

        return await _do(desk, request, session, case_id, "nhom", act)

    @routes.get("/den-sau-han")
    async def late(request: Request, session: Office) -> Response:
        number = page_number(request)
        found = await store.cases_with_status(desk.cases, session.agency, CaseStatus.LATE, skip=skipped(number))
        total = await store.count_cases(desk.cases, session.agency, CaseStatus.LATE)
        rows = [(case, await _told_by(desk, case)) for case in found]
        return desk.page(request, session, "late.html", cases=rows, number=number, pages=pages(total), total=total)

    return routes


async def _do(
    desk: Desk, request: Request, session: Session, case_id: UUID, slug: str, act: Callable[[Submitted], Awaitable[None]]
) -> Response:
    """An act of the case page's forms; what is wrong is said beside its field, with what was typed."""
    submitted = await read_form(request)
    try:
        await act(submitted)
    except Invalid as error:
        typed = {"values": dict(submitted.values), "errors": error.errors}
        return await _page(desk, request, session, case_id, status=422, **typed)
    return desk.to(session, f"phieu/{case_id}", slug)


async def _page(desk: Desk, request: Request, session: Session, case_id: UUID, *, status: int = 200, **context: Any) -> Response:
    agency, now = desk.routing.agencies[session.agency], desk.routing.clock()
    case = await store.case(desk.cases, session.agency, case_id)
    if not (session.has(*SEES_ALL_UNITS) or is_feedback(case)):
        raise Forbidden("no feedback")
    who, groups = desk.who(session), desk.routing.groups
    works_on_feedback = is_feedback(case) and who.is_party(Party.OFFICE, case)
    found = await store.questions_of_case(desk.questions, session.agency, case_id)
    sealed = session.may_read_sealed
    letters = await store.deliveries_of_case(desk.routing.database["deliveries"], session.agency, case_id, sealed=sealed)
    movable = (CaseStatus.OPEN, CaseStatus.LATE, CaseStatus.ADMITTED)
    is_office = session.has(Role.OFFICE)
    shown: dict[str, Any] = {
        "case": case,
        "facts": views.case_facts(case, await desk.dialogue_of(case)),
        "person": views.person_facts(case, who),
        "attachments": await attachments(desk, session, case),
        "rows": views.rows(found, agency, now, {case_id: case}),
        # Beside a name, even their number would say too much to anybody else (D6).
        "withheld": len(set(case["questions"]) - {q["_id"] for q in found}) if sealed else 0,
        "deliveries": views.deliveries(letters),
        "timeline": await desk.timeline(session, await store.history(desk.cases, session.agency, case_id)),
        "may_decide": is_office and case["status"] == CaseStatus.LATE,
        "may_place": is_office and case["status"] in movable,
        "feedback": is_feedback(case),
        "group": groups.label(case.get("group")),
        "groups": [(str(g.no), groups.label(g.no)) for g in groups.groups],
        "may_group": works_on_feedback and case.get("group") is None,
        "may_enter_dialogue": works_on_feedback and case["status"] == CaseStatus.TO_FEEDBACK,
        "dialogues": await desk.dialogues(session),
        "counter": views.counter_links(case, who),
    }
    return desk.page(request, session, "case.html", status=status, **(shown | context))


async def _told_by(desk: Desk, case: Document) -> date | None:
    """The day by which the person is told what becomes of a late registration (D4): as the receipt says; of one that became late
    later, as it is counted now; None where the profile has none.
    """
    if told := case.get("decide_by"):
        return date.fromisoformat(told)
    agency = desk.routing.agencies[case["agency"]]
    due = late_notice_due(agency, await desk.routing.calendars.of(agency.code), case["received_at"])
    return due.due_on if due else None
