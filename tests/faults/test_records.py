"""Rows 11 to 14 and 20: records that come again, in the wrong order, poisoned, too large; one form 50 times."""

import asyncio
import copy
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from statistics import median
from time import monotonic

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from cli.browser import Browser
from contracts.topics import CALENDARS, REGISTRATIONS, REPORTING_LETTERS, ROUTING_LETTERS, SURVEYS, TOPICS, Topic
from deploy.local.ports import SERVICES
from kit.clock import local_date, system_clock
from kit.kafka import groups
from tests.faults.load import NUMBER, SECTIONS, Answer, Sent, Way
from tests.faults.poison import BROKER_TAKES, READERS, kinds, send_poison
from tests.faults.row import Row, row
from tests.faults.watching import GROUPS, PREFIX, Record

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

EMPTY = (SURVEYS, REPORTING_LETTERS)
"""Topics into which nothing of the load leads."""


async def publish(r: Row, records: Iterable[Record]) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=r.stack.kafka_bootstrap, acks="all", linger_ms=5)
    await producer.start()
    try:
        sent = [
            await producer.send(x.place.topic, value=x.value, key=x.key.encode(), partition=x.place.partition) for x in records
        ]
        await asyncio.gather(*sent)
        return len(sent)
    finally:
        await producer.stop()


async def _rewound(r: Row, group: str) -> None:
    """Rewind a group as soon as nobody reads in it any more."""
    await r.until(lambda: _has_no_member(r, group))
    again = await _rewind(r, group)
    if set(GROUPS[group]) - set(EMPTY):
        r.hit(f"read again by {group}", again)


async def _rewind(r: Row, group: str) -> int:
    """Set a group, whose members are stopped, to the beginning of its topics; returns how many records it will read again."""
    reader = AIOKafkaConsumer(bootstrap_servers=r.stack.kafka_bootstrap, group_id=f"{PREFIX}.{group}", enable_auto_commit=False)
    await reader.start()
    try:
        partitions = [TopicPartition(topic.name, n) for topic in GROUPS[group] for n in range(topic.partitions)]
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        await reader.commit(dict.fromkeys(partitions, 0))
        return sum(ends.values())
    finally:
        await reader.stop()


async def _has_no_member(r: Row, name: str) -> bool:
    """A process that was stopped is a member until its session ends."""
    return not any(group.members for group in await groups(r.stack.kafka_bootstrap, f"{PREFIX}.{name}"))


async def test_row11_everything_comes_again(tmp_path: Path) -> None:
    """The whole topic published again, old after new, the groups rewound to 0."""
    async with row("11 republished, rewound, reversed", tmp_path) as r:
        async with r.loaded(30):
            await asyncio.sleep(8)
            await r.until(lambda: r.watcher.records(ROUTING_LETTERS), every=1.0)  # units are told of what is transferred to them
            for agency in SECTIONS:
                await r.office.enter_day_off(agency, date(local_date(system_clock()).year + 1, 12, 24))
            await r.until(lambda: _told_of_both(r))
            seen = {topic: await r.watcher.records(topic) for topic in TOPICS if topic not in EMPTY}
            for topic, records in seen.items():
                r.hit(f"published again: {topic.name}", await publish(r, records))
            for topic, records in seen.items():
                r.hit(f"again, the newest first: {topic.name}", await publish(r, reversed(records)))
            for service in SERVICES:
                rewound = [group for group in GROUPS if group.startswith(f"{service}.")]
                await r.stop(service)
                await asyncio.gather(*(_rewound(r, group) for group in rewound))
                await r.start(service)
        r.inject(f"{len(seen)} topics published again; again in reversed order; all {len(GROUPS)} groups rewound to 0")
        await r.judge()


async def _told_of_both(r: Row) -> bool:
    return len(await r.watcher.records(CALENDARS)) == len(SECTIONS)


