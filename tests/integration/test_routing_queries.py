"""What the desk's pages and the work on a whole dialogue ask of a large database: nothing cut off, nothing read in vain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.model import CLOSED_STATES, CaseStatus, QuestionState
from kit.mongo import Document
from services.routing.context import Routing
from services.routing.dialogues import fanouts
from services.routing.questions import store
from services.routing.questions.states import NO_DUE
from services.routing.questions.store import Queue
from tests.routing import BAC_KAN, DIALOGUE, NOW, SON_LA, running_routing

pytestmark = pytest.mark.stack

OTHER_DIALOGUE = "son-la-2022-2"
UNIT, OTHER_UNIT = "quan-ly-khoa-hoc", "quan-ly-cong-nghe"


@pytest.fixture
async def routing(mongodb_url: str) -> AsyncIterator[Routing]:
    async with running_routing(mongodb_url) as made:
        yield made


def question(state: QuestionState, *, due_at: datetime | None = None, stopped: bool = False, **fields: Any) -> Document:
    """As much of a question as queries look at; with `due_at` it has a clock."""
    clock = {"due_at": due_at, "stopped_at": NOW if stopped else None}
    return {
        "_id": uuid4(),
        "agency": SON_LA,
        "seq": 1,
        "events": [],
        "case": uuid4(),
        "section_no": 1,
        "state": state.value,
        "sealed": state is QuestionState.SEALED,
        "unit": UNIT,
        "dialogue": DIALOGUE,
        "clocks": [] if due_at is None else [clock],
        "sort_at": due_at or NO_DUE,
        "received_at": NOW,
    } | fields


LATE, SOON = NOW - timedelta(days=2), NOW + timedelta(days=2)


async def fill(routing: Routing) -> None:
    """Years of closed questions, and few that somebody works on."""
    closed = sorted(CLOSED_STATES)
    questions = [question(closed[n % len(closed)], sort_at=NO_DUE, clocks=[{"stopped_at": LATE}]) for n in range(900)]
    questions += [question(QuestionState.TRIAGE, unit=None) for _ in range(20)]
    questions += [question(QuestionState.TRANSFERRED, due_at=LATE) for _ in range(4)]
    questions += [question(QuestionState.TRANSFERRED, due_at=LATE, unit=OTHER_UNIT, dialogue=OTHER_DIALOGUE) for _ in range(3)]
    questions += [question(QuestionState.AT_HEAD, due_at=SOON) for _ in range(10)]
    questions += [question(QuestionState.SUBMITTED, due_at=LATE, stopped=True) for _ in range(30)]
    questions += [question(QuestionState.SEALED, unit=None) for _ in range(5)]
    questions += [question(QuestionState.TRANSFERRED, due_at=LATE, agency=BAC_KAN) for _ in range(50)]
    await routing.questions.collection.insert_many(questions)


class Profile:
    """What the database did in the meantime."""

    def __init__(self) -> None:
        self.keys = self.documents = 0


@asynccontextmanager
async def profiled(routing: Routing) -> AsyncIterator[Profile]:
    """Every operation on questions, as MongoDB itself recorded it."""
    found = Profile()
    await routing.database.command("profile", 2)
    try:
        yield found
    finally:
        await routing.database.command("profile", 0)
    name = f"{routing.database.name}.{routing.questions.collection.name}"
    async for operation in routing.database["system.profile"].find({"ns": name}):
        found.keys += operation["keysExamined"]
        found.documents += operation["docsExamined"]
    await routing.database.drop_collection("system.profile")


async def test_a_queue_page_reads_none_of_what_has_ended(routing: Routing) -> None:
    await fill(routing)
    questions = routing.questions.collection
    states = [QuestionState.TRANSFERRED, QuestionState.AT_HEAD]

    async with profiled(routing) as all_states:
        counts = await store.counts_by_state(questions, SON_LA)
    assert counts == {
        QuestionState.TRIAGE: 20, QuestionState.TRANSFERRED: 7, QuestionState.AT_HEAD: 10, QuestionState.SUBMITTED: 30,
    }  # fmt: skip
    assert all_states.documents == 0
    assert all_states.keys <= 67 + 20

    async with profiled(routing) as one_unit:
        counts = await store.counts_by_state(questions, SON_LA, OTHER_UNIT)
    assert counts == {QuestionState.TRANSFERRED: 3}
    assert one_unit.documents == 0
    assert one_unit.keys <= 3 + 20

    for unit, dialogue, n in ((None, None, 17), (UNIT, None, 14), (None, OTHER_DIALOGUE, 3)):
        async with profiled(routing) as total:
            assert await store.count(questions, SON_LA, Queue(states, unit=unit, dialogue=dialogue)) == n
        assert total.documents == 0
        assert total.keys <= 17 + 5

    for unit, n in ((None, 7), (UNIT, 4)):
        async with profiled(routing) as overdue:
            assert await store.count(questions, SON_LA, Queue(unit=unit, overdue_at=NOW)) == n
        assert overdue.documents <= n
        assert overdue.keys <= 7 + 5

    async with profiled(routing) as page:
        rows = await store.queue(questions, SON_LA, Queue(states, unit=UNIT), limit=5)
    assert [row["state"] for row in rows] == ["transferred"] * 4 + ["at_head"]
    assert page.documents <= 5 + len(states)


async def test_clocks_to_count_again_are_found_without_reading_the_others(routing: Routing) -> None:
    await fill(routing)
    for dialogue, n in ((None, 17), (DIALOGUE, 14), (OTHER_DIALOGUE, 3)):
        async with profiled(routing) as read:
            ids = [i async for i in store.with_running_clock(routing.questions.collection, SON_LA, dialogue)]
        assert len(set(ids)) == n
        assert read.documents <= n
        assert read.keys <= 17 + 5


async def test_work_on_a_dialogue_reaches_every_case_and_question(routing: Routing) -> None:
    """More than 10,000 cases and 20,000 questions: who is left out is not invited and gets no result."""
    cases = [
        {"_id": UUID(int=n), "agency": SON_LA, "seq": 1, "events": [], "dialogue": DIALOGUE, "status": CaseStatus.OPEN.value}
        | {"received_at": NOW + timedelta(seconds=n)}
        for n in range(10_050)
    ]
    asked = [question(QuestionState.READY, case=case["_id"], section_no=no) for case in cases for no in (1, 2)]
    await routing.cases.collection.insert_many(cases, ordered=False)
    await routing.questions.collection.insert_many(asked, ordered=False)
    dialogue = {"_id": DIALOGUE, "agency": SON_LA}
    assert [case["_id"] for case in await fanouts._cases(routing, dialogue)] == [case["_id"] for case in cases]
    assert {q["_id"] for q in await fanouts._questions(routing, dialogue)} == {q["_id"] for q in asked}
