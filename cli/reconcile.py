"""`doithoai reconcile`: received = routed = answered or open = notified = reported, by dialogue and of feedback, and every case
that differs. What intake holds until the office has looked at it, and what the office set aside as junk, is counted beside that.

Notified is who has the receipt: the mail server took it, it was posted, or the person was called. One that waits or failed is no
difference, since no service lacks anything, but its case is named apart with the letter's state.

The operator's tool: it reads all databases, ids and states only, and writes nothing. What is on its way between two services may
show as a difference; run it again, what stays is wrong.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any
from uuid import UUID

import typer
from pymongo.errors import PyMongoError
from rich.table import Table

from cli.printing import console
from contracts.model import CLOSED_STATES, CaseSource, LetterKind, QuestionState
from kit import mongo
from kit.mongo import Client, Document
from kit.settings import ServiceSettings
from services.notify.domain import FOR_STAFF, State
from services.reporting.domain import FactKind
from services.reporting.store import fact_id

UNPLACED = "(no dialogue yet)"
FEEDBACK = "(feedback)"
_RECEIPTS = [LetterKind.RECEIPT.value, LetterKind.LATE.value, LetterKind.FEEDBACK_RECEIPT.value]
_SUMS = (
    "received = routed = reported = notified + not yet + no letter; questions = ended + open + merged; held and junk are not "
    "received yet"
)

_NOTIFIED = frozenset({State.SENT, State.POSTED, State.PHONED})
_NO_LETTER = frozenset({State.SKIPPED, State.WITHDRAWN})
"""Ended with a reason: no address, and the code was shown or handed over; another letter took its place; it was erased."""
_BY_HAND = frozenset({State.TO_PRINT, State.PRINTED, State.TO_PHONE})
_WHICH = (_NOTIFIED, frozenset(State) - _NOTIFIED - _NO_LETTER, _NO_LETTER)
"""What says most about whether a person was told, where a case has several such letters."""


@dataclass(frozen=True, slots=True)
class Found:
    """What each service holds: registrations, feedback and cases by id, questions by id, receipts' states by case, facts by id;
    and what waits for the office before it is either.
    """

    registrations: Mapping[UUID, Document]
    cases: Mapping[UUID, Document]
    questions: Mapping[UUID, Document]
    receipts: Mapping[UUID, State]
    facts: Mapping[str, Document]
    held: Mapping[UUID, Document] = field(default_factory=dict)
    feedback: Mapping[UUID, Document] = field(default_factory=dict)


@dataclass
class Line:
    """The counts of one dialogue."""

    received: int = 0
    routed: int = 0
    walk_ins: int = 0
    questions: int = 0
    ended: int = 0
    open: int = 0
    merged: int = 0
    notified: int = 0
    not_yet: int = 0
    no_letter: int = 0
    reported: int = 0
    held: int = 0
    junk: int = 0


@dataclass
class Reconciled:
    """Lines by (agency, dialogue); (agency, case number, what is wrong); whose receipt has not reached anybody yet: (agency, case
    number, state).
    """

    lines: dict[tuple[str, str], Line] = field(default_factory=lambda: defaultdict(Line))
    differences: list[tuple[str, str, str]] = field(default_factory=list)
    not_yet: list[tuple[str, str, State]] = field(default_factory=list)


def reconcile(agency: Annotated[str | None, typer.Option(help="Only this agency")] = None) -> None:
    """Count what each service holds of all that was received, and name every case that differs: exit status 1 if any does.

    Cases whose receipt has not reached anybody yet are named too, and change nothing about the status.
    """
    try:
        result = compare(asyncio.run(_read(ServiceSettings(), agency)))
    except PyMongoError as error:
        typer.echo(f"MongoDB does not answer: {type(error).__name__}. Start it, then run this again.", err=True)
        raise typer.Exit(2) from None
    _print(result)
    raise typer.Exit(1 if result.differences else 0)


async def _read(settings: ServiceSettings, agency: str | None) -> Found:
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver, timeout_ms=None)
    try:
        return await read(client, settings.mongodb_prefix, agency)
    finally:
        await mongo.close(client)


async def read(client: Client, prefix: str, agency: str | None) -> Found:
    """What the services hold, without texts and personal data."""
    of = {} if agency is None else {"agency": agency}

    async def rows(service: str, collection: str, query: Document, *fields: str) -> list[Document]:
        found = client[f"{prefix}_{service}"][collection].find(of | query, dict.fromkeys(("agency", *fields), 1))
        return await found.to_list(None)

    facts = await rows(
        "reporting", "facts", {"kind": {"$in": [FactKind.CASE, FactKind.QUESTION]}}, "label", "sequence", "details.state"
    )
    receipts = await rows("notify", "ledger", {"kind": {"$in": _RECEIPTS}}, "case", "state")
    questions = await rows("routing", "questions", {}, "case", "case_number", "state", "seq")
    cases = await rows("routing", "cases", {}, "case_number", "dialogue", "source", "questions", "seq")
    registrations = await rows("intake", "registrations", {}, "case_number", "dialogue")
    held = await rows("intake", "held", {}, "dialogue", "held.state", "held.what")
    feedback = await rows("intake", "feedback", {}, "case_number")
    return Found(
        registrations={row["_id"]: row for row in registrations},
        cases={row["_id"]: row for row in cases},
        questions={row["_id"]: row for row in questions},
        receipts=states_by_case(receipts),
        facts={row["_id"]: row for row in facts},
        held={row["_id"]: row for row in held},
        feedback={row["_id"]: row for row in feedback},
    )


def states_by_case(receipts: Iterable[Document]) -> dict[UUID, State]:
    """The state of each case's receipt; of several the one that says most."""
    states: dict[UUID, State] = {}
    for row in receipts:
        state = State(row["state"])
        if (case := row.get("case")) and (case not in states or _rank(state) < _rank(states[case])):
            states[case] = state
    return states


