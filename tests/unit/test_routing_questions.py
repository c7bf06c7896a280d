"""The life of a question (D5-D7, D10): only the table's transitions, only by those it names; steps only grow; the sums hold."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.model import CLOSED_STATES, QuestionState, QuestionStateData, SectionText
from kit.acting import Acting
from kit.agency import load_agencies
from kit.calendar import load_calendar
from kit.clock import TZ
from kit.errors import Conflict, Forbidden, Invalid
from kit.outbox import Change
from services.routing.questions import clocks, domain, states, views
from services.routing.questions.clocks import ClockRules
from services.routing.questions.domain import Body, Draft, Stage
from services.routing.questions.registrations import Classified, new_question
from services.routing.questions.states import Who
from services.routing.questions.store import render_question

State = QuestionState
CALENDAR = load_calendar(Path("agencies/calendars/vn.yaml"))
AGENCY = load_agencies(Path("agencies"))["son-la"]
START = datetime(2022, 4, 26, 9, 0, tzinfo=TZ)
MEETING = date(2022, 5, 11)
UNITS = [u.code for u in AGENCY.units][:3]
RULES = ClockRules(3)
BODY = Body("Sở Tài nguyên và Môi trường", "Số 1 đường Mẫu", "0212 3000 000")

OFFICE = Who(frozenset({"office"}))
LEADERSHIP = Who(frozenset({"leadership"}))
READER = Who(frozenset({"office"}), reads_sealed=True)
OFFICERS = {u: Who(frozenset({"officer"}), unit=u) for u in UNITS}
HEADS = {u: Who(frozenset({"head"}), unit=u) for u in UNITS}
EVERYBODY = [OFFICE, LEADERSHIP, READER, states.SOFTWARE, states.REGISTRANT, Who(frozenset({"administrator", "control"}))]
EVERYBODY += [*OFFICERS.values(), *HEADS.values()]

Doc = dict[str, Any]


def by(now: datetime = START, actor: str = "ai-do") -> Acting:
    return Acting("son-la", actor, now)


def question(state: State = State.TRIAGE, now: datetime = START) -> Doc:
    """A question in its first state, as it is inserted."""
    case = {
        "_id": uuid4(), "case_number": "SL-2022-000001", "plan": "p", "dialogue": "p-1", "source": "registration",
        "received_at": now,
        "recorded_at": now,
    }  # fmt: skip
    proposal = {"unit": UNITS[0], "confidence": 0.9, "phrases": [], "reason": ""} if state is State.PROPOSED else None
    seal = {"kind": "complaint", "by": "x", "why": "y"} if state is State.SEALED else None
    section = SectionText(no=1, title="Mục 1", text="Nội dung")
    new = new_question(AGENCY, by(now), uuid4(), case=case, section=section, as_is=Classified(state, proposal, seal))
    return {"_id": new.id, "agency": "son-la", "seq": len(new.acts), **new.state}


def after(document: Doc, change: Change | None) -> Doc:
    """The document as the outbox would write it."""
    if change is None:
        return document
    kept = {k: v for k, v in document.items() if k not in change.unset}
    return {**kept, **change.set, "seq": document["seq"] + len(change.acts)}


def clock(now: datetime = START, meeting: date | None = MEETING) -> Doc:
    return clocks.preparation_clock(CALENDAR, RULES, now, meeting)


def transferred(now: datetime = START, unit: str = UNITS[0]) -> Doc:
    document = question(State.PROPOSED, now)
    return after(document, domain.transferred(document, by(now), OFFICE, unit, clock(now)))


def with_draft(document: Doc, kind: str = domain.ANSWER, body: Body = domain.NO_BODY) -> Doc:
    return after(document, domain.drafted(document, by(), HEADS[document["unit"]], Draft(kind, "Trả lời", body=body)))


def submitted(kind: str = domain.ANSWER, body: Body = domain.NO_BODY) -> Doc:
    document = with_draft(transferred(), kind, body)
    return after(document, domain.submitted(document, by(), HEADS[UNITS[0]]))


# The table

OPEN = [s for s in State if s not in CLOSED_STATES and s is not State.MERGED]
LITERAL: Mapping[State, Mapping[State, set[str]]] = {
    State.NEW: {State.TRIAGE: {"software"}, State.PROPOSED: {"software"}, State.SEALED: {"software"}},
    State.SEALED: {State.TRIAGE: {"reader"}, State.EXCLUDED: {"reader"}},
    State.TRIAGE: {
        State.PROPOSED: {"software", "office"}, State.TRANSFERRED: {"assigner"}, State.MERGED: {"office"},
        State.SEALED: {"software", "office"},
    },
    State.PROPOSED: {
        State.TRANSFERRED: {"assigner", "software"}, State.TRIAGE: {"office", "software"}, State.MERGED: {"office"},
        State.SEALED: {"software", "office"},
    },
    State.TRANSFERRED: {State.AT_HEAD: {"officer"}, State.SUBMITTED: {"head"}, State.RETURNED: {"head"}},
    State.AT_HEAD: {State.SUBMITTED: {"head"}, State.TRANSFERRED: {"head"}, State.RETURNED: {"head"}},
    State.RETURNED: {State.TRANSFERRED: {"assigner"}, State.TRIAGE: {"office"}},
    State.SUBMITTED: {
        State.READY: {"leadership"}, State.GUIDED: {"leadership"}, State.ESCALATED: {"leadership"},
        State.SENT_BACK: {"leadership"}, State.TO_WRITE: {"leadership"},
    },
    State.SENT_BACK: {State.AT_HEAD: {"officer"}, State.SUBMITTED: {"head"}},
    State.READY: {State.SENT_BACK: {"leadership"}},
    State.ESCALATED: {State.ESCALATED_DONE: {"office"}},
    State.COLLECTING: {State.TRIAGE: {"office"}},
}  # fmt: skip
"""The published table of states, typed in a second time: a change of the code's table has to be made here as well."""


