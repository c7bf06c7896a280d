"""The office, which looks at the forms that are held and lets some of them go on, at its own page and through every fault; beside
it the desks at which questions move on (`tests/faults/desk.py`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import date
from uuid import UUID

from cli.browser import Browser, UnexpectedAnswer
from cli.up import sign_ins
from deploy.local.stack import LocalStack
from tests.faults.desk import NOT_NOW, PATIENCE, Desk
from tests.faults.load import Load, Sent
from tests.faults.watching import Watcher
from tests.waiting import eventually

EVERY = 2.0
_DONE = "Đã chuyển để phân loại"


class Office:
    """One person in each agency. A form counts as let go when the page said so; until then the button is pressed again."""

    def __init__(self, stack: LocalStack, watcher: Watcher, load: Load) -> None:
        self._stack, self._watcher, self._load = stack, watcher, load
        self._browsers: dict[str, Browser] = {}
        self._desk = Desk(stack, watcher, load)
        self._on_their_way = 0

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Let go what is to be let go, every few seconds while the block runs. It is told to stop and not cancelled: a query that
        is cancelled fails like one that a fault met.
        """
        going_home = asyncio.Event()
        working = asyncio.create_task(self._work(going_home))
        try:
            yield
        finally:
            going_home.set()
            await working

    async def enter_day_off(self, agency: str, day: date) -> None:
        """A day off in the calendar, with which routing, intake and reporting count from then on."""
        await asyncio.to_thread(self._enter, agency, day)

    def _enter(self, agency: str, day: date) -> None:
        fields = {"what": "day_off", "day": day.isoformat(), "name": "Nghỉ thử nghiệm", "reason": "Thông báo thử nghiệm"}
        browser = self._browsers.get(agency) or self._signed_in(agency)
        told = browser.submit(f"/{agency}/can-bo/lich", "", fields, having="reason")
        assert fields["name"] in told.text

    async def _work(self, going_home: asyncio.Event) -> None:
        while not going_home.is_set():
            await self._look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(going_home.wait(), EVERY)

    async def finish(self, timeout: float = 240) -> None:  # noqa: ASYNC109
        """Let go what is left, and move what is to be moved, which routing may get to only later."""
        await eventually(self._is_done, timeout, every=0.5)

    async def _is_done(self) -> bool:
        await self._look()
        left = self._load.to_release()
        assert not left, f"the office could not let go {len(left)} forms"
        assert not self._on_their_way, f"{self._on_their_way} questions could not be moved"
        return True

    async def _look(self) -> None:
        waiting = self._load.to_release()
        for agency in sorted({sent.agency for sent in waiting}):
            with contextlib.suppress(*NOT_NOW):
                await self._let_go(agency, [sent for sent in waiting if sent.agency == agency])
        with contextlib.suppress(*NOT_NOW):
            self._on_their_way = await self._desk.look()

    async def _let_go(self, agency: str, forms: Sequence[Sent]) -> None:
        # What an earlier press let go without an answer is not held any more.
        query = {"agency": agency, "case_number": {"$in": [sent.case_number for sent in forms]}}
        async with asyncio.timeout(PATIENCE):
            held = [row["_id"] for row in await self._watcher.rows("intake", "held", query, fields=["_id"])]
        if held:
            await asyncio.to_thread(self._press, agency, held)
        for sent in forms:
            self._load.note_released(sent)

    def _press(self, agency: str, held: Sequence[UUID]) -> None:
        browser = self._browsers.get(agency) or self._signed_in(agency)
        try:
            page = browser.get(f"/{agency}/tiep-nhan/cho-kiem-tra")
            told = browser.send(page, page.form(having="chosen"), {"chosen": held, "act": "release"})
            if _DONE not in told.text:
                raise UnexpectedAnswer(f"{told.url} does not say that it is done")
        except UnexpectedAnswer:  # whoever is signed out signs in again
            self._browsers.pop(agency).close()
            raise

    def _signed_in(self, agency: str) -> Browser:
        account = next(a for a in sign_ins(self._stack) if a["agency"] == agency and a["role"] == "office")
        browser = Browser(self._stack.public_url)
        fields = {"username": account["login"], "password": account["password"]}
        browser.submit(f"/{agency}/can-bo/dang-nhap", "", fields, having="password")
        self._browsers[agency] = browser
        return browser

    async def close(self) -> None:
        for browser in self._browsers.values():
            browser.close()
        await self._desk.close()
