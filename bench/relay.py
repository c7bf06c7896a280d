"""R5: the outbox relay against a bare idempotent producer of the same bytes, and how soon an event is visible after its POST."""

import asyncio
import gc
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import cycle
from statistics import median
from time import perf_counter
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from uuid_utils.compat import uuid7

from bench import intake as intake_side
from bench import samples
from bench.harness import Beside, Measure, Ratio
from bench.load import _NUMBER, Target, _connections
from bench.machine import Machine
from bench.window import Window
from contracts.events import CATALOGUE
from contracts.topics import INTAKE_LETTERS, REGISTRATIONS
from kit import deadletters, mongo
from kit.acting import Acting
from kit.clock import system_clock
from kit.kafka import KafkaPublisher, Outcome, Record
from kit.mongo import Document
from kit.outbox import Relay, headers
from services.intake.bootstrap import bootstrap
from services.intake.forms import RegistrationInput
from services.intake.store import SPECS
from services.intake.usecases import Intake, register

DOCUMENTS_A_SECOND = 16_000
"""More than a relay can publish: a round ends by time, not for want of documents."""
AT_WORK = 2_000
VISIBLE_POSTS = 60


# Both


async def _template(intake: Intake) -> Document:
    """A registration as intake writes it, with its two events."""
    acting = Acting(samples.AGENCY, "registrant", system_clock(), "4bf92f3577b34da6a3ce929d0e0e4736")
    submission = RegistrationInput.model_validate_json(samples.body()).submission()
    receipt = await register(intake, acting, uuid4().hex, submission)
    return receipt.document


def _like(template: Document, count: int) -> Iterator[Document]:
    for n in range(count):
        _id = uuid4()
        events = [{**entry, "id": uuid7()} for entry in template["events"]]
        yield {**template, "_id": _id, "code_hash": _id.bytes, "case_number": f"SL-2026-{n:06d}", "events": events}


async def _intake(kafka_bootstrap: str, mongodb_url: str, prefix: str) -> Intake:
    client = mongo.connect(mongodb_url)
    await mongo.apply(client[f"{prefix}_intake"], [*SPECS, deadletters.SPEC])
    _app, _service, intake = bootstrap(
        intake_side.settings(kafka_bootstrap, mongodb_url, prefix, mongodb_timeout_ms=30_000, request_deadline_seconds=60)
    )
    await intake.projections.save_announcements(samples.announcements())
    return intake


# Ours


class _Counting(KafkaPublisher):
    """The product's publisher; tells the window of every acknowledged event."""

    def __init__(self, bootstrap: str, window: Window) -> None:
        super().__init__(bootstrap)
        self._window = window

    async def publish_all(self, records: Sequence[Record]) -> list[Outcome]:
        outcomes = await super().publish_all(records)
        self._window.add(outcomes.count(None))
        return outcomes


async def relayed(
    kafka_bootstrap: str, mongodb_url: str, prefix: str, seconds: float, warm_up: float, **_: Any
) -> dict[str, float]:
    """Documents lie in MongoDB with both events unsent; the relay is offered each, publishes and marks them."""
    intake = await _intake(kafka_bootstrap, mongodb_url, prefix)
    template = await _template(intake)
    documents = list(_like(template, int((seconds + warm_up) * DOCUMENTS_A_SECOND)))
    for start in range(0, len(documents), 500):
        await intake.outbox.collection.insert_many(documents[start : start + 500], ordered=False)
    gc.freeze()  # the documents that wait here would wait in MongoDB: let no collection go through them
    window = Window(warm_up, seconds, 2 * len(documents))
    relay = Relay(_Counting(kafka_bootstrap, window), [intake.outbox])
    for document in documents:
        while relay.waiting >= AT_WORK:  # noqa: ASYNC110 - the relay takes what it is given and tells nobody
            await asyncio.sleep(0.001)
        if window.over.is_set():
            break
        intake.outbox.offer(document)
    await window.over.wait()
    result = window.result()
    await relay.stop(within=30)
    unmarked = await intake.outbox.collection.count_documents({"unsent": 1, "_id": {"$in": [d["_id"] for d in documents[:500]]}})
    if unmarked:
        raise AssertionError(f"{unmarked} published documents are not marked")
    return result | {"done": window.done}


