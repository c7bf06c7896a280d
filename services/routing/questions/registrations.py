"""What a registration becomes (D1, D4-D6): one case, one question for each filled section, each classified. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from contracts.envelope import Event
from contracts.model import CaseSource, CaseStatus, QuestionState, RegistrationState, SectionText
from kit.acting import Acting
from kit.agency import Agency
from kit.clock import local_date
from kit.errors import NotFound
from kit.outbox import Act, step
from services.routing.classification import classify, looks_sealed
from services.routing.questions.domain import Classified, transferred
from services.routing.questions.states import NO_DUE, SOFTWARE, question_id

Document = Mapping[str, Any]

CLOSING_MINUTE = timedelta(minutes=1)
""" "Đến 17h30" is in time before 17:31:00 (D4)."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The dialogue a registration goes to, and whether it came after its closing. None: no dialogue is known yet."""

    dialogue: str | None
    late: bool = False


@dataclass(frozen=True, slots=True)
class New:
    """An aggregate to be inserted."""

    id: UUID
    state: dict[str, Any]
    acts: Sequence[Act]


@dataclass(frozen=True, slots=True)
class Opening:
    """What one registration becomes."""

    case: New
    questions: Sequence[New]


def placement(dialogues: Sequence[Document], wanted: str | None, received_at: datetime) -> Placement:
    """Where a registration of `received_at` goes among its plan's dialogues, in their order (D1, D4).

    To the one the person chose, late or not; else to the next that was still open when the agency received it. When all had
    closed it is late for the last one that was not called off; a plan without a dialogue leaves it unplaced.
    """
    standing = [d for d in dialogues if d["status"] != "cancelled"]
    chosen = next((d for d in standing if d["_id"] == wanted), None)
    if chosen is not None:
        return Placement(chosen["_id"], not was_open(chosen, received_at))
    open_then = [d for d in standing if was_open(d, received_at)]
    to_come = [d for d in open_then if d["status"] == "scheduled"] or open_then
    if to_come:
        return Placement(to_come[0]["_id"])
    return Placement(standing[-1]["_id"], late=True) if standing else Placement(None)


def was_open(dialogue: Document, received_at: datetime) -> bool:
    """Whether a dialogue still took registrations then; one without a closing takes them until it begins."""
    closes_at: datetime | None = dialogue.get("closes_at")
    if closes_at is not None:
        return received_at < closes_at + CLOSING_MINUTE
    starts_at: datetime | None = dialogue.get("starts_at")
    return starts_at is None or received_at < starts_at


def meeting_day(dialogue: Document | None) -> date | None:
    """The day of a dialogue, once it is fixed."""
    starts_at: datetime | None = (dialogue or {}).get("starts_at")
    return None if starts_at is None else local_date(starts_at)


def classified(agency: Agency, section_no: int | None, text: str) -> Classified:
    """What the software makes of a text: sealed at once, proposed to a unit, or left for triage (D5, D6)."""
    flag = looks_sealed(text, agency.seal)
    if flag is not None:
        return Classified(QuestionState.SEALED, seal={"kind": flag.kind, "by": "system:routing", "why": flag.reason})
    proposal = classify(_default_unit(agency, section_no), text, agency.classification)
    kept = {
        "unit": proposal.unit,
        "field": proposal.field,
        "confidence": round(proposal.confidence, 3),
        "phrases": list(proposal.phrases),
        "reason": proposal.reason,
    }
    return Classified(QuestionState.TRIAGE if proposal.unit is None else QuestionState.PROPOSED, kept)


def _default_unit(agency: Agency, section_no: int | None) -> str | None:
    if section_no is None:
        return None
    try:
        return agency.form.section(section_no).unit
    except NotFound:
        return None


def digest(text: str) -> str:
    """Tells an amended text from the one that was taken over, without keeping it twice."""
    return sha256(text.encode()).hexdigest()


