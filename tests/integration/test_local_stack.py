"""The local stack: what was acknowledged survives kills, stops and new ports."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient, WriteConcern

from deploy.local.errors import StackError
from deploy.local.mongo import missing_libraries
from deploy.local.ports import Ports
from deploy.local.stack import LocalStack

pytestmark = pytest.mark.stack


def write(url: str, number: int) -> None:
    with MongoClient[dict[str, int]](url, serverSelectionTimeoutMS=15_000) as client:
        kept = client["kept"].get_collection("documents", write_concern=WriteConcern(w="majority", j=True))
        kept.insert_one({"_id": number})


def numbers(url: str) -> list[int]:
    with MongoClient[dict[str, int]](url, serverSelectionTimeoutMS=15_000) as client:
        return [document["_id"] for document in client["kept"]["documents"].find().sort("_id")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        stack.start(mongodb=True)
        yield stack


def test_a_killed_database_comes_back_with_what_it_acknowledged(stack: LocalStack) -> None:
    write(stack.mongodb_url, 1)
    before = stack.pid("mongodb")
    stack.kill("mongodb")
    stack.await_ready("mongodb")
    assert stack.pid("mongodb") != before
    assert numbers(stack.mongodb_url) == [1]


def test_a_stopped_process_can_be_started_again(stack: LocalStack) -> None:
    stack.stop_process("mongodb")
    with pytest.raises(ProcessLookupError):
        stack.pid("mongodb")
    stack.start_process("mongodb")
    write(stack.mongodb_url, 2)


def test_starting_what_runs_changes_nothing(stack: LocalStack) -> None:
    before = stack.pid("mongodb")
    stack.start(mongodb=True)
    assert stack.pid("mongodb") == before


def test_data_is_found_again_on_other_ports(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as first:
        first.start(mongodb=True)
        write(first.mongodb_url, 7)
    with LocalStack(tmp_path, ports=Ports.free()) as second:
        second.start(mongodb=True)
        assert second.mongodb_url != first.mongodb_url
        assert numbers(second.mongodb_url) == [7]


def test_a_busy_port_is_told_before_anything_starts(stack: LocalStack, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=rf"port {stack.ports.mongodb[0]} \(MongoDB 1\)"):
        LocalStack(tmp_path, ports=stack.ports).check_machine()


def test_a_missing_library_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A linker that does not find a library, as on a machine without OpenSSL 3."""
    ldd = tmp_path / "ldd"
    ldd.write_text("#!/bin/sh\necho '\tlibssl.so.3 => not found'\necho '\tlibc.so.6 => /lib/libc.so.6 (0x1)'\n")
    ldd.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert missing_libraries(Path("/bin/sh")) == ["libssl.so.3"]
