"""A mail as bytes → its headers in words, its text, its attachments. Pure, and total: whatever comes, something is returned.

What cannot be decoded is replaced, what is too deep or too much is left out and said so in `faults`; the raw mail is kept anyway.
"""

import contextlib
import html
import re
import unicodedata
from binascii import Error as BinasciiError
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from html.parser import HTMLParser

LONGEST_TEXT = 200_000
LONGEST_HEADER = 4_000
MOST_PARTS = 300
DEEPEST = 60
TOO_COMPLEX = "Thư có cấu trúc quá phức tạp nên chỉ đọc được một phần; xin xem thư gốc."
CUT = "Thư dài nên chỉ hiện phần đầu; xin xem thư gốc."
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,60}/[a-z0-9][a-z0-9.+_-]{0,90}")
_IDS = re.compile(r"<([^<>\s]{1,300})>")
_STATEFUL = ("utf-16", "utf-32", "utf16", "utf32", "utf-7", "utf7", "iso-2022", "hz")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is kept as a file. `name` has no path and nothing invisible in it."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """What a person sees of a mail. `ids` of `replies_to` are without their angle brackets; header values are one line each."""

    subject: str = ""
    sender_name: str = ""
    sender: str = ""
    to: str = ""
    date: str = ""
    message_id: str = ""
    replies_to: tuple[str, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    """Headers by which machines give themselves away: lower-case name and value."""
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    faults: tuple[str, ...] = ()


MARKS = (
    "auto-submitted",
    "precedence",
    "return-path",
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply",
    "list-id",
    "list-post",
    "list-unsubscribe",
    "x-loop",
)
"""X-Auto-Response-Suppress is none of them: Outlook sets it on what people write, to be spared answers of machines."""


def parse(raw: bytes) -> Mail:
    """The mail. Never raises for what `raw` holds."""
    faults: list[str] = []
    message: Message
    try:
        message = message_from_bytes(raw)
    except Exception:  # too deep, or what the library was not made for
        message = BytesHeaderParser().parsebytes(raw)
        faults.append(TOO_COMPLEX)
    texts: list[str] = []
    attachments: list[Attachment] = []
    for part, wants_html in _leaves(message, faults):
        content = _content(part)
        kind = _kind(part)
        name = _name(part)
        shown = not name and _disposition(part) != "attachment"
        if shown and kind in ("text/plain", "text/html"):
            if kind == "text/plain":
                texts.append(decode(content, _charset(part)))
            elif wants_html:
                texts.append(html_text(decode(content, _charset(part))))
        elif content:
            attachments.append(Attachment(name or f"tep-{len(attachments) + 1}", kind, content))
    text = "\n\n".join(filter(None, (tidy(text) for text in texts)))
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT]
        faults.append(CUT)
    headers = _headers(message)
    sender_name, sender = _first_address(headers.get("from", ""))
    return Mail(
        subject=_words(headers.get("subject", "")),
        sender_name=sender_name,
        sender=sender,
        to=_words(headers.get("to", "")),
        date=_words(headers.get("date", ""))[:100],
        message_id=_message_id(headers.get("message-id", "")),
        replies_to=tuple(dict.fromkeys(_IDS.findall(f"{headers.get('in-reply-to', '')} {headers.get('references', '')}"))),
        marks=(*_marks(headers), *((("content-type", "multipart/report"),) if _kind(message) == "multipart/report" else ())),
        text=text,
        attachments=tuple(attachments),
        faults=tuple(dict.fromkeys(faults)),
    )


def tidy(text: str) -> str:
    """NFC, one kind of line end, no control or invisible characters, no space at the ends of lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\xa0", " ").replace("\x0c", "\n")
    text = _INVISIBLE.sub("", _CONTROL.sub("", unicodedata.normalize("NFC", text)))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def decode(content: bytes, charset: str = "") -> str:
    """Text of bytes. What is valid UTF-8 beyond ASCII is taken for it, whatever the label says: by chance hardly anything is."""
    tried = [charset, "utf-8"] if content.isascii() or charset.startswith(_STATEFUL) else ["utf-8", charset]
    for name in (*tried, "cp1258"):
        with contextlib.suppress(LookupError, ValueError, UnicodeError, TypeError):
            found = content.decode(name) if name else None
            if isinstance(found, str):  # a codec may give bytes (hex)
                return found
    return content.decode("cp1258", "replace")


