"""Where accounts and sessions lie."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from pymongo import IndexModel, ReturnDocument

from contracts.model import StaffState
from kit.mongo import CollectionSpec, Database, Document, ServerClock
from kit.outbox import Outbox, spec
from services.routing.staff.domain import LOCK_FOR, account_id

SPECS: tuple[CollectionSpec, ...] = (
    spec("staff", IndexModel([("agency", 1), ("username", 1)], name="by_username", unique=True)),
    CollectionSpec("sessions", (IndexModel([("expires_at", 1)], name="expiry", expireAfterSeconds=0),)),
    CollectionSpec(
        "sign_in_failures", (IndexModel([("last", 1)], name="expiry", expireAfterSeconds=int(LOCK_FOR.total_seconds())),)
    ),
)


def render_staff(document: Document, _entry: Document) -> StaffState:
    """What the other services may know of an account."""
    return StaffState.model_validate({k: document.get(k) for k in StaffState.model_fields})


class StaffStore:
    """Accounts (outbox documents), the sessions that can still be renewed, and counted wrong passwords."""

    def __init__(self, database: Database) -> None:
        self.accounts = Outbox(database["staff"], ServerClock(database), source="routing", render=render_staff)
        self._sessions = database["sessions"]
        self._failures = database["sign_in_failures"]

    async def account(self, agency: str, username: str) -> Document | None:
        """An account, or None."""
        return await self.accounts.collection.find_one({"_id": account_id(agency, username), "agency": agency}, {"events": 0})

    async def is_current(self, agency: str, username: str, version: int) -> bool:
        """See `kit.auth.StaffDirectory`: routing asks its own accounts, so a revocation holds here at once."""
        account = await self.account(agency, username)
        return account is not None and not account["disabled"] and version >= account["session_version"]

    async def list_accounts(self, agency: str, *, skip: int = 0, limit: int = 50) -> list[Document]:
        """Accounts of an agency by username."""
        query = self.accounts.collection.find({"agency": agency}, {"events": 0, "password_hash": 0})
        return await query.sort("username", 1).skip(skip).limit(limit).to_list(limit)

    async def names(self, agency: str, usernames: Collection[str]) -> dict[str, str]:
        """The full names of those user names that are accounts."""
        query = {"agency": agency, "username": {"$in": sorted(usernames)}}
        return {a["username"]: a["name"] async for a in self.accounts.collection.find(query, {"username": 1, "name": 1})}

    async def count_accounts(self, agency: str) -> int:
        """How many accounts an agency has."""
        return await self.accounts.collection.count_documents({"agency": agency})

    async def open_session(self, session_id: str, account: Document, expires_at: datetime) -> None:
        """Remember a sign-in, so that its cookie can be renewed until `expires_at`."""
        await self._sessions.insert_one(
            {
                "_id": session_id,
                "agency": account["agency"],
                "username": account["username"],
                "version": account["session_version"],
                "expires_at": expires_at,
            }
        )

    async def session(self, session_id: str, agency: str, now: datetime) -> Document | None:
        """A sign-in that can still be renewed."""
        return await self._sessions.find_one({"_id": session_id, "agency": agency, "expires_at": {"$gt": now}})

    async def close_session(self, session_id: str) -> None:
        """Forget a sign-in."""
        await self._sessions.delete_one({"_id": session_id})

    async def failures(self, agency: str, username: str) -> tuple[int, datetime | None]:
        """Wrong passwords since the last right one, and when the last was."""
        found: dict[str, Any] = await self._failures.find_one({"_id": account_id(agency, username)}) or {}
        return found.get("count", 0), found.get("last")

    async def count_try(self, agency: str, username: str, now: datetime) -> int:
        """One more try, wrong until it is forgotten; returns how many there were, those of long ago apart."""
        recent = {"$gt": ["$last", now - LOCK_FOR]}
        after: dict[str, Any] | None = await self._failures.find_one_and_update(
            {"_id": account_id(agency, username)},
            [{"$set": {"count": {"$cond": [recent, {"$add": ["$count", 1]}, 1]}, "last": now}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return after["count"] if after else 1

    async def forget_failures(self, agency: str, username: str) -> None:
        """The right password was given."""
        await self._failures.delete_one({"_id": account_id(agency, username)})
