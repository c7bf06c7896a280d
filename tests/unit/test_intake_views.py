"""The words a registrant reads: every state has them, a sealed question has no others (D6, texts of states)."""

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4, uuid5

import pytest

from contracts.model import CaseState, CaseStatus, Clock, DialogueState, QuestionState, QuestionStateData
from kit.clock import TZ
from services.intake.views import case_words, question_view, question_views, when

NOW = datetime(2022, 5, 6, 9, tzinfo=TZ)
REGISTRATION = UUID("018f0000-0000-7000-8000-000000000001")


def question(state: QuestionState, **changes: object) -> QuestionStateData:
    values = {"case": REGISTRATION, "case_number": "SL-2022-000001", "state": state} | changes
    return QuestionStateData.model_validate(values)


def clock(due_on: date, **changes: object) -> Clock:
    due_at = datetime.combine(due_on + timedelta(days=1), datetime.min.time(), TZ)
    values = {"kind": "preparation", "rule": "D7", "start": NOW, "due_on": due_on, "due_at": due_at, "calendar_version": "1"}
    return Clock.model_validate(values | {"explanation": "Nhận 29/4"} | changes)


@pytest.mark.parametrize("state", list(QuestionState))
def test_every_state_has_its_words(state: QuestionState) -> None:
    assert question_view("1. Mục", "x", question(state), NOW).state


def case(status: CaseStatus) -> CaseState:
    values = {"case_number": "SL-2022-000001", "plan": "p", "dialogue": "p-1", "source": "registration", "received_at": NOW}
    return CaseState.model_validate(values | {"status": status})


def test_every_stage_of_a_registration_has_its_own_words() -> None:
    assert case_words({"late": False}, None) == "Đã tiếp nhận"
    assert case_words({"late": True}, None) == case_words({"late": True}, case(CaseStatus.LATE))
    assert len({case_words({"late": False}, case(status)) for status in CaseStatus}) == len(CaseStatus)
    assert case_words({"late": False}, case(CaseStatus.INVITED)).startswith("Đã gửi giấy mời")


def test_a_closed_registration_is_answered_unless_a_question_became_feedback() -> None:
    closed, answered = case(CaseStatus.CLOSED), question(QuestionState.RESOLVED)
    assert case_words({"late": False}, closed, [answered]) == "Đã trả lời đủ các nội dung"
    feedback = question(QuestionState.TO_FEEDBACK)
    assert case_words({"late": False}, closed, [answered, feedback]) == "Được xử lý như phản ánh, kiến nghị"


def test_a_sealed_question_says_nothing_but_that_it_is_looked_at() -> None:
    view = question_view("1. Mục", "x", question(QuestionState.TRIAGE, sealed=True, answer="y", outcome_body="z"), NOW)
    assert (view.state, view.text, view.answer, view.outcome, view.next) == ("Đang được xem xét", "", "", "", "")
    assert view.due_on is None


def test_an_excluded_question_says_that_a_letter_went_out_and_no_more() -> None:
    excluded = question(QuestionState.EXCLUDED, sealed=True, answer="y", outcome_body="z", outcome_number="12")
    view = question_view("1. Mục", "x", excluded, NOW)
    assert (view.state, view.text, view.answer, view.outcome, view.next) == ("Đã có văn bản trả lời", "", "", "", "")


def test_the_answer_is_not_shown_before_the_meeting() -> None:
    assert question_view("1", "x", question(QuestionState.READY, answer="y"), NOW).answer == ""
    assert question_view("1", "x", question(QuestionState.RESOLVED, answer="y"), NOW).answer == "y"


def test_a_deadline_is_late_from_the_end_of_its_day() -> None:
    asked = question(QuestionState.TRANSFERRED, clocks=[clock(date(2022, 5, 5))])
    assert question_view("1", "x", asked, NOW).overdue == "Chậm so với thời hạn 05/5/2022; Văn phòng Sở đang đôn đốc"
    last_second = datetime(2022, 5, 5, 23, 59, 59, tzinfo=TZ)
    assert question_view("1", "x", asked, last_second).overdue == ""
    stopped = question(QuestionState.SUBMITTED, clocks=[clock(date(2022, 5, 5), stopped_at=last_second)])
    assert question_view("1", "x", stopped, NOW).overdue == ""


def test_an_extended_deadline_and_a_written_answer_name_their_day() -> None:
    extended = question(QuestionState.TRANSFERRED, clocks=[clock(date(2022, 5, 9), extended=True)])
    assert question_view("1", "x", extended, NOW).due_label == "Thời hạn mới"
    to_write = question(QuestionState.TO_WRITE, clocks=[clock(date(2022, 5, 9), kind="written")])
    assert question_view("1", "x", to_write, NOW).state == "Sẽ trả lời bằng văn bản, chậm nhất ngày 09/5/2022 (thứ Hai)"


def test_parts_of_a_split_stand_behind_their_section() -> None:
    document = {
        "_id": REGISTRATION,
        "sections": [{"no": 1, "title": "Một", "text": "a"}, {"no": 2, "title": "Hai", "text": "b"}],
    }
    first = uuid5(REGISTRATION, "1")
    child = uuid4()
    known = {first: question(QuestionState.TRIAGE), child: question(QuestionState.TRANSFERRED, parent=first)}
    views = question_views(document, known, NOW)
    assert [v.title for v in views] == ["1. Một", "1. Một (phần 2)", "2. Hai"]
    assert [v.state for v in views] == ["Đang phân loại", "Đơn vị chuyên môn đang nghiên cứu trả lời", "Đã tiếp nhận"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Ngày tổ chức chưa ấn định; Sở sẽ báo Ông/Bà ngay khi có"),
        (
            {"window_from": date(2022, 4, 1), "window_to": date(2022, 6, 30)},
            "Trong quý II năm 2022; thời gian cụ thể sẽ được thông báo",
        ),
        (
            {"window_from": date(2022, 10, 1), "window_to": date(2022, 12, 31)},
            "Trong quý IV năm 2022; thời gian cụ thể sẽ được thông báo",
        ),
        (
            {"window_from": date(2022, 3, 15), "window_to": date(2022, 6, 14)},
            "Từ ngày 15/3/2022 đến ngày 14/6/2022; thời gian cụ thể sẽ được thông báo",
        ),
        ({"starts_at": datetime(2022, 5, 11, 8, tzinfo=TZ)}, "08 giờ 00, ngày 11/5/2022 (thứ Tư)"),
    ],
)
def test_when_a_dialogue_is_as_far_as_it_is_known(changes: dict[str, object], words: str) -> None:
    state = DialogueState.model_validate(
        {"plan": "p", "plan_number": "1", "plan_title": "t", "year": 2022, "ordinal": 1} | changes
    )
    assert when(state) == words
