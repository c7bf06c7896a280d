"""The rules of feedback (K2, D3): what it must hold, its two clocks, its own acts, its words, how it is counted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Event
from contracts.model import (
    CaseSource,
    CaseState,
    Channel,
    FeedbackState,
    FileRef,
    Person,
    QuestionState,
    QuestionStateData,
)
from contracts.views import QuestionFigures
from kit import feedback as k2
from kit.acting import Acting
from kit.agency import load_agencies
from kit.calendar import load_calendar
from kit.clock import TZ
from kit.errors import Conflict, Forbidden, Invalid
from kit.outbox import Change
from kit.periods import dates
from kit.yamlfile import BadFile
from services.intake.after.domain import corrected
from services.intake.domain import alike_keys
from services.intake.feedback import documents, views
from services.intake.feedback import domain as intake
from services.intake.feedback.domain import Feedback, FeedbackEntry
from services.reporting.domain import Tally, case_fact, question_fact, sums_of
from services.reporting.report import build
from services.routing.questions import afterwards, clocks, domain, feedback, publishing
from services.routing.questions.domain import Body, Draft
from services.routing.questions.publishing import Wording
from services.routing.questions.states import NO_DUE, REGISTRANT, Who
from services.routing.questions.store import render_case, render_question

State = QuestionState
AGENCY = load_agencies(Path("agencies"))["son-la"]
CALENDAR = load_calendar(Path("agencies/calendars/vn.yaml"))
RECEIVED = datetime(2022, 4, 26, 9, 0, tzinfo=TZ)
UNIT = "tieu-chuan-do-luong"
OFFICE, CONTROL = Who(frozenset({"office"}), assign_by="leadership"), Who(frozenset({"control"}), assign_by="leadership")
LEADERSHIP, HEAD = Who(frozenset({"leadership"}), assign_by="leadership"), Who(frozenset({"head"}), unit=UNIT)
BODY = Body("Sở Xây dựng", "Số 1 đường Mẫu", "0212 3000 000")
TEXT = "Đề nghị rút ngắn thời gian kiểm định phương tiện đo tại Chi cục."


def at(days: float) -> datetime:
    return RECEIVED + timedelta(days=days)


def by(now: datetime = RECEIVED, actor: str = "kstthc") -> Acting:
    return Acting("son-la", actor, now)


def event(text: str = TEXT, **changes: Any) -> Event[FeedbackState]:
    state = FeedbackState.model_validate(
        {
            "case_number": "SL-2022-000001",
            "channel": Channel.WEB,
            "received_at": RECEIVED,
            "recorded_at": RECEIVED,
            "person": Person(name="Lò Thị Mẫu", address="Tổ 1", phone="+84912345678"),
            "group": 2,
            "text": text,
        }
        | changes
    )
    return Event[FeedbackState](
        id=uuid4(), source="intake", type="feedback.received.v1", subject=str(uuid4()), time=RECEIVED,
        dataschema="FeedbackState", agency="son-la", sequence=1, data=state,
    )  # fmt: skip


def opened(text: str = TEXT, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The case and its question, as they are inserted."""
    found = feedback.opening(event(text, **changes), AGENCY, CALENDAR, by())
    documents = [{"_id": n.id, "agency": "son-la", "seq": len(n.acts), **n.state} for n in (found.case, *found.questions)]
    return documents[0], documents[1]


def after(document: dict[str, Any], change: Change | None) -> dict[str, Any]:
    """The document as the outbox would write it."""
    assert change is not None
    return {**document, **change.set, "seq": document["seq"] + len(change.acts)}


def transferred(document: dict[str, Any], now: datetime = RECEIVED) -> dict[str, Any]:
    clock = feedback.answer_clock(document, AGENCY, CALENDAR)
    return after(document, domain.transferred(document, by(now), CONTROL, UNIT, clock))


