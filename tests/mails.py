"""Mails for the tests of the mailbox: some two dozen made by hand, and thousands of them spoilt by a seeded hand."""

import io
import random
import unicodedata
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from types import MappingProxyType

import typst
from docx import Document

from deploy.local.paths import ROOT
from kit.agency import load_agencies
from services.intake.mailbox.prefill import FormWords
from services.intake.mailbox.reading import Reading, read
from services.intake.mailbox.usecases import form_words
from services.intake.mailbox.workshop import Workshop

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
PERSON = {"name": "Lò Văn Thử", "address": "Tổ 2, phường Tô Hiệu, thành phố Sơn La", "phone": "0912 345 678"}
SECTIONS = {
    1: "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?",
    3: "Cân của chợ được kiểm định\nbao lâu một lần?\n- cân đồng hồ\n- cân điện tử",
}
LETTER_ID = "0123456789abcdef0123456789abcdef01234567"


class ReadHere(Workshop):
    """Reads in this process: nothing here hangs."""

    async def read(self, raw: bytes, words: FormWords, *, whole_seconds: float = 0) -> Reading:
        return read(raw, words)


@cache
def words(agency: str = "son-la") -> FormWords:
    """What an agency's forms are read by."""
    return form_words(load_agencies(ROOT / "agencies")[agency])


def filled(fields: Mapping[str, str], sections: Mapping[int, str], of: FormWords | None = None) -> str:
    """The printed form filled in, as text: every label, dotted lines where nothing was written."""
    of = of or words()
    dots = "." * 60
    lines = [of.title, "Kính gửi: Lãnh đạo Sở Khoa học và Công nghệ.", ""]
    lines += [f"{label}: {fields.get(key, dots)}" for key, label in of.fields.items()]
    lines += [of.ends[0].replace("{year}", "2026")]
    for no, label in of.sections.items():
        lines += [f"{no}. {label}:", sections.get(no, f"{dots}\n{dots}")]
    return "\n".join([*lines, "Sơn La, ngày 04 tháng 5 năm 2026", of.signature or "Người đăng ký", ""])


def docx(text: str) -> bytes:
    """A Word document with a paragraph for each line."""
    document = Document()
    for line in text.split("\n"):
        document.add_paragraph(line)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def docx_table(rows: Mapping[str, str]) -> bytes:
    """A Word document with labels and answers side by side in a table."""
    document = Document()
    table = document.add_table(rows=0, cols=2)
    for label, answer in rows.items():
        cells = table.add_row().cells
        cells[0].text, cells[1].text = label, answer
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def pdf(source: str) -> bytes:
    """What Typst makes of `source`."""
    return typst.compile(source.encode(), font_paths=[ROOT / ".local" / "cache" / "fonts"])  # type: ignore[return-value]


@cache
def filled_docx() -> bytes:
    return docx(filled(PERSON, SECTIONS))


@cache
def filled_pdf() -> bytes:
    escaped = "".join(f"\\{c}" if c in "\\#*_`$<>@[]-+=/\"'~" else c for c in filled(PERSON, SECTIONS))
    return pdf('#set text(font: "Liberation Serif", size: 13pt)\n' + escaped.replace("\n", " \\\n"))


def mail(
    text: str = "", *, message_id: str = "", subject: str = "Phiếu đăng ký tham gia đối thoại", **headers: str
) -> EmailMessage:
    """A mail as people's programs write it."""
    made = EmailMessage()
    made["From"] = headers.pop("sender", "Lò Văn Thử <thu@nguoi-dan.example>")
    made["To"] = "skhcn@son-la.example"
    made["Subject"] = subject
    made["Date"] = "Mon, 04 May 2026 09:00:00 +0700"
    if message_id:
        made["Message-ID"] = f"<{message_id}>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def attach(to: EmailMessage, content: bytes, media_type: str, name: str) -> EmailMessage:
    main, _, sub = media_type.partition("/")
    to.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return to


