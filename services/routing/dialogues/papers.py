"""From a dialogue's document to the papers that go out: giấy mời and notice (NĐ 30/2020), and their first drafts. Pure."""

from collections.abc import Iterable
from datetime import date, datetime

from contracts.model import Mode
from kit.agency import Agency, DocumentKind
from kit.agency import Signer as ProfileSigner
from kit.clock import format_moment_long
from kit.documents import Conclusion, ConclusionNotice, DatedAt, Invitation, Signer
from kit.documents.models import DRAFT
from kit.mongo import Document
from services.routing.dialogues import agenda, conclusion
from services.routing.dialogues.conclusion import NoticeText
from services.routing.dialogues.waves import WaveDraft

MODES = {Mode.IN_PERSON: "Trực tiếp", Mode.ONLINE: "Trực tuyến", Mode.HYBRID: "Trực tiếp kết hợp trực tuyến"}


def event_name(dialogue: Document) -> str:
    """Hội nghị đối thoại … năm 2021."""
    return (
        "Hội nghị đối thoại trực tiếp với tổ chức, cá nhân về thủ tục hành chính và giải quyết thủ tục hành chính "
        f"lần {dialogue['ordinal']} năm {dialogue['year']}"
    )


def chair_of(agency: Agency, dialogue: Document) -> str:
    return dialogue["chair"] or f"Giám đốc {agency.name}"


# Giấy mời


def first_wave(agency: Agency, dialogue: Document) -> WaveDraft:
    """What the office begins with when it drafts a wave."""
    kind = agency.documents.invitation
    signer = agency.signer(kind.signer)
    return WaveDraft(
        guests="tổ chức, cá nhân đã đăng ký tham gia đối thoại",
        subject=f"Dự {event_name(dialogue)}",
        participants=(
            "Lãnh đạo Sở; trưởng các phòng, đơn vị có liên quan đến nội dung đối thoại; bộ phận kiểm soát thủ tục hành chính, "
            "bộ phận một cửa của Sở"
        ),
        signer_title="\n".join(_authority(signer)),
        signer_name=signer.name,
        recipients=_recipients(kind),
    )


def invitation(agency: Agency, dialogue: Document, wave: Document) -> Invitation:
    """The giấy mời of a wave as it stands; one that has no number yet says that it is a draft."""
    draft = WaveDraft.model_validate(wave["draft"])
    kind = agency.documents.invitation
    starts_at: datetime = dialogue["starts_at"]
    mode = Mode(dialogue["mode"])
    link = f" Đường dẫn dự trực tuyến: {dialogue['online_link']}" if dialogue["online_link"] else ""
    return Invitation(
        **_heading(agency, kind, wave["number"], wave["signed_on"]),
        recipients=draft.recipients,
        signer=Signer(authority=tuple(draft.signer_title.split("\n")), name=draft.signer_name),
        subject=draft.subject,
        host=agency.full_name,
        invitees=draft.guests,
        event=event_name(dialogue),
        chair=chair_of(agency, dialogue),
        time=format_moment_long(starts_at),
        venue=dialogue["place"],
        mode=f"{MODES[mode]}.{link}".rstrip("."),
        others=draft.participants,
        notes=(draft.note,) if draft.note.strip() else (),
        closing=f"{agency.full_name} rất mong Ông/Bà đến dự đúng giờ để Hội nghị đạt kết quả",
    )


# Thông báo kết luận


def draft_notice(agency: Agency, dialogue: Document, cases: Iterable[Document], questions: Iterable[Document]) -> NoticeText:
    """The notice as the recorded outcomes give it."""
    cases = list(cases)
    kind = agency.documents.conclusion
    signer = agency.signer(kind.signer)
    rule = agency.deadlines.written_answer
    meeting = conclusion.Meeting(
        agency_name=agency.full_name,
        ordinal=dialogue["ordinal"],
        year=dialogue["year"],
        held_on=date.fromisoformat(dialogue["held_on"]),
        place=dialogue["place"],
        mode=Mode(dialogue["mode"]),
        chair=chair_of(agency, dialogue),
        units={unit.code: unit.name for unit in agency.units},
        written_days=f"{rule.days:02d} ngày{' làm việc' if rule.counting == 'working' else ''} kể từ ngày ban hành Thông báo này",
    )
    return conclusion.draft(
        meeting,
        agenda.attendance(cases),
        agenda.agenda(dialogue, cases, questions),
        signer=("\n".join(_authority(signer)), signer.name),
        recipients=_recipients(kind),
    )


def notice(agency: Agency, dialogue: Document) -> ConclusionNotice:
    """The notice as it stands; one that has no number yet says that it is a draft."""
    written = dialogue["conclusion"]
    text = NoticeText.model_validate(written["text"])
    kind = agency.documents.conclusion
    return ConclusionNotice(
        **_heading(agency, kind, written["number"], written["signed_on"]),
        recipients=text.recipients,
        signer=Signer(authority=tuple(text.signer_title.split("\n")), name=text.signer_name),
        kind=kind.title or "THÔNG BÁO",
        subject=text.subject,
        opening=text.opening,
        conclusions=tuple(Conclusion(text=f"{item.heading}: {item.text}") for item in text.items),
        closing=text.closing,
    )


def _heading(agency: Agency, kind: DocumentKind, number: str | None, signed_on: str | None) -> dict[str, object]:
    return {
        "superior": agency.superior_upper,
        "issuer": agency.name_upper,
        "number": number or "",
        "symbol": kind.symbol,
        "dated_at": DatedAt.of(agency.place, date.fromisoformat(signed_on) if signed_on else None),
        "watermark": (agency.watermark.value or "") if number else DRAFT,
    }


def _recipients(kind: DocumentKind) -> tuple[str, ...]:
    """The lines of "Nơi nhận" without the marks that the paper puts before and behind each."""
    lines = [f"{r.name} ({r.purpose})" if r.purpose else r.name for r in kind.recipients]
    return (*lines, f"Lưu: {kind.archive}")


def _authority(signer: ProfileSigner) -> tuple[str, ...]:
    """The lines over the name: "KT. GIÁM ĐỐC" / "PHÓ GIÁM ĐỐC"."""
    return (signer.authority, signer.title.upper()) if signer.authority else (signer.title.upper(),)