async def test_row12_a_storm_of_rebalances(tmp_path: Path) -> None:
    """Members of routing's group come and go every 3 seconds, 20 times, beside a second process of routing."""
    async with row("12 rebalance storm", tmp_path) as r:
        await asyncio.to_thread(r.stack.add_twin, "routing")
        assigned = 0
        async with r.loaded(30):
            for _ in range(20):
                member = AIOKafkaConsumer(
                    REGISTRATIONS.name,
                    bootstrap_servers=r.stack.kafka_bootstrap,
                    group_id=f"{PREFIX}.routing.registrations",
                    enable_auto_commit=False,
                )
                began = monotonic()
                await member.start()
                await r.until(lambda: _has_partitions(member))  # noqa: B023 - awaited at once
                await asyncio.sleep(max(0.0, began + 3 - monotonic()))
                assigned += bool(member.assignment())
                await member.stop()
        assert r.hit("times a member came, took partitions and went", assigned) == 20
        r.inject("a member of routing's group came and went 20 times, every 3 s")
        await r.judge()


async def _has_partitions(member: AIOKafkaConsumer) -> bool:
    """While others join as well it may be given none at first, or none again."""
    return bool(member.assignment())


async def test_row13_poison(tmp_path: Path) -> None:
    """Every kind, at the start, in the middle and at the end of a batch; what is behind it is not late."""
    async with row("13 poison", tmp_path) as r:
        async with r.loaded(30):
            await asyncio.sleep(5)
            before = await _seconds_to_route(r, 5)
            for topic in READERS:
                r.hit(f"poison in {topic.name}", await send_poison(r, topic))
            after = await _seconds_to_route(r, 5)
            # One batch that begins, goes on and ends with poison.
            await r.stop("routing")
            r.hit("poison at the start of a batch", await send_poison(r, REGISTRATIONS, 0))
            r.load.burst(60)
            await asyncio.sleep(1)
            r.hit("poison in the middle of a batch", await send_poison(r, REGISTRATIONS, 0))
            r.load.burst(60)
            await asyncio.sleep(1)
            r.hit("poison at the end of a batch", await send_poison(r, REGISTRATIONS, 0))
            await r.start("routing")
            await _too_large_is_refused(r)
        late = median(after) - median(before)
        r.inject(f"{len(kinds(REGISTRATIONS))} kinds of poison; what was behind came {late:.2f} s later than without")
        assert late <= 2.0
        await r.judge()


async def _seconds_to_route(r: Row, times: int) -> list[float]:
    """How long registrations take from now until their case is there."""
    taken = []
    for _ in range(times):
        made = r.load.register()
        began = monotonic()

        async def there(sent: Sent = made) -> bool:
            return sent.accepted and bool(
                await r.watcher.database("routing")["cases"].find_one({"case_number": sent.case_number}, {"_id": 1})
            )

        await r.until(there, timeout=60, every=0.02)
        taken.append(monotonic() - began)
    return taken


async def _too_large_is_refused(r: Row) -> None:
    """1 MiB + 1 never gets into a topic: the broker says no."""
    producer = AIOKafkaProducer(bootstrap_servers=r.stack.kafka_bootstrap, max_request_size=3 * BROKER_TAKES)
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send_and_wait(REGISTRATIONS.name, value=b"x" * (BROKER_TAKES + 1), partition=0)
    finally:
        await producer.stop()


async def test_row14_an_event_that_the_broker_does_not_take(tmp_path: Path) -> None:
    """It stays in its outbox and rings an alarm; what comes after it does not wait."""
    async with row("14 event too large", tmp_path) as r:
        limit = 4_000
        await _limit(r, REGISTRATIONS, limit)
        async with r.loaded(30):
            await asyncio.sleep(4)
            large = [_large(r, n, limit) for n in range(3)]
            r.load.submit(*large)
            await asyncio.sleep(12)
            times = await _seconds_to_route(r, 3)
            waiting = await r.watcher.rows("intake", "registrations", {"unsent": {"$exists": True}}, events=False)
            stuck = [row for row in waiting if row["person"]["email"] in {s.email for s in large}]
            assert r.hit("events that the broker does not take", len(stuck)) == len(large)
            oldest = max(await r.metrics("intake", "outbox_oldest_age_seconds"))
            r.hit("seconds that the alarm shows", int(oldest))
            assert oldest > 5
            refused = sum(await r.metrics("intake", "events_refused_total"))
            assert r.hit("refusals that the alert EventRefused counts", int(refused)) >= len(large)
            assert max(times) < 10, f"registrations behind it took {times}"
            await _limit(r, REGISTRATIONS, BROKER_TAKES)
        r.inject(f"3 registrations larger than the topic takes; those behind them were routed in {max(times):.1f} s at most")
        await r.judge()


