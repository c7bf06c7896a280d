"""The blank form and the plan as DOCX, read back with python-docx: labels as printed, NĐ 30 layout (appendix I)."""

import io
from typing import Any

import docx
import pytest
from docx.enum.text import WD_TAB_LEADER
from docx.oxml.ns import qn
from docx.shared import Pt
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.documents import SAMPLE, BlankForm
from kit.documents.docx import MOTTO, NATION, render_docx
from tests.unit.test_documents import BAC_KAN_FORM, HOSTILE, SON_LA_FORM, plan

VML = "{urn:schemas-microsoft-com:vml}"


def read(document: Any) -> Any:
    return docx.Document(io.BytesIO(render_docx(document)))


def lines(document: Any) -> list[str]:
    return [paragraph.text for paragraph in document.paragraphs]


def all_text(document: Any) -> str:
    cells = [paragraph.text for table in document.tables for cell in table.rows[0].cells for paragraph in cell.paragraphs]
    return "\n".join([*cells, *lines(document)])


@pytest.mark.parametrize("form", [SON_LA_FORM, BAC_KAN_FORM], ids=["son-la", "bac-kan"])
def test_the_blank_holds_every_printed_word_in_its_order(form: BlankForm) -> None:
    found = lines(read(form))
    expected = [NATION, form.heading, *form.subtitle, f"Kính gửi: {form.addressee}", *(f"{f}: \t" for f in form.fields)]
    expected += [form.intro, *(section.heading for section in form.sections)]
    places = [found.index(line) for line in expected]
    assert places == sorted(places)
    assert (found.index(form.dated_at.line) < found.index(form.heading)) is form.dated_on_top
    for last in (form.signature, form.note):
        assert not last or last in found


@pytest.mark.parametrize("form", [SON_LA_FORM, BAC_KAN_FORM], ids=["son-la", "bac-kan"])
def test_what_is_typed_takes_the_place_of_the_dots(form: BlankForm) -> None:
    dotted = [p for p in read(form).paragraphs if p.text.endswith("\t")]
    assert len(dotted) == len(form.fields) + sum(section.lines for section in form.sections)
    for paragraph in dotted:
        (stop,) = paragraph.paragraph_format.tab_stops
        assert stop.leader is WD_TAB_LEADER.DOTS
        assert round(stop.position.mm) == 165, "the dots end at the margin"


@pytest.mark.parametrize("document", [SON_LA_FORM, BAC_KAN_FORM, plan()], ids=["son-la", "bac-kan", "plan"])
def test_page_and_font_are_those_of_the_decree(document: Any) -> None:
    found = read(document)
    section = found.sections[0]
    millimetres = [round(length.mm) for length in (section.page_width, section.page_height)]
    margins = [round(m.mm) for m in (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)]
    assert (millimetres, margins) == ([210, 297], [20, 20, 30, 15])
    normal = found.styles["Normal"]
    assert normal.font.name == "Times New Roman"
    assert normal.font.size in (Pt(13), Pt(14))
    assert normal.element.rPr.rFonts.get(qn("w:eastAsia")) == "Times New Roman", "or Word sets accents in another font"
    assert section.different_first_page_header_footer
    assert "PAGE" in section.header._element.xml
    assert "PAGE" not in section.first_page_header._element.xml
    assert not found.core_properties.author


def test_the_plan_has_the_parts_of_an_official_document() -> None:
    text = all_text(read(plan()))
    for part in (
        NATION, MOTTO, "UBND TỈNH SƠN LA", "SỞ KHOA HỌC VÀ CÔNG NGHỆ", "Số: 08/KH-SKHCN", "Sơn La, ngày 05 tháng 01 năm 2026",
        "KẾ HOẠCH", "1. Đối tượng", "2. Thời gian, địa điểm", "năm 2026./.", "Nơi nhận:", "- Như trên;", "- Lưu: VT, VP.",
        "KT. GIÁM ĐỐC", "Trần Văn Mẫu",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("document", [SON_LA_FORM, plan()], ids=["form", "plan"])
def test_a_sample_is_marked_on_every_page(document: Any) -> None:
    section = read(document.model_copy(update={"watermark": SAMPLE})).sections[0]
    for header in (section.header, section.first_page_header):
        assert [shape.get("string") for shape in header._element.iter(f"{VML}textpath") if shape.get("string")] == [SAMPLE]
    plain = read(document.model_copy(update={"watermark": ""})).sections[0]
    assert "textpath" not in plain.header._element.xml


@given(st.text(max_size=60))
@settings(max_examples=10)
def test_any_text_is_kept_as_text(text: str) -> None:
    subject = plan(subject=f"Về {text} hết").subject
    assert subject.replace("\n", " ") in all_text(read(plan(subject=subject))).replace("\n", " ")


def test_markup_stays_text() -> None:
    assert f"{HOSTILE}<w:p/>" in all_text(read(plan(subject=f"{HOSTILE}<w:p/>")))
