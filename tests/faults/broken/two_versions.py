"""Row 19: a newer build, in which registrations, cases and questions are told in a second version as well."""

from collections.abc import Callable
from typing import Any, cast

from contracts import views
from contracts.envelope import Event, Payload
from contracts.events import CATALOGUE, EventType
from contracts.model import CaseState, QuestionStateData, RegistrationState
from kit.outbox import Outbox
from services.reporting import consumers
from services.reporting.domain import Fact, case_fact


class RegistrationV2(RegistrationState):
    note: str = "v2"


class CaseV2(CaseState):
    note: str = "v2"


class QuestionV2(QuestionStateData):
    note: str = "v2"


NEWER: dict[type[Payload], type[Payload]] = {
    RegistrationState: RegistrationV2,
    CaseState: CaseV2,
    QuestionStateData: QuestionV2,
}

_event = Outbox.event


def _every_second_as_v2(self: Outbox, document: dict[str, Any], entry: dict[str, Any]) -> Event[Payload]:
    event = _event(self, document, entry)
    newer = NEWER.get(type(event.data))
    if newer is None or event.id.int % 2:
        return event
    data = newer.model_validate(event.data.model_dump())
    return event.model_copy(update={"type": event.type.replace(".v1", ".v2"), "dataschema": newer.__name__, "data": data})


def apply() -> None:
    more = {
        name.replace(".v1", ".v2"): EventType(name.replace(".v1", ".v2"), t.topic, NEWER[t.state])
        for name, t in CATALOGUE.items()
        if t.state in NEWER
    }
    cast(dict[str, EventType], CATALOGUE).update(more)
    figures = cast(dict[type[Payload], type[Payload]], views.FIGURES)
    figures.update({new: figures[old] for old, new in NEWER.items() if old in figures})
    cast(dict[type[Payload], Callable[[Any], Fact]], consumers.FACTS_OF)[CaseV2] = case_fact
    Outbox.event = _every_second_as_v2  # type: ignore[method-assign]
