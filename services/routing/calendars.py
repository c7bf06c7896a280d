"""The working calendar of each agency as routing keeps it: the profile's, changed by what the office entered.

`Calendars.of` is what every deadline is counted with. A change makes another version; open deadlines are then counted
again by a resumable step (dialogues/recount.py), closed ones stay (law: periods and deadlines).
"""

from collections.abc import Mapping
from datetime import date, datetime

from pymongo import ReturnDocument

from kit.calendar import DayKind, WorkCalendar
from kit.errors import Conflict
from kit.mongo import Collection, CollectionSpec, Database, Document

COLLECTION = "calendars"
SPEC = CollectionSpec(COLLECTION)


class Calendars:
    """One document per agency: `revision`, `entries` (what was entered, by whom and why), `recounted` (the last revision whose
    deadlines were all counted again).
    """

    def __init__(self, base: Mapping[str, WorkCalendar], database: Database) -> None:
        self._base = base
        self._rows: Collection = database[COLLECTION]
        self._known: dict[str, tuple[int, WorkCalendar]] = {}

    @property
    def agencies(self) -> tuple[str, ...]:
        return tuple(self._base)

    async def row(self, agency: str) -> Document:
        """What the office entered; an empty row when nothing was."""
        row = await self._rows.find_one({"_id": agency})
        return row or {"_id": agency, "revision": 0, "recounted": 0, "entries": []}

    async def of(self, agency: str) -> WorkCalendar:
        """The agency's calendar as it is now. Raises KeyError for an unknown agency."""
        row = await self.row(agency)
        known = self._known.get(agency)
        if known is None or known[0] != row["revision"]:
            known = (row["revision"], _with_entries(self._base[agency], row["entries"]))
            self._known[agency] = known
        return known[1]

    async def enter(self, agency: str, entry: Document, revision: int) -> int:
        """Append an entry to revision `revision`; returns the new one. Raises `Conflict` when somebody else was faster."""
        await self._rows.update_one(
            {"_id": agency}, {"$setOnInsert": {"revision": 0, "recounted": 0, "entries": []}}, upsert=True
        )
        after = await self._rows.find_one_and_update(
            {"_id": agency, "revision": revision},
            {"$push": {"entries": entry}, "$inc": {"revision": 1}},
            return_document=ReturnDocument.AFTER,
        )
        if after is None:
            raise Conflict("calendar changed meanwhile")
        return revision + 1

    async def to_recount(self) -> list[Document]:
        """Rows whose deadlines have not all been counted again."""
        return await self._rows.find({"$expr": {"$lt": ["$recounted", "$revision"]}}).to_list(len(self._base))

    async def recounted(self, agency: str, revision: int) -> None:
        """All open deadlines have been counted by `revision`."""
        await self._rows.update_one({"_id": agency}, {"$max": {"recounted": revision}})


def day_off_entry(day: date, name: str, *, at: datetime, by: str, reason: str) -> Document:
    """A day off that the office adds."""
    return {"what": "day_off", "day": day.isoformat(), "name": name, "at": at, "by": by, "reason": reason}


def working_day_entry(day: date, name: str, *, at: datetime, by: str, reason: str) -> Document:
    """A day that is worked after all (a swapped Saturday)."""
    return {"what": "working_day", "day": day.isoformat(), "name": name, "at": at, "by": by, "reason": reason}


def confirmation_entry(year: int, source: str, *, at: datetime, by: str) -> Document:
    """A person confirms the year's table with the decision it rests on: the year is no longer "dự kiến"."""
    return {"what": "confirmed", "year": year, "name": source, "at": at, "by": by, "reason": ""}


def _with_entries(calendar: WorkCalendar, entries: list[Document]) -> WorkCalendar:
    for entry in entries:
        if entry["what"] == "confirmed":
            table = calendar.table(entry["year"])
            calendar = calendar.with_year(table.model_copy(update={"confirmed": True, "source": entry["name"]}))
            continue
        day = date.fromisoformat(entry["day"])
        if entry["what"] == "day_off":
            calendar = calendar.with_day_off(day, entry["name"], DayKind.AGENCY)
        else:
            calendar = calendar.with_working_day(day, entry["name"])
    return calendar
