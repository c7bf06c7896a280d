"""The short session that a look-up opens, so that acts need not repeat the code: a signed cookie with the registration's id."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import Request
from itsdangerous import BadData, URLSafeSerializer
from pydantic import SecretStr
from starlette.responses import Response

from kit.clock import Clock

COOKIE = "doithoai_phieu"
MINUTES = 30
"""From the look-up or the last act."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who typed the code of this registration. `id` is random, and what CSRF tokens belong to."""

    id: str
    agency: str
    registration: UUID


class Sessions:
    """Opens, reads and ends visits. The cookie goes to the tracking pages of its agency alone, and from no other site."""

    def __init__(self, secret: SecretStr, clock: Clock, *, secure: bool) -> None:
        value = secret.get_secret_value()
        self._signer = URLSafeSerializer(
            value, salt="doithoai.registrant", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self._csrf_key = hmac.digest(value.encode(), b"doithoai.registrant.csrf", "sha256")
        self._clock = clock
        self._secure = secure

    def new(self, agency: str, registration: UUID) -> Visit:
        return Visit(secrets.token_urlsafe(16), agency, registration)

    def keep(self, response: Response, visit: Visit) -> None:
        """Give the browser the cookie, good for 30 minutes from now."""
        expires = self._clock() + timedelta(minutes=MINUTES)
        content = [int(expires.timestamp()), visit.id, visit.agency, visit.registration.hex]
        self._set(response, visit.agency, str(self._signer.dumps(content)), MINUTES * 60)

    def end(self, response: Response, agency: str) -> None:
        """Take the cookie away."""
        self._set(response, agency, "", 0)

    def read(self, request: Request, agency: str) -> Visit | None:
        """The visit of the request's cookie; None when there is none, it is over, or it was tampered with."""
        try:
            expires, _id, of, registration = self._signer.loads(request.cookies.get(COOKIE, ""))
            visit = Visit(_id, of, UUID(hex=registration))
        except (BadData, TypeError, ValueError, AttributeError):
            return None
        return visit if visit.agency == agency and self._clock().timestamp() < expires else None

    def csrf(self, visit: Visit) -> str:
        """The token that every form of this visit carries in its hidden field `csrf`."""
        return hmac.new(self._csrf_key, visit.id.encode(), hashlib.sha256).hexdigest()

    def csrf_matches(self, visit: Visit, token: str) -> bool:
        return hmac.compare_digest(self.csrf(visit).encode(), token.encode())

    def _set(self, response: Response, agency: str, value: str, seconds: int) -> None:
        response.set_cookie(
            COOKIE, value, max_age=seconds, path=f"/{agency}/tra-cuu", httponly=True, secure=self._secure, samesite="strict"
        )
