"""What each document needs to be printed. The caller chooses every word; the models only clean and punctuate.

All texts are plain: nothing in them is read as markup. `Line` is one line, `Text` may hold line breaks.
Times and days come as the words to print ("14 giờ 00, ngày 26/11/2021 (thứ Sáu)").
"""

import unicodedata
from datetime import date
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, computed_field

NO_TASKS = "Tại Hội nghị, các nội dung đã được giải đáp đầy đủ; không phát sinh nội dung giao thực hiện."
SAMPLE = "BẢN MẪU"
DRAFT = "DỰ THẢO"
GAP = "\u00a0" * 6
"""Room for a number or a day to be written by hand."""

_LINE_BREAKS = str.maketrans({"\u0085": "\n", "\u2028": "\n", "\u2029": "\n", "\v": "\n", "\f": "\n", "\t": " "})


def clean_text(value: str) -> str:
    """Composed accents, `\\n` as the only line break, no control, format, private or unassigned characters.

    Format characters go too because a direction override would print a text that is not the one typed.
    """
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_BREAKS))
    kept = "".join(c for c in text if c == "\n" or not unicodedata.category(c).startswith("C"))
    return "\n".join(" ".join(line.split()) for line in kept.split("\n")).strip("\n")


def clean_line(value: str) -> str:
    return " ".join(clean_text(value).split())


Line = Annotated[str, AfterValidator(clean_line)]
Text = Annotated[str, AfterValidator(clean_text)]


def listed(items: tuple[str, ...]) -> list[str]:
    """Items of an enumeration: ";" after each, "." after the last (NĐ 30 art. 8, Nơi nhận)."""
    bare = [item.rstrip(" ;.") for item in items]
    return [f"{item};" for item in bare[:-1]] + [f"{item}." for item in bare[-1:]]


def ended(paragraph: str) -> str:
    """The last paragraph of an official text ends with "./." (NĐ 30, appendix I)."""
    return paragraph.removesuffix("./.").rstrip(" .") + "./."


class Model(BaseModel):
    """Frozen; its errors never repeat the input, which may be personal."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DatedAt(Model):
    """Place and date of a paper. A part that is None is left open, to be written by hand."""

    place: Line
    day: int | None = Field(None, ge=1, le=31)
    month: int | None = Field(None, ge=1, le=12)
    year: int | None = Field(None, ge=2000, le=2999)

    @classmethod
    def of(cls, place: str, on: date | None = None) -> Self:
        if on is None:
            return cls(place=place)
        return cls(place=place, day=on.day, month=on.month, year=on.year)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def line(self) -> str:
        """Days below 10 and the months 1 and 2 have a leading zero, other months have none (NĐ 30, appendix I)."""
        day = GAP if self.day is None else f"{self.day:02}"
        month = GAP if self.month is None else f"{self.month:02}" if self.month <= 2 else str(self.month)
        year = GAP if self.year is None else str(self.year)
        return f"{self.place}, ngày {day} tháng {month} năm {year}"


class Signer(Model):
    """`authority` has one line per line printed: ("KT. GIÁM ĐỐC", "PHÓ GIÁM ĐỐC"); `name` stands without titles."""

    authority: tuple[Line, ...] = Field(min_length=1)
    name: Line = ""


class Document(Model):
    """Anything that can be rendered. `watermark` is printed across every page: SAMPLE, DRAFT or nothing."""

    template: ClassVar[str]
    title: ClassVar[str]
    """The PDF's own title: the kind of paper, never a name or a code."""

    watermark: Line = ""


class OfficialDocument(Document):
    """The parts every document of NĐ 30 has. `number` is "" until the agency's register has given one."""

    superior: Line
    issuer: Line
    number: Line = ""
    symbol: Line
    dated_at: DatedAt
    recipients: tuple[Line, ...]
    signer: Signer

    @computed_field  # type: ignore[prop-decorator]
    @property
    def number_line(self) -> str:
        """Numbers below 10 have a leading zero (NĐ 30, appendix I)."""
        number = self.number.zfill(2) if self.number.isdigit() else self.number or GAP
        return f"Số: {number}/{self.symbol}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def recipients_listed(self) -> list[str]:
        return listed(self.recipients)


