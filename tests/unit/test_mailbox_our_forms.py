"""The blank form that the public site hands out (D2), filled in and mailed back, is read by the reader of mails (D3)."""

import io
from collections.abc import Callable, Iterator
from functools import cache

import docx
import orjson
import pytest
import typst
from docx.text.paragraph import Paragraph
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText

from deploy.local.paths import ROOT
from kit.agency import Agency, load_agencies
from kit.documents import BlankForm, render_pdf
from kit.documents.docx import render_docx
from services.intake.domain import Plan
from services.intake.mailbox.papers import Kind, text_of
from services.intake.mailbox.prefill import Prefill, read_forms
from services.intake.site.papers import blank_form
from tests.intake import NOW, PLAN, plan
from tests.mails import words

FONTS = ROOT / ".local" / "cache" / "fonts"
AGENCIES = ("son-la", "bac-kan")
ANSWERS = {
    "name": "Lò Văn Thử",
    "address": "Tổ 2, phường Tô Hiệu, thành phố Sơn La",
    "phone": "0912 345 678",
    "email": "thu@nguoi-dan.example",
}
SPACING = 19.5
"""Points between the dotted lines of the printed form."""
LINES = ("Hồ sơ đăng ký đề tài cấp tỉnh cần gì?", "Nộp ở đâu, trong mấy ngày?")
"""What a person writes onto the dotted lines of each section."""


@cache
def agency_of(code: str) -> Agency:
    return load_agencies(ROOT / "agencies")[code]


def paper(code: str) -> BlankForm:
    """As the site draws it: of a sample plan, whose watermark must not get in the way."""
    return blank_form(agency_of(code), Plan(PLAN, plan(sample=True)), NOW)


@cache
def drawn(code: str) -> bytes:
    return render_pdf(paper(code), FONTS)


def asked(code: str) -> tuple[dict[str, str], dict[int, str]]:
    """What the form of this agency asks for, answered."""
    of = words(code)
    return {key: ANSWERS[key] for key in of.fields}, {no: f"({no}) {LINES[0]}\n{LINES[1]}" for no in of.sections}


