"""The conclusion notice (D12): drafted from the recorded outcomes, edited as text, signed, numbered, issued. Pure.

`conclusion` of a dialogue: {status, text (NoticeText), no_conclusion, signed, number, signed_on, document, issued_on}.
Persons appear only as "nội dung số n".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.model import ConclusionItem, FileRef, Mode, PublicNotice, QuestionState
from kit.acting import Acting
from kit.clock import format_date, local_date
from kit.errors import Conflict, Invalid
from kit.mongo import Document
from kit.outbox import Change, Decide, step
from services.routing.dialogues.agenda import Attendance, Item
from services.routing.dialogues.domain import HELD, fan_out
from services.routing.questions.clocks import running_clock

NO_CONCLUSION = "Tại Hội nghị, các nội dung đã được giải đáp đầy đủ; không phát sinh nội dung giao thực hiện."


class NoticeText(BaseModel):
    """The text of a notice as the office edits it."""

    model_config = ConfigDict(frozen=True)

    subject: str
    opening: tuple[str, ...]
    items: tuple[ConclusionItem, ...]
    closing: str
    signer_title: str
    signer_name: str
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meeting:
    """What the opening of a notice says about the meeting, and how units are called."""

    agency_name: str
    ordinal: int
    year: int
    held_on: date
    place: str
    mode: Mode
    chair: str
    units: Mapping[str, str]
    written_days: str
    """D7's period from the notice in words, for answers that the chair gave no day."""

    @property
    def name(self) -> str:
        return (
            "Hội nghị đối thoại trực tiếp với tổ chức, cá nhân về thủ tục hành chính và giải quyết thủ tục hành chính "
            f"lần {self.ordinal} năm {self.year}"
        )


def draft(
    meeting: Meeting, attendance: Attendance, items: Sequence[Item], *, signer: tuple[str, str], recipients: Iterable[str]
) -> NoticeText:
    """The notice as the outcomes give it (texts §5)."""
    held = format_date(meeting.held_on)
    where = "bằng hình thức trực tuyến" if meeting.mode is Mode.ONLINE else f"tại {meeting.place}"
    opening = (
        f"Ngày {held}, {where}, {meeting.agency_name} tổ chức {meeting.name}, do {meeting.chair} chủ trì. "
        "Dự Hội nghị có: lãnh đạo Sở; lãnh đạo các phòng, đơn vị có liên quan; bộ phận kiểm soát thủ tục hành chính, bộ phận một "
        f"cửa{_present(attendance)}.",
        f"Hội nghị đã xem xét {len(items):02d} nội dung. Sau khi nghe ý kiến của các tổ chức, cá nhân và giải đáp của các phòng, "
        f"đơn vị, {meeting.chair} kết luận như sau:",
    )
    return NoticeText(
        subject=f"Kết luận của {meeting.chair} tại {meeting.name}",
        opening=opening,
        items=tuple(draft_items(meeting, items)),
        closing=(
            f"Trên đây là kết luận của {meeting.chair} tại {meeting.name}; {meeting.agency_name} thông báo để các tổ chức, cá "
            "nhân biết; yêu cầu các phòng, đơn vị thuộc Sở nghiêm túc triển khai thực hiện./."
        ),
        signer_title=signer[0],
        signer_name=signer[1],
        recipients=tuple(recipients),
    )


def _present(attendance: Attendance) -> str:
    """; 02 tổ chức, 04 cá nhân đã đăng ký: whoever was there, nobody counted as 00."""
    there = [f"{n:02d} {what}" for n, what in ((attendance.organisations, "tổ chức"), (attendance.individuals, "cá nhân")) if n]
    return f"; {', '.join(there)}" if there else ""


