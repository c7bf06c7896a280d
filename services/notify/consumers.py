"""Events that notify listens to, each translated into a use case and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from contracts import topics
from contracts.envelope import Event, Payload
from contracts.events import models
from contracts.model import FeedbackState, Recipient, RegistrationState
from contracts.views import Contact
from kit.auth import StaffProjection
from kit.consumer import Reject, Subscription, newest
from kit.errors import Permanent
from services.notify import usecases
from services.notify.usecases import Correction, Desk

ERASING = frozenset({"registration.erased.v1", "feedback.erased.v1"})
VIEWS: Mapping[type[Payload], type[Payload]] = {RegistrationState: Contact, FeedbackState: Contact}
"""Of a registration, and of feedback, no more is read than whom letters go to."""
_LETTERS = (topics.INTAKE_LETTERS, topics.ROUTING_LETTERS, topics.REPORTING_LETTERS)


def subscriptions(desk: Desk, staff: StaffProjection) -> list[Subscription]:
    """Letters asked for, registrations and feedback whose contact was corrected or erased, staff accounts."""

    async def letters(events: Sequence[Event[Any]], _reject: Reject) -> None:
        await usecases.take_letters(desk, events)

    async def contacts(events: Sequence[Event[Any]], reject: Reject) -> None:
        erased: dict[UUID, str] = {}
        corrected: list[Correction] = []
        for event in newest(events):
            if event.type not in ERASING and event.data.contact_changed_at is None:
                continue
            try:
                case = UUID(event.subject)
            except ValueError:
                reject(event, Permanent("subject is no case"))
                continue
            if event.type in ERASING:
                erased[case] = event.agency
            elif (person := event.data.person) is not None:
                recipient = Recipient(**person.model_dump())
                corrected.append(Correction(case, event.agency, event.sequence, event.data.contact_changed_at, recipient))
        if erased:
            await usecases.obey_erasure(desk, erased)
        await usecases.follow_corrections(desk, corrected)

    async def accounts(events: Sequence[Event[Any]], _reject: Reject) -> None:
        await staff.apply(events)

    return [
        Subscription("letters", _LETTERS, models(*_LETTERS), letters),
        Subscription("registrations", (topics.REGISTRATIONS,), models(topics.REGISTRATIONS, views=VIEWS), contacts),
        Subscription("feedback", (topics.FEEDBACK,), models(topics.FEEDBACK, views=VIEWS), contacts),
        Subscription("staff", (topics.STAFF,), models(topics.STAFF), accounts),
    ]
