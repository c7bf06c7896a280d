"""bench/results.json, and the table that bench/README.md shows of it."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.machine import description
from deploy.local.paths import ROOT

RESULTS = ROOT / "bench" / "results.json"
README = ROOT / "bench" / "README.md"
PROGRESS = ROOT / ".local" / "bench-progress.json"
"""Ratios that the run under way has measured; gone when it ends."""
FULL = 9
"""Pairs of a whole run."""
KEPT = 0.9
"""A change keeps a ratio when the lower bound of its new interval is at least so much of the old median."""
_BEGIN, _END = "<!-- results -->\n", "<!-- end of results -->\n"
_VERDICTS = {"target": "target met", "floor": "floor held, target missed", "missed": "**missed**"}


def load() -> dict[str, Any]:
    """Ratio → what was measured last; `counts`, `memory` and `growth` beside them."""
    if not RESULTS.exists():
        return {}
    loaded: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return loaded


@dataclass(frozen=True)
class Provenance:
    """How something is measured, and on what; made before it begins."""

    command: str
    seconds: float
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: Mapping[str, str] = field(default_factory=lambda: dict(description()))


def keep(name: str, result: Mapping[str, Any], provenance: Provenance) -> None:
    """Replace what was measured of `name`, and the table; fewer pairs do not replace more. Warns of a ratio that fell."""
    results = load()
    before = results.get(name, {})
    if before.get("pairs", 0) > result.get("pairs", 0):
        return
    results[name] = {**result, **asdict(provenance)}
    if fell := fell_from(before, result):
        results[name]["fell_from"] = fell
        print(f"warning: {name} was not kept: {_fell(fell)}, now {line(name, result)}", file=sys.stderr, flush=True)
    results = dict(sorted(results.items(), key=lambda row: (not row[0].startswith("R"), _number_of(row[0]), row[0])))
    RESULTS.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    head, _, rest = README.read_text(encoding="utf-8").partition(_BEGIN)
    README.write_text(f"{head}{_BEGIN}{_table(results)}{_END}{rest.partition(_END)[2]}", encoding="utf-8")


def fell_from(before: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The ratio and commit that the new result does not keep; empty if it does, or if there was none.

    What a ratio once fell from stays its measure, or measuring the fall twice would hide it; where the fall is accepted, take
    `fell_from` out of results.json.
    """
    if "ratio" not in before or "ratio" not in result:
        return {}
    old: dict[str, Any] = before.get("fell_from") or {"ratio": before["ratio"], "commit": before["machine"]["commit"]}
    low, high = result["interval"]
    kept = high * KEPT <= old["ratio"] if result["at_most"] else low >= KEPT * old["ratio"]
    return {} if kept else old


def _fell(fell: Mapping[str, Any]) -> str:
    return f"fell from {_number(fell['ratio'])} ({fell['commit']})"


def _number_of(name: str) -> int:
    """R3P → 3."""
    return int("".join(c for c in name if c.isdigit()) or 0)


def done() -> list[str]:
    """Ratios that an interrupted run has measured already."""
    if not PROGRESS.exists():
        return []
    names: list[str] = json.loads(PROGRESS.read_text(encoding="utf-8"))
    return names


def note_done(names: list[str]) -> None:
    PROGRESS.parent.mkdir(exist_ok=True)
    PROGRESS.write_text(json.dumps(names), encoding="utf-8")


def note_finished() -> None:
    PROGRESS.unlink(missing_ok=True)


def line(name: str, result: Mapping[str, Any]) -> str:
    """A result in one line."""
    low, high = result["interval"]
    text = f"{name}: {_number(result['ratio'])} [{_number(low)}, {_number(high)}], {_verdict(result)}"
    for beside in result["beside"]:
        text += f"; {beside['what']}: {_number(beside['value'])} {beside['unit']} ({_verdict(beside)})"
    return text


