"""Staff pages of questions and cases, below `/{agency}/can-bo/`. A GET changes nothing but the log of openings."""

from fastapi import APIRouter

from kit.web import Templates
from services.routing.context import Routing
from services.routing.questions.pages import attachments, case, question, queue, sealed, triage
from services.routing.questions.pages.desk import Desk


def router(routing: Routing, templates: Templates) -> APIRouter:
    """All routes of this capability."""
    desk = Desk(routing, templates)
    routes = APIRouter(prefix="/{agency}/can-bo", include_in_schema=False)
    for part in (queue, triage, question, case, sealed, attachments):
        routes.include_router(part.router(desk))
    return routes
