"""How a service stops: whoever has a connection is answered once more, nobody new is let in."""

import asyncio
import socket
from typing import Any

import httpx
import pytest
import uvicorn

from cli.serve import Draining
from tests.waiting import eventually

pytestmark = pytest.mark.stack


async def _answers(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def test_a_kept_connection_is_answered_for_the_last_time_while_nobody_new_is_let_in() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server = Draining(uvicorn.Config(_answers, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    async with httpx.AsyncClient() as kept, httpx.AsyncClient() as new:

        async def started() -> bool:
            return server.started

        await eventually(started, timeout=5, every=0.01)
        assert "connection" not in (await kept.get(url)).headers
        server.should_exit = True

        async def refused() -> bool:
            try:
                await new.get(url, headers={"connection": "close"})
            except httpx.ConnectError:
                return True
            return False

        await eventually(refused, timeout=5, every=0.01)
        last = await kept.get(url)
        assert last.status_code == 200
        assert last.headers["connection"] == "close"
        with pytest.raises(httpx.ConnectError):
            await kept.get(url)
    await serving
