"""The main job as `doithoai demo` does it: every step of its journey, on the whole stack, with its own state and clock; and every
page that it leaves behind, as it is seen by each who may open it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser

from cli.demo.book import Registrant
from cli.demo.checks import Checks
from cli.demo.command import stack_for_demo
from cli.demo.context import Demo
from cli.demo.journey import STEPS, Step, demo_on
from contracts.model import Channel, QuestionState
from tests.browser.judging import Judged
from tests.browser.pages import survey
from tests.stack import QUICK, start_everything
from tests.waiting import eventually

pytestmark = pytest.mark.stack
AGENCY = "son-la"
STAFF = ("vanphong", "chanhvanphong", "khoahoc.chuyenvien", "khoahoc.truong", "giamdoc", "kstthc", "quantri")
DESK = f"/{AGENCY}/can-bo/"
REGISTRANT = "registrant"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    state: Path = tmp_path_factory.mktemp("demo")
    stack, clock = stack_for_demo(state)
    with stack:
        start_everything(stack, QUICK)
        made = demo_on(stack, clock)
        yield made
        made.close()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.run.__name__)
def test_a_step_of_the_main_job(demo: Demo, step: Step) -> None:
    """In their order: each goes on from where the one before has ended."""
    before = len(demo.checks.failures)
    step.run(demo)
    assert not [str(failure) for failure in demo.checks.failures[before:]]


@pytest.mark.browser
async def test_every_page_is_good_for_everybody(demo: Demo, browser: Browser, screens: Path | None) -> None:
    """After the steps: plans, cases, letters and reports are full, and no page of the four services is left out."""
    async with AsyncExitStack() as doors:
        people = {"": await doors.enter_async_context(httpx.AsyncClient(base_url=demo.site))}
        for who in STAFF:
            people[who] = await doors.enter_async_context(httpx.AsyncClient(base_url=demo.site, timeout=15.0))
            await sign_in(demo, people[who], who)
        starts = {who: [DESK] for who in STAFF} | {"": [f"/{AGENCY}/", "/", "/api/docs"]}
        paper = next(r for r in demo.books[0].latecomers if r.channel is Channel.PAPER)
        starts["vanphong"] += [f"{DESK}den-sau-han", f"/{AGENCY}/tiep-nhan/{paper.page.rsplit('/', 1)[-1]}"]
        person = next(r for r in demo.books[0].registrants if r.code and r.registered)
        people[REGISTRANT] = await doors.enter_async_context(httpx.AsyncClient(base_url=demo.site))
        await people[REGISTRANT].post(f"/{AGENCY}/tra-cuu", data={"code": person.code})
        starts[REGISTRANT] = [f"/{AGENCY}/tra-cuu/phieu"]
        starts["vanphong"].append(await asyncio.to_thread(leave_more, demo, person))
        await eventually(lambda: answers(people[""], f"/{AGENCY}/hoi-dap/"))
        found = await survey(people, starts)
        sessions = {
            who: [{"name": n, "value": v, "url": demo.site} for n, v in client.cookies.items()] for who, client in people.items()
        }
    judged = Judged(browser, demo.site, sessions, screens)
    await judged.look_at(found.pages)
    assert not found.broken, "\n".join(found.broken)
    assert not judged.report(), judged.report()
    assert not found.forgotten(), "\n".join(found.forgotten())


def leave_more(demo: Demo, person: Registrant) -> str:
    """What the journey does not leave behind: a published answer, a request about personal data, and feedback typed in, whose
    address is returned.
    """
    book = demo.books[0]
    office = demo.office(book)
    answered = next(c for c in person.contents if c.outcome is QuestionState.RESOLVED)
    wording = {"public_question": "Thời hạn cấp giấy phép?", "public_answer": "Trong 15 ngày làm việc."}
    office.submit(f"{answered.page}/cong-khai", "cong-khai", wording, having="public_question")
    with demo.visitor() as registrant:
        registrant.submit(f"/{AGENCY}/tra-cuu", "tra-cuu", {"code": person.code}, having="code")
        registrant.submit(f"/{AGENCY}/tra-cuu/du-lieu", "du-lieu", {"what": "see"}, having="what")
    typed = {"channel": "paper", "name": "Lò Thị Mẫu", "address": "Thành phố Sơn La", "phone": "0912345678", "group": "2"}
    entered = f"/{AGENCY}/tiep-nhan/phan-anh"
    page = office.submit(entered, "phan-anh", {**typed, "text": "Thời hạn kiểm định dài."}, having="text")
    return str(urlsplit(page.url).path)


async def answers(client: httpx.AsyncClient, link: str) -> bool:
    """Whether the list of published answers leads to one."""
    return f'href="{link}' in (await client.get(f"/{AGENCY}/hoi-dap")).text


async def sign_in(demo: Demo, client: httpx.AsyncClient, who: str) -> None:
    password = demo.passwords[(AGENCY, who)]
    answer = await client.post(f"{DESK}dang-nhap", data={"username": who, "password": password})
    assert answer.status_code == 303, who


def test_a_check_that_fails_says_what_was_expected_and_what_was_seen() -> None:
    checks = Checks()
    checks.equal("cases", 3, 2)
    checks.contains("the page", "Đã tiếp nhận", "Đã tiếp nhận", "mã tra cứu")
    checks.lacks("the page", "Lò Văn Thử", "Lò Văn Thử")
    checks.equal("cases", 3, 3)
    assert (checks.done, len(checks.failures)) == (4, 3)
    assert str(checks.failures[0]) == "cases: expected 3, saw 2"
    assert "mã tra cứu" in str(checks.failures[1])