def test_the_table_is_the_published_one() -> None:
    for state in State:
        expected = {to: set(parties) for to, parties in LITERAL.get(state, {}).items()}
        if state in OPEN:
            expected[State.WITHDRAWN] = {"registrant"} if state is State.SEALED else {"registrant", "office"}
        if state in OPEN and state is not State.SEALED:
            expected[State.TO_FEEDBACK] = expected[State.TO_DIALOGUE] = {"office"}
            if state is not State.COLLECTING:
                expected[State.COLLECTING] = {"office"}
            for to in ("resolved", "to_write", "escalated", "guided", "adopted", "answered"):
                if to != state:
                    expected[State(to)] = expected.get(State(to), set()) | {"office"}
        assert {to: set(map(str, parties)) for to, parties in states.TABLE[state].items()} == expected, state


def test_what_has_ended_stays_so() -> None:
    for state in (*CLOSED_STATES, State.MERGED):
        assert not states.TABLE[state]


@given(st.sampled_from(list(State)), st.sampled_from(list(State)), st.sampled_from(EVERYBODY))
def test_a_move_happens_exactly_when_the_table_lets_this_party_do_it(state: State, to: State, who: Who) -> None:
    document = {**question(), "state": state.value, "unit": UNITS[0]}
    parties = states.TABLE[state].get(to)
    try:
        change = states.move(document, by(), who, to)
    except Conflict:
        assert parties is None
    except Forbidden:
        assert parties is not None
        assert not any(who.is_party(p, document) for p in parties)
    else:
        assert parties is not None
        assert any(who.is_party(p, document) for p in parties)
        assert after(document, change)["steps"][:-1] == document["steps"]


def test_the_profile_says_who_transfers() -> None:
    document = question(State.PROPOSED)
    leadership_assigns = replace(LEADERSHIP, assign_by="leadership")
    domain.transferred(document, by(), leadership_assigns, UNITS[0], clock())
    for who in (replace(OFFICE, assign_by="leadership"), LEADERSHIP, *OFFICERS.values()):
        with pytest.raises(Forbidden):
            domain.transferred(document, by(), who, UNITS[0], clock())


