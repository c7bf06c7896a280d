"""I9: intake answers when Kafka has the event, and not before."""

from typing import Any

from contracts.events import CATALOGUE
from kit.errors import Transient, Unavailable
from kit.outbox import Relay
from services.intake import usecases
from services.intake.usecases import Receipt

_keep = usecases._keep


async def _keep_and_publish(intake: usecases.Intake, *arguments: Any) -> Receipt:
    receipt = await _keep(intake, *arguments)
    event = intake.outbox.event(receipt.document, receipt.document["events"][0])
    try:
        await _publisher[0].publish(*_record(event))
    except Transient:
        raise Unavailable("kafka") from None
    return receipt


_publisher: list[Any] = []
_init = Relay.__init__


def _remember(self: Relay, publisher: Any, outboxes: Any, **options: Any) -> None:
    _publisher.append(publisher)
    _init(self, publisher, outboxes, **options)


def _record(event: Any) -> tuple[Any, bytes, bytes, list[tuple[str, bytes]]]:
    return CATALOGUE[event.type].topic, event.subject.encode(), event.encode(), []


def apply() -> None:
    Relay.__init__ = _remember  # type: ignore[method-assign]
    usecases._keep = _keep_and_publish  # type: ignore[assignment]
