"""A request about personal data: a person decides, once; its clocks; its letters (law: personal data)."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.letters import DataRequestFields
from kit.agency import load_agencies, load_calendars
from kit.clock import TZ
from kit.errors import Conflict, Invalid
from kit.outbox import Change
from services.intake.data_requests import domain
from services.intake.data_requests.domain import State
from tests.unit.test_intake_after import acting, registration

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=TZ)
AGENCIES = load_agencies(Path("agencies"))
CALENDAR = load_calendars(Path("agencies"), AGENCIES)["son-la"]


def request(what: domain.What = "delete", **person: str) -> dict[str, Any]:
    answer = CALENDAR.working_days_after(NOW, 2, rule="x")
    due = CALENDAR.calendar_days_after(NOW, 20, rule="x")
    document = registration()
    document["person"] |= person
    state = domain.new_request(document, acting(), what, "", answer, due)
    return {"_id": "r", "agency": "son-la", "seq": 1, **state}


def after(document: dict[str, Any], change: Change | None) -> dict[str, Any]:
    return document if change is None else {**document, **change.set, "seq": document["seq"] + len(change.acts)}


def told(document: dict[str, Any], step: str) -> Any:
    return domain.letter(document, {"changes": {"step": step}, "known_at": NOW})


def test_the_clocks_are_explained_and_the_first_runs_until_the_decision() -> None:
    document = request()
    assert document["answer"]["due_on"] == "2026-03-12"
    assert document["completion"]["due_on"] == "2026-03-30"
    assert domain.running(document) == document["answer"]
    assert "12/3" in document["answer"]["explanation"]
    document = after(document, domain.decided(document, acting(), State.GRANTED, ""))
    assert domain.running(document) == document["completion"]
    assert domain.is_overdue(document, NOW + timedelta(days=21))
    document = after(document, domain.done(document, acting()))
    assert domain.running(document) is None
    assert not domain.is_overdue(document, NOW + timedelta(days=99))


@pytest.mark.parametrize("to", [State.PARTLY, State.REFUSED])
def test_what_is_not_granted_wholly_has_a_reason(to: State) -> None:
    with pytest.raises(Invalid):
        domain.decided(request(), acting(), to, " ")
    refused = after(request(), domain.decided(request(), acting(), to, "Hồ sơ phải lưu."))
    assert told(refused, to.value).fields["reason"] == "Hồ sơ phải lưu."


def test_it_is_extended_once_and_in_time() -> None:
    document = request()
    later = CALENDAR.calendar_days_after(NOW + timedelta(days=20), 10, rule="x")
    too_late = acting(60 * 24 * 25)
    with pytest.raises(Conflict):
        domain.extended(document, too_late, later, "Lý do")
    document = after(document, domain.extended(document, acting(), later, "Lý do"))
    assert told(document, "extended").fields["due_on"] == later.due_on.isoformat()
    with pytest.raises(Conflict):
        domain.extended(document, acting(), later, "Lý do")


def test_each_step_writes_to_the_person_and_to_nobody_once_the_data_are_gone() -> None:
    document = request()
    letter = told(document, "received")
    fields = DataRequestFields.model_validate(letter.fields)
    assert (letter.recipient.email, fields.answer_by) == ("cu@hop-thu.example", date(2026, 3, 12))
    del document["person"]
    gone = told(document, "done")
    assert (gone.recipient, gone.ways, gone.fields) == (None, (), {})


ACTS = {
    "grant": lambda d: domain.decided(d, acting(), State.GRANTED, ""),
    "refuse": lambda d: domain.decided(d, acting(), State.REFUSED, "Lý do"),
    "extend": lambda d: domain.extended(d, acting(), CALENDAR.calendar_days_after(NOW, 30, rule="x"), "Lý do"),
    "finish": lambda d: domain.done(d, acting()),
}


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=8))
def test_whatever_is_pressed_it_is_decided_once_and_done_only_when_granted(pressed: list[str]) -> None:
    document = request()
    for name in pressed:
        try:
            document = after(document, ACTS[name](document))
        except Conflict:
            continue
    states = [step["state"] for step in document["steps"]]
    assert states[0] == "received"
    assert sum(s in ("granted", "refused") for s in states) <= 1
    assert states.count("extended") <= 1
    assert states.count("done") <= 1
    if "done" in states:
        assert states.index("granted") < states.index("done")
    assert (document["sort_at"] is None) is not domain.is_open(document)
