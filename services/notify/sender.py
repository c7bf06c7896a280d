"""Sending mail, effectively once (design §2.3).

A worker claims a batch under a lease and a fencing token, asks whether each letter may still go, writes SENDING before the
dialogue and the outcome after it. What it did not begin it gives back. A worker that dies leaves CLAIMED letters, which are free
after the lease, and SENDING ones, which the janitor calls UNKNOWN: nobody knows whether they went out.
"""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from pymongo.errors import PyMongoError

from kit.acting import Acting
from kit.clock import Clock
from kit.errors import Permanent, Transient
from kit.logging import get_logger
from kit.mongo import Document, is_transient
from kit.outbox import Change
from kit.service import Worker
from services.notify import domain, metrics
from services.notify.domain import Row, State
from services.notify.mail import Mail, Unsendable
from services.notify.settings import NotifySettings
from services.notify.smtp import Outcome, Reply, Transport, Unreachable
from services.notify.store import Ledger
from services.notify.usecases import ACTOR, Wake

BATCH = 60
GROUP = 20
"""Letters marked SENDING in one write. A crash leaves these UNKNOWN, and those before them whose outcomes are being written; so
kinds that a person would then have to look at go one by one, each with its outcome (`domain.WAITS_FOR_STAFF`)."""
IDLE_CLOSE_SECONDS = 30.0
JANITOR_SECONDS = 5.0
OUTAGE_PAUSE_SECONDS = 0.5
_FILE_NOT_THERE = "Tệp đính kèm chưa có trong kho tệp"


class Composes(Protocol):
    """Makes the mail of a row; `services.notify.mail.Composer`."""

    async def compose(self, row: Row) -> Mail:
        """Raises `Unsendable`, or `Transient` while something it needs is not there."""
        ...


class Circuit:
    """After a failed connection nobody in this process tries for a while, and then one letter at a time, until one connects."""

    LONGEST = 60.0

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def failed(self) -> None:
        self._failures += 1
        metrics.CIRCUIT.set(1)
        self._until = monotonic() + min(2.0**self._failures, self.LONGEST) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter

    def connected(self) -> None:
        self._failures = 0
        metrics.CIRCUIT.set(0)

    @property
    def wait(self) -> float:
        """Seconds until the next try."""
        return max(self._until - monotonic(), 0.0) if self._failures else 0.0

    @property
    def batch(self) -> int:
        """Letters that a worker may claim."""
        return 1 if self._failures else BATCH


Decide = Callable[[datetime], Change]
"""What became of a letter, as a change of its row; told the database's time, which says when the row falls due again."""


@dataclass(frozen=True, slots=True)
class _Decided:
    row: Document
    decide: Decide
    done: "asyncio.Future[None]"


