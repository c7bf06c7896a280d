"""Published answers, found in intake's copies of questions: a question that is public carries `public` {id, on, keys}.

One index serves every query: each asks for documents that have all of some keys, newest first. MongoDB walks along one of them,
so what is examined is bounded by the rarest, and a page stops when it is full.
"""

from collections.abc import Sequence
from datetime import date

from pymongo import DESCENDING, IndexModel

from kit.mongo import Collection, Document
from services.intake.site.domain import ALL, Answer

PAGE = 10
MOST_PAGES = 50
MOST_FOUND = PAGE * MOST_PAGES
CANDIDATES = 60
"""Answers that are compared with what somebody is typing: the newest that have a pair of words in common with it."""
_IF_PUBLIC = {"public.id": {"$exists": True}}
_NEWEST = [("public.on", DESCENDING), ("_id", DESCENDING)]
_SHOWN = {
    "public.id": 1,
    "public.on": 1,
    "state.section_title": 1,
    "state.public_field": 1,
    "state.public_question": 1,
    "state.public_answer": 1,
    "state.dialogue": 1,
    "state.published_on": 1,
}

INDEXES: tuple[IndexModel, ...] = (
    IndexModel([("agency", 1), ("public.id", 1)], name="public_id", unique=True, partialFilterExpression=_IF_PUBLIC),
    IndexModel(
        [("agency", 1), ("public.keys", 1), ("public.on", -1), ("_id", -1)],
        name="public_keys",
        partialFilterExpression=_IF_PUBLIC,
    ),
)


class Answers:
    """Queries on published answers."""

    def __init__(self, questions: Collection) -> None:
        self._questions = questions

    async def one(self, agency: str, public_id: str) -> Answer | None:
        found = await self._questions.find_one({"agency": agency, "public.id": public_id}, _SHOWN)
        return _answer(found) if found else None

    async def having(self, agency: str, keys: Sequence[str], *, page: int = 1, size: int = PAGE) -> list[Answer]:
        """Answers that have all the keys, newest first."""
        query = self._questions.find(_with_all(agency, keys), _SHOWN).sort(_NEWEST).skip((page - 1) * size).limit(size)
        return [_answer(found) for found in await query.to_list(size)]

    async def count(self, agency: str, keys: Sequence[str]) -> int:
        """How many have all the keys, up to `MOST_FOUND`."""
        return await self._questions.count_documents(_with_all(agency, keys), limit=MOST_FOUND)

    async def having_any(self, agency: str, keys: Sequence[str]) -> list[Answer]:
        """The newest answers that have at least one of the keys."""
        wanted = {"agency": agency, "public.id": {"$exists": True}, "public.keys": {"$in": list(keys)}}
        query = self._questions.find(wanted, _SHOWN).sort(_NEWEST).limit(CANDIDATES)
        return [_answer(found) for found in await query.to_list(CANDIDATES)]

    async def years(self, agency: str) -> list[int]:
        """Years in which something was answered, newest first: one step along the index for each."""
        found: list[int] = []
        before = "9999"  # days as they are kept, ISO, sort as text
        while True:
            query = {**_with_all(agency, [ALL]), "public.on": {"$lt": before}}
            newest = await self._questions.find_one(query, {"public.on": 1}, sort=_NEWEST)
            if newest is None:
                return found
            before = newest["public"]["on"][:4]
            found.append(int(before))


def _with_all(agency: str, keys: Sequence[str]) -> Document:
    # That it is public has to be said, or the partial index cannot be used.
    return {"agency": agency, "public.id": {"$exists": True}, "public.keys": {"$all": list(keys) or [ALL]}}


def _answer(document: Document) -> Answer:
    state = document["state"]
    return Answer(
        id=document["public"]["id"],
        section=state.get("public_field") or state["section_title"] or "",
        question=state["public_question"],
        answer=state["public_answer"],
        answered_on=date.fromisoformat(document["public"]["on"]),
        published_on=date.fromisoformat(state["published_on"]),
        dialogue=state["dialogue"],
    )
