"""MongoDB as a replica set of one node or three, from the wheel or a `mongod` on PATH."""

import importlib.util
import platform
import shutil
import subprocess
import time
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.errors import StackError
from deploy.local.ports import HOST, Ports, accepts_connections
from deploy.local.supervisor import Program

REPLICA_SET = "rs0"
NOT_YET_INITIALIZED = 94
ELECTION_TIMEOUT = 30.0
EXTERNAL_HINT = "or set DOITHOAI_MONGODB_URL to a MongoDB replica set of your own"


def url(ports: Ports) -> str:
    hosts = ",".join(f"{HOST}:{port}" for port in ports.mongodb)
    return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"


def programs(state: Path, ports: Ports) -> list[Program]:
    binary = find_mongod()
    return [_node(index, state, ports, binary) for index in range(len(ports.mongodb))]


def _node(index: int, state: Path, ports: Ports, binary: Path) -> Program:
    data = state / f"node{index + 1}"
    data.mkdir(parents=True, exist_ok=True)
    port = ports.mongodb[index]
    return Program(
        name="mongodb" if len(ports.mongodb) == 1 else f"mongodb{index + 1}",
        command=[
            binary,
            *("--dbpath", data, "--port", str(port), "--bind_ip", HOST, "--replSet", REPLICA_SET),
            *("--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # The log of a slow operation shows the operation, and with it people's data.
            *("--slowOpSampleRate", "0"),
        ],
        is_ready=lambda: accepts_connections(port) and _answers(port),
    )


def find_mongod() -> Path:
    """Raises StackError when there is none for this machine, or when it cannot be loaded."""
    binary = _from_wheel() or _from_path()
    if binary is None:
        raise StackError(
            f"No MongoDB server comes with the packages for {platform.system()} {platform.machine()}: install one so that "
            f"`mongod` is on PATH, {EXTERNAL_HINT}."
        )
    missing = missing_libraries(binary)
    if missing:
        raise StackError(
            f"MongoDB needs system libraries that are missing: {', '.join(missing)}. On Debian or Ubuntu: "
            f"`sudo apt-get install libcurl4 libssl3`; {EXTERNAL_HINT}."
        )
    return binary


def _from_wheel() -> Path | None:
    package = importlib.util.find_spec("fiftyone")
    for directory in (package.submodule_search_locations or []) if package else []:
        binary = Path(directory) / "db" / "bin" / "mongod"
        if binary.exists():
            return binary
    return None


def _from_path() -> Path | None:
    found = shutil.which("mongod")
    return Path(found) if found else None


def missing_libraries(binary: Path) -> list[str]:
    """Names of the shared libraries that the dynamic linker does not find."""
    if shutil.which("ldd") is None:
        return []
    done = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    # "libssl.so.3 => not found", or "…: version `OPENSSL_3.0.0' not found (required by …)"
    return [line.split("=>")[0].strip() for line in lines if "not found" in line]


def _answers(port: int) -> bool:
    try:
        with _client(port) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def ensure_replica_set(ports: Ports) -> None:
    """Make the nodes one replica set under their present ports and wait until it takes writes.

    Raises:
        StackError: no primary within ELECTION_TIMEOUT seconds.
    """
    members = [{"_id": i, "host": f"{HOST}:{port}"} for i, port in enumerate(ports.mongodb)]
    wanted = {"_id": REPLICA_SET, "members": members, "settings": {"electionTimeoutMillis": 2000}}
    with _client(ports.mongodb[0]) as client:
        try:
            present = client.admin.command("replSetGetConfig")["config"]
            if [m["host"] for m in present["members"]] != [m["host"] for m in members]:
                # The ports were chosen anew; the data stays.
                client.admin.command("replSetReconfig", {**wanted, "version": present["version"] + 1}, force=True)
        except OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            client.admin.command("replSetInitiate", wanted)
    _await_primary(ports)


def _await_primary(ports: Ports) -> None:
    deadline = time.monotonic() + ELECTION_TIMEOUT
    while time.monotonic() < deadline:
        if any(_is_primary(port) for port in ports.mongodb):
            return
        time.sleep(0.05)
    raise StackError(f"MongoDB chose no primary in {ELECTION_TIMEOUT:.0f} s; see mongodb.log")


def _is_primary(port: int) -> bool:
    try:
        with _client(port) as client:
            return bool(client.admin.command("hello")["isWritablePrimary"])
    except PyMongoError:
        return False


def _client(port: int) -> "MongoClient[dict[str, object]]":
    return MongoClient(HOST, port, directConnection=True, serverSelectionTimeoutMS=2000)