def approved(document: dict[str, Any], now: datetime, draft: Draft | None = None) -> dict[str, Any]:
    document = after(document, domain.drafted(document, by(now), HEAD, draft or Draft(domain.ANSWER, "Trả lời")))
    document = after(document, domain.submitted(document, by(now), HEAD))
    return after(document, domain.approved(document, by(now), LEADERSHIP))


# What it must hold (NĐ 20/2008 art. 7)

WHOLE = Feedback(Person(name="Lò Thị Mẫu", address="Tổ 1", phone="+84912345678"), TEXT, consent_version="1")


def test_name_address_text_and_a_telephone_or_a_mail_address_are_needed() -> None:
    assert intake.check(WHOLE, consent_version="1") == {}
    mail_alone = replace(WHOLE, person=Person(name="Lò Thị Mẫu", address="Tổ 1", email="mau@dan.example"))
    assert intake.check(mail_alone, consent_version="1") == {}
    nothing = Feedback(Person(), "")
    assert set(intake.check(nothing, consent_version="1")) == {"name", "address", "phone", "text", "consent"}


def test_a_paper_is_taken_as_it_is_and_only_a_blank_one_refused() -> None:
    entry = FeedbackEntry(Channel.PAPER, RECEIVED)
    assert intake.check_entry(Feedback(Person(name="Lò Thị Mẫu"), ""), entry) == {}
    assert set(intake.check_entry(Feedback(Person(), ""), entry)) == {"name"}
    assert intake.check_entry(Feedback(Person(), "", files=(SCAN,)), entry) == {}
    late = replace(entry, outside_due=date(2022, 4, 25))
    assert set(intake.check_entry(WHOLE, late)) == {"outside_due"}


@pytest.mark.parametrize(("read_back", "left_out"), [(None, ()), (True, ()), (False, ("read_back",))])
def test_a_call_that_was_not_read_back_is_flagged(read_back: bool | None, left_out: tuple[str, ...]) -> None:
    entry = FeedbackEntry(Channel.PHONE, RECEIVED, read_back=read_back)
    assert entry.left_out == left_out
    fields = documents.feedback_fields(
        WHOLE, entry, case_number="1", recorded_at=RECEIVED, unsure_counts_as=6, incomplete=entry.left_out, forward_by=None,
        answer_by=None,
    )  # fmt: skip
    assert fields.get("read_back") is read_back
    assert feedback.as_registration(event(incomplete=("text", *left_out))).data.incomplete == ("sections", *left_out)


def test_who_corrects_the_contact_is_found_by_the_new_one() -> None:
    document = {"_id": uuid4(), "agency": "son-la", "seq": 2, "status": "received", "channel": "phone", "kind": "individual"}
    document |= {"person": WHOLE.person.model_dump(), "text": TEXT, "incomplete": ["read_back"], "steps": [], "case_number": "1"}
    document |= {"alike": alike_keys("son-la", documents.NO_PLAN, WHOLE.person), "source": "feedback"}
    person = WHOLE.person.model_copy(update={"phone": "+84987654321"})
    change = documents.as_stored(corrected(documents.as_sheet(document), by(), person, ["read_back"]))  # type: ignore[arg-type]
    assert change.set["alike"] == alike_keys("son-la", documents.NO_PLAN, person) != document["alike"]
    assert change.set["incomplete"] == ["read_back"], "that is put right by no contact"


@given(st.sampled_from(("text", "group", "procedure", "consent_version")), st.sampled_from((1, 2)))
def test_other_content_is_another_request(name: str, value: int) -> None:
    other = replace(WHOLE, **{name: value if name == "group" else f"khác {value}"})  # type: ignore[arg-type]
    assert intake.payload_hash(other) != intake.payload_hash(WHOLE)
    assert intake.payload_hash(replace(other)) == intake.payload_hash(other)
    assert intake.payload_hash(WHOLE, FeedbackEntry(Channel.POST, RECEIVED)) != intake.payload_hash(WHOLE)


