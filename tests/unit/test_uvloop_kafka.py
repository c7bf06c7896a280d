"""aiokafka on uvloop: what a closed connection says is what aiokafka knows."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from kit.uvloop_kafka import bear_with_uvloop


async def _send_on_a_closed_connection() -> None:
    """The server is gone, its end of the stream not yet read: the moment in which aiokafka still writes."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = AIOKafkaConnection("127.0.0.1", port)
    connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
    connection._versions = {MetadataRequest.API_KEY: (0, 5)}
    connection._read_task = asyncio.create_task(asyncio.sleep(0))
    connection._writer.transport.abort()
    for _ in range(20):  # rounds of the loop: uvloop closes the transport in one of the next
        await asyncio.sleep(0)
    try:
        with pytest.raises(KafkaConnectionError):
            connection.send(MetadataRequest([]))
        assert not connection.connected()
    finally:
        server.close()


def _on_uvloop(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def test_a_write_to_a_closed_connection_is_a_lost_connection() -> None:
    bear_with_uvloop()
    _on_uvloop(_send_on_a_closed_connection())


def test_doing_it_again_changes_nothing() -> None:
    bear_with_uvloop()
    send = AIOKafkaConnection.send
    bear_with_uvloop()
    assert AIOKafkaConnection.send is send
