"""The public wording of a question and its answer (of feedback: NĐ 20/2008 art. 19): the office writes and approves it, nothing
is published by itself. Pure.

Personal data must not get there (promise 6): `guarded` points out what looks like it, and only an explicit confirmation passes it
(the telephone of another authority is no secret).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.model import QuestionState
from kit.acting import Acting
from kit.agency import Agency
from kit.clock import local_date
from kit.errors import Conflict, Forbidden, Invalid
from kit.outbox import Change
from kit.personal import personal_in
from services.routing.questions.states import Document, Party, Who, needs_reason, note, state_of

State = QuestionState
PUBLISHABLE = frozenset({State.RESOLVED, State.ANSWERED, State.GUIDED, State.ADOPTED, State.ESCALATED_DONE})
"""Ends with an answer that others may learn from; what was kept out, withdrawn or became feedback is not among them (D6)."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What the public reads."""

    question: str
    answer: str


def is_public(document: Document) -> bool:
    return bool(document.get("public_answer"))


def may_publish(document: Document, who: Who) -> bool:
    """The office, and of feedback the control unit, once the question is answered."""
    return who.is_party(Party.OFFICE, document) and state_of(document) in PUBLISHABLE


def guarded(wording: Wording, person: Mapping[str, str] | None, agency: Agency) -> dict[str, str]:
    """Field → what looks personal in it."""
    contacts = agency.contacts
    public = (contacts.phone, contacts.email, agency.reception.phone, *(unit.email for unit in agency.units))
    texts = {"public_question": wording.question, "public_answer": wording.answer}
    found = {name: personal_in(text, person, public=public) for name, text in texts.items()}
    return {
        name: f"Có thể là thông tin cá nhân: {', '.join(parts)}. Xin bỏ đi, hoặc xác nhận ở cuối trang nếu được công khai."
        for name, parts in found.items()
        if parts
    }


def published(document: Document, acting: Acting, who: Who, wording: Wording) -> Change:
    """Published, or published anew with other words; the day of the first publication stays."""
    _check(document, who)
    if not wording.question or not wording.answer:
        raise Invalid({"public_answer": "Xin ghi lời công khai của câu hỏi và câu trả lời."})
    on = document.get("published_on") or local_date(acting.now).isoformat()
    fields: dict[str, Any] = {"public_question": wording.question, "public_answer": wording.answer, "published_on": on}
    return note(document, acting, "question.published.v1", **fields)


def unpublished(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """Taken back: it leaves the public site as soon as the event arrives there. The day of the first publication stays, since
    the report of that day counted it.
    """
    _check(document, who)
    if not is_public(document):
        raise Conflict("it is not public")
    gone: dict[str, Any] = {"public_question": None, "public_answer": None}
    return note(document, acting, "question.unpublished.v1", reason=needs_reason(reason), **gone)


def _check(document: Document, who: Who) -> None:
    if not who.is_party(Party.OFFICE, document):
        raise Forbidden("publishing is the office's")
    if state_of(document) not in PUBLISHABLE:
        raise Conflict(f"it is {state_of(document)}")
