"""The blank form and the plan as DOCX, in the layout of NĐ 30/2020 (appendix I), for whoever wants to type into them.

Labels stand as in the agency's form, followed by a colon and a line of dots that is a tab with a leader: what is typed takes the
place of the dots. The same models as for PDF; sizes in pt, lengths in mm.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from typing import Any

import docx
from docx.document import Document as Docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT, WD_TAB_LEADER
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Length, Mm, Pt
from docx.text.paragraph import Paragraph

from kit.documents.models import BlankForm, OfficialDocument, PlanPaper

FONT = "Times New Roman"
TOP, BOTTOM, LEFT, RIGHT = Mm(20), Mm(20), Mm(30), Mm(15)
WIDTH = Mm(210 - 30 - 15)
INDENT = Mm(12.7)
CENTRE, JUSTIFIED, TO_RIGHT = WD_ALIGN_PARAGRAPH.CENTER, WD_ALIGN_PARAGRAPH.JUSTIFY, WD_ALIGN_PARAGRAPH.RIGHT
NATION, MOTTO = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "Độc lập - Tự do - Hạnh phúc"
# How Word itself defines a text that is drawn as a shape.
_TEXT_SHAPE = (
    '<v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800" path="m@7,l@8,m@5,21600l@6,21600e">'
    "<v:formulas>"
    + "".join(
        f'<v:f eqn="{equation}"/>'
        for equation in (
            "sum #0 0 10800", "prod #0 2 1", "sum 21600 0 @1", "sum 0 0 @2", "sum 21600 0 @3", "if @0 @3 0", "if @0 21600 @1",
            "if @0 0 @2", "if @0 @4 21600", "mid @5 @6", "mid @8 @5", "mid @7 @8", "mid @6 @7", "sum @6 0 @5",
        )
    )
    + '</v:formulas><v:path textpathok="t" o:connecttype="custom"/><v:textpath on="t" fitshape="t"/></v:shapetype>'
)  # fmt: skip
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""A file's own times say nothing here."""
_VML = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
)


def render_docx(document: BlankForm | PlanPaper) -> bytes:
    """The document as DOCX. Takes CPU (some 20 ms): call it in a thread."""
    page = _page(document.title, 13 if isinstance(document, BlankForm) else 14, document.watermark)
    if isinstance(document, BlankForm):
        _blank_form(page, document)
    else:
        _plan(page, document)
    target = BytesIO()
    page.save(target)
    return target.getvalue()


# The papers


def _blank_form(page: Docx, form: BlankForm) -> None:
    _nation(page.add_paragraph, page)
    if form.dated_on_top:
        _say(page.add_paragraph(), form.dated_at.line, italic=True, align=TO_RIGHT, before=6)
    _say(page.add_paragraph(), form.heading, size=14, bold=True, align=CENTRE, before=12)
    for line in form.subtitle:
        narrow = _say(page.add_paragraph(), line, bold=True, align=CENTRE)
        narrow.paragraph_format.left_indent = narrow.paragraph_format.right_indent = Mm(28)
    _say(page.add_paragraph(), f"Kính gửi: {form.addressee}", align=CENTRE, before=6, after=6)
    for label in form.fields:
        _dotted(page, f"{label}: ")
    _body(page, form.intro)
    for section in form.sections:
        _say(page.add_paragraph(), section.heading, before=6).paragraph_format.keep_with_next = True
        for _ in range(section.lines):
            _dotted(page)
    signed = [] if form.dated_on_top else [(form.dated_at.line, {"italic": True})]
    signed += [(form.signature, {"bold": True})] if form.signature else []
    for text, style in signed:
        _aside(_say(page.add_paragraph(), text, align=CENTRE, before=6, **style))
    if form.note:
        _say(page.add_paragraph(), form.note, size=12, italic=True, before=60 if form.signature else 12)


def _plan(page: Docx, plan: PlanPaper) -> None:
    _letterhead(page, plan)
    _say(page.add_paragraph(), plan.kind, size=14, bold=True, align=CENTRE, before=14)
    _say(page.add_paragraph(), plan.subject, size=14, bold=True, align=CENTRE)
    _rule(page.add_paragraph(), WIDTH, Mm(45))
    for number, part in enumerate(plan.parts, 1):
        heading = _body(page, f"{number}. {part.heading}", bold=True)
        heading.paragraph_format.keep_with_next = True
        for text in part.paragraphs:
            _body(page, text)
    _body(page, plan.closing_ended).paragraph_format.keep_with_next = True
    _signature(page, plan)


# Parts of papers


def _letterhead(page: Docx, document: OfficialDocument) -> None:
    left, right = _columns(page, Mm(66), Mm(99))
    lines = _filling(left)
    _say(next(lines), document.superior.upper(), size=12, align=CENTRE)
    _say(next(lines), document.issuer.upper(), size=12, bold=True, align=CENTRE)
    _rule(next(lines), Mm(66), Mm(24))
    _say(next(lines), document.number_line, size=13, align=CENTRE)
    lines = _filling(right)
    _nation(lambda: next(lines), None)
    _say(next(lines), document.dated_at.line, size=13, italic=True, align=CENTRE)


def _nation(paragraph: Any, page: Docx | None) -> None:
    """`paragraph` makes the next one; on a page (not in a column) the rule is measured by the page's width."""
    _say(paragraph(), NATION, size=12, bold=True, align=CENTRE)
    _say(paragraph(), MOTTO, size=13, bold=True, align=CENTRE)
    _rule(paragraph(), WIDTH if page is not None else Mm(99), Mm(56))


