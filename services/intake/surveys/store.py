"""What is kept of surveys, and every query on it: answers, and the QR codes that stand at counters.

`survey_points`: `_id` the slug, `agency`, `unit`, `procedure`, `made_at`, `made_by`, and `open` (True) until it is closed, then
`closed_at`, `closed_by`. A unit and procedure have one open code.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pymongo import DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from kit.mongo import Collection, CollectionSpec, Document
from kit.outbox import spec
from services.intake.surveys.domain import Point

ANSWERS = spec(
    "surveys",
    IndexModel([("agency", 1), ("given_at", -1)], name="with_text", partialFilterExpression={"text": {"$exists": True}}),
    IndexModel([("agency", 1), ("given_at", -1)], name="unproven", partialFilterExpression={"unproven": {"$exists": True}}),
)
POINTS = CollectionSpec(
    "survey_points",
    (
        IndexModel([("agency", 1), ("made_at", -1)], name="by_agency"),
        IndexModel(
            [("agency", 1), ("unit", 1), ("procedure", 1)],
            name="one_open",
            unique=True,
            partialFilterExpression={"open": True},
        ),
    ),
)
SPECS: tuple[CollectionSpec, ...] = (ANSWERS, POINTS)
MOST_POINTS = 500
PAGE = 100


class AnswerStore:
    """Queries on answers; they are written through the outbox."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def is_given(self, agency: str, answer: UUID) -> bool:
        return await self._collection.find_one({"_id": answer, "agency": agency}, {"_id": 1}) is not None

    async def texts(self, agency: str, start: datetime, end: datetime, page: int) -> tuple[list[Document], int]:
        """One page of the answers with words given from `start` until before `end`, newest first, and how many there are."""
        query = {"agency": agency, "given_at": {"$gte": start, "$lt": end}, "text": {"$exists": True}}
        total = await self._collection.count_documents(query)
        rows = self._collection.find(query, {"events": 0}).sort([("given_at", DESCENDING), ("_id", 1)])
        return await rows.skip((page - 1) * PAGE).limit(PAGE).to_list(PAGE), total

    async def unproven(self, agency: str, start: datetime, end: datetime) -> int:
        """How many of the answers of that time came without a good proof of work."""
        query = {"agency": agency, "given_at": {"$gte": start, "$lt": end}, "unproven": {"$exists": True}}
        return await self._collection.count_documents(query)


class PointStore:
    """The QR codes of counters."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def find(self, agency: str, slug: str) -> Point | None:
        row = await self._collection.find_one({"_id": slug, "agency": agency})
        return _point(row) if row else None

    async def all(self, agency: str) -> Sequence[Point]:
        """Newest first, closed ones last."""
        order = [("open", DESCENDING), ("made_at", DESCENDING)]
        return [_point(row) for row in await self._collection.find({"agency": agency}).sort(order).to_list(MOST_POINTS)]

    async def make(self, point: Point, at: datetime, by: str) -> Point:
        """Keep a code; where the unit and procedure have an open one, that one is returned."""
        place = {"agency": point.agency, "unit": point.unit, "procedure": point.procedure}
        try:
            await self._collection.insert_one({"_id": point.slug, **place, "open": True, "made_at": at, "made_by": by})
        except DuplicateKeyError:
            row = await self._collection.find_one({**place, "open": True})
            if row is None:  # the slug itself is taken, or the other was closed meanwhile
                raise
            return _point(row)
        return point

    async def close(self, agency: str, slug: str, at: datetime, by: str) -> bool:
        """Whether there was such a code; a closed one stays as it is."""
        await self._collection.update_one(
            {"_id": slug, "agency": agency, "open": True},
            {"$set": {"closed_at": at, "closed_by": by}, "$unset": {"open": ""}},
        )
        return await self.find(agency, slug) is not None


def _point(row: Document) -> Point:
    return Point(row["_id"], row["agency"], row["unit"], row["procedure"], closed=not row.get("open", False))