def open_case(
    event: Event[RegistrationState],
    agency: Agency,
    place: Placement,
    acting: Acting,
    clock: Mapping[str, Any] | None = None,
    *,
    source: CaseSource = CaseSource.REGISTRATION,
) -> Opening:
    """The case and the questions of a registration. `clock`: where the profile transfers by itself, the unit's clock (D7)."""
    data = event.data
    case_id = UUID(event.subject)
    # A later event is taken over after the creation: questions may stand from a delivery that did not get to the case.
    taken = 1 if event.sequence == 1 and data.status == "received" else event.sequence - 1
    if place.late:
        clock = None
    questions = [
        new_question(
            agency,
            acting,
            question_id(case_id, section.no),
            case={
                "_id": case_id,
                "case_number": data.case_number,
                "plan": data.plan,
                "received_at": data.received_at,
                "recorded_at": data.recorded_at,
            }
            | {"dialogue": place.dialogue, "source": source.value},
            section=section,
            clock=clock,
            registration_seq=taken,
        )
        for section in data.sections
        if section.text.strip()
    ]
    return Opening(_new_case(event, case_id, place, acting, [q.id for q in questions], taken, source), questions)


def _new_case(
    event: Event[RegistrationState],
    case_id: UUID,
    place: Placement,
    acting: Acting,
    questions: list[UUID],
    taken: int,
    source: CaseSource,
) -> New:
    data = event.data
    acts = [acting.act("case.opened.v1", at=data.received_at)]
    status = CaseStatus.TO_FEEDBACK if source is CaseSource.FEEDBACK else CaseStatus.OPEN
    steps = [step(acts[0], 1, status.value)]
    if place.late:
        status = CaseStatus.LATE
        acts.append(acting.act("case.late.v1", at=data.received_at))
        steps.append(step(acts[1], 2, status.value))
    state = {
        "case_number": data.case_number,
        "plan": data.plan,
        "dialogue": place.dialogue,
        "source": source.value,
        "channel": data.channel.value,
        "kind": data.kind.value,
        "received_at": data.received_at,
        "recorded_at": data.recorded_at,
        "incoming_number": data.incoming_number,
        "status": status.value,
        "late": place.late,
        "person": data.person.model_dump() if data.person else None,
        "preferred_way": data.preferred_way.value if data.preferred_way else None,
        "participation": data.participation.value if data.participation else None,
        "incomplete": list(data.incomplete),
        "files": [f.model_dump() for f in data.files],
        "questions": questions,
        "registration_seq": taken,
        "speaking_order": None,
        "invited_on": None,
        "invitation_number": None,
        "attendance": None,
        "attendance_note": "",
        "steps": steps,
    }
    if data.decide_by is not None:
        state["decide_by"] = data.decide_by.isoformat()
    return New(case_id, state, acts)


def new_question(
    agency: Agency,
    acting: Acting,
    _id: UUID,
    *,
    case: Document,
    section: SectionText,
    clock: Mapping[str, Any] | None = None,
    registration_seq: int = 0,
    parent: UUID | None = None,
    as_is: Classified | None = None,
) -> New:
    """A question in its first state: what the software makes of it, or `as_is`; `clock` transfers a proposal at once."""
    # What was first raised at the meeting, or is feedback, stands in no section of the form: its text alone decides (D10, K2).
    section_no = section.no if case["source"] == CaseSource.REGISTRATION else None
    found = as_is or classified(agency, section_no, section.text)
    act = acting.act("question.created.v1", at=case["received_at"], changes={"state": found.state.value})
    state: dict[str, Any] = {
        "case": case["_id"],
        "case_number": case["case_number"],
        "plan": case["plan"] or None,
        "dialogue": case["dialogue"],
        "source": case["source"],
        "received_at": case["received_at"],
        "recorded_at": case["recorded_at"],
        "section_no": section_no,
        "section_title": section.title,
        "text": section.text,
        "digest": digest(section.text),
        "registration_seq": registration_seq,
        "state": found.state.value,
        "sealed": found.state is QuestionState.SEALED,
        "seal": None if found.seal is None else {**found.seal, "at": acting.now},
        "proposal": found.proposal,
        "unit": None,
        "transfers": [],
        "clocks": [],
        "sort_at": NO_DUE,
        "steps": [step(act, 1, found.state.value)],
    }
    if parent is not None:
        state["parent"] = parent
    if clock is None or found.state is not QuestionState.PROPOSED or found.proposal is None:
        return New(_id, state, [act])
    change = transferred({**state, "_id": _id, "seq": 1}, acting, SOFTWARE, found.proposal["unit"], clock)
    return New(_id, state | dict(change.set), [act, *change.acts])


def sections_of(event: Event[RegistrationState]) -> Iterable[SectionText]:
    """The filled sections of a registration."""
    return (section for section in event.data.sections if section.text.strip())
