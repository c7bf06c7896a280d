"""`doithoai reconcile` finds what one service has and another has not."""

from typing import Any
from uuid import UUID, uuid4

from cli.reconcile import FEEDBACK, UNPLACED, Found, Line, compare

CASE, QUESTION = uuid4(), uuid4()
FACT = {"agency": "son-la", "label": "SL-1", "sequence": 3}


def found(**replaced: Any) -> Found:
    """One registration that went all the way."""
    row = {"agency": "son-la", "case_number": "SL-1", "dialogue": "d1", "seq": 3}
    whole: dict[str, Any] = {
        "registrations": {CASE: row},
        "cases": {CASE: {**row, "source": "registration", "questions": [QUESTION]}},
        "questions": {QUESTION: {**row, "case": CASE, "state": "answered"}},
        "receipts": frozenset({CASE}),
        "facts": {f"case/{CASE}": FACT, f"question/{QUESTION}": FACT},
    }
    return Found(**whole | replaced)


def differences(**replaced: Any) -> list[str]:
    return [what for _, case, what in compare(found(**replaced)).differences if case == "SL-1"]


def test_what_agrees_is_counted_and_nothing_else_said() -> None:
    result = compare(found())
    assert result.differences == []
    assert dict(result.lines) == {("son-la", "d1"): Line(1, 1, 0, 1, 1, 0, 0, 1, 1)}


def test_each_gap_is_named() -> None:
    nothing: dict[UUID, Any] = {}
    assert differences(registrations=nothing) == ["routed, unknown to intake"]
    assert differences(cases=nothing) == [
        "a question without its case",
        "case in the reports, unknown to routing",
        "received, not routed",
    ]
    assert differences(questions=nothing) == ["1 of its questions are missing", "question in the reports, unknown to routing"]
    assert differences(receipts=frozenset()) == ["neither receipt nor notice of lateness in the ledger"]
    assert differences(facts={f"case/{CASE}": FACT}) == ["question not in the reports"]
    older = {f"case/{CASE}": {**FACT, "sequence": 2}, f"question/{QUESTION}": FACT}
    assert differences(facts=older) == ["case in the reports is of event 2, not 3"]


def test_a_registration_that_routing_lacks_stands_under_the_dialogue_it_chose() -> None:
    lost = {CASE: {"agency": "son-la", "case_number": "SL-1", "dialogue": None}}
    result = compare(Found(lost, {}, {}, frozenset(), {}))
    assert result.lines["son-la", UNPLACED].received == 1


def test_what_is_held_or_junk_is_counted_beside_and_is_no_difference() -> None:
    row = {"agency": "son-la", "dialogue": "d1"}
    states = ("waiting", "released", "junk", "junk", "junk")
    held: dict[UUID, Any] = {uuid4(): {**row, "held": {"what": "registration", "state": state}} for state in states}
    result = compare(found(held=held | {CASE: {**row, "held": {"what": "registration", "state": "released"}}}))
    assert result.differences == []
    assert dict(result.lines) == {("son-la", "d1"): Line(1, 1, 0, 1, 1, 0, 0, 1, 1, held=2, junk=3)}


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