def test_a_unit_acts_on_its_own_questions_alone() -> None:
    document = with_draft(transferred(unit=UNITS[0]))
    with pytest.raises(Forbidden):
        domain.submitted(document, by(), HEADS[UNITS[1]])
    with pytest.raises(Forbidden):
        domain.drafted(document, by(), OFFICERS[UNITS[1]], Draft("answer", "…"))


# The clock (D7, S2)


@pytest.mark.parametrize(
    ("moment", "due", "working"),
    [
        (datetime(2022, 4, 26, 9, 0, tzinfo=TZ), date(2022, 4, 29), date(2022, 4, 29)),
        (datetime(2022, 4, 27, 9, 0, tzinfo=TZ), date(2022, 5, 4), date(2022, 5, 4)),
        (datetime(2022, 4, 28, 9, 0, tzinfo=TZ), date(2022, 5, 4), date(2022, 5, 5)),
        (datetime(2022, 4, 29, 16, 0, tzinfo=TZ), date(2022, 5, 4), date(2022, 5, 6)),
        (datetime(2022, 4, 29, 17, 45, tzinfo=TZ), date(2022, 5, 4), date(2022, 5, 6)),
    ],
)  # fmt: skip
def test_three_days_around_the_holidays(moment: datetime, due: date, working: date) -> None:
    document = question(State.PROPOSED, moment)
    for rules, expected in ((RULES, due), (ClockRules(3, working_days=True), working)):
        made = clocks.preparation_clock(CALENDAR, rules, moment, None)
        moved = after(document, domain.transferred(document, by(moment), OFFICE, UNITS[0], made))
        assert moved["clocks"][0]["due_on"] == expected.isoformat()
        assert moved["sort_at"] == made["due_at"]


def test_after_hours_counts_from_the_next_working_day_where_the_profile_says_so() -> None:
    moment = datetime(2022, 4, 29, 17, 45, tzinfo=TZ)
    assert clocks.preparation_clock(CALENDAR, ClockRules(3, after_hours=True), moment, None)["due_on"] == "2022-05-09"


def test_the_explanation_of_a_transfer_on_29_april() -> None:
    made = clocks.preparation_clock(CALENDAR, RULES, datetime(2022, 4, 29, 16, 0, tzinfo=TZ), None)
    assert made["explanation"] == (
        "Nhận 29/4; ngày 1 là 30/4 (nghỉ lễ), ngày 2 là 01/5 (nghỉ lễ), ngày 3 là 02/5 (nghỉ bù)"
        " → chuyển sang ngày làm việc tiếp theo: 04/5/2022"
    )


def test_capped_to_the_working_day_before_the_meeting_with_a_warning() -> None:
    made = clocks.preparation_clock(CALENDAR, RULES, datetime(2022, 5, 9, 9, 0, tzinfo=TZ), MEETING)
    assert made["due_on"] == "2022-05-10"
    assert made["warnings"]


@pytest.mark.parametrize(
    ("handed_over", "on_time"),
    [(datetime(2022, 5, 4, 23, 59, tzinfo=TZ), True), (datetime(2022, 5, 5, 0, 0, tzinfo=TZ), False)],
)
def test_handing_over_stops_the_clock_until_24_00(handed_over: datetime, on_time: bool) -> None:
    document = with_draft(transferred(datetime(2022, 4, 29, 16, 0, tzinfo=TZ)))
    document = after(document, domain.submitted(document, by(handed_over), HEADS[UNITS[0]]))
    stopped = document["clocks"][0]
    assert (stopped["stopped_at"] < stopped["due_at"]) is on_time
    assert not clocks.is_overdue(document, handed_over + timedelta(days=30))