SCAN = FileRef(key="son-la/upload-1/1", sha256="a", name="quét.pdf", media_type="application/pdf", size=1)


def test_what_was_attached_tells_requests_apart_by_its_content() -> None:
    attached = replace(WHOLE, files=(SCAN,))
    other = replace(WHOLE, files=(SCAN.model_copy(update={"sha256": "b"}),))
    assert len({intake.payload_hash(feedback) for feedback in (WHOLE, attached, other)}) == 3
    again = SCAN.model_copy(update={"key": "son-la/upload-2/1", "name": "tên khác.pdf"})
    assert intake.payload_hash(replace(WHOLE, files=(again,))) == intake.payload_hash(attached)


def test_the_groups_are_the_eight_of_the_law_in_a_file(tmp_path: Path) -> None:
    groups = k2.load_groups(Path("agencies"))
    assert [group.no for group in groups.groups] == list(range(1, 9))
    assert groups.label(None) == ""
    (tmp_path / "feedback").mkdir()
    text = Path("agencies/feedback/groups.yaml").read_text(encoding="utf-8")
    (tmp_path / "feedback" / "groups.yaml").write_text(text.replace("no: 8", "no: 7"), encoding="utf-8")
    with pytest.raises(BadFile, match="eight groups"):
        k2.load_groups(tmp_path)


# Its clocks


def test_forwarding_is_counted_in_working_days_from_the_receipt() -> None:
    _, question = opened()
    (clock,) = question["clocks"]
    # 30/4 to 3/5 were days off in 2022.
    assert (clock["kind"], clock["due_on"]) == ("forward", "2022-05-05")
    assert "Nhận 26/4" in clock["explanation"]


def test_the_province_s_day_wins_if_it_comes_first() -> None:
    own = k2.answer_due(AGENCY, CALENDAR, RECEIVED)
    assert own is not None
    for outside, wins in ((own.due_on - timedelta(days=1), True), (own.due_on + timedelta(days=1), False)):
        due = k2.answer_due(AGENCY, CALENDAR, RECEIVED, outside)
        assert due is not None
        assert due.due_on == (outside if wins else own.due_on)
    _, question = opened(outside_due=date(2022, 4, 29))
    assert transferred(question)["clocks"][-1]["due_on"] == "2022-04-29"


def test_its_answer_is_due_from_the_receipt_whoever_has_it_until_it_is_out() -> None:
    _, question = opened()
    question = transferred(question, at(1))
    due = question["clocks"][-1]
    assert (due["kind"], due["start"]) == ("feedback", RECEIVED)
    returned = after(question, domain.returned(question, by(at(2)), HEAD, "Không thuộc đơn vị"))
    again = transferred(returned, at(3))
    assert again["clocks"] == question["clocks"], "another unit gets no new time"
    assert again["sort_at"] == due["due_at"]
    answer = approved(again, at(4))
    assert (answer["state"], clocks.running_clock(answer)) == ("to_write", due)
    out = after(answer, domain.answered(answer, by(at(5)), CONTROL, "12/SKHCN-VP", date(2022, 5, 1)))
    assert out["clocks"][-1]["stopped_at"] == at(5)


def test_a_sealed_one_is_due_in_no_list_and_is_again_when_it_is_opened() -> None:
    _, question = opened("Tôi tố cáo ông Nguyễn Văn X nhận tiền khi giải quyết hồ sơ của tôi.")
    assert (question["sealed"], question["sort_at"]) == (True, NO_DUE)
    assert render_question(question, {}).clocks == ()
    reader = Who(frozenset(), reads_sealed=True)
    opened_again = after(question, domain.unsealed(question, by(), reader, "Chỉ hỏi thủ tục"))
    assert opened_again["sort_at"] == question["clocks"][0]["due_at"]


# Who acts


