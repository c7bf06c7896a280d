"""The working calendars as a service knows them that does not keep them: each agency's file, and on top of it what its office
entered at routing and `routing.calendars` tells (S3). So people are told the days that staff are told.
"""

from collections.abc import Mapping, Sequence

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from contracts.envelope import Event
from contracts.model import CalendarState
from kit.calendar import WorkCalendar
from kit.fresh import Fresh
from kit.mongo import Collection, CollectionSpec, only_duplicates

SPEC = CollectionSpec("calendars")


class CalendarProjection:
    """A service's copy of what the offices entered; documents have `_id` agency, `sequence` and the event's `state`.

    Every process of the service reads it from there, at most once in `fresh_seconds`, and only when somebody counts days.
    """

    def __init__(self, base: Mapping[str, WorkCalendar], collection: Collection, *, fresh_seconds: float = 1.0) -> None:
        self._base = base
        self._collection = collection
        self._fresh = Fresh(self._read, seconds=fresh_seconds)
        self._made: dict[str, tuple[int, WorkCalendar]] = {}

    async def of(self, agency: str) -> WorkCalendar:
        """The agency's calendar as it is now. Raises `KeyError` for an agency that is not ours, and the driver's error when the
        calendar was never read and cannot be.
        """
        return await self._fresh.of(agency)

    async def _read(self, agency: str) -> WorkCalendar:
        base = self._base[agency]
        row = await self._collection.find_one({"_id": agency})
        if row is None:
            return base
        made = self._made.get(agency)
        if made is None or made[0] != row["sequence"]:
            made = (row["sequence"], base.with_entries(CalendarState.model_validate(row["state"]).entries))
            self._made[agency] = made
        return made[1]

    async def apply(self, events: Sequence[Event[CalendarState]]) -> None:
        """Take over the newest state of each calendar in one write; an event older than what is held changes nothing."""
        updates = [_upsert(event) for event in events]
        if not updates:
            return
        try:
            await self._collection.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            if not only_duplicates(error):  # a duplicate: what is held is newer
                raise


def _upsert(event: Event[CalendarState]) -> UpdateOne:
    fields = {"sequence": event.sequence, "state": event.data.model_dump(mode="json")}
    return UpdateOne({"_id": event.agency, "sequence": {"$lt": event.sequence}}, {"$set": fields}, upsert=True)
