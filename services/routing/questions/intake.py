"""From registrations to cases and questions, a batch at a time (promise 2: every accepted registration is routed, once).

Questions are inserted before their case, both with ids derived from the registration, so a redelivery or a crash between the
two changes nothing. What is not new (an amendment, a withdrawal, an erasure) is then taken over question by question, each
guarded by the registration's sequence, and by the case last: the case is the mark that all of it is done.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import Event
from contracts.model import CaseStatus, FeedbackState, QuestionState, RegistrationState, SectionText
from kit.acting import Acting
from kit.calendar import WorkCalendar
from kit.consumer import Reject
from kit.errors import NotFound
from kit.mongo import Document
from kit.outbox import Act, Change, Outbox, step
from services.routing.context import Routing
from services.routing.dialogues import store as dialogue_store
from services.routing.questions import afterwards, clocks, domain, feedback, rules, states, store
from services.routing.questions.registrations import (
    New,
    Placement,
    classified,
    digest,
    meeting_day,
    open_case,
    placement,
    sections_of,
)

ACTOR = "system:routing"
Registration = Event[RegistrationState]


async def take_over(routing: Routing, events: Sequence[Registration], reject: Reject) -> None:
    """Make the newest events of a batch of registrations durable. Those of an unknown agency are rejected."""
    known = [event for event in events if event.agency in routing.agencies]
    for event in events:
        if event.agency not in routing.agencies:
            reject(event, NotFound("agency"))
    openings = await _openings(routing, known)
    await _insert(routing.questions, [(e.agency, new) for e, opening in openings for new in opening.questions], routing)
    await _insert(routing.cases, [(e.agency, opening.case) for e, opening in openings], routing)
    for event in known:
        if event.sequence > 1 or event.data.status != "received":
            await _catch_up(routing, event)


async def take_over_feedback(routing: Routing, events: Sequence[Event[FeedbackState]], reject: Reject) -> None:
    """The same for feedback (K2): a case of its own source with one question, by the same steps."""
    known = [event for event in events if event.agency in routing.agencies]
    for event in events:
        if event.agency not in routing.agencies:
            reject(event, NotFound("agency"))
    now = routing.clock()
    openings = []
    for event in known:
        calendar = await routing.calendars.of(event.agency)
        acting = Acting(event.agency, ACTOR, now, event.correlationid)
        openings.append((event, feedback.opening(event, routing.agencies[event.agency], calendar, acting)))
    await _insert(routing.questions, [(e.agency, new) for e, opening in openings for new in opening.questions], routing)
    await _insert(routing.cases, [(e.agency, opening.case) for e, opening in openings], routing)
    for event in known:
        if event.sequence > 1 or event.data.status != "received":
            await _catch_up(routing, feedback.as_registration(event))


async def _insert(outbox: Outbox, new: Iterable[tuple[str, New]], routing: Routing) -> None:
    documents = [await outbox.new(n.id, agency, n.state, n.acts) for agency, n in new]
    await outbox.insert_many(documents)
    await afterwards.settle(routing, outbox, [d for d in documents if d.get("todo")])


# Creating


async def _openings(routing: Routing, events: Sequence[Registration]) -> list[tuple[Registration, Any]]:
    """What each registration becomes. A plan's dialogues and an agency's calendar are read once for the batch."""
    plans = {(event.agency, event.data.plan) for event in events}
    dialogues = {key: await dialogue_store.dialogues_of_plan(routing.dialogues.collection, *key) for key in sorted(plans)}
    automatic = {event.agency for event in events if routing.agencies[event.agency].assign_by.value == "automatic"}
    calendars = {code: await routing.calendars.of(code) for code in automatic}
    now = routing.clock()
    openings = []
    for event in events:
        known = dialogues[event.agency, event.data.plan]
        place = placement(known, event.data.dialogue, event.data.received_at)
        clock = _clock_of(routing, event, place, known, calendars, now)
        openings.append((event, open_case(event, routing.agencies[event.agency], place, _acting(event, now), clock)))
    return openings


def _clock_of(
    routing: Routing,
    event: Registration,
    place: Placement,
    dialogues: Sequence[Document],
    calendars: Mapping[str, WorkCalendar],
    now: datetime,
) -> dict[str, Any] | None:
    """The clock of an automatic transfer; None where a person transfers, or there is no dialogue to prepare for."""
    calendar = calendars.get(event.agency)
    if calendar is None or place.dialogue is None or place.late or event.data.status != "received":
        return None
    meeting_on = next((meeting_day(d) for d in dialogues if d["_id"] == place.dialogue), None)
    return clocks.preparation_clock(calendar, rules.answer_clock(routing.agencies[event.agency]), now, meeting_on)


def _acting(event: Registration, now: datetime) -> Acting:
    return Acting(event.agency, ACTOR, now, event.correlationid)


# Amending, withdrawing, erasing


async def _catch_up(routing: Routing, event: Registration) -> None:
    """Take an amended, withdrawn or erased registration over; what is newer already stays."""
    case_id = UUID(event.subject)
    registrant = Acting(event.agency, "registrant", routing.clock(), event.correlationid)
    case = await store.case(routing.cases.collection, event.agency, case_id)
    if case["registration_seq"] >= event.sequence:
        return
    sections = {states.question_id(case_id, s.no): s for s in sections_of(event)}  # what goes on elsewhere names its `root`
    for question in await store.questions_of_case(routing.questions.collection, event.agency, case_id, sealed=True):
        await _change_question(routing, event, registrant, question["_id"], sections)
    if event.data.status == "erased":
        await routing.letters.erase(event.agency, case_id)
    added = [q for q in sections if q not in case["questions"]]
    await routing.cases.change(case_id, event.agency, lambda c: _changed_case(c, event, registrant, added))


async def _change_question(
    routing: Routing, event: Registration, registrant: Acting, question_id: UUID, sections: Mapping[UUID, SectionText]
) -> None:
    agency = routing.agencies[event.agency]

    def decide(document: Document) -> Change | None:
        if document["registration_seq"] >= event.sequence:
            return None
        if event.data.status == "erased":
            return domain.erased(document, registrant, event.sequence)
        section = sections.get(document.get("root", question_id))
        if states.is_open(document) and _is_taken_back(event, document, section):
            return domain.withdrawn(document, registrant, states.REGISTRANT)
        if section is None or states.state_of(document) in _GOES_ON_ELSEWHERE:
            return None
        change = _amendment(event, document, section)
        if not change.pieces:
            return None
        # Feedback stands in no section of the form (K2): the question says in which it does.
        return domain.amended(document, registrant, change, lambda text: classified(agency, document["section_no"], text))

    after = await routing.questions.change(question_id, event.agency, decide)
    await afterwards.settle(routing, routing.questions, [after])


_GOES_ON_ELSEWHERE = frozenset({QuestionState.WITHDRAWN, QuestionState.TO_FEEDBACK, QuestionState.TO_DIALOGUE})
"""What the registrant adds is nothing to them any more: the question that took over has the same `root`."""


def _is_taken_back(event: Registration, document: Document, section: SectionText | None) -> bool:
    """All of the registration, the question's section with what came out of it, or a section that is not in the form any more."""
    if event.data.status == "withdrawn" or document.get("section_no") in event.data.withdrawn_sections:
        return True
    return section is None and _may_vanish(document)