class OutcomeWriter:
    """Writes outcomes of all workers in shared bulk writes: those that come while one is under way go with the next.

    What is known is not lost because the database is away: an outcome is tried again until its lease is over; then the janitor's
    UNKNOWN is the truth. One that cannot be written at all is said in the log and keeps neither its sender nor another waiting.
    """

    def __init__(self, ledger: Ledger, lease: float) -> None:
        self._ledger = ledger
        self._lease = lease
        self._waiting: list[_Decided] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, row: Document, decide: Decide) -> "asyncio.Future[None]":
        """Queue an outcome; the future is done when it is written, or given up, or the row had passed to another."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Decided(row, decide, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return done

    async def release(self, rows: Sequence[Document], token: str) -> None:
        """Give back letters whose dialogue never began: as certain as an outcome, so tried as long."""
        await _while_lease_lasts(self._lease, len(rows), lambda: self._ledger.release(rows, token))

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:200], self._waiting[200:]
                await self._write(group)
                for one in group:
                    if not one.done.done():
                        one.done.set_result(None)
        finally:
            self._task = None

    async def _write(self, group: Sequence[_Decided]) -> None:
        try:
            await _while_lease_lasts(self._lease, len(group), lambda: self._write_once(group))
        except Exception as error:
            if len(group) == 1:
                get_logger().error("mail_outcome_not_written", kind=group[0].row["kind"], exc_info=error)
                return
            for one in group:
                await self._write([one])

    async def _write_once(self, group: Sequence[_Decided]) -> None:
        server_now = await self._ledger.server_now()
        written = await self._ledger.write([(one.row, one.decide(server_now)) for one in group])
        metrics.FENCED.inc(len(group) - written)


async def _while_lease_lasts(lease: float, count: int, write: Callable[[], Awaitable[None]]) -> None:
    """Do it, again and again while the database is away and `lease` (s) is not over. Raises what trying again cannot help."""
    ends = monotonic() + lease
    while True:
        try:
            await write()
            return
        except PyMongoError as error:
            if not is_transient(error):
                raise
            get_logger().warning("ledger_waits", count=count, error=type(error).__name__)
            if monotonic() > ends:
                return
        await asyncio.sleep(OUTAGE_PAUSE_SECONDS)


@dataclass(slots=True)
class _Ready:
    row: Document
    mail: Mail


class Senders:
    """The workers of one process and their janitor."""

    def __init__(
        self,
        settings: NotifySettings,
        ledger: Ledger,
        composer: Composes,
        transport: Callable[[], Transport],
        clock: Clock,
        wake: Wake,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._composer = composer
        self._transport = transport
        self._clock = clock
        self._wake = wake
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._circuit = Circuit()
        self._writer = OutcomeWriter(ledger, settings.lease_seconds)
        self._stopping = False

    def workers(self) -> list[Worker]:
        """What the service runs in the background."""
        return [*([self.run] * self._settings.senders), self.tidy]

    async def run(self) -> None:
        """Claim and send until cancelled; the mail under way is then brought to its end and the rest given back."""
        transport = self._transport()
        idle_since = monotonic()
        try:
            while True:
                await asyncio.sleep(self._circuit.wait)
                if await self._uninterrupted(transport):
                    idle_since = monotonic()
                    continue
                if monotonic() - idle_since > IDLE_CLOSE_SECONDS:
                    await transport.close()
                await self._wake.wait(self._settings.poll_seconds)
        finally:
            await transport.close()

    async def _uninterrupted(self, transport: Transport) -> int:
        work = asyncio.create_task(self.round(transport))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stopping = True
            with contextlib.suppress(PyMongoError):
                await work
            raise
        except PyMongoError as error:
            get_logger().warning("sender_waits", error=type(error).__name__)
            await asyncio.sleep(1.0)
            return 0

    async def round(self, transport: Transport) -> int:
        """Claim one batch and work it off; returns how many letters were claimed."""
        token = secrets.token_hex(8)
        rows = await self._ledger.claim(self._circuit.batch, token, self._lease)
        if len(rows) == BATCH:
            self._wake.ring()  # there may be more
        if rows:
            await self._work_off(rows, token, transport)
        return len(rows)

    async def _work_off(self, rows: Sequence[Document], token: str, transport: Transport) -> None:
        rows = await self._that_may_go(rows)
        if not rows or not await self._connected(rows, transport):
            return
        outcomes: list[asyncio.Future[None]] = []
        try:
            for group in _groups(rows):
                if ready := await self._composed(group):
                    await self._deliver(await self._begun(ready, token), token, transport, outcomes)
                if _goes_alone(group[0]):
                    await asyncio.gather(*outcomes)
        finally:  # the next group's dialogues need not wait for this one's outcomes, the next batch does
            await asyncio.gather(*outcomes)

    async def _begun(self, ready: Sequence[_Ready], token: str) -> list[_Ready]:
        """Those that are marked SENDING and still this worker's."""
        rows = [r.row for r in ready]
        try:
            held = {row["_id"]: row for row in await self._ledger.begin(rows, token, self._lease)}
        except PyMongoError:
            # They may be marked or not. No dialogue has begun, so none of them may end as UNKNOWN.
            await self._writer.release(rows, token)
            raise
        return [_Ready(held[r.row["_id"]], r.mail) for r in ready if r.row["_id"] in held]

    async def _that_may_go(self, rows: Sequence[Document]) -> list[Document]:
        """Those not superseded and not too late; asked at every claim, so before every retry."""
        superseded = await self._ledger.superseded({row["letter_id"] for row in rows})
        may_go: list[Document] = []
        stopped: list[tuple[Document, Change]] = []
        for row in rows:
            reason = domain.must_not_go(row, self._clock(), superseded)
            if reason is None:
                may_go.append(row)
            else:
                stopped.append((row, domain.skip(row, self._acting(row), reason)))
        await self._ledger.write(stopped)
        return may_go

    async def _connected(self, rows: Sequence[Document], transport: Transport) -> bool:
        try:
            await transport.open()
        except Unreachable as error:
            self._circuit.failed()
            get_logger().warning("mail_server_unreachable", count=len(rows))
            await self._ledger.write([await self._put_off(row, error.words) for row in rows])
            return False
        self._circuit.connected()
        return True

    async def _composed(self, rows: Sequence[Document]) -> list[_Ready]:
        """The mails of those that can be built; the others are put off or refused with the reason."""
        ready: list[_Ready] = []
        decided: list[tuple[Document, Change]] = []
        for row in rows:
            try:
                ready.append(_Ready(row, await self._composer.compose(row)))
            except Unsendable as error:
                decided.append((row, domain.refused(row, self._acting(row), str(error))))
            except Transient:
                decided.append(await self._put_off(row, _FILE_NOT_THERE))
            except (Permanent, ValueError, LookupError) as error:
                get_logger().error("mail_not_built", kind=row["kind"], exc_info=error)
                decided.append((row, domain.refused(row, self._acting(row), "Không dựng được thư")))
        await self._ledger.write(decided)
        return ready

    async def _deliver(
        self, begun: Sequence[_Ready], token: str, transport: Transport, outcomes: "list[asyncio.Future[None]]"
    ) -> None:
        """The dialogues of letters marked SENDING; their outcomes are queued. None begins so late that it could outlast the
        lease: this process may have been stopped in between, and the letters belong to somebody else.
        """
        last_start = monotonic() + self._settings.lease_seconds - 1.5 * self._settings.smtp_timeout_seconds
        for n, item in enumerate(begun):
            if self._stopping or not await self._reopened(transport) or monotonic() > last_start:
                await self._writer.release([r.row for r in begun[n:]], token)
                break
            reply = await transport.deliver(item.mail.sender, item.mail.recipient, item.mail.content)
            metrics.MAILS.labels(item.row["kind"], reply.outcome.value).inc()
            outcomes.append(self._writer.add(item.row, self._outcome(item.row, reply)))

    async def _reopened(self, transport: Transport) -> bool:
        """A connection lost with one mail is opened again for the next."""
        try:
            await transport.open()
        except Unreachable:
            self._circuit.failed()
            return False
        return True

    def _outcome(self, row: Document, reply: Reply) -> Decide:
        """Decided without the database: once the server has answered, nothing may come between the answer and its writing."""
        acting = self._acting(row)
        match reply.outcome:
            case Outcome.ACCEPTED:
                return lambda _: domain.accepted(row, acting)
            case Outcome.REFUSED:
                return lambda _: domain.refused(row, acting, reply.words)
            case Outcome.LATER:
                return lambda server_now: self._later(row, acting, reply.words, server_now)
            case Outcome.NO_REPLY:
                return lambda server_now: self._lost(row, acting, server_now)

    async def _put_off(self, row: Document, reason: str) -> tuple[Document, Change]:
        return row, self._later(row, self._acting(row), reason, await self._ledger.server_now())

    def _later(self, row: Document, acting: Acting, reason: str, server_now: datetime) -> Change:
        return domain.put_off(row, acting, reason, server_now=server_now, wait=self._pause(row["attempt"]))

    def _lost(self, row: Document, acting: Acting, server_now: datetime) -> Change:
        return domain.lost(row, acting, again_at=server_now + self._pause(1))

    def _pause(self, attempt: int) -> timedelta:
        first = timedelta(seconds=self._settings.retry_seconds)
        return domain.pause(attempt, random.random(), first)  # noqa: S311 - jitter

    def _acting(self, row: Row) -> Acting:
        return Acting(row["agency"], ACTOR, self._clock(), row.get("trace", ""))

    # The janitor

    async def tidy(self) -> None:
        """Settle what dead workers left, and measure, until cancelled."""
        while True:
            try:
                await self.settle_abandoned()
                await self._measure()
            except PyMongoError as error:
                get_logger().warning("janitor_waits", error=type(error).__name__)
            await asyncio.sleep(JANITOR_SECONDS)

    async def settle_abandoned(self) -> int:
        """SENDING past its lease becomes UNKNOWN, then what the kind's policy says; returns how many."""
        rows = await self._ledger.abandoned(200)
        server_now = await self._ledger.server_now()
        await self._ledger.write([(row, self._lost(row, self._acting(row), server_now)) for row in rows])
        for row in rows:
            metrics.MAILS.labels(row["kind"], "abandoned").inc()
        return len(rows)

    async def _measure(self) -> None:
        oldest = await self._ledger.oldest_waiting()
        metrics.OLDEST.set(max((self._clock() - oldest).total_seconds(), 0.0) if oldest else 0.0)
        counts = await self._ledger.count_for_staff()
        metrics.UNKNOWN.set(counts.get(State.UNKNOWN, 0))
        for state in domain.FOR_STAFF:
            metrics.FOR_STAFF.labels(state.value).set(counts.get(state, 0))


def _goes_alone(row: Document) -> bool:
    return row["kind"] in domain.WAITS_FOR_STAFF


def _groups(rows: Sequence[Document]) -> Iterator[list[Document]]:
    """Letters that may be marked SENDING together, in order."""
    group: list[Document] = []
    for row in rows:
        alone = _goes_alone(row)
        if group and (alone or len(group) == GROUP):
            yield group
            group = []
        group.append(row)
        if alone:
            yield group
            group = []
    if group:
        yield group
