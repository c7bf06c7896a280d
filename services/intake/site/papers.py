"""Papers that the public site hands out: the blank form, the plan, the list for the notice boards."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from contracts.model import DialogueState
from kit.agency import Agency, DocumentKind
from kit.clock import format_moment_long, local_date
from kit.documents import (
    BlankForm,
    DatedAt,
    Document,
    FormSection,
    NoticeBoard,
    PlanPaper,
    PlanPart,
    PostedAnswer,
    Signer,
    render_pdf,
)
from kit.documents.docx import render_docx
from services.intake.domain import Plan
from services.intake.site.domain import Answer
from services.intake.views import MODES, NOT_FIXED, printed_month, when

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_LINES = 22
"""Dotted lines of a form that fills its page."""
_KEPT = 32
"""Papers that are drawn are kept: everybody gets the same, and drawing costs CPU."""


async def as_pdf(paper: Document, fonts_dir: Path) -> bytes:
    return await asyncio.to_thread(_drawn, paper, fonts_dir)


async def as_docx(paper: BlankForm | PlanPaper) -> bytes:
    return await asyncio.to_thread(_typed, paper)


_drawn = lru_cache(_KEPT)(render_pdf)
_typed = lru_cache(_KEPT)(render_docx)


def blank_form(agency: Agency, plan: Plan, now: datetime) -> BlankForm:
    """The form of a plan to fill in by hand (D2)."""
    form = agency.form
    year, month = plan.state.year, printed_month(plan, now)

    def words(text: str | None) -> str:
        return form.printed(text, year=year, month=month) if text else ""

    return BlankForm(
        watermark=_watermark(agency, plan),
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


def plan_paper(agency: Agency, plan: Plan) -> PlanPaper:
    """The plan as it was published, in the layout of NĐ 30 (D1)."""
    state, kind = plan.state, agency.documents.plan
    signer = agency.signer(kind.signer)
    number, symbol = _number_and_symbol(state.number, kind)
    return PlanPaper(
        watermark=_watermark(agency, plan),
        superior=agency.superior_upper,
        issuer=agency.name_upper,
        number=number,
        symbol=symbol,
        dated_at=DatedAt.of(agency.place, state.issued_on) if state.issued_on else DatedAt(place=agency.place, year=state.year),
        kind=kind.title or "KẾ HOẠCH",
        subject=state.title,
        parts=tuple(PlanPart(heading=heading, paragraphs=texts) for heading, texts in _parts(agency, plan) if texts),
        closing=f"Trên đây là Kế hoạch của {agency.full_name}; Sở thông báo để tổ chức, cá nhân biết và đăng ký tham gia",
        recipients=tuple(line.removeprefix("- ") for line in kind.recipient_lines),
        signer=Signer(authority=tuple(t for t in (signer.authority, signer.title) if t), name=signer.name),
    )


def _parts(agency: Agency, plan: Plan) -> Sequence[tuple[str, tuple[str, ...]]]:
    state = plan.state
    opens = (f"Nhận đăng ký từ {format_moment_long(state.opens_at)}.",) if state.opens_at else ()
    return (
        ("Đối tượng, nội dung", _sentences(state.subjects)),
        ("Chủ trì", _sentences(state.chair)),
        ("Thời gian, địa điểm, hình thức", tuple(_meeting(d.state) for d in plan.dialogues) or (f"{NOT_FIXED}.",)),
        (
            "Đăng ký tham gia",
            (
                *opens,
                f"Tổ chức, cá nhân ghi phiếu đăng ký theo mẫu, gửi đến {agency.office.name}, {agency.contacts.address}; "
                f"thư điện tử: {agency.contacts.email}; điện thoại: {agency.contacts.phone}; "
                "hoặc đăng ký trên Trang thông tin điện tử của Sở.",
                "Hội nghị không xem xét các nội dung liên quan đến khiếu nại, tố cáo.",
            ),
        ),
        ("Niêm yết, đăng tải", _sentences("; ".join(state.postings))),
    )


def _meeting(state: DialogueState) -> str:
    moment = when(state)
    said = [f"Lần {state.ordinal}: {moment[:1].lower()}{moment[1:]}"]
    said += [f"địa điểm: {state.place}"] if state.place else []
    said.append(f"hình thức: {MODES[state.mode].lower()}")
    said += [f"hạn đăng ký: đến {format_moment_long(state.closes_at)}"] if state.closes_at else []
    said += ["không tổ chức"] if state.status == "cancelled" else []
    return f"{'; '.join(said)}."


def _sentences(text: str) -> tuple[str, ...]:
    text = text.strip().rstrip(".;")
    return (f"{text}.",) if text else ()


def _number_and_symbol(number: str, kind: DocumentKind) -> tuple[str, str]:
    """The plan's number holds its symbol: "08/KH-SKHCN"."""
    first, _, rest = number.partition("/")
    return first.strip(), rest.strip() or kind.symbol


def notice_board(agency: Agency, year: int, answers: Sequence[Answer], now: datetime, public_url: str) -> NoticeBoard:
    """The year's opinions and answers for the notice boards (K2), in the wording for the public."""
    return NoticeBoard(
        watermark=agency.watermark.value or "",
        superior=agency.superior_upper,
        issuer=agency.name_upper,
        dated_at=DatedAt.of(agency.place, local_date(now)),
        heading="TỔNG HỢP Ý KIẾN, KIẾN NGHỊ VÀ NỘI DUNG TRẢ LỜI",
        subject=f"về thủ tục hành chính và giải quyết thủ tục hành chính, năm {year}",
        answers=tuple(PostedAnswer(section=a.section, question=a.question, answer=a.answer) for a in answers),
        source=f"Danh sách này có tại {public_url}/{agency.code}/hoi-dap?nam={year}",
    )


def _watermark(agency: Agency, plan: Plan) -> str:
    return (agency.watermark.value or "") if plan.state.sample else ""
