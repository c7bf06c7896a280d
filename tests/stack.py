"""The whole stack for a test: as `doithoai up` starts it, in a state of the test's own and on free ports; or one service."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from rich.console import Console

from cli.up import start
from deploy.local.stack import LocalStack

QUICK = "--quick-hashes"
"""Hashing the passwords of thirty accounts is half of what it takes to start; a test that measures keeps them slow."""


def start_everything(stack: LocalStack, *samples: str) -> None:
    """Kafka, MongoDB, mail, topics, samples with their accounts, the four services and the proxy. `samples`: options of
    `doithoai sample`.
    """
    start(stack, Console(file=io.StringIO()), *samples)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The address of an application that is running already, over HTTP on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving
