"""Working days, deadlines and back-plans: the offices' hand-made tables (S1-S5) and the laws behind them."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from kit.backplan import BackPlanRules, back_plan, last_transfer_day
from kit.calendar import (
    DayKind,
    DayOff,
    Deadline,
    Method,
    OfficeHours,
    Terms,
    WorkCalendar,
    YearTable,
    load_calendar,
    recompute,
    seeded_year,
)
from kit.clock import TZ, at, local_date
from kit.periods import PlanQuarter

CALENDAR = load_calendar(Path(__file__).parents[2] / "agencies/calendars/vn.yaml")
# Bắc Kạn closes its registration, and its office, at 17:30.
BAC_KAN_CALENDAR = CALENDAR.with_office_hours(OfficeHours(shifts=((time(7, 30), time(11, 30)), (time(13, 30), time(17, 30)))))
SON_LA = BackPlanRules(
    answer_days=3,
    answers_in_working_days=False,
    report_working_days_before=5,
    invitation_working_days_before=1,
    conclusion_working_days_after=5,
)
BAC_KAN = BackPlanRules(
    answer_days=3,
    answers_in_working_days=False,
    report_working_days_before=None,
    invitation_working_days_before=1,
    conclusion_working_days_after=5,
)


def d(text: str) -> date:
    """4/5/2022."""
    day, month, year = map(int, text.split("/"))
    return date(year, month, day)


def m(text: str) -> datetime:
    """4/5/2022 17:30[:59] in Vietnam."""
    day, hour = text.split()
    return at(d(day), time.fromisoformat(hour))


# The calendars


@pytest.mark.parametrize(
    ("year", "off"),
    [
        (2021, "1/1 10/2 11/2 12/2 13/2 14/2 15/2 16/2 21/4 30/4 1/5 3/5 2/9 3/9"),
        (2022, "1/1 3/1 31/1 1/2 2/2 3/2 4/2 10/4 11/4 30/4 1/5 2/5 3/5 1/9 2/9"),
    ],
)
def test_the_confirmed_years_have_exactly_their_days_off(year: int, off: str) -> None:
    table = CALENDAR.table(year)
    assert [entry.day for entry in table.days_off] == [d(f"{day}/{year}") for day in off.split()]
    assert table.working_days == ()
    assert table.confirmed


def test_later_years_are_provisional_until_a_person_confirms_them() -> None:
    assert not CALENDAR.is_working_day(d("2/1/2023"))
    assert not CALENDAR.is_confirmed(d("30/12/2022"), d("3/1/2023"))
    assert CALENDAR.is_confirmed(d("1/1/2021"), d("31/12/2022"))
    assert not CALENDAR.table(2040).confirmed
    deadline = CALENDAR.calendar_days_after(m("30/12/2022 09:00"), 3, rule="D7")
    assert deadline.provisional
    assert deadline.explanation.endswith("03/01/2023 (dự kiến)")


def test_a_deadline_capped_into_a_confirmed_year_by_a_provisional_one_is_provisional() -> None:
    deadline = CALENDAR.calendar_days_after(m("30/12/2022 09:00"), 3, rule="D7", meeting_on=d("3/1/2023"))
    assert deadline.due_on == d("30/12/2022")
    assert deadline.provisional


def test_swapped_days_and_days_of_unconfirmed_force() -> None:
    assert CALENDAR.is_working_day(d("10/1/2026"))
    assert not CALENDAR.is_working_day(d("2/1/2026"))
    assert CALENDAR.is_working_day(d("24/11/2026"))
    assert all((entry.day.month, entry.day.day) != (11, 24) for entry in seeded_year(2028).days_off)


def test_a_swapped_saturday_counts_as_a_working_day() -> None:
    deadline = CALENDAR.working_days_after(m("8/1/2026 09:00"), 2, rule="D7")
    assert deadline.due_on == d("10/1/2026")


def test_a_confirmed_table_takes_the_place_of_the_provisional_one() -> None:
    confirmed = CALENDAR.table(2023).model_copy(update={"confirmed": True})
    changed = CALENDAR.with_year(confirmed)
    assert changed.is_confirmed(d("1/1/2022"), d("31/12/2023"))
    assert changed.version != CALENDAR.version


@pytest.mark.parametrize(
    "days_off",
    [
        (DayOff(day=date(2022, 1, 1), name="Tết Dương lịch", kind=DayKind.HOLIDAY),),
        (DayOff(day=date(2021, 1, 1), name="Tết Dương lịch", kind=DayKind.HOLIDAY),) * 2,
    ],
)
def test_a_wrong_table_is_refused(days_off: tuple[DayOff, ...]) -> None:
    with pytest.raises(ValidationError):
        YearTable(year=2021, confirmed=True, source="thử", days_off=days_off)


def test_office_hours_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError):
        OfficeHours(shifts=((time(13, 30), time(17)), (time(7, 30), time(11, 30))))


def test_the_calendar_file_is_refused_with_an_unknown_key(tmp_path: Path) -> None:
    file = tmp_path / "vn.yaml"
    file.write_text('office_hours: {shifts: [["07:30", "11:30"]]}\nyears: []\nholiday: []\n')
    with pytest.raises(ValidationError):
        load_calendar(file)


# S1 and the end of S10: Sơn La's back-plan


@pytest.mark.parametrize(
    ("meeting", "report", "last_transfer", "conclusion", "plan_quarter"),
    [
        ("11/5/2022", "4/5/2022", "29/4/2022", "18/5/2022", 2),
        ("13/4/2022", "5/4/2022", "1/4/2022", "20/4/2022", 2),
        ("20/4/2022", "13/4/2022", "8/4/2022", "27/4/2022", 2),
        ("4/5/2022", "25/4/2022", "22/4/2022", "11/5/2022", 2),
        ("15/6/2022", "8/6/2022", "3/6/2022", "22/6/2022", 2),
        ("30/6/2022", "23/6/2022", "20/6/2022", "7/7/2022", 2),
        ("28/12/2022", "21/12/2022", "16/12/2022", "5/1/2023", 4),
    ],
)
def test_s1_back_plan(meeting: str, report: str, last_transfer: str, conclusion: str, plan_quarter: int) -> None:
    plan = back_plan(CALENDAR, SON_LA, meeting=m(f"{meeting} 08:00"))
    assert plan.report is not None
    assert (plan.report.due_on, plan.transfer_on, plan.conclusion.due_on) == (d(report), d(last_transfer), d(conclusion))
    assert plan.answers_on == d(report)
    assert plan.warnings == ()
    assert PlanQuarter.of(plan.meeting_on) == PlanQuarter(2022, plan_quarter)


def test_s1_the_last_transfers_answer_arrives_in_time() -> None:
    assert CALENDAR.calendar_days_after(m("8/4/2022 09:00"), 3, rule="D7").due_on == d("12/4/2022")
    assert CALENDAR.calendar_days_after(m("29/4/2022 09:00"), 3, rule="D7").due_on == d("4/5/2022")


def test_s1_the_last_day_on_which_quarter_2_can_still_be_met_in_order() -> None:
    last_meeting = CALENDAR.working_day_until(PlanQuarter(2022, 2).last_day)
    assert back_plan(CALENDAR, SON_LA, meeting=at(last_meeting, time(8))).transfer_on == d("20/6/2022")


def test_s1_explains_how_it_counted_back() -> None:
    assert CALENDAR.working_days_before(d("11/5/2022"), 5, rule="D8").explanation == (
        "Đếm ngược từ ngày 11/5/2022; ngày làm việc 1 là 10/5, ngày làm việc 2 là 09/5, ngày làm việc 3 là 06/5, "
        "ngày làm việc 4 là 05/5, ngày làm việc 5 là 04/5, không tính 07/5 (thứ Bảy), 08/5 (Chủ nhật) → hạn: 04/5/2022"
    )


# S2: the unit's clock (D7)


@pytest.mark.parametrize(
    ("received", "after_hours", "due", "due_by_working_days"),
    [
        ("26/4/2022 10:00", True, "29/4/2022", "29/4/2022"),
        ("27/4/2022 10:00", True, "4/5/2022", "4/5/2022"),
        ("28/4/2022 10:00", True, "4/5/2022", "5/5/2022"),
        ("29/4/2022 16:00", True, "4/5/2022", "6/5/2022"),
        ("29/4/2022 17:45", True, "9/5/2022", "9/5/2022"),
        ("29/4/2022 17:45", False, "4/5/2022", "6/5/2022"),
        ("27/1/2022 10:00", True, "7/2/2022", "8/2/2022"),
        ("28/1/2022 10:00", True, "7/2/2022", "9/2/2022"),
        ("7/4/2022 10:00", True, "12/4/2022", "13/4/2022"),
        ("8/4/2022 10:00", True, "12/4/2022", "14/4/2022"),
        ("30/12/2022 10:00", True, "3/1/2023", "5/1/2023"),
        ("8/2/2021 10:00", True, "17/2/2021", "18/2/2021"),
    ],
)
def test_s2_three_days(received: str, after_hours: bool, due: str, due_by_working_days: str) -> None:
    moment = m(received)
    assert CALENDAR.calendar_days_after(moment, 3, rule="D7", after_hours=after_hours).due_on == d(due)
    assert CALENDAR.working_days_after(moment, 3, rule="D7", after_hours=after_hours).due_on == d(due_by_working_days)


def test_s2_explanations() -> None:
    def explained(received: str, after_hours: bool = False) -> str:
        return CALENDAR.calendar_days_after(m(received), 3, rule="D7", after_hours=after_hours).explanation

    assert explained("29/4/2022 16:00") == (
        "Nhận 29/4; ngày 1 là 30/4 (nghỉ lễ), ngày 2 là 01/5 (nghỉ lễ), ngày 3 là 02/5 (nghỉ bù)"
        " → chuyển sang ngày làm việc tiếp theo: 04/5/2022"
    )
    assert explained("26/4/2022 10:00") == ("Nhận 26/4; ngày 1 là 27/4, ngày 2 là 28/4, ngày 3 là 29/4 → hạn: 29/4/2022")
    assert explained("29/4/2022 17:45", after_hours=True) == (
        "Nhận 29/4 ngoài giờ làm việc, tính là nhận ngày 04/5; ngày 1 là 05/5, ngày 2 là 06/5, ngày 3 là 07/5 (thứ Bảy)"
        " → chuyển sang ngày làm việc tiếp theo: 09/5/2022"
    )
    assert CALENDAR.working_days_after(m("28/4/2022 10:00"), 3, rule="D7").explanation == (
        "Nhận 28/4; ngày làm việc 1 là 29/4, ngày làm việc 2 là 04/5, ngày làm việc 3 là 05/5, "
        "không tính 30/4 (nghỉ lễ), 01/5 (nghỉ lễ), 02/5 (nghỉ bù), 03/5 (nghỉ bù) → hạn: 05/5/2022"
    )


def test_s2_the_day_ends_at_24_00() -> None:
    deadline = CALENDAR.calendar_days_after(m("29/4/2022 16:00"), 3, rule="D7")
    assert not deadline.is_late(m("4/5/2022 23:59:59"))
    assert deadline.is_late(m("5/5/2022 00:00"))


def test_names_of_the_days_off_that_were_met() -> None:
    deadline = CALENDAR.calendar_days_after(m("29/4/2022 16:00"), 3, rule="D7")
    assert [entry.name for entry in deadline.skipped] == [
        "Ngày Chiến thắng",
        "Ngày Quốc tế Lao động",
        "Ngày Chiến thắng (nghỉ bù)",
        "Ngày Quốc tế Lao động (nghỉ bù)",
    ]


def test_d7_is_capped_to_the_working_day_before_the_meeting() -> None:
    deadline = CALENDAR.calendar_days_after(m("29/4/2022 10:00"), 3, rule="D7", meeting_on=d("4/5/2022"))
    assert deadline.due_on == d("29/4/2022")
    assert deadline.warnings == ("Hạn 04/5/2022 không trước ngày đối thoại 04/5/2022, rút về 29/4/2022",)
    assert deadline.explanation.endswith("rút về trước ngày đối thoại 04/5/2022: 29/4/2022")


def test_d7_without_conflict_is_not_capped() -> None:
    deadline = CALENDAR.calendar_days_after(m("29/4/2022 10:00"), 3, rule="D7", meeting_on=d("5/5/2022"))
    assert (deadline.due_on, deadline.warnings) == (d("4/5/2022"), ())


def test_d7_is_never_due_before_its_receipt() -> None:
    on_sunday = CALENDAR.calendar_days_after(m("8/5/2022 10:00"), 3, rule="D7", meeting_on=d("9/5/2022"))
    assert on_sunday.due_on == d("8/5/2022")
    on_the_day = CALENDAR.calendar_days_after(m("9/5/2022 07:00"), 3, rule="D7", meeting_on=d("9/5/2022"))
    assert on_the_day.due_on == d("12/5/2022")
    assert on_the_day.warnings == ("Chuyển không trước ngày đối thoại 09/5/2022: không còn thời gian chuẩn bị",)


# S3: a calendar that changes


def test_s3_conclusion_over_a_holiday_and_a_new_day_off() -> None:
    changed = CALENDAR.with_day_off(d("6/5/2022"), "nghỉ theo thông báo của tỉnh")
    conclusion = CALENDAR.working_days_after_event(d("27/4/2022"), 5, rule="D12")
    report = CALENDAR.working_days_before(d("11/5/2022"), 5, rule="D8")
    written_answer = CALENDAR.calendar_days_after(m("6/5/2022 10:00"), 3, rule="D10")
    assert (conclusion.due_on, report.due_on) == (d("6/5/2022"), d("4/5/2022"))
    assert written_answer.due_on == d("9/5/2022")
    assert recompute(conclusion, changed).due_on == d("9/5/2022")
    assert recompute(report, changed).due_on == d("29/4/2022")
    assert "06/5 (nghỉ theo thông báo của tỉnh)" in recompute(report, changed).explanation


def test_s3_tet_before_and_after_the_prime_ministers_decision() -> None:
    decided = CALENDAR.table(2022)
    guess = decided.model_copy(
        update={"confirmed": False, "days_off": tuple(x for x in decided.days_off if x.day != d("31/1/2022"))}
    )
    early = CALENDAR.with_year(guess).calendar_days_after(m("27/1/2022 10:00"), 3, rule="D7")
    assert (early.due_on, early.provisional) == (d("31/1/2022"), True)
    later = recompute(early, CALENDAR)
    assert (later.due_on, later.provisional) == (d("7/2/2022"), False)
    assert later.calendar_version != early.calendar_version


def test_a_change_leaves_the_old_calendar_as_it_was_and_can_be_taken_back() -> None:
    before = CALENDAR.version
    changed = CALENDAR.with_day_off(d("6/5/2022"), "nghỉ")
    assert CALENDAR.version == before
    assert CALENDAR.is_working_day(d("6/5/2022"))
    assert not changed.is_working_day(d("6/5/2022"))
    assert changed.with_working_day(d("6/5/2022"), "làm").is_working_day(d("6/5/2022"))
    assert changed.with_year(CALENDAR.table(2022)).version == before


def test_other_office_hours_are_another_calendar() -> None:
    assert BAC_KAN_CALENDAR.version != CALENDAR.version
    received = m("29/4/2022 17:15")
    assert CALENDAR.received_on(received, after_hours=True) == d("4/5/2022")
    assert BAC_KAN_CALENDAR.received_on(received, after_hours=True) == d("29/4/2022")


def test_named_moments_never_move_with_the_calendar() -> None:
    closing = CALENDAR.named_minute(m("20/11/2021 17:30"), rule="D1")
    changed = CALENDAR.with_day_off(d("20/11/2021"), "nghỉ").with_day_off(d("22/11/2021"), "nghỉ")
    assert recompute(closing, changed).due_at == closing.due_at


# S4: Bắc Kạn closes on a Saturday


@pytest.mark.parametrize(
    ("received", "late"),
    [
        ("20/11/2021 17:30:59", False),
        ("20/11/2021 17:31:00", True),
        ("20/11/2021 17:29:40", False),
        ("19/11/2021 16:40:00", False),
        ("22/11/2021 08:30:00", True),
        ("20/11/2021 17:30:30", False),
        ("20/11/2021 18:05:00", True),
    ],
)
def test_s4_closing_on_a_saturday_is_not_moved(received: str, late: bool) -> None:
    closing = CALENDAR.named_minute(m("20/11/2021 17:30"), rule="D1")
    assert closing.due_on == d("20/11/2021")
    assert closing.is_late(m(received)) is late


def test_s4_invitations_by_a_named_sunday_and_their_reminders() -> None:
    invitation = CALENDAR.named_day(d("21/11/2021"), rule="D1")
    assert not invitation.is_late(m("21/11/2021 23:59:59"))
    assert invitation.is_late(m("22/11/2021 00:00"))
    assert CALENDAR.reminder_moments(invitation.due_on) == (m("19/11/2021 07:30"), m("21/11/2021 07:30"))


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ("29/4/2022 09:00", "29/4/2022 09:00"),
        ("29/4/2022 02:00", "29/4/2022 07:30"),
        ("29/4/2022 11:30", "29/4/2022 13:30"),
        ("29/4/2022 17:00", "4/5/2022 07:30"),
        ("30/4/2022 09:00", "4/5/2022 07:30"),
    ],
)
def test_reminders_keep_office_hours(wanted: str, sent: str) -> None:
    assert CALENDAR.next_office_moment(m(wanted)) == m(sent)


# S5: Bắc Kạn's meeting


def test_s5_dates_after_the_meeting() -> None:
    plan = back_plan(
        BAC_KAN_CALENDAR,
        BAC_KAN,
        meeting=m("26/11/2021 14:00"),
        closing=m("20/11/2021 17:30"),
        invitation_on=d("21/11/2021"),
    )
    assert plan.warnings == ()
    assert plan.report is None
    assert (plan.transfer_on, plan.answers_on) == (d("22/11/2021"), d("25/11/2021"))
    assert plan.conclusion.due_on == d("3/12/2021")
    written = BAC_KAN_CALENDAR.calendar_days_after(m("1/12/2021 10:00"), 3, rule="D10")
    assert written.due_on == d("6/12/2021")
    assert CALENDAR.days_late(written.due_on, m("3/12/2021 15:00")) == (0, 0)
    assert CALENDAR.days_late(written.due_on, m("13/12/2021 15:00")) == (7, 5)


def test_s5_d8_switched_on_by_mistake_is_told() -> None:
    plan = back_plan(
        BAC_KAN_CALENDAR,
        SON_LA,
        meeting=m("26/11/2021 14:00"),
        closing=m("20/11/2021 17:30"),
        invitation_on=d("21/11/2021"),
    )
    assert plan.report is not None
    assert plan.report.due_on == d("19/11/2021")
    assert plan.warnings == (
        "Hạn báo cáo Giám đốc, ngày 19/11/2021 (thứ Sáu), trước thời điểm đóng đăng ký (17 giờ 30 ngày 20/11/2021)",
    )


@pytest.mark.parametrize(
    ("meeting", "closing", "invitation_on", "warning"),
    [
        ("27/11/2021 08:00", None, None, "là ngày nghỉ"),
        ("26/11/2021 14:00", "26/11/2021 17:00", None, "Ngày đối thoại không sau thời điểm đóng đăng ký"),
        ("26/11/2021 14:00", "23/11/2021 17:00", None, "Ngày chuyển muộn nhất, ngày 22/11/2021 (thứ Hai), trước"),
        ("26/11/2021 14:00", "20/11/2021 17:30", "19/11/2021", "Hạn gửi giấy mời, ngày 19/11/2021 (thứ Sáu), trước"),
        ("26/11/2021 14:00", None, "26/11/2021", "không trước ngày đối thoại"),
    ],
)
def test_back_plan_says_what_contradicts(meeting: str, closing: str | None, invitation_on: str | None, warning: str) -> None:
    plan = back_plan(
        CALENDAR,
        BAC_KAN,
        meeting=m(meeting),
        closing=m(closing) if closing else None,
        invitation_on=d(invitation_on) if invitation_on else None,
    )
    assert any(warning in text for text in plan.warnings)


# Laws

DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31), timezones=st.just(TZ))  # noqa: DTZ001
COUNTS = st.integers(1, 30)
PERIODS = st.sampled_from([Method.CALENDAR_DAYS_AFTER, Method.WORKING_DAYS_AFTER])


@st.composite
def calendars(draw: st.DrawFn) -> WorkCalendar:
    calendar = CALENDAR
    for day in draw(st.lists(DAYS, max_size=4)):
        change = draw(st.sampled_from([WorkCalendar.with_day_off, WorkCalendar.with_working_day]))
        calendar = change(calendar, day, "theo thông báo")
    return calendar


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    return Terms(
        rule="D7",
        method=draw(st.sampled_from(Method)),
        days=draw(COUNTS),
        start=draw(MOMENTS),
        after_hours=draw(st.booleans()),
        meeting_on=draw(st.none() | DAYS),
    )


def _after(method: Method, days: int, received: datetime, after_hours: bool) -> Terms:
    return Terms(rule="D7", method=method, days=days, start=received, after_hours=after_hours)


@given(calendars(), PERIODS, COUNTS, MOMENTS, st.booleans())
def test_a_period_ends_on_a_working_day_after_its_receipt(
    calendar: WorkCalendar, method: Method, days: int, received: datetime, after_hours: bool
) -> None:
    deadline = calendar.due(_after(method, days, received, after_hours))
    assert calendar.is_working_day(deadline.due_on)
    assert deadline.due_on >= local_date(received) + timedelta(days=days)
    assert not deadline.is_late(at(deadline.due_on, time.max))
    assert deadline.is_late(at(deadline.due_on + timedelta(days=1), time.min))


@given(calendars(), PERIODS, COUNTS, MOMENTS, MOMENTS, st.booleans())
def test_who_receives_later_is_never_due_earlier(
    calendar: WorkCalendar, method: Method, days: int, one: datetime, other: datetime, after_hours: bool
) -> None:
    earlier, later = sorted((one, other))
    first, second = (calendar.due(_after(method, days, moment, after_hours)) for moment in (earlier, later))
    assert first.due_at <= second.due_at


@given(calendars(), COUNTS, MOMENTS, st.booleans())
def test_working_days_are_never_due_before_calendar_days(
    calendar: WorkCalendar, days: int, received: datetime, after_hours: bool
) -> None:
    by_calendar = calendar.calendar_days_after(received, days, rule="D7", after_hours=after_hours)
    by_working_days = calendar.working_days_after(received, days, rule="D7", after_hours=after_hours)
    assert by_calendar.due_on <= by_working_days.due_on


@given(calendars(), DAYS, COUNTS)
@example(CALENDAR, date(2022, 5, 11), 5)
def test_counting_back_and_forward_meet_again(calendar: WorkCalendar, event_on: date, days: int) -> None:
    event_on = calendar.working_day_from(event_on)
    back = calendar.working_days_before(event_on, days, rule="D8").due_on
    assert calendar.is_working_day(back)
    assert calendar.working_days_after_event(back, days, rule="D12").due_on == event_on
    assert calendar.working_days_between(back, event_on) == days


@given(calendars(), DAYS, COUNTS, DAYS)
def test_a_new_day_off_moves_what_follows_later_and_what_precedes_earlier(
    calendar: WorkCalendar, event_on: date, days: int, new_day_off: date
) -> None:
    changed = calendar.with_day_off(new_day_off, "nghỉ")
    before = calendar.working_days_before(event_on, days, rule="D8")
    after = calendar.working_days_after_event(event_on, days, rule="D12")
    assert recompute(before, changed).due_on <= before.due_on
    assert recompute(after, changed).due_on >= after.due_on


@given(calendars(), terms())
def test_a_deadline_survives_json_and_recomputing_by_the_same_calendar(calendar: WorkCalendar, given: Terms) -> None:
    deadline = calendar.due(given)
    assert Deadline.model_validate_json(deadline.model_dump_json()) == deadline
    assert recompute(deadline, calendar) == deadline
    assert deadline.calendar_version == calendar.version


@given(calendars(), PERIODS, COUNTS, MOMENTS, DAYS)
def test_an_answer_for_a_meeting_is_due_before_it(
    calendar: WorkCalendar, method: Method, days: int, received: datetime, meeting_on: date
) -> None:
    free = calendar.due(_after(method, days, received, False))
    capped = calendar.due(free.terms.model_copy(update={"meeting_on": meeting_on}))
    assert local_date(received) <= capped.due_on <= free.due_on
    assert capped.due_on < meeting_on or local_date(received) >= meeting_on
    assert bool(capped.warnings) == (free.due_on >= meeting_on)


@given(calendars(), DAYS)
def test_the_last_transfer_is_the_last_one_in_time(calendar: WorkCalendar, answers_on: date) -> None:
    last = last_transfer_day(calendar, SON_LA, answers_on)
    following = calendar.next_working_day(last)
    assert calendar.is_working_day(last)
    assert calendar.calendar_days_after(at(last, time(8)), 3, rule="D7").due_on <= answers_on
    assert calendar.calendar_days_after(at(following, time(8)), 3, rule="D7").due_on > answers_on


@given(calendars(), MOMENTS)
def test_a_message_waits_for_the_next_office_moment_and_no_longer(calendar: WorkCalendar, moment: datetime) -> None:
    sent = calendar.next_office_moment(moment)
    assert sent >= moment
    assert calendar.is_office_time(sent)
    assert sent == moment or not calendar.is_office_time(sent - timedelta(minutes=1))
    assert calendar.next_office_moment(sent) == sent


@given(calendars(), DAYS)
def test_the_version_follows_the_data(calendar: WorkCalendar, day: date) -> None:
    off, worked = calendar.with_day_off(day, "nghỉ"), calendar.with_working_day(day, "làm")
    assert off.version != worked.version
    assert (off.is_working_day(day), worked.is_working_day(day)) == (False, True)
    assert calendar.with_year(calendar.table(2022)).version == calendar.version
