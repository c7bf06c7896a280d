"""`doithoai rescue`: before a restore, save the registrations and the feedback that Kafka has and the backup has not.

Only Kafka knows what people sent after the backup, for seven days, and a restore with --delete-topics deletes it.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from uuid import UUID

import orjson
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from cli.backup import BackupError, explain, load
from cli.restore import batches
from contracts.topics import FEEDBACK, REGISTRATIONS, Topic
from deploy.local.stack import write_private
from kit.settings import ServiceSettings

_COPIES: Mapping[Topic, str] = {REGISTRATIONS: "intake.registrations.bson.gz", FEEDBACK: "intake.feedback.bson.gz"}
"""Where a backup has them; one that is older than feedback has none of it."""


def rescue(
    directory: Annotated[Path, typer.Argument(help="What `doithoai backup` wrote and will be restored")],
    file: Annotated[Path, typer.Argument(help="Where to write them, one JSON object a line. They hold personal data")],
) -> None:
    """Write the registrations and the feedback that came after a backup into a file that you alone may read. Changes nothing."""
    settings = ServiceSettings()
    try:
        load(directory)
        copies = [directory / name for name in _COPIES.values() if (directory / name).exists()]
        known = {UUID(bytes=bytes(document["_id"])) for copy in copies for batch in batches(copy) for document in batch}
        found = {key: value for topic in _COPIES for key, value in asyncio.run(_newest(settings.kafka_bootstrap, topic)).items()}
    except (BackupError, OSError) as error:
        typer.echo(explain(error), err=True)
        raise typer.Exit(1) from None
    except KafkaError as error:
        typer.echo(f"Kafka does not answer at {settings.kafka_bootstrap}: {type(error).__name__}.", err=True)
        raise typer.Exit(1) from None
    lines = [value for key, value in found.items() if UUID(key) not in known]
    write_private(file, "".join(f"{line.decode()}\n" for line in lines))
    typer.echo(f"{len(lines)} registrations or feedback that are not in the backup are in {file}. They hold personal data.")


async def _newest(bootstrap: str, topic: Topic) -> dict[str, bytes]:
    """The newest event of each aggregate of a topic that Kafka has: its id → JSON. What is no event is left out."""
    found: dict[str, bytes] = {}
    # "earliest" from the start: a seek races with aiokafka's own search for the end, and finds nothing when it loses.
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest") as reader:
        if topic.name not in await reader.topics():
            return {}  # it was made by a later version than Kafka has seen
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        while any([await reader.position(partition) < end for partition, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=500)).values():
                found |= {record.key.decode(): record.value for record in records if _is_event(record.key, record.value)}
    return found


def _is_event(key: bytes | None, value: bytes | None) -> bool:
    try:
        event = orjson.loads(value or b"")
        return isinstance(event, dict) and str(UUID((key or b"").decode())) == event.get("subject")
    except ValueError:
        return False
