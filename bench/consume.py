"""R3, R4, R9, R10: the consumer shell alone and with routing's work, against bare aiokafka; on more processes; after a kill."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import perf_counter, process_time
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from bench import samples
from bench.child import say, until_told
from bench.harness import Measure, Ratio
from bench.machine import Machine
from bench.window import Window
from contracts.envelope import Event, decode
from contracts.events import CATALOGUE, models
from contracts.topics import REGISTRATIONS, Topic
from kit import deadletters, mongo
from kit.acting import Acting
from kit.clock import system_clock
from kit.consumer import Consumer, Handle, Reject, Subscription
from kit.deadletters import DeadLetters
from kit.errors import Transient
from kit.kafka import KafkaPublisher, groups
from kit.mongo import Document
from kit.outbox import Relay, headers
from services.routing.bootstrap import bootstrap
from services.routing.context import Routing
from services.routing.dialogues.domain import Terms
from services.routing.dialogues.store import dialogues_of_plan
from services.routing.dialogues.usecases import add_dialogue, publish_plan
from services.routing.questions import consumers
from services.routing.questions.registrations import New, open_case, placement
from services.routing.settings import RoutingSettings
from services.routing.store import SPECS

MODELS = models(REGISTRATIONS)
BATCH = 300
READ, ROUTED = 200_000, 60_000
"""Events in a topic: more than a round can read, or route."""
SCALED = 12_000
BEFORE, DRAINED = 3_000, 20_000

_topics: dict[int, Topic] = {}
_fields: dict[str, Any] = {}


# Topics with registrations, filled once and read by a new group each round


async def _filled(machine: Machine, events: int) -> str:
    if events not in _topics:
        topic = await machine.new_topic()
        await machine.run("bench.consume:fill", topic=topic.name, events=events)
        _topics[events] = topic
    return _topics[events].name


async def prepare(_machine: Machine) -> None:
    """Topics belong to a stack, and a stack to a ratio."""
    _topics.clear()


async def fill(kafka_bootstrap: str, topic: str, events: int, **_: Any) -> dict[str, int]:
    """Registrations as intake publishes them, each of a person of its own."""
    event = samples.registration(0)
    template = event.encode()
    head = headers(event)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True, linger_ms=10)
    await producer.start()
    for n in range(events):
        subject = str(UUID(int=uuid4().int)).encode()
        value = template.replace(event.subject.encode(), subject).replace(b"SL-2026-000000", b"SL-2026-%06d" % n)
        await producer.send(topic, value, key=subject, headers=head)
    await producer.stop()
    return {"events": events}


# R4: nothing but reading


async def shell(
    kafka_bootstrap: str, mongodb_url: str, prefix: str, topic: str, seconds: float, warm_up: float, **_: Any
) -> dict[str, float]:
    """Our consumer with a handler that does nothing."""
    window = Window(warm_up, seconds, READ)

    async def nothing(events: Sequence[Event[Any]], _reject: Reject) -> None:
        window.add(len(events))

    return await _consume(kafka_bootstrap, mongodb_url, prefix, topic, nothing, window)


async def _consume(
    kafka_bootstrap: str, mongodb_url: str, prefix: str, topic: str, handle: Handle, window: Window
) -> dict[str, float]:
    client = mongo.connect(mongodb_url)
    subscription = Subscription("bench", (Topic(topic, "registration", 6, 1),), MODELS, handle, max_records=BATCH)
    consumer = Consumer(subscription, DeadLetters(client[f"{prefix}_routing"]), bootstrap=kafka_bootstrap, group=prefix)
    running = asyncio.create_task(consumer.run())
    await window.over.wait()
    result = window.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return result


async def bare(kafka_bootstrap: str, prefix: str, topic: str, seconds: float, warm_up: float, **_: Any) -> dict[str, float]:
    """aiokafka alone: a batch, each record decoded, one commit."""
    window = Window(warm_up, seconds, READ)
    consumer = await _bare_consumer(kafka_bootstrap, prefix, topic)
    while not window.over.is_set():
        for records in (await consumer.getmany(timeout_ms=50, max_records=BATCH)).values():
            for record in records:
                decode(record.value, MODELS)
            window.add(len(records))
        await consumer.commit()
    await consumer.stop()
    return window.result()


async def _bare_consumer(kafka_bootstrap: str, group: str, topic: str) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka_bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    return consumer


# R3: routing's work


async def routing_of(kafka_bootstrap: str, mongodb_url: str, prefix: str) -> Routing:
    """Routing's own parts on a database with a plan and a dialogue."""
    settings = RoutingSettings(
        session_secret=SecretStr("s" * 40),
        mongodb_url=mongodb_url,
        mongodb_prefix=prefix,
        kafka_bootstrap=kafka_bootstrap,
        mongodb_timeout_ms=30_000,
    )
    routing, _service = bootstrap(settings)
    await mongo.apply(routing.database, [*SPECS, deadletters.SPEC])
    await announce(routing)
    return routing


