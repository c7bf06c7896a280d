"""What a letter says: one template per kind, worded once, shown as HTML, as plain text and on paper.

A template has a block `subject` and a block `body` of simple HTML (p, ol, li, strong, br, a). The plain text and the paragraphs
of the printed letter are read off that HTML, so the three can never say different things.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from contracts.letters import FIELDS, LetterFields, Meeting
from contracts.model import Channel, FileRef, LetterKind, Mode, Recipient, RegistrantKind
from kit import clock
from kit.agency import Agency
from kit.web.rendering import FILTERS
from services.notify.domain import Row

TEMPLATES = Path(__file__).parent / "templates"

STAFF_KINDS = frozenset({LetterKind.INTERNAL_INVITATION, LetterKind.NEW_QUESTION, LetterKind.REMINDER, LetterKind.OVERDUE})
"""Written to a unit or a colleague, not to a registrant."""

_FORMS_OF_ADDRESS: Mapping[RegistrantKind, str] = {
    RegistrantKind.INDIVIDUAL: "Ông/Bà",
    RegistrantKind.ORGANISATION: "Quý cơ quan",
    RegistrantKind.ENTERPRISE: "Quý doanh nghiệp",
    RegistrantKind.COOPERATIVE: "Quý Hợp tác xã",
}
_CHANNELS: Mapping[Channel, str] = {
    Channel.WEB: "qua phiếu điện tử",
    Channel.API: "qua kết nối điện tử",
    Channel.EMAIL: "qua thư điện tử",
    Channel.PAPER: "bằng phiếu giấy nộp trực tiếp",
    Channel.POST: "qua đường bưu điện",
    Channel.FEEDBACK_SECTION: "qua chuyên mục phản ánh, kiến nghị",
    Channel.PHONE: "qua điện thoại",
    Channel.TELEVISION: "qua chương trình “Giám đốc với cử tri”",
}
MODES: Mapping[Mode, str] = {
    Mode.IN_PERSON: "trực tiếp",
    Mode.ONLINE: "trực tuyến",
    Mode.HYBRID: "kết hợp trực tiếp và trực tuyến",
}
_QUARTERS = ("I", "II", "III", "IV")


@dataclass(frozen=True, slots=True)
class House:
    """Who writes: what every letter shows of the agency. `tracking_url` and `desk_url` hold no code and no name."""

    code: str
    name: str
    full_name: str
    superior: str
    place: str
    address: str
    phone: str
    email: str
    tracking_url: str
    desk_url: str
    watermark: str = ""

    @classmethod
    def of(cls, agency: Agency, public_url: str) -> "House":
        """From an agency's profile and the origin under which people reach it."""
        return cls(
            code=agency.code,
            name=agency.name,
            full_name=agency.full_name,
            superior=agency.superior,
            place=agency.place,
            address=agency.contacts.address,
            phone=agency.contacts.phone,
            email=agency.contacts.email,
            tracking_url=f"{public_url}/{agency.code}/tra-cuu",
            desk_url=f"{public_url}/{agency.code}/can-bo/",
            watermark=agency.watermark.value or "",
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A row's request, as its letter is worded from it."""

    kind: LetterKind
    recipient: Recipient
    fields: LetterFields
    files: tuple[FileRef, ...]
    case_number: str

    @classmethod
    def of(cls, row: Row) -> "Request":
        """Raises KeyError when the row's content is gone, ValidationError when it misses something."""
        kind = LetterKind(row["kind"])
        content = row["content"]
        return cls(
            kind=kind,
            recipient=Recipient.model_validate(content["recipient"]),
            fields=FIELDS[kind].model_validate(content["fields"]),
            files=tuple(FileRef.model_validate(file) for file in content["files"]),
            case_number=row.get("case_number") or "",
        )

    @property
    def you(self) -> str:
        """How the recipient is addressed in running text."""
        return "Ông/Bà" if self.kind in STAFF_KINDS else _FORMS_OF_ADDRESS[self.fields.registrant]

    @property
    def addressed(self) -> str:
        """The recipient with the form of address: Ông/Bà Nguyễn Văn A; Hợp tác xã B (đại diện: Ông/Bà Nguyễn Văn A)."""
        person = self.recipient
        if self.kind in STAFF_KINDS:
            return getattr(self.fields, "unit", "") or person.name or "đơn vị"
        if self.fields.registrant is RegistrantKind.INDIVIDUAL:
            return f"Ông/Bà {person.name}".strip()
        if not person.organisation:
            return f"{self.you} {person.name}".strip()
        return f"{person.organisation} (đại diện: Ông/Bà {person.name})" if person.name else person.organisation


@dataclass(frozen=True, slots=True)
class Wording:
    """A letter in words. `paragraphs` are those between salutation and signature, numbered items as "1. …"."""

    subject: str
    salutation: str
    body: str
    paragraphs: tuple[str, ...]
    signature: tuple[str, ...]


class Words:
    """Words letters from the templates of this service."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters.update(FILTERS)
        self._environment.filters.update(when=when, lines=_lines, mode=MODES.__getitem__, channel=_CHANNELS.__getitem__)
        parts: Any = self._environment.get_template("letters/parts.html").module
        self._environment.globals["parts"] = parts
        self._letters = {kind: self._environment.get_template(f"letters/{kind}.html") for kind in LetterKind}
        self._html = self._environment.get_template("mail.html")
        plain = self._environment.overlay(autoescape=False)
        self._text = plain.get_template("mail.txt")

    def word(self, request: Request, house: House, *, on_paper: bool = False) -> Wording:
        """The letter's words. On paper and on the telephone nobody can "answer this mail" or follow a link."""
        template = self._letters[request.kind]
        context = template.new_context(
            {
                "house": house,
                "fields": request.fields,
                "recipient": request.recipient,
                "you": request.you,
                "reply": "viết thư về địa chỉ nêu trên" if on_paper else "trả lời thư này",
                "on_paper": on_paper,
                "files": request.files,
            }
        )
        body = "".join(template.blocks["body"](context)).strip()
        subject = one_line(unescape("".join(template.blocks["subject"](context))))
        return Wording(
            subject=subject,
            salutation=one_line(f"Kính gửi {request.addressed}"),
            body=body,
            paragraphs=tuple(_paragraphs(body)),
            signature=tuple(f"VĂN PHÒNG {house.full_name}".upper().split("\n")),
        )

    def html(self, wording: Wording, house: House, case_number: str) -> str:
        """The HTML part of the mail."""
        return self._html.render(
            subject=wording.subject,
            salutation=wording.salutation,
            body=Markup(wording.body),  # noqa: S704 - made by our own templates with autoescape
            signature=wording.signature,
            house=house,
            case_number=case_number,
        )

    def text(self, wording: Wording, house: House, case_number: str) -> str:
        """The plain text part of the mail: all that the HTML says."""
        return self._text.render(
            salutation=wording.salutation,
            blocks=wording.paragraphs,
            signature=wording.signature,
            house=house,
            case_number=case_number,
        )


def when(meeting: Meeting) -> str:
    """ "lúc 14 giờ 00, ngày …", "trong quý II năm 2022", "từ ngày … đến ngày …", or "" when nothing is known (D1)."""
    if meeting.starts_at is not None:
        place = f" tại {meeting.place}" if meeting.place else ""
        return f"lúc {clock.format_moment_long(meeting.starts_at)}{place}"
    first, last = meeting.window_from, meeting.window_to
    if first is None or last is None:
        return ""
    quarter = (first.month - 1) // 3
    if first == date(first.year, 3 * quarter + 1, 1) and last == _end_of_quarter(first.year, quarter):
        return f"trong quý {_QUARTERS[quarter]} năm {first.year}"
    return f"từ ngày {clock.format_date(first)} đến ngày {clock.format_date(last)}"


def _lines(text: str) -> Markup:
    """A person's own line breaks kept, everything else escaped."""
    return Markup("<br>").join(text.splitlines())


def _end_of_quarter(year: int, quarter: int) -> date:
    return date(year, 3 * quarter + 3, 30 if quarter in (1, 2) else 31)


def one_line(text: str) -> str:
    """Fit for a header: one line, no control characters, single spaces."""
    if text.isprintable():  # nearly always, and asked at once; letter by letter takes a seventh of the making of a mail
        return " ".join(text.split())
    return " ".join("".join(" " if unicodedata.category(c).startswith("C") else c for c in text).split())


_TOKEN = re.compile(r"<(/?)(\w+)[^>]*>|([^<]+)")
"""A tag, or text: all that autoescaped templates can hold."""


def _paragraphs(html: str) -> Iterator[str]:
    """Paragraphs and numbered items, read off the templates' HTML."""
    number, prefix = 0, ""
    text: list[str] | None = None
    for closing, tag, data in _TOKEN.findall(html):
        if data:
            if text is not None:
                text.append(unescape(data))
        elif closing:
            if tag in ("p", "li") and text is not None:
                lines = _SPACES.sub(" ", "".join(text)).split("\n")
                yield prefix + "\n".join(line.strip() for line in lines).strip()
                text = None
        elif tag == "ol":
            number = 0
        elif tag == "li":
            number += 1
            text, prefix = [], f"{number}. "
        elif tag == "p":
            text, prefix = [], ""
        elif tag == "br" and text is not None:
            text.append("\n")


_SPACES = re.compile(r"[^\S\n]+")
