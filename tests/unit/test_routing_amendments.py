"""What routing makes of a registrant's changes: replaced before the transfer, added afterwards, kept when all is over.

An erasure leaves no text, wherever the question was.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import LetterKind, QuestionState
from services.routing.questions import domain, states
from services.routing.questions.domain import Amendment
from services.routing.questions.registrations import Classified
from services.routing.questions.store import render_question
from tests.unit.test_routing_questions import OFFICE, START, after, by, question, submitted, transferred

State = QuestionState
SECRET = "chuyện riêng của một người"
PLAIN = Classified(State.TRIAGE)
SEALED = Classified(State.SEALED, seal={"kind": "denunciation", "by": "system:routing", "why": "x"})


def amended(document: dict[str, Any], found: Classified = PLAIN, **changes: Any) -> dict[str, Any]:
    change = Amendment(**{"n": 5, "at": START, "text": None, "digest": None, "taken": 1, **changes})
    return after(document, domain.amended(document, by(), change, lambda _text: found))


def taken_as(document: dict[str, Any]) -> list[str]:
    return [a.taken_as for a in render_question(document, {}).amendments or ()]


def test_before_the_transfer_the_text_is_replaced_and_classified_anew() -> None:
    document = amended(question(State.PROPOSED), text="Nội dung mới", digest="d")
    assert (document["text"], document["state"], taken_as(document)) == ("Nội dung mới", "triage", ["replaced"])


def test_after_the_transfer_the_unit_keeps_its_text_and_reads_what_was_added() -> None:
    document = amended(transferred(), text="Nội dung mới", digest="d")
    assert (document["text"], document["state"]) == ("Nội dung", "transferred")
    document = amended(document, additions=["Thêm nữa"], n=6)
    assert [a["text"] for a in document["additions"]] == ["Nội dung mới", "Thêm nữa"]
    assert taken_as(document) == ["added", "added"]


def test_what_comes_when_it_has_ended_is_kept_and_moves_nothing() -> None:
    ended = transferred()
    ended = after(ended, domain.resolved(ended, by(), OFFICE, "Trả lời"))
    document = amended(ended, additions=["Muộn"])
    assert (document["state"], document["steps"], taken_as(document)) == ("resolved", ended["steps"], ["late"])
    assert document["additions"][0]["text"] == "Muộn"


def test_an_addition_that_must_be_sealed_stands_apart_and_the_rest_is_added() -> None:
    change = Amendment(5, START, None, None, ["Bình thường", "Tôi tố cáo"], 2)
    document = transferred()
    found = {"Bình thường": PLAIN, "Tôi tố cáo": SEALED}
    document = after(document, domain.amended(document, by(), change, found.__getitem__))
    assert [a["text"] for a in document["additions"]] == ["Bình thường"]
    assert [(t["do"], t.get("text")) for t in document["todo"]][-1] == ("seal_apart", "Tôi tố cáo")


def test_an_addition_before_the_transfer_can_seal_the_whole() -> None:
    document = amended(question(State.TRIAGE), SEALED, additions=["Tôi tố cáo"])
    assert (document["state"], document["sealed"]) == ("sealed", True)
    assert taken_as(document) == []  # nothing of a sealed question is told


STARTS = [
    lambda: question(State.TRIAGE),
    lambda: question(State.PROPOSED),
    lambda: question(State.SEALED),
    transferred,
    submitted,
]


@pytest.mark.parametrize("start", range(len(STARTS)))
@given(st.lists(st.sampled_from(["text", "additions", "resolve", "write", "return", "remark", "children"]), max_size=5))
def test_an_erasure_leaves_no_text_of_the_person(start: int, acts: list[str]) -> None:
    document = STARTS[start]()
    document |= {"text": SECRET, "seal": {"kind": "complaint", "by": "x", "why": SECRET} if document["sealed"] else None}
    for n, act in enumerate(acts, 6):
        match act:
            case "text":
                document = amended(document, text=f"{SECRET} {n}", digest=str(n), n=n)
            case "additions":
                document = amended(document, additions=[SECRET], n=n)
            case "resolve" if states.is_open(document) and not document["sealed"]:
                document = after(document, domain.resolved(document, by(), OFFICE, SECRET))
            case "remark":
                document |= {
                    "remark": SECRET,
                    "public_question": SECRET,
                    "proposal": {"unit": None, "reason": SECRET, "before": {"reason": SECRET}},
                }
            case "children":
                entry = {"id": "split/9", "do": "children", "at": START, "by": "x", "children": [{"id": "x", "text": SECRET}]}
                document["todo"] = [*document.get("todo", ()), entry]
            case _:
                document["todo"] = [
                    *document.get("todo", ()),
                    domain.letter(document, by(), LetterKind.GUIDANCE, {"body": SECRET}),
                ]
    was_open = states.is_open(document)
    steps = document["steps"]
    document = after(document, domain.erased(document, by(), 99))
    assert SECRET not in repr(document)
    assert document["steps"][: len(steps)] == steps
    assert (document["state"] == "withdrawn") is was_open
    assert all(t["do"] in ("close_case", "tell_unit") for t in document["todo"])
