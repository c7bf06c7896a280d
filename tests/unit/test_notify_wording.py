"""Every kind of letter has its words, as HTML, text and paper, and its mail is sound."""

import email
import email.policy
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from contracts.letters import FIELDS as FIELD_TYPES
from contracts.letters import Meeting
from contracts.model import FileRef, LetterKind, LetterState
from kit.clock import TZ
from kit.errors import NotFound, Transient
from services.notify import domain, headers
from services.notify.mail import Composer, Mail, Unsendable
from services.notify.wording import STAFF_KINDS, Request, Words, one_line, when
from tests.notify import CODE, COOPERATIVE, FIELDS, HOUSE, NOW, cooperative, file_ref, letter

WORDS = Words()
SECRET_KINDS = {LetterKind.RECEIPT, LetterKind.LATE, LetterKind.FEEDBACK_RECEIPT}


class Files:
    """A file store with one file, or none yet."""

    def __init__(self, content: bytes | None = b"%PDF") -> None:
        self.content = content

    async def get(self, _file: FileRef) -> bytes:
        if self.content is None:
            raise NotFound("file")
        return self.content


class Papers:
    def slip(self, _request: Request, _house: object) -> bytes:
        return b"%PDF-slip"


def row_of(state: LetterState) -> dict[str, Any]:
    return {
        "_id": domain.row_id("son-la", state.letter_key, state.recipient),
        "agency": "son-la",
        "letter_id": domain.letter_id("son-la", state.letter_key),
        "kind": state.kind.value,
        "case_number": state.case_number,
        "dialogue": state.dialogue,
        "requested_at": state.requested_at,
        "content": state.model_dump(mode="json", include={"recipient", "fields", "files"}),
    }


def composer(files: Any = None) -> Composer:
    papers: Any = Papers()
    return Composer(WORDS, papers, files or Files(), {"son-la": HOUSE}, "doi-thoai@so-khcn.example")


async def composed(state: LetterState, files: Any = None) -> tuple[Mail, EmailMessage]:
    mail = await composer(files).compose(row_of(state))
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return mail, message


def written(mail: Mail, header: str) -> str:
    """A header as RFC 2047 says it is read."""
    return str(make_header(decode_header(email.message_from_bytes(mail.content, policy=email.policy.compat32)[header])))


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def test_every_kind_has_documented_fields_and_a_sample() -> None:
    assert set(FIELD_TYPES) == set(FIELDS) == set(LetterKind)
    assert all(type(FIELDS[kind]) is FIELD_TYPES[kind] for kind in LetterKind)


@pytest.mark.parametrize("kind", list(LetterKind))
async def test_every_kind_becomes_a_mail(kind: LetterKind) -> None:
    mail, message = await composed(letter(kind, files=(file_ref(),)))
    assert (mail.sender, mail.recipient) == ("doi-thoai@so-khcn.example", "mau@hop-thu.example")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == written(mail, "Subject") == WORDS.word(Request.of(row_of(letter(kind))), HOUSE).subject
    assert written(mail, "From") == f"{HOUSE.full_name} <doi-thoai@so-khcn.example>"
    assert written(mail, "To") == "Nguyễn Văn Mẫu <mau@hop-thu.example>"
    assert message["Reply-To"].addresses[0].addr_spec == HOUSE.email
    assert message["Message-ID"] == f"<{row_of_id(message)}@so-khcn.example>"
    assert message["Date"].datetime == NOW
    assert CODE not in written(mail, "Subject")
    text, html = body(message, "plain"), body(message, "html")
    assert text.startswith("Kính gửi ")
    assert "VĂN PHÒNG SỞ KHOA HỌC VÀ CÔNG NGHỆ TỈNH SƠN LA" in text
    assert "<p>" in html
    assert (CODE in text) == (CODE in html) == (kind in SECRET_KINDS)
    for leftover in ("None", "{{", "}}", "..", " ,", " .", "&lt;p", "email"):
        assert leftover not in text.replace("./.", ""), leftover
    assert [part.get_filename() for part in message.iter_attachments()][-1] == "giay-moi.pdf"


@pytest.mark.parametrize("kind", list(LetterKind))
async def test_every_kind_can_be_worded_with_what_is_always_known(kind: LetterKind) -> None:
    """A field that may be absent is absent some day: a dialogue without a closing, a letter without a number."""
    needed = {name for name, field in FIELD_TYPES[kind].model_fields.items() if field.is_required()}
    sparse = {name: value for name, value in FIELDS[kind].sent().items() if name in needed}
    _, message = await composed(letter(kind, fields=FIELD_TYPES[kind].model_validate(sparse).sent()))
    text = body(message, "plain")
    for leftover in ("None", "{{", "()", "( ", " )", "..", " ,", " ."):
        assert leftover not in text.replace("./.", ""), (leftover, text)


