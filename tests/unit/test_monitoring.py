"""Alert rules, dashboard and runbook say the same, and name only what the code measures."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from deploy.local.paths import ROOT
from deploy.local.ports import SERVICES
from tests.monitoring import (
    DASHBOARD,
    GRAFANA,
    PROMETHEUS,
    RULE_TESTS,
    RULES,
    alerts,
    dashboard,
    dashboard_queries,
    known_metrics,
    metrics_of,
    panels,
    yaml,
)

RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COMPOSE = yaml(ROOT / "docker-compose.yml")["services"]


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


ANCHORS = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)}
ROWS = {
    alert: (set(re.findall(r"`([a-z]\w+)", metrics)), section)
    for alert, metrics, section in re.findall(r"^\| `([A-Z]\w+)` \| (.+?) \|.*\]\(#([\w-]+)\).*\|$", RUNBOOK, re.MULTILINE)
}


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", RULES), ("check", "config", PROMETHEUS / "prometheus.yml"), ("test", "rules", RULE_TESTS)],
    ids=["rules", "config", "tests of rules"],
)
def test_prometheus_takes_the_files_and_the_rules_do_what_their_tests_say(arguments: tuple[Any, ...]) -> None:
    promtool(*arguments)


def promtool(*arguments: Any) -> None:
    """Runs it; skips where Debian's package is not installed."""
    binary = shutil.which("promtool")
    if binary is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus); .ci/run installs it")
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_means_and_where_the_runbook_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "means", "runbook"}
    document, _, section = rule["annotations"]["runbook"].partition("#")
    assert document == "docs/operations.md"
    assert section in ANCHORS


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_stands_in_the_runbooks_table(rule: dict[str, Any]) -> None:
    metrics, section = ROWS[rule["alert"]]
    assert metrics == metrics_of(rule["expr"])
    assert section == rule["annotations"]["runbook"].partition("#")[2]


def test_the_runbooks_table_names_no_other_alert() -> None:
    assert ROWS.keys() == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_is_seen_to_fire_and_not_to_fire(rule: dict[str, Any]) -> None:
    name = f'alertname="{rule["alert"]}"'
    tried = [case for test in yaml(RULE_TESTS)["tests"] for case in test.get("promql_expr_test", ()) if name in case["expr"]]
    assert any(case["exp_samples"] for case in tried)
    assert any(not case["exp_samples"] for case in tried)


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in alerts()), *dashboard_queries()])
def test_every_metric_that_is_asked_for_is_measured(expression: str) -> None:
    named = metrics_of(expression)
    assert named
    assert named <= known_metrics()


def test_prometheus_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(dashboard_queries())]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", tmp_path / "queries.yml")


def test_no_two_panels_lie_on_each_other() -> None:
    for one, other in combinations(dashboard()["panels"], 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def test_the_sections_that_panels_name_are_in_the_runbook() -> None:
    named = [anchor(name) for panel in panels() for name in re.findall(r"Runbook: (.+)", panel["description"])]
    assert named
    assert set(named) <= ANCHORS


def test_prometheus_scrapes_every_service_of_the_composition() -> None:
    (job,) = yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    found = {config["labels"]["service"]: config["targets"] for config in job["static_configs"]}
    assert found == {service: [f"{service}:8000"] for service in SERVICES}


def test_what_the_composition_mounts_is_there() -> None:
    mounts = [volume.split(":") for name in ("prometheus", "grafana") for volume in COMPOSE[name]["volumes"]]
    folders = {inside: ROOT / outside for outside, inside, *_ in mounts if outside.startswith("./")}
    assert all(folder.is_dir() for folder in folders.values())
    (provider,) = yaml(GRAFANA / "provisioning" / "dashboards" / "doithoai.yaml")["providers"]
    assert folders[provider["options"]["path"]] == DASHBOARD.parent
