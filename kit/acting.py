"""Who acts, for which agency, and when: handed to every use case, so that domain code needs no clock and no request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.outbox import Act


@dataclass(frozen=True, slots=True)
class Acting:
    """`actor` is a staff username, `registrant`, or `system:<service>`; `now` comes from the injected clock; `trace` is the W3C
    trace id of the request or event behind it.
    """

    agency: str
    actor: str
    now: datetime
    trace: str = ""

    def act(
        self,
        type_: str,
        *,
        at: datetime | None = None,
        reason: str | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Act:
        """An act of this actor, known now; `at` is when it happened, if that is another moment."""
        return Act(type_, at or self.now, self.now, self.actor, reason, changes or {}, self.trace)
