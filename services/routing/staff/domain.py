"""Rules of staff accounts: who may have which role, what a password must be, how long a session lasts. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from kit.acting import Acting
from kit.auth import READ_SEALED, Role
from kit.errors import Conflict, Invalid
from kit.outbox import Act, Change, step

SESSION_LASTS = timedelta(hours=8)
"""How long a sign-in can be renewed; the cookie itself lives 15 minutes."""
LOCK_AFTER = 5
LOCK_FOR = timedelta(minutes=15)
MIN_PASSWORD = 12

PERMISSIONS = frozenset({READ_SEALED})
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}")
_NEEDS_UNIT = frozenset({Role.OFFICER, Role.HEAD})


def account_id(agency: str, username: str) -> str:
    """The id of an account: one username per agency."""
    return f"{agency}:{username}"


def checked_account(
    *, username: str, name: str, roles: Iterable[str], unit: str | None, permissions: Iterable[str], units: Iterable[str]
) -> dict[str, Any]:
    """The state of an account as typed in. `units` are the agency's. Raises `Invalid` with a sentence for each field."""
    chosen = sorted(set(roles))
    errors: dict[str, str] = {}
    if not _USERNAME.fullmatch(username):
        errors["username"] = "Tên đăng nhập gồm 3 đến 40 chữ thường không dấu, chữ số, dấu chấm hoặc gạch nối."
    if not name.strip():
        errors["name"] = "Xin nhập họ và tên."
    if not chosen or not set(chosen) <= set(Role):
        errors["roles"] = "Xin chọn ít nhất một vai trò trong danh sách."
    if set(chosen) & _NEEDS_UNIT and unit not in set(units):
        errors["unit"] = "Vai trò này cần một đơn vị trong danh sách của Sở."
    if not set(permissions) <= PERMISSIONS:
        errors["permissions"] = "Quyền được chọn không có trong danh sách."
    if errors:
        raise Invalid(errors)
    return {
        "username": username,
        "name": name.strip(),
        "roles": chosen,
        "unit": unit if set(chosen) & _NEEDS_UNIT else None,
        "permissions": sorted(set(permissions)),
    }


def check_password(password: str, username: str) -> None:
    """A password is long rather than intricate (NIST SP 800-63B). Raises `Invalid`."""
    if len(password) < MIN_PASSWORD:
        raise Invalid({"password": f"Mật khẩu cần ít nhất {MIN_PASSWORD} ký tự; một câu dễ nhớ là tốt nhất."})
    if len(password) > 200:
        raise Invalid({"password": "Mật khẩu dài quá 200 ký tự."})
    if username in password.lower():
        raise Invalid({"password": "Mật khẩu không được chứa tên đăng nhập."})


def opened(acting: Acting, account: Mapping[str, Any], password_hash: str) -> tuple[dict[str, Any], list[Act]]:
    """State and acts of a new account."""
    act = acting.act("staff.created.v1", changes={"roles": account["roles"], "unit": account["unit"]})
    steps = [step(act, 1, "active")]
    return {**account, "password_hash": password_hash, "session_version": 1, "disabled": False, "steps": steps}, [act]


def changed(document: Mapping[str, Any], acting: Acting, account: Mapping[str, Any]) -> Change | None:
    """Name, roles, unit or permissions changed: sessions signed before are void."""
    fields = ("name", "roles", "unit", "permissions")
    new = {k: account[k] for k in fields if document[k] != account[k]}
    if not new:
        return None
    before = {k: document[k] for k in new if k != "name"}
    act = acting.act("staff.changed.v1", changes={"before": before, "after": {k: v for k, v in new.items() if k != "name"}})
    return Change([act], set={**new, "session_version": document["session_version"] + 1})


def disabled(document: Mapping[str, Any], acting: Acting, reason: str) -> Change | None:
    """The account is closed at once. Nobody disables themselves: somebody must be left who can undo it."""
    if document["username"] == acting.actor:
        raise Conflict("Không thể tự khóa tài khoản của mình.")
    if document["disabled"]:
        return None
    act = acting.act("staff.disabled.v1", reason=reason)
    steps = [*document["steps"], step(act, document["seq"] + 1, "disabled")]
    return Change([act], set={"disabled": True, "session_version": document["session_version"] + 1, "steps": steps})


def enabled(document: Mapping[str, Any], acting: Acting) -> Change | None:
    """The account is opened again."""
    if not document["disabled"]:
        return None
    act = acting.act("staff.changed.v1", changes={"disabled": False})
    return Change([act], set={"disabled": False, "steps": [*document["steps"], step(act, document["seq"] + 1, "active")]})


def password_set(document: Mapping[str, Any], acting: Acting, password_hash: str) -> Change:
    """A new password; sessions signed before are void."""
    act = acting.act("staff.changed.v1", changes={"password": "changed"})
    return Change([act], set={"password_hash": password_hash, "session_version": document["session_version"] + 1})


def is_locked(failures: int, last_failure: datetime | None, now: datetime) -> bool:
    """Whether sign-in rests after too many wrong passwords."""
    return failures >= LOCK_AFTER and last_failure is not None and now < last_failure + LOCK_FOR
