"""Row 10: every link refused, a black hole, half open, slow."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.ports import SERVICES
from tests.faults.links import Link
from tests.faults.row import Row, row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SECONDS = 6
LONGER_THAN_A_PRODUCER_WAITS = 27
"""A producer gives a record up after 15 s; a new one takes 10 s to find nobody."""
GIVEN_UP = "event_publish_failures_total"
FAULTS: dict[str, Callable[[Link], None]] = {
    "refused": Link.refuse,
    "black hole": Link.hold,
    "half open": Link.forget,
    "slow": lambda link: link.slow(20_000),
}


@pytest.mark.parametrize("to", ["mongodb", "kafka", "smtp"])
async def test_row10_links_are_cut(tmp_path: Path, to: str) -> None:
    links = {"notify": ("smtp",)} if to == "smtp" else dict.fromkeys(SERVICES, (to,))
    async with row(f"10 link to {to}", tmp_path, links=links) as r:
        async with r.loaded(30):
            for name, fault in FAULTS.items():
                await asyncio.sleep(3)
                await _cut(r, to, name, fault)
        hole = f" ({_seconds(to, 'black hole')} s)"
        r.inject(f"every link to {to} refused, then a black hole{hole}, half open, slow (20 kB/s): {SECONDS} s each")
        if to == "smtp":
            r.cuts = r.stack.links["notify", "smtp"].cut_mails
        await r.judge()


async def _cut(r: Row, to: str, name: str, fault: Callable[[Link], None]) -> None:
    links = [link for (_, end), link in r.stack.links.items() if end == to]
    before = sum(sum(link.hits.values()) for link in links)
    is_long = (to, name) == ("kafka", "black hole")
    given_up = await _given_up(r) if is_long else 0.0
    for link in links:
        fault(link)
    certain = name in ("refused", "black hole")
    if certain or to != "mongodb":
        async with r.down(to, certainly_after=1.0):
            await asyncio.sleep(_seconds(to, name))
    else:
        await asyncio.sleep(_seconds(to, name))
    if is_long:
        now = sum(await r.metrics("intake", GIVEN_UP))
        r.hit("events for which a producer was given up", round(now - given_up))

    async def met() -> bool:
        return sum(sum(link.hits.values()) for link in links) > before

    await r.until(met, timeout=60)  # a circuit that is open after the last fault tries again only later
    for link in links:
        link.heal()
    r.hit(f"{name}: what the links met", sum(sum(link.hits.values()) for link in links) - before)


def _seconds(to: str, name: str) -> int:
    return LONGER_THAN_A_PRODUCER_WAITS if (to, name) == ("kafka", "black hole") else SECONDS


async def _given_up(r: Row) -> float:
    """Events of intake that Kafka did not acknowledge in time: whoever sent them is dropped and another producer built.

    Looked at when intake has a producer: one that finds no broker to begin with gives up nothing.
    """
    before = sum(await r.metrics("intake", "events_published_total"))

    async def publishes() -> bool:
        return sum(await r.metrics("intake", "events_published_total")) > before

    await r.until(publishes, timeout=60)
    return sum(await r.metrics("intake", GIVEN_UP))
