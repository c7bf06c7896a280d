"""R6: mails with the ledger against aiosmtplib with kept connections, EmailMessage and no ledger."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from email.header import Header
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, make_msgid
from itertools import cycle
from time import perf_counter
from typing import Any
from uuid import uuid4

import aiosmtplib
from pydantic import SecretStr

from bench import samples
from bench.child import say, until_told
from bench.harness import Measure, Ratio
from bench.machine import Machine
from bench.smtp_sink import Sink
from contracts.envelope import Event
from contracts.letters import Meeting, ReceiptFields
from contracts.model import Channel, LetterKind, LetterState, Recipient, Way
from deploy.local.paths import ROOT
from kit import clock, deadletters, mongo
from kit.agency import load_agencies
from kit.outbox import Relay
from services.notify.bootstrap import bootstrap
from services.notify.domain import State
from services.notify.settings import NotifySettings
from services.notify.store import LEDGER, SPECS
from services.notify.usecases import take_letters
from services.notify.wording import House, Request, Words

LETTERS_A_SECOND = 2_500
CONNECTIONS = 4
"""As many as notify has senders, for both sides."""


def letter() -> Event[LetterState]:
    """A receipt, as intake asks for it."""
    now = clock.system_clock()
    fields = ReceiptFields(
        year=2026,
        received_at=now,
        channel=Channel.WEB,
        sections=("Về lĩnh vực quản lý khoa học", "Về lĩnh vực tiêu chuẩn đo lường chất lượng"),
        code="K7QM-2XWD-9RTB-4",
        meeting=Meeting(starts_at=now + timedelta(days=40), place="Hội trường tầng 3", ordinal=1),
    )
    case = uuid4()
    state = LetterState(
        letter_key=f"registration/{case}/receipt",
        kind=LetterKind.RECEIPT,
        recipient=Recipient(name="Lò Văn Thử", email="thu@nguoi-dan.example", phone="+84912345678", address="Tổ 2"),
        ways=(Way.EMAIL,),
        requested_at=now,
        case=case,
        case_number="SL-2026-000123",
        dialogue=f"{samples.PLAN}-1",
        fields=fields.sent(),
    )
    return samples.event("intake_letter.requested.v1", str(case), state)


# Ours


async def notify(kafka_bootstrap: str, mongodb_url: str, prefix: str, smtp_port: int, letters: int, **_: Any) -> dict[str, int]:
    """notify with `letters` waiting in the ledger: senders, janitor, relay. Says when it begins; ends when it is told to."""
    made = bootstrap(
        NotifySettings(
            session_secret=SecretStr("s" * 40),
            mongodb_url=mongodb_url,
            mongodb_prefix=prefix,
            kafka_bootstrap=kafka_bootstrap,
            mongodb_timeout_ms=60_000,
            smtp_port=smtp_port,
            smtp_tls="none",
            senders=CONNECTIONS,
            log_level="ERROR",
        )
    )
    await mongo.apply(made.service.database, [*SPECS, deadletters.SPEC])
    for start in range(0, letters, 300):
        await take_letters(made.desk, [letter() for _ in range(min(300, letters - start))])
    rows = made.service.database[LEDGER]
    # Their first events were published long ago, as in a service whose letters wait.
    await rows.update_many({}, {"$unset": {"unsent": "", "due": ""}})
    relay = Relay(made.service.publisher, made.service.outboxes)
    workers = [asyncio.ensure_future(work()) for work in (relay.run, *made.senders.workers())]
    say(began=True)
    await until_told()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    await relay.stop(within=30)
    return {"sent": await rows.count_documents({"state": State.SENT})}


# Baseline


async def plain(smtp_port: int, older: bool = False, **_: Any) -> dict[str, int]:
    """The same words in EmailMessages over kept connections; nobody remembers what was sent. `older`: by email.mime."""
    message = _older_message if older else _message
    words, house = Words(), House.of(load_agencies(ROOT / "agencies")[samples.AGENCY], "http://localhost:8080")
    requests = cycle([_request(letter()) for _ in range(200)])
    stopping = asyncio.Event()
    sent = 0

    async def sender() -> None:
        nonlocal sent
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=smtp_port, start_tls=False) as client:
            while not stopping.is_set():
                await client.send_message(message(next(requests), words, house))
                sent += 1

    senders = [asyncio.create_task(sender()) for _ in range(CONNECTIONS)]
    say(began=True)
    await until_told()
    stopping.set()
    await asyncio.gather(*senders)
    return {"sent": sent}


def _request(event: Event[LetterState]) -> Request:
    row = {**event.data.model_dump(), "content": event.data.model_dump(mode="json", include={"recipient", "fields", "files"})}
    return Request.of(row)


def _message(request: Request, words: Words, house: House) -> EmailMessage:
    """As the library's documentation shows it."""
    wording = words.word(request, house)
    message = EmailMessage()
    _head(message, request, house, wording.subject)
    message.set_content(words.text(wording, house, request.case_number))
    message.add_alternative(words.html(wording, house, request.case_number), subtype="html")
    return message


