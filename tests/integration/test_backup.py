"""Backup and restore on real MongoDB: one moment for all databases, nothing written from a damaged copy, the same afterwards."""

import asyncio
import contextlib
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from bson import Binary
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure
from typer.testing import CliRunner

from cli.backup import DATABASES, MANIFEST, Client, Copy, connect, explain, save
from cli.main import app
from cli.restore import occupied, write
from contracts.model import LetterKind, LetterState, Recipient, Way
from contracts.topics import REGISTRATIONS, Topic
from kit import files, mongo
from kit.acting import Acting
from kit.files import FileStore
from kit.kafka import Group, create_topics, delete_topics, groups
from services.notify import domain
from services.notify.store import SPECS, Ledger
from services.notify.usecases import hold_restored
from tests.waiting import eventually

PREFIX = "backup"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def client(mongodb_url: str) -> Iterator[Client]:
    with connect(mongodb_url) as client:
        _drop(client)
        yield client
        _drop(client)


def _drop(client: Client) -> None:
    for name in client.list_database_names():
        if name.startswith(PREFIX):
            client.drop_database(name)


@pytest.fixture
def cli(mongodb_url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line, aimed at databases of this module and at no Kafka."""
    values = {"MONGODB_URL": mongodb_url, "MONGODB_PREFIX": PREFIX, "SESSION_SECRET": "s" * 32, "KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    for name, value in values.items():
        monkeypatch.setenv(f"DOITHOAI_{name}", value)
    return CliRunner()


def _fill(client: Client) -> None:
    """Something in each database, with types that only BSON has, and a collection without documents."""
    for n, name in enumerate(DATABASES):
        rows = [{"_id": f"{name}/{i}", "n": i, "at": NOW, "raw": bytes(range(n, n + 9))} for i in range(20)]
        client[f"{PREFIX}_{name}"]["rows"].insert_many(rows)
    client[f"{PREFIX}_intake"].create_collection("empty")


def _content(client: Client, prefix: str = PREFIX) -> dict[str, list[dict[str, Any]]]:
    return {
        f"{name}.{collection}": list(client[f"{prefix}_{name}"][collection].find().sort("_id"))
        for name in DATABASES
        for collection in client[f"{prefix}_{name}"].list_collection_names()
    }


# One moment


class Pairs(threading.Thread):
    """Writes the same number first into routing's rows and then into reporting's, in one transaction, as fast as it can."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._stop_asked = threading.Event()
        self.written = 0

    def run(self) -> None:
        while not self._stop_asked.is_set():
            with self._client.start_session() as session:
                session.with_transaction(self._pair)
            self.written += 1

    def _pair(self, session: ClientSession) -> None:
        for name in ("routing", "reporting"):
            self._client[f"{PREFIX}_{name}"]["pairs"].insert_one({"_id": self.written}, session=session)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def test_all_copies_show_the_same_moment_while_both_sides_of_a_pair_are_being_written(client: Client, tmp_path: Path) -> None:
    for name in ("routing", "reporting"):
        client[f"{PREFIX}_{name}"].create_collection("pairs")
    writer = Pairs(client)
    writer.start()
    moved: list[int] = []

    def let_the_writer_go_on(copy: Copy) -> None:
        """Between two collections at least ten more pairs: reads of the present would differ."""
        goal = writer.written + 10
        while writer.written < goal:
            assert writer.is_alive()
        moved.append(writer.written)

    try:
        let_the_writer_go_on(Copy(database="routing", collection="x", documents=0, sha256="0" * 64))
        manifest = save(client, PREFIX, tmp_path / "b", done=let_the_writer_go_on)
    finally:
        writer.stop()

    counts = {copy.name: copy.documents for copy in manifest.collections}
    assert counts["routing.pairs"] == counts["reporting.pairs"] >= 10
    assert moved[-1] > counts["reporting.pairs"]

    write(client, PREFIX, tmp_path / "b", manifest)
    content = _content(client)
    routing, reporting = ([row["_id"] for row in content[f"{name}.pairs"]] for name in ("routing", "reporting"))
    assert routing == reporting == list(range(len(routing)))


def test_a_backup_that_outlasts_mongodbs_memory_fails_clearly_and_leaves_nothing(client: Client, tmp_path: Path) -> None:
    _fill(client)
    directory = tmp_path / "b"

    def outlast(_: Copy) -> None:
        """Until a snapshot that was taken after the backup's is forgotten."""
        rows = client[f"{PREFIX}_files"]["rows"]
        with client.start_session(snapshot=True) as younger, contextlib.suppress(OperationFailure):
            while rows.find_one({}, session=younger):
                client["backup_elsewhere"]["rows"].replace_one({"_id": 1}, {"at": datetime.now(UTC)}, upsert=True)

    client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=0)
    try:
        with pytest.raises(OperationFailure) as raised:
            save(client, PREFIX, directory, done=outlast)
    finally:
        client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=300)
    assert "minSnapshotHistoryWindowInSeconds" in explain(raised.value)
    assert list(directory.iterdir()) == []


