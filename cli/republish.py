"""`doithoai republish`: publish events again from the documents that hold them, after the broker lost its data."""

import asyncio
from importlib import import_module
from typing import Annotated

import typer

from cli.migrate import SERVICES
from kit import mongo
from kit.mongo import CollectionSpec
from kit.settings import ServiceSettings


def republish(
    service: Annotated[str, typer.Argument(help=f"Whose events: {', '.join(SERVICES)} or all")] = "all",
    agency: Annotated[str | None, typer.Option(help="Only this agency's")] = None,
) -> None:
    """Mark every event as unpublished; the running services publish them within seconds.

    Effects are idempotent by key: nothing happens twice, and a letter older than a day without a ledger row is held for staff.
    """
    chosen = SERVICES if service == "all" else (service,)
    if unknown := set(chosen) - set(SERVICES):
        typer.echo(f"No such service: {', '.join(unknown)}. Choose from {', '.join(SERVICES)} or all.", err=True)
        raise typer.Exit(2)
    for name, count in asyncio.run(_republish(ServiceSettings(), chosen, agency)):
        typer.echo(f"{name}: {count} documents will be published again")


async def _republish(settings: ServiceSettings, services: tuple[str, ...], agency: str | None) -> list[tuple[str, int]]:
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver, timeout_ms=None)
    marked: list[tuple[str, int]] = []
    try:
        for service in services:
            database = client[f"{settings.mongodb_prefix}_{service}"]
            specs: tuple[CollectionSpec, ...] = import_module(f"services.{service}.store").SPECS
            for spec in (s for s in specs if s.has_outbox):
                result = await database[spec.name].update_many(
                    {"agency": agency} if agency else {}, [{"$set": {"unsent": 1, "due": "$$NOW"}}]
                )
                marked.append((f"{service}.{spec.name}", result.modified_count))
    finally:
        await mongo.close(client)
    return marked
