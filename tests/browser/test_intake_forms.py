"""Both agencies' forms in a real browser, at the width of a phone and of a desk: without JavaScript, and what it adds."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.intake import PLAN, Running, dialogue, plan, running_intake
from tests.stack import served

pytestmark = [pytest.mark.stack, pytest.mark.browser]
WIDTHS = {"phone": 390, "desk": 1280}
REVIEW, CHANGE, SEND = "Xem lại và gửi phiếu", "Quay lại sửa", "Gửi phiếu đăng ký"
FORM = f"son-la/dang-ky/{PLAN}"


@pytest_asyncio.fixture(scope="module")
async def site(mongodb_url: str) -> AsyncIterator[str]:
    """The address of intake with an open dialogue in both agencies."""
    async with running_intake(mongodb_url) as intake:
        await _announce_bac_kan(intake)
        async with served(intake.app) as address:
            yield address


async def _announce_bac_kan(intake: Running) -> None:
    await intake.announce(("bac-kan-2026", plan()), ("bac-kan-2026-1", dialogue(plan="bac-kan-2026")))


async def _press(page: Page, name: str) -> None:
    async with page.expect_navigation():
        await page.get_by_role("button", name=name).click()


async def _fits(page: Page) -> None:
    """Nothing sticks out sideways."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("agency", "labels"),
    [
        ("son-la", ["Họ và tên", "Nơi thường trú", "Điện thoại liên hệ", "Thư điện tử"]),
        ("bac-kan", ["Họ và tên", "Điện thoại", "Địa chỉ", "Email"]),
    ],
)
async def test_a_form_is_filled_in_corrected_sent_and_followed(
    site: str, browser: Browser, agency: str, labels: list[str], width: str
) -> None:
    page = await browser.new_page(java_script_enabled=False, viewport={"width": WIDTHS[width], "height": 900})
    await page.goto(f"{site}/{agency}/")
    await _fits(page)
    await page.get_by_role("link", name="Đăng ký tham gia").first.click()
    await _fits(page)
    found = await page.locator("form label[for]").all_inner_texts()
    assert [label for label in labels if not any(text.startswith(label) for text in found)] == []

    await page.get_by_label("Họ và tên").fill(f"Người Thử {width}")
    await page.locator("[name='sections.1']").fill("Nội dung thứ nhất")
    await page.locator("[name=phone]").fill("123")
    await _press(page, REVIEW)
    await _fits(page)
    assert await page.get_by_label("Họ và tên").input_value() == f"Người Thử {width}"
    assert await page.locator("[name='sections.1']").input_value() == "Nội dung thứ nhất"
    assert await page.locator("#loi-phone").is_visible()
    assert await page.locator("#loi-consent").is_visible()

    await page.locator("[name=phone]").fill("0912 345 678")
    await page.locator("[name=consent]").check()
    await _press(page, REVIEW)
    await _fits(page)
    assert await page.get_by_text("Nội dung thứ nhất").is_visible()
    await _press(page, SEND)
    await _fits(page)
    code = await page.locator("p.code").inner_text()
    await page.reload()
    assert await page.locator("p.code").inner_text() == code

    if width == "phone":
        await page.get_by_role("button", name="Danh mục").click()
    await page.get_by_role("navigation").get_by_role("link", name="Tra cứu phiếu").click()
    await page.get_by_label("Mã tra cứu").fill(code.replace("-", " ").lower())
    await page.get_by_role("button", name="Xem tình hình xử lý").click()
    await _fits(page)
    assert code not in page.url
    assert await page.get_by_text("Đã tiếp nhận").first.is_visible()
    await page.close()


async def _fill(page: Page, name: str) -> None:
    await page.get_by_label("Họ và tên").fill(name)
    await page.locator("[name=address]").fill("Tổ 2, phường Tô Hiệu")
    await page.locator("[name=phone]").fill("0912 345 678")
    await page.locator("[name='sections.1']").fill("Nội dung thứ nhất")
    await page.locator("[name=consent]").check()


