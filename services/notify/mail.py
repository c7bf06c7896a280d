"""A mail as bytes: headers, text and HTML, calendar file, slip and files. The same row makes the same bytes every time, so a
copy sent again after an unknown reply can be recognised and dropped (I4).
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime

from pydantic import ValidationError

from contracts.model import FileRef
from kit import clock
from kit.errors import NotFound, Permanent, Transient
from kit.files import FileStore
from services.notify import headers, mime
from services.notify.calendarfile import MEDIA_TYPE as CALENDAR
from services.notify.calendarfile import NAME as CALENDAR_NAME
from services.notify.calendarfile import calendar_of
from services.notify.domain import Row, message_id
from services.notify.papers import SLIP_NAME, Papers, has_slip
from services.notify.wording import House, Request, Wording, Words

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
        boundary = f"=_{row['_id'][:32]}"
        words = self._words
        content = mime.multipart(
            "alternative",
            f"{boundary}_a",
            (
                mime.text("plain", words.text(wording, house, request.case_number)),
                mime.text("html", words.html(wording, house, request.case_number)),
            ),
        )
        if attached := await self._attachments(row, request, house, sender):
            content = mime.multipart("mixed", f"{boundary}_m", (content, *attached))
        return Mail(sender, recipient, self._head(row, wording, request, house, sender) + content)

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
                headers.header("MIME-Version", "1.0"),
            )
        )

    async def _attachments(self, row: Row, request: Request, house: House, sender: str) -> list[bytes]:
        """Calendar file, personal slip, and the files of the request, in this order."""
        attached: list[bytes] = []
        uid = f"doi-thoai-{row.get('dialogue') or row['letter_id']}@{_domain(sender)}"
        calendar = calendar_of(request, uid=uid, organiser=house.full_name, stamp=row["requested_at"])
        if calendar is not None:
            method = "CANCEL" if b"METHOD:CANCEL" in calendar else "PUBLISH"
            attached.append(mime.attachment(CALENDAR, CALENDAR_NAME, calendar, f'charset="utf-8"; method="{method}"'))
        if has_slip(request):
            slip = await asyncio.to_thread(self._papers.slip, request, house)
            attached.append(mime.attachment("application/pdf", SLIP_NAME, slip))
        for file in request.files:
            attached.append(mime.attachment(file.media_type, file.name, await self._content(file)))
        return attached

    async def _content(self, file: FileRef) -> bytes:
        try:
            return await self._files.get(file)
        except NotFound:
            raise Transient("file not there yet") from None


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2]
