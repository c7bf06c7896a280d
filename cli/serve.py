"""`doithoai serve`: one service in one process, as the local stack and the container image start it."""

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
    uvicorn.run(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        access_log=False,
        log_config=None,  # kit.logging writes for everybody: uvicorn's own lines could hold addresses of pages
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACEFUL_TIMEOUT,
    )
