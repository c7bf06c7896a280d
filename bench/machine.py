"""Where things run: brokers and load on one core, the code under test on the other, for both sides of every comparison."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import psutil

from contracts.topics import TOPICS, Topic
from deploy.local.paths import ROOT
from deploy.local.stack import LocalStack
from kit import mongo
from kit.kafka import create_topics
from kit.mongo import Client

BROKERS_CORE = 0
CODE_CORE = 1
LOG = ROOT / ".local" / "bench.log"
"""What the sides write to standard error."""


def pin_brokers() -> None:
    """Put this process, and with it every broker that it starts, on the brokers' core."""
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("Two cores are needed: one for brokers and load, one for the code under test.")
    os.sched_setaffinity(0, {BROKERS_CORE})


@dataclass
class Machine:
    """Real Kafka, MongoDB and room for one ratio. Databases are new for each round: `<prefix>_<service>`."""

    stack: LocalStack
    client: Client
    seconds: float
    warm_up: float
    log: IO[bytes]
    names: list[str] = field(default_factory=list)

    def new_prefix(self) -> str:
        """Of the databases and consumer groups of one round."""
        prefix = f"b{uuid4().hex[:10]}"
        self.names.append(prefix)
        return prefix

    async def new_topic(self, partitions: int = 6) -> Topic:
        topic = Topic(f"bench.{uuid4().hex[:10]}", "aggregate", partitions, 1)
        await create_topics(self.stack.kafka_bootstrap, [topic])
        return topic

    def params(self, **more: Any) -> dict[str, Any]:
        """What a side needs to know."""
        return {
            "kafka_bootstrap": self.stack.kafka_bootstrap,
            "mongodb_url": self.stack.mongodb_url,
            "seconds": self.seconds,
            "warm_up": self.warm_up,
            **more,
        }

    async def run(self, side: str, **params: Any) -> dict[str, Any]:
        """Run a side (`module:function`) to its end; returns the last thing it said."""
        async with self.child(side, **params) as child:
            return await child.result()

    @contextlib.asynccontextmanager
    async def child(self, side: str, **params: Any) -> AsyncIterator["Child"]:
        """A side in a process of its own, killed at the end if it has not ended by then."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.child",
            side,
            json.dumps(self.params(**params)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self.log,
            cwd=ROOT,
            limit=1 << 26,
        )
        try:
            yield Child(side, process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@dataclass
class Child:
    """A running side. What it says are JSON objects, one a line."""

    side: str
    process: asyncio.subprocess.Process

    def cpu(self) -> float:
        """Seconds that it has computed, all threads together."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def megabytes(self) -> float:
        """Its resident memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    async def hear(self, within: float = 300.0) -> dict[str, Any]:
        """The next thing it says."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.side} ended without a result; see {LOG}")
        said: dict[str, Any] = json.loads(line)
        return said

    async def result(self) -> dict[str, Any]:
        said = await self.hear()
        await self.process.wait()
        return said

    def tell_to_stop(self) -> None:
        """By the end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def stop(self) -> None:
        """Ask it to stop, and wait."""
        self.tell_to_stop()
        await self.process.wait()


@contextlib.asynccontextmanager
async def machine(seconds: float, warm_up: float) -> AsyncIterator[Machine]:
    """Kafka and MongoDB with the product's topics, in a directory that goes away."""
    state = Path(tempfile.mkdtemp(prefix="doithoai-bench-"))
    LOG.parent.mkdir(exist_ok=True)
    try:
        with LocalStack(state) as stack:
            await asyncio.to_thread(stack.start, kafka=True, mongodb=True)
            await create_topics(stack.kafka_bootstrap, TOPICS)
            client = mongo.connect(stack.mongodb_url, driver="pymongo", timeout_ms=None)
            try:
                with LOG.open("ab") as log:
                    yield Machine(stack, client, seconds, warm_up, log)
            finally:
                await mongo.close(client)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def description() -> Iterator[tuple[str, str]]:
    """What the figures were measured on."""
    with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    yield "cpu", model
    yield "cores", str(os.cpu_count())
    yield "python", sys.version.split()[0]
    yield (
        "commit",
        _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "kit", "services", "contracts") else ""),
    )
    yield "load before", f"{os.getloadavg()[0]:.1f}"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
