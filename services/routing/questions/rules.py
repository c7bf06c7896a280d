"""What of an agency's profile the questions follow (D7, D10)."""

from kit.agency import Agency, Deadline
from services.routing.questions.clocks import ClockRules


def answer_clock(agency: Agency) -> ClockRules:
    """How a unit's days before the meeting are counted."""
    return _clock(agency, agency.deadlines.unit_answer)


def written_clock(agency: Agency) -> ClockRules:
    """How the days of a written answer after the notice are counted."""
    return _clock(agency, agency.deadlines.written_answer)


def _clock(agency: Agency, deadline: Deadline) -> ClockRules:
    return ClockRules(deadline.days, deadline.counting == "working", agency.after_hours_next_day.value)
