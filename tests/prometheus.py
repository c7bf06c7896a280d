"""A real Prometheus that scrapes a stack, with the project's own rules on a clock that can be made to run faster."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from deploy.local.ports import HOST, SERVICES, Ports
from deploy.local.stack import LocalStack
from tests.monitoring import PROMETHEUS, RULES, yaml

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGES = re.compile(r"(_seconds\) > )(\d+)")


class Prometheus:
    """Asks the server; each result is a list of (labels, value)."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The value now. Raises AssertionError when Prometheus does not take the expression."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        return [(row["metric"], float(row["value"][1])) for row in answer.json()["data"]["result"]]

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        return {labels["alertname"] for labels, _ in self.ask('ALERTS{alertstate="firing"}')}

    def rules(self) -> list[dict[str, Any]]:
        """The rules as evaluated, with health and last error."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def prometheus(stack: LocalStack, state: Path, *, times_faster: int = 1) -> Iterator[Prometheus]:
    """A server for the block; skips where Debian's package is not installed."""
    if (binary := shutil.which("prometheus")) is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus); .ci/run installs it")
    state.mkdir()
    (state / "rules.yml").write_text(faster(RULES.read_text(encoding="utf-8"), times_faster), encoding="utf-8")
    with (state / "prometheus.yml").open("w", encoding="utf-8") as file:
        YAML().dump(_config(stack), file)
    port = Ports.free().proxy
    command = [binary, "--config.file", state / "prometheus.yml", "--storage.tsdb.path", state / "data"]
    with (state / "log").open("w") as log:
        process = subprocess.Popen([*command, "--web.listen-address", f"{HOST}:{port}"], stdout=log, stderr=log)
        try:
            server = Prometheus(f"http://{HOST}:{port}")
            _await_ready(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(20)


def _config(stack: LocalStack) -> dict[str, Any]:
    """The project's configuration with the stack's addresses, scraping every two seconds."""
    config: dict[str, Any] = yaml(PROMETHEUS / "prometheus.yml")
    config["global"] |= {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [f"{HOST}:{stack.ports.services[s]}"], "labels": {"service": s}} for s in SERVICES]
    return config


def _await_ready(server: Prometheus, process: "subprocess.Popen[bytes]") -> None:
    until = monotonic() + 20
    while monotonic() < until:
        assert process.poll() is None, "Prometheus ended"
        try:
            if httpx.get(f"{server.url}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        sleep(0.1)
    raise AssertionError("Prometheus did not become ready")


def faster(rules: str, times: int) -> str:
    """The rules with every duration and every age divided."""

    def divided(match: re.Match[str]) -> str:
        return f"{match[1]}{int(match[2]) * _UNITS[match[3]] // times}s{match[4]}"

    rules = re.sub(r"(for: )(\d+)([smhd])()", divided, rules)
    rules = re.sub(r"(\[)(\d+)([smhd])(\])", divided, rules)
    return _AGES.sub(lambda match: f"{match[1]}{int(match[2]) // times}", rules)
