"""Records that no consumer can handle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from contracts.topics import CALENDARS, CASES, DELIVERIES, FEEDBACK, INTAKE_LETTERS, QUESTIONS, REGISTRATIONS, Topic
from tests.contracts.samples import golden_file
from tests.faults.evidence import Poison
from tests.faults.row import Row
from tests.faults.watching import Place

READERS: Mapping[Topic, tuple[str, ...]] = {
    REGISTRATIONS: ("routing.registrations", "notify.registrations"),
    FEEDBACK: ("routing.feedback", "notify.feedback"),
    INTAKE_LETTERS: ("notify.letters",),
    CASES: ("intake.cases", "reporting.cases"),
    QUESTIONS: ("intake.questions", "reporting.questions"),
    CALENDARS: ("intake.calendars", "reporting.calendars"),
    DELIVERIES: ("routing.deliveries",),
}
FIRST_TYPE: Mapping[Topic, str] = {
    REGISTRATIONS: "registration.received",
    FEEDBACK: "feedback.received",
    INTAKE_LETTERS: "intake_letter.requested",
    CASES: "case.opened",
    QUESTIONS: "question.created",
    CALENDARS: "calendar.changed",
    DELIVERIES: "delivery.sent",
}
BROKER_TAKES = 1_048_576


@dataclass(frozen=True)
class Bad:
    """A record's value and headers. `groups`: who cannot handle it, where that is not every reader of its topic."""

    name: str
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    groups: tuple[str, ...] = ()


def kinds(topic: Topic) -> list[Bad]:
    """Every kind of poison, for the readers of a topic."""
    event = {"specversion": "1.0", "id": "0192f3a0-0000-7000-8000-000000000000", "source": "thu", "subject": "thu"}
    event |= {"time": "2026-11-21T00:00:00Z", "dataschema": "Thu", "agency": "son-la"}
    kind = FIRST_TYPE[topic]

    def with_(**more: object) -> bytes:
        return json.dumps({**event, "type": f"{kind}.v1", "sequence": 1, "data": {}, **more}).encode()

    return [
        Bad("bad JSON", b'{"type": "registration.received.v1", '),
        Bad("bad UTF-8", b'{"type": "\xff\xfe"}'),
        Bad("no object", b"[1, 2, 3]"),
        Bad("unknown type", with_(type="weather.changed.v1")),
        Bad("unknown version", with_(type=f"{kind}.v99")),
        Bad("null", None),
        Bad("empty", b""),
        Bad("without its state", with_()),
        Bad("whole, but of no possible sequence", _golden(topic, f"{kind}.v1", sequence=0)),
        Bad("almost 1 MiB", b"x" * (BROKER_TAKES - 200)),
        Bad("10,000 headers, not UTF-8", b"{}", [("h", b"\xff\xfe")] * 10_000),
        *_impossible(topic),
    ]


def _impossible(topic: Topic) -> list[Bad]:
    """Whole events that are read, and that a handler must refuse: an agency that there is not, an erasure of what is no case."""
    if topic not in (REGISTRATIONS, FEEDBACK):
        return []
    kind = FIRST_TYPE[topic].partition(".")[0]
    elsewhere = _golden(topic, f"{kind}.received.v1", agency="khong-co")
    return [
        Bad("of an unknown agency", elsewhere, groups=tuple(group for group in READERS[topic] if group.startswith("routing."))),
        Bad("an erasure of what is no case", _golden(topic, f"{kind}.erased.v1", subject="khong-phai-ma")),
    ]


def _golden(topic: Topic, kind: str, **changed: object) -> bytes:
    """A record as older services have published it, but for what is `changed`."""
    events = map(json.loads, golden_file(topic).read_bytes().splitlines())
    return json.dumps(next(event for event in events if event["type"] == kind) | changed).encode()


async def send_poison(r: Row, topic: Topic, partition: int | None = None) -> int:
    """Publish one record of each kind and note it; returns how many."""
    producer = AIOKafkaProducer(
        bootstrap_servers=r.stack.kafka_bootstrap, acks="all", max_request_size=2 * BROKER_TAKES, request_timeout_ms=20_000
    )
    await producer.start()
    try:
        for n, bad in enumerate(kinds(topic)):
            at = n % topic.partitions if partition is None else partition
            kept = await producer.send_and_wait(
                topic.name, value=bad.value, key=b"thuoc-doc", partition=at, headers=list(bad.headers)
            )
            r.poison.append(Poison(Place(topic.name, at, kept.offset), bad.value, bad.groups or READERS[topic]))
    finally:
        await producer.stop()
    return len(kinds(topic))
