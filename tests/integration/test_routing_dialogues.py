"""Dialogues on a real MongoDB: changes everybody is told of, invitations that survive a crash anywhere, the meeting of S5, S3."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.model import CaseStatus, LetterKind, Mode, PlanState, QuestionState
from deploy.local.downloads import font_dir
from kit.clock import TZ
from kit.errors import Conflict, Invalid
from kit.letters import LetterDesk
from kit.mongo import Document
from services.routing.calendars import day_off_entry
from services.routing.context import Routing
from services.routing.dialogues import fanouts, papers, recount, usecases
from services.routing.dialogues import store as dialogue_store
from services.routing.dialogues.domain import Terms
from services.routing.questions import afterwards
from services.routing.questions import store as questions_store
from services.routing.questions import usecases as questions
from services.routing.questions.domain import Body
from services.routing.questions.states import Who
from services.routing.questions.usecases import Outcome, OutcomeKind
from tests.routing import BAC_KAN, DENUNCIATION, MEASURE, NOW, SCIENCE, SON_LA, acting, registration, running_routing, take

pytestmark = pytest.mark.stack

OFFICE = Who(frozenset({"office"}))


@pytest.fixture
async def routing(mongodb_url: str) -> AsyncIterator[Routing]:
    async with running_routing(mongodb_url, now=at(2022, 4, 4, 9), fonts_dir=str(font_dir())) as made:
        yield made


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=TZ)


def set_clock(routing: Routing, now: datetime) -> None:
    routing.clock.now = now  # type: ignore[attr-defined]


def terms(starts_at: datetime | None, **more: Any) -> Terms:
    return Terms(**{"place": "Hội trường tầng 3", "starts_at": starts_at, "mode": Mode.IN_PERSON, **more})


async def planned(routing: Routing, the_terms: Terms, agency: str = SON_LA) -> str:
    """A dialogue of a new plan."""
    plan = PlanState(number=f"{uuid4().hex[:6]}/KH-SKHCN", year=2022, title="Kế hoạch đối thoại năm 2022")
    who = acting(routing, agency=agency)
    plan_id = await usecases.publish_plan(routing, who, plan, plan_id=f"{agency}-{uuid4().hex[:8]}")
    return await usecases.add_dialogue(routing, who, plan_id, 1, the_terms)


async def registered(routing: Routing, dialogue_id: str, *texts: str, n: int = 1, **more: Any) -> list[UUID]:
    """`n` registrations for a dialogue, one after the other; returns the cases' ids in that order."""
    plan = dialogue_id.rpartition("-")[0]
    start = more.pop("received_at", routing.clock() - timedelta(days=1))
    events = [
        registration(*texts, plan=plan, dialogue=dialogue_id, received_at=start + timedelta(seconds=i), **more) for i in range(n)
    ]
    await take(routing, *events)
    return [UUID(event.subject) for event in events]


async def issued(routing: Routing, dialogue_id: str, number: str = "05", agency: str = SON_LA) -> None:
    """A first wave of invitations, drafted, numbered today, issued; its fan-out is still to be done."""
    who = acting(routing, agency=agency)
    dialogue = await dialogue_of(routing, dialogue_id)
    n = len(dialogue["waves"]) + 1
    await usecases.draft_wave(routing, who, dialogue_id, n, papers.first_wave(routing.agencies[agency], dialogue))
    await usecases.number_wave(routing, who, dialogue_id, n, number, who.now.astimezone(TZ).date())
    await usecases.issue_wave(routing, who, dialogue_id, n)


async def dialogue_of(routing: Routing, dialogue_id: str) -> Document:
    found = await routing.dialogues.collection.find_one({"_id": dialogue_id})
    assert found is not None
    return found


async def letters_of(routing: Routing, kind: LetterKind, dialogue_id: str | None = None) -> list[Document]:
    """The letters of a kind that were asked for."""
    query: Document = {"letter.kind": kind.value}
    if dialogue_id is not None:
        query["letter.dialogue"] = dialogue_id
    rows = await routing.database["letters"].find(query).to_list(None)
    return [row["letter"] for row in rows]


