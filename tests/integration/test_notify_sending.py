"""Mail, effectively once: the ledger and its senders on real MongoDB against a real SMTP server that misbehaves at every step."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from contracts.model import LetterKind, LetterState, Recipient
from deploy.local.downloads import font_dir
from kit import deadletters, mongo
from kit.acting import Acting
from kit.errors import Transient
from kit.files import FileStore
from kit.mongo import Document
from kit.outbox import Change
from services.notify import usecases
from services.notify.bootstrap import Notify, bootstrap
from services.notify.domain import SUPERSEDED, State, accepted, row_id
from services.notify.sender import OutcomeWriter
from services.notify.settings import NotifySettings
from services.notify.smtp import SmtpTransport
from services.notify.store import LEDGER, SPECS, Filters, Reader
from tests.databases import lent
from tests.intake import Hand, Recorded
from tests.notify import CASE, CODE, CUT, NOW, PERSON, Misbehaving, asked, file_ref, letter, mail_server

pytestmark = pytest.mark.stack

FONTS = font_dir()


@dataclass
class Post:
    """Notify on a database of its own, and the mail server it talks to."""

    notify: Notify
    server: Misbehaving
    settings: NotifySettings
    clock: Hand
    database: mongo.Database
    published: Recorded = field(default_factory=Recorded)

    async def ask(self, *letters: LetterState, **event: Any) -> list[str]:
        """Ask for letters; gives the ids of their rows."""
        await usecases.take_letters(self.notify.desk, [asked(one, **event) for one in letters])
        return [row_id("son-la", one.letter_key, one.recipient) for one in letters]

    async def send(self) -> None:
        """Work off what is due, as one worker would."""
        transport = SmtpTransport(self.settings)
        try:
            while await self.notify.senders.round(transport):
                pass
        finally:
            await transport.close()

    async def row(self, _id: str) -> Document:
        return await self.notify.desk.ledger.get(_id, "son-la")

    async def states(self) -> list[str]:
        return [row["state"] async for row in self.database[LEDGER].find().sort("created_at", 1)]

    async def let_time_pass(self) -> None:
        """Whatever waits falls due and every lease is over, by the database's clock."""
        past = {"$dateSubtract": {"startDate": "$$NOW", "unit": "second", "amount": 1}}
        await self.database[LEDGER].update_many({"next_at": {"$exists": True}}, [{"$set": {"next_at": past}}])

    def notify_files(self) -> FileStore:
        return FileStore(self.notify.service.files)

    def message_ids(self) -> list[str]:
        return [email.message_from_bytes(m, policy=email.policy.default)["Message-ID"] for m in self.server.messages]


@pytest.fixture
async def post(mongodb_url: str) -> AsyncIterator[Post]:
    server, clock, published = Misbehaving(), Hand(), Recorded()
    specs = [*SPECS, deadletters.SPEC]
    async with mail_server(server) as port, lent(mongodb_url, "notify", specs) as prefix:
        settings = NotifySettings(
            session_secret="s" * 40,
            mongodb_url=mongodb_url,
            mongodb_prefix=prefix,
            smtp_port=port,
            smtp_tls="none",
            smtp_sender="doi-thoai@so-khcn.example",
            smtp_timeout_seconds=5,
            lease_seconds=20,
            fonts_dir=str(FONTS),
        )
        notify = bootstrap(settings, clock=clock, publisher=published)
        yield Post(notify, server, settings, clock, notify.service.database, published)
        await mongo.close(notify.service.client)


def once(step: str, answer: str) -> Callable[[str], str | None]:
    """Misbehave at this step the first time it comes, and never again."""
    left = [answer]
    return lambda at: left.pop() if at == step and left else None


# The usual


