"""Plans and dialogues as the public sees them, held in memory: every page and every registration asks for them."""

import time
from collections.abc import Callable

from kit.errors import NotFound
from kit.fresh import Fresh
from services.intake.domain import Plan
from services.intake.store import Projections


class Announcements(Fresh[tuple[Plan, ...]]):
    """What routing announced, at most `fresh_seconds` old; older when MongoDB does not answer: a plan changes rarely, and a form
    that somebody fills in must be shown again with what was typed.
    """

    def __init__(
        self, projections: Projections, *, fresh_seconds: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(projections.plans, seconds=fresh_seconds, monotonic=monotonic)

    async def plans(self, agency: str) -> tuple[Plan, ...]:
        """The agency's plans, newest first. Raises the driver's error when they were never read and cannot be."""
        return await self.of(agency)

    async def plan(self, agency: str, plan_id: str) -> Plan:
        """Raises `NotFound` for a plan that the agency has not published."""
        for plan in await self.plans(agency):
            if plan.id == plan_id:
                return plan
        raise NotFound("plan")