async def case_of(routing: Routing, case_id: UUID, agency: str = SON_LA) -> Document:
    return await questions_store.case(routing.cases.collection, agency, case_id)


# Dates


async def test_fixing_a_date_tells_everybody_who_registered_and_has_something_to_say(routing: Routing) -> None:
    dialogue_id = await planned(routing, terms(None, window_from=date(2022, 4, 1), window_to=date(2022, 6, 30)))
    told = await registered(routing, dialogue_id, SCIENCE, n=3)
    await registered(routing, dialogue_id, DENUNCIATION)
    fixed = terms(at(2022, 5, 11, 8), closes_at=at(2022, 4, 27, 17))
    await usecases.change_dialogue(routing, acting(routing), dialogue_id, fixed, "Lãnh đạo Sở ấn định ngày")
    await fanouts.finish(routing)
    sent = await letters_of(routing, LetterKind.DATE_FIXED, dialogue_id)
    assert {letter["case"] for letter in sent} == set(told)
    assert datetime.fromisoformat(sent[0]["fields"]["meeting"]["starts_at"]) == at(2022, 5, 11, 8)
    assert sent[0]["not_after"] == at(2022, 5, 11, 8)


async def test_a_change_without_reason_or_of_a_called_off_dialogue_is_refused(routing: Routing) -> None:
    dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
    later = terms(at(2022, 5, 12, 8))
    with pytest.raises(Invalid):
        await usecases.change_dialogue(routing, acting(routing), dialogue_id, later, " ")
    with pytest.raises(Invalid):
        await usecases.change_dialogue(routing, acting(routing), dialogue_id, terms(at(2022, 4, 1, 8)), "Ngày đã qua")
    await usecases.cancel_dialogue(routing, acting(routing), dialogue_id, "bão lũ", date(2022, 5, 20))
    with pytest.raises(Conflict):
        await usecases.change_dialogue(routing, acting(routing), dialogue_id, later, "Đổi ngày")


async def test_a_new_date_supersedes_the_invitation_and_counts_the_units_days_again(routing: Routing) -> None:
    dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
    [case_id] = await registered(routing, dialogue_id, SCIENCE)
    [question] = await questions_store.questions_of_case(routing.questions.collection, SON_LA, case_id)
    await questions.transfer(routing, acting(routing), OFFICE, question["_id"], "quan-ly-khoa-hoc")
    await issued(routing, dialogue_id)
    await fanouts.finish(routing)
    # S1: transferred Mon 4/4, due Thu 7/4; a meeting on Thu 7/4 caps it to the working day before.
    await usecases.change_dialogue(routing, acting(routing), dialogue_id, terms(at(2022, 4, 7, 8)), "người chủ trì đi công tác")
    await fanouts.finish(routing)
    [letter] = await letters_of(routing, LetterKind.RESCHEDULED, dialogue_id)
    assert letter["supersedes"] == (await letters_of(routing, LetterKind.INVITATION, dialogue_id))[0]["letter_key"].split("\0")
    assert letter["fields"]["number"] == "05/GM-SKHCN"
    assert len(letter["files"]) == 1
    after = await routing.questions.get(question["_id"], SON_LA)
    assert after["clocks"][-1]["due_on"] == "2022-04-06"


async def test_calling_off_reaches_everybody_and_stops_invitations_not_yet_asked_for(routing: Routing) -> None:
    dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
    cases = await registered(routing, dialogue_id, SCIENCE, n=4)
    await issued(routing, dialogue_id)
    await usecases.cancel_dialogue(routing, acting(routing), dialogue_id, "bão lũ", date(2022, 5, 20))
    await fanouts.finish(routing)
    assert await letters_of(routing, LetterKind.INVITATION, dialogue_id) == []
    assert {letter["case"] for letter in await letters_of(routing, LetterKind.CANCELLED, dialogue_id)} == set(cases)


# Invitations


class Crash(Exception):
    """The process dies here."""