def _may_vanish(document: Document) -> bool:
    """A section that the registrant took out goes, unless a unit works on it or it did not come from a section alone."""
    return states.state_of(document) in states.BEFORE_TRANSFER and "parent" not in document and not document.get("was_split")


def _amendment(event: Registration, document: Document, section: SectionText) -> domain.Amendment:
    found = digest(section.text)
    is_new = found != document.get("digest")
    known = section.additions or ()
    return domain.Amendment(
        n=event.sequence,
        at=event.time,
        text=section.text if is_new else None,
        digest=found if is_new else None,
        additions=[added.text for added in known[document.get("additions_taken", 0) :]],
        taken=len(known),
    )


def _changed_case(case: Document, event: Registration, acting: Acting, added: Sequence[UUID]) -> Change | None:
    data = event.data
    if case["registration_seq"] >= event.sequence:
        return None
    if data.status == "erased":
        return _erased_case(case, event, acting)
    fields: dict[str, Any] = {"registration_seq": event.sequence, "withdrawal_reason": data.withdrawal_reason}
    if data.status == "received":
        fields |= _as_registered(data)
        changed = [
            what for what, names in _SHOWN.items() if any((fields[name] or None) != (case.get(name) or None) for name in names)
        ]
        fields["questions"] = [*case["questions"], *added]
        return Change([acting.act("case.amended.v1", at=event.time, changes={"registrant": changed})], fields)
    act = acting.act("case.withdrawn.v1", at=event.time)
    return Change([act], fields | _withdrawn_status(case, act))


_SHOWN: Mapping[str, tuple[str, ...]] = {
    "contact": ("person", "kind"),
    "way": ("preferred_way",),
    "files": ("files",),
    "attendance": ("attendance_reply",),
    "withdrawn": ("withdrawn_sections",),
}
"""What the history says of an amendment: which parts it touched, never their content. Texts are told question by question."""


def _as_registered(data: RegistrationState) -> dict[str, Any]:
    """What a case repeats of its registration."""
    return {
        "person": data.person.model_dump() if data.person else None,
        "kind": data.kind.value,
        "preferred_way": data.preferred_way.value if data.preferred_way else None,
        "participation": data.participation.value if data.participation else None,
        "files": [f.model_dump() for f in data.files],
        "incomplete": list(data.incomplete),
        "withdrawn_sections": list(data.withdrawn_sections),
        "attendance_reply": data.attendance_reply.model_dump() if data.attendance_reply else None,
    }


def _withdrawn_status(case: Document, act: Act) -> dict[str, Any]:
    if case["status"] in (CaseStatus.WITHDRAWN, CaseStatus.CLOSED):
        return {}
    withdrawn = CaseStatus.WITHDRAWN.value
    return {"status": withdrawn, "steps": [*case["steps"], step(act, case["seq"] + 1, withdrawn)]}


def _erased_case(case: Document, event: Registration, acting: Acting) -> Change:
    """Nothing of the person is left, nor anything that would be written to the person."""
    act = acting.act("case.erased.v1")
    fields: dict[str, Any] = {"registration_seq": event.sequence, "person": None, "files": [], "attendance_note": ""}
    fields["todo"] = [entry for entry in case.get("todo", ()) if entry["do"] != "letter"]
    return Change([act], fields | _withdrawn_status(case, act), ["attendance_reply", "withdrawal_reason"])
