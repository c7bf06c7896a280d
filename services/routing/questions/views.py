"""What the desk's pages show, made from documents: words, badges, who may see whom."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.model import CaseSource, CaseStatus, Channel, LetterKind, Participation, QuestionState, RegistrantKind, Way
from kit.agency import Agency
from kit.clock import format_date, format_moment, local_date
from kit.web.rendering import format_phone
from services.routing.questions import words
from services.routing.questions.clocks import running_clock
from services.routing.questions.states import Party, Who, is_feedback

Document = Mapping[str, Any]
EXCERPT = 160


@dataclass(frozen=True, slots=True)
class Row:
    """A question in a list."""

    id: UUID
    seq: int
    case: UUID
    case_number: str
    section: str
    excerpt: str
    text: str
    state: str
    tone: str
    unit: str
    due_on: date | None
    days: int | None
    received_at: datetime
    proposed: str
    confidence: int | None
    phrases: Sequence[str]
    reason: str
    late: bool
    changed_on: date | None
    """When the registrant changed it last."""
    feedback: bool
    asked: bool

    @property
    def marked(self) -> str:
        """The row's class: what is overdue or due today or tomorrow stands out."""
        if self.days is None:
            return ""
        return "overdue" if self.days > 0 else "due-soon" if self.days >= -1 else ""


def row(question: Document, agency: Agency, now: datetime, case: Document | None = None) -> Row:
    """A question as a list shows it; no person stands in a list."""
    clock = running_clock(question)
    proposal = question.get("proposal") or {}
    confidence = proposal.get("confidence")
    text = question.get("text", "")
    return Row(
        id=question["_id"],
        seq=question["seq"],
        case=question["case"],
        case_number=question["case_number"],
        section=question["section_title"],
        excerpt=text if len(text) <= EXCERPT else f"{text[:EXCERPT].rstrip()}…",
        text=text,
        state=words.state(agency, question),
        tone=words.tone(question),
        unit=words.unit_name(agency, question.get("unit")),
        due_on=None if clock is None else date.fromisoformat(clock["due_on"]),
        days=words.days_over(question, now),
        received_at=question["received_at"],
        proposed=words.unit_name(agency, proposal.get("unit")),
        confidence=None if confidence is None else round(confidence * 100),
        phrases=proposal.get("phrases", ()),
        reason=proposal.get("reason", ""),
        late=case is not None and case["status"] == CaseStatus.LATE,
        changed_on=local_date(question["amendments"][-1]["at"]) if question.get("amendments") else None,
        feedback=is_feedback(question),
        asked=bool(question.get("asked_on")),
    )


def rows(questions: Iterable[Document], agency: Agency, now: datetime, cases: Mapping[UUID, Document] | None = None) -> list[Row]:
    return [row(q, agency, now, (cases or {}).get(q["case"])) for q in questions]


def timeline(entries: Iterable[Document], agency: Agency, names: Mapping[str, str]) -> list[tuple[datetime, str, str]]:
    """The audit trail in words, oldest first: when, what, and who (`names` by user name) with the reason."""
    return [(e["at"], words.event(e, agency), _by(e, names)) for e in entries]


def _by(entry: Document, names: Mapping[str, str]) -> str:
    who = names.get(entry["actor"]) or words.actor(entry["actor"])
    return f"{who}: {entry['reason']}" if entry.get("reason") else who


def person_facts(case: Document, who: Who) -> list[tuple[str, str]]:
    """Who registered: the office sees all that is needed to reach them, the others the name alone."""
    person = case["person"]
    kind = words.KINDS[RegistrantKind(case["kind"])]
    if person is None:
        return [("Người đăng ký", "Thông tin cá nhân đã được xóa")]
    facts = [("Người đăng ký", person["name"]), ("Tổ chức", person["organisation"]), ("Loại", kind)]
    if who.is_party(Party.OFFICE, case):
        wished = case.get("preferred_way")
        facts += [
            ("Địa chỉ", person["address"]),
            ("Điện thoại", format_phone(person["phone"])),
            ("Thư điện tử", person["email"]),
            ("Mong được báo qua", words.WAYS[Way(wished)] if wished else ""),
        ]
    return [(term, text) for term, text in facts if text]


