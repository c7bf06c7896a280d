"""MIME parts as bytes (RFC 2045, 2046, 2231). What a letter needs of it is small, and the general library takes longer to build a
mail than the mail server to accept it.
"""

import re
from base64 import encodebytes
from collections.abc import Sequence
from urllib.parse import quote

from services.notify.wording import one_line

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")


def text(subtype: str, content: str) -> bytes:
    """A part of the mail's own text."""
    return _part(f"text/{subtype}; charset=utf-8", content.replace("\n", "\r\n").encode())


def attachment(media_type: str, name: str, content: bytes, parameters: str = "") -> bytes:
    """A file. A media type that is none becomes application/octet-stream; `parameters` are ours ("method=PUBLISH")."""
    kind = media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
    given = f"; {parameters}" if parameters else ""
    return _part(f"{kind}{given}", content, f"Content-Disposition: attachment; {_filename(name)}\r\n")


def multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """Parts together. Base64 lines never begin with "--", so any boundary will do."""
    fence = f"--{boundary}"
    inner = b"".join(f"{fence}\r\n".encode() + part + b"\r\n" for part in parts)
    return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode() + inner + f"{fence}--\r\n".encode()


def _part(content_type: str, content: bytes, disposition: str = "") -> bytes:
    head = f"Content-Type: {content_type}\r\n{disposition}Content-Transfer-Encoding: base64\r\n\r\n"
    return head.encode("ascii") + encodebytes(content).replace(b"\n", b"\r\n")


def _filename(name: str) -> str:
    shown = one_line(name) or "tep"
    if shown.isascii() and '"' not in shown and "\\" not in shown:
        return f'filename="{shown}"'
    return f"filename*=utf-8''{quote(shown, safe='')}"
