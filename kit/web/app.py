"""The ASGI application of a service: what all four share before the first page of their own."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePath
from typing import Any, Protocol, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler, Lifespan

from kit import metrics
from kit.errors import Permanent, Transient
from kit.logging import get_logger
from kit.web.apidocs import page as api_page
from kit.web.middleware import BODY_LIMIT, Admit, Admitted, BodyLimited, Hardened, LastResort, Measured, Traced
from kit.web.problems import Answers, ProblemDocument
from kit.web.rendering import STATIC_FILES, STATIC_HASHES, Templates

_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}
_FOR_EVER = "public, max-age=31536000, immutable"


class WebSettings(Protocol):
    """What of the settings concerns pages."""

    @property
    def session_secure(self) -> bool: ...


def create_app(
    *,
    title: str,
    service: str,
    settings: WebSettings,
    lifespan: Lifespan[FastAPI],
    ready: Callable[[], Awaitable[dict[str, bool]]],
    templates: Templates | None = None,
    docs: bool = False,
    body_limit: int = BODY_LIMIT,
    large_bodies: Sequence[str] = (),
    admit: Admit | None = None,
) -> FastAPI:
    """An application with trace, metrics, security headers, body limit, error answers, /healthz, /readyz, /metrics and /static/.

    `ready` names the parts that readiness rests on. `templates` draws error pages (with the agency's face). `large_bodies`: shell
    patterns of paths that take 20 MiB (uploads) instead of `body_limit`. `docs`: /api/docs and /api/openapi.json. `admit`
    is asked with the caller's address before anything of a request is read.

    Routers carry their whole prefix themselves (`APIRouter(prefix="/{agency}/can-bo")`): metrics name a route by its own
    path.
    """
    pages = templates or Templates()
    answer = Answers(pages)
    app = FastAPI(
        title=title,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json" if docs else None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours are kit/tracing.py and kit/metrics.py
        redirect_slashes=False,  # its Location is absolute and would name the address behind the proxy
        middleware=[
            Middleware(Traced),
            Middleware(Measured),
            Middleware(Hardened, https=settings.session_secure),
            Middleware(LastResort, answer=answer),
            *([Middleware(Admitted, admit=admit)] if admit else []),
            Middleware(BodyLimited, limit=body_limit, large=large_bodies),
        ],
        responses={"4XX": {"model": ProblemDocument, "description": "RFC 9457, application/problem+json"}},
    )
    handler = cast(ExceptionHandler, answer)
    for kind in (HTTPException, RequestValidationError, Permanent, Transient, PyMongoError):
        app.add_exception_handler(kind, handler)
    _add_operations(app, service, ready)
    if docs:
        app.add_api_route("/api/docs", api_page(app, pages), include_in_schema=False)
    return app


def _add_operations(app: FastAPI, service: str, ready: Callable[[], Awaitable[dict[str, bool]]]) -> None:
    """The addresses that machines ask, on the service's own port only."""

    async def healthz() -> dict[str, str]:
        return {"status": "ok", "service": service}

    async def ready_parts() -> dict[str, bool]:
        try:
            return await ready()
        except Exception as error:
            get_logger().warning("readiness_failed", exc_info=error)
            return {"check": False}

    async def readyz() -> Response:
        parts = await ready_parts()
        return JSONResponse({"ready": all(parts.values()), "parts": parts}, 200 if all(parts.values()) else 503)

    async def exposition() -> Response:
        metrics.show_readiness(await ready_parts())
        body, media_type = metrics.exposition()
        return Response(body, headers={"Content-Type": media_type})

    add: Any = app.add_api_route
    for path, endpoint in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", exposition), ("/static/{name}", static_file)):
        add(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)


async def static_file(request: Request, name: str) -> Response:
    """A file of the design system; kept for ever by browsers when it is asked for by the hash of its content."""
    current = STATIC_HASHES.get(name)
    if current is None:
        raise HTTPException(404)
    etag = f'"{current}"'
    exact = request.query_params.get("v") == current
    headers = {"ETag": etag, "Cache-Control": _FOR_EVER if exact else "public, max-age=300"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(STATIC_FILES[name], headers=headers | {"Content-Type": _MEDIA_TYPES[PurePath(name).suffix]})