async def announce(routing: Routing) -> None:
    """A plan with a dialogue that takes registrations."""
    plan, dialogue = samples.announcements()
    acting = Acting(samples.AGENCY, "bench", system_clock())
    terms = Terms.model_validate(dialogue.data.model_dump(include=set(Terms.model_fields)))
    await publish_plan(routing, acting, plan.data, plan_id=samples.PLAN)
    await add_dialogue(routing, acting, samples.PLAN, dialogue.data.ordinal, terms)


def _reads_registrations(routing: Routing) -> Subscription:
    return next(one for one in consumers.subscriptions(routing) if one.topics == (REGISTRATIONS,))


def _routes(routing: Routing, window: Window) -> Handle:
    """Routing's own handler of registrations."""
    handle = _reads_registrations(routing).handle

    async def counted(events: Sequence[Event[Any]], reject: Reject) -> None:
        await handle(events, reject)
        window.add(len(events))

    return counted


async def routed(
    kafka_bootstrap: str,
    mongodb_url: str,
    prefix: str,
    topic: str,
    seconds: float,
    warm_up: float,
    publish: bool = False,
    **_: Any,
) -> dict[str, float]:
    """Routing: cases and questions with their outboxes. `publish`: and their events, by the relay."""
    window = Window(warm_up, seconds, ROUTED)
    routing = await routing_of(kafka_bootstrap, mongodb_url, prefix)
    if not publish:
        return await _consume(kafka_bootstrap, mongodb_url, prefix, topic, _routes(routing, window), window)
    relay = Relay(KafkaPublisher(kafka_bootstrap), [routing.cases, routing.questions])
    sweeping = asyncio.create_task(relay.run())
    result = await _consume(kafka_bootstrap, mongodb_url, prefix, topic, _routes(routing, window), window)
    sweeping.cancel()
    await relay.stop(within=30)
    return result


async def plainly(
    kafka_bootstrap: str,
    mongodb_url: str,
    prefix: str,
    topic: str,
    seconds: float,
    warm_up: float,
    publish: bool = False,
    **_: Any,
) -> dict[str, float]:
    """aiokafka and Motor alone, with the same rules and the same documents; `publish`: and the same events, before the commit."""
    window = Window(warm_up, seconds, ROUTED)
    routing = await routing_of(kafka_bootstrap, mongodb_url, prefix)
    consumer = await _bare_consumer(kafka_bootstrap, prefix, topic)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True, linger_ms=5)
    await producer.start()
    while not window.over.is_set():
        fetched = await consumer.getmany(timeout_ms=50, max_records=BATCH)
        events = [decode(record.value, MODELS) for records in fetched.values() for record in records]
        if not events:
            continue
        dialogues = await dialogues_of_plan(routing.dialogues.collection, samples.AGENCY, samples.PLAN)
        now = system_clock()
        cases: list[Document] = []
        questions: list[Document] = []
        for event in events:
            place = placement(dialogues, event.data.dialogue, event.data.received_at)
            acting = Acting(event.agency, "system:routing", now, event.correlationid)
            opening = open_case(event, routing.agencies[event.agency], place, acting)
            questions += [_document(new, event.agency, now) for new in opening.questions]
            cases.append(_document(opening.case, event.agency, now))
        await routing.questions.collection.insert_many(questions, ordered=False)
        await routing.cases.collection.insert_many(cases, ordered=False)
        if publish:
            await _publish(producer, routing, questions, cases)
        await consumer.commit()
        window.add(len(events))
    await consumer.stop()
    await producer.stop()
    return window.result()


