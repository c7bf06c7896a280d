"""The life of a question (D5-D7, D10, D11): one pure function for each act. States and moves: states.py; deadlines: clocks.py.

A question document: `case`, `case_number`, `plan`, `dialogue`, `source`, `section_no`, `section_title`, `received_at`, `text`,
`additions` [{at, text}], `state`, `sealed`, `seal`, `proposal` {unit, confidence, phrases, reason}, `unit`,
`transfers` [{n, unit, at, by}], `clocks` (newest last), `sort_at` (when it is due, or `NO_DUE`), `draft`, `answer`, `remark`,
`outcome…`, `merged_into`, `parent`, `steps`, `todo` (what the act promises; afterwards.py does it).

Every act takes the current document and returns the `Change`, or raises `Forbidden` (who), `Conflict` (state), `Invalid` (input).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.model import CLOSED_STATES, LetterKind
from kit.acting import Acting
from kit.calendar import Terms, WorkCalendar
from kit.clock import at as moment_at
from kit.clock import format_date, local_date, start_of_day
from kit.errors import Conflict, Forbidden, Invalid
from kit.outbox import Act, Change, step
from services.routing.questions.clocks import clock_of, forwarded, running_clock, started, stopped
from services.routing.questions.states import (
    BEFORE_TRANSFER,
    NO_DUE,
    REGISTRANT,
    Document,
    Party,
    State,
    Who,
    by,
    child_id,
    event_type,
    is_feedback,
    is_open,
    move,
    needs_reason,
    note,
    state_of,
)

# Before the transfer (D5)


def proposed(document: Document, acting: Acting, who: Who, unit: str, reason: str) -> Change:
    """The office proposes a unit, or another than the software's: an override keeps what the software had said."""
    proposal: dict[str, Any] = {
        "unit": unit,
        "confidence": None,
        "phrases": [],
        "reason": reason,
        "before": document.get("proposal"),
    }
    if state_of(document) is State.PROPOSED:
        if not who.is_party(Party.OFFICE, document):
            raise Forbidden("proposing is the office's")
        old = (document.get("proposal") or {}).get("unit")
        return note(
            document, acting, event_type(State.PROPOSED), reason=reason or None, changes={"unit": [old, unit]}, proposal=proposal
        )
    return move(document, acting, who, State.PROPOSED, reason=reason or None, changes={"unit": unit}, proposal=proposal)


