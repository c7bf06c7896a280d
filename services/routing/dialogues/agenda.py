"""The agenda of a meeting: who is invited, in which order people speak, what each content is called. Pure.

Works on the documents of cases and questions. A content's number ("nội dung số 3") is its place: speaking order, then
section; it stays the same from the meeting to the notice, which names contents by it and nobody by name (D12).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.model import SEATLESS, CaseSource, CaseStatus, QuestionState
from kit.mongo import Document

TO_INVITE = frozenset({CaseStatus.OPEN, CaseStatus.ADMITTED})
AT_MEETING = frozenset({CaseStatus.INVITED, CaseStatus.ATTENDED, CaseStatus.SUBSTITUTE, CaseStatus.ABSENT, CaseStatus.CLOSED})
PRESENT = frozenset({"attended", "substitute"})
_NEVER_SPOKEN = frozenset(
    {
        QuestionState.SEALED,
        QuestionState.EXCLUDED,
        QuestionState.WITHDRAWN,
        QuestionState.TO_FEEDBACK,
        QuestionState.MERGED,
    }
)


def is_spoken(question: Document, dialogue: Document) -> bool:
    """Whether a question is one for this meeting: not kept out (D6), not withdrawn, not guided elsewhere before it (D7)."""
    state = QuestionState(question["state"])
    if state in _NEVER_SPOKEN or question.get("sealed"):
        return False
    if state is not QuestionState.GUIDED:
        return True
    held_on, outcome_on = dialogue["held_on"], question.get("outcome_on")
    return bool(held_on and outcome_on and str(outcome_on)[:10] >= held_on)


def of_case(questions: Iterable[Document]) -> dict[UUID, list[Document]]:
    """Questions by their case, in the order of the form."""
    by_case: dict[UUID, list[Document]] = {}
    for question in sorted(questions, key=lambda q: (q.get("section_no") or 0, str(q["_id"]))):
        by_case.setdefault(question["case"], []).append(question)
    return by_case


def is_to_be_invited(case: Document, questions: Sequence[Document], dialogue: Document) -> bool:
    """A registrant with something to say at the meeting. One whose every content is kept out gets a letter instead (D6, D9)."""
    if CaseStatus(case["status"]) not in TO_INVITE:
        return False
    return any(is_joint(question, dialogue) for question in questions)


def is_invited_by(case: Document, number: str) -> bool:
    """Whether the invitation of this number went, or is going, to the case's registrant."""
    return case["invitation_number"] == number and CaseStatus(case["status"]) in AT_MEETING


def is_at_meeting(case: Document) -> bool:
    """Whether a case belongs to the meeting. One that was closed without an invitation was answered apart from it."""
    if case["status"] == CaseStatus.CLOSED:
        return case["source"] == "walk_in" or case["invitation_number"] is not None
    return CaseStatus(case["status"]) in AT_MEETING


def seated(cases: Iterable[Document]) -> int:
    """Registrations that take a seat in the room; who comes unregistered is no part of them (D10). Intake counts so too."""
    return sum(case["source"] != CaseSource.WALK_IN and CaseStatus(case["status"]) not in SEATLESS for case in cases)


def is_joint(question: Document, dialogue: Document) -> bool:
    """As `is_spoken`, and merged ones too: who asked the same as another is invited all the same."""
    return is_spoken(question, dialogue) or question["state"] == QuestionState.MERGED


def in_order(cases: Iterable[Document]) -> list[Document]:
    """Cases in speaking order; those without a number behind, as they were received."""
    return sorted(cases, key=lambda c: (c.get("speaking_order") or 1_000_000, c["received_at"], str(c["_id"])))


@dataclass(frozen=True, slots=True)
class Item:
    """One content on the agenda."""

    n: int
    case: Document
    question: Document

    @property
    def state(self) -> QuestionState:
        return QuestionState(self.question["state"])

    @property
    def is_absent(self) -> bool:
        return self.case.get("attendance") == "absent"


def agenda(dialogue: Document, cases: Iterable[Document], questions: Iterable[Document]) -> list[Item]:
    """The contents of a meeting, numbered from 1: those of the invited and of walk-ins."""
    by_case = of_case(questions)
    invited = [case for case in in_order(cases) if is_at_meeting(case)]
    spoken = [(case, q) for case in invited for q in by_case.get(case["_id"], ()) if is_spoken(q, dialogue)]
    return [Item(n, case, question) for n, (case, question) in enumerate(spoken, 1)]


@dataclass(frozen=True, slots=True)
class Attendance:
    """How many of those invited came; organisations and persons are those present, walk-ins included."""

    invited: int
    present: int
    absent: int
    walk_ins: int
    organisations: int
    individuals: int


def attendance(cases: Iterable[Document]) -> Attendance:
    """The figures of a meeting (S5: present 4 of 5, absent 1, walk-in 1)."""
    at_meeting = [case for case in cases if is_at_meeting(case)]
    walk_ins = [case for case in at_meeting if case["source"] == "walk_in"]
    invited = [case for case in at_meeting if case["source"] != "walk_in"]
    present = [case for case in invited if case.get("attendance") in PRESENT]
    there = [*present, *walk_ins]
    individuals = sum(case["kind"] == "individual" for case in there)
    return Attendance(
        invited=len(invited),
        present=len(present),
        absent=sum(case.get("attendance") == "absent" for case in invited),
        walk_ins=len(walk_ins),
        organisations=len(there) - individuals,
        individuals=individuals,
    )


def replies(dialogue: Document, invited: Iterable[Document]) -> dict[str, int]:
    """How many of the invited said that they come, send somebody, or do not come; one for another date is none (D9)."""
    counts = dict.fromkeys(("coming", "substitute", "absent", "none"), 0)
    for case in invited:
        reply = case.get("attendance_reply")
        counts[reply["answer"] if reply and reply["starts_at"] == dialogue["starts_at"] else "none"] += 1
    return counts


def missed(dialogue: Document, cases: Iterable[Document], questions: Iterable[Document]) -> list[Document]:
    """The gap list's first half: who is to be invited and was not (S4: a paper typed after the day of invitations)."""
    by_case = of_case(questions)
    return [case for case in in_order(cases) if is_to_be_invited(case, by_case.get(case["_id"], ()), dialogue)]


_REACHED = frozenset({"sent", "posted", "phoned"})


def unverified(cases: Iterable[Document], deliveries: Mapping[UUID, Sequence[Document]]) -> list[tuple[Document, str]]:
    """The gap list's second half: invited, but no delivery proves it; with the last status known of it."""
    found = []
    for case in in_order(cases):
        if CaseStatus(case["status"]) is not CaseStatus.INVITED:
            continue
        known = deliveries.get(case["_id"], ())
        if not any(delivery["status"] in _REACHED for delivery in known):
            found.append((case, known[-1]["status"] if known else "requested"))
    return found