def test_returned_and_transferred_again_is_a_new_clock_and_both_stay_visible() -> None:
    document = transferred()
    document = after(document, domain.returned(document, by(START + timedelta(hours=3)), HEADS[UNITS[0]], "Không thuộc đơn vị"))
    assert document["unit"] is None
    assert clocks.running_clock(document) is None
    again = datetime(2022, 4, 27, 9, 0, tzinfo=TZ)
    document = after(document, domain.transferred(document, by(again), OFFICE, UNITS[1], clock(again)))
    assert [t["unit"] for t in document["transfers"]] == UNITS[:2]
    assert [t["n"] for t in document["transfers"]] == [1, 2]
    assert [c["due_on"] for c in document["clocks"]] == ["2022-04-29", "2022-05-04"]
    assert document["clocks"][0]["stopped_at"] is not None


def test_extended_once_before_expiry_with_a_reason_and_before_the_meeting() -> None:
    document = transferred()
    longer = after(document, domain.extended(document, by(), OFFICE, date(2022, 5, 5), "Chờ số liệu", MEETING))
    assert longer["clocks"][-1]["due_on"] == "2022-05-05"
    assert [t["kind"] for t in longer["todo"] if t["do"] == "letter"] == ["extended"]
    with pytest.raises(Conflict):
        domain.extended(longer, by(), OFFICE, date(2022, 5, 6), "Nữa", MEETING)
    with pytest.raises(Invalid):
        domain.extended(document, by(), OFFICE, date(2022, 5, 5), " ", MEETING)
    with pytest.raises(Invalid):
        domain.extended(document, by(), OFFICE, MEETING, "Chờ số liệu", MEETING)
    with pytest.raises(Invalid):
        domain.extended(document, by(), OFFICE, date(2022, 4, 29), "Chờ số liệu", MEETING)
    with pytest.raises(Forbidden):
        domain.extended(document, by(), HEADS[UNITS[0]], date(2022, 5, 5), "Chờ", MEETING)
    with pytest.raises(Conflict):
        domain.extended(document, by(START + timedelta(days=9)), OFFICE, date(2022, 5, 9), "Muộn", None)


def test_a_calendar_that_changes_moves_running_clocks_and_leaves_stopped_ones() -> None:
    """S3's case on a question: Thu 27/1/2022 counted without 31/1 gives Mon 31/1; with it Mon 7/2/2022."""
    start = datetime(2022, 1, 27, 9, 0, tzinfo=TZ)
    narrow = CALENDAR.with_working_day(date(2022, 1, 31), "chưa biết lịch nghỉ Tết")
    document = question(State.PROPOSED, start)
    early = clocks.preparation_clock(narrow, RULES, start, None)
    document = after(document, domain.transferred(document, by(start), OFFICE, UNITS[0], early))
    assert document["clocks"][0]["due_on"] == "2022-01-31"
    moved = after(document, domain.recomputed(document, by(start), CALENDAR, None))
    assert moved["clocks"][0]["due_on"] == "2022-02-07"
    assert domain.recomputed(moved, by(start), CALENDAR, None) is None
    handed = with_draft(document)
    handed = after(handed, domain.submitted(handed, by(start), HEADS[UNITS[0]]))
    assert domain.recomputed(handed, by(start), CALENDAR, None) is None


def test_a_meeting_that_moves_nearer_caps_a_running_clock() -> None:
    document = transferred()
    moved = domain.recomputed(document, by(), CALENDAR, date(2022, 4, 28))
    assert moved is not None
    assert after(document, moved)["clocks"][-1]["due_on"] == "2022-04-27"


# Drafts, approval, ends


def test_guidance_needs_body_address_and_phone_and_goes_to_the_person() -> None:
    document = with_draft(transferred(), domain.GUIDANCE, Body("Sở Tài nguyên và Môi trường"))
    with pytest.raises(Invalid) as refused:
        domain.submitted(document, by(), HEADS[UNITS[0]])
    assert set(refused.value.errors) == {"address", "phone"}
    document = submitted(domain.GUIDANCE, BODY)
    document = after(document, domain.approved(document, by(), LEADERSHIP))
    assert document["state"] == "guided"
    assert document["outcome_body"] == BODY.name
    assert [t["kind"] for t in document["todo"] if t["do"] == "letter"] == ["guidance"]


