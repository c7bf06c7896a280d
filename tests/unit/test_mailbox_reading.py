"""A mail becomes a prefilled form (D3): what was written is read back, nothing is invented, nothing breaks the reader."""

import base64
import io
import os
import zipfile
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText

from contracts.model import CaseSource
from kit.acting import Acting
from kit.errors import Conflict, Unavailable
from kit.feedback import UNSURE
from kit.web.forms import LONGEST_TEXT
from services.intake.mailbox import domain, mime, papers, views
from services.intake.mailbox.domain import Automatic, State, automatic, letters_answered
from services.intake.mailbox.forms import MailFeedbackForm
from services.intake.mailbox.mime import html_text, parse, safe_name
from services.intake.mailbox.papers import Kind, Unreadable, kind_of, text_of
from services.intake.mailbox.prefill import folded, read_forms
from services.intake.mailbox.reading import Reading, packed, read, unpacked
from tests.mails import (
    DOCX,
    LETTER_ID,
    PERSON,
    PNG,
    SECTIONS,
    attach,
    bare,
    corpus,
    docx,
    docx_table,
    filled,
    filled_pdf,
    mail,
    pdf,
    raw,
    spoilt,
    words,
)

FUZZED = int(os.environ.get("MAILS_FUZZED", "1000"))
"""The whole proof, here and through a real Dovecot (docs/operations.md): MAILS_FUZZED=5000 .venv/bin/python -m pytest -k spoilt
tests/unit/test_mailbox_reading.py tests/integration/test_mailbox.py"""


def only(reading: Reading) -> tuple[dict[str, str], dict[int, str]]:
    (form,) = reading.forms
    return dict(form.prefill.fields), dict(form.prefill.sections)


# Round trips

_LETTERS = st.sampled_from(
    "aàảãáạăằẳẵắặâầẩẫấậbcdđeèẻẽéẹêềểễếệghiìỉĩíịklmnoòỏõóọôồổỗốộơờởỡớợpqrstuùủũúụưừửữứựvxyỳỷỹýỵABĐHT0123456789"
)
_WORD = st.text(_LETTERS, min_size=1, max_size=7)
_LINE = st.lists(_WORD, min_size=1, max_size=8).map(" ".join)
_PUNCTUATED = st.tuples(_LINE, st.sampled_from(["", ".", "?", ",", ";", "!", "..."])).map("".join)
_TEXT = st.lists(st.one_of(_PUNCTUATED, st.just(""), _LINE.map("- {}".format)), min_size=1, max_size=6).map("\n".join)
_ANSWER = _TEXT.map(str.strip).filter(bool)


def forms(agency: str) -> st.SearchStrategy[tuple[dict[str, str], dict[int, str]]]:
    """Forms of an agency, filled in here and there."""
    of = words(agency)
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys(of.fields, _LINE))
    sections = st.fixed_dictionaries({}, optional=dict.fromkeys(of.sections, _ANSWER))
    return st.tuples(fields, sections).filter(lambda form: bool(form[0] or form[1]))


@pytest.mark.parametrize("agency", ["son-la", "bac-kan"])
def test_what_is_filled_into_the_form_is_read_back(agency: str) -> None:
    @given(forms(agency))
    def check(form: tuple[dict[str, str], dict[int, str]]) -> None:
        (found,) = read_forms(filled(*form, words(agency)), words(agency))
        assert (found.fields, found.sections, found.unread) == (*form, ())

    check()


@given(forms("son-la"))
def test_it_survives_a_mail_of_any_encoding(form: tuple[dict[str, str], dict[int, str]]) -> None:
    text = filled(*form)
    quoted = mail()
    quoted.set_content(text, cte="quoted-printable")
    head = "From: a@x.example\nContent-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64"
    coded = bare(head, base64.encodebytes(text.encode("utf-16")))
    assert only(read(raw(quoted), words())) == only(read(coded, words())) == form


def test_labels_are_known_however_they_are_typed() -> None:
    typed = "HO VA TEN : Lò Văn Thử\nSố điện thoại (di động): 0912345678\nMục 3: Cân của chợ?\n"
    (found,) = read_forms(typed, words())
    assert found.fields == {"name": "Lò Văn Thử", "phone": "0912345678"}
    assert found.sections == {3: "Cân của chợ?"}
    assert found.unread == ("address", "sections.1", "sections.2", "sections.4", "sections.5")


def test_what_a_person_writes_into_a_section_stays_there() -> None:
    answer = "Nơi thường trú: ghi thế nào?\n1. Về lĩnh vực quản lý khoa học: đã hỏi\nNgười đăng ký cần gì"
    (found,) = read_forms(filled(PERSON, {2: answer}), words())
    assert found.sections == {2: answer}
    assert found.fields == PERSON


