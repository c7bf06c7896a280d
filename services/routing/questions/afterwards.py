"""What an act promises beyond its own document: letters, the parts of a split, a case that closes.

The act's one write keeps each promise as an entry of `todo`; right after it the steps are done and the entries taken out. A crash
between the two leaves them to the worker. Every step may be repeated: ids and letter keys are derived from the act.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from pymongo.errors import PyMongoError

from contracts.model import CLOSED_STATES, CaseStatus, LetterKind, LetterState, QuestionState, SectionText
from kit import feedback as k2
from kit.acting import Acting
from kit.errors import Conflict
from kit.logging import get_logger
from kit.mongo import Document, is_transient
from kit.outbox import Change, Outbox, step
from services.routing import metrics, surveys
from services.routing.context import Routing
from services.routing.dialogues import store as dialogue_store
from services.routing.questions import domain, feedback, letters, states, store
from services.routing.questions.domain import Classified
from services.routing.questions.registrations import New, classified, meeting_day, new_question, placement

ACTOR = "system:routing"
PAUSE = 5.0
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
"""How long a step that could not be done is left alone: doubled with each try."""
WALK_IN_TITLE = "Nội dung phát biểu tại Hội nghị"
Worker = Callable[[], Awaitable[None]]


def workers(routing: Routing) -> tuple[Worker, ...]:
    """The background work of this part."""

    async def run() -> None:
        while True:
            await finish_left_behind(routing)
            await place_waiting(routing)
            await asyncio.sleep(PAUSE)

    return (run,)


async def finish_left_behind(routing: Routing) -> None:
    """Take up what a crash left unfinished, and what could not be done when it was tried last."""
    now = routing.clock()
    before = now - timedelta(seconds=routing.settings.unfinished_after_seconds)
    for outbox in (routing.questions, routing.cases):
        await settle(routing, outbox, await store.unfinished(outbox.collection, before, now))
        metrics.STEPS_NOT_DONE.labels(outbox.name).set(await store.count_put_off(outbox.collection))


@dataclass(frozen=True, slots=True)
class _Promise:
    """An entry of a document's `todo`."""

    document: Document
    entry: Mapping[str, Any]

    @property
    def key(self) -> tuple[UUID, str]:
        return self.document["_id"], self.entry["id"]


async def settle(routing: Routing, outbox: Outbox, documents: Sequence[Document]) -> None:
    """Do what these documents promise and take the entries out.

    What cannot be done is said in the log and put off, each time for longer, so that it keeps nothing else waiting; what only
    the database's absence prevents is raised.
    """
    now = routing.clock()
    done: list[_Promise] = []
    letters_wanted: list[tuple[_Promise, LetterState]] = []
    for promise in [_Promise(d, e) for d in documents for e in d.get("todo", ()) if e.get("again_at", now) <= now]:
        try:
            wanted = await _do(routing, promise.document, promise.entry)
        except Exception as error:
            await _put_off(routing, outbox, promise, error)
            continue
        if wanted is None:
            done.append(promise)
        else:
            letters_wanted.append((promise, wanted))
    done += await _asked_for(routing, outbox, letters_wanted)
    await store.done(outbox.collection, [promise.key for promise in done])


async def _asked_for(routing: Routing, outbox: Outbox, wanted: Sequence[tuple[_Promise, LetterState]]) -> list[_Promise]:
    """Ask for letters, many at once; where that is refused one by one. Returns the promises that this keeps."""
    by_actor: dict[tuple[str, str], list[tuple[_Promise, LetterState]]] = {}
    for promise, wanted_letter in wanted:
        by_actor.setdefault((promise.document["agency"], promise.entry["by"]), []).append((promise, wanted_letter))
    kept: list[_Promise] = []
    for (agency, by), asked in by_actor.items():
        acting = Acting(agency, by, routing.clock())
        try:
            await routing.letters.request(acting, [wanted_letter for _, wanted_letter in asked])
        except Exception as error:
            if len(asked) == 1 or _is_away(error):
                await _put_off(routing, outbox, asked[0][0], error)
            else:
                for one in asked:
                    kept += await _asked_for(routing, outbox, [one])
        else:
            kept += [promise for promise, _ in asked]
    return kept


def _is_away(error: Exception) -> bool:
    return isinstance(error, PyMongoError) and is_transient(error)


