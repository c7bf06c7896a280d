"""What a registrant may do after registering, when, and what each act makes of the registration (D3, D7, D9, D11). Pure.

The sender of feedback (K2) does the same with a form of one section (sheets.py); `source` of the document says which it is.

Whether a question is still before its transfer is known here from routing's published states, a moment late; routing, which owns
the question, decides what a change becomes (`Amendment.taken_as`). Added to a registration's document by these acts:

- `withdrawn_sections`, `withdrawal_reason`, `contact_changed_at`, `attendance_reply`; `additions` of a section
- `first_contact`  whom the receipt was asked for, once `person` was corrected
- `letters`        [n, kind, recipient, fields]: what the event number n asks notify to write; recipients as they were then
- `asked` of a step  [via, on]: staff recorded it, as the person asked that way on that day (kit/acting.py:Asked)
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid5

from contracts.letters import AmendedFields, ContactChangedFields, LetterFields
from contracts.model import (
    CLOSED_STATES,
    AttendanceReply,
    CaseSource,
    CaseState,
    CaseStatus,
    DialogueState,
    LetterKind,
    Person,
    QuestionState,
    QuestionStateData,
    Way,
)
from kit.acting import Acting
from kit.errors import Conflict, Invalid
from kit.outbox import Act, Change, step
from services.intake.documents import LETTER
from services.intake.domain import alike_keys

Document = Mapping[str, Any]

REPLACEABLE = frozenset({QuestionState.NEW, QuestionState.TRIAGE, QuestionState.PROPOSED})
"""Before the transfer: the text itself may change. What a unit returned it has read, so that is only added to."""
MOST_STEPS = 100
MOST_ADDITIONS = 10
LONGEST = 100_000
"""Characters of all texts of a registration together: it must fit into one event."""


class Mode(StrEnum):
    """What may be done to a section of the form now."""

    AMEND = "amend"
    ADD = "add"
    NEW = "new"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Situation:
    """What routing has shown of a registration until `now`. `takes_sections`: registration for its dialogue is still open, as it
    always is for feedback.
    """

    now: datetime
    case: CaseState | None
    questions: Mapping[UUID, QuestionStateData]
    dialogue: DialogueState | None
    takes_sections: bool


def question_id(registration: UUID, no: int) -> UUID:
    """The question that a section becomes."""
    return uuid5(registration, str(no))


def section_of(document: Document, no: int) -> Document | None:
    return next((section for section in document["sections"] if section["no"] == no), None)


_WENT_ON = (QuestionState.TO_FEEDBACK, QuestionState.TO_DIALOGUE)


def standing(registration: UUID, no: int, questions: Mapping[UUID, QuestionStateData]) -> UUID:
    """The question that section `no` is now: what became feedback, or a registration, went on as a question of its own (D3)."""
    found = question_id(registration, no)
    while (question := questions.get(found)) is not None and question.state in _WENT_ON:
        after = next((i for i, q in questions.items() if q.parent == found and q.source is not question.source), None)
        if after is None:
            break
        found = after
    return found


def family(registration: UUID, no: int, questions: Mapping[UUID, QuestionStateData]) -> list[UUID]:
    """The question of section `no` and all that came out of it, each after what it came from."""
    found = [question_id(registration, no)]
    for parent in found:  # grows as it goes
        found += sorted(i for i, q in questions.items() if q.parent == parent)
    return found


def _now(document: Document, no: int, situation: Situation) -> QuestionStateData | None:
    return situation.questions.get(standing(document["_id"], no, situation.questions))


def is_hidden(question: QuestionStateData | None) -> bool:
    """Of a sealed question not even the text is shown: who else holds the code must not learn of a denunciation (D6)."""
    return question is not None and (question.sealed or question.state in (QuestionState.SEALED, QuestionState.EXCLUDED))


def without_sealed(document: Document, situation: Situation) -> tuple[dict[str, Any], Situation]:
    """The same as it is to who must not know that something in it is sealed (D6): its section is one that was not filled."""
    families = {s["no"]: family(document["_id"], s["no"], situation.questions) for s in document["sections"]}
    sealed = {no: mine for no, mine in families.items() if any(is_hidden(situation.questions.get(_id)) for _id in mine)}
    kept_back = {_id for mine in sealed.values() for _id in mine}
    sections = [s for s in document["sections"] if s["no"] not in sealed]
    questions = {_id: q for _id, q in situation.questions.items() if _id not in kept_back}
    return {**document, "sections": sections}, replace(situation, questions=questions)


def mode(document: Document, no: int, situation: Situation) -> Mode:
    """What the person may do to section `no`."""
    if document["status"] != "received" or no in document.get("withdrawn_sections", ()):
        return Mode.NONE
    question = _now(document, no, situation)
    if section_of(document, no) is None:
        is_over = situation.case is not None and situation.case.status in _OVER[_source(document)]
        return Mode.NEW if situation.takes_sections and question is None and not is_over else Mode.NONE
    if question is None:
        return Mode.AMEND
    if question.state in CLOSED_STATES or question.state is QuestionState.MERGED:
        return Mode.NONE
    if question.state not in REPLACEABLE or question.sealed:
        return Mode.ADD
    was_split = any(q.parent == standing(document["_id"], no, situation.questions) for q in situation.questions.values())
    return Mode.ADD if was_split else Mode.AMEND


_OVER: Mapping[CaseSource, Collection[CaseStatus]] = {
    CaseSource.REGISTRATION: (CaseStatus.CLOSED, CaseStatus.WITHDRAWN, CaseStatus.TO_FEEDBACK),
    CaseSource.FEEDBACK: (CaseStatus.CLOSED, CaseStatus.WITHDRAWN),
}


def _source(document: Document) -> CaseSource:
    return CaseSource(document.get("source", CaseSource.REGISTRATION))


def withdrawable(document: Document, situation: Situation) -> tuple[int, ...]:
    """Sections that may still be taken back: not those that have been answered, nor those answered with another's."""
    if document["status"] != "received":
        return ()
    gone = document.get("withdrawn_sections", ())
    numbers = [section["no"] for section in document["sections"] if section["no"] not in gone]
    states = {no: _now(document, no, situation) for no in numbers}
    return tuple(no for no, q in states.items() if q is None or q.state not in CLOSED_STATES | {QuestionState.MERGED})


