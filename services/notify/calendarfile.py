"""The calendar file that goes with an invitation, a change and a cancellation (RFC 5545, RFC 5546).

One entry per dialogue: the UID stays, SEQUENCE grows with each change, so a calendar moves or removes the entry it has.
"""

from datetime import datetime, timedelta

from icalendar import Calendar, Event, Timezone, TimezoneStandard, vText

from contracts.letters import CancelledFields, InternalInvitationFields, InvitationFields, Meeting, RescheduledFields
from kit import clock
from services.notify.wording import Request

USUAL_LENGTH = timedelta(hours=4)
MEDIA_TYPE = "text/calendar"
NAME = "lich-hoi-nghi.ics"


def calendar_of(request: Request, *, uid: str, organiser: str, stamp: datetime) -> bytes | None:
    """The file, or None for a kind that has none or a meeting without a date. `stamp` is when the letter was asked for."""
    fields = request.fields
    match fields:
        case InvitationFields() | InternalInvitationFields() | RescheduledFields():
            return _calendar(fields.meeting, fields.ends_at, fields.year, fields.sequence, uid, organiser, stamp)
        case CancelledFields():
            return _calendar(fields.meeting, None, fields.year, fields.sequence, uid, organiser, stamp, cancelled=True)
        case _:
            return None


def _calendar(
    meeting: Meeting,
    ends_at: datetime | None,
    year: int,
    sequence: int,
    uid: str,
    organiser: str,
    stamp: datetime,
    *,
    cancelled: bool = False,
) -> bytes | None:
    if meeting.starts_at is None:
        return None
    starts_at = clock.local(meeting.starts_at)
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", stamp)
    event.add("dtstart", starts_at)
    event.add("dtend", clock.local(ends_at) if ends_at else starts_at + USUAL_LENGTH)
    event.add("sequence", sequence)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("summary", f"Hội nghị đối thoại trực tiếp về thủ tục hành chính năm {year}")
    event.add("location", vText(meeting.place))
    event.add("description", organiser)
    if meeting.online_link:
        event.add("url", meeting.online_link)
    calendar = Calendar()
    calendar.add("prodid", "-//Doi thoai TTHC//notify//VI")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    calendar.add_component(_time_zone())
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def _time_zone() -> Timezone:
    """Asia/Ho_Chi_Minh has had one offset since 1975; readers get its definition, not only its name."""
    standard = TimezoneStandard()
    standard.add("dtstart", datetime(1975, 6, 13))  # noqa: DTZ001 - by RFC 5545 a local time
    standard.add("tzoffsetfrom", timedelta(hours=7))
    standard.add("tzoffsetto", timedelta(hours=7))
    standard.add("tzname", "+07")
    zone = Timezone()
    zone.add("tzid", clock.TZ.key)
    zone.add_component(standard)
    return zone
