"""`doithoai serve`: one service in one process, as the local stack and the container image start it."""

import asyncio
import contextlib
import socket
import sys
from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from kit.service import calm_collector
from kit.settings import ServiceSettings

# Above the slowest consumer batch, so that a stop never cuts one short.
GRACEFUL_TIMEOUT = 30
# Longer than the proxy keeps an idle connection (120 s): it must never send a request on one that is just being closed.
KEEP_ALIVE = 150


# How long the connections that a proxy keeps are still answered, each for the last time.
DRAIN_SECONDS = 1.0


class Draining(uvicorn.Server):
    """Stops so that a proxy loses no request.

    uvicorn closes idle connections at once, and with them requests that have just come and were not read yet: a proxy may not
    repeat a POST, so it answers 502. Here nobody new is let in, whom the proxy asks again elsewhere or later, and every answer
    says that the connection ends with it.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(0)  # who stands at the door is let in
        for server in self.servers:
            server.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        await asyncio.sleep(DRAIN_SECONDS)
        await super().shutdown(sockets)


class Service(StrEnum):
    INTAKE = "intake"
    ROUTING = "routing"
    NOTIFY = "notify"
    REPORTING = "reporting"


def serve(service: Annotated[Service, typer.Argument(help="Which of the four services")]) -> None:
    """Run one service; its settings come from the environment (DOITHOAI_…)."""
    run(import_module(f"services.{service}.main").app)


def run(app: FastAPI) -> None:
    """Serve an application until it is told to stop."""
    settings = ServiceSettings()
    calm_collector()
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        access_log=False,
        log_config=None,  # kit.logging writes for everybody: uvicorn's own lines could hold addresses of pages
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACEFUL_TIMEOUT,
    )
    server = Draining(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)
