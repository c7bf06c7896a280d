"""A registration as intake stores it, and what its events make of it. Pure.

The document: `_id`, `agency`, `case_number`, `plan`, `dialogue`, `channel`, `received_at`, `recorded_at`, `incoming_number`,
`kind`, `person`, `preferred_way`, `sections` [no, title, text], `consent_version`, `incomplete`, `status`, `steps`, and

- `payload_hash`  content of the request, to tell a repetition from another request under its key
- `code_hash`     by which a tracking code finds it; the code itself is stored nowhere
- `late`, `announced`  what was known of the dialogue at that moment, and so what the receipt says
- `full`          only where true: no seat was free then, and the receipt says what that means
- `files`, `participation`, `read_back`  only where given: attachments, in person or online, a call's content read back
- `alike`         by which the counter finds who may have registered already; goes with `person` when that is erased
- `unrouted`      since when routing has not shown it (promise 2); removed when it has
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import Payload
from contracts.letters import LateFields, LetterFields, Meeting, ReceiptFields
from contracts.model import Channel, FileRef, LetterKind, LetterState, Recipient, RegistrationState, Way
from kit.letters import letter_id
from services.intake.domain import Entry, Placement, Plan, Submission, section_texts

Document = dict[str, Any]
RECEIVED = "registration.received.v1"
LETTER = "intake_letter.requested.v1"
NO_EMAIL_WEB = "không có thư điện tử; mã tra cứu đã hiện trên màn hình"
NO_EMAIL_ENTRY = "không có thư điện tử; phiếu tiếp nhận đã in hoặc mã tra cứu đã đọc qua điện thoại"
_NOTHING_ANNOUNCED: Mapping[str, Any] = {"meeting": Meeting().model_dump(mode="json"), "closes_at": None, "invitations_due": None}
_FACE_TO_FACE = (Channel.PAPER, Channel.PHONE)
"""Where the person gets the receipt, or hears the code, while staff type."""


def registration_fields(
    submission: Submission,
    entry: Entry,
    *,
    plan: Plan,
    placement: Placement,
    titles: Mapping[int, str],
    case_number: str,
    recorded_at: datetime,
    incomplete: tuple[str, ...],
    decide_by: str | None,
) -> Document:
    """What a registration's document holds beside its identity, hashes and events. `decide_by` is an ISO day, for a late one."""
    return {
        "case_number": case_number,
        "plan": submission.plan,
        "dialogue": submission.dialogue,
        "channel": entry.channel,
        "received_at": entry.received_at,
        "recorded_at": recorded_at,
        "incoming_number": entry.incoming_number,
        "kind": submission.kind,
        "person": submission.person.model_dump(),
        "preferred_way": submission.preferred_way,
        "sections": [s.model_dump() for s in section_texts(submission, titles)],
        **({"participation": submission.participation} if submission.participation is not None else {}),
        **if_given(submission.files, entry),
        "consent_version": submission.consent_version,
        "incomplete": list(incomplete),
        "status": "received",
        "steps": [{"n": 1, "at": entry.received_at, "known_at": recorded_at, "state": "received"}],
        "late": placement.late,
        **({"full": True} if placement.full else {}),
        "announced": _announced(plan, placement) | {"decide_by": decide_by},
        "unrouted": recorded_at,
    }


def if_given(files: Sequence[FileRef], entry: Entry) -> Document:
    """What most forms, and most feedback, do not have, and so do not carry."""
    given: Document = {}
    if files:
        given["files"] = [file.model_dump() for file in files]
    if entry.read_back is not None:
        given["read_back"] = entry.read_back
    return given


def _announced(plan: Plan, placement: Placement) -> Document:
    return {"year": plan.state.year, **(placement.dialogue.announced if placement.dialogue else _NOTHING_ANNOUNCED)}


def letter_key(registration: UUID, kind: LetterKind) -> str:
    """A registration has one receipt, or one notice that it was late."""
    return f"registration/{registration}/{kind}"


