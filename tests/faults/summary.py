"""`python -m tests.faults.summary`: the table of docs/reliability.md, from what the rows wrote when they were run."""

import json
from collections import defaultdict
from typing import Any

from tests.faults.row import RESULTS


def main() -> None:
    runs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in RESULTS.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        if run["row"][0].isdigit():  # else a broken build
            runs[run["row"]].append(run)
    print("| row | injected | load | what the fault met | settled after | held |\n|---|---|---|---|---|---|")
    for name in sorted(runs, key=lambda name: int(name.split()[0])):
        last = runs[name][-1]
        held = sum(not run["failure"] for run in runs[name])
        hits = ", ".join(f"{what}: {count}" for what, count in last["hits"].items())
        load = f"{last.get('requests', last.get('registrations'))} ({last['rate']}/s)"
        row = (name, "; ".join(last["injected"]), load, hits, f"{last['settled_s']} s", f"{held} of {len(runs[name])} runs")
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
