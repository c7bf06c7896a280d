"""`doithoai deadletters`: look at records that could not be handled, and decide about each."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from cli.migrate import SERVICES
from contracts.topics import TOPICS
from kit import mongo
from kit.clock import format_moment
from kit.deadletters import DeadLetters
from kit.kafka import KafkaPublisher
from kit.settings import ServiceSettings

app = typer.Typer(no_args_is_help=True, help="Records that could not be handled.")
T = TypeVar("T")
Row = Annotated[str, typer.Argument(help="The row's id, or its first characters")]


@app.command("list")
def list_rows() -> None:
    """Every dead letter: where it came from and why, newest first. The content is not shown (it may be personal)."""

    async def rows(service: str, letters: DeadLetters) -> list[tuple[str, dict[str, Any]]]:
        return [(service, row) for row in await letters.find()]

    table = Table("id", "service", "topic", "partition", "offset", "since", "reason", title="Dead letters")
    found = [pair for pairs in asyncio.run(_everywhere(rows)) for pair in pairs]
    for service, row in found:
        place = (row["topic"], str(row["partition"]), str(row["offset"]))
        table.add_row(row["_id"][:12], service, *place, format_moment(row["at"]), row["reason"])
    Console().print(table if found else "No dead letters.")


@app.command("show")
def show(row: Row) -> None:
    """One dead letter with its content. It may hold personal data: look at it, do not pass it on."""
    service, found = _one(row)
    typer.echo(f"{found['_id']}  {service}  {found['topic']}[{found['partition']}]@{found['offset']}  {found['reason']}")
    typer.echo((found["value"] or b"").decode(errors="backslashreplace"))


@app.command("replay")
def replay(row: Row) -> None:
    """Publish the record again, unchanged, and remove the row. Do this after the cause was mended."""
    service, found = _one(row)
    asyncio.run(_replay(service, found))
    typer.echo(f"{found['_id'][:12]} was published to {found['topic']} again")


@app.command("drop")
def drop(row: Row, yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False) -> None:
    """Remove a dead letter for good."""
    service, found = _one(row)
    if not yes:
        typer.confirm(f"Remove {found['_id'][:12]} ({found['topic']}, {found['reason']}) for good?", abort=True)
    asyncio.run(_with(service, lambda letters: letters.drop(found["_id"])))
    typer.echo("removed")


def _one(prefix: str) -> tuple[str, dict[str, Any]]:
    async def rows(service: str, letters: DeadLetters) -> list[tuple[str, dict[str, Any]]]:
        return [(service, row) for row in await letters.find(prefix, limit=2)]

    found = [pair for pairs in asyncio.run(_everywhere(rows)) for pair in pairs]
    if len(found) != 1:
        typer.echo(f"{len(found)} dead letters begin with {prefix}; `doithoai deadletters list` shows them.", err=True)
        raise typer.Exit(1)
    return found[0]


async def _replay(service: str, row: dict[str, Any]) -> None:
    topic = next(t for t in TOPICS if t.name == row["topic"])
    publisher = KafkaPublisher(ServiceSettings().kafka_bootstrap)
    await publisher.publish(topic, row["key"] or b"", row["value"] or b"")
    await publisher.stop()
    await _with(service, lambda letters: letters.drop(row["_id"]))


async def _with(service: str, use: Callable[[DeadLetters], Awaitable[T]]) -> T:
    settings = ServiceSettings()
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver)
    try:
        return await use(DeadLetters(client[f"{settings.mongodb_prefix}_{service}"]))
    finally:
        await mongo.close(client)


async def _everywhere(use: Callable[[str, DeadLetters], Awaitable[T]]) -> list[T]:
    async def of(service: str) -> T:
        return await _with(service, lambda letters: use(service, letters))

    return [await of(service) for service in SERVICES]
