"""Mail headers in Vietnamese, as RFC 2047 wants them.

Python's own folding loses or adds spaces between the parts of a folded header (gh-92081), so a header is packed here word by
word: each part keeps its space, and every reader puts them together alike.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from email.utils import quote

from services.notify.wording import one_line

_ROOM = 39
"""Bytes of text in one encoded word, so that its line, the header's name included, stays below 76 characters."""


def header(name: str, value: str) -> bytes:
    """A header of text. What would end the line is gone from `value`, so nothing can be smuggled in."""
    return f"{name}: {_encoded(one_line(value))}\r\n".encode("ascii")


def address(name: str, display: str, mailbox: str) -> bytes:
    """A header with one mailbox, which must be checked already; `display` may be empty."""
    shown = one_line(display)
    if not shown:
        return f"{name}: {mailbox}\r\n".encode("ascii")
    phrase = f'"{quote(shown)}"' if shown.isascii() else _encoded(shown)
    return f"{name}: {phrase}\r\n <{mailbox}>\r\n".encode("ascii")


def _encoded(text: str) -> str:
    if text.isascii():
        return text
    return "\r\n ".join(f"=?utf-8?b?{b64encode(part).decode()}?=" for part in _packed(_words(text)))


def _words(text: str) -> Iterator[bytes]:
    """Words with their space; a very long one in pieces."""
    for word in text.replace(" ", " \0").split("\0"):
        piece = b""
        for letter in word:
            if len(piece) + len(letter.encode()) > _ROOM:
                yield piece
                piece = b""
            piece += letter.encode()
        yield piece


def _packed(words: Iterable[bytes]) -> Iterator[bytes]:
    line = b""
    for word in words:
        if len(line) + len(word) > _ROOM:
            yield line
            line = b""
        line += word
    yield line
