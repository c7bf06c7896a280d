"""Plans and dialogues as the public sees them, held in memory: every page and every registration asks for them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from kit.errors import NotFound
from kit.mongo import is_transient
from services.intake.domain import Plan
from services.intake.store import Projections


@dataclass(frozen=True, slots=True)
class _Known:
    plans: tuple[Plan, ...]
    until: float


class Announcements:
    """What routing announced, at most `fresh_seconds` old; older when MongoDB does not answer: a plan changes rarely, and a form
    that somebody fills in must be shown again with what was typed.
    """

    def __init__(
        self, projections: Projections, *, fresh_seconds: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._projections = projections
        self._fresh_seconds = fresh_seconds
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._reads: dict[str, asyncio.Task[tuple[Plan, ...]]] = {}

    async def plans(self, agency: str) -> tuple[Plan, ...]:
        """The agency's plans, newest first. Raises the driver's error when they were never read and cannot be."""
        known = self._known.get(agency)
        now = self._monotonic()
        if known is not None and now < known.until:
            return known.plans
        if known is not None:
            # Those who ask while this read is under way get what is known.
            self._known[agency] = _Known(known.plans, now + self._fresh_seconds)
        try:
            plans = await self._read(agency)
        except PyMongoError as error:
            if known is None or not is_transient(error):
                raise
            return known.plans
        self._known[agency] = _Known(plans, self._monotonic() + self._fresh_seconds)
        return plans

    async def _read(self, agency: str) -> tuple[Plan, ...]:
        """Read by one for all who ask meanwhile: after a start that is every request under way."""
        if agency not in self._reads:
            self._reads[agency] = asyncio.create_task(self._projections.plans(agency))
            self._reads[agency].add_done_callback(lambda _: self._reads.pop(agency))
        return await asyncio.shield(self._reads[agency])

    async def plan(self, agency: str, plan_id: str) -> Plan:
        """Raises `NotFound` for a plan that the agency has not published."""
        for plan in await self.plans(agency):
            if plan.id == plan_id:
                return plan
        raise NotFound("plan")
