"""The mails that the catcher has caught, as their readers open them."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from io import BytesIO
from pathlib import Path
from threading import Lock

PDF, CALENDAR = "application/pdf", "text/calendar"


@dataclass
class Mail:
    """One message."""

    to: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @cached_property
    def text(self) -> str:
        """The plain text on one line, so that words can be looked for across its line ends."""
        body = self.message.get_body(("plain",))
        return " ".join(str(body.get_content()).split()) if isinstance(body, EmailMessage) else ""

    @cached_property
    def html(self) -> str:
        body = self.message.get_body(("html",))
        return str(body.get_content()) if isinstance(body, EmailMessage) else ""

    def attached(self, media_type: str) -> dict[str, bytes]:
        """The attachments of a type by their file name."""
        found: dict[str, bytes] = {}
        for part in self.message.iter_attachments():
            payload = part.get_payload(decode=True)
            if part.get_content_type() == media_type and isinstance(payload, bytes):
                found[part.get_filename() or ""] = payload
        return found


class Mailbox:
    """Every caught mail; each file is read once. Several threads may look."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[str, Mail] = {}
        self._lock = Lock()

    def mails(self, to: str, subject: str = "") -> list[Mail]:
        """The mails to an address whose subject contains `subject`, oldest first."""
        with self._lock:
            for path in self._directory.glob("*.eml"):
                if path.name not in self._read:
                    self._read[path.name] = _read(path)
            known = sorted(self._read.items())
        return [mail for _, mail in known if mail.to == to and subject in mail.subject]


def _read(path: Path) -> Mail:
    with path.open("rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - that is what the policy makes
    return Mail(str(message["X-RcptTo"]), message)


def pdf_text(content: bytes) -> str:
    """The words of a PDF on one line. Raises an error of pypdf when it is none."""
    from pypdf import PdfReader  # a demonstration's need alone

    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())
