"""What staff send from the pages of plans, dialogues, invitations, meetings, notices and the calendar."""

from datetime import date, datetime, time

from pydantic import Field

from contracts.model import ConclusionItem, Mode, PlanState, RegistrantKind
from kit.clock import at, local, start_of_day
from kit.errors import Invalid
from kit.mongo import Document
from kit.web.forms import Email, FormDate, FormTime, Input, Line, Phone, Text
from services.routing.dialogues.conclusion import NoticeText
from services.routing.dialogues.domain import Terms
from services.routing.dialogues.waves import WaveDraft
from services.routing.questions.domain import Body
from services.routing.questions.usecases import Outcome, OutcomeKind

ITEMS = 12
"""Conclusions that the form of a notice has room for."""


class PlanForm(Input):
    required = {"number": "Xin nhập số của kế hoạch.", "year": "Xin nhập năm.", "title": "Xin nhập tên kế hoạch."}

    number: Line
    year: int
    title: Text
    subjects: Text = ""
    chair: Line = ""
    issued_on: FormDate | None = None
    opens_on: FormDate | None = None

    def plan(self) -> PlanState:
        return PlanState(
            number=self.number,
            year=self.year,
            title=self.title,
            subjects=self.subjects,
            chair=self.chair,
            issued_on=self.issued_on,
            opens_at=start_of_day(self.opens_on) if self.opens_on else None,
        )


class PlanEdit(PlanForm):
    required = {**PlanForm.required, "reason": "Xin ghi lý do thay đổi."}

    reason: Line


class PostingForm(Input):
    required = {"place": "Xin nhập nơi niêm yết, đăng tải.", "posted_on": "Xin nhập ngày niêm yết, đăng tải."}

    place: Line
    posted_on: FormDate


class TermsForm(Input):
    """A dialogue's terms: a moment is a day and an hour, both or neither."""

    window_from: FormDate | None = None
    window_to: FormDate | None = None
    starts_on: FormDate | None = None
    starts_time: FormTime | None = None
    opens_on: FormDate | None = None
    closes_on: FormDate | None = None
    closes_time: FormTime | None = None
    place: Text = ""
    capacity: int | None = None
    mode: Mode = Mode.IN_PERSON
    online_link: Line = ""
    chair: Line = ""
    invitations_due: FormDate | None = None

    def terms(self) -> Terms:
        """Raises `Invalid` when a day has no hour or an hour no day."""
        return Terms(
            window_from=self.window_from,
            window_to=self.window_to,
            starts_at=_moment("starts", self.starts_on, self.starts_time),
            opens_at=start_of_day(self.opens_on) if self.opens_on else None,
            closes_at=_moment("closes", self.closes_on, self.closes_time),
            place=self.place,
            capacity=self.capacity,
            mode=self.mode,
            online_link=self.online_link,
            chair=self.chair,
            invitations_due=self.invitations_due,
        )


class DialogueForm(TermsForm):
    ordinal: int


class DialogueChange(TermsForm):
    required = {"reason": "Xin ghi lý do."}

    reason: Line


class CancelForm(Input):
    required = {"reason": "Xin ghi lý do.", "answers_by": "Xin nhập ngày chậm nhất trả lời bằng văn bản."}

    reason: Line
    answers_by: FormDate


class NoteForm(Input):
    note: Text = ""


class WaveForm(Input):
    required = {
        "guests": "Xin nhập người được mời.",
        "signer_name": "Xin nhập người ký.",
        "signer_title": "Xin nhập chức vụ người ký.",
    }

    guests: Text
    subject: Text
    participants: Text = ""
    note: Text = ""
    confirm_by: FormDate | None = None
    signer_title: Text
    signer_name: Line
    recipients: Text = ""

    def draft(self) -> WaveDraft:
        values = self.model_dump() | {"recipients": _lines(self.recipients)}
        return WaveDraft.model_validate(values)


class NumberForm(Input):
    required = {"signed_on": "Xin nhập ngày ký."}

    number: Line = ""
    signed_on: FormDate


class AttendanceForm(Input):
    required = {"attendance": "Xin chọn có mặt, dự thay hoặc vắng."}

    attendance: str
    note: Line = ""


class OutcomeForm(Input):
    required = {"kind": "Xin chọn kết quả."}

    kind: OutcomeKind
    text: Text = ""
    unit: str | None = None
    due: FormDate | None = None
    body_name: Line = ""
    body_address: Line = ""
    body_phone: Line = ""
    number: Line | None = None
    reason: Line = ""

    def outcome(self) -> Outcome:
        return Outcome(
            kind=self.kind,
            text=self.text,
            unit=self.unit,
            due=self.due,
            body=Body(name=self.body_name, address=self.body_address, phone=self.body_phone),
            number=self.number,
            reason=self.reason,
        )


