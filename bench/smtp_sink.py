"""A mail server that takes everything at once and keeps only the Message-IDs: the same for both sides."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import cast

_MESSAGE_ID = re.compile(rb"^Message-ID: *(\S+)", re.IGNORECASE | re.MULTILINE)
_END = b"\r\n.\r\n"
_ANSWERS = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n",
    b"HELO": b"250 sink\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
}


@dataclass
class Sink:
    """Listens on `port`; `message_ids` of what it accepted, in order."""

    message_ids: list[bytes] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Dialogue(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()


class _Dialogue(asyncio.Protocol):
    """Answers every complete command that has come, in one write: a client may pipeline them (RFC 2920)."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""
        self._in_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        answers: list[bytes] = []
        while (answer := self._next()) is not None:
            answers.append(answer)
        self._transport.write(b"".join(answers))
        if answers and answers[-1].startswith(b"221"):
            self._transport.close()

    def _next(self) -> bytes | None:
        """The answer to the next whole command or message in the buffer; None if there is none yet."""
        end = _END if self._in_data else b"\r\n"
        taken, found, rest = self._buffer.partition(end)
        if not found:
            return None
        self._buffer = rest
        if self._in_data:
            self._in_data = False
            found_id = _MESSAGE_ID.search(taken)
            self._sink.message_ids.append(found_id[1] if found_id else b"")
            return b"250 2.0.0 Ok\r\n"
        verb = taken[:4].upper()
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        return b"221 2.0.0 Bye\r\n" if verb == b"QUIT" else _ANSWERS.get(verb, b"502 5.5.2 unknown\r\n")
