"""The rules of dialogues without a database: dated acts, waves, the agenda, the notice drafted from outcomes (D1, D8-D12)."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.sample import moved
from contracts.model import SEATLESS, CaseStatus, ConclusionItem, Mode, QuestionState
from deploy.local.paths import ROOT
from kit.acting import Acting
from kit.agency import load_agencies
from kit.backplan import BackPlanRules
from kit.calendar import WorkCalendar, load_calendar
from kit.clock import TZ, local_date
from kit.errors import Conflict, Invalid
from kit.mongo import Document
from kit.samples import load_sample
from services.routing.dialogues import agenda, conclusion, domain, waves
from services.routing.dialogues.domain import Terms
from services.routing.questions.registrations import was_open

CALENDAR: WorkCalendar = load_calendar(ROOT / "agencies" / "calendars" / "vn.yaml")
SON_LA = BackPlanRules(3, False, 5, 3, 5)
BAC_KAN = BackPlanRules(3, False, None, 3, 5)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=TZ)


TODAY = at(2022, 4, 4, 9)


def acting(now: datetime = TODAY) -> Acting:
    return Acting("son-la", "vanphong", now)


def dialogue(terms: Terms, rules: BackPlanRules = SON_LA, **more: Any) -> Document:
    plan = {"_id": "son-la-2022", "number": "12/KH-SKHCN", "title": "Kế hoạch", "year": 2022}
    state, acts = domain.new_dialogue(acting(), plan, 1, terms, CALENDAR, rules)
    return {"_id": "son-la-2022-1", "agency": "son-la", **state, "seq": len(acts), **more}


def changed(document: Document, decide: Any) -> Document:
    """The document after a decision, as the outbox would leave it."""
    change = decide(document)
    return document if change is None else {**document, **change.set, "seq": document["seq"] + len(change.acts)}


DATED = Terms(starts_at=at(2022, 5, 11, 8), place="Hội trường")


# Terms and deadlines


def test_s1_deadlines_of_a_dated_meeting() -> None:
    counted = dialogue(DATED)["deadlines"]
    assert {name: d["due_on"] for name, d in counted.items()} == {
        "report": "2022-05-04",
        "invitation": "2022-05-06",
        "conclusion": "2022-05-18",
    }


def test_named_dates_never_move_and_d8_by_mistake_is_warned_of() -> None:
    bac_kan = Terms(
        starts_at=at(2021, 11, 26, 14), closes_at=at(2021, 11, 20, 17, 30), invitations_due=date(2021, 11, 21), place="Tầng 2"
    )
    counted = domain.deadlines(CALENDAR, BAC_KAN, bac_kan)
    assert counted["invitation"]["due_on"] == "2021-11-21"
    assert "report" not in counted
    by_mistake = domain.plan_back(CALENDAR, SON_LA, bac_kan)
    assert by_mistake is not None
    assert by_mistake.report is not None
    assert by_mistake.report.due_on == date(2021, 11, 19)
    assert any("báo cáo Giám đốc" in warning for warning in by_mistake.warnings)


def test_fixing_a_date_is_told_as_fixed_and_changing_it_as_moved() -> None:
    undated = dialogue(Terms(window_from=date(2022, 4, 1), window_to=date(2022, 6, 30)))
    assert undated["deadlines"] == {}
    fixed = changed(undated, domain.change_dialogue(acting(), DATED, "ấn định ngày", CALENDAR, SON_LA))
    later = DATED.model_copy(update={"starts_at": at(2022, 5, 12, 8)})
    moved_to = changed(fixed, domain.change_dialogue(acting(), later, "trùng lịch", CALENDAR, SON_LA))
    assert [f["kind"] for f in moved_to["fanouts"]] == ["date_fixed", "rescheduled"]
    assert moved_to["fanouts"][1]["args"]["was"] == at(2022, 5, 11, 8)
    assert moved_to["told"] == [2, 3]
    assert moved_to["unfinished"] == ["date_fixed-2", "rescheduled-3"]


def test_chair_or_closing_alone_is_nobodys_letter() -> None:
    fixed = dialogue(DATED)
    other = DATED.model_copy(update={"chair": "Phó Giám đốc Sở", "closes_at": at(2022, 4, 27, 17)})
    after = changed(fixed, domain.change_dialogue(acting(), other, "Giám đốc ủy quyền", CALENDAR, SON_LA))
    assert after["chair"] == "Phó Giám đốc Sở"
    assert after["fanouts"] == []


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (Terms(starts_at=at(2022, 5, 11, 8)), "place"),
        (DATED.model_copy(update={"closes_at": at(2022, 5, 11, 8)}), "closes_at"),
        (DATED.model_copy(update={"online_link": "http://hop.example"}), "online_link"),
        (DATED.model_copy(update={"starts_at": at(2022, 4, 4, 8)}), "starts_at"),
        (DATED.model_copy(update={"capacity": 0}), "capacity"),
        (DATED.model_copy(update={"capacity": 10_001}), "capacity"),
        (Terms(place="Hội trường"), "starts_at"),
    ],
)
def test_terms_that_cannot_be_are_refused_at_their_field(terms: Terms, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        changed(dialogue(DATED), domain.change_dialogue(acting(), terms, "đổi", CALENDAR, SON_LA))
    assert list(refused.value.errors) == [field]


def test_seats_are_named_later_too_and_are_nobodys_letter() -> None:
    before = dialogue(DATED)
    del before["capacity"]  # as an older version left it
    after = changed(
        before, domain.change_dialogue(acting(), DATED.model_copy(update={"capacity": 60}), "hội trường", CALENDAR, SON_LA)
    )
    assert domain.state_of(after).capacity == 60
    assert after["fanouts"] == []


def test_who_takes_a_seat() -> None:
    cases = [{"source": "registration", "status": status} for status in CaseStatus] + [
        {"source": "walk_in", "status": "attended"}
    ]
    assert agenda.seated(cases) == len(CaseStatus) - len(SEATLESS)
    assert agenda.seated([{"source": "registration", "status": "late"}]) == 0


def test_the_closing_minute_is_still_in_time() -> None:
    closing = dialogue(DATED.model_copy(update={"closes_at": at(2022, 4, 27, 17, 30)}))
    assert was_open(closing, at(2022, 4, 27, 17, 30) + timedelta(seconds=59))
    assert not was_open(closing, at(2022, 4, 27, 17, 31))


def test_a_meeting_is_held_neither_before_its_day_nor_in_the_future() -> None:
    for day, now in ((date(2022, 5, 10), at(2022, 5, 11, 12)), (date(2022, 5, 12), at(2022, 5, 11, 12))):
        with pytest.raises(Invalid):
            changed(dialogue(DATED), domain.hold_dialogue(acting(now), day))


# Waves


DRAFT = waves.WaveDraft(
    guests="tổ chức, cá nhân", subject="Dự Hội nghị", participants="", signer_title="GIÁM ĐỐC", signer_name="A"
)


def test_a_wave_goes_from_draft_to_issue_in_order_alone() -> None:
    document = dialogue(DATED)
    with pytest.raises(Conflict):
        changed(document, waves.number_wave(acting(), 1, "5", date(2022, 4, 4), require_signed_file=False))
    drafted = changed(document, waves.draft_wave(acting(), DRAFT, 1))
    with pytest.raises(Invalid):
        changed(drafted, waves.number_wave(acting(), 1, "5", date(2022, 4, 4), require_signed_file=True))
    numbered = changed(drafted, waves.number_wave(acting(), 1, "5", date(2022, 4, 4), require_signed_file=False))
    with pytest.raises(Conflict):
        changed(numbered, waves.draft_wave(acting(), DRAFT.model_copy(update={"guests": "khác"}), 1))
    assert waves.next_step(numbered, require_signed_file=False) == "Phát hành giấy mời đợt 1"


# The notice


CHAIR = "Giám đốc Sở"
MEETING = conclusion.Meeting(
    agency_name="Sở Khoa học và Công nghệ tỉnh Bắc Kạn",
    ordinal=1,
    year=2021,
    held_on=date(2021, 11, 26),
    place="phòng họp tầng 2",
    mode=Mode.IN_PERSON,
    chair=CHAIR,
    units={"van-phong": "Văn phòng Sở", "thanh-tra": "Thanh tra Sở"},
    written_days="03 ngày kể từ ngày ban hành Thông báo này",
)


def case(n: int, **more: Any) -> Document:
    return {
        "_id": UUID(int=n),
        "status": "attended",
        "source": "registration",
        "kind": "individual",
        "attendance": "attended",
        "speaking_order": n,
        "received_at": at(2021, 11, 12),
        **more,
    }


def question(of: int, n: int, state: str, **more: Any) -> Document:
    return {"_id": UUID(int=of * 100 + n), "case": UUID(int=of), "section_no": n, "state": state, "sealed": False, **more}


HELD: Document = {"held_on": "2021-11-26"}


def drafted(cases: list[Document], questions: list[Document]) -> tuple[ConclusionItem, ...]:
    items = agenda.agenda(HELD, cases, questions)
    return conclusion.draft(MEETING, agenda.attendance(cases), items, signer=("GIÁM ĐỐC", "A"), recipients=()).items


def test_s5_the_notice_is_drafted_from_the_outcomes() -> None:
    cases = [
        case(1),
        case(2, kind="cooperative", attendance="substitute", status="substitute"),
        case(3, kind="enterprise", attendance="absent", status="absent"),
        case(4),
        case(5),
        case(6, source="walk_in", speaking_order=None),
    ]
    questions = [
        question(1, 1, "resolved"),
        question(1, 2, "to_write", unit="van-phong"),
        question(2, 1, "resolved"),
        question(3, 1, "answered", outcome="answered_to_absent"),
        question(4, 1, "escalated", outcome_body="Bộ Khoa học và Công nghệ"),
        question(5, 1, "resolved"),
        question(6, 1, "to_write", unit="thanh-tra", clocks=[{"kind": "written", "stopped_at": None, "due_on": "2021-12-13"}]),
    ]
    texts = {item.heading: item.text for item in drafted(cases, questions)}
    assert list(texts.values()) == [
        "Nội dung số 1, 3, 6.",
        "Giao Văn phòng Sở tham mưu trả lời nội dung số 2, trong thời hạn 03 ngày kể từ ngày ban hành Thông báo này; "
        "giao Thanh tra Sở tham mưu trả lời nội dung số 7, xong chậm nhất ngày 13/12/2021.",
        "Tiếp thu, kiến nghị Bộ Khoa học và Công nghệ xem xét nội dung số 5.",
        "Giao Văn phòng Sở gửi kết quả trả lời nội dung số 4 theo địa chỉ ghi trên phiếu đăng ký.",
        "Giao Văn phòng Sở thông báo kết quả đến tổ chức, cá nhân; theo dõi, đôn đốc việc thực hiện.",
    ]
    figures = agenda.attendance(cases)
    assert (figures.invited, figures.present, figures.absent, figures.walk_ins) == (5, 4, 1, 1)


def test_who_was_answered_apart_from_the_meeting_is_not_counted_at_it() -> None:
    cases = [
        case(1, status="closed", invitation_number="27"),
        case(2, status="closed", invitation_number=None, attendance=None),
        case(3, status="closed", invitation_number=None, source="walk_in"),
    ]
    figures = agenda.attendance(cases)
    assert (figures.invited, figures.present, figures.walk_ins) == (1, 1, 1)
    questions = [question(n, 1, "guided", outcome_on="2021-11-26") for n in (1, 2, 3)]
    assert [item.case["_id"].int for item in agenda.agenda(HELD, cases, questions)] == [1, 3]


def test_kept_out_and_guided_before_the_meeting_are_not_on_the_agenda() -> None:
    cases = [case(1)]
    questions = [
        question(1, 1, "sealed", sealed=True),
        question(1, 2, "excluded"),
        question(1, 3, "guided", outcome_on="2021-11-20"),
        question(1, 4, "guided", outcome_on="2021-11-26"),
        question(1, 5, "withdrawn"),
        question(1, 6, "to_feedback"),
    ]
    assert [item.question["section_no"] for item in agenda.agenda(HELD, cases, questions)] == [4]


OUTCOMES = st.sampled_from(["resolved", "to_write", "escalated", "guided", "adopted", "answered"])


@given(st.lists(st.tuples(OUTCOMES, st.booleans()), max_size=12))
def test_every_content_with_an_outcome_is_in_exactly_one_conclusion(outcomes: list[tuple[str, bool]]) -> None:
    cases = [case(n, attendance="absent" if absent else "attended") for n, (_, absent) in enumerate(outcomes, 1)]
    questions = [
        question(n, 1, "answered" if absent else "resolved" if state == "answered" else state, outcome_on="2021-11-26")
        for n, (state, absent) in enumerate(outcomes, 1)
    ]
    *found, last = drafted(cases, questions)
    numbers = [int(n) for item in found for n in _numbers(item.text)]
    assert sorted(numbers) == list(range(1, len(outcomes) + 1))
    assert last.heading == "Tổ chức thực hiện"


def _numbers(text: str) -> list[str]:
    """The contents a conclusion names: what follows "nội dung số" up to the clause's end."""
    found: list[str] = []
    for part in text.casefold().split("nội dung số ")[1:]:
        for word in part.replace(";", " ;").replace(".", " ;").split(" "):
            if not word.rstrip(",").isdigit():
                break
            found.append(word.rstrip(","))
            if not word.endswith(","):
                break
    return found


