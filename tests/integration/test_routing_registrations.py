"""Registrations become cases and questions, once, whatever Kafka repeats (promise 2; D4-D6) - on a real MongoDB."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from pymongo.errors import AutoReconnect

from contracts.model import LetterKind, LetterState, QuestionState
from kit.acting import Acting
from kit.clock import TZ
from kit.consumer import newest
from kit.errors import Permanent
from kit.letters import LetterDesk
from kit.mongo import Document
from kit.outbox import Relay
from services.routing import metrics
from services.routing.context import Routing
from services.routing.questions import afterwards, letters, store
from services.routing.questions.states import question_id
from tests.routing import (
    DENUNCIATION,
    MEASURE,
    NOW,
    PLAN,
    SCIENCE,
    SON_LA,
    UNCLEAR,
    FrozenClock,
    Remembering,
    registration,
    running_routing,
    take,
    with_dialogue,
)
from tests.waiting import eventually

pytestmark = pytest.mark.stack


@pytest.fixture
async def routing(mongodb_url: str) -> AsyncIterator[Routing]:
    async with running_routing(mongodb_url) as made:
        yield made


async def questions_of(routing: Routing, case: str) -> list[Document]:
    return await store.questions_of_case(routing.questions.collection, SON_LA, UUID(case), sealed=True)


async def case_of(routing: Routing, case: str) -> Document:
    return await store.case(routing.cases.collection, SON_LA, UUID(case))


async def snapshot(routing: Routing) -> tuple[list[Document], list[Document]]:
    without = {"events": 0, "due": 0}
    cases = await routing.cases.collection.find({}, without).sort("_id").to_list(None)
    questions = await routing.questions.collection.find({}, without).sort("_id").to_list(None)
    return cases, questions


async def test_each_filled_section_becomes_a_question_in_a_named_state(routing: Routing) -> None:
    dialogue = await with_dialogue(routing)
    event = registration(SCIENCE, "", MEASURE, "", DENUNCIATION)
    await take(routing, event)
    case = await case_of(routing, event.subject)
    questions = await questions_of(routing, event.subject)
    assert case["dialogue"] == dialogue
    assert case["status"] == "open"
    assert [q["section_no"] for q in questions] == [1, 3, 5]
    assert [q["state"] for q in questions] == ["proposed", "proposed", "sealed"]
    assert case["questions"] == [question_id(UUID(event.subject), n) for n in (1, 3, 5)]
    assert all(q["proposal"]["unit"] and q["proposal"]["reason"] for q in questions[:2])


async def test_a_batch_repeated_changes_nothing(routing: Routing) -> None:
    await with_dialogue(routing)
    events = [registration(SCIENCE, MEASURE) for _ in range(20)]
    await take(routing, *events)
    before = await snapshot(routing)
    await take(routing, *reversed(events))
    await take(routing, *events[3:9], *events[5:])
    assert await snapshot(routing) == before


async def test_a_crash_between_questions_and_case_loses_nothing(routing: Routing, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_dialogue(routing)
    event = registration(SCIENCE, MEASURE)
    insert_many = type(routing.cases).insert_many

    async def fails_for_cases(outbox: Any, documents: Any) -> None:
        if outbox.name == "cases":
            raise AutoReconnect("down")
        await insert_many(outbox, documents)

    monkeypatch.setattr(type(routing.cases), "insert_many", fails_for_cases)
    with pytest.raises(AutoReconnect):
        await take(routing, event)
    monkeypatch.undo()
    # Meanwhile the registrant changed the first section; the redelivered batch holds only the newest event.
    amended = registration(MEASURE, MEASURE, happening="amended", subject=UUID(event.subject), sequence=2)
    await take(routing, *newest([event, amended]))
    questions = await questions_of(routing, event.subject)
    assert [q["text"] for q in questions] == [MEASURE, MEASURE]
    assert (await case_of(routing, event.subject))["registration_seq"] == 2


async def test_an_older_event_never_undoes_a_newer_one(routing: Routing) -> None:
    await with_dialogue(routing)
    first = registration(SCIENCE, MEASURE)
    subject = UUID(first.subject)
    second = registration(SCIENCE, UNCLEAR, happening="amended", subject=subject, sequence=2)
    third = registration(SCIENCE, SCIENCE, happening="amended", subject=subject, sequence=3)
    await take(routing, first)
    await take(routing, third)
    before = await snapshot(routing)
    await take(routing, second)
    await take(routing, first)
    assert await snapshot(routing) == before
    assert [q["text"] for q in await questions_of(routing, first.subject)] == [SCIENCE, SCIENCE]


async def test_amended_before_its_transfer_a_text_is_replaced_and_a_section_may_come_or_go(routing: Routing) -> None:
    await with_dialogue(routing)
    event = registration(SCIENCE, MEASURE)
    await take(routing, event)
    amended = registration(DENUNCIATION, "", UNCLEAR, happening="amended", subject=UUID(event.subject), sequence=2)
    await take(routing, amended)
    by_section = {q["section_no"]: q for q in await questions_of(routing, event.subject)}
    assert {n: q["state"] for n, q in by_section.items()} == {1: "sealed", 2: "withdrawn", 3: by_section[3]["state"]}
    assert by_section[1]["text"] == DENUNCIATION
    case = await case_of(routing, event.subject)
    assert set(case["questions"]) == {q["_id"] for q in by_section.values()}


async def test_withdrawn_takes_every_open_question_along(routing: Routing) -> None:
    await with_dialogue(routing)
    event = registration(SCIENCE, "", "", "", DENUNCIATION)
    await take(routing, event)
    await take(
        routing,
        registration(SCIENCE, status="withdrawn", happening="withdrawn", subject=UUID(event.subject), sequence=2),
    )
    assert {q["state"] for q in await questions_of(routing, event.subject)} == {"withdrawn"}
    assert (await case_of(routing, event.subject))["status"] == "withdrawn"


async def test_withdrawn_before_routing_ever_saw_it(routing: Routing) -> None:
    await with_dialogue(routing)
    event = registration(SCIENCE, status="withdrawn", happening="withdrawn", sequence=2)
    await take(routing, event)
    assert [q["state"] for q in await questions_of(routing, event.subject)] == ["withdrawn"]


async def test_erased_leaves_no_person_and_no_text(routing: Routing) -> None:
    await with_dialogue(routing)
    event = registration(SCIENCE, MEASURE)
    await take(routing, event)
    await take(routing, registration(status="erased", happening="erased", subject=UUID(event.subject), sequence=2))
    case = await case_of(routing, event.subject)
    questions = await questions_of(routing, event.subject)
    assert case["person"] is None
    assert all("text" not in q and q["state"] == "withdrawn" for q in questions)


@pytest.mark.parametrize(
    ("received_at", "late"),
    [
        (datetime(2022, 5, 4, 17, 30, 59, tzinfo=TZ), False),
        (datetime(2022, 5, 4, 17, 31, 0, tzinfo=TZ), True),
    ],
)
async def test_late_is_judged_by_the_minute_of_receipt(routing: Routing, received_at: datetime, late: bool) -> None:
    await with_dialogue(routing, closes_at=datetime(2022, 5, 4, 17, 30, tzinfo=TZ))
    event = registration(SCIENCE, received_at=received_at)
    await take(routing, event)
    case = await case_of(routing, event.subject)
    assert case["status"] == ("late" if late else "open")
    assert case["late"] is late
    assert [s["state"] for s in case["steps"]] == (["open", "late"] if late else ["open"])


async def test_a_registration_before_its_dialogue_is_known_is_kept_and_placed_later(routing: Routing) -> None:
    event = registration(SCIENCE, UNCLEAR)
    await take(routing, event)
    assert (await case_of(routing, event.subject))["dialogue"] is None
    assert {q["state"] for q in await questions_of(routing, event.subject)} <= {"proposed", "triage"}
    await afterwards.place_waiting(routing)
    dialogue = await with_dialogue(routing)
    await afterwards.place_waiting(routing)
    assert (await case_of(routing, event.subject))["dialogue"] == dialogue
    assert {q["dialogue"] for q in await questions_of(routing, event.subject)} == {dialogue}


async def test_the_next_dialogue_that_was_still_open(routing: Routing) -> None:
    await with_dialogue(routing, ordinal=1, closes_at=NOW - timedelta(days=10))
    second = await with_dialogue(routing, ordinal=2, starts_at=None)
    event = registration(SCIENCE)
    await take(routing, event)
    assert (await case_of(routing, event.subject))["dialogue"] == second


async def test_an_unknown_agency_is_rejected_and_the_rest_flows(routing: Routing) -> None:
    await with_dialogue(routing)
    good, bad = registration(SCIENCE), registration(SCIENCE, agency="nowhere")
    rejected = await take(routing, bad, good)
    assert [event for event, _ in rejected] == [bad]
    assert len(await questions_of(routing, good.subject)) == 1


async def test_a_sealed_question_tells_ids_and_state_only_from_its_first_event_on(routing: Routing) -> None:
    await with_dialogue(routing)
    publisher = Remembering()
    relay = Relay(publisher, [routing.questions, routing.cases])
    event = registration("", "", "", "", DENUNCIATION)
    await take(routing, event)
    await relay.stop()
    published = [orjson.loads(v)["data"] for topic, _, v in publisher.records if topic == "routing.questions"]
    assert len(published) == 1
    assert set(published[0]) <= {
        "case", "case_number", "plan", "dialogue", "source", "state", "sealed", "steps", "clocks", "transfers",
    }  # fmt: skip
    assert published[0]["state"] == QuestionState.SEALED
    for _, _, value in publisher.records:
        assert "tố cáo" not in value.decode()
        assert "Mục 5" not in value.decode()
        assert "Lò Thị Mẫu" not in value.decode()


async def test_an_automatic_profile_transfers_confident_proposals_at_once_and_tells_the_unit(
    routing: Routing, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = routing.agencies[SON_LA]
    automatic = agency.model_copy(update={"assign_by": agency.assign_by.model_copy(update={"value": "automatic"})})
    monkeypatch.setitem(routing.agencies, SON_LA, automatic)  # type: ignore[arg-type]
    await with_dialogue(routing)
    event = registration(SCIENCE, "", "", "", UNCLEAR)
    for _ in range(2):
        await take(routing, event)
    confident, unclear = await questions_of(routing, event.subject)
    assert confident["state"] == "transferred"
    assert confident["clocks"][0]["due_on"] == "2022-04-29"  # S2: transferred on Tue 26/4/2022
    assert [s["state"] for s in confident["steps"]] == ["proposed", "transferred"]
    assert unclear["state"] == "triage"
    letters = await routing.database["letters"].find({}).to_list(None)
    assert [x["letter"]["kind"] for x in letters] == ["new_question"]
    assert SCIENCE not in str(letters)
    assert not confident.get("todo")


async def test_what_a_crash_left_undone_is_taken_up(routing: Routing, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = routing.agencies[SON_LA]
    automatic = agency.model_copy(update={"assign_by": agency.assign_by.model_copy(update={"value": "automatic"})})
    monkeypatch.setitem(routing.agencies, SON_LA, automatic)  # type: ignore[arg-type]
    await with_dialogue(routing)

    async def crash(*_: Any) -> None:
        raise AutoReconnect("down")

    request: Callable[..., Awaitable[None]] = type(routing.letters).request
    monkeypatch.setattr(type(routing.letters), "request", crash)
    with pytest.raises(AutoReconnect):
        await take(routing, registration(SCIENCE))
    monkeypatch.setattr(type(routing.letters), "request", request)
    routing.clock.now += timedelta(minutes=1)  # type: ignore[attr-defined]
    await afterwards.finish_left_behind(routing)
    await afterwards.finish_left_behind(routing)
    assert await routing.database["letters"].count_documents({}) == 1
    assert await routing.questions.collection.count_documents({"todo.0": {"$exists": True}}) == 0


async def promising(routing: Routing, number: int, do: str) -> UUID:
    """A case that a crash left with a step to do."""
    event = registration(SCIENCE, number=f"SL-2022-{number:06d}")
    await take(routing, event)
    case = UUID(event.subject)
    entry = letters.promise(case, LetterKind.TO_FEEDBACK, 1, NOW, "vanphong", {}) | {"do": do, "reason": "Đã quá hạn"}
    await routing.cases.collection.update_one({"_id": case}, {"$set": {"todo": [entry]}})
    return case


async def test_steps_that_cannot_be_done_keep_no_other_waiting(routing: Routing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.unfinished, "__defaults__", (3,))
    tried: list[UUID] = []
    do = afterwards._do

    async def failing(routing: Routing, document: Document, entry: Document) -> Any:
        if entry["do"] == "letter":
            return await do(routing, document, entry)
        tried.append(document["_id"])
        raise KeyError("a bug, or data of another version")

    monkeypatch.setattr(afterwards, "_do", failing)
    stuck = {await promising(routing, n, "questions_to_feedback") for n in range(5)}
    await promising(routing, 9, "letter")
    clock = routing.clock
    assert isinstance(clock, FrozenClock)
    clock.now += timedelta(minutes=1)
    for _ in range(3):
        await afterwards.finish_left_behind(routing)
    assert await routing.database["letters"].count_documents({}) == 1
    assert set(tried) == stuck
    assert len(tried) == len(stuck), "each is left alone for a while"
    assert metrics.STEPS_NOT_DONE.labels("cases")._value.get() == len(stuck)
    pauses = []
    for again in (2, 3):
        pauses.append(await _next_try(routing) - clock.now)
        clock.now += pauses[-1]
        for _ in range(2):
            await afterwards.finish_left_behind(routing)
        assert len(tried) == again * len(stuck)
    assert pauses[1] == 2 * pauses[0]

    monkeypatch.setattr(afterwards, "_do", do)
    clock.now += afterwards.LONGEST_PAUSE
    for _ in range(2):
        await afterwards.finish_left_behind(routing)
    assert await routing.cases.collection.count_documents({"todo.0": {"$exists": True}}) == 0
    assert metrics.STEPS_NOT_DONE.labels("cases")._value.get() == 0


async def _next_try(routing: Routing) -> datetime:
    put_off = await routing.cases.collection.find_one({"todo.again_at": {"$exists": True}}, sort=[("todo.again_at", 1)])
    assert put_off is not None
    again_at: datetime = put_off["todo"][0]["again_at"]
    return again_at


async def test_a_letter_that_is_refused_keeps_no_other_from_being_asked_for(
    routing: Routing, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [await promising(routing, n, "letter") for n in range(3)]
    document = LetterDesk._document

    async def too_large(desk: LetterDesk, acting: Acting, letter: LetterState) -> dict[str, Any]:
        if letter.case == cases[1]:
            raise Permanent("too large for one event")
        return await document(desk, acting, letter)

    monkeypatch.setattr(LetterDesk, "_document", too_large)
    routing.clock.now += timedelta(minutes=1)  # type: ignore[attr-defined]
    await afterwards.finish_left_behind(routing)
    assert {x["letter"]["case"] async for x in routing.database["letters"].find({})} == {cases[0], cases[2]}
    assert [c["_id"] async for c in routing.cases.collection.find({"todo.0": {"$exists": True}})] == [cases[1]]


async def test_no_text_and_no_person_in_what_events_keep(routing: Routing) -> None:
    await with_dialogue(routing)
    event = registration(SCIENCE, DENUNCIATION)
    await take(routing, event)
    for outbox in (routing.cases, routing.questions):
        async for document in outbox.collection.find({}, {"events": 1}):
            assert SCIENCE not in str(document)
            assert DENUNCIATION not in str(document)
            assert "Lò Thị Mẫu" not in str(document)


async def test_the_relay_publishes_every_case_and_question(routing: Routing) -> None:
    await with_dialogue(routing)
    publisher = Remembering()
    relay = Relay(publisher, [routing.questions, routing.cases])
    await take(routing, *[registration(SCIENCE, MEASURE) for _ in range(10)])

    async def all_marked() -> bool:
        left = [await o.collection.count_documents({"unsent": {"$exists": True}}) for o in (routing.questions, routing.cases)]
        return sum(left) == 0

    await eventually(all_marked)
    await relay.stop()
    topics = [topic for topic, _, _ in publisher.records]
    assert topics.count("routing.cases") == 10
    assert topics.count("routing.questions") == 20


def test_plan_of_the_samples_is_the_one_used_here() -> None:
    assert PLAN.startswith(SON_LA)
