"""A mail as bytes: headers, text and HTML, calendar file, slip and files. The same row makes the same bytes every time, so a
copy sent again after an unknown reply can be recognised and dropped (I4).
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from pydantic import ValidationError

from contracts.model import FileRef
from kit import clock
from kit.errors import NotFound, Permanent, Transient
from kit.files import FileStore
from services.notify import headers
from services.notify.calendarfile import calendar_of
from services.notify.domain import Row, message_id
from services.notify.papers import SLIP_NAME, Papers
from services.notify.wording import House, Request, Wording, Words, one_line

_POLICY = SMTP.clone(max_line_length=76)
_ADDRESS = re.compile(r"[^\s<>()\[\]\\,;:\"@]+@[A-Za-z0-9.-]+")


class Unsendable(Permanent):
    """The mail can never be built; the message is fit for the ledger."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope."""

    sender: str
    recipient: str
    content: bytes


class Composer:
    """Makes the mail of a row."""

    def __init__(self, words: Words, papers: Papers, files: FileStore, houses: Mapping[str, House], sender: str) -> None:
        self._words = words
        self._papers = papers
        self._files = files
        self._houses = houses
        self._sender = sender

    async def compose(self, row: Row) -> Mail:
        """The mail. Raises `Unsendable`, or `Transient` while an attached file is not in the file store yet."""
        house = self._houses.get(row["agency"])
        if house is None:
            raise Unsendable("Hồ sơ cơ quan không có trên hệ thống")
        try:
            request = Request.of(row)
        except (KeyError, ValidationError):
            raise Unsendable("Yêu cầu gửi thư thiếu hoặc sai thông tin") from None
        recipient = request.recipient.email.strip()
        if not _ADDRESS.fullmatch(recipient) or not recipient.isascii():
            raise Unsendable("Địa chỉ thư điện tử không dùng được")
        sender = self._sender or house.email
        wording = self._words.word(request, house)
        body = self._body(wording, request, house)
        await self._attach(body, row, request, house, sender)
        _fix_boundaries(body, row["_id"])
        head = self._head(row, wording, request, house, sender)
        return Mail(sender, recipient, head + body.as_bytes(policy=_POLICY))

    def _head(self, row: Row, wording: Wording, request: Request, house: House, sender: str) -> bytes:
        return b"".join(
            (
                headers.header("Subject", wording.subject),
                headers.address("From", house.full_name, sender),
                headers.address("To", request.recipient.name, request.recipient.email.strip()),
                headers.address("Reply-To", house.full_name, house.email),
                headers.header("Date", format_datetime(clock.local(row["requested_at"]))),
                headers.header("Message-ID", message_id(row, _domain(sender))),
                headers.header("Auto-Submitted", "auto-generated"),
                headers.header("Content-Language", "vi"),
            )
        )

    def _body(self, wording: Wording, request: Request, house: House) -> EmailMessage:
        """The MIME parts; the headers about the mail itself stand in `_head`."""
        message = EmailMessage(policy=_POLICY)
        message.set_content(self._words.text(wording, house, request.case_number), cte="base64")
        message.add_alternative(self._words.html(wording, house, request.case_number), subtype="html", cte="base64")
        return message

    async def _attach(self, message: EmailMessage, row: Row, request: Request, house: House, sender: str) -> None:
        domain = _domain(sender)
        uid = f"doi-thoai-{row.get('dialogue') or row['letter_id']}@{domain}"
        calendar = calendar_of(request, uid=uid, organiser=house.full_name, stamp=row["requested_at"])
        if calendar is not None:
            method = "CANCEL" if b"METHOD:CANCEL" in calendar else "PUBLISH"
            message.add_attachment(calendar, maintype="text", subtype="calendar", filename="lich-hoi-nghi.ics")
            _last_part(message).set_param("method", method)
            _last_part(message).set_param("charset", "utf-8")
        slip = await asyncio.to_thread(self._papers.slip, request, house)
        if slip is not None:
            message.add_attachment(slip, maintype="application", subtype="pdf", filename=SLIP_NAME)
        for file in request.files:
            maintype, _, subtype = file.media_type.partition("/")
            content = await self._content(file)
            message.add_attachment(content, maintype=maintype, subtype=subtype or "octet-stream", filename=one_line(file.name))

    async def _content(self, file: FileRef) -> bytes:
        try:
            return await self._files.get(file)
        except NotFound:
            raise Transient("file not there yet") from None


def _last_part(message: EmailMessage) -> MIMEPart:
    *_, last = message.iter_attachments()
    return last


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2]


def _fix_boundaries(message: EmailMessage, _id: str) -> None:
    """Boundaries from the row, not from chance."""
    parts = [part for part in message.walk() if part.is_multipart()]
    for n, part in enumerate(parts):
        part.set_boundary(f"=_{sha256(f'{_id}/{n}'.encode()).hexdigest()[:32]}")
