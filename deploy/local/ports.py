"""Which process listens where."""

import random
import socket
from dataclasses import dataclass

from deploy.local.errors import StackError

SERVICES = ("intake", "routing", "notify", "reporting")
HOST = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections: a process that is restarted finds its port free.
FREE_RANGE = range(20000, 32000)


@dataclass(frozen=True)
class Ports:
    proxy: int
    mail_web: int
    smtp: int
    services: dict[str, int]
    kafka: tuple[int, ...]
    kafka_controller: tuple[int, ...]
    mongodb: tuple[int, ...]

    @classmethod
    def fixed(cls, proxy: int, mail_web: int, first_internal: int, nodes: int = 1) -> "Ports":
        """Two ports that a person types, and successive ones from `first_internal` for what lies behind."""
        return cls._assign([proxy, mail_web, *range(first_internal, first_internal + _internal_count(nodes))], nodes)

    @classmethod
    def free(cls, nodes: int = 1) -> "Ports":
        """Ports that nobody listens on now, for tests and the demo."""
        chosen: set[int] = set()
        while len(chosen) < 2 + _internal_count(nodes):
            port = random.choice(FREE_RANGE)  # noqa: S311
            if port not in chosen and is_free(port):
                chosen.add(port)
        return cls._assign(list(chosen), nodes)

    @classmethod
    def _assign(cls, ports: list[int], nodes: int) -> "Ports":
        rest = iter(ports)
        return cls(
            proxy=next(rest),
            mail_web=next(rest),
            smtp=next(rest),
            services={name: next(rest) for name in SERVICES},
            kafka=tuple(next(rest) for _ in range(nodes)),
            kafka_controller=tuple(next(rest) for _ in range(nodes)),
            mongodb=tuple(next(rest) for _ in range(nodes)),
        )

    def by_purpose(self) -> dict[str, int]:
        """Every port, under the name that a person recognises."""
        several = {"Kafka": self.kafka, "Kafka controller": self.kafka_controller, "MongoDB": self.mongodb}
        return {
            "public site": self.proxy,
            "mail pages": self.mail_web,
            "mail": self.smtp,
            **self.services,
            **{f"{name} {n}": port for name, ports in several.items() for n, port in enumerate(ports, start=1)},
        }


def _internal_count(nodes: int) -> int:
    return 1 + len(SERVICES) + 3 * nodes


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def require_free(wanted: dict[str, int]) -> None:
    """Raises StackError naming each busy port of `wanted` (what it is for → port)."""
    busy = [f"{port} ({purpose})" for purpose, port in wanted.items() if not is_free(port)]
    if busy:
        raise StackError(
            f"Already in use on this machine: port {', '.join(busy)}. Stop what uses it (`ss -ltnp` shows it; perhaps "
            "another `make up`), or choose others with --port, --mail-port and --internal-ports."
        )
