"""Counting what a side does after its warm-up."""

import asyncio
from time import perf_counter


class Window:
    """Counts from the first call of `add` that comes after the warm-up, for `seconds` or until `total` was done."""

    def __init__(self, warm_up: float, seconds: float, total: int) -> None:
        self.done = 0
        self.over = asyncio.Event()
        self._warm_up, self._seconds, self._total = warm_up, seconds, total
        self._first = self._began = self._last = 0.0
        self._count = 0

    def add(self, n: int) -> None:
        now = perf_counter()
        self.done += n
        if not self._first:
            self._first = now
        elif self._began:
            self._count += n
            self._last = now
        elif now - self._first >= self._warm_up:
            self._began = now
        if self.done >= self._total or (self._began and now - self._began >= self._seconds):
            self.over.set()

    def result(self) -> dict[str, float]:
        """Of the window: how many a second; and how many were done in all, those outside it included."""
        return {"rate": self._count / (self._last - self._began), "done": self.done}
