"""Reads one agency's mailbox while the service runs: IDLE, polling where the server has none, a new connection after a cut.

A mail is marked on the server only when it is durable here. Whatever dies in between, it is taken again and is the same document.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from imapclient.exceptions import IMAPClientError
from pymongo.errors import PyMongoError

from kit.agency import Agency
from kit.errors import Transient
from kit.logging import get_logger
from kit.mongo import is_transient
from services.intake.mailbox import metrics
from services.intake.mailbox.imap import Fetched, ImapSession, Unusable
from services.intake.mailbox.settings import Mailbox
from services.intake.mailbox.store import Leases
from services.intake.mailbox.usecases import Mailroom, keep
from services.intake.mailbox.workshop import Workshop

T = TypeVar("T")
LEASE_SECONDS = 90.0
LONGEST_PAUSE = 60.0
_RENEW_AFTER = LEASE_SECONDS / 3


class MailboxReader:
    """One mailbox. Of several processes the one that holds the lease reads."""

    def __init__(
        self,
        room: Mailroom,
        agency: Agency,
        leases: Leases,
        *,
        poll_seconds: float,
        connect: Callable[[Mailbox], ImapSession] = ImapSession,
    ) -> None:
        self._room = room
        self._agency = agency
        self._leases = leases
        self._poll_seconds = min(poll_seconds, _RENEW_AFTER)
        self._connect = connect
        self._failures = 0
        self._refused: set[int] = set()
        """UIDs of this connection's mails that could not be kept: left unmarked for the next one, so they stop no other."""

    async def run(self) -> None:
        """Read until cancelled."""
        metrics.CONNECTED.labels(self._agency.code).set(0)
        while True:
            pause = _RENEW_AFTER
            try:
                if await self._leases.take(self._agency.code):
                    await self._attend()
                    pause = 0.0
            except (IMAPClientError, OSError, Unusable, PyMongoError, Transient) as error:
                self._failures += 1
                pause = min(2.0 ** min(self._failures, 10), LONGEST_PAUSE)
                get_logger().warning("mailbox_not_read", agency=self._agency.code, error=type(error).__name__)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    async def _attend(self) -> None:
        """Stay with the mailbox while the lease is ours. Raises what the connection or the database does."""
        session = self._connect(self._room.boxes[self._agency.code])
        thread = ThreadPoolExecutor(1, thread_name_prefix="mailbox")  # the loop's own threads must not fill up with waiting
        self._refused.clear()

        async def call(work: Callable[..., T], *arguments: Any) -> T:
            return await asyncio.get_running_loop().run_in_executor(thread, partial(work, *arguments))

        try:
            await call(session.open)
            metrics.CONNECTED.labels(self._agency.code).set(1)
            while await self._leases.take(self._agency.code):
                if not await self._take_new(session, call):
                    await call(session.wait, self._poll_seconds)
                self._failures = 0
        finally:
            metrics.CONNECTED.labels(self._agency.code).set(0)
            session.abort()
            thread.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(PyMongoError):  # it ends by itself; and a cancellation must stay one
                await self._leases.give_back(self._agency.code)

    async def _take_new(self, session: ImapSession, call: Callable[..., Any]) -> bool:
        """Whether there was anything to take: meanwhile more may have come, of which nothing will tell."""
        fresh = [uid for uid in await call(session.fresh) if uid not in self._refused]
        missed: set[int] = set()
        renewed = time.monotonic()
        async with Workshop() as workshop:
            for uid in fresh:
                if time.monotonic() - renewed > _RENEW_AFTER:
                    if not await self._leases.take(self._agency.code):
                        return True
                    renewed = time.monotonic()
                fetched = await call(session.fetch, uid)
                if fetched is None:
                    missed.add(uid)
                elif await self._keep(workshop, uid, fetched):
                    await call(session.done, uid)
        if missed:  # somebody took them away, or the server does not give them out
            for uid in missed.intersection(await call(session.fresh)):
                self._refuse(uid, None)
        return bool(fresh)

    async def _keep(self, workshop: Workshop, uid: int, fetched: Fetched) -> bool:
        try:
            await keep(self._room, self._agency, workshop, fetched)
        except Exception as error:
            if isinstance(error, Transient) or (isinstance(error, PyMongoError) and is_transient(error)):
                raise
            self._refuse(uid, error)
            return False
        return True

    def _refuse(self, uid: int, error: Exception | None) -> None:
        self._refused.add(uid)
        metrics.NOT_KEPT.labels(self._agency.code).inc()
        get_logger().error("mail_not_kept", agency=self._agency.code, exc_info=error)