async def test_a_receipt_says_what_a_full_dialogue_means() -> None:
    fields = FIELDS[LetterKind.RECEIPT].model_copy(update={"full": True})
    _, message = await composed(letter(LetterKind.RECEIPT, fields=fields.sent()))
    text = body(message, "plain")
    assert "không bị loại" in text.replace("*", "")
    assert "(2) Văn phòng Sở báo Ông/Bà việc bố trí chỗ ngay khi" in text
    assert "giấy mời" not in text
    _, usual = await composed(letter(LetterKind.RECEIPT))
    assert "bố trí chỗ" not in body(usual, "plain")


def row_of_id(message: EmailMessage) -> str:
    return str(message["Message-ID"]).strip("<>").split("@")[0]


@pytest.mark.parametrize("kind", list(LetterKind))
async def test_what_somebody_typed_is_text_in_a_letter(kind: LetterKind) -> None:
    hostile = {"name": "<script>alert(1)</script>", "organisation": "<img src=x onerror=a>"}
    typed = COOPERATIVE.model_copy(update=hostile)
    _, message = await composed(letter(kind, recipient=typed))
    html = body(message, "html")
    assert "<script" not in html
    assert "<img" not in html


@pytest.mark.parametrize("kind", [k for k in LetterKind if k not in STAFF_KINDS])
async def test_a_body_is_addressed_as_one(kind: LetterKind) -> None:
    _, message = await composed(letter(kind, recipient=COOPERATIVE, fields=cooperative(FIELDS[kind])))
    text = body(message, "plain")
    assert text.startswith("Kính gửi Hợp tác xã Mẫu Sơn (đại diện: Ông/Bà Lò Thị Mẫu),")
    assert "Ông/Bà" not in text.split("\n", 1)[1]


@pytest.mark.parametrize("kind", list(LetterKind))
async def test_optional_fields_may_be_left_out(kind: LetterKind) -> None:
    """What a letter may do without, it does without: no gap, no "None"."""
    required = {name for name, field in FIELD_TYPES[kind].model_fields.items() if field.is_required()}
    fields = {name: value for name, value in FIELDS[kind].sent().items() if name in required}
    _, message = await composed(letter(kind, fields=fields, case=None, case_number=None, dialogue=None))
    text = body(message, "plain")
    for leftover in ("None", "..", " ,", " .", "()", "  "):
        assert leftover not in text.replace("./.", ""), leftover


@pytest.mark.parametrize("name", ["giay-moi.pdf", "giấy mời số 05.pdf", 'a"b\\c.pdf', "x" * 150 + ".pdf"])
async def test_a_file_arrives_as_it_was(name: str) -> None:
    content = bytes(range(256)) * 20
    _, message = await composed(letter(files=(file_ref(name),)), Files(content))
    (part,) = message.iter_attachments()
    assert part.get_filename() == name
    assert part.get_content_type() == "application/pdf"
    assert part.get_payload(decode=True) == content
    assert not message.defects
    assert all(not p.defects for p in message.walk())


async def test_the_same_row_makes_the_same_bytes() -> None:
    state = letter(LetterKind.INVITATION, files=(file_ref(),))
    first, _ = await composed(state)
    second, _ = await composed(state)
    assert first == second


@given(st.text(max_size=200))
def test_a_header_is_read_as_it_was_written(text: str) -> None:
    written_line = headers.header("Subject", text)
    assert all(len(line) <= 76 for line in written_line.split(b"\r\n")) or text.isascii()
    lines = written_line.removesuffix(b"\r\n").split(b"\r\n")
    assert all(line.startswith(b" ") for line in lines[1:]), "no line of its own can be smuggled in"
    value = b"\r\n".join(lines).decode().partition(": ")[2]
    assert str(make_header(decode_header(value))) == one_line(text) or "=?" in text


async def test_headers_take_no_injection() -> None:
    nasty = "Nguyễn\r\nBcc: tat-ca@hop-thu.example\r\n\r\nX"
    recipient = letter().recipient.model_copy(update={"name": nasty})  # type: ignore[union-attr]
    _, message = await composed(letter(recipient=recipient, files=(file_ref("a\r\nX-Evil: 1.pdf"),)))
    assert message["Bcc"] is None
    assert message["X-Evil"] is None
    assert [part.get_filename() for part in message.iter_attachments()] == ["a X-Evil: 1.pdf"]
    assert all(part["X-Evil"] is None for part in message.walk())


@pytest.mark.parametrize(
    "address", ["", "khong-phai", "a@b@c", "a b@c.example", "a@b.example>\r\nRCPT TO:<c@d.example", "ạ@b.example"]
)
async def test_an_unusable_address_is_refused_before_the_dialogue(address: str) -> None:
    recipient = letter().recipient.model_copy(update={"email": address})  # type: ignore[union-attr]
    with pytest.raises(Unsendable):
        await composed(letter(recipient=recipient))


