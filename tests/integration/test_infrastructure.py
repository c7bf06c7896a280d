"""The infrastructure that every other integration test stands on: real Kafka and a real replica set."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

pytestmark = pytest.mark.stack


async def test_kafka_returns_what_was_acknowledged(kafka_bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("smoke", num_partitions=3, replication_factor=1)])
    await admin.close()

    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True) as producer:
        sent = await producer.send_and_wait("smoke", "nội dung".encode(), key=b"k")

    consumer = AIOKafkaConsumer("smoke", bootstrap_servers=kafka_bootstrap, group_id="smoke", auto_offset_reset="earliest")
    async with consumer:
        record = await consumer.getone()
        await consumer.commit()
    assert (record.partition, record.offset, record.value) == (sent.partition, sent.offset, "nội dung".encode())


async def test_kafka_creates_no_topic_by_itself(kafka_bootstrap: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, request_timeout_ms=2000) as producer:
        with pytest.raises((UnknownTopicOrPartitionError, KafkaTimeoutError)):
            await producer.send_and_wait("nobody-made-this", b"x")


def test_mongodb_takes_journaled_majority_writes(mongodb_url: str) -> None:
    client: MongoClient[dict[str, object]]
    with MongoClient(mongodb_url) as client:
        collection: Collection[dict[str, object]] = client["smoke"].get_collection(
            "documents", write_concern=WriteConcern(w="majority", j=True), read_concern=ReadConcern("majority")
        )
        collection.insert_one({"_id": 1, "text": "nội dung"})
        assert collection.find_one({"_id": 1}) == {"_id": 1, "text": "nội dung"}
        assert client.admin.command("hello")["setName"] == "rs0"
