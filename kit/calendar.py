"""Working days and deadlines: the only place that knows them, and it says how it counted (design §7).

A `WorkCalendar` is a value. Every way of changing it gives another one with another `version`, so a stored
`Deadline` can be counted again by `recompute` when the office adds a day off. Years without a table of their own
are seeded by the `holidays` library and stay "dự kiến" until a person confirms them (Labour Code arts. 111-112: the
Prime Minister fixes Tết and National Day every year).

Counting follows the Civil Code, arts. 147-148: the day of the event is not counted, the last day ends at 24:00, a
last day that is a day off moves to the next working day. What must happen *before* an event counts back and moves
back, never forward. A day or an hour that a plan names never moves.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from importlib.metadata import version as package_version
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple, Self

import holidays
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.model import CalendarEntry, CalendarYear
from kit.clock import (
    at,
    format_date,
    format_date_long,
    format_day_month,
    format_moment,
    local,
    local_date,
    start_of_day,
    weekday_name,
)
from kit.yamlfile import parse

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
# The library lists 24/11 from 2026 on; its legal force is unconfirmed, so a person has to add it.
_UNCONFIRMED_HOLIDAY = (11, 24)
_SEED = f"holidays {package_version('holidays')}"


class DayKind(StrEnum):
    """Why a day is off."""

    HOLIDAY = "holiday"
    TET = "tet"
    COMPENSATION = "compensation"
    SWAP = "swap"
    AGENCY = "agency"


_KIND_LABELS = {
    DayKind.HOLIDAY: "nghỉ lễ",
    DayKind.TET: "nghỉ Tết",
    DayKind.COMPENSATION: "nghỉ bù",
    DayKind.SWAP: "nghỉ hoán đổi",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DayOff(_Frozen):
    """A day without work that is not merely a Saturday or Sunday."""

    day: date
    name: str = Field(min_length=1)
    kind: DayKind

    @property
    def label(self) -> str:
        """What stands in brackets behind the day in an explanation: "nghỉ lễ", or the office's own name for it."""
        return _KIND_LABELS.get(self.kind, self.name)


class WorkingDay(_Frozen):
    """A Saturday or Sunday that is worked, usually swapped for a day off."""

    day: date
    name: str = Field(min_length=1)


class YearTable(_Frozen):
    """The days off and the swapped working days of one year; `confirmed` is False while the year is "dự kiến"."""

    year: int
    confirmed: bool
    source: str
    days_off: tuple[DayOff, ...]
    working_days: tuple[WorkingDay, ...] = ()

    @model_validator(mode="after")
    def _days_are_of_the_year_and_named_once(self) -> Self:
        days = [entry.day for entry in self.days_off] + [entry.day for entry in self.working_days]
        if any(day.year != self.year for day in days):
            raise ValueError(f"Bảng năm {self.year} có ngày của năm khác")
        if len(set(days)) != len(days):
            raise ValueError(f"Bảng năm {self.year} có ngày ghi hai lần")
        return self

    def with_day_off(self, entry: DayOff) -> "YearTable":
        return self._with_entries((*self._off_without(entry.day), entry), self._worked_without(entry.day))

    def with_working_day(self, entry: WorkingDay) -> "YearTable":
        return self._with_entries(self._off_without(entry.day), (*self._worked_without(entry.day), entry))

    def _with_entries(self, off: tuple[DayOff, ...], worked: tuple[WorkingDay, ...]) -> "YearTable":
        return self.model_copy(
            update={
                "days_off": tuple(sorted(off, key=lambda entry: entry.day)),
                "working_days": tuple(sorted(worked, key=lambda entry: entry.day)),
            }
        )

    def _off_without(self, day: date) -> tuple[DayOff, ...]:
        return tuple(entry for entry in self.days_off if entry.day != day)

    def _worked_without(self, day: date) -> tuple[WorkingDay, ...]:
        return tuple(entry for entry in self.working_days if entry.day != day)


