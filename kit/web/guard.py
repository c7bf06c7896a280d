"""Who may open a staff page: the FastAPI side of `kit.auth` (design §8).

app.state.staff_gate = StaffGate(SessionCodec(settings.session_secret), StaffProjection(db["staff"]), clock, secure=…)

@router.post("/{agency}/can-bo/noi-dung/{id}/chuyen")
async def transfer(session: Annotated[Session, Depends(staff(Role.OFFICE))], …): …
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import HTTPException, Request
from starlette.responses import Response

from kit.auth import (
    AGENCY_CODE,
    COOKIE,
    Expired,
    Role,
    Session,
    SessionCodec,
    StaffDirectory,
    local_path,
    renew_path,
    sign_in_path,
)
from kit.clock import Clock
from kit.errors import Forbidden, NotFound, StaleForm
from kit.web.forms import read_form

_READING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class StaffGate:
    """What the guard needs; one per application, kept as `app.state.staff_gate`. `secure`: cookies over HTTPS only."""

    codec: SessionCodec
    directory: StaffDirectory
    clock: Clock
    secure: bool = True

    def sign_in(self, response: Response, session: Session) -> None:
        """Give the browser the cookie. It outlives its 15 minutes, so that an expired session is told from none."""
        response.set_cookie(
            COOKIE, self.codec.encode(session, self.clock()), path="/", httponly=True, secure=self.secure, samesite="lax"
        )

    def sign_out(self, response: Response) -> None:
        """Take the cookie away."""
        response.delete_cookie(COOKIE, path="/", httponly=True, secure=self.secure, samesite="lax")

    def read(self, request: Request) -> Session | Expired | None:
        """What the request's cookie says, before roles and revocation."""
        return self.codec.decode(request.cookies.get(COOKIE), self.clock())


def staff(*roles: Role, permission: str = "") -> Callable[[Request], Awaitable[Session]]:
    """A dependency that gives the signed-in `Session` of the path's `{agency}`.

    Any of `roles` suffices, and so does `permission`; with neither, every member of staff may pass. Without a session: 303 to
    sign-in and back. Expired: through routing, which renews it; 307 for a POST, so that its content is kept. Another agency, a
    missing role or a wrong CSRF token: 403.
    """

    async def guard(request: Request) -> Session:
        agency: str = request.path_params["agency"]
        if not re.fullmatch(AGENCY_CODE, agency):
            raise NotFound
        gate: StaffGate = request.app.state.staff_gate
        session = await _current_session(gate, request, agency)
        if session.agency != agency:
            raise Forbidden
        request.state.session = session  # a refusal is a page of the desk too
        request.state.csrf = gate.codec.csrf(session.id)
        if not _allowed(session, roles, permission):
            raise Forbidden
        if request.method not in _READING:
            submitted = await read_form(request)
            if not gate.codec.csrf_matches(session.id, submitted.csrf):
                raise StaleForm
        return session

    return guard


async def _current_session(gate: StaffGate, request: Request, agency: str) -> Session:
    found = gate.read(request)
    if isinstance(found, Expired):
        raise _redirect(303 if request.method in _READING else 307, renew_path(agency), request, agency)
    if found is None or not await gate.directory.is_current(found.agency, found.username, found.version):
        raise _redirect(303, sign_in_path(agency), request, agency)
    return found


def _allowed(session: Session, roles: tuple[Role, ...], permission: str) -> bool:
    if permission and permission in session.permissions:
        return True
    return session.has(*roles) if roles else not permission


def _redirect(status: int, target: str, request: Request, agency: str) -> HTTPException:
    """To `target` and back to the page asked for; after sign-in a POST is not repeated, so that leads back to the desk."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if status == 303 and request.method not in _READING:
        wanted = ""
    return HTTPException(status, headers={"Location": f"{target}?ve={quote(local_path(agency, wanted), safe='/')}"})