async def test_a_receipt_is_sent_and_its_code_leaves_the_ledger(post: Post) -> None:
    (_id,) = await post.ask(letter())
    assert CODE in str(await post.row(_id))
    await post.send()
    sent = await post.row(_id)
    assert sent["state"] == State.SENT
    assert sent["steps"][-1]["state"] == "sent"
    whole = str(await post.database[LEDGER].find_one({"_id": _id}))
    assert CODE not in whole
    assert "hop-thu.example" not in whole
    assert post.server.recipients == ["mau@hop-thu.example"]
    assert (
        CODE in email.message_from_bytes(post.server.messages[0], policy=email.policy.default).get_body(("plain",)).get_content()
    )  # type: ignore[union-attr]


async def test_asking_many_times_sends_once(post: Post) -> None:
    state = letter()
    await asyncio.gather(*(post.ask(state) for _ in range(5)))
    await post.send()
    await post.ask(state, sequence=7)
    await post.send()
    assert len(post.server.messages) == 1
    assert await post.database[LEDGER].count_documents({}) == 1


async def test_many_workers_send_each_letter_once(post: Post) -> None:
    await post.ask(*(letter(kind) for kind in (LetterKind.RECEIPT, LetterKind.CONCLUSION) for _ in range(60)))
    await asyncio.gather(*(post.send() for _ in range(6)))
    assert await post.database[LEDGER].count_documents({"state": State.SENT}) == 120
    assert len(post.server.messages) == len(set(post.message_ids())) == 120


async def test_an_invitation_brings_calendar_slip_and_the_signed_file(post: Post) -> None:
    signed = await post.notify_files().put("son-la", "dialogue", "giay-moi.pdf", "application/pdf", b"%PDF-signed")
    await post.ask(letter(LetterKind.INVITATION, files=(signed,)))
    await post.send()
    message = email.message_from_bytes(post.server.messages[0], policy=email.policy.default)
    attached = {part.get_filename(): part for part in message.iter_attachments()}  # type: ignore[attr-defined]
    assert list(attached) == ["lich-hoi-nghi.ics", "phieu-nguoi-tham-du.pdf", "giay-moi.pdf"]
    assert attached["giay-moi.pdf"].get_payload(decode=True) == b"%PDF-signed"
    assert attached["phieu-nguoi-tham-du.pdf"].get_payload(decode=True).startswith(b"%PDF")


# What may go wrong at each step


@pytest.mark.parametrize("step", ["GREETING", "MAIL", "RCPT", "DATA", "CONTENT"])
@pytest.mark.parametrize("answer", ["421 closing", "451 busy <mau@hop-thu.example>"])
async def test_not_now_is_tried_again_later(post: Post, step: str, answer: str) -> None:
    post.server.script = once(step, answer)
    (_id,) = await post.ask(letter())
    await post.send()
    put_off = await post.row(_id)
    assert (put_off["state"], post.server.messages) == (State.DEFERRED, [])
    assert "hop-thu" not in put_off["reason"]
    assert answer[:3] in put_off["reason"]
    await post.let_time_pass()
    post.notify.senders._circuit.connected()
    await post.send()
    assert (await post.row(_id))["state"] == State.SENT
    assert len(post.server.messages) == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENT"])
async def test_never_is_a_task_for_staff(post: Post, step: str) -> None:
    post.server.script = once(step, "550 5.1.1 <mau@hop-thu.example> no such mailbox")
    failing, fine = await post.ask(letter(), letter())
    await post.send()
    states = {_id: (await post.row(_id))["state"] for _id in (failing, fine)}
    assert sorted(states.values()) == [State.FAILED, State.SENT]
    failed = await post.row(next(i for i, s in states.items() if s == State.FAILED))
    assert "550" in failed["reason"]
    assert "hop-thu" not in failed["reason"]
    assert "content" in failed, "it can still be printed or sent again"


@pytest.mark.parametrize("step", ["GREETING", "MAIL", "RCPT", "DATA"])
async def test_a_cut_before_the_content_means_not_taken(post: Post, step: str) -> None:
    post.server.script = once(step, CUT)
    (_id,) = await post.ask(letter(LetterKind.CONCLUSION))
    await post.send()
    assert (await post.row(_id))["state"] == State.DEFERRED


