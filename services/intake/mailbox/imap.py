"""One mailbox over IMAP. Blocking: a thread of its own calls it; `abort` alone may be called from another.

What is new is what the server does not show as taken: nothing but the server's own marks is remembered, so a mailbox that was
rebuilt (another UIDVALIDITY) or that two read at once costs repetitions, which the store knows, and never a mail. UIDs are used
within the session alone that gave them.
"""

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError

from services.intake.mailbox.settings import Mailbox

KEYWORD = "DoiThoaiDaNhan"
SEEN = "\\Seen"
MOST_BYTES = 64 * 1024 * 1024
_TIMEOUT = SocketTimeout(connect=15, read=60)


class Unusable(Exception):
    """The mailbox cannot be read safely as it is set: docs/operations.md says what to change."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail as the server has it. `cut`: only its beginning, for it is larger than `MOST_BYTES`."""

    raw: bytes
    received_at: datetime
    cut: bool = False


class ImapSession:
    """A connection to a mailbox. Its methods raise `IMAPClientError`, `OSError` or `Unusable`."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._client: IMAPClient | None = None
        self._idles = False
        self._ended = threading.Event()

    @property
    def _imap(self) -> IMAPClient:
        if self._client is None or self._ended.is_set():
            raise IMAPClientError("no session")
        return self._client

    def open(self) -> None:
        """Connect, sign in, select the folder."""
        box = self._box
        context = ssl.create_default_context(cafile=str(box.ca_file) if box.ca_file else None)
        client = IMAPClient(box.host, box.port, ssl=box.security == "tls", ssl_context=context, timeout=_TIMEOUT)
        self._client = client
        if box.security == "starttls":
            client.starttls(context)
        client.normalise_times = False
        client.login(box.user, box.password.get_secret_value())
        if box.after == "move" and not client.folder_exists(box.done_folder):
            client.create_folder(box.done_folder)
        selected = client.select_folder(box.folder)
        self._idles = client.has_capability("IDLE")
        kept = {flag.lower() for flag in selected.get(b"PERMANENTFLAGS", ())}
        if box.after == "mark" and not kept & {b"\\*", KEYWORD.lower().encode()}:
            raise Unusable("the server keeps no keywords")

    def fresh(self) -> list[int]:
        """UIDs of mails not taken yet, oldest first."""
        self._imap.noop()  # a search looks at what the command before it has told of, and IDLE tells of what is newer
        criteria: list[object] = ["UNDELETED"] if self._box.after == "move" else ["UNKEYWORD", KEYWORD]
        if self._box.since:
            criteria += ["SINCE", self._box.since]
        return sorted(self._imap.search(criteria))

    def fetch(self, uid: int) -> Fetched | None:
        """The mail, unchanged on the server; None if it is gone."""
        found = self._imap.fetch([uid], ["RFC822.SIZE", "INTERNALDATE"]).get(uid)
        if not found or b"RFC822.SIZE" not in found:
            return None
        cut = found[b"RFC822.SIZE"] > MOST_BYTES
        body = f"BODY.PEEK[]<0.{MOST_BYTES}>" if cut else "BODY.PEEK[]"
        parts = self._imap.fetch([uid], [body]).get(uid, {})
        raw = next((value for name, value in parts.items() if name.startswith(b"BODY[]")), None)
        if raw is None:
            return None
        received = found.get(b"INTERNALDATE") or datetime.now(UTC)
        return Fetched(raw, received.astimezone(UTC), cut)

    def done(self, uid: int) -> None:
        """Show on the server that the mail is taken."""
        client = self._imap
        if self._box.after == "mark":
            client.add_flags([uid], [SEEN, KEYWORD], silent=True)
        elif client.has_capability("MOVE"):
            client.move([uid], self._box.done_folder)
        else:
            client.copy([uid], self._box.done_folder)
            client.delete_messages([uid], silent=True)
            if client.has_capability("UIDPLUS"):
                client.uid_expunge([uid])

    def wait(self, seconds: float) -> None:
        """Until something may have come since `fresh`, at most `seconds`."""
        if not self._idles:
            self._ended.wait(seconds)
            self._imap.noop()
            return
        self._imap.idle()
        self._imap.idle_check(timeout=seconds)
        self._imap.idle_done()

    def abort(self) -> None:
        """End it at once, whatever is under way in the thread."""
        self._ended.set()
        if self._client is not None:
            with contextlib.suppress(OSError, IMAPClientError, AttributeError):
                self._client.socket().shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError, IMAPClientError, AttributeError):
                self._client.shutdown()
