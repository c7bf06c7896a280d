"""The virus scanner: clamd's INSTREAM over TCP. Without it nothing is taken, and who sent it is asked to try again."""

import asyncio
from typing import Protocol

from kit.errors import Unavailable
from kit.logging import get_logger

SCANNER = "virus scanner"
_CHUNK = 64 * 1024


class Scanner(Protocol):
    """Looks into files."""

    async def finds(self, content: bytes) -> bool:
        """Whether something harmful is in it. Raises `Unavailable` when that cannot be told."""
        ...


class NoScanner:
    """Where none is set: nothing is looked for."""

    async def finds(self, content: bytes) -> bool:  # noqa: ARG002
        return False


class Clamd:
    """clamd at `host:port`: one connection for each file, answered within `timeout` seconds."""

    def __init__(self, host: str, port: int, timeout: float = 20.0) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout

    async def finds(self, content: bytes) -> bool:
        """See `Scanner`."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._ask(content)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            get_logger().warning("scanner_unavailable", error=type(error).__name__)
            raise Unavailable(SCANNER) from None
        if answer.endswith("OK"):
            return False
        if answer.endswith("FOUND"):
            get_logger().warning("attachment_infected")
            return True
        get_logger().warning("scanner_refused")  # over its own StreamMaxLength, or out of memory
        raise Unavailable(SCANNER)

    async def _ask(self, content: bytes) -> str:
        """`z` commands end with a zero byte, and so does the answer; each chunk comes after its length, the last has none."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(b"zINSTREAM\0")
            for start in range(0, len(content), _CHUNK):
                part = content[start : start + _CHUNK]
                writer.write(len(part).to_bytes(4, "big") + part)
                await writer.drain()
            writer.write(bytes(4))
            await writer.drain()
            return (await reader.readuntil(b"\0"))[:-1].decode("utf-8", "replace").strip()
        finally:
            writer.close()


def scanner_at(address: str) -> Scanner:
    """The scanner of a setting: `host:port`, or none."""
    if not address:
        return NoScanner()
    host, _, port = address.rpartition(":")
    return Clamd(host, int(port))