@pytest.mark.parametrize("step", ["BODY", "CONTENT"])
async def test_a_cut_without_a_reply_is_unknown_and_a_receipt_goes_once_more(post: Post, step: str) -> None:
    post.server.script = once(step, CUT)
    (_id,) = await post.ask(letter())
    await post.send()
    unknown = await post.row(_id)
    assert (unknown["state"], unknown["repeats"]) == (State.UNKNOWN, 1)
    await post.let_time_pass()
    await post.send()
    assert (await post.row(_id))["state"] == State.SENT
    assert len(post.server.messages) == (2 if step == "CONTENT" else 1)
    assert len(set(post.message_ids())) == 1


async def test_a_second_cut_leaves_it_to_staff(post: Post) -> None:
    post.server.script = lambda step: CUT if step == "CONTENT" else None
    (_id,) = await post.ask(letter(LetterKind.INVITATION))
    await post.send()
    await post.let_time_pass()
    await post.send()
    await post.let_time_pass()
    await post.send()
    row = await post.row(_id)
    assert (row["state"], "next_at" in row) == (State.UNKNOWN, False)
    assert len(post.server.messages) == 2
    assert len(set(post.message_ids())) == 1


@pytest.mark.parametrize("kind", [LetterKind.CONCLUSION, LetterKind.WRITTEN_ANSWER])
async def test_an_unknown_conclusion_or_answer_waits_for_staff(post: Post, kind: LetterKind) -> None:
    post.server.script = once("CONTENT", CUT)
    (_id,) = await post.ask(letter(kind))
    await post.send()
    await post.let_time_pass()
    await post.send()
    assert (await post.row(_id))["state"] == State.UNKNOWN
    assert len(post.server.messages) == 1
    await usecases.send_again(post.notify.desk, Acting("son-la", "vanphong", NOW), _id)
    await post.send()
    assert (await post.row(_id))["state"] == State.SENT
    assert len(set(post.message_ids())) == 1


async def test_no_reply_in_time_is_unknown(post: Post) -> None:
    post.settings.smtp_timeout_seconds = 0.3
    hanging = asyncio.Event()

    async def never(*_: Any) -> str:
        await hanging.wait()
        return "250 too late"

    post.server.handle_DATA = never  # type: ignore[method-assign]
    (_id,) = await post.ask(letter())
    await post.send()
    hanging.set()
    assert (await post.row(_id))["state"] == State.UNKNOWN


async def test_a_server_that_is_down_is_left_alone_for_a_while(post: Post) -> None:
    post.server.script = lambda step: "421 maintenance" if step == "GREETING" else None
    asked_for = await post.ask(*(letter() for _ in range(70)))
    await post.send()
    states = await post.states()
    assert states.count(State.DEFERRED) == 50 + 20, "one batch by the closed circuit, then one by one"
    assert post.notify.senders._circuit.wait > 1
    assert len(asked_for) == 70


async def test_retries_end_after_72_hours(post: Post) -> None:
    post.server.script = lambda step: "451 busy" if step == "RCPT" else None
    (_id,) = await post.ask(letter())
    await post.send()
    post.clock.now += timedelta(hours=72)
    await post.let_time_pass()
    await post.send()
    row = await post.row(_id)
    assert row["state"] == State.FAILED
    assert "content" in row


# Crashes


class Crash(Exception):
    pass


