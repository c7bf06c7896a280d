"""The report held against the second count: page, workbook, the cases behind the numbers, the public's figures (K7)."""

import re
from datetime import timedelta
from functools import partial
from io import BytesIO

import openpyxl
from openpyxl.utils.cell import coordinate_to_tuple

from cli.browser import Browser, Page
from cli.demo.book import AgencyBook, Tables
from cli.demo.checks import eventually
from cli.demo.context import Demo, each_agency

ZERO = "không phát sinh"
Numbers = dict[str, dict[str, tuple[int, ...]]]
Cells = dict[tuple[int, int], object]
"""(row, column) → what stands there."""


@each_agency
def reported(demo: Demo, book: AgencyBook) -> None:
    """Page and workbook say what the demonstration did, the sums add up, and every number leads to its cases."""
    reader = demo.desk(book, "kstthc")
    page = eventually(partial(_report, demo, book, reader), partial(_says, book))
    for what, expected, seen in _differences(shown(page), book.tables()):
        demo.checks.equal(f"{book.code}: the report, {what}", expected, seen)
    compared = sum(len(lines) for lines in book.tables().values())
    demo.checks.holds(
        f"{book.code}: the report is what was done",
        f"{compared} lines",
        "other lines",
        when=not _differences(shown(page), book.tables()),
    )
    demo.checks.lacks(f"{book.code}: two ways to count the same", page.text, "lệch", "chưa khớp")
    demo.checks.contains(f"{book.code}: two ways to count the same", page.text, "Mỗi số liệu được đếm bằng hai cách", "khớp")
    _workbook(demo, book, reader, page)
    _cells(demo, book, reader, page)
    _public(demo, book)


def _says(book: AgencyBook, page: Page) -> bool:
    return not _differences(shown(page), book.tables())


def _report(demo: Demo, book: AgencyBook, reader: Browser) -> Page:
    dates = {"tu": demo.began_on - timedelta(days=1), "den": demo.today}
    return reader.submit(f"/{book.code}/bao-cao/", "bao-cao", {name: day.isoformat() for name, day in dates.items()}, having="tu")


def shown(page: Page) -> Numbers:
    """The tables of a report's page: heading → label of a line → its numbers, without averages and shares."""
    tables: Numbers = {}
    for table in page.tables:
        counts = sum(not column.startswith(("Tỷ lệ", "Điểm trung bình")) for column in table.columns)
        rows = [(row.cells[0], row.cells[1 : counts or None]) for row in table.rows]
        lines = {label: tuple(map(_number, cells)) for label, cells in rows if _is_numbers(cells)}
        tables.setdefault(table.heading, {}).update(lines)
    return tables


def _is_numbers(cells: list[str]) -> bool:
    return bool(cells) and all(cell in (ZERO, "–") or cell.replace(".", "").isdigit() for cell in cells)


def _number(cell: str) -> int:
    return 0 if cell in (ZERO, "–") else int(cell.replace(".", ""))


def _differences(seen: Numbers, expected: Tables) -> list[tuple[str, object, object]]:
    """Where a table says something else than was counted; a line that was not counted has to be all zero."""
    found: list[tuple[str, object, object]] = []
    for title, lines in expected.items():
        heading = next((heading for heading in seen if heading.startswith(title)), title)
        table = seen.get(heading, {})
        for label in [*lines, *(label for label in table if label not in lines)]:
            numbers = table.get(label)
            wanted = lines.get(label, (0,) * len(numbers or ()))
            if numbers != wanted and (numbers or any(wanted)):
                found.append((f"{title}, {label}", wanted, numbers))
    return found


# The workbook


