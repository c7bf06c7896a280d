"""What can be done with accounts and sessions, one function each."""

import asyncio
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from kit.acting import Acting
from kit.agency import Agency
from kit.auth import Role, Session
from kit.errors import Conflict, NotFound
from kit.mongo import Document
from services.routing.staff import domain
from services.routing.staff.store import StaffStore

_hasher = PasswordHasher()
_quick_hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
"""For a random password that a test signs in with: nobody guesses it, however quickly a guess is looked at."""
_one_at_a_time = ThreadPoolExecutor(1, "password")
"""A hash takes 64 MiB while it is made: many sign-ins at once must not take that many times over (I11)."""
_NOBODY = _hasher.hash(secrets.token_hex(16))
"""Checked when the account does not exist, so that the answer takes as long as for one that does."""


async def create_account(
    store: StaffStore,
    agency: Agency,
    acting: Acting,
    *,
    username: str,
    name: str,
    roles: Iterable[str],
    unit: str | None,
    permissions: Iterable[str],
    password: str,
    quick_hash: bool = False,
) -> None:
    """Open an account. `quick_hash`: for a random password of 96 bits at least, never for one that somebody chose.

    Raises `Invalid`, or `Conflict` if the username is taken.
    """
    account = domain.checked_account(
        username=username, name=name, roles=roles, unit=unit, permissions=permissions, units=[u.code for u in agency.units]
    )
    domain.check_password(password, username)
    state, acts = domain.opened(acting, account, await _hash(password, _quick_hasher if quick_hash else _hasher))
    document = await store.accounts.new(domain.account_id(agency.code, username), agency.code, state, acts)
    if not await store.accounts.insert(document):
        raise Conflict("Tên đăng nhập này đã có người dùng.")


async def change_account(
    store: StaffStore,
    agency: Agency,
    acting: Acting,
    *,
    username: str,
    name: str,
    roles: Iterable[str],
    unit: str | None,
    permissions: Iterable[str],
) -> None:
    """Change name, roles, unit or permissions; the person has to sign in again. Raises `Invalid`, `NotFound`."""
    account = domain.checked_account(
        username=username, name=name, roles=roles, unit=unit, permissions=permissions, units=[u.code for u in agency.units]
    )
    await store.accounts.change(
        domain.account_id(agency.code, username), agency.code, lambda d: domain.changed(d, acting, account)
    )


async def disable_account(store: StaffStore, acting: Acting, username: str, reason: str) -> None:
    """Close an account at once, its sessions too. Raises `NotFound`, `Conflict` (one's own)."""
    await store.accounts.change(
        domain.account_id(acting.agency, username), acting.agency, lambda d: domain.disabled(d, acting, reason)
    )


async def enable_account(store: StaffStore, acting: Acting, username: str) -> None:
    """Open a closed account again. Raises `NotFound`."""
    await store.accounts.change(domain.account_id(acting.agency, username), acting.agency, lambda d: domain.enabled(d, acting))


async def set_password(store: StaffStore, acting: Acting, username: str, password: str) -> None:
    """Set a password (one's own, or a reset by the administrator). Raises `Invalid`, `NotFound`."""
    domain.check_password(password, username)
    hashed = await _hash(password, _hasher)
    await store.accounts.change(
        domain.account_id(acting.agency, username), acting.agency, lambda d: domain.password_set(d, acting, hashed)
    )
    await store.forget_failures(acting.agency, username)


async def password_is_right(store: StaffStore, acting: Acting, username: str, password: str) -> Document | None:
    """The account if it is open and the password right; None otherwise, as slowly. Raises `Conflict` while locked."""
    failures, last = await store.failures(acting.agency, username)
    if domain.is_locked(failures, last, acting.now):
        raise Conflict("locked")
    # Counted before it is checked, so that many tried at once are no more tries.
    if await store.count_try(acting.agency, username, acting.now) > domain.LOCK_AFTER:
        raise Conflict("locked")
    account = await store.account(acting.agency, username)
    right = await _verify(account["password_hash"] if account else _NOBODY, password)
    if account is None or not right or account["disabled"]:
        return None
    await store.forget_failures(acting.agency, username)
    return account


async def sign_in(store: StaffStore, acting: Acting, username: str, password: str) -> Session | None:
    """A new session, or None when name and password do not fit. Raises `Conflict` while locked."""
    account = await password_is_right(store, acting, username, password)
    if account is None:
        return None
    session_id = secrets.token_urlsafe(18)
    await store.open_session(session_id, account, acting.now + domain.SESSION_LASTS)
    return session_of(account, session_id)


async def renew(store: StaffStore, acting: Acting, session_id: str) -> Session:
    """The session with the account's roles of today. Raises `NotFound` when it has ended or was revoked."""
    kept = await store.session(session_id, acting.agency, acting.now)
    account = await store.account(acting.agency, kept["username"]) if kept else None
    if kept is None or account is None or account["disabled"] or account["session_version"] != kept["version"]:
        raise NotFound("session")
    return session_of(account, session_id)


def session_of(account: Document, session_id: str) -> Session:
    """What the cookie says of an account."""
    return Session(
        id=session_id,
        agency=account["agency"],
        username=account["username"],
        name=account["name"],
        roles=frozenset(Role(role) for role in account["roles"]),
        unit=account["unit"],
        permissions=frozenset(account["permissions"]),
        version=account["session_version"],
    )


async def _hash(password: str, hasher: PasswordHasher) -> str:
    return await asyncio.get_running_loop().run_in_executor(_one_at_a_time, hasher.hash, password)


async def _verify(hashed: str, password: str) -> bool:
    try:
        return await asyncio.get_running_loop().run_in_executor(_one_at_a_time, _hasher.verify, hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
