"""The survey in a real browser without JavaScript, with the keyboard alone, on a phone and at a desk."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from pydantic import SecretStr

from kit.surveylinks import SurveyLinks
from services.intake.surveys.domain import Point
from services.intake.surveys.store import POINTS, PointStore
from tests.browser.visiting import Visitor, assert_nothing_personal
from tests.intake import NOW, Running, running_intake
from tests.stack import served

pytestmark = [pytest.mark.stack, pytest.mark.browser]
WORDS = "Bàn viết hơi thấp"


@pytest_asyncio.fixture(scope="module")
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url, announced=False) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def site(intake: Running) -> AsyncIterator[str]:
    async with served(intake.app) as address:
        yield address


async def _press(person: Visitor, *keys: str) -> None:
    for key in keys:
        await person.page.keyboard.press(key)


async def test_the_survey_is_answered_with_the_keyboard_alone_one_person_after_the_other(
    intake: Running, site: str, browser: Browser
) -> None:
    point = Point("ACDEHKMN", "son-la", "van-phong", None, closed=False)
    await PointStore(intake.database[POINTS.name]).make(point, NOW, "van.phong")
    person = await Visitor.arriving(browser, site)
    await person.open("/son-la/khao-sat/acde-hkmn")
    reached = await person.tab_through()
    asked = [what for what in reached if what in ("time", "attitude", "clarity", "result", "text", "Gửi đánh giá")]
    assert asked == ["time", "attitude", "clarity", "result", "text", "Gửi đánh giá"]

    await person.page.get_by_role("group", name="Thời gian").get_by_label("Rất không hài lòng").focus()
    # Space chooses the first, arrows go on from there; nothing is said about the third.
    await _press(person, "Space", "ArrowDown", "ArrowDown", "ArrowDown", "Tab", "Space", "Tab", "Tab", "Space", "Tab")
    await person.page.keyboard.type(WORDS)
    await _press(person, "Tab")
    async with person.page.expect_navigation():
        await _press(person, "Enter")
    await person.look()
    assert await person.sees("Cảm ơn Ông/Bà đã đánh giá")
    stored = await intake.database["surveys"].find_one({"counter": point.slug})
    assert stored is not None
    assert (stored["marks"], stored["text"]) == ({"time": 4, "attitude": 1, "result": 1}, WORDS)

    await person.follow("Phiếu mới")
    assert await person.page.locator("input:checked").count() == 0
    await person.press("Gửi đánh giá")
    assert await person.sees("Xin Ông/Bà cho ý kiến về ít nhất một mục.")
    assert_nothing_personal(person.addresses, [WORDS])
    await person.leave()


async def test_a_links_survey_fits_a_phone_and_a_second_answer_is_told_courteously(site: str, browser: Browser) -> None:
    token = SurveyLinks(SecretStr("s" * 40)).token("bac-kan", uuid4(), NOW + timedelta(days=1))
    person = await Visitor.arriving(browser, site)
    await person.open(f"/bac-kan/khao-sat/{token}")
    choices = person.page.locator("label.choice")
    heights = [box["height"] for box in [await choice.bounding_box() for choice in await choices.all()] if box]
    assert len(heights) == 20
    assert min(heights) >= 44  # for a thumb
    await person.page.get_by_role("group", name="Thái độ").get_by_label("Rất hài lòng", exact=True).check()
    await person.press("Gửi đánh giá")
    assert await person.sees("Cảm ơn Ông/Bà đã đánh giá")
    await person.open(f"/bac-kan/khao-sat/{token}")
    assert await person.sees("đã được ghi nhận trước đó")
    await person.open("/bac-kan/khao-sat/acde-hkmn")
    assert await person.sees("Không tìm thấy phiếu khảo sát")
    await person.leave()