def may_reply(document: Document, situation: Situation) -> bool:
    """Whether an invitation waits for an answer: until the meeting begins (D9)."""
    case, dialogue = situation.case, situation.dialogue
    if document["status"] != "received" or case is None or case.status is not CaseStatus.INVITED or dialogue is None:
        return False
    return dialogue.status == "scheduled" and dialogue.starts_at is not None and situation.now < dialogue.starts_at


def may_change(document: Document) -> bool:
    """Whether contact and way may be corrected: as long as something may be written to the person."""
    return bool(document["status"] == "received")


def valid_reply(document: Document, situation: Situation) -> AttendanceReply | None:
    """What the person said about the meeting as it is dated now; None: nothing, or about another date."""
    reply = AttendanceReply.model_validate(document["attendance_reply"]) if document.get("attendance_reply") else None
    if reply is None or situation.dialogue is None or reply.starts_at != situation.dialogue.starts_at:
        return None
    return reply


# The acts. Each returns None where the registration is so already: pressed twice is done once.


def changed_section(document: Document, acting: Acting, no: int, title: str, text: str, how: Mode) -> Change | None:
    """A section's text changed, added to, or filled for the first time. Raises `Conflict` when it must not be, `Invalid` when
    there is too much of it.
    """
    _received(document)
    section = section_of(document, no)
    if no in document.get("withdrawn_sections", ()):
        raise Conflict("the section was taken back")
    if _last(section) == text:
        return None
    if (section is None) != (how is Mode.NEW):
        raise Conflict("the section is not as it was")
    if section is None:
        sections = sorted([*document["sections"], {"no": no, "title": title, "text": text}], key=lambda s: s["no"])
    else:
        sections = [_with(s, acting, text, how) if s is section else s for s in document["sections"]]
    _check_length(sections)
    what = "amended" if how is Mode.AMEND else "added"
    letters = [_confirmation(document, acting, what, sections=[title])]
    incomplete = [name for name in document["incomplete"] if name != "sections"]
    changes = {"section": no, "how": how.value}
    return _changed(document, acting, what, changes, letters, sections=sections, incomplete=incomplete)


def _last(section: Document | None) -> str | None:
    """What was written last into a section."""
    if section is None:
        return None
    additions = section.get("additions") or ()
    return str(additions[-1]["text"] if additions else section["text"])


def _with(section: Document, acting: Acting, text: str, how: Mode) -> Document:
    if how is Mode.AMEND:
        return {**section, "text": text}
    return {**section, "additions": [*(section.get("additions") or ()), {"at": acting.now, "text": text}]}


TOO_MUCH = "Nội dung đã quá dài hoặc được bổ sung quá nhiều lần. Xin Ông/Bà gửi phần còn lại bằng văn bản đến Văn phòng Sở."


def _check_length(sections: Sequence[Document]) -> None:
    texts = [t for s in sections for t in (s["text"], *(a["text"] for a in s.get("additions") or ()))]
    if sum(map(len, texts)) > LONGEST or any(len(s.get("additions") or ()) > MOST_ADDITIONS for s in sections):
        raise Invalid({"text": TOO_MUCH})


def corrected(document: Document, acting: Acting, person: Person, incomplete: Collection[str]) -> Change | None:
    """Another contact: letters follow it from now on. The address that was replaced is told, without the new one."""
    _received(document)
    new, old = person.model_dump(), dict(document["person"])
    if new == old:
        return None
    letters = [_confirmation({**document, "person": new}, acting, "contact")]
    if old["email"] and old["email"].casefold() != new["email"].casefold():
        warning = ContactChangedFields(registrant=document["kind"], source=_source(document), at=acting.now)
        letters.append(_Letter(LetterKind.CONTACT_CHANGED, old, warning))
    fields: dict[str, Any] = {
        "person": new,
        "first_contact": document.get("first_contact") or old,
        "contact_changed_at": acting.now,
        "incomplete": [name for name in document["incomplete"] if name in incomplete],
        "alike": alike_keys(document["agency"], document["plan"], person),
    }
    changed = sorted(name for name in new if new[name] != old[name])
    return _changed(document, acting, "contact", {"fields": changed}, letters, **fields)


