"""What intake hears from routing: event → projection, nothing else."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts import topics
from contracts.envelope import Event
from contracts.events import models
from contracts.model import CaseSource
from kit.auth import StaffProjection
from kit.calendars import CalendarProjection
from kit.consumer import Reject, Subscription, newest
from services.intake.mailbox.store import LetterCases
from services.intake.store import Projections, RegistrationStore


def subscriptions(
    projections: Projections,
    registrations: RegistrationStore,
    feedback: RegistrationStore,
    staff: StaffProjection,
    calendars: CalendarProjection,
    letters: LetterCases | None = None,
) -> tuple[Subscription, ...]:
    """One group for each topic, so that none waits for another. `letters`: where a mailbox is read, to know what is answered."""

    async def dialogues(events: Sequence[Event[Any]], _: Reject) -> None:
        await projections.save_announcements(newest(events))

    async def cases(events: Sequence[Event[Any]], _: Reject) -> None:
        shown = newest(events)
        await projections.save_cases(shown)
        of_feedback = [UUID(event.subject) for event in shown if event.data.source is CaseSource.FEEDBACK]
        if len(of_feedback) < len(shown):
            await registrations.routed(UUID(event.subject) for event in shown)
        if of_feedback:
            await feedback.routed(of_feedback)

    async def questions(events: Sequence[Event[Any]], _: Reject) -> None:
        await projections.save_questions(newest(events))

    async def accounts(events: Sequence[Event[Any]], _: Reject) -> None:
        await staff.apply(events)

    async def of_calendars(events: Sequence[Event[Any]], _: Reject) -> None:
        await calendars.apply(newest(events))

    async def deliveries(events: Sequence[Event[Any]], _: Reject) -> None:
        if letters is not None:
            await letters.save(newest(events))

    read = (
        Subscription("dialogues", (topics.DIALOGUES,), models(topics.DIALOGUES), dialogues),
        Subscription("cases", (topics.CASES,), models(topics.CASES), cases),
        Subscription("questions", (topics.QUESTIONS,), models(topics.QUESTIONS), questions),
        Subscription("staff", (topics.STAFF,), models(topics.STAFF), accounts),
        Subscription("calendars", (topics.CALENDARS,), models(topics.CALENDARS), of_calendars),
    )
    if letters is None:
        return read
    return (*read, Subscription("deliveries", (topics.DELIVERIES,), models(topics.DELIVERIES), deliveries))