@pytest_asyncio.fixture(scope="module")
async def paper(site: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real PDF: the blank form itself."""
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(f"{site}/son-la/ke-hoach/{PLAN}/mau-phieu.pdf")
    path = tmp_path_factory.mktemp("papers") / "Đơn của tôi.pdf"
    path.write_bytes(answer.raise_for_status().content)
    return path


@pytest.mark.parametrize("javascript", [False, True])
async def test_a_file_is_attached_reviewed_gone_back_from_and_sent(
    site: str, browser: Browser, paper: Path, javascript: bool
) -> None:
    page = await browser.new_page(java_script_enabled=javascript, viewport={"width": WIDTHS["phone"], "height": 900})
    await page.goto(f"{site}/{FORM}")
    await _fill(page, f"Người Gửi Tệp {javascript}")
    await page.locator("[name=files]").set_input_files(paper)
    await _press(page, REVIEW)
    await _fits(page)
    assert await page.get_by_text("Phiếu chưa được gửi.").is_visible()
    assert await page.get_by_text(paper.name).is_visible()

    await _press(page, CHANGE)
    await _fits(page)
    assert await page.locator("[name='sections.1']").input_value() == "Nội dung thứ nhất"
    assert await page.locator("[name=consent]").is_checked()
    await page.locator("[name='sections.2']").fill("Nội dung thứ hai")
    await _press(page, REVIEW)
    assert await page.get_by_text("Nội dung thứ hai").is_visible()
    assert await page.get_by_text(paper.name).is_visible()
    await _press(page, SEND)
    await _fits(page)
    assert await page.locator("p.code").is_visible()
    assert await page.get_by_text(paper.name).is_visible()
    await page.close()


async def test_a_draft_is_kept_only_where_it_was_asked_for_and_goes_when_the_form_is_sent(site: str, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(f"{site}/{FORM}")
    wish = page.get_by_label("Lưu bản nháp trên máy này")
    assert not await wish.is_checked()
    await page.get_by_label("Họ và tên").fill("Không Lưu")
    await page.goto(f"{site}/{FORM}")
    assert await page.get_by_label("Họ và tên").input_value() == ""

    await _fill(page, "Có Lưu")
    await wish.check()
    await page.goto(f"{site}/{FORM}")
    assert await page.get_by_text("Đã mở lại bản nháp").is_visible()
    assert await page.get_by_label("Họ và tên").input_value() == "Có Lưu"
    assert await page.locator("[name='sections.1']").input_value() == "Nội dung thứ nhất"
    assert not await page.locator("[name=consent]").is_checked()
    await page.get_by_role("button", name="Xóa bản nháp").click()
    assert await page.get_by_label("Họ và tên").input_value() == ""
    await page.goto(f"{site}/{FORM}")
    assert not await page.get_by_text("Đã mở lại bản nháp").is_visible()

    await _fill(page, "Có Gửi")
    await wish.check()
    await _press(page, REVIEW)
    await _press(page, SEND)
    assert await page.locator("p.code").is_visible()
    assert await page.evaluate("localStorage.length") == 0
    await page.close()


async def test_sending_without_a_connection_keeps_everything_and_says_so(site: str, browser: Browser, paper: Path) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{site}/{FORM}")
    await _fill(page, "Người Mất Mạng")
    await page.locator("[name=files]").set_input_files(paper)
    await context.set_offline(True)
    await page.get_by_role("button", name=REVIEW).click()
    await page.get_by_text("Chưa gửi được: không có kết nối").wait_for()
    assert await page.get_by_label("Họ và tên").input_value() == "Người Mất Mạng"
    await context.set_offline(False)
    await _press(page, REVIEW)
    assert await page.get_by_text(paper.name).is_visible()
    await context.set_offline(True)
    await page.get_by_role("button", name=SEND).click()
    await page.get_by_text("Chưa gửi được: không có kết nối").wait_for()
    await context.set_offline(False)
    await _press(page, SEND)
    assert await page.locator("p.code").is_visible()
    await context.close()
