"""What may come with a form: types by content, limits, archives that would become too much; and the scanner's protocol."""

import asyncio
import contextlib
import struct
import zipfile
from collections.abc import AsyncIterator, Mapping
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import FileRef
from kit.errors import Unavailable
from services.intake.attachments import domain
from services.intake.attachments.domain import DOCX, EXTENSIONS, JPEG, MB, PDF, PNG, XLSX, Allowed, Refused
from services.intake.attachments.scanner import Clamd, NoScanner, scanner_at

PDF_BYTES = b"%PDF-1.7\n1 0 obj\n"
PNG_BYTES = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)
JPEG_BYTES = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(20)
TYPES = b'<?xml version="1.0"?><Types><Override ContentType="application/xml"/></Types>'
WORD = {"[Content_Types].xml": TYPES, "word/document.xml": b"<w:document/>"}
EXCEL = {"[Content_Types].xml": TYPES, "xl/workbook.xml": b"<workbook/>"}


def archive(parts: Mapping[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return buffer.getvalue()


SAMPLES = {PDF: PDF_BYTES, PNG: PNG_BYTES, JPEG: JPEG_BYTES, DOCX: archive(WORD), XLSX: archive(EXCEL)}


@pytest.mark.parametrize(("extension", "kind"), EXTENSIONS.items())
def test_each_type_is_known_by_its_content_and_by_no_other_extension(extension: str, kind: str) -> None:
    assert domain.media_type(f"Đơn{extension.upper()}", SAMPLES[kind]) == kind
    for other, content in SAMPLES.items():
        if other != kind:
            with pytest.raises(Refused):
                domain.media_type(f"don{extension}", content)


def refusal(name: str, content: bytes) -> str:
    with pytest.raises(Refused) as refused:
        domain.media_type(name, content)
    return next(sentence for sentence in _SENTENCES if refused.value.sentence == sentence.format(name=name))


_SENTENCES = (
    domain.OTHER_TYPE,
    domain.MISMATCH,
    domain.BROKEN,
    domain.OLD_OFFICE,
    domain.ENCRYPTED,
    domain.MACRO,
    domain.BOMB,
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("chay.exe", b"MZ" + bytes(100), domain.OTHER_TYPE),
        ("trang.html", b"<script>", domain.OTHER_TYPE),
        ("khong-duoi", PDF_BYTES, domain.OTHER_TYPE),
        ("anh.pdf", b"MZ" + bytes(100), domain.MISMATCH),
        ("goi.docx", archive({"a.txt": b"a"}), domain.MISMATCH),
        ("ca-hai.docx", archive(WORD | EXCEL), domain.MISMATCH),
        ("cu.doc", OLE, domain.OLD_OFFICE),
        ("cu.docx", OLE, domain.OLD_OFFICE),
        ("khoa.docx", OLE + "EncryptedPackage".encode("utf-16-le"), domain.ENCRYPTED),
        ("macro.docx", archive(WORD | {"word/vbaProject.bin": b"x"}), domain.MACRO),
        ("macro.xlsx", archive(EXCEL | {"xl/macrosheets/sheet1.xml": b"x"}), domain.MACRO),
        ("nut.docx", archive(WORD | {"word/activeX/activeX1.bin": b"x"}), domain.MACRO),
        (
            "doi-duoi.docx",
            archive(WORD | {"[Content_Types].xml": b'<Override ContentType="application/vnd.ms-word.document.macroEnabled"/>'}),
            domain.MACRO,
        ),
        ("cat.docx", archive(WORD)[:-30], domain.BROKEN),
        ("them.docx", archive(WORD) + b"rac", domain.BROKEN),
        ("bom.docx", archive(WORD | {"word/media/a.bin": bytes(30 * MB)}), domain.BOMB),
        ("nhieu.docx", archive(WORD | {f"p{n}": b"" for n in range(5_001)}), domain.BOMB),
    ],
)
def test_what_is_refused_and_why(name: str, content: bytes, sentence: str) -> None:
    assert refusal(name, content) == sentence


def test_two_parts_of_one_name_are_refused() -> None:
    twice = archive(WORD | {"word/documenT.xml": b"another"}).replace(b"word/documenT.xml", b"word/document.xml")
    assert refusal("hai.docx", twice) == domain.BROKEN


def test_a_part_with_a_password_is_refused() -> None:
    content = bytearray(archive(WORD))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    assert refusal("khoa.docx", bytes(content)) == domain.ENCRYPTED


def test_many_directory_entries_that_share_one_packed_part_are_a_bomb() -> None:
    """Sizes of each stand to reason; together they are more than the file has."""
    content = bytearray(archive({**WORD, **{f"p{n}": b"" for n in range(400)}}, zipfile.ZIP_STORED))
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 20 : at + 28] = struct.pack("<LL", 50_000, 60_000)
        at += 46
    assert refusal("chung.docx", bytes(content)) == domain.BOMB