@pytest.mark.parametrize("text", ["", "Tôi xin hỏi về cân.", "Địa chỉ của tôi đã đổi", "Họ và tên: Lò Văn Thử\nTôi hỏi về cân"])
def test_a_letter_is_no_form(text: str) -> None:
    assert read_forms(text, words()) == ()


# Documents


def test_each_mail_of_the_corpus_gives_the_form_that_is_in_it() -> None:
    found = {name: read(content, words()) for name, content in corpus().items()}
    whole = {
        *("plain", "html", "alternative", "quoted-printable", "docx", "pdf", "cp1258", "wrong charset", "unknown charset"),
        *("forwarded", "group"),
    }
    for name in whole:
        fields, sections = only(found[name])
        assert (name, fields) == (name, PERSON)
        assert (name, set(sections)) == (name, {1, 3})
    assert only(found["docx"])[1] == only(found["cp1258"])[1] == SECTIONS
    assert only(found["pdf"])[1][1] == SECTIONS[1]
    assert only(found["contacts only"])[0] == {"name": "Lò Văn Thử", "phone": "0912345678"}
    assert [dict(f.prefill.fields)["name"] for f in found["two in one"].forms] == ["Lò Văn Thử", "Cầm Thị Mẫu"]
    for name in (
        "blank form",
        "scan",
        "free text",
        "auto reply",
        "bounce",
        "list",
        "newsletter",
        "reply",
        "nested",
        "no headers",
        "empty",
    ):
        assert (name, found[name].forms) == (name, ())
    assert "mau.docx" in found["blank form"].mail.faults[0]
    assert found["scan"].kinds == (Kind.PNG,)
    assert found["nested"].mail.faults == (mime.TOO_COMPLEX,)
    assert found["docx"].mail.attachments[0].name == "phiếu đăng ký.docx"
    assert found["injection"].mail.subject == "a X-Loop: x"


def test_a_form_that_is_pasted_and_attached_is_one() -> None:
    both = attach(mail(filled(PERSON, SECTIONS)), docx(filled(PERSON, SECTIONS)), DOCX, "phieu.docx")
    (form,) = read(raw(both), words()).forms
    assert form.source == 0


def test_a_form_laid_out_as_a_table_is_read() -> None:
    of = words()
    rows = {label: PERSON[key] for key, label in of.fields.items()} | {f"1. {of.sections[1]}": SECTIONS[1]}
    (found,) = read_forms(text_of(Kind.DOCX, docx_table(rows)), of)
    assert (found.fields, found.sections) == (PERSON, {1: SECTIONS[1]})


def test_what_is_typed_onto_the_printed_form_is_read_at_its_place() -> None:
    of = words()
    dots = "#box(width: 1fr, repeat[.])"
    lines = [of.title, *(f"{label}:{dots}" for label in of.fields.values()), f"1\\. {of.sections[1]}:", dots, dots]
    blank = pdf('#set text(font: "Liberation Serif", size: 13pt)\n' + " \\\n".join(lines))
    places: dict[str, float] = {}

    def note(text: str, cm: list[float], tm: list[float], *_: object) -> None:
        places.setdefault(text.strip()[:5], tm[5] * cm[3] + cm[5])

    writer = PdfWriter(PdfReader(io.BytesIO(blank)))
    writer.pages[0].extract_text(visitor_text=note)
    for label, answer in ((of.fields["name"], "Lò Văn Thử"), (of.fields["phone"], "0912 345 678")):
        y = places[label[:5]]
        writer.add_annotation(0, FreeText(text=answer, rect=(250, y - 4, 500, y + 10)))
    y = places["1. Về"]
    writer.add_annotation(0, FreeText(text="Đề tài cần gì?", rect=(100, y - 22, 500, y - 8)))
    out = io.BytesIO()
    writer.write(out)
    (found,) = read_forms(text_of(Kind.PDF, out.getvalue()), of, wrapped=True)
    assert (found.fields, found.sections) == ({"name": "Lò Văn Thử", "phone": "0912 345 678"}, {1: "Đề tài cần gì?"})


def test_a_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(60 * 1024 * 1024))
    bomb = out.getvalue()
    assert kind_of(bomb, DOCX) is Kind.DOCX
    with pytest.raises(Unreadable):
        text_of(Kind.DOCX, bomb)
    reading = read(raw(attach(mail("Gửi Sở"), bomb, DOCX, "bom.docx")), words())
    assert "bom.docx" in reading.mail.faults[0]
    assert reading.mail.attachments[0].content == bomb


