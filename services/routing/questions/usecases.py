"""What staff do with cases and questions: one function for each act. The rules are in domain.py; who may is checked there."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from contracts.model import CaseSource, CaseStatus, LetterKind, QuestionState, RegistrantKind
from kit.acting import Acting
from kit.auth import Session
from kit.calendar import WorkCalendar
from kit.clock import local, local_date
from kit.errors import Conflict, Forbidden, Invalid, NotFound
from kit.mongo import Document
from kit.outbox import Change, Decide, step
from services.routing import numbers
from services.routing.context import Routing
from services.routing.dialogues import store as dialogue_store
from services.routing.questions import afterwards, clocks, domain, feedback, letters, publishing, rules, states, store
from services.routing.questions.domain import NO_BODY, Body
from services.routing.questions.registrations import meeting_day
from services.routing.questions.states import Who

OFFICE = Who(frozenset({"office"}))
"""For acts that other parts of the office's work make: the meeting, the notice."""

State = QuestionState


def who_is(routing: Routing, session: Session) -> Who:
    """The signed-in person as the table of states knows them."""
    return Who(
        roles=frozenset(role.value for role in session.roles),
        unit=session.unit,
        reads_sealed=session.may_read_sealed,
        assign_by=routing.agencies[session.agency].assign_by.value,
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """One of many that could not be done, and why."""

    id: UUID
    error: Exception


async def decide(routing: Routing, agency: str, question_id: UUID, decision: Decide, *, seen: int | None = None) -> Document:
    """Make one act on a question and do what it promises. `Conflict` if it has more events than the person had `seen`."""

    def checked(document: Document) -> Change | None:
        if seen is not None and document["seq"] != seen:
            raise Conflict("changed since it was shown")
        return decision(document)

    after = await routing.questions.change(question_id, agency, checked)
    await afterwards.settle(routing, routing.questions, [after])
    return after


async def many(ids: Sequence[UUID], act: Callable[[UUID], Awaitable[object]]) -> list[Refused]:
    """The same act on many, one by one; those that refuse stop nobody else."""
    refused: list[Refused] = []
    for _id in ids:
        try:
            await act(_id)
        except (Conflict, Forbidden, Invalid, NotFound) as error:
            refused.append(Refused(_id, error))
    return refused


# Transfer (D5, D7)


async def transfer(
    routing: Routing, acting: Acting, who: Who, question_id: UUID, unit: str | None, *, seen: int | None = None
) -> None:
    """Put a question before `unit`, or before the one proposed; the clock starts now. A late case has to be admitted first."""
    agency = routing.agencies[acting.agency]
    document = await store.question(routing.questions.collection, acting.agency, question_id)
    case = await store.case(routing.cases.collection, acting.agency, document["case"])
    if case["status"] == CaseStatus.LATE:
        raise Conflict("the case came late and is not admitted")
    calendar = await routing.calendars.of(acting.agency)
    meeting_on = await _meeting_on(routing, document)

    def clock_of(current: Document) -> Mapping[str, Any] | None:
        if states.is_feedback(current):
            return feedback.answer_clock(current, agency, calendar)
        return clocks.preparation_clock(calendar, rules.answer_clock(agency), acting.now, meeting_on)

    def decision(current: Document) -> Change:
        chosen = unit or (current.get("proposal") or {}).get("unit")
        if chosen is None or not any(u.code == chosen for u in agency.units_on(local_date(acting.now))):
            raise Invalid({"unit": "Xin chọn đơn vị đang hoạt động trong danh sách."})
        return domain.transferred(current, acting, who, chosen, clock_of(current))

    await decide(routing, acting.agency, question_id, decision, seen=seen)


async def _meeting_on(routing: Routing, question: Document) -> date | None:
    if question["dialogue"] is None:
        return None
    return meeting_day(await dialogue_store.dialogue(routing.dialogues.collection, question["agency"], question["dialogue"]))


async def propose(
    routing: Routing, acting: Acting, who: Who, question_id: UUID, unit: str, reason: str, *, seen: int | None = None
) -> None:
    """Propose another unit than the software did; no clock starts (D5)."""
    _known_unit(routing, acting, unit)
    await decide(routing, acting.agency, question_id, lambda d: domain.proposed(d, acting, who, unit, reason), seen=seen)


async def merge(
    routing: Routing, acting: Acting, who: Who, question_id: UUID, into: UUID, reason: str, *, seen: int | None = None
) -> None:
    """Answer a question together with another open one. The other is marked first, so that no two merge into each other."""
    if question_id == into:
        raise Invalid({"into": "Không thể gộp một nội dung vào chính nó."})
    questions = routing.questions.collection
    if states.is_feedback(await store.question(questions, acting.agency, question_id)):
        raise Conflict("each feedback is answered by a letter of its own")
    if not await store.reserve_merge(questions, acting.agency, into, question_id):
        raise Invalid({"into": "Không tìm thấy nội dung đang mở với mã này."})
    try:
        await decide(routing, acting.agency, question_id, lambda d: domain.merged(d, acting, who, into, reason), seen=seen)
    except (Conflict, Forbidden, Invalid, NotFound):
        await store.release_merge(questions, acting.agency, into, question_id)
        raise


async def extend(
    routing: Routing, acting: Acting, who: Who, question_id: UUID, due_on: date, reason: str, *, seen: int | None = None
) -> None:
    """Give the unit more time, once; the person is told the new date."""
    document = await store.question(routing.questions.collection, acting.agency, question_id)
    meeting_on = await _meeting_on(routing, document)
    await decide(
        routing, acting.agency, question_id, lambda d: domain.extended(d, acting, who, due_on, reason, meeting_on), seen=seen
    )


# Published answers


async def publish(
    routing: Routing,
    acting: Acting,
    who: Who,
    question_id: UUID,
    wording: publishing.Wording,
    *,
    confirmed: bool,
    seen: int | None = None,
) -> None:
    """Publish a question with its answer. `Invalid` names what looks personal in the wording, unless that was `confirmed`."""
    document = await store.question(routing.questions.collection, acting.agency, question_id)
    case = await store.case(routing.cases.collection, acting.agency, document["case"])
    agency = routing.agencies[acting.agency]
    found = publishing.guarded(wording, case["person"], agency)
    if found and not confirmed:
        raise Invalid(found)

    def decision(current: Document) -> Change:
        field = publishing.field_of(current, case, agency, routing.groups)
        return publishing.published(current, acting, who, wording, field)

    await decide(routing, acting.agency, question_id, decision, seen=seen)


# Sealed questions (D6)


async def open_sealed(routing: Routing, acting: Acting, who: Who, question_id: UUID) -> Document:
    """A sealed question, for those named for it; the opening is logged before anything is shown. `NotFound` for all others."""
    if not who.reads_sealed:
        raise NotFound("questions")
    document = await store.question(routing.questions.collection, acting.agency, question_id, sealed=True)
    await store.log_opening(routing.database["openings"], acting.agency, question_id, acting.actor, acting.now)
    return document


# Late registrations (D4)


async def admit(routing: Routing, acting: Acting, case_id: UUID) -> None:
    """The office takes a late registration into its dialogue; the person is told, and may be invited the same day."""
    after = await routing.cases.change(case_id, acting.agency, lambda case: _admitted(case, acting))
    await afterwards.settle(routing, routing.cases, [after])


def _admitted(case: Document, acting: Acting) -> Change:
    if case["status"] != CaseStatus.LATE:
        raise Conflict(f"the case is {case['status']}")
    return _case_moves(case, acting, CaseStatus.ADMITTED, "case.admitted.v1", letter=LetterKind.ADMITTED)


async def case_to_feedback(routing: Routing, acting: Acting, case_id: UUID, reason: str) -> None:
    """The office makes it feedback: its open questions follow, the code stays, the person is told (D3, D4)."""
    reason = states.needs_reason(reason)
    after = await routing.cases.change(case_id, acting.agency, lambda case: _made_feedback(case, acting, reason))
    await afterwards.settle(routing, routing.cases, [after])


def _made_feedback(case: Document, acting: Acting, reason: str) -> Change:
    if case["status"] not in (CaseStatus.LATE, CaseStatus.OPEN, CaseStatus.ADMITTED):
        raise Conflict(f"the case is {case['status']}")
    follow = {"id": f"feedback/{case['seq'] + 1}", "do": "questions_to_feedback", "reason": reason}
    return _case_moves(
        case, acting, CaseStatus.TO_FEEDBACK, "case.to_feedback.v1", reason=reason, letter=LetterKind.TO_FEEDBACK,
        todo=[{**follow, "at": acting.now, "by": acting.actor}], feedback=True,
    )  # fmt: skip


# Feedback (K2)


async def to_registration(routing: Routing, acting: Acting, who: Who, case_id: UUID, dialogue_id: str, reason: str) -> None:
    """Feedback that is really a registration is taken into a dialogue: code and receipt stay, the person is told, and is invited
    as others are (D3).
    """
    reason = states.needs_reason(reason)
    dialogue = await dialogue_store.dialogue(routing.dialogues.collection, acting.agency, dialogue_id)
    if dialogue is None or dialogue["status"] != "scheduled":
        raise Invalid({"dialogue": "Xin chọn một hội nghị chưa tổ chức trong danh sách."})
    placed: dict[str, Any] = {"dialogue": dialogue_id, "plan": dialogue["plan"]}
    after = await routing.cases.change(case_id, acting.agency, lambda case: _made_registration(case, acting, who, placed, reason))
    await afterwards.settle(routing, routing.cases, [after])


def _made_registration(case: Document, acting: Acting, who: Who, placed: Mapping[str, Any], reason: str) -> Change:
    if case["status"] != CaseStatus.TO_FEEDBACK:
        raise Conflict(f"the case is {case['status']}")
    if not who.is_party(states.Party.OFFICE, case):
        raise Forbidden("this is the office's")
    follow = {"id": f"dialogue/{case['seq'] + 1}", "do": "questions_to_dialogue", "reason": reason}
    return _case_moves(
        case, acting, CaseStatus.OPEN, "case.to_registration.v1", reason=reason, letter=LetterKind.ADMITTED,
        todo=[{**follow, "at": acting.now, "by": acting.actor}], feedback=False, **placed,
    )  # fmt: skip


async def group(routing: Routing, acting: Acting, who: Who, case_id: UUID, no: int) -> None:
    """The content group of feedback whose sender could not say (NĐ 20/2008 art. 5)."""
    await routing.cases.change(case_id, acting.agency, lambda case: feedback.grouped(case, acting, who, no))


async def take_up(routing: Routing, acting: Acting, who: Who, question_id: UUID, reason: str, *, seen: int | None = None) -> None:
    """Feedback that was being collected is worked on again; its time begins anew."""
    agency, calendar = routing.agencies[acting.agency], await routing.calendars.of(acting.agency)
    await decide(
        routing, acting.agency, question_id, lambda d: feedback.taken_up(d, acting, who, reason, agency, calendar), seen=seen
    )


def _case_moves(
    case: Document,
    acting: Acting,
    status: CaseStatus,
    event: str,
    *,
    at: datetime | None = None,
    reason: str | None = None,
    letter: LetterKind | None = None,
    todo: Sequence[Document] = (),
    **fields: Any,
) -> Change:
    act = acting.act(event, at=at, reason=reason, changes={"status": [case["status"], status.value]})
    n = case["seq"] + 1
    promised = [*todo]
    if letter is not None:
        promised.insert(0, letters.promise(case["_id"], letter, n, acting.now, acting.actor, {}))
    fields |= {"status": status.value, "steps": [*case["steps"], step(act, n, status.value)]}
    if promised:
        fields["todo"] = [*case.get("todo", ()), *promised]
    return Change([act], fields)


async def place(routing: Routing, acting: Acting, case_id: UUID, dialogue_id: str) -> None:
    """Move a case to another dialogue of its agency (D1)."""
    dialogue = await dialogue_store.dialogue(routing.dialogues.collection, acting.agency, dialogue_id)
    if dialogue is None or dialogue["status"] == "cancelled":
        raise Invalid({"dialogue": "Xin chọn một hội nghị trong danh sách."})
    await afterwards.place_case(routing, acting, case_id, dialogue_id)


# The meeting (D9-D11)


async def mark_invited(
    routing: Routing, acting: Acting, case_id: UUID, number: str, on: date, speaking_order: int | None = None
) -> Document:
    """The invitation of this number goes out to the case's registrant, with a place in the speaking order if there is none yet.

    Doing it twice is doing it once. Returns the case as it is then.
    """

    def decision(case: Document) -> Change | None:
        if case["invitation_number"] == number:
            return None
        if case["status"] not in (CaseStatus.OPEN, CaseStatus.ADMITTED, CaseStatus.INVITED):
            raise Conflict(f"the case is {case['status']}")
        order = case["speaking_order"] or speaking_order
        return _case_moves(
            case, acting, CaseStatus.INVITED, "case.invited.v1",
            invitation_number=number, invited_on=on.isoformat(), speaking_order=order,
        )  # fmt: skip

    return await routing.cases.change(case_id, acting.agency, decision)


async def record_attendance(routing: Routing, acting: Acting, case_id: UUID, attendance: str, note: str = "") -> None:
    """Who was there: `attended`, `substitute` (with a letter of introduction) or `absent`; a reason is noted, never required."""
    if attendance not in (CaseStatus.ATTENDED, CaseStatus.SUBSTITUTE, CaseStatus.ABSENT):
        raise Invalid({"attendance": "Xin chọn có mặt, dự thay hoặc vắng."})

    def decision(case: Document) -> Change | None:
        if case["attendance"] == attendance and case["attendance_note"] == note:
            return None
        if case["status"] in (CaseStatus.LATE, CaseStatus.TO_FEEDBACK, CaseStatus.WITHDRAWN):
            raise Conflict(f"the case is {case['status']}")
        fields: dict[str, Any] = {"attendance": attendance, "attendance_note": note}
        if case["status"] == CaseStatus.CLOSED:
            return Change([acting.act("case.attended.v1", changes={"attendance": attendance})], fields)
        return _case_moves(case, acting, CaseStatus(attendance), "case.attended.v1", **fields)

    await routing.cases.change(case_id, acting.agency, decision)


async def open_walk_in(
    routing: Routing,
    acting: Acting,
    dialogue_id: str,
    person: Mapping[str, str],
    text: str,
    *,
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL,
    key: str = "",
) -> UUID:
    """A question first raised at the meeting, with a contact: a case of its own, not a registration (D10).

    `key` (the form's nonce) makes a repeated POST one case. Returns the case's id.
    """
    if not text.strip() or not person.get("name", "").strip():
        raise Invalid({"text": "Xin ghi họ tên và nội dung phát biểu."})
    dialogue = await routing.dialogues.get(dialogue_id, acting.agency)
    agency = routing.agencies[acting.agency]
    case_id = uuid5(_WALK_INS, f"{acting.agency}/{dialogue_id}/{key or acting.now.isoformat()}/{text.strip()}")
    year = local(acting.now).year
    # The year is in the subject: pressed again after New Year, the number is of the register that its label names.
    number = await numbers.allot(routing.database, acting.agency, year, "HN", f"walk-in/{year}/{case_id}")
    head = {
        "_id": case_id,
        "case_number": f"{agency.case_prefix}-{year}-HN{number:06d}",
        "plan": dialogue["plan"],
        "dialogue": dialogue_id,
        "source": CaseSource.WALK_IN.value,
        "received_at": acting.now,
        "recorded_at": acting.now,
    }
    # The case is kept first and promises the question, so that neither can be without the other.
    ask = {"id": "ask/1", "do": "ask", "text": text.strip(), "at": acting.now, "by": acting.actor}
    act = acting.act("case.opened.v1")
    state = {key: value for key, value in head.items() if key != "_id"} | {
        "channel": None,
        "kind": kind.value,
        "incoming_number": None,
        "status": CaseStatus.ATTENDED.value,
        "late": False,
        "person": {name: person.get(name, "").strip() for name in ("name", "address", "phone", "email", "organisation")},
        "preferred_way": None,
        "incomplete": [],
        "files": [],
        "questions": [states.question_id(case_id, 1)],
        "registration_seq": 0,
        "speaking_order": None,
        "invited_on": None,
        "invitation_number": None,
        "attendance": CaseStatus.ATTENDED.value,
        "attendance_note": "",
        "steps": [step(act, 1, CaseStatus.ATTENDED.value)],
        "todo": [ask],
    }
    case = await routing.cases.new(case_id, agency.code, state, [act])
    await routing.cases.insert(case)
    await afterwards.settle(routing, routing.cases, [case])
    return case_id


_WALK_INS = UUID("0a6f2f2e-4f0f-5a52-8a53-1f7a4c1f5f5d")


class OutcomeKind(StrEnum):
    """What became of a question at the meeting (D10, D11)."""

    RESOLVED = "resolved"
    TO_WRITE = "to_write"
    ESCALATED = "escalated"
    GUIDED = "guided"
    ADOPTED = "adopted"
    WITHDRAWN = "withdrawn"
    NOT_RAISED = "not_raised"
    ANSWERED_TO_ABSENT = "answered_to_absent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome as recorded. `unit` writes or takes it up; `due` is the date the chair set; `body` the other authority."""

    kind: OutcomeKind
    text: str = ""
    unit: str | None = None
    due: date | None = None
    body: Body = NO_BODY
    number: str | None = None
    reason: str = ""


async def record_outcome(
    routing: Routing, acting: Acting, question_id: UUID, outcome: Outcome, *, who: Who = OFFICE, seen: int | None = None
) -> None:
    """Record what became of a question, once its dialogue has begun or was called off."""
    document = await store.question(routing.questions.collection, acting.agency, question_id)
    await _meeting_has_begun(routing, acting, document)
    if outcome.kind in (OutcomeKind.TO_WRITE, OutcomeKind.ADOPTED):
        _known_unit(routing, acting, outcome.unit)
    calendar = await routing.calendars.of(acting.agency)
    await decide(routing, acting.agency, question_id, partial(_outcome, routing, acting, who, calendar, outcome), seen=seen)


def _outcome(
    routing: Routing, acting: Acting, who: Who, calendar: WorkCalendar, outcome: Outcome, document: Document
) -> Change | None:
    match outcome.kind:
        case OutcomeKind.RESOLVED:
            return domain.resolved(document, acting, who, outcome.text)
        case OutcomeKind.TO_WRITE:
            clock_rules = rules.written_clock(routing.agencies[acting.agency])
            clock = clocks.written_clock(calendar, clock_rules, acting.now, outcome.due) if outcome.due else None
            return domain.to_write(document, acting, who, outcome.unit or "", clock)
        case OutcomeKind.ESCALATED:
            return domain.escalated(document, acting, who, outcome.body.name, outcome.number, outcome.text)
        case OutcomeKind.GUIDED:
            return domain.guided(document, acting, who, outcome.body, outcome.text)
        case OutcomeKind.ADOPTED:
            return domain.adopted(document, acting, who, outcome.unit or "", outcome.text)
        case OutcomeKind.WITHDRAWN:
            return domain.withdrawn(document, acting, who, outcome.reason)
        case OutcomeKind.NOT_RAISED:
            return domain.not_raised(document, acting, who)
        case OutcomeKind.ANSWERED_TO_ABSENT:
            return domain.answered_to_absent(document, acting, who, outcome.text)


async def _meeting_has_begun(routing: Routing, acting: Acting, question: Document) -> None:
    dialogue = None
    if question["dialogue"] is not None:
        dialogue = await dialogue_store.dialogue(routing.dialogues.collection, acting.agency, question["dialogue"])
    if dialogue is None:
        raise Invalid({"outcome": "Nội dung này chưa được xếp vào Hội nghị nào."})
    begun = dialogue["starts_at"] is not None and dialogue["starts_at"] <= acting.now
    if not begun and dialogue["status"] == "scheduled":
        raise Invalid({"outcome": "Hội nghị chưa bắt đầu nên chưa ghi được kết quả."})


def _known_unit(routing: Routing, acting: Acting, unit: str | None) -> None:
    if not any(u.code == unit for u in routing.agencies[acting.agency].units_on(local_date(acting.now))):
        raise Invalid({"unit": "Xin chọn đơn vị đang hoạt động trong danh sách."})


async def start_written_clocks(routing: Routing, acting: Acting, dialogue_id: str, notice_at: datetime) -> None:
    """The notice is out: written answers without a date of the chair's are due D10's days after it. May be repeated."""
    calendar = await routing.calendars.of(acting.agency)
    clock = clocks.written_clock(calendar, rules.written_clock(routing.agencies[acting.agency]), notice_at, None)
    async for question_id in store.to_write_without_clock(routing.questions.collection, acting.agency, dialogue_id):
        await decide(routing, acting.agency, question_id, lambda d: domain.written_clock_started(d, acting, clock))


async def recount(routing: Routing, acting: Acting, dialogue_id: str | None = None) -> int:
    """Count running clocks again after a change of the calendar or a meeting's day; returns how many moved. May be repeated."""
    calendar = await routing.calendars.of(acting.agency)
    moved = 0
    ids = [i async for i in store.with_running_clock(routing.questions.collection, acting.agency, dialogue_id)]
    for question_id in ids:
        before = await routing.questions.get(question_id, acting.agency)
        meeting_on = await _meeting_on(routing, before)
        after = await decide(
            routing,
            acting.agency,
            question_id,
            lambda d, m=meeting_on: domain.recomputed(d, acting, calendar, m),  # type: ignore[misc]
        )
        moved += after["seq"] != before["seq"]
    return moved