async def _put_off(routing: Routing, outbox: Outbox, promise: _Promise, error: Exception) -> None:
    if _is_away(error):
        raise error
    tries = promise.entry.get("tries", 0) + 1
    get_logger().error("step_not_done", collection=outbox.name, kind=promise.entry["do"], attempt=tries, exc_info=error)
    again_at = routing.clock() + min(FIRST_PAUSE * 2 ** min(tries - 1, 20), LONGEST_PAUSE)
    await store.put_off(outbox.collection, promise.key, tries, again_at)


async def _do(routing: Routing, document: Document, entry: Mapping[str, Any]) -> LetterState | None:
    """One step; a letter is returned, so that many are asked for at once."""
    match entry["do"]:
        case "letter":
            return await _letter(routing, document, entry)
        case "tell_unit":
            agency = routing.agencies[document["agency"]]
            url = f"{routing.settings.public_url}/{agency.code}/can-bo/noi-dung/{document['_id']}"
            return letters.to_unit(agency, document, entry, url)
        case "children":
            await _insert_children(routing, document, entry)
        case "ask":
            await _ask(routing, document, entry)
        case "seal_apart":
            await _seal_apart(routing, document, entry)
        case "close_case":
            await _close_cases(routing, document, entry)
        case "questions_to_feedback":
            await _questions_follow(routing, document, entry, domain.to_feedback)
        case "questions_to_dialogue":
            await _questions_follow(routing, document, entry, domain.to_dialogue)
        case "continue":
            await _continue(routing, document, entry)
        case "place_questions":
            await _place_questions(routing, document, entry)
    return None


def _acting(document: Document, entry: Mapping[str, Any]) -> Acting:
    return Acting(document["agency"], entry["by"], entry["at"])


# Letters


async def _letter(routing: Routing, document: Document, entry: Mapping[str, Any]) -> LetterState:
    agency = routing.agencies[document["agency"]]
    of_question = "case" in document
    case = await store.case(routing.cases.collection, agency.code, document["case"]) if of_question else document
    context = await _context(routing, LetterKind(entry["kind"]), case, document, entry["at"])
    return letters.to_person(entry, agency, case, document if of_question else None, context)


async def _context(routing: Routing, kind: LetterKind, case: Document, document: Document, at: datetime) -> dict[str, Any]:
    """What a letter of this kind needs from other documents."""
    questions = await store.questions_of_case(routing.questions.collection, case["agency"], case["_id"])
    match kind:
        case LetterKind.GUIDANCE:
            return {"others_remain": _others_remain(questions, document)}
        case LetterKind.COMPLAINT_GUIDANCE:
            plan = await routing.plans.collection.find_one({"_id": case["plan"], "agency": case["agency"]}, {"number": 1})
            return {"others_remain": _others_remain(questions, document), "plan_number": (plan or {}).get("number", "")}
        case LetterKind.ADMITTED:
            dialogue = await dialogue_store.dialogue(routing.dialogues.collection, case["agency"], case["dialogue"])
            return {"meeting": letters.meeting(dialogue)}
        case LetterKind.TO_FEEDBACK:
            answer_by = await _feedback_due(routing, case)
            return {"questions": letters.asked([q for q in questions if not states.is_feedback(q)]), "answer_by": answer_by}
        case LetterKind.WRITTEN_ANSWER:
            found = await surveys.links(routing, case["agency"], [case], at)
            return {"survey_url": found.get(case["_id"], "")}
        case _:
            return {}


def _others_remain(questions: Sequence[Document], document: Document) -> bool:
    return any(q["_id"] != document["_id"] and states.is_open(q) for q in questions)


async def _feedback_due(routing: Routing, case: Document) -> str | None:
    """K2's day for an answer, counted from today; None where the agency has none."""
    calendar = await routing.calendars.of(case["agency"])
    due = k2.answer_due(routing.agencies[case["agency"]], calendar, routing.clock())
    return None if due is None else due.due_on.isoformat()


# Questions that come out of others


async def _insert_children(routing: Routing, parent: Document, entry: Mapping[str, Any]) -> None:
    await _insert_beside(routing, parent, entry, [(c["id"], c["text"], None) for c in entry["children"]])