class WalkInForm(Input):
    required = {"name": "Xin nhập họ và tên.", "text": "Xin ghi nội dung phát biểu."}

    key: str
    name: Line
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    organisation: Line = ""
    address: Line = ""
    phone: Phone | None = None
    email: Email | None = None
    text: Text

    def person(self) -> dict[str, str]:
        """The contact; one way to answer is needed (D10)."""
        person = {
            "name": self.name,
            "organisation": self.organisation,
            "address": self.address,
            "phone": self.phone or "",
            "email": self.email or "",
        }
        if not (person["address"] or person["phone"] or person["email"]):
            raise Invalid({"address": "Xin ghi ít nhất một cách liên hệ: địa chỉ, điện thoại hoặc thư điện tử."})
        return person


class HeldForm(Input):
    required = {"held_on": "Xin nhập ngày đã tổ chức."}

    held_on: FormDate


class NoticeForm(Input):
    """The notice as text: paragraphs of the opening apart by an empty line, each conclusion with heading and text."""

    required = {
        "subject": "Xin nhập trích yếu.",
        "signer_name": "Xin nhập người ký.",
        "signer_title": "Xin nhập chức vụ người ký.",
    }

    subject: Text
    opening: Text = ""
    heading: dict[int, Line] = {}
    text: dict[int, Text] = {}
    closing: Text = ""
    signer_title: Text
    signer_name: Line
    recipients: Text = ""
    no_conclusion: bool = False

    def notice(self) -> NoticeText:
        numbers = sorted({*self.heading, *self.text})
        items = [ConclusionItem(heading=self.heading.get(n, ""), text=self.text.get(n, "")) for n in numbers]
        return NoticeText(
            subject=self.subject,
            opening=tuple(part.strip() for part in self.opening.split("\n\n") if part.strip()),
            items=tuple(item for item in items if item.heading or item.text),
            closing=self.closing,
            signer_title=self.signer_title,
            signer_name=self.signer_name,
            recipients=_lines(self.recipients),
        )


class CalendarForm(Input):
    required = {
        "day": "Xin nhập ngày.",
        "name": "Xin nhập tên ngày nghỉ hoặc ngày làm bù.",
        "reason": "Xin ghi văn bản hoặc lý do.",
    }

    revision: int
    what: str = "day_off"
    day: FormDate
    name: Line
    reason: Line


class ConfirmForm(Input):
    required = {"source": "Xin ghi văn bản quyết định lịch nghỉ."}

    revision: int
    year: int = Field(ge=2000, le=2099)
    source: Line


def plan_values(plan: Document) -> dict[str, str]:
    """A plan as its form shows it."""
    return {
        "number": plan["number"],
        "year": str(plan["year"]),
        "title": plan["title"],
        "subjects": plan["subjects"],
        "chair": plan["chair"],
        "issued_on": plan["issued_on"] or "",
        "opens_on": _day(plan["opens_at"]),
    }


def terms_values(document: Document) -> dict[str, str]:
    """A dialogue's terms as their form shows them."""
    return {
        "window_from": document["window_from"] or "",
        "window_to": document["window_to"] or "",
        "starts_on": _day(document["starts_at"]),
        "starts_time": _hour(document["starts_at"]),
        "opens_on": _day(document["opens_at"]),
        "closes_on": _day(document["closes_at"]),
        "closes_time": _hour(document["closes_at"]),
        "place": document["place"],
        "capacity": str(document.get("capacity") or ""),
        "mode": document["mode"],
        "online_link": document["online_link"],
        "chair": document["chair"],
        "invitations_due": document["invitations_due"] or "",
    }


def wave_values(draft: WaveDraft) -> dict[str, str]:
    values = draft.model_dump(mode="json", exclude={"recipients"})
    return {name: value or "" for name, value in values.items()} | {"recipients": "\n".join(draft.recipients)}


def notice_values(text: NoticeText, *, no_conclusion: bool) -> dict[str, str]:
    values = {
        "subject": text.subject,
        "opening": "\n\n".join(text.opening),
        "closing": text.closing,
        "signer_title": text.signer_title,
        "signer_name": text.signer_name,
        "recipients": "\n".join(text.recipients),
        "no_conclusion": "1" if no_conclusion else "",
    }
    for n, item in enumerate(text.items, 1):
        values |= {f"heading.{n}": item.heading, f"text.{n}": item.text}
    return values


def _moment(name: str, day: date | None, hour: time | None) -> datetime | None:
    if day is None and hour is None:
        return None
    if day is None or hour is None:
        missing = f"{name}_on" if day is None else f"{name}_time"
        raise Invalid({missing: "Xin nhập đủ cả ngày và giờ."})
    return at(day, hour)


def _day(moment: datetime | None) -> str:
    return local(moment).date().isoformat() if moment else ""


def _hour(moment: datetime | None) -> str:
    return f"{local(moment):%H:%M}" if moment else ""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())
