"""What a file that comes with a form must be: its type by content, its size, and nothing that opens by itself.

Pure: bytes in, a media type or a refusal out. Nothing is unpacked: what an archive would become is read from its directory.
"""

import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath

from contracts.model import FileRef
from kit.errors import Invalid

FIELD = "files"
"""The form's field, under which refusals stand."""
MB = 1_000_000
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
JPEG = "image/jpeg"
PNG = "image/png"
EXTENSIONS: Mapping[str, str] = {".pdf": PDF, ".docx": DOCX, ".xlsx": XLSX, ".jpg": JPEG, ".jpeg": JPEG, ".png": PNG}

_LONGEST_NAME = 120
_MOST_PARTS = 5_000
_MOST_DIRECTORY = 2 * MB
"""Bytes of an archive's directory: read before anything in it is believed."""
_MOST_UNPACKED = 200 * MB
_MOST_RATIO = 200
_RATIO_FROM = MB
"""Unpacked bytes below which a ratio says nothing: a small part of XML may shrink a great deal."""
_MOST_CONTENT_TYPES = MB

_AGAIN = "Xin lưu lại dạng DOCX, XLSX thông thường hoặc PDF rồi chọn lại."
EMPTY = "Tệp “{name}” trống. Xin kiểm tra và chọn lại tệp."
OTHER_TYPE = "Tệp “{name}” không thuộc loại được nhận. Xin gửi tệp PDF, DOCX, XLSX, JPG hoặc PNG."
MISMATCH = "Nội dung của tệp “{name}” không đúng với đuôi tên tệp. Xin kiểm tra và chọn lại tệp đúng loại."
BROKEN = "Tệp “{name}” bị hỏng hoặc không đúng định dạng nên không mở được. Xin kiểm tra và chọn lại tệp."
OLD_OFFICE = "Tệp “{name}” là tệp Word, Excel kiểu cũ. " + _AGAIN
ENCRYPTED = "Tệp “{name}” được đặt mật khẩu nên Sở không mở được. Xin bỏ mật khẩu rồi chọn lại tệp."
MACRO = "Tệp “{name}” có chứa macro (chương trình tự chạy) nên không được nhận. " + _AGAIN
BOMB = "Tệp “{name}” chứa quá nhiều dữ liệu nén nên không được nhận. " + _AGAIN
INFECTED = "Phần mềm diệt vi-rút cảnh báo tệp “{name}” nên tệp không được nhận. Xin kiểm tra máy và chọn tệp khác."
TOO_LARGE = "Tệp “{name}” lớn hơn {most} MB. Xin giảm dung lượng hoặc chia nhỏ tệp."
TOO_MANY = "Mỗi phiếu được kèm nhiều nhất {most} tệp; tệp “{name}” chưa được kèm."
TOO_MUCH = "Các tệp đính kèm cộng lại lớn hơn {most} MB; tệp “{name}” chưa được kèm."


class Refused(Invalid):
    """A file that is not taken; `sentence` says why and what to do, and names the file to who chose it; `reason` only why."""

    def __init__(self, sentence: str, name: str, **values: object) -> None:
        self.sentence = sentence.format(name=name, **values)
        why, _, _ = sentence.partition(". ")
        self.reason = f"{why.removesuffix('.')}.".format(name=name, **values)
        super().__init__({FIELD: self.sentence})


@dataclass(frozen=True, slots=True)
class Allowed:
    """How much may come with one form: files, bytes of one, bytes of all."""

    count: int
    size: int
    total: int


def file_name(given: str) -> str:
    """The name without folders and without what would change how it is read; a long one is cut, its extension kept."""
    name = unicodedata.normalize("NFC", given).replace("\\", "/").rsplit("/", 1)[-1]
    name = " ".join("".join(c for c in name if unicodedata.category(c)[0] != "C").split())
    path = PurePosixPath(name)
    stem, suffix = path.stem.strip(". "), path.suffix
    return f"{(stem or 'tep')[: _LONGEST_NAME - len(suffix[:10])]}{suffix[:10]}"


