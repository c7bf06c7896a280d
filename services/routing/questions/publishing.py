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
from kit.feedback import FeedbackGroups
from kit.outbox import Change
from kit.personal import personal_in
from kit.text import bare_words
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


def field_of(document: Document, case: Document, agency: Agency, groups: FeedbackGroups) -> str | None:
    """Under which heading the public finds what stands in no section of the form: feedback, what was first raised at a meeting.

    The field of the unit that dealt with it, or of the procedure concerned, as the form names it where it does; else that which
    the text was taken for; else the content group. None: it stands in a section, or nothing is known.
    """
    if document.get("section_no") is not None:
        return None
    unit = document.get("unit")
    typed = bare_words(case.get("procedure") or "")
    procedure = next((p for p in agency.procedures if typed in (bare_words(p.name), bare_words(p.code))), None)
    for known in (unit, procedure.unit if procedure else None):
        if (section := agency.form.of_unit(known)) is not None:
            return section.label
    if procedure is not None:
        return procedure.field
    fields = [field for field in agency.classification.fields if field.unit == unit]
    proposed = (document.get("proposal") or {}).get("field")
    taken_for = next((field for field in fields if len(fields) == 1 or field.code == proposed), None)
    return (taken_for.name if taken_for else groups.name(case.get("group"))) or None


def published(document: Document, acting: Acting, who: Who, wording: Wording, field: str | None = None) -> Change:
    """Published, or published anew with other words; the day of the first publication stays. `field`: see `field_of`."""
    _check(document, who)
    if not wording.question or not wording.answer:
        raise Invalid({"public_answer": "Xin ghi lời công khai của câu hỏi và câu trả lời."})
    on = document.get("published_on") or local_date(acting.now).isoformat()
    fields: dict[str, Any] = {"public_question": wording.question, "public_answer": wording.answer, "published_on": on}
    fields["public_field"] = field
    return note(document, acting, "question.published.v1", **fields)


def unpublished(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """Taken back: it leaves the public site as soon as the event arrives there. The day of the first publication stays, since
    the report of that day counted it.
    """
    _check(document, who)
    if not is_public(document):
        raise Conflict("it is not public")
    gone: dict[str, Any] = {"public_question": None, "public_answer": None, "public_field": None}
    return note(document, acting, "question.unpublished.v1", reason=needs_reason(reason), **gone)


def _check(document: Document, who: Who) -> None:
    if not who.is_party(Party.OFFICE, document):
        raise Forbidden("publishing is the office's")
    if state_of(document) not in PUBLISHABLE:
        raise Conflict(f"it is {state_of(document)}")
