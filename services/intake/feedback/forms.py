"""What people, staff and programs send as feedback, and what it means (`domain.Feedback`)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from contracts.model import Channel, FileRef, Person, RegistrantKind, Way
from kit.feedback import UNSURE
from kit.web.forms import Email, FormDate, Input, Line, Phone, Text
from kit.web.messages import courteous
from services.intake.feedback.domain import Feedback, FeedbackEntry
from services.intake.forms import FILES_HELP, MOST_TOKENS, AtCounter, PersonInput, Step, Token, Uploaded

_PERSON = ("name", "address", "phone", "email", "organisation")
STEPS = (Step.SEND, Step.REVIEW, Step.CHANGE)
"""What the buttons of the form and of its summary ask for."""


def _group(typed: str) -> str:
    if typed not in ("", UNSURE, *map(str, range(1, 9))):
        raise courteous("Xin chọn một nhóm trong danh sách, hoặc “Tôi không rõ”.")
    return typed


class FeedbackForm(Input):
    """The form of the public site. `consent` holds the version of the notice that was agreed to."""

    nonce: Annotated[str, Field(max_length=64)] = ""
    action: Step = Step.SEND
    uploaded: list[Token] = Field(default_factory=list, max_length=MOST_TOKENS)
    drop: list[Token] = Field(default_factory=list, max_length=MOST_TOKENS)
    group: Annotated[Line, AfterValidator(_group)] = UNSURE
    text: Text = ""
    procedure: Line = ""
    name: Line = ""
    address: Line = ""
    phone: Phone = ""
    email: Email = ""
    organisation: Line = ""
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    preferred_way: Way | None = None
    consent: Line | None = None

    def feedback(self, files: tuple[FileRef, ...] = ()) -> Feedback:
        return Feedback(
            person=Person(**{name: getattr(self, name) for name in _PERSON}),
            text=self.text,
            group=int(self.group) if self.group.isdigit() else None,
            procedure=self.procedure,
            kind=self.kind,
            preferred_way=self.preferred_way,
            consent_version=self.consent,
            files=files,
        )


ENTRY_CHANNELS: Mapping[Channel, str] = {
    Channel.PAPER: "Nộp trực tiếp (bản giấy)",
    Channel.POST: "Qua đường bưu điện, công văn của cơ quan khác",
    Channel.EMAIL: "Qua thư điện tử của Sở",
    Channel.PHONE: "Qua điện thoại, đường dây nóng",
    Channel.FEEDBACK_SECTION: "Qua chuyên mục phản ánh, kiến nghị trên Trang thông tin điện tử",
    Channel.TELEVISION: "Qua chương trình truyền hình",
}


class FeedbackEntryForm(AtCounter, FeedbackForm):
    """Feedback typed by staff, which may be a letter of the province as well (K2)."""

    required: ClassVar[Mapping[str, str]] = {
        "channel": "Xin chọn kênh tiếp nhận.",
        "received_on": "Xin ghi ngày nhận.",
        "received_time": "Xin ghi giờ nhận.",
    }

    outside_number: Line | None = None
    outside_due: FormDate | None = None

    def entry(self) -> FeedbackEntry:
        return FeedbackEntry(
            **asdict(super().entry()),
            outside_number=self.outside_number,
            outside_due=self.outside_due,
        )


class FeedbackInput(Input):
    """Phản ánh, kiến nghị về quy định, thủ tục hành chính."""

    person: PersonInput
    kind: RegistrantKind = Field(RegistrantKind.INDIVIDUAL, description="Cá nhân, tổ chức, doanh nghiệp hoặc hợp tác xã")
    group: int | None = Field(None, ge=1, le=8, description="Nhóm nội dung (NĐ 20/2008 Điều 5); bỏ trống nếu không rõ")
    text: Text = Field("", description="Nội dung, không quá 10.000 ký tự")
    procedure: Line = Field("", description="Thủ tục hành chính liên quan, nếu có")
    preferred_way: Way | None = Field(None, description="Cách Ông/Bà muốn nhận trả lời")
    files: Uploaded = Field(default_factory=list, max_length=MOST_TOKENS, description=FILES_HELP)
    consent_version: Line | None = Field(None, description="Phiên bản thông báo bảo vệ dữ liệu cá nhân mà người gửi đồng ý")

    def feedback(self, files: tuple[FileRef, ...] = ()) -> Feedback:
        return Feedback(
            person=Person(**self.person.model_dump()),
            text=self.text,
            group=self.group,
            procedure=self.procedure,
            kind=self.kind,
            preferred_way=self.preferred_way,
            consent_version=self.consent_version,
            files=files,
        )

    def places(self) -> dict[str, str]:
        """Name of a field in the domain → its place in this body, for error pointers."""
        return {name: f"person.{name}" for name in _PERSON} | {"consent": "consent_version"}


def web_key(nonce: str, payload_hash: bytes) -> str:
    """A double click is one feedback; the same page sent again after a correction is another."""
    return f"feedback-web:{nonce}:{payload_hash.hex()}"


def api_key(idempotency_key: str) -> str:
    """Programs' keys for feedback are apart from those for registrations."""
    return f"feedback-api:{idempotency_key}"


def entry_key(nonce: str, payload_hash: bytes) -> str:
    """As for the web form, so that a double click at the counter is one feedback."""
    return f"feedback-entry:{nonce}:{payload_hash.hex()}"


class ErasureForm(Input):
    """Which feedback's data are to be deleted, and that it is meant."""

    required = {
        "number": "Xin ghi số phản ánh, kiến nghị.",
        "confirmed": "Xin đánh dấu để xác nhận: dữ liệu đã xóa không lấy lại được.",
    }

    number: Line
    confirmed: Line
