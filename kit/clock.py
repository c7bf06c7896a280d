"""The one time zone, the injected clock, and how dates and hours are written in Vietnamese.

Every moment in the system is an aware datetime. Code that needs "now" takes a `Clock`; nothing else reads the
machine's time. Dates follow NĐ 30/2020: days below 10 and months 1 and 2 are zero-padded (04/5/2022, 10/02/2021).
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

TZ = ZoneInfo("Asia/Ho_Chi_Minh")

Clock = Callable[[], datetime]

_WEEKDAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")


def system_clock() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)


def local(moment: datetime) -> datetime:
    """`moment` in Vietnam's time. Raises ValueError when it is naive: a guess would move deadlines by hours."""
    if moment.tzinfo is None:
        raise ValueError("A moment needs a time zone")
    return moment.astimezone(TZ)


def local_date(moment: datetime) -> date:
    """The day in Vietnam on which `moment` lies (17:30Z on 14/3 is 15/3)."""
    return local(moment).date()


def at(day: date, hour: time) -> datetime:
    """`hour` o'clock of `day` in Vietnam."""
    return datetime.combine(day, hour, tzinfo=TZ)


def start_of_day(day: date) -> datetime:
    """00:00 of `day` in Vietnam, which is 24:00 of the day before."""
    return at(day, time.min)


def weekday_name(day: date) -> str:
    """thứ Tư."""
    return _WEEKDAYS[day.weekday()]


def _month(day: date) -> str:
    return f"{day.month:02d}" if day.month <= 2 else str(day.month)


def format_day_month(day: date) -> str:
    """04/5."""
    return f"{day.day:02d}/{_month(day)}"


def format_date(day: date) -> str:
    """04/5/2022."""
    return f"{format_day_month(day)}/{day.year}"


def format_date_long(day: date) -> str:
    """ngày 04/5/2022 (thứ Tư)."""
    return f"ngày {format_date(day)} ({weekday_name(day)})"


def format_date_in_words(day: date) -> str:
    """ngày 05 tháng 01 năm 2026: the date line of an official document (NĐ 30/2020, appendix I)."""
    return f"ngày {day.day:02d} tháng {_month(day)} năm {day.year}"


def format_time(moment: datetime) -> str:
    """14 giờ 00."""
    moment = local(moment)
    return f"{moment.hour:02d} giờ {moment.minute:02d}"


def format_moment(moment: datetime) -> str:
    """14 giờ 00 ngày 26/11/2021."""
    return f"{format_time(moment)} ngày {format_date(local_date(moment))}"


def format_moment_long(moment: datetime) -> str:
    """14 giờ 00, ngày 26/11/2021 (thứ Sáu)."""
    return f"{format_time(moment)}, {format_date_long(local_date(moment))}"
