"""Rows 6 to 9 and 22: MongoDB and Kafka die, stand still, lose their data or their disk."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pymongo import MongoClient

from contracts.topics import REGISTRATIONS
from deploy.local.ports import HOST
from tests.faults.invariants import answered_within
from tests.faults.preload import compiled
from tests.faults.row import Row, row
from tests.faults.watching import PREFIX

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


async def test_row06_mongodb_dies_or_stands_still(tmp_path: Path) -> None:
    """Idle, and under load."""
    async with row("6 mongod SIGKILL, SIGSTOP", tmp_path) as r:
        r.stack.kill("mongodb")  # idle
        await r.ready("mongodb")
        async with r.loaded(30):
            for _ in range(2):
                await asyncio.sleep(r.chance.uniform(2, 4))
                r.hit("in flight when mongod was killed", await _some_in_flight(r))
                r.stack.kill("mongodb")
                await r.ready("mongodb")
            await asyncio.sleep(2)
            await r.signal("mongodb", signal.SIGSTOP)
            async with r.down("mongodb", certainly_after=1.0):
                await asyncio.sleep(8)
            await r.signal("mongodb", signal.SIGCONT)
            await asyncio.sleep(2)
            await r.stop("mongodb")
            async with r.down("mongodb"):
                await asyncio.sleep(5)
            await r.start("mongodb")
        r.inject("mongod: SIGKILL idle, SIGKILL under load twice, SIGSTOP 8 s, stopped 5 s")
        await r.settle()
        r.hit("clients told 503", r.load.told()["failed"])
        found = await r.judge()
        assert answered_within(found, "mongodb") > 0


async def _some_in_flight(r: Row) -> int:
    r.load.burst(30)
    await asyncio.sleep(0)

    async def there() -> bool:
        return r.load.in_flight > 0

    await r.until(there, every=0.001)
    return r.load.in_flight


async def test_row07_the_broker_dies_or_stands_still(tmp_path: Path) -> None:
    """Under load, and in a rebalance."""
    async with row("7 broker SIGKILL, SIGSTOP", tmp_path) as r:
        async with r.loaded(30):
            for _ in range(2):
                await asyncio.sleep(r.chance.uniform(2, 4))
                r.stack.kill("kafka")
                async with r.down("kafka"):
                    await asyncio.sleep(0.5)
                    r.hit("unpublished when the broker was dead", await r.watcher.unpublished())
                await r.ready("kafka")
            await asyncio.sleep(3)
            await r.signal("kafka", signal.SIGSTOP)
            async with r.down("kafka"):
                await asyncio.sleep(15)
                r.hit("unpublished while the broker stood still", await r.watcher.unpublished())
            await r.signal("kafka", signal.SIGCONT)
            await asyncio.sleep(5)
            joining = asyncio.create_task(asyncio.to_thread(r.stack.add_twin, "routing"))
            stirring = asyncio.create_task(_stirred(r, "routing.registrations"))
            await _rebalancing(r, "routing.registrations")
            stirring.cancel()
            r.hit("rebalances in which the broker was killed", 1)
            r.stack.kill("kafka")
            await r.ready("kafka")
            await joining
        r.inject("Kafka: SIGKILL under load twice, SIGSTOP 15 s, SIGKILL while a group rebalanced")
        found = await r.judge()
        r.hit("answered while Kafka was away", answered_within(found, "kafka"))


async def _stirred(r: Row, group: str) -> None:
    """Let a member come and go until cancelled: the rebalance of one that stays can be over between two looks."""
    while True:
        member = AIOKafkaConsumer(
            REGISTRATIONS.name,
            bootstrap_servers=r.stack.kafka_bootstrap,
            group_id=f"{PREFIX}.{group}",
            enable_auto_commit=False,
        )
        try:
            await member.start()
            await asyncio.sleep(3)
        finally:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(5):
                    await member.stop()


async def _rebalancing(r: Row, group: str, timeout: float = 60) -> None:  # noqa: ASYNC109
    admin = AIOKafkaAdminClient(bootstrap_servers=r.stack.kafka_bootstrap)
    await admin.start()
    try:

        async def is_on() -> bool:
            (answer,) = await admin.describe_consumer_groups([f"{PREFIX}.{group}"])
            return answer.groups[0][2] in ("PreparingRebalance", "CompletingRebalance")

        await r.until(is_on, timeout, every=0.01)
    finally:
        await admin.close()


async def test_row08_the_brokers_data_are_wiped(tmp_path: Path) -> None:
    """What routing never saw intake finds by itself; the rest the operator publishes again, as the runbook says."""
    settings = {"intake": {"unrouted_after_seconds": "10"}}
    async with row("8 broker wiped", tmp_path, settings=settings) as r:
        async with r.loaded(20):
            await asyncio.sleep(8)
            await r.stop("routing")
            await asyncio.sleep(4)
            unseen = r.hit("accepted and never seen by routing", await r.waiting_for("routing"))
            await asyncio.to_thread(r.stack.wipe_kafka)
        await r.run("migrate")
        await r.start("routing")
        r.inject(f"Kafka's data removed while routing had not read {unseen} registrations; migrate")

        async def all_routed() -> bool:
            return await r.waiting_for("routing") == 0

        await r.until(all_routed, timeout=150, every=0.5)
        again = await r.watcher.database("intake")["registrations"].count_documents({"unrouted": {"$exists": True}})
        await r.run("republish")
        r.inject("republish of everything")
        await r.settle()
        records = await r.watcher.records(REGISTRATIONS)
        r.hit("registrations in the new topic", len({record.key for record in records}))
        registrations = [sent for sent in r.load.going_on() if sent.kept_in == "registrations"]
        assert len({record.key for record in records}) == len(registrations), again
        await r.judge()


async def test_row09_the_disk_fails(tmp_path: Path) -> None:
    """fsync errors for mongod; a full disk for mongod and for Kafka."""
    if os.geteuid() != 0:
        pytest.skip("a small file system has to be mounted, which needs root")
    fault = tmp_path / "fsync-fails"
    library = compiled("fsync", tmp_path)
    mongo_disk, kafka_disk = tmp_path / "s" / "mongodb" / "node1", tmp_path / "s" / "kafka" / "node1" / "data"
    with Disk(mongo_disk, 700), Disk(kafka_disk, 500):
        async with row("9 disk errors", tmp_path / "s") as r:
            r.stack.change_settings("mongodb", {"LD_PRELOAD": str(library), "FAULT_FILE": str(fault)})
            await r.stop("mongodb")
            await r.start("mongodb")
            async with r.loaded(30):
                await asyncio.sleep(3)
                pid = r.stack.pid("mongodb")
                fault.touch()
                await r.until(lambda: _is_gone(r, "mongodb", pid), timeout=60)
                r.hit("mongod gave up at a failed fsync", 1)
                fault.unlink()
                await r.ready("mongodb")
                await asyncio.sleep(3)
                await _filled(r, "mongodb", mongo_disk)
                await asyncio.sleep(3)
                await _filled(r, "kafka", kafka_disk)
            r.inject("mongod: fsync fails; disk full for mongod, for Kafka")
            await r.judge(timeout=300)


async def _is_gone(r: Row, name: str, pid: int) -> bool:
    return not r.stack.is_running(name) or r.stack.pid(name) != pid


async def _filled(r: Row, name: str, disk: Path) -> None:
    """Fill a disk until the process that writes to it ends, then make room and wait until it is back."""
    pid = r.stack.pid(name)
    ballast = disk / "ballast"
    await asyncio.to_thread(_fill, ballast)
    try:
        await r.until(lambda: _is_gone(r, name, pid), timeout=120)
        r.hit(f"{name} ended for want of space", 1)
    finally:
        ballast.unlink()
    await r.ready(name)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


class Disk:
    """A small file system in memory."""

    def __init__(self, where: Path, megabytes: int) -> None:
        self._where, self._megabytes = where, megabytes

    def __enter__(self) -> None:
        self._where.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "tmpfs", str(self._where)], check=True)

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self._where)], check=False)


async def test_row22_three_of_each(tmp_path: Path) -> None:
    """Kill the partition leader's broker and the primary, under load."""
    async with row("22 three brokers, three mongods", tmp_path, nodes=3) as r:
        async with r.loaded(30):
            await asyncio.sleep(5)
            for _ in range(2):
                primary = await asyncio.to_thread(_primary, r)
                r.stack.kill(f"mongodb{primary + 1}")
                r.hit("primaries killed", 1)
                await r.ready(f"mongodb{primary + 1}")
                await asyncio.sleep(4)
                leader = await _leader(r)
                r.stack.kill(f"kafka{leader}")
                r.hit("leaders killed", 1)
                await r.ready(f"kafka{leader}")
                await asyncio.sleep(4)
        r.inject("SIGKILL of the primary twice, of a broker that led partitions twice")
        await r.judge()


def _primary(r: Row) -> int:
    for index, port in enumerate(r.stack.ports.mongodb):
        with MongoClient[dict[str, object]](HOST, port, directConnection=True, serverSelectionTimeoutMS=2000) as client:
            if client.admin.command("hello")["isWritablePrimary"]:
                return index
    raise AssertionError("no primary")


async def _leader(r: Row) -> int:
    """Node id of the broker that leads the first partition of the registrations."""
    admin = AIOKafkaAdminClient(bootstrap_servers=r.stack.kafka_bootstrap)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([REGISTRATIONS.name])
        return int(next(p["leader"] for p in topic["partitions"] if p["partition"] == 0))
    finally:
        await admin.close()
