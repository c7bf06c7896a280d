"""The text of a document that came attached: our form as DOCX or PDF, or a plain text file. What else comes is a file.

These bytes are the public's: sizes are checked before anything is unpacked, and `reading.py` runs all of this in a process of its
own with bounds on time and memory.
"""

import io
import logging
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from services.intake.mailbox.mime import decode

MOST_UNPACKED = 50 * 1024 * 1024
MOST_RATIO = 200
MOST_PAGES = 30
LONGEST = 200_000
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_FEWEST_DOTS = 8
_SAME_LINE = 3.0
"""Points: what lies closer is on one line."""
_NEAR_DOTS = 6.0
"""Points: nobody who writes onto a dotted line hits it. Less than half of what lies between two printed lines."""
_DOTS = " .…_"


class Kind(StrEnum):
    """What a file is by its content, whatever it is called; "" for everything else."""

    DOCX = "docx"
    XLSX = "xlsx"
    PDF = "pdf"
    JPEG = "jpg"
    PNG = "png"
    TEXT = "txt"
    OTHER = ""


class Unreadable(Exception):
    """No text can be had of this document."""


def kind_of(content: bytes, media_type: str) -> Kind:
    """The kind by its first bytes; a zip by what is in it."""
    if content.startswith(b"PK\x03\x04"):
        return _office_kind(content)
    if b"%PDF-" in content[:1024]:
        return Kind.PDF
    if content.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    return Kind.TEXT if media_type == "text/plain" and b"\0" not in content[:4096] else Kind.OTHER


def _office_kind(content: bytes) -> Kind:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except Exception:  # zipfile raises a dozen kinds of error for a broken archive
        return Kind.OTHER
    if "word/document.xml" in names:
        return Kind.DOCX
    return Kind.XLSX if "xl/workbook.xml" in names else Kind.OTHER


def text_of(kind: Kind, content: bytes) -> str:
    """The text, line by line. Raises `Unreadable`."""
    try:
        if kind is Kind.DOCX:
            return _docx(content)[:LONGEST]
        if kind is Kind.PDF:
            return _pdf(content)[:LONGEST]
    except TimeoutError:
        raise
    except Exception as error:  # the libraries raise what comes: KeyError, RecursionError, XMLSyntaxError …
        raise Unreadable(type(error).__name__) from None
    return decode(content)[:LONGEST]


def _docx(content: bytes) -> str:
    from docx import Document  # these two take longer to import than to use, and most mails need neither

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = [(entry.file_size, entry.compress_size) for entry in archive.infolist()]
    if sum(size for size, _ in sizes) > MOST_UNPACKED or any(s > 1_000_000 and s > MOST_RATIO * c for s, c in sizes):
        raise Unreadable("bomb")
    body = Document(io.BytesIO(content)).element.body
    return "\n".join("".join(_pieces(paragraph)) for paragraph in body.iter(f"{_W}p") if not _is_copy(paragraph))


def _pieces(paragraph: Any) -> Iterator[str]:
    """Text of a paragraph with that of its content controls, without that of text boxes, whose paragraphs come by themselves."""
    for element in paragraph.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr"):
        if next(element.iterancestors(f"{_W}p")) is not paragraph:
            continue
        if element.tag == f"{_W}t":
            yield element.text or ""
        elif element.getparent().tag == f"{_W}r":  # a tab of the text, not a tab stop of its layout
            yield "\t" if element.tag == f"{_W}tab" else "\n"


def _is_copy(paragraph: Any) -> bool:
    """Word writes a text box twice, once for older programs."""
    return next(paragraph.iterancestors(_FALLBACK), None) is not None


@dataclass(frozen=True, slots=True)
class _Piece:
    x: float
    y: float
    text: str


def _pdf(content: bytes) -> str:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings quote the document
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("encrypted")
    pages: list[str] = []
    for page in reader.pages[:MOST_PAGES]:
        pages.append(_page(page))
        if sum(map(len, pages)) > LONGEST:
            break
    return "\n".join(pages)


def _page(page: Any) -> str:
    """Text of a page by place, for what was typed onto a printed form stands behind everything else in the file."""
    pieces: list[_Piece] = []

    def note(text: str, cm: Any, tm: Any, _font: Any, _size: Any) -> None:
        if text.strip() and not _is_slanted(cm, tm):
            x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
            pieces.append(_Piece(x, y, text.replace("\n", " ").strip()))

    page.extract_text(visitor_text=note)
    pieces += _typed(page)
    return "\n".join(_joined(_without_dots(line)) for line in _lines(_onto_dots(pieces)))


def _is_slanted(cm: Any, tm: Any) -> bool:
    """Neither along the page nor across it: a watermark, such as that of our own samples."""
    along, across = abs(tm[0] * cm[0] + tm[1] * cm[2]), abs(tm[0] * cm[1] + tm[1] * cm[3])
    return bool(min(along, across) > 0.1 * max(along, across))


def _typed(page: Any) -> Iterator[_Piece]:
    """What was filled in with a viewer: form fields and text notes."""
    for reference in page.get("/Annots") or ():
        note = reference.get_object()
        if not isinstance(note, dict) or "/Rect" not in note:
            continue
        value = note.get("/Contents") if note.get("/Subtype") == "/FreeText" else note.get("/V")
        left, bottom, _, top = (float(number) for number in note["/Rect"])
        lines = str(value or "").replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
        height = (top - bottom) / len(lines)
        for n, line in enumerate(lines):
            if line.strip():
                yield _Piece(left, top - (n + 0.5) * height - _SAME_LINE, line.strip())


def _onto_dots(pieces: list[_Piece]) -> Iterator[_Piece]:
    """Pieces, those near a dotted line put onto it: an answer a little above its line would else stand before its label."""
    dots: Counter[float] = Counter()
    for piece in pieces:
        if _is_dots(piece):
            dots[piece.y] += len(piece.text)
    dotted = [y for y, count in dots.items() if count >= _FEWEST_DOTS]
    for piece in pieces:
        nearest = min(dotted, key=lambda y: abs(y - piece.y), default=piece.y)
        yield replace(piece, y=nearest) if abs(nearest - piece.y) <= _NEAR_DOTS else piece


def _is_dots(piece: _Piece) -> bool:
    return not piece.text.strip(_DOTS)


def _lines(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces from top to bottom, those of one line from left to right."""
    line: list[_Piece] = []
    for piece in sorted(pieces, key=lambda p: -p.y):
        if line and line[0].y - piece.y > _SAME_LINE:
            yield line
            line = []
        line.append(piece)
    if line:
        yield line


def _without_dots(line: list[_Piece]) -> list[_Piece]:
    """A dotted line to write on is many dots, each a piece, with what was written between them."""
    rest = [piece for piece in line if not _is_dots(piece)]
    return rest if len(line) - len(rest) >= _FEWEST_DOTS else line


def _joined(line: list[_Piece]) -> str:
    return " ".join(piece.text for piece in sorted(line, key=lambda p: p.x))
