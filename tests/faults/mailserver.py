"""A mail server that misbehaves on order, and otherwise keeps mail as the catcher does.

Stages of a dialogue, in order: CONNECT, EHLO, MAIL, RCPT, DATA, BODY (its first bytes are there), DOT (it is whole, nothing is
kept yet), KEPT (it is kept, 250 is not said yet). At each stage an order may be waiting: what to do instead of going on.
"""

import asyncio
import contextlib
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local.mail import Mailbox
from deploy.local.ports import HOST
from tests.faults.links import LoopThread

Stage = Literal["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT", "KEPT"]
STAGES: tuple[Stage, ...] = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT", "KEPT")


@dataclass(frozen=True)
class Order:
    """What happens at a stage: `do` is called, then one of: the reply is said, the connection is cut, a wait, or as usual."""

    name: str
    reply: str = ""
    cut: bool = False
    wait: float = 0.0
    do: Callable[[], None] | None = None


class _Ended(Exception):
    """The dialogue is over."""


class MailServer:
    """Listens on `port` in the thread of the links. `hits` counts the orders carried out, `recipients` who met one."""

    def __init__(self, thread: LoopThread, port: int, directory: Path) -> None:
        self.port = port
        self.hits: Counter[str] = Counter()
        self.said_yes = 0
        """Mails that were kept and answered with 250."""
        self.cut_mails = 0
        """Mails that were on their way when the server went down."""
        self.recipients: defaultdict[str, list[str]] = defaultdict(list)
        """Recipient → the orders that its dialogues met."""
        self._mailbox = Mailbox(directory)
        self._orders: defaultdict[Stage, deque[Order]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._thread = thread
        self._server: asyncio.Server | None = None
        self._dialogues: set[_Dialogue] = set()
        self.up()

    def order(self, stage: Stage, order: Order, times: int = 1) -> None:
        """The next `times` dialogues that come to this stage meet this."""
        with self._lock:
            self._orders[stage].extend([order] * times)

    def waiting(self) -> int:
        """Orders that no dialogue has met yet."""
        with self._lock:
            return sum(map(len, self._orders.values()))

    def forget_orders(self) -> None:
        with self._lock:
            self._orders.clear()

    def down(self) -> None:
        """Refuse connections, cut those there are."""
        self._thread.run(self._down())

    def up(self) -> None:
        self._thread.run(self._up())

    async def _up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.port, backlog=200)

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for dialogue in self._dialogues:
            self.cut_mails += dialogue.inside_mail
            dialogue.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialogue = _Dialogue(self, reader, writer)
        self._dialogues.add(dialogue)
        try:
            with contextlib.suppress(_Ended, OSError, asyncio.IncompleteReadError):
                await dialogue.hold()
        finally:
            self._dialogues.discard(dialogue)
            dialogue.cut()

    def take(self, stage: Stage) -> Order | None:
        with self._lock:
            return self._orders[stage].popleft() if self._orders[stage] else None

    def keep(self, recipients: list[str], content: bytes) -> None:
        self._mailbox.keep(recipients, content)


class _Dialogue:
    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._recipients: list[str] = []
        self.inside_mail = False
        """The client was asked for the mail and has no reply to it."""

    def cut(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    async def hold(self) -> None:
        if not await self._stage("CONNECT"):
            raise _Ended
        await self._say("220 thu.example ESMTP")
        while line := await self._reader.readline():
            await self._command(line.decode("ascii", "replace").strip())

    async def _command(self, line: str) -> None:
        verb = line[:4].upper()
        match verb:
            case "EHLO" | "HELO":
                if await self._stage("EHLO"):
                    await self._say("250 thu.example")
            case "MAIL":
                self._recipients = []
                if await self._stage("MAIL"):
                    await self._say("250 OK")
            case "RCPT":
                self._recipients.append(line.partition(":")[2].strip().strip("<>"))
                if await self._stage("RCPT"):
                    await self._say("250 OK")
            case "DATA":
                if await self._stage("DATA"):
                    await self._say("354 End data with <CR><LF>.<CR><LF>")
                    self.inside_mail = True
                    await self._content()
                    self.inside_mail = False
            case "RSET" | "NOOP":
                await self._say("250 OK")
            case "QUIT":
                await self._say("221 Bye")
                raise _Ended
            case _:
                await self._say("502 5.5.2 Not known")

    async def _content(self) -> None:
        first = await self._reader.readline()
        if not await self._stage("BODY"):
            raise _Ended
        rest = await self._reader.readuntil(b"\r\n.\r\n")
        lines = (first + rest).removesuffix(b".\r\n").split(b"\r\n")
        content = b"\r\n".join(line[1:] if line.startswith(b"..") else line for line in lines)
        if not await self._stage("DOT"):
            return
        self._server.keep(self._recipients, content)
        if await self._stage("KEPT"):
            await self._say("250 OK")
            self._server.said_yes += 1

    async def _stage(self, stage: Stage) -> bool:
        """Whether the dialogue goes on as usual."""
        order = self._server.take(stage)
        if order is None:
            return True
        name = f"{stage}: {order.name}"
        self._server.hits[name] += 1
        for recipient in self._recipients:
            self._server.recipients[recipient].append(name)
        if order.do is not None:
            order.do()
        if order.cut:
            raise _Ended
        if order.wait:
            await asyncio.sleep(order.wait)
        if order.reply:
            await self._say(order.reply)
            if order.reply.startswith("421"):
                raise _Ended
            return False
        return True

    async def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode("ascii"))
        await self._writer.drain()