def test_the_control_unit_acts_like_the_office_on_feedback_and_on_nothing_else() -> None:
    _, question = opened()
    assert transferred(question)["unit"] == UNIT
    of_a_dialogue = {**question, "source": "registration"}
    with pytest.raises(Forbidden):
        domain.transferred(of_a_dialogue, by(), CONTROL, UNIT, None)
    with pytest.raises(Forbidden):
        domain.to_feedback(of_a_dialogue, by(), CONTROL, "vì")
    with pytest.raises(Forbidden):
        domain.withdrawn(of_a_dialogue, by(), CONTROL, "vì")


ACTS = (
    lambda d, who: feedback.asked(d, by(), who, "Tên thủ tục"),
    lambda d, who: feedback.added(d, by(), who, "Thủ tục kiểm định"),
    lambda d, who: feedback.collecting(d, by(), who, "Mới có một ý kiến"),
    lambda d, who: feedback.forwarded(d, by(), who, BODY, "", "12/SKHCN-VP", date(2022, 4, 26)),
    lambda d, who: domain.to_dialogue(d, by(), who, "Muốn dự đối thoại"),
)


@pytest.mark.parametrize("act", ACTS)
def test_what_only_feedback_has_is_for_those_who_work_on_it(act: Any) -> None:
    _, question = opened()
    assert act(question, OFFICE)
    assert act(question, CONTROL)
    for who in (LEADERSHIP, HEAD):
        with pytest.raises(Forbidden):
            act(question, who)
    with pytest.raises(Conflict):
        act({**question, "source": "registration"}, OFFICE)
    with pytest.raises(Conflict):
        act({**question, "state": "answered"}, OFFICE)
    _, sealed = opened("Tôi tố cáo ông Nguyễn Văn X nhận tiền khi giải quyết hồ sơ của tôi.")
    with pytest.raises(Conflict):
        act(sealed, OFFICE)


def test_two_feedbacks_are_never_merged() -> None:
    _, question = opened()
    with pytest.raises(Conflict):
        domain.merged(question, by(), OFFICE, uuid4(), "vì")


def test_while_it_is_collected_no_clock_runs_and_its_time_begins_anew() -> None:
    _, question = opened()
    collecting = after(question, feedback.collecting(question, by(at(2)), CONTROL, "Mới có một ý kiến"))
    assert (collecting["state"], clocks.running_clock(collecting), collecting["sort_at"]) == ("collecting", None, NO_DUE)
    again = after(collecting, feedback.taken_up(collecting, by(at(20)), CONTROL, "Đã đủ", AGENCY, CALENDAR))
    running = clocks.running_clock(again)
    assert running is not None
    assert (again["state"], running["start"]) == ("triage", at(20))
    assert transferred(again, at(21))["clocks"][-1]["start"] == at(20)


def test_whoever_is_asked_answers_and_is_asked_no_more() -> None:
    _, question = opened()
    asked = after(question, feedback.asked(question, by(), CONTROL, "Tên thủ tục"))
    assert render_question(asked, {}).asked_on == date(2022, 4, 26)
    assert clocks.running_clock(asked) == clocks.running_clock(question)
    added = after(asked, feedback.added(asked, by(at(1)), CONTROL, "Thủ tục kiểm định"))
    assert render_question(added, {}).asked_on is None
    found = domain.Classified(State.PROPOSED, {"unit": UNIT})
    change = domain.Amendment(2, at(1), "Văn bản mới", "d")
    assert after(asked, domain.amended(asked, by(), change, lambda _: found))["asked_on"] is None


def test_a_group_that_its_sender_did_not_know_is_given_once() -> None:
    case, _ = opened(group=6, group_unknown=True)
    assert case["group"] is None
    grouped = after(case, feedback.grouped(case, by(at(1)), CONTROL, 3))
    assert render_case(grouped, {}).group == 3
    with pytest.raises(Conflict):
        feedback.grouped(grouped, by(), CONTROL, 4)
    with pytest.raises(Invalid):
        feedback.grouped(case, by(), CONTROL, 9)
    with pytest.raises(Forbidden):
        feedback.grouped(case, by(), HEAD, 3)


