"""The supervisor, with real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.paths import ROOT
from deploy.local.supervisor import Program, Supervisor

# Writes the file when it is up, and a line to the journal when it is asked to stop.
WORKER = """
import os, pathlib, signal, sys
name, mark, journal = sys.argv[1:]
def stop(*_):
    with open(journal, "a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(mark).write_text(str(os.getpid()))
while True:
    signal.pause()
"""


def wait_until(condition: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """A zombie, ended but not yet collected by its parent, does not count."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", said.append)
    yield supervisor
    supervisor.stop()


def worker(name: str, directory: Path) -> Program:
    mark = directory / f"{name}.pid"
    command = [sys.executable, "-c", WORKER, name, str(mark), str(directory / "journal")]
    return Program(name, command, is_ready=mark.exists)


def never_ready(name: str, code: str, start_timeout: float = 20) -> Program:
    return Program(name, [sys.executable, "-c", code], is_ready=lambda: False, start_timeout=start_timeout)


def test_a_killed_process_is_started_again_and_that_is_said(tmp_path: Path, supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start([worker("a", tmp_path)])
    first = supervisor["a"].pid
    supervisor["a"].kill()
    supervisor["a"].await_ready()
    wait_until(lambda: (tmp_path / "a.pid").read_text() != str(first))
    assert supervisor["a"].pid != first
    assert said == ["a stopped (signal SIGKILL); starting it again in 0.2 s"]


def test_stopping_goes_in_reverse_order_of_groups(tmp_path: Path, supervisor: Supervisor) -> None:
    supervisor.start([worker("first", tmp_path)])
    supervisor.start([worker("second", tmp_path)])
    supervisor.start([worker("third", tmp_path)])
    supervisor.stop()
    assert (tmp_path / "journal").read_text().split() == ["third", "second", "first"]


def test_a_stopped_process_stays_down_until_it_is_started(tmp_path: Path, supervisor: Supervisor) -> None:
    supervisor.start([worker("a", tmp_path)])
    supervisor["a"].ask_to_stop()
    supervisor["a"].await_stop()
    with pytest.raises(ProcessLookupError):
        _ = supervisor["a"].pid
    supervisor["a"].start()
    supervisor["a"].await_ready()
    assert is_running(supervisor["a"].pid)


def test_a_program_that_fails_at_its_start_is_reported_with_its_last_words(supervisor: Supervisor) -> None:
    with pytest.raises(StackError, match=r"bad stopped while starting \(exit status 3\): no disk"):
        supervisor.start([never_ready("bad", "import sys; print('no disk'); sys.exit(3)")])


def test_a_program_that_is_never_ready_is_reported(supervisor: Supervisor) -> None:
    with pytest.raises(StackError, match=r"slow was not ready after 0 s; its log: .*slow\.log"):
        supervisor.start([never_ready("slow", "import signal; signal.pause()", start_timeout=0.3)])


def test_a_program_that_ignores_the_request_to_stop_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "up"
    code = (
        "import pathlib, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "while True: signal.pause()"
    )
    supervisor.start([Program("deaf", [sys.executable, "-c", code, str(mark)], is_ready=mark.exists, stop_timeout=0.3)])
    pid = supervisor["deaf"].pid
    supervisor.stop()
    assert not is_running(pid)


def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = f"""
import signal, sys
from pathlib import Path
from deploy.local.supervisor import Program, Supervisor
mark = Path({str(mark)!r})
child = "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); signal.pause()"
Supervisor(mark.parent / "logs").start([Program("child", [sys.executable, "-c", child, mark], is_ready=mark.exists)])
print("ready", flush=True)
signal.pause()
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    child = int(mark.read_text())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_running(child))
