"""What is downloaded is used only when it is exactly the pinned file."""

import hashlib
import re
from pathlib import Path

import pytest

from deploy.local import downloads
from deploy.local.downloads import FONT_PINS, KAFKA_PINS, Pin, fetch, read_pins
from deploy.local.errors import StackError

GOOD = b"the right content"
PIN = Pin("org.example:thing:1.0", hashlib.sha256(GOOD).hexdigest())


class Repository:
    """Stands for the network: counts what is fetched."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.fetched = 0

    def download(self, pin: Pin, directory: Path) -> Path:
        self.fetched += 1
        path = directory / pin.filename
        path.write_bytes(self.content)
        return path


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository(GOOD)
    monkeypatch.setattr(downloads, "_download", repository.download)
    return repository


def test_a_jar_is_fetched_once(tmp_path: Path, repository: Repository) -> None:
    fetch([PIN], tmp_path / "jars")
    fetch([PIN], tmp_path / "jars")
    assert repository.fetched == 1
    assert (tmp_path / "jars" / "thing-1.0.jar").read_bytes() == GOOD


def test_a_jar_with_another_checksum_is_refused_and_not_kept(tmp_path: Path, repository: Repository) -> None:
    repository.content = b"something else"
    with pytest.raises(StackError, match=r"org\.example:thing:1\.0 does not have the pinned SHA-256"):
        fetch([PIN], tmp_path / "jars")
    assert list(tmp_path.rglob("*.jar")) == []


def test_a_jar_damaged_on_disk_is_fetched_again(tmp_path: Path, repository: Repository) -> None:
    fetch([PIN], tmp_path / "jars")
    (tmp_path / "jars" / "thing-1.0.jar").write_bytes(b"broken off")
    fetch([PIN], tmp_path / "jars")
    assert (tmp_path / "jars" / "thing-1.0.jar").read_bytes() == GOOD


def test_progress_counts_every_jar(tmp_path: Path, repository: Repository) -> None:
    pins = [Pin(f"org.example:thing{n}:1.0", PIN.sha256) for n in range(3)]
    seen: list[tuple[int, int]] = []
    fetch(pins, tmp_path / "jars", lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_no_network_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Network is unreachable")

    monkeypatch.setattr("jgo.util.http.requests.request", refuse)
    with pytest.raises(StackError, match="check the network") as caught:
        fetch([PIN], tmp_path / "jars")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [KAFKA_PINS, FONT_PINS])
def test_every_pin_is_complete(path: Path) -> None:
    pins = read_pins(path)
    assert pins
    assert all(re.fullmatch(r"[0-9a-f]{64}", pin.sha256) for pin in pins)
    assert all(len(pin.coordinate.split(":")) == 3 for pin in pins)
    assert len({pin.filename for pin in pins}) == len(pins)