def test_the_control_unit_publishes_what_was_answered() -> None:
    _, question = opened()
    answer = approved(transferred(question), at(1))
    out = after(answer, domain.answered(answer, by(at(1)), CONTROL, "12/SKHCN-VP", date(2022, 4, 27)))
    public = after(out, publishing.published(out, by(at(2)), CONTROL, Wording("Hỏi", "Đáp")))
    assert render_question(public, {}).published_on == date(2022, 4, 28)
    again = after(public, publishing.published(public, by(at(9)), CONTROL, Wording("Hỏi", "Đáp rõ hơn")))
    assert (again["published_on"], again["public_answer"]) == ("2022-04-28", "Đáp rõ hơn")
    with pytest.raises(Conflict):
        publishing.published(question, by(), CONTROL, Wording("Hỏi", "Đáp"))
    with pytest.raises(Forbidden):
        publishing.published(out, by(), HEAD, Wording("Hỏi", "Đáp"))


# Both ways (D3)


def of_a_registration() -> dict[str, Any]:
    _, question = opened()
    return {**question, "source": "registration", "section_no": 3, "dialogue": "son-la-2022-1", "clocks": [], "sort_at": NO_DUE}


def test_what_becomes_feedback_goes_on_with_all_that_was_done() -> None:
    question = of_a_registration()
    question |= {"unit": UNIT, "state": "transferred", "draft": {"kind": "answer", "text": "Dự thảo", "stage": "at_head"}}
    ended = after(question, domain.to_feedback(question, by(at(2)), OFFICE, "Hội nghị đã chuẩn bị xong"))
    assert [entry["do"] for entry in ended["todo"]] == ["continue"], "its case stays open for what it goes on as"
    case = {"_id": ended["case"], "case_number": "SL-2022-000001", "plan": "son-la-2022", "dialogue": "son-la-2022-1"}
    case |= {"received_at": RECEIVED, "recorded_at": RECEIVED, "registration_seq": 1, "source": "registration"}
    new = feedback.follow_up(ended, case, AGENCY, CALENDAR, by(at(2)))
    assert new.id == feedback.follow_up(ended, case, AGENCY, CALENDAR, by(at(3))).id
    goes_on = new.state
    assert (goes_on["source"], goes_on["dialogue"], goes_on["section_no"], goes_on["root"]) == ("feedback", None, 3, ended["_id"])
    assert (goes_on["text"], goes_on["received_at"], goes_on["proposal"]["unit"]) == (TEXT, RECEIVED, UNIT)
    assert goes_on["draft"] == {"kind": "answer", "text": "Dự thảo"}
    assert goes_on["clocks"][0]["start"] == at(2), "the agency has known since then that it is feedback"
    back = {**goes_on, "_id": new.id, "agency": "son-la", "seq": 1, "state": "to_dialogue"}
    in_dialogue = feedback.follow_up(back, case, AGENCY, CALENDAR, by(at(4))).state
    assert (in_dialogue["source"], in_dialogue["dialogue"], in_dialogue["clocks"]) == ("registration", "son-la-2022-1", [])
    assert in_dialogue["root"] == ended["_id"], "an amended section is still found"


def test_a_case_of_feedback_closes_with_its_last_question() -> None:
    case, _ = opened()
    change = afterwards.ended(case, by(at(3)), {State.ANSWERED, State.TO_FEEDBACK})
    assert after(case, change)["status"] == "closed"
    taken_back = afterwards.ended(case, by(at(3)), {State.WITHDRAWN, State.TO_FEEDBACK})
    assert after(case, taken_back)["status"] == "withdrawn", "what it became was withdrawn: nothing of it was answered"


