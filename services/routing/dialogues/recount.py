"""When the office changes the calendar, open deadlines are counted again, one audit line each; closed ones stay (S3)."""

import asyncio

from kit.acting import Acting
from kit.mongo import Document
from services.routing.context import Routing
from services.routing.dialogues import domain, store
from services.routing.questions import usecases

ACTOR = "system:routing"
PAUSE = 2.0


async def work(routing: Routing) -> None:
    """Count again whenever a calendar has changed, until cancelled."""
    await routing.calendars.adopt()
    while True:
        await recount(routing)
        await asyncio.sleep(PAUSE)


async def recount(routing: Routing) -> None:
    """Bring the deadlines of every agency whose calendar changed up to it. May be cut off anywhere and begun again."""
    for row in await routing.calendars.to_recount():
        await _recount_agency(routing, row)
        await routing.calendars.recounted(row["_id"], row["revision"])


async def _recount_agency(routing: Routing, row: Document) -> None:
    agency = row["_id"]
    acting = Acting(agency, ACTOR, routing.clock())
    calendar = await routing.calendars.of(agency)
    reason = f"Lịch làm việc thay đổi: {_described(row['entries'][-1])}"
    for dialogue in await store.with_open_deadlines(routing.dialogues.collection, agency):
        await routing.dialogues.change(dialogue["_id"], agency, domain.recount(acting, calendar, reason))
    await usecases.recount(routing, acting)


def _described(entry: Document) -> str:
    if entry["what"] == "confirmed":
        return f"xác nhận lịch nghỉ năm {entry['year']}"
    what = "nghỉ" if entry["what"] == "day_off" else "làm việc"
    return f"{what} ngày {entry['day']} ({entry['name']})"
