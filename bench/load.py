"""A load generator that costs little: requests are bytes made beforehand, connections are kept, answers are hardly parsed."""

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import perf_counter
from typing import cast
from uuid import uuid4

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb'"case_number":"([^"]+)"')


@dataclass
class Answers:
    """What the clients were told: case numbers of every 2xx, seconds of every answer, the number of all others."""

    accepted: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def p50_ms(self) -> float:
        return 1000 * median(self.seconds)

    @property
    def p99_ms(self) -> float:
        return 1000 * quantiles(self.seconds, n=100)[98]


class Target:
    """Where the requests go. Each has an Idempotency-Key of its own."""

    def __init__(self, port: int, path: str, body: bytes) -> None:
        self.port = port
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nIdempotency-Key: "
        ).encode()
        self._tail = b"\r\n\r\n" + body

    def request(self) -> bytes:
        return self._head + uuid4().hex.encode() + self._tail


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or (length := _LENGTH.search(head)) is None or len(rest) < int(length[1]):
            return
        self._buffer = b""
        assert self._answer is not None
        self._answer.set_result(head[9:12] + rest)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    async def send(self, request: bytes) -> bytes:
        """Status and body of the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _connections(target: Target, count: int) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(_Connection, "127.0.0.1", target.port))[1] for _ in range(count)]


def _note(answers: Answers, answer: bytes, seconds: float) -> None:
    if answer[:1] == b"2" and (number := _NUMBER.search(answer)) is not None:
        answers.accepted.append(number[1].decode())
        answers.seconds.append(seconds)
    else:
        answers.refused += 1


async def closed_loop(target: Target, *, connections: int, seconds: float) -> Answers:
    """Every connection sends its next request when the last one was answered."""
    answers = Answers()
    ends = perf_counter() + seconds

    async def client(connection: _Connection) -> None:
        while (begun := perf_counter()) < ends:
            answer = await connection.send(target.request())
            _note(answers, answer, perf_counter() - begun)

    opened = await _connections(target, connections)
    await asyncio.gather(*map(client, opened))
    for connection in opened:
        connection.close()
    return answers


async def open_loop(target: Target, *, connections: int, seconds: float, rate: float) -> Answers:
    """Requests are due at a fixed rate, whatever becomes of those before; time counts from when each was due."""
    answers = Answers()
    opened = await _connections(target, connections)
    free = deque(opened)
    freed = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def one(connection: _Connection, due: float) -> None:
        answer = await connection.send(target.request())
        _note(answers, answer, perf_counter() - due)
        free.append(connection)
        freed.set()

    began = perf_counter()
    for n in range(int(rate * seconds)):
        due = began + n / rate
        await asyncio.sleep(max(0.0, due - perf_counter()))
        while not free:
            freed.clear()
            await freed.wait()
        task = asyncio.create_task(one(free.popleft(), due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    while tasks:
        await asyncio.wait(set(tasks))
    for connection in opened:
        connection.close()
    return answers
