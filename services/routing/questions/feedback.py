"""Feedback as a case (K2): what it becomes, its clocks, and the acts that only feedback has. Pure.

Feedback is a case of source `feedback` with one question; a registration that the office made feedback (D3, D4) goes on with
such questions too. Both take the way of every question: classified, transferred, drafted, handed over, approved, answered by a
letter with number and date. What differs: two clocks from its receipt, no meeting, and the control unit acts like the office.
"""

from datetime import date, datetime
from typing import Any, cast
from uuid import UUID, uuid5

from contracts.envelope import Event
from contracts.model import CaseSource, FeedbackState, LetterKind, QuestionState, RegistrationState, SectionText
from kit import feedback as k2
from kit.acting import Acting
from kit.agency import Agency
from kit.calendar import WorkCalendar
from kit.clock import local_date
from kit.errors import Conflict, Forbidden, Invalid
from kit.outbox import Change
from services.routing.questions import clocks
from services.routing.questions.domain import Body, Classified, guided, letter
from services.routing.questions.registrations import New, Opening, Placement, new_question, open_case
from services.routing.questions.states import (
    NO_DUE,
    Document,
    Party,
    State,
    Who,
    is_feedback,
    is_open,
    move,
    needs_reason,
    note,
    state_of,
)

TITLE = "Phản ánh, kiến nghị"
IN_DIALOGUE = "Nội dung từ phản ánh, kiến nghị"
IN_FILES = "Nội dung ghi trong tệp đính kèm."
"""Stands for the text where the counter scanned a paper and typed nothing of it: a question is what the office works on."""

# What it becomes


def as_registration(event: Event[FeedbackState]) -> Event[RegistrationState]:
    """Feedback as what routing takes over: a form of one section, of no plan. So it is amended, withdrawn and erased alike."""
    data = event.data
    text = data.text if data.text.strip() else IN_FILES if data.files else ""
    sheet = RegistrationState(
        case_number=data.case_number,
        plan="",
        channel=data.channel,
        received_at=data.received_at,
        recorded_at=data.recorded_at,
        incoming_number=data.incoming_number,
        kind=data.kind,
        person=data.person,
        preferred_way=data.preferred_way,
        sections=(SectionText(no=1, title=TITLE, text=text, additions=data.additions),) if text else (),
        files=data.files,
        consent_version=data.consent_version,
        incomplete=tuple("sections" if name == "text" else name for name in data.incomplete),
        status=data.status,
        steps=data.steps,
        withdrawal_reason=data.withdrawal_reason,
        contact_changed_at=data.contact_changed_at,
        attendance_reply=data.attendance_reply,
    )
    return cast("Event[RegistrationState]", event.model_copy(update={"data": sheet}))


def opening(event: Event[FeedbackState], agency: Agency, calendar: WorkCalendar, acting: Acting) -> Opening:
    """The case and the question of feedback; its first clock runs from its receipt."""
    data = event.data
    opened = open_case(as_registration(event), agency, Placement(None), acting, source=CaseSource.FEEDBACK)
    case = {
        **opened.case.state,
        "feedback": True,
        "group": None if data.group_unknown else data.group,
        "grouped_at": None,
        "procedure": data.procedure,
        "outside_number": data.outside_number,
        "outside_due": data.outside_due.isoformat() if data.outside_due else None,
    }
    running = first_clock(agency, calendar, data.received_at) | {"outside_due": case["outside_due"]}
    hidden = {"sort_at": NO_DUE}  # of a sealed question no list knows when it is due (D6)
    questions = [New(q.id, q.state | running | (hidden if q.state["sealed"] else {}), q.acts) for q in opened.questions]
    return Opening(New(opened.case.id, case, opened.case.acts), questions)


def first_clock(agency: Agency, calendar: WorkCalendar, since: datetime) -> dict[str, Any]:
    """The fields of feedback whose time begins at `since`: until it is known whose matter it is (NĐ 20/2008 art. 9)."""
    clock = clocks.feedback_clock(clocks.FORWARD, k2.forward_due(agency, calendar, since), since)
    running = {"clocks": [clock], "sort_at": clock["due_at"]} if clock else {"clocks": [], "sort_at": NO_DUE}
    return {"counted_from": since, "outside_due": None, **running}


def answer_clock(document: Document, agency: Agency, calendar: WorkCalendar) -> dict[str, Any] | None:
    """The clock of its answer, which a transfer starts; None: it runs already, or the agency has no such deadline."""
    running = clocks.running_clock(document)
    if running is not None and running["kind"] == clocks.FEEDBACK:
        return None
    outside = date.fromisoformat(document["outside_due"]) if document.get("outside_due") else None
    due = k2.answer_due(agency, calendar, document["counted_from"], outside)
    return clocks.feedback_clock(clocks.FEEDBACK, due, document["counted_from"])


