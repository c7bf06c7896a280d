"""The whole stack on one machine: real Kafka, real MongoDB, a mail catcher, the four services and the proxy."""

import importlib
import json
import os
import secrets
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import urlopen

from deploy.local import downloads, kafka, mongo, proxy
from deploy.local.errors import StackError
from deploy.local.paths import CACHE, ROOT
from deploy.local.ports import HOST, SERVICES, Ports, accepts_connections, require_free
from deploy.local.supervisor import BACKOFF, Program, Say, Supervisor
from kit.settings import ServiceSettings

ENV_PREFIX = "DOITHOAI_"
EXTERNAL_MONGODB = "DOITHOAI_MONGODB_URL"
SECRETS = ("session_secret", "code_secret")
# A service takes its running batch and its outbox to the end before it stops.
SERVICE_STOP_TIMEOUT = 40.0
SERVE = (sys.executable, "-m", "cli", "serve")


class LocalStack:
    """Starts what is asked for, knows how to reach it, and stops everything in reverse order.

    Use as a context manager; `start` may be called again to add what was not started before. `state` holds the data, the
    logs and the secrets: the same directory finds its data again. `say` is told about restarts, which wait for `backoff`
    seconds. `serve` is the command that runs a service, up to its name.
    """

    def __init__(
        self,
        state: Path,
        *,
        ports: Ports | None = None,
        cache: Path = CACHE,
        say: Say = lambda _: None,
        serve: Sequence[str | Path] = SERVE,
        backoff: Sequence[float] = BACKOFF,
    ) -> None:
        self.state = state.absolute()
        # Data and mails of people, secrets, passwords: for this user alone.
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ports = ports or Ports.free()
        self.cache = cache
        self.mail_dir = self.state / "mail"
        self.log_dir = self.state / "logs"
        self.environment = self.state / "environment"
        self._external_mongodb = bool(os.environ.get(EXTERNAL_MONGODB))
        self.mongodb_url = os.environ.get(EXTERNAL_MONGODB) or mongo.url(self.ports)
        self.kafka_bootstrap = kafka.bootstrap(self.ports)
        self.smtp_port = self.ports.smtp
        self.public_url = f"http://localhost:{self.ports.proxy}"
        self.mail_url = f"http://localhost:{self.ports.mail_web}"
        self._supervisor = Supervisor(self.log_dir, say, backoff)
        self._serve = serve
        self._secrets: dict[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def check_machine(self) -> None:
        """What can be known before anything is downloaded or started; raises StackError."""
        if sys.platform == "win32":
            raise StackError("Windows is not supported: use WSL 2, or docker-compose.yml.")
        if not self._external_mongodb:
            mongo.find_mongod()
        require_free(self.ports.by_purpose())

    def start(
        self,
        *,
        kafka: bool = False,
        mongodb: bool = False,
        mail: bool = False,
        services: Sequence[str] = (),
        proxy: bool = False,
    ) -> None:
        """Start the parts asked for that do not run yet, and wait until each is ready.

        Raises:
            StackError: no network, a missing library, or a process that does not come up.
        """
        self.start_infrastructure(kafka=kafka, mongodb=mongodb, mail=mail)
        self.start_services(services, proxy=proxy)

    def start_infrastructure(self, *, kafka: bool = True, mongodb: bool = True, mail: bool = True) -> None:
        """Kafka, MongoDB and the mail catcher, all at once."""
        programs: list[Program] = []
        if kafka:
            programs += self._kafka_programs()
        if mongodb and not self._external_mongodb:
            programs += mongo.programs(self.state / "mongodb", self.ports)
        if mail:
            programs.append(self._mail_program())
        new = self._start_new(programs)
        if any(program.name.startswith("mongodb") for program in new):
            mongo.ensure_replica_set(self.ports)

    def start_services(self, services: Sequence[str] = SERVICES, *, proxy: bool = True) -> None:
        """The services named, all at once, and then the proxy."""
        self._start_new([self._service_program(name) for name in services])
        if proxy:
            self._start_new([_proxy_program(self)])

    def stop(self) -> None:
        self._supervisor.stop()

    def pid(self, name: str) -> int:
        """Process id of `kafka`, `mongodb`, `mail`, `proxy` or a service; ProcessLookupError while it is down."""
        return self._supervisor[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL; the supervisor starts it again."""
        self._supervisor[name].kill()

    def stop_process(self, name: str) -> None:
        """Stop it cleanly; it stays down until `start_process`."""
        self._supervisor[name].ask_to_stop()
        self._supervisor[name].await_stop()

    def start_process(self, name: str) -> None:
        self._supervisor[name].start()
        self.await_ready(name)

    def await_ready(self, name: str) -> None:
        """After a `kill`, wait until the new process is ready."""
        self._supervisor[name].await_ready()

    def service_url(self, service: str) -> str:
        return f"http://{HOST}:{self.ports.services[service]}"

    def settings_env(self, service: str) -> dict[str, str]:
        """The environment of one service: exactly the settings that its class declares."""
        values = {**self._values(), "http_port": str(self.ports.services[service]), "kafka_instance": service}
        declared = settings_class(service).model_fields
        return {ENV_PREFIX + name.upper(): value for name, value in values.items() if name in declared}

    def command_env(self) -> dict[str, str]:
        """The environment for `doithoai migrate`, `staff`, `rebuild`…: the settings of all four services."""
        return {**os.environ, **{ENV_PREFIX + name.upper(): value for name, value in self._values().items()}}

    def write_environment(self) -> None:
        """The settings as a file for a shell: `. <file>`, then every `doithoai` command works on this stack."""
        lines = (f"export {ENV_PREFIX}{name.upper()}={shlex.quote(value)}\n" for name, value in self._values().items())
        write_private(self.environment, "".join(lines))

    def _values(self) -> dict[str, str]:
        return {
            "http_host": HOST,
            "public_url": self.public_url,
            "mongodb_url": self.mongodb_url,
            "kafka_bootstrap": self.kafka_bootstrap,
            "kafka_replication": str(len(self.ports.kafka)),
            "agencies_dir": str(ROOT / "agencies"),
            "fonts_dir": str(self.cache / "fonts"),
            "session_secure": "false",
            "smtp_host": HOST,
            "smtp_port": str(self.smtp_port),
            "smtp_tls": "none",
            **self._own_secrets(),
        }

    def _own_secrets(self) -> dict[str, str]:
        """Random, made at the first start, readable by the user alone."""
        if self._secrets is None:
            path = self.state / "secrets.json"
            if not path.exists():
                write_private(path, json.dumps({name: secrets.token_urlsafe(48) for name in SECRETS}))
            self._secrets = json.loads(path.read_text(encoding="utf-8"))
        return self._secrets

    def _start_new(self, programs: list[Program]) -> list[Program]:
        new = [program for program in programs if program.name not in self._supervisor]
        if new:
            self._supervisor.start(new)
        return new

    def _kafka_programs(self) -> list[Program]:
        return kafka.programs(self.state / "kafka", self.ports, downloads.kafka_jars(self.cache))

    def _mail_program(self) -> Program:
        ports = ("--smtp-port", str(self.ports.smtp), "--web-port", str(self.ports.mail_web))
        return Program(
            name="mail",
            command=[sys.executable, "-m", "deploy.local.mail", *ports, "--dir", self.mail_dir],
            is_ready=lambda: accepts_connections(self.ports.smtp) and accepts_connections(self.ports.mail_web),
        )

    def _service_program(self, name: str) -> Program:
        return Program(
            name=name,
            command=[*self._serve, name],
            is_ready=lambda: _is_ready(f"{self.service_url(name)}/readyz"),
            env=self.settings_env(name),
            stop_timeout=SERVICE_STOP_TIMEOUT,
        )


def _proxy_program(stack: LocalStack) -> Program:
    return proxy.program(stack.state / "caddy", stack.ports)


def settings_class(service: str) -> type[ServiceSettings]:
    """The settings class of `services/<service>/settings.py`: the subclass of ServiceSettings that it defines."""
    module = importlib.import_module(f"services.{service}.settings")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ServiceSettings) and value.__module__ == module.__name__
    ]
    return found[0]


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _is_ready(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310  # our own service on this machine
            return bool(answer.status == 200)
    except OSError:
        return False