def test_approval_follows_the_kind_of_the_draft() -> None:
    for kind, body, expected in (
        (domain.ANSWER, domain.NO_BODY, "ready"),
        (domain.GUIDANCE, BODY, "guided"),
        (domain.ESCALATION, BODY, "escalated"),
    ):
        document = submitted(kind, body)
        assert after(document, domain.approved(document, by(), LEADERSHIP))["state"] == expected


def test_sent_back_with_a_remark_and_handed_over_again_keeps_the_first_clock() -> None:
    document = submitted()
    stopped = document["clocks"][-1]["stopped_at"]
    with pytest.raises(Invalid):
        domain.sent_back(document, by(), LEADERSHIP, "")
    document = after(document, domain.sent_back(document, by(), LEADERSHIP, "Nêu rõ căn cứ"))
    document = after(document, domain.submitted(document, by(START + timedelta(days=20)), HEADS[UNITS[0]]))
    assert [c["stopped_at"] for c in document["clocks"]] == [stopped]


def test_a_written_answer_goes_officer_head_leadership_office_and_has_its_own_clock() -> None:
    document = submitted()
    document = after(document, domain.approved(document, by(), LEADERSHIP))
    held = datetime(2022, 5, 11, 10, 0, tzinfo=TZ)
    document = after(document, domain.to_write(document, by(held), OFFICE, UNITS[1], None))
    assert clocks.running_clock(document) is None
    notice = datetime(2022, 5, 13, 9, 0, tzinfo=TZ)
    written = clocks.written_clock(CALENDAR, RULES, notice, None)
    document = after(document, domain.written_clock_started(document, by(notice), written))
    assert document["clocks"][-1]["kind"] == "written"
    assert document["clocks"][-1]["due_on"] == "2022-05-16"
    assert domain.written_clock_started(document, by(notice), written) is None
    with pytest.raises(Conflict):
        domain.answered(document, by(notice), OFFICE, "12/SKHCN", date(2022, 5, 13))
    document = after(document, domain.to_head(document, by(notice), OFFICERS[UNITS[1]]))
    document = after(document, domain.submitted(document, by(notice), HEADS[UNITS[1]]))
    document = after(document, domain.approved(document, by(notice), LEADERSHIP))
    assert domain.stage_of(document) is Stage.APPROVED
    assert document["state"] == "to_write"
    late = datetime(2022, 5, 23, 9, 0, tzinfo=TZ)
    with pytest.raises(Invalid):
        domain.answered(document, by(late), OFFICE, "12/SKHCN", date(2022, 5, 24))
    document = after(document, domain.answered(document, by(late), OFFICE, "12/SKHCN", date(2022, 5, 23)))
    assert (document["state"], document["outcome"], document["outcome_number"]) == ("answered", "written", "12/SKHCN")
    assert document["clocks"][-1]["stopped_at"] >= document["clocks"][-1]["due_at"]


def test_the_chairs_day_runs_from_the_chairs_word() -> None:
    named = clocks.written_clock(CALENDAR, RULES, START, date(2022, 5, 6))
    assert (named["start"], named["due_on"]) == (START, "2022-05-06")


def test_an_answer_typed_later_counts_by_its_own_date() -> None:
    document = question()
    made = clocks.written_clock(CALENDAR, RULES, START, date(2022, 5, 6))
    document = after(document, domain.to_write(document, by(), OFFICE, UNITS[0], made))
    document = with_draft(document)
    document = after(document, domain.submitted(document, by(), HEADS[UNITS[0]]))
    document = after(document, domain.approved(document, by(), LEADERSHIP))
    typed = datetime(2022, 5, 12, 9, 0, tzinfo=TZ)
    document = after(document, domain.answered(document, by(typed), OFFICE, "9/SKHCN", date(2022, 5, 6)))
    assert document["clocks"][-1]["stopped_at"] < document["clocks"][-1]["due_at"]
    assert document["outcome_on"] == "2022-05-06"


