"""The public site in the states that people meet it in: before, during and after registration, with and without content.

What it looks like after a whole job, and the pages of staff, are in tests/integration/test_demo.py.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from cli.serve import Service
from contracts.model import PublicNotice
from tests.browser.judging import Judged
from tests.browser.pages import NO_PAGES, Found, routes, survey
from tests.intake import NOW, PLAN, dialogue, plan, running_intake
from tests.stack import served

EARLY, LATE, UNDATED = f"{PLAN}-som", f"{PLAN}-muon", f"{PLAN}-chua-dinh"


@pytest_asyncio.fixture(scope="module")
async def site(mongodb_url: str) -> AsyncIterator[str]:
    """Sơn La with plans in every state, Bắc Kạn with none."""
    async with running_intake(mongodb_url) as intake, served(intake.app) as address:
        day = timedelta(days=1)
        held = {"status": "held", "starts_at": NOW - 9 * day, "closes_at": NOW - 19 * day}
        await intake.announce(
            (EARLY, plan(number="06/KH-SKHCN", title="Kế hoạch chưa mở", opens_at=NOW + 9 * day)),
            (f"{EARLY}-1", dialogue(plan=EARLY, ordinal=5, opens_at=NOW + 9 * day)),
            (LATE, plan(number="04/KH-SKHCN", title="Kế hoạch hết hạn")),
            (f"{LATE}-1", dialogue(plan=LATE, ordinal=4, closes_at=NOW - day)),
            (f"{LATE}-2", dialogue(plan=LATE, ordinal=2, status="cancelled")),
            (f"{LATE}-3", dialogue(plan=LATE, ordinal=3, notice=_NOTICE, **held)),
            (UNDATED, plan(number="07/KH-SKHCN", title="Kế hoạch chưa định ngày")),
        )
        yield address


_NOTICE = PublicNotice.model_validate(
    {
        "number": "12/TB-SKHCN",
        "issued_on": (NOW - timedelta(days=3)).date(),
        "opening": "Sở đã tổ chức Hội nghị đối thoại.",
        "items": [{"heading": "Nội dung số 1", "text": "Chi cục trả lời bằng văn bản."}],
        "closing": "Trên đây là kết luận.",
    }
)


@pytest.mark.stack
@pytest.mark.browser
async def test_every_public_page_is_good_for_everybody(site: str, browser: Browser, screens: Path | None) -> None:
    async with httpx.AsyncClient(base_url=site) as client:
        found = await survey({"": client}, {"": ["/", "/son-la/", "/bac-kan/"]}, [Service.INTAKE], kept=6)
    unknown = [Found("/son-la/khong-co-trang-nay"), Found("/khong-co-so/")]
    judged = Judged(browser, site, {}, screens / "mo-dang-ky" if screens else None)
    await judged.look_at([*found.pages, *unknown])
    assert not found.broken, "\n".join(found.broken)
    assert not judged.report(), judged.report()


def test_what_is_said_to_be_no_page_exists() -> None:
    assert NO_PAGES.keys() - {route.path for route in routes()} == set()
