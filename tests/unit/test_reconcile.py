"""`doithoai reconcile` finds what one service has and another has not."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner, Result

from cli import reconcile
from cli.main import app
from cli.reconcile import FEEDBACK, UNPLACED, Found, Line, compare
from services.notify.domain import State

CASE, QUESTION = uuid4(), uuid4()
FACT = {"agency": "son-la", "label": "SL-1", "sequence": 3}
WHOLE = Line(received=1, routed=1, questions=1, ended=1, notified=1, reported=1)


def found(**replaced: Any) -> Found:
    """One registration that went all the way."""
    row = {"agency": "son-la", "case_number": "SL-1", "dialogue": "d1", "seq": 3}
    whole: dict[str, Any] = {
        "registrations": {CASE: row},
        "cases": {CASE: {**row, "source": "registration", "questions": [QUESTION]}},
        "questions": {QUESTION: {**row, "case": CASE, "state": "answered"}},
        "receipts": {CASE: State.SENT},
        "facts": {f"case/{CASE}": FACT, f"question/{QUESTION}": FACT},
    }
    return Found(**whole | replaced)


def differences(**replaced: Any) -> list[str]:
    return [what for _, case, what in compare(found(**replaced)).differences if case == "SL-1"]


def test_what_agrees_is_counted_and_nothing_else_said() -> None:
    result = compare(found())
    assert result.differences == []
    assert dict(result.lines) == {("son-la", "d1"): WHOLE}


def test_each_gap_is_named() -> None:
    nothing: dict[UUID, Any] = {}
    assert differences(registrations=nothing) == ["routed, unknown to intake"]
    assert differences(cases=nothing) == [
        "a question without its case",
        "case in the reports, unknown to routing",
        "received, not routed",
    ]
    assert differences(questions=nothing) == ["1 of its questions are missing", "question in the reports, unknown to routing"]
    assert differences(receipts={}) == ["neither receipt nor notice of lateness in the ledger"]
    assert differences(facts={f"case/{CASE}": FACT}) == ["question not in the reports"]
    older = {f"case/{CASE}": {**FACT, "sequence": 2}, f"question/{QUESTION}": FACT}
    assert differences(facts=older) == ["case in the reports is of event 2, not 3"]


def test_a_registration_that_routing_lacks_stands_under_the_dialogue_it_chose() -> None:
    lost = {CASE: {"agency": "son-la", "case_number": "SL-1", "dialogue": None}}
    result = compare(Found(lost, {}, {}, {}, {}))
    assert result.lines["son-la", UNPLACED].received == 1


def test_what_is_held_or_junk_is_counted_beside_and_is_no_difference() -> None:
    row = {"agency": "son-la", "dialogue": "d1"}
    states = ("waiting", "released", "junk", "junk", "junk")
    held: dict[UUID, Any] = {uuid4(): {**row, "held": {"what": "registration", "state": state}} for state in states}
    result = compare(found(held=held | {CASE: {**row, "held": {"what": "registration", "state": "released"}}}))
    assert result.differences == []
    assert dict(result.lines) == {("son-la", "d1"): replace(WHOLE, held=2, junk=3)}


def test_feedback_that_is_held_is_counted_with_feedback() -> None:
    row = {"agency": "son-la"}
    held: dict[UUID, Any] = {uuid4(): {**row, "held": {"what": "feedback", "state": state}} for state in ("waiting", "junk")}
    released = {uuid4(): {**row, "held": {"what": "feedback", "state": "released"}}}
    known = {_id: {**row, "case_number": "SL-2"} for _id in released}
    lines = compare(found(held=held | released, feedback=known)).lines
    assert (lines["son-la", FEEDBACK].held, lines["son-la", FEEDBACK].junk) == (1, 1)


def test_feedback_is_counted_as_received_and_routed() -> None:
    row = {"agency": "son-la", "case_number": "SL-1", "dialogue": None, "seq": 3}
    case = {CASE: {**row, "source": "feedback", "questions": [QUESTION]}}
    result = compare(found(registrations={}, feedback={CASE: row}, cases=case))
    assert result.differences == []
    assert result.lines["son-la", FEEDBACK].received == result.lines["son-la", FEEDBACK].routed == 1
    assert differences(registrations={}, feedback={}, cases=case) == ["routed, unknown to intake"]
    assert differences(registrations={}, feedback={CASE: row}, cases={}) == [
        "a question without its case",
        "case in the reports, unknown to routing",
        "received, not routed",
    ]


S = State


@pytest.mark.parametrize("state", [S.SENT, S.POSTED, S.PHONED])
def test_notified_is_who_was_mailed_posted_to_or_called(state: State) -> None:
    assert dict(compare(found(receipts={CASE: state})).lines) == {("son-la", "d1"): WHOLE}


@pytest.mark.parametrize("state", sorted(set(State) - {S.SENT, S.POSTED, S.PHONED, S.SKIPPED, S.WITHDRAWN}))
def test_a_receipt_that_waits_or_failed_is_not_notified_and_no_difference(state: State) -> None:
    result = compare(found(receipts={CASE: state}))
    assert dict(result.lines) == {("son-la", "d1"): replace(WHOLE, notified=0, not_yet=1)}
    assert result.not_yet == [("son-la", "SL-1", state)]
    assert result.differences == []


@pytest.mark.parametrize("state", [S.SKIPPED, S.WITHDRAWN])
def test_who_is_to_have_no_letter_is_counted_apart(state: State) -> None:
    result = compare(found(receipts={CASE: state}))
    assert dict(result.lines) == {("son-la", "d1"): replace(WHOLE, notified=0, no_letter=1)}
    assert (result.not_yet, result.differences) == ([], [])


def test_of_several_receipts_that_counts_which_came() -> None:
    rows = [{"case": CASE, "state": state} for state in (S.SKIPPED, S.SENT, S.FAILED)]
    assert reconcile.states_by_case(rows) == reconcile.states_by_case(rows[::-1]) == {CASE: S.SENT}
    assert reconcile.states_by_case([rows[0], rows[2]]) == {CASE: S.FAILED}


def printed(monkeypatch: pytest.MonkeyPatch, holds: Found) -> Result:
    async def read(*_: object) -> Found:
        return holds

    monkeypatch.setenv("DOITHOAI_SESSION_SECRET", "s" * 32)
    monkeypatch.setattr(reconcile, "_read", read)
    return CliRunner().invoke(app, ["reconcile"])


def test_every_case_that_differs_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {uuid4(): {"agency": "son-la", "case_number": f"SL-{n:04}", "dialogue": "d1"} for n in range(500)}
    done = printed(monkeypatch, Found(lost, {}, {}, dict.fromkeys(lost, S.SENT), {}))
    assert done.exit_code == 1
    assert [row["case_number"] for row in lost.values() if row["case_number"] not in done.output] == []


def test_every_case_without_its_receipt_is_printed_with_what_is_next_and_is_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {state: uuid4() for state in (S.DEFERRED, S.TO_PRINT, S.FAILED)}
    row = {"agency": "son-la", "dialogue": "d1", "seq": 1, "questions": [], "source": "registration"}
    rows = {_id: {**row, "case_number": f"SL-{state}"} for state, _id in ids.items()}
    facts = {f"case/{_id}": FACT for _id in rows}
    done = printed(monkeypatch, Found(rows, rows, {}, {_id: state for state, _id in ids.items()}, facts))
    assert done.exit_code == 0, done.output
    assert "Everything agrees" in done.output
    told = [[cell.strip() for cell in line.split("│")[2:5]] for line in done.output.splitlines() if line.count("│") == 5]
    assert told == [
        ["SL-deferred", "deferred", "goes by itself"],
        ["SL-failed", "failed", "the office decides"],
        ["SL-to_print", "to print", "the office posts or calls"],
    ]