# Sealed (D6)


def test_a_sealed_question_shows_ids_and_state_only() -> None:
    document = question(State.SEALED)
    shown = QuestionStateData.model_dump(render_question(document, {}), exclude_none=True, exclude_defaults=True)
    assert set(shown) <= {"case", "case_number", "plan", "dialogue", "state", "sealed", "steps"}


def test_an_excluded_question_stays_sealed_and_the_letter_quotes_nothing() -> None:
    document = question(State.SEALED)
    details = {
        "passed_to": "Thanh tra tỉnh",
        "passed_on": "2022-04-26",
        "contact": "",
        "contact_address": "",
        "contact_phone": "",
    }
    with pytest.raises(Invalid):
        domain.excluded(document, by(), READER, domain.DENUNCIATION, {}, "Có hành vi bị tố cáo")
    with pytest.raises(Forbidden):
        domain.excluded(document, by(), OFFICE, domain.DENUNCIATION, details, "Có hành vi bị tố cáo")
    document = after(document, domain.excluded(document, by(), READER, domain.DENUNCIATION, details, "Có hành vi bị tố cáo"))
    assert document["sealed"] is True
    assert "Nội dung" not in str(document["todo"])


def test_a_text_that_must_be_sealed_never_becomes_an_addition_a_unit_reads() -> None:
    document = transferred()
    found = Classified(State.SEALED, seal={"kind": "denunciation", "by": "x", "why": "y"})
    change = domain.Amendment(2, START, "Tôi tố cáo…", "digest")
    document = after(document, domain.amended(document, by(), change, lambda _text: found))
    assert document["additions"] == []
    assert document["state"] == "transferred"
    assert [t["do"] for t in document["todo"]][-1] == "seal_apart"


# Sums and steps, under any sequence of acts


