"""Records published by older services must be read by newer ones: every type of the catalogue has a golden record."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts import asyncapi
from contracts.envelope import Payload, Undecodable, decode
from contracts.events import CATALOGUE, models
from contracts.model import Person, Recipient, SectionText
from contracts.topics import CONTACT_DAYS, SURVEYS, TOPICS, Topic
from contracts.views import FIGURES
from services.notify.consumers import VIEWS
from tests.contracts.samples import golden_file


def _lines(topic: Topic) -> list[bytes]:
    return golden_file(topic).read_bytes().splitlines()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_golden_records_are_read_and_written_alike(topic: Topic) -> None:
    for line in _lines(topic):
        event = decode(line, models(topic))
        written = json.loads(event.encode())
        golden = json.loads(line)
        assert _covers(written, golden), f"{event.type} lost something that older records carry"


def _covers(new: object, old: object) -> bool:
    """Whether everything in `old` is in `new` (fields may have been added since)."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(k in new and _covers(new[k], v) for k, v in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_covers, new, old))
    return old == new


def test_every_type_has_its_golden_record() -> None:
    golden = {json.loads(line)["type"] for topic in TOPICS for line in _lines(topic)}
    assert golden == set(CATALOGUE)


def test_asyncapi_document_is_current() -> None:
    current = Path("docs/asyncapi.json").read_text(encoding="utf-8").strip()
    assert current == asyncapi.document(), "run: python -m contracts.asyncapi > docs/asyncapi.json"


def _reaches(model: type[Payload], sought: type[Payload]) -> bool:
    return sought.__name__ in json.dumps(model.model_json_schema().get("$defs", {}))


@pytest.mark.parametrize("event_type", CATALOGUE.values(), ids=lambda t: t.name)
def test_contact_data_travel_in_short_lived_topics_only(event_type: object) -> None:
    kind = CATALOGUE[event_type.name]  # type: ignore[attr-defined]
    if any(_reaches(kind.state, sought) for sought in (Person, Recipient, SectionText)):
        assert kind.topic.retention_days == CONTACT_DAYS


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_reporting_sees_no_contact_data(topic: Topic) -> None:
    for line in _lines(topic):
        seen = decode(line, models(topic, views=FIGURES)).encode().decode()
        if topic.name.endswith(".letters") or topic.name == "routing.staff":
            continue  # reporting does not read these
        assert "hop-thu.example" not in seen
        assert "0912345678" not in seen
        assert "Xin hỏi" not in seen


@pytest.mark.parametrize(
    "state", dict.fromkeys([*(t.state for t in CATALOGUE.values()), *FIGURES.values()]), ids=lambda s: s.__name__
)
def test_what_may_be_nothing_may_be_absent(state: type[Payload]) -> None:
    """A record leaves out what is None (`Event.encode`), so a reader that insists on the field would refuse it."""
    schema = state.model_json_schema()
    insisted = [
        f"{name}.{field}"
        for name, model in {state.__name__: schema, **schema.get("$defs", {})}.items()
        for field in model.get("required", ())
        if {"type": "null"} in model["properties"][field].get("anyOf", ())
    ]
    assert insisted == []


@pytest.mark.parametrize("view", [*FIGURES.values(), *VIEWS.values()], ids=lambda view: view.__name__)
def test_a_record_without_its_state_is_poison_for_those_who_read_little_of_it_too(view: type[Payload]) -> None:
    with pytest.raises(ValidationError):
        view.model_validate({})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty record"),
        (b"\xff\xfe", "not JSON"),
        (b"{}", "no type"),
        (b"[]", "no type"),
        (b'{"type":"registration.received.v9"}', "unknown type or version"),
        (b'{"type":"registration.received.v1"}', "missing"),
    ],
)
def test_what_is_no_event_is_told_apart_without_quoting_it(value: bytes | None, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        decode(value, models(*TOPICS))


PLANTED = "Lò Thị Kín, 0912 345 678"


def _planted(content: Any) -> Iterator[Any]:
    """Copies of a JSON value, each with what looks like a person's data in one place: as a value, as a list's, as a key."""
    yield PLANTED
    if isinstance(content, dict):
        yield {**content, PLANTED: PLANTED}
        for key, value in content.items():
            others = {k: v for k, v in content.items() if k != key}
            yield {**others, PLANTED: value}
            yield from ({**content, key: changed} for changed in _planted(value))
    elif isinstance(content, list):
        for n, value in enumerate(content):
            yield from ([*content[:n], changed, *content[n + 1 :]] for changed in _planted(value))
    else:
        yield [PLANTED]


def _why_refused(value: Any, topic: Topic) -> str:
    try:
        decode(json.dumps(value).encode(), models(topic))
    except Undecodable as error:
        return str(error)
    return ""


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_what_is_wrong_with_an_event_is_told_without_anybodys_data(topic: Topic) -> None:
    newest = {json.loads(line)["type"]: json.loads(line) for line in _lines(topic)}
    told = {_why_refused(changed, topic) for event in newest.values() for changed in _planted(event)}
    assert "unknown type or version" in told
    assert any("sequence: int" in reason for reason in told)
    assert [reason for reason in told if any(word in reason for word in PLANTED.replace(",", "").split())] == []


def test_the_key_of_a_mapping_is_the_senders_word() -> None:
    answer = next(event for line in _lines(SURVEYS) if (event := json.loads(line))["type"] == "survey.given.v1")
    answer["data"]["marks"] = {PLANTED: "x"}
    assert _why_refused(answer, SURVEYS) == "data.marks.*: int_parsing"
