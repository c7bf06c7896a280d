"""The W3C trace id of what is being done: taken from the caller, or begun here, and carried into events and log lines."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_trace: ContextVar[str] = ContextVar("trace", default="")


def current_trace() -> str:
    """The trace id (32 hex digits) of the request or record being handled; empty outside of one."""
    return _trace.get()


def trace_of(traceparent: str | None) -> str:
    """The trace id in a `traceparent` header, or a new one where there is none or it is malformed."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return match["trace"] if match else f"{random.getrandbits(128):032x}"


@contextmanager
def tracing(trace: str) -> Iterator[None]:
    """Do what is inside under this trace id: `current_trace()` and every log line carry it."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)
