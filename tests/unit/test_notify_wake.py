"""Who is woken when there is something to send."""

import asyncio
from time import monotonic

from services.notify.usecases import Wake

LONG = 30.0


async def _asleep(wake: Wake, count: int) -> list[asyncio.Task[None]]:
    sleepers = [asyncio.create_task(wake.wait(LONG)) for _ in range(count)]
    await asyncio.sleep(0)
    return sleepers


async def _woken(sleepers: list[asyncio.Task[None]]) -> int:
    await asyncio.wait(sleepers, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    return sum(sleeper.done() for sleeper in sleepers)


async def test_a_ring_wakes_one() -> None:
    wake = Wake()
    sleepers = await _asleep(wake, 3)
    wake.ring()
    assert await _woken(sleepers) == 1
    wake.ring()
    wake.ring()
    await asyncio.wait(sleepers, timeout=5)
    assert all(sleeper.done() for sleeper in sleepers)


async def test_a_ring_that_nobody_heard_keeps_the_next_awake() -> None:
    wake = Wake()
    wake.ring()
    began = monotonic()
    await wake.wait(LONG)
    assert monotonic() - began < LONG / 2


async def test_a_ring_is_not_spent_on_who_is_gone() -> None:
    wake = Wake()
    (gone,) = await _asleep(wake, 1)
    gone.cancel()
    await asyncio.wait([gone])
    await wake.wait(0.01)
    sleepers = await _asleep(wake, 1)
    wake.ring()
    assert await _woken(sleepers) == 1


async def test_who_slept_and_was_not_woken_is_forgotten() -> None:
    wake = Wake()
    for _ in range(3):
        await wake.wait(0.001)
    assert not wake._sleeping
