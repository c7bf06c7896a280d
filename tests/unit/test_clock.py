"""Dates and hours as Vietnamese offices write them."""

from datetime import UTC, date, datetime

import pytest

from kit.clock import (
    format_date,
    format_date_in_words,
    format_date_long,
    format_moment,
    format_moment_long,
    format_time,
    local_date,
    system_clock,
    weekday_name,
)


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2022, 5, 4), "04/5/2022"),
        (date(2021, 2, 10), "10/02/2021"),
        (date(2026, 1, 5), "05/01/2026"),
        (date(2021, 12, 15), "15/12/2021"),
        (date(2022, 3, 1), "01/3/2022"),
    ],
)
def test_days_below_ten_and_the_first_two_months_are_padded(day: date, text: str) -> None:
    assert format_date(day) == text


def test_formats_of_letters_and_documents() -> None:
    moment = datetime(2021, 11, 26, 7, 0, tzinfo=UTC)
    assert format_date_long(date(2022, 5, 4)) == "ngày 04/5/2022 (thứ Tư)"
    assert format_date_in_words(date(2026, 1, 5)) == "ngày 05 tháng 01 năm 2026"
    assert format_time(moment) == "14 giờ 00"
    assert format_moment(moment) == "14 giờ 00 ngày 26/11/2021"
    assert format_moment_long(moment) == "14 giờ 00, ngày 26/11/2021 (thứ Sáu)"
    assert weekday_name(date(2022, 6, 12)) == "Chủ nhật"


def test_the_day_is_vietnams() -> None:
    assert local_date(datetime(2022, 3, 14, 16, 59, 59, tzinfo=UTC)) == date(2022, 3, 14)
    assert local_date(datetime(2022, 3, 14, 17, 30, tzinfo=UTC)) == date(2022, 3, 15)


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        local_date(datetime(2022, 3, 14))  # noqa: DTZ001
    assert system_clock().tzinfo is UTC