# Baseline


async def produced(
    kafka_bootstrap: str, mongodb_url: str, prefix: str, seconds: float, warm_up: float, **_: Any
) -> dict[str, float]:
    """An idempotent producer that is never waited for one by one; bytes made beforehand."""
    intake = await _intake(kafka_bootstrap, mongodb_url, prefix)
    records = list(_made(intake, list(_like(await _template(intake), 1_000))))
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, enable_idempotence=True, acks="all", linger_ms=5, max_batch_size=262_144
    )
    await producer.start()
    gc.freeze()
    window = Window(warm_up, seconds, 10**9)
    sent: deque[asyncio.Future[Any]] = deque()
    for topic, key, value, head in cycle(records):
        sent.append(await producer.send(topic, value, key=key, headers=head))
        while len(sent) >= AT_WORK or (sent and sent[0].done()):
            await sent.popleft()
            window.add(1)
        if window.over.is_set():
            break
    await producer.stop()
    return window.result()


def _made(intake: Intake, documents: Sequence[Document]) -> Iterator[tuple[str, bytes, bytes, Any]]:
    for document in documents:
        for entry in document["events"]:
            event = intake.outbox.event(document, entry)
            yield CATALOGUE[event.type].topic.name, event.subject.encode(), event.encode(), headers(event)


# How soon an event is visible


async def _visible(machine: Machine) -> float:
    """Median milliseconds from sending a POST until a consumer has its event, one POST at a time."""
    prefix = machine.new_prefix()
    await intake_side.prepare_database(machine, prefix)
    seen: dict[str, asyncio.Future[float]] = {}
    reader = AIOKafkaConsumer(REGISTRATIONS.name, bootstrap_servers=machine.stack.kafka_bootstrap, auto_offset_reset="latest")
    await reader.start()
    await reader.seek_to_end()

    async def read() -> None:
        async for record in reader:
            at = perf_counter()
            if (number := _NUMBER.search(record.value)) is not None:
                seen.setdefault(number[1].decode(), asyncio.get_running_loop().create_future()).set_result(at)

    reading = asyncio.create_task(read())
    try:
        async with intake_side.running(machine, "serve_intake", prefix) as (target, child):
            await asyncio.sleep(1.0)
            waits = [await _post_and_see(target, seen) for _ in range(VISIBLE_POSTS)]
            await child.stop()
    finally:
        reading.cancel()
        await reader.stop()
    return 1000 * median(waits)


async def _post_and_see(target: Target, seen: dict[str, asyncio.Future[float]]) -> float:
    (connection,) = await _connections(target, 1)
    begun = perf_counter()
    answer = await connection.send(target.request())
    connection.close()
    number = _NUMBER.search(answer)
    assert number is not None
    at = seen.setdefault(number[1].decode(), asyncio.get_running_loop().create_future())
    async with asyncio.timeout(10):
        return await at - begun


async def _rate(machine: Machine, side: str) -> float:
    """Events a second; every acknowledged one must be in its topic."""
    before = await _records(machine)
    result = await machine.run(f"bench.relay:{side}", prefix=machine.new_prefix())
    if (found := await _records(machine) - before) < result["done"]:
        raise AssertionError(f"{result['done']} events were acknowledged, {found} are in the topics")
    return float(result["rate"])


async def _records(machine: Machine) -> int:
    topics = (REGISTRATIONS.name, INTAKE_LETTERS.name)
    reader = AIOKafkaConsumer(*topics, bootstrap_servers=machine.stack.kafka_bootstrap)
    await reader.start()
    try:
        return sum((await reader.end_offsets(reader.assignment())).values())
    finally:
        await reader.stop()


async def ours(machine: Machine) -> Measure:
    return Measure(await _rate(machine, "relayed"), {"visible_ms": await _visible(machine)})


async def theirs(machine: Machine) -> Measure:
    return Measure(await _rate(machine, "produced"))


R5 = Ratio(
    "R5",
    "outbox relay events/s ÷ bare idempotent producer, same bytes",
    "events/s",
    ours,
    theirs,
    floor=0.4,
    target=0.7,
    beside=(Beside("visible_ms", "POST → event visible, p50", 15.0, ours_alone=True, unit="ms"),),
)
