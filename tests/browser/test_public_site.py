"""The public site in a real browser, on sample data: a phone without JavaScript, and what JavaScript adds to the form."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.visiting import Visitor
from tests.site import ANSWERS, PLAN, public_site
from tests.stack import served
from tests.unit.test_site_pages import PAGES

pytestmark = [pytest.mark.browser]


@pytest_asyncio.fixture(scope="module")
async def site() -> AsyncIterator[str]:
    """The address of intake on sample data."""
    app, _ = public_site()
    async with served(app) as address:
        yield address


async def test_every_page_is_in_order_on_a_phone_without_javascript(site: str, browser: Browser) -> None:
    somebody = await Visitor.arriving(browser, site)
    for path in PAGES:
        await somebody.open(path)
    assert {address.split("/")[2] for address in somebody.addresses} == {site.split("/")[2]}, "nothing comes from elsewhere"
    await somebody.leave()


async def test_the_navigation_opens_without_javascript_and_by_keyboard(site: str, browser: Browser) -> None:
    somebody = await Visitor.arriving(browser, site)
    await somebody.open("/son-la/")
    link = somebody.page.get_by_role("link", name="Hỏi đáp", exact=True)
    assert not await link.is_visible()
    button = somebody.page.get_by_role("button", name="Danh mục")
    await button.focus()
    await somebody.page.keyboard.press("Enter")
    await link.click()
    await somebody.page.wait_for_url("**/son-la/hoi-dap")
    await somebody.open("/son-la/hoi-dap")
    await somebody.tab_through()
    await somebody.leave()


async def test_an_answer_is_searched_and_read_without_accents(site: str, browser: Browser) -> None:
    somebody = await Visitor.arriving(browser, site)
    await somebody.open("/son-la/hoi-dap")
    await somebody.fill({"q": "nhan hieu tap the"})
    await somebody.press("Tìm")
    assert await somebody.sees("1 câu trả lời")
    await somebody.follow(ANSWERS[2][1])
    assert await somebody.sees(ANSWERS[2][2][:60])
    await somebody.leave()


@pytest.mark.parametrize(("form", "name"), [(f"dang-ky/{PLAN}", "sections.2"), ("phan-anh-kien-nghi", "text")])
async def test_earlier_answers_are_offered_while_typing_and_nothing_typed_is_lost(
    site: str, browser: Browser, form: str, name: str
) -> None:
    page = await browser.new_page(viewport={"width": 390, "height": 900})
    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    await page.goto(f"{site}/son-la/{form}")
    field, typed = page.locator(f"[name='{name}']"), "Hợp tác xã muốn đăng ký nhãn hiệu tập thể cho chè"
    async with page.expect_response("**/hoi-dap/goi-y") as asked:
        await field.fill(typed)
    request = (await asked.value).request
    assert "nhan" not in request.url.lower().removesuffix("goi-y")
    offered = page.locator(".suggestions:visible")
    await offered.get_by_role("link", name="nhãn hiệu tập thể").wait_for()
    assert await page.get_by_role("status").filter(has_text="câu hỏi tương tự").count() == 1
    assert await field.evaluate("e => e === document.activeElement"), "typing goes on"

    await page.keyboard.press("Tab")
    assert "Có phải Ông/Bà muốn hỏi" in await page.evaluate("document.activeElement.innerText")
    await page.keyboard.press("Tab")
    async with page.context.expect_page() as opened:
        await page.keyboard.press("Enter")
    other = await opened.value
    await other.get_by_role("heading", level=1).wait_for()
    assert await other.get_by_role("heading", level=1).inner_text() == ANSWERS[2][1]
    assert await field.input_value() == typed

    async with page.expect_response("**/hoi-dap/goi-y"):
        await field.fill("Chuyện này chưa ai hỏi bao giờ")
    await offered.wait_for(state="hidden")
    assert broken == []
    await page.close()
