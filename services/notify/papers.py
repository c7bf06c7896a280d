"""What is printed: the letter to who has no e-mail, and the personal slip that goes with an invitation (D9)."""

from datetime import date
from pathlib import Path

from contracts.letters import InvitationFields
from kit import clock
from kit.documents import DatedAt, PersonalSlip, PlainLetter, SlipQuestion, render_pdf
from kit.errors import NotFound
from kit.web.rendering import format_phone
from services.notify.labels import enclosed
from services.notify.wording import MODES, House, Request, Wording

SLIP_NAME = "phieu-nguoi-tham-du.pdf"
OFFICE = "Văn phòng"


def has_slip(request: Request) -> bool:
    """Whether a personal slip goes with the letter: an invitation to a meeting with a date."""
    return isinstance(request.fields, InvitationFields) and request.fields.meeting.starts_at is not None


class Papers:
    """Renders PDFs. Each takes about 10 ms a page of CPU: call in a thread."""

    def __init__(self, fonts_dir: Path) -> None:
        self._fonts_dir = fonts_dir

    def slip(self, request: Request, house: House) -> bytes:
        """The personal slip: own questions, place in the speaking order, how to confirm. Raises `NotFound` where none goes."""
        fields = request.fields
        if not isinstance(fields, InvitationFields) or fields.meeting.starts_at is None:
            raise NotFound("slip")
        return render_pdf(
            PersonalSlip(
                watermark=house.watermark,
                issuer=house.full_name,
                name=request.addressed,
                event=_event(fields.year),
                time=clock.format_moment_long(fields.meeting.starts_at),
                venue=fields.meeting.place,
                mode=MODES[fields.meeting.mode],
                order=fields.speaking_order,
                questions=tuple(SlipQuestion(section=q.title, text=q.text) for q in fields.questions),
                confirm=_confirm(fields, house),
                contact=_contact(house),
                notes=(fields.note,) if fields.note else (),
            ),
            self._fonts_dir,
        )

    def letter(self, request: Request, wording: Wording, house: House, on: date) -> bytes:
        """The letter on paper, with the address where an envelope's window shows it."""
        person = request.recipient
        names = [request.addressed] if not person.organisation else [person.organisation, f"Ông/Bà {person.name}".strip()]
        lines = [line.strip() for line in person.address.splitlines() if line.strip()]
        return render_pdf(
            PlainLetter(
                watermark=house.watermark,
                superior=house.superior.upper(),
                issuer=house.name.upper(),
                contact=_contact(house),
                addressee=tuple([*names, *lines][:6]),
                dated_at=DatedAt.of(house.place, on),
                subject=wording.subject,
                salutation=f"{wording.salutation},",
                paragraphs=(*wording.paragraphs, "Trân trọng./."),
                signature=wording.signature,
                enclosures=tuple(enclosed(request.kind, file.name) for file in request.files),
            ),
            self._fonts_dir,
        )


def _event(year: int) -> str:
    return f"Hội nghị đối thoại trực tiếp với tổ chức, cá nhân về thủ tục hành chính và giải quyết thủ tục hành chính năm {year}"


def _confirm(fields: InvitationFields, house: House) -> str:
    until = f" trước {clock.format_moment(fields.confirm_by)}" if fields.confirm_by else ""
    where = f"tại {fields.confirm_url}" if fields.confirm_url else "bằng cách trả lời thư mời"
    return f"Xin cho biết có tham dự được không{until}, {where} hoặc gọi {format_phone(house.phone)}."


def _contact(house: House) -> str:
    parts = [house.address, f"điện thoại {format_phone(house.phone)}" if house.phone else "", house.email]
    return "; ".join(part for part in parts if part)


def call_script(request: Request, wording: Wording, house: House) -> tuple[str, ...]:
    """What is said on the telephone, sentence by sentence; a tracking code is read out slowly, twice."""
    opening = f"Thưa {request.addressed}, tôi là …, {OFFICE} {house.full_name}."
    fields = request.fields
    if not isinstance(fields, InvitationFields) or fields.meeting.starts_at is None:
        return (opening, *wording.paragraphs)
    order = f" Số thứ tự phát biểu của {request.you} là {fields.speaking_order}." if fields.speaking_order else ""
    return (
        opening,
        f"Sở trân trọng mời {request.you} dự {_event(fields.year)}.",
        f"Thời gian: {clock.format_moment_long(fields.meeting.starts_at)}. Địa điểm: {fields.meeting.place}.{order}",
        f"Xin {request.you} cho biết có tham dự được không. Khi đến, xin mang theo tài liệu liên quan, nếu có.",
    )
