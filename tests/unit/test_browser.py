"""The browser of the demonstration reads a page as a browser does."""

import httpx
import pytest

from cli.browser import Page, UnexpectedAnswer

HTML = """
<h2>Thời hạn</h2>
<table><thead><tr><th>Đơn vị</th><th>Hạn</th></tr></thead>
<tbody><tr><td><a href="/son-la/noi-dung/1">P. QLKH</a></td><td>04/5/2022 <span>Đến hạn</span></td></tr></tbody></table>
<form method="post" action="/son-la/ghi">
  <input type="hidden" name="csrf" value="abc">
  <input name="name" value="Lò Văn Thử">
  <input type="checkbox" name="consent" value="2026-01">
  <input type="radio" name="kind" value="a"><input type="radio" name="kind" value="b" checked>
  <select name="unit"><option value="">– Chọn –</option><option value="x">X</option></select>
  <select name="mode"><option value="in_person">Trực tiếp</option><option value="online" selected>Trực tuyến</option></select>
  <textarea name="text">
dòng một
dòng hai</textarea>
  <button type="submit" name="then" value="trinh">Trình</button>
</form>
"""


@pytest.fixture
def page() -> Page:
    request = httpx.Request("GET", "http://localhost/son-la/trang")
    return Page(httpx.Response(200, html=HTML, request=request))


def test_a_form_holds_what_the_page_shows(page: Page) -> None:
    form = page.form("ghi", having="text")
    assert (form.method, form.action) == ("post", "/son-la/ghi")
    assert dict(form.values) == {
        "csrf": "abc",
        "name": "Lò Văn Thử",
        "kind": "b",
        "unit": "",
        "mode": "online",
        "text": "dòng một\ndòng hai",
    }
    assert (form.options["consent"], form.options["unit"], form.options["then"]) == (["2026-01"], ["", "x"], ["trinh"])


def test_a_table_has_its_heading_columns_cells_and_links(page: Page) -> None:
    table = page.table("Thời hạn")
    assert table.columns == ["Đơn vị", "Hạn"]
    assert [(row.cells, row.links) for row in table.rows] == [(["P. QLKH", "04/5/2022 Đến hạn"], ["/son-la/noi-dung/1"])]


def test_what_is_not_there_is_said(page: Page) -> None:
    assert page.link("noi-dung", "QLKH") == "http://localhost/son-la/noi-dung/1"
    for look in (lambda: page.form("xoa"), lambda: page.link("xoa"), lambda: page.table("Khác")):
        with pytest.raises(UnexpectedAnswer):
            look()