def preferred(document: Document, acting: Acting, way: Way | None) -> Change | None:
    """The way by which the person wishes to be told."""
    _received(document)
    if document["preferred_way"] == way:
        return None
    changes = {"way": [document["preferred_way"], way]}
    return _changed(document, acting, "way", changes, [_confirmation(document, acting, "way")], preferred_way=way)


def withdrawn(
    document: Document, acting: Acting, sections: Collection[int], reason: str, still_open: Collection[int]
) -> Change | None:
    """These sections are taken back; when none is left that was not, so is the registration. What has been answered stays.

    `still_open`: the sections that routing has not shown as answered. Raises `Conflict` for others.
    """
    before = document.get("withdrawn_sections", ())
    new = sorted(set(sections) - set(before))
    if document["status"] == "withdrawn" or not new:
        return None
    _received(document)
    if not set(new) <= set(still_open):
        raise Conflict("a section has been answered")
    gone = sorted({*before, *new})
    every = {section["no"] for section in document["sections"]} <= set(gone)
    fields: dict[str, Any] = {"withdrawn_sections": gone, "withdrawal_reason": reason}
    titles = [section["title"] for section in document["sections"] if section["no"] in new]
    letters = [_confirmation(document, acting, "withdrawn_all" if every else "withdrawn", sections=() if every else titles)]
    if every:
        fields["status"] = "withdrawn"
        return _changed(document, acting, "withdrawn", {"sections": new}, letters, event="withdrawn", **fields)
    return _changed(document, acting, "section_withdrawn", {"sections": new}, letters, **fields)


def replied(document: Document, acting: Acting, reply: AttendanceReply) -> Change | None:
    """Whether the person comes (D9). A reason is noted if given, never required (D11)."""
    _received(document)
    new = reply.model_dump()
    known = document.get("attendance_reply")
    if known and {**known, "at": None} == {**new, "at": None}:
        return None
    letters = [_confirmation(document, acting, "attendance", answer=reply.answer)]
    return _changed(document, acting, f"attendance_{reply.answer}", {"answer": reply.answer}, letters, attendance_reply=new)


PERSONAL = ("person", "files", "alike", "first_contact", "contact_changed_at", "letters", "attendance_reply", "withdrawal_reason")


def erased(document: Document, acting: Acting) -> Change | None:
    """One write removes person, texts and files (law: personal data); number, days and titles stay for the statistics."""
    if document["status"] == "erased":
        return None
    act = acting.act(f"{_source(document)}.erased.v1")
    sections = [{"no": s["no"], "title": s["title"], "text": ""} for s in document["sections"]]
    steps = [*document["steps"], step(act, document["seq"] + 1, "erased")]
    return Change([act], {"status": "erased", "sections": sections, "steps": steps}, PERSONAL)


def _received(document: Document) -> None:
    if document["status"] != "received":
        raise Conflict(f"the registration is {document['status']}")
    if len(document["steps"]) >= MOST_STEPS:
        raise Invalid({"": "Nội dung đã được sửa quá nhiều lần. Xin Ông/Bà gọi Văn phòng Sở để được giúp đỡ."})


@dataclass(frozen=True, slots=True)
class _Letter:
    """A letter that an act asks for, to `person`."""

    kind: LetterKind
    person: Document
    fields: LetterFields


def _confirmation(document: Document, acting: Acting, what: str, **fields: Any) -> _Letter:
    values = {"registrant": document["kind"], "source": _source(document), "what": what, "at": acting.now, **fields}
    return _Letter(LetterKind.AMENDED, document["person"], AmendedFields.model_validate(values))


def _changed(
    document: Document,
    acting: Acting,
    state: str,
    changes: Document,
    letters: Sequence[_Letter],
    *,
    event: str = "amended",
    **fields: Any,
) -> Change:
    """One act with its dated step, and the letters to whoever has an e-mail address: a confirmation is not worth a stamp."""
    n = document["seq"] + 1
    acts: list[Act] = [acting.act(f"{_source(document)}.{event}.v1", changes={"what": state, **changes})]
    kept = [*document.get("letters", ())]
    for letter in letters:
        if letter.person["email"]:
            acts.append(acting.act(LETTER, changes={"letter": letter.kind.value}))
            frozen = {"recipient": dict(letter.person), "fields": letter.fields.sent()}
            kept.append({"n": n + len(acts) - 1, "kind": letter.kind.value, **frozen})
    return Change(acts, {**fields, "letters": kept, "steps": [*document["steps"], step(acts[0], n, state) | acting.request]})