def _rank(state: State) -> int:
    return next(n for n, states in enumerate(_WHICH) if state in states)


def compare(found: Found) -> Reconciled:
    """Count by dialogue and name what differs."""
    result = Reconciled()
    for _id, received in {**found.registrations, **found.feedback}.items():
        _received(result, found, _id, received)
    for _id, case in found.cases.items():
        _case(result, found, _id, case)
    for _id, question in found.questions.items():
        _question(result, found, _id, question)
    for _id, held in found.held.items():
        _held(result, found, _id, held)
    _facts_of_nobody(result, found)
    result.differences.sort()
    result.not_yet.sort()
    return result


def _received(result: Reconciled, found: Found, _id: UUID, registration: Document) -> None:
    case = found.cases.get(_id)
    source = CaseSource.FEEDBACK if _id in found.feedback else CaseSource.REGISTRATION
    line = _line(result, registration["agency"], case or {**registration, "source": source})
    line.received += 1
    if case is None:
        _differs(result, registration, "received, not routed")
    _receipt(result, line, registration, found.receipts.get(_id))


def _receipt(result: Reconciled, line: Line, registration: Document, state: State | None) -> None:
    if state is None:
        _differs(result, registration, "neither receipt nor notice of lateness in the ledger")
    elif state in _NOTIFIED:
        line.notified += 1
    elif state in _NO_LETTER:
        line.no_letter += 1
    else:
        line.not_yet += 1
        result.not_yet.append((registration["agency"], registration["case_number"], state))


def _case(result: Reconciled, found: Found, _id: UUID, case: Document) -> None:
    line = _line(result, case["agency"], case)
    came_by_itself = case["source"] in (CaseSource.REGISTRATION, CaseSource.FEEDBACK)
    if came_by_itself:
        line.routed += 1
        if _id not in found.registrations and _id not in found.feedback:
            _differs(result, case, "routed, unknown to intake")
    else:
        line.walk_ins += 1
    missing = [q for q in case["questions"] if q not in found.questions]
    if missing:
        _differs(result, case, f"{len(missing)} of its questions are missing")
    line.reported += _check_fact(result, found, FactKind.CASE, _id, case) and came_by_itself


def _question(result: Reconciled, found: Found, _id: UUID, question: Document) -> None:
    case = found.cases.get(question["case"])
    if case is None:
        _differs(result, question, "a question without its case")
    line = _line(result, question["agency"], case or {})
    state = QuestionState(question["state"])
    line.questions += 1
    line.merged += state is QuestionState.MERGED
    line.ended += state in CLOSED_STATES
    line.open += state is not QuestionState.MERGED and state not in CLOSED_STATES
    _check_fact(result, found, FactKind.QUESTION, _id, question)


def _held(result: Reconciled, found: Found, _id: UUID, held: Document) -> None:
    if _id in found.registrations or _id in found.feedback:  # released, or sent again with a proof: forgotten within seconds
        return
    line = _line(result, held["agency"], {**held, "source": held["held"]["what"]})
    junk = held["held"]["state"] == "junk"
    line.junk += junk
    line.held += not junk


def _facts_of_nobody(result: Reconciled, found: Found) -> None:
    known = {fact_id(FactKind.CASE, str(_id)) for _id in found.cases} | {
        fact_id(FactKind.QUESTION, str(_id)) for _id in found.questions
    }
    for _id in found.facts.keys() - known:
        fact = found.facts[_id]
        result.differences.append((fact["agency"], fact["label"], f"{_id.partition('/')[0]} in the reports, unknown to routing"))


def _check_fact(result: Reconciled, found: Found, kind: FactKind, _id: UUID, document: Document) -> bool:
    """Whether reports have it; says so if not, or if they have an older state of it."""
    fact = found.facts.get(fact_id(kind, str(_id)))
    if fact is None:
        _differs(result, document, f"{kind} not in the reports")
        return False
    if fact["sequence"] < document["seq"]:
        _differs(result, document, f"{kind} in the reports is of event {fact['sequence']}, not {document['seq']}")
    return True


def _line(result: Reconciled, agency: str, document: Mapping[str, Any]) -> Line:
    nowhere = FEEDBACK if document.get("source") == CaseSource.FEEDBACK else UNPLACED
    return result.lines[agency, document.get("dialogue") or nowhere]


def _differs(result: Reconciled, document: Document, what: str) -> None:
    result.differences.append((document["agency"], document["case_number"], what))


def _print(result: Reconciled) -> None:
    shown = console()
    columns = [column.name for column in fields(Line)]
    heads = (name.replace("_", " ") for name in columns)
    table = Table("agency", "dialogue", *heads, title="Registrations, feedback and their questions by dialogue", caption=_SUMS)
    for (agency, dialogue), line in sorted(result.lines.items()):
        table.add_row(agency, dialogue, *(str(getattr(line, name)) for name in columns))
    shown.print(table)
    if result.not_yet:
        waiting = Table("agency", "case", "letter", "what is next", title=f"{len(result.not_yet)} without their receipt yet")
        for agency, case, state in result.not_yet:
            waiting.add_row(agency, case, state.replace("_", " "), _next(state))
        shown.print(waiting)
    if not result.differences:
        shown.print("Everything agrees.")
        return
    differences = Table("agency", "case", "what differs", title=f"{len(result.differences)} differences")
    for row in result.differences:
        differences.add_row(*row)
    shown.print(differences)
    shown.print("What is on its way may show here; run this again, what stays is wrong.")


def _next(state: State) -> str:
    if state in FOR_STAFF:
        return "the office decides"
    return "the office posts or calls" if state in _BY_HAND else "goes by itself"
