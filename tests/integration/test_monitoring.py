"""Every query of the dashboard and of the rules, asked of a real Prometheus that scrapes the real stack under a little load."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

import pytest
from aiokafka import AIOKafkaProducer

from contracts.topics import CASES
from deploy.local.ports import SERVICES
from deploy.local.stack import LocalStack
from tests.faults.load import Load
from tests.faults.row import new_load
from tests.faults.watching import Watcher
from tests.monitoring import alerts, dashboard_queries, dashboard_targets, metrics_of
from tests.prometheus import Prometheus, prometheus
from tests.waiting import eventually

pytestmark = pytest.mark.stack

REGISTRATIONS = 25
ONLY_IN_TROUBLE = frozenset({"ALERTS", "event_publish_failures_total"})
"""Metrics without a series as long as nothing goes wrong."""
WHERE_A_MAILBOX_IS_READ = frozenset({"MailboxNotRead", "MailboxMailNotKept", "MailboxOld"})
"""Alerts on metrics that an agency without a mailbox does not have."""


@pytest.fixture(scope="module")
async def server(whole_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    with prometheus(whole_stack, tmp_path_factory.mktemp("monitoring") / "prometheus") as server:
        await _use(whole_stack)
        await _scrape_again(server)
        yield server


async def _use(stack: LocalStack) -> None:
    """Some registrations, and a record that nobody can read."""
    watcher = Watcher(stack.mongodb_url, stack.kafka_bootstrap)
    load = await new_load(stack, watcher, mixed=False)
    running = asyncio.create_task(load.run(10))
    await _send(stack, CASES.name, b"no event")
    await eventually(lambda: _accepted(load, REGISTRATIONS))
    load.stop()
    await running
    await load.finish()
    await eventually(lambda: _mailed(watcher, len(load.sent)), 60, every=0.5)
    await watcher.close()


async def _accepted(load: Load, count: int) -> bool:
    return load.accepted >= count


async def _scrape_again(server: Prometheus) -> None:
    """Wait until every target was scraped twice more: a rate needs two values after the events."""
    seen = _scrapes(server)
    await eventually(lambda: _scraped(server, seen), every=0.2)


def _scrapes(server: Prometheus) -> dict[str, float]:
    return {labels["service"]: value for labels, value in server.ask('count_over_time(up{job="doithoai"}[1h])')}


async def _scraped(server: Prometheus, seen: Mapping[str, float]) -> bool:
    now = _scrapes(server)
    return set(now) == set(SERVICES) and all(now[service] >= seen.get(service, 0) + 2 for service in now)


async def _send(stack: LocalStack, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap) as producer:
        await producer.send_and_wait(topic, value, key=b"x")


async def _mailed(watcher: Watcher, count: int) -> bool:
    return await watcher.database("notify")["ledger"].count_documents({"state": "sent"}) >= count


async def test_every_query_of_the_dashboard_is_taken_and_shows_something(server: Prometheus) -> None:
    silent = [
        query for query in dashboard_queries() if not server.ask(_measured(query)) and not metrics_of(query) & ONLY_IN_TROUBLE
    ]
    assert [query for query in silent if '{status=~"5..' not in query] == []


async def test_every_rule_is_evaluated_on_something(server: Prometheus) -> None:
    assert {rule["name"]: rule["health"] for rule in server.rules()} == {rule["alert"]: "ok" for rule in alerts()}
    silent = [rule["alert"] for rule in alerts() if not server.ask(_measured(rule["expr"]))]
    assert [alert for alert in silent if alert not in WHERE_A_MAILBOX_IS_READ] == []


async def test_every_label_that_a_legend_names_is_there(server: Prometheus) -> None:
    missing = [
        (target["legendFormat"], labels)
        for target in dashboard_targets()
        for labels, _ in server.ask(target["expr"])[:1]
        if not set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels.keys()
    ]
    assert missing == []


def _measured(expression: str) -> str:
    """What a comparison compares: `max(age) > 300` has no value while all is well, `max(age)` has."""
    return re.sub(r" (?:==|>) \d+$", "", expression)


async def test_nothing_fires_but_for_the_record_that_nobody_can_read(server: Prometheus) -> None:
    assert server.firing() == {"DeadLetters"}
    assert {labels["service"] for labels, _ in server.ask("dead_letters_waiting > 0")} == {"intake", "reporting"}


async def test_labels_name_only_what_is_ours(server: Prometheus) -> None:
    """No label's value holds a space, an @ or a long number: no name, address, number or text of a person."""
    series = server.ask('{job="doithoai", __name__!="service_ready"}')
    values = {value for labels, _ in series for name, value in labels.items() if name not in {"__name__", "instance", "le"}}
    assert [value for value in values if re.search(r"[\s@]|\d{6}", value)] == []
