"""The publisher on real Kafka: what the broker refuses costs only itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.topics import Topic
from kit.errors import Transient
from kit.kafka import KafkaPublisher, Refused

pytestmark = pytest.mark.stack

SMALL = Topic("small-records", "none", 1, 1)
TAKES = 4_000


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    yield client
    await client.close()


async def _until_told(publisher: KafkaPublisher, value: bytes) -> str:
    while True:
        try:
            await publisher.publish(SMALL, b"key", value)
        except Transient:
            await asyncio.sleep(0.05)
        except Refused:
            return "refused"
        else:
            return "taken"


async def test_a_record_too_large_is_refused_and_those_in_its_batch_are_taken(
    kafka_bootstrap: str, admin: AIOKafkaAdminClient
) -> None:
    await admin.create_topics([NewTopic(SMALL.name, 1, 1, topic_configs={"max.message.bytes": str(TAKES)})])
    publisher = KafkaPublisher(kafka_bootstrap)
    values = [b"x" * size for size in (500,) * 20 + (TAKES + 500,) + (500,) * 20]
    told = await asyncio.gather(*(_until_told(publisher, value) for value in values))
    assert told == ["taken"] * 20 + ["refused"] + ["taken"] * 20

    raised = ConfigResource(ConfigResourceType.TOPIC, SMALL.name, {"max.message.bytes": str(2 * TAKES)})
    await admin.alter_configs([raised])
    assert await _until_told(publisher, values[20]) == "taken"
    await publisher.stop()
