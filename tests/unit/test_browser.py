"""The browser of the demonstration reads a page as a browser does."""

from typing import Any
from unittest.mock import AsyncMock, MagicMock

import httpx
import pytest

from cli.browser import Page, UnexpectedAnswer
from kit.web import AgencyFace, Templates
from kit.web.forms import Vouching
from kit.web.proof import Proofs

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


async def test_a_form_is_proven_as_its_script_would_and_its_hidden_trap_stays_empty() -> None:
    spent: Any = MagicMock()
    spent.with_options.return_value.insert_one = AsyncMock()
    proofs = Proofs(spent, b"s" * 40, cost=1, seconds=900)
    pages = Templates()
    pages.environment.globals["proofs"] = proofs
    face = AgencyFace("son-la", "Sở Khoa học và Công nghệ tỉnh Sơn La")
    html = pages.render("proof.html", agency=face, vouching=Vouching())
    request = httpx.Request("GET", "http://localhost/son-la/phieu")
    page = Page(httpx.Response(200, html=f'<form method="post">{html}</form>', request=request))
    form = page.form(having="altcha")
    form.prove()
    assert form.value("trang_web") == ""
    assert await proofs.judge(Vouching(form.value("altcha")), "one") is None
