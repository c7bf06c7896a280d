"""I3: routing passes over the first feedback of each batch."""

from collections.abc import Sequence

from contracts.envelope import Event
from contracts.model import FeedbackState
from kit.consumer import Reject
from services.routing.context import Routing
from services.routing.questions import intake

_take_over = intake.take_over_feedback


async def _all_but_the_first(routing: Routing, events: Sequence[Event[FeedbackState]], reject: Reject) -> None:
    await _take_over(routing, events[1:], reject)


def apply() -> None:
    intake.take_over_feedback = _all_but_the_first
