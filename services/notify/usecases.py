"""What notify does when a letter is asked for, withdrawn or erased, and when staff decide: one function per command."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

from pydantic import ValidationError

from contracts.envelope import Event, wrong_fields
from contracts.letters import FIELDS
from contracts.model import LetterState, Recipient
from kit.acting import Acting
from kit.clock import Clock
from kit.consumer import newest
from kit.errors import Conflict, Transient
from kit.mongo import Document
from kit.outbox import Change, step
from services.notify import domain
from services.notify.domain import CallResult, Row, State
from services.notify.store import Ledger

ACTOR = "system:notify"

Decision = Callable[[Row, Acting], Change | None]


class Wake:
    """Wakes one sleeping sender for a ring; who then finds a full batch rings for the next. If all looked for each letter, most
    of the ledger's work would be looking. A ring that is lost costs a sender's poll interval, nothing else.
    """

    def __init__(self) -> None:
        self._sleeping: deque[asyncio.Future[None]] = deque()
        self._missed = False

    def ring(self) -> None:
        while self._sleeping:
            sleeper = self._sleeping.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                return
        self._missed = True  # one that is just going to sleep may have looked too early

    async def wait(self, seconds: float) -> None:
        """Until a ring, or for so long."""
        if self._missed:
            self._missed = False
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping.append(sleeper)
        try:
            await asyncio.wait([sleeper], timeout=seconds)
        finally:
            sleeper.cancel()
            with contextlib.suppress(ValueError):
                self._sleeping.remove(sleeper)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the use cases work with. `wake` tells this process's senders that there is something to send."""

    ledger: Ledger
    clock: Clock
    held_after: timedelta
    wake: Wake


# Letters asked for


async def take_letters(desk: Desk, events: Sequence[Event[LetterState]]) -> None:
    """One ledger row for each letter; those known are left as they are. Then what they supersede or withdraw is stopped.

    The look-ups come after the insert, and whoever erases or supersedes looks after its own write, so that whichever comes
    second sees the other.
    """
    latest = newest(events)
    held_before = max(desk.clock() - desk.held_after, await desk.ledger.restored_at())
    rows = [await _row(desk, event, held_before) for event in latest]
    await desk.ledger.insert(rows)
    await _stop_withdrawn(desk, latest)
    await _stop_superseded(desk, rows)
    await _follow_corrections(desk, rows)
    await _forget_erased(desk, rows)
    desk.wake.ring()


async def _row(desk: Desk, event: Event[LetterState], held_before: datetime) -> Document:
    letter = event.data
    now = desk.clock()
    acting = Acting(event.agency, ACTOR, now, event.correlationid)
    begin = domain.start(letter, asked_at=event.time, now=now, held_before=held_before, problem=_problem(letter))
    act = acting.act(domain.EVENTS[begin.state], reason=begin.reason or None)
    state: Document = {
        "letter_id": domain.letter_id(event.agency, letter.letter_key),
        "letter_key": letter.letter_key,
        "kind": letter.kind.value,
        "owner": event.source,
        "state": begin.state.value,
        "reason": begin.reason,
        "way": begin.way.value if begin.way else None,
        "requested_at": letter.requested_at,
        "created_at": now,
        "queued_at": now,
        "attempt": 0,
        "trace": event.correlationid,
        "steps": [step(act, 1, domain.STATUS[begin.state])],
        **_present(case=letter.case, case_number=letter.case_number, dialogue=letter.dialogue, not_after=letter.not_after),
    }
    if letter.supersedes:
        state["supersedes"] = [domain.letter_id(event.agency, key) for key in letter.supersedes]
    if letter.recipient is not None:
        state["to"] = letter.recipient.organisation or letter.recipient.name
    if begin.state not in domain.SETTLED:
        state["content"] = letter.model_dump(mode="json", include={"recipient", "fields", "files"})
    if begin.state is State.PENDING:
        state["next_at"] = await desk.ledger.due_now()
    return await desk.ledger.outbox.new(
        domain.row_id(event.agency, letter.letter_key, letter.recipient), event.agency, state, [act]
    )