class Desk(RuleBasedStateMachine):
    """Everybody tries anything on a few questions; what the rules refuse changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[UUID, Doc] = {}
        self.created = 0
        self.now = START

    @rule(state=st.sampled_from([State.TRIAGE, State.PROPOSED, State.SEALED]))
    def arrives(self, state: State) -> None:
        self._add(question(state, self.now))

    def _add(self, document: Doc) -> None:
        self.documents[document["_id"]] = document
        self.created += 1

    def _try(self, index: int, act: Callable[[Doc], Change | None]) -> Change | None:
        _id = list(self.documents)[index % len(self.documents)]
        document = self.documents[_id]
        try:
            change = act(document)
        except (Conflict, Forbidden, Invalid):
            return None
        changed = after(document, change)
        if changed["state"] != document["state"]:
            assert State(changed["state"]) in states.TABLE[State(document["state"])]
            assert len(changed["steps"]) > len(document["steps"])
        assert changed["steps"][: len(document["steps"])] == document["steps"]
        assert len(changed["clocks"]) >= len(document["clocks"])
        self.documents[_id] = changed
        return change

    @precondition(lambda self: bool(self.documents))
    @rule(index=st.integers(0, 9), who=st.sampled_from(EVERYBODY), what=st.integers(0, 15), unit=st.sampled_from(UNITS))
    def somebody_acts(self, index: int, who: Who, what: int, unit: str) -> None:
        me, made = by(self.now), clock(self.now)
        acts: list[Callable[[Doc], Change | None]] = [
            lambda d: domain.proposed(d, me, who, unit, "vì"),
            lambda d: domain.to_triage(d, me, who, "vì"),
            lambda d: domain.transferred(d, me, who, unit, made),
            lambda d: domain.drafted(d, me, who, Draft(domain.ANSWER, "Trả lời")),
            lambda d: domain.to_head(d, me, who),
            lambda d: domain.submitted(d, me, who),
            lambda d: domain.back_to_officer(d, me, who, "sửa"),
            lambda d: domain.returned(d, me, who, "vì"),
            lambda d: domain.approved(d, me, who),
            lambda d: domain.sent_back(d, me, who, "sửa"),
            lambda d: domain.sealed(d, me, who, domain.COMPLAINT, "vì"),
            lambda d: domain.unsealed(d, me, who, "vì"),
            lambda d: domain.resolved(d, me, who),
            lambda d: domain.to_write(d, me, who, unit, None),
            lambda d: domain.withdrawn(d, me, who, "vì"),
            lambda d: domain.to_feedback(d, me, who, "vì"),
        ]
        self._try(index, acts[what])

    @precondition(lambda self: bool(self.documents))
    @rule(index=st.integers(0, 9), parts=st.lists(st.text(min_size=1, max_size=5), max_size=3))
    def splits(self, index: int, parts: list[str]) -> None:
        change = self._try(index, lambda d: domain.split(d, by(self.now), OFFICE, parts, "vì"))
        for entry in change.set["todo"][-1:] if change else []:
            for child in entry["children"]:
                assert child["id"] not in self.documents
                self._add({**question(State.TRIAGE, self.now), "_id": child["id"], "text": child["text"]})

    @precondition(lambda self: len(self.documents) > 1)
    @rule(index=st.integers(0, 9), other=st.integers(0, 9))
    def merges(self, index: int, other: int) -> None:
        ids = list(self.documents)
        into = ids[other % len(ids)]
        if into != ids[index % len(ids)]:
            self._try(index, lambda d: domain.merged(d, by(self.now), OFFICE, into, "trùng"))

    @rule(hours=st.integers(1, 80))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def every_question_is_counted_once(self) -> None:
        states = [State(d["state"]) for d in self.documents.values()]
        merged = states.count(State.MERGED)
        assert sum(states.count(s) for s in State if s is not State.MERGED) == self.created - merged
        assert len(self.documents) == self.created

    @invariant()
    def at_most_one_clock_runs_and_none_on_what_has_ended(self) -> None:
        for document in self.documents.values():
            running = [c for c in document["clocks"] if c["stopped_at"] is None]
            assert len(running) <= 1
            assert [c["due_at"] for c in running] in ([], [document["sort_at"]]), "lists find what runs by when it is due"
            if State(document["state"]) in CLOSED_STATES:
                assert not running

    @invariant()
    def the_last_step_names_the_state(self) -> None:
        for document in self.documents.values():
            assert document["steps"][-1]["state"] == document["state"]

    @invariant()
    def sealed_is_hidden(self) -> None:
        for document in self.documents.values():
            if document["state"] == State.SEALED:
                assert document["sealed"]
            if document["sealed"]:
                assert "Nội dung" not in str(render_question(document, {}).model_dump())


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))


COUNTER = {"Ghi thay người đăng ký": "/son-la/tiep-nhan/phieu/c", "Phiếu tiếp nhận, mã tra cứu": "/son-la/tiep-nhan/c"}


@pytest.mark.parametrize(
    ("changes", "roles", "expected"),
    [
        ({}, {"office"}, COUNTER),
        ({"channel": "web"}, {"office"}, {"Ghi thay người đăng ký": "/son-la/tiep-nhan/phieu/c"}),
        (
            {"source": "feedback", "feedback": True},
            {"control"},
            COUNTER | {"Phiếu tiếp nhận, mã tra cứu": "/son-la/tiep-nhan/phan-anh/c"},
        ),
        ({"feedback": True}, {"control"}, {"Ghi thay người đăng ký": "/son-la/tiep-nhan/phieu/c"}),
        ({}, {"leadership"}, {}),
        ({}, {"control"}, {}),
        ({"source": "walk_in", "channel": None}, {"office"}, {}),
        ({"person": None}, {"office"}, {}),
    ],
)
def test_the_counter_s_pages_are_linked_for_those_who_may_open_them(
    changes: Doc, roles: set[str], expected: Mapping[str, str]
) -> None:
    case = {"_id": "c", "agency": "son-la", "source": "registration", "channel": "paper", "person": {"name": "Lò"}} | changes
    assert dict(views.counter_links(case, Who(frozenset(roles)))) == expected
