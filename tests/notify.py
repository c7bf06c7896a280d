"""What the tests of notify share: a letter of every kind, events that ask for them, and a mail server that misbehaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from aiosmtpd.smtp import SMTP, Envelope, Session

from contracts import letters as f
from contracts.envelope import Event
from contracts.model import CaseSource, Channel, FileRef, LetterKind, LetterState, Mode, Recipient, RegistrantKind, Way
from services.notify.wording import House

NOW = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)
CASE = UUID("5b5d1c1e-7a9e-5c8e-9a50-1f1f0a6a3c01")
CODE = "K7QM-2XWD-9RTB-4"

HOUSE = House(
    code="son-la",
    name="Sở Khoa học và Công nghệ",
    full_name="Sở Khoa học và Công nghệ tỉnh Sơn La",
    superior="UBND tỉnh Sơn La",
    place="Sơn La",
    address="Tầng 3, tòa nhà 6T1, Khu Quảng trường Tây Bắc, thành phố Sơn La",
    phone="0212.3856.981",
    email="skhcn@son-la.example",
    tracking_url="http://localhost:8080/son-la/tra-cuu",
    desk_url="http://localhost:8080/son-la/can-bo/",
)

MEETING = f.Meeting(
    starts_at=datetime(2026, 5, 13, 1, 0, tzinfo=UTC),
    place="Hội trường tầng 3, tòa nhà 6T1, Khu Quảng trường Tây Bắc, thành phố Sơn La",
    mode=Mode.HYBRID,
    online_link="https://hop.son-la.example/doi-thoai-1",
    ordinal=1,
)
QUESTIONS = (
    f.Question(no=1, title="Về lĩnh vực quản lý khoa học", text="Thời hạn thẩm định đề tài cấp cơ sở là bao lâu?"),
    f.Question(
        no=3,
        title="Về lĩnh vực tiêu chuẩn đo lường chất lượng",
        text="Hồ sơ công bố hợp quy < 5 bộ có phải\nnộp trực tiếp không?",
    ),
)
RESULTS = (
    f.Result(
        no=1, title=QUESTIONS[0].title, text=QUESTIONS[0].text, outcome="Đã giải đáp tại Hội nghị", answer="Không quá 30 ngày."
    ),
    f.Result(no=3, title=QUESTIONS[1].title, outcome="Sẽ trả lời bằng văn bản", due_on=date(2026, 5, 25)),
)
ITEMS = (f.StaffItem(case_number="SL-2026-000123", section_title=QUESTIONS[0].title, due_on=date(2026, 3, 13), days_over=2),)

FIELDS: Mapping[LetterKind, f.LetterFields] = {
    LetterKind.RECEIPT: f.ReceiptFields(
        year=2026,
        received_at=NOW,
        channel=Channel.WEB,
        sections=tuple(q.title for q in QUESTIONS),
        code=CODE,
        meeting=f.Meeting(window_from=date(2026, 4, 1), window_to=date(2026, 6, 30)),
    ),
    LetterKind.LATE: f.LateFields(
        year=2026,
        received_at=NOW,
        channel=Channel.POST,
        sections=("Về thủ tục hành chính",),
        code=CODE,
        closes_at=datetime(2026, 3, 9, 10, 30, tzinfo=UTC),
        decide_by=date(2026, 3, 13),
    ),
    LetterKind.ADMITTED: f.AdmittedFields(received_at=NOW, meeting=MEETING),
    LetterKind.TO_FEEDBACK: f.ToFeedbackFields(received_at=NOW, questions=QUESTIONS, answer_by=date(2026, 4, 1)),
    LetterKind.INVITATION: f.InvitationFields(
        number="05/GM-SKHCN",
        signed_on=date(2026, 5, 4),
        year=2026,
        meeting=MEETING,
        chair="Giám đốc Sở",
        speaking_order=7,
        questions=QUESTIONS,
        confirm_by=datetime(2026, 5, 11, 10, 0, tzinfo=UTC),
    ),
    LetterKind.INTERNAL_INVITATION: f.InternalInvitationFields(
        number="05/GM-SKHCN", signed_on=date(2026, 5, 4), year=2026, meeting=MEETING, unit="Thanh tra Sở", questions=QUESTIONS
    ),
    LetterKind.RESCHEDULED: f.RescheduledFields(
        number="05/GM-SKHCN",
        year=2026,
        old_starts_at=datetime(2026, 5, 11, 1, 0, tzinfo=UTC),
        meeting=MEETING,
        reason="mưa lũ gây chia cắt giao thông",
    ),
    LetterKind.CANCELLED: f.CancelledFields(
        number="05/GM-SKHCN", year=2026, meeting=MEETING, reason="dịch bệnh", answer_by=date(2026, 6, 1)
    ),
    LetterKind.CONCLUSION: f.ConclusionFields(
        year=2026, held_on=date(2026, 5, 13), number="20/TB-SKHCN", issued_on=date(2026, 5, 18), results=RESULTS
    ),
    LetterKind.ABSENT_ANSWER: f.AbsentAnswerFields(
        year=2026, held_on=date(2026, 5, 13), number="20/TB-SKHCN", issued_on=date(2026, 5, 18), results=RESULTS
    ),
    LetterKind.WRITTEN_ANSWER: f.WrittenAnswerFields(
        number="131/SKHCN-VP",
        issued_on=date(2026, 5, 22),
        question=QUESTIONS[1],
        answer="Nộp trực tuyến được.\nKhông cần bản giấy.",
        basis="Thông tư 28/2012/TT-BKHCN",
    ),
    LetterKind.GUIDANCE: f.GuidanceFields(
        received_at=NOW,
        question=QUESTIONS[0],
        body="Sở Nông nghiệp và Môi trường tỉnh Sơn La",
        basis="Luật Đất đai",
        body_address="Phường Chiềng Lề",
        body_phone="0212 3852 345",
        others_remain=True,
    ),
    LetterKind.COMPLAINT_GUIDANCE: f.ComplaintGuidanceFields(
        received_at=NOW,
        plan_number="15/KH-SKHCN",
        addressee="Giám đốc Sở Khoa học và Công nghệ tỉnh Sơn La",
        reception="Bộ phận tiếp công dân, Thanh tra Sở",
        reception_hours="giờ hành chính các ngày làm việc",
    ),
    LetterKind.DENUNCIATION_PASSED: f.DenunciationPassedFields(
        received_at=NOW, passed_to="Thanh tra tỉnh Sơn La", passed_on=date(2026, 3, 12), contact="Phòng Nghiệp vụ 2"
    ),
    LetterKind.NEW_QUESTION: f.NewQuestionFields(
        unit="Phòng Quản lý Khoa học", transferred_at=NOW, items=ITEMS, explanation="Nhận 10/3"
    ),
    LetterKind.REMINDER: f.ReminderFields(unit="Phòng Quản lý Khoa học", stage="before", due_on=date(2026, 3, 13), items=ITEMS),
    LetterKind.OVERDUE: f.OverdueFields(unit="Phòng Quản lý Khoa học", items=ITEMS, escalated_after=3),
    LetterKind.FEEDBACK_RECEIPT: f.FeedbackReceiptFields(
        source=CaseSource.FEEDBACK,
        received_at=NOW,
        channel=Channel.WEB,
        text="Mẫu đơn khó hiểu,\nxin sửa lại.",
        code=CODE,
        forward_by=date(2026, 3, 17),
        answer_by=date(2026, 3, 24),
    ),
    LetterKind.FEEDBACK_ASKED: f.FeedbackAskedFields(
        source=CaseSource.FEEDBACK, received_at=NOW, question=QUESTIONS[0], wanted="Tên thủ tục và ngày nộp hồ sơ."
    ),
    LetterKind.FEEDBACK_COLLECTING: f.FeedbackCollectingFields(
        source=CaseSource.FEEDBACK, received_at=NOW, question=QUESTIONS[0], reason="mới có một ý kiến về nội dung này."
    ),
    LetterKind.EXTENDED: f.ExtendedFields(
        question=QUESTIONS[0], due_on=date(2026, 3, 13), new_due_on=date(2026, 3, 20), reason="cần lấy ý kiến của Bộ"
    ),
    LetterKind.AMENDED: f.AmendedFields(what="added", at=NOW, sections=(QUESTIONS[0].title,)),
    LetterKind.CONTACT_CHANGED: f.ContactChangedFields(at=NOW),
    LetterKind.DATA_REQUEST: f.DataRequestFields(
        what="delete",
        step="partly",
        asked_at=NOW,
        due_on=date(2026, 3, 30),
        reason="Hồ sơ gốc phải lưu theo quy định.",
        explanation="Nhận 10/3; ngày 20 là 30/3",
    ),
    LetterKind.DATE_FIXED: f.DateFixedFields(year=2026, meeting=MEETING, closes_at=datetime(2026, 5, 4, 10, 30, tzinfo=UTC)),
}

PERSON = Recipient(
    name="Nguyễn Văn Mẫu", email="mau@hop-thu.example", phone="+84912345678", address="Tổ 1, phường Chiềng Lề\nthành phố Sơn La"
)
COOPERATIVE = Recipient(name="Lò Thị Mẫu", organisation="Hợp tác xã Mẫu Sơn", email="htx@hop-thu.example")


def letter(kind: LetterKind = LetterKind.RECEIPT, **changes: Any) -> LetterState:
    """A letter of a kind, to one person by mail, with a key of its own unless given."""
    values: dict[str, Any] = {
        "letter_key": f"{kind}/{uuid4()}",
        "kind": kind,
        "recipient": PERSON,
        "ways": (Way.EMAIL, Way.POST, Way.PHONE),
        "requested_at": NOW,
        "case": CASE,
        "case_number": "SL-2026-000123",
        "dialogue": "son-la-2026-1",
        "fields": FIELDS[kind].sent(),
    }
    return LetterState.model_validate(values | changes)


def cooperative(fields: f.LetterFields) -> dict[str, Any]:
    """The same fields, written to a cooperative."""
    return fields.model_copy(update={"registrant": RegistrantKind.COOPERATIVE}).sent()


def asked(
    state: LetterState, *, happening: str = "requested", sequence: int = 1, at: datetime = NOW, agency: str = "son-la"
) -> Event[Any]:
    """The event that asks for a letter."""
    return Event[LetterState](
        id=uuid4(),
        source="intake",
        type=f"intake_letter.{happening}.v1",
        subject=str(uuid5(CASE, state.letter_key)),
        time=at,
        dataschema="LetterState",
        agency=agency,
        sequence=sequence,
        correlationid="4bf92f3577b34da6a3ce929d0e0e4736",
        data=state,
    )


def file_ref(name: str = "giay-moi.pdf") -> FileRef:
    return FileRef(key=f"son-la/dialogue/{uuid4()}", sha256="0" * 64, name=name, media_type="application/pdf", size=4)


# A mail server that misbehaves

Script = Callable[[str], str | None]
"""Command → what to answer instead of the usual reply; `CUT` closes the connection; None: as usual."""
CUT = "cut"


@dataclass
class Misbehaving:
    """aiosmtpd's handler. `script` is asked at each step: MAIL, RCPT, DATA (before 354), CONTENT (after the dot)."""

    script: Script = lambda _step: None
    messages: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    taken_before_cut: int = 0

    def _answer(self, server: SMTP, step: str) -> str | None:
        answer = self.script(step)
        if answer == CUT:
            assert server.transport is not None
            server.transport.abort()
            raise ConnectionResetError(step)
        return answer

    async def handle_MAIL(self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if answer := self._answer(server, "MAIL"):
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if answer := self._answer(server, "RCPT"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        answer = self.script("CONTENT")
        if answer == CUT:
            self.messages.append(content)  # taken, but the client never hears of it
            self.taken_before_cut += 1
            self._answer(server, "CONTENT")
        if answer:
            return answer
        self.messages.append(content)
        self.recipients += envelope.rcpt_tos
        return "250 OK"


class _Server(SMTP):
    """Also misbehaves at the greeting, at DATA and while the content comes."""

    async def _handle_client(self) -> None:
        if (answer := self.event_handler.script("GREETING")) is not None:
            if answer != CUT:
                await self.push(answer)
            self.transport.close()
            return
        await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:
        answer = self.event_handler.script("DATA")
        if answer == CUT:
            self.transport.abort()
        elif answer is not None:
            await self.push(answer)
        elif self.event_handler.script("BODY") == CUT:
            await self.push("354 go on")
            await self._reader.read(64)
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)


@contextlib.asynccontextmanager
async def mail_server(handler: Misbehaving, port: int = 0) -> AsyncIterator[int]:
    """The server at work; gives its port."""
    server = await asyncio.get_running_loop().create_server(lambda: _Server(handler), "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]