def test_the_public_copy_names_nobody_who_registered() -> None:
    text = conclusion.draft(MEETING, agenda.attendance([]), [], signer=("GIÁM ĐỐC", "Hà Văn Mẫu"), recipients=())
    assert not conclusion.named_persons(text, ["Lò Thị Hoa", "Hà Văn Mẫu"])
    assert conclusion.named_persons(text.model_copy(update={"closing": "Cảm ơn bà LÒ THỊ HOA."}), ["Lò Thị Hoa"])


def test_states_that_an_outcome_leaves_are_all_worded() -> None:
    from services.routing.dialogues.letters import OUTCOMES as WORDS
    from services.routing.questions.states import AFTER_MEETING

    assert set(WORDS) >= AFTER_MEETING
    assert QuestionState.SEALED not in WORDS


# Samples moved to today


@given(st.dates(date(2024, 1, 1), date(2030, 12, 31)))
def test_samples_are_open_today_and_close_in_about_three_weeks(today: date) -> None:
    for loaded in SAMPLES:
        sample = moved(loaded, today)
        assert local_date(sample.plan.opens_at) <= today
        for held in sample.dialogues:
            if held.closes_at is not None and held.starts_at is not None:
                assert 14 <= (local_date(held.closes_at) - today).days <= 21
                assert held.closes_at.weekday() == 5
                assert held.closes_at < held.starts_at
            elif held.ordinal == 1 and held.window_from and held.window_to:
                assert held.window_from <= today + timedelta(weeks=4) <= held.window_to


