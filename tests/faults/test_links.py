"""Row 10: every link refused, a black hole, half open, slow."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.ports import SERVICES
from tests.faults.links import Link
from tests.faults.row import Row, row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

FAULTS: dict[str, Callable[[Link], None]] = {
    "refused": Link.refuse,
    "black hole": Link.hold,
    "half open": Link.forget,
    "slow": lambda link: link.slow(20_000),
}


@pytest.mark.parametrize("to", ["mongodb", "kafka", "smtp"])
async def test_row10_links_are_cut(tmp_path: Path, to: str) -> None:
    links = {"notify": ("smtp",)} if to == "smtp" else dict.fromkeys(SERVICES, (to,))
    settings = {"notify": {"smtp_timeout_seconds": "5", "lease_seconds": "10"}}
    async with row(f"10 link to {to}", tmp_path, links=links, settings=settings) as r:
        async with r.loaded(45):
            for name, fault in FAULTS.items():
                await asyncio.sleep(3)
                await _cut(r, to, name, fault)
        r.inject(f"every link to {to} refused, then a black hole, half open, slow (20 kB/s): 6 s each")
        if to == "smtp":
            r.cuts = r.stack.links["notify", "smtp"].cut_mails
        await r.judge()


async def _cut(r: Row, to: str, name: str, fault: Callable[[Link], None]) -> None:
    links = [link for (_, end), link in r.stack.links.items() if end == to]
    before = sum(sum(link.hits.values()) for link in links)
    for link in links:
        fault(link)
    certain = name in ("refused", "black hole")
    if certain or to != "mongodb":
        async with r.down(to, certainly_after=1.0):
            await asyncio.sleep(6)
    else:
        await asyncio.sleep(6)

    async def met() -> bool:
        return sum(sum(link.hits.values()) for link in links) > before

    await r.until(met, timeout=60)  # a circuit that is open after the last fault tries again only later
    for link in links:
        link.heal()
    r.hit(f"{name}: what the links met", sum(sum(link.hits.values()) for link in links) - before)
