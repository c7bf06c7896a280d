"""What becomes of a registration, or feedback, that is held: who decides what, and what is then true of it. Pure.

It is its whole document as `services.intake.documents` or `services.intake.feedback.documents` describes it, but without events:
as long as the office has not released it, it is none yet, so that nothing can publish it. Beside that it has `held`:

- `what`    it is (`CaseSource`): a registration, or feedback
- `why`     the doubt (`kit.web.proof.Doubt`)
- `state`   waiting, released (it is being made what it is) or junk
- `by`, `at`, `reason`  who decided, when, and of junk why
- `erase_after`  when junk is erased
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from contracts.model import CaseSource
from kit.acting import Acting

Document = dict[str, Any]


class Held(StrEnum):
    """Where something held stands."""

    WAITING = "waiting"
    RELEASED = "released"
    JUNK = "junk"


_OF_OUTBOX = frozenset(("seq", "unsent", "due", "events"))
RELEASABLE = (Held.WAITING, Held.JUNK)
"""Junk too: a mistake is put right as long as it is kept."""


def hold(document: Mapping[str, Any], what: CaseSource, why: str) -> Document:
    """A document, as it would be inserted, as one that waits for the office."""
    kept = {name: value for name, value in document.items() if name not in _OF_OUTBOX}
    return kept | {"held": {"what": what, "why": why, "state": Held.WAITING}}


def release(acting: Acting) -> Document:
    """What a release writes into `held`."""
    return {"state": Held.RELEASED, "by": acting.actor, "at": acting.now, "trace": acting.trace}


def junk(acting: Acting, reason: str, days: int) -> Document:
    """What setting aside as junk writes into `held`."""
    erase_after = acting.now + timedelta(days=days)
    return {"state": Held.JUNK, "by": acting.actor, "at": acting.now, "reason": reason, "erase_after": erase_after}


def releasing(document: Document) -> Acting:
    """Who released it and when, as it was written down: whoever finishes a release that was cut off finishes the same one."""
    held = document["held"]
    return Acting(document["agency"], held["by"], held["at"], held["trace"])


def received(document: Document, released_at: datetime) -> Document:
    """The fields of what a released one becomes: received when it was sent, known and waited for from now on."""
    own = {name: value for name, value in document.items() if name not in ("_id", "agency", "held")}
    steps = [{**step, "known_at": released_at} for step in own["steps"]]
    return own | {"steps": steps, "unrouted": released_at}
