"""The mail server behind an interface: hand over one mail, learn which of four things became of it.

The dialogue is driven command by command, because only then is it known whether the final dot may have been sent when the
connection is lost: before it the mail was certainly not taken, after it nobody can know.
"""

import contextlib
import re
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Protocol

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException

from services.notify.settings import NotifySettings

SERVICE_CLOSING = 421
NO_SESSION = "Chưa kết nối được với máy chủ thư"
_LINE_STARTS_WITH_DOT = re.compile(rb"(?m)^\.")
_ADDRESS = re.compile(r"[^\s<>\"']+@[^\s<>\"']+")
_LONGEST_WORDS = 200


class Outcome(StrEnum):
    """What became of a mail."""

    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"
    NO_REPLY = "no_reply"


@dataclass(frozen=True, slots=True)
class Reply:
    """`words` are the server's, with addresses taken out, or ours; fit for the ledger."""

    outcome: Outcome
    words: str = ""


class Unreachable(Exception):
    """No session with the mail server: nothing was sent. `words` is fit for the ledger."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Transport(Protocol):
    """One sender's way to the mail server."""

    async def open(self) -> None:
        """Have a session ready. Raises `Unreachable`."""

    async def deliver(self, sender: str, recipient: str, message: bytes) -> Reply:
        """Hand over one mail in the session; never raises for what the server does."""
        ...

    async def close(self) -> None:
        """End the session."""


class SmtpTransport:
    """One kept connection to the mail server of the settings."""

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None

    async def open(self) -> None:
        if self._client is not None and self._client.is_connected:
            return
        client = aiosmtplib.SMTP(
            hostname=self._settings.smtp_host,
            port=self._settings.smtp_port,
            username=self._settings.smtp_username or None,
            password=self._settings.smtp_password.get_secret_value() or None,
            use_tls=self._settings.smtp_tls == "tls",
            start_tls=self._settings.smtp_tls == "starttls",
            timeout=self._settings.smtp_timeout_seconds,
        )
        try:
            await client.connect()
            await client._ehlo_or_helo_if_needed()
        except SMTPResponseException as error:
            client.close()
            raise Unreachable(f"Máy chủ thư từ chối kết nối: {_words(error.code, error.message)}") from None
        except (SMTPException, OSError, ValueError):
            client.close()
            raise Unreachable(NO_SESSION) from None
        self._client = client

    async def deliver(self, sender: str, recipient: str, message: bytes) -> Reply:
        client = self._client
        if client is None:
            return Reply(Outcome.LATER, NO_SESSION)
        ends = monotonic() + self._settings.smtp_timeout_seconds
        try:
            for verb, words in ((b"MAIL", f"FROM:<{sender}>"), (b"RCPT", f"TO:<{recipient}>"), (b"DATA", "")):
                arguments = [words.encode("ascii")] if words else []
                code, said = await client.execute_command(verb, *arguments, timeout=_left(ends))
                if code // 100 not in (2, 3):
                    return await self._not_taken(client, code, said)
        except (SMTPException, OSError, ValueError):
            await self.close()
            return Reply(Outcome.LATER, "Mất kết nối với máy chủ thư trước khi gửi nội dung")
        return await self._content(client, message, ends)

    async def _content(self, client: aiosmtplib.SMTP, message: bytes, ends: float) -> Reply:
        """From here on the mail may have been taken whatever happens, until the server says otherwise."""
        try:
            if client.protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("")
            client.protocol.write(_stuffed(message))
            code, said = await client.protocol.read_response(timeout=_left(ends))
        except (SMTPException, OSError):
            await self.close()
            return Reply(Outcome.NO_REPLY)
        if code // 100 == 2:
            return Reply(Outcome.ACCEPTED)
        return await self._not_taken(client, code, said)

    async def _not_taken(self, client: aiosmtplib.SMTP, code: int, said: str) -> Reply:
        """Clear the envelope for the next mail; a server that refuses even that gets a new connection."""
        try:
            if code == SERVICE_CLOSING or (await client.execute_command(b"RSET", timeout=1)).code // 100 != 2:
                await self.close()
        except (SMTPException, OSError):
            await self.close()
        outcome = Outcome.REFUSED if code // 100 == 5 else Outcome.LATER
        return Reply(outcome, f"Máy chủ thư trả lời: {_words(code, said)}")

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(SMTPException, OSError):
                if client.is_connected:
                    await client.quit(timeout=1)
            client.close()


def _left(ends: float) -> float:
    return max(ends - monotonic(), 0.001)


def _stuffed(message: bytes) -> bytes:
    """`message` (lines end with CRLF) as DATA carries it, with the final dot."""
    return _LINE_STARTS_WITH_DOT.sub(b"..", message) + (b"" if message.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _words(code: int, text: str) -> str:
    """The server's words without addresses: they go into the ledger and into events."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return f"{code} {_ADDRESS.sub('…', printable)}"[:_LONGEST_WORDS].strip()
