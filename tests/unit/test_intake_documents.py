"""Whatever is known of a dialogue, and however a registration came: its events can be made (promise 2)."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import Channel, DialogueState, LetterState, Person, PlanState, Way
from kit.clock import TZ
from services.intake.documents import LETTER, RECEIVED, registration_fields, renderer
from services.intake.domain import Dialogue, Entry, Plan, Submission, place

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=TZ)
MOMENTS = st.none() | st.sampled_from([NOW - timedelta(days=1), NOW + timedelta(days=1)])
DAYS = st.none() | st.just((NOW + timedelta(days=9)).date())
DIALOGUES = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["scheduled", "cancelled", "held"]),
        "starts_at": MOMENTS,
        "closes_at": MOMENTS,
        "opens_at": MOMENTS,
        "invitations_due": DAYS,
        "window_from": DAYS,
        "window_to": DAYS,
        "place": st.sampled_from(["", "Hội trường"]),
        "capacity": st.none() | st.just(1),
    }
)
PEOPLE = st.builds(
    Person,
    name=st.just("Lò Thị Mẫu"),
    email=st.sampled_from(["", "mau@hop-thu.example"]),
    phone=st.sampled_from(["", "+84912345678"]),
    address=st.sampled_from(["", "Tổ 1"]),
)


def made(
    state: dict[str, Any] | None, person: Person, channel: Channel, preferred: Way = Way.EMAIL
) -> tuple[dict[str, Any], LetterState]:
    """A registration as it is kept, and the letter that answers it."""
    values = {"plan": "p", "plan_number": "1", "plan_title": "t", "year": 2026, "ordinal": 1}
    dialogues = (Dialogue("p-1", DialogueState.model_validate(values | state), registered=1),) if state else ()
    plan = Plan("p", PlanState(number="1", year=2026, title="t"), dialogues)
    placement = place(plan, NOW)
    submission = Submission(plan="p", person=person, texts={1: "Xin hỏi."}, preferred_way=preferred)
    fields = registration_fields(
        submission,
        Entry(channel, NOW),
        plan=plan,
        placement=placement,
        titles={1: "Thủ tục"},
        case_number="SL-2026-000001",
        recorded_at=NOW,
        incomplete=(),
        decide_by="2026-03-12" if placement.late else None,
    )
    document = {"_id": uuid4(), "agency": "son-la", **fields}
    render = renderer(lambda _: "ABCD-EFGH-JKLM-NPQR")
    entry = {"n": 1, "known_at": NOW, "changes": {}}
    render(document, entry | {"type": RECEIVED})
    letter = render(document, entry | {"type": LETTER})
    assert isinstance(letter, LetterState)
    return document, letter


@given(st.none() | DIALOGUES, PEOPLE, st.sampled_from(Channel))
def test_the_events_of_every_registration_can_be_made(state: dict[str, Any] | None, person: Person, channel: Channel) -> None:
    made(state, person, channel)


def test_a_form_after_the_beginning_of_a_meeting_without_a_closing_is_late_and_told_so() -> None:
    document, letter = made({"starts_at": NOW - timedelta(hours=1)}, Person(name="Lò", email="lo@hop-thu.example"), Channel.WEB)
    assert document["late"]
    assert (letter.kind, letter.fields["closes_at"], letter.ways) == ("late", None, (Way.EMAIL,))


@pytest.mark.parametrize(
    ("channel", "preferred", "ways"),
    [
        (Channel.WEB, Way.POST, ()),
        (Channel.PAPER, Way.POST, ()),
        (Channel.PHONE, Way.PHONE, ()),
        (Channel.POST, Way.EMAIL, (Way.POST, Way.PHONE)),
        (Channel.EMAIL, Way.EMAIL, (Way.POST, Way.PHONE)),
        (Channel.FEEDBACK_SECTION, Way.EMAIL, (Way.POST, Way.PHONE)),
        (Channel.TELEVISION, Way.PHONE, (Way.PHONE, Way.POST)),
    ],
)
def test_whoever_was_not_handed_the_code_is_written_to_or_called(channel: Channel, preferred: Way, ways: tuple[Way, ...]) -> None:
    person = Person(name="Lò Thị Mẫu", address="Tổ 1", phone="+84912345678")
    assert made(None, person, channel, preferred)[1].ways == ways
    with_address = person.model_copy(update={"email": "mau@hop-thu.example"})
    assert made(None, with_address, channel, preferred)[1].ways == (Way.EMAIL,)