def test_what_its_sender_changes_is_taken_over_as_a_form_of_one_section() -> None:
    added = {"at": at(1), "text": "Thêm"}
    sheet = feedback.as_registration(event(additions=[added], status="withdrawn", withdrawal_reason="vì")).data
    assert [(s.no, s.text, [a.text for a in s.additions or ()]) for s in sheet.sections] == [(1, TEXT, ["Thêm"])]
    assert (sheet.status, sheet.withdrawal_reason) == ("withdrawn", "vì")


# Its words (texts: PAKN)


def told(state: State, **changes: Any) -> str:
    values = {"case": uuid4(), "case_number": "SL-2022-000001", "source": "feedback", "state": state} | changes
    return views.feedback_view("Nội dung", TEXT, QuestionStateData.model_validate(values), at(1)).state


@pytest.mark.parametrize("state", [s for s in State if s is not State.NEW])
def test_every_state_has_its_words_and_none_speaks_of_the_meeting(state: State) -> None:
    words = told(state, outcome_body="Sở Xây dựng", outcome_on=date(2022, 5, 4))
    assert words
    if state not in (State.RESOLVED, State.TO_DIALOGUE):
        assert "Hội nghị" not in words


def test_the_words_of_the_texts() -> None:
    assert told(State.TRIAGE) == "Đã tiếp nhận"
    assert told(State.SUBMITTED) == told(State.TO_WRITE) == "Đang xử lý"
    assert told(State.TRIAGE, asked_on=date(2022, 4, 27)) == "Đề nghị bổ sung thông tin"
    assert told(State.GUIDED, outcome_body="Sở Xây dựng", outcome_on=date(2022, 5, 4)) == "Đã chuyển Sở Xây dựng ngày 04/5/2022"
    assert told(State.COLLECTING) == "Đã ghi nhận, tiếp tục tập hợp"
    assert (told(State.ANSWERED), told(State.ANSWERED, public_answer="Đáp")) == ("Đã trả lời", "Đã công khai")
    assert told(State.TRIAGE, sealed=True) == "Đang được xem xét"


def test_its_history_says_once_that_it_was_received() -> None:
    case, question = opened()
    question = transferred(question, at(1))
    document = {
        "_id": case["_id"],
        "source": CaseSource.FEEDBACK,
        "steps": [{"state": "received", "at": RECEIVED}],
        "sections": [{"no": 1, "title": "Nội dung"}],
    }
    shown = {question["_id"]: render_question(question, {})}
    assert views.timeline(document, render_case(case, {}), shown) == [
        (RECEIVED, "Sở tiếp nhận phản ánh, kiến nghị", ""),
        (at(1), "Đang xử lý", ""),
    ]


# How it is counted (K7)


def figures(*documents: dict[str, Any]) -> list[QuestionFigures]:
    return [QuestionFigures.model_validate(render_question(d, {}).model_dump()) for d in documents]


def report(cases: Sequence[CaseState], questions: Sequence[QuestionFigures], last: datetime) -> dict[str, dict[str, list[int]]]:
    """Table → line → numbers, of the period that begins with the receipt."""
    period = dates(RECEIVED.date(), last.date())
    flows = [flow for fact in (*map(case_fact, cases), *map(question_fact, questions)) for flow in fact.flows]
    until = last.date() + timedelta(days=1)
    drawn = build(AGENCY, period, until, Tally(sums_of(flows, period.first_day, until)))
    assert drawn.adds_up, [check.text for check in drawn.checks if not check.holds]
    return {table.code: {row.label: [v.n for v in row.values] for row in table.rows} for table in drawn.tables}


