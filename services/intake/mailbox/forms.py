"""What the office sends about a mail."""

from collections.abc import Mapping
from typing import ClassVar

from kit.web import Input
from kit.web.forms import Line
from services.intake.forms import WebForm


class MailForm(WebForm):
    """A form of a mail as the office confirms it: channel and moment are the mail's. A phone number stays as it is written."""

    required: ClassVar[Mapping[str, str]] = {"plan": "Xin chọn kế hoạch."}

    plan: Line
    phone: Line = ""
    incoming_number: Line | None = None


class Dismissal(Input):
    """Why a mail is no registration form."""

    required: ClassVar[Mapping[str, str]] = {"reason": "Xin ghi lý do, để người sau biết vì sao thư không được ghi nhận."}

    reason: Line
