"""The states of a question: who may take it from which to which (D5-D7, D10, D11), and the one way of moving it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from contracts.model import CLOSED_STATES, CaseSource, QuestionState
from kit.acting import Acting
from kit.errors import Conflict, Forbidden, Invalid
from kit.outbox import Change, step

Document = Mapping[str, Any]
State = QuestionState

OPEN_STATES = frozenset(State) - CLOSED_STATES - {State.MERGED}
BEFORE_TRANSFER = frozenset({State.NEW, State.TRIAGE, State.PROPOSED, State.RETURNED})
NO_DUE = datetime(9999, 1, 1, tzinfo=UTC)
"""Sorts what has no clock behind everything that has one."""


def is_feedback(document: Document) -> bool:
    """Whether a question or a case is treated as feedback (K2). A question stays what it began as; a case may change."""
    return bool(document.get("feedback", document.get("source") == CaseSource.FEEDBACK))


class Party(StrEnum):
    """Who may move a question. An assigner is whom the profile's `assign_by` names. With feedback the control unit does what the
    office does, and both assign (K2).
    """

    SOFTWARE = "software"
    REGISTRANT = "registrant"
    OFFICE = "office"
    OFFICER = "officer"
    HEAD = "head"
    LEADERSHIP = "leadership"
    READER = "reader"
    ASSIGNER = "assigner"


@dataclass(frozen=True, slots=True)
class Who:
    """The person or program that acts. `assign_by` is the agency's: office, leadership or automatic."""

    roles: frozenset[str]
    unit: str | None = None
    reads_sealed: bool = False
    assign_by: str = "office"

    def is_party(self, party: Party, document: Document) -> bool:
        """Whether this one acts as `party` on that question; officers and heads only on their own unit's."""
        match party:
            case Party.READER:
                return self.reads_sealed
            case Party.OFFICE if is_feedback(document):
                return not self.roles.isdisjoint(("office", "control"))
            case Party.ASSIGNER:
                assigns = "leadership" if self.assign_by == "leadership" else "office"
                return assigns in self.roles or (is_feedback(document) and self.is_party(Party.OFFICE, document))
            case Party.OFFICER | Party.HEAD:
                return party in self.roles and self.unit is not None and self.unit == document.get("unit")
            case _:
                return party in self.roles


SOFTWARE = Who(frozenset({Party.SOFTWARE}))
REGISTRANT = Who(frozenset({Party.REGISTRANT}))

Row = Mapping[State, frozenset[Party]]


def by(*parties: Party) -> frozenset[Party]:
    """Whom a row of the table lets act."""
    return frozenset(parties)


_OFFICE = by(Party.OFFICE)
_SEALING = by(Party.SOFTWARE, Party.OFFICE)

_PREPARATION: Mapping[State, Row] = {
    State.NEW: {State.TRIAGE: by(Party.SOFTWARE), State.PROPOSED: by(Party.SOFTWARE), State.SEALED: by(Party.SOFTWARE)},
    State.SEALED: {State.TRIAGE: by(Party.READER), State.EXCLUDED: by(Party.READER)},
    State.TRIAGE: {
        State.PROPOSED: by(Party.SOFTWARE, Party.OFFICE),
        State.TRANSFERRED: by(Party.ASSIGNER),
        State.MERGED: _OFFICE,
        State.SEALED: _SEALING,
    },
    State.PROPOSED: {
        State.TRANSFERRED: by(Party.ASSIGNER, Party.SOFTWARE),
        State.TRIAGE: by(Party.OFFICE, Party.SOFTWARE),
        State.MERGED: _OFFICE,
        State.SEALED: _SEALING,
    },
    State.TRANSFERRED: {
        State.AT_HEAD: by(Party.OFFICER),
        State.SUBMITTED: by(Party.HEAD),
        State.RETURNED: by(Party.HEAD),
    },
    State.AT_HEAD: {
        State.SUBMITTED: by(Party.HEAD),
        State.TRANSFERRED: by(Party.HEAD),
        State.RETURNED: by(Party.HEAD),
    },
    State.RETURNED: {State.TRANSFERRED: by(Party.ASSIGNER), State.TRIAGE: _OFFICE},
    State.SUBMITTED: {
        State.READY: by(Party.LEADERSHIP),
        State.GUIDED: by(Party.LEADERSHIP),
        State.ESCALATED: by(Party.LEADERSHIP),
        State.SENT_BACK: by(Party.LEADERSHIP),
        # Of feedback: the answer is approved and waits for its number (K2).
        State.TO_WRITE: by(Party.LEADERSHIP),
    },
    State.SENT_BACK: {State.AT_HEAD: by(Party.OFFICER), State.SUBMITTED: by(Party.HEAD)},
    State.READY: {State.SENT_BACK: by(Party.LEADERSHIP)},
    State.TO_WRITE: {},
    State.ESCALATED: {State.ESCALATED_DONE: _OFFICE},
    State.COLLECTING: {State.TRIAGE: _OFFICE},
}

