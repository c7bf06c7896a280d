"""I8: routing says of every third transfer that it is done, and does nothing."""

from itertools import count
from uuid import UUID

from kit.acting import Acting
from services.routing.context import Routing
from services.routing.questions import usecases
from services.routing.questions.states import Who

_transfer = usecases.transfer
_pressed = count()


async def _two_of_three(
    routing: Routing, acting: Acting, who: Who, question_id: UUID, unit: str | None, *, seen: int | None = None
) -> None:
    if next(_pressed) % 3:
        await _transfer(routing, acting, who, question_id, unit, seen=seen)


def apply() -> None:
    usecases.transfer = _two_of_three
