"""The alert rules and the dashboard as the tests read them."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from prometheus_client import REGISTRY
from ruamel.yaml import YAML

from deploy.local.paths import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
RULES = PROMETHEUS / "rules.yml"
RULE_TESTS = PROMETHEUS / "rules.test.yml"
DASHBOARD = GRAFANA / "dashboards" / "doithoai.json"
_HOMES = (
    "kit.metrics",
    "services.intake.metrics",
    "services.intake.mailbox.metrics",
    "services.routing.metrics",
    "services.notify.metrics",
    "services.reporting.usecases",
)
_OF_PROMETHEUS = frozenset({"up", "ALERTS"})
_WORDS = frozenset("by without or and unless on ignoring sum max min count rate increase vector histogram_quantile".split())


def yaml(path: Any) -> Any:
    return YAML(typ="safe").load(path)


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    return [rule for group in yaml(RULES)["groups"] for rule in group["rules"]]


def dashboard() -> Any:
    """The dashboard's JSON."""
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def dashboard_queries() -> Iterator[str]:
    """Every expression of the dashboard, as Grafana sends it for a minute's interval."""
    return (target["expr"] for target in dashboard_targets())


def dashboard_targets() -> Iterator[dict[str, Any]]:
    """Every query of the dashboard with what Grafana makes of its answer."""
    for panel in panels():
        for target in panel["targets"]:
            yield {**target, "expr": target["expr"].replace("$__rate_interval", "1m")}


def known_metrics() -> set[str]:
    """Names under which our metrics are scraped, and those that Prometheus makes itself."""
    for home in _HOMES:
        import_module(home)
    names = set(_OF_PROMETHEUS)
    for family in REGISTRY.collect():
        names |= {family.name, *(family.name + end for end in ("_total", "_bucket", "_sum", "_count"))}
    return names


def metrics_of(expression: str) -> set[str]:
    """Names of the metrics in a PromQL expression."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without)\s*\([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-zA-Z_]\w*\b", bare)) - _WORDS
