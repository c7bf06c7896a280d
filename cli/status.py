"""`doithoai status`: what waits to be published, who is behind in reading, what lies in the dead letters."""

import asyncio
from dataclasses import dataclass
from importlib import import_module

import typer
from pymongo.errors import PyMongoError
from rich.table import Table

from cli.migrate import SERVICES
from cli.printing import console
from kit import kafka, mongo
from kit.deadletters import DeadLetters
from kit.errors import Transient
from kit.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in one service's database: documents with unpublished events by collection, and dead letters."""

    service: str
    unpublished: dict[str, int]
    dead_letters: int


def status() -> None:
    """Show where work waits: everything at nought is a system that has caught up."""
    settings = ServiceSettings()
    shown = console()
    reached = True
    try:
        shown.print(_waiting_table(asyncio.run(waiting(settings))))
    except PyMongoError as error:
        typer.echo(f"MongoDB does not answer: {type(error).__name__}.", err=True)
        reached = False
    try:
        shown.print(_groups_table(asyncio.run(kafka.groups(settings.kafka_bootstrap, f"{settings.kafka_group_prefix}."))))
    except Transient as error:
        typer.echo(f"Kafka does not answer at {settings.kafka_bootstrap}: {error}.", err=True)
        reached = False
    if not reached:
        raise typer.Exit(1)


async def waiting(settings: ServiceSettings) -> list[Waiting]:
    """Counts of all services. Raises PyMongoError."""
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver)
    found: list[Waiting] = []
    try:
        for service in SERVICES:
            database = client[f"{settings.mongodb_prefix}_{service}"]
            outboxes = [spec.name for spec in import_module(f"services.{service}.store").SPECS if spec.has_outbox]
            unpublished = {name: await database[name].count_documents({"due": {"$exists": True}}) for name in outboxes}
            found.append(Waiting(service, unpublished, await DeadLetters(database).count()))
    finally:
        await mongo.close(client)
    return found


def _waiting_table(found: list[Waiting]) -> Table:
    table = Table("service", "unpublished documents", "dead letters", title="In the databases")
    for row in found:
        shown = ", ".join(f"{name}: {count}" for name, count in row.unpublished.items() if count)
        table.add_row(row.service, shown or "0", str(row.dead_letters))
    return table


def _groups_table(groups: list[kafka.Group]) -> Table:
    table = Table("group", "members", "topic", "records behind", title="In Kafka")
    for group in groups:
        for topic, behind in sorted(group.behind.items()):
            table.add_row(group.name, str(group.members), topic, str(behind))
        if not group.behind:
            table.add_row(group.name, str(group.members), "being shared out", "?")
    return table