def test_feedback_is_counted_once_and_apart_from_the_dialogues() -> None:
    case, question = opened()
    question = approved(transferred(question, at(1)), at(2))
    out = after(question, domain.answered(question, by(at(3)), CONTROL, "12/SKHCN-VP", date(2022, 4, 29)))
    public = after(out, publishing.published(out, by(at(3)), CONTROL, Wording("Hỏi", "Đáp")))
    tables = report([render_case(case, {})], figures(public), at(5))
    assert tables["tong-hop"]["Phản ánh, kiến nghị tiếp nhận"] == [1, 0]
    assert tables["tong-hop"]["Nội dung tiếp nhận"] == [0, 0]
    assert tables["phieu"]["Cộng"][-2] == 0
    assert tables["pakn"]["Cộng"] == [1, 0, 0, 0, 1, 0]
    assert tables["pakn-nhom"]["Nhóm 2"] == [1, 0]
    assert tables["pakn-ket-qua"]["Đã trả lời bằng văn bản"] == [1, 0]
    assert tables["pakn-ket-qua"]["Trong đó đã công khai kết quả"] == [1, 0]
    assert tables["pakn-thoi-han"]["Trả lời phản ánh, kiến nghị"][:3] == [1, 0, 1]
    assert tables["pakn-thoi-han"]["Chuyển cơ quan có thẩm quyền"] == [0] * 6, "it was ours: nothing was to be forwarded"
    assert tables["thoi-han-don-vi"]["Cộng"] == [0] * 6


@pytest.mark.parametrize(("days", "in_time"), [(5, True), (14, False)])
def test_what_a_unit_had_in_between_is_forwarded_in_time_or_late_by_the_day_of_receipt(days: int, in_time: bool) -> None:
    case, question = opened()
    draft = Draft(domain.GUIDANCE, "Thuộc Sở Xây dựng", body=BODY)
    guided = approved(transferred(question, at(1)), at(days), draft)
    assert [clock["kind"] for clock in guided["clocks"]] == ["forward", "feedback", "forward"]
    lines = report([render_case(case, {})], figures(guided), at(20))["pakn-thoi-han"]
    assert lines["Chuyển cơ quan có thẩm quyền"] == [int(in_time), int(not in_time), 1, 0, 0, 0]
    assert lines["Trả lời phản ánh, kiến nghị"] == [0] * 6


def test_a_registration_that_became_feedback_is_counted_as_both_once_each() -> None:
    steps = [("open", RECEIVED), ("to_feedback", at(2))]
    case = CaseState.model_validate(
        {"case_number": "1", "plan": "p", "source": "registration", "channel": "web", "received_at": RECEIVED}
        | {"status": "to_feedback", "steps": [{"n": n, "at": a, "known_at": a, "state": s} for n, (s, a) in enumerate(steps, 1)]}
    )
    question = of_a_registration()
    ended = after(question, domain.to_feedback(question, by(at(2)), OFFICE, "vì"))
    row = {"_id": ended["case"], "case_number": "1", "plan": "p", "dialogue": "d", "received_at": RECEIVED}
    row |= {"recorded_at": RECEIVED, "registration_seq": 1, "source": "registration"}
    new = feedback.follow_up(ended, row, AGENCY, CALENDAR, by(at(2)))
    tables = report([case], figures(ended, {"_id": new.id, "seq": 1, **new.state}), at(5))
    assert tables["phieu"]["Cộng"][-2] == 1
    assert tables["pakn"]["Cộng"][-2:] == [1, 1]
    assert tables["ket-qua"]["Chuyển thành phản ánh, kiến nghị"] == [1, 0]
    assert tables["pakn-bien-dong"]["Đang giải quyết đến ngày chốt"] == [1]
    # Its sender takes it back: it ends as feedback, once, and what was a dialogue's stays what it was.
    goes_on = {"_id": new.id, "agency": "son-la", "seq": 1, **new.state}
    taken_back = after(goes_on, domain.withdrawn(goes_on, by(at(3), "registrant"), REGISTRANT))
    tables = report([case], figures(ended, taken_back), at(5))
    assert tables["ket-qua"]["Chuyển thành phản ánh, kiến nghị"] == [1, 0]
    assert tables["pakn-ket-qua"]["Người gửi rút"] == [1, 0]
    assert tables["pakn-bien-dong"]["Đang giải quyết đến ngày chốt"] == [0]