@pytest.mark.parametrize("content", [b"%PDF-1.7", filled_pdf()[:2000], b"PK\x03\x04", b"%PDF-1.4\n1 0 obj\n<</Parent 1 0 R>>"])
def test_a_broken_document_is_a_file(content: bytes) -> None:
    kind = kind_of(content, "application/octet-stream")
    if kind in (Kind.PDF, Kind.DOCX):
        with pytest.raises(Unreadable):
            text_of(kind, content)


def test_a_kind_is_what_the_content_is_not_what_it_is_called() -> None:
    assert kind_of(PNG, "application/pdf") is Kind.PNG
    assert kind_of(b"MZ\x90", DOCX) is Kind.OTHER
    assert kind_of(filled_pdf(), "image/png") is Kind.PDF


# Text


def test_html_becomes_text_and_nothing_else() -> None:
    source = "<style>p{}</style><p>Một <b>hai</b><br>ba</p><script>x()</script><table><tr><td>a<td>b</tr></table>&lt;x&gt;"
    assert html_text(source) == "Một hai\nba\n\na\tb\n\n<x>"


@given(st.text(max_size=300))
def test_a_name_of_a_file_has_no_path(name: str) -> None:
    assert not set(safe_name(name)) & set('\\/:*?"<>|\n\t\r')
    assert len(safe_name(name)) <= 120


def test_accents_are_folded() -> None:
    assert folded("Đối thoại TRỰC TIẾP") == "doi thoai truc tiep"


# Machines and replies


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Auto_Submitted": "auto-replied"}, Automatic.AUTO_SUBMITTED),
        ({"Auto_Submitted": "auto-generated; x=1"}, Automatic.AUTO_SUBMITTED),
        ({"X_Autoreply": "yes"}, Automatic.AUTO_SUBMITTED),
        ({"Precedence": "bulk"}, Automatic.BULK),
        ({"Precedence": "Auto_reply"}, Automatic.AUTO_SUBMITTED),
        ({"Precedence": "junk"}, Automatic.AUTO_SUBMITTED),
        ({"Precedence": "list"}, Automatic.LIST),
        ({"List_Id": "<x.example>"}, Automatic.LIST),
        ({"List_Id": "<x.example>", "List_Unsubscribe": "<https://x.example>"}, Automatic.NEWSLETTER),
        ({"Precedence": "bulk", "List_Unsubscribe": "<https://x.example>", "List_Post": "NO"}, Automatic.NEWSLETTER),
        ({"List_Id": "<x.example>", "List_Unsubscribe": "<https://x>", "List_Post": "<mailto:a@x.example>"}, Automatic.LIST),
        ({"Return_Path": "<>"}, Automatic.NULL_SENDER),
        ({"sender": "Mail Delivery <MAILER-DAEMON@x.example>"}, Automatic.NULL_SENDER),
        ({"sender": "Sở <SKHCN@son-la.example>"}, Automatic.OUR_OWN),
        ({"X_Loop": "1"}, Automatic.OUR_OWN),
        ({"Auto_Submitted": "no"}, None),
        ({"Auto_Submitted": "No"}, None),
        ({"Return_Path": "<a@x.example>"}, None),
        ({"Precedence": "first-class"}, None),
        ({"X_Auto_Response_Suppress": "All"}, None),
        ({"X_Auto_Response_Suppress": "None"}, None),
        ({"List_Unsubscribe": "<https://x.example>"}, None),
        ({"In_Reply_To": f"<{LETTER_ID}@son-la.example>"}, None),
        ({}, None),
    ],
)
def test_machines_give_themselves_away(headers: dict[str, str], why: Automatic | None) -> None:
    assert automatic(parse(raw(mail("Chào", **headers))), ["skhcn@son-la.example"]) == why


def test_bounces_are_known_by_their_form() -> None:
    assert automatic(parse(corpus()["bounce"].replace(b"\r\nReturn-Path: <>", b"")), []) is Automatic.REPORT


@pytest.mark.parametrize(
    ("why", "without", "with_a_form"),
    [
        (None, State.WAITING, State.WAITING),
        (Automatic.LIST, State.WAITING, State.WAITING),
        (Automatic.BULK, State.WAITING, State.WAITING),
        (Automatic.NEWSLETTER, State.AUTOMATIC, State.WAITING),
        (Automatic.AUTO_SUBMITTED, State.AUTOMATIC, State.WAITING),
        (Automatic.OUR_OWN, State.AUTOMATIC, State.WAITING),
        (Automatic.REPORT, State.AUTOMATIC, State.AUTOMATIC),
        (Automatic.NULL_SENDER, State.AUTOMATIC, State.AUTOMATIC),
    ],
)
def test_what_may_be_a_persons_waits_for_one(why: Automatic | None, without: State, with_a_form: State) -> None:
    signed, filled_in = {"fields": PERSON, "sections": {}}, {"fields": {}, "sections": {"1": "Cần gì?"}}
    states = [domain.first_state(why, forms) for forms in ([], [signed], [signed, filled_in])]
    assert states == [without, without, with_a_form]


