"""Letters that acts on questions promise: each kind as notify needs it, to the right person by the right way."""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contracts.letters import FIELDS
from contracts.model import LetterKind, Way
from kit.acting import Acting
from kit.agency import load_agencies
from kit.clock import TZ
from services.routing.questions import domain, letters
from services.routing.questions.domain import Body, Draft
from services.routing.questions.states import Who

AGENCY = load_agencies(Path("agencies"))["son-la"]
NOW = datetime(2022, 4, 26, 9, 0, tzinfo=TZ)
ACTING = Acting("son-la", "vanphong", NOW)
OFFICE = Who(frozenset({"office"}), reads_sealed=True)
LEADERSHIP = Who(frozenset({"leadership"}))
CONTEXT = {
    "others_remain": True,
    "plan_number": "12/KH-SKHCN",
    "meeting": letters.meeting({"starts_at": NOW, "place": "Hội trường", "mode": "in_person", "ordinal": 1}),
    "questions": [{"no": 1, "title": "Mục 1", "text": "Nội dung"}],
    "answer_by": "2022-05-10",
    "survey_url": "http://localhost:8080/son-la/khao-sat/x",
}


def case(**person: str) -> dict[str, Any]:
    everybody = {"name": "Lò Thị Mẫu", "address": "Tổ 1", "phone": "+84912345678", "email": "mau@dan.example", "organisation": ""}
    return {
        "_id": uuid4(), "case_number": "SL-2022-000001", "dialogue": "son-la-2022-1", "plan": "son-la-2022", "kind": "individual",
        "source": "registration", "received_at": NOW, "preferred_way": None, "person": {**everybody, **person},
    }  # fmt: skip


def question(state: str, **more: Any) -> dict[str, Any]:
    return {
        "_id": uuid4(), "case": uuid4(), "case_number": "SL-2022-000001", "section_no": 1, "section_title": "Mục 1",
        "text": "Nội dung", "state": state, "unit": "van-phong", "seq": 5, "steps": [], "transfers": [], "clocks": [],
        "dialogue": "son-la-2022-1", **more,
    }  # fmt: skip


def promised(change: Any) -> dict[str, Any]:
    return next(dict(entry) for entry in change.set["todo"] if entry["do"] == "letter")


def guided() -> dict[str, Any]:
    body = Body("Sở Tài nguyên và Môi trường", "Số 1", "0212 3000 000", "stnmt.example")
    document = question("submitted")
    return promised(domain.guided(document, ACTING, LEADERSHIP, body, "Xin liên hệ", "Luật mẫu"))


def answered() -> dict[str, Any]:
    draft = {"kind": "answer", "text": "Trả lời", "stage": "approved"}
    return promised(domain.answered(question("to_write", draft=draft), ACTING, OFFICE, "12/SKHCN", date(2022, 4, 26)))


def extended() -> dict[str, Any]:
    clock = {
        "kind": "preparation", "due_on": "2022-04-29", "due_at": datetime(2022, 4, 30, tzinfo=TZ), "explanation": "",
        "extended": False, "stopped_at": None, "terms": {},
    }  # fmt: skip
    document = question("transferred", clocks=[clock])
    return promised(domain.extended(document, ACTING, OFFICE, date(2022, 5, 5), "Chờ số liệu", None))


def excluded(kind: str) -> dict[str, Any]:
    details = {"passed_to": "Thanh tra tỉnh", "passed_on": "2022-04-26"} if kind == domain.DENUNCIATION else {}
    return promised(domain.excluded(question("sealed", sealed=True), ACTING, OFFICE, kind, details, "Đã xác định"))


def escalated_done() -> dict[str, Any]:
    change = domain.escalated_done(question("escalated"), ACTING, OFFICE, "Bộ đã trả lời", "15/SKHCN", date(2022, 4, 26))
    return promised(change)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (guided(), LetterKind.GUIDANCE),
        (answered(), LetterKind.WRITTEN_ANSWER),
        (escalated_done(), LetterKind.WRITTEN_ANSWER),
        (extended(), LetterKind.EXTENDED),
        (excluded(domain.COMPLAINT), LetterKind.COMPLAINT_GUIDANCE),
        (excluded(domain.DENUNCIATION), LetterKind.DENUNCIATION_PASSED),
        (letters.promise(uuid4(), LetterKind.ADMITTED, 3, NOW, "vanphong", {}), LetterKind.ADMITTED),
        (letters.promise(uuid4(), LetterKind.TO_FEEDBACK, 3, NOW, "vanphong", {}), LetterKind.TO_FEEDBACK),
    ],
)
def test_every_promised_letter_has_what_its_kind_needs(entry: dict[str, Any], kind: LetterKind) -> None:
    letter = letters.to_person(entry, AGENCY, case(), question("transferred"), CONTEXT)
    assert letter.kind is kind
    assert FIELDS[kind].model_validate(letter.fields)
    assert letter.recipient is not None
    assert "Lò Thị Mẫu" not in letter.letter_key


@pytest.mark.parametrize("kind", [domain.COMPLAINT, domain.DENUNCIATION])
def test_a_letter_about_what_was_sealed_quotes_nothing(kind: str) -> None:
    letter = letters.to_person(excluded(kind), AGENCY, case(), question("excluded"), CONTEXT)
    assert "Nội dung" not in str(letter.fields)
    assert "Mục 1" not in str(letter.fields)


def test_a_denunciation_goes_by_closed_letter_first_and_never_by_phone() -> None:
    letter = letters.to_person(excluded(domain.DENUNCIATION), AGENCY, case(), None, CONTEXT)
    assert letter.ways == (Way.POST, Way.EMAIL)


def test_the_wish_comes_first_and_only_what_is_known_is_used() -> None:
    assert letters.ways_to({**case(), "preferred_way": "phone"}) == (Way.PHONE, Way.EMAIL, Way.POST)
    assert letters.ways_to(case(email="", phone="")) == (Way.POST,)
    assert letters.ways_to({**case(email=""), "preferred_way": "email"}) == (Way.POST, Way.PHONE)


def test_who_cannot_be_reached_is_a_letter_with_a_reason() -> None:
    letter = letters.to_person(guided(), AGENCY, case(email="", phone="", address=""), question("guided"), CONTEXT)
    assert letter.ways == ()
    assert letter.reason
    erased = {**case(), "person": None}
    assert letters.to_person(guided(), AGENCY, erased, question("guided"), CONTEXT).recipient is None


def test_a_unit_is_told_neither_text_nor_person() -> None:
    unit = AGENCY.units[0]
    told = {"id": "told/1", "do": "tell_unit", "unit": unit.code, "at": NOW, "by": "giamdoc"}
    letter = letters.to_unit(AGENCY, question("transferred", unit=unit.code), told, "https://ban.example/1")
    assert letter.recipient is not None
    assert letter.recipient.email == unit.email
    assert FIELDS[LetterKind.NEW_QUESTION].model_validate(letter.fields)
    assert "Nội dung" not in str(letter.fields)


def test_a_draft_is_not_a_letter() -> None:
    change = domain.drafted(question("transferred"), ACTING, Who(frozenset({"head"}), unit="van-phong"), Draft("answer", "…"))
    assert "todo" not in change.set
