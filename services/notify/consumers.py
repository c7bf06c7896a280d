"""Events that notify listens to, each translated into a use case and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from contracts import topics
from contracts.envelope import Event, Payload
from contracts.events import models
from contracts.model import Recipient, RegistrationState
from contracts.views import FIGURES, Contact
from kit.auth import StaffProjection
from kit.consumer import Reject, Subscription, newest
from kit.errors import Permanent
from services.notify import usecases
from services.notify.usecases import Correction, Desk

ERASING = "registration.erased.v1"
FEEDBACK_ERASING = "feedback.erased.v1"
VIEWS: Mapping[type[Payload], type[Payload]] = {RegistrationState: Contact}
"""Of a registration no more is read than whom letters go to."""
_LETTERS = (topics.INTAKE_LETTERS, topics.ROUTING_LETTERS, topics.REPORTING_LETTERS)


def subscriptions(desk: Desk, staff: StaffProjection) -> list[Subscription]:
    """Letters asked for, registrations whose contact was corrected or erased, erased feedback, staff accounts."""

    async def letters(events: Sequence[Event[Any]], _reject: Reject) -> None:
        await usecases.take_letters(desk, events)

    async def registrations(events: Sequence[Event[Any]], reject: Reject) -> None:
        erased: dict[UUID, str] = {}
        corrected: list[Correction] = []
        for event in newest(events):
            if event.type != ERASING and event.data.contact_changed_at is None:
                continue
            try:
                case = UUID(event.subject)
            except ValueError:
                reject(event, Permanent("subject is no registration"))
                continue
            if event.type == ERASING:
                erased[case] = event.agency
            elif (person := event.data.person) is not None:
                recipient = Recipient(**person.model_dump())
                corrected.append(Correction(case, event.agency, event.sequence, event.data.contact_changed_at, recipient))
        if erased:
            await usecases.obey_erasure(desk, erased)
        await usecases.follow_corrections(desk, corrected)

    async def feedback(events: Sequence[Event[Any]], reject: Reject) -> None:
        erased: dict[UUID, str] = {}
        for event in events:
            if event.type != FEEDBACK_ERASING:
                continue
            try:
                erased[UUID(event.subject)] = event.agency
            except ValueError:
                reject(event, Permanent("subject is no feedback"))
        if erased:
            await usecases.obey_erasure(desk, erased)

    async def accounts(events: Sequence[Event[Any]], _reject: Reject) -> None:
        await staff.apply(events)

    registration_models = models(topics.REGISTRATIONS, views=VIEWS)
    return [
        Subscription("letters", _LETTERS, models(*_LETTERS), letters),
        Subscription("registrations", (topics.REGISTRATIONS,), registration_models, registrations),
        Subscription("feedback", (topics.FEEDBACK,), models(topics.FEEDBACK, views=FIGURES), feedback),
        Subscription("staff", (topics.STAFF,), models(topics.STAFF), accounts),
    ]
