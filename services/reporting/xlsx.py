"""A report as a workbook: one sheet with the tables (some have one of their own), sums as formulas, one with the checks. Printed
on A4.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO

from openpyxl import Workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.header_footer import HeaderFooterItem, _HeaderFooterPart
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from kit.agency import Agency
from kit.clock import format_date
from services.reporting.labels import NOTHING
from services.reporting.report import Check, Report, Row, Table

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NUMBER = "#,##0"
NUMBER_OR_WORDS = f'#,##0;-#,##0;"{NOTHING.lower()}"'
"""Zero is said in words and stays a number for formulas (D14)."""
AVERAGE, SHARE = "0.00", "0.0%"
_FONT = "Times New Roman"
_WIDTH = 7
"""Columns over which titles and notes run."""
_LINE = Side(style="thin", color="808080")
_BOX = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)
_HEAD = PatternFill("solid", fgColor="E4EFF3")
_WRAP = Alignment(wrap_text=True, vertical="top")


def workbook(agency: Agency, report: Report) -> bytes:
    """The file's content. The same report gives the same cells, whenever it is drawn."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Báo cáo"
    _filled(sheet, agency, report, [table for table in report.tables if not table.sheet])
    for note in report.notes:
        _line(sheet, f"Ghi chú: {note}", italic=True)
    for name in dict.fromkeys(table.sheet for table in report.tables if table.sheet):
        _filled(book.create_sheet(name), agency, report, [table for table in report.tables if table.sheet == name])
    _checks(book.create_sheet("Đối chiếu"), report)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _filled(sheet: Worksheet, agency: Agency, report: Report, tables: Sequence[Table]) -> None:
    _heading(sheet, agency, report)
    for table in tables:
        _table(sheet, table)
    widest = max(1 + len(table.columns) + len(table.ratios) for table in tables)
    _print_setup(sheet, agency, report, columns=max(widest, _WIDTH))


def _heading(sheet: Worksheet, agency: Agency, report: Report) -> None:
    period = report.period
    _line(sheet, agency.superior_upper)
    _line(sheet, agency.full_name.upper(), bold=True)
    _line(sheet, "BÁO CÁO KẾT QUẢ ĐỐI THOẠI VỀ THỦ TỤC HÀNH CHÍNH", bold=True, size=14)
    _line(sheet, f"{period.title} (từ ngày {format_date(period.first_day)} đến hết ngày {format_date(period.last_day)})")
    if report.running:
        _line(sheet, "Kỳ báo cáo chưa kết thúc: số liệu tạm thời, chưa chốt.", italic=True)
    if period.is_draft:
        _line(sheet, "Mẫu dự thảo: mốc thời gian của loại kỳ này chưa được xác nhận trong văn bản.", italic=True)


def _table(sheet: Worksheet, table: Table) -> None:
    sheet.append([])
    _line(sheet, table.title, bold=True, size=13)
    if table.nothing:
        _line(sheet, f"{NOTHING} trong kỳ.")
        return
    head = sheet.max_row + 1
    for column, text in enumerate((table.first, *table.columns, *(r.label for r in table.ratios)), start=1):
        cell = _boxed(sheet, head, column, text, bold=True)
        cell.fill = _HEAD
        cell.alignment = Alignment(wrap_text=True, horizontal="center", vertical="center")
    first = head + 1
    for offset, row in enumerate(table.rows):
        _row(sheet, first + offset, first, row, dict(table.adds))
        _ratios(sheet, first + offset, row, table)
        if table.zero_in_words:
            sheet.cell(first + offset, 2).number_format = NUMBER_OR_WORDS
    if table.note:
        _line(sheet, table.note, italic=True)


def _row(sheet: Worksheet, at: int, first: int, row: Row, adds: Mapping[int, tuple[int, ...]]) -> None:
    bold = bool(row.adds)
    _boxed(sheet, at, 1, row.label, bold=bold).alignment = _WRAP
    for column, value in enumerate(row.values):
        content: int | str = value.n
        if row.adds:
            content = _sum([f"{get_column_letter(column + 2)}{first + line}" for line in row.adds])
        elif column in adds and not row.outside:
            content = _sum([f"{get_column_letter(part + 2)}{at}" for part in adds[column]])
        _boxed(sheet, at, column + 2, content, bold=bold).number_format = NUMBER


