"""Waiting for a condition that another task or process brings about."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], Awaitable[T]], timeout: float = 20, *, every: float = 0.05) -> T:  # noqa: ASYNC109 - it polls
    """The first truthy result of `check`; its failures are kept waiting for until `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if result := await check():
                return result
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in time")
        await asyncio.sleep(every)
