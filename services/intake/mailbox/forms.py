"""What the office sends about a mail."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from contracts.model import Channel
from kit.web import Input
from kit.web.forms import FormDate, Line
from services.intake.feedback.domain import FeedbackEntry
from services.intake.feedback.forms import FeedbackForm
from services.intake.forms import WebForm


class MailForm(WebForm):
    """A form of a mail as the office confirms it: channel and moment are the mail's. A phone number stays as it is written."""

    required: ClassVar[Mapping[str, str]] = {"plan": "Xin chọn kế hoạch."}

    plan: Line
    phone: Line = ""
    incoming_number: Line | None = None
    anyway: Literal["1"] | None = None


class MailFeedbackForm(FeedbackForm):
    """A mail as the office confirms it as feedback: as at the counter, but for channel and moment."""

    phone: Line = ""
    incoming_number: Line | None = None
    outside_number: Line | None = None
    outside_due: FormDate | None = None
    anyway: Literal["1"] | None = None

    def entry(self, received_at: datetime) -> FeedbackEntry:
        return FeedbackEntry(
            Channel.EMAIL,
            received_at,
            self.incoming_number,
            outside_number=self.outside_number,
            outside_due=self.outside_due,
        )


class Dismissal(Input):
    """Why a mail is neither a registration form nor feedback."""

    required: ClassVar[Mapping[str, str]] = {"reason": "Xin ghi lý do, để người sau biết vì sao thư không được ghi nhận."}

    reason: Line