def draft_items(meeting: Meeting, items: Sequence[Item]) -> list[ConclusionItem]:
    """The conclusions, one for each kind of outcome that occurred and the standing last one."""

    def of(*states: QuestionState) -> list[Item]:
        return [item for item in items if item.state in states and not item.is_absent]

    found = [
        ("Những nội dung đã được giải đáp tại Hội nghị", _listed(of(QuestionState.RESOLVED))),
        ("Những nội dung giao trả lời bằng văn bản", _assigned(meeting, [i for i in items if i.state is QuestionState.TO_WRITE])),
        (
            "Những nội dung vượt thẩm quyền, kiến nghị cấp trên",
            _passed_up([i for i in items if i.state is QuestionState.ESCALATED]),
        ),
        ("Những nội dung thuộc thẩm quyền của cơ quan khác", _guided([i for i in items if i.state is QuestionState.GUIDED])),
        ("Những sáng kiến, đề xuất được tiếp thu", _adopted(meeting, [i for i in items if i.state is QuestionState.ADOPTED])),
        (
            "Những nội dung của tổ chức, cá nhân vắng mặt",
            _absent([i for i in items if i.is_absent and i.state is QuestionState.ANSWERED]),
        ),
    ]
    last = ConclusionItem(
        heading="Tổ chức thực hiện",
        text="Giao Văn phòng Sở thông báo kết quả đến tổ chức, cá nhân; theo dõi, đôn đốc việc thực hiện.",
    )
    return [*(ConclusionItem(heading=heading, text=text) for heading, text in found if text), last]


def _numbers(items: Iterable[Item]) -> str:
    return ", ".join(str(item.n) for item in items)


def _listed(items: Sequence[Item]) -> str:
    return f"Nội dung số {_numbers(items)}." if items else ""


def _by(items: Iterable[Item], key: Callable[[Item], Any]) -> list[tuple[Any, list[Item]]]:
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())


def _assigned(meeting: Meeting, items: Sequence[Item]) -> str:
    """One clause per unit and day: giao {đơn vị} tham mưu trả lời nội dung số …, xong chậm nhất ngày …"""
    clauses = []
    for (unit, due), group in _by(items, lambda item: (item.question.get("unit"), chair_due(item.question))):
        until = f"xong chậm nhất ngày {format_date(date.fromisoformat(due))}" if due else f"trong thời hạn {meeting.written_days}"
        clauses.append(
            f"giao {meeting.units.get(unit, 'đơn vị được phân công')} tham mưu trả lời nội dung số {_numbers(group)}, {until}"
        )
    return _sentence(clauses)


def _passed_up(items: Sequence[Item]) -> str:
    return _sentence(
        f"tiếp thu, kiến nghị {body or 'cấp có thẩm quyền'} xem xét nội dung số {_numbers(group)}"
        for body, group in _by(items, lambda item: item.question.get("outcome_body"))
    )


def _guided(items: Sequence[Item]) -> str:
    return _sentence(
        f"đã hướng dẫn liên hệ {body or 'cơ quan có thẩm quyền'} đối với nội dung số {_numbers(group)}"
        for body, group in _by(items, lambda item: item.question.get("outcome_body"))
    )


def _adopted(meeting: Meeting, items: Sequence[Item]) -> str:
    return _sentence(
        f"giao {meeting.units.get(unit, 'Văn phòng Sở')} tham mưu thực hiện nội dung số {_numbers(group)}"
        for unit, group in _by(items, lambda item: item.question.get("unit"))
    )


def _absent(items: Sequence[Item]) -> str:
    if not items:
        return ""
    return f"Giao Văn phòng Sở gửi kết quả trả lời nội dung số {_numbers(items)} theo địa chỉ ghi trên phiếu đăng ký."


def _sentence(clauses: Iterable[str]) -> str:
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def chair_due(question: Document) -> str | None:
    """The day that the chair set for a written answer (ISO); None where D10's days from the notice will run."""
    clock = running_clock(question)
    return clock["due_on"] if clock and clock["kind"] == "written" else None


# The act


def write_draft(acting: Acting, text: NoticeText, *, no_conclusion: bool) -> Decide:
    """Write the notice's text, drafted or edited, until it has a number."""

    def decide(document: Document) -> Change | None:
        _require_held(document)
        current = document["conclusion"] or {"signed": None, "number": None, "signed_on": None, "document": None}
        if current["number"]:
            raise Conflict("Thông báo đã có số")
        stored = text.model_dump(mode="json")
        if current.get("text") == stored and current.get("no_conclusion") == no_conclusion:
            return None
        act = acting.act("dialogue.changed.v1", changes={"notice": "drafted"})
        return Change([act], {"conclusion": {**current, "status": "drafted", "text": stored, "no_conclusion": no_conclusion}})

    return decide


