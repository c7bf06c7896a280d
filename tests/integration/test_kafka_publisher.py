"""The publisher on real Kafka: what the broker refuses costs only itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.topics import Topic
from kit.errors import Transient
from kit.kafka import KafkaPublisher, Record

pytestmark = pytest.mark.stack

SMALL = Topic("small-records", "none", 1, 1)
TAKES = 4_000


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    yield client
    await client.close()


async def _until_told(publisher: KafkaPublisher, values: Sequence[bytes]) -> list[str]:
    """What became of records that are sent together, those of unknown fate again and again."""
    told: dict[int, str] = {}
    while waiting := [n for n in range(len(values)) if n not in told]:
        outcomes = await publisher.publish_all([Record(SMALL, b"key", values[n]) for n in waiting])
        for n, outcome in zip(waiting, outcomes, strict=True):
            if not isinstance(outcome, Transient):
                told[n] = "taken" if outcome is None else "refused"
    return [told[n] for n in range(len(values))]


async def test_a_record_too_large_is_refused_and_those_in_its_batch_are_taken(
    kafka_bootstrap: str, admin: AIOKafkaAdminClient
) -> None:
    await admin.create_topics([NewTopic(SMALL.name, 1, 1, topic_configs={"max.message.bytes": str(TAKES)})])
    publisher = KafkaPublisher(kafka_bootstrap)
    large = b"x" * (TAKES + 500)
    values = [*[b"x" * 50] * 20, large, *[b"x" * 50] * 20]
    async with asyncio.timeout(10):  # nobody waits for a producer that was given up
        assert await _until_told(publisher, values) == ["taken"] * 20 + ["refused"] + ["taken"] * 20

    raised = ConfigResource(ConfigResourceType.TOPIC, SMALL.name, {"max.message.bytes": str(2 * TAKES)})
    await admin.alter_configs([raised])
    assert await _until_told(publisher, [large]) == ["taken"]
    await publisher.stop()
