"""The proof of work in a real browser, under the pages' own policy: made while a person types, never in the way, never a wall."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Page, expect

from services.intake.surveys.domain import Point
from services.intake.surveys.store import POINTS, PointStore
from tests.browser.visiting import ELSEWHERE
from tests.intake import NOW, PLAN, Running, running_intake
from tests.stack import served
from tests.unit.test_attachments import PDF_BYTES

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@dataclass
class Site:
    """Intake on a port, asking for proofs."""

    intake: Running
    port: int

    def form(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/son-la/dang-ky/{PLAN}"

    async def held(self) -> int:
        return await self.intake.database["held"].count_documents({})


@pytest_asyncio.fixture(scope="module")
async def site(mongodb_url: str) -> AsyncIterator[Site]:
    async with running_intake(mongodb_url, proof_cost=10) as intake, served(intake.app) as address:
        yield Site(intake, urlsplit(address).port or 0)


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page on which nothing may go wrong unseen: no error of a script, nothing that the policy has to forbid."""
    page = await browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    yield page
    await page.close()
    assert complaints == []


async def fill(page: Page, name: str) -> None:
    await page.get_by_label("Họ và tên").fill(name)
    await page.locator("[name=address]").fill("Tổ 2, phường Tô Hiệu")
    await page.locator("[name=phone]").fill("0912 345 678")
    await page.locator("[name='sections.1']").fill("Hồ sơ đăng ký đề tài cần những giấy tờ gì?")
    await page.locator("[name=consent]").check()


async def review(page: Page) -> int:
    """To the page that is sent from, if the form is looked at once more before; how many pages that is further."""
    button = page.get_by_role("button", name="Xem lại và gửi phiếu")
    if not await button.count():
        return 0
    async with page.expect_navigation():
        await button.click()
    return 1


async def send(page: Page) -> int:
    """Send the form; how many pages the receipt is further."""
    pages = await review(page)
    await page.get_by_role("button", name="Gửi phiếu đăng ký").click()
    await expect(page.get_by_role("heading", name="Đã tiếp nhận phiếu đăng ký")).to_be_visible()
    return pages + 1


async def test_it_is_made_while_a_person_types_and_says_so(site: Site, page: Page) -> None:
    before = await site.held()
    await page.goto(site.form())
    status = page.locator(".proof [role=status]")
    await expect(status).to_contain_text("không phải làm gì thêm")
    assert await page.locator("[name=altcha]").input_value() == "", "nothing is computed for who only reads"
    await page.get_by_label("Họ và tên").press_sequentially("L")
    await expect(status).to_have_text("Đã tự kiểm tra xong.")
    await fill(page, "Lò Văn Gõ")
    await send(page)
    assert await site.held() == before
    assert await page.get_by_text("kiểm tra phiếu trước khi chuyển").count() == 0


async def test_who_is_faster_than_the_proof_waits_for_it_and_then_it_is_sent(site: Site, page: Page) -> None:
    before = await site.held()
    delayed: list[bool] = []

    async def late(route: object) -> None:
        delayed.append(True)
        await asyncio.sleep(0.3)
        await route.continue_()  # type: ignore[attr-defined]

    await page.route("**/altcha-worker.js*", late)
    await page.goto(site.form())
    await fill(page, "Lò Văn Nhanh")
    await send(page)
    assert delayed
    assert await site.held() == before


async def test_after_two_hours_the_challenge_is_renewed_by_itself(site: Site, page: Page) -> None:
    before = await site.held()
    await page.clock.install()
    await page.goto(site.form())
    await fill(page, "Lò Văn Chậm")
    await expect(page.locator("[name=altcha]")).not_to_have_value("")
    await review(page)
    await page.clock.fast_forward("02:00:00")
    async with page.expect_request("**/thu-thach"):
        await page.get_by_role("button", name="Gửi phiếu đăng ký").click()
    await expect(page.get_by_role("heading", name="Đã tiếp nhận phiếu đăng ký")).to_be_visible()
    assert await site.held() == before


async def test_going_back_and_sending_something_else_takes_another_proof(site: Site, page: Page) -> None:
    before = await site.held()
    await page.goto(site.form())
    await fill(page, "Lò Văn Lại")
    pages = await send(page)
    await page.evaluate(f"history.go({-pages})")
    await expect(page.locator("[name='sections.1']")).to_be_visible()
    await fill(page, "Lò Văn Lại Lần Nữa")
    await send(page)
    assert await site.held() == before