def _workbook(demo: Demo, book: AgencyBook, reader: Browser, page: Page) -> None:
    """Every line of the page stands in the workbook with the same numbers, its sums worked out as a spreadsheet does."""
    content = reader.download(page.link(".xlsx")).content
    lines: dict[str, set[tuple[int, ...]]] = {}
    for sheet in openpyxl.load_workbook(BytesIO(content)).worksheets[:-1]:  # the last one holds the checks
        cells: Cells = {(at, n): value for at, row in enumerate(sheet.values, 1) for n, value in enumerate(row, 1)}
        for row in range(1, sheet.max_row + 1):
            values = [cells.get((row, column)) for column in range(2, sheet.max_column + 1)]
            numbers = tuple(_value(cells, value) for value in values if value is not None and not _is_words(value))
            if cells.get((row, 1)) and numbers:
                lines.setdefault(str(cells[row, 1]), set()).add(numbers)
    for title, table in shown(page).items():
        for label, numbers in table.items():
            if title != "Đối chiếu":
                demo.checks.holds(
                    f"{book.code}: the workbook, {title}, {label}",
                    str(numbers),
                    lines.get(label),
                    when=numbers in lines.get(label, ()),
                )


def _is_words(value: object) -> bool:
    return isinstance(value, str) and not value.startswith("=SUM(")


def _value(cells: Cells, value: object) -> int:
    """A number, or what a SUM over a range comes to."""
    if isinstance(value, int):
        return value
    corners = str(value).removeprefix("=SUM(").removesuffix(")").split(":")
    (first_row, first_column), (last_row, last_column) = (coordinate_to_tuple(corners[at]) for at in (0, -1))
    area = [(row, column) for row in range(first_row, last_row + 1) for column in range(first_column, last_column + 1)]
    return sum(_value(cells, cells.get(place, 0)) for place in area)


# The cases behind the numbers


def _cells(demo: Demo, book: AgencyBook, reader: Browser, page: Page) -> None:
    """A number leads to as many case numbers, and to nothing else about anybody; sealed contents are counted only."""
    registrations = [r.number for r in book.everybody() if r.registered]
    _drill(demo, book, reader, page, "registrations.period", registrations, "Tổng hợp")
    ended = [r.number for r, c in book.contents() if c.state.value == "resolved"]
    _drill(demo, book, reader, page, "left.period.state~resolved", ended, "Nội dung kết thúc")
    names = [name for registrant in book.everybody() for name in registrant.names]
    demo.checks.lacks(f"{book.code}: names in the report", page.text, *names)


def _drill(demo: Demo, book: AgencyBook, reader: Browser, page: Page, cell: str, numbers: list[str], heading: str) -> None:
    address = next((to for row in page.table(heading).rows for to in row.links if to.endswith(f"/o/{cell}")), None)
    if address is None:
        demo.checks.equal(f"{book.code}: the number of {cell} leads to its cases", "a link", address)
        return
    listed = reader.get(address)
    counted = {row.cells[0]: int(row.cells[1]) for table in listed.tables for row in table.rows}
    demo.checks.equal(f"{book.code}: the cases of {cell}", {n: numbers.count(n) for n in numbers}, counted)
    demo.checks.lacks(f"{book.code}: the cases of {cell}", listed.text, *(r.name for r in book.everybody()))


def _public(demo: Demo, book: AgencyBook) -> None:
    """Everybody can read the sums of the year, and nobody's name or case number."""
    with demo.visitor() as browser:
        page = browser.get(f"/{book.code}/so-lieu")
    demo.checks.contains(f"{book.code}: the public figures", page.text, "Số liệu đối thoại năm", "Kết quả chung")
    demo.checks.holds(
        f"{book.code}: the public figures",
        "no case number",
        page.text[:300],
        when=not re.search(rf"{book.prefix}-\d{{4}}-", page.text),
    )


def main_lines(demo: Demo, book: AgencyBook) -> list[tuple[str, tuple[int, ...]]]:
    """The lines of the report's first table, as the page shows them."""
    page = _report(demo, book, demo.desk(book, "kstthc"))
    table = page.table("Tổng hợp")
    return [(row.cells[0], tuple(map(_number, row.cells[1:]))) for row in table.rows]
