"""What intake hears from routing: event → projection, nothing else."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts import topics
from contracts.envelope import Event
from contracts.events import models
from kit.auth import StaffProjection
from kit.consumer import Reject, Subscription, newest
from services.intake.mailbox.store import LetterCases
from services.intake.store import Projections, RegistrationStore


def subscriptions(
    projections: Projections,
    received: Sequence[RegistrationStore],
    staff: StaffProjection,
    letters: LetterCases | None = None,
) -> tuple[Subscription, ...]:
    """One group for each topic, so that none waits for another. `received`: what waits to be shown by routing; `letters`: where a
    mailbox is read, to know what is answered.
    """

    async def dialogues(events: Sequence[Event[Any]], _: Reject) -> None:
        await projections.save_announcements(newest(events))

    async def cases(events: Sequence[Event[Any]], _: Reject) -> None:
        shown = newest(events)
        await projections.save_cases(shown)
        for store in received:
            await store.routed([UUID(event.subject) for event in shown])

    async def questions(events: Sequence[Event[Any]], _: Reject) -> None:
        await projections.save_questions(newest(events))

    async def accounts(events: Sequence[Event[Any]], _: Reject) -> None:
        await staff.apply(events)

    async def deliveries(events: Sequence[Event[Any]], _: Reject) -> None:
        if letters is not None:
            await letters.save(newest(events))

    read = (
        Subscription("dialogues", (topics.DIALOGUES,), models(topics.DIALOGUES), dialogues),
        Subscription("cases", (topics.CASES,), models(topics.CASES), cases),
        Subscription("questions", (topics.QUESTIONS,), models(topics.QUESTIONS), questions),
        Subscription("staff", (topics.STAFF,), models(topics.STAFF), accounts),
    )
    if letters is None:
        return read
    return (*read, Subscription("deliveries", (topics.DELIVERIES,), models(topics.DELIVERIES), deliveries))
