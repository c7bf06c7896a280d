"""The clocks of a question: the unit's days before the meeting (D7), a written answer after it (D10), feedback's two (K2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from kit.calendar import Deadline, WorkCalendar
from kit.clock import local_date
from services.routing.questions.states import Document


@dataclass(frozen=True, slots=True)
class ClockRules:
    """How an agency counts a unit's days (D7): from its profile."""

    days: int
    working_days: bool = False
    after_hours: bool = False


def running_clock(document: Document) -> Mapping[str, Any] | None:
    """The clock that is not stopped, if there is one."""
    clocks = document.get("clocks") or []
    return clocks[-1] if clocks and clocks[-1]["stopped_at"] is None else None


def is_overdue(document: Document, now: datetime) -> bool:
    """Whether the running clock has passed its end: a mark, not a state."""
    clock = running_clock(document)
    return clock is not None and now >= clock["due_at"]


def clock_of(kind: str, deadline: Deadline) -> dict[str, Any]:
    """A deadline as a question keeps it: the contract's fields, its terms (to count it again) and its warnings."""
    return {
        "kind": kind,
        "rule": deadline.rule,
        "start": deadline.start,
        "due_on": deadline.due_on.isoformat(),
        "due_at": deadline.due_at,
        "calendar_version": deadline.calendar_version,
        "explanation": deadline.explanation,
        "warnings": list(deadline.warnings),
        "extended": False,
        "stopped_at": None,
        "terms": deadline.terms.model_dump(mode="json"),
    }


def preparation_clock(calendar: WorkCalendar, rules: ClockRules, received: datetime, meeting_on: date | None) -> dict[str, Any]:
    """The unit's days from its receipt of the transfer, capped to the working day before the meeting (D7)."""
    # A meeting that has been leaves nothing to cap to: the rest is written.
    meeting = meeting_on if meeting_on is not None and local_date(received) < meeting_on else None
    count = calendar.working_days_after if rules.working_days else calendar.calendar_days_after
    return clock_of("preparation", count(received, rules.days, rule="D7", after_hours=rules.after_hours, meeting_on=meeting))


def written_clock(calendar: WorkCalendar, rules: ClockRules, start: datetime, due_on: date | None) -> dict[str, Any]:
    """The time for a written answer after the meeting: the chair's date, else D7's days from the notice (D10)."""
    if due_on is not None:
        # A named day is counted from itself; the unit's time runs from the chair's word.
        return clock_of("written", calendar.named_day(due_on, rule="D10")) | {"start": start}
    count = calendar.working_days_after if rules.working_days else calendar.calendar_days_after
    return clock_of("written", count(start, rules.days, rule="D10", after_hours=rules.after_hours))


FORWARD, FEEDBACK = "forward", "feedback"


def feedback_clock(kind: str, due: Deadline | None, since: datetime) -> dict[str, Any] | None:
    """A clock of feedback (K2): `forward` until it is known whose matter it is, then `feedback` until its answer is out."""
    return None if due is None else clock_of(kind, due) | {"start": since}


def forwarded(document: Document, now: datetime) -> list[Any]:
    """Its clocks once it has been forwarded: that of NĐ 20/2008 art. 9 ends now, even if a unit had it in between."""
    clocks = stopped(document, now)
    first = next((clock for clock in clocks if clock["kind"] == FORWARD), None)
    return clocks if first is None or clocks[-1] is first or clocks[-1] == first else [*clocks, {**first, "stopped_at": now}]


def started(document: Document, clock: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The fields of a question whose new clock runs from now on."""
    return {"clocks": [*stopped(document, now), clock], "sort_at": clock["due_at"]}


def stopped(document: Document, now: datetime) -> list[Any]:
    """Its clocks, none of which runs."""
    clocks = list(document.get("clocks") or [])
    if clocks and clocks[-1]["stopped_at"] is None:
        clocks[-1] = {**clocks[-1], "stopped_at": now}
    return clocks