@given(st.dates(date(2024, 1, 1), date(2030, 12, 31)))
def test_every_dialogue_of_a_sample_lies_in_the_year_that_its_plan_names(today: date) -> None:
    for loaded in SAMPLES:
        sample = moved(loaded, today)
        assert str(sample.plan.year) in sample.plan.title
        before = date.min
        for held in sample.dialogues:
            first, last = held.window_from, held.window_to
            if held.starts_at is not None:
                first = last = local_date(held.starts_at)
            assert first is not None
            assert last is not None
            assert first.year == last.year == sample.plan.year
            assert before <= first < last or held.starts_at is not None
            before = first


def test_the_windows_of_a_sample_keep_their_distance_where_the_year_has_room() -> None:
    sample = load_sample(ROOT / "agencies", AGENCIES["son-la"])

    def quarters(today: date) -> list[tuple[int, int]]:
        windows = [d.window_from for d in moved(sample, today).dialogues if d.window_from]
        return [(day.year, (day.month - 1) // 3 + 1) for day in windows]

    assert quarters(date(2026, 2, 1)) == [(2026, 1), (2026, 3)]
    assert quarters(date(2026, 5, 1)) == [(2026, 2), (2026, 4)]
    assert quarters(date(2026, 8, 1)) == [(2026, 3), (2026, 4)]
    assert quarters(date(2026, 11, 1)) == [(2026, 4), (2026, 4)]
    assert quarters(date(2026, 12, 10)) == [(2027, 1), (2027, 3)]


AGENCIES = load_agencies(ROOT / "agencies")
SAMPLES = [load_sample(ROOT / "agencies", agency) for agency in AGENCIES.values()]
