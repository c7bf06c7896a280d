"""Published answers are found however somebody types: without accents, in any order, from the first letters on."""

import string
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import CalendarYear, QuestionState
from kit.agency import Agency, Position, load_agencies
from kit.calendar import load_calendar
from kit.clock import TZ
from kit.text import bare_words, without_accents
from services.intake.site import domain
from services.intake.site.domain import Answer
from tests.site import ANSWERS, answer_state, question_id

AGENCIES = load_agencies(Path("agencies"))
SON_LA: Agency = AGENCIES["son-la"]
CALENDAR = load_calendar(Path("agencies/calendars/vn.yaml"))
CONFIRMED = CALENDAR.with_entries([CalendarYear(what="confirmed", year=2026, name="Quyết định mẫu")])
VIETNAMESE = st.text(st.sampled_from("aăâbcdđeêghiklmnoôơpqrstuưvxyáàảãạắằấầéèếềíìóòốồớờúùứừýỳ ,.?ĐÁẾ"), max_size=80)


def keys(n: int = 0, **changes: object) -> set[str]:
    kept = domain.published(question_id(n), answer_state(n, *ANSWERS[n], **changes))
    assert kept is not None
    return set(kept["keys"])


def finds(typed: str, n: int) -> bool:
    return set(domain.terms(typed)) <= keys(n)


@pytest.mark.parametrize(
    "typed",
    ["nhãn hiệu tập thể", "nhan hieu tap the", "NHÃN HIỆU", "thể tập hiệu nhãn", "nhan hi", "chè hợp tác xã", "so huu tri tue"],
)  # fmt: skip
def test_an_answer_is_found(typed: str) -> None:
    assert finds(typed, 2)


@pytest.mark.parametrize("typed", ["bức xạ", "nhãn hiệu sáng chế", "hieux"])
def test_an_answer_that_lacks_a_word_is_not_found(typed: str) -> None:
    assert not finds(typed, 2)


@given(VIETNAMESE, VIETNAMESE)
def test_accents_never_matter(question: str, typed: str) -> None:
    """Whatever is asked and typed: with accents, without, in capitals, composed or not, the same is found."""
    known = domain.beginnings([question])
    assert known == domain.beginnings([without_accents(question)]) == domain.beginnings([question.upper()])
    assert domain.terms(typed) == domain.terms(without_accents(typed)) == domain.terms(typed.upper())
    assert domain.pairs(question) == domain.pairs(without_accents(question))


@given(VIETNAMESE, st.data())
def test_every_beginning_of_words_of_a_text_in_any_order_finds_it(question: str, data: st.DataObject) -> None:
    words = question.split()
    chosen = data.draw(st.lists(st.sampled_from(words), max_size=domain.MOST_TERMS)) if words else []
    typed = " ".join(word[: data.draw(st.integers(1, len(word)))] for word in chosen)
    assert set(domain.terms(typed)) <= domain.beginnings([question])


@given(st.text())
def test_any_text_can_be_typed_and_no_word_is_taken_for_a_mark(typed: str) -> None:
    for term in [*domain.terms(typed), *domain.beginnings([typed])]:
        assert ":" not in term
        assert " " not in term
        assert term != domain.ALL
    assert len(domain.terms(typed)) <= domain.MOST_TERMS
    assert len(domain.typed_pairs(typed)) <= domain.MOST_PAIRS


def test_an_answer_is_marked_with_year_section_and_dialogue() -> None:
    found = keys()
    assert {domain.ALL, "nam:2026", "muc:ve-linh-vuc-quan-ly-khoa-hoc", "hoi-nghi:son-la-2026-1"} <= found
    assert "nam:2025" in keys(outcome_on=date(2025, 12, 30)), "the year in which it was answered"
    kept = domain.published(uuid4(), answer_state(0, *ANSWERS[0], outcome_on=date(2025, 12, 30), published_on=date(2026, 1, 5)))
    assert kept is not None
    assert kept["on"] == "2025-12-30", "filed and shown by one day"
    assert not any(key.startswith("hoi-nghi:") for key in keys(dialogue=None))
    filed = keys(section_title="Phản ánh, kiến nghị", public_field="Về lĩnh vực tiêu chuẩn đo lường chất lượng")
    assert {"muc:ve-linh-vuc-tieu-chuan-do-luong-chat-luong", "luong"} <= filed
    assert "muc:phan-anh-kien-nghi" not in filed


@pytest.mark.parametrize(
    "gone",
    [
        {"public_question": None}, {"public_answer": None}, {"published_on": None},
        {"sealed": True, "state": QuestionState.SEALED}, {"public_question": "", "public_answer": ""},
    ],
)  # fmt: skip
def test_what_is_not_public_leaves_no_key(gone: dict[str, object]) -> None:
    assert domain.published(uuid4(), answer_state(0, *ANSWERS[0], **gone)) is None


@given(st.uuids(), st.uuids())
def test_the_public_address_is_its_own_and_does_not_tell_the_question(one: UUID, other: UUID) -> None:
    address = domain.public_id(one)
    assert len(address) == 13
    assert set(address) <= set(string.ascii_lowercase + "234567")
    assert (address == domain.public_id(other)) is (one == other)
    assert address not in str(one)


# "Có phải Ông/Bà muốn hỏi…"


