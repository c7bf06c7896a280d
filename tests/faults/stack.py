"""The whole stack with relays on the links that a test wants to fail, settings of its own, and second processes of a service."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from deploy.local import downloads, kafka, mongo
from deploy.local.ports import HOST, Ports
from deploy.local.stack import ENV_PREFIX, SERVICE_STOP_TIMEOUT, LocalStack, _is_ready
from deploy.local.supervisor import Program
from tests.faults.links import Link, LoopThread
from tests.faults.mailserver import MailServer

To = Literal["mongodb", "kafka", "smtp"]
Settings = Mapping[str, Mapping[str, str]]
"""Service → setting → value."""

QUICK_MAIL = {"retry_seconds": "3", "smtp_timeout_seconds": "5", "lease_seconds": "10"}
"""What was put off, and what a process left behind that was killed, is waited for in every row."""
QUICK_RESTARTS = (0.2, 0.5)
"""Seconds: rows kill a process again and again."""
PROOF_COST = "1"
"""Forms ask for a proof of work, which tests/conftest.py spares the others: what comes without one is held."""
JOINED_WITHIN = 150.0
"""Seconds: a broker that dies in a rebalance can make its members wait for a rebalance timeout, and once more."""
SERVE = (sys.executable, "-m", "cli", "serve")


class FaultStack(LocalStack):
    """`links` names, for each service, what it reaches through a relay of its own; `settings` changes a service's settings.

    With `mail_server` notify talks to the test's own mail server. `builds` names services that run from another command.
    """

    def __init__(
        self,
        state: Path,
        *,
        nodes: int = 1,
        links: Mapping[str, Sequence[To]] | None = None,
        settings: Settings | None = None,
        mail_server: bool = False,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        serve: Sequence[str | Path] = SERVE,
    ) -> None:
        spare = Ports.free(nodes=9)
        ports = replace(
            spare,
            kafka=spare.kafka[:nodes],
            kafka_controller=spare.kafka_controller[:nodes],
            mongodb=spare.mongodb[:nodes],
        )
        super().__init__(state, ports=ports, serve=serve, backoff=QUICK_RESTARTS)
        self.links: dict[tuple[str, To], Link] = {}
        self._more_ports = [*spare.kafka[3:], *spare.kafka_controller[3:], *spare.mongodb[3:]]
        self._settings = {service: dict(values) for service, values in (settings or {}).items()}
        self._settings["notify"] = {**QUICK_MAIL, **self._settings.get("notify", {})}
        self._settings.setdefault("intake", {}).setdefault("proof_cost", PROOF_COST)
        self._environment = environment or {}
        self._relayed: dict[int, int] = {}
        self._thread = LoopThread("links")
        self._thread.__enter__()
        for service, ends in (links or {}).items():
            for to in ends:
                self._add_link(service, to)
        self.mail_server = MailServer(self._thread, self._more_ports.pop(), self.mail_dir) if mail_server else None
        if self.mail_server is not None:
            self._settings["notify"]["smtp_port"] = str(self.mail_server.port)

    def stop(self) -> None:
        super().stop()
        self._thread.__exit__()

    def _add_link(self, service: str, to: To) -> None:
        port = self._more_ports.pop()
        values = self._settings.setdefault(service, {})
        if to == "mongodb":
            # A replica set tells its clients the members' own addresses, past the relay.
            self.links[service, to] = Link(self._thread, port, self.ports.mongodb[0])
            values["mongodb_url"] = f"mongodb://{HOST}:{port}/?directConnection=true"
        elif to == "smtp":
            self.links[service, to] = Link(self._thread, port, self.ports.smtp, smtp=True)
            values["smtp_port"] = str(port)
        else:
            listener = self._more_ports.pop()
            self._relayed[listener] = port
            self.links[service, to] = Link(self._thread, port, listener, kafka=True)
            values["kafka_bootstrap"] = f"{HOST}:{port}"

    def settings_env(self, service: str) -> dict[str, str]:
        changed = {ENV_PREFIX + name.upper(): value for name, value in self._settings.get(service, {}).items()}
        return {**super().settings_env(service), **changed, **self._environment.get(service, {})}

    def change_settings(self, service: str, environment: Mapping[str, str]) -> None:
        """The environment of a service from its next start on. (The supervisor keeps what it was given: replace it.)"""
        process = self._supervisor[service]
        process.program = replace(process.program, env={**process.program.env, **environment})

    def add_twin(self, service: str) -> str:
        """A second process of a service, with a port of its own and without relays; returns its name."""
        name, port = f"{service}-2", self._more_ports.pop()
        env = {**LocalStack.settings_env(self, service), f"{ENV_PREFIX}HTTP_PORT": str(port)}
        env[f"{ENV_PREFIX}KAFKA_INSTANCE"] = name
        for key in ("LEASE_SECONDS", "SMTP_TIMEOUT_SECONDS", "SMTP_PORT", "RETRY_SECONDS"):
            if (value := self._settings.get(service, {}).get(key.lower())) is not None:
                env[ENV_PREFIX + key] = value
        program = Program(
            name=name,
            command=[*SERVE, service],
            is_ready=lambda: _is_ready(f"http://{HOST}:{port}/readyz"),
            env=env,
            stop_timeout=SERVICE_STOP_TIMEOUT,
            start_timeout=JOINED_WITHIN,
        )
        self._start_new([program])
        return name

    def begin(self, name: str) -> None:
        """Start a stopped process without waiting for it."""
        self._supervisor[name].start()

    def wipe_mongodb(self) -> None:
        """MongoDB comes back without any data."""
        self.stop_process("mongodb")
        shutil.rmtree(self.state / "mongodb" / "node1")
        (self.state / "mongodb" / "node1").mkdir()
        self.start_process("mongodb")
        mongo.ensure_replica_set(self.ports)

    def wipe_kafka(self) -> None:
        """The broker comes back without any data, not even a topic."""
        self.stop_process("kafka")
        shutil.rmtree(self.state / "kafka" / "node1" / "data")
        self._kafka_programs()  # formats the directory
        self.start_process("kafka")

    def is_running(self, name: str) -> bool:
        try:
            self.pid(name)
        except (ProcessLookupError, StopIteration):
            return False
        return True

    def _kafka_programs(self) -> list[Program]:
        return kafka.programs(self.state / "kafka", self.ports, downloads.kafka_jars(self.cache), self._relayed)