class OfficeHours(_Frozen):
    """The hours in which the office works on a working day, in order, e.g. 07:30-11:30 and 13:30-17:00."""

    shifts: tuple[tuple[time, time], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _shifts_follow_each_other(self) -> Self:
        hours = [hour for shift in self.shifts for hour in shift]
        if any(earlier >= later for earlier, later in pairwise(hours)):
            raise ValueError("Giờ làm việc phải theo thứ tự trong ngày")
        return self

    @property
    def opening(self) -> time:
        return self.shifts[0][0]

    @property
    def in_words(self) -> str:
        """07 giờ 30 – 11 giờ 30, 13 giờ 30 – 17 giờ 00."""
        return ", ".join(f"{_hour(start)} – {_hour(end)}" for start, end in self.shifts)

    @property
    def closing(self) -> time:
        return self.shifts[-1][1]


def _hour(value: time) -> str:
    return f"{value.hour:02d} giờ {value.minute:02d}"


class Method(StrEnum):
    """How a deadline was counted; `recompute` counts again the same way."""

    CALENDAR_DAYS_AFTER = "calendar_days_after"
    WORKING_DAYS_AFTER = "working_days_after"
    WORKING_DAYS_AFTER_EVENT = "working_days_after_event"
    WORKING_DAYS_BEFORE = "working_days_before"
    NAMED_DAY = "named_day"
    NAMED_MINUTE = "named_minute"


class Terms(_Frozen):
    """What a deadline is counted from; with a calendar it gives the `Deadline`.

    `start` is the receipt, 00:00 of the event's day, or the named day or minute itself (`days` is then 0).
    """

    rule: str = Field(description="The rule it follows, e.g. D7")
    method: Method
    days: int = Field(ge=0)
    start: AwareDatetime
    after_hours: bool = Field(False, description="A receipt outside office hours counts from the next working day")
    meeting_on: date | None = Field(None, description="D7: due no later than the working day before this meeting")


class Deadline(Terms):
    """A due day with its calendar and its explanation; serialises to JSON and back unchanged.

    `due_at` is the exclusive end (24:00 of `due_on` is 00:00 of the next day). `provisional`: a year it touches is still
    "dự kiến". `skipped` names the days off that the counting met.
    """

    due_on: date
    due_at: AwareDatetime
    calendar_version: str
    provisional: bool
    explanation: str
    warnings: tuple[str, ...] = ()
    skipped: tuple[DayOff, ...] = ()

    @property
    def terms(self) -> Terms:
        return Terms(**{name: getattr(self, name) for name in Terms.model_fields})

    def is_late(self, moment: datetime) -> bool:
        """Whether what happened at `moment` came after the end."""
        return moment >= self.due_at


class _Count(NamedTuple):
    """One way of counting, done: the due day and the words that explain it."""

    due_on: date
    explanation: str
    warnings: tuple[str, ...] = ()


class _YearIndex(NamedTuple):
    """A year's table for quick look-up."""

    off: dict[date, DayOff]
    worked: frozenset[date]


class DaysLeft(NamedTuple):
    """What is left until a day, today not counted: all days, those that are worked, and those that are not."""

    calendar_days: int
    working_days: int
    weekend_days: int
    days_off: tuple[date, ...]
    """Holidays and other days off that a table names."""


class DaysLate(NamedTuple):
    """How late an act was; both 0 when it was in time."""

    calendar_days: int
    working_days: int


@dataclass(frozen=True)
class WorkCalendar:
    """The working days and office hours of one agency."""

    tables: tuple[YearTable, ...]
    office_hours: OfficeHours

    @cached_property
    def version(self) -> str:
        """Changes with the data, and with the library that seeds years without a table."""
        data = {
            "tables": [table.model_dump(mode="json") for table in self.tables],
            "office_hours": self.office_hours.model_dump(mode="json"),
            "seed": _SEED,
        }
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def _by_year(self) -> dict[int, YearTable]:
        return {table.year: table for table in self.tables}

    def table(self, year: int) -> YearTable:
        """The year's table, or the seed that stands in for it."""
        return self._by_year.get(year) or seeded_year(year)

    @cached_property
    def _indexes(self) -> dict[int, _YearIndex]:
        """Filled by `_index` as years are asked for; seeding every possible year would be slow."""
        return {}

    def _index(self, year: int) -> _YearIndex:
        if year not in self._indexes:
            table = self.table(year)
            off = {entry.day: entry for entry in table.days_off}
            self._indexes[year] = _YearIndex(off, frozenset(entry.day for entry in table.working_days))
        return self._indexes[year]

    # Changing: each gives a new calendar

    def with_year(self, table: YearTable) -> "WorkCalendar":
        """With `table` in place of what the year had, e.g. when the Prime Minister's decision is entered."""
        tables = {**self._by_year, table.year: table}
        return replace(self, tables=tuple(tables[year] for year in sorted(tables)))

    def with_day_off(self, day: date, name: str, kind: DayKind = DayKind.AGENCY) -> "WorkCalendar":
        return self.with_year(self.table(day.year).with_day_off(DayOff(day=day, name=name, kind=kind)))

    def with_working_day(self, day: date, name: str) -> "WorkCalendar":
        return self.with_year(self.table(day.year).with_working_day(WorkingDay(day=day, name=name)))

    def with_entries(self, entries: Iterable[CalendarEntry]) -> "WorkCalendar":
        """With what an agency's office entered, in the order in which it did (S3)."""
        calendar = self
        for entry in entries:
            if isinstance(entry, CalendarYear):
                table = calendar.table(entry.year)
                calendar = calendar.with_year(table.model_copy(update={"confirmed": True, "source": entry.name}))
            elif entry.what == "day_off":
                calendar = calendar.with_day_off(entry.day, entry.name)
            else:
                calendar = calendar.with_working_day(entry.day, entry.name)
        return calendar

    def with_office_hours(self, office_hours: OfficeHours) -> "WorkCalendar":
        return replace(self, office_hours=office_hours)

    # Days

    def day_off(self, day: date) -> DayOff | None:
        """The day's entry among the days off; None for an ordinary day or weekend."""
        return self._index(day.year).off.get(day)

    def is_working_day(self, day: date) -> bool:
        index = self._index(day.year)
        if day in index.worked:
            return True
        return day.weekday() < _SATURDAY and day not in index.off

    def is_confirmed(self, first: date, last: date) -> bool:
        """Whether every year between the two days has a table that a person confirmed."""
        return not self.provisional_years(first, last)

    def provisional_years(self, first: date, last: date) -> list[int]:
        """The years between the two days whose table nobody has confirmed yet ("dự kiến")."""
        return [year for year in range(first.year, last.year + 1) if not self.table(year).confirmed]

    def working_day_from(self, day: date) -> date:
        """`day` itself when it is worked, else the next working day."""
        return day if self.is_working_day(day) else self.next_working_day(day)

    def working_day_until(self, day: date) -> date:
        """`day` itself when it is worked, else the working day before it."""
        return day if self.is_working_day(day) else self.previous_working_day(day)

    def next_working_day(self, day: date) -> date:
        return next(later for later in _days(day, _ONE_DAY) if self.is_working_day(later))

    def previous_working_day(self, day: date) -> date:
        return next(earlier for earlier in _days(day, -_ONE_DAY) if self.is_working_day(earlier))

    def working_days_between(self, after: date, until: date) -> int:
        """How many working days lie after `after`, up to and including `until`."""
        return sum(self.is_working_day(after + i * _ONE_DAY) for i in range(1, (until - after).days + 1))

    def describe(self, day: date) -> str:
        """The day as an explanation shows it: "29/4", "30/4 (nghỉ lễ)", "07/5 (thứ Bảy)"."""
        if self.is_working_day(day):
            return format_day_month(day)
        entry = self.day_off(day)
        return f"{format_day_month(day)} ({entry.label if entry else weekday_name(day)})"

    # Hours

    def is_office_time(self, moment: datetime) -> bool:
        """Whether the office works at `moment`; reminders go out only then (D13)."""
        moment = local(moment)
        in_shift = any(start <= moment.time() < end for start, end in self.office_hours.shifts)
        return in_shift and self.is_working_day(moment.date())

    def next_office_moment(self, moment: datetime) -> datetime:
        """`moment` itself within office hours, else when the office opens next: when a message may go out."""
        if self.is_office_time(moment):
            return moment
        today, hour = local_date(moment), local(moment).time()
        if self.is_working_day(today):
            for start, _ in self.office_hours.shifts:
                if hour < start:
                    return at(today, start)
        return self.opening(self.next_working_day(today))

    def opening(self, day: date) -> datetime:
        """When the office opens on `day`."""
        return at(day, self.office_hours.opening)

    def reminder_moments(self, due_on: date) -> tuple[datetime, datetime]:
        """When to remind before the end (D13): as the office opens one working day before, and on the day itself.

        A named day may be a day off (D1); its own reminder still goes out that day, as the next opening would be too late.
        """
        return self.opening(self.previous_working_day(due_on)), self.opening(due_on)

    def received_on(self, received: datetime, *, after_hours: bool) -> date:
        """Day 0 of a period that starts with `received`.

        With the after-hours rule a receipt on a day off or after closing counts as received on the next working day.
        """
        day = local_date(received)
        if not after_hours or (self.is_working_day(day) and local(received).time() < self.office_hours.closing):
            return day
        return self.next_working_day(day)

    def days_late(self, due_on: date, moment: datetime) -> DaysLate:
        """How many days after `due_on` the act at `moment` came (7 calendar days, 5 working days)."""
        done_on = local_date(moment)
        return DaysLate(max((done_on - due_on).days, 0), self.working_days_between(due_on, done_on))

    def days_left(self, today: date, until: date) -> DaysLeft:
        """How many days there are after `today`, up to and including `until`; all 0 when it has passed."""
        ahead = [today + i * _ONE_DAY for i in range(1, (until - today).days + 1)]
        free = [day for day in ahead if not self.is_working_day(day)]
        named = tuple(day for day in free if self.day_off(day) is not None)
        return DaysLeft(len(ahead), len(ahead) - len(free), len(free) - len(named), named)

    # Deadlines

    def calendar_days_after(
        self, received: datetime, days: int, *, rule: str, after_hours: bool = False, meeting_on: date | None = None
    ) -> Deadline:
        """`days` calendar days after the day of receipt; a last day off moves to the next working day (D7)."""
        return self.due(
            Terms(
                rule=rule,
                method=Method.CALENDAR_DAYS_AFTER,
                days=days,
                start=received,
                after_hours=after_hours,
                meeting_on=meeting_on,
            )
        )

    def working_days_after(
        self, received: datetime, days: int, *, rule: str, after_hours: bool = False, meeting_on: date | None = None
    ) -> Deadline:
        """`days` working days after the day of receipt: D7 where the profile counts so, K2's forwarding."""
        return self.due(
            Terms(
                rule=rule,
                method=Method.WORKING_DAYS_AFTER,
                days=days,
                start=received,
                after_hours=after_hours,
                meeting_on=meeting_on,
            )
        )

    def working_days_after_event(self, event_on: date, days: int, *, rule: str) -> Deadline:
        """`days` working days after an event's day, e.g. the conclusion notice after the dialogue (D12)."""
        return self.due(Terms(rule=rule, method=Method.WORKING_DAYS_AFTER_EVENT, days=days, start=start_of_day(event_on)))

    def working_days_before(self, event_on: date, days: int, *, rule: str) -> Deadline:
        """`days` working days before an event, its own day not counted (D8): counts back and moves back."""
        return self.due(Terms(rule=rule, method=Method.WORKING_DAYS_BEFORE, days=days, start=start_of_day(event_on)))

    def named_day(self, day: date, *, rule: str) -> Deadline:
        """A day that a plan or a decision names: until its 24:00, day off or not (D1)."""
        return self.due(Terms(rule=rule, method=Method.NAMED_DAY, days=0, start=start_of_day(day)))

    def named_minute(self, minute: datetime, *, rule: str) -> Deadline:
        """A minute that a plan names, itself included: "đến 17h30" ends before 17:31:00 (D4)."""
        return self.due(Terms(rule=rule, method=Method.NAMED_MINUTE, days=0, start=minute))

    def due(self, terms: Terms) -> Deadline:
        """Count by these terms and this calendar."""
        count = self._count(terms)
        start_on = local_date(terms.start)
        first, last = min(start_on, count.due_on), max(start_on, count.due_on, terms.meeting_on or count.due_on)
        provisional = terms.method not in _NAMED and not self.is_confirmed(first, last)
        return Deadline(
            **terms.model_dump(include=set(Terms.model_fields)),
            due_on=count.due_on,
            due_at=_end_of(terms, count.due_on),
            calendar_version=self.version,
            provisional=provisional,
            explanation=f"{count.explanation} (dự kiến)" if provisional else count.explanation,
            warnings=count.warnings,
            skipped=() if terms.method in _NAMED else self._days_off_between(first, last),
        )

    def _count(self, terms: Terms) -> _Count:
        match terms.method:
            case Method.CALENDAR_DAYS_AFTER:
                return self._capped(terms, self._count_calendar_days_after(terms))
            case Method.WORKING_DAYS_AFTER:
                return self._capped(terms, self._count_working_days_after(terms))
            case Method.WORKING_DAYS_AFTER_EVENT:
                return self._count_after_event(terms)
            case Method.WORKING_DAYS_BEFORE:
                return self._count_before_event(terms)
            case Method.NAMED_DAY:
                day = local_date(terms.start)
                return _Count(day, f"Ngày đã ấn định: hết {format_date_long(day)}; không dời")
            case Method.NAMED_MINUTE:
                return _Count(local_date(terms.start), f"Thời điểm đã ấn định: {format_moment(terms.start)}; không dời")

    def _count_calendar_days_after(self, terms: Terms) -> _Count:
        day_0 = self.received_on(terms.start, after_hours=terms.after_hours)
        counted = [day_0 + i * _ONE_DAY for i in range(1, terms.days + 1)]
        last_day = counted[-1] if counted else day_0
        due_on = self.working_day_from(last_day)
        steps = [f"ngày {i} là {self.describe(day)}" for i, day in enumerate(counted, start=1)]
        arrow = "hạn" if due_on == last_day else "chuyển sang ngày làm việc tiếp theo"
        return _Count(due_on, f"{self._describe_receipt(terms, day_0)}; {', '.join(steps)} → {arrow}: {format_date(due_on)}")

    def _count_working_days_after(self, terms: Terms) -> _Count:
        day_0 = self.received_on(terms.start, after_hours=terms.after_hours)
        counted = self._working_days(day_0, terms.days, _ONE_DAY)
        return _Count(counted[-1], f"{self._describe_receipt(terms, day_0)}; {self._describe_count(day_0, counted)}")

    def _count_after_event(self, terms: Terms) -> _Count:
        event_on = local_date(terms.start)
        counted = self._working_days(event_on, terms.days, _ONE_DAY)
        return _Count(counted[-1], f"Sau ngày {format_date(event_on)}; {self._describe_count(event_on, counted)}")

    def _count_before_event(self, terms: Terms) -> _Count:
        event_on = local_date(terms.start)
        counted = self._working_days(event_on, terms.days, -_ONE_DAY)
        return _Count(counted[-1], f"Đếm ngược từ ngày {format_date(event_on)}; {self._describe_count(event_on, counted)}")

    def _working_days(self, start: date, days: int, step: timedelta) -> list[date]:
        """The `days` working days next to `start` in the direction of `step`, nearest first; at least one."""
        return list(islice(filter(self.is_working_day, _days(start, step)), max(days, 1)))

    def _capped(self, terms: Terms, count: _Count) -> _Count:
        """D7: an answer for a meeting is due at the latest on the working day before it, never before its receipt."""
        received_on = local_date(terms.start)
        if terms.meeting_on is None or count.due_on < terms.meeting_on:
            return count
        meeting = format_date(terms.meeting_on)
        if received_on >= terms.meeting_on:
            return count._replace(warnings=(f"Chuyển không trước ngày đối thoại {meeting}: không còn thời gian chuẩn bị",))
        due_on = max(self.previous_working_day(terms.meeting_on), received_on)
        return _Count(
            due_on,
            f"{count.explanation}; rút về trước ngày đối thoại {meeting}: {format_date(due_on)}",
            (f"Hạn {format_date(count.due_on)} không trước ngày đối thoại {meeting}, rút về {format_date(due_on)}",),
        )

    def _describe_receipt(self, terms: Terms, day_0: date) -> str:
        received_on = local_date(terms.start)
        text = f"Nhận {format_day_month(received_on)}"
        if day_0 == received_on:
            return text
        return f"{text} ngoài giờ làm việc, tính là nhận ngày {format_day_month(day_0)}"

    def _describe_count(self, start: date, counted: list[date]) -> str:
        steps = [f"ngày làm việc {i} là {format_day_month(day)}" for i, day in enumerate(counted, start=1)]
        first, last = min(start, counted[-1]), max(start, counted[-1])
        between = [first + i * _ONE_DAY for i in range(1, (last - first).days)]
        uncounted = [self.describe(day) for day in between if not self.is_working_day(day)]
        left_out = f", không tính {', '.join(uncounted)}" if uncounted else ""
        return f"{', '.join(steps)}{left_out} → hạn: {format_date(counted[-1])}"

    def _days_off_between(self, first: date, last: date) -> tuple[DayOff, ...]:
        tables = (self.table(year) for year in range(first.year, last.year + 1))
        return tuple(entry for table in tables for entry in table.days_off if first <= entry.day <= last)


_NAMED = frozenset({Method.NAMED_DAY, Method.NAMED_MINUTE})


def _end_of(terms: Terms, due_on: date) -> datetime:
    if terms.method is Method.NAMED_MINUTE:
        return terms.start + timedelta(minutes=1)
    return start_of_day(due_on + _ONE_DAY)


def _days(start: date, step: timedelta) -> Iterator[date]:
    """The days next to `start`, without it, as far as anybody asks."""
    day = start
    while True:
        day += step
        yield day


def recompute(deadline: Deadline, calendar: WorkCalendar) -> Deadline:
    """The same deadline by another calendar. Equal `due_at` means nothing moved; closed deadlines are the caller's to skip."""
    return calendar.due(deadline.terms)


# The yearly tables


@lru_cache
def seeded_year(year: int) -> YearTable:
    """The year as the `holidays` library has it, unconfirmed."""
    library = holidays.country_holidays("VN", years=year, language="vi")
    days_off = [
        DayOff(day=day, name=name, kind=_kind_of(name))
        for day, name in sorted(library.items())
        if (day.month, day.day) != _UNCONFIRMED_HOLIDAY
    ]
    worked = [WorkingDay(day=day, name="Làm bù") for day in sorted(library.weekend_workdays) if day.year == year]
    return YearTable(
        year=year,
        confirmed=False,
        source=f"Thư viện {_SEED}, chưa xác nhận",
        days_off=tuple(days_off),
        working_days=tuple(worked),
    )


def _kind_of(name: str) -> DayKind:
    """The kind of a day off by the library's Vietnamese name for it."""
    if "nghỉ bù" in name:
        return DayKind.COMPENSATION
    if "thay cho" in name:
        return DayKind.SWAP
    if "Tết" in name and "Dương lịch" not in name:
        return DayKind.TET
    return DayKind.HOLIDAY


class _CalendarFile(_Frozen):
    office_hours: OfficeHours
    years: tuple[YearTable, ...]


def load_calendar(path: Path) -> WorkCalendar:
    """Read the yearly tables and the default office hours. Raises ValueError (pydantic's, or YAML's with its line)."""
    data = _CalendarFile.model_validate(parse(path.read_text(encoding="utf-8")))
    calendar = WorkCalendar((), data.office_hours)
    for table in data.years:
        calendar = calendar.with_year(table)
    return calendar
