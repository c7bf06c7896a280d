"""Caddy in front of the four services, with the same Caddyfile as docker-compose.yml."""

import shutil
import sys
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.paths import ROOT
from deploy.local.ports import HOST, Ports, accepts_connections
from deploy.local.supervisor import Program

CADDYFILE = ROOT / "deploy" / "Caddyfile"


def program(state: Path, ports: Ports) -> Program:
    state.mkdir(parents=True, exist_ok=True)
    upstreams = {f"{name.upper()}_UPSTREAM": f"{HOST}:{port}" for name, port in ports.services.items()}
    return Program(
        name="proxy",
        command=[_caddy(), "run", "--config", CADDYFILE, "--adapter", "caddyfile"],
        is_ready=lambda: accepts_connections(ports.proxy),
        env={
            "PROXY_ADDRESS": f"http://:{ports.proxy}",
            "XDG_DATA_HOME": str(state),
            "XDG_CONFIG_HOME": str(state),
            **upstreams,
        },
    )


def _caddy() -> Path:
    """The wheel puts it beside the interpreter."""
    beside = Path(sys.executable).with_name("caddy")
    found = str(beside) if beside.exists() else shutil.which("caddy")
    if found is None:
        raise StackError("The proxy `caddy` is missing from the virtual environment: run `make venv`.")
    return Path(found)
