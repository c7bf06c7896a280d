"""Intake between its neighbours on real Kafka: what routing announces is shown, what is registered is told (design: the flow)."""

import contextlib
from uuid import UUID, uuid4, uuid5

import pytest
from aiokafka import AIOKafkaConsumer

from contracts import topics
from contracts.envelope import Event, Payload, Undecodable, decode
from contracts.events import CATALOGUE, models
from contracts.model import (
    CaseState,
    CaseStatus,
    DialogueState,
    LetterState,
    PlanState,
    QuestionState,
    QuestionStateData,
    RegistrationState,
)
from contracts.topics import TOPICS, Topic
from kit.kafka import KafkaPublisher, create_topics
from kit.letters import letter_id
from tests.intake import NOW, api_body, dialogue, plan, running_intake
from tests.waiting import eventually

pytestmark = pytest.mark.stack


def event(type_: str, subject: str, state: Payload, sequence: int = 1) -> Event[Payload]:
    return Event[Payload](
        id=uuid4(),
        source="routing",
        type=type_,
        subject=subject,
        time=NOW,
        dataschema=CATALOGUE[type_].state.__name__,
        agency="son-la",
        sequence=sequence,
        data=state,
    )


async def publish(publisher: KafkaPublisher, *events: Event[Payload]) -> None:
    for one in events:
        await publisher.publish(CATALOGUE[one.type].topic, one.subject.encode(), one.encode())


async def read(bootstrap: str, topic: Topic, registration: UUID) -> Event[Payload]:
    """The first event of this registration, or of a letter about it, in the topic."""
    consumer = AIOKafkaConsumer(topic.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        async for record in consumer:
            with contextlib.suppress(Undecodable):  # the topic is shared with tests of what is no event
                found = decode(record.value, models(topic))
                if str(registration) in (found.subject, str(getattr(found.data, "case", ""))):
                    return found
    raise AssertionError("the topic ended")


async def test_what_routing_announces_is_shown_and_what_is_registered_is_told(mongodb_url: str, kafka_bootstrap: str) -> None:
    await create_topics(kafka_bootstrap, TOPICS)
    plan_id = f"son-la-2026-{uuid4().hex[:6]}"
    publisher = KafkaPublisher(kafka_bootstrap)
    async with running_intake(mongodb_url, kafka_bootstrap=kafka_bootstrap, announced=False) as intake:
        state: PlanState = plan(number="77/KH-SKHCN")
        meeting: DialogueState = dialogue(plan=plan_id)
        await publish(
            publisher,
            event("dialogue.scheduled.v1", f"{plan_id}-1", meeting),
            event("plan.published.v1", plan_id, plan(number="sai"), 1),
            event("plan.changed.v1", plan_id, state, 2),
            event("plan.published.v1", plan_id, plan(number="sai"), 1),
        )

        async def announced() -> bool:
            page = (await intake.client.get(f"/son-la/ke-hoach/{plan_id}")).text
            return "77/KH-SKHCN" in page and "Hội trường tầng 3" in page

        await eventually(announced, timeout=40)
        body = api_body(plan=plan_id)
        answer = await intake.client.post("/api/v1/son-la/registrations", json=body, headers={"Idempotency-Key": plan_id})
        assert answer.status_code == 201, answer.text
        number, code = answer.json()["case_number"], answer.json()["tracking_code"]

        kept = await intake.database["registrations"].find_one({"case_number": number})
        assert kept is not None
        registration: UUID = kept["_id"]
        received = await read(kafka_bootstrap, topics.REGISTRATIONS, registration)
        assert isinstance(received.data, RegistrationState)
        assert received.data.plan == plan_id
        asked = await read(kafka_bootstrap, topics.INTAKE_LETTERS, registration)
        assert isinstance(asked.data, LetterState)
        assert asked.subject == str(letter_id("son-la", asked.data.letter_key))
        assert asked.data.fields["code"] == code

        registration = UUID(received.subject)
        case = CaseState(
            case_number=number,
            plan=plan_id,
            dialogue=f"{plan_id}-1",
            source="registration",
            received_at=NOW,
            status=CaseStatus.OPEN,
        )
        question = QuestionStateData(case=registration, case_number=number, state=QuestionState.SUBMITTED)
        await publish(
            publisher,
            event("case.opened.v1", received.subject, case),
            event("question.submitted.v1", str(uuid5(registration, "1")), question),
        )

        async def followed() -> bool:
            page = (await intake.client.post("/son-la/tra-cuu", data={"code": code})).text
            stored = await intake.database["registrations"].find_one({"_id": registration})
            return "Đang hoàn thiện nội dung trả lời" in page and stored is not None and "unrouted" not in stored

        await eventually(followed)
    await publisher.stop()
