"""Who a member of staff is: roles, the signed session, CSRF tokens, and what other services know of revoked accounts (design §8).

Routing owns accounts and signs people in; every service reads the same cookie with the same secret. What FastAPI needs to
guard a page with it is in `kit.web.guard`.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pymongo import IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from contracts.envelope import Event
from contracts.model import StaffState
from kit.mongo import Collection, CollectionSpec, Document, only_duplicates

COOKIE = "doithoai_canbo"
SESSION_MINUTES = 15
READ_SEALED = "read_sealed"
AGENCY_CODE = r"^[a-z0-9-]{2,40}$"


class Role(StrEnum):
    """What a member of staff may do in the own agency (contracts: Roles)."""

    OFFICE = "office"
    OFFICER = "officer"
    HEAD = "head"
    LEADERSHIP = "leadership"
    CONTROL = "control"
    ADMINISTRATOR = "administrator"


class Session(BaseModel):
    """A signed-in member of staff. `id` is the server-side session that routing keeps; `version` is the account's session version
    at sign-in: a higher one known from `routing.staff` revokes this session.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: str
    agency: str
    username: str
    name: str
    roles: frozenset[Role] = frozenset()
    unit: str | None = None
    permissions: frozenset[str] = frozenset()
    version: int = 1

    def has(self, *roles: Role) -> bool:
        """Whether the account has one of `roles`."""
        return not self.roles.isdisjoint(roles)

    @property
    def may_read_sealed(self) -> bool:
        """Sealed questions are opened by persons named for it, whatever their role (D6)."""
        return READ_SEALED in self.permissions


@dataclass(frozen=True, slots=True)
class Expired:
    """A genuine session whose 15 minutes are over; routing may renew it."""

    session: Session


class SessionCodec:
    """Signs and reads the session cookie and derives CSRF tokens. The keys come from one secret, equal in every service."""

    def __init__(self, secret: SecretStr) -> None:
        value = secret.get_secret_value()
        if len(value) < 32:
            raise ValueError("The session secret needs at least 32 characters")
        self._signer = URLSafeSerializer(
            value, salt="doithoai.session", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self._csrf_key = hmac.digest(value.encode(), b"doithoai.csrf", "sha256")

    def encode(self, session: Session, now: datetime) -> str:
        """The cookie's value, good for 15 minutes from `now`."""
        expires = now + timedelta(minutes=SESSION_MINUTES)
        return str(self._signer.dumps([int(expires.timestamp()), session.model_dump(mode="json")]))

    def decode(self, cookie: str | None, now: datetime) -> Session | Expired | None:
        """The session of a cookie; `Expired` when it is genuine but old; None when there is none or it was tampered with."""
        if not cookie:
            return None
        try:
            expires, content = self._signer.loads(cookie)
            session = Session.model_validate(content)
        except (BadData, ValidationError, TypeError, ValueError):
            return None
        return session if now.timestamp() < expires else Expired(session)

    def csrf(self, session_id: str) -> str:
        """The token that every form of this session carries in its hidden field `csrf`."""
        return hmac.new(self._csrf_key, session_id.encode(), hashlib.sha256).hexdigest()

    def csrf_matches(self, session_id: str, token: str) -> bool:
        """Whether `token` is this session's, compared in constant time."""
        return hmac.compare_digest(self.csrf(session_id).encode(), token.encode())


_PATH = re.compile(r"/[A-Za-z0-9/_.~%+-]*(?:\?[A-Za-z0-9/_.~%+&=-]*)?")


def local_path(agency: str, wanted: str | None) -> str:
    """`wanted` when it is an address of this agency on this site, else the staff desk: sign-in never sends anybody elsewhere.

    Refused: other hosts, other agencies, backslashes and control characters, `..` in any spelling, the sign-in pages themselves.
    """
    desk = f"/{agency}/can-bo/"
    if not wanted or len(wanted) > 500 or not _PATH.fullmatch(wanted) or not wanted.startswith(f"/{agency}/"):
        return desk
    path = urlsplit(wanted).path
    if "//" in path or "%" in path or ".." in path.split("/"):
        return desk
    return desk if path in (sign_in_path(agency), renew_path(agency), f"{desk}dang-xuat") else wanted


def sign_in_path(agency: str) -> str:
    """Routing's sign-in page."""
    return f"/{agency}/can-bo/dang-nhap"


def renew_path(agency: str) -> str:
    """Where routing renews a session whose 15 minutes are over."""
    return f"/{agency}/can-bo/gia-han-phien"


class StaffDirectory(Protocol):
    """What a service knows of accounts that were disabled or changed since a session was signed."""

    async def is_current(self, agency: str, username: str, version: int) -> bool:
        """False when the account is disabled or has a higher session version than `version`."""
        ...


STAFF_SPEC = CollectionSpec("staff", indexes=(IndexModel([("agency", 1), ("unit", 1)], name="agency_unit"),))


@dataclass(frozen=True, slots=True)
class _Known:
    version: int
    disabled: bool
    until: float


class StaffProjection:
    """A service's copy of the accounts, fed by `routing.staff`; documents have `_id` agency/username.

    An account not seen yet is taken for current: its event may still be on the way, and the cookie is signed. An answer is
    kept in memory for `cache_seconds`, which bounds how long a revoked session lives on after its event was read.
    """

    def __init__(
        self, collection: Collection, *, cache_seconds: float = 3.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._collection = collection
        self._cache_seconds = cache_seconds
        self._monotonic = monotonic
        self._cache: dict[str, _Known] = {}

    async def is_current(self, agency: str, username: str, version: int) -> bool:
        """See `StaffDirectory`. Raises the driver's error when the database is down."""
        key = f"{agency}/{username}"
        known = self._cache.get(key)
        if known is None or known.until <= self._monotonic():
            known = await self._read(key)
            self._cache[key] = known
        return not known.disabled and version >= known.version

    async def _read(self, key: str) -> _Known:
        document = await self._collection.find_one({"_id": key}, {"version": 1, "disabled": 1}) or {}
        return _Known(document.get("version", 0), document.get("disabled", False), self._monotonic() + self._cache_seconds)

    async def of_unit(self, agency: str, unit: str) -> list[Document]:
        """Accounts in use of a unit: `username`, `name`, `roles`, `unit`, `permissions`."""
        return await self._collection.find({"agency": agency, "unit": unit, "disabled": False}).sort("_id").to_list(None)

    async def apply(self, events: Sequence[Event[StaffState]]) -> None:
        """Take over the accounts' newest states in one write; an older event changes nothing."""
        newest: dict[str, Event[StaffState]] = {}
        for event in events:
            key = f"{event.agency}/{event.data.username}"
            if key not in newest or newest[key].sequence < event.sequence:
                newest[key] = event
        if not newest:
            return
        try:
            await self._collection.bulk_write([_upsert(key, event) for key, event in newest.items()], ordered=False)
        except BulkWriteError as error:
            if not only_duplicates(error):  # a duplicate: the document is there and newer
                raise
        for key in newest:
            self._cache.pop(key, None)


def _upsert(key: str, event: Event[StaffState]) -> UpdateOne:
    state = event.data
    fields: dict[str, Any] = {
        "sequence": event.sequence,
        "agency": event.agency,
        "username": state.username,
        "name": state.name,
        "roles": list(state.roles),
        "unit": state.unit,
        "permissions": list(state.permissions),
        "version": state.session_version,
        "disabled": state.disabled,
    }
    return UpdateOne({"_id": key, "sequence": {"$lt": event.sequence}}, {"$set": fields}, upsert=True)
