"""What the demonstration holds against what it sees. A check that fails is kept and told; the journey goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE = 20.0
"""Seconds until what travels through Kafka, or by mail, has to have arrived."""
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed."""

    what: str
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, saw {self.seen}"


@dataclass
class Checks:
    """Counts the checks and keeps those that failed; several threads may add to it."""

    done: int = 0
    failures: list[Failure] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def equal(self, what: str, expected: object, seen: object) -> None:
        self._note(what, seen == expected, repr(expected), repr(seen))

    def holds(self, what: str, expected: str, seen: object, *, when: bool) -> None:
        """`expected` and `seen` say in words what `when` has found out."""
        self._note(what, when, expected, str(seen))

    def contains(self, what: str, text: str, *parts: str) -> None:
        """Every part stands in the text."""
        missing = [part for part in parts if part not in text]
        self._note(what, not missing, f"the words {missing}", repr(text[:600]))

    def lacks(self, what: str, text: str, *parts: str) -> None:
        """None of the parts stands in the text."""
        found = [part for part in parts if part in text]
        self._note(what, not found, f"none of the words {found}", repr(text[:600]))

    def becomes(self, what: str, expected: object, look: Callable[[], object]) -> None:
        """Looked at again and again until it is so, or patience is over."""
        self.equal(what, expected, eventually(look, lambda seen: seen == expected))

    def stopped(self, what: str, error: Exception) -> None:
        """The journey could not go on."""
        self._note(what, False, "to go on", f"{type(error).__name__}: {error}")

    def _note(self, what: str, holds: bool, expected: str, seen: str) -> None:
        with self._lock:
            self.done += 1
            if not holds:
                self.failures.append(Failure(what, expected, seen))


def eventually(look: Callable[[], T], enough: Callable[[T], Any] = bool, *, patience: float = PATIENCE) -> T:
    """What `look` gives as soon as it is `enough`, else what it gave last."""
    until = time.monotonic() + patience
    while True:
        seen = look()
        if enough(seen) or time.monotonic() > until:
            return seen
        time.sleep(_PAUSE)