def test_nothing_is_to_be_written_to_a_machine() -> None:
    form = domain.blank_form()
    sender = {"sender": "a@x.example", "sender_name": "A", "text": "Chào Sở"}
    for why in (None, Automatic.LIST):
        assert views.values(form, sender | {"automatic": why})["email"] == "a@x.example"
    machine = sender | {"automatic": Automatic.AUTO_SUBMITTED}
    assert views.values(form, machine)["email"] == views.feedback_values(form, machine)["email"] == ""
    assert "email" not in views.hints(form, machine)


def test_feedback_is_filled_in_from_what_was_written() -> None:
    letter = {"sender": "a@x.example", "sender_name": "Lò Văn Thử", "text": "\nTôi phản ánh.\n", "automatic": None}
    plain = views.feedback_values(domain.blank_form(), letter)
    assert plain == {"name": "Lò Văn Thử", "email": "a@x.example", "text": "Tôi phản ánh.", "group": UNSURE}
    form = domain.blank_form() | {"fields": PERSON, "sections": {"1": "Một", "3": "Ba"}}
    read_ = views.feedback_values(form, letter)
    assert (read_["phone"], read_["text"]) == (PERSON["phone"], "Một\n\nBa")
    long = letter | {"text": "ă" * (LONGEST_TEXT + 1)}
    assert views.is_too_long(form, long) is False
    assert views.is_too_long(domain.blank_form(), long)
    assert MailFeedbackForm(**views.feedback_values(domain.blank_form(), long)).feedback().text == "ă" * LONGEST_TEXT


def test_a_reply_names_its_letter_in_its_headers_alone() -> None:
    answer = mail(
        "x", subject=f"Re: {LETTER_ID}", References=f"<a@b> <{LETTER_ID}@son-la.example>", In_Reply_To="<khac@x.example>"
    )
    assert letters_answered(parse(raw(answer))) == (LETTER_ID,)
    assert letters_answered(parse(raw(mail(f"<{LETTER_ID}@son-la.example>", subject=f"<{LETTER_ID}@son-la.example>")))) == ()


def test_a_letter_of_ours_that_a_reply_quotes_is_no_form() -> None:
    quoted = filled(PERSON, SECTIONS)
    answer = mail(f"Cảm ơn Sở.\n\n{quoted}", In_Reply_To=f"<{LETTER_ID}@son-la.example>")
    assert read(raw(answer), words()).forms == ()


# Identity


def test_the_same_mail_by_another_way_is_the_same() -> None:
    one = corpus()["plain"]
    other = b"Received: from b by c\r\nDelivered-To: x\r\n" + one.replace(b"\r\n", b"\n")
    assert domain.fingerprint(one, "a@b") == domain.fingerprint(other, "a@b")
    assert domain.fingerprint(one, "a@b") != domain.fingerprint(one + b"x", "a@b")
    assert len({domain.fingerprint(content, "") for content in (b"", b"x", b"y", b"x: y\n\n")}) == 4
    assert domain.mail_id("son-la", "a@b", "1") == domain.mail_id("son-la", "a@b", "2")
    assert domain.mail_id("son-la", "", "1") != domain.mail_id("son-la", "", "2")
    assert domain.mail_id("son-la", "a@b", "1") != domain.mail_id("bac-kan", "a@b", "1")


# What the office decides


NOW = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)
ACTING = Acting("son-la", "van.phong", NOW)
REGISTRATION, FEEDBACK = CaseSource.REGISTRATION, CaseSource.FEEDBACK


def kept(*forms: dict[str, object]) -> dict[str, object]:
    files = [{"file": {"key": f"k{n}"}, "kind": kind} for n, kind in enumerate(("docx", "docx", "png", ""))]
    return {"state": State.WAITING, "forms": list(forms), "acts": [], "attachments": files, "raw": {"key": "raw"}}


def registration(*files: str) -> dict[str, object]:
    return {"_id": uuid4(), "case_number": "SL-2026-000001", "files": [{"key": key} for key in files]}


