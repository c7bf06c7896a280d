"""Feedback as intake stores it, and what its events make of it. Pure.

The document has the fields of `FeedbackState`, and beside them those that a registration has for the same purposes
(services/intake/documents.py): `payload_hash`, `code_hash`, `unrouted`; and `announced`, the days that its receipt names.
`files` only where given.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import Payload
from contracts.letters import FeedbackReceiptFields
from contracts.model import CaseSource, FeedbackState, LetterKind, LetterState, Recipient
from kit.acting import Acting
from kit.calendar import Deadline
from kit.letters import letter_id
from kit.outbox import Change, step
from services.intake.documents import LETTER, letter_ways
from services.intake.feedback.domain import Feedback, FeedbackEntry

Document = dict[str, Any]
RECEIVED = "feedback.received.v1"
ERASED = "feedback.erased.v1"


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
    attached = {"files": [file.model_dump() for file in feedback.files]} if feedback.files else {}
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
        **attached,
    }


def erased(document: Document, acting: Acting) -> Change | None:
    """One write removes person, texts and files (law: personal data); number, days and group stay for the statistics."""
    if document["status"] == "erased":
        return None
    act = acting.act(ERASED)
    steps = [*document["steps"], step(act, document["seq"] + 1, "erased")]
    return Change([act], {"status": "erased", "text": "", "procedure": "", "steps": steps}, ["person", "files"])


def _day(due: Deadline | None) -> str | None:
    return due.due_on.isoformat() if due else None


def letter_key(feedback: UUID) -> str:
    """Feedback has one receipt."""
    return f"feedback/{feedback}/{LetterKind.FEEDBACK_RECEIPT}"


def subject(document: Document, entry: Document) -> str:
    """The aggregate that an event is about: the feedback, or the receipt asked for with it."""
    if entry["type"] == LETTER:
        return str(letter_id(document["agency"], letter_key(document["_id"])))
    return str(document["_id"])


def renderer(code_of: Callable[[UUID], str]) -> Callable[[Document, Document], Payload]:
    """What its events carry; `code_of` gives the tracking code, which only the receipt shows."""

    def render(document: Document, entry: Document) -> Payload:
        if entry["type"] == LETTER:
            return _receipt(document, entry, code_of(document["_id"]))
        return FeedbackState.model_validate(document)

    return render


def _receipt(document: Document, entry: Document, code: str) -> LetterState:
    person = document.get("person")
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
        letter_key=letter_key(document["_id"]),
        kind=LetterKind.FEEDBACK_RECEIPT,
        recipient=Recipient.model_validate(person) if person else None,
        ways=ways,
        reason=reason,
        requested_at=entry["known_at"],
        case=document["_id"],
        case_number=document["case_number"],
        fields=fields.sent(),
    )
