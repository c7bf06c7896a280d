"""The calendar where a service copies it: what the office entered on top of the agency's file, read when days are counted."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pymongo.errors import AutoReconnect

from contracts.model import CalendarState
from kit.agency import load_agencies, load_calendars
from kit.calendar import DayKind
from kit.calendars import CalendarProjection
from kit.clock import TZ
from kit.deadlines import late_notice_due

AGENCIES = load_agencies(Path("agencies"))
BASE = load_calendars(Path("agencies"), AGENCIES)
OFF = {"what": "day_off", "day": "2026-03-12", "name": "Nghỉ theo thông báo"}
WORKED = {"what": "working_day", "day": "2026-03-14", "name": "Làm bù"}
CONFIRMED = {"what": "confirmed", "year": 2026, "name": "Công văn mẫu"}


class Rows:
    """A collection of one row, which counts how often it is read."""

    def __init__(self, row: dict[str, Any] | None = None) -> None:
        self.row = row
        self.reads = 0
        self.error: Exception | None = None

    async def find_one(self, query: dict[str, Any]) -> dict[str, Any] | None:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.row


def row(sequence: int, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"_id": "son-la", "sequence": sequence, "state": {"entries": list(entries)}}


def projection(rows: Rows, seconds: float = 0.0) -> CalendarProjection:
    return CalendarProjection(BASE, rows, fresh_seconds=seconds)  # type: ignore[arg-type]


def test_what_the_office_entered_stands_on_top_of_the_file_in_its_order() -> None:
    calendar = BASE["son-la"]
    off, worked, confirmed = CalendarState.model_validate({"entries": [OFF, WORKED, CONFIRMED]}).entries
    changed = calendar.with_entries([off, worked, confirmed])
    day = changed.day_off(date(2026, 3, 12))
    assert day is not None
    assert (day.name, day.kind) == ("Nghỉ theo thông báo", DayKind.AGENCY)
    assert changed.is_working_day(date(2026, 3, 14))
    assert changed.table(2026).confirmed
    assert changed.table(2026).source == "Công văn mẫu"
    assert calendar.with_entries([]) == calendar
    taken_back = off.model_copy(update={"what": "working_day"})
    assert changed.with_entries([taken_back]).is_working_day(date(2026, 3, 12)), "the later word counts"


@pytest.mark.parametrize(
    "entry",
    [
        {"what": "day_off", "name": "Không có ngày"},
        {"what": "confirmed", "name": "Không có năm"},
        {"what": "confirmed", "year": 99999, "name": "Năm không có"},
        {"what": "weather", "day": "2026-03-12", "name": "Mưa"},
        {**OFF, "name": ""},
    ],
)
def test_an_entry_that_cannot_be_counted_with_is_poison(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalendarState.model_validate({"entries": [entry]})


async def test_without_a_word_of_the_office_the_file_counts_and_then_what_it_said() -> None:
    rows = Rows()
    calendars = projection(rows)
    assert await calendars.of("son-la") is BASE["son-la"]
    rows.row = row(1, OFF)
    first = await calendars.of("son-la")
    assert not first.is_working_day(date(2026, 3, 12))
    assert await calendars.of("son-la") is first, "made once for a revision"
    rows.row = row(2, OFF, WORKED)
    assert (await calendars.of("son-la")).is_working_day(date(2026, 3, 14))
    with pytest.raises(KeyError):
        await calendars.of("nowhere")


async def test_it_is_read_at_most_once_in_its_time_and_older_when_mongodb_does_not_answer() -> None:
    rows = Rows(row(1, OFF))
    calendars = projection(rows, seconds=3600.0)
    for _ in range(100):
        await calendars.of("son-la")
    assert rows.reads == 1
    calendars = projection(rows)
    known = await calendars.of("son-la")
    rows.error = AutoReconnect()
    assert await calendars.of("son-la") is known


# Deadlines that intake tells and routing shows


def test_a_late_form_after_hours_is_answered_by_the_day_that_the_agencys_rule_counts_to() -> None:
    """One function for the receipt and for the office's list, so that they cannot differ (D4)."""
    agency, evening = AGENCIES["son-la"], datetime(2026, 3, 10, 20, 0, tzinfo=TZ)
    due = late_notice_due(agency, BASE["son-la"], evening)
    assert due is not None
    assert due.due_on == date(2026, 3, 13)
    counts_from_tomorrow = agency.after_hours_next_day.model_copy(update={"value": True})
    strict = agency.model_copy(update={"after_hours_next_day": counts_from_tomorrow})
    due = late_notice_due(strict, BASE["son-la"], evening)
    assert due is not None
    assert due.due_on == date(2026, 3, 16)
    never = agency.deadlines.model_copy(
        update={"late_notice": agency.deadlines.late_notice.model_copy(update={"enabled": False})}
    )
    assert late_notice_due(agency.model_copy(update={"deadlines": never}), BASE["son-la"], evening) is None
