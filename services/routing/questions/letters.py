"""Letters that acts on questions and cases promise, as notify needs them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import letters as fields
from contracts.model import CaseSource, LetterKind, LetterState, Person, Recipient, Way
from kit.agency import Agency
from services.routing.questions.clocks import running_clock
from services.routing.questions.states import is_feedback

Document = Mapping[str, Any]

NO_WAY = "Phiếu không có địa chỉ, điện thoại hay thư điện tử"


def to_person(promised: Document, agency: Agency, case: Document, question: Document | None, context: Document) -> LetterState:
    """The letter that `promised` (an entry of `todo`) stands for, to whoever made the registration.

    `context`: what the letter needs from elsewhere: `others_remain`, `plan_number`, `meeting`, `questions`, `answer_by`,
    `survey_url`.
    """
    kind = LetterKind(promised["kind"])
    ways = ways_to(case, closed=kind is LetterKind.DENUNCIATION_PASSED)
    return LetterState(
        letter_key=promised["key"],
        kind=kind,
        recipient=recipient(case),
        ways=ways,
        reason="" if ways else NO_WAY,
        requested_at=promised["at"],
        case=case["_id"],
        case_number=case["case_number"],
        dialogue=case["dialogue"],
        fields=_fields(kind, promised["fields"], agency, case, question, context).sent(),
    )


def recipient(case: Document) -> Recipient | None:
    """Whom a letter about the case goes to; None once the person's data are erased."""
    if case["person"] is None:
        return None
    person = Person.model_validate(case["person"])
    return Recipient(
        name=person.name, email=person.email, phone=person.phone, address=person.address, organisation=person.organisation
    )


def ways_to(case: Document, *, closed: bool = False) -> tuple[Way, ...]:
    """How the person can be reached: first as wished, then by mail, post, phone. `closed`: by closed letter first, as a
    mailbox may be shared (D6), and never by phone.
    """
    if case["person"] is None:
        return ()
    person = Person.model_validate(case["person"])
    open_ways = {Way.EMAIL: bool(person.email), Way.POST: bool(person.address), Way.PHONE: bool(person.phone)}
    if closed:
        return tuple(way for way in (Way.POST, Way.EMAIL) if open_ways[way])
    wished = [Way(case["preferred_way"])] if case.get("preferred_way") else []
    return tuple(dict.fromkeys(way for way in (*wished, *open_ways) if open_ways[way]))


def _fields(
    kind: LetterKind, given: Document, agency: Agency, case: Document, question: Document | None, context: Document
) -> fields.LetterFields:
    of_feedback = is_feedback(case if question is None else question)
    registrant = {"registrant": case["kind"], "source": CaseSource.FEEDBACK if of_feedback else CaseSource.REGISTRATION}
    received = {"received_at": case["received_at"]}
    asked = {"question": _question(question)} if question is not None else {}
    match kind:
        case LetterKind.GUIDANCE:
            more: Mapping[str, Any] = {**received, **asked, "others_remain": context["others_remain"]}
        case LetterKind.COMPLAINT_GUIDANCE:
            reception = agency.reception
            more = {
                **received,
                "plan_number": context["plan_number"],
                "addressee": reception.authority,
                "reception": reception.name,
                "reception_address": reception.address,
                "reception_hours": reception.schedule,
                "others_remain": context["others_remain"],
            }
        case LetterKind.DENUNCIATION_PASSED:
            more = received
        case LetterKind.FEEDBACK_ASKED | LetterKind.FEEDBACK_COLLECTING:
            more = {**received, **asked}
        case LetterKind.ADMITTED:
            more = {**received, "meeting": context["meeting"], "source": CaseSource(case["source"])}
        case LetterKind.TO_FEEDBACK:
            more = {**received, "questions": context["questions"], "answer_by": context["answer_by"]}
        case LetterKind.WRITTEN_ANSWER:
            more = {**asked, "survey_url": context["survey_url"]}
        case _:
            more = asked
    return fields.FIELDS[kind].model_validate({**registrant, **more, **given})


def _question(question: Document) -> dict[str, Any]:
    return {"no": question["section_no"], "title": question["section_title"], "text": question.get("text", "")}


def asked(questions: Sequence[Document]) -> list[dict[str, Any]]:
    """The questions of a case as its registrant reads them."""
    return [_question(question) for question in questions]


def meeting(dialogue: Document | None) -> dict[str, Any]:
    """What is known of a dialogue."""
    known = dialogue or {}
    return {name: known[name] for name in fields.Meeting.model_fields if known.get(name) is not None}


def to_unit(agency: Agency, question: Document, promised: Document, url: str) -> LetterState:
    """A unit is told of a question that was put before it. No text, no person: a mailbox has many readers."""
    unit = agency.unit(promised["unit"])
    clock = running_clock(question)
    item = fields.StaffItem(
        case_number=question["case_number"],
        section_title=question["section_title"],
        due_on=None if clock is None else clock["due_on"],
        unit=unit.name,
        url=url,
    )
    told = fields.NewQuestionFields(
        unit=unit.name,
        transferred_at=promised["at"],
        items=(item,),
        explanation="" if clock is None else clock["explanation"],
    )
    return LetterState(
        letter_key=f"question/{question['_id']}/{promised['id']}",
        kind=LetterKind.NEW_QUESTION,
        recipient=Recipient(name=unit.name, email=unit.email),
        ways=(Way.EMAIL,),
        requested_at=promised["at"],
        case=question["case"],
        case_number=question["case_number"],
        dialogue=question["dialogue"],
        fields=told.sent(),
    )


def promise(case_id: UUID, kind: LetterKind, n: int, at: datetime, by: str, given: Document) -> dict[str, Any]:
    """An entry of a case's `todo`: a letter that its act number `n` promises."""
    return {
        "id": f"letter/{n}",
        "do": "letter",
        "kind": kind.value,
        "key": f"case/{case_id}/{kind.value}/{n}",
        "fields": dict(given),
        "at": at,
        "by": by,
    }
