"""What a registrant sends after registering, as it is sent."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from contracts.model import Person, Way
from kit.acting import Via
from kit.web.forms import Email, FormDate, Input, Line, Phone, Text
from services.intake.after.domain import Mode


class SectionForm(Input):
    """A section changed, added to or filled for the first time. `mode` is what the page offered."""

    required: ClassVar[Mapping[str, str]] = {"text": "Ông/Bà chưa ghi nội dung."}

    text: Text
    mode: Mode = Mode.NONE


class ContactForm(Input):
    """The whole contact, as it shall be."""

    name: Line = ""
    address: Line = ""
    phone: Phone = ""
    email: Email = ""
    organisation: Line = ""

    def person(self) -> Person:
        return Person(**self.model_dump())


class SpokenContactForm(ContactForm):
    """The same as staff write it down: a telephone number as it was said."""

    phone: Line = ""


class AskedForm(Input):
    """How somebody asked the office to act for them. Beside the fields of what is to be done."""

    required: ClassVar[Mapping[str, str]] = {
        "via": "Xin chọn cách người đề nghị đã liên hệ.",
        "on": "Xin ghi ngày đề nghị.",
    }

    via: Via
    on: FormDate


class WayForm(Input):
    preferred_way: Way | None = None


class WithdrawForm(Input):
    """`confirm` comes from the page that says what happens then."""

    sections: list[int] = Field(default_factory=list)
    reason: Text = ""
    confirm: bool = False


class ReplyForm(Input):
    required: ClassVar[Mapping[str, str]] = {"answer": "Xin Ông/Bà chọn một trả lời."}

    answer: Literal["coming", "substitute", "absent"]
    substitute: Line = ""
    reason: Text = ""


class DataForm(Input):
    required: ClassVar[Mapping[str, str]] = {"what": "Xin Ông/Bà chọn một yêu cầu."}

    what: Literal["see", "delete"]
    note: Text = ""


class DecisionForm(Input):
    """What the office decides about a request."""

    required: ClassVar[Mapping[str, str]] = {"decision": "Xin chọn một quyết định."}

    decision: Literal["granted", "partly", "refused"]
    reason: Text = ""


class ExtendForm(Input):
    required: ClassVar[Mapping[str, str]] = {"why": "Xin ghi lý do; người yêu cầu đọc lý do này."}

    why: Text
