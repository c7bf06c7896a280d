"""A question with its answer becomes public by the office's act alone, and without what looks personal (promise 6)."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import QuestionState, QuestionStateData
from kit.acting import Acting
from kit.agency import load_agencies
from kit.errors import Conflict, Forbidden, Invalid
from kit.feedback import load_groups
from kit.personal import personal_in
from services.intake.site.domain import headings
from services.routing.questions import acts, domain, publishing
from services.routing.questions.publishing import PUBLISHABLE, Wording
from services.routing.questions.states import Who
from tests.unit.test_routing_questions import AGENCY, OFFICE, START

AGENCIES = load_agencies(Path("agencies"))
BAC_KAN, GROUPS = AGENCIES["bac-kan"], load_groups(Path("agencies"))
ACTING = Acting("son-la", "chanhvanphong", START)
WORDING = Wording("Hồ sơ đăng ký đề tài gồm những gì?", "Hồ sơ gồm thuyết minh và lý lịch khoa học.")
PERSON = {"name": "Lò Thị Mẫu", "address": "Tổ 2, phường Tô Hiệu", "phone": "+84912345678", "email": "", "organisation": ""}


def question(state: QuestionState = QuestionState.ANSWERED, **fields: Any) -> dict[str, Any]:
    return {
        "_id": uuid4(), "case": uuid4(), "case_number": "SL-2022-000001", "agency": "son-la", "state": state.value, "seq": 7,
        "sealed": False, "text": "Hỏi", "answer": "Trả lời", "steps": [], "clocks": [], "transfers": [],
    } | fields  # fmt: skip


@pytest.mark.parametrize("state", QuestionState)
def test_only_what_was_answered_can_be_published_and_only_by_the_office(state: QuestionState) -> None:
    document = question(state)
    assert publishing.may_publish(document, OFFICE) is (state in PUBLISHABLE)
    assert not publishing.may_publish(document, Who(frozenset({"leadership", "head", "officer", "control"})))
    if state not in PUBLISHABLE:
        with pytest.raises(Conflict):
            publishing.published(document, ACTING, OFFICE, WORDING)


def test_publishing_shows_the_wording_and_taking_it_back_leaves_nothing() -> None:
    document = question()
    change = publishing.published(document, ACTING, OFFICE, WORDING)
    assert [act.type for act in change.acts] == ["question.published.v1"]
    state = QuestionStateData.model_validate(document | change.set)
    assert (state.public_question, state.public_answer, state.published_on) == (WORDING.question, WORDING.answer, START.date())

    later = Acting("son-la", "chanhvanphong", START.replace(year=2023))
    again = publishing.published(document | change.set, later, OFFICE, Wording("Khác", "Khác"))
    assert again.set["published_on"] == "2022-04-26", "the day of the first publication stays"

    gone = publishing.unpublished(document | change.set, ACTING, OFFICE, "Có người đề nghị")
    state = QuestionStateData.model_validate(document | change.set | gone.set)
    assert (state.public_question, state.public_answer, state.published_on) == (None, None, START.date())
    with pytest.raises(Conflict):
        publishing.unpublished(document, ACTING, OFFICE, "Không có gì để rút")
    with pytest.raises(Forbidden):
        publishing.published(document, ACTING, Who(frozenset({"leadership"})), WORDING)


@pytest.mark.parametrize(
    ("agency", "changes", "case", "field"),
    [
        ("son-la", {"unit": "tieu-chuan-do-luong"}, {}, "Về lĩnh vực tiêu chuẩn đo lường chất lượng"),
        ("son-la", {"unit": "tieu-chuan-do-luong", "section_no": 1}, {}, None),
        ("son-la", {}, {"group": 7}, GROUPS.name(7)),
        ("son-la", {}, {}, None),
        ("bac-kan", {"unit": "tieu-chuan-do-luong"}, {"group": 7}, "Tiêu chuẩn đo lường chất lượng"),
        ("bac-kan", {}, {"procedure": BAC_KAN.procedures[-1].name.upper(), "group": 7}, BAC_KAN.procedures[-1].field),
        ("bac-kan", {"unit": "quan-ly-cong-nghe"}, {"group": 2}, GROUPS.name(2)),
    ],
)  # fmt: skip
def test_what_stands_in_no_section_is_filed_under_the_field_of_its_unit_procedure_or_group(
    agency: str, changes: dict[str, Any], case: dict[str, Any], field: str | None
) -> None:
    profile = AGENCIES[agency]
    document = question(section_no=None) | changes
    assert publishing.field_of(document, case, profile, GROUPS) == field
    change = publishing.published(document, ACTING, OFFICE, WORDING, field)
    assert QuestionStateData.model_validate(document | change.set).public_field == field
    assert field is None or field in (*headings(profile).values(), *(group.label for group in GROUPS.groups))


def test_the_acts_are_offered_when_they_can_be_done() -> None:
    slugs = lambda document: {act.slug for act in acts.offered(document, OFFICE, START)}  # noqa: E731
    assert "cong-khai" in slugs(question())
    assert "thoi-cong-khai" not in slugs(question())
    assert {"cong-khai", "thoi-cong-khai"} <= slugs(question(public_question="Hỏi", public_answer="Đáp"))
    assert "cong-khai" not in slugs(question(QuestionState.EXCLUDED))


def test_the_form_begins_with_what_was_asked_and_answered_and_then_with_the_public_wording() -> None:
    first = acts.BY_SLUG["cong-khai"].first
    assert first(question()) == {"public_question": "Hỏi", "public_answer": "Trả lời"}
    assert first(question(public_question="A", public_answer="B")) == {"public_question": "A", "public_answer": "B"}


def test_an_empty_wording_is_refused() -> None:
    with pytest.raises(Invalid):
        publishing.published(question(), ACTING, OFFICE, Wording("", "x"))


def test_erasing_takes_the_public_wording_along() -> None:
    erased = domain.erased(question(public_question="A", public_answer="B", published_on="2022-05-01"), ACTING, 8)
    assert {"public_question", "public_answer"} <= set(erased.unset)
    assert "published_on" not in erased.unset, "the report of that day counted it"


@pytest.mark.parametrize(
    "leak",
    [
        "0912345678", "0912 345 678", "+84 912 345 678", "0212.3856.123", "mau@nguoi-dan.example", "014099001234",
        "lò thị mẫu", "LO THI MAU", "tổ 2, phường Tô Hiệu",
    ],
)  # fmt: skip
def test_what_looks_personal_is_pointed_out(leak: str) -> None:
    assert personal_in(f"Ông/Bà liên hệ {leak} để được hướng dẫn.", PERSON)
    errors = publishing.guarded(Wording("Hỏi", f"Đáp {leak}, hết"), PERSON, AGENCY)
    assert list(errors) == ["public_answer"]


@pytest.mark.parametrize(
    "plain",
    [
        "Nghị định số 30/2020/NĐ-CP ngày 05/3/2020", "Văn bản số 125/SKHCN-VP", "Mức thu 500.000 đồng", "trong 10 ngày làm việc",
        "TCVN ISO 9001:2015", "Luật số 80/2006/QH11",
    ],
)  # fmt: skip
def test_laws_dates_and_sums_are_not_personal(plain: str) -> None:
    assert personal_in(plain, PERSON) == ()


def test_the_agency_s_own_contacts_may_stand_there() -> None:
    contacts = AGENCY.contacts
    text = f"Ông/Bà gọi {contacts.phone}, {contacts.phone.replace('.', ' ')} hoặc gửi {contacts.email.upper()}."
    assert publishing.guarded(Wording("Hỏi", text), PERSON, AGENCY) == {}


@given(st.text(), st.dictionaries(st.sampled_from(["name", "address", "organisation"]), st.text()))
def test_any_text_can_be_looked_at(text: str, person: dict[str, str]) -> None:
    personal_in(text, person)


@given(st.from_regex(r"0[35789][0-9]{8}", fullmatch=True), st.sampled_from(["", " ", ".", "-"]))
def test_a_mobile_number_is_found_however_it_is_grouped(number: str, separator: str) -> None:
    spelt = separator.join((number[:4], number[4:7], number[7:]))
    assert personal_in(f"gọi {spelt} nhé") == (spelt,)
