"""Papers that intake prints: the blank form and the receipt slip."""

import asyncio
from datetime import datetime
from pathlib import Path

from kit.agency import Agency
from kit.clock import format_moment_long
from kit.documents import BlankForm, DatedAt, FormSection, ReceiptSlip, render_pdf
from services.intake.domain import Plan
from services.intake.usecases import Intake, Receipt
from services.intake.views import printed_month

_LINES = 22
"""Dotted lines of a form that fills its page."""


async def blank_form(intake: Intake, agency: Agency, plan: Plan) -> bytes:
    """The printed form of a plan as PDF (D2)."""
    form = agency.form
    year, month = plan.state.year, printed_month(plan, intake.clock())

    def words(text: str | None) -> str:
        return form.printed(text, year=year, month=month) if text else ""

    paper = BlankForm(
        watermark=(agency.watermark.value or "") if plan.state.sample else "",
        heading=words(form.title),
        subtitle=(words(form.subtitle),) if form.subtitle else (),
        dated_at=DatedAt(place=agency.place, month=month if "{month}" in form.place_date else None, year=year),
        dated_on_top=form.layout.index("place_date") < form.layout.index("title"),
        addressee=words(form.addressee).removeprefix("Kính gửi:").strip(),
        fields=tuple(field.label for field in form.fields),
        intro=words(form.intro),
        sections=tuple(
            FormSection(heading=f"{section.no}. {section.label}:", lines=max(3, _LINES // len(form.sections) - 1))
            for section in form.sections
        ),
        signature=form.signature or "",
        note=words(form.note),
    )
    return await asyncio.to_thread(render_pdf, paper, Path(intake.settings.fonts_dir))


async def receipt_slip(intake: Intake, agency: Agency, receipt: Receipt, *, received_by: str) -> bytes:
    """The slip for who handed a form over (D3), with the tracking code."""
    document = receipt.document
    paper = ReceiptSlip(
        watermark="",
        superior=agency.superior_upper,
        issuer=agency.name_upper,
        registrant=registrant(document["person"]),
        received=_received(document["received_at"]),
        incoming_number=document["incoming_number"] or "",
        subject="phản ánh, kiến nghị" if "group" in document else "phiếu đăng ký tham gia đối thoại",
        question_count=len(document.get("sections", (1,))),
        case_number=document["case_number"],
        code=receipt.code,
        lookup=f"{intake.settings.public_url}/{agency.code}/tra-cuu",
        received_by=received_by,
        contact=f"{agency.contacts.phone} (giờ hành chính)",
    )
    return await asyncio.to_thread(render_pdf, paper, Path(intake.settings.fonts_dir))


def registrant(person: dict[str, str]) -> str:
    """Ông/Bà …, or the body with its representative; dots where a paper left the name out."""
    name = f"Ông/Bà {person['name'] or '……………………'}"
    return f"{person['organisation']} (đại diện: {name})" if person["organisation"] else name


def _received(moment: datetime) -> str:
    return format_moment_long(moment)