async def test_what_people_write_is_never_markup() -> None:
    fields = FIELDS[LetterKind.WRITTEN_ANSWER].sent()
    fields["answer"] = "<script>alert(1)</script>\n<b>đậm</b>"
    _, message = await composed(letter(LetterKind.WRITTEN_ANSWER, fields=fields))
    assert "<script>" not in body(message, "html")
    assert "<script>alert(1)</script>\n<b>đậm</b>" in body(message, "plain")


async def test_a_file_not_there_yet_is_waited_for() -> None:
    with pytest.raises(Transient):
        await composed(letter(files=(file_ref(),)), Files(None))


@pytest.mark.parametrize("kind", [LetterKind.WRITTEN_ANSWER, LetterKind.CONCLUSION, LetterKind.ABSENT_ANSWER])
async def test_a_mail_that_ends_a_case_asks_for_an_answer_to_the_survey_and_a_paper_does_not(kind: LetterKind) -> None:
    asked = letter(kind, fields=FIELDS[kind].sent() | {"survey_url": "http://localhost:8080/son-la/khao-sat/x.y"})
    _, message = await composed(asked)
    assert "http://localhost:8080/son-la/khao-sat/x.y" in body(message, "plain")
    assert '<a href="http://localhost:8080/son-la/khao-sat/x.y">' in body(message, "html")
    on_paper = WORDS.word(Request.of(row_of(asked)), HOUSE, on_paper=True)
    assert "khao-sat" not in on_paper.body
    _, without = await composed(letter(kind, fields=FIELDS[kind].sent()))
    assert "đánh giá" not in body(without, "plain")


# The calendar file


async def calendar(kind: LetterKind, **fields: Any) -> Calendar:
    _, message = await composed(letter(kind, fields=FIELDS[kind].sent() | fields))
    part = next(p for p in message.iter_attachments() if p.get_content_type() == "text/calendar")
    assert f'method="{"CANCEL" if kind is LetterKind.CANCELLED else "PUBLISH"}"' in part["Content-Type"]
    return Calendar.from_ical(part.get_payload(decode=True))


async def test_one_entry_is_made_moved_and_removed() -> None:
    made = await calendar(LetterKind.INVITATION)
    moved = await calendar(LetterKind.RESCHEDULED, sequence=1)
    removed = await calendar(LetterKind.CANCELLED, sequence=2)
    entries = [next(iter(c.walk("VEVENT"))) for c in (made, moved, removed)]
    assert len({e["UID"] for e in entries}) == 1
    assert [e["SEQUENCE"] for e in entries] == [0, 1, 2]
    assert [c["METHOD"] for c in (made, moved, removed)] == ["PUBLISH", "PUBLISH", "CANCEL"]
    assert entries[2]["STATUS"] == "CANCELLED"
    start = entries[0].decoded("DTSTART")
    assert start == datetime(2026, 5, 13, 8, 0, tzinfo=TZ)
    assert entries[0]["DTSTART"].params["TZID"] == "Asia/Ho_Chi_Minh"
    assert [z["TZID"] for z in made.walk("VTIMEZONE")] == ["Asia/Ho_Chi_Minh"]
    assert "Hội trường tầng 3" in entries[0]["LOCATION"]


# What is known of the date


@pytest.mark.parametrize(
    ("meeting", "words"),
    [
        ({}, ""),
        ({"window_from": "2022-04-01", "window_to": "2022-06-30"}, "trong quý II năm 2022"),
        ({"window_from": "2022-10-01", "window_to": "2022-12-31"}, "trong quý IV năm 2022"),
        ({"window_from": "2022-04-01", "window_to": "2022-05-31"}, "từ ngày 01/4/2022 đến ngày 31/5/2022"),
        (
            {"starts_at": datetime(2021, 11, 26, 7, 0, tzinfo=UTC), "place": "tầng 2"},
            "lúc 14 giờ 00, ngày 26/11/2021 (thứ Sáu) tại tầng 2",
        ),
    ],
)
def test_when(meeting: dict[str, Any], words: str) -> None:
    assert when(Meeting.model_validate(meeting)) == words


@pytest.mark.parametrize(
    "kind",
    [
        LetterKind.WRITTEN_ANSWER,
        LetterKind.GUIDANCE,
        LetterKind.ADMITTED,
        LetterKind.COMPLAINT_GUIDANCE,
        LetterKind.DENUNCIATION_PASSED,
        LetterKind.EXTENDED,
    ],
)
async def test_a_letter_about_feedback_speaks_of_no_registration_form(kind: LetterKind) -> None:
    fields = FIELDS[kind].sent() | {"source": "feedback"}
    _, message = await composed(letter(kind, fields=fields, case=None, case_number=None, dialogue=None))
    text = " ".join(f"{message['Subject']} {body(message, 'plain')}".split())
    assert "phiếu" not in text.lower().replace("phiếu chuyển", "")
    if kind is not LetterKind.ADMITTED:
        assert "Hội nghị" not in text