def candidates() -> list[Answer]:
    return [Answer(str(n), section, q, a, date(2026, 2, 1), date(2026, 3, 1)) for n, (section, q, a) in enumerate(ANSWERS)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("Tôi muốn đăng ký nhãn hiệu tập thể cho chè của hợp tác xã", "2"),
        ("toi muon dang ky nhan hieu tap the", "2"),
        ("Cây xăng chúng tôi: cột đo xăng dầu bao lâu phải kiểm định một lần", "1"),
        ("phòng khám có máy X-quang cần giấy phép", "3"),
    ],
)
def test_the_like_is_offered_first(typed: str, first: str) -> None:
    assert domain.likest(domain.typed_pairs(typed), candidates())[0].id == first


@pytest.mark.parametrize("typed", ["", "xin hỏi", "Đề nghị Sở hướng dẫn thủ tục hành chính", "Tôi muốn được nghe thêm"])
def test_what_is_like_nothing_offers_nothing(typed: str) -> None:
    assert domain.likest(domain.typed_pairs(typed), candidates()) == []


@given(st.text(max_size=300))
def test_at_most_a_few_are_offered(typed: str) -> None:
    assert len(domain.likest(domain.typed_pairs(typed), candidates() * 5)) <= domain.SUGGESTED


# Procedures (K4)


def test_procedures_are_found_by_name_field_code_and_decision() -> None:
    everything = SON_LA.procedures
    assert domain.matching(everything, "") == list(everything)
    assert {p.field for p in domain.matching(everything, "", "Sở hữu trí tuệ")} == {"Sở hữu trí tuệ"}
    assert [p.code for p in domain.matching(everything, "x quang giay phep")] == ["2.002380"]
    assert [p.code for p in domain.matching(everything, "2.001209")] == ["2.001209"]
    assert domain.matching(everything, "nhãn hiệu") == []
    assert SON_LA.procedure("1.001786").name.startswith("Cấp Giấy chứng nhận")


# Countdown and map


def test_a_countdown_explains_itself() -> None:
    now = datetime(2026, 4, 20, 9, 30, tzinfo=TZ)
    left = domain.countdown(CONFIRMED, now, datetime(2026, 5, 8, 17, 30, tzinfo=TZ))
    assert left is not None
    assert left.left == "còn 18 ngày"
    assert "17 giờ 30, ngày 08/5/2026 (thứ Sáu)" in left.explanation
    assert "11 ngày làm việc; không tính 3 ngày thứ Bảy, Chủ nhật, 26/4 (nghỉ lễ)" in left.explanation
    assert "30/4 (nghỉ lễ)" in left.explanation
    assert "01/5 (nghỉ lễ)" in left.explanation
    assert "dự kiến" not in left.explanation


def test_a_countdown_into_a_year_that_nobody_confirmed_says_that_it_is_provisional() -> None:
    until = datetime(2027, 1, 8, 17, 30, tzinfo=TZ)
    left = domain.countdown(CONFIRMED, datetime(2026, 12, 28, 9, 30, tzinfo=TZ), until)
    assert left is not None
    assert "8 ngày làm việc (dự kiến, vì lịch nghỉ năm 2027 chưa được xác nhận); không tính 2 ngày" in left.explanation
    both = domain.countdown(CALENDAR, datetime(2026, 12, 28, 9, 30, tzinfo=TZ), until)
    assert both is not None
    assert "lịch nghỉ năm 2026 và 2027 chưa được xác nhận" in both.explanation
    # Only days still ahead count: on New Year's Eve that is the new year alone.
    last = domain.countdown(CALENDAR, datetime(2026, 12, 31, 9, 30, tzinfo=TZ), until)
    assert last is not None
    assert "lịch nghỉ năm 2027 chưa" in last.explanation


def test_on_the_last_day_it_says_so_and_afterwards_nothing() -> None:
    closes = datetime(2026, 5, 8, 17, 30, tzinfo=TZ)
    last = domain.countdown(CALENDAR, closes - timedelta(hours=3), closes)
    assert last is not None
    assert last.left == "hôm nay là ngày cuối"
    assert domain.countdown(CALENDAR, closes + timedelta(minutes=1), closes) is None
    assert domain.countdown(CALENDAR, closes, None) is None


@given(st.datetimes(datetime(2021, 1, 1), datetime(2026, 12, 1)), st.integers(0, 60))  # noqa: DTZ001 - given a zone below
def test_the_days_of_a_countdown_add_up(start: datetime, days: int) -> None:
    left = CALENDAR.days_left(start.date(), start.date() + timedelta(days=days))
    assert left.calendar_days == days == left.working_days + left.weekend_days + len(left.days_off)


def test_a_place_is_searched_for_by_what_a_map_knows() -> None:
    place = "Hội trường Sở - Tầng 3, tòa nhà 6T1, Khu Quảng trường Tây Bắc, thành phố Sơn La"
    query = parse_qs(urlsplit(domain.map_link(place, SON_LA.contacts)).query)
    assert query == {"query": ["tòa nhà 6T1, Khu Quảng trường Tây Bắc, thành phố Sơn La"]}
    placed = SON_LA.contacts.model_copy(update={"position": Position(latitude=21.328, longitude=103.914)})
    assert "mlat=21.32800" in domain.map_link(place, placed), "the agency's own address"
    assert "search?query=" in domain.map_link("Hội trường tỉnh, phường Tô Hiệu, tỉnh Sơn La", placed)
    assert domain.map_link(" ", placed) == ""


def test_words_are_folded_once_and_for_all() -> None:
    assert bare_words("Đo lường – ĐO LƯỜNG; TCVN 9001:2015") == ("do", "luong", "do", "luong", "tcvn", "9001", "2015")