def _document(new: New, agency: str, now: Any) -> Document:
    events = [
        {"id": uuid7(), "n": n, "type": a.type, "at": a.at, "known_at": a.known_at, "actor": a.actor, "reason": a.reason}
        | {"changes": dict(a.changes), "trace": a.trace}
        for n, a in enumerate(new.acts, 1)
    ]
    return {"_id": new.id, "agency": agency, **new.state, "seq": len(events), "unsent": 1, "due": now, "events": events}


async def _publish(
    producer: AIOKafkaProducer, routing: Routing, questions: Sequence[Document], cases: Sequence[Document]
) -> None:
    acknowledged = []
    for outbox, documents in ((routing.questions, questions), (routing.cases, cases)):
        for document in documents:
            for entry in document["events"]:
                event = outbox.event(document, entry)
                topic = CATALOGUE[event.type].topic.name
                acknowledged.append(await producer.send(topic, event.encode(), key=event.subject.encode()))
    await asyncio.gather(*acknowledged)


# R9 and R10: routing in processes that come and go


async def member(
    kafka_bootstrap: str, mongodb_url: str, prefix: str, topic: str, instance: str, tell_at: Sequence[int] = (), **_: Any
) -> dict[str, float]:
    """A process of routing's consumer group until it is told to stop. Says when it has handled as many events as `tell_at`."""
    routing = await routing_of(kafka_bootstrap, mongodb_url, prefix)
    registrations = _reads_registrations(routing)
    handled, cpu_first, cpu_last = 0, 0.0, 0.0
    waiting = sorted(tell_at, reverse=True)

    async def counted(events: Sequence[Event[Any]], reject: Reject) -> None:
        nonlocal handled, cpu_first, cpu_last
        cpu_first = cpu_first or process_time()
        await registrations.handle(events, reject)
        handled += len(events)
        cpu_last = process_time()
        while waiting and handled >= waiting[-1]:
            say(handled=waiting.pop())

    subscription = replace(registrations, topics=(Topic(topic, "registration", 6, 1),), handle=counted)
    consumer = Consumer(subscription, DeadLetters(routing.database), bootstrap=kafka_bootstrap, group=prefix, instance=instance)
    running = asyncio.create_task(consumer.run())
    await until_told()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return {"handled": handled, "cpu": cpu_last - cpu_first}


async def _cpu_per_event(machine: Machine, processes: int) -> Measure:
    """CPU seconds of all members together for each event that they share; all have joined before the first comes."""
    topic, prefix = (await machine.new_topic()).name, machine.new_prefix()
    await mongo.apply(machine.client[f"{prefix}_routing"], [*SPECS, deadletters.SPEC])  # or the members would, at once
    async with contextlib.AsyncExitStack() as stack:
        sides = [machine.child("bench.consume:member", prefix=prefix, topic=topic, instance=f"{n}") for n in range(processes)]
        members = [await stack.enter_async_context(side) for side in sides]
        await _until(lambda: _joined(machine, prefix, processes))
        await machine.run("bench.consume:fill", topic=topic, events=SCALED)
        await _until(lambda: _stored(machine, prefix, SCALED))
        for one in members:
            one.tell_to_stop()
        results = [await one.result() for one in members]
    if not all(r["handled"] for r in results):
        raise AssertionError("a member had nothing to do")
    return Measure(sum(r["cpu"] for r in results) / SCALED)


async def _joined(machine: Machine, group: str, members: int) -> bool:
    try:
        found = await groups(machine.stack.kafka_bootstrap, group)
    except Transient:  # the group is being formed
        return False
    return [one.members for one in found] == [members]


async def _stored(machine: Machine, prefix: str, cases: int) -> bool:
    return await machine.client[f"{prefix}_routing"]["cases"].count_documents({}) >= cases


async def _until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await reached():  # noqa: ASYNC110 - other processes work
            await asyncio.sleep(0.2)