def to_triage(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """Back to triage: the proposal was wrong, or the unit returned it."""
    return move(document, acting, who, State.TRIAGE, reason=needs_reason(reason), unit=None)


def transferred(document: Document, acting: Acting, who: Who, unit: str, clock: Mapping[str, Any] | None) -> Change:
    """The dated act that puts the question before a unit and starts its clock (D7); a new transfer is a new clock. None: the
    clock of feedback runs on, whoever has it (K2).
    """
    transfers = document["transfers"]
    entry = {"n": len(transfers) + 1, "unit": unit, "at": acting.now, "by": acting.actor}
    return move(
        document,
        acting,
        who,
        State.TRANSFERRED,
        changes={"unit": unit, "transfer": entry["n"]},
        todo=[{"id": f"told/{entry['n']}", "do": "tell_unit", "unit": unit, "at": acting.now, "by": acting.actor}],
        unit=unit,
        transfers=[*transfers, entry],
        **(started(document, clock, acting.now) if clock else {}),
    )


def split(document: Document, acting: Acting, who: Who, parts: Sequence[str], reason: str) -> Change:
    """The question keeps the first part; every other part becomes a question of its own, so the sums stay whole."""
    if not who.is_party(Party.OFFICE, document):
        raise Forbidden("splitting is the office's")
    if state_of(document) not in BEFORE_TRANSFER:
        raise Conflict("only before its transfer")
    texts = [part.strip() for part in parts if part.strip()]
    if len(texts) < 2:
        raise Invalid({"parts": "Xin ghi ít nhất hai phần, mỗi phần là một nội dung."})
    n = document["seq"] + 1
    children = [{"id": child_id(document["_id"], n, i), "text": text} for i, text in enumerate(texts[1:], start=2)]
    act = {"id": f"split/{n}", "do": "children", "at": acting.now, "by": acting.actor, "children": children}
    return note(
        document,
        acting,
        "question.split.v1",
        reason=needs_reason(reason),
        changes={"parts": len(texts), "children": [str(c["id"]) for c in children]},
        todo=[act],
        text=texts[0],
        was_split=True,
    )


def merged(document: Document, acting: Acting, who: Who, into: UUID, reason: str) -> Change:
    """Answered together with another question; it then stands outside every sum."""
    if is_feedback(document):
        raise Conflict("each feedback is answered by a letter of its own")
    if document.get("merged_from"):
        raise Conflict("others were merged into it")
    # The other may have ended meanwhile: then nobody else would look whether this one's case is closed.
    look = {"id": f"close/{document['seq'] + 1}", "do": "close_case", "at": acting.now, "by": acting.actor}
    return move(
        document, acting, who, State.MERGED, reason=needs_reason(reason), changes={"into": str(into)}, todo=[look],
        merged_into=into,
    )  # fmt: skip


# In the unit and with the leadership (D7)

ANSWER, GUIDANCE, ESCALATION = "answer", "guidance", "escalation"


@dataclass(frozen=True, slots=True)
class Body:
    """Another authority: the one a person is guided to, or the one above."""

    name: str = ""
    address: str = ""
    phone: str = ""
    site: str = ""


NO_BODY = Body()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a unit proposes: an answer, a guidance letter, or an escalation."""

    kind: str
    text: str
    legal_basis: str = ""
    procedure: str = ""
    body: Body = NO_BODY

    def missing(self) -> dict[str, str]:
        """What has to be filled in before the head may hand it over, by field."""
        errors: dict[str, str] = {}
        if self.kind not in (ANSWER, GUIDANCE, ESCALATION):
            errors["kind"] = "Xin chọn loại dự thảo."
        if not self.text:
            errors["text"] = "Xin ghi nội dung dự thảo."
        if self.kind != ANSWER and not self.body.name:
            errors["body"] = "Xin ghi tên cơ quan có thẩm quyền."
        if self.kind == GUIDANCE and not self.body.address:
            errors["address"] = "Xin ghi địa chỉ của cơ quan có thẩm quyền."
        if self.kind == GUIDANCE and not self.body.phone:
            errors["phone"] = "Xin ghi điện thoại của cơ quan có thẩm quyền."
        return errors


def draft_of(document: Document) -> Draft:
    """The draft as it stands; an empty answer when there is none."""
    kept = document.get("draft") or {}
    return Draft(
        kept.get("kind", ANSWER),
        kept.get("text", ""),
        kept.get("legal_basis", ""),
        kept.get("procedure", ""),
        Body(**kept.get("body", {})),
    )


class Stage(StrEnum):
    """Where the draft of a written answer lies (`to_write`); before the meeting the question's state says it."""

    DRAFTING = "drafting"
    AT_HEAD = "at_head"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    SENT_BACK = "sent_back"


def stage_of(document: Document) -> Stage:
    return Stage((document.get("draft") or {}).get("stage", Stage.DRAFTING))


_DRAFTING = {State.TRANSFERRED: by(Party.OFFICER, Party.HEAD), State.AT_HEAD: by(Party.HEAD)}
_DRAFTING[State.SENT_BACK] = _DRAFTING[State.TRANSFERRED]


def may_draft(document: Document, who: Who) -> bool:
    """Whether this one may write the draft now."""
    state = state_of(document)
    if state is State.TO_WRITE:
        stage = stage_of(document)
        parties = {Stage.AT_HEAD: by(Party.HEAD)}.get(stage, _DRAFTING[State.TRANSFERRED])
        return stage not in (Stage.SUBMITTED, Stage.APPROVED) and any(who.is_party(p, document) for p in parties)
    return any(who.is_party(p, document) for p in _DRAFTING.get(state, frozenset()))


def drafted(document: Document, acting: Acting, who: Who, draft: Draft) -> Change:
    """Keep the draft."""
    if not may_draft(document, who):
        raise Forbidden("the draft is not this one's now")
    kept = {
        "kind": draft.kind,
        "text": draft.text,
        "legal_basis": draft.legal_basis,
        "procedure": draft.procedure,
        "body": {"name": draft.body.name, "address": draft.body.address, "phone": draft.body.phone, "site": draft.body.site},
        "by": acting.actor,
        "at": acting.now,
    }
    if state_of(document) is State.TO_WRITE:
        kept["stage"] = stage_of(document).value
    return note(document, acting, "question.drafted.v1", changes={"kind": draft.kind}, draft=kept)


def to_head(document: Document, acting: Acting, who: Who) -> Change:
    """The officer gives the draft to the head of unit."""
    if not draft_of(document).text:
        raise Invalid({"text": "Xin ghi nội dung dự thảo trước khi trình Trưởng đơn vị."})
    if state_of(document) is State.TO_WRITE:
        return _stage(document, acting, who, Party.OFFICER, (Stage.DRAFTING, Stage.SENT_BACK), Stage.AT_HEAD, "at_head")
    return move(document, acting, who, State.AT_HEAD)


def back_to_officer(document: Document, acting: Acting, who: Who, remark: str) -> Change:
    """The head gives it back to the officer; the unit's clock goes on."""
    remark = needs_reason(remark)
    if state_of(document) is State.TO_WRITE:
        return _stage(document, acting, who, Party.HEAD, (Stage.AT_HEAD,), Stage.DRAFTING, "drafted", remark)
    _at(document, State.AT_HEAD)
    return move(document, acting, who, State.TRANSFERRED, reason=remark, event="question.drafted.v1", remark=remark)


def submitted(document: Document, acting: Acting, who: Who) -> Change:
    """The head hands the draft over and answers for it: the preparation clock stops (D7)."""
    if errors := draft_of(document).missing():
        raise Invalid(errors)
    if state_of(document) is State.TO_WRITE:
        stages = (Stage.DRAFTING, Stage.AT_HEAD, Stage.SENT_BACK)
        return _stage(document, acting, who, Party.HEAD, stages, Stage.SUBMITTED, "submitted")
    # Feedback is due when its answer is out, not when the draft is handed over (K2).
    fields: dict[str, Any] = {} if is_feedback(document) else {"clocks": stopped(document, acting.now)}
    return move(document, acting, who, State.SUBMITTED, **fields)


def returned(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """Another unit's matter goes back to the office; the next transfer starts a new clock (D7), but that of feedback runs on."""
    fields: dict[str, Any] = {"clocks": stopped(document, acting.now), "sort_at": NO_DUE}
    return move(
        document,
        acting,
        who,
        State.RETURNED,
        reason=needs_reason(reason),
        changes={"unit": [document["unit"], None]},
        unit=None,
        remark=needs_reason(reason),
        **({} if is_feedback(document) else fields),
    )


def approved(document: Document, acting: Acting, who: Who) -> Change:
    """The leadership approves: an answer is ready for the meeting, guidance goes to the person, an escalation upwards."""
    draft = draft_of(document)
    if state_of(document) is State.TO_WRITE:
        return _stage(document, acting, who, Party.LEADERSHIP, (Stage.SUBMITTED,), Stage.APPROVED, "drafted", answer=draft.text)
    _at(document, State.SUBMITTED)
    if draft.kind == GUIDANCE:
        return guided(document, acting, who, draft.body, draft.text, draft.legal_basis)
    if draft.kind == ESCALATION:
        return escalated(document, acting, who, draft.body.name, None, draft.text)
    if is_feedback(document):
        kept = {**document["draft"], "stage": Stage.APPROVED.value}
        return move(document, acting, who, State.TO_WRITE, draft=kept, answer=draft.text, outcome="written")
    return move(document, acting, who, State.READY, answer=draft.text)


def sent_back(document: Document, acting: Acting, who: Who, remark: str) -> Change:
    """The leadership wants it better, and says what."""
    remark = needs_reason(remark)
    if state_of(document) is State.TO_WRITE:
        stages = (Stage.SUBMITTED, Stage.APPROVED)
        return _stage(document, acting, who, Party.LEADERSHIP, stages, Stage.SENT_BACK, "sent_back", remark)
    return move(document, acting, who, State.SENT_BACK, reason=remark, remark=remark, answer=None)


def _stage(
    document: Document,
    acting: Acting,
    who: Who,
    party: Party,
    expected: Sequence[Stage],
    stage: Stage,
    event: str,
    remark: str | None = None,
    **fields: Any,
) -> Change:
    """Move the draft of a written answer one stage on; the question stays in `to_write` (D10)."""
    if not who.is_party(party, document):
        raise Forbidden(f"{stage} is not for this role")
    before = stage_of(document)
    if before not in expected:
        raise Conflict(f"the draft is {before}")
    draft = {**(document.get("draft") or {}), "stage": stage.value}
    if remark is not None:
        fields["remark"] = remark
    return note(
        document, acting, f"question.{event}.v1", reason=remark, changes={"stage": [before, stage]}, draft=draft, **fields
    )


def _at(document: Document, *states: State) -> None:
    if state_of(document) not in states:
        raise Conflict(f"it is {state_of(document)}")


# Ends


def guided(
    document: Document,
    acting: Acting,
    who: Who,
    body: Body,
    text: str = "",
    legal_basis: str = "",
    *,
    at: datetime | None = None,
    number: str | None = None,
    on: date | None = None,
) -> Change:
    """Another agency's matter: the person is told which, where and how to reach it (texts 3). `number`, `on`: of the letter by
    which feedback is forwarded (K2).
    """
    if not (body.name and body.address and body.phone):
        raise Invalid({"body": "Xin ghi đủ tên, địa chỉ và điện thoại của cơ quan có thẩm quyền."})
    fields = {
        "body": body.name,
        "body_address": body.address,
        "body_phone": body.phone,
        "body_website": body.site,
        "basis": legal_basis,
        **({"number": number, "issued_on": on.isoformat()} if number and on else {}),
    }
    known: dict[str, Any] = {"clocks": forwarded(document, at or acting.now)} if is_feedback(document) else {}
    return _ended(
        document, acting, who, State.GUIDED, "guided", at=at, on=on, number=number,
        letter=letter(document, acting, LetterKind.GUIDANCE, fields), outcome_body=body.name,
        answer=text or document.get("answer"), **known,
    )  # fmt: skip


def escalated(
    document: Document, acting: Acting, who: Who, body: str, number: str | None, text: str = "", *, at: datetime | None = None
) -> Change:
    """Beyond the agency's authority: put to the level above; open until its answer has reached the person."""
    if not body.strip():
        raise Invalid({"body": "Xin ghi tên cơ quan cấp trên."})
    return _ended(
        document, acting, who, State.ESCALATED, "escalated", at=at, number=number,
        outcome_body=body.strip(), answer=text or document.get("answer"),
    )  # fmt: skip


def escalation_numbered(document: Document, acting: Acting, who: Who, number: str, on: date) -> Change:
    """The office enters number and date of the letter upwards."""
    _at(document, State.ESCALATED)
    if not who.is_party(Party.OFFICE, document):
        raise Forbidden("numbers are the office's")
    return note(
        document, acting, "question.escalated.v1", changes={"number": number}, outcome_number=number, outcome_on=on.isoformat()
    )


def escalated_done(document: Document, acting: Acting, who: Who, text: str, number: str, on: date) -> Change:
    """The upper level has answered, and the person is told by a letter with number and date."""
    _check_issue(acting, number, on)
    if not text.strip():
        raise Invalid({"text": "Xin ghi ý kiến của cấp trên."})
    fields = {"answer": text.strip(), "number": number.strip(), "issued_on": on.isoformat()}
    return _ended(
        document, acting, who, State.ESCALATED_DONE, "escalated", at=_issued_at(acting, on), on=on,
        letter=letter(document, acting, LetterKind.WRITTEN_ANSWER, fields), answer=text.strip(),
    )  # fmt: skip


def resolved(document: Document, acting: Acting, who: Who, text: str = "", *, at: datetime | None = None) -> Change:
    """Answered there and then."""
    return _ended(document, acting, who, State.RESOLVED, "resolved", at=at, answer=text or document.get("answer"))


def adopted(document: Document, acting: Acting, who: Who, unit: str, text: str = "", *, at: datetime | None = None) -> Change:
    """A proposal is taken up by a unit."""
    return _ended(document, acting, who, State.ADOPTED, "adopted", at=at, unit=unit, answer=text or document.get("answer"))


def to_write(
    document: Document,
    acting: Acting,
    who: Who,
    unit: str,
    clock: Mapping[str, Any] | None,
    *,
    at: datetime | None = None,
) -> Change:
    """A written answer by `unit`; without the chair's date its clock starts with the notice (D10)."""
    draft = {**(document.get("draft") or {}), "stage": Stage.DRAFTING.value} if document.get("draft") else None
    # Without a date the old due must not stay: nothing runs until the notice is issued.
    fields = started(document, clock, acting.now) if clock else {"clocks": stopped(document, acting.now), "sort_at": NO_DUE}
    todo = [{"id": f"told/write/{document['seq'] + 1}", "do": "tell_unit", "unit": unit, "at": acting.now, "by": acting.actor}]
    return move(
        document, acting, who, State.TO_WRITE, at=at, changes={"unit": unit}, todo=todo,
        unit=unit, draft=draft, outcome="written", outcome_on=None, **fields,
    )  # fmt: skip


def written_clock_started(document: Document, acting: Acting, clock: Mapping[str, Any]) -> Change | None:
    """The notice is out: the clock of a written answer that has no date of the chair's starts. None: it has one already."""
    if state_of(document) is not State.TO_WRITE or running_clock(document) is not None:
        return None
    return note(
        document, acting, "question.due_recomputed.v1", changes={"due_on": [None, clock["due_on"]]},
        **started(document, clock, acting.now),
    )  # fmt: skip


def answered(document: Document, acting: Acting, who: Who, number: str, on: date) -> Change:
    """The written answer has gone out with number and date; the person gets it, and its clock stops on that date."""
    _at(document, State.TO_WRITE)
    _check_issue(acting, number, on)
    if stage_of(document) is not Stage.APPROVED:
        raise Conflict("the draft is not approved")
    draft = draft_of(document)
    fields = {"answer": draft.text, "basis": draft.legal_basis, "number": number.strip(), "issued_on": on.isoformat()}
    issued = _issued_at(acting, on)
    return _ended(
        document, acting, who, State.ANSWERED, "written", at=issued, number=number.strip(), on=on, answer=draft.text,
        letter=letter(document, acting, LetterKind.WRITTEN_ANSWER, fields), clocks=stopped(document, issued),
    )  # fmt: skip


def answered_to_absent(document: Document, acting: Acting, who: Who, text: str, *, at: datetime | None = None) -> Change:
    """An absent invitee's question is answered at the address on the form (D11); the letter goes with the conclusion."""
    answer = text or document.get("answer")
    if not answer:
        raise Invalid({"text": "Xin ghi nội dung trả lời gửi người vắng mặt."})
    return _ended(document, acting, who, State.ANSWERED, "answered_to_absent", at=at, answer=answer)


def not_raised(document: Document, acting: Acting, who: Who) -> Change | None:
    """The person was absent and nobody raised it: noted, the state stays until it is answered."""
    if Party.OFFICE not in who.roles:
        raise Forbidden("outcomes are the office's")
    if not is_open(document) or state_of(document) is State.SEALED:
        raise Conflict(f"it is {state_of(document)}")
    if document.get("outcome") == "not_raised":
        return None
    return note(document, acting, "question.amended.v1", changes={"outcome": "not_raised"}, outcome="not_raised")


def withdrawn(document: Document, acting: Acting, who: Who, reason: str | None = None) -> Change:
    """The registrant takes it back; the office may note that for somebody who said so by phone, with the reason."""
    if Party.REGISTRANT not in who.roles:
        reason = needs_reason(reason or "")
    return _ended(document, acting, who, State.WITHDRAWN, "withdrawn", reason=reason)


def to_feedback(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """Treated as feedback from now on (D3, D4): a question of its own goes on with it."""
    if is_feedback(document):
        raise Conflict("it is feedback")
    return _goes_on_elsewhere(document, acting, who, State.TO_FEEDBACK, "feedback", reason)


def to_dialogue(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """Feedback that is really a registration is taken into a dialogue (D3): a question of its own goes on with it there."""
    if not is_feedback(document):
        raise Conflict("it is no feedback")
    return _goes_on_elsewhere(document, acting, who, State.TO_DIALOGUE, "dialogue", reason)


def _goes_on_elsewhere(document: Document, acting: Acting, who: Who, to: State, outcome: str, reason: str) -> Change:
    """The end of a question as what it was; what it goes on as is a question of its own, so every sum stays whole."""
    then = {"id": f"continue/{document['seq'] + 1}", "do": "continue", "at": acting.now, "by": acting.actor}
    return move(
        document, acting, who, to, reason=needs_reason(reason), changes={"outcome": outcome}, todo=[then],
        outcome=outcome, outcome_on=local_date(acting.now).isoformat(), clocks=stopped(document, acting.now), sort_at=NO_DUE,
    )  # fmt: skip


def _ended(
    document: Document,
    acting: Acting,
    who: Who,
    to: State,
    outcome: str,
    *,
    reason: str | None = None,
    at: datetime | None = None,
    on: date | None = None,
    number: str | None = None,
    letter: Document | None = None,
    **fields: Any,
) -> Change:
    """The end of a question (or its escalation): outcome, date, the letter promised, and a look whether the case is closed."""
    todo: list[Document] = [letter] if letter is not None else []
    if to in CLOSED_STATES:
        todo.append({"id": f"close/{document['seq'] + 1}", "do": "close_case", "at": acting.now, "by": acting.actor})
    ended: dict[str, Any] = {
        "outcome": outcome,
        "outcome_on": (on or local_date(at or acting.now)).isoformat(),
        "clocks": stopped(document, acting.now),
        "sort_at": NO_DUE,
    }
    if number is not None:
        ended["outcome_number"] = number
    changes = {"outcome": outcome, **({"number": number} if number else {})}
    return move(document, acting, who, to, reason=reason, at=at, changes=changes, todo=todo, **{**ended, **fields})


def letter(document: Document, acting: Acting, kind: LetterKind, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A letter to the person that this act promises: asked for right after the write, or by the sweeper."""
    n = document["seq"] + 1
    return {
        "id": f"letter/{n}",
        "do": "letter",
        "kind": kind.value,
        "key": f"question/{document['_id']}/{kind.value}/{n}",
        "fields": dict(fields),
        "at": acting.now,
        "by": acting.actor,
    }


def _check_issue(acting: Acting, number: str, on: date) -> None:
    errors: dict[str, str] = {}
    if not number.strip():
        errors["number"] = "Xin ghi số văn bản."
    if on > local_date(acting.now):
        errors["on"] = "Ngày văn bản không thể sau hôm nay."
    if errors:
        raise Invalid(errors)


def _issued_at(acting: Acting, on: date) -> datetime:
    """The moment that counts for a document dated `on`: now when that is today, else the end of its day."""
    return acting.now if on == local_date(acting.now) else moment_at(on, time(23, 59))


# Sealed (D6)

COMPLAINT, DENUNCIATION = "complaint", "denunciation"


def sealed(document: Document, acting: Acting, who: Who, kind: str, reason: str) -> Change:
    """Hide it at once from everybody but the named readers."""
    return move(
        document,
        acting,
        who,
        State.SEALED,
        sealed=True,
        seal={"kind": kind, "by": acting.actor, "at": acting.now, "why": needs_reason(reason)},
        proposal=None,
        unit=None,
        sort_at=NO_DUE,
    )


def unsealed(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """A named reader finds neither complaint nor denunciation: it goes on like any other."""
    _at(document, State.SEALED)
    clock = running_clock(document)
    return move(
        document, acting, who, State.TRIAGE, reason=needs_reason(reason), event="question.unsealed.v1", sealed=False,
        sort_at=clock["due_at"] if clock else NO_DUE,
    )  # fmt: skip


def excluded(document: Document, acting: Acting, who: Who, kind: str, details: Mapping[str, str], reason: str) -> Change:
    """Not for the dialogue: a complaint gets guidance; a denunciation has been handed over, and a neutral letter says so."""
    if kind not in (COMPLAINT, DENUNCIATION):
        raise Invalid({"kind": "Xin xác định loại nội dung."})
    needed = ("passed_to", "passed_on") if kind == DENUNCIATION else ()
    if missing := {name: "Xin điền mục này." for name in needed if not details.get(name, "").strip()}:
        raise Invalid(missing)
    letter_kind = LetterKind.COMPLAINT_GUIDANCE if kind == COMPLAINT else LetterKind.DENUNCIATION_PASSED
    return _ended(
        document, acting, who, State.EXCLUDED, "excluded", reason=needs_reason(reason),
        letter=letter(document, acting, letter_kind, details), seal={**(document.get("seal") or {}), "kind": kind},
    )  # fmt: skip


# Deadlines that change


def extended(document: Document, acting: Acting, who: Who, due_on: date, reason: str, meeting_on: date | None) -> Change:
    """Once, before expiry, with a reason, by the office; the person gets an apology that names the new date."""
    if not who.is_party(Party.OFFICE, document):
        raise Forbidden("extension is the office's")
    reason = needs_reason(reason)
    clock = running_clock(document)
    if clock is None or clock["extended"] or acting.now >= clock["due_at"]:
        raise Conflict("no clock that may be extended")
    if due_on <= date.fromisoformat(clock["due_on"]):
        raise Invalid({"due_on": "Hạn mới phải sau hạn hiện nay."})
    if meeting_on is not None and clock["kind"] == "preparation" and due_on >= meeting_on:
        raise Invalid({"due_on": f"Hạn mới phải trước ngày đối thoại {format_date(meeting_on)}."})
    later = {
        **clock,
        "due_on": due_on.isoformat(),
        "due_at": start_of_day(date.fromordinal(due_on.toordinal() + 1)),
        "explanation": f"{clock['explanation']}; gia hạn một lần đến {format_date(due_on)}",
        "extended": True,
        "terms": None,
    }
    fields = {"due_on": clock["due_on"], "new_due_on": due_on.isoformat(), "reason": reason}
    return note(
        document, acting, "question.extended.v1", reason=reason, changes={"due_on": [clock["due_on"], due_on.isoformat()]},
        todo=[letter(document, acting, LetterKind.EXTENDED, fields)],
        clocks=[*document["clocks"][:-1], later], sort_at=later["due_at"],
    )  # fmt: skip


def recomputed(document: Document, acting: Acting, calendar: WorkCalendar, meeting_on: date | None) -> Change | None:
    """Count the running clock again by another calendar or meeting day; None when nothing moves. An extended one stays."""
    clock = running_clock(document)
    if clock is None or clock["terms"] is None:
        return None
    terms = Terms.model_validate(clock["terms"])
    if clock["kind"] == "preparation":
        still = meeting_on if meeting_on is not None and local_date(terms.start) < meeting_on else None
        terms = terms.model_copy(update={"meeting_on": still})
    again = clock_of(clock["kind"], calendar.due(terms))
    if again["due_at"] == clock["due_at"]:
        return None
    return note(
        document, acting, "question.due_recomputed.v1", changes={"due_on": [clock["due_on"], again["due_on"]]},
        clocks=[*document["clocks"][:-1], again], sort_at=again["due_at"],
    )  # fmt: skip


def placed(document: Document, acting: Acting, dialogue: str) -> Change:
    """The question follows its case into a dialogue (D1)."""
    return note(
        document, acting, "question.amended.v1", changes={"dialogue": [document["dialogue"], dialogue]}, dialogue=dialogue
    )


# What the registrant changes afterwards


@dataclass(frozen=True, slots=True)
class Classified:
    """What the software makes of a text: sealed, proposed (with a unit) or for triage."""

    state: State
    proposal: Mapping[str, Any] | None = None
    seal: Mapping[str, Any] | None = None


Classify = Callable[[str], Classified]


@dataclass(frozen=True, slots=True)
class Amendment:
    """What the registrant changed in a section by event `n` of the registration: its whole new `text` with the digest (None: as
    it was), and what was added to it. `taken` counts all additions of the section that are known then.
    """

    n: int
    at: datetime
    text: str | None
    digest: str | None
    additions: Sequence[str] = ()
    taken: int = 0

    @property
    def pieces(self) -> list[str]:
        """What is new."""
        return [*([] if self.text is None else [self.text]), *self.additions]


def amended(document: Document, acting: Acting, change: Amendment, classify: Classify) -> Change:
    """The registrant changed a section. Before the transfer the text is replaced and classified again; afterwards it is only
    added to, so that the unit never finds another question under its hands. What must be sealed never becomes such an addition:
    it seals what it replaces, or becomes a sealed question apart (D6). What comes when the question has ended is kept and shown.
    """
    state = state_of(document)
    if state is State.SEALED:
        text = document["text"] if change.text is None else change.text
        return _noted(document, acting, change, change.additions, "added", text=text)
    if not is_open(document) and state is not State.MERGED:
        return _noted(document, acting, change, change.pieces, "late")
    if state in BEFORE_TRANSFER - {State.RETURNED} and not document.get("was_split"):
        return _replaced(document, acting, change, classify)
    kept, apart = [], []
    for i, piece in enumerate(change.pieces):
        if classify(piece).state is State.SEALED:
            apart.append({"id": f"apart/{change.n}/{i}", "do": "seal_apart", "text": piece, "at": acting.now, "by": acting.actor})
        else:
            kept.append(piece)
    return _noted(document, acting, change, kept, "added", todo=apart)


def _replaced(document: Document, acting: Acting, change: Amendment, classify: Classify) -> Change:
    text = document["text"] if change.text is None else change.text
    known = _known(document, change, change.additions, "added" if change.text is None else "replaced")
    found = classify("\n".join([text, *(added["text"] for added in known["additions"])]))
    changes = {"state": [document["state"], found.state.value], "taken_as": known["amendments"][-1]["taken_as"]}
    act = acting.act("question.amended.v1", changes=changes)
    steps = list(document["steps"])
    if document["state"] != found.state:
        steps.append(step(act, document["seq"] + 1, found.state.value))
    sealing: dict[str, Any] = {"sealed": found.state is State.SEALED, "seal": found.seal, "proposal": found.proposal}
    if found.state is State.SEALED:
        sealing["sort_at"] = NO_DUE  # no list knows when it is due (D6)
    return Change([act], {**known, **sealing, "text": text, "state": found.state.value, "steps": steps})


def _noted(
    document: Document,
    acting: Acting,
    change: Amendment,
    pieces: Sequence[str],
    taken_as: str,
    *,
    todo: Sequence[Document] = (),
    **fields: Any,
) -> Change:
    known = _known(document, change, pieces, taken_as)
    return note(document, acting, "question.amended.v1", changes={"taken_as": taken_as}, todo=todo, **known, **fields)


def _known(document: Document, change: Amendment, pieces: Sequence[str], taken_as: str) -> dict[str, Any]:
    """What every amendment leaves behind: how far the registration is known, what was added, and what became of it."""
    fields: dict[str, Any] = {
        "registration_seq": change.n,
        "additions_taken": change.taken,
        "additions": [*document.get("additions", ()), *({"at": change.at, "text": piece} for piece in pieces)],
        "amendments": [*document.get("amendments", ()), {"at": change.at, "taken_as": taken_as}],
    }
    if document.get("asked_on"):
        fields["asked_on"] = None  # whoever asked for more has it now
    return fields if change.digest is None else fields | {"digest": change.digest}


_TEXTS = (
    "text", "additions", "draft", "digest", "answer", "remark", "asked_on", "public_question", "public_answer", "public_field",
)  # fmt: skip
_WITHOUT_TEXT = frozenset({"close_case", "tell_unit"})
"""Steps that say nothing of the person's; the others of an erased question are not done any more."""


def erased(document: Document, acting: Acting, n: int) -> Change:
    """The person's data are gone: every text of and about the question is removed, the public wording too, and what is still open
    counts as withdrawn. The history stays: who, when, which state.
    """
    acts: list[Act] = []
    fields: dict[str, Any] = {"registration_seq": n}
    if is_open(document):
        change = withdrawn(document, acting, REGISTRANT)
        acts += change.acts
        fields |= change.set
    promised: Sequence[Document] = fields.get("todo") or document.get("todo") or ()
    fields["todo"] = [entry for entry in promised if entry["do"] in _WITHOUT_TEXT]
    if document.get("seal"):
        fields["seal"] = {**document["seal"], "why": ""}
    if document.get("proposal"):
        fields["proposal"] = {**document["proposal"], "reason": "", "before": None}
    acts.append(acting.act("question.erased.v1"))
    return Change(acts, fields, _TEXTS)
