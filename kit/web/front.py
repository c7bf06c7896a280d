"""A service's front: its process and its pages as one ASGI application, wired the same way in all four."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from fastapi import APIRouter, FastAPI

from kit.auth import SessionCodec, StaffDirectory
from kit.clock import Clock
from kit.service import Service
from kit.web.app import create_app
from kit.web.guard import StaffGate
from kit.web.middleware import Admit
from kit.web.rendering import Templates


def front_of(
    service: Service,
    *,
    title: str,
    templates: Templates,
    directory: StaffDirectory,
    clock: Clock,
    routers: Sequence[APIRouter],
    docs: bool = False,
    large_bodies: Sequence[str] = (),
    admit: Admit | None = None,
) -> FastAPI:
    """The application: the service's relay, consumers and workers run while it is served.

    `directory` knows accounts whose sessions were revoked; `routers` are tried in order, so the one that takes any address
    below an agency comes last. `docs`, `large_bodies`, `admit`: see `create_app`.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    settings = service.settings
    app = create_app(
        title=title,
        service=service.name,
        settings=settings,
        lifespan=lifespan,
        ready=service.ready,
        templates=templates,
        docs=docs,
        large_bodies=large_bodies,
        admit=admit,
    )
    app.state.staff_gate = StaffGate(SessionCodec(settings.session_secret), directory, clock, secure=settings.session_secure)
    for router in routers:
        app.include_router(router)
    return app