def _signature(page: Docx, document: OfficialDocument) -> None:
    left, right = _columns(page, Mm(82), Mm(83), before=12)
    lines = _filling(left)
    _say(next(lines), "Nơi nhận:", size=12, bold=True, italic=True)
    for line in document.recipients_listed:
        _say(next(lines), f"- {line}", size=11)
    lines = _filling(right)
    for line in document.signer.authority:
        _say(next(lines), line.upper(), size=14, bold=True, align=CENTRE)
    _say(next(lines), document.signer.name, size=14, bold=True, align=CENTRE, before=80)


def _body(page: Docx, text: str, **style: Any) -> Paragraph:
    paragraph = _say(page.add_paragraph(), text, align=JUSTIFIED, before=6, **style)
    paragraph.paragraph_format.first_line_indent = INDENT
    return paragraph


def _dotted(page: Docx, label: str = "") -> None:
    """A label and dots up to the margin."""
    paragraph = _say(page.add_paragraph(), f"{label}\t", before=5)
    paragraph.paragraph_format.tab_stops.add_tab_stop(WIDTH, WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.DOTS)


def _aside(paragraph: Paragraph) -> None:
    """In the right half, where one signs."""
    paragraph.paragraph_format.left_indent = Mm(80)
    paragraph.paragraph_format.keep_together = True


def _say(
    paragraph: Paragraph,
    text: str,
    *,
    size: int | None = None,
    bold: bool = False,
    italic: bool = False,
    align: WD_ALIGN_PARAGRAPH | None = None,
    before: int = 0,
    after: int = 0,
) -> Paragraph:
    """`text`, with its line breaks, as the paragraph's own."""
    run = paragraph.add_run(text)
    run.bold, run.italic = bold or None, italic or None
    if size is not None:
        run.font.size = Pt(size)
    if align is not None:
        paragraph.alignment = align
    paragraph.paragraph_format.space_before, paragraph.paragraph_format.space_after = Pt(before), Pt(after)
    return paragraph


def _rule(paragraph: Paragraph, width: Length, length: Length) -> None:
    """A line of `length` in the middle of `width`: a paragraph without text, with a border above."""
    paragraph.paragraph_format.left_indent = paragraph.paragraph_format.right_indent = Length((width - length) // 2)
    paragraph.paragraph_format.space_after = Pt(6)
    paragraph.paragraph_format.line_spacing = Pt(4)
    border = f'<w:pBdr {nsdecls("w")}><w:top w:val="single" w:sz="6" w:space="1" w:color="auto"/></w:pBdr>'
    paragraph._p.get_or_add_pPr().append(parse_xml(border))


def _columns(page: Docx, *widths: Length, before: int = 0) -> Sequence[Any]:
    """Columns without lines; they keep together."""
    if before:
        _say(page.add_paragraph(), "", size=2, before=before).paragraph_format.keep_with_next = True
    table = page.add_table(1, len(widths))
    table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:cantSplit {nsdecls('w')}/>"))
    for column, cell, width in zip(table.columns, table.rows[0].cells, widths, strict=True):
        column.width = cell.width = width
    cells: Sequence[Any] = table.rows[0].cells
    return cells


def _filling(cell: Any) -> Any:
    """The cell's paragraphs, one after another; the first is there already."""
    return (cell.paragraphs[0] if n == 0 else cell.add_paragraph() for n in count())


# The page


def _page(title: str, size: int, watermark: str) -> Docx:
    page = docx.Document()
    section = page.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin, section.left_margin, section.right_margin = TOP, BOTTOM, LEFT, RIGHT
    section.header_distance, section.different_first_page_header_footer = Mm(10), True
    normal = page.styles["Normal"]
    normal.font.name, normal.font.size = FONT, Pt(size)
    for script in ("w:ascii", "w:hAnsi", "w:eastAsia", "w:cs"):
        normal.element.rPr.rFonts.set(qn(script), FONT)
    normal.paragraph_format.space_after, normal.paragraph_format.line_spacing = Pt(0), 1.07
    normal.element.rPr.append(parse_xml(f'<w:lang {nsdecls("w")} w:val="vi-VN" w:eastAsia="vi-VN"/>'))
    _number(section.header.paragraphs[0])
    if watermark:
        for header in (section.header, section.first_page_header):
            _watermark(header.paragraphs[0], watermark)
    about = page.core_properties
    about.title, about.author, about.comments, about.language = title, "", "", "vi-VN"
    about.created = about.modified = _NEVER
    return page


def _number(paragraph: Paragraph) -> None:
    """The page's number, in the middle of the top margin; the first page has a header of its own, without one."""
    paragraph.alignment = CENTRE
    run = paragraph.add_run()
    run.font.size = Pt(13)
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        part = f'<w:fldChar {_VML} w:fldCharType="{kind}"/>' if kind else f"<w:instrText {_VML}>{text}</w:instrText>"
        run._r.append(parse_xml(part))


def _watermark(paragraph: Paragraph, text: str) -> None:
    """Across the page, behind the text, as Word itself draws one."""
    shape = parse_xml(
        f'<w:r {_VML}><w:pict>{_TEXT_SHAPE}<v:shape type="#_x0000_t136" stroked="f" fillcolor="#d9d9d9" style="position:absolute;'
        "margin-left:0;margin-top:0;width:420pt;height:105pt;rotation:315;z-index:-251658752;mso-position-horizontal:center;"
        'mso-position-horizontal-relative:margin;mso-position-vertical:center;mso-position-vertical-relative:margin">'
        f'<v:textpath on="t" fitshape="t" style="font-family:\'{FONT}\';font-weight:bold"/></v:shape></w:pict></w:r>'
    )
    shape.find(".//{urn:schemas-microsoft-com:vml}shape/{urn:schemas-microsoft-com:vml}textpath").set("string", text)
    paragraph._p.append(shape)
