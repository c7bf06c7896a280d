"""What every page of the desk needs: who acts, the agency's face, the question that this person may see, what was just done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from contracts.model import QuestionState
from kit.acting import Acting
from kit.auth import READ_SEALED, Role, Session
from kit.clock import local_date
from kit.errors import Forbidden
from kit.mongo import Document
from kit.tracing import current_trace
from kit.web.faces import face_of
from kit.web.guard import staff
from kit.web.rendering import Templates
from services.routing.context import Routing
from services.routing.dialogues import store as dialogue_store
from services.routing.questions import acts, store, usecases, views
from services.routing.questions.states import Party, Who, is_feedback
from services.routing.questions.store import Queue

State = QuestionState

Anybody = Annotated[Session, Depends(staff())]
AtDesk = Annotated[Session, Depends(staff(Role.OFFICE, Role.OFFICER, Role.HEAD, Role.LEADERSHIP, Role.CONTROL))]
Office = Annotated[Session, Depends(staff(Role.OFFICE))]
OpensCases = Annotated[Session, Depends(staff(Role.OFFICE, Role.LEADERSHIP, Role.CONTROL))]
OfficeOrLeadership = Annotated[Session, Depends(staff(Role.OFFICE, Role.LEADERSHIP))]
NamedReader = Annotated[Session, Depends(staff(permission=READ_SEALED))]

SEES_ALL_UNITS = (Role.OFFICE, Role.LEADERSHIP)

WORKED_ON: dict[Role, tuple[State, ...]] = {
    Role.OFFICE: (State.TRIAGE, State.PROPOSED, State.RETURNED, State.ESCALATED, State.COLLECTING),
    Role.OFFICER: (State.TRANSFERRED, State.SENT_BACK, State.TO_WRITE),
    Role.HEAD: (State.TRANSFERRED, State.AT_HEAD, State.SENT_BACK, State.TO_WRITE),
    Role.LEADERSHIP: (State.SUBMITTED, State.TO_WRITE),
    Role.CONTROL: (State.TRIAGE, State.PROPOSED, State.RETURNED, State.TO_WRITE, State.ESCALATED, State.COLLECTING),
}
"""The queue of each role: what waits for it."""

LISTED = tuple(s for s in State if s not in (State.NEW, State.SEALED, State.EXCLUDED))
"""States that a list may be narrowed to; sealed ones are in none (D6)."""

_DONE = {
    "dua-vao": "Đã đưa phiếu vào Hội nghị; người đăng ký được báo.",
    "phan-anh": "Đã chuyển thành phản ánh, kiến nghị; người đăng ký được báo.",
    "xep": "Đã xếp phiếu vào Hội nghị.",
    "mo-lai": "Nội dung đã trở lại phân loại.",
    "vao-hoi-nghi": "Đã đưa vào Hội nghị đối thoại; người gửi được báo.",
    "nhom": "Đã xếp nhóm nội dung.",
    "ket-luan": "Đã ghi kết luận; văn bản được gửi đến người đăng ký.",
}
_FILTERS = ("trang-thai", "don-vi", "hoi-nghi", "qua-han", "nguon")
FEEDBACK = "pakn"
"""The filter's value for feedback alone."""
_LAST_PAGE = 10_000


