"""Starts processes in order, waits until each is ready, restarts what dies and stops everything again.

Each process belongs to one thread of ours that starts it, waits for its end and starts it again: the kernel ends a child when
the *thread* that started it ends (PR_SET_PDEATHSIG), so that thread has to live as long as the child.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from deploy.local.errors import StackError
from deploy.local.paths import ROOT

CHILD = Path(__file__).with_name("child.py")
PROBE_INTERVAL = 0.1
BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_AFTER = 10.0
LOG_KEPT = 20_000_000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """A process to run; `is_ready` is asked again and again until it says True, in a thread without an event loop."""

    name: str
    command: Sequence[str | Path]
    is_ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    start_timeout: float = 60.0
    stop_timeout: float = 40.0


class Process:
    """A program under supervision."""

    def __init__(self, program: Program, log_dir: Path, say: Say, backoff: Sequence[float] = BACKOFF) -> None:
        self.program = program
        self.log = log_dir / f"{program.name}.log"
        self.ready = threading.Event()
        self.failure: str | None = None
        self._say = say
        self._backoff = backoff
        self._popen: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int:
        if self._popen is None or self._popen.poll() is not None:
            raise ProcessLookupError(f"{self.program.name} is not running")
        return self._popen.pid

    def start(self) -> None:
        self._stopping.clear()
        self.failure = None
        _make_room(self.log)
        self._thread = threading.Thread(target=self._supervise, name=f"supervise-{self.program.name}", daemon=True)
        self._thread.start()

    def await_ready(self) -> None:
        """Raises StackError when the program ends, or is not ready in its time."""
        deadline = time.monotonic() + self.program.start_timeout
        while not self.ready.wait(PROBE_INTERVAL):
            if self.failure:
                raise StackError(self.failure)
            if time.monotonic() > deadline:
                seconds = self.program.start_timeout
                raise StackError(f"{self.program.name} was not ready after {seconds:.0f} s; its log: {self.log}")

    def kill(self) -> None:
        """SIGKILL; the supervising thread starts the program again."""
        self.ready.clear()
        os.kill(self.pid, signal.SIGKILL)

    def ask_to_stop(self) -> None:
        self._stopping.set()
        if self._popen is not None and self._popen.poll() is None:
            self._popen.terminate()

    def await_stop(self) -> None:
        if self._thread is None:
            return
        self._thread.join(self.program.stop_timeout)
        if self._thread.is_alive() and self._popen is not None:
            self._say(f"{self.program.name} did not stop in {self.program.stop_timeout:.0f} s: killed")
            self._popen.kill()
            self._thread.join()
        self._thread = None

    def _supervise(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            with self.log.open("ab") as log:
                self._popen = self._spawn(log)
            was_ready = self._probe()
            if self._stopping.is_set():  # asked to stop before there was a process to ask
                self._popen.terminate()
            status = self._popen.wait()
            self.ready.clear()
            if self._stopping.is_set():
                return
            if not was_ready and attempt == 0:
                self.failure = f"{self.program.name} stopped while starting ({_ending(status)}): {last_line(self.log)}"
                return
            attempt = 1 if time.monotonic() - started > STEADY_AFTER else attempt + 1
            wait = self._backoff[min(attempt, len(self._backoff)) - 1]
            self._say(f"{self.program.name} stopped ({_ending(status)}); starting it again in {wait:g} s")
            self._stopping.wait(wait)

    def _spawn(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        # Its own session: Ctrl-C in the terminal must reach the supervisor alone, which stops all in order.
        return subprocess.Popen(
            [sys.executable, "-I", "-S", CHILD, str(os.getpid()), *self.program.command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.program.env},
            cwd=ROOT,
            start_new_session=True,
        )

    def _probe(self) -> bool:
        assert self._popen is not None  # noqa: S101
        while self._popen.poll() is None and not self._stopping.is_set():
            if self.program.is_ready():
                self.ready.set()
                return True
            self._stopping.wait(PROBE_INTERVAL)
        return False


class Supervisor:
    """Processes in groups: a group starts together once the one before is ready, and stops after the one behind it.

    `backoff`: seconds until what died is started again, for each time that it did not live long.
    """

    def __init__(self, log_dir: Path, say: Say = lambda _: None, backoff: Sequence[float] = BACKOFF) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir = log_dir
        self._say = say
        self._backoff = backoff
        self._groups: list[list[Process]] = []

    def __getitem__(self, name: str) -> Process:
        return next(p for group in self._groups for p in group if p.program.name == name)

    def __contains__(self, name: str) -> bool:
        return any(p.program.name == name for group in self._groups for p in group)

    def start(self, programs: Sequence[Program]) -> None:
        """Start all of `programs` at once and wait until each is ready; raises StackError."""
        group = [Process(program, self._log_dir, self._say, self._backoff) for program in programs]
        self._groups.append(group)
        for process in group:
            process.start()
        for process in group:
            process.await_ready()

    def stop(self) -> None:
        while self._groups:
            group = self._groups[-1]
            for process in group:
                process.ask_to_stop()
            for process in group:
                process.await_stop()
            self._groups.pop()


def _ending(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def last_line(log: Path) -> str:
    """What a program wrote last, and where the rest is."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
    return f"{last[:300]} (log: {log})"


def _make_room(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_KEPT:
        log.replace(log.with_suffix(".log.1"))