class Crasher:
    """Lets so many steps through, then dies before or after the next one's effect."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 1_000_000
        self.after = False
        self.seen = 0
        for owner, name in (
            (questions, "mark_invited"),
            (dialogue_store, "next_speaking_order"),
            (dialogue_store, "finished"),
            (LetterDesk, "request"),
        ):
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def maybe(*args: Any, **kwargs: Any) -> Any:
            self.seen += 1
            self.left -= 1
            if self.left < 0 and not self.after:
                raise Crash
            done = await step(*args, **kwargs)
            if self.left < 0:
                raise Crash
            return done

        return maybe


async def _assert_each_invited_once(routing: Routing, dialogue_id: str, cases: list[UUID]) -> None:
    invitations = await letters_of(routing, LetterKind.INVITATION, dialogue_id)
    assert sorted(str(letter["case"]) for letter in invitations) == sorted(map(str, cases))
    kept = {c["_id"]: c for c in await questions_store.cases_of_dialogue(routing.cases.collection, SON_LA, dialogue_id)}
    orders = [kept[case]["speaking_order"] for case in cases]
    assert len(set(orders)) == len(cases)
    for letter in invitations:
        case = kept[letter["case"]]
        assert case["status"] == CaseStatus.INVITED
        assert case["invitation_number"] == "05"
        assert letter["fields"]["speaking_order"] == case["speaking_order"]
    assert (await dialogue_of(routing, dialogue_id))["unfinished"] == []


async def test_a_crash_between_any_two_steps_leaves_one_letter_for_each(
    routing: Routing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crasher = Crasher(monkeypatch)
    measured = await planned(routing, terms(at(2022, 5, 11, 8)))
    await registered(routing, measured, SCIENCE, n=3)
    await issued(routing, measured)
    await fanouts.finish(routing)
    steps = crasher.seen
    assert steps >= 3 * 2 + 3
    for k in range(steps):
        for after in (False, True):
            dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
            cases = await registered(routing, dialogue_id, SCIENCE, n=3)
            await issued(routing, dialogue_id)
            crasher.left, crasher.after = k, after
            with pytest.raises(Crash):
                await fanouts.finish(routing)
            crasher.left = 1_000_000
            await fanouts.finish(routing)
            await _assert_each_invited_once(routing, dialogue_id, cases)


async def test_three_hundred_are_invited_once_however_often_it_crashes(routing: Routing, monkeypatch: pytest.MonkeyPatch) -> None:
    dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
    cases = await registered(routing, dialogue_id, SCIENCE, n=300)
    await issued(routing, dialogue_id)
    chance = random.Random(20220511)
    crasher = Crasher(monkeypatch)
    crashes = 0
    while (await dialogue_of(routing, dialogue_id))["unfinished"]:
        crasher.left, crasher.after = chance.randrange(1, 120), chance.random() < 0.5
        try:
            await fanouts.finish(routing)
        except Crash:
            crashes += 1
    assert crashes >= 5
    await _assert_each_invited_once(routing, dialogue_id, cases)


async def test_one_number_for_a_wave_and_only_then_it_goes_out(routing: Routing) -> None:
    dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
    who = acting(routing)
    draft = papers.first_wave(routing.agencies[SON_LA], await dialogue_of(routing, dialogue_id))
    await usecases.draft_wave(routing, who, dialogue_id, 1, draft)
    with pytest.raises(Conflict):
        await usecases.issue_wave(routing, who, dialogue_id, 1)
    with pytest.raises(Invalid):
        await usecases.attach_signed_invitation(routing, who, dialogue_id, 1, b"PK\x03\x04 no pdf")
    await usecases.attach_signed_invitation(routing, who, dialogue_id, 1, b"%PDF-1.7 signed")
    await usecases.number_wave(routing, who, dialogue_id, 1, "7", date(2022, 4, 4))
    await usecases.issue_wave(routing, who, dialogue_id, 1)
    [wave] = (await dialogue_of(routing, dialogue_id))["waves"]
    assert wave["document"] == wave["signed"]
    with pytest.raises(Conflict):
        await usecases.number_wave(routing, who, dialogue_id, 1, "8", date(2022, 4, 4))


# S3


async def test_what_changed_while_its_document_was_made_does_not_go_out(
    routing: Routing, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
    who = acting(routing)
    await usecases.draft_wave(
        routing, who, dialogue_id, 1, papers.first_wave(routing.agencies[SON_LA], await dialogue_of(routing, dialogue_id))
    )
    await usecases.number_wave(routing, who, dialogue_id, 1, "05", date(2022, 4, 4))
    make = usecases.invitation_pdf

    async def make_while_it_moves(*args: Any) -> bytes:
        made = await make(*args)
        elsewhere = terms(at(2022, 5, 11, 8), place="Phòng họp tầng 2")
        await usecases.change_dialogue(routing, who, dialogue_id, elsewhere, "Hội trường đang sửa")
        return made

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(usecases, "invitation_pdf", make_while_it_moves)
        with pytest.raises(Conflict):
            await usecases.issue_wave(routing, who, dialogue_id, 1)
    assert (await dialogue_of(routing, dialogue_id))["waves"][0]["status"] == "numbered"
    await usecases.issue_wave(routing, who, dialogue_id, 1)
    await usecases.issue_wave(routing, who, dialogue_id, 1)  # pressed twice
    assert (await dialogue_of(routing, dialogue_id))["waves"][0]["status"] == "issued"


async def test_a_number_is_one_plans_however_often_it_is_pressed(routing: Routing) -> None:
    plan = PlanState(number="12/KH-SKHCN", year=2022, title="Kế hoạch đối thoại năm 2022")
    who = acting(routing)
    presses = await asyncio.gather(*(usecases.publish_plan(routing, who, plan) for _ in range(8)), return_exceptions=True)
    assert [type(p) for p in presses if not isinstance(p, str)] == [Conflict] * 7
    assert await routing.plans.collection.count_documents({"agency": SON_LA, "number": "12/KH-SKHCN"}) == 1
    other = await usecases.publish_plan(routing, who, plan.model_copy(update={"number": "13/KH-SKHCN"}))
    with pytest.raises(Conflict):
        await usecases.edit_plan(routing, who, other, {"number": "12/KH-SKHCN"}, "Ghi nhầm số")
    assert await usecases.publish_plan(routing, acting(routing, agency=BAC_KAN), plan)


async def test_a_plan_without_a_dialogue_keeps_no_other_plans_registrations_waiting(
    routing: Routing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions_store.unplaced, "__defaults__", (3,))
    await take(routing, *(registration(SCIENCE, plan="son-la-khong-hoi-nghi") for _ in range(5)))
    early = registration(SCIENCE, plan=f"{SON_LA}-sau")
    await take(routing, early)
    plan = PlanState(number="14/KH-SKHCN", year=2022, title="Kế hoạch đối thoại năm 2022")
    await usecases.publish_plan(routing, acting(routing), plan, plan_id=f"{SON_LA}-sau")
    dialogue_id = await usecases.add_dialogue(routing, acting(routing), f"{SON_LA}-sau", 1, terms(at(2022, 5, 11, 8)))
    await afterwards.place_waiting(routing)
    assert (await case_of(routing, UUID(early.subject)))["dialogue"] == dialogue_id


async def test_a_day_off_added_moves_open_deadlines_and_leaves_closed_ones(routing: Routing) -> None:
    set_clock(routing, at(2022, 4, 20, 9))
    held = await planned(routing, terms(at(2022, 4, 27, 8)))
    later = await planned(routing, terms(at(2022, 5, 11, 8)))
    done = await planned(routing, terms(at(2022, 5, 11, 9)))
    await usecases.hand_report(routing, acting(routing), done)
    [case_id] = await registered(routing, later, SCIENCE)
    [question] = await questions_store.questions_of_case(routing.questions.collection, SON_LA, case_id)
    set_clock(routing, at(2022, 4, 27, 15))
    await usecases.hold_dialogue(routing, acting(routing), held, date(2022, 4, 27))
    set_clock(routing, at(2022, 4, 28, 9))
    await questions.transfer(routing, acting(routing), OFFICE, question["_id"], "quan-ly-khoa-hoc")
    assert (await dialogue_of(routing, held))["deadlines"]["conclusion"]["due_on"] == "2022-05-06"
    assert (await dialogue_of(routing, later))["deadlines"]["report"]["due_on"] == "2022-05-04"

    await usecases.add_day_off(routing, acting(routing), date(2022, 5, 6), "Nghỉ bổ sung", "Thông báo của UBND tỉnh", 0)
    await usecases.add_day_off(routing, acting(routing), date(2022, 5, 4), "Nghỉ bổ sung", "Thông báo của UBND tỉnh", 1)
    await recount.recount(routing)
    await recount.recount(routing)

    held_after, later_after, done_after = [await dialogue_of(routing, d) for d in (held, later, done)]
    assert held_after["deadlines"]["conclusion"]["due_on"] == "2022-05-10"
    assert later_after["deadlines"]["report"]["due_on"] == "2022-04-28"
    assert done_after["deadlines"]["report"]["due_on"] == "2022-05-04"
    lines = [e["changes"] for e in held_after["events"] if "conclusion_due" in e["changes"]]
    assert lines == [{"conclusion_due": ["2022-05-06", "2022-05-10"]}]
    assert (await routing.questions.get(question["_id"], SON_LA))["clocks"][-1]["due_on"] == "2022-05-05"
    assert await routing.calendars.to_recount() == []


async def test_what_the_office_enters_is_told_with_all_that_it_entered_before(routing: Routing) -> None:
    calendars = routing.calendars.outbox
    for n, day in enumerate((date(2022, 5, 6), date(2022, 5, 4))):
        await usecases.add_day_off(routing, acting(routing), day, "Nghỉ bổ sung", "Thông báo của UBND tỉnh", n)
    at_once = [usecases.confirm_year(routing, acting(routing), 2023, "Công văn mẫu", 2) for _ in range(5)]
    refused = [error for error in await asyncio.gather(*at_once, return_exceptions=True) if error is not None]
    assert [type(error) for error in refused] == [Conflict] * 4
    document = await calendars.whole(SON_LA, SON_LA)
    assert (document["revision"], document["seq"], document["unsent"]) == (3, 3, 1)
    told = calendars.event(document, document["events"][-1])
    assert (told.type, told.subject, told.agency, told.sequence) == ("calendar.changed.v1", SON_LA, SON_LA, 3)
    said = told.data.model_dump(mode="json")["entries"]
    assert [entry.get("day") or entry["year"] for entry in said] == ["2022-05-06", "2022-05-04", 2023]
    assert "vanphong" not in told.encode().decode(), "who entered it stays here"


async def test_a_calendar_of_an_older_version_that_told_nobody_is_told(routing: Routing) -> None:
    def entry(day: int) -> Document:
        return day_off_entry(date(2022, 5, day), "Nghỉ bổ sung", at=NOW, by="vanphong", reason="Thông báo")

    calendars = routing.calendars.outbox
    rows = [
        {"_id": SON_LA, "revision": 2, "recounted": 1, "entries": [entry(6), entry(4)]},
        {"_id": BAC_KAN, "revision": 0, "recounted": 0, "entries": []},
    ]
    await routing.database.command("insert", calendars.name, documents=rows, bypassDocumentValidation=True)
    await routing.calendars.adopt()
    await routing.calendars.adopt()
    document = await calendars.whole(SON_LA, SON_LA)
    assert (document["revision"], document["seq"], document["recounted"], document["unsent"]) == (2, 2, 1, 1)
    assert [e["actor"] for e in document["events"]] == ["vanphong"] * 2
    assert not (await routing.calendars.of(SON_LA)).is_working_day(date(2022, 5, 4))
    assert [row["_id"] for row in await routing.calendars.to_recount()] == [SON_LA]
    await usecases.add_day_off(routing, acting(routing), date(2022, 5, 9), "Nghỉ bổ sung", "Thông báo", 2)
    await usecases.add_day_off(routing, acting(routing, agency=BAC_KAN), date(2022, 5, 9), "Nghỉ bổ sung", "Thông báo", 0)
    assert (await calendars.whole(SON_LA, SON_LA))["seq"] == 3
    with pytest.raises(Conflict):
        await usecases.add_day_off(routing, acting(routing), date(2022, 5, 10), "Nghỉ bổ sung", "Thông báo", 0)


async def test_s3_as_it_stands(routing: Routing) -> None:
    set_clock(routing, at(2022, 4, 20, 9))
    held = await planned(routing, terms(at(2022, 4, 27, 8)))
    later = await planned(routing, terms(at(2022, 5, 11, 8)))
    set_clock(routing, at(2022, 4, 28, 9))
    await usecases.add_day_off(routing, acting(routing), date(2022, 5, 6), "Nghỉ bổ sung", "Thông báo", 0)
    await recount.recount(routing)
    assert (await dialogue_of(routing, held))["deadlines"]["conclusion"]["due_on"] == "2022-05-09"
    assert (await dialogue_of(routing, later))["deadlines"]["report"]["due_on"] == "2022-04-29"
    with pytest.raises(Conflict):
        await usecases.add_day_off(routing, acting(routing), date(2022, 5, 6), "Nghỉ bổ sung", "Thông báo", 0)


# S4 and S5: Bắc Kạn's meeting of 26/11/2021


async def test_s5_from_the_plan_to_everybodys_own_result(routing: Routing) -> None:
    set_clock(routing, at(2021, 11, 1, 9))
    plan = PlanState(number="15/KH-SKHCN", year=2021, title="Kế hoạch đối thoại năm 2021")
    who = acting(routing, agency=BAC_KAN)
    plan_id = await usecases.publish_plan(routing, who, plan)
    assert plan_id == "bac-kan-2021"
    named = Terms(
        starts_at=at(2021, 11, 26, 14),
        closes_at=at(2021, 11, 20, 17, 30),
        invitations_due=date(2021, 11, 21),
        place="Phòng họp tầng 2",
    )
    dialogue_id = await usecases.add_dialogue(routing, who, plan_id, 1, named)

    async def register(name: str, received_at: datetime, *texts: str) -> UUID:
        person = {"name": name, "email": f"{name[-2:].lower()}@nguoidan.example"}
        set_clock(routing, max(received_at, routing.clock()))
        [case] = await registered(
            routing, dialogue_id, *texts, agency=BAC_KAN, received_at=received_at, person=person, number=f"BK-2021-{name[-2:]}"
        )
        return case

    async def questions_of(case: UUID) -> list[Document]:
        return await questions_store.questions_of_case(routing.questions.collection, BAC_KAN, case, sealed=True)

    r1 = await register("Nguyễn Thị R1", at(2021, 11, 12, 9), SCIENCE, MEASURE)
    r8 = await register("Nguyễn Thị R8", at(2021, 11, 15, 9), "Đề nghị xem xét việc cấp đất của gia đình tôi.")
    r7 = await register("Nguyễn Thị R7", at(2021, 11, 18, 21, 40), DENUNCIATION)
    r3 = await register("Công ty R3", at(2021, 11, 20, 17, 29, 40), MEASURE)
    r4 = await register("Nguyễn Thị R4", at(2021, 11, 20, 17, 30, 30), SCIENCE)
    r6 = await register("Nguyễn Thị R6", at(2021, 11, 20, 18, 5), SCIENCE)
    office = acting(routing, agency=BAC_KAN)
    [land] = await questions_of(r8)
    leader = Who(frozenset({"leadership", "office", "head", "officer"}), unit="van-phong")
    await questions.transfer(routing, office, leader, land["_id"], "van-phong")
    await guide(routing, office, leader, land["_id"])

    set_clock(routing, at(2021, 11, 21, 9))
    await issued(routing, dialogue_id, "05", BAC_KAN)
    await fanouts.finish(routing)
    invited = await letters_of(routing, LetterKind.INVITATION, dialogue_id)
    assert {letter["case"] for letter in invited} == {r1, r3, r4}

    # A paper handed over on the 19th is typed on Monday: in time, and it should have been invited on the 21st (S4).
    set_clock(routing, at(2021, 11, 22, 8, 30))
    r2 = await register("Hợp tác xã R2", at(2021, 11, 19, 16, 40), SCIENCE)
    assert (await case_of(routing, r2, BAC_KAN))["late"] is False
    r5 = await register("Nguyễn Thị R5", at(2021, 11, 22, 9), SCIENCE)
    assert (await case_of(routing, r5, BAC_KAN))["status"] == CaseStatus.LATE
    await questions.case_to_feedback(routing, acting(routing, agency=BAC_KAN), r6, "Hội nghị đã hoàn tất chuẩn bị")
    await usecases.send_on(routing, acting(routing, agency=BAC_KAN), dialogue_id, 1)
    await fanouts.finish(routing)
    set_clock(routing, at(2021, 11, 23, 9))
    await questions.admit(routing, acting(routing, agency=BAC_KAN), r5)
    await usecases.send_on(routing, acting(routing, agency=BAC_KAN), dialogue_id, 1)
    await fanouts.finish(routing)
    invited = await letters_of(routing, LetterKind.INVITATION, dialogue_id)
    assert len(invited) == 5
    on = {case: (await case_of(routing, case, BAC_KAN))["invited_on"] for case in (r1, r2, r3, r4, r5)}
    assert on == {
        r1: "2021-11-21",
        r3: "2021-11-21",
        r4: "2021-11-21",
        r2: "2021-11-22",
        r5: "2021-11-23",
    }
    assert [(await case_of(routing, case, BAC_KAN))["invited_on"] for case in (r6, r7, r8)] == [None] * 3
    orders = [(await case_of(routing, case, BAC_KAN))["speaking_order"] for case in (r1, r3, r4, r2, r5)]
    assert orders == [1, 2, 3, 4, 5]

    # The meeting
    set_clock(routing, at(2021, 11, 26, 16))
    office = acting(routing, agency=BAC_KAN)
    for case, how in ((r1, "attended"), (r2, "substitute"), (r3, "absent"), (r4, "attended"), (r5, "attended")):
        await questions.record_attendance(routing, office, case, how)
    walk_in = await questions.open_walk_in(
        routing, office, dialogue_id, {"name": "Nguyễn Thị W", "phone": "0912345678"}, "Hỏi về lệ phí"
    )
    q1, q2 = [q["_id"] for q in await questions_of(r1)]
    q3, q4, q5, q6, q10 = [(await questions_of(case))[0]["_id"] for case in (r2, r3, r4, r5, walk_in)]
    outcomes = {
        q1: Outcome(OutcomeKind.RESOLVED, text="Đã giải đáp."),
        q2: Outcome(OutcomeKind.TO_WRITE, unit="van-phong"),
        q3: Outcome(OutcomeKind.RESOLVED, text="Đã giải đáp."),
        q4: Outcome(OutcomeKind.ANSWERED_TO_ABSENT, text="Trả lời theo địa chỉ."),
        q5: Outcome(OutcomeKind.ESCALATED, body=Body(name="Bộ Khoa học và Công nghệ")),
        q6: Outcome(OutcomeKind.RESOLVED, text="Đã giải đáp."),
    }
    for question, outcome in outcomes.items():
        await questions.record_outcome(routing, office, question, outcome)
    await usecases.hold_dialogue(routing, office, dialogue_id, date(2021, 11, 26))
    assert (await dialogue_of(routing, dialogue_id))["deadlines"]["conclusion"]["due_on"] == "2021-12-03"

    # The notice
    set_clock(routing, at(2021, 12, 1, 10))
    office = acting(routing, agency=BAC_KAN)
    text = await usecases.draft_notice(routing, BAC_KAN, await dialogue_of(routing, dialogue_id))
    assert "02 tổ chức" not in text.opening[0]  # the fixture registers everybody as individuals
    assert "07 nội dung" in text.opening[1]
    named_one = text.model_copy(update={"closing": "Cảm ơn Nguyễn Thị R4."})
    with pytest.raises(Invalid):
        await usecases.write_notice(routing, office, dialogue_id, named_one, no_conclusion=False)
    await usecases.write_notice(routing, office, dialogue_id, text, no_conclusion=False)
    await usecases.number_notice(routing, office, dialogue_id, "12", date(2021, 12, 1))
    with pytest.raises(Invalid):  # the walk-in's content has no outcome yet
        await usecases.issue_notice(routing, office, dialogue_id)
    await questions.record_outcome(routing, office, q10, Outcome(OutcomeKind.TO_WRITE, unit="van-phong"))
    await usecases.issue_notice(routing, office, dialogue_id)
    await fanouts.finish(routing)
    assert (await routing.questions.get(q2, BAC_KAN))["clocks"][-1]["due_on"] == "2021-12-06"
    results = await letters_of(routing, LetterKind.CONCLUSION, dialogue_id)
    assert {letter["case"] for letter in results} == {r1, r2, r4, r5, walk_in}
    [absent] = await letters_of(routing, LetterKind.ABSENT_ANSWER, dialogue_id)
    assert absent["case"] == r3
    assert absent["fields"]["results"][0]["answer"] == "Trả lời theo địa chỉ."
    mine = next(letter for letter in results if letter["case"] == r1)
    assert [r["no"] for r in mine["fields"]["results"]] == [1, 2]
    assert mine["fields"]["results"][1]["due_on"] == "2021-12-06"
    asked = {letter["case"]: letter["fields"]["survey_url"].rpartition("/khao-sat/")[2] for letter in [*results, absent]}
    assert {routing.survey_links.case(BAC_KAN, asked[case], routing.clock()) for case in (r1, r2, r3, r4)} == {r1, r2, r3, r4}
    assert asked[walk_in] == ""  # without e-mail there is no mail to stand in
    notice = (await dialogue_of(routing, dialogue_id))["notice"]
    assert notice["number"] == "12"
    public = str(notice)
    assert not any(f"R{n}" in public for n in range(1, 9))
    everything = [q for case in (r1, r2, r3, r4, r5, r6, r7, r8, walk_in) for q in await questions_of(case)]
    assert [q["case"] for q in everything if q["source"] == "feedback"] == [r6], "what became feedback goes on as such (D3)"
    states = [q["state"] for q in everything if q["source"] != "feedback"]
    assert len(states) == 10
    assert states.count(QuestionState.RESOLVED) == 3
    assert states.count(QuestionState.TO_WRITE) == 2
    assert (states.count(QuestionState.SEALED), states.count(QuestionState.TO_FEEDBACK)) == (1, 1)


async def guide(routing: Routing, office: Any, who: Who, question_id: UUID) -> None:
    """A unit's guidance to another body, approved before the meeting (D7)."""
    from services.routing.questions import domain

    body = Body(name="Sở Tài nguyên và Môi trường", address="Số 1 đường Mẫu", phone="0209 000 000")
    draft = domain.Draft(kind="guidance", text="Đề nghị liên hệ cơ quan có thẩm quyền.", body=body)
    for act in (
        lambda d: domain.drafted(d, office, who, draft),
        lambda d: domain.submitted(d, office, who),
        lambda d: domain.approved(d, office, who),
    ):
        await questions.decide(routing, BAC_KAN, question_id, act)


