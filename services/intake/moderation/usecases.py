"""What the office decides about what is held, one function per command, and what follows from it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from kit.acting import Acting
from kit.errors import Invalid
from kit.logging import get_logger
from kit.mongo import Document
from kit.web.navigation import HELD as HELD_PAGE
from services.intake.metrics import HELD, HELD_OLDEST
from services.intake.moderation import domain
from services.intake.moderation.domain import RELEASABLE, Held
from services.intake.usecases import Intake, announcing

_LOOKED_UP = 500
_CUT_OFF_AFTER = timedelta(seconds=30)
REASON = "Xin ghi lý do, ít nhất vài từ: người gửi phiếu đọc được lý do này khi tra cứu."
NONE_CHOSEN = "Xin đánh dấu ít nhất một phiếu."


async def release(intake: Intake, acting: Acting, chosen: Sequence[UUID]) -> int:
    """Let them go on: each becomes a registration, or feedback, received when it was sent (D3), and its receipt is written.

    Returns how many; the others were decided by somebody else meanwhile. Raises `Invalid` when none is chosen.
    """
    if not chosen:
        raise Invalid({"chosen": NONE_CHOSEN})
    done = 0
    for _id in chosen:
        document = await intake.held.decide(acting.agency, _id, RELEASABLE, domain.release(acting))
        if document is not None:
            await _go_on(intake, document)
            done += 1
    await measure(intake)
    return done


async def set_aside(intake: Intake, acting: Acting, chosen: Sequence[UUID], reason: str) -> int:
    """Set them aside as junk, with the reason that their senders read; erased after `junk_days`. Returns how many.

    Raises `Invalid` when none is chosen or no reason is given.
    """
    errors = {} if chosen else {"chosen": NONE_CHOSEN}
    if len(reason) < 3:
        errors["reason"] = REASON
    if errors:
        raise Invalid(errors)
    decision = domain.junk(acting, reason, intake.settings.junk_days)
    done = 0
    for _id in chosen:
        if await intake.held.decide(acting.agency, _id, (Held.WAITING,), decision) is not None:
            get_logger().info("held_set_aside", held=str(_id), by=acting.actor)
            done += 1
    await measure(intake)
    return done


async def keep_up(intake: Intake) -> None:
    """Finish releases that were cut off, forget what came a second time with a proof, erase junk whose time is over, and measure
    what waits.
    """
    now = intake.clock()
    for document in await intake.held.released_before(now - _CUT_OFF_AFTER):
        await _go_on(intake, document)
    if waiting := await intake.held.oldest(_LOOKED_UP):
        for released in intake.releases.values():
            await intake.held.remove(*await released.store.known(waiting))
    if junk := await intake.held.ended_junk(now):
        for document in junk:
            await intake.attachments.erase(document)
        await intake.held.remove(*(document["_id"] for document in junk))
        get_logger().info("junk_erased", count=len(junk))
    await measure(intake)


async def measure(intake: Intake) -> None:
    """How many wait in each agency, and for how long: for the metrics, and for the office's navigation."""
    now = intake.clock()
    found = {row.agency: row for row in await intake.held.waiting()}
    for agency in intake.agencies:
        row = found.get(agency)
        HELD.labels(agency).set(row.count if row else 0)
        HELD_OLDEST.labels(agency).set((now - row.since).total_seconds() if row else 0)
    intake.waiting[HELD_PAGE] = {agency: row.count for agency, row in found.items()}


async def _go_on(intake: Intake, document: Document) -> None:
    """Make it what it is, then forget what was held: cut off in between, it is done once more, to the same effect."""
    what, why = document["held"]["what"], document["held"]["why"]
    outbox, event = intake.releases[what].outbox, intake.releases[what].event
    acting = domain.releasing(document)
    fields = domain.received(document, acting.now)
    acts = announcing(acting, fields, event, held=why)
    await outbox.insert(await outbox.new(document["_id"], acting.agency, fields, acts))
    await intake.held.remove(document["_id"])
    get_logger().info("held_released", held=str(document["_id"]), what=what, by=acting.actor)
