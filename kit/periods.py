"""The periods of reports, which are not calendar quarters (law.md, NĐ 09/2019; K7), and the quarters of a plan, which are.

A report's month runs from the 15th of the month before to the 14th; the year from 15/12 to 14/12. A plan's quarter (D1:
one dialogue in quarter II) is a calendar quarter. The two are different types, so that they cannot be mixed up.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Self

from kit.calendar import WorkCalendar
from kit.clock import format_date, local_date, start_of_day

_ONE_DAY = timedelta(days=1)
_ROMAN = ("I", "II", "III", "IV")
_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_MONTH_CODE = re.compile(r"([0-9]{4})-T(0[1-9]|1[0-2])")
_QUARTER_CODE = re.compile(r"([0-9]{4})-Q([1-4])")
_PART_CODE = re.compile(r"([0-9]{4})(|-6T|-9T|-6TC)")
_DATES_CODE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.\.([0-9]{4}-[0-9]{2}-[0-9]{2})")


class PeriodError(ValueError):
    """The code names no period; the message can be shown."""


class PeriodKind(StrEnum):
    """The kinds of period; all but the last are statutory."""

    MONTH = "month"
    QUARTER = "quarter"
    FIRST_HALF = "first_half"
    SECOND_HALF = "second_half"
    NINE_MONTHS = "nine_months"
    YEAR = "year"
    DATES = "dates"


# Their cut-offs are not confirmed in the text of the law: shown as a draft form.
_UNCONFIRMED = frozenset({PeriodKind.NINE_MONTHS, PeriodKind.SECOND_HALF})


@dataclass(frozen=True)
class PartsDeadline:
    """When the units' parts are due (K7): in time before `due_at`; `shown_on` is the working day that units are told."""

    due_on: date
    due_at: datetime
    shown_on: date

    def is_late(self, moment: datetime) -> bool:
        return moment >= self.due_at


