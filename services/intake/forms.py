"""What people, staff and programs send, as they send it, and what it means (`domain.Submission`)."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.model import Channel, FileRef, Participation, Person, RegistrantKind, Way
from kit import clock
from kit.web.forms import Email, FormDate, FormTime, Input, Line, Phone, Submitted, Text
from kit.web.messages import courteous
from services.intake.attachments.usecases import DROPPED, TOKENS
from services.intake.domain import Entry, Submission

_PERSON = ("name", "address", "phone", "email", "organisation")
Texts = dict[int, Text]
Token = Annotated[str, Field(max_length=600)]
"""Names a file that was uploaded before."""
MOST_TOKENS = 20


class Step(StrEnum):
    """What a button of the form asks for. A form without one is sent."""

    SEND = "send"
    REVIEW = "review"
    CHANGE = "change"
    AGAIN = "again"
    """Another form of the same body, with what is said of the body filled in."""


def step_of(submitted: Submitted, steps: Collection[Step] = tuple(Step)) -> Step:
    """The button that was pressed; what no button of the form says is a form to be sent, and refused for it there."""
    asked = submitted.values.get("action", "")
    return Step(asked) if asked in steps else Step.SEND


OF_THE_BODY = ("kind", "organisation", "address", "phone", "email", "preferred_way")
"""What several forms of one body have in common."""
_OF_THE_STEP = frozenset({"action", TOKENS, DROPPED})


def carried(submitted: Submitted, nonce: str) -> list[tuple[str, str]]:
    """Everything typed, as name and value, to be sent again from the hidden inputs of the next page."""
    return [(n, v) for n, v in submitted.hidden() if n not in _OF_THE_STEP and n != "nonce"] + [("nonce", nonce)]


class WebForm(Input):
    """The registration form of the public site. `consent` holds the version of the notice that was agreed to."""

    nonce: Annotated[str, Field(max_length=64)] = ""
    action: Step = Step.SEND
    uploaded: list[Token] = Field(default_factory=list, max_length=MOST_TOKENS)
    drop: list[Token] = Field(default_factory=list, max_length=MOST_TOKENS)
    dialogue: Line | None = None
    name: Line = ""
    address: Line = ""
    phone: Phone = ""
    email: Email = ""
    organisation: Line = ""
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    preferred_way: Way | None = None
    participation: Participation | None = None
    sections: Texts = Field(default_factory=dict)
    consent: Line | None = None

    def submission(self, plan: str, files: tuple[FileRef, ...] = ()) -> Submission:
        return Submission(
            plan=plan,
            person=Person(**{name: getattr(self, name) for name in _PERSON}),
            texts=self.sections,
            dialogue=self.dialogue,
            kind=self.kind,
            preferred_way=self.preferred_way,
            consent_version=self.consent,
            participation=self.participation,
            files=files,
        )


def web_key(nonce: str, payload_hash: bytes) -> str:
    """A double click is one registration; the same page sent again after a correction is another."""
    return f"web:{nonce}:{payload_hash.hex()}"


ENTRY_CHANNELS: Mapping[Channel, str] = {
    Channel.PAPER: "Nộp trực tiếp (bản giấy)",
    Channel.POST: "Qua đường bưu điện",
    Channel.EMAIL: "Qua thư điện tử của Sở",
    Channel.PHONE: "Qua điện thoại",
    Channel.FEEDBACK_SECTION: "Qua chuyên mục phản ánh, kiến nghị trên Trang thông tin điện tử",
    Channel.TELEVISION: "Qua chương trình truyền hình",
}


def _entry_channel(channel: Channel) -> Channel:
    if channel not in ENTRY_CHANNELS:
        raise courteous("Kênh này được ghi nhận tự động. Xin chọn kênh mà phiếu hoặc nội dung đã đến.")
    return channel


class AtCounter(Input):
    """What staff note beside what a paper, a mail or a call says (D3). A phone number stays as it is written there.

    `read_back`: a call's content was read back to the caller. `anyway`: kept though it is like what there is already.
    """

    phone: Line = ""
    channel: Annotated[Channel, AfterValidator(_entry_channel)]
    received_on: FormDate
    received_time: FormTime
    incoming_number: Line | None = None
    read_back: Literal["1"] | None = None
    anyway: Literal["1"] | None = None

    def entry(self) -> Entry:
        read_back = self.read_back is not None if self.channel is Channel.PHONE else None
        return Entry(self.channel, clock.at(self.received_on, self.received_time), self.incoming_number, read_back)


class EntryForm(AtCounter, WebForm):
    """A registration typed by staff."""

    required: ClassVar[Mapping[str, str]] = {
        "plan": "Xin chọn kế hoạch.",
        "channel": "Xin chọn kênh tiếp nhận.",
        "received_on": "Xin ghi ngày nhận.",
        "received_time": "Xin ghi giờ nhận, vì phiếu đến đúng hạn hay muộn tính theo giờ này.",
    }

    plan: Line


class PersonInput(Input):
    """Người đăng ký. Họ tên và các mục mà mẫu phiếu của Sở yêu cầu là bắt buộc."""

    name: Line = Field("", description="Họ và tên; với tổ chức, doanh nghiệp: người đại diện")
    address: Line = Field("", description="Nơi thường trú hoặc địa chỉ")
    phone: Phone = Field("", description="Điện thoại, ví dụ 0912 345 678")
    email: Email = Field("", description="Thư điện tử")
    organisation: Line = Field("", description="Tên cơ quan, tổ chức, doanh nghiệp, hợp tác xã")


class SectionInput(Input):
    """Nội dung của một mục trong phiếu."""

    no: int = Field(ge=1, description="Số thứ tự của mục trong mẫu phiếu của Sở")
    text: Text = Field(min_length=1, description="Nội dung, không quá 10.000 ký tự")


Uploaded = list[Token]
FILES_HELP = (
    "Mã của các tệp đính kèm, nhận được khi tải từng tệp lên `/api/v1/{agency}/uploads`. Quá 24 giờ mà phiếu "
    "chưa được tiếp nhận thì tải tệp lên lại: cùng nội dung tệp là cùng phiếu"
)


class RegistrationInput(Input):
    """Phiếu đăng ký tham gia đối thoại."""

    plan: Line = Field(description="Mã kế hoạch, như trong địa chỉ trang kế hoạch")
    dialogue: Line | None = Field(None, description="Mã Hội nghị; bỏ trống: Hội nghị gần nhất còn nhận đăng ký")
    kind: RegistrantKind = Field(RegistrantKind.INDIVIDUAL, description="Cá nhân, tổ chức, doanh nghiệp hoặc hợp tác xã")
    person: PersonInput
    preferred_way: Way | None = Field(None, description="Cách Ông/Bà muốn nhận giấy mời và trả lời")
    participation: Participation | None = Field(
        None, description="Mong muốn dự trực tiếp hay trực tuyến, khi Hội nghị có hình thức trực tuyến hoặc chưa ấn định"
    )
    sections: list[SectionInput] = Field(description="Ít nhất một mục")
    files: Uploaded = Field(default_factory=list, max_length=MOST_TOKENS, description=FILES_HELP)
    consent_version: Line | None = Field(None, description="Phiên bản thông báo bảo vệ dữ liệu cá nhân mà người đăng ký đồng ý")

    @model_validator(mode="after")
    def _each_section_once(self) -> Self:
        if len({section.no for section in self.sections}) < len(self.sections):
            raise courteous("Mỗi mục của phiếu chỉ được gửi một lần.")
        return self

    def submission(self, files: tuple[FileRef, ...] = ()) -> Submission:
        return Submission(
            plan=self.plan,
            person=Person(**self.person.model_dump()),
            texts={section.no: section.text for section in self.sections},
            dialogue=self.dialogue,
            kind=self.kind,
            preferred_way=self.preferred_way,
            consent_version=self.consent_version,
            participation=self.participation,
            files=files,
        )

    def places(self) -> dict[str, str]:
        """Name of a field in the domain → its place in this body, for error pointers."""
        sections = {f"sections.{section.no}": f"sections.{index}.no" for index, section in enumerate(self.sections)}
        return {name: f"person.{name}" for name in _PERSON} | sections | {"consent": "consent_version"}


def api_key(idempotency_key: str) -> str:
    """Programs' keys are apart from those of web forms."""
    return f"api:{idempotency_key}"


def entry_key(nonce: str, payload_hash: bytes) -> str:
    """As for a web form, so that a double click at the counter is one registration."""
    return f"entry:{nonce}:{payload_hash.hex()}"