def answers(code: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Printed label → the lines that are written after or under it, from the top of the paper to its end."""
    of, (fields, sections) = words(code), asked(code)
    yield from ((f"{label}:", (fields[key],)) for key, label in of.fields.items())
    yield from ((f"{no}. {label}:", tuple(sections[no].split("\n"))) for no, label in of.sections.items())


def test_the_forms_of_both_agencies_are_asked_for_all_that_is_printed() -> None:
    assert all(set(asked(code)[0]) == {field.key for field in agency_of(code).form.fields} for code in AGENCIES)


def only(found: tuple[Prefill, ...]) -> tuple[dict[str, str], dict[int, str], tuple[str, ...]]:
    (form,) = found
    return dict(form.fields), dict(form.sections), form.unread


@pytest.mark.parametrize("code", AGENCIES)
def test_a_form_that_nobody_filled_in_is_blank(code: str) -> None:
    form = paper(code)
    for kind, content in ((Kind.DOCX, render_docx(form)), (Kind.PDF, drawn(code))):
        (found,) = read_forms(text_of(kind, content), words(code), wrapped=kind is Kind.PDF)
        assert (kind, found.fields, found.sections, found.unread) == (kind, {}, {}, ())


# Typed into in Word


def over_the_dots(line: Paragraph, text: str) -> None:
    """The line of dots is a tab: it is selected and typed over."""
    line.runs[0].text = line.text.replace("\t", text)


def before_the_dots(line: Paragraph, text: str) -> None:
    """Typed before the tab, which fills what is left of the line with dots."""
    line.runs[0].text = line.text.replace("\t", f"{text}\t")


def after_the_dots(line: Paragraph, text: str) -> None:
    """Typed at the end of the line: End, then text."""
    line.add_run(text)


Typing = Callable[[Paragraph, str], None]


@pytest.mark.parametrize("code", AGENCIES)
@pytest.mark.parametrize("typed", [over_the_dots, before_the_dots, after_the_dots])
def test_what_is_typed_into_our_docx_is_read(code: str, typed: Typing) -> None:
    document = docx.Document(io.BytesIO(render_docx(paper(code))))
    lines = document.paragraphs
    for label, texts in answers(code):
        at = next(n for n, line in enumerate(lines) if line.text.strip() == label)
        first = at if "\t" in lines[at].text else at + 1
        for line, text in zip(lines[first:], texts, strict=False):
            typed(line, text)
    out = io.BytesIO()
    document.save(out)
    assert only(read_forms(text_of(Kind.DOCX, out.getvalue()), words(code))) == (*asked(code), ())


@pytest.mark.parametrize("code", AGENCIES)
def test_all_of_an_answer_on_the_line_of_its_label_is_read(code: str) -> None:
    """Many write behind the colon, and leave the dotted lines below as they are."""
    document = docx.Document(io.BytesIO(render_docx(paper(code))))
    fields, sections = asked(code)
    said = {f"{no}. {label}:": sections[no] for no, label in words(code).sections.items()}
    for line in document.paragraphs:
        if line.text.strip() in said:
            line.add_run(" " + said[line.text.strip()])
    out = io.BytesIO()
    document.save(out)
    assert only(read_forms(text_of(Kind.DOCX, out.getvalue()), words(code))) == ({}, sections, ())
    assert fields


# Written onto with a PDF viewer


@cache
def lines_of(content: bytes) -> dict[str, tuple[int, float]]:
    """Printed words → page and height of their line."""
    found: dict[str, tuple[int, float]] = {}
    for number, page in enumerate(PdfReader(io.BytesIO(content)).pages):

        def note(text: str, cm: list[float], tm: list[float], *_: object, number: int = number) -> None:
            found.setdefault(text.strip(), (number, tm[5] * cm[3] + cm[5]))

        page.extract_text(visitor_text=note)
    return found


def written(code: str, content: bytes) -> Iterator[tuple[int, float, str]]:
    """Page, height and text of each line that is written onto the paper: fields beside their labels, sections below them."""
    printed = lines_of(content)
    for label, texts in answers(code):
        page, y = printed[label]
        below = 1 if label[0].isdigit() else 0
        yield from ((page, y - (n + below) * SPACING, text) for n, text in enumerate(texts))


def boxes(code: str, content: bytes, off: float) -> bytes:
    """A box of text on each line, `off` points above it."""
    writer = PdfWriter(PdfReader(io.BytesIO(content)))
    for page, y, text in written(code, content):
        writer.add_annotation(page, FreeText(text=text, rect=(230, y + off - 4, 540, y + off + 10)))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def flattened(code: str, content: bytes, off: float) -> bytes:
    """The same as part of the page, as programs leave it that "fill and sign"."""
    writer = PdfWriter(PdfReader(io.BytesIO(content)))
    source = '#set page(paper: "a4", margin: 0pt)\n#set text(font: "Liberation Serif", size: 12pt, bottom-edge: "baseline")\n'
    for _page, y, text in written(code, content):
        source += f"#place(bottom + left, dx: 230pt, dy: -{y + off}pt, {orjson.dumps(text).decode()})\n"
    (layer,) = PdfReader(io.BytesIO(typst.compile(source.encode(), font_paths=[FONTS]))).pages
    writer.pages[0].merge_page(layer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


Filling = Callable[[str, bytes, float], bytes]


@pytest.mark.parametrize("code", AGENCIES)
@pytest.mark.parametrize(("filling", "off"), [(boxes, -5.0), (boxes, 0.0), (boxes, 5.0), (flattened, 2.0)])
def test_what_is_written_onto_our_pdf_is_read(code: str, filling: Filling, off: float) -> None:
    content = drawn(code)
    assert len(PdfReader(io.BytesIO(content)).pages) == 1
    fields, sections = asked(code)
    joined = {no: text.replace("\n", " ") for no, text in sections.items()}  # a line of the paper ends no sentence
    assert only(read_forms(text_of(Kind.PDF, filling(code, content, off)), words(code), wrapped=True)) == (fields, joined, ())


@pytest.mark.parametrize("code", AGENCIES)
def test_a_box_of_several_lines_is_one_answer(code: str) -> None:
    """One box over the dotted lines of the first section, none of its lines on a dotted one."""
    content = drawn(code)
    label = f"1. {words(code).sections[1]}:"
    page, y = lines_of(content)[label]
    writer = PdfWriter(PdfReader(io.BytesIO(content)))
    writer.add_annotation(page, FreeText(text="Một\rHai\rBa\rBốn", rect=(90, y - 3 * SPACING, 540, y - 5)))
    out = io.BytesIO()
    writer.write(out)
    found = only(read_forms(text_of(Kind.PDF, out.getvalue()), words(code), wrapped=True))
    assert found == ({}, {1: "Một Hai Ba Bốn"}, ())
