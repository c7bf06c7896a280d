"""The ledger's rules: every state with its ways on, retries within their limits, one row per letter and recipient."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import CATALOGUE
from contracts.model import LetterKind, Recipient, Way
from kit.acting import Acting
from kit.errors import Conflict
from kit.outbox import Change
from services.notify import domain, labels
from services.notify.domain import NEXT, SETTLED, CallResult, State
from tests.notify import NOW, PERSON, letter

SERVER_NOW = datetime(2026, 3, 10, 2, 31, tzinfo=UTC)
ACTING = Acting("son-la", "system:notify", NOW)
DAY = timedelta(hours=24)


def row(state: State = State.SENDING, **fields: Any) -> dict[str, Any]:
    return {
        "_id": "a" * 40,
        "agency": "son-la",
        "letter_id": "b" * 40,
        "kind": LetterKind.RECEIPT.value,
        "state": state.value,
        "way": Way.EMAIL.value,
        "queued_at": NOW,
        "attempt": 1,
        "steps": [],
        "seq": 1,
        "content": {"recipient": PERSON.model_dump(), "fields": {}, "files": []},
    } | fields


def after(row_: dict[str, Any], change: Change) -> dict[str, Any]:
    return {k: v for k, v in row_.items() if k not in change.unset} | dict(change.set) | {"seq": row_["seq"] + 1}


# How a row begins


@pytest.mark.parametrize(
    ("changes", "state", "way"),
    [
        ({}, State.PENDING, Way.EMAIL),
        ({"recipient": Recipient(name="A", address="Tổ 1")}, State.TO_PRINT, Way.POST),
        ({"recipient": Recipient(name="A", phone="0912345678")}, State.TO_PHONE, Way.PHONE),
        ({"recipient": Recipient(name="A")}, State.FAILED, None),
        ({"ways": (Way.POST, Way.EMAIL)}, State.TO_PRINT, Way.POST),
        ({"ways": (), "reason": "Phiếu đã rút"}, State.SKIPPED, None),
        ({"not_after": NOW - timedelta(seconds=1)}, State.SKIPPED, Way.EMAIL),
        ({"status": "withdrawn"}, State.WITHDRAWN, None),
        ({"recipient": None}, State.WITHDRAWN, None),
    ],
)
def test_a_letter_begins_by_the_first_way_that_reaches_the_person(changes: dict[str, Any], state: State, way: Way | None) -> None:
    begin = domain.start(letter(**changes), asked_at=NOW, now=NOW, held_before=NOW - DAY)
    assert (begin.state, begin.way) == (state, way)
    assert begin.reason or state in (State.PENDING, State.TO_PRINT, State.TO_PHONE)


@pytest.mark.parametrize(("age", "state"), [(DAY, State.PENDING), (DAY + timedelta(seconds=1), State.HELD)])
def test_an_old_letter_without_a_row_is_held(age: timedelta, state: State) -> None:
    assert domain.start(letter(), asked_at=NOW - age, now=NOW, held_before=NOW - DAY).state is state


def test_one_row_per_letter_and_recipient() -> None:
    other = PERSON.model_copy(update={"email": "khac@hop-thu.example"})
    shouted = PERSON.model_copy(update={"email": PERSON.email.upper(), "name": "Nguyễn Văn Mẫu (sửa)"})
    ids = [domain.row_id(agency, key, person) for agency in ("a", "b") for key in ("k", "l") for person in (PERSON, other)]
    assert len(set(ids)) == len(ids)
    assert domain.row_id("a", "k", shouted) == domain.row_id("a", "k", PERSON)


# What becomes of an attempt


def test_a_sent_letter_keeps_no_content() -> None:
    sent = after(row(claimed_by="t", next_at=NOW), domain.accepted(row(), ACTING))
    assert sent["state"] == State.SENT
    assert not {"content", "claimed_by", "next_at"} & set(sent)
    assert sent["steps"] == [{"n": 2, "at": NOW, "known_at": NOW, "state": "sent"}]


@given(attempt=st.integers(1, 100), jitter=st.floats(0, 1, exclude_max=True))
def test_pauses_double_up_to_an_hour(attempt: int, jitter: float) -> None:
    usual = min(2 ** (attempt - 1), 60)
    assert timedelta(minutes=0.8 * usual) <= domain.pause(attempt, jitter) <= timedelta(minutes=1.2 * usual)


@given(
    attempt=st.integers(1, 12),
    jitter=st.floats(0, 1, exclude_max=True),
    waited=st.integers(0, 100 * 60),
    useful_minutes=st.none() | st.integers(0, 100 * 60),
)
def test_put_off_never_outlives_its_limits(attempt: int, jitter: float, waited: int, useful_minutes: int | None) -> None:
    queued_at = NOW - timedelta(minutes=waited)
    limits = [queued_at + domain.RETRIED_FOR]
    fields: dict[str, Any] = {"attempt": attempt, "queued_at": queued_at}
    if useful_minutes is not None:
        fields["not_after"] = NOW + timedelta(minutes=useful_minutes)
        limits.append(fields["not_after"])
    wait = domain.pause(attempt, jitter)
    change = domain.put_off(row(**fields), ACTING, "451 bận", server_now=SERVER_NOW, wait=wait)
    if NOW + wait > min(limits):
        assert change.set["state"] == State.FAILED
        assert "next_at" not in change.set
    else:
        assert change.set["state"] == State.DEFERRED
        assert change.set["next_at"] == SERVER_NOW + wait
    assert "content" not in change.unset
    assert "451" in change.set["reason"]


@pytest.mark.parametrize("kind", list(LetterKind))
def test_an_unknown_letter_is_sent_once_more_or_waits_for_staff(kind: LetterKind) -> None:
    first = after(row(kind=kind.value), domain.lost(row(kind=kind.value), ACTING, again_at=SERVER_NOW))
    assert first["state"] == State.UNKNOWN
    assert ("next_at" in first) == (kind not in domain.WAITS_FOR_STAFF)
    again = {**first, "state": State.SENDING.value}
    second = after(again, domain.lost(again, ACTING, again_at=SERVER_NOW))
    assert "next_at" not in second, "once more, not for ever"
    assert domain.message_id(first, "a.example") == domain.message_id(second, "a.example")


def test_superseded_and_expired_letters_must_not_go() -> None:
    assert domain.must_not_go(row(), NOW, set()) is None
    assert domain.must_not_go(row(), NOW, {"b" * 40}) == domain.SUPERSEDED
    assert domain.must_not_go(row(not_after=NOW), NOW, set()) is None
    assert domain.must_not_go(row(not_after=NOW - timedelta(seconds=1)), NOW, set()) == domain.EXPIRED


# What staff decide


def test_calls_stay_on_the_list_until_somebody_was_told() -> None:
    to_phone = row(State.TO_PHONE, way=Way.PHONE.value)
    unheard = after(to_phone, domain.phoned(to_phone, ACTING, CallResult.NO_ANSWER))
    assert (unheard["state"], unheard["calls"]) == (State.TO_PHONE, 1)
    assert domain.phoned(unheard, ACTING, CallResult.WRONG_NUMBER).set["state"] == State.TO_PRINT
    assert domain.phoned(unheard, ACTING, CallResult.TOLD).set["state"] == State.PHONED
    nowhere = row(State.TO_PHONE, content={"recipient": {"name": "A", "phone": "1"}})
    assert domain.phoned(nowhere, ACTING, CallResult.WRONG_NUMBER).set["state"] == State.TO_PHONE


def test_sending_again_starts_the_72_hours_anew() -> None:
    failed = row(State.FAILED, queued_at=NOW - timedelta(days=4), attempt=40, repeats=1)
    again = after(failed, domain.send_again(failed, ACTING, due_at=SERVER_NOW))
    assert (again["state"], again["next_at"], again["queued_at"], again["attempt"]) == (State.PENDING, SERVER_NOW, NOW, 0)
    with pytest.raises(Conflict):
        domain.send_again(row(State.HELD, not_after=NOW - timedelta(days=1)), ACTING, due_at=SERVER_NOW)


def test_a_worker_that_holds_a_letter_is_not_disturbed() -> None:
    for state in domain.IN_FLIGHT:
        assert domain.supersede(row(state), ACTING) is None
        for decide in (domain.withdraw, domain.erase):
            with pytest.raises(Conflict):
                decide(row(state), ACTING)


@pytest.mark.parametrize("state", [s for s in State if s not in domain.IN_FLIGHT])
def test_erasure_leaves_nothing_personal(state: State) -> None:
    before = row(state, to="Nguyễn Văn Mẫu")
    if state in SETTLED:
        del before["content"]
    change = domain.erase(before, ACTING)
    assert change is not None
    erased = after(before, change)
    assert not {"to", "content", "next_at"} & set(erased)
    assert State(erased["state"]) in SETTLED
    assert domain.erase(erased, ACTING) is None


# A corrected contact


NEW = Recipient(name="Nguyễn Văn Mẫu", email="moi@hop-thu.example", address="Tổ 2")


@pytest.mark.parametrize("state", [s for s in State if s not in domain.IN_FLIGHT])
def test_what_has_not_gone_out_follows_a_corrected_contact(state: State) -> None:
    before = row(state)
    if state in SETTLED:
        del before["content"]
    change = domain.redirect(before, ACTING, NEW, due_at=SERVER_NOW)
    if state in SETTLED:
        assert change is None
        return
    assert change is not None
    redirected = after(before, change)
    assert redirected["content"]["recipient"]["email"] == "moi@hop-thu.example"
    assert redirected["_id"] == before["_id"]
    assert redirected["state"] == (State.PENDING if state is State.FAILED else state)
    assert domain.redirect(redirected, ACTING, NEW, due_at=SERVER_NOW) is None


def test_a_letter_that_failed_takes_the_way_that_the_new_contact_has() -> None:
    by_post = NEW.model_copy(update={"email": ""})
    change = domain.redirect(row(State.FAILED), ACTING, by_post, due_at=SERVER_NOW)
    assert change is not None
    redirected = after(row(State.FAILED), change)
    assert (redirected["state"], redirected["way"]) == (State.TO_PRINT, "post")


@pytest.mark.parametrize("kind", sorted(domain.OF_STAFF | domain.FOLLOWS_NOBODY))
def test_letters_to_units_and_to_the_replaced_address_stay(kind: LetterKind) -> None:
    assert domain.redirect(row(State.PENDING, kind=kind.value), ACTING, NEW, due_at=SERVER_NOW) is None


def test_a_letter_in_a_worker_s_hands_is_asked_about_again() -> None:
    for state in domain.IN_FLIGHT:
        with pytest.raises(Conflict):
            domain.redirect(row(state), ACTING, NEW, due_at=SERVER_NOW)


# The machine as a whole

DECISIONS = {
    "accepted": lambda r: domain.accepted(r, ACTING),
    "put_off": lambda r: domain.put_off(r, ACTING, "4", server_now=SERVER_NOW, wait=timedelta(minutes=1)),
    "refused": lambda r: domain.refused(r, ACTING, "5"),
    "lost": lambda r: domain.lost(r, ACTING, again_at=SERVER_NOW),
    "skip": lambda r: domain.skip(r, ACTING, "x"),
    "withdraw": lambda r: domain.withdraw(r, ACTING),
    "supersede": lambda r: domain.supersede(r, ACTING),
    "erase": lambda r: domain.erase(r, ACTING),
    "send_again": lambda r: domain.send_again(r, ACTING, due_at=SERVER_NOW),
    "by_post": lambda r: domain.by_post(r, ACTING),
    "by_phone": lambda r: domain.by_phone(r, ACTING),
    "give_up": lambda r: domain.give_up(r, ACTING, "x"),
    "confirm": lambda r: domain.confirm_sent(r, ACTING),
    "printed": lambda r: domain.printed(r, ACTING),
    "posted": lambda r: domain.posted(r, ACTING, "12", NOW.date()),
    "told": lambda r: domain.phoned(r, ACTING, CallResult.TOLD),
    "no_answer": lambda r: domain.phoned(r, ACTING, CallResult.NO_ANSWER),
    "returned": lambda r: domain.returned(r, ACTING, "x"),
}


BEGINNINGS = [State.PENDING, State.HELD, State.TO_PRINT, State.TO_PHONE, State.FAILED]


@given(begin=st.sampled_from(BEGINNINGS), names=st.lists(st.sampled_from([*DECISIONS, "claim"]), max_size=12))
def test_whatever_is_decided_the_row_stays_sound(begin: State, names: list[str]) -> None:
    held = row(begin, to="A", **({"next_at": SERVER_NOW} if begin is State.PENDING else {}))
    for name in names:
        was = State(held["state"])
        if name == "claim":
            if was in domain.WAITING and "next_at" in held:
                held |= {"state": State.SENDING.value, "claimed_by": "t", "attempt": held["attempt"] + 1}
            continue
        try:
            change = DECISIONS[name](held)
        except Conflict:
            continue
        if change is None:
            continue
        held = after(held, change)
        now = State(held["state"])
        assert now in NEXT[was] or now is was
        assert all(act.type in CATALOGUE for act in change.acts)
        assert ("content" in held) == (now not in SETTLED)
        assert ("next_at" in held) <= (now in domain.WAITING)
        assert "claimed_by" not in held
        assert now in SETTLED or "to" in held
    assert len(held["steps"]) <= len(names)


def test_every_state_has_its_words_and_its_event() -> None:
    assert set(labels.STATES) == set(labels.TONES) == set(NEXT) == set(State)
    assert set(labels.KINDS) == set(LetterKind)
    grouped = [s for _, states in labels.GROUPS.values() for s in states]
    assert sorted(grouped) == sorted(State)
    assert {t for t in CATALOGUE if t.startswith("delivery.")} == set(domain.EVENTS.values())
