"""Who acts, for which agency, and when: handed to every use case, so that domain code needs no clock and no request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from kit.outbox import Act


class Via(StrEnum):
    """By which way a person asked the agency to act for them."""

    PHONE = "phone"
    EMAIL = "email"
    POST = "post"
    IN_PERSON = "in_person"


@dataclass(frozen=True, slots=True)
class Asked:
    """How, and on which day, a person asked for what staff record for them."""

    via: Via
    on: date


@dataclass(frozen=True, slots=True)
class Acting:
    """`actor` is a staff username, `registrant`, or `system:<service>`; `now` comes from the injected clock; `trace` is the W3C
    trace id of the request or event behind it; `asked`: where staff act for somebody, how that person asked for it.
    """

    agency: str
    actor: str
    now: datetime
    trace: str = ""
    asked: Asked | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What a document keeps of `asked`, under that name; nothing where nobody acts for another."""
        return {"asked": {"via": self.asked.via.value, "on": self.asked.on.isoformat()}} if self.asked else {}

    def act(
        self,
        type_: str,
        *,
        at: datetime | None = None,
        reason: str | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Act:
        """An act of this actor, known now; `at` is when it happened, if that is another moment."""
        return Act(type_, at or self.now, self.now, self.actor, reason, {**(changes or {}), **self.request}, self.trace)
