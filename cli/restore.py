"""`doithoai restore`: write a backup back, after every file of it was found whole."""

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Annotated, BinaryIO, NoReturn, cast

import typer
from bson import decode_file_iter
from bson.raw_bson import RawBSONDocument
from pymongo.errors import PyMongoError

from cli.backup import DATABASES, RAW, BackupError, Client, Manifest, connect, explain, load
from contracts.topics import TOPICS
from kit import mongo
from kit.clock import system_clock
from kit.errors import Transient
from kit.kafka import delete_topics, groups
from kit.settings import ServiceSettings
from services.notify.store import Ledger
from services.notify.usecases import hold_restored

BATCH_BYTES = 8 * 1024 * 1024
SESSION = 15.0
"""For up to so many seconds Kafka still counts a process that has ended."""

NEXT = """Next:
  1. doithoai migrate     makes indexes and topics
  2. start the services
  3. doithoai republish   tells each service what it missed
docs/operations.md, “Restore from a backup”, says why, and what to look at afterwards."""


def restore(
    directory: Annotated[Path, typer.Argument(help="What `doithoai backup` wrote")],
    yes_replace: Annotated[bool, typer.Option("--yes-replace", help="Remove what the databases hold now")] = False,
    new_topics: Annotated[
        bool,
        typer.Option(
            "--delete-topics", help="Also delete the topics: their records are younger than the backup. Not in a rehearsal!"
        ),
    ] = False,
) -> None:
    """Write a backup into the databases that the settings name. Stop the services first."""
    settings = ServiceSettings()
    try:
        manifest = load(directory)
        with connect(settings.mongodb_url) as client:
            if not yes_replace and (full := occupied(client, settings.mongodb_prefix)):
                _fail(f"Not empty: {', '.join(full)}. To replace what is there, add --yes-replace.")
            if new_topics:
                asyncio.run(_delete_topics(settings))
            write(client, settings.mongodb_prefix, directory, manifest)
        held = asyncio.run(_hold_letters(settings))
    except (BackupError, PyMongoError, OSError) as error:
        _fail(explain(error))
    except Transient as error:
        _fail(f"Kafka does not answer at {settings.kafka_bootstrap}: {error}. Nothing was written.")
    typer.echo(f"Restored: everything is as it was at {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC.")
    typer.echo(f"{held} letters that were unsent then are held for staff.\n{NEXT}")


async def _delete_topics(settings: ServiceSettings) -> None:
    """Also proves that no service runs: it would write into what is being restored. Raises BackupError, `Transient`."""
    until = monotonic() + SESSION
    while running := [g.name for g in await groups(settings.kafka_bootstrap, f"{settings.kafka_group_prefix}.") if g.members]:
        if monotonic() > until:
            raise BackupError(f"Services are running: {', '.join(running)}. Stop them first. Nothing was written.")
        await asyncio.sleep(1)
    await delete_topics(settings.kafka_bootstrap, TOPICS)


async def _hold_letters(settings: ServiceSettings) -> int:
    """What was unsent at the backup, or not yet asked for, may have been sent since."""
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver, timeout_ms=None)
    try:
        return await hold_restored(Ledger(client[f"{settings.mongodb_prefix}_notify"]), system_clock())
    finally:
        await mongo.close(client)


def occupied(client: Client, prefix: str) -> list[str]:
    """Databases that hold at least one document."""
    return [
        f"{prefix}_{name}"
        for name in DATABASES
        if any(
            client[f"{prefix}_{name}"][collection].find_one({}, {"_id": 1})
            for collection in client[f"{prefix}_{name}"].list_collection_names()
        )
    ]


def write(client: Client, prefix: str, directory: Path, manifest: Manifest) -> None:
    """Replace the databases `<prefix>_…` by the backup and count what is there. Raises BackupError, PyMongoError, OSError."""
    for name in DATABASES:
        client.drop_database(f"{prefix}_{name}")
    for copy in manifest.collections:
        collection = client[f"{prefix}_{copy.database}"].create_collection(copy.collection, codec_options=RAW)
        for batch in batches(directory / copy.file):
            collection.insert_many(batch, ordered=False)
        if (count := collection.count_documents({})) != copy.documents:
            raise BackupError(
                f"{copy.name} has {count} documents instead of {copy.documents}: run this again with --yes-replace."
            )


def batches(path: Path) -> Iterator[list[RawBSONDocument]]:
    """The documents of a copy, some megabytes at a time."""
    batch: list[RawBSONDocument] = []
    size = 0
    with gzip.open(path) as unpacked:
        for document in decode_file_iter(cast(BinaryIO, unpacked), RAW):
            batch.append(document)
            size += len(document.raw)
            if size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(1)