def test_a_mail_is_dealt_with_when_all_its_forms_are() -> None:
    document = kept(domain.blank_form(), domain.blank_form())
    document |= domain.registered(document, 0, REGISTRATION, registration("k0"), ACTING)
    assert (document["state"], document["dealt_at"]) == (State.WAITING, None)
    document |= domain.dismissed(document, 1, "hỏi thông tin", ACTING)
    assert (document["state"], document["dealt_at"]) == (State.REGISTERED, NOW)
    with pytest.raises(Conflict):
        domain.dismissed(document, 0, "x", ACTING)
    assert domain.registered(document, 0, REGISTRATION, registration(), ACTING) == {}


def test_one_form_does_not_become_two_things_at_once() -> None:
    document = kept(domain.blank_form())
    document |= domain.claimed(document, 0, REGISTRATION, NOW)
    document |= domain.claimed(document, 0, REGISTRATION, NOW)  # a double click
    with pytest.raises(Unavailable):
        domain.claimed(document, 0, FEEDBACK, NOW + domain.CLAIMED_FOR - timedelta(seconds=1))
    document |= domain.claimed(document, 0, FEEDBACK, NOW + domain.CLAIMED_FOR)
    document |= domain.registered(document, 0, FEEDBACK, registration("k0"), ACTING)
    (form,) = document["forms"]  # type: ignore[misc]
    assert "claim" not in form
    assert (form["feedback"], document["acts"][-1]["what"]) == (True, "registered_as_feedback")  # type: ignore[index]
    assert domain.claimed(document, 0, REGISTRATION, NOW) == {}
    assert domain.emptied(document, NOW)["forms"] == [{k: form[k] for k in ("registration", "case_number", "feedback")}]
    assert views.case_page("son-la", form) == f"/son-la/tiep-nhan/phan-anh/{form['registration']}"


def test_what_was_dismissed_or_taken_for_a_machines_can_come_back() -> None:
    document = kept(domain.blank_form())
    document |= domain.dismissed(document, 0, "nhầm", ACTING)
    document |= domain.reopened(document, ACTING)
    assert document["state"] == State.WAITING
    assert domain.is_open(document["forms"][0])  # type: ignore[index]
    machine = kept() | {"state": State.AUTOMATIC}
    assert len(domain.reopened(machine, ACTING)["forms"]) == 1
    with_form = machine | {"forms": [domain.blank_form() | {"fields": PERSON}]}
    assert domain.reopened(with_form, ACTING)["forms"] == with_form["forms"]
    with pytest.raises(Conflict):
        domain.reopened(document, ACTING)


def test_a_registration_gets_its_own_paper_and_nobody_elses() -> None:
    document = kept(domain.blank_form() | {"source": 0}, domain.blank_form() | {"source": 1})
    assert [f["key"] for f in domain.files_of(document, 0)] == ["k0", "k2", "k3"]
    assert [f["key"] for f in domain.files_of(document, 1)] == ["k1", "k2", "k3"]
    document |= domain.registered(document, 0, REGISTRATION, registration("k0", "k2"), ACTING, ["Tệp khác."])
    assert document["forms"][0]["left_out"] == ["Tệp khác."]  # type: ignore[index]
    assert [f["key"] for f in domain.files_to_remove(document)] == ["raw", "k1", "k3"]
    assert "left_out" not in domain.emptied(document, NOW)["forms"][0]


def test_its_own_paper_comes_first_when_there_is_room_for_some_alone() -> None:
    document = kept(domain.blank_form() | {"source": 2})
    assert [f["key"] for f in domain.files_of(document, 0)] == ["k2", "k0", "k1", "k3"]


# Whatever comes


def test_thousands_of_spoilt_mails_break_nothing_and_lose_nothing() -> None:
    kept: dict[object, bytes] = {}
    whole = 0
    for content in spoilt(seed=20260504, count=FUZZED):
        reading = read(content, words())
        assert len(reading.kinds) == len(reading.mail.attachments)
        assert unpacked(packed(reading)) == reading
        whole += bool(reading.forms)
        if not (name := reading.mail.message_id):  # what has no name of its own must not be taken for another
            same = content.replace(b"\r\n", b"\n")
            assert kept.setdefault(domain.mail_id("son-la", "", domain.fingerprint(content, name)), same) == same
    assert whole > FUZZED // 10
    assert len(kept) > FUZZED // 20


@given(st.binary(max_size=600))
def test_bytes_are_a_mail(content: bytes) -> None:
    reading = read(content, words())
    assert unpacked(packed(reading)) == reading


def test_parts_without_end_are_cut_off() -> None:
    parts = b"".join(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" for _ in range(5_000))
    found = parse(b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts + b"--b--")
    assert mime.TOO_COMPLEX in found.faults
    assert papers.kind_of(b"", "") is Kind.OTHER
