"""The working calendar of each agency as routing keeps it: the profile's, changed by what the office entered.

`Calendars.of` is what every deadline is counted with. A change makes another version, and an event that tells it to the services
that count days as well; open deadlines are then counted again by a resumable step (dialogues/recount.py), closed ones stay (law:
periods and deadlines).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from contracts.model import CalendarState
from kit.acting import Acting
from kit.calendar import WorkCalendar
from kit.errors import Conflict, NotFound
from kit.mongo import Database, Document, ServerClock
from kit.outbox import Act, Change, Outbox, spec

CHANGED = "calendar.changed.v1"
SPEC = spec("calendars")


def calendars_outbox(database: Database, clock: ServerClock) -> Outbox:
    return Outbox(database[SPEC.name], clock, source="routing", render=lambda document, _: CalendarState.model_validate(document))


class Calendars:
    """One document per agency whose office entered anything: `revision`, `entries` (what was entered, by whom and why),
    `recounted` (the last revision whose deadlines were all counted again).
    """

    def __init__(self, base: Mapping[str, WorkCalendar], outbox: Outbox) -> None:
        self._base = base
        self.outbox = outbox
        self._rows = outbox.collection
        self._known: dict[str, tuple[int, WorkCalendar]] = {}

    @property
    def agencies(self) -> tuple[str, ...]:
        return tuple(self._base)

    async def row(self, agency: str) -> Document:
        """What the office entered; an empty row when nothing was."""
        row = await self._rows.find_one({"_id": agency}, {"events": 0})
        return row or {"_id": agency, "revision": 0, "recounted": 0, "entries": []}

    async def of(self, agency: str) -> WorkCalendar:
        """The agency's calendar as it is now. Raises KeyError for an unknown agency."""
        row = await self.row(agency)
        known = self._known.get(agency)
        if known is None or known[0] != row["revision"]:
            known = (row["revision"], self._base[agency].with_entries(CalendarState.model_validate(row).entries))
            self._known[agency] = known
        return known[1]

    async def enter(self, acting: Acting, entry: Document, revision: int) -> int:
        """Append an entry to revision `revision`; returns the new one. Raises `Conflict` when somebody else was faster."""
        act = acting.act(CHANGED, reason=entry["reason"] or None, changes=_named(entry))
        if revision == 0 and await self.outbox.insert(await self._first(acting.agency, [entry], [act])):
            return 1

        def decide(document: Document) -> Change:
            if document["revision"] != revision:
                raise Conflict("calendar changed meanwhile")
            return Change([act], {"entries": [*document["entries"], entry], "revision": revision + 1})

        try:
            await self.outbox.change(acting.agency, acting.agency, decide)
        except NotFound:
            raise Conflict("calendar changed meanwhile") from None
        return revision + 1

    async def _first(self, agency: str, entries: Sequence[Document], acts: Sequence[Act], *, recounted: int = 0) -> Document:
        state = {"revision": len(entries), "recounted": recounted, "entries": list(entries)}
        return await self.outbox.new(agency, agency, state, acts)

    async def adopt(self) -> None:
        """Make the rows of older versions, which told nobody, documents with an event for each entry. May be repeated."""
        for row in await self._rows.find({"seq": {"$exists": False}}).to_list(None):
            acts = [Act(CHANGED, e["at"], e["at"], e["by"], e["reason"] or None, _named(e)) for e in row["entries"]]
            this = {"_id": row["_id"], "revision": row["revision"], "seq": {"$exists": False}}
            if not acts:  # nothing was entered after all
                await self._rows.delete_one(this)
                continue
            document = await self._first(row["_id"], row["entries"], acts, recounted=row["recounted"])
            if (await self._rows.replace_one(this, document)).matched_count:
                self.outbox.offer(document)

    async def to_recount(self) -> list[Document]:
        """Rows whose deadlines have not all been counted again."""
        waiting = self._rows.find({"$expr": {"$lt": ["$recounted", "$revision"]}}, {"events": 0})
        return await waiting.to_list(len(self._base))

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


def _named(entry: Document) -> Document:
    """What of an entry its event's line says."""
    return {name: entry[name] for name in ("what", "day", "year") if name in entry}