@given(sizes=st.lists(st.integers(0, 3 * MB), max_size=4), noise=st.binary(min_size=1, max_size=64))
def test_the_guard_is_the_directory_s_word_on_size_and_ratio(sizes: list[int], noise: bytes) -> None:
    parts = WORD | {f"p{n}": (noise * (size // len(noise) + 1))[:size] for n, size in enumerate(sizes)}
    content = archive(parts)
    with zipfile.ZipFile(BytesIO(content)) as made:
        found = made.infolist()
    unpacked, packed = sum(i.file_size for i in found), sum(i.compress_size for i in found)
    dense = any(i.file_size > MB and i.file_size > 200 * i.compress_size for i in found)
    is_bomb = dense or (unpacked > MB and unpacked > 200 * packed)
    if is_bomb:
        assert refusal("a.docx", content) == domain.BOMB
    else:
        assert domain.media_type("a.docx", content) == DOCX


@given(
    name=st.sampled_from([f"a{extension}" for extension in EXTENSIONS]),
    start=st.sampled_from([b"", *SAMPLES.values(), OLE]),
    cut=st.integers(0, 600),
    junk=st.binary(max_size=80),
    at=st.integers(0, 600),
)
def test_whatever_comes_is_taken_or_courteously_refused(name: str, start: bytes, cut: int, junk: bytes, at: int) -> None:
    content = (start[: at % (len(start) + 1)] + junk + start[at % (len(start) + 1) + len(junk) :])[: cut or None]
    with contextlib.suppress(Refused):
        assert domain.media_type(name, content) == EXTENSIONS[name[1:]]


@given(given_name=st.text(max_size=300))
def test_a_name_is_of_one_line_and_no_folder(given_name: str) -> None:
    name = domain.file_name(given_name)
    assert 0 < len(name) <= 120
    assert not set(name) & set("/\\\n\r\t\0‮")
    assert name == domain.file_name(name)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        (r"C:\Users\Lò Văn Thử\đơn.pdf", "đơn.pdf"),
        ("../../etc/passwd", "passwd"),
        ("anh‮gpj.exe", "anhgpj.exe"),
        ("a" * 300 + ".docx", "a" * 115 + ".docx"),
        ("", "tep"),
    ],
)
def test_names_as_browsers_give_them(given_name: str, name: str) -> None:
    assert domain.file_name(given_name) == name


def file(size: int) -> FileRef:
    return FileRef(key="k", sha256="0", name="a.pdf", media_type=PDF, size=size)


@pytest.mark.parametrize(
    ("held", "size", "sentence"),
    [
        ([], 10 * MB, None),
        ([], 10 * MB + 1, domain.TOO_LARGE),
        ([], 0, domain.EMPTY),
        ([1, 1, 1, 1], 1, None),
        ([1, 1, 1, 1, 1], 1, domain.TOO_MANY),
        ([10 * MB], 10 * MB, None),
        ([10 * MB, 1], 10 * MB, domain.TOO_MUCH),
    ],
)
def test_limits_of_number_and_size(held: list[int], size: int, sentence: str | None) -> None:
    allowed = Allowed(5, 10 * MB, 20 * MB)
    if sentence is None:
        domain.check_room(allowed, [file(s) for s in held], "a.pdf", size)
        return
    with pytest.raises(Refused) as refused:
        domain.check_room(allowed, [file(s) for s in held], "a.pdf", size)
    assert refused.value.sentence.startswith(sentence.split("{")[0])


# The scanner


@contextlib.asynccontextmanager
async def clamd(answer: bytes | None) -> AsyncIterator[tuple[Clamd, list[bytes]]]:
    """Reads INSTREAM as clamd does and answers; None: it hangs up."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            content += await reader.readexactly(size)
        seen.append(content)
        if answer is not None:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Clamd("127.0.0.1", server.sockets[0].getsockname()[1], timeout=5), seen


@pytest.mark.parametrize(("answer", "found"), [(b"stream: OK\0", False), (b"stream: Eicar-Test-Signature FOUND\0", True)])
async def test_the_scanner_is_given_the_whole_file_and_believed(answer: bytes, found: bool) -> None:
    content = bytes(range(256)) * 700
    async with clamd(answer) as (scanner, seen):
        assert await scanner.finds(content) is found
    assert seen == [content]


@pytest.mark.parametrize("answer", [None, b"INSTREAM size limit exceeded. ERROR\0", b"stream: OK"])
async def test_without_a_clear_answer_nothing_is_clean(answer: bytes | None) -> None:
    async with clamd(answer) as (scanner, _):
        with pytest.raises(Unavailable):
            await scanner.finds(b"x")


async def test_a_scanner_that_is_away_is_unavailable() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(Unavailable):
        await Clamd("127.0.0.1", port).finds(b"x")


def test_a_scanner_is_asked_only_where_one_is_set() -> None:
    assert isinstance(scanner_at(""), NoScanner)
    assert isinstance(scanner_at("clamd:3310"), Clamd)
