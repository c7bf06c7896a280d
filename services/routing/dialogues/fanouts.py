"""What an act on a dialogue promised to many people, finished step by step (D9, D11, D12).

The act's one write names the step in `fanouts`; here it is carried out, person by person. Every effect is idempotent by its id or
key, so a step that was cut off anywhere is simply begun again, and two workers at once do no harm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from uuid import UUID

from contracts.letters import Result
from contracts.model import CaseSource, CaseStatus, LetterState, QuestionState
from kit.acting import Acting
from kit.agency import Agency
from kit.clock import local_date
from kit.errors import Permanent
from kit.logging import get_logger
from kit.mongo import Document
from services.routing import surveys
from services.routing.context import Routing
from services.routing.dialogues import agenda, letters, store, waves
from services.routing.questions import clocks, usecases
from services.routing.questions import store as questions_store

PAUSE = 1.0
_BATCH = 100

Step = Callable[[Routing, Document, Document], Awaitable[None]]
"""(routing, dialogue as it is now, entry of its `fanouts`)."""


async def work(routing: Routing) -> None:
    """Finish what is unfinished, until cancelled."""
    while True:
        await finish(routing)
        await asyncio.sleep(PAUSE)


async def finish(routing: Routing) -> None:
    """Carry out every step that is still to be done. One that cannot be done does not keep the others waiting."""
    for dialogue in await store.unfinished(routing.dialogues.collection):
        try:
            await _finish_dialogue(routing, dialogue)
        except Permanent as error:
            get_logger().error("fanout_failed", dialogue=dialogue["_id"], error=type(error).__name__)


async def _finish_dialogue(routing: Routing, dialogue: Document) -> None:
    for entry in dialogue["fanouts"]:
        if entry["id"] in dialogue["unfinished"]:
            await _STEPS[entry["kind"]](routing, dialogue, entry)
            await store.finished(routing.dialogues.collection, dialogue["_id"], entry["id"])


# Invitations


async def _invite(routing: Routing, dialogue: Document, entry: Document) -> None:
    """Everybody who is to be invited gets a place in the speaking order and one letter; concerned units are told."""
    wave = waves.find(dialogue, entry["args"]["wave"])
    if wave is None or dialogue["status"] != "scheduled":
        return
    agency = routing.agencies[dialogue["agency"]]
    by_case = agenda.of_case(await _questions(routing, dialogue))
    cases = [
        case
        for case in await _cases(routing, dialogue)
        if agenda.is_invited_by(case, wave["number"]) or agenda.is_to_be_invited(case, by_case.get(case["_id"], ()), dialogue)
    ]
    for batch in _batches(cases):
        invited = [await _mark_invited(routing, dialogue, wave, case, entry) for case in batch]
        asked = [
            letters.invitation(
                agency,
                dialogue,
                wave,
                case,
                _spoken(by_case, case, dialogue),
                entry["at"],
                confirm_url=_confirm_url(routing, agency, case),
            )
            for case in invited
        ]
        await routing.letters.request(_acting(dialogue, entry), asked)
    await _tell_units(routing, agency, dialogue, wave, entry, by_case)


async def _mark_invited(routing: Routing, dialogue: Document, wave: Document, case: Document, entry: Document) -> Document:
    """The case as invited. Its place in the order is written before the letter that names it, so that it never changes."""
    if case["invitation_number"] == wave["number"]:
        return case
    order = case["speaking_order"] or await store.next_speaking_order(routing.dialogues.collection, dialogue["_id"])
    return await usecases.mark_invited(
        routing,
        _acting(dialogue, entry),
        case["_id"],
        wave["number"],
        on=local_date(entry["at"]),
        speaking_order=order,
    )


async def _tell_units(
    routing: Routing,
    agency: Agency,
    dialogue: Document,
    wave: Document,
    entry: Document,
    by_case: Mapping[UUID, Sequence[Document]],
) -> None:
    """Internal participants get their own notice (D9): each unit that answers for a content of this meeting."""
    questions = [q for of_case in by_case.values() for q in of_case if q["unit"] and agenda.is_spoken(q, dialogue)]
    units = sorted({q["unit"] for q in questions})
    asked = [
        letters.internal_invitation(
            agency, dialogue, wave, agency.unit(unit), [q for q in questions if q["unit"] == unit], entry["at"]
        )
        for unit in units
    ]
    await routing.letters.request(_acting(dialogue, entry), asked)


# Date, place, mode; cancelling


async def _tell_date(routing: Routing, dialogue: Document, entry: Document) -> None:
    """Everybody registered is told; the units' clocks are counted again, as the meeting caps them (D7)."""
    if dialogue["status"] == "cancelled" or entry["args"]["revision"] != dialogue["told"][-1]:
        return  # a later change tells what this one would have told
    agency = routing.agencies[dialogue["agency"]]

    def letter(case: Document) -> LetterState:
        if entry["kind"] == "date_fixed":
            return letters.date_fixed(dialogue, case, entry)
        return letters.rescheduled(agency, dialogue, case, entry, confirm_url=_confirm_url(routing, agency, case))

    await _tell(routing, dialogue, entry, letter)
    await usecases.recount(routing, _acting(dialogue, entry), dialogue["_id"])