def check_room(allowed: Allowed, held: Sequence[FileRef], name: str, size: int) -> None:
    """Whether one more file of `size` bytes may come with what is held already. Raises `Refused`."""
    if size == 0:
        raise Refused(EMPTY, name)
    if size > allowed.size:
        raise Refused(TOO_LARGE, name, most=allowed.size // MB)
    if len(held) >= allowed.count:
        raise Refused(TOO_MANY, name, most=allowed.count)
    if sum(file.size for file in held) + size > allowed.total:
        raise Refused(TOO_MUCH, name, most=allowed.total // MB)


def media_type(name: str, content: bytes) -> str:
    """The type that the content is, which the name's extension must agree with. Raises `Refused`."""
    expected = EXTENSIONS.get(PurePosixPath(name).suffix.lower())
    if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        # What Office makes of a document with a password, and what Office wrote before 2007.
        raise Refused(ENCRYPTED if "EncryptedPackage".encode("utf-16-le") in content else OLD_OFFICE, name)
    if expected is None:
        raise Refused(OTHER_TYPE, name)
    found = _type_of(name, content)
    if found != expected:
        raise Refused(MISMATCH, name)
    return found


def _type_of(name: str, content: bytes) -> str | None:
    if content.startswith(b"%PDF-"):
        return PDF
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return PNG
    if content.startswith(b"PK\x03\x04"):
        return _office_type(name, content)
    return None


# Office files: archives with the right parts


def _office_type(name: str, content: bytes) -> str | None:
    parts = _parts(name, content)
    names = [part.filename for part in parts]
    if any(part.flag_bits & 0x1 for part in parts):
        raise Refused(ENCRYPTED, name)
    if len(set(names)) < len(names):  # readers differ in which of two they open
        raise Refused(BROKEN, name)
    _check_unpacked(name, content, parts)
    if "[Content_Types].xml" not in names:
        return None
    if _is_active(names) or b"macroenabled" in _content_types(name, content).lower():
        raise Refused(MACRO, name)
    found = [kind for part, kind in (("word/document.xml", DOCX), ("xl/workbook.xml", XLSX)) if part in names]
    return found[0] if len(found) == 1 else None


def _parts(name: str, content: bytes) -> list[zipfile.ZipInfo]:
    """The archive's directory. It must end the file, as Office writes it: so only one is meant, and its size is known first."""
    end = content[-22:]
    if len(end) < 22 or end[:4] != b"PK\x05\x06" or content[-42:-38] == b"PK\x06\x07":
        raise Refused(BROKEN, name)
    entries, directory, comment = struct.unpack("<10xHL4xH", end)
    if comment:
        raise Refused(BROKEN, name)
    if entries > _MOST_PARTS or directory > _MOST_DIRECTORY:
        raise Refused(BOMB, name)
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        raise Refused(BROKEN, name) from None
    if len(parts) > _MOST_PARTS:
        raise Refused(BOMB, name)
    return parts


def _check_unpacked(name: str, content: bytes, parts: Iterable[zipfile.ZipInfo]) -> None:
    """A bomb says in its directory what it would become, or shares one packed part among many."""
    packed = unpacked = 0
    for part in parts:
        packed += part.compress_size
        unpacked += part.file_size
        if part.file_size > _RATIO_FROM and part.file_size > _MOST_RATIO * part.compress_size:
            raise Refused(BOMB, name)
    if packed > len(content) or unpacked > _MOST_UNPACKED or (unpacked > _RATIO_FROM and unpacked > _MOST_RATIO * packed):
        raise Refused(BOMB, name)


_ACTIVE = ("vbaproject.bin", "vbadata.xml")
_ACTIVE_FOLDERS = ("/macrosheets/", "/activex/")


def _is_active(names: Iterable[str]) -> bool:
    lower = [name.lower() for name in names]
    return any(name.endswith(_ACTIVE) or any(folder in name for folder in _ACTIVE_FOLDERS) for name in lower)


def _content_types(name: str, content: bytes) -> bytes:
    """The one small part that is read: what the other parts are."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive, archive.open("[Content_Types].xml") as part:
            found = part.read(_MOST_CONTENT_TYPES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, struct.error):
        raise Refused(BROKEN, name) from None
    if len(found) > _MOST_CONTENT_TYPES:
        raise Refused(BOMB, name)
    return found
