"""Invitations (D9): one giấy mời per wave goes drafted → signed → numbered → issued. Pure decisions on the dialogue's document.

A wave: {n, status, draft (WaveDraft), signed: FileRef | None, number, signed_on, document: FileRef | None, issued_at, sent: [ids
of fan-outs]}. `signed` is the scan that takes the place of the generated document; `document` is what was sent, frozen. An issued
document needs no new signature for those who come later: it is sent on, an act of its own.
"""

from datetime import date

from pydantic import BaseModel, ConfigDict

from contracts.model import FileRef
from kit.acting import Acting
from kit.clock import local_date
from kit.errors import Conflict, Invalid
from kit.mongo import Document
from kit.outbox import Change, Decide
from services.routing.dialogues.domain import SCHEDULED, fan_out

DRAFTED, SIGNED, NUMBERED, ISSUED = "drafted", "signed", "numbered", "issued"


class WaveDraft(BaseModel):
    """The text of a giấy mời that the office may change (NĐ 30 sample 1.7, texts §2); everything else is the dialogue's."""

    model_config = ConfigDict(frozen=True)

    guests: str
    subject: str
    participants: str
    note: str = ""
    confirm_by: date | None = None
    signer_title: str
    signer_name: str
    recipients: tuple[str, ...] = ()


def draft_wave(acting: Acting, draft: WaveDraft, n: int) -> Decide:
    """Begin wave `n`, or write its draft anew until it is signed or numbered."""
    if not draft.guests.strip() or not draft.signer_name.strip():
        raise Invalid({name: "Xin nhập nội dung này" for name in ("guests", "signer_name") if not getattr(draft, name).strip()})

    def decide(document: Document) -> Change | None:
        _require_dated(document)
        stored = draft.model_dump(mode="json")
        known = find(document, n)
        if known is None:
            if n != len(document["waves"]) + 1:
                raise Conflict("Đợt giấy mời này không có")
            wave = {
                "n": n,
                "status": DRAFTED,
                "draft": stored,
                "signed": None,
                "number": None,
                "signed_on": None,
                "document": None,
                "issued_at": None,
                "sent": [],
            }
            return _change(acting, [*document["waves"], wave], wave)
        if known["status"] != DRAFTED:
            raise Conflict("Giấy mời đã ký hoặc đã có số")
        if known["draft"] == stored:
            return None
        return _replace(acting, document, {**known, "draft": stored})

    return decide


def attach_signed(acting: Acting, n: int, signed: FileRef) -> Decide:
    """Put the signed PDF in place of the generated draft."""

    def decide(document: Document) -> Change | None:
        wave = _existing(document, n)
        if wave["status"] == ISSUED:
            raise Conflict("Giấy mời đã phát hành")
        stored = signed.model_dump(mode="json")
        if wave["signed"] == stored:
            return None
        status = SIGNED if wave["status"] == DRAFTED else wave["status"]
        return _replace(acting, document, {**wave, "signed": stored, "status": status})

    return decide


def number_wave(acting: Acting, n: int, number: str, signed_on: date, *, require_signed_file: bool) -> Decide:
    """Enter number and day from the agency's register (NĐ 30 art. 15): one number for the whole wave."""
    errors = {}
    if not number.strip():
        errors["number"] = "Xin nhập số giấy mời"
    if signed_on > local_date(acting.now):
        errors["signed_on"] = "Ngày ký không được ở sau hôm nay"
    if errors:
        raise Invalid(errors)

    def decide(document: Document) -> Change | None:
        wave = _existing(document, n)
        if wave["number"] == number.strip() and wave["signed_on"] == signed_on.isoformat():
            return None
        if wave["status"] == ISSUED:
            raise Conflict("Giấy mời đã phát hành, giữ nguyên số")
        if any(w["number"] == number.strip() for w in document["waves"] if w["n"] != n):
            raise Invalid({"number": "Số này đã dùng cho đợt khác"})
        if require_signed_file and wave["signed"] is None:
            raise Invalid({"file": "Xin tải lên bản đã ký trước khi ghi số"})
        return _replace(
            acting, document, {**wave, "number": number.strip(), "signed_on": signed_on.isoformat(), "status": NUMBERED}
        )

    return decide


def issue_wave(acting: Acting, n: int, document_file: FileRef) -> Decide:
    """Issue: one write; the fan-out step it names reaches every registrant who is to be invited."""

    def decide(document: Document) -> Change | None:
        _require_dated(document)
        wave = _existing(document, n)
        if wave["status"] == ISSUED:
            return None
        if wave["status"] != NUMBERED:
            raise Conflict("Giấy mời chưa có số, ngày")
        issued = {
            **wave,
            "status": ISSUED,
            "document": document_file.model_dump(mode="json"),
            "issued_at": acting.now,
        }
        return _send(acting, document, issued)

    return decide


def send_on(acting: Acting, n: int) -> Decide:
    """Send an issued giấy mời to those who are to be invited and were not: registered or admitted later (D4, D9)."""

    def decide(document: Document) -> Change | None:
        _require_dated(document)
        wave = _existing(document, n)
        if wave["status"] != ISSUED:
            raise Conflict("Giấy mời chưa phát hành")
        return _send(acting, document, wave)

    return decide


def find(document: Document, n: int) -> Document | None:
    return next((wave for wave in document["waves"] if wave["n"] == n), None)


def next_step(document: Document, *, require_signed_file: bool) -> str:
    """What the office does next about invitations, in words."""
    if document["starts_at"] is None:
        return "Ấn định thời gian, địa điểm"
    if not document["waves"]:
        return "Soạn giấy mời"
    wave = document["waves"][-1]
    if wave["status"] == ISSUED:
        return ""
    if wave["status"] == DRAFTED and require_signed_file:
        return f"Tải lên giấy mời đợt {wave['n']} đã ký"
    if wave["number"] is None:
        return f"Ghi số, ngày của giấy mời đợt {wave['n']}"
    return f"Phát hành giấy mời đợt {wave['n']}"


def _send(acting: Acting, document: Document, wave: Document) -> Change:
    asked = fan_out(document, acting, "invitations", {"wave": wave["n"]})
    sent = {**wave, "sent": [*wave["sent"], asked["fanouts"][-1]["id"]]}
    change = _replace(acting, document, sent)
    return Change(change.acts, {**change.set, **asked})


def _existing(document: Document, n: int) -> Document:
    wave = find(document, n)
    if wave is None:
        raise Conflict("Đợt giấy mời này không có")
    return wave


def _replace(acting: Acting, document: Document, wave: Document) -> Change:
    return _change(acting, [wave if w["n"] == wave["n"] else w for w in document["waves"]], wave)


def _change(acting: Acting, waves: list[Document], wave: Document) -> Change:
    act = acting.act("dialogue.changed.v1", changes={"wave": wave["n"], "status": wave["status"], "number": wave["number"] or ""})
    return Change([act], {"waves": waves})


def _require_dated(document: Document) -> None:
    if document["status"] != SCHEDULED or document["starts_at"] is None:
        raise Conflict("Hội nghị chưa ấn định thời gian, đã tổ chức hoặc đã hủy")