def attach_signed(acting: Acting, signed: FileRef) -> Decide:
    """Put the signed PDF in place of the generated one."""

    def decide(document: Document) -> Change | None:
        conclusion = _drafted(document)
        act = acting.act("dialogue.changed.v1", changes={"notice": "signed"})
        return Change([act], {"conclusion": {**conclusion, "signed": signed.model_dump(mode="json"), "status": "signed"}})

    return decide


def number(acting: Acting, value: str, signed_on: date, *, require_signed_file: bool) -> Decide:
    """Enter number and day from the agency's register."""
    errors = {}
    if not value.strip():
        errors["number"] = "Xin nhập số thông báo"
    if signed_on > local_date(acting.now):
        errors["signed_on"] = "Ngày ký không được ở sau hôm nay"
    if errors:
        raise Invalid(errors)

    def decide(document: Document) -> Change | None:
        conclusion = _drafted(document)
        if conclusion["no_conclusion"]:
            raise Conflict("Không có ý kiến kết luận thì không có thông báo để ghi số")
        if require_signed_file and conclusion["signed"] is None:
            raise Invalid({"file": "Xin tải lên bản đã ký trước khi ghi số"})
        if signed_on < date.fromisoformat(document["held_on"]):
            raise Invalid({"signed_on": "Ngày ký không được trước ngày tổ chức Hội nghị"})
        act = acting.act("dialogue.changed.v1", changes={"notice": "numbered", "number": value.strip()})
        numbered = {**conclusion, "number": value.strip(), "signed_on": signed_on.isoformat(), "status": "numbered"}
        return Change([act], {"conclusion": numbered})

    return decide


def issue(acting: Acting, document_file: FileRef | None) -> Decide:
    """Issue the notice, or record that there is no conclusion: one write, whose fan-out reaches everybody (D11, D12)."""

    def decide(document: Document) -> Change | None:
        _require_held(document)
        if document["notice"] is not None:
            return None
        conclusion = _drafted(document)
        if not conclusion["no_conclusion"] and (conclusion["number"] is None or document_file is None):
            raise Conflict("Thông báo chưa có số, ngày")
        act = acting.act("dialogue.notice_issued.v1", changes={"number": conclusion["number"] or ""})
        issued_on = local_date(acting.now).isoformat()
        stored_file = document_file.model_dump(mode="json") if document_file else None
        n = document["seq"] + 1
        return Change(
            [act],
            {
                "conclusion": {**conclusion, "status": "issued", "document": stored_file, "issued_on": issued_on},
                "notice": public_notice(conclusion, issued_on, document_file).model_dump(mode="json"),
                "steps": [*document["steps"], step(act, n, "notice_issued")],
                **fan_out(document, acting, "conclusion", {}),
            },
        )

    return decide


def public_notice(conclusion: Document, issued_on: str, file: FileRef | None) -> PublicNotice:
    """What the public reads; without a conclusion, the sentence that says so."""
    if conclusion["no_conclusion"]:
        return PublicNotice(issued_on=date.fromisoformat(issued_on), no_conclusion=True, opening=NO_CONCLUSION)
    text = NoticeText.model_validate(conclusion["text"])
    return PublicNotice(
        number=conclusion["number"],
        issued_on=date.fromisoformat(issued_on),
        opening="\n\n".join(text.opening),
        items=text.items,
        closing=text.closing,
        file=file,
    )


def named_persons(text: NoticeText, names: Iterable[str]) -> bool:
    """Whether the text names anybody of `names` (who registered): the public copy must not (D12)."""
    whole = " ".join([text.subject, *text.opening, *(f"{i.heading} {i.text}" for i in text.items), text.closing]).casefold()
    signers = text.signer_name.casefold()
    return any(name.casefold() in whole for name in names if len(name) > 3 and name.casefold() not in signers)


def _require_held(document: Document) -> None:
    if document["status"] != HELD:
        raise Conflict("Hội nghị chưa được ghi nhận là đã tổ chức")


def _drafted(document: Document) -> Document:
    _require_held(document)
    conclusion: Document | None = document["conclusion"]
    if conclusion is None or conclusion["status"] == "issued":
        raise Conflict("Thông báo chưa soạn hoặc đã phát hành")
    return conclusion
