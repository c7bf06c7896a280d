"""One question: all that is known of it, and every act that this person may do on it."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.model import QuestionState
from kit.auth import Role, Session
from kit.errors import Conflict, Invalid, NotFound
from kit.mongo import Document
from kit.web.forms import read_form
from services.routing.questions import acts, states, store, views, words
from services.routing.questions.acts import DeskAct
from services.routing.questions.pages.desk import SEES_ALL_UNITS, AtDesk, Desk
from services.routing.questions.states import Party
from services.routing.questions.store import Queue

CANDIDATES = 100
"""How many questions are offered to merge another into."""
GOES_OUT_OF_SIGHT = frozenset({"han-che", "chuyen-lai"})
"""After these the question is no longer this person's to see or to work on: back to the queue."""


def router(desk: Desk) -> APIRouter:
    """The routes of this file."""
    routes = APIRouter()

    @routes.get("/noi-dung/{question_id}")
    async def question(request: Request, session: AtDesk, question_id: UUID) -> Response:
        return await _question_page(desk, request, session, await desk.question(session, question_id))

    @routes.get("/noi-dung/{question_id}/{slug}")
    async def act_form(request: Request, session: AtDesk, question_id: UUID, slug: str) -> Response:
        document, act = await desk.question(session, question_id), _act(slug)
        if not act.offered(document, desk.who(session), desk.routing.clock()):
            return desk.to(session, f"noi-dung/{question_id}")
        return await _act_page(desk, request, session, document, act)

    @routes.post("/noi-dung/{question_id}/{slug}")
    async def do_act(request: Request, session: AtDesk, question_id: UUID, slug: str) -> Response:
        document, act = await desk.question(session, question_id), _act(slug)
        submitted = await read_form(request)
        try:
            form = submitted.parse(act.form)
            await act.run(desk.routing, desk.acting(session), desk.who(session), question_id, form)
        except Invalid as error:
            typed = {"values": dict(submitted.values), "errors": error.errors}
            if slug == acts.DRAFT:  # with the buttons that hand the draft on
                return await _question_page(desk, request, session, document, status=422, **typed)
            return await _act_page(desk, request, session, document, act, status=422, **typed)
        except Conflict:
            return await _conflict_page(desk, request, session, question_id, act)
        done = form.then if isinstance(form, acts.DraftForm) and form.then in acts.BY_SLUG else slug
        return desk.to(session, "" if slug in GOES_OUT_OF_SIGHT else f"noi-dung/{question_id}", done)

    return routes


def _act(slug: str) -> DeskAct:
    act = acts.BY_SLUG.get(slug)
    if act is None:
        raise NotFound("act")
    return act


async def _question_page(
    desk: Desk, request: Request, session: Session, document: Document, *, status: int = 200, **context: Any
) -> Response:
    agency, who, now = desk.routing.agencies[session.agency], desk.who(session), desk.routing.clock()
    case = await store.case(desk.cases, session.agency, document["case"])
    offered = acts.offered(document, who, now)
    may_draft = any(act.slug == acts.DRAFT for act in offered)
    draft = acts.draft_values(document)
    shown: dict[str, Any] = {
        "question": document,
        "row": views.row(document, agency, now, case),
        "person": views.person_facts(case, who),
        "feedback": states.is_feedback(document),
        "group": desk.routing.groups.label(case.get("group")),
        "dialogue": "" if states.is_feedback(document) else views.dialogue_name(await desk.dialogue_of(document)),
        "clocks": [{**clock, "due_on": date.fromisoformat(clock["due_on"])} for clock in document["clocks"]],
        "transfers": [{**t, "unit": words.unit_name(agency, t["unit"])} for t in document["transfers"]],
        "timeline": await desk.timeline(session, document["events"]),
        # What hands a draft on stands under the draft: pressing it keeps what was typed.
        "acts": [act for act in offered if act.slug != acts.DRAFT and not (may_draft and act.hands_on)],
        "may_draft": may_draft,
        "then": [act for act in offered if act.hands_on],
        "awaits_leadership": agency.assign_by.value == "leadership"
        and not who.is_party(Party.ASSIGNER, document)
        and states.state_of(document) in states.BEFORE_TRANSFER,
        "draft": draft if document.get("draft") else None,
        "values": draft,
        "opens_case": session.has(*SEES_ALL_UNITS) or (session.has(Role.CONTROL) and states.is_feedback(case)),
    }
    return desk.page(request, session, "question.html", status=status, **(shown | context))


async def _act_page(
    desk: Desk, request: Request, session: Session, document: Document, act: DeskAct, *, status: int = 200, **context: Any
) -> Response:
    shown: dict[str, Any] = {
        "question": document,
        "row": views.row(document, desk.routing.agencies[session.agency], desk.routing.clock()),
        "act": act,
        "units": desk.units(session),
        "candidates": await _candidates(desk, document) if act.fields == "merge" else [],
        "values": act.first(document),
    }
    return desk.page(request, session, "act.html", status=status, **(shown | context))


async def _candidates(desk: Desk, document: Document) -> list[tuple[str, str]]:
    """Open questions of the same section and dialogue, which this one could be answered with."""
    shown = tuple(states.OPEN_STATES - {QuestionState.SEALED, QuestionState.NEW})
    asked = Queue(states=shown, dialogue=document["dialogue"], section=document["section_no"], feedback=False)
    near = await store.queue(desk.questions, document["agency"], asked, limit=CANDIDATES)
    others = [q for q in near if q["_id"] != document["_id"]]
    rows = views.rows(others, desk.routing.agencies[document["agency"]], desk.routing.clock())
    return [(str(row.id), f"{row.case_number}: {row.excerpt}") for row in rows]


async def _conflict_page(desk: Desk, request: Request, session: Session, question_id: UUID, act: DeskAct) -> Response:
    """Somebody else was faster, or the state does not allow it any more: what is there now."""
    document = await desk.question(session, question_id)
    agency = desk.routing.agencies[session.agency]
    return desk.page(
        request,
        session,
        "conflict.html",
        status=409,
        row=views.row(document, agency, desk.routing.clock()),
        label=act.label,
        timeline=await desk.timeline(session, document["events"][-3:]),
    )
