"""Both agencies' forms in a real browser without JavaScript, at the width of a phone and of a desk."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from tests.intake import Running, dialogue, plan, running_intake

pytestmark = [pytest.mark.stack, pytest.mark.browser]
WIDTHS = {"phone": 390, "desk": 1280}


@pytest_asyncio.fixture(scope="module")
async def site(mongodb_url: str) -> AsyncIterator[str]:
    """The address of intake with an open dialogue in both agencies."""
    async with running_intake(mongodb_url) as intake:
        await _announce_bac_kan(intake)
        server = uvicorn.Server(uvicorn.Config(intake.app, port=0, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve())
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
                await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        await serving


async def _announce_bac_kan(intake: Running) -> None:
    await intake.announce(("bac-kan-2026", plan()), ("bac-kan-2026-1", dialogue(plan="bac-kan-2026")))


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


async def _send(page: Page) -> None:
    await page.get_by_role("button", name="Gửi phiếu đăng ký").click()


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
    await _send(page)
    await _fits(page)
    assert await page.get_by_label("Họ và tên").input_value() == f"Người Thử {width}"
    assert await page.locator("[name='sections.1']").input_value() == "Nội dung thứ nhất"
    assert await page.locator("#loi-phone").is_visible()
    assert await page.locator("#loi-consent").is_visible()

    await page.locator("[name=phone]").fill("0912 345 678")
    await page.locator("[name=consent]").check()
    await _send(page)
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
