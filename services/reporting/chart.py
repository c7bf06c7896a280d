"""Bars that a page draws as SVG without script or inline style: each label and number is text, the bar only helps."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: where it begins and how long it is, of 100; `tone` names its colour."""

    x: float
    width: float
    tone: str
    n: int


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    parts: tuple[Part, ...]

    @property
    def n(self) -> int:
        return sum(part.n for part in self.parts)


def bars(rows: Sequence[tuple[str, Sequence[tuple[str, int]]]]) -> tuple[Bar, ...]:
    """Stacked bars of (label, [(tone, number)]), the longest as wide as the drawing."""
    longest = max((sum(n for _, n in parts) for _, parts in rows), default=0)
    return tuple(Bar(label, _parts(parts, longest)) for label, parts in rows)


def _parts(parts: Sequence[tuple[str, int]], longest: int) -> tuple[Part, ...]:
    drawn: list[Part] = []
    x = 0.0
    for tone, n in parts:
        width = 100 * n / longest if longest else 0.0
        drawn.append(Part(round(x, 2), round(width, 2), tone, n))
        x += width
    return tuple(drawn)
