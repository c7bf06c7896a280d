"""Staff pages of plans, dialogues, invitations, meetings, notices and the calendar, below `/{agency}/can-bo/`."""

from fastapi import APIRouter

from kit.web import Templates
from services.routing.context import Routing
from services.routing.dialogues.pages import calendar, invitations, meeting, notice, plans
from services.routing.dialogues.pages.desk import Desk


def router(routing: Routing, templates: Templates) -> APIRouter:
    """All routes of this capability."""
    desk = Desk(routing, templates)
    routes = APIRouter(prefix="/{agency}/can-bo", include_in_schema=False)
    for part in (plans, invitations, meeting, notice, calendar):
        routes.include_router(part.router(desk))
    return routes