# There and back


def test_after_a_wipe_everything_is_as_it_was(client: Client, cli: CliRunner, tmp_path: Path) -> None:
    _fill(client)
    before = _content(client)
    directory = tmp_path / "there"
    assert cli.invoke(app, ["backup", str(directory)]).exit_code == 0
    _drop(client)
    assert occupied(client, PREFIX) == []

    result = cli.invoke(app, ["restore", str(directory)])

    assert result.exit_code == 0, result.output
    assert "doithoai migrate" in result.output
    assert "doithoai republish" in result.output
    after = _content(client)
    assert len(after.pop("notify.restores")) == 1, "when it was, and nothing else, is new"
    assert after == before


def test_files_of_a_backup_are_for_their_owner_alone(client: Client, tmp_path: Path) -> None:
    _fill(client)
    save(client, PREFIX, tmp_path / "b")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "b").iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == len(DATABASES) + 2  # rows of each, the empty collection, the manifest


def test_a_copy_can_be_rehearsed_under_another_prefix(client: Client, tmp_path: Path) -> None:
    _fill(client)
    before = _content(client)
    manifest = save(client, PREFIX, tmp_path / "b")
    write(client, "backup2", tmp_path / "b", manifest)
    assert _content(client, "backup2") == _content(client) == before


def test_restore_refuses_a_target_that_holds_something(client: Client, cli: CliRunner, tmp_path: Path) -> None:
    _fill(client)
    save(client, PREFIX, tmp_path / "b")
    client[f"{PREFIX}_intake"]["rows"].insert_one({"_id": "younger"})
    before = _content(client)

    refused = cli.invoke(app, ["restore", str(tmp_path / "b")])
    assert refused.exit_code == 1
    assert "backup_intake" in refused.output
    assert _content(client) == before

    assert cli.invoke(app, ["restore", str(tmp_path / "b"), "--yes-replace"]).exit_code == 0
    assert client[f"{PREFIX}_intake"]["rows"].find_one({"_id": "younger"}) is None


# Bad input


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "manifest", "no_manifest"])
def test_a_damaged_backup_is_refused_before_anything_is_written(
    client: Client, cli: CliRunner, tmp_path: Path, harm: str
) -> None:
    _fill(client)
    save(client, PREFIX, tmp_path / "b")
    before = _content(client)
    file, manifest = tmp_path / "b" / "routing.rows.bson.gz", tmp_path / "b" / MANIFEST
    content = bytearray(file.read_bytes())
    match harm:
        case "flip":
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
        case "cut":
            file.write_bytes(content[:-3])
        case "remove":
            file.unlink()
        case "manifest":
            manifest.write_text(manifest.read_text().replace('"routing"', '"../routing"'))
        case "no_manifest":
            manifest.unlink()

    refused = cli.invoke(app, ["restore", str(tmp_path / "b"), "--yes-replace"])

    assert refused.exit_code == 1
    assert ("routing.rows" in refused.output) if harm in ("flip", "cut", "remove") else (MANIFEST in refused.output)
    assert _content(client) == before