def _table(results: Mapping[str, Any]) -> str:
    rows = [
        "| # | ratio | measured (95 %) | same ÷ same | floor | target | verdict | ours | baseline |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        if "ratio" in result:
            rows.append(_row(name, result))
            rows += [_row_beside(beside) for beside in result["beside"]]
    profiled = profile_table(results["profile"]) if "profile" in results else ""
    parts = ("\n".join(rows) + "\n", profiled, _counts(results), _memory(results), _growth(results), _provenance(results))
    return "\n".join(part for part in parts if part)


def _row(name: str, result: Mapping[str, Any]) -> str:
    sign = "≤ " if result["at_most"] else ""
    low, high = map(_number, result["interval"])
    null_low, null_high = map(_number, result["same_against_same"])
    floor, target = (("–" if value is None else f"{sign}{value:g}") for value in (result["floor"], result["target"]))
    ours, theirs = _middle(result["ours"]), _middle(result["baseline"])
    cells = (name, result["what"], f"**{_number(result['ratio'])}** [{low}, {high}]", f"[{null_low}, {null_high}]", floor, target)
    few = f" ({result['pairs']} of {FULL} pairs)" if result["pairs"] < min(FULL, result["most_pairs"]) else ""
    fell = f"; **{_fell(result['fell_from'])}**" if "fell_from" in result else ""
    return f"| {' | '.join(cells)} | {_verdict(result)}{few}{fell} | {ours} {result['unit']} | {theirs} |"


def _row_beside(beside: Mapping[str, Any]) -> str:
    low, high = map(_number, beside["interval"])
    value = f"{_number(beside['value'])} [{low}, {high}] {beside['unit']}".strip()
    sign = "≤ " if beside["at_most"] else ""
    floor, target = ("" if beside[name] is None else f"{sign}{beside[name]:g}" for name in ("floor", "target"))
    return f"| | {beside['what']} | {value} | | {floor} | {target} | {_verdict(beside)} | | |"


def profile_table(profile: Mapping[str, Any]) -> str:
    """Microseconds by layer, and what a ratio of 2 would leave for all of them."""
    ours, plain = profile["us"]["ours"], profile["us"]["plain"]
    rows = ["| µs of CPU for a POST | ours | plain |", "|---|---|---|"]
    rows += [f"| {layer} | {ours[layer]:.0f} | {plain[layer]:.0f} |" for layer in ours]
    total, plain_total = sum(ours.values()), sum(plain.values())
    rows.append(f"| **together** | **{total:.0f}** | **{plain_total:.0f}** |")
    needed = profile["necessary"]
    left = f"Twice as many POSTs as the plain side would leave {plain_total / 2:.0f} µs for one of ours. HTTP, body, driver and"
    return "\n".join(rows) + f"\n\n{left} system calls take {needed:.0f}, every duty {total - needed:.0f} more.\n"


def _counts(results: Mapping[str, Any]) -> str:
    if (counts := results.get("counts")) is None:
        return ""
    rows = ["| for 1,000 registrations | MongoDB commands | at most | Kafka commits | at most |", "|---|---|---|---|---|"]
    for step, count in counts["steps"].items():
        rows.append(
            f"| {step} | {count['commands']} | {count['commands_limit']} | {count['commits']} | {count['commits_limit']} |"
        )
    return "\n".join(rows) + "\n"


def _memory(results: Mapping[str, Any]) -> str:
    if (memory := results.get("memory")) is None:
        return ""
    earlier, later, limit = memory["earlier"], memory["later"], memory["limit"]
    rows = [f"| memory | after {earlier:,} events | after {later:,} | ratio | at most |", "|---|---|---|---|---|"]
    for service, (before, after) in memory["megabytes"].items():
        rows.append(f"| {service} | {before:.0f} MB | {after:.0f} MB | {after / before:.2f} | {limit} |")
    return "\n".join(rows) + "\n"


def _growth(results: Mapping[str, Any]) -> str:
    if (growth := results.get("growth")) is None:
        return ""
    sizes = [f"{size:,}" for size in growth["sizes"]]
    heads = [*(f"examined at {size}" for size in sizes), *(f"ms at {size}" for size in sizes), "growth"]
    rows = [f"| page | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for page, seen in growth["pages"].items():
        ms = seen["milliseconds"]
        cells = [*map(str, seen["examined"]), *(f"{one:.1f}" for one in ms), f"{ms[-1] / ms[0]:.2f}"]
        rows.append(f"| {page} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _provenance(results: Mapping[str, Any]) -> str:
    rows = ["| measured | command | pairs | seconds | commit | at | load before |", "|---|---|---|---|---|---|---|"]
    for name, result in results.items():
        on = result["machine"]
        cells = (result.get("pairs", ""), f"{result['seconds']:g}", on["commit"], result["at"], on["load before"])
        rows.append(f"| {name} | `{result['command']}` | {' | '.join(map(str, cells))} |")
    on = next(iter(results.values()))["machine"]
    return "\n".join(rows) + f"\n\n{on['cpu']}, {on['cores']} cores, Python {on['python']}.\n"


def _verdict(result: Mapping[str, Any]) -> str:
    return _VERDICTS.get(result["verdict"], "for information")


def _middle(values: list[float]) -> str:
    return _number(sorted(values)[len(values) // 2])


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
