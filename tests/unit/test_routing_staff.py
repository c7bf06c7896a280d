"""Rules of staff accounts."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from argon2 import extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.paths import ROOT
from kit.acting import Acting
from kit.agency import load_agencies
from kit.errors import Conflict, Invalid
from services.routing.staff import domain, usecases

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ADMIN = Acting("son-la", "quantri", NOW)
UNITS = ("vp", "qlkh")


def _account(**changes: object) -> dict[str, object]:
    given_fields: dict[str, object] = {
        "username": "ntmai",
        "name": "Nguyễn Thị Mai",
        "roles": ["officer"],
        "unit": "qlkh",
        "permissions": [],
        "units": UNITS,
    }
    return domain.checked_account(**(given_fields | changes))  # type: ignore[arg-type]


def _document() -> dict[str, object]:
    state, acts = domain.opened(ADMIN, _account(), "hash")
    return {**state, "seq": len(acts)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "Mai"}, "username"),
        ({"username": "mai'"}, "username"),
        ({"name": "  "}, "name"),
        ({"roles": []}, "roles"),
        ({"roles": ["king"]}, "roles"),
        ({"unit": None}, "unit"),
        ({"unit": "other-agency"}, "unit"),
        ({"permissions": ["everything"]}, "permissions"),
    ],
)
def test_a_wrong_account_is_refused_beside_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        _account(**changes)
    assert set(refused.value.errors) == {field}


def test_the_office_belongs_to_no_unit_queue() -> None:
    assert _account(roles=["office"], unit="qlkh")["unit"] is None


@pytest.mark.parametrize("password", ["short", "a" * 201, "toilantmaiday2026"])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid):
        domain.check_password(password, "ntmai")


def test_every_change_of_rights_ends_sessions() -> None:
    document = _document()
    change = domain.changed(document, ADMIN, _account(roles=["officer", "head"]))
    assert change is not None
    assert change.set["session_version"] == 2
    assert domain.changed(document, ADMIN, _account()) is None, "nothing changed, nothing said"
    assert domain.password_set(document, ADMIN, "other").set["session_version"] == 2


def test_names_stay_out_of_the_audit_trail() -> None:
    change = domain.changed(_document(), ADMIN, _account(name="Trần Văn Nam"))
    assert change is not None
    assert "Trần" not in repr(change.acts)
    assert "hash" not in repr(domain.opened(ADMIN, _account(), "hash")[1])


def test_disabling_ends_sessions_and_nobody_locks_themselves_out() -> None:
    document = _document()
    change = domain.disabled(document, ADMIN, "chuyển công tác")
    assert change is not None
    assert change.set["disabled"] is True
    assert change.set["session_version"] == 2
    assert domain.disabled({**document, "disabled": True}, ADMIN, "again") is None
    with pytest.raises(Conflict):
        domain.disabled({**document, "username": "quantri"}, ADMIN, "mistake")


@given(failures=st.integers(0, 20), minutes=st.integers(0, 60))
def test_sign_in_rests_only_after_five_wrong_passwords_and_only_for_a_while(failures: int, minutes: int) -> None:
    locked = domain.is_locked(failures, NOW, NOW + timedelta(minutes=minutes))
    assert locked == (failures >= 5 and minutes < 15)


class _Hasher:
    """Counts how many passwords are looked at in the same moment."""

    def __init__(self) -> None:
        self.now, self.most = 0, 0

    def verify(self, _hashed: str, _password: str) -> bool:
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.005)
        self.now -= 1
        return True


async def test_passwords_are_looked_at_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = _Hasher()
    monkeypatch.setattr(usecases, "_hasher", hasher)
    assert all(await asyncio.gather(*(usecases._verify("hash", "password") for _ in range(8))))
    assert hasher.most == 1


class _Accounts:
    """Keeps what is inserted."""

    def __init__(self) -> None:
        self.hashes: list[str] = []

    async def new(self, _id: str, _agency: str, state: dict[str, str], _acts: object) -> dict[str, str]:
        return state

    async def insert(self, document: dict[str, str]) -> bool:
        self.hashes.append(document["password_hash"])
        return True


async def test_a_hash_is_slow_unless_asked_otherwise_and_either_is_verified() -> None:
    kept = _Accounts()
    agency = load_agencies(ROOT / "agencies")["son-la"]
    for quick in (False, True):
        await usecases.create_account(
            SimpleNamespace(accounts=kept),  # type: ignore[arg-type]
            agency, ADMIN, username="ntmai", name="Nguyễn Thị Mai", roles=["office"], unit=None, permissions=[],
            password="mot-hai-ba-bon", quick_hash=quick,
        )  # fmt: skip
    slow, fast = kept.hashes
    assert (extract_parameters(slow).memory_cost, extract_parameters(fast).memory_cost) == (64 * 1024, 1024)
    for hashed in kept.hashes:
        assert await usecases._verify(hashed, "mot-hai-ba-bon")
        assert not await usecases._verify(hashed, "mot-hai-ba-nam")