@dataclass(frozen=True)
class Period:
    """The days `first_day` to `last_day`, both included; `code` stands in addresses, `title` on screens."""

    kind: PeriodKind
    code: str
    title: str
    first_day: date
    last_day: date

    @property
    def start(self) -> datetime:
        """The first moment of the period."""
        return start_of_day(self.first_day)

    @property
    def end(self) -> datetime:
        """The first moment after the period: the cut-off."""
        return start_of_day(self.last_day + _ONE_DAY)

    @property
    def is_draft(self) -> bool:
        """Whether the law's text for this kind of period is unconfirmed."""
        return self.kind in _UNCONFIRMED

    def contains(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def parts_deadline(self, calendar: WorkCalendar, *, before_day: int) -> PartsDeadline:
        """The units' deadline "before day `before_day`" of the last month; the shown day never rolls forward (K7).

        Raises PeriodError for freely chosen dates, which have no such deadline.
        """
        if self.kind is PeriodKind.DATES:
            raise PeriodError("Khoảng thời gian tự chọn không có hạn gửi báo cáo thành phần")
        first_late_day = self.last_day.replace(day=before_day)
        due_on = first_late_day - _ONE_DAY
        return PartsDeadline(due_on, start_of_day(first_late_day), calendar.working_day_until(due_on))

    def first_working_day_after(self, calendar: WorkCalendar) -> date:
        """The first working day after the cut-off; the report is sent at least one working day after it."""
        return calendar.next_working_day(self.last_day)


def month(year: int, number: int) -> Period:
    """15th of the month before to the 14th."""
    return _months(PeriodKind.MONTH, f"{year}-T{number:02d}", f"Tháng {number} năm {year}", year, number, number)


def quarter(year: int, number: int) -> Period:
    """Quarter I: 15/12 to 14/3; II: 15/3 to 14/6; III: 15/6 to 14/9; IV: 15/9 to 14/12."""
    title = f"Quý {_ROMAN[number - 1]} năm {year}"
    return _months(PeriodKind.QUARTER, f"{year}-Q{number}", title, year, 3 * number - 2, 3 * number)


def first_half(year: int) -> Period:
    return _months(PeriodKind.FIRST_HALF, f"{year}-6T", f"6 tháng đầu năm {year}", year, 1, 6)


def second_half(year: int) -> Period:
    return _months(PeriodKind.SECOND_HALF, f"{year}-6TC", f"6 tháng cuối năm {year}", year, 7, 12)


def nine_months(year: int) -> Period:
    return _months(PeriodKind.NINE_MONTHS, f"{year}-9T", f"9 tháng năm {year}", year, 1, 9)


def whole_year(year: int) -> Period:
    """15/12 of the year before to 14/12."""
    return _months(PeriodKind.YEAR, str(year), f"Năm {year}", year, 1, 12)


def dates(first_day: date, last_day: date) -> Period:
    """Freely chosen days, both included. Raises PeriodError when they are the wrong way round."""
    if last_day < first_day:
        raise PeriodError("Ngày cuối phải từ ngày đầu trở đi")
    code = f"{first_day.isoformat()}..{last_day.isoformat()}"
    title = f"Từ ngày {format_date(first_day)} đến ngày {format_date(last_day)}"
    return Period(PeriodKind.DATES, code, title, first_day, last_day)


def parse_period(code: str) -> Period:
    """The period that a code such as 2022-Q2, 2022-6T, 2022 or 2021-12-15..2022-03-14 names. Raises PeriodError."""
    period = _parse_statutory(code) or _parse_dates(code)
    if period is None or not _FIRST_YEAR <= period.first_day.year <= period.last_day.year <= _LAST_YEAR:
        raise PeriodError("Kỳ báo cáo không hợp lệ. Ví dụ: 2022-Q2, 2022-6T, 2022, 2021-12-15..2022-03-14")
    return period


def _parse_statutory(code: str) -> Period | None:
    if match := _QUARTER_CODE.fullmatch(code):
        return quarter(int(match[1]), int(match[2]))
    if match := _MONTH_CODE.fullmatch(code):
        return month(int(match[1]), int(match[2]))
    if match := _PART_CODE.fullmatch(code):
        parts = {"": whole_year, "-6T": first_half, "-9T": nine_months, "-6TC": second_half}
        return parts[match[2]](int(match[1]))
    return None


def _parse_dates(code: str) -> Period | None:
    match = _DATES_CODE.fullmatch(code)
    if match is None:
        return None
    try:
        first_day, last_day = date.fromisoformat(match[1]), date.fromisoformat(match[2])
    except ValueError:
        return None
    return dates(first_day, last_day)


def report_month(day: date) -> tuple[int, int]:
    """The report year and month to which `day` belongs: 15/12/2021 is (2022, 1)."""
    if day.day < 15:
        return day.year, day.month
    return (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)


def month_of(moment: datetime) -> Period:
    return month(*report_month(local_date(moment)))


def quarter_of(moment: datetime) -> Period:
    """The report quarter to which `moment` belongs: 17:30Z on 14/3/2022 is already quarter II's."""
    year, number = report_month(local_date(moment))
    return quarter(year, (number + 2) // 3)


def year_of(moment: datetime) -> Period:
    return whole_year(report_month(local_date(moment))[0])


def _months(kind: PeriodKind, code: str, title: str, year: int, first: int, last: int) -> Period:
    """From the 15th before month `first` to the 14th of month `last`. Raises PeriodError for a year out of range."""
    if not _FIRST_YEAR < year <= _LAST_YEAR:
        raise PeriodError("Năm báo cáo không hợp lệ")
    first_day = date(year - 1, 12, 15) if first == 1 else date(year, first - 1, 15)
    return Period(kind, code, title, first_day, date(year, last, 14))


@dataclass(frozen=True, order=True)
class PlanQuarter:
    """A calendar quarter, in which a plan promises a dialogue (D1): 1/4 to 30/6 is quarter II."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Self:
        return cls(day.year, (day.month + 2) // 3)

    @property
    def first_day(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last_day(self) -> date:
        following = date(self.year + 1, 1, 1) if self.number == 4 else date(self.year, 3 * self.number + 1, 1)
        return following - _ONE_DAY

    @property
    def title(self) -> str:
        return f"Quý {_ROMAN[self.number - 1]}/{self.year}"
