"""`doithoai deadletters`: look at records that could not be handled, and decide about each."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from cli.migrate import SERVICES
from cli.printing import console
from contracts.topics import TOPICS
from kit import mongo
from kit.clock import format_moment
from kit.deadletters import DeadLetters
from kit.errors import Transient
from kit.kafka import KafkaPublisher, Refused
from kit.settings import ServiceSettings

app = typer.Typer(no_args_is_help=True, help="Records that could not be handled.")
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask")]
COMPACTED = {topic.name for topic in TOPICS if topic.retention_days is None}
T = TypeVar("T")
Row = Annotated[str | None, typer.Argument(help="The row's id, or its first characters")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter of --service, instead of one row")]
Service = Annotated[str | None, typer.Option("--service", help="Whose row: several services may have read the same record")]


@app.command("list")
def list_rows() -> None:
    """Every dead letter: where it came from and why, newest first. The content is not shown (it may be personal)."""

    async def rows(service: str, letters: DeadLetters) -> tuple[list[tuple[str, dict[str, Any]]], int]:
        found = [(service, row) for row in await letters.find()]
        return found, await letters.count() - len(found)

    table = Table("id", "service", "topic", "partition", "offset", "since", "reason", title="Dead letters")
    everywhere = asyncio.run(_everywhere(rows))
    found = [pair for pairs, _ in everywhere for pair in pairs]
    for service, row in found:
        place = (row["topic"], str(row["partition"]), str(row["offset"]))
        table.add_row(row["_id"][:12], service, *place, format_moment(row["at"]), row["reason"])
    console().print(table if found else "No dead letters.")
    if more := sum(more for _, more in everywhere):
        typer.echo(f"… and {more} older ones")


@app.command("show")
def show(row: Annotated[str, typer.Argument(help="The row's id, or its first characters")], service: Service = None) -> None:
    """One dead letter with its headers and its content. It may hold personal data: look at it, do not pass it on."""
    owner, found = _one(row, service)
    typer.echo(f"{found['_id']}  {owner}  {found['topic']}[{found['partition']}]@{found['offset']}  {found['reason']}")
    for name, content in found.get("headers", ()):
        typer.echo(f"{name}: {_text(content)}")
    if cut := found.get("headers_cut"):
        typer.echo(f"… and {cut} headers more, which were not kept")
    typer.echo(_text(found["value"]))


def _text(content: bytes | None) -> str:
    return "(null)" if content is None else content.decode(errors="backslashreplace")


@app.command("replay")
def replay(row: Row = None, service: Service = None, every: All = False) -> None:
    """Publish the record again, unchanged, and remove the row. Do this after the cause was mended."""
    owner, chosen = _chosen(row, service, every)
    try:
        asyncio.run(_replay(owner, chosen))
    except (Transient, Refused) as error:
        typer.echo(f"Kafka did not take it: {error}. This row and those after it stay.", err=True)
        raise typer.Exit(1) from None
    for topic in sorted({row["topic"] for row in chosen} & COMPACTED):
        publisher = topic.partition(".")[0]
        typer.echo(
            f"{topic} keeps the newest record of each key, and that is what was replayed now: "
            f"`doithoai republish {publisher}` puts the newest state after it."
        )


@app.command("drop")
def drop(row: Row = None, service: Service = None, every: All = False, yes: Yes = False) -> None:
    """Remove a dead letter for good."""
    owner, chosen = _chosen(row, service, every)
    if not yes:
        first = chosen[0]
        what = f"{len(chosen)} dead letters of {owner}" if every else f"{first['_id'][:12]} ({first['topic']}, {first['reason']})"
        typer.confirm(f"Remove {what} for good?", abort=True)
    asyncio.run(_drop(owner, chosen))
    typer.echo("removed")


def _chosen(row: str | None, service: str | None, every: bool) -> tuple[str, list[dict[str, Any]]]:
    """The service and the row named, or all its rows in the order in which they were published."""
    if row is not None and not every:
        owner, found = _one(row, service)
        return owner, [found]
    if row is not None or not every or service not in SERVICES:
        typer.echo("Name one row, or --all with --service.", err=True)
        raise typer.Exit(2)
    rows = asyncio.run(_with(service, lambda letters: letters.find(limit=0)))
    if not rows:
        typer.echo(f"{service} has no dead letters.", err=True)
        raise typer.Exit(1)
    return service, sorted(rows, key=lambda letter: (letter["topic"], letter["partition"], letter["offset"]))


def _one(prefix: str, service: str | None) -> tuple[str, dict[str, Any]]:
    async def rows(of: str, letters: DeadLetters) -> list[tuple[str, dict[str, Any]]]:
        return [(of, row) for row in await letters.find(prefix, limit=2)] if service in (None, of) else []

    found = [pair for pairs in asyncio.run(_everywhere(rows)) for pair in pairs]
    if len(found) != 1:
        owners = f" in {', '.join(of for of, _ in found)}: name one with --service, or give more of the id" if found else ""
        typer.echo(f"{len(found)} dead letters begin with {prefix}{owners}. `doithoai deadletters list` shows all.", err=True)
        raise typer.Exit(1)
    return found[0]


async def _replay(service: str, rows: list[dict[str, Any]]) -> None:
    publisher = KafkaPublisher(ServiceSettings().kafka_bootstrap)
    try:
        for row in rows:
            topic = next(t for t in TOPICS if t.name == row["topic"])
            headers = [(name, content) for name, content in row.get("headers", ())]
            await publisher.publish(topic, row["key"], row["value"], headers)
            await _drop(service, [row])
            cut = f", without {row['headers_cut']} of its headers, which were not kept" if row.get("headers_cut") else ""
            typer.echo(f"{row['_id'][:12]} was published to {topic.name} again{cut}")
    finally:
        await publisher.stop()


async def _drop(service: str, rows: list[dict[str, Any]]) -> None:
    async def each(letters: DeadLetters) -> None:
        for row in rows:
            await letters.drop(row["_id"])

    await _with(service, each)


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