async def _ask(routing: Routing, case: Document, entry: Mapping[str, Any]) -> None:
    """The question of a walk-in, first raised at the meeting (D10)."""
    agency = routing.agencies[case["agency"]]
    section = SectionText(no=1, title=WALK_IN_TITLE, text=entry["text"])
    new = new_question(agency, _acting(case, entry), states.question_id(case["_id"], 1), case=case, section=section)
    await routing.questions.insert(await routing.questions.new(new.id, agency.code, new.state, new.acts))


async def _seal_apart(routing: Routing, parent: Document, entry: Mapping[str, Any]) -> None:
    """What a registrant added to a question in work and must be sealed: a sealed question apart (D6)."""
    found = classified(routing.agencies[parent["agency"]], parent["section_no"], entry["text"])
    await _insert_beside(routing, parent, entry, [(uuid5(parent["_id"], entry["id"]), entry["text"], found)])


async def _insert_beside(
    routing: Routing, parent: Document, entry: Mapping[str, Any], parts: Sequence[tuple[UUID, str, Classified | None]]
) -> None:
    acting = _acting(parent, entry)
    agency = routing.agencies[parent["agency"]]
    case = await store.case(routing.cases.collection, agency.code, parent["case"])
    new: list[New] = []
    for _id, text, as_is in parts:
        section = SectionText(no=parent["section_no"] or 1, title=parent["section_title"], text=text)
        new.append(
            new_question(
                agency, acting, _id, case={**case, "source": parent["source"], "dialogue": parent["dialogue"]}, section=section,
                parent=parent["_id"], as_is=as_is, registration_seq=case["registration_seq"],
            )
        )  # fmt: skip
    if states.is_feedback(parent):  # a part is due when the whole is
        due = {name: parent[name] for name in ("clocks", "sort_at", "counted_from", "outside_due")}
        new = [New(n.id, n.state | due, n.acts) for n in new]
    await _insert_and_name(routing, case, acting, new)


async def _continue(routing: Routing, question: Document, entry: Mapping[str, Any]) -> None:
    """A question that became feedback, or feedback that was taken into a dialogue, goes on as a question of its own (D3)."""
    agency = routing.agencies[question["agency"]]
    acting = _acting(question, entry)
    case = await store.case(routing.cases.collection, agency.code, question["case"])
    new = feedback.follow_up(question, case, agency, await routing.calendars.of(agency.code), acting)
    await _insert_and_name(routing, case, acting, [new])


async def _insert_and_name(routing: Routing, case: Document, acting: Acting, new: Sequence[New]) -> None:
    """Questions that come out of others: inserted, then named in their case."""
    agency = case["agency"]
    await routing.questions.insert_many([await routing.questions.new(n.id, agency, n.state, n.acts) for n in new])
    ids = [n.id for n in new]

    def name_them(document: Document) -> Change | None:
        missing = [i for i in ids if i not in document["questions"]]
        return Change([acting.act("case.amended.v1")], {"questions": [*document["questions"], *missing]}) if missing else None

    await routing.cases.change(case["_id"], agency, name_them)


# Cases that follow their questions


async def _close_cases(routing: Routing, question: Document, entry: Mapping[str, Any]) -> None:
    """Close the case of a question that has ended, and those whose questions were merged into it, if nothing is open there."""
    agency = question["agency"]
    merged = await store.merged_into(routing.questions.collection, agency, question["_id"])
    for case_id in sorted({question["case"], *(m["case"] for m in merged)}, key=str):
        states = await _states(routing, agency, case_id)
        if states <= CLOSED_STATES:
            await routing.cases.change(case_id, agency, partial(ended, acting=_acting(question, entry), states=states))


async def _states(routing: Routing, agency: str, case_id: UUID) -> set[QuestionState]:
    """The states of a case's questions; one merged into another has the other's."""
    questions = await store.questions_of_case(routing.questions.collection, agency, case_id, sealed=True)
    targets = [q["merged_into"] for q in questions if q["state"] == QuestionState.MERGED]
    others = await store.states_of(routing.questions.collection, agency, targets)
    return {*others, *(QuestionState(q["state"]) for q in questions if q["state"] != QuestionState.MERGED)}


def ended(case: Document, acting: Acting, states: Set[QuestionState]) -> Change | None:
    """Every question has ended; where all were withdrawn, so is the case. What became feedback, or a registration, ended as what
    it went on as (D3).
    """
    if case["status"] in (CaseStatus.CLOSED, CaseStatus.WITHDRAWN):
        return None
    status = CaseStatus.WITHDRAWN if states - _WENT_ON == {QuestionState.WITHDRAWN} else CaseStatus.CLOSED
    act = acting.act(f"case.{status}.v1")
    return Change([act], {"status": status.value, "steps": [*case["steps"], step(act, case["seq"] + 1, status.value)]})


