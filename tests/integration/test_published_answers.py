"""From the office's act to everybody's eyes: published, found, taken back, erased; on real MongoDB."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from cli.answered import load_answered
from contracts import topics
from contracts.envelope import Event, Payload, decode
from contracts.events import models
from contracts.model import QuestionState, QuestionStateData
from deploy.local.paths import ROOT
from kit.agency import load_agencies
from kit.auth import Role
from kit.clock import TZ
from kit.consumer import newest
from kit.samples import load_sample
from services.intake.site.domain import public_id, section_mark, terms, typed_pairs, year_mark
from services.intake.site.store import CANDIDATES, PAGE
from services.routing.questions import store, usecases
from services.routing.questions.store import render_question
from services.routing.questions.usecases import Outcome, OutcomeKind
from tests.intake import NOW, Recorded, Running, running_intake
from tests.integration.test_routing_desk import a_desk, clock, done
from tests.routing import SCIENCE, SON_LA, acting, registration, running_routing, take, with_dialogue
from tests.site import ANSWERS, answer_state
from tests.site import SCIENCE as FIELD

pytestmark = pytest.mark.stack
MANY, BATCH = 1_500, 250


@pytest_asyncio.fixture(scope="module")
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url, announced=False) as running:
        yield running


def event(question: UUID, state: Payload, sequence: int = 1, agency: str = SON_LA) -> Event[Any]:
    return Event[Any].model_construct(
        specversion="1.0", id=uuid4(), source="routing", type="question.published.v1", subject=str(question), time=NOW,
        datacontenttype="application/json", dataschema="QuestionStateData", agency=agency, sequence=sequence, correlationid="",
        data=state,
    )  # fmt: skip


async def show(intake: Running, question: UUID, state: QuestionStateData, sequence: int = 1) -> str:
    """Take over a state of a question; returns the address it has while it is public."""
    await intake.intake.projections.save_questions([event(question, state, sequence)])
    return f"/son-la/hoi-dap/{public_id(question)}"


async def test_the_office_publishes_and_everybody_reads_it_until_it_is_taken_back(mongodb_url: str, intake: Running) -> None:
    async with a_desk(mongodb_url) as desk:
        await with_dialogue(desk.routing)
        asked = registration(SCIENCE, person={"name": "Lò Thị Mẫu", "phone": "+84912345678", "address": "Tổ 1"})
        await take(desk.routing, asked)
        clock(desk).now = datetime(2022, 5, 11, 10, 0, tzinfo=TZ)
        question = await desk.question(asked.subject)
        outcome = Outcome(OutcomeKind.RESOLVED, "Hồ sơ gồm đơn và thuyết minh.")
        await usecases.record_outcome(desk.routing, acting(desk.routing), question["_id"], outcome)
        office, leadership = desk.browser(Role.OFFICE), desk.browser(Role.LEADERSHIP)

        async def state() -> QuestionStateData:
            document = await store.question(desk.routing.questions.collection, SON_LA, question["_id"])
            return render_question(document, {})

        address = await show(intake, question["_id"], await state())
        assert (await intake.client.get(address)).status_code == 404, "answered is not yet public"

        question = await desk.question(asked.subject)
        wording = {
            "public_question": "Bà Lò Thị Mẫu hỏi hồ sơ gồm gì?",
            "public_answer": "Gồm đơn, gọi 0912 345 678.",
        }
        refused = await office.act(question, "cong-khai", **wording)
        assert refused.status_code == 422
        assert "Lò Thị Mẫu" in refused.text
        assert "0912 345 678" in refused.text
        assert 'name="confirmed"' in refused.text, "a person may say that it is not personal"
        assert (await leadership.act(question, "cong-khai", **wording)).status_code in (303, 403, 422)
        assert (await state()).public_answer is None

        clean = {"public_question": "Hồ sơ đăng ký nhiệm vụ gồm những gì?", "public_answer": "Gồm đơn và thuyết minh."}
        await done(await office.act(question, "cong-khai", **clean))
        await show(intake, question["_id"], await state(), 2)
        page = await intake.client.get(address)
        assert "Hồ sơ đăng ký nhiệm vụ gồm những gì?" in page.text
        assert "Lò Thị Mẫu" not in page.text
        assert "nhiệm vụ gồm những gì" in (await intake.client.get("/son-la/hoi-dap?q=nhiem vu dang ky")).text

        await done(await office.act(await desk.question(asked.subject), "thoi-cong-khai", reason="Cần viết lại"))
        gone = await state()
        await show(intake, question["_id"], gone, 3)
        assert (await intake.client.get(address)).status_code == 404
        assert "nhiệm vụ gồm những gì" not in (await intake.client.get("/son-la/hoi-dap?q=nhiem vu")).text


async def test_the_samples_answers_are_public_and_loading_them_again_changes_nothing(mongodb_url: str) -> None:
    """As `make up` loads them, before any service runs: by the same use cases, so that all that follows is as in life."""
    wanted = load_sample(ROOT / "agencies", load_agencies(ROOT / "agencies")[SON_LA]).answered
    assert wanted is not None
    published = Recorded()
    async with running_routing(mongodb_url) as routing, running_intake(mongodb_url, announced=False) as fresh:
        await load_answered(routing.settings, fresh.intake.settings, NOW, publisher=published)
        heard = {topic: [decode(value, models(topic)) for _, value in published.of(topic)] for topic in topics.TOPICS}
        await fresh.intake.projections.save_questions(newest(heard[topics.QUESTIONS]))
        page = (await fresh.client.get("/son-la/hoi-dap")).text
        assert f"{len(wanted.contents) + len(wanted.feedback)} câu trả lời" in page
        for content in (*wanted.contents, *wanted.feedback):
            assert content.question in (await fresh.client.get("/son-la/hoi-dap", params={"q": content.question[:60]})).text
        states = Counter(event.data.state for event in newest(heard[topics.QUESTIONS]))
        assert states == {QuestionState.RESOLVED: len(wanted.contents), QuestionState.ANSWERED: len(wanted.feedback)}
        assert not [event for event in heard[topics.CASES] if event.data.late]
        reached = [letter.data.recipient.email for letter in heard[topics.ROUTING_LETTERS] + heard[topics.INTAKE_LETTERS]]
        assert all(email == "" or email.endswith(".example") for email in reached)
        assert (await fresh.client.get("/son-la/doi-thoai")).text.count("Đã tổ chức") >= 1

        published.records.clear()
        await load_answered(routing.settings, fresh.intake.settings, NOW + timedelta(days=40), publisher=published)
        assert published.records == []


async def test_an_older_event_does_not_bring_it_back(intake: Running) -> None:
    question = uuid4()
    public = answer_state(1, *ANSWERS[1])
    address = await show(intake, question, public, 4)
    assert (await intake.client.get(address)).status_code == 200
    erased = public.model_copy(update={"public_question": None, "public_answer": None, "published_on": None})
    await show(intake, question, erased, 6)
    await show(intake, question, public, 5)
    assert (await intake.client.get(address)).status_code == 404
    assert await intake.database["questions"].count_documents({"public.id": public_id(question)}) == 0


async def test_an_answer_of_a_year_without_a_plan_is_offered_and_dated_as_it_is_filed(intake: Running) -> None:
    """Feedback answered in the last days of a year and published in the next; of neither year there is a plan."""
    days = {"outcome_on": date(2023, 12, 29), "published_on": date(2024, 1, 5), "dialogue": None}
    address = await show(intake, uuid4(), answer_state(4, *ANSWERS[4], **days))
    offered = (await intake.client.get("/son-la/hoi-dap")).text
    assert ['<option value="2023">Năm 2023' in offered, '<option value="2024">' in offered] == [True, False]
    found = (await intake.client.get("/son-la/hoi-dap?nam=2023")).text
    assert ANSWERS[4][1] in found
    assert "29/12/2023" in found
    assert '<option value="2023" selected>' in found
    assert "Trả lời ngày 29/12/2023" in (await intake.client.get(address)).text
    assert "công khai ngày 05/01/2024" in (await intake.client.get(address)).text
    assert 'href="/son-la/hoi-dap/niem-yet?nam=2023"' in (await intake.client.get("/son-la/hoi-dap/niem-yet")).text
    assert ANSWERS[4][1] in (await intake.client.get("/son-la/hoi-dap/niem-yet?nam=2023")).text


async def test_another_agency_s_answers_are_its_own(intake: Running) -> None:
    question = uuid4()
    await intake.intake.projections.save_questions([event(question, answer_state(2, *ANSWERS[2]), agency="bac-kan")])
    assert (await intake.client.get(f"/bac-kan/hoi-dap/{public_id(question)}")).status_code == 200
    assert (await intake.client.get(f"/son-la/hoi-dap/{public_id(question)}")).status_code == 404
    assert ANSWERS[2][1] not in (await intake.client.get("/son-la/hoi-dap")).text


async def test_a_search_among_thousands_examines_little_and_is_paged_newest_first(intake: Running) -> None:
    first = date(2020, 1, 1)
    states = [
        answer_state(
            n, FIELD, f"Hồ sơ {'nhãn hiệu' if n % 100 == 0 else 'đề tài'} số {n} gồm những gì?", "Gồm đơn và thuyết minh.",
            published_on=first + timedelta(days=n), outcome_on=first + timedelta(days=n // 5), dialogue=None,
        )
        for n in range(MANY)
    ]  # fmt: skip
    for n in range(0, MANY, BATCH):
        await intake.intake.projections.save_questions([event(uuid4(), state) for state in states[n : n + BATCH]])
    answers = intake.intake.answers

    found = await answers.having(SON_LA, terms("don va thuyet minh"))
    assert len(found) == PAGE
    assert [a.answered_on for a in found] == sorted((a.answered_on for a in found), reverse=True)
    assert await answers.count(SON_LA, terms("nhan hieu")) == MANY // 100

    for keys, most in (
        ([], PAGE), (["don"], PAGE), ([*terms("nhan hieu don")], MANY // 100), ([year_mark(2020), section_mark(FIELD)], PAGE),
    ):  # fmt: skip
        assert await examined(intake, {"$all": keys or [""]}, PAGE) <= most + PAGE, keys
    assert 2020 in await answers.years(SON_LA)
    assert await examined(intake, {"$all": [""]}, 1, {"public.on": {"$lt": "2020"}}) <= 1, "a year costs a step along the index"
    like = typed_pairs("hồ sơ đề tài gồm những gì, đơn và thuyết minh")
    assert await examined(intake, {"$in": like}, CANDIDATES) <= CANDIDATES * len(like)


async def examined(intake: Running, keys: dict[str, Any], size: int, more: Mapping[str, Any] = MappingProxyType({})) -> int:
    """How many documents MongoDB reads for a page."""
    query = {"agency": SON_LA, "public.id": {"$exists": True}, "public.keys": keys, **more}
    cursor = intake.database["questions"].find(query).sort([("public.on", -1), ("_id", -1)]).limit(size)
    explained = await cursor.explain()
    assert "COLLSCAN" not in str(explained["queryPlanner"]["winningPlan"])
    count: int = explained["executionStats"]["totalDocsExamined"]
    return count


async def test_only_what_was_answered_is_ever_public(intake: Running) -> None:
    question = uuid4()
    sealed = answer_state(3, *ANSWERS[3], state=QuestionState.SEALED, sealed=True)
    assert (await intake.client.get(await show(intake, question, sealed))).status_code == 404