def test_a_backup_goes_into_a_directory_of_its_own(client: Client, cli: CliRunner, tmp_path: Path) -> None:
    _fill(client)
    (tmp_path / "note.txt").write_text("mine")
    refused = cli.invoke(app, ["backup", str(tmp_path)])
    assert refused.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_without_databases_there_is_nothing_to_copy(client: Client, cli: CliRunner, tmp_path: Path) -> None:
    refused = cli.invoke(app, ["backup", str(tmp_path / "b")])
    assert refused.exit_code == 1
    assert "DOITHOAI_MONGODB_PREFIX" in refused.output


def test_an_unreachable_database_is_one_line_without_its_address(cli: CliRunner, tmp_path: Path) -> None:
    address = "mongodb://operator:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=200"
    failed = cli.invoke(app, ["backup", str(tmp_path / "b")], env={"DOITHOAI_MONGODB_URL": address})
    assert failed.exit_code == 1
    assert "hunter2" not in failed.output
    assert len(failed.output.splitlines()) == 1


def test_topics_are_not_deleted_when_kafka_is_away_and_nothing_is_written(client: Client, cli: CliRunner, tmp_path: Path) -> None:
    _fill(client)
    save(client, PREFIX, tmp_path / "b")
    client[f"{PREFIX}_intake"]["rows"].insert_one({"_id": "younger"})
    failed = cli.invoke(app, ["restore", str(tmp_path / "b"), "--yes-replace", "--delete-topics"])
    assert failed.exit_code == 1
    assert client[f"{PREFIX}_intake"]["rows"].find_one({"_id": "younger"})


