"""Plans and dialogues in memory: read by one for all, and shown on when MongoDB does not answer."""

import asyncio
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from services.intake.announcements import Announcements


class Reads:
    """A store whose reads end when the test says so."""

    def __init__(self) -> None:
        self.count = 0
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def plans(self, agency: str) -> tuple[Any, ...]:
        self.count += 1
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return (agency,)


async def test_all_who_ask_before_the_first_read_ends_share_it() -> None:
    reads = Reads()
    announcements = Announcements(reads)  # type: ignore[arg-type]
    asking = [asyncio.create_task(announcements.plans("son-la")) for _ in range(100)]
    await asyncio.sleep(0)
    asking[0].cancel()  # whoever began it may go away
    reads.go_on.set()
    assert await asyncio.gather(*asking[1:]) == [("son-la",)] * 99
    assert reads.count == 1


async def test_what_was_never_read_is_read_anew_after_a_failure_and_what_was_is_shown_on() -> None:
    reads, now = Reads(), 0.0
    announcements = Announcements(reads, monotonic=lambda: now)  # type: ignore[arg-type]
    reads.go_on.set()
    reads.error = AutoReconnect()
    with pytest.raises(AutoReconnect):
        await announcements.plans("son-la")
    reads.error = None
    assert await announcements.plans("son-la") == ("son-la",)
    now, reads.error = 10.0, AutoReconnect()
    assert await announcements.plans("son-la") == ("son-la",)
    assert reads.count == 3
