"""Feedback as intake stores it, and what its events make of it. Pure.

The document has the fields of `FeedbackState`, and beside them those that a registration has for the same purposes
(services/intake/documents.py): `payload_hash`, `code_hash`, `alike`, `unrouted`; and `announced`, the days that its receipt
names. `files` and `read_back` only where given.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import Payload
from contracts.letters import FeedbackReceiptFields
from contracts.model import CaseSource, FeedbackState, LetterKind, LetterState, Recipient
from kit.calendar import Deadline
from kit.letters import letter_id
from kit.outbox import Change
from services.intake.documents import LETTER, first_person, if_given, later_letter, letter_ways
from services.intake.feedback.domain import Feedback, FeedbackEntry

Document = dict[str, Any]
RECEIVED = "feedback.received.v1"
NO_PLAN = ""
TITLE = "Phản ánh, kiến nghị"
"""What its one section is called where it is treated as a form."""


def feedback_fields(
    feedback: Feedback,
    entry: FeedbackEntry,
    *,
    case_number: str,
    recorded_at: datetime,
    unsure_counts_as: int,
    incomplete: tuple[str, ...],
    forward_by: Deadline | None,
    answer_by: Deadline | None,
) -> Document:
    """What the document holds beside its identity, hashes and events."""
    return {
        "case_number": case_number,
        "channel": entry.channel,
        "received_at": entry.received_at,
        "recorded_at": recorded_at,
        "incoming_number": entry.incoming_number,
        "kind": feedback.kind,
        "person": feedback.person.model_dump(),
        "preferred_way": feedback.preferred_way,
        "group": feedback.group or unsure_counts_as,
        "group_unknown": feedback.group is None,
        "procedure": feedback.procedure,
        "text": feedback.text,
        "consent_version": feedback.consent_version,
        "incomplete": list(incomplete),
        "outside_number": entry.outside_number,
        "outside_due": entry.outside_due.isoformat() if entry.outside_due else None,
        "status": "received",
        "steps": [{"n": 1, "at": entry.received_at, "known_at": recorded_at, "state": "received"}],
        "announced": {"forward_by": _day(forward_by), "answer_by": _day(answer_by)},
        "unrouted": recorded_at,
        **if_given(feedback.files, entry),
    }


def as_sheet(document: Mapping[str, Any]) -> Document:
    """Feedback as a form of one section, of no plan, as routing takes it over: so what its sender does afterwards is what a
    registrant does (after/domain.py).
    """
    text = document.get("text", "")
    section = {"no": 1, "title": TITLE, "text": text, "additions": document.get("additions") or []}
    return {
        **document,
        "source": CaseSource.FEEDBACK,
        "plan": NO_PLAN,
        "dialogue": None,
        "late": False,
        "sections": [section] if text.strip() else [],
        "incomplete": ["sections" if name == "text" else name for name in document["incomplete"]],
    }


def as_stored(change: Change) -> Change:
    """What was changed of that form, as feedback keeps it."""
    fields = {name: value for name, value in change.set.items() if name not in ("sections", "withdrawn_sections")}
    for section in change.set.get("sections", ()):
        fields |= {"text": section["text"], "additions": section.get("additions", [])}
    if "incomplete" in fields:
        fields["incomplete"] = ["text" if name == "sections" else name for name in fields["incomplete"]]
    if fields.get("status") == "erased":
        fields["procedure"] = ""
    return replace(change, set=fields)


def _day(due: Deadline | None) -> str | None:
    return due.due_on.isoformat() if due else None


def letter_key(document: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """Feedback has one receipt; a later letter is named by the event that asked for it."""
    if "letter" in entry["changes"]:
        return f"feedback/{document['_id']}/{entry['changes']['letter']}/{entry['n']}"
    return f"feedback/{document['_id']}/{LetterKind.FEEDBACK_RECEIPT}"


def subject(document: Document, entry: Document) -> str:
    """The aggregate that an event is about: the feedback, or a letter asked for with it."""
    if entry["type"] == LETTER:
        return str(letter_id(document["agency"], letter_key(document, entry)))
    return str(document["_id"])


def renderer(code_of: Callable[[UUID], str]) -> Callable[[Document, Document], Payload]:
    """What its events carry; `code_of` gives the tracking code, which only the receipt shows."""

    def render(document: Document, entry: Document) -> Payload:
        if entry["type"] == LETTER:
            if "letter" in entry["changes"]:
                return later_letter(document, entry, letter_key(document, entry))
            return _receipt(document, entry, code_of(document["_id"]))
        return FeedbackState.model_validate(document)

    return render


def _receipt(document: Document, entry: Document, code: str) -> LetterState:
    person = first_person(document)
    ways, reason = letter_ways(document)
    fields = FeedbackReceiptFields(
        registrant=document["kind"],
        source=CaseSource.FEEDBACK,
        received_at=document["received_at"],
        channel=document["channel"],
        text=document.get("text", ""),
        code=code,
        **document["announced"],
    )
    return LetterState(
        letter_key=letter_key(document, entry),
        kind=LetterKind.FEEDBACK_RECEIPT,
        recipient=Recipient.model_validate(person) if person else None,
        ways=ways,
        reason=reason,
        requested_at=entry["known_at"],
        case=document["_id"],
        case_number=document["case_number"],
        fields=fields.sent(),
    )
