"""The judge of pages is judged: it lets a good page pass, and sees each thing that is wrong with a bad one."""

import pytest
from playwright.async_api import Browser

from tests.browser.judging import judge

pytestmark = pytest.mark.browser

GOOD = """<!doctype html><html lang="vi"><head><title>Trang thử</title><style>
a:focus-visible, input:focus-visible { outline: 3px solid #000 } .skip { position: absolute; left: -99rem }
@media print { nav, button, .skip { display: none } } button { min-height: 3rem }
</style></head><body><a class="skip" href="#noi-dung">Đến nội dung chính</a>
<header><nav aria-label="Chính"><a href="/">Trang chủ</a></nav></header>
<main id="noi-dung" tabindex="-1"><h1>Trang thử</h1>
<form><div class="field wrong"><label for="o">Họ và tên</label><p class="error" id="loi">Xin ghi họ và tên.</p>
<input id="o" name="o" autocomplete="name" aria-invalid="true" aria-describedby="loi"></div><button>Gửi</button></form>
<table><caption>Số liệu</caption><thead><tr><th scope="col">Mục</th></tr></thead><tbody><tr><td>Một</td></tr></tbody></table>
</main></body></html>"""

BROKEN = {
    'lang="vi"': ('lang="en"', "language is not vi"),
    "<h1>Trang thử</h1>": ("<h3>Trang thử</h3>", "0 main headings"),
    '<label for="o">Họ và tên</label>': ('<label for="o" style="display: none">Họ và tên</label>', "no label to be seen"),
    ' aria-describedby="loi"': ("", "nothing says what is wrong"),
    "<caption>Số liệu</caption>": ("", "table without caption"),
    '<th scope="col">': ("<th>", "heading of no row or column"),
    '<input id="o"': ('<input tabindex="3" id="o"', "a place of its own in the order of focus"),
    '<a class="skip" href="#noi-dung">': ('<a class="skip" href="#gui">', "the first stop does not lead to the content"),
    '<main id="noi-dung"': (
        '<main style="display: flex; flex-direction: column-reverse" id="noi-dung"',
        "shown in another order",
    ),
    "<td>Một</td>": ('<td><p style="width: 400px">Một</p></td>', "px wide"),
    "@media print": ("@media speech", "printed: <nav"),
    "<button>Gửi": ('<button style="height: 14px; min-height: 0; padding: 0; margin-top: -9px">Gửi', "axe, target-size"),
    "<form>": ('<form><p style="color: #999">Xin ghi rõ.</p>', "axe, color-contrast"),
    'aria-label="Chính"': ('aria-label="Chính" role="nut"', "axe, aria-roles"),
    "<tbody>": ('<tbody style="font-size: 1rem"><tr><td><p style="width: 40rem">Dài</p></td></tr>', "with large letters"),
}


async def test_a_good_page_passes_and_a_bad_one_does_not(browser: Browser) -> None:
    page = await browser.new_page()
    await page.set_content(GOOD)
    assert await judge(page) == []
    for good, (bad, complaint) in BROKEN.items():
        assert good in GOOD, good
        await page.set_content(GOOD.replace(good, bad))
        found = await judge(page)
        assert any(complaint in one for one in found), (bad, found)
    await page.close()
