"""What the pages share: the routing's parts, the acting person, and how a refused form is shown again."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.auth import Role, Session
from kit.errors import Invalid, NotFound
from kit.mongo import Document
from kit.web import Submitted, Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.routing.context import Routing
from services.routing.dialogues import store
from services.routing.dialogues.usecases import MAX_SIGNED_FILE

Office = Annotated[Session, Depends(staff(Role.OFFICE))]
Leadership = Annotated[Session, Depends(staff(Role.LEADERSHIP))]
_reader = Depends(staff(Role.OFFICE, Role.LEADERSHIP))
Reader = Annotated[Session, _reader]
READERS = (_reader,)
"""For pages that need to know only that one may read."""

Again = Callable[[Submitted, Mapping[str, str]], Awaitable[Response]]
"""Shows the page again with what was typed and what was wrong."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The pages' way to the use cases."""

    routing: Routing
    templates: Templates

    def agency(self, code: str) -> Agency:
        """Raises `NotFound` for an unknown code."""
        if (found := self.routing.agencies.get(code)) is None:
            raise NotFound("agency")
        return found

    def acting(self, session: Session) -> Acting:
        return Acting(session.agency, session.username, self.routing.clock(), current_trace())

    async def plan(self, agency: str, plan_id: str) -> Document:
        return await self.routing.plans.get(plan_id, agency)

    async def dialogue(self, agency: str, dialogue_id: str) -> Document:
        """Raises `NotFound`."""
        found = await store.dialogue(self.routing.dialogues.collection, agency, dialogue_id)
        if found is None:
            raise NotFound("dialogue")
        return found

    def page(self, request: Request, session: Session, name: str, *, status: int = 200, **context: Any) -> Response:
        """A page of this capability; `office` tells whether the person may act here or only read."""
        return self.templates.page(
            request,
            f"dialogues/{name}",
            agency=face_of(self.agency(session.agency)),
            status=status,
            office=session.has(Role.OFFICE),
            now=self.routing.clock(),
            iso_date=date.fromisoformat,
            **context,
        )

    async def post(self, request: Request, to: str, act: Callable[[Submitted], Awaitable[object]], again: Again) -> Response:
        """Carry out a posted form and go to `to`; what is invalid is shown again beside what was typed."""
        submitted = await read_form(request)
        try:
            await act(submitted)
        except Invalid as error:
            return await again(submitted, error.errors)
        return RedirectResponse(to, 303)


def base(session: Session) -> str:
    """/son-la/can-bo."""
    return f"/{session.agency}/can-bo"


async def uploaded(submitted: Submitted) -> bytes:
    """The content of the form's `file`, read no further than the limit. Raises `Invalid` when none was chosen."""
    files: tuple[UploadFile, ...] = submitted.files.get("file", ())
    if not files:
        raise Invalid({"file": "Xin chọn tệp PDF của bản đã ký"})
    return await files[-1].read(MAX_SIGNED_FILE + 1)


def pdf(content: bytes, name: str) -> Response:
    """A PDF to look at in the browser."""
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'})
