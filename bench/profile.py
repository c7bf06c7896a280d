"""Where the processor time of a POST goes: both sides of R1 under the same load, sampled by py-spy and summed by layer.

py-spy looks from outside at whoever holds the interpreter, so what is measured runs as it is, and what the kernel does (sockets,
threads that wake each other) stands apart. It tells the layers' parts; how much there is to share out is measured without it. It
must be allowed to look: root is, others after `sysctl kernel.yama.ptrace_scope=0`.
"""

import asyncio
import os
import re
import shutil
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench import intake
from bench.load import Answers, closed_loop
from bench.machine import Child, Machine

SIDES: Mapping[str, str] = {"ours": "serve_intake", "plain": "serve_plain"}
SAMPLES_A_SECOND = 200
HTTP, AROUND, BODY, HANDLER, RENDERING, MONGODB, KAFKA, OTHER = LAYERS = (
    "HTTP server, ASGI, event loop",
    "middleware, trace, metrics, rates",
    "reading and checking the body",
    "handler: identity, code, number, document",
    "rendering events, relay",
    "MongoDB's driver, BSON",
    "Kafka's producer",
    "consumers, workers, other threads",
)
KERNEL = "system calls"
NECESSARY = (HTTP, BODY, MONGODB, KERNEL)
"""What no durable POST in Python is without."""
_RULES: Sequence[tuple[str, re.Pattern[str]]] = [
    (layer, re.compile(pattern))
    for layer, pattern in (
        (OTHER, r"\((kit/(consumer|lag|deadletters|service)|aiokafka/(consumer|coordinator))\b"),
        (MONGODB, r"\((pymongo|bson|motor)/|\((concurrent/futures/thread|services/intake/groupcommit)\b"),
        (KAFKA, r"\((aiokafka|kit/kafka)\b"),
        (BODY, r"^body_of\b|\((services/intake/forms|kit/web/forms|fastapi/(_compat|dependencies))\b"),
        (AROUND, r"\((kit/(web/middleware|tracing|limits)|services/intake/ratelimits)\b"),
        (HANDLER, r"^(Outbox\.new|_entry|_check_size|plain_application)\b|\(services/intake/(api|usecases)\b"),
        (RENDERING, r"\(kit/outbox\b"),
        (HTTP, r"\((uvicorn|starlette|fastapi|uvloop)/|\(asyncio/runners\b"),
    )
]
"""What a frame (`function (file:line)`) belongs to; the first that matches. A frame of none, as of the standard library or of
Pydantic, belongs to what called it.
"""


def layer_of(stack: str) -> str:
    """The layer of a stack (`outermost;…;innermost`): that of the innermost frame that has one."""
    for frame in reversed(stack.split(";")):
        for layer, pattern in _RULES:
            if pattern.search(frame):
                return layer
    return OTHER


def shares(folded: str) -> dict[str, float]:
    """Layer → its part of all samples. `folded`: a line `stack count` for each, as profilers write for flame graphs."""
    counts: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[layer_of(stack)] += int(count)
    return {layer: counts[layer] / counts.total() for layer in LAYERS}


async def measure(machine: Machine) -> dict[str, Any]:
    """Microseconds of processor time of a POST, by side and layer, and what of ours is `NECESSARY`."""
    us = {name: await _side(machine, side) for name, side in SIDES.items()}
    return {"us": us, "necessary": sum(us["ours"][layer] for layer in NECESSARY)}


async def _side(machine: Machine, side: str) -> dict[str, float]:
    prefix = machine.new_prefix()
    await intake.prepare_database(machine, prefix)
    async with intake.running(machine, side, prefix) as (target, child):
        load = partial(closed_loop, target, connections=intake.CONNECTIONS, seconds=machine.seconds)
        user, system = await _computed(child, load)
        folded, _ = await asyncio.gather(_sampled(child, machine.seconds), load())
        await child.stop()
    return {layer: round(user * share, 1) for layer, share in shares(folded).items()} | {KERNEL: round(system, 1)}


async def _computed(child: Child, load: Callable[[], Awaitable[Answers]]) -> tuple[float, float]:
    """Microseconds of user and system time of a POST, while nobody looks: py-spy stops every thread for each sample."""
    process = psutil.Process(child.process.pid)
    before = process.cpu_times()
    posts = len((await load()).accepted)
    after = process.cpu_times()
    return 1e6 * (after.user - before.user) / posts, 1e6 * (after.system - before.system) / posts


async def _sampled(child: Child, seconds: float) -> str:
    """Folded stacks of who held the interpreter. Raises `RuntimeError` when py-spy is not there or may not look."""
    program = shutil.which("py-spy", path=sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"])
    if program is None:
        raise RuntimeError("py-spy is not installed")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "stacks"
        what = f"--pid {child.process.pid} --duration {seconds:.0f} --rate {SAMPLES_A_SECOND} --gil --format raw".split()
        pipe = asyncio.subprocess.PIPE
        spy = await asyncio.create_subprocess_exec(program, "record", *what, "--output", str(file), stdout=pipe, stderr=pipe)
        _, said = await spy.communicate()
        if spy.returncode:
            raise RuntimeError(said.decode())
        return await asyncio.to_thread(file.read_text, encoding="utf-8")
