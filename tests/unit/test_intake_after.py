"""What a registrant may do after registering, and when: what routing's table of states says, however often it is pressed."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import (
    CLOSED_STATES,
    AttendanceReply,
    CaseSource,
    CaseState,
    CaseStatus,
    DialogueState,
    FeedbackState,
    LetterState,
    Person,
    QuestionState,
    QuestionStateData,
    RegistrationState,
    Way,
)
from kit.acting import Acting, Asked, Via
from kit.clock import TZ
from kit.errors import Conflict, Invalid
from kit.outbox import Change
from services.intake import documents
from services.intake.after import domain
from services.intake.after.domain import Mode, Situation
from services.intake.feedback import documents as feedback_documents
from services.intake.feedback import views as feedback_views
from services.intake.views import STEPS, question_views, step_words, timeline
from services.routing.questions import states

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=TZ)
REGISTRATION = UUID("018f0000-0000-7000-8000-000000000001")
OLD, NEW_ADDRESS = "cu@hop-thu.example", "moi@hop-thu.example"
TEXT = "Hồ sơ gồm những gì?"
RENDER = documents.renderer(lambda _id: "AAAA-AAAA-AAAA-AAAA")


def registration(*texts: str, **changes: Any) -> dict[str, Any]:
    state = {
        "_id": REGISTRATION,
        "agency": "son-la",
        "seq": 2,
        "case_number": "SL-2026-000001",
        "plan": "p",
        "dialogue": None,
        "channel": "web",
        "received_at": NOW,
        "recorded_at": NOW,
        "incoming_number": None,
        "kind": "individual",
        "person": Person(name="Lò Văn Thử", email=OLD, phone="+84912345678").model_dump(),
        "preferred_way": None,
        "sections": [{"no": n, "title": f"Mục {n}", "text": text} for n, text in enumerate(texts or (TEXT,), 1)],
        "consent_version": "2026-01",
        "incomplete": [],
        "status": "received",
        "steps": [{"n": 1, "at": NOW, "known_at": NOW, "state": "received"}],
        "late": False,
        "announced": {"year": 2026, "meeting": {}, "closes_at": None, "invitations_due": None, "decide_by": None},
        "events": [],
    }
    return state | changes


def acting(minutes: int = 0) -> Acting:
    return Acting("son-la", "registrant", NOW + timedelta(minutes=minutes))


def after(document: dict[str, Any], change: Change | None) -> dict[str, Any]:
    """The document as the outbox would write it."""
    if change is None:
        return document
    entries = [
        {"n": document["seq"] + k, "type": act.type, "changes": dict(act.changes), "known_at": act.known_at}
        for k, act in enumerate(change.acts, 1)
    ]
    kept = {name: value for name, value in document.items() if name not in change.unset}
    return {**kept, **change.set, "seq": document["seq"] + len(entries), "events": [*document["events"], *entries]}


def letters(document: dict[str, Any]) -> list[LetterState]:
    return [RENDER(document, e) for e in document["events"] if e["type"] == documents.LETTER]  # type: ignore[misc]


def question(state: QuestionState, no: int = 1, **changes: Any) -> dict[UUID, QuestionStateData]:
    values = {"case": REGISTRATION, "case_number": "SL-2026-000001", "state": state, "sealed": state is QuestionState.SEALED}
    return {domain.question_id(REGISTRATION, no): QuestionStateData.model_validate(values | changes)}


def situation(questions: dict[UUID, QuestionStateData] | None = None, **changes: Any) -> Situation:
    values: dict[str, Any] = {"now": NOW, "case": None, "questions": questions or {}, "dialogue": None, "takes_sections": True}
    return Situation(**(values | changes))


def case(status: CaseStatus) -> CaseState:
    values = {"case_number": "SL-2026-000001", "plan": "p", "dialogue": "p-1", "source": "registration", "received_at": NOW}
    return CaseState.model_validate(values | {"status": status})


MEETING = DialogueState(plan="p", plan_number="5", plan_title="K", year=2026, ordinal=1, starts_at=NOW + timedelta(days=9))


# What is possible when


@pytest.mark.parametrize("state", list(QuestionState))
def test_a_section_may_be_changed_as_routing_would_take_it(state: QuestionState) -> None:
    mode = domain.mode(registration(), 1, situation(question(state)))
    if state in CLOSED_STATES or state is QuestionState.MERGED:
        assert mode is Mode.NONE
    elif state in states.BEFORE_TRANSFER - {QuestionState.RETURNED}:
        assert mode is Mode.AMEND
    else:
        assert mode is Mode.ADD


@pytest.mark.parametrize("state", list(QuestionState))
def test_what_may_be_withdrawn_is_what_routing_lets_the_registrant_withdraw(state: QuestionState) -> None:
    table = states.TABLE[state]
    by_registrant = states.Party.REGISTRANT in table.get(QuestionState.WITHDRAWN, frozenset())
    assert domain.withdrawable(registration(), situation(question(state))) == ((1,) if by_registrant else ())


def test_a_question_that_was_split_is_only_added_to() -> None:
    questions = question(QuestionState.TRIAGE) | {
        UUID(int=7): QuestionStateData(
            case=REGISTRATION, case_number="x", state=QuestionState.TRIAGE, parent=domain.question_id(REGISTRATION, 1)
        )
    }
    assert domain.mode(registration(), 1, situation(questions)) is Mode.ADD


def test_an_empty_section_may_be_filled_until_the_closing() -> None:
    assert domain.mode(registration(), 2, situation()) is Mode.NEW
    assert domain.mode(registration(), 2, situation(takes_sections=False)) is Mode.NONE
    assert domain.mode(registration(), 2, situation(case=case(CaseStatus.CLOSED))) is Mode.NONE


@pytest.mark.parametrize("status", list(CaseStatus))
def test_only_an_invited_person_answers_and_only_before_the_meeting(status: CaseStatus) -> None:
    asked = situation(case=case(status), dialogue=MEETING)
    assert domain.may_reply(registration(), asked) is (status is CaseStatus.INVITED)
    begun = situation(case=case(status), dialogue=MEETING, now=MEETING.starts_at)
    assert not domain.may_reply(registration(), begun)
    off = situation(case=case(status), dialogue=MEETING.model_copy(update={"status": "cancelled"}))
    assert not domain.may_reply(registration(), off)


@given(st.sampled_from(list(QuestionState)), st.sampled_from(["withdrawn", "erased"]))
def test_what_was_taken_back_or_erased_stays_so(state: QuestionState, status: str) -> None:
    document = registration(status=status)
    assert domain.mode(document, 1, situation(question(state))) is Mode.NONE
    assert domain.withdrawable(document, situation(question(state))) == ()
    assert not domain.may_change(document)


# The acts


def test_a_changed_text_is_one_event_and_one_short_confirmation() -> None:
    document = registration()
    for _ in range(2):
        document = after(document, domain.changed_section(document, acting(), 1, "Mục 1", "Khác", Mode.AMEND))
    assert [s["text"] for s in document["sections"]] == ["Khác"]
    assert [e["type"] for e in document["events"]] == ["registration.amended.v1", documents.LETTER]
    letter = letters(document)[0]
    assert (letter.kind, letter.recipient and letter.recipient.email, letter.fields["what"]) == ("amended", OLD, "amended")
    assert "Khác" not in repr(document["events"])
    assert "Khác" not in letter.model_dump_json()


def test_additions_are_kept_beside_the_text_and_a_double_click_adds_once() -> None:
    document = registration()
    for text in ("Một", "Một", "Hai"):
        document = after(document, domain.changed_section(document, acting(), 1, "Mục 1", text, Mode.ADD))
    state = RegistrationState.model_validate(document)
    assert (state.sections[0].text, [a.text for a in state.sections[0].additions or ()]) == (TEXT, ["Một", "Hai"])


def test_a_new_section_stands_in_the_forms_order_and_is_filled_once() -> None:
    document = registration(TEXT)
    document["sections"][0]["no"] = 3
    for _ in range(2):
        document = after(document, domain.changed_section(document, acting(), 2, "Mục 2", "Mới", Mode.NEW))
    assert [(s["no"], s["text"]) for s in document["sections"]] == [(2, "Mới"), (3, TEXT)]
    with pytest.raises(Conflict):
        domain.changed_section(document, acting(), 2, "Mục 2", "Khác", Mode.NEW)


def test_too_much_is_refused_with_words() -> None:
    document = registration()
    for n in range(domain.MOST_ADDITIONS):
        document = after(document, domain.changed_section(document, acting(), 1, "Mục 1", f"Thêm {n}", Mode.ADD))
    with pytest.raises(Invalid):
        domain.changed_section(document, acting(), 1, "Mục 1", "Nữa", Mode.ADD)


def test_a_corrected_address_gets_the_confirmation_and_the_old_one_a_warning_without_it() -> None:
    document = registration()
    person = Person(name="Lò Văn Thử", email=NEW_ADDRESS)
    for _ in range(2):
        document = after(document, domain.corrected(document, acting(5), person, ["address", "phone", "sections"]))
    told = {letter.kind.value: letter for letter in letters(document)}
    assert {kind: letter.recipient and letter.recipient.email for kind, letter in told.items()} == {
        "amended": NEW_ADDRESS,
        "contact_changed": OLD,
    }
    assert NEW_ADDRESS not in told["contact_changed"].model_dump_json()
    assert document["contact_changed_at"] == NOW + timedelta(minutes=5)
    # Published again, the receipt is still the letter that was asked for first: notify sends it on by itself.
    receipt = RENDER(document, {"type": documents.LETTER, "changes": {}, "n": 2, "known_at": NOW})
    assert isinstance(receipt, LetterState)
    assert receipt.recipient
    assert receipt.recipient.email == OLD


def test_without_an_address_nobody_is_written_to() -> None:
    document = registration(person=Person(name="Lò Văn Thử").model_dump())
    document = after(document, domain.preferred(document, acting(), Way.POST))
    assert letters(document) == []
    assert document["preferred_way"] == "post"


def test_one_section_is_taken_back_then_the_last_takes_the_form_with_it() -> None:
    document = registration("a", "b")
    document = after(document, domain.withdrawn(document, acting(), [2], "lý do riêng", [1, 2]))
    assert (document["status"], document["withdrawn_sections"]) == ("received", [2])
    document = after(document, domain.withdrawn(document, acting(), [1, 2], "", [1]))
    assert document["status"] == "withdrawn"
    assert domain.withdrawn(document, acting(), [1], "", []) is None
    assert [e["type"] for e in document["events"] if e["type"] != documents.LETTER] == [
        "registration.amended.v1",
        "registration.withdrawn.v1",
    ]
    assert "lý do riêng" not in repr(document["events"])


def test_what_was_answered_meanwhile_is_not_taken_back() -> None:
    with pytest.raises(Conflict):
        domain.withdrawn(registration("a", "b"), acting(), [1, 2], "", [2])


def test_a_reply_is_for_the_meeting_as_it_is_dated() -> None:
    reply = AttendanceReply(at=NOW, answer="coming", dialogue="p-1", starts_at=MEETING.starts_at)
    document = after(registration(), domain.replied(registration(), acting(), reply))
    assert domain.replied(document, acting(9), reply.model_copy(update={"at": NOW + timedelta(minutes=9)})) is None
    assert domain.valid_reply(document, situation(dialogue=MEETING)) == reply
    moved = MEETING.model_copy(update={"starts_at": NOW + timedelta(days=20)})
    assert domain.valid_reply(document, situation(dialogue=moved)) is None


SECRETS = (OLD, NEW_ADDRESS, "Lò Văn Thử", TEXT, "bí mật")


@given(st.lists(st.integers(0, 5), max_size=6))
def test_an_erasure_leaves_nothing_personal_and_every_letter_without_a_recipient(acts: list[int]) -> None:
    document = registration(TEXT, "bí mật một")
    for n, act in enumerate(acts):
        person = Person(name="bí mật", email=NEW_ADDRESS if n % 2 else OLD)
        reply = AttendanceReply(at=NOW, answer="substitute", substitute="bí mật", starts_at=MEETING.starts_at)
        tried = [
            lambda d, n=n: domain.changed_section(d, acting(n), 1, "Mục 1", f"bí mật {n}", Mode.AMEND),
            lambda d, n=n: domain.changed_section(d, acting(n), 1, "Mục 1", f"bí mật {n}", Mode.ADD),
            lambda d, n=n, p=person: domain.corrected(d, acting(n), p, []),
            lambda d, n=n: domain.withdrawn(d, acting(n), [2], "bí mật", [1, 2]),
            lambda d, n=n, r=reply: domain.replied(d, acting(n), r),
            lambda d, n=n: domain.preferred(d, acting(n), Way.PHONE),
        ][act]
        document = after(document, tried(document))
    document = after(document, domain.erased(document, acting()))
    assert not any(secret in repr(document) for secret in SECRETS)
    assert domain.erased(document, acting()) is None
    assert all(letter.recipient is None and not letter.fields for letter in letters(document))
    state = RegistrationState.model_validate(document)
    assert (state.status, state.person, state.files) == ("erased", None, ())


# Feedback's sender does the same (K2)

FEEDBACK_RENDER = feedback_documents.renderer(lambda _id: "AAAA-AAAA-AAAA-AAAA")


def feedback(text: str = TEXT, **changes: Any) -> dict[str, Any]:
    own = {"group": 7, "group_unknown": False, "procedure": "Thủ tục bí mật", "text": text, "outside_number": None}
    announced = {"forward_by": None, "answer_by": None}
    gone = ("plan", "dialogue", "sections", "late")
    kept = {name: value for name, value in registration().items() if name not in gone}
    return kept | own | {"outside_due": None, "announced": announced} | changes


def done(document: dict[str, Any], act: Any) -> dict[str, Any]:
    """Feedback after an act on it as a sheet."""
    change = act(feedback_documents.as_sheet(document))
    return after(document, None if change is None else feedback_documents.as_stored(change))


def test_feedback_is_amended_added_to_and_withdrawn_as_feedback() -> None:
    document = feedback()
    for text, how in (("Khác", Mode.AMEND), ("Khác", Mode.AMEND), ("Thêm", Mode.ADD), ("Thêm", Mode.ADD)):
        document = done(document, lambda d, t=text, h=how: domain.changed_section(d, acting(), 1, "x", t, h))
    state = rendered(document)
    assert (state.text, [a.text for a in state.additions or ()]) == ("Khác", ["Thêm"])
    document = done(document, lambda d: domain.withdrawn(d, acting(), [1], "lý do riêng", [1]))
    state = rendered(document)
    assert (state.status, state.withdrawal_reason, "sections" in document) == ("withdrawn", "lý do riêng", False)
    types = [e["type"] for e in document["events"] if e["type"] != documents.LETTER]
    assert types == ["feedback.amended.v1", "feedback.amended.v1", "feedback.withdrawn.v1"]
    told = [FEEDBACK_RENDER(document, e) for e in document["events"] if e["type"] == documents.LETTER]
    assert [letter.fields["what"] for letter in told] == ["amended", "added", "withdrawn_all"]  # type: ignore[union-attr]
    assert {letter.fields["source"] for letter in told} == {"feedback"}  # type: ignore[union-attr]
    assert len({feedback_documents.subject(document, e) for e in document["events"]}) == 4, "each letter has its own key"


def rendered(document: dict[str, Any]) -> FeedbackState:
    return FeedbackState.model_validate(document)


def test_a_paper_without_a_text_gets_one_whenever_it_is_not_over() -> None:
    document = feedback("", incomplete=["text"])
    sheet = feedback_documents.as_sheet(document)
    of_feedback = case(CaseStatus.TO_FEEDBACK)
    assert domain.mode(sheet, 1, situation(case=of_feedback)) is Mode.NEW
    assert domain.mode(sheet, 1, situation(case=case(CaseStatus.CLOSED))) is Mode.NONE
    document = done(document, lambda d: domain.changed_section(d, acting(), 1, "x", "Nay mới ghi", Mode.NEW))
    assert (document["text"], document["incomplete"]) == ("Nay mới ghi", [])


@given(st.lists(st.integers(0, 4), max_size=6))
def test_an_erasure_of_feedback_leaves_nothing_personal(acts: list[int]) -> None:
    document = feedback()
    for n, act in enumerate(acts):
        person = Person(name="bí mật", email=NEW_ADDRESS if n % 2 else OLD)
        tried = [
            lambda d, n=n: domain.changed_section(d, acting(n), 1, "x", f"bí mật {n}", Mode.AMEND),
            lambda d, n=n: domain.changed_section(d, acting(n), 1, "x", f"bí mật {n}", Mode.ADD),
            lambda d, n=n, p=person: domain.corrected(d, acting(n), p, []),
            lambda d, n=n: domain.preferred(d, acting(n), Way.PHONE),
            lambda d, n=n: domain.withdrawn(d, acting(n), [1], "bí mật", [1]) if n == 5 else None,
        ][act]
        document = done(document, tried)
    document = done(document, lambda d: domain.erased(d, acting()))
    assert not any(secret in repr(document) for secret in SECRETS)
    assert document["events"][-1]["type"] == "feedback.erased.v1"
    letters_of_it = [FEEDBACK_RENDER(document, e) for e in document["events"] if e["type"] == documents.LETTER]
    assert all(letter.recipient is None for letter in letters_of_it)  # type: ignore[union-attr]
    assert (rendered(document).status, rendered(document).person) == ("erased", None)


# What the office made feedback (D3)


def gone_on(*chain: tuple[QuestionState, CaseSource]) -> dict[UUID, QuestionStateData]:
    """A question and what it went on as, each the parent of the next."""
    found: dict[UUID, QuestionStateData] = {}
    _id, parent = domain.question_id(REGISTRATION, 1), None
    for n, (state, source) in enumerate(chain, 1):
        values = {"case": REGISTRATION, "case_number": "x", "state": state, "source": source, "parent": parent, "section_no": 1}
        found[_id] = QuestionStateData.model_validate(values)
        parent, _id = _id, UUID(int=n)
    return found


FEEDBACK, DIALOGUE = CaseSource.FEEDBACK, CaseSource.REGISTRATION


@pytest.mark.parametrize(
    ("state", "mode", "withdrawable"),
    [
        (QuestionState.PROPOSED, Mode.AMEND, True),
        (QuestionState.TRANSFERRED, Mode.ADD, True),
        (QuestionState.COLLECTING, Mode.ADD, True),
        (QuestionState.ANSWERED, Mode.NONE, False),
        (QuestionState.GUIDED, Mode.NONE, False),
    ],
)  # fmt: skip
def test_what_became_feedback_is_still_its_senders(state: QuestionState, mode: Mode, withdrawable: bool) -> None:
    there = gone_on((QuestionState.TO_FEEDBACK, DIALOGUE), (state, FEEDBACK))
    and_back = gone_on((QuestionState.TO_FEEDBACK, DIALOGUE), (QuestionState.TO_DIALOGUE, FEEDBACK), (state, DIALOGUE))
    for known in (there, and_back):
        assert domain.mode(registration(), 1, situation(known)) is mode
        assert domain.withdrawable(registration(), situation(known)) == ((1,) if withdrawable else ())


def test_the_page_offers_the_change_at_the_question_that_goes_on_and_shows_the_text_there_alone() -> None:
    known = gone_on((QuestionState.TO_FEEDBACK, DIALOGUE), (QuestionState.COLLECTING, FEEDBACK))
    sheet = registration() | {"source": DIALOGUE}
    for shown in (
        question_views(sheet, known, NOW, {1: Mode.ADD}, feedback_views.any_view),
        feedback_views.parts_of(sheet, known, NOW, {1: Mode.ADD}),
    ):
        *before, now_it_is = shown
        assert (now_it_is.text, now_it_is.mode, now_it_is.state) == (TEXT, "add", "Đã ghi nhận, tiếp tục tập hợp")
        assert "không cần gửi lần nữa" in now_it_is.meaning
        assert all((view.text, view.mode) == ("", "none") for view in before)
    taken_back = sheet | {"withdrawn_sections": [1]}
    [view] = feedback_views.parts_of(taken_back, known, NOW)
    assert view.state == "Ông/Bà đã rút"


def test_of_a_sealed_question_that_went_on_nothing_is_shown() -> None:
    known = gone_on((QuestionState.TO_FEEDBACK, DIALOGUE), (QuestionState.SEALED, FEEDBACK))
    [view] = feedback_views.parts_of(registration() | {"source": DIALOGUE}, known, NOW, {1: Mode.ADD})
    assert (view.text, view.state) == ("", "Đang được xem xét")


# Staff act for somebody


def calling() -> Acting:
    return Acting("son-la", "van.phong", NOW, asked=Asked(Via.PHONE, NOW.date()))


def test_what_staff_record_says_so_in_the_act_and_in_the_history() -> None:
    document = registration()
    change = domain.changed_section(document, calling(), 1, "Mục 1", "Nội dung mới", Mode.AMEND)
    assert change is not None
    assert {act.actor for act in change.acts} == {"van.phong"}
    assert change.acts[0].changes == {
        "what": "amended",
        "section": 1,
        "how": "amend",
        "asked": {"via": "phone", "on": "2026-03-10"},
    }
    amended = after(document, change)
    said = [what for _, what, _ in timeline(amended, None, {})]
    assert said == [
        "Sở tiếp nhận phiếu",
        "Sở ghi theo đề nghị của Ông/Bà qua điện thoại ngày 10/3/2026: sửa nội dung",
    ]
    # Events carry the steps as before.
    assert "asked" not in RegistrationState.model_validate(amended).model_dump_json()


@pytest.mark.parametrize("via", list(Via))
@pytest.mark.parametrize("table", [STEPS, feedback_views.STEPS])
def test_every_step_that_staff_may_record_has_its_words(via: Via, table: dict[str, str]) -> None:
    recorded = set(table) - {"received", "erased"}
    for state in recorded:
        words = step_words({"state": state, "asked": Acting("s", "a", NOW, asked=Asked(via, NOW.date())).request["asked"]}, table)
        assert words.startswith("Sở ghi theo đề nghị của Ông/Bà ")
        assert ": Ông/Bà" not in words


@pytest.mark.parametrize("state", [QuestionState.SEALED, QuestionState.EXCLUDED])
def test_who_must_not_know_of_what_is_sealed_sees_a_section_that_was_not_filled(state: QuestionState) -> None:
    document = registration("Một", "Tố cáo")
    known = situation(question(QuestionState.PROPOSED) | question(state, 2, sealed=True))
    seen, theirs = domain.without_sealed(document, known)
    blank, without = registration("Một"), situation(question(QuestionState.PROPOSED))
    assert (seen["sections"], theirs.questions) == (blank["sections"], without.questions)
    assert [domain.mode(seen, no, theirs) for no in (1, 2)] == [domain.mode(blank, no, without) for no in (1, 2)]
    assert domain.withdrawable(seen, theirs) == (1,)
    assert len(document["sections"]) == 2
