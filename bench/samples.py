"""What both sides are given: an announced plan and registrations as people write them. All names are invented."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from contracts.envelope import Event
from contracts.events import CATALOGUE
from contracts.model import (
    Channel,
    DialogueState,
    Person,
    PlanState,
    RegistrantKind,
    RegistrationState,
    SectionText,
)
from deploy.local.paths import ROOT
from kit.agency import load_agencies
from kit.clock import system_clock

AGENCY = "son-la"
PLAN = "son-la-2026"
_NAMES = UUID(int=4)
TEXTS = (
    "Xin hỏi thủ tục công bố hợp chuẩn, hợp quy và thời gian giải quyết hồ sơ. Đơn vị chúng tôi đã nộp hồ sơ từ tháng trước "
    "nhưng chưa rõ còn thiếu giấy tờ nào, phí và lệ phí nộp ở đâu.",
    "Đề nghị hướng dẫn đăng ký nhãn hiệu và bảo hộ sở hữu trí tuệ cho sản phẩm của hợp tác xã; thời hạn thẩm định bao lâu.",
)
_AGENCIES = load_agencies(ROOT / "agencies")


def body() -> bytes:
    """A registration as a program posts it."""
    return json.dumps(
        {
            "plan": PLAN,
            "kind": "individual",
            "person": {
                "name": "Lò Văn Thử",
                "address": "Tổ 2, phường Thử Nghiệm",
                "phone": "0912 345 678",
                "email": "thu@nguoi-dan.example",
            },
            "sections": [{"no": no, "text": text} for no, text in enumerate(TEXTS, 1)],
            "consent_version": _AGENCIES[AGENCY].privacy.version,
        },
        ensure_ascii=False,
    ).encode()


def announcements() -> list[Event[Any]]:
    """A plan with a dialogue that takes registrations now."""
    now = system_clock()
    plan = PlanState(number="05/KH-SKHCN", year=2026, title="Kế hoạch đối thoại năm 2026", opens_at=now - timedelta(days=9))
    dialogue = DialogueState(
        plan=PLAN,
        plan_number=plan.number,
        plan_title=plan.title,
        year=2026,
        ordinal=1,
        opens_at=now - timedelta(days=9),
        starts_at=now + timedelta(days=40),
        closes_at=now + timedelta(days=30),
        place="Hội trường tầng 3",
        chair="Giám đốc Sở",
    )
    return [event("plan.published.v1", PLAN, plan), event("dialogue.scheduled.v1", f"{PLAN}-1", dialogue)]


def event(type_: str, subject: str, state: Any, sequence: int = 1) -> Event[Any]:
    """An event of the sample agency."""
    return Event[Any].model_construct(
        specversion="1.0",
        id=uuid4(),
        source=CATALOGUE[type_].topic.name.split(".")[0],
        type=type_,
        subject=subject,
        time=system_clock(),
        datacontenttype="application/json",
        dataschema=CATALOGUE[type_].state.__name__,
        agency=AGENCY,
        sequence=sequence,
        correlationid="4bf92f3577b34da6a3ce929d0e0e4736",
        data=state,
    )


def registration(n: int) -> Event[Any]:
    """The event of the n-th registration."""
    now = system_clock()
    titles: Mapping[int, str] = {s.no: s.label for s in _AGENCIES[AGENCY].form.sections}
    state = RegistrationState(
        case_number=f"SL-2026-{n:06d}",
        plan=PLAN,
        dialogue=None,
        channel=Channel.WEB,
        received_at=now,
        recorded_at=now,
        kind=RegistrantKind.INDIVIDUAL,
        person=Person(name="Lò Văn Thử", address="Tổ 2, phường Thử Nghiệm", phone="+84912345678", email="thu@nguoi-dan.example"),
        sections=tuple(SectionText(no=no, title=titles[no], text=text) for no, text in enumerate(TEXTS, 1)),
        consent_version=_AGENCIES[AGENCY].privacy.version,
    )
    return event("registration.received.v1", str(uuid5(_NAMES, str(n))), state)
