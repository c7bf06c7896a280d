"""The survey's rules: what opens what, when two answers are the same, what leaves intake (K3)."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.model import Criterion, QuestionState, QuestionStateData, SurveyState, SurveyWay
from kit.agency import load_agencies
from kit.errors import Invalid, NotFound
from kit.surveylinks import Expired, SurveyLinks
from kit.web.forms import Submitted
from services.intake.codes import ALPHABET
from services.intake.surveys import domain, words
from services.intake.surveys.documents import answer_fields, render
from services.intake.surveys.domain import About, Answers
from services.intake.surveys.forms import SurveyForm
from services.intake.surveys.usecases import Asked

NOW = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)
LINKS = SurveyLinks(SecretStr("s" * 40))
AGENCIES = st.sampled_from(["son-la", "bac-kan", "s", "son-la.x", "son"])
SLUGS = st.text(ALPHABET, min_size=8, max_size=8)
cases = st.uuids()
moments = st.integers(1, 400_000_000).map(lambda seconds: NOW + timedelta(seconds=seconds))


# Links about a case


@given(AGENCIES, AGENCIES, cases, moments)
def test_a_link_opens_its_own_case_of_its_own_agency_alone(agency: str, other: str, case: UUID, until: datetime) -> None:
    token = LINKS.token(agency, case, until)
    assert LINKS.case(agency, token, NOW) == case
    assert domain.parse_slug(token) is None
    if other != agency:
        with pytest.raises(NotFound):
            LINKS.case(other, token, NOW)


@given(cases, moments, st.data())
def test_a_link_that_was_tampered_with_opens_no_other_case(case: UUID, until: datetime, data: st.DataObject) -> None:
    token = LINKS.token("son-la", case, until)
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + data.draw(st.sampled_from("ABCxyz019-_.%")) + token[at + 1 :]
    assume(changed != token)
    with contextlib.suppress(NotFound):
        assert LINKS.case("son-la", changed, NOW) == case  # the last letter of a signature has spare bits


@given(st.text(max_size=120))
def test_what_was_never_signed_opens_nothing(text: str) -> None:
    with pytest.raises(NotFound):
        LINKS.case("son-la", text, NOW)


@given(cases)
def test_a_link_signed_with_another_secret_opens_nothing(case: UUID) -> None:
    with pytest.raises(NotFound):
        LINKS.case("son-la", SurveyLinks(SecretStr("t" * 40)).token("son-la", case, NOW + timedelta(days=1)), NOW)


def test_a_link_ends_at_its_moment() -> None:
    token = LINKS.token("son-la", uuid4(), NOW)
    LINKS.case("son-la", token, NOW - timedelta(seconds=1))
    with pytest.raises(Expired):
        LINKS.case("son-la", token, NOW)


def test_a_link_shows_neither_its_case_nor_the_agency() -> None:
    case = uuid4()
    token = LINKS.token("son-la", case, NOW)
    assert str(case) not in token
    assert case.hex not in token
    assert len(token) < 80  # a line of a mail


# QR codes


@given(SLUGS, SLUGS)
def test_a_code_is_read_however_it_is_typed_and_never_as_another(slug: str, other: str) -> None:
    for typed in (slug, domain.shown(slug), domain.shown(slug).upper(), slug.lower()):
        assert domain.parse_slug(typed) == slug
    assert slug == other or domain.shown(slug) != domain.shown(other)


@pytest.mark.parametrize("typed", ["", "acde", "acde-hkm0", "acde-hkmn-x", "nhap", "y-kien", "acđe-hkmn"])
def test_what_is_no_code(typed: str) -> None:
    assert domain.parse_slug(typed) is None


# Once


@given(AGENCIES, AGENCIES, cases, cases, st.text(max_size=20), st.text(max_size=20))
def test_a_case_is_asked_once_whatever_is_sent(a: str, b: str, one: UUID, two: UUID, first: str, second: str) -> None:
    asked = Asked(About(SurveyWay.CASE), one)
    assert asked.key(first) == asked.key(second) == domain.case_key(one)
    same = domain.answer_id(a, domain.case_key(one)) == domain.answer_id(b, domain.case_key(two))
    assert same == ((a, one) == (b, two))


@given(SLUGS, SLUGS, st.text(max_size=20), st.text(max_size=20))
def test_a_page_of_a_counter_is_sent_once_and_the_next_person_has_another(one: str, two: str, first: str, second: str) -> None:
    keys = [Asked(About(SurveyWay.QR, "van-phong", None, slug)).key(nonce) for slug, nonce in ((one, first), (two, second))]
    assert (keys[0] == keys[1]) == ((one, first) == (two, second))


# What an answer holds


def _typed(**fields: str) -> Submitted:
    return Submitted(fields, {name: (value,) for name, value in fields.items()}, {}, "")


def test_marks_may_be_left_out_but_not_all_of_them() -> None:
    about = About(SurveyWay.QR, "van-phong")
    some = _typed(time="5", result="2", text=" Chờ lâu ").parse(SurveyForm).answers()
    assert some == Answers({Criterion.TIME: 5, Criterion.RESULT: 2}, "Chờ lâu")
    assert domain.check(some, about, procedures={}) == {}
    assert domain.check(_typed(text="x").parse(SurveyForm).answers(), about, procedures={}) == {"": domain.NO_MARK}


@pytest.mark.parametrize("mark", ["0", "6", "-1", "3.5", "năm", "5 5"])
def test_a_mark_is_one_to_five(mark: str) -> None:
    with pytest.raises(Invalid) as refused:
        _typed(attitude=mark).parse(SurveyForm)
    assert list(refused.value.errors) == ["attitude"]


def test_a_unit_and_a_procedure_that_the_agency_does_not_have_are_refused() -> None:
    answers = Answers({Criterion.TIME: 5})
    procedures = {"1.001": "Cấp giấy phép"}
    assert domain.check(answers, About(SurveyWay.PAPER, "a", "1.001"), units={"a": "A"}, procedures=procedures) == {}
    wrong = domain.check(answers, About(SurveyWay.PAPER, "b", "2"), units={"a": "A"}, procedures=procedures)
    assert wrong == {"unit": domain.NO_UNIT, "procedure": domain.NO_PROCEDURE}


def test_the_event_has_the_marks_and_never_the_words() -> None:
    about = About(SurveyWay.QR, "van-phong", "1.001", "ACDEHKMN")
    fields = answer_fields(about, Answers({Criterion.TIME: 5}, "Chị Hoa ở quầy 2"), given_at=NOW, recorded_at=NOW)
    state = render({"_id": uuid4(), "agency": "son-la", "events": [], **fields}, {})
    assert isinstance(state, SurveyState)
    assert (state.marks, state.unit, state.procedure, state.way) == ({"time": 5}, "van-phong", "1.001", SurveyWay.QR)
    assert state.case_number is None
    assert "Hoa" not in state.model_dump_json()


def test_the_unit_of_a_case_is_the_one_that_answered_all_of_it() -> None:
    def question(unit: str | None, state: QuestionState = QuestionState.ANSWERED) -> QuestionStateData:
        return QuestionStateData(case=uuid4(), case_number="SL-2026-000001", state=state, unit=unit)

    assert domain.unit_of([]) is None
    assert domain.unit_of([question("a"), question("a")]) == "a"
    assert domain.unit_of([question("a"), question("b")]) is None
    assert domain.unit_of([question("a"), question(None)]) is None
    assert domain.unit_of([question("a"), question("b", QuestionState.MERGED)]) == "a"


def test_the_words_know_every_criterion_way_and_mark() -> None:
    assert set(words.CRITERIA) == set(Criterion)
    assert set(words.WAYS) == set(SurveyWay)
    assert list(words.MARKS) == [1, 2, 3, 4, 5]


def test_procedures_come_from_the_profile_when_it_has_them() -> None:
    from kit.procedures import procedures_of

    for agency in load_agencies(Path("agencies")).values():
        assert all(isinstance(name, str) for name in procedures_of(agency).values())