async def _drained_after(machine: Machine, *, kill: bool) -> Measure:
    """Seconds from starting a member until it has handled DRAINED events, after the one before was killed or stopped."""
    topic, prefix = await _filled(machine, ROUTED), machine.new_prefix()
    async with machine.child("bench.consume:member", prefix=prefix, topic=topic, instance="0", tell_at=[BEFORE]) as first:
        await first.hear()
        if kill:
            first.process.send_signal(signal.SIGKILL)
            await first.process.wait()
        else:
            await first.stop()
    began = perf_counter()
    async with machine.child("bench.consume:member", prefix=prefix, topic=topic, instance="0", tell_at=[DRAINED]) as second:
        await second.hear()
        seconds = perf_counter() - began
        await second.stop()
    if not await _stored(machine, prefix, DRAINED):
        raise AssertionError("events were handled and their cases are not in MongoDB")
    return Measure(seconds)


# The rows


def _reading(side: str) -> Any:
    async def measured(machine: Machine) -> Measure:
        topic = await _filled(machine, READ)
        result = await machine.run(f"bench.consume:{side}", prefix=machine.new_prefix(), topic=topic)
        return Measure(result["rate"])

    return measured


def _routing(side: str, *, publish: bool = False) -> Any:
    async def measured(machine: Machine) -> Measure:
        topic, prefix = await _filled(machine, ROUTED), machine.new_prefix()
        result = await machine.run(f"bench.consume:{side}", prefix=prefix, topic=topic, publish=publish)
        await _check_documents(machine, prefix, int(result["done"]))
        return Measure(result["rate"])

    return measured


async def _check_documents(machine: Machine, prefix: str, events: int) -> None:
    """Every event that was counted has its case and its questions, and both sides write the same fields."""
    database = machine.client[f"{prefix}_routing"]
    for name, of_each in (("cases", 1), ("questions", len(samples.TEXTS))):
        stored = await database[name].count_documents({})
        document = await database[name].find_one({"unsent": 1}) or await database[name].find_one({})
        if stored < events * of_each or document is None:
            raise AssertionError(f"{events} events were handled and {stored} {name} are in MongoDB")
        fields = document.keys() - {"unsent", "due"}
        if _fields.setdefault(name, fields) != fields:
            raise AssertionError(f"the two sides write different {name}: {_fields[name] ^ fields}")


async def four(machine: Machine) -> Measure:
    return await _cpu_per_event(machine, 4)


async def one(machine: Machine) -> Measure:
    return await _cpu_per_event(machine, 1)


async def after_kill(machine: Machine) -> Measure:
    return await _drained_after(machine, kill=True)


async def after_stop(machine: Machine) -> Measure:
    return await _drained_after(machine, kill=False)


R3 = Ratio(
    "R3",
    "routing events/s ÷ bare aiokafka getmany + unordered bulk write of the same documents + commit per batch",
    "events/s",
    _routing("routed"),
    _routing("plainly"),
    floor=0.6,
    target=0.85,
    prepare=prepare,
)
R3_PUBLISHED = Ratio(
    "R3P",
    "the same with publication: routing and its relay ÷ bare aiokafka that also publishes the same events before its commit",
    "events/s",
    _routing("routed", publish=True),
    _routing("plainly", publish=True),
    floor=None,
    target=None,
    most_pairs=5,
    prepare=prepare,
)
R4 = Ratio(
    "R4",
    "our consumer shell with an empty handler ÷ bare getmany, both decode",
    "events/s",
    _reading("shell"),
    _reading("bare"),
    floor=0.8,
    target=0.95,
    prepare=prepare,
)
R9 = Ratio(
    "R9",
    "CPU per event with 4 consumers ÷ with 1",
    "CPU s/event",
    four,
    one,
    floor=1.25,
    target=1.1,
    at_most=True,
    prepare=prepare,
)
R10 = Ratio(
    "R10",
    f"time to drain {DRAINED:,} events after kill -9 ÷ after a clean stop",
    "s",
    after_kill,
    after_stop,
    floor=1.5,
    target=1.15,
    at_most=True,
    prepare=prepare,
)