def letter_kind(document: Document) -> LetterKind:
    """The letter that answers a registration (D4)."""
    return LetterKind.LATE if document["late"] else LetterKind.RECEIPT


def is_full(document: Mapping[str, Any]) -> bool:
    """Whether no seat was free when it came."""
    return bool(document.get("full"))


def subject(document: Document, entry: Document) -> str:
    """The aggregate that an event is about: the registration, or the letter asked for with it."""
    if entry["type"] == LETTER:
        return str(letter_id(document["agency"], _key(document, entry)))
    return str(document["_id"])


def renderer(code_of: Callable[[UUID], str]) -> Callable[[Document, Document], Payload]:
    """What a registration's events carry; `code_of` gives the tracking code, which only a letter shows."""

    def render(document: Document, entry: Document) -> Payload:
        if entry["type"] == LETTER:
            if "letter" in entry["changes"]:
                return later_letter(document, entry, _key(document, entry))
            return _letter(document, entry, code_of(document["_id"]))
        return RegistrationState.model_validate({**document, "decide_by": document["announced"].get("decide_by")})

    return render


def _key(document: Document, entry: Document) -> str:
    """The letter's key: a later one is named by the event that asked for it."""
    if "letter" in entry["changes"]:
        return f"registration/{document['_id']}/{entry['changes']['letter']}/{entry['n']}"
    return letter_key(document["_id"], letter_kind(document))


def later_letter(document: Document, entry: Document, key: str) -> LetterState:
    """A letter that an act after the registration, or the feedback, asked for (after/domain.py), to whom it was meant then."""
    frozen = next((letter for letter in document.get("letters", ()) if letter["n"] == entry["n"]), None)
    return LetterState(
        letter_key=key,
        kind=entry["changes"]["letter"],
        recipient=Recipient.model_validate(frozen["recipient"]) if frozen else None,
        ways=(Way.EMAIL,) if frozen else (),
        requested_at=entry["known_at"],
        case=document["_id"],
        case_number=document["case_number"],
        dialogue=document.get("dialogue"),
        fields=frozen["fields"] if frozen else {},
    )


def first_person(document: Document) -> Document | None:
    """Whom the receipt was asked for: a letter keeps its recipient, notify sends it on when the contact is corrected."""
    person: Document | None = document.get("first_contact") or document.get("person")
    return person


def _letter(document: Document, entry: Document, code: str) -> LetterState:
    kind = letter_kind(document)
    person = first_person(document)
    ways, reason = letter_ways(document)
    return LetterState(
        letter_key=letter_key(document["_id"], kind),
        kind=kind,
        recipient=Recipient.model_validate(person) if person else None,
        ways=ways,
        reason=reason,
        requested_at=entry["known_at"],
        case=document["_id"],
        case_number=document["case_number"],
        dialogue=document["dialogue"],
        fields=_letter_fields(document, code).sent(),
    )


def letter_ways(document: Document) -> tuple[tuple[Way, ...], str]:
    """By e-mail if there is an address; else not at all where the code was shown or handed over already, and why; else (what came
    by post, from the television …) on paper or by telephone, first the way that the person chose.
    """
    if (first_person(document) or {}).get("email"):
        return (Way.EMAIL,), ""
    if document["channel"] in (Channel.WEB, Channel.API):
        return (), NO_EMAIL_WEB
    if document["channel"] in _FACE_TO_FACE:
        return (), NO_EMAIL_ENTRY
    return (Way.PHONE, Way.POST) if document.get("preferred_way") == Way.PHONE else (Way.POST, Way.PHONE), ""


def _letter_fields(document: Document, code: str) -> LetterFields:
    announced = document["announced"]
    common = {
        "registrant": document["kind"],
        "received_at": document["received_at"],
        "channel": document["channel"],
        "sections": [s["title"] for s in document["sections"]],
        "code": code,
        "full": is_full(document),
        **announced,
    }
    return (LateFields if document["late"] else ReceiptFields).model_validate(common)
