"""The receipt slip, printed at the counter."""

import asyncio
from datetime import datetime
from pathlib import Path

from kit.agency import Agency
from kit.clock import format_moment_long
from kit.documents import ReceiptSlip, render_pdf
from services.intake.usecases import Intake, Receipt


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
