"""Sealed questions, for those named for it alone (D6): the list shows no text, each opening is logged, a person decides."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.model import QuestionState
from kit.auth import Session
from kit.errors import Invalid
from kit.mongo import Document
from kit.outbox import Change
from kit.web.forms import FormDate, Input, Line, Text, read_form
from services.routing.questions import domain, store, usecases, views, words
from services.routing.questions.pages.attachments import attachments
from services.routing.questions.pages.desk import Desk, NamedReader, page_number, skipped


class _Unseal(Input):
    required = {"reason": "Xin ghi lý do."}

    seen: int
    reason: Text


class _Exclude(Input):
    required = {"kind": "Xin xác định loại nội dung.", "reason": "Xin ghi căn cứ xác định."}

    seen: int
    kind: Line
    reason: Text
    passed_to: Line = ""
    passed_on: FormDate | None = None
    contact: Line = ""
    contact_address: Line = ""
    contact_phone: Line = ""

    def details(self) -> dict[str, str]:
        """What the letter about a denunciation says; one about a complaint takes all from the profile."""
        if self.kind == domain.COMPLAINT:
            return {}
        passed_on = self.passed_on.isoformat() if self.passed_on else ""
        return {**self.model_dump(include={"passed_to", "contact", "contact_address", "contact_phone"}), "passed_on": passed_on}


def router(desk: Desk) -> APIRouter:
    """The routes of this file."""
    routes = APIRouter()

    @routes.get("/han-che")
    async def listed(request: Request, session: NamedReader) -> Response:
        number = page_number(request)
        found = await store.sealed_questions(desk.questions, session.agency, skip=skipped(number), limit=store.PAGE + 1)
        rows = [await _row(desk, question) for question in found[: store.PAGE]]
        return desk.page(request, session, "sealed_list.html", rows=rows, number=number, more=len(found) > store.PAGE)

    @routes.get("/han-che/{question_id}")
    async def opened(request: Request, session: NamedReader, question_id: UUID) -> Response:
        return await _page(desk, request, session, question_id)

    @routes.post("/han-che/{question_id}/mo-lai")
    async def unseal(request: Request, session: NamedReader, question_id: UUID) -> Response:
        who, acting = desk.who(session), desk.acting(session)

        def act(document: Document, form: Any) -> Change:
            return domain.unsealed(document, acting, who, form.reason)

        return await _do(desk, request, session, question_id, _Unseal, act, "mo-lai")

    @routes.post("/han-che/{question_id}/ket-luan")
    async def exclude(request: Request, session: NamedReader, question_id: UUID) -> Response:
        who, acting = desk.who(session), desk.acting(session)

        def act(document: Document, form: Any) -> Change:
            return domain.excluded(document, acting, who, form.kind, form.details(), form.reason)

        return await _do(desk, request, session, question_id, _Exclude, act, "ket-luan")

    return routes


async def _do(
    desk: Desk,
    request: Request,
    session: Session,
    question_id: UUID,
    model: type[Input],
    act: Callable[[Document, Any], Change],
    slug: str,
) -> Response:
    await store.question(desk.questions, session.agency, question_id, sealed=True)
    submitted = await read_form(request)
    try:
        form: Any = submitted.parse(model)
        await usecases.decide(desk.routing, session.agency, question_id, lambda d: act(d, form), seen=form.seen)
    except Invalid as error:
        typed = {"values": dict(submitted.values), "errors": error.errors, "wrong_form": slug}
        return await _page(desk, request, session, question_id, status=422, **typed)
    return desk.to(session, "han-che", slug)


async def _page(
    desk: Desk, request: Request, session: Session, question_id: UUID, *, status: int = 200, **context: Any
) -> Response:
    agency = desk.routing.agencies[session.agency]
    document = await usecases.open_sealed(desk.routing, desk.acting(session), desk.who(session), question_id)
    case = await store.case(desk.cases, session.agency, document["case"])
    openings = await store.openings(desk.routing.database["openings"], session.agency, question_id)
    names = await desk.routing.staff.names(session.agency, {opening["by"] for opening in openings})
    seal, reception = document.get("seal") or {}, agency.reception
    shown: dict[str, Any] = {
        "question": document,
        "state": words.STATES[QuestionState(document["state"])],
        "is_open": document["state"] == QuestionState.SEALED,
        "why": seal.get("why", ""),
        "person": views.person_facts(case, usecases.OFFICE),
        "attachments": await attachments(desk, session, case),
        "timeline": await desk.timeline(session, document["events"]),
        "openings": [(o["at"], names.get(o["by"], o["by"])) for o in openings],
        "wrong_form": "",
        "reception": reception,
        "values": {
            "kind": seal.get("kind", ""),
            "contact": reception.name,
            "contact_address": reception.address,
            "contact_phone": reception.phone,
        },
    }
    return desk.page(request, session, "sealed.html", status=status, **(shown | context))


async def _row(desk: Desk, question: Document) -> dict[str, Any]:
    """A line of the list: ids, dates and state. A denunciation has to be handed over within the profile's days."""
    rule = desk.routing.agencies[question["agency"]].deadlines.denunciation_notice
    calendar = await desk.routing.calendars.of(question["agency"])
    count = calendar.working_days_after if rule.counting == "working" else calendar.calendar_days_after
    return {
        "id": question["_id"],
        "case_number": question["case_number"],
        "state": words.STATES[QuestionState(question["state"])],
        "is_open": question["state"] == QuestionState.SEALED,
        "received_at": question["received_at"],
        "due_on": count(question["received_at"], rule.days, rule="D6").due_on,
    }