async def test_what_came_after_the_backup_is_rescued_from_kafka(
    client: Client, cli: CliRunner, tmp_path: Path, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, late = uuid4(), uuid4()
    client[f"{PREFIX}_intake"]["registrations"].insert_one({"_id": Binary.from_uuid(known)})
    save(client, PREFIX, tmp_path / "b")
    await create_topics(kafka_bootstrap, [REGISTRATIONS])
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for key, n in ((known, 1), (late, 1), (late, 2)):
            value = orjson.dumps({"subject": str(key), "sequence": n})
            await producer.send_and_wait(REGISTRATIONS.name, value, key=str(key).encode())
        for bad in (b"{", b"[]", None):
            await producer.send_and_wait(REGISTRATIONS.name, bad, key=b"thuoc-doc")
    monkeypatch.setenv("DOITHOAI_KAFKA_BOOTSTRAP", kafka_bootstrap)
    done = await asyncio.to_thread(cli.invoke, app, ["rescue", str(tmp_path / "b"), str(tmp_path / "late")])
    assert done.exit_code == 0, done.output
    saved = {event["subject"]: event["sequence"] for event in map(orjson.loads, (tmp_path / "late").read_bytes().splitlines())}
    assert saved[str(late)] == 2
    assert str(known) not in saved
    assert stat.S_IMODE((tmp_path / "late").stat().st_mode) == 0o600


# What the rest of the system makes of it


async def test_indexes_and_files_work_after_a_restore(client: Client, mongodb_url: str, tmp_path: Path) -> None:
    live = mongo.connect(mongodb_url)
    reference = await FileStore(live[f"{PREFIX}_files"]).put("son-la", "question", "a.pdf", "application/pdf", b"%PDF" * 100_000)
    manifest = save(client, PREFIX, tmp_path / "b")
    write(client, PREFIX, tmp_path / "b", manifest)
    await mongo.apply(live[f"{PREFIX}_files"], files.SPECS)
    assert await FileStore(live[f"{PREFIX}_files"]).get(reference) == b"%PDF" * 100_000
    assert "files_id_1_n_1" in client[f"{PREFIX}_files"]["fs.chunks"].index_information()
    await mongo.close(live)


@pytest.mark.parametrize("state", domain.UNSENT)
async def test_what_the_backup_shows_as_unsent_waits_for_staff(mongodb_url: str, client: Client, state: domain.State) -> None:
    live = mongo.connect(mongodb_url)
    await mongo.apply(live[f"{PREFIX}_notify"], SPECS)
    ledger = Ledger(live[f"{PREFIX}_notify"])
    waiting, sent = await _row(ledger, "waiting", state), await _row(ledger, "sent", domain.State.SENT)

    assert await hold_restored(ledger, NOW + timedelta(hours=1)) == 1

    row = await ledger.outbox.get(waiting, "son-la", events=True)
    assert (row["state"], row["reason"]) == (domain.State.HELD, domain.RESTORED)
    assert "next_at" not in row
    assert row["events"][-1]["type"] == "delivery.held.v1"
    assert (await ledger.get(sent, "son-la"))["state"] == domain.State.SENT
    assert await ledger.claim(10, "token", timedelta(minutes=1)) == []
    assert await hold_restored(ledger, NOW + timedelta(hours=2)) == 0
    assert await ledger.restored_at() == NOW + timedelta(hours=2), "a letter asked for before that may have been sent"
    await mongo.close(live)


async def _row(ledger: Ledger, key: str, state: domain.State) -> str:
    recipient = Recipient(name="Lò Văn Một", email=f"{key}@dan.example")
    letter = LetterState(
        letter_key=key, kind=LetterKind.RECEIPT, recipient=recipient, ways=[Way.EMAIL], requested_at=NOW, fields={}
    )
    _id = domain.row_id("son-la", key, recipient)
    fields = {
        "letter_id": key,
        "letter_key": key,
        "kind": "receipt",
        "owner": "intake",
        "reason": "",
        "steps": [],
        "way": "email",
    }
    held = {"state": state.value, "queued_at": NOW, "requested_at": NOW, "attempt": 0, "next_at": NOW, "claimed_by": "gone"}
    act = Acting("son-la", "test", NOW).act("delivery.queued.v1")
    content = letter.model_dump(mode="json", include={"recipient", "fields", "files"})
    await ledger.insert([await ledger.outbox.new(_id, "son-la", {**fields, **held, "content": content}, [act])])
    return _id


async def test_deleted_topics_take_the_offsets_of_groups_with_them(kafka_bootstrap: str) -> None:
    """Else a group would skip the beginning of the topic that `migrate` makes anew."""
    topic = Topic("backup.topic", "any", 1, 7)
    await create_topics(kafka_bootstrap, [topic])
    await _produce(kafka_bootstrap, topic, [b"old"] * 5)
    assert len(await _consume(kafka_bootstrap, topic, 5)) == 5
    await eventually(lambda: _nobody_in(kafka_bootstrap))

    await delete_topics(kafka_bootstrap, [topic])
    await create_topics(kafka_bootstrap, [topic])
    await _produce(kafka_bootstrap, topic, [b"new"] * 8)

    assert await _consume(kafka_bootstrap, topic, 8) == [b"new"] * 8


async def _nobody_in(bootstrap: str) -> bool:
    return not any(group.members for group in await groups(bootstrap, "backup."))


async def _produce(bootstrap: str, topic: Topic, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic.name, value, partition=0)


async def _consume(bootstrap: str, topic: Topic, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic.name, bootstrap_servers=bootstrap, group_id="backup.group", auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        values: list[bytes] = []
        async with asyncio.timeout(20):
            while len(values) < count:
                values.append((await consumer.getone()).value)
        await consumer.commit({TopicPartition(topic.name, 0): count - 1})
        assert await groups(bootstrap, "backup.") == [Group("backup.group", 1, {topic.name: 1})]
    return values