class Invitation(OfficialDocument):
    """GIẤY MỜI (NĐ 30, appendix III, sample 1.7): one paper and one number for a whole wave (D9)."""

    template: ClassVar[str] = "invitation.typ"
    title: ClassVar[str] = "Giấy mời"

    subject: Text
    """Under the kind: "Dự Hội nghị đối thoại trực tiếp với tổ chức, cá nhân …"."""
    host: Line
    """Who invites, as in a sentence: "Sở Khoa học và Công nghệ tỉnh Sơn La"."""
    invitees: Text
    """"tổ chức, cá nhân đã đăng ký tham gia đối thoại"."""
    event: Text
    chair: Line
    time: Line
    venue: Line
    mode: Line = ""
    others: Text = ""
    """Who else attends; not printed when empty."""
    notes: tuple[Text, ...] = ()
    closing: Text

    @computed_field  # type: ignore[prop-decorator]
    @property
    def details(self) -> list[tuple[str, str]]:
        """Labels and texts, in the order of sample 1.7; what is empty is left out."""
        rows = [
            ("Tới dự", self.event),
            ("Chủ trì", self.chair),
            ("Thời gian", self.time),
            ("Địa điểm", self.venue),
            ("Hình thức", self.mode),
            ("Thành phần cùng dự", self.others),
        ]
        return [(label, text if text.endswith(".") else f"{text}.") for label, text in rows if text]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def closing_ended(self) -> str:
        return ended(self.closing)


