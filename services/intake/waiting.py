"""How many wait for the office in intake, told to the bars of other services' pages (decision 0018)."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from kit.auth import Role, Session
from kit.web import staff
from kit.web.navigation import COUNTS
from services.intake.usecases import Intake

Office = Annotated[Session, Depends(staff(Role.OFFICE))]


def router(intake: Intake) -> APIRouter:
    """`/{agency}/tiep-nhan/dang-cho`, for the office alone: address of a section → how many wait there."""
    routes = APIRouter(prefix="/{agency}", include_in_schema=False)

    @routes.get(f"/{COUNTS}")
    async def counts(session: Office, agency: str) -> Response:  # noqa: ARG001 - it guards
        found = {f"/{agency}/{page}": count for page, count in intake.waiting_in(agency).items()}
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    return routes