async def test_no_conclusion_is_recorded_and_everybody_still_gets_the_own_result(routing: Routing) -> None:
    dialogue_id = await planned(routing, terms(at(2022, 5, 11, 8)))
    [case_id] = await registered(routing, dialogue_id, SCIENCE)
    await issued(routing, dialogue_id)
    await fanouts.finish(routing)
    set_clock(routing, at(2022, 5, 11, 11))
    [question] = await questions_store.questions_of_case(routing.questions.collection, SON_LA, case_id)
    await questions.record_attendance(routing, acting(routing), case_id, "attended")
    await questions.record_outcome(routing, acting(routing), question["_id"], Outcome(OutcomeKind.RESOLVED, text="Đã giải đáp."))
    await usecases.hold_dialogue(routing, acting(routing), dialogue_id, date(2022, 5, 11))
    text = await usecases.draft_notice(routing, SON_LA, await dialogue_of(routing, dialogue_id))
    await usecases.write_notice(routing, acting(routing), dialogue_id, text, no_conclusion=True)
    await usecases.issue_notice(routing, acting(routing), dialogue_id)
    await fanouts.finish(routing)
    dialogue = await dialogue_of(routing, dialogue_id)
    assert dialogue["notice"]["no_conclusion"]
    assert dialogue["notice"]["items"] == []
    [letter] = await letters_of(routing, LetterKind.CONCLUSION, dialogue_id)
    assert letter["fields"]["no_conclusion"]
    assert letter["files"] == []