def _leaves(message: Message, faults: list[str]) -> Iterator[tuple[Message, bool]]:
    """Parts that hold something, in order, each with whether HTML is wanted there: not beside the same text in plain."""
    waiting: list[tuple[Message, int, bool]] = [(message, 0, True)]
    seen = 0
    while waiting:
        part, depth, wants_html = waiting.pop()
        seen += 1
        if depth > DEEPEST or seen > MOST_PARTS:
            faults.append(TOO_COMPLEX)
            continue
        if not part.is_multipart():
            yield part, wants_html
            continue
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if _kind(part) == "multipart/alternative" and any(_kind(c) == "text/plain" and _content(c).strip() for c in children):
            wants_html = False
        waiting += [(child, depth + 1, wants_html) for child in reversed(children)]


def _content(part: Message) -> bytes:
    with contextlib.suppress(ValueError, BinasciiError, LookupError, UnicodeError, TypeError, AttributeError):
        payload = part.get_payload(decode=True)
        return payload if isinstance(payload, bytes) else b""
    return b""


def _kind(part: Message) -> str:
    with contextlib.suppress(Exception):  # the library's parameter parsing is not made for hostile headers
        if _MEDIA_TYPE.fullmatch(kind := part.get_content_type()):
            return kind
    return "application/octet-stream"


def _charset(part: Message) -> str:
    with contextlib.suppress(Exception):
        return (part.get_content_charset() or "")[:40]
    return ""


def _disposition(part: Message) -> str:
    with contextlib.suppress(Exception):
        return part.get_content_disposition() or ""
    return ""


def _name(part: Message) -> str:
    with contextlib.suppress(Exception):
        return safe_name(_words(part.get_filename() or ""))
    return ""


def safe_name(name: str) -> str:
    """A file's name without a path, at most 120 characters, its ending kept."""
    name = re.sub(r'[\\/:*?"<>|\s]+', " ", name).strip(" .")
    if len(name) <= 120:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem[: 119 - len(ending)]}{dot}{ending}" if dot and len(ending) < 10 else name[:120]


def _headers(message: Message) -> dict[str, str]:
    """Lower-case name → the first value, as it came."""
    found: dict[str, str] = {}
    for name, value in message.raw_items():
        found.setdefault(str(name).lower(), _readable(str(value)[:LONGEST_HEADER]))
    return found


def _readable(value: str) -> str:
    """Bytes beyond ASCII, which the parser hides in surrogates, as what they most likely mean."""
    return value if value.isascii() else _CONTROL.sub("", decode(value.encode("utf-8", "surrogateescape")))


def _words(value: str) -> str:
    """A header's value as one reads it, on one line."""
    value = _readable(value)
    with contextlib.suppress(MessageError, ValueError, LookupError, BinasciiError, UnicodeError, TypeError):
        pieces = decode_header(value)
        value = "".join(p if isinstance(p, str) else decode(p, (charset or "").lower()) for p, charset in pieces)
    return " ".join(tidy(value).split())[:1_000]


def _first_address(value: str) -> tuple[str, str]:
    """Display name and address; the address only if it looks like one."""
    with contextlib.suppress(Exception):
        for name, address in getaddresses([value.replace("\r", " ").replace("\n", " ")]):
            address = _words(address)
            if re.fullmatch(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,255}", address):
                return _words(name)[:200], address
    return _words(value)[:200], ""


def _message_id(value: str) -> str:
    found = _IDS.search(value)
    return _words(found[1] if found else value)[:300]


def _marks(headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name in MARKS:
        if name in headers:
            yield name, " ".join(headers[name].split()).lower()[:200].encode("ascii", "replace").decode()


class _Text(HTMLParser):
    """Text of HTML: blocks end lines, what is not shown is left out. Nothing of the markup survives."""

    _BLOCKS = frozenset("p div br tr li ul ol table h1 h2 h3 h4 h5 h6 blockquote hr section article header footer pre".split())
    _CELLS = frozenset(("td", "th"))
    _HIDDEN = frozenset(("script", "style", "head", "title", "template"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in self._HIDDEN:
            self._hidden += 1
        elif tag in self._BLOCKS:
            self.pieces.append("\n")
        elif tag in self._CELLS:
            self.pieces.append("\t")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in self._BLOCKS and tag != "br":
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))


def html_text(source: str) -> str:
    """The text of an HTML body."""
    parser = _Text()
    source = source[: 4 * LONGEST_TEXT]
    try:
        parser.feed(source)
        parser.close()
    except (AssertionError, ValueError, RecursionError):
        return html.unescape(re.sub(r"<[^>]{0,2000}>", " ", source))
    lines = [re.sub(r"\t ?", "\t", line).strip() for line in "".join(parser.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