async def test_a_mistake_is_put_right_and_a_keyboard_never_meets_the_trap(site: Site, page: Page) -> None:
    before = await site.held()
    await page.goto(site.form())
    await fill(page, "Lò Văn Sửa")
    await page.locator("[name=phone]").fill("12")
    await page.get_by_role("button", name="gửi phiếu").click()
    await expect(page.locator("#loi-phone")).to_be_visible()
    await page.locator("[name=phone]").fill("0912 345 678")
    await page.locator("[name=consent]").focus()
    focused = "document.activeElement.name + '/' + document.activeElement.innerText"
    while "gửi phiếu" not in (met := str(await page.evaluate(focused)).casefold()):
        assert "trang_web" not in met
        await page.keyboard.press("Tab")
    trap = page.locator("[name=trang_web]")
    assert not re.search("trang_web|Xin để trống", await page.locator("form").aria_snapshot())
    box = await trap.bounding_box()
    assert box is None or box["x"] + box["width"] < 0
    await send(page)
    assert await site.held() == before


async def test_feedback_and_survey_are_proven_while_they_are_filled_in(site: Site, page: Page) -> None:
    before = await site.held()
    address = site.form().partition("/dang-ky/")[0]
    await page.goto(f"{address}/phan-anh-kien-nghi")
    await page.locator("[name=text]").fill("Đề nghị rút ngắn thời gian kiểm định.")
    await page.get_by_label("Họ và tên").fill("Lò Văn Phản Ánh")
    await page.locator("[name=group][value='7']").check()
    await page.get_by_label("Lưu bản nháp trên máy này").check()
    await page.goto(f"{address}/phan-anh-kien-nghi")
    await expect(page.get_by_text("Đã mở lại bản nháp")).to_be_visible()
    await expect(page.locator("[name=text]")).to_have_value("Đề nghị rút ngắn thời gian kiểm định.")
    await expect(page.get_by_label("Họ và tên")).to_have_value("Lò Văn Phản Ánh")
    await expect(page.locator("[name=group][value='7']")).to_be_checked()
    scan = FilePayload(name="đơn.pdf", mimeType="application/pdf", buffer=PDF_BYTES)
    await page.get_by_label("Tệp đính kèm").set_input_files(scan)
    await page.locator("[name=address]").fill("Tổ 2, phường Tô Hiệu")
    await page.locator("[name=phone]").fill("0912 345 679")
    await page.locator("[name=consent]").check()
    await page.get_by_role("button", name="Xem lại và gửi").click()
    await expect(page.get_by_text("Phản ánh, kiến nghị chưa được gửi.")).to_be_visible()
    await page.get_by_role("button", name="Gửi phản ánh, kiến nghị").click()
    await expect(page.locator("p.code")).to_be_visible()
    await expect(page.get_by_text("đơn.pdf (1 KB)")).to_be_visible()
    await expect(page.get_by_role("button", name="In trang này")).to_be_visible()
    await expect(page.get_by_role("button", name="Sao chép mã")).to_be_visible()
    assert await page.evaluate("localStorage.length") == 0, "what is sent is no draft any more"
    assert await site.held() == before

    point = Point("ACDEHKMN", "son-la", "van-phong", None, closed=False)
    await PointStore(site.intake.database[POINTS.name]).make(point, NOW, "van.phong")
    await page.goto(f"{address}/khao-sat/acde-hkmn")
    await page.get_by_role("group", name="Thái độ").get_by_label("Rất hài lòng", exact=True).check()
    await page.get_by_role("button", name="Gửi đánh giá").click()
    await expect(page.get_by_role("heading", name="Cảm ơn Ông/Bà đã đánh giá")).to_be_visible()
    stored = await site.intake.database["surveys"].find_one({})
    assert stored is not None
    assert "unproven" not in stored


@pytest.mark.parametrize("way", ["no script", "no secure context"])
async def test_without_it_the_form_is_taken_and_the_person_told(site: Site, browser: Browser, way: str) -> None:
    before = await site.held()
    page = await browser.new_page(java_script_enabled=way != "no script", viewport={"width": 390, "height": 844})
    page.set_default_timeout(15_000)
    await page.goto(site.form(ELSEWHERE if way == "no secure context" else "127.0.0.1"))
    await expect(page.get_by_text("Ông/Bà vẫn gửi được: Văn phòng Sở xem trước khi chuyển")).to_be_visible()
    await fill(page, f"Người Thử {way}")
    await send(page)
    await expect(page.get_by_role("heading", name="Văn phòng Sở kiểm tra phiếu trước khi chuyển")).to_be_visible()
    assert await site.held() == before + 1
    code = await page.locator("p.code").inner_text()
    await page.goto(page.url.partition("/son-la/")[0] + "/son-la/tra-cuu")
    await page.locator("main [name=code]").fill(code)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Đang được kiểm tra trước khi chuyển")).to_be_visible()
    await page.close()
