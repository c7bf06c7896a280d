"""What an operator sees and decides: `doithoai status` and `doithoai deadletters`, on real MongoDB and Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from pymongo import MongoClient
from typer.testing import CliRunner, Result

from cli.main import app
from contracts.topics import INTAKE_LETTERS, SURVEYS, Topic
from deploy.local.paths import ROOT
from kit import mongo
from kit.deadletters import DeadLetters, dead_letter_id
from kit.kafka import create_topics

PREFIX = "operator"
SECRET = "Lò Thị Kín, 0912 345 678"
RECORD = ConsumerRecord(
    topic=SURVEYS.name,
    partition=1,
    offset=7,
    timestamp=1,
    timestamp_type=0,
    key=b"k",
    value=SECRET.encode(),
    checksum=None,
    serialized_key_size=1,
    serialized_value_size=1,
    headers=(),
)
ID = dead_letter_id(RECORD)[:12]
NULL = replace(RECORD, topic=INTAKE_LETTERS.name, key=None, value=None, headers=(("trace", b"\xff\xfe"), ("none", None)))


@pytest.fixture(autouse=True)
def settings(mongodb_url: str, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    values = {
        "MONGODB_URL": mongodb_url,
        "MONGODB_PREFIX": PREFIX,
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "KAFKA_GROUP_PREFIX": PREFIX,
        "SESSION_SECRET": "s" * 32,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"DOITHOAI_{name}", value)
    yield
    with MongoClient[dict[str, object]](mongodb_url) as client:
        for service in ("intake", "routing", "notify", "reporting"):
            client.drop_database(f"{PREFIX}_{service}")


@pytest.fixture
async def read_by_two(mongodb_url: str) -> None:
    """One record that two services could not handle."""
    client = mongo.connect(mongodb_url)
    for service in ("routing", "notify"):
        await DeadLetters(client[f"{PREFIX}_{service}"]).add([(RECORD, "not JSON")], f"{PREFIX}.{service}.x")
    await mongo.close(client)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_list_names_every_service_and_shows_no_content(read_by_two: None) -> None:
    listed = run("deadletters", "list").output
    assert listed.count(ID) == 2
    assert "routing" in listed
    assert "notify" in listed
    assert "Kín" not in listed


def test_a_record_that_two_services_refused_is_decided_for_each(read_by_two: None) -> None:
    ambiguous = run("deadletters", "drop", ID, "--yes")
    assert ambiguous.exit_code == 1
    assert "--service" in ambiguous.output

    assert run("deadletters", "drop", ID, "--service", "routing", "--yes").exit_code == 0

    assert SECRET in run("deadletters", "show", ID).output
    assert run("deadletters", "list").output.count(ID) == 1


def test_dropping_asks_first(read_by_two: None) -> None:
    refused = CliRunner().invoke(app, ["deadletters", "drop", ID, "--service", "notify"], input="n\n")
    assert refused.exit_code == 1
    assert run("deadletters", "list").output.count(ID) == 2


def test_all_of_a_service_are_dropped_and_no_others(read_by_two: None) -> None:
    assert run("deadletters", "drop", "--all").exit_code == 2
    assert run("deadletters", "drop", ID, "--all", "--service", "notify").exit_code == 2
    refused = CliRunner().invoke(app, ["deadletters", "drop", "--all", "--service", "notify"], input="n\n")
    assert "1 dead letters of notify" in refused.output
    assert run("deadletters", "list").output.count(ID) == 2
    assert run("deadletters", "drop", "--all", "--service", "notify", "--yes").exit_code == 0
    assert run("deadletters", "list").output.count(ID) == 1
    assert run("deadletters", "drop", "--all", "--service", "notify", "--yes").exit_code == 1


def test_an_unknown_row_is_said_to_be_unknown() -> None:
    unknown = run("deadletters", "show", "abc123")
    assert unknown.exit_code == 1
    assert "0 dead letters" in unknown.output


@pytest.mark.parametrize("which", [ID, "--all"])
async def test_a_replayed_record_is_in_its_topic_again_and_its_row_is_gone(
    read_by_two: None, kafka_bootstrap: str, which: str
) -> None:
    async with published_next(kafka_bootstrap, SURVEYS) as record:
        done = await asyncio.to_thread(run, "deadletters", "replay", which, "--service", "notify")
        assert done.exit_code == 0, done.output
        assert "doithoai republish intake" in done.output, "the topic is compacted: what was replayed is the newest there now"
        again = await record
    assert (again.key, again.value, again.headers) == (b"k", SECRET.encode(), ())
    assert (await asyncio.to_thread(run, "deadletters", "list")).output.count(ID) == 1


@asynccontextmanager
async def published_next(bootstrap: str, topic: Topic) -> AsyncIterator[Awaitable[ConsumerRecord]]:
    """The first record that comes into the topic within the block."""
    await create_topics(bootstrap, [topic])
    async with AIOKafkaConsumer(topic.name, bootstrap_servers=bootstrap, auto_offset_reset="latest") as consumer:
        await consumer.seek_to_end()
        yield asyncio.ensure_future(consumer.getone())


async def test_nothing_stays_nothing_and_headers_stay_as_they_were(mongodb_url: str, kafka_bootstrap: str) -> None:
    client = mongo.connect(mongodb_url)
    await DeadLetters(client[f"{PREFIX}_notify"]).add([(NULL, "empty record")], f"{PREFIX}.notify.x")
    await mongo.close(client)
    row = dead_letter_id(NULL)[:12]
    shown = (await asyncio.to_thread(run, "deadletters", "show", row)).output.splitlines()
    assert shown[1:] == [r"trace: \xff\xfe", "none: (null)", "(null)"]
    async with published_next(kafka_bootstrap, INTAKE_LETTERS) as record:
        done = await asyncio.to_thread(run, "deadletters", "replay", row)
        assert done.exit_code == 0, done.output
        assert "republish" not in done.output
        again = await record
    assert (again.key, again.value) == (None, None)
    assert list(again.headers) == list(NULL.headers)


async def test_what_kafka_does_not_take_stays(read_by_two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOITHOAI_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    done = await asyncio.to_thread(run, "deadletters", "replay", ID, "--service", "notify")
    assert done.exit_code == 1
    assert "Kafka did not take it" in done.output
    assert (await asyncio.to_thread(run, "deadletters", "list")).output.count(ID) == 2


def test_accounts_are_made_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOITHOAI_AGENCIES_DIR", str(ROOT / "agencies"))
    made = run("staff", "create", "son-la", "quantri", "--name", "Thử", "--role", "administrator")
    assert "Password: " in made.output
    again = run("staff", "reset", "son-la", "quantri")
    assert "New password of quantri@son-la: " in again.output
    monkeypatch.setenv("DOITHOAI_NEW_PASSWORD", "mot-cau-de-nho")
    chosen = run(
        "staff", "create", "son-la", "thanhtra2", "--name", "Thử", "--role", "head", "--unit", "thanh-tra", "--read-sealed"
    )
    assert chosen.output == "thanhtra2@son-la was created.\n"
    assert run("staff", "disable", "son-la", "quantri", "--reason", "Thử").exit_code == 0
    inspector = ("head", "thanh-tra", "read_sealed", "active")
    assert _accounts() == {"quantri": ("administrator", "", "", "disabled"), "thanhtra2": inspector}
    assert run("staff", "enable", "son-la", "quantri").exit_code == 0
    assert _accounts()["quantri"][-1] == "active"
    assert "There is no such account." in run("staff", "reset", "son-la", "khongco").output


def _accounts() -> dict[str, tuple[str, ...]]:
    """Username → roles, unit, permissions, state, as they are listed."""
    lines = run("staff", "list", "son-la").output.splitlines()
    rows = ([cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│"))
    return {username: tuple(rest) for username, _, *rest in rows}


async def test_status_counts_what_waits(read_by_two: None, mongodb_url: str) -> None:
    client = mongo.connect(mongodb_url)
    await client[f"{PREFIX}_intake"]["registrations"].insert_many([{"due": datetime.now(UTC)}, {"due": datetime.now(UTC)}, {}])
    await mongo.close(client)
    shown = await asyncio.to_thread(run, "status")
    assert shown.exit_code == 0, shown.output
    assert "registrations: 2" in shown.output
    rows = {line.split("│")[1].strip(): line.split("│")[3].strip() for line in shown.output.splitlines() if line.count("│") == 4}
    assert rows == {"intake": "0", "routing": "1", "notify": "1", "reporting": "0"}


def test_status_says_which_part_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOITHOAI_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    shown = run("status")
    assert shown.exit_code == 1
    assert "Kafka does not answer" in shown.output
    assert "routing" in shown.output