def _older_message(request: Request, words: Words, house: House) -> "Message[Any, Any]":
    """As it was done before: less is checked, and long headers in Vietnamese are folded ten times as fast."""
    wording = words.word(request, house)
    message = MIMEMultipart("alternative")
    _head(message, request, house, Header(wording.subject, "utf-8"))
    message.attach(MIMEText(words.text(wording, house, request.case_number), "plain", "utf-8"))
    message.attach(MIMEText(words.html(wording, house, request.case_number), "html", "utf-8"))
    return message


def _head(message: "Message[Any, Any]", request: Request, house: House, subject: str | Header) -> None:
    message["Subject"] = subject
    message["From"] = formataddr((house.full_name, house.email))
    message["To"] = formataddr((request.recipient.name, request.recipient.email))
    message["Date"] = format_datetime(clock.local(clock.system_clock()))
    message["Message-ID"] = make_msgid(domain="son-la.example")
    message["Auto-Submitted"] = "auto-generated"


# The row


async def _round(machine: Machine, side: str, **more: Any) -> Measure:
    """Mails that the server took in the time after the warm-up. Every one must be in the ledger as sent, once."""
    sink = Sink()
    await sink.start()
    letters = int((machine.seconds + machine.warm_up) * LETTERS_A_SECOND)
    params = {"prefix": machine.new_prefix(), "smtp_port": sink.port, "letters": letters, **more}
    async with machine.child(f"bench.mails:{side}", **params) as child:
        await child.hear(300)
        await asyncio.sleep(machine.warm_up)
        began, before = perf_counter(), len(sink.message_ids)
        await asyncio.sleep(machine.seconds)
        seconds, count = perf_counter() - began, len(sink.message_ids) - before
        child.tell_to_stop()
        result = await child.result()
    sink.stop()
    _check(sink.message_ids, result["sent"], letters)
    return Measure(count / seconds)


def _check(message_ids: Sequence[bytes], sent: int, letters: int) -> None:
    if not len(set(message_ids)) == len(message_ids) == sent:
        raise AssertionError(f"the server took {len(message_ids)} mails, {len(set(message_ids))} different; recorded are {sent}")
    if sent >= letters:
        raise AssertionError("the letters ran out before the time: raise LETTERS_A_SECOND")


async def ours(machine: Machine) -> Measure:
    return await _round(machine, "notify")


async def theirs(machine: Machine) -> Measure:
    return await _round(machine, "plain")


async def older(machine: Machine) -> Measure:
    return await _round(machine, "plain", older=True)


R6 = Ratio(
    "R6",
    "mails/s with the ledger ÷ aiosmtplib kept connections + EmailMessage without a ledger",
    "mails/s",
    ours,
    theirs,
    floor=2.0,
    target=5.0,
)
R6_OLDER = Ratio(
    "R6M",
    "the same ÷ the same baseline with email.mime, which folds Vietnamese headers faster",
    "mails/s",
    ours,
    older,
    floor=None,
    target=None,
    most_pairs=5,
)
