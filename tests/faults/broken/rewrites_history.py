"""I8: a transfer begins the history of its question anew."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kit.acting import Acting
from kit.outbox import Change
from services.routing.questions import domain
from services.routing.questions.states import Document, Who

_transferred = domain.transferred


def _and_forgotten(document: Document, acting: Acting, who: Who, unit: str, clock: Mapping[str, Any] | None) -> Change:
    change = _transferred(document, acting, who, unit, clock)
    return replace(change, set={**change.set, "steps": change.set["steps"][-1:]})


def apply() -> None:
    domain.transferred = _and_forgotten