def _ratios(sheet: Worksheet, at: int, row: Row, table: Table) -> None:
    """Averages and shares, as formulas over the line's counts; empty where nothing was counted."""
    for column, ratio in enumerate(table.ratios, start=len(table.columns) + 2):
        whole = f"{get_column_letter(ratio.of + 2)}{at}"
        parts = [f"{get_column_letter(n + 2)}{at}*{weight}" for n, weight in enumerate(ratio.weights) if weight]
        formula = _Formula(f'=IF({whole}=0,"",({"+".join(parts)})/{whole})')
        _boxed(sheet, at, column, formula, bold=bool(row.adds)).number_format = SHARE if ratio.percent else AVERAGE


class _Formula(str):
    """A formula of ours; any other text stays text, whatever it begins with."""


def _sum(cells: list[str]) -> _Formula:
    """Cells that follow one another as a range: Excel keeps it right when a line is put in."""
    return _Formula(f"=SUM({cells[0]}:{cells[-1]})")


def _checks(sheet: Worksheet, report: Report) -> None:
    for column, text in enumerate(("Đối chiếu", "Vế trái", "Vế phải", "Kết quả"), start=1):
        _boxed(sheet, 1, column, text, bold=True).fill = _HEAD
    for at, check in enumerate(report.checks, start=2):
        _check(sheet, at, check)
    sheet.column_dimensions["A"].width = 70
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.orientation = "landscape"


def _check(sheet: Worksheet, at: int, check: Check) -> None:
    _boxed(sheet, at, 1, check.text).alignment = _WRAP
    _boxed(sheet, at, 2, check.left).number_format = NUMBER
    _boxed(sheet, at, 3, check.right).number_format = NUMBER
    _boxed(sheet, at, 4, _Formula(f'=IF(B{at}=C{at},"khớp","LỆCH")'))


def _print_setup(sheet: Worksheet, agency: Agency, report: Report, *, columns: int) -> None:
    sheet.column_dimensions["A"].width = 46
    for column in range(2, columns + 1):
        sheet.column_dimensions[get_column_letter(column)].width = 14
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.orientation = "portrait"
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins.left, sheet.page_margins.right = 1.2, 0.7
    sheet.page_margins.top = sheet.page_margins.bottom = 0.8
    sheet.oddHeader = HeaderFooterItem(center=_HeaderFooterPart("&P"))
    sheet.oddFooter = HeaderFooterItem(left=_HeaderFooterPart(f"{agency.full_name} – {report.period.title}"))


def _line(sheet: Worksheet, text: str, *, bold: bool = False, italic: bool = False, size: int = 12) -> None:
    """Text over the whole width, on a line of its own."""
    at = sheet.max_row + 1 if sheet["A1"].value is not None else 1
    cell = _cell(sheet, at, 1, text)
    cell.font = Font(name=_FONT, size=size, bold=bold, italic=italic)
    cell.alignment = _WRAP
    sheet.merge_cells(start_row=at, start_column=1, end_row=at, end_column=_WIDTH)
    sheet.row_dimensions[at].height = 17 * (1 + len(text) // 105)


def _boxed(sheet: Worksheet, row: int, column: int, value: int | str, *, bold: bool = False) -> Cell:
    cell = _cell(sheet, row, column, value)
    cell.font = Font(name=_FONT, size=12, bold=bold)
    cell.border = _BOX
    return cell


def _cell(sheet: Worksheet, row: int, column: int, value: int | str) -> Cell:
    """A cell. A name or a number that somebody typed never becomes a formula."""
    cell = sheet.cell(row, column)
    assert not isinstance(cell, MergedCell)  # noqa: S101 - titles and notes have lines of their own
    cell.value = str(value) if isinstance(value, _Formula) else value
    if isinstance(value, str) and not isinstance(value, _Formula):
        cell.data_type = "s"
    return cell
