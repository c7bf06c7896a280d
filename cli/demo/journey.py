"""The steps of the demonstration in their order."""

from collections.abc import Callable
from dataclasses import dataclass

from cli.demo import desk, meeting, registration, report, survey
from cli.demo.clock import MovableClock
from cli.demo.context import Demo
from cli.demo.mailbox import Mailbox
from cli.demo.people import books
from cli.up import sign_ins
from deploy.local.paths import ROOT
from deploy.local.stack import LocalStack


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the main job, and what does and checks it."""

    what: str
    run: Callable[[Demo], None]


STEPS = (
    Step("Both agencies announce their plans and give their forms", registration.announced),
    Step("People and programs register; mistakes and repetitions are dealt with", registration.registered),
    Step("Receipts arrive by mail", registration.receipts),
    Step("The software proposes units; what looks like a denunciation is sealed", desk.classified),
    Step("Leadership (Sơn La) and office (Bắc Kạn) put contents before units", desk.transferred),
    Step("Units draft, heads hand over, the leadership approves", desk.answered),
    Step("Sơn La's office fixes the day; everybody is told", meeting.dated),
    Step("… weeks go by: registration has closed", meeting.after_closing),
    Step("Papers are typed in, late forms decided on", desk.came_late),
    Step(
        "Units finish, one of them late; Sơn La's Director has the report",
        meeting.prepared,
    ),
    Step("Invitations go out: by mail, by post, by phone", meeting.invited),
    Step("… the day of the meetings comes", meeting.meeting_day),
    Step("Attendance and outcomes are recorded; somebody speaks unregistered", meeting.held),
    Step("The conclusion is drafted, edited, numbered, issued and mailed", meeting.concluded),
    Step("A written answer; the sealed content is passed on", meeting.followed_up),
    Step("People say how satisfied they were: by their mail's link, at the counter, on paper", survey.surveyed),
    Step("Everybody follows their registration by its code", registration.tracked),
    Step("The report equals a second count", report.reported),
)


def demo_on(stack: LocalStack, clock: MovableClock) -> Demo:
    """The demonstration on a stack that runs, with the sample agencies and their accounts."""
    passwords = {(s["agency"], s["login"]): s["password"] for s in sign_ins(stack)}
    return Demo(stack.public_url, clock, Mailbox(stack.mail_dir), passwords, books(ROOT / "agencies"))
