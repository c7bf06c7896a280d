"""The back-plan of a dialogue: the latest days of each step before and after it, and what contradicts (D8)."""

from dataclasses import dataclass
from datetime import date, datetime

from kit.calendar import Deadline, Method, Terms, WorkCalendar
from kit.clock import format_date_long, format_moment, local_date, start_of_day


@dataclass(frozen=True)
class BackPlanRules:
    """What the agency's profile says about the steps; nothing here has a default, as a rule binds who wrote it."""

    answer_days: int
    answers_in_working_days: bool
    report_working_days_before: int | None
    """D8 (d); None where the agency has no such report."""
    invitation_working_days_before: int
    conclusion_working_days_after: int


@dataclass(frozen=True)
class BackPlan:
    """The latest day of each step for a dialogue on `meeting_on`; `warnings` say what cannot be done in this order."""

    meeting_on: date
    closing_on: date
    transfer_on: date
    answers_on: date
    report: Deadline | None
    invitation: Deadline
    conclusion: Deadline
    warnings: tuple[str, ...]


def back_plan(
    calendar: WorkCalendar,
    rules: BackPlanRules,
    *,
    meeting: datetime,
    closing: datetime | None = None,
    invitation_on: date | None = None,
) -> BackPlan:
    """Count back from `meeting` and forward to its conclusion.

    `closing` and `invitation_on` are what a plan names (D1): they never move, they are only compared. The closing is at
    the latest on the day of the last transfer, which is a working day whose answer is due when the answers are needed.
    """
    meeting_on = local_date(meeting)
    report = (
        calendar.working_days_before(meeting_on, rules.report_working_days_before, rule="D8")
        if rules.report_working_days_before is not None
        else None
    )
    answers_on = report.due_on if report else calendar.previous_working_day(meeting_on)
    transfer_on = last_transfer_day(calendar, rules, answers_on)
    invitation = (
        calendar.named_day(invitation_on, rule="D9")
        if invitation_on
        else calendar.working_days_before(meeting_on, rules.invitation_working_days_before, rule="D9")
    )
    return BackPlan(
        meeting_on=meeting_on,
        closing_on=transfer_on,
        transfer_on=transfer_on,
        answers_on=answers_on,
        report=report,
        invitation=invitation,
        conclusion=calendar.working_days_after_event(meeting_on, rules.conclusion_working_days_after, rule="D12"),
        warnings=(
            *_meeting_warnings(calendar, meeting_on),
            *_closing_warnings(meeting, closing, transfer_on, report, invitation),
            *_invitation_warnings(meeting_on, invitation),
        ),
    )


def last_transfer_day(calendar: WorkCalendar, rules: BackPlanRules, answers_on: date) -> date:
    """The last working day whose transfer, within office hours, is due by `answers_on` (D7)."""
    method = Method.WORKING_DAYS_AFTER if rules.answers_in_working_days else Method.CALENDAR_DAYS_AFTER
    day = calendar.working_day_until(answers_on)
    while _due(calendar, method, rules.answer_days, day) > answers_on:
        day = calendar.previous_working_day(day)
    return day


def _due(calendar: WorkCalendar, method: Method, days: int, transferred_on: date) -> date:
    return calendar.due(Terms(rule="D7", method=method, days=days, start=start_of_day(transferred_on))).due_on


def _meeting_warnings(calendar: WorkCalendar, meeting_on: date) -> list[str]:
    if calendar.is_working_day(meeting_on):
        return []
    return [f"Ngày đối thoại, {format_date_long(meeting_on)}, là ngày nghỉ"]


def _closing_warnings(
    meeting: datetime, closing: datetime | None, transfer_on: date, report: Deadline | None, invitation: Deadline
) -> list[str]:
    """What a named closing makes impossible; only the first cause in time is told, as the others follow from it."""
    if closing is None:
        return []
    closes, closing_on = f"thời điểm đóng đăng ký ({format_moment(closing)})", local_date(closing)
    warnings = []
    if closing >= meeting:
        warnings.append(f"Ngày đối thoại không sau {closes}")
    if report and report.due_at <= closing:
        warnings.append(f"Hạn báo cáo Giám đốc, {format_date_long(report.due_on)}, trước {closes}")
    elif closing_on > transfer_on:
        warnings.append(f"Ngày chuyển muộn nhất, {format_date_long(transfer_on)}, trước {closes}")
    if invitation.due_at <= closing:
        warnings.append(f"Hạn gửi giấy mời, {format_date_long(invitation.due_on)}, trước {closes}")
    return warnings


def _invitation_warnings(meeting_on: date, invitation: Deadline) -> list[str]:
    if invitation.due_on < meeting_on:
        return []
    return [f"Hạn gửi giấy mời, {format_date_long(invitation.due_on)}, không trước ngày đối thoại"]
