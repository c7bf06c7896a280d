"""What is kept of a measurement: never fewer pairs for more, and no fall unsaid."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import results
from bench.results import Provenance, fell_from, keep

MACHINE = {"cpu": "AMD EPYC", "cores": "2", "python": "3.11.7", "commit": "0d58c08", "load before": "0.1"}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(results, "README", tmp_path / "README.md")
    results.README.write_text("before\n<!-- results -->\n<!-- end of results -->\nafter\n", encoding="utf-8")


def measured(ratio: float, low: float, high: float, **changed: Any) -> dict[str, Any]:
    fixed = {"what": "POST/s", "unit": "/s", "pairs": 9, "most_pairs": 100, "same_against_same": [0.9, 1.1], "verdict": "floor"}
    return {**fixed, "ratio": ratio, "interval": [low, high], "floor": 0.5, "target": 2, "at_most": False, "ours": [1.0]} | {
        "baseline": [1.0],
        "beside": [],
        **changed,
    }


def kept(result: dict[str, Any], commit: str = "604bb39") -> tuple[dict[str, Any], str]:
    """What the file and the table say of R1 afterwards."""
    keep("R1", result, Provenance("make bench", 5.0, machine={**MACHINE, "commit": commit}))
    (row,) = [line for line in results.README.read_text(encoding="utf-8").splitlines() if line.startswith("| R1 | POST/s")]
    return json.loads(results.RESULTS.read_text(encoding="utf-8"))["R1"], row


def test_a_ratio_that_falls_is_said_to_the_one_who_measures_and_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    kept(measured(1.0, 0.95, 1.05), commit="0d58c08")
    assert capsys.readouterr().err == ""
    entry, row = kept(measured(0.95, 0.89, 1.0))
    assert "warning: R1 was not kept: fell from 1 (0d58c08), now R1: 0.95 [0.89, 1]" in capsys.readouterr().err
    assert "**fell from 1 (0d58c08)**" in row
    assert entry["ratio"] == 0.95


def test_a_fall_that_is_measured_again_is_still_one_until_the_old_figure_is_kept() -> None:
    kept(measured(1.0, 0.95, 1.05), commit="0d58c08")
    kept(measured(0.5, 0.49, 0.51))
    assert "fell from 1 (0d58c08)" in kept(measured(0.5, 0.49, 0.51))[1]
    entry, row = kept(measured(0.95, 0.9, 1.0))
    assert "fell" not in row
    assert "fell_from" not in entry


@pytest.mark.parametrize(("low", "falls"), [(0.9, False), (0.899, True)])
def test_the_lower_bound_decides(low: float, falls: bool) -> None:
    before = {**measured(1.0, 0.5, 1.5), "machine": MACHINE}
    assert bool(fell_from(before, measured(1.0, low, 1.1))) is falls


@pytest.mark.parametrize(("high", "falls"), [(1.1, False), (1.12, True)])
def test_of_a_ratio_that_should_be_small_the_upper_bound_decides(high: float, falls: bool) -> None:
    before = {**measured(1.0, 0.5, 1.5, at_most=True), "machine": MACHINE}
    assert bool(fell_from(before, measured(1.0, 0.1, high, at_most=True))) is falls


def test_fewer_pairs_do_not_replace_more() -> None:
    kept(measured(1.0, 0.95, 1.05))
    assert kept(measured(0.1, 0.1, 0.1, pairs=3))[0]["ratio"] == 1.0
