"""One side of a comparison, in a process of its own on the core of the code under test.

`python -m bench.child module:function PARAMETERS` runs the coroutine function with the JSON parameters as keywords and prints
what it returns as JSON.
"""

import asyncio
import ctypes
import importlib
import json
import os
import signal
import sys
from typing import Any

import uvloop

from bench.machine import CODE_CORE
from kit import logging
from kit.service import calm_collector


def say(**values: Any) -> None:
    """A line for the process that started this one."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


async def until_told() -> None:
    """Wait until the other process closes our input."""
    await asyncio.to_thread(sys.stdin.read)


_PR_SET_PDEATHSIG = 1


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # whoever measures has died: so does what is measured
    os.sched_setaffinity(0, {CODE_CORE})
    logging.configure("bench", level="WARNING")  # to standard error: what is said goes to standard output
    side, params = sys.argv[1], json.loads(sys.argv[2])
    module, function = side.split(":")
    run = getattr(importlib.import_module(module), function)
    calm_collector()
    result = uvloop.run(run(**params))
    if result is not None:
        say(**result)


if __name__ == "__main__":
    main()