class Desk:
    """The parts of routing that pages use."""

    def __init__(self, routing: Routing, templates: Templates) -> None:
        self.routing = routing
        self.questions = routing.questions.collection
        self.cases = routing.cases.collection
        self._templates = templates

    def acting(self, session: Session) -> Acting:
        return Acting(session.agency, session.username, self.routing.clock(), current_trace())

    def who(self, session: Session) -> Who:
        return usecases.who_is(self.routing, session)

    def may_assign(self, session: Session) -> bool:
        """Whether this person transfers questions to units, by the profile's `assign_by`."""
        return self.who(session).is_party(Party.ASSIGNER, {})

    def page(self, request: Request, session: Session, name: str, *, status: int = 200, **context: Any) -> Response:
        """A page of this capability's templates; what was just done is said on top."""
        agency = self.routing.agencies[session.agency]
        shown = {"profile": agency, "flash": _flash(request), **context}
        return self._templates.page(request, f"questions/{name}", agency=face_of(agency), status=status, **shown)

    def to(self, session: Session, path: str, done: str = "") -> Response:
        """After a POST: to a page of the desk, which says what was `done`."""
        mark = f"?da={done}" if done else ""
        return RedirectResponse(f"/{session.agency}/can-bo/{path}{mark}", 303)

    def units(self, session: Session) -> list[tuple[str, str]]:
        """Code and name of the units that are in being today."""
        agency = self.routing.agencies[session.agency]
        return [(u.code, u.name) for u in agency.units_on(local_date(self.routing.clock()))]

    async def timeline(self, session: Session, events: Sequence[Document]) -> list[tuple[datetime, str, str]]:
        """A history in words; members of staff by their names."""
        names = await self.routing.staff.names(session.agency, {event["actor"] for event in events})
        return views.timeline(events, self.routing.agencies[session.agency], names)

    async def dialogues(self, session: Session) -> list[tuple[str, str]]:
        """Id and name of the agency's dialogues."""
        known = await dialogue_store.dialogues(self.routing.dialogues.collection, session.agency)
        return [(d["_id"], views.dialogue_name(d)) for d in known]

    async def dialogue_of(self, document: Document) -> Document | None:
        """The dialogue of a case or a question."""
        if document["dialogue"] is None:
            return None
        return await dialogue_store.dialogue(self.routing.dialogues.collection, document["agency"], document["dialogue"])

    async def question(self, session: Session, question_id: UUID) -> Document:
        """The question, for those it concerns: a sealed one is not found, one that never was this unit's is forbidden."""
        document = await store.question(self.questions, session.agency, question_id)
        if session.has(*SEES_ALL_UNITS) or (session.has(Role.CONTROL) and is_feedback(document)):
            return document
        its_units = {document["unit"], *(transfer["unit"] for transfer in document["transfers"])}
        if session.unit is None or session.unit not in its_units:
            raise Forbidden("another unit's question")
        return document

    def feedback_alone(self, session: Session) -> bool:
        """Whether this person sees feedback and nothing else: the control unit, where it has no other role (K2)."""
        return session.has(Role.CONTROL) and not session.has(*SEES_ALL_UNITS)

    def states_of(self, session: Session) -> list[State]:
        """The states that wait for this person's roles; where the leadership assigns, proposals wait for it."""
        states = [s for role, waiting in WORKED_ON.items() if session.has(role) for s in waiting]
        if session.has(Role.LEADERSHIP) and self.routing.agencies[session.agency].assign_by.value == "leadership":
            states.append(State.PROPOSED)
        return list(dict.fromkeys(states))

    def asked(self, request: Request, session: Session) -> Queue:
        """The queue that the address asks for; units are held to their own."""
        asked = request.query_params
        chosen = [s for s in LISTED if s.value == asked.get("trang-thai")]
        overdue = asked.get("qua-han") == "1"
        return Queue(
            states=chosen or ([] if overdue else self.states_of(session)),
            unit=(asked.get("don-vi") or None) if session.has(*SEES_ALL_UNITS, Role.CONTROL) else (session.unit or "-"),
            dialogue=asked.get("hoi-nghi") or None,
            feedback=True if asked.get("nguon") == FEEDBACK or self.feedback_alone(session) else None,
            overdue_at=self.routing.clock() if overdue else None,
        )


def _flash(request: Request) -> str | None:
    """What was just done, by its code in the address: nothing that stands in the address is shown."""
    code = request.query_params.get("da", "")
    act = acts.BY_SLUG.get(code)
    return _DONE.get(code) or (act.done if act else None)


def carried(request: Request) -> str:
    """The filters as the next page's address carries them."""
    kept = {name: request.query_params[name] for name in _FILTERS if request.query_params.get(name)}
    return request.url.replace(query="").include_query_params(**kept).query


def page_number(request: Request) -> int:
    """The page asked for, from 1."""
    asked = request.query_params.get("trang", "1")
    return max(1, min(int(asked), _LAST_PAGE)) if asked.isascii() and asked.isdigit() else 1


def pages(total: int) -> int:
    """How many pages a list of `total` has; at least one."""
    return max(1, -(-total // store.PAGE))


def skipped(number: int) -> int:
    """How many rows lie before a page."""
    return (number - 1) * store.PAGE


def in_words(states: Sequence[State], words: Any) -> list[tuple[str, str]]:
    """States as the options of a select."""
    return [(s.value, words[s]) for s in states]