_WENT_ON = frozenset({QuestionState.TO_FEEDBACK, QuestionState.TO_DIALOGUE})
Turn = Callable[[Document, Acting, states.Who, str], Change]


async def _questions_follow(routing: Routing, case: Document, entry: Mapping[str, Any], turn: Turn) -> None:
    """The questions of a case that became feedback, or ceased to be it, follow; sealed ones stay with their readers (D6)."""
    acting = _acting(case, entry)
    office = states.Who(frozenset({"office"}))
    follows = turn is domain.to_dialogue
    for question in await store.questions_of_case(routing.questions.collection, case["agency"], case["_id"]):

        def follow(document: Document) -> Change | None:
            if not states.is_open(document) or document["sealed"] or states.is_feedback(document) is not follows:
                return None
            return turn(document, acting, office, entry["reason"])

        after = await routing.questions.change(question["_id"], case["agency"], follow)
        await settle(routing, routing.questions, [after])


# Placing


async def place_waiting(routing: Routing) -> None:
    """Registrations that came before their dialogue was known are placed when it is (D1)."""
    for agency, plan in await store.plans_waiting(routing.cases.collection):
        dialogues = await dialogue_store.dialogues_of_plan(routing.dialogues.collection, agency, plan)
        if not dialogues:
            continue  # a plan may be open for months before its first dialogue is known
        for row in await store.unplaced(routing.cases.collection, agency, plan):
            found = placement(dialogues, None, row["received_at"])
            if found.dialogue is not None:
                await place_case(routing, Acting(agency, ACTOR, routing.clock()), row["_id"], found.dialogue, late=found.late)


async def place_case(routing: Routing, acting: Acting, case_id: UUID, dialogue: str, *, late: bool = False) -> None:
    """Put a case and its questions into a dialogue; the questions follow as a step of the case's act."""
    after = await routing.cases.change(case_id, acting.agency, lambda case: _placed(case, acting, dialogue, late=late))
    await settle(routing, routing.cases, [after])


def _placed(case: Document, acting: Acting, dialogue: str, *, late: bool) -> Change | None:
    if case["dialogue"] == dialogue:
        return None
    if case["status"] in (CaseStatus.CLOSED, CaseStatus.WITHDRAWN, CaseStatus.TO_FEEDBACK):
        raise Conflict(f"the case is {case['status']}")
    act = acting.act("case.placed.v1", changes={"dialogue": [case["dialogue"], dialogue]})
    entry = {
        "id": f"place/{case['seq'] + 1}", "do": "place_questions", "dialogue": dialogue, "at": acting.now, "by": acting.actor,
    }  # fmt: skip
    fields: dict[str, Any] = {"dialogue": dialogue, "todo": [*case.get("todo", ()), entry]}
    acts = [act]
    if late and case["status"] == CaseStatus.OPEN:
        acts.append(acting.act("case.late.v1"))
        late_step = step(acts[1], case["seq"] + 2, CaseStatus.LATE.value)
        fields |= {"status": CaseStatus.LATE.value, "late": True, "steps": [*case["steps"], late_step]}
    return Change(acts, fields)


async def _place_questions(routing: Routing, case: Document, entry: Mapping[str, Any]) -> None:
    """The questions follow their case; a running clock is counted again, as the meeting caps it (D7)."""
    acting = _acting(case, entry)
    agency = case["agency"]
    dialogue = await dialogue_store.dialogue(routing.dialogues.collection, agency, entry["dialogue"])
    calendar = await routing.calendars.of(agency)
    meeting_on = meeting_day(dialogue)

    def follow(document: Document) -> Change | None:
        if document["dialogue"] == entry["dialogue"] or not states.is_open(document) or states.is_feedback(document):
            return None
        moved = domain.placed(document, acting, entry["dialogue"])
        again = domain.recomputed(document, acting, calendar, meeting_on)
        return moved if again is None else Change([*moved.acts, *again.acts], {**moved.set, **again.set})

    for question in await store.questions_of_case(routing.questions.collection, agency, case["_id"], sealed=True):
        await routing.questions.change(question["_id"], agency, follow)