def vietnamese_1258(text: str) -> bytes:
    """Windows-1258: letters with their tone beside them."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    pieces = []
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        tone = "".join(c for c in parts if c in tones)
        pieces.append(unicodedata.normalize("NFC", "".join(c for c in parts if c not in tones)) + tone)
    return "".join(pieces).encode("cp1258")


def raw(message: EmailMessage) -> bytes:
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def bare(head: str, body: bytes) -> bytes:
    """A mail byte by byte."""
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


@cache
def corpus() -> Mapping[str, bytes]:
    """Name → mail. Each has a Message-ID of its own or none."""
    state = random.getstate()
    random.seed(1)  # the library draws boundaries
    try:
        return MappingProxyType(_corpus())
    finally:
        random.setstate(state)


def _corpus() -> dict[str, bytes]:
    form = filled(PERSON, SECTIONS)
    html = "<title>x</title><body>" + "".join(f"<p>{line}</p>" for line in form.split("\n")) + "</body>"
    alternative = mail(form, message_id="hai-ban@x.example")
    alternative.add_alternative(html, subtype="html")
    only_html = mail(message_id="html@x.example")
    only_html.set_content(html, subtype="html")
    forwarded = mail("Xin chuyển thư của dân.", message_id="chuyen@x.example")
    forwarded.add_attachment(attach(mail("Gửi Sở", message_id="trong@x.example"), filled_docx(), DOCX, "phieu.docx"))
    other = filled({"name": "Cầm Thị Mẫu", "phone": "0988 777 666"}, {2: "Sáng kiến được xét ra sao?"})
    two = f"{form}\n{other}"
    quoted = mail(form, message_id="qp@x.example")
    quoted.set_content(form, cte="quoted-printable")
    head = "From: Thu <thu@nguoi-dan.example>\nSubject: Phieu\nMessage-ID: <{}@x.example>\nMIME-Version: 1.0\nContent-Type: {}"
    report = 'multipart/report; report-type=delivery-status; boundary="b"'
    return {
        "plain": raw(mail(form, message_id="thuong@x.example")),
        "html": raw(only_html),
        "alternative": raw(alternative),
        "quoted-printable": raw(quoted),
        "docx": raw(
            attach(mail("Gửi Sở phiếu đăng ký.", message_id="docx@x.example"), filled_docx(), DOCX, "phiếu đăng ký.docx")
        ),
        "pdf": raw(attach(mail("Gửi Sở", message_id="pdf@x.example"), filled_pdf(), "application/pdf", "phieu.pdf")),
        "two in one": raw(attach(mail("Gửi hai phiếu", message_id="hai@x.example"), docx(two), DOCX, "hai phieu.docx")),
        "blank form": raw(attach(mail("Xin mẫu", message_id="trang@x.example"), docx(filled({}, {})), DOCX, "mau.docx")),
        "scan": raw(attach(mail("Phiếu của tôi là bản quét.", message_id="quet@x.example"), PNG, "image/png", "quet.png")),
        "free text": raw(mail("Kính gửi Sở,\nTôi muốn hỏi về kiểm định cân.\nTrân trọng", message_id="tu-do@x.example")),
        "contacts only": raw(mail("Họ tên: Lò Văn Thử\nSĐT: 0912345678\n\nTôi muốn hỏi về cân.", message_id="lien-he@x.example")),
        "cp1258": bare(head.format("cp", "text/plain; charset=windows-1258"), vietnamese_1258(form)),
        "wrong charset": bare(head.format("sai", "text/plain; charset=us-ascii"), form.encode()),
        "unknown charset": bare(head.format("la", "text/plain; charset=viscii"), vietnamese_1258(form)),
        "broken utf-8": bare(
            head.format("hong", "text/plain; charset=utf-8"), form.encode()[:-700] + b"\xe1\xbb" + b"\xff\xfe tiep"
        ),
        "auto reply": raw(mail("Tôi đang nghỉ phép.", message_id="vang@x.example", Auto_Submitted="auto-replied")),
        "bounce": bare(
            head.format("tra", report) + "\nReturn-Path: <>",
            b"--b\r\nContent-Type: text/plain\r\n\r\nUser unknown\r\n"
            b"--b\r\nContent-Type: message/delivery-status\r\n\r\nStatus: 5.1.1\r\n--b--\r\n",
        ),
        "list": raw(mail("Bản tin tuần", message_id="tin@x.example", List_Id="<tin.x.example>", Precedence="list")),
        "newsletter": raw(
            mail("Bản tin tuần", message_id="ban-tin@x.example", List_Id="<bt.x.example>", List_Unsubscribe="<https://x.example>")
        ),
        "group": raw(
            mail(
                form,
                message_id="nhom@x.example",
                List_Id="<skhcn.son-la.example>",
                Precedence="list",
                List_Unsubscribe="<mailto:leave@son-la.example>",
                List_Post="<mailto:skhcn@son-la.example>",
                X_Auto_Response_Suppress="All",
            )
        ),
        "reply": raw(mail("Tôi xin bổ sung.", message_id="dap@x.example", In_Reply_To=f"<{LETTER_ID}@son-la.example>")),
        "forwarded": raw(forwarded),
        "nested": _nested(100),
        "injection": bare("From: a@x.example\nSubject: =?utf-8?B?YQpYLUxvb3A6IHg=?=\nMessage-ID: <tiem@x.example>", b"ok"),
        "no headers": b"chi co mot dong chu",
        "empty": b"",
    }


def _nested(depth: int) -> bytes:
    opening = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth))
    head = b"From: a@x.example\r\nSubject: sau\r\nMessage-ID: <sau@x.example>\r\nMIME-Version: 1.0\r\n"
    closing = b"".join(b"\r\n--b%d--\r\n" % n for n in reversed(range(depth)))
    return head + opening + b"Content-Type: text/plain\r\n\r\ntrong cung" + closing


_WORDS = (
    b"Content-Type: multipart/mixed; boundary=", b"charset=", b"charset=utf-7", b"charset=windows-1258", b"=?utf-8?B?4bqs?=",
    b"=?x?q?", b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: x-uuencode\r\n", b"\r\n\r\n", b"\n",
    b"\r", b"\0", b"--b0\r\n",
    b"Message-ID: <", b"Content-Disposition: attachment; filename*0*=utf-8''%e1", b"\xff\xfe", b"=\r\n",
    b"\xed\xa0\x80", b"1. V\xe1\xbb\x81", b"From: <\r\n a@b>,,;", b"Auto-Submitted: no", b"%PDF-1.7", b"PK\x03\x04", b"........",
)  # fmt: skip


def spoilt(seed: int, count: int) -> Iterator[bytes]:
    """`count` mails from the corpus, each changed in one to six places: bytes, headers, parts, pieces of other mails."""
    hand = random.Random(seed)
    mails = list(corpus().values())
    for _ in range(count):
        data = bytearray(hand.choice(mails))
        for _ in range(hand.randint(1, 6)):
            _spoil(hand, data, mails)
        yield bytes(data)


def _spoil(hand: random.Random, data: bytearray, others: list[bytes]) -> None:
    # Half of all changes near the beginning: the head decides how the rest is read.
    at = hand.randrange(min(len(data), 900) + 1) if hand.random() < 0.5 else hand.randrange(len(data) + 1)
    length = int(hand.expovariate(1 / 20)) + 1
    match hand.randrange(8):
        case 0:
            data[at : at + 1] = hand.randbytes(1)
        case 1:
            del data[at : at + length]
        case 2:
            data[at:at] = hand.randbytes(length)
        case 3:
            data[at:at] = hand.choice(_WORDS)
        case 4:
            data[at:at] = data[at : at + 10 * length]
        case 5:
            del data[at:]
        case 6:
            other = hand.choice(others)
            begin = hand.randrange(len(other) + 1)
            data[at : at + length] = other[begin : begin + 20 * length]
        case _:
            lines = bytes(data).split(b"\r\n")
            hand.shuffle(top := lines[:12])
            data[:] = b"\r\n".join(top + lines[12:])


def write(folder: Path, mails: Mapping[str, bytes]) -> None:
    """Deliver into a Maildir, as a mail server does."""
    for name, content in mails.items():
        temporary = folder / "tmp" / name
        temporary.write_bytes(content)
        temporary.chmod(0o666)
        temporary.rename(folder / "new" / name)
