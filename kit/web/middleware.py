"""What surrounds every request, outermost first: trace, metrics, headers, the last resort for errors, the body limit.

Plain ASGI: Starlette's BaseHTTPMiddleware would cost a task and two queues for each request.
"""

import fnmatch
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import TooMany
from kit.limits import network_of
from kit.metrics import REQUEST_SECONDS, REQUESTS
from kit.tracing import current_trace, trace_of, tracing
from kit.web.policy import CONTENT_SECURITY_POLICY
from kit.web.problems import route_template

BODY_LIMIT = 1024 * 1024
LARGE_BODY_LIMIT = 20 * 1024 * 1024
_DISCARDED = 32 * 1024 * 1024
"""Most of a refused body that is read on and thrown away."""

Admit = Callable[[str], None]
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Traced:
    """Does the request under the caller's trace id, or a new one, and tells it in `X-Request-Id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with tracing(trace_of(Headers(scope=scope).get("traceparent"))):
            await self._app(scope, receive, send)


class Measured:
    """Counts requests by route template, method and status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begun = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = route_template(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            _answered(route, method, status).inc()
            _seconds(route).observe(time.perf_counter() - begun)


@cache
def _answered(route: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(route, method, str(status))


@cache
def _seconds(route: str) -> Histogram:
    return REQUEST_SECONDS.labels(route)


class Hardened:
    """Security headers. Pages are not stored by browsers unless a handler says so: they may stand on a shared counter machine.
    A page with a script of ours brings its own policy (`Templates.page`).
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._fixed = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
        ]
        if https:
            self._fixed.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._added(dict(message["headers"]))]
            await send(message)

        await self._app(scope, receive, adding)

    def _added(self, headers: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Raw headers: Starlette's own class would search all of them for each."""
        yield from self._fixed
        # Chromium's viewer for PDF is stopped by anything stricter.
        pdf = headers.get(b"content-type", b"").startswith(b"application/pdf")
        if b"content-security-policy" not in headers:
            yield b"content-security-policy", b"frame-ancestors 'none'" if pdf else CONTENT_SECURITY_POLICY.encode()
        if b"cache-control" not in headers:
            yield b"cache-control", b"no-store"
        yield b"x-request-id", current_trace().encode()


class LastResort:
    """Answers what nothing else did: an unexpected error becomes a courteous 500, not a cut connection."""

    def __init__(self, app: ASGIApp, *, answer: Callable[[Request, Exception], Awaitable[Response]]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if started:
                raise
            response = await self._answer(Request(scope, receive), error)
            await response(scope, receive, send)


class Admitted:
    """Asks before anything of a request is read; `admit` is given what names the caller's address, and raises to refuse.

    What machines ask and files of the design system are let through. Forms are, too: their handlers count them, and answer one
    too many with what was typed.
    """

    _FREE = ("/healthz", "/readyz", "/metrics", "/static/")

    def __init__(self, app: ASGIApp, *, admit: Admit) -> None:
        self._app = app
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_counted(scope):
            try:
                self._admit(address_of(scope))
            except TooMany:
                await _discard(receive)
                raise
        await self._app(scope, receive, send)

    def _is_counted(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return path.startswith("/api/") or (scope["method"] in ("GET", "HEAD") and not path.startswith(self._FREE))


def address_of(scope: Scope) -> str:
    """What names the caller where requests are counted (as the proxy tells it)."""
    return network_of(scope["client"][0]) if scope["client"] else ""


class BodyLimited:
    """413 for a body over the limit, whether its length is announced or it comes in chunks.

    `large` are shell patterns of paths that take files (`/*/tiep-nhan/*/tep`): a form with files may be larger there; one without
    is held in memory whole and is not.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int = BODY_LIMIT, large_limit: int = LARGE_BODY_LIMIT, large: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._limit = limit
        self._large_limit = large_limit
        self._large = re.compile("|".join(fnmatch.translate(pattern) for pattern in large)) if large else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._large_limit if self._takes_files(scope["path"], headers) else self._limit
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            await _discard(receive)
            raise _too_large()
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    if message.get("more_body", False):
                        await _discard(receive)
                    raise _too_large()
            return message

        await self._app(scope, counting, send)

    def _takes_files(self, path: str, headers: Headers) -> bool:
        if self._large is None or not self._large.match(path):
            return False
        return headers.get("content-type", "").lower().startswith("multipart/form-data")


async def _discard(receive: Receive) -> None:
    """Read on to the body's end, within bounds: a proxy that is still sending it would miss the answer and say 502."""
    left = _DISCARDED
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def _too_large() -> HTTPException:
    return HTTPException(413, headers={"Connection": "close"})  # of a very large body the rest is not read