class ConclusionItem(Model):
    """Work given out under a conclusion: the units it is given to ("all units" is a set too), then the work."""

    text: Text
    units: tuple[Line, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def line(self) -> str:
        return f"{', '.join(self.units)}: {self.text}" if self.units else self.text


class Conclusion(Model):
    """One numbered conclusion."""

    text: Text
    items: tuple[ConclusionItem, ...] = ()


class ConclusionNotice(OfficialDocument):
    """THÔNG BÁO kết luận (NĐ 30 sample 1.4; D12). Without conclusions it says NO_TASKS.

    The public copy names nobody because its caller passes texts that name questions by number (D12).
    """

    template: ClassVar[str] = "conclusion_notice.typ"
    title: ClassVar[str] = "Thông báo kết luận"

    kind: Line = "THÔNG BÁO"
    subject: Text
    opening: tuple[Text, ...]
    conclusions: tuple[Conclusion, ...] = ()
    no_tasks: Text = NO_TASKS
    closing: Text

    @computed_field  # type: ignore[prop-decorator]
    @property
    def closing_ended(self) -> str:
        return ended(self.closing)


class OfficialLetter(OfficialDocument):
    """Công văn (NĐ 30 sample 1.5): `summary` is what follows "V/v"; `addressees` what follows "Kính gửi:"."""

    template: ClassVar[str] = "official_letter.typ"
    title: ClassVar[str] = "Công văn"

    summary: Text
    addressees: tuple[Line, ...] = Field(min_length=1)
    paragraphs: tuple[Text, ...] = Field(min_length=1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def addressees_listed(self) -> list[str]:
        return listed(self.addressees) if len(self.addressees) > 1 else list(self.addressees)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def paragraphs_ended(self) -> list[str]:
        return [*self.paragraphs[:-1], ended(self.paragraphs[-1])]


class SlipQuestion(Model):
    """A question as its owner wrote it, under the section of the form it stood in."""

    section: Line
    text: Text


class PersonalSlip(Document):
    """The paper that goes with a giấy mời to one invitee (D9); A5. `order` is None until the order is fixed."""

    template: ClassVar[str] = "personal_slip.typ"
    title: ClassVar[str] = "Phiếu người tham dự"

    issuer: Line
    name: Line
    """With its form of address: "Ông/Bà Nguyễn Văn A"."""
    event: Text
    time: Line
    venue: Line
    mode: Line = ""
    order: int | None = Field(None, ge=1)
    questions: tuple[SlipQuestion, ...]
    confirm: Text
    """How and until when to say whether one comes."""
    contact: Line
    notes: tuple[Text, ...] = ()


class ReceiptSlip(Document):
    """PHIẾU TIẾP NHẬN, handed over at the desk (D3); A5 landscape. `code` is a secret of its holder."""

    template: ClassVar[str] = "receipt_slip.typ"
    title: ClassVar[str] = "Phiếu tiếp nhận"

    superior: Line
    issuer: Line
    registrant: Line
    """"Ông/Bà Nguyễn Văn A", or the body and its representative."""
    received: Line
    """"09 giờ 15 ngày 04/5/2022 (thứ Tư)": when the agency had the form."""
    incoming_number: Line = ""
    subject: Line = "phiếu đăng ký tham gia đối thoại"
    """What was handed over."""
    question_count: int = Field(ge=0)
    case_number: Line = ""
    code: Line
    lookup: Line = ""
    """Where the code shows the state: an address without the code in it."""
    received_by: Line
    contact: Line


class PlainLetter(Document):
    """A mail printed for who has no e-mail (D9); A4, the address placed for the window of a DL or C6/5 envelope."""

    template: ClassVar[str] = "plain_letter.typ"
    title: ClassVar[str] = "Thư"

    superior: Line = ""
    issuer: Line
    contact: Line = ""
    addressee: tuple[Line, ...] = Field(min_length=1, max_length=6)
    """Name, then the postal address, one line each."""
    dated_at: DatedAt
    subject: Line = ""
    salutation: Line
    paragraphs: tuple[Text, ...] = Field(min_length=1)
    signature: tuple[Line, ...] = Field(min_length=1)
    """"VĂN PHÒNG SỞ KHOA HỌC VÀ CÔNG NGHỆ", "TỈNH SƠN LA"."""
    enclosures: tuple[Line, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def enclosures_listed(self) -> list[str]:
        return listed(self.enclosures)


class FormSection(Model):
    """A numbered part of the form: its heading as printed, then dotted lines to write on."""

    heading: Line
    lines: int = Field(3, ge=1, le=30)


class BlankForm(Document):
    """PHIẾU ĐĂNG KÝ THAM GIA ĐỐI THOẠI to fill in by hand (D2), every word from the agency's profile."""

    template: ClassVar[str] = "blank_form.typ"
    title: ClassVar[str] = "Phiếu đăng ký tham gia đối thoại"

    heading: Line = "PHIẾU ĐĂNG KÝ THAM GIA ĐỐI THOẠI"
    subtitle: tuple[Line, ...] = ()
    dated_at: DatedAt
    dated_on_top: bool = False
    """Bắc Kạn prints place and date under the motto, Sơn La at the end."""
    addressee: Line
    """What follows "Kính gửi:"."""
    fields: tuple[Line, ...] = Field(min_length=1)
    intro: Text
    sections: tuple[FormSection, ...] = Field(min_length=1)
    signature: Line = ""
    """"NGƯỜI ĐĂNG KÝ"; not printed when empty."""
    note: Text = ""


class PlanPart(Model):
    """A numbered part of a plan: its heading, then its paragraphs."""

    heading: Line
    paragraphs: tuple[Text, ...] = Field(min_length=1)


class PlanPaper(OfficialDocument):
    """KẾ HOẠCH as it was published (D1; NĐ 30 sample 1.4), from the plan's data: not the signed paper."""

    template: ClassVar[str] = "plan.typ"
    title: ClassVar[str] = "Kế hoạch"

    kind: Line = "KẾ HOẠCH"
    subject: Text
    parts: tuple[PlanPart, ...] = Field(min_length=1)
    closing: Text

    @computed_field  # type: ignore[prop-decorator]
    @property
    def closing_ended(self) -> str:
        return ended(self.closing)


class PostedAnswer(Model):
    """A question with its answer in the wording for the public."""

    section: Line
    question: Text
    answer: Text


class NoticeBoard(Document):
    """The year's opinions and answers for the notice boards (K2): A4, nobody's name."""

    template: ClassVar[str] = "notice_board.typ"
    title: ClassVar[str] = "Ý kiến và nội dung trả lời"

    superior: Line
    issuer: Line
    dated_at: DatedAt
    heading: Line
    subject: Text
    answers: tuple[PostedAnswer, ...]
    nothing: Line = "Không phát sinh."
    source: Line = ""
    """Where the same list is on the network."""


class SurveyPaper(Document):
    """PHIẾU KHẢO SÁT MỨC ĐỘ HÀI LÒNG to fill in by hand (K3); A4. `qr`: the same survey's code, as SVG."""

    template: ClassVar[str] = "survey_paper.typ"
    title: ClassVar[str] = "Phiếu khảo sát mức độ hài lòng"

    superior: Line
    issuer: Line
    unit: Line
    procedure: Line = ""
    procedure_asked: bool = False
    """Whether there is a line to write the procedure on."""
    marks: tuple[Line, ...] = Field(min_length=2)
    """Words of the marks, the lowest first."""
    questions: tuple[Line, ...] = Field(min_length=1)
    no_name: Text
    address: Line
    """Where the same can be answered, under the code."""
    qr: str


class SurveyPoster(Document):
    """The code of a survey to hang up at a counter (K3); A4, to be read from two metres away."""

    template: ClassVar[str] = "survey_poster.typ"
    title: ClassVar[str] = "Mời đánh giá mức độ hài lòng"

    superior: Line
    issuer: Line
    unit: Line
    procedure: Line = ""
    address: Line
    qr: str
