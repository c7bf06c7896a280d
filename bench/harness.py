"""How a ratio is measured: pairs of rounds in ABBA order, the median of the pairs' ratios, and its bootstrap interval.

Each round runs in fresh processes on fresh collections. The two rounds of the same side in an ABBA block tell how much two equal
things differ here: their ratios are the A/A run beside every result.
"""

import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.machine import Machine

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Measure:
    """One round: the figure that is compared (events/s, seconds, CPU seconds per event), and others beside it."""

    value: float
    beside: dict[str, float] = field(default_factory=dict)


Round = Callable[[Machine], Awaitable[Measure]]


@dataclass(frozen=True, slots=True)
class Beside:
    """A second comparison from the same rounds: ours ÷ theirs of a figure in `beside`, or ours alone. No target: told only."""

    figure: str
    what: str
    target: float | None = None
    at_most: bool = True
    ours_alone: bool = False
    unit: str = ""
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A row of the table. `ours ÷ theirs` of `Measure.value`; a floor and a target that it should reach, or with `at_most`
    stay below. None: measured for information. `most_pairs`: enough for it, where rounds are long or only tell an order.
    """

    name: str
    what: str
    unit: str
    ours: Round
    theirs: Round
    floor: float | None
    target: float | None
    at_most: bool = False
    beside: Sequence[Beside] = ()
    prepare: Callable[[Machine], Awaitable[None]] | None = None
    most_pairs: int = 100


@dataclass(frozen=True, slots=True)
class Interval:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], seed: int = 1) -> "Interval":
        """Bootstrap 95 % interval of the median."""
        chance = random.Random(seed)
        medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
        return cls(statistics.median(values), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1])


async def measure(ratio: Ratio, machine: Machine, pairs: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run the pairs; returns what results.json keeps of the ratio."""
    if ratio.prepare is not None:
        await ratio.prepare(machine)
    ours: list[Measure] = []
    theirs: list[Measure] = []
    pairs = min(pairs, ratio.most_pairs)
    for block in range((pairs + 1) // 2):
        for side in (ours, theirs, theirs, ours):
            if len(side) < min(pairs, 2 * (block + 1)):
                side.append(await (ratio.ours if side is ours else ratio.theirs)(machine))
                name = "ours" if side is ours else "baseline"
                tell(f"  {ratio.name} {name}: {side[-1].value:,.6g} {ratio.unit}")
        await _forget(machine)
    return summary(ratio, ours, theirs)


async def _forget(machine: Machine) -> None:
    """Drop the databases of past rounds: new ones have new names."""
    for name in await machine.client.list_database_names():
        if any(name.startswith(prefix) for prefix in machine.names):
            await machine.client.drop_database(name)
    machine.names.clear()


def summary(ratio: Ratio, ours: Sequence[Measure], theirs: Sequence[Measure]) -> dict[str, Any]:
    ratios = [a.value / b.value for a, b in zip(ours, theirs, strict=True)]
    same = [one.value / other.value for side in (ours, theirs) for one, other in zip(side[::2], side[1::2], strict=False)]
    interval, null = Interval.of(ratios), Interval.of(same or [1.0])
    return {
        "what": ratio.what,
        "unit": ratio.unit,
        "pairs": len(ratios),
        "most_pairs": ratio.most_pairs,
        "ratio": round(interval.median, 4),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
        "same_against_same": [round(null.low, 4), round(null.high, 4)],
        "floor": ratio.floor,
        "target": ratio.target,
        "at_most": ratio.at_most,
        "verdict": verdict(interval.median, ratio.floor, ratio.target, at_most=ratio.at_most),
        "ours": [m.value for m in ours],
        "baseline": [m.value for m in theirs],
        "beside": [_beside(b, ours, theirs) for b in ratio.beside],
    }


def verdict(value: float, floor: float | None, target: float | None, *, at_most: bool) -> str:
    """`target`, `floor` or `missed`: the best that was reached."""
    if floor is None or target is None:
        return "for information"
    sign = -1 if at_most else 1
    if sign * value >= sign * target:
        return "target"
    return "floor" if sign * value >= sign * floor else "missed"


def _beside(beside: Beside, ours: Sequence[Measure], theirs: Sequence[Measure]) -> dict[str, Any]:
    figure = beside.figure
    mine = [m.beside[figure] for m in ours]
    values = mine if beside.ours_alone else [a / b.beside[figure] for a, b in zip(mine, theirs, strict=True)]
    interval = Interval.of(values)
    floor = beside.target if beside.floor is None else beside.floor
    return {
        "what": beside.what,
        "unit": beside.unit,
        "value": round(interval.median, 4),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
        "floor": beside.floor,
        "target": beside.target,
        "at_most": beside.at_most,
        "verdict": verdict(interval.median, floor, beside.target, at_most=beside.at_most),
    }
