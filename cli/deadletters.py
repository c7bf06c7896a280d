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
Service = Annotated[str | None, typer.Option("--service", help="Whose row: several services may have read the same record")]


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
def show(row: Row, service: Service = None) -> None:
    """One dead letter with its content. It may hold personal data: look at it, do not pass it on."""
    owner, found = _one(row, service)
    typer.echo(f"{found['_id']}  {owner}  {found['topic']}[{found['partition']}]@{found['offset']}  {found['reason']}")
    typer.echo((found["value"] or b"").decode(errors="backslashreplace"))


@app.command("replay")
def replay(row: Row, service: Service = None) -> None:
    """Publish the record again, unchanged, and remove the row. Do this after the cause was mended."""
    owner, found = _one(row, service)
    asyncio.run(_replay(owner, found))
    typer.echo(f"{found['_id'][:12]} was published to {found['topic']} again")


@app.command("drop")
def drop(row: Row, service: Service = None, yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False) -> None:
    """Remove a dead letter for good."""
    owner, found = _one(row, service)
    if not yes:
        typer.confirm(f"Remove {found['_id'][:12]} ({found['topic']}, {found['reason']}) for good?", abort=True)
    asyncio.run(_with(owner, lambda letters: letters.drop(found["_id"])))
    typer.echo("removed")


def _one(prefix: str, service: str | None) -> tuple[str, dict[str, Any]]:
    async def rows(of: str, letters: DeadLetters) -> list[tuple[str, dict[str, Any]]]:
        return [(of, row) for row in await letters.find(prefix, limit=2)] if service in (None, of) else []

    found = [pair for pairs in asyncio.run(_everywhere(rows)) for pair in pairs]
    if len(found) != 1:
        owners = f" in {', '.join(of for of, _ in found)}: name one with --service, or give more of the id" if found else ""
        typer.echo(f"{len(found)} dead letters begin with {prefix}{owners}. `doithoai deadletters list` shows all.", err=True)
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