def follow_up(question: Document, case: Document, agency: Agency, calendar: WorkCalendar, acting: Acting) -> New:
    """What a question goes on as (D3): feedback that was a registration's, or a registration's that was feedback.

    The unit that it was with, or was proposed for, is proposed again, and a draft goes along: nothing is thought twice.
    """
    becomes_feedback = state_of(question) is State.TO_FEEDBACK
    source = CaseSource.FEEDBACK if becomes_feedback else CaseSource.REGISTRATION
    belongs = {"source": source.value, "dialogue": None if becomes_feedback else case["dialogue"]}
    section = SectionText(
        no=question["section_no"] or 1,
        title=question["section_title"] if becomes_feedback else IN_DIALOGUE,
        text=question.get("text", ""),
    )
    new = new_question(
        agency, acting, follow_up_id(question), case={**case, **belongs}, section=section, parent=question["_id"],
        registration_seq=case["registration_seq"], as_is=_proposed_again(question),
    )  # fmt: skip
    carried = {name: question[name] for name in ("additions", "additions_taken", "digest") if question.get(name)}
    if question.get("draft"):
        carried["draft"] = {key: value for key, value in question["draft"].items() if key != "stage"}
    more = first_clock(agency, calendar, acting.now) if becomes_feedback else {}
    known = {"root": question.get("root", question["_id"]), "section_no": question["section_no"]}
    return New(new.id, new.state | carried | more | known, new.acts)


def follow_up_id(question: Document) -> UUID:
    """The id of what a question goes on as: the same, however often the step is repeated."""
    return uuid5(question["_id"], f"continue/{question['state']}")


def _proposed_again(question: Document) -> Classified:
    proposal = question.get("proposal") or {}
    unit = question.get("unit") or proposal.get("unit")
    if unit is None:
        return Classified(QuestionState.TRIAGE, question.get("proposal"))
    if unit == proposal.get("unit"):
        return Classified(QuestionState.PROPOSED, proposal)
    return Classified(
        QuestionState.PROPOSED,
        {"unit": unit, "confidence": None, "phrases": [], "reason": "Đơn vị đã được giao trước khi chuyển"},
    )


# Acts that only feedback has


def forwarded(document: Document, acting: Acting, who: Who, body: Body, basis: str, number: str, on: date) -> Change:
    """Another body's matter: sent there by a letter with number and date, and the person told (NĐ 20/2008 art. 9)."""
    _check(document, who)
    errors = {} if number.strip() else {"number": "Xin ghi số văn bản chuyển."}
    if on > local_date(acting.now):
        errors["on"] = "Ngày văn bản không thể sau hôm nay."
    if errors:
        raise Invalid(errors)
    return guided(document, acting, who, body, "", basis, number=number.strip(), on=on)


def asked(document: Document, acting: Acting, who: Who, wanted: str) -> Change:
    """The person is asked for more information; its clock runs on, for no rule says that it stops."""
    _check(document, who)
    if not wanted.strip():
        raise Invalid({"text": "Xin ghi những thông tin cần bổ sung."})
    asking = letter(document, acting, LetterKind.FEEDBACK_ASKED, {"wanted": wanted.strip()})
    return note(
        document, acting, "question.asked_back.v1", todo=[asking],
        asked_on=local_date(acting.now).isoformat(), remark=wanted.strip(),
    )  # fmt: skip


def added(document: Document, acting: Acting, who: Who, text: str) -> Change:
    """What the person has added, as staff noted it from a letter or a call."""
    _check(document, who)
    if not text.strip():
        raise Invalid({"text": "Xin ghi thông tin người gửi đã bổ sung."})
    additions = [*document.get("additions", ()), {"at": acting.now, "text": text.strip()}]
    return note(document, acting, "question.amended.v1", changes={"added": True}, additions=additions, asked_on=None)


def collecting(document: Document, acting: Acting, who: Who, reason: str) -> Change:
    """Noted, not enough to act upon yet: no clock runs until it is taken up again (K2)."""
    _check(document, who)
    reason = needs_reason(reason)
    telling = letter(document, acting, LetterKind.FEEDBACK_COLLECTING, {"reason": reason})
    return move(
        document, acting, who, State.COLLECTING, reason=reason, todo=[telling],
        clocks=clocks.stopped(document, acting.now), sort_at=NO_DUE, asked_on=None,
    )  # fmt: skip


def taken_up(document: Document, acting: Acting, who: Who, reason: str, agency: Agency, calendar: WorkCalendar) -> Change:
    """There is enough now: its time begins anew."""
    if state_of(document) is not State.COLLECTING:
        raise Conflict(f"it is {state_of(document)}")
    anew = first_clock(agency, calendar, acting.now)
    fields = anew | {"clocks": [*document["clocks"], *anew["clocks"]]}
    return move(document, acting, who, State.TRIAGE, reason=needs_reason(reason), unit=None, **fields)


def grouped(case: Document, acting: Acting, who: Who, group: int) -> Change:
    """The office classifies what its sender could not; once, since reports count by it."""
    if not is_feedback(case) or not who.is_party(Party.OFFICE, case):
        raise Forbidden("classifying feedback is the office's")
    if case.get("group") is not None:
        raise Conflict("it has its group")
    if not 1 <= group <= 8:
        raise Invalid({"group": "Xin chọn một nhóm trong danh sách."})
    return Change([acting.act("case.amended.v1", changes={"group": group})], {"group": group, "grouped_at": acting.now})


def _check(document: Document, who: Who) -> None:
    if not is_feedback(document) or not is_open(document) or document["sealed"]:
        raise Conflict("no open feedback")
    if not who.is_party(Party.OFFICE, document):
        raise Forbidden("this is the office's and the control unit's")
