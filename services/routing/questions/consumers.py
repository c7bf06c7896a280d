"""What routing reads: registrations and feedback become cases, deliveries are shown. Translates; the use cases decide."""

from collections.abc import Sequence
from typing import Any

from contracts.envelope import Event
from contracts.events import models
from contracts.topics import DELIVERIES, FEEDBACK, REGISTRATIONS
from kit.consumer import Reject, Subscription, newest
from services.routing.context import Routing
from services.routing.questions import intake, store


def subscriptions(routing: Routing) -> tuple[Subscription, ...]:
    """The consumer groups of this part."""

    async def registrations(events: Sequence[Event[Any]], reject: Reject) -> None:
        await intake.take_over(routing, newest(events), reject)

    async def deliveries(events: Sequence[Event[Any]], _reject: Reject) -> None:
        await store.keep_deliveries(routing.database["deliveries"], newest(events))

    async def feedback(events: Sequence[Event[Any]], reject: Reject) -> None:
        await intake.take_over_feedback(routing, newest(events), reject)

    return (
        Subscription("feedback", (FEEDBACK,), models(FEEDBACK), feedback),
        Subscription("registrations", (REGISTRATIONS,), models(REGISTRATIONS), registrations),
        Subscription("deliveries", (DELIVERIES,), models(DELIVERIES), deliveries),
    )
