"""The whole way of a registrant with nothing but the keyboard, with scripts on a desk and without them on a phone."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.judging import judge
from tests.browser.visiting import FOCUSED, PHONE, Visitor, assert_nothing_personal
from tests.intake import dialogue, plan, running_intake
from tests.stack import served

pytestmark = [pytest.mark.stack, pytest.mark.browser]

PERSON = {
    "name": "Hà Thị Bàn Phím",
    "address": "Bản Thử, xã Mẫu",
    "phone": "0912 345 678",
    "sections.1": "Hồ sơ đăng ký đề tài cấp tỉnh cần những giấy tờ gì?",
    "email": "ban.phim@nguoi.example",
}
ANSWERS = PERSON | {"preferred_way": "phone", "consent": "yes"}
PAGES_OF_A_FORM = 4
"""The form, what comes to be checked before it is sent, and what may yet come between: no more than so many."""


@pytest_asyncio.fixture(scope="module")
async def site(mongodb_url: str) -> AsyncIterator[str]:
    """Intake with an open dialogue in both agencies."""
    async with running_intake(mongodb_url) as intake, served(intake.app) as address:
        await intake.announce(("bac-kan-2026", plan()), ("bac-kan-2026-1", dialogue(plan="bac-kan-2026")))
        yield address


class Typist:
    """Somebody who has a keyboard only: Tab, Shift and Tab, Space, Enter, the arrows, and what is typed."""

    def __init__(self, visitor: Visitor, *, scripts: bool) -> None:
        self._visitor = visitor
        self._scripts = scripts
        self.page = visitor.page
        self._press = visitor.page.keyboard.press

    async def arrive(self, path: str) -> None:
        await self.page.goto(self._visitor.base + path)
        await self._look()

    async def tab(self) -> dict[str, Any]:
        """The next stop: further on in the page than the one before, in sight, and seen to have the focus."""
        await self._press("Tab")
        stop: dict[str, Any] | None = await self.page.evaluate(FOCUSED)
        assert stop is not None, f"the end of {self.page.url} before what was looked for"
        assert stop["onward"], f"not in the order of the page: {stop['html']}"
        assert stop["seen"], f"has the focus unseen: {stop['html']}"
        return stop

    async def to(self, selector: str) -> None:
        """On to what the selector names."""
        while not await self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            await self.tab()

    async def fill_in(self, answers: Mapping[str, str]) -> None:
        """Through the form to the button that sends it, giving what is asked for and not given yet."""
        while not (stop := await self.tab())["sends"]:
            wanted = answers.get(stop["name"], "")
            if not wanted or (stop["value"] == wanted and stop["type"] != "checkbox"):
                continue
            match stop["type"]:
                case "checkbox":
                    if not stop["checked"]:
                        await self._press("Space")
                case "radio":
                    await self._choose(wanted)
                case _:  # the Tab key has selected what stood in the field
                    await self.page.keyboard.type(wanted)

    async def _choose(self, wanted: str) -> None:
        await self._press("Space")
        while await self.page.evaluate("document.activeElement.value") != wanted:
            await self._press("ArrowDown")
        assert await self.page.evaluate("document.activeElement.checked")

    async def enter(self) -> None:
        """Press what has the focus, and look at the page that comes."""
        async with self.page.expect_navigation():
            await self._press("Enter")
        await self._look()

    async def follow(self, selector: str) -> None:
        await self.to(selector)
        await self.enter()

    async def back_to_the_first_error(self) -> str:
        """The list of what is wrong has the focus; its first line leads to the field, whose name is returned."""
        assert await self.page.evaluate("document.activeElement.matches('.notice.danger')")
        await self.tab()
        await self._press("Enter")
        name: str = await self.page.evaluate("document.activeElement.name")
        await self._press("Shift+Tab")
        await self.page.evaluate(FOCUSED)
        return name

    async def _look(self) -> None:
        await self._visitor.look()
        if self._scripts:
            complaints = await judge(self.page)
            assert not complaints, "\n".join([self.page.url, *complaints])


@pytest.mark.parametrize(("agency", "scripts", "width"), [("son-la", True, 1280), ("bac-kan", False, PHONE)])
async def test_a_registrant_goes_the_whole_way_with_the_keyboard(
    site: str, browser: Browser, agency: str, scripts: bool, width: int
) -> None:
    visitor = await Visitor.arriving(browser, site, scripts=scripts, width=width)
    typist = Typist(visitor, scripts=scripts)
    await typist.arrive(f"/{agency}/")
    assert (await typist.tab())["what"] == "Đến nội dung chính"
    await typist.follow("main a[href*='/ke-hoach/']:not([href$='.pdf'], [href$='.docx'])")
    await typist.follow("main a[href*='/dang-ky/']")

    await typist.fill_in(ANSWERS | {"phone": "12"})
    await typist.enter()
    assert await typist.back_to_the_first_error() == "phone"
    for _ in range(PAGES_OF_A_FORM):
        await typist.fill_in(ANSWERS)
        await typist.enter()
        if await typist.page.locator("p.code").count():
            break
    code = await typist.page.locator("p.code").inner_text()

    await typist.follow("a[href$='/tra-cuu']")
    await typist.fill_in({"code": code.lower()})
    await typist.enter()
    assert await visitor.sees("Đã tiếp nhận")
    assert_nothing_personal(visitor.addresses, [*PERSON.values(), code])
    await visitor.leave()
