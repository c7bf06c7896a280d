"""TCP relays between a service and what it talks to, whose link a test makes fail: refused, black hole, half open, slow, cut.

All relays of a test run in one thread with an event loop of its own, so a busy test does not slow the links, nor they the test.
"""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Self, TypeVar

from deploy.local.ports import HOST

Direction = Literal["up", "down"]
"""up: from the service to what it talks to."""

_CHUNK = 65536
T = TypeVar("T")


class LoopThread:
    """A thread with an event loop."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the loop and wait for the result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _cancel_all(self) -> None:
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Connection:
    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.forgotten = False
        """Half open: the far end is gone and the near end was never told."""
        self.inside_mail = False
        """SMTP alone: the server has asked for a mail and has not answered to it."""


class Link:
    """One relay. Healthy until told otherwise; `heal` undoes every fault. `hits` counts what each fault met."""

    def __init__(self, thread: LoopThread, port: int, target: int, *, kafka: bool = False, smtp: bool = False) -> None:
        self.port = port
        self.hits: Counter[str] = Counter()
        self.cut_mails = 0
        """SMTP alone: mails of which the service cannot know what became of them."""
        self._target = target
        self._thread = thread
        self._kafka, self._smtp = kafka, smtp
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._open: dict[Direction, asyncio.Event] = {}
        self._bytes_per_second = 0
        self._held_frames: Callable[[bytes], bool] | None = None
        self._held_from: Callable[[bytes], bool] | None = None
        self._cut_at: tuple[Direction, bytes] | None = None
        thread.run(self._begin())

    # Faults. Each returns when it is in force.

    def refuse(self) -> None:
        """Nobody listens any more, and what was connected is reset."""
        self._thread.run(self._refuse())

    def hold(self, *directions: Direction) -> None:
        """Nothing passes, without a word: a black hole for both directions, or for one. New connections are taken."""
        self._thread.run(self._hold(directions or ("up", "down")))

    def hold_frames(self, matches: Callable[[bytes], bool]) -> None:
        """Kafka alone: a request for which `matches` is true does not pass, nor what its connection sends after it."""
        self._held_frames = matches

    def hold_replies_from(self, matches: Callable[[bytes], bool]) -> None:
        """Nothing comes back any more, from the next request on for which `matches` is true; it is passed on itself."""
        self._held_from = matches

    def forget(self) -> None:
        """Half open: what is connected stays so for the service, but there is nobody behind; new connections work."""
        self._thread.run(self._forget())

    def slow(self, bytes_per_second: int) -> None:
        self._bytes_per_second = bytes_per_second

    def cut(self) -> None:
        """Reset every connection now; new ones work."""
        self._thread.run(self._cut())

    def cut_at(self, direction: Direction, pattern: bytes) -> None:
        """Reset a connection instead of letting `pattern` pass, once."""
        self._cut_at = (direction, pattern)

    def heal(self) -> None:
        """Let everything pass again, what was held included."""
        self._bytes_per_second = 0
        self._held_frames = None
        self._held_from = None
        self._cut_at = None
        self._thread.run(self._heal())

    # In the loop

    async def _begin(self) -> None:
        self._open = {"up": asyncio.Event(), "down": asyncio.Event()}
        for gate in self._open.values():
            gate.set()
        await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, HOST, self.port, backlog=500)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _hold(self, directions: tuple[Direction, ...]) -> None:
        for direction in directions:
            self._open[direction].clear()
        self._note_mails(*self._connections)

    async def _forget(self) -> None:
        for connection in self._connections:
            connection.forgotten = True
            connection.writers[-1].transport.abort()
            self.hits["half open"] += 1
        self._note_mails(*self._connections)

    async def _cut(self) -> None:
        for connection in self._connections:
            for writer in connection.writers:
                writer.transport.abort()
            self.hits["reset"] += 1
        self._note_mails(*self._connections)

    def _note_mails(self, *connections: _Connection) -> None:
        """Count those whose service cannot know what becomes of the mail that it is sending, each mail once."""
        for connection in connections:
            self.cut_mails += connection.inside_mail
            connection.inside_mail = False

    async def _heal(self) -> None:
        for gate in self._open.values():
            gate.set()
        if self._server is None:
            await self._listen()
        # What nobody stands behind must not outlive the fault for ever: the network would say so at the next packet.
        for connection in [c for c in self._connections if c.forgotten]:
            connection.writers[0].transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection()
        connection.writers.append(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        connection.writers.append(far_writer)
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump("up", reader, far_writer, connection))
                both.create_task(self._pump("down", far_reader, writer, connection))
        except asyncio.CancelledError:
            pass  # the end of the test; asyncio's own callback would report it
        finally:
            self._connections.discard(connection)
            for end in connection.writers:
                end.transport.abort()

    async def _pump(
        self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await self._read(direction, reader):
                await self._pass_on(direction, data, writer)
                if self._smtp and direction == "down":
                    connection.inside_mail = data.rpartition(b"\r\n")[0].rpartition(b"\r\n")[2].startswith(b"354")
        if direction == "up":  # it went by itself: it did not want to wait for the answer any longer
            self._note_mails(connection)
        if connection.forgotten:
            with contextlib.suppress(OSError):
                while direction == "up" and await reader.read(_CHUNK):
                    self.hits["swallowed"] += 1
            return
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _read(self, direction: Direction, reader: asyncio.StreamReader) -> bytes:
        if self._kafka and direction == "up":
            size = await reader.readexactly(4)
            return size + await reader.readexactly(int.from_bytes(size, "big"))
        return await reader.read(_CHUNK)

    async def _pass_on(self, direction: Direction, data: bytes, writer: asyncio.StreamWriter) -> None:
        gate = self._open[direction]
        if not gate.is_set():
            self.hits["held"] += 1
        await gate.wait()
        if direction == "up" and self._held_frames is not None and self._held_frames(data):
            self.hits["frames held"] += 1
            while self._held_frames is not None:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.02)
        if direction == "up" and self._held_from is not None and self._held_from(data):
            self._held_from = None
            self._open["down"].clear()
            self.hits["replies held"] += 1
        if self._cut_at is not None and self._cut_at[0] == direction and self._cut_at[1] in data:
            self._cut_at = None
            self.hits["cut"] += 1
            writer.transport.abort()
            raise ConnectionResetError
        if self._bytes_per_second:
            self.hits["slowed"] += 1
            await asyncio.sleep(len(data) / self._bytes_per_second)
        writer.write(data)
        await writer.drain()


OFFSET_COMMIT = 8
PRODUCE = 0


def is_request(api_key: int) -> Callable[[bytes], bool]:
    """Kafka's requests begin with their length (4 bytes) and the number of what is asked for (2 bytes)."""
    wanted = api_key.to_bytes(2, "big")
    return lambda frame: frame[4:6] == wanted


def produces_to(topic: str) -> Callable[[bytes], bool]:
    """Produce with records of one topic."""
    is_produce = is_request(PRODUCE)
    return lambda frame: is_produce(frame) and topic.encode() in frame


def commits_of(group: str) -> Callable[[bytes], bool]:
    """OffsetCommit of one group."""
    is_commit = is_request(OFFSET_COMMIT)
    return lambda frame: is_commit(frame) and group.encode() in frame


def wait_until(check: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """For threads: until `check` says True. Raises AssertionError."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen: {what}")
        time.sleep(0.01)