def _present(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _problem(letter: LetterState) -> str:
    """What the kind's template would miss. Such a letter is a row that says so, not a dead letter: the office sees it."""
    try:
        FIELDS[letter.kind].model_validate(letter.fields)
    except ValidationError as error:
        missing = sorted({place for place, _ in wrong_fields(error)})
        return f"Yêu cầu gửi thư thiếu hoặc sai thông tin: {', '.join(missing[:8])}"
    return ""


async def _stop_withdrawn(desk: Desk, events: Sequence[Event[LetterState]]) -> None:
    withdrawn = {domain.letter_id(e.agency, e.data.letter_key) for e in events if e.data.status == "withdrawn"}
    await _stop(desk, withdrawn, domain.withdraw)


async def _stop_superseded(desk: Desk, rows: Sequence[Document]) -> None:
    """Letters that the new ones supersede, and new ones that an earlier letter supersedes."""
    named = {letter for row in rows for letter in row.get("supersedes", ())}
    named |= await desk.ledger.superseded({row["letter_id"] for row in rows})
    await _stop(desk, named, domain.supersede)


async def _stop(desk: Desk, letters: set[str], decide: Decision) -> None:
    if not letters:
        return
    for _id, agency in await desk.ledger.open_rows_of(letters):
        await _decide(desk, _id, agency, decide)


async def _decide(desk: Desk, _id: str, agency: str, decide: Decision) -> None:
    """Raises `Transient` while a worker holds the letter: it has let go after its lease at the latest, usually at once."""

    def deciding(row: Document) -> Change | None:
        return decide(row, Acting(agency, ACTOR, desk.clock(), row.get("trace", "")))

    try:
        await desk.ledger.change(_id, agency, deciding)
    except Conflict:
        raise Transient("a worker holds the letter") from None


# Corrected contacts


@dataclass(frozen=True, slots=True)
class Correction:
    """A registrant's newest contact, from event `sequence` of the registration."""

    case: UUID
    agency: str
    sequence: int
    at: datetime
    recipient: Recipient


async def follow_corrections(desk: Desk, corrections: Iterable[Correction]) -> None:
    """What has not gone out to these registrants goes to their new contacts, now and whatever comes later."""
    new = {
        c.case: c.recipient
        for c in corrections
        if await desk.ledger.remember_corrected(c.case, c.agency, c.sequence, c.at, c.recipient)
    }
    await _redirect(desk, new)


async def _follow_corrections(desk: Desk, rows: Sequence[Document]) -> None:
    cases = {row["case"] for row in rows if "case" in row}
    if cases and (corrected := await desk.ledger.corrected_among(cases)):
        await _redirect(desk, corrected)


async def _redirect(desk: Desk, corrected: Mapping[UUID, Recipient]) -> None:
    if not corrected:
        return
    due_at = await desk.ledger.due_now()
    for _id, agency, case in await desk.ledger.open_rows_of_cases(corrected):
        await _decide(desk, _id, agency, partial(domain.redirect, recipient=corrected[case], due_at=due_at))
    desk.wake.ring()


# Erasure


async def obey_erasure(desk: Desk, cases: Mapping[UUID, str]) -> None:
    """Remove what is personal from the rows of these cases (id → agency), now and whatever comes later."""
    await desk.ledger.remember_erased(cases, desk.clock())
    await desk.ledger.forget_corrected(cases)
    await _erase(desk, cases)


async def _forget_erased(desk: Desk, rows: Sequence[Document]) -> None:
    cases = {row["case"] for row in rows if "case" in row}
    if cases and (erased := await desk.ledger.erased_among(cases)):
        await _erase(desk, erased)


async def _erase(desk: Desk, cases: Iterable[UUID]) -> None:
    for _id, agency in await desk.ledger.rows_of_cases(cases):
        await _decide(desk, _id, agency, domain.erase)


# A restore


async def hold_restored(ledger: Ledger, now: datetime) -> int:
    """Hold every letter that a restored ledger shows as not sent, and every one asked for until now that it will not know.

    Returns how many of the first kind there are. No sender may be running.
    """
    await ledger.note_restore(now)
    rows = await ledger.unsent()
    for _id, agency in rows:
        acting = Acting(agency, ACTOR, now)
        await ledger.change(_id, agency, partial(domain.hold, acting=acting))
    return len(rows)


# What staff decide


async def send_again(desk: Desk, acting: Acting, _id: str) -> None:
    """By its way once more."""
    due_at = await desk.ledger.due_now()
    await desk.ledger.change(_id, acting.agency, lambda row: domain.send_again(row, acting, due_at=due_at))
    desk.wake.ring()


async def by_post(desk: Desk, acting: Acting, _id: str) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.by_post(row, acting))


async def by_phone(desk: Desk, acting: Acting, _id: str) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.by_phone(row, acting))


async def give_up(desk: Desk, acting: Acting, _id: str, reason: str) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.give_up(row, acting, reason))


async def confirm_sent(desk: Desk, acting: Acting, _id: str) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.confirm_sent(row, acting))


async def mark_printed(desk: Desk, acting: Acting, _id: str) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.printed(row, acting))


async def mark_posted(desk: Desk, acting: Acting, _id: str, number: str, on: date) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.posted(row, acting, number, on))


async def mark_phoned(desk: Desk, acting: Acting, _id: str, result: CallResult) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.phoned(row, acting, result))


async def mark_returned(desk: Desk, acting: Acting, _id: str, reason: str) -> None:
    await desk.ledger.change(_id, acting.agency, lambda row: domain.returned(row, acting, reason))
