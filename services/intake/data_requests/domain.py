"""The life of a request to see or delete one's data (law: personal data; a person decides). Pure.

A request document: `registration` (its id, or that of feedback, as `source` says), `case_number`, `kind` (of registrant),
`what` (see | delete), `note` (what the person added),
`person` and `preferred_way` (whom letters go to; gone with the person's data), `asked_at`, `asked` (via, on: where staff recorded
it, as the person asked that way on that day), `answer` and `completion` (clocks:
due_on, due_at, explanation), `state`, `extended`, `reason` (why refused or extended, as the person reads it), `sort_at`, `steps`.

    received → granted | partly | refused;  granted, partly → done;  extended once, while open and in time

Every act asks for a letter, so the letters' events are its history.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from contracts.letters import DataRequestFields
from contracts.model import CaseSource, LetterKind, LetterState, Person, Recipient, Way
from kit.acting import Acting
from kit.calendar import Deadline
from kit.errors import Conflict, Invalid
from kit.outbox import Change, step
from services.intake.documents import LETTER

Document = Mapping[str, Any]
What = Literal["see", "delete"]


class State(StrEnum):
    RECEIVED = "received"
    GRANTED = "granted"
    PARTLY = "partly"
    REFUSED = "refused"
    DONE = "done"


OPEN = (State.RECEIVED, State.GRANTED, State.PARTLY)
"""What still has a clock."""
AGREED = (State.GRANTED, State.PARTLY)
TO_EXTEND = "extended"
"""A step that is no state."""


def new_request(registration: Document, acting: Acting, what: What, note: str, answer: Deadline, due: Deadline) -> dict[str, Any]:
    """What a request holds beside its identity; `answer` and `due` are its clocks."""
    act = acting.act(LETTER, changes={"step": State.RECEIVED.value})
    return {
        "registration": registration["_id"],
        "source": registration.get("source", CaseSource.REGISTRATION).value,
        "case_number": registration["case_number"],
        "dialogue": registration["dialogue"],
        "kind": registration["kind"],
        "what": what,
        "note": note,
        "person": registration["person"],
        "preferred_way": registration["preferred_way"],
        "asked_at": acting.now,
        **acting.request,
        "answer": _clock(answer),
        "completion": _clock(due),
        "state": State.RECEIVED.value,
        "extended": False,
        "reason": "",
        "sort_at": answer.due_at,
        "steps": [step(act, 1, State.RECEIVED.value)],
    }


def _clock(deadline: Deadline) -> dict[str, Any]:
    return {
        "due_on": deadline.due_on.isoformat(),
        "due_at": deadline.due_at,
        "explanation": deadline.explanation,
        "rule": deadline.rule,
        "calendar_version": deadline.calendar_version,
    }


def state_of(document: Document) -> State:
    return State(document["state"])


def is_open(document: Document) -> bool:
    return state_of(document) in OPEN


def running(document: Document) -> Document | None:
    """The clock that runs now: until the decision its own, then the one for doing it."""
    if not is_open(document):
        return None
    clock: Document = document["answer" if state_of(document) is State.RECEIVED else "completion"]
    return clock


def is_overdue(document: Document, now: datetime) -> bool:
    clock = running(document)
    return clock is not None and bool(now >= clock["due_at"])


def decided(document: Document, acting: Acting, to: State, reason: str) -> Change:
    """The office grants it, in part with a reason, or refuses it with one. Raises `Conflict`, `Invalid`."""
    if to not in (State.GRANTED, State.PARTLY, State.REFUSED):
        raise Invalid({"decision": "Xin chọn một quyết định."})
    if state_of(document) is not State.RECEIVED:
        raise Conflict("it has been decided")
    if to is not State.GRANTED:
        _needs(reason)
    sort_at = document["completion"]["due_at"] if to in AGREED else None
    return _moved(document, acting, to.value, state=to.value, reason=reason.strip(), sort_at=sort_at)


def extended(document: Document, acting: Acting, due: Deadline, reason: str) -> Change:
    """Once, before the time is over, with a reason: the time for doing it. Raises `Conflict`, `Invalid`."""
    _needs(reason)
    if not is_open(document) or document["extended"] or acting.now >= document["completion"]["due_at"]:
        raise Conflict("it cannot be extended any more")
    sort_at = document["sort_at"] if state_of(document) is State.RECEIVED else due.due_at
    return _moved(document, acting, TO_EXTEND, extended=True, completion=_clock(due), reason=reason.strip(), sort_at=sort_at)


def done(document: Document, acting: Acting) -> Change | None:
    """What was granted has been carried out. Raises `Conflict` before it was granted."""
    if state_of(document) is State.DONE:
        return None
    if state_of(document) not in AGREED:
        raise Conflict("it was not granted")
    return _moved(document, acting, State.DONE.value, state=State.DONE.value, sort_at=None)


def _needs(reason: str) -> None:
    if not reason.strip():
        raise Invalid({"reason": "Xin ghi lý do; người yêu cầu đọc lý do này."})


def _moved(document: Document, acting: Acting, to: str, **fields: Any) -> Change:
    act = acting.act(LETTER, changes={"step": to})
    return Change([act], {**fields, "steps": [*document["steps"], step(act, document["seq"] + 1, to)]})


# Letters


def letter_key(document: Document, entry: Document) -> str:
    return f"data-request/{document['_id']}/{entry['changes']['step']}"


def letter(document: Document, entry: Document) -> LetterState:
    """What the person is told of a step; None is left to tell once the data are deleted."""
    person = Person.model_validate(document["person"]) if document.get("person") else None
    said = entry["changes"]["step"]
    ways = _ways(person, document.get("preferred_way")) if person else ()
    clock = document["answer"] if said == State.RECEIVED else document["completion"]
    tells_time = said in (State.RECEIVED, *AGREED, TO_EXTEND)
    fields = DataRequestFields(
        registrant=document["kind"],
        source=document.get("source", CaseSource.REGISTRATION),
        what=document["what"],
        step=said,
        asked_at=document["asked_at"],
        answer_by=date.fromisoformat(document["answer"]["due_on"]) if said == State.RECEIVED else None,
        due_on=date.fromisoformat(clock["due_on"]) if tells_time else None,
        explanation=clock["explanation"] if tells_time else "",
        reason=document["reason"] if said in (State.PARTLY, State.REFUSED, TO_EXTEND) else "",
    )
    return LetterState(
        letter_key=letter_key(document, entry),
        kind=LetterKind.DATA_REQUEST,
        recipient=Recipient(**person.model_dump()) if person else None,
        ways=ways,
        reason="" if ways else NO_WAY,
        requested_at=entry["known_at"],
        case=document["registration"],
        case_number=document["case_number"],
        dialogue=document["dialogue"],
        fields=fields.sent() if person else {},
    )


NO_WAY = "Không có cách liên hệ, hoặc dữ liệu cá nhân đã được xóa; xem bằng mã tra cứu"


def _ways(person: Person, wished: str | None) -> tuple[Way, ...]:
    """By mail if there is an address, since that is at once; else as wished, by post, by phone."""
    known = {Way.EMAIL: bool(person.email), Way.POST: bool(person.address), Way.PHONE: bool(person.phone)}
    order = [Way.EMAIL, *([Way(wished)] if wished else []), *Way]
    return tuple(dict.fromkeys(way for way in order if known[way]))
