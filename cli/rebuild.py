"""`doithoai rebuild`: reporting's facts and sums again from the topics, in the running system."""

import asyncio

import typer
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from kit import mongo
from kit.settings import ServiceSettings
from services.reporting.rebuild import Rebuilt
from services.reporting.rebuild import rebuild as rebuild_facts


def rebuild() -> None:
    """Build every report's numbers again from the topics. The services may go on; nothing is replaced unless all is there."""
    settings = ServiceSettings()
    try:
        done = asyncio.run(_rebuild(settings))
    except (KafkaError, OSError, LookupError) as error:
        typer.echo(
            f"The topics cannot be read at {settings.kafka_bootstrap}: {type(error).__name__}. Nothing was changed.", err=True
        )
        raise typer.Exit(1) from None
    except PyMongoError as error:
        typer.echo(f"MongoDB does not answer: {type(error).__name__}. Run this again.", err=True)
        raise typer.Exit(1) from None
    if done.lost:
        typer.echo(f"The topics no longer hold everything, for example: {', '.join(done.lost)}. Nothing was changed.", err=True)
        typer.echo("Run `doithoai republish`, wait until the services have published, then run this again.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{done.facts} facts")
    if done.undecodable:
        typer.echo(f"{done.undecodable} records could not be decoded; see `doithoai deadletters list`")


async def _rebuild(settings: ServiceSettings) -> Rebuilt:
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver, timeout_ms=None)
    try:
        return await rebuild_facts(client[f"{settings.mongodb_prefix}_reporting"], settings.kafka_bootstrap)
    finally:
        await mongo.close(client)
