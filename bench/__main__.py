"""Measures the ratios, keeps them in bench/results.json and shows them in bench/README.md.

python -m bench                everything but --growth; goes on where an interrupted run stopped
python -m bench --only R4,R5   these alone
python -m bench --quick        R1, R3, R4, R5 in three short pairs; a ratio below its floor warns, the counts decide
python -m bench --profile      where the processor time of a POST goes (R1, both sides)
python -m bench --growth       10 k, 100 k and 1 M registrations: what the pages' queries examine, and how long they take
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from time import perf_counter

import uvloop

from bench import counts, growth, machine, memory, profile, results
from bench.harness import measure
from bench.ratios import QUICK, RATIOS

COUNTS, MEMORY = "COUNTS", "MEMORY"
ALL = (*RATIOS, COUNTS, MEMORY)
QUICK_SECONDS, QUICK_WARM_UP, QUICK_PAIRS = 2.0, 0.7, 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help=f"some of {', '.join(ALL)}, separated by commas")
    parser.add_argument("--pairs", type=int, default=results.FULL)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--warm-up", type=float, default=1.0)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true")
    kind.add_argument("--profile", action="store_true")
    kind.add_argument("--growth", action="store_true")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="of --growth")
    given = parser.parse_args()
    only = [name for name in given.only.upper().split(",") if name]
    if unknown := set(only) - {*ALL}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    signal.signal(signal.SIGTERM, _interrupt)
    machine.pin_brokers()
    if given.growth:
        sys.exit(uvloop.run(growth.run([int(size) for size in given.sizes.split(",")])))
    if given.profile:
        sys.exit(uvloop.run(_profile(given.seconds, given.warm_up)))
    if given.quick:
        sys.exit(uvloop.run(_quick()))
    sys.exit(uvloop.run(_full(only, given.pairs, given.seconds, given.warm_up)))


def _interrupt(*_: object) -> None:
    """As Ctrl-C, once: brokers are stopped whoever ends the run."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)


async def _full(only: Sequence[str], pairs: int, seconds: float, warm_up: float) -> int:
    """The exit status: 1 if the counts or the memory are over their limits."""
    over: list[str] = []
    finished = [] if only else results.done()
    for name in [name for name in only or ALL if name not in finished]:
        began = perf_counter()
        facts = results.Provenance(f"make bench{f' ONLY={name}' if only else ''}", seconds)
        async with machine.machine(seconds, warm_up) as here:
            over += await _one(name, here, pairs, facts)
        _tell(f"{name} took {perf_counter() - began:.0f} s")
        if not only:
            finished.append(name)
            results.note_done(finished)
    if not only:
        results.note_finished()
    for line in over:
        _tell(line)
    return 1 if over else 0


async def _one(name: str, here: machine.Machine, pairs: int, facts: results.Provenance) -> list[str]:
    """Measure it and keep it; what is over its limit, in words."""
    if name == COUNTS:
        counted = await counts.count(here)
        results.keep("counts", counted, facts)
        return counts.over(counted)
    if name == MEMORY:
        sizes = await memory.measure(here)
        results.keep("memory", sizes, facts)
        _tell(memory.line(sizes))
        return memory.over(sizes)
    result = await measure(RATIOS[name], here, pairs, _tell)
    results.keep(name, result, facts)
    _tell(results.line(name, result))
    return []


async def _profile(seconds: float, warm_up: float) -> int:
    facts = results.Provenance("make bench-profile", seconds)
    async with machine.machine(seconds, warm_up) as here:
        measured = await profile.measure(here)
    results.keep("profile", measured, facts)
    _tell(results.profile_table(measured))
    return 0


async def _quick() -> int:
    """The exit status: 1 if the counts are over their limits."""
    async with machine.machine(QUICK_SECONDS, QUICK_WARM_UP) as here:
        for name in QUICK:
            result = await measure(RATIOS[name], here, QUICK_PAIRS, lambda _: None)
            warning = "warning: below the floor; " if result["verdict"] == "missed" else ""
            _tell(f"{warning}{results.line(name, result)}")
    async with machine.machine(QUICK_SECONDS, QUICK_WARM_UP) as here:  # its topics hold nothing else
        over = counts.over(await counts.count(here))
    for line in over:
        _tell(line)
    return 1 if over else 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
