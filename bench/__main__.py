"""Measures the ratios, keeps them in bench/results.json and shows them in bench/README.md.

python -m bench                all ratios and counts; goes on where an interrupted run stopped
python -m bench --only R4,R5   these alone
python -m bench --quick        R1, R3, R4, R5 in three short pairs; a ratio below its floor warns, the counts decide
python -m bench --growth       10 k, 100 k and 1 M registrations: what the pages' queries examine, and how long they take
"""

import argparse
import sys
from collections.abc import Sequence
from time import perf_counter

import uvloop

from bench import counts, growth, machine, results
from bench.harness import measure
from bench.ratios import QUICK, RATIOS

LEAST_PAIRS, LEAST_SECONDS = 9, 5.0
"""A shorter run is told, and not kept."""
QUICK_SECONDS, QUICK_WARM_UP, QUICK_PAIRS = 3.0, 1.0, 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="ratios, separated by commas; COUNTS for the counts")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--warm-up", type=float, default=1.5)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true")
    kind.add_argument("--growth", action="store_true")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="of --growth")
    given = parser.parse_args()
    machine.pin_brokers()
    if given.growth:
        sys.exit(uvloop.run(growth.run([int(size) for size in given.sizes.split(",")])))
    if given.quick:
        sys.exit(uvloop.run(_quick()))
    only = [name for name in given.only.upper().split(",") if name]
    if unknown := set(only) - {*RATIOS, "COUNTS"}:
        parser.error(f"no such ratio: {', '.join(sorted(unknown))}; there are {', '.join(RATIOS)} and COUNTS")
    uvloop.run(_full(only, given.pairs, given.seconds, given.warm_up))


async def _full(only: Sequence[str], pairs: int, seconds: float, warm_up: float) -> None:
    finished = [] if only else results.done()
    command = "make bench" + (f" ONLY={','.join(only)}" if only else "")
    for name in only or [*RATIOS, "COUNTS"]:
        if name in finished:
            continue
        began = perf_counter()
        async with machine.machine(seconds, warm_up) as here:
            if name == "COUNTS":
                results.keep("counts", await counts.count(here), command)
            else:
                result = await measure(RATIOS[name], here, pairs, _tell)
                if pairs >= LEAST_PAIRS and seconds >= LEAST_SECONDS:
                    results.keep(name, result, command)
                _tell(results.line(name, result))
        _tell(f"{name} took {perf_counter() - began:.0f} s")
        if not only:
            finished.append(name)
            results.note_done(finished)
    if not only:
        results.note_finished()


async def _quick() -> int:
    """The exit status: 1 if the counts are over their limits."""
    async with machine.machine(QUICK_SECONDS, QUICK_WARM_UP) as here:
        for name in QUICK:
            result = await measure(RATIOS[name], here, QUICK_PAIRS, lambda _: None)
            warning = "warning: below the floor; " if result["verdict"] == "missed" else ""
            _tell(f"{warning}{results.line(name, result)}")
    async with machine.machine(QUICK_SECONDS, QUICK_WARM_UP) as here:
        over = counts.over(await counts.count(here))
    for line in over:
        _tell(line)
    return 1 if over else 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
