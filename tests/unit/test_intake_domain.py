"""When one may register, where a registration goes, and what a form must hold (D1–D4, S4)."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import Channel, DialogueState, FileRef, Mode, Participation, Person, PlanState
from kit.clock import TZ
from services.intake.domain import (
    Dialogue,
    Entry,
    Plan,
    Submission,
    Window,
    alike_keys,
    asks_participation,
    case_number,
    check,
    folded,
    is_blank,
    missing,
    payload_hash,
    place,
    registration_id,
)
from services.routing.questions.registrations import placement


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TZ)


CLOSING = at("2021-11-20T17:30")


def dialogue(ordinal: int, **changes: object) -> Dialogue:
    state = {"plan": "p", "plan_number": "1", "plan_title": "t", "year": 2021, "ordinal": ordinal} | changes
    return Dialogue(f"p-{ordinal}", DialogueState.model_validate(state))


def plan(*dialogues: Dialogue, **changes: object) -> Plan:
    return Plan("p", PlanState.model_validate({"number": "1", "year": 2021, "title": "t"} | changes), dialogues)


def submission(**changes: object) -> Submission:
    values = {"plan": "p", "person": Person(name="Triệu Thị Thử", phone="+84912345678"), "texts": {1: "x"}} | changes
    return Submission(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("received", "late"),
    [
        ("2021-11-20T17:30:00", False),
        ("2021-11-20T17:30:59", False),
        ("2021-11-20T17:31:00", True),
        ("2021-11-20T17:29:40", False),  # the mailbox date, read by us at 17:41
        ("2021-11-19T16:40:00", False),  # handed over on Friday, typed on Monday
        ("2021-11-22T09:00:00", True),  # postmark 18/11, but received on Monday
        ("2021-11-20T18:05:00", True),
    ],
)
def test_s4_lateness_is_judged_by_receipt_to_the_minute(received: str, late: bool) -> None:
    assert place(plan(dialogue(1, closes_at=CLOSING)), at(received)).late is late


def test_nothing_is_late_while_no_closing_is_fixed() -> None:
    assert not place(plan(dialogue(1)), at("2021-11-22T09:00")).late


def test_a_registration_goes_to_the_next_open_dialogue() -> None:
    both = plan(dialogue(1, closes_at=CLOSING), dialogue(2, window_from=date(2021, 12, 1)))
    assert place(both, at("2021-11-20T17:30")).dialogue is both.dialogues[0]
    after = place(both, at("2021-11-20T17:31"))
    assert (after.dialogue, after.late) == (both.dialogues[1], False)


def test_after_the_last_closing_it_is_late_and_still_placed() -> None:
    only = plan(dialogue(1, closes_at=CLOSING))
    placed = place(only, at("2021-11-20T17:31"))
    assert (placed.window, placed.dialogue) == (Window.CLOSED, only.dialogues[0])


def test_a_chosen_dialogue_stays_chosen_though_another_is_open() -> None:
    both = plan(dialogue(1, closes_at=CLOSING), dialogue(2))
    assert place(both, at("2021-11-21T08:00"), "p-1").late
    with pytest.raises(KeyError):
        place(both, at("2021-11-21T08:00"), "q-1")


def test_before_the_opening_one_is_told_when() -> None:
    opens = at("2021-11-01T08:00")
    coming = plan(dialogue(1, opens_at=opens, closes_at=CLOSING))
    placed = place(coming, opens - timedelta(seconds=1))
    assert (placed.window, placed.opens_at) == (Window.NOT_YET, opens)
    assert place(coming, opens).window is Window.OPEN
    assert place(plan(opens_at=opens), opens - timedelta(seconds=1)).window is Window.NOT_YET


def test_a_plan_without_dialogues_takes_registrations() -> None:
    placed = place(plan(), at("2021-01-05T08:00"))
    assert (placed.window, placed.dialogue, placed.late) == (Window.OPEN, None, False)


def test_a_cancelled_or_held_dialogue_takes_none() -> None:
    cancelled = plan(dialogue(1, status="cancelled"), dialogue(2))
    assert place(cancelled, at("2021-11-01T08:00")).dialogue is cancelled.dialogues[1]
    held = plan(dialogue(1, status="held", starts_at=at("2021-11-26T14:00")))
    assert place(held, at("2021-11-27T08:00")).late


def test_a_paper_received_in_time_is_in_time_though_it_is_typed_after_the_meeting() -> None:
    held = dialogue(1, status="held", closes_at=CLOSING, starts_at=at("2021-11-26T14:00"))
    assert not place(plan(held), at("2021-11-19T16:40")).late
    both = plan(held, dialogue(2))
    assert place(both, at("2021-11-19T16:40")).dialogue is both.dialogues[1], "what is still to come goes first"


MOMENTS = st.integers(0, 6).map(lambda n: at("2021-11-20T17:30") + timedelta(hours=6 * n))
DIALOGUES = st.fixed_dictionaries(
    {"status": st.sampled_from(["scheduled", "cancelled", "held"]), "starts_at": MOMENTS, "closes_at": st.none() | MOMENTS}
) | st.fixed_dictionaries({"status": st.just("scheduled"), "starts_at": st.none(), "closes_at": st.none() | MOMENTS})


@given(st.lists(DIALOGUES, max_size=4), MOMENTS, st.none() | st.integers(1, 4))
def test_intake_and_routing_place_a_registration_alike(
    states: list[dict[str, Any]], received: datetime, chosen: int | None
) -> None:
    """The person is told what the office reads (D4)."""
    known = [dialogue(n, **state) for n, state in enumerate(states, 1)]
    wanted = f"p-{chosen}" if chosen and chosen <= len(known) else None
    told = place(plan(*known), received, wanted)
    found = placement([{"_id": d.id, **state} for d, state in zip(known, states, strict=True)], wanted, received)
    assert (told.dialogue.id if told.dialogue else None, told.late) == (found.dialogue, found.late)


@pytest.mark.parametrize(
    ("changes", "registered", "full"),
    [
        ({}, 5_000, False),  # no seats named: no limit
        ({"capacity": 60}, 59, False),
        ({"capacity": 60}, 60, True),
        ({"capacity": 60, "mode": Mode.HYBRID}, 60, True),
        ({"capacity": 60, "mode": Mode.ONLINE}, 60, False),  # no room, no seats
        ({"capacity": 60, "opens_at": at("2021-11-02T08:00")}, 60, False),  # not open yet
        ({"capacity": 60, "closes_at": at("2021-10-31T17:30")}, 60, False),  # late says more than full
    ],
)
def test_a_full_dialogue_still_takes_registrations_and_says_so(changes: dict[str, object], registered: int, full: bool) -> None:
    only = plan(replace(dialogue(1, **changes), registered=registered))
    placed = place(only, at("2021-11-01T08:00"))
    assert (placed.full, placed.dialogue) == (full, only.dialogues[0])


def test_the_next_dialogue_is_not_taken_because_the_first_is_full() -> None:
    both = plan(replace(dialogue(1, capacity=1), registered=1), dialogue(2))
    assert place(both, at("2021-11-01T08:00")).dialogue is both.dialogues[0]
    assert not place(both, at("2021-11-01T08:00"), "p-2").full


def test_case_number_has_the_year_of_the_day_of_receipt_in_vietnam() -> None:
    assert case_number("SL", datetime.fromisoformat("2025-12-31T17:00:00+00:00"), 123) == "SL-2026-000123"
    assert case_number("SL", datetime.fromisoformat("2025-12-31T16:59:59+00:00"), 1) == "SL-2025-000001"


def test_a_request_key_is_one_registration_of_its_agency() -> None:
    assert registration_id("son-la", "api:k") == registration_id("son-la", "api:k")
    assert registration_id("son-la", "api:k") != registration_id("bac-kan", "api:k")


def test_any_changed_field_is_other_content() -> None:
    base = payload_hash(submission())
    others = [
        submission(person=Person(name="Triệu Thị Thử")),
        submission(texts={2: "x"}),
        submission(texts={1: "x", 2: "y"}),
        submission(dialogue="p-1"),
        submission(consent_version="2026-01"),
    ]
    assert len({base, *map(payload_hash, others)}) == 6
    paper = Entry(Channel.PAPER, at("2021-11-19T16:40"))
    assert payload_hash(submission(), paper) != payload_hash(submission(), Entry(Channel.POST, paper.received_at))


def test_what_a_whole_form_must_hold() -> None:
    whole = submission(consent_version="1")
    rules = {"required": ("name",), "sections": (1, 2), "consent_version": "1"}
    assert check(whole, **rules) == {}
    assert set(check(submission(person=Person(), texts={}), **rules)) == {"name", "sections", "consent"}
    assert set(check(submission(texts={3: "x"}, consent_version="1"), **rules)) == {"sections.3"}


def test_a_paper_is_flagged_not_refused() -> None:
    assert missing(submission(person=Person(name="Triệu Thị Thử"), texts={}), ("name", "address", "phone")) == (
        "address",
        "phone",
        "sections",
    )


def test_only_a_paper_with_nothing_on_it_is_blank() -> None:
    assert is_blank(submission(person=Person(), texts={}))
    assert not is_blank(submission(person=Person(phone="0912"), texts={}))
    assert not is_blank(submission(person=Person(), texts={2: "x"}))


def attached(content: str, name: str = "a.pdf") -> FileRef:
    return FileRef(key=f"k/{content}/{name}", sha256=content * 64, name=name, media_type="application/pdf", size=1)


def test_what_was_attached_and_how_one_would_take_part_tell_requests_apart() -> None:
    plain = payload_hash(submission())
    # As before there were either: a form that was sent before an update and is sent again after it is the same form.
    assert plain.hex() == "283432fa4b271cf3e50f0ec4738c248531d32fefaa94d1213acb27a206c8715d"
    others = [
        submission(files=(attached("a"),)),
        submission(files=(attached("b"),)),
        submission(files=(attached("a"), attached("b"))),
        submission(participation=Participation.ONLINE),
        submission(participation=Participation.IN_PERSON),
    ]
    assert len({plain, *(payload_hash(other) for other in others)}) == len(others) + 1
    # The same content uploaded twice lies in two places and is one form.
    again = attached("a").model_copy(update={"key": "elsewhere"})
    assert payload_hash(submission(files=(again,))) == payload_hash(others[0])


@pytest.mark.parametrize(
    ("dialogues", "asked"),
    [
        ([], True),
        ([{"starts_at": at("2021-11-26T14:00")}], False),
        ([{"starts_at": at("2021-11-26T14:00"), "mode": Mode.HYBRID}], True),
        ([{"starts_at": at("2021-11-26T14:00"), "mode": Mode.ONLINE}], True),
        ([{"window_from": date(2021, 11, 1)}], True),
        ([{"starts_at": at("2021-10-01T14:00"), "mode": Mode.ONLINE}, {"starts_at": at("2021-11-26T14:00")}], False),
    ],
)
def test_in_person_or_online_is_asked_where_it_may_be_either(dialogues: list[dict[str, object]], asked: bool) -> None:
    known = plan(*(dialogue(n, **changes) for n, changes in enumerate(dialogues, 1)))
    assert asks_participation(known, at("2021-10-20T08:00")) is asked


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (Person(name="Đặng Thị Ước"), Person(name="  DANG  thi uoc "), True),
        (Person(name="Đặng Thị Ước"), Person(name="Đặng Thị Nước"), False),
        (Person(phone="+84912345678"), Person(phone="0912.345.678"), True),
        (Person(phone="+84912345678"), Person(phone="0912 345 679"), False),
        (Person(name="0912345678"), Person(phone="0912345678"), False),
        (Person(), Person(), False),
    ],
)
def test_the_same_person_is_found_however_a_hand_wrote_it(one: Person, other: Person, alike: bool) -> None:
    keys = set(alike_keys("son-la", "p", one))
    assert bool(keys & set(alike_keys("son-la", "p", other))) is alike
    assert not keys & set(alike_keys("son-la", "q", other))
    assert not keys & set(alike_keys("bac-kan", "p", other))


def test_a_name_is_folded_to_plain_letters() -> None:
    assert folded("Nguyễn  Thị ĐÀO\nƠ Ư Ă Â Ê Ô") == "nguyen thi dao o u a a e o"