def counter_links(case: Document, who: Who) -> list[tuple[str, str]]:
    """Where intake's counter goes on with the case, for its office: acting for the person, and the receipt slip of what did not
    come by itself. Nothing of a walk-in, which intake does not know, nor once the data are erased.
    """
    if case["source"] == CaseSource.WALK_IN or case["person"] is None or not who.is_party(Party.OFFICE, case):
        return []
    at = f"/{case['agency']}/tiep-nhan"
    links = [("Ghi thay người đăng ký", f"{at}/phieu/{case['_id']}")]
    came_as_feedback = case["source"] == CaseSource.FEEDBACK
    if case["channel"] not in (Channel.WEB, Channel.API) and (came_as_feedback or Party.OFFICE in who.roles):
        links.append(
            ("Phiếu tiếp nhận, mã tra cứu", f"{at}/phan-anh/{case['_id']}" if came_as_feedback else f"{at}/{case['_id']}")
        )
    return links


def case_facts(case: Document, dialogue: Document | None) -> list[tuple[str, str]]:
    """Where a case comes from and where it stands."""
    facts = [
        ("Tình trạng", words.status(case)),
        ("Nhận lúc", format_moment(case["received_at"])),
        ("Nhập lúc", "" if case["recorded_at"] == case["received_at"] else format_moment(case["recorded_at"])),
        ("Nguồn", words.SOURCES[case["source"]] if case["source"] == CaseSource.FEEDBACK else ""),
        ("Hình thức gửi", words.channel(case)),
        ("Số đến", case.get("incoming_number") or ""),
        ("Văn bản của cơ quan chuyển đến", case.get("outside_number") or ""),
        ("Hạn cơ quan đó giao", format_date(date.fromisoformat(case["outside_due"])) if case.get("outside_due") else ""),
        ("Thủ tục liên quan", case.get("procedure") or ""),
        ("Còn thiếu trên phiếu", ", ".join(words.LEFT_OUT.get(name, name) for name in case.get("incomplete", ()))),
        ("Muốn dự", participation(case)),
        ("Hội nghị", "" if is_feedback(case) else dialogue_name(dialogue)),
        ("Giấy mời", case.get("invitation_number") or ""),
        ("Thứ tự phát biểu", str(case["speaking_order"]) if case.get("speaking_order") else ""),
        ("Tham dự", words.STATUSES[CaseStatus(case["attendance"])] if case.get("attendance") else ""),
        ("Ghi chú tham dự", case.get("attendance_note") or ""),
        ("Trả lời giấy mời", reply_words(case, dialogue)),
        ("Lý do rút", case.get("withdrawal_reason") or ""),
    ]
    return [(term, text) for term, text in facts if text]


def participation(case: Document) -> str:
    """In person or online, where the registrant said so."""
    said = case.get("participation")
    return words.PARTICIPATION[Participation(said)] if said else ""


def reply_words(case: Document, dialogue: Document | None) -> str:
    """What the person said about coming (D9); one that was given for another date says so."""
    reply = case.get("attendance_reply")
    if not reply:
        return ""
    said = words.REPLIES[reply["answer"]]
    who = f": {reply['substitute']}" if reply["substitute"] else ""
    why = f" ({reply['reason']})" if reply["reason"] else ""
    outdated = dialogue is not None and reply["starts_at"] != dialogue["starts_at"]
    return f"{said}{who}{why}, lúc {format_moment(reply['at'])}{'; trả lời cho lịch cũ' if outdated else ''}"


def dialogue_name(dialogue: Document | None) -> str:
    """lần 1 năm 2022, 08 giờ 00 ngày 11/5/2022."""
    if dialogue is None:
        return "Chưa xếp vào Hội nghị nào"
    when = format_moment(dialogue["starts_at"]) if dialogue["starts_at"] else "chưa ấn định ngày"
    return f"lần {dialogue['ordinal']} năm {dialogue['year']}, {when}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one letter."""

    at: datetime
    letter: str
    way: str
    status: str
    reason: str


def deliveries(found: Iterable[Document]) -> list[Delivery]:
    return [
        Delivery(
            d["at"],
            words.LETTERS[LetterKind(d["kind"])],
            words.WAYS[Way(d["way"])] if d.get("way") else "",
            words.DELIVERIES.get(d["status"], d["status"]),
            d.get("reason", ""),
        )
        for d in found
    ]


@dataclass(frozen=True, slots=True)
class Tab:
    """A state with its count, above a queue."""

    label: str
    value: str
    count: int
    current: bool


def tabs(counts: Mapping[QuestionState, int], states: Sequence[QuestionState], chosen: str) -> list[Tab]:
    """The states a role works on, each with how many there are."""
    return [Tab(words.STATES[s], s.value, counts.get(s, 0), chosen == s.value) for s in states]
