"""One example of each state, from which the golden records were made: `python -m tests.contracts.samples` writes missing ones.

A golden record is never changed: it is what older services have published. A new version is a new type beside it.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

from contracts.envelope import Event, Payload, Step
from contracts.events import CATALOGUE
from contracts.model import (
    CalendarDay,
    CalendarState,
    CalendarYear,
    CaseSource,
    CaseState,
    CaseStatus,
    Channel,
    Clock,
    ConclusionItem,
    DeliveryState,
    DialogueState,
    FeedbackState,
    FileRef,
    LetterKind,
    LetterState,
    Person,
    PlanState,
    PublicNotice,
    QuestionState,
    QuestionStateData,
    Recipient,
    RegistrantKind,
    RegistrationState,
    SectionText,
    StaffState,
    SurveyState,
    Transfer,
    Way,
)
from contracts.topics import TOPICS, Topic

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2021, 11, 12, 2, 30, tzinfo=UTC)
CASE = UUID("5b5d1c1e-7a9e-5c8e-9a50-1f1f0a6a3c01")
QUESTION = UUID("0d6f4a52-64a5-5a31-8f39-2f4b8d9f7c02")

_PERSON = Person(name="Nguyễn Văn Mẫu", address="Tổ 1, phường Mẫu", phone="0912345678", email="mau@hop-thu.example")
_STEP = Step(n=1, at=AT, known_at=AT, state="received")
_FILE = FileRef(key="bac-kan/dialogue/1", sha256="0" * 64, name="giay-moi.pdf", media_type="application/pdf", size=1234)
_CLOCK = Clock(
    kind="preparation",
    rule="D7",
    start=AT,
    due_on=date(2021, 11, 15),
    due_at=datetime(2021, 11, 15, 17, tzinfo=UTC),
    calendar_version="2021.1",
    explanation="Nhận 12/11; ngày 1 là 13/11 (thứ Bảy), ngày 2 là 14/11 (Chủ nhật), ngày 3 là 15/11",
)

STATES: Mapping[type[Payload], Payload] = {
    type(state): state
    for state in (
        RegistrationState(
            case_number="BK-2021-000001",
            plan="bac-kan-2021",
            dialogue="bac-kan-2021-1",
            channel=Channel.WEB,
            received_at=AT,
            recorded_at=AT,
            kind=RegistrantKind.COOPERATIVE,
            person=_PERSON,
            preferred_way=Way.EMAIL,
            sections=(SectionText(no=1, title="Về thủ tục hành chính", text="Xin hỏi về hồ sơ công bố hợp quy."),),
            files=(_FILE,),
            consent_version="2026-1",
            steps=(_STEP,),
        ),
        FeedbackState(
            case_number="BK-2021-000002",
            channel=Channel.FEEDBACK_SECTION,
            received_at=AT,
            recorded_at=AT,
            person=_PERSON,
            group=2,
            text="Quy định chưa phù hợp.",
            registration=CASE,
            steps=(_STEP,),
        ),
        SurveyState(case_number="BK-2021-000001", unit="vp", given_at=AT, marks={"time": 5, "attitude": 4}),
        PlanState(
            number="15/KH-SKHCN", year=2021, title="Kế hoạch đối thoại", opens_at=AT, postings=("Cổng TTĐT",), steps=(_STEP,)
        ),
        DialogueState(
            plan="bac-kan-2021",
            plan_number="15/KH-SKHCN",
            plan_title="Kế hoạch đối thoại",
            year=2021,
            ordinal=1,
            starts_at=AT,
            closes_at=AT,
            place="Phòng họp tầng 2",
            notice=PublicNotice(
                number="20/TB-SKHCN", issued_on=date(2021, 12, 1), items=(ConclusionItem(heading="1", text="…"),)
            ),
            steps=(_STEP,),
        ),
        CaseState(
            case_number="BK-2021-000001",
            plan="bac-kan-2021",
            dialogue="bac-kan-2021-1",
            source=CaseSource.REGISTRATION,
            channel=Channel.WEB,
            received_at=AT,
            status=CaseStatus.INVITED,
            questions=(QUESTION,),
            invited_on=date(2021, 11, 21),
            speaking_order=1,
            steps=(_STEP,),
        ),
        QuestionStateData(
            case=CASE,
            case_number="BK-2021-000001",
            plan="bac-kan-2021",
            dialogue="bac-kan-2021-1",
            section_no=1,
            section_title="Về thủ tục hành chính",
            state=QuestionState.TRANSFERRED,
            unit="tdc",
            clocks=(_CLOCK,),
            transfers=(Transfer(n=1, unit="tdc", at=AT),),
            steps=(_STEP,),
        ),
        CalendarState(
            entries=(
                CalendarDay(what="day_off", day=date(2021, 11, 24), name="Nghỉ theo thông báo của UBND tỉnh"),
                CalendarDay(what="working_day", day=date(2021, 11, 27), name="Làm bù"),
                CalendarYear(what="confirmed", year=2022, name="Công văn 9895/VPCP-KGVX"),
            )
        ),
        StaffState(username="vanphong", name="Trần Thị Mẫu", roles=("office",), session_version=1),
        LetterState(
            letter_key="receipt/1",
            kind=LetterKind.RECEIPT,
            recipient=Recipient(name="Nguyễn Văn Mẫu", email="mau@hop-thu.example"),
            ways=(Way.EMAIL,),
            requested_at=AT,
            case=CASE,
            case_number="BK-2021-000001",
            files=(_FILE,),
            fields={"sections": ["Về thủ tục hành chính"]},
        ),
        DeliveryState(
            letter_key="receipt/1",
            kind=LetterKind.RECEIPT,
            owner="intake",
            case=CASE,
            case_number="BK-2021-000001",
            way=Way.EMAIL,
            status="sent",
            at=AT,
            steps=(_STEP,),
        ),
    )
}


def example(type_name: str) -> Event[Payload]:
    """An event of a type, with every envelope attribute filled."""
    kind = CATALOGUE[type_name]
    return Event[kind.state](  # type: ignore[name-defined]
        id=UUID("01931f2e-0000-7000-8000-000000000001"),
        source=kind.topic.name.split(".")[0],
        type=type_name,
        subject=str(CASE),
        time=AT,
        dataschema=kind.state.__name__,
        agency="bac-kan",
        sequence=1,
        correlationid="4bf92f3577b34da6a3ce929d0e0e4736",
        data=STATES[kind.state],
    )


def golden_file(topic: Topic) -> Path:
    """The records of a topic, one line for each type."""
    return GOLDEN / f"{topic.name}.jsonl"


def write_missing() -> None:
    """Append a golden record for every type that has none."""
    GOLDEN.mkdir(exist_ok=True)
    for topic in TOPICS:
        file = golden_file(topic)
        known = file.read_text() if file.exists() else ""
        new = [t.name for t in CATALOGUE.values() if t.topic is topic and f'"type":"{t.name}"' not in known]
        file.write_text(known + "".join(example(name).encode().decode() + "\n" for name in new))


if __name__ == "__main__":
    write_missing()