def _confirm_url(routing: Routing, agency: Agency, case: Document) -> str:
    """Where a registrant says whether they come: intake's page for the tracking code. No code stands in an address. Who sent
    feedback answers by mail or telephone: that page only shows what became of it.
    """
    if case["source"] == CaseSource.FEEDBACK:
        return ""
    return f"{routing.settings.public_url}/{agency.code}/tra-cuu"


async def _tell_cancelled(routing: Routing, dialogue: Document, entry: Document) -> None:
    agency = routing.agencies[dialogue["agency"]]
    await _tell(routing, dialogue, entry, lambda case: letters.cancelled(agency, dialogue, case, entry))


async def _tell(routing: Routing, dialogue: Document, entry: Document, letter: Callable[[Document], LetterState]) -> None:
    """Write to who is invited or is to be. Who has nothing to say at the meeting hears nothing of its date (D6)."""
    by_case = agenda.of_case(await _questions(routing, dialogue))
    concerned = [
        case
        for case in await _cases(routing, dialogue)
        if case["status"] == CaseStatus.INVITED or agenda.is_to_be_invited(case, by_case.get(case["_id"], ()), dialogue)
    ]
    for batch in _batches(concerned):
        await routing.letters.request(_acting(dialogue, entry), [letter(case) for case in batch])


# The conclusion


async def _conclude(routing: Routing, dialogue: Document, entry: Document) -> None:
    """The clocks of written answers start with the notice (D10), then everybody gets the own result (D11, D12)."""
    await usecases.start_written_clocks(routing, _acting(dialogue, entry), dialogue["_id"], entry["at"])
    agency = routing.agencies[dialogue["agency"]]
    cases = await _cases(routing, dialogue)
    questions = await _questions(routing, dialogue)
    numbers = {item.question["_id"]: item.n for item in agenda.agenda(dialogue, cases, questions)}
    results = _results(questions, numbers)
    there = [case for case in agenda.in_order(cases) if case["attendance"] is not None and results.get(case["_id"])]
    for batch in _batches(there):
        links = await surveys.links(routing, agency.code, batch, entry["at"])
        asked = [
            letters.result(agency, dialogue, case, results[_id := case["_id"]], entry["at"], survey_url=links.get(_id, ""))
            for case in batch
        ]
        await routing.letters.request(_acting(dialogue, entry), asked)


def _results(questions: Iterable[Document], numbers: Mapping[UUID, int]) -> dict[UUID, list[Result]]:
    """Case → what became of its contents; a merged one shares the result of the content it was merged into."""
    known = {q["_id"]: q for q in questions}
    found: dict[UUID, list[Result]] = {}
    for case, own in agenda.of_case(known.values()).items():
        for question in own:
            end = known.get(question.get("merged_into")) if question["state"] == QuestionState.MERGED else question
            if end is None or end["_id"] not in numbers:
                continue
            clock = clocks.running_clock(end)
            due_on = clock["due_on"] if clock and end["state"] == QuestionState.TO_WRITE else None
            told = {**end, "text": question["text"], "section_title": question["section_title"]}
            found.setdefault(case, []).append(letters.result_of(numbers[end["_id"]], told, due_on))
    return found


_STEPS: Mapping[str, Step] = {
    "invitations": _invite,
    "date_fixed": _tell_date,
    "rescheduled": _tell_date,
    "cancelled": _tell_cancelled,
    "conclusion": _conclude,
}


def _acting(dialogue: Document, entry: Document) -> Acting:
    return Acting(dialogue["agency"], entry["by"], entry["at"])


def _spoken(by_case: Mapping[UUID, Sequence[Document]], case: Document, dialogue: Document) -> list[Document]:
    return [q for q in by_case.get(case["_id"], ()) if agenda.is_joint(q, dialogue)]


async def _cases(routing: Routing, dialogue: Document) -> list[Document]:
    return await questions_store.cases_of_dialogue(routing.cases.collection, dialogue["agency"], dialogue["_id"])


async def _questions(routing: Routing, dialogue: Document) -> list[Document]:
    return await questions_store.questions_of_dialogue(routing.questions.collection, dialogue["agency"], dialogue["_id"])


def _batches(cases: Sequence[Document]) -> Iterable[list[Document]]:
    remaining = iter(cases)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