def _large(r: Row, n: int, size: int) -> Sent:
    sent = copy.deepcopy(r.load.of(Way.REGISTRATION)[0])
    body = sent.body
    body["person"]["email"] = f"lon{n}@hop-thu.example"
    body["sections"][0]["text"] = ("Xin hỏi thủ tục. " * (size // 10)).strip()
    return Sent(f"lon-{n}", sent.agency, body["person"]["email"], body)


async def _limit(r: Row, topic: Topic, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=r.stack.kafka_bootstrap)
    await admin.start()
    try:
        configs = {**topic.config, "max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, configs)])
    finally:
        await admin.close()


async def test_row20_one_form_fifty_times_at_once(tmp_path: Path) -> None:
    """With an API key, and as a web form with one nonce: one registration, one code."""
    async with row("20 one form 50 times", tmp_path) as r:
        async with r.loaded(20):
            await asyncio.sleep(2)
            for _ in range(5):
                codes, refused = await _same_request(r)
                r.hit("equal API requests at once", sum(codes.values()) + refused)
                assert len(codes) == 1, codes
                assert sum(codes.values()) + refused == AT_ONCE, f"{codes}, {refused} × 503"
            for _ in range(3):
                codes = await _same_form(r)
                r.hit("equal forms at once", sum(codes.values()))
                assert len(codes) == 1, codes
                assert sum(codes.values()) == AT_ONCE, codes
        r.inject("50 equal API requests at once, 5 times; 50 equal web forms at once, 3 times")
        await r.judge()


AT_ONCE = 50


async def _same_request(r: Row) -> tuple[Counter[str], int]:
    """How often which code was shown, and how many were told 503."""
    made = r.load.make()
    async with httpx.AsyncClient(base_url=r.stack.public_url, timeout=20, limits=httpx.Limits(max_connections=AT_ONCE)) as client:

        async def post() -> str:
            headers = {"Idempotency-Key": made.key}
            began = monotonic()
            answer = await client.post(f"/api/v1/{made.agency}/registrations", json=made.body, headers=headers)
            if answer.status_code == 503:
                return ""
            assert answer.status_code in (200, 201), answer.text
            shown = answer.json()
            made.answers.append(Answer(began, monotonic(), answer.status_code, shown["tracking_code"], shown["case_number"]))
            return str(shown["tracking_code"])

        codes = Counter(await asyncio.gather(*(post() for _ in range(AT_ONCE))))
    refused = codes.pop("", 0)
    return codes, refused


CODE = re.compile(r"\b(?:[A-Z2-9]{4}-){3}[A-Z2-9]{4}\b")


async def _same_form(r: Row) -> Counter[str]:
    """What a person does who presses the button 50 times: one page, one nonce."""
    made = r.load.make()
    path = f"/{made.agency}/dang-ky/{made.body['plan']}"
    fields = {"kind": made.body["kind"], "consent": made.body["consent_version"], **made.body["person"]}
    fields |= {f"sections.{s['no']}": s["text"] for s in made.body["sections"]}
    pages = await asyncio.to_thread(_press, r.stack.public_url, path, fields, AT_ONCE)
    codes: Counter[str] = Counter()
    for began, ended, text in pages:
        code, number = CODE.search(text), NUMBER.search(text)
        if code is not None and number is not None:
            made.answers.append(Answer(began, ended, 200, code.group(), number.group()))
            codes[code.group()] += 1
    return codes


def _press(base: str, path: str, fields: dict[str, str], times: int) -> Sequence[tuple[float, float, str]]:
    with Browser(base, timeout=30) as browser:
        page = browser.get(path)
        form = page.form(having="name")

        def press(_: int) -> tuple[float, float, str]:
            began = monotonic()
            with Browser(base, timeout=30) as other:
                return began, monotonic(), other.send(page, form, fields).text

        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(press, range(times)))
