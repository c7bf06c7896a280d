"""Events that notify listens to, each translated into a use case and nothing else."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts import topics
from contracts.envelope import Event
from contracts.events import models
from contracts.views import FIGURES
from kit.auth import StaffProjection
from kit.consumer import Reject, Subscription
from kit.errors import Permanent
from services.notify import usecases
from services.notify.usecases import Desk

ERASING = "registration.erased.v1"
FEEDBACK_ERASING = "feedback.erased.v1"
_LETTERS = (topics.INTAKE_LETTERS, topics.ROUTING_LETTERS, topics.REPORTING_LETTERS)


def subscriptions(desk: Desk, staff: StaffProjection) -> list[Subscription]:
    """Letters asked for, registrations and feedback erased (seen without contact data), staff accounts."""

    async def letters(events: Sequence[Event[Any]], _reject: Reject) -> None:
        await usecases.take_letters(desk, events)

    async def registrations(events: Sequence[Event[Any]], reject: Reject) -> None:
        erased: dict[UUID, str] = {}
        for event in events:
            if event.type != ERASING:
                continue
            try:
                erased[UUID(event.subject)] = event.agency
            except ValueError:
                reject(event, Permanent("subject is no registration"))
        if erased:
            await usecases.obey_erasure(desk, erased)

    async def feedback(events: Sequence[Event[Any]], _reject: Reject) -> None:
        if erased := {UUID(event.subject): event.agency for event in events if event.type == FEEDBACK_ERASING}:
            await usecases.obey_erasure(desk, erased)

    async def accounts(events: Sequence[Event[Any]], _reject: Reject) -> None:
        await staff.apply(events)

    registration_models = models(topics.REGISTRATIONS, views=FIGURES)
    return [
        Subscription("letters", _LETTERS, models(*_LETTERS), letters),
        Subscription("registrations", (topics.REGISTRATIONS,), registration_models, registrations),
        Subscription("feedback", (topics.FEEDBACK,), models(topics.FEEDBACK, views=FIGURES), feedback),
        Subscription("staff", (topics.STAFF,), models(topics.STAFF), accounts),
    ]
