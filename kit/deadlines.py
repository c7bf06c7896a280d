"""Deadlines that several services count by an agency's file: what a person is told is what staff see."""

from datetime import datetime

from kit.agency import Agency
from kit.agency import Deadline as Days
from kit.calendar import Deadline, WorkCalendar


def counted(agency: Agency, calendar: WorkCalendar, days: Days, since: datetime, *, rule: str) -> Deadline | None:
    """So many days after `since`, as the agency counts them and what comes after hours; None where it has no such deadline."""
    if not days.enabled:
        return None
    count = calendar.working_days_after if days.counting == "working" else calendar.calendar_days_after
    return count(since, days.days, rule=rule, after_hours=agency.after_hours_next_day.value)


def late_notice_due(agency: Agency, calendar: WorkCalendar, received_at: datetime) -> Deadline | None:
    """Until when the office tells what becomes of a late registration (D4)."""
    return counted(agency, calendar, agency.deadlines.late_notice, received_at, rule="D4")
