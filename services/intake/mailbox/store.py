"""The mails that intake keeps, who reads which mailbox, and which case a letter belongs to."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pymongo
from pymongo import IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from contracts.envelope import Event
from contracts.model import DeliveryState, FileRef
from kit.errors import NotFound, Transient
from kit.files import FileStore
from kit.mongo import Collection, CollectionSpec, Database, Document, aggregate, only_duplicates
from services.intake.mailbox.domain import DEALT_WITH, State

MAILS = CollectionSpec(
    "mails",
    (
        IndexModel([("agency", 1), ("state", 1), ("received_at", 1)], name="by_state"),
        IndexModel(
            [("forms.registration", 1)],
            name="by_registration",
            partialFilterExpression={"forms.registration": {"$exists": True}},
        ),
        IndexModel([("dealt_at", 1)], name="to_empty", partialFilterExpression={"dealt_at": {"$exists": True}}),
    ),
)
LEASES = CollectionSpec("mailbox_leases")
LETTERS = CollectionSpec("letter_cases")
SPECS = (MAILS, LEASES, LETTERS)
PAGE = 50
_FILE_SECONDS = 60
"""A large attachment takes longer than the operations of a request, which people wait for."""
_LISTED = {"text": 0, "attachments.file": 0, "acts": 0}
Decide = Callable[[Document], Document]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the office in one agency."""

    count: int
    oldest: datetime | None


class MailStore:
    """Mails and their files. A mail is changed by whoever read its newest `version`."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._mails: Collection = database[MAILS.name]
        self._files = files

    async def fingerprint(self, mail: UUID) -> str | None:
        """The fingerprint of a mail that is kept; None if it is not."""
        found = await self._mails.find_one({"_id": mail}, {"fingerprint": 1})
        return found["fingerprint"] if found else None

    async def put_file(self, agency: str, mail: UUID, name: str, media_type: str, content: bytes) -> FileRef:
        with pymongo.timeout(_FILE_SECONDS):
            return await self._files.put(agency, str(mail), name, media_type, content)

    async def file(self, file: Document) -> bytes:
        """Raises `NotFound`."""
        with pymongo.timeout(_FILE_SECONDS):
            return await self._files.get(FileRef.model_validate(file))

    async def insert(self, document: Document) -> bool:
        """Keep it durably; False if its id is taken."""
        try:
            await self._mails.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def get(self, agency: str, mail: UUID) -> Document:
        """Raises `NotFound`."""
        found = await self._mails.find_one({"_id": mail, "agency": agency})
        if found is None:
            raise NotFound("mail")
        return found

    async def listed(self, agency: str, states: Sequence[State], page: int, *, newest_first: bool) -> tuple[list[Document], int]:
        """One page of the mails in these states, without their texts, and how many there are."""
        query = {"agency": agency, "state": {"$in": list(states)}}
        cursor = self._mails.find(query, _LISTED).sort("received_at", -1 if newest_first else 1).skip((page - 1) * PAGE)
        return await cursor.limit(PAGE).to_list(PAGE), await self._mails.count_documents(query)

    async def counts(self, agency: str) -> dict[State, int]:
        """How many there are in each state."""
        grouped: list[Document] = [{"$match": {"agency": agency}}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}]
        return {State(row["_id"]): row["n"] async for row in aggregate(self._mails, grouped)}

    async def waiting(self, agency: str) -> Waiting:
        query = {"agency": agency, "state": State.WAITING}
        oldest = await self._mails.find_one(query, {"received_at": 1}, sort=[("received_at", 1)])
        return Waiting(await self._mails.count_documents(query), oldest["received_at"] if oldest else None)

    async def change(self, agency: str, mail: UUID, decide: Decide) -> Document:
        """Write what is decided on the mail as it is; after a lost race decide again. `{}`: nothing. Raises as `decide`."""
        for _ in range(10):
            before = await self.get(agency, mail)
            fields = decide(before)
            if not fields:
                return before
            gone = {name: "" for name, value in fields.items() if value is None}
            update: Document = {"$set": {n: v for n, v in fields.items() if v is not None}, "$inc": {"version": 1}}
            if gone:
                update["$unset"] = gone
            done = await self._mails.update_one({"_id": mail, "version": before["version"]}, update)
            if done.modified_count:
                return before | fields
        raise Transient("mail changed too often")

    async def of_registration(self, agency: str, registration: UUID) -> list[Document]:
        """Mails from which this registration, or this feedback, was made: one, or none."""
        return await self._mails.find({"forms.registration": registration, "agency": agency}).to_list(None)

    async def to_empty(self, before: datetime) -> AsyncIterator[Document]:
        """Mails dealt with before that moment, whose content is still there."""
        query = {"dealt_at": {"$lt": before}, "state": {"$in": list(DEALT_WITH)}}
        async for mail in self._mails.find(query).limit(200):
            yield mail

    async def remove_files(self, files: Iterable[Document]) -> None:
        for file in files:
            await self._files.delete(file["key"])


class Leases:
    """Who reads a mailbox, judged by the database's clock. It saves work: nothing is lost or doubled if two hold it."""

    def __init__(self, database: Database, holder: str, seconds: float) -> None:
        self._leases: Collection = database[LEASES.name]
        self._holder = holder
        self._for = int(timedelta(seconds=seconds) / timedelta(milliseconds=1))

    async def take(self, name: str) -> bool:
        """Take it, or keep it for as long again; False while another holds it."""
        me = self._holder
        free = {"$or": [{"$eq": [{"$ifNull": ["$holder", me]}, me]}, {"$lt": ["$until", "$$NOW"]}]}
        until = {"$cond": [{"$eq": ["$holder", me]}, {"$add": ["$$NOW", self._for]}, "$until"]}
        taken: list[Document] = [{"$set": {"holder": {"$cond": [free, me, "$holder"]}}}, {"$set": {"until": until}}]
        try:
            lease = await self._leases.find_one_and_update(
                {"_id": name}, taken, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:  # the first two of all, at once
            return False
        return lease is not None and lease["holder"] == me

    async def give_back(self, name: str) -> None:
        await self._leases.delete_one({"_id": name, "holder": self._holder})


class LetterCases:
    """Letter → case, from what notify tells of its deliveries: a reply's headers name the letter that it answers."""

    def __init__(self, database: Database) -> None:
        self._letters: Collection = database[LETTERS.name]

    async def save(self, events: Sequence[Event[DeliveryState]]) -> None:
        known = [e for e in events if e.data.case is not None]
        updates = [
            UpdateOne(
                {"_id": e.subject},
                {"$setOnInsert": {"agency": e.agency, "case": e.data.case, "case_number": e.data.case_number}},
                upsert=True,
            )
            for e in known
        ]
        if not updates:
            return
        try:
            await self._letters.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            if not only_duplicates(error):
                raise

    async def case_of(self, agency: str, letters: Sequence[str]) -> Document | None:
        """`case` and `case_number` of the first of these letters that is known."""
        if not letters:
            return None
        found: dict[str, Any] = {
            d["_id"]: d async for d in self._letters.find({"_id": {"$in": list(letters)}, "agency": agency}).limit(len(letters))
        }
        first = next((found[letter] for letter in letters if letter in found), None)
        return {"case": first["case"], "case_number": first["case_number"]} if first else None
