"""Asking for a letter: what every service that wants somebody written to does the same way. notify sends; nobody else does.

A letter has a key that names what it is about (dialogue, registration, kind, revision), so asking twice is asking once.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from pymongo import IndexModel
from uuid_utils.compat import uuid5

from contracts.model import LetterState
from kit.acting import Acting
from kit.mongo import CollectionSpec, Document
from kit.outbox import Outbox, spec

_LETTERS = UUID("6f0cf1f0-5d0d-5a83-9a0e-0c7a4f2f9a11")
COLLECTION = "letters"
SPEC: CollectionSpec = spec(COLLECTION, IndexModel([("agency", 1), ("letter.case", 1)], name="by_case"))


def letter_id(agency: str, letter_key: str) -> UUID:
    """The id of a letter, from its key alone: the same request makes the same document."""
    return uuid5(_LETTERS, f"{agency}/{letter_key}")


def render_letter(document: Document, _entry: Document) -> LetterState:
    """The state that a letter's events carry: the request itself."""
    return LetterState.model_validate(document["letter"])


class LetterDesk:
    """The letters one service asks for: small documents of their own, each with its event.

    `event_type` is the service's own, e.g. `routing_letter.requested.v1`.
    """

    def __init__(self, outbox: Outbox, event_type: str) -> None:
        self._outbox = outbox
        self._event_type = event_type

    async def request(self, acting: Acting, letters: Iterable[LetterState]) -> None:
        """Ask for letters; those asked for before are left as they are."""
        documents = [await self._document(acting, letter) for letter in letters]
        for start in range(0, len(documents), 200):
            await self._outbox.insert_many(documents[start : start + 200])

    async def erase(self, agency: str, case: UUID) -> None:
        """Remove whom the letters about a case went to and what they said. notify has heard of the erasure by itself, so no event
        tells it; published again, they are withdrawn.
        """
        gone: dict[str, Any] = {"recipient": None, "ways": [], "fields": {}, "files": [], "status": "withdrawn"}
        await self._outbox.collection.update_many(
            {"agency": agency, "letter.case": case}, {"$set": {f"letter.{name}": value for name, value in gone.items()}}
        )

    async def _document(self, acting: Acting, letter: LetterState) -> dict[str, Any]:
        return await self._outbox.new(
            letter_id(acting.agency, letter.letter_key),
            acting.agency,
            {"letter": letter.model_dump(mode="python")},
            [acting.act(self._event_type)],
        )
