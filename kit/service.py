"""How a service runs: start what it is made of, stop it in order, say whether it is ready."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.errors import PyMongoError

from kit import deadletters, mongo
from kit.consumer import Consumer, Subscription
from kit.deadletters import DeadLetters
from kit.kafka import KafkaPublisher, Publisher
from kit.logging import get_logger
from kit.mongo import Client, CollectionSpec, Database
from kit.outbox import Outbox, Relay
from kit.settings import ServiceSettings

Worker = Callable[[], Awaitable[None]]


_COLLECT_AFTER = 50_000
"""Objects that outlive their making before the collector looks at the youngest: more than a batch of events holds."""
_COLLECT_EVERY = 10.0


def calm_collector() -> None:
    """Set Python's collector for a process that serves; call it when everything that stays has been made.

    As it comes, it sets out whenever 700 objects are new: a dozen times in a batch of events, and now and then through every
    module. What is here now is never looked at again, and what comes later when much of it is new, or by the clock.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


async def collect_by_the_clock() -> None:
    """Collect every ten seconds until cancelled: aiokafka leaves a broken connection to the collector, and a quiet process
    would not start it for an hour.
    """
    while True:
        await asyncio.sleep(_COLLECT_EVERY)
        gc.collect()


@dataclass
class Service:
    """One process of a service: its database, relay, consumers and background workers.

    Everything is started in the background: pages answer with MongoDB alone, Kafka may come later (promise 1).
    """

    name: str
    settings: ServiceSettings
    specs: Sequence[CollectionSpec]
    client: Client
    database: Database
    files: Database
    publisher: Publisher
    outboxes: Sequence[Outbox] = ()
    subscriptions: Sequence[Subscription] = ()
    workers: Sequence[Worker] = ()
    on_stop: Sequence[Worker] = ()
    needs_kafka: bool = True
    consumers: list[Consumer] = field(default_factory=list)

    def all_specs(self) -> list[CollectionSpec]:
        """The service's collections, those of the kit included."""
        return [*self.specs, deadletters.SPEC]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run relay, consumers and workers while the block lasts; then stop consumers first and the relay last."""
        relay = Relay(self.publisher, self.outboxes)
        dead_letters = DeadLetters(self.database)
        self.consumers = [
            Consumer(
                subscription,
                dead_letters,
                bootstrap=self.settings.kafka_bootstrap,
                group=f"{self.settings.kafka_group_prefix}.{self.name}.{subscription.name}",
                instance=self.settings.kafka_instance,
                dead_letter_limit=self.settings.dead_letter_limit,
            )
            for subscription in self.subscriptions
        ]
        readers = [asyncio.create_task(consumer.run()) for consumer in self.consumers]
        workers = [
            asyncio.create_task(_for_ever(worker))
            for worker in (relay.run, dead_letters.watch, collect_by_the_clock, *self.workers)
        ]
        try:
            yield
        finally:
            await _cancel(readers)
            await _cancel(workers)
            for stop in self.on_stop:
                await stop()
            await relay.stop()
            if isinstance(self.publisher, KafkaPublisher):
                await self.publisher.stop()
            await mongo.close(self.client)

    async def ready(self) -> dict[str, bool]:
        """What readiness rests on, each part true or false."""
        parts = {"mongodb": False}
        with contextlib.suppress(PyMongoError):
            missing = await mongo.missing(self.database, self.all_specs())
            parts = {"mongodb": True, "indexes": not missing}
            if missing:
                get_logger().warning("run_migrate", missing=missing)
        if self.needs_kafka:
            parts |= {f"consumer {c.group}": c.healthy for c in self.consumers}
        return parts


def databases(settings: ServiceSettings, name: str) -> tuple[Client, Database, Database]:
    """The client of a service, its own database and the file store."""
    client = mongo.connect(
        settings.mongodb_url,
        driver=settings.store_driver,
        pool=settings.mongodb_pool,
        timeout_ms=settings.mongodb_timeout_ms,
    )
    return client, client[f"{settings.mongodb_prefix}_{name}"], client[f"{settings.mongodb_prefix}_files"]


async def _for_ever(worker: Worker) -> None:
    """A worker that raises is logged and begun again: no background task dies silently."""
    pause = 1.0
    while True:
        try:
            await worker()
            return
        except Exception as error:
            get_logger().error("worker_failed", exc_info=error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 30.0)


async def _cancel(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
