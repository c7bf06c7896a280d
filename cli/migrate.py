"""`doithoai migrate`: create topics, collections, indexes and validators. Changes nothing that is already so."""

import asyncio
from importlib import import_module

import typer

from contracts.topics import TOPICS
from kit import deadletters, files, mongo
from kit.errors import Transient
from kit.kafka import create_topics
from kit.logging import configure, get_logger
from kit.settings import ServiceSettings

SERVICES = ("intake", "routing", "notify", "reporting")


def migrate() -> None:
    """Create the topics and indexes that are missing, in the cluster that the settings name."""
    configure("migrate")
    settings = ServiceSettings()
    try:
        created = asyncio.run(_migrate(settings))
    except Transient as error:
        typer.echo(f"Kafka does not answer at {settings.kafka_bootstrap}: {error}. Start it, then run this again.", err=True)
        raise typer.Exit(1) from None
    get_logger().info("migrated", count=len(created))


async def _migrate(settings: ServiceSettings) -> list[str]:
    created = await create_topics(settings.kafka_bootstrap, TOPICS, replication=settings.kafka_replication)
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver, timeout_ms=None)
    try:
        for service in SERVICES:
            store = import_module(f"services.{service}.store")
            await mongo.apply(client[f"{settings.mongodb_prefix}_{service}"], [*store.SPECS, deadletters.SPEC])
        await mongo.apply(client[f"{settings.mongodb_prefix}_files"], files.SPECS)
    finally:
        await mongo.close(client)
    return created
