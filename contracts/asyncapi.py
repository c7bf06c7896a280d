"""The AsyncAPI document, from a broker that only documents: `python -m contracts.asyncapi > docs/asyncapi.json`.

The consumers decode records themselves, so their own form shows no payload; this one is built from the catalogue.
"""

import json
from functools import reduce
from operator import or_
from typing import Any

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from contracts.envelope import Event
from contracts.events import CATALOGUE
from contracts.topics import TOPICS, Topic


def document() -> str:
    """The document as JSON, the same for the same catalogue."""
    broker = KafkaBroker()
    for topic in TOPICS:
        broker.publisher(topic.name, schema=_payload(topic), title=topic.name, description=_describe(topic))
    specification = AsyncAPI(
        broker,
        title="Đối thoại TTHC",
        version="1",
        description="Events between intake, routing, notify and reporting. The record's key is the aggregate's id.",
        schema_version="3.0.0",
    )
    raw = json.loads(specification.to_specification().to_json())
    return json.dumps(raw, indent=1, ensure_ascii=False, sort_keys=True)


def _payload(topic: Topic) -> Any:
    """The events of a topic: an envelope for each state they carry."""
    states = dict.fromkeys(t.state for t in CATALOGUE.values() if t.topic is topic)
    return reduce(or_, (Event[state] for state in states))  # type: ignore[valid-type]


def _describe(topic: Topic) -> str:
    kept = "compacted" if topic.retention_days is None else f"kept {topic.retention_days} days"
    types = ", ".join(t.name for t in CATALOGUE.values() if t.topic is topic)
    return f"Key: {topic.key}. {topic.partitions} partitions, {kept}. Types: {types}."


if __name__ == "__main__":
    print(document())
