"""How much memory each service takes after LATER events, against after EARLIER: one service after the other, as the events flow.

Intake takes registrations by HTTP and publishes them; routing reads them and publishes cases and questions; notify reads the
letters that intake asked for and sends them; reporting reads what routing published. Each runs alone with all that it runs in
production, so what it keeps of the events would show.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import SecretStr

from bench import consume, intake
from bench.child import say, until_told
from bench.load import closed_loop
from bench.machine import Child, Machine
from bench.smtp_sink import Sink
from kit import deadletters, mongo
from kit.mongo import Collection
from kit.service import Service
from services.notify import bootstrap as notify_bootstrap
from services.notify import store as notify_store
from services.notify.settings import NotifySettings
from services.reporting import bootstrap as reporting_bootstrap
from services.reporting import store as reporting_store
from services.reporting.settings import ReportingSettings
from services.routing import bootstrap as routing_bootstrap
from services.routing.settings import RoutingSettings

EARLIER, LATER = 10_000, 100_000
LIMIT = 1.2
_WITHIN = 900.0


# The services


async def routing(kafka_bootstrap: str, mongodb_url: str, prefix: str, **_: Any) -> None:
    made, service = routing_bootstrap.bootstrap(RoutingSettings(**_common(kafka_bootstrap, mongodb_url, prefix)))
    await mongo.apply(service.database, service.all_specs())
    await consume.announce(made)
    await _serve(service)


async def notify(kafka_bootstrap: str, mongodb_url: str, prefix: str, smtp_port: int, **_: Any) -> None:
    settings = NotifySettings(**_common(kafka_bootstrap, mongodb_url, prefix), smtp_port=smtp_port, smtp_tls="none")
    await _serve(notify_bootstrap.bootstrap(settings).service)


async def reporting(kafka_bootstrap: str, mongodb_url: str, prefix: str, **_: Any) -> None:
    _app, service, _reporting = reporting_bootstrap.bootstrap(ReportingSettings(**_common(kafka_bootstrap, mongodb_url, prefix)))
    await _serve(service)


def _common(kafka_bootstrap: str, mongodb_url: str, prefix: str) -> dict[str, Any]:
    return {
        "session_secret": SecretStr("s" * 40),
        "mongodb_url": mongodb_url,
        "mongodb_prefix": prefix,
        "kafka_bootstrap": kafka_bootstrap,
        "kafka_group_prefix": prefix,
        "log_level": "ERROR",
    }


async def _serve(service: Service) -> None:
    async with service.running():
        say(began=True)
        await until_told()


# Measuring them


async def measure(machine: Machine, earlier: int = EARLIER, later: int = LATER) -> dict[str, Any]:
    """Service → resident megabytes after `earlier` and after `later` events of its own."""
    prefix = machine.new_prefix()
    await intake.prepare_database(machine, prefix)
    for name, specs in (("notify", notify_store.SPECS), ("reporting", reporting_store.SPECS)):
        await mongo.apply(machine.client[f"{prefix}_{name}"], [*specs, deadletters.SPEC])
    sink = Sink()
    await sink.start()

    async def mails() -> int:
        return len(sink.message_ids)

    sizes = {"intake": await _intake(machine, prefix, earlier, later)}
    routed, drawn = machine.client[f"{prefix}_routing"], machine.client[f"{prefix}_reporting"]
    for name, done, outboxes in (
        ("routing", routed["cases"].estimated_document_count, (routed["cases"], routed["questions"])),
        ("notify", mails, ()),
        ("reporting", drawn["facts"].estimated_document_count, ()),
    ):
        async with machine.child(f"bench.memory:{name}", prefix=prefix, smtp_port=sink.port) as child:
            await child.hear()
            sizes[name] = [await _after(child, done, count) for count in (earlier, later)]
            await _published(*outboxes)
            await child.stop()
    sink.stop()
    return {"earlier": earlier, "later": later, "limit": LIMIT, "megabytes": sizes}


async def _intake(machine: Machine, prefix: str, earlier: int, later: int) -> list[float]:
    accepted, sizes = 0, []
    async with intake.running(machine, "serve_intake", prefix) as (target, child):
        for wanted in (earlier, later):
            while accepted < wanted:
                accepted += len((await closed_loop(target, connections=intake.CONNECTIONS, seconds=1.0)).accepted)
            sizes.append(child.megabytes())
        await _published(machine.client[f"{prefix}_intake"]["registrations"])
        await child.stop()
    return sizes


async def _after(child: Child, done: Callable[[], Awaitable[int]], count: int) -> float:
    async def reached() -> bool:
        return await done() >= count

    await _until(reached)
    return child.megabytes()


async def _published(*outboxes: Collection) -> None:
    """Wait for all events of a service: the next one reads them."""
    for outbox in outboxes:

        async def none_waits(outbox: Collection = outbox) -> bool:
            return await outbox.find_one({"due": {"$exists": True}}, {"_id": 1}) is None

        await _until(none_waits)


async def _until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_WITHIN):
        while not await reached():  # noqa: ASYNC110 - another process works
            await asyncio.sleep(0.2)


def over(result: dict[str, Any]) -> list[str]:
    """What grew beyond the limit, in words."""
    later, limit = result["later"], result["limit"]
    sizes = result["megabytes"].items()
    return [f"{name}: × {b / a:.2f} after {later:,} events, at most × {limit}" for name, (a, b) in sizes if b > a * limit]


def line(result: dict[str, Any]) -> str:
    """The figures in one line."""
    sizes = (f"{name} {a:.0f} → {b:.0f} MB (× {b / a:.2f})" for name, (a, b) in result["megabytes"].items())
    return f"MEMORY after {result['earlier']:,} and {result['later']:,} events: {'; '.join(sizes)}"