AFTER_MEETING = frozenset({State.RESOLVED, State.TO_WRITE, State.ESCALATED, State.GUIDED, State.ADOPTED, State.ANSWERED})
"""What the office may make of an open question once the meeting has begun (D10, D11)."""


def _table() -> Mapping[State, Row]:
    rows: dict[State, dict[State, frozenset[Party]]] = {s: dict(_PREPARATION.get(s, {})) for s in State}
    for state in OPEN_STATES:
        row = rows[state]
        row[State.WITHDRAWN] = by(Party.REGISTRANT) if state is State.SEALED else by(Party.REGISTRANT, Party.OFFICE)
        if state is State.SEALED:
            continue
        row[State.TO_FEEDBACK] = _OFFICE
        row[State.TO_DIALOGUE] = _OFFICE
        if state is not State.COLLECTING:
            row[State.COLLECTING] = _OFFICE
        for outcome in AFTER_MEETING - {state}:
            row[outcome] = row.get(outcome, frozenset()) | _OFFICE
    return rows


TABLE = _table()
"""State → the states it may go to, and by whom. Closed states and `merged` have no way out."""

_EVENTS = {State.TRIAGE: "triaged", State.NEW: "created"}


def event_type(state: State) -> str:
    """The event that says a question has come to `state`."""
    return f"question.{_EVENTS.get(state, state.value)}.v1"


def question_id(registration: UUID, section_no: int) -> UUID:
    """The id of a section's question: the same registration makes the same questions."""
    return uuid5(registration, str(section_no))


def child_id(parent: UUID, act: int, part: int) -> UUID:
    """The id of a part that was split out of a question by its event number `act`."""
    return uuid5(parent, f"split/{act}/{part}")


def state_of(document: Document) -> State:
    return State(document["state"])


def is_open(document: Document) -> bool:
    return state_of(document) in OPEN_STATES


def allowed(document: Document, who: Who) -> frozenset[State]:
    """The states this one may move the question to."""
    row = TABLE[state_of(document)]
    return frozenset(to for to, parties in row.items() if any(who.is_party(p, document) for p in parties))


def check(document: Document, who: Who, to: State) -> None:
    """Raises `Conflict` when the table has no such move, `Forbidden` when it is not for this one."""
    parties = TABLE[state_of(document)].get(to)
    if parties is None:
        raise Conflict(f"{state_of(document)} cannot become {to}")
    if not any(who.is_party(party, document) for party in parties):
        raise Forbidden(f"{to} is not for this role")


def move(
    document: Document,
    acting: Acting,
    who: Who,
    to: State,
    *,
    reason: str | None = None,
    at: datetime | None = None,
    event: str | None = None,
    changes: Mapping[str, Any] | None = None,
    todo: Sequence[Document] = (),
    **fields: Any,
) -> Change:
    """Take the question to `to`, if the table lets this one do it, with the fields that go with it."""
    check(document, who, to)
    before = {"state": [document["state"], to.value], **(changes or {})}
    act = acting.act(event or event_type(to), at=at, reason=reason, changes=before)
    steps = [*document["steps"], step(act, document["seq"] + 1, to.value)]
    return Change([act], {"state": to.value, "steps": steps, **promised(document, todo), **fields})


def note(
    document: Document,
    acting: Acting,
    event: str,
    *,
    reason: str | None = None,
    changes: Mapping[str, Any] | None = None,
    todo: Sequence[Document] = (),
    **fields: Any,
) -> Change:
    """An act that leaves the state as it is."""
    act = acting.act(event, reason=reason, changes=changes)
    return Change([act], {**fields, **promised(document, todo)})


def promised(document: Document, todo: Sequence[Document]) -> dict[str, Any]:
    """The field that adds to what is promised; afterwards.py does it."""
    return {"todo": [*document.get("todo", ()), *todo]} if todo else {}


def needs_reason(reason: str) -> str:
    """The reason as given. Raises `Invalid` when there is none."""
    if not reason.strip():
        raise Invalid({"reason": "Xin ghi lý do."})
    return reason.strip()