def test_feedback_taken_into_a_dialogue_is_counted_as_both_once_each() -> None:
    case, question = opened()
    turned = {**case, "status": "open", "plan": "p", "dialogue": "d", "feedback": False}
    turned["steps"] = [*case["steps"], {"n": 2, "at": at(2), "known_at": at(2), "state": "open"}]
    ended = after(question, domain.to_dialogue(question, by(at(2)), CONTROL, "Muốn dự"))
    new = feedback.follow_up(ended, turned, AGENCY, CALENDAR, by(at(2)))
    tables = report([render_case(turned, {})], figures(ended, {"_id": new.id, "seq": 1, **new.state}), at(5))
    assert tables["pakn"]["Cộng"][-2:] == [1, 0]
    assert tables["phieu"]["Cộng"][-2] == 1
    assert tables["pakn-ket-qua"]["Đưa vào Hội nghị đối thoại"] == [1, 0]
    assert tables["bien-dong"]["Đang giải quyết đến ngày chốt"] == [1]


def test_a_group_given_later_moves_it_on_that_day_and_not_before() -> None:
    case, _ = opened(group=6, group_unknown=True)
    grouped = render_case(after(case, feedback.grouped(case, by(at(3)), CONTROL, 3)), {})
    before, now = (report([grouped], [], at(day))["pakn-nhom"] for day in (2, 3))
    assert (before["Chưa phân nhóm"], before["Nhóm 3"]) == ([1, 0], [0, 0])
    assert (now["Chưa phân nhóm"], now["Nhóm 3"]) == ([0, 0], [1, 0])


days = st.floats(0.01, 6)


@given(st.lists(days, min_size=6, max_size=6), st.sampled_from(("answer", "guidance", "collect", "dialogue", "return")))
def test_what_a_report_of_an_earlier_day_says_is_never_changed(gaps: list[float], way: str) -> None:
    """Each later state of a feedback has all the flows that an earlier one had up to its day (K7: locked at the cut-off)."""
    now, moments = 0.0, []
    for gap in gaps:
        now += gap
        moments.append(at(now))
    _, question = opened()
    history = [(RECEIVED, question)]

    def then(moment: datetime, change: Change) -> dict[str, Any]:
        history.append((moment, after(history[-1][1], change)))
        return history[-1][1]

    if way == "collect":
        then(moments[0], feedback.collecting(question, by(moments[0]), CONTROL, "vì"))
        question = then(moments[1], feedback.taken_up(history[-1][1], by(moments[1]), CONTROL, "vì", AGENCY, CALENDAR))
    if way == "dialogue":
        then(moments[0], domain.to_dialogue(question, by(moments[0]), CONTROL, "vì"))
    else:
        clock = feedback.answer_clock(question, AGENCY, CALENDAR)
        question = then(moments[2], domain.transferred(question, by(moments[2]), CONTROL, UNIT, clock))
        if way == "return":
            question = then(moments[3], domain.returned(question, by(moments[3]), HEAD, "vì"))
            question = then(moments[3], domain.transferred(question, by(moments[3]), CONTROL, UNIT, None))
        draft = Draft(domain.GUIDANCE if way == "guidance" else domain.ANSWER, "Trả lời", body=BODY)
        question = then(moments[3], domain.drafted(question, by(moments[3]), HEAD, draft))
        question = then(moments[3], domain.submitted(question, by(moments[3]), HEAD))
        question = then(moments[4], domain.approved(question, by(moments[4]), LEADERSHIP))
        if way != "guidance":
            then(moments[5], domain.answered(question, by(moments[5]), CONTROL, "12", moments[5].date()))
    for (_, earlier), (moment, later) in pairwise(history):
        day = moment.date()
        (one,), (other,) = figures(earlier), figures(later)
        said, says = (
            sorted((f.day, f.about, f.measure, f.key, f.n) for f in question_fact(each).flows if f.day < day)
            for each in (one, other)
        )
        assert said == says
