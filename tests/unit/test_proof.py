"""A form's proof of work: what is good, what is doubtful, and why."""

import base64
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from altcha import Challenge, Payload, solve_challenge
from pymongo.errors import DuplicateKeyError

from kit.mongo import Collection
from kit.web.forms import Vouching
from kit.web.proof import MARGIN, Doubt, Proofs

SECRET = b"s" * 40


class Spent:
    """The collection of used challenges, in memory; counts what it is asked."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked = 0

    def with_options(self, **_: Any) -> "Spent":
        return self

    async def insert_one(self, row: dict[str, Any]) -> None:
        self.asked += 1
        if row["_id"] in self.rows:
            raise DuplicateKeyError("E11000", 11000)
        self.rows[row["_id"]] = row

    async def find_one(self, query: dict[str, Any]) -> dict[str, Any] | None:
        self.asked += 1
        return self.rows.get(query["_id"])


def proofs(spent: Spent | None = None, *, secret: bytes = SECRET, cost: int = 1, seconds: int = 3_600) -> Proofs:
    return Proofs(cast(Collection, spent or Spent()), secret, cost=cost, seconds=seconds)


def solved(challenge: str) -> str:
    """What the script sends."""
    given = Challenge.from_dict(json.loads(challenge))
    solution = solve_challenge(given)
    assert solution
    return Payload(given, solution).to_base64()


async def test_a_solved_challenge_is_good_for_one_submission_and_its_repetition() -> None:
    spent = Spent()
    made = proofs(spent)
    sent = Vouching(proof=solved(made.challenge()))
    assert await made.judge(sent, "one") is None
    assert await made.judge(sent, "one") is None, "the same form, sent again"
    assert await made.judge(sent, "two") is Doubt.SPENT
    assert await proofs(spent).judge(sent, "two") is Doubt.SPENT, "another process knows"


async def test_without_a_good_proof_nothing_is_asked_of_the_database() -> None:
    spent = Spent()
    made = proofs(spent)
    proof = solved(made.challenge())
    read = json.loads(base64.b64decode(proof))

    def changed(part: str, **changes: Any) -> str:
        other = json.loads(json.dumps(read))
        target = other["challenge"]["parameters"] if part == "parameters" else other[part]
        target.update(changes)
        return base64.b64encode(json.dumps(other).encode()).decode()

    doubts = {
        "": Doubt.NO_PROOF,
        "rubbish": Doubt.WRONG,
        base64.b64encode(b"[1, 2]").decode(): Doubt.WRONG,
        base64.b64encode(b'{"challenge": null, "solution": 3}').decode(): Doubt.WRONG,
        base64.b64encode(b"[" * 3_000).decode(): Doubt.WRONG,
        "A" * 1_000_000: Doubt.WRONG,
        changed("solution", counter=read["solution"]["counter"] + 1): Doubt.WRONG,
        changed("solution", counter=-1): Doubt.WRONG,
        changed("parameters", keyPrefix=""): Doubt.WRONG,
        changed("parameters", expiresAt=read["challenge"]["parameters"]["expiresAt"] + 60): Doubt.WRONG,
        changed("challenge", signature=None): Doubt.WRONG,
        solved(proofs(secret=b"t" * 40).challenge()): Doubt.WRONG,
    }
    for sent, doubt in doubts.items():
        assert await made.judge(Vouching(proof=sent), "one") is doubt, sent[:80]
    assert spent.asked == 0
    assert await made.judge(Vouching(proof=proof), "one") is None


async def test_an_expired_challenge_is_told_from_a_wrong_one() -> None:
    late = proofs(seconds=-1)
    assert await late.judge(Vouching(proof=solved(late.challenge())), "one") is Doubt.EXPIRED


async def test_a_filled_trap_is_doubtful_whatever_else_is_there() -> None:
    for cost in (0, 1):
        made = proofs(cost=cost)
        assert await made.judge(Vouching(solved(proofs().challenge()), "http://quang-cao.example"), "one") is Doubt.TRAP


async def test_no_cost_asks_for_no_proof() -> None:
    spent = Spent()
    made = proofs(spent, cost=0)
    assert not made.asked
    assert await made.judge(Vouching(), "one") is None
    assert spent.asked == 0


@pytest.mark.parametrize(("seconds", "kept"), [(3_600, True), (MARGIN - 10, False), (-1, False)])
def test_a_form_that_comes_back_keeps_a_proof_that_will_still_be_good(seconds: int, kept: bool) -> None:
    made = proofs(seconds=seconds)
    proof = solved(made.challenge())
    assert made.carried(proof) == (proof if kept else "")
    assert made.carried("rubbish") == made.carried("") == ""


def test_challenges_differ_and_name_their_work() -> None:
    made = proofs(cost=7)
    one, other = (json.loads(made.challenge())["parameters"] for _ in range(2))
    assert one["nonce"] != other["nonce"]
    assert (one["algorithm"], one["cost"], one["keyPrefix"]) == ("PBKDF2/SHA-256", 7, "00")
    assert SimpleNamespace(**one).expiresAt > 0