async def crash_while(post: Post, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The process dies when the ledger is about to do this."""

    async def dying(*_: Any, **__: Any) -> Any:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(type(post.notify.desk.ledger), method, dying)
        with pytest.raises(Crash):
            await post.notify.senders.round(SmtpTransport(post.settings))


async def test_a_worker_that_dies_before_the_dialogue_loses_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    (_id,) = await post.ask(letter())
    await crash_while(post, monkeypatch, "begin")
    assert (await post.row(_id))["state"] == State.CLAIMED
    await post.send()
    assert (await post.row(_id))["state"] == State.CLAIMED, "the lease still runs"
    await post.let_time_pass()
    await post.send()
    assert (await post.row(_id))["state"] == State.SENT
    assert len(post.server.messages) == 1


@pytest.mark.parametrize("kind", [LetterKind.RECEIPT, LetterKind.CONCLUSION])
async def test_a_worker_that_dies_between_250_and_sent_leaves_it_unknown(
    post: Post, kind: LetterKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_id,) = await post.ask(letter(kind))
    written: list[Any] = []

    def dying(_self: Any, row: Document, decide: Callable[[datetime], Change]) -> Any:
        written.append(decide(NOW).set["state"])
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr("services.notify.sender.OutcomeWriter.add", dying)
        with pytest.raises(Crash):
            await post.notify.senders.round(SmtpTransport(post.settings))
    assert written == [State.SENT]
    assert (await post.row(_id))["state"] == State.SENDING
    assert await post.notify.senders.settle_abandoned() == 0, "the lease still runs"
    await post.let_time_pass()
    assert await post.notify.senders.settle_abandoned() == 1
    assert (await post.row(_id))["state"] == State.UNKNOWN
    await post.let_time_pass()
    await post.send()
    resent = kind is LetterKind.RECEIPT
    assert (await post.row(_id))["state"] == (State.SENT if resent else State.UNKNOWN)
    assert len(post.server.messages) == (2 if resent else 1)
    assert len(set(post.message_ids())) == 1


class Outage:
    """The database is away for whatever is asked of it, so many times, once the mail server has answered."""

    def __init__(self, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        monkeypatch.setattr("services.notify.sender.OUTAGE_PAUSE_SECONDS", 0.01)
        for method in ("server_now", "write", "release"):
            monkeypatch.setattr(post.notify.desk.ledger, method, self._wrapped(getattr(post.notify.desk.ledger, method)))

    def _wrapped(self, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def maybe(*args: Any) -> Any:
            if self.left > 0:
                self.left -= 1
                raise AutoReconnect("down")
            return await ask(*args)

        return maybe


@pytest.mark.parametrize(
    ("answer", "states"),
    [
        ("451 busy", [State.DEFERRED, State.SENT]),
        ("550 no such mailbox", [State.FAILED, State.SENT]),
        ("421 closing", [State.DEFERRED, State.PENDING]),
    ],
)
async def test_an_answer_is_not_forgotten_because_the_database_is_away(
    post: Post, monkeypatch: pytest.MonkeyPatch, answer: str, states: list[State]
) -> None:
    """What the server refused, and what was never begun, is certain: it must not become UNKNOWN."""
    outage = Outage(post, monkeypatch)
    greetings = 0

    def script(step: str) -> str | None:
        nonlocal greetings
        greetings += step == "GREETING"
        if step == "GREETING" and greetings > 1:
            return "421 closed"
        if step == "RCPT" and not outage.left and not post.server.messages and greetings == 1:
            outage.left = 4
            return answer
        return None

    post.server.script = script
    await post.ask(letter(), letter())
    await post.notify.senders.round(SmtpTransport(post.settings))
    assert outage.left == 0
    assert sorted(await post.states()) == sorted(states)


async def test_an_outcome_that_cannot_be_written_keeps_nobody_waiting(post: Post) -> None:
    ids = await post.ask(letter(), letter(), letter())
    ledger = post.notify.desk.ledger
    lease = timedelta(seconds=20)
    rows = await ledger.begin(await ledger.claim(10, "me", lease), "me", lease)
    writer = OutcomeWriter(ledger, lease=20)

    def sent(row: Document) -> Callable[[datetime], Change]:
        return lambda _: accepted(row, Acting("son-la", "x", NOW))

    def broken(_: datetime) -> Change:
        raise KeyError("a bug")

    async with asyncio.timeout(10):
        await asyncio.gather(*(writer.add(row, broken if n == 1 else sent(row)) for n, row in enumerate(rows)))
        states = [(await post.row(row["_id"]))["state"] for row in rows]
        assert states == [State.SENT, State.SENDING, State.SENT]
        await writer.add(rows[1], sent(rows[1]))
    assert [(await post.row(_id))["state"] for _id in ids] == [State.SENT] * 3


async def test_a_worker_that_slept_past_its_lease_is_fenced(post: Post) -> None:
    (_id,) = await post.ask(letter())
    ledger = post.notify.desk.ledger
    (mine,) = await ledger.claim(10, "sleeper", timedelta(seconds=20))
    await post.let_time_pass()
    assert await ledger.begin([mine], "sleeper", timedelta(seconds=20)) == []
    (theirs,) = await ledger.claim(10, "other", timedelta(seconds=20))
    assert await ledger.begin([mine], "sleeper", timedelta(seconds=20)) == []
    await ledger.release([mine], "sleeper")
    assert (await post.row(_id))["claimed_by"] == "other"
    assert await ledger.write([(mine, Change([Acting("son-la", "x", NOW).act("delivery.sent.v1")], {"state": "sent"}))]) == 0
    assert theirs["attempt"] == 2


async def test_stopping_gives_back_what_was_not_begun(post: Post) -> None:
    await post.ask(*(letter() for _ in range(30)))
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_server: Any, _session: Any, envelope: Any) -> str:
        reached.set()
        await go_on.wait()
        post.server.messages.append(envelope.content)
        return "250 OK"

    post.server.handle_DATA = slow  # type: ignore[method-assign]
    worker = asyncio.create_task(post.notify.senders.run())
    await reached.wait()
    worker.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await worker
    states = await post.states()
    assert len(post.server.messages) == 1
    assert (states.count(State.SENT), states.count(State.PENDING), len(states)) == (1, 29, 30)


# What must not go


async def test_a_superseded_letter_does_not_go(post: Post) -> None:
    post.server.script = once("RCPT", "451 busy")
    invitation = letter(LetterKind.INVITATION)
    printed = letter(LetterKind.INVITATION, recipient=Recipient(name="B", address="Tổ 2"))
    first, on_paper = await post.ask(invitation, printed)
    await post.send()
    assert (await post.row(first))["state"] == State.DEFERRED
    cancelled = letter(LetterKind.CANCELLED, supersedes=(invitation.letter_key, printed.letter_key))
    await post.ask(cancelled)
    await post.let_time_pass()
    await post.send()
    for _id in (first, on_paper):
        row = await post.row(_id)
        assert (row["state"], row["reason"]) == (State.SKIPPED, SUPERSEDED)
    assert len(post.server.messages) == 1


async def test_a_letter_read_after_the_one_that_supersedes_it_does_not_go(post: Post) -> None:
    invitation = letter(LetterKind.INVITATION)
    await post.ask(letter(LetterKind.CANCELLED, supersedes=(invitation.letter_key,)))
    (_id,) = await post.ask(invitation)
    assert (await post.row(_id))["state"] == State.SKIPPED


async def test_a_letter_superseded_while_claimed_is_stopped_at_the_next_claim(post: Post) -> None:
    invitation = letter(LetterKind.INVITATION)
    (_id,) = await post.ask(invitation)
    await post.notify.desk.ledger.claim(10, "dead", timedelta(seconds=20))
    await post.ask(letter(LetterKind.CANCELLED, supersedes=(invitation.letter_key,)))
    await post.let_time_pass()
    await post.send()
    assert (await post.row(_id))["state"] == State.SKIPPED
    assert len(post.server.messages) == 1


async def test_a_letter_past_its_use_does_not_go(post: Post) -> None:
    (_id,) = await post.ask(letter(not_after=NOW + timedelta(minutes=5)))
    post.clock.now += timedelta(minutes=6)
    await post.send()
    assert ((await post.row(_id))["state"], post.server.messages) == (State.SKIPPED, [])


async def test_an_old_letter_without_a_row_is_held_until_somebody_lets_it_go(post: Post) -> None:
    state = letter()
    (_id,) = await post.ask(state, at=NOW - timedelta(hours=25))
    await post.send()
    assert ((await post.row(_id))["state"], post.server.messages) == (State.HELD, [])
    await usecases.send_again(post.notify.desk, Acting("son-la", "vanphong", NOW), _id)
    await post.send()
    assert (await post.row(_id))["state"] == State.SENT
    await post.ask(state, at=NOW - timedelta(hours=25))
    assert (await post.row(_id))["state"] == State.SENT


async def test_a_withdrawn_letter_does_not_go(post: Post) -> None:
    before, same_batch = letter(), letter()
    (_id,) = await post.ask(before)
    await post.ask(before.model_copy(update={"status": "withdrawn"}), happening="withdrawn", sequence=2)
    withdrawn = same_batch.model_copy(update={"status": "withdrawn", "recipient": None})
    await usecases.take_letters(post.notify.desk, [asked(same_batch), asked(withdrawn, happening="withdrawn", sequence=2)])
    await post.send()
    assert await post.states() == [State.WITHDRAWN, State.WITHDRAWN]
    assert post.server.messages == []


async def test_a_letter_that_misses_a_field_is_a_row_that_says_so(post: Post) -> None:
    (_id,) = await post.ask(letter(fields={"year": 2026}))
    row = await post.row(_id)
    assert row["state"] == State.FAILED
    assert "code" in row["reason"]


async def test_a_missing_file_puts_the_mail_off(post: Post) -> None:
    (_id,) = await post.ask(letter(LetterKind.CONCLUSION, files=(file_ref(),)))
    await post.send()
    assert (await post.row(_id))["state"] == State.DEFERRED
    assert "Tệp" in (await post.row(_id))["reason"]


# Erasure


@pytest.mark.parametrize("order", ["letter first", "erasure first"])
async def test_erasure_is_obeyed_in_either_order(post: Post, order: str) -> None:
    sent, waiting = letter(), letter(LetterKind.INVITATION, recipient=Recipient(name="B", address="Tổ 2"))
    if order == "erasure first":
        await usecases.obey_erasure(post.notify.desk, {CASE: "son-la"})
    ids = await post.ask(sent)
    await post.send()
    ids += await post.ask(waiting)
    await usecases.obey_erasure(post.notify.desk, {CASE: "son-la"})
    for _id in ids:
        whole = str(await post.database[LEDGER].find_one({"_id": _id}))
        for personal in (PERSON.name, PERSON.email, CODE, "Tổ 2"):
            assert personal not in whole
    assert len(post.server.messages) == (1 if order == "letter first" else 0)


async def test_erasure_waits_for_the_worker_that_holds_a_letter(post: Post) -> None:
    await post.ask(letter())
    await post.notify.desk.ledger.claim(10, "worker", timedelta(seconds=20))
    with pytest.raises(Transient):
        await usecases.obey_erasure(post.notify.desk, {CASE: "son-la"})


# The office's lists


async def test_the_ledger_pages_through_everything_once(post: Post) -> None:
    await post.ask(*(letter() for _ in range(120)))
    ledger, seen, before = post.notify.desk.ledger, [], ""
    while True:
        rows, before = await ledger.page(Reader("son-la"), Filters(before=before))
        seen += [row["_id"] for row in rows]
        if not before:
            break
    assert len(seen) == len(set(seen)) == 120
    assert (await ledger.page(Reader("bac-kan"), Filters()))[0] == []
    assert len((await ledger.page(Reader("son-la"), Filters(states=(State.SENT,))))[0]) == 0
