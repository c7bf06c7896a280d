"""R1 and R2: durable POST/s of intake, against the plainest durable handler and against itself without a database."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, SecretStr

from bench import samples
from bench.child import say, until_told
from bench.harness import Beside, Measure, Ratio
from bench.load import Answers, Target, closed_loop, open_loop
from bench.machine import Child, Machine
from kit import deadletters, mongo
from kit.settings import ServiceSettings
from services.intake.bootstrap import bootstrap
from services.intake.forms import RegistrationInput
from services.intake.groupcommit import GroupCommit, Written
from services.intake.settings import IntakeSettings
from services.intake.store import SPECS, Projections

CONNECTIONS = 64
RATE = 500
"""Requests a second of the open loop: what the slower side can do with some room."""
COUNTED = "1000000/minute"
"""Every request is counted as in life, and none refused: all come from one address."""
PATH = f"/api/v1/{samples.AGENCY}/registrations"


# Ours


def settings(kafka_bootstrap: str, mongodb_url: str, prefix: str, **more: Any) -> IntakeSettings:
    return IntakeSettings(
        session_secret=SecretStr("s" * 40),
        code_secret=SecretStr("c" * 40),
        mongodb_url=mongodb_url,
        mongodb_prefix=prefix,
        kafka_bootstrap=kafka_bootstrap,
        kafka_group_prefix=prefix,
        log_level="ERROR",
        **dict.fromkeys((n for n in IntakeSettings.model_fields if n.startswith("rate_")), COUNTED) | more,
    )


async def prepare_database(machine: Machine, prefix: str) -> None:
    """What `migrate` makes, and a plan that takes registrations."""
    database = machine.client[f"{prefix}_intake"]
    await mongo.apply(database, [*SPECS, deadletters.SPEC])
    await Projections(database).save_announcements(samples.announcements())


async def serve_intake(kafka_bootstrap: str, mongodb_url: str, prefix: str, **_: Any) -> None:
    """Intake with everything on: validation, idempotency keys, rate limits, case numbers, outbox and relay, consumers."""
    app, _service, _intake = bootstrap(settings(kafka_bootstrap, mongodb_url, prefix))
    await serve(app)


async def serve_intake_without_database(kafka_bootstrap: str, mongodb_url: str, prefix: str, **_: Any) -> None:
    """The same handler; a registration is "stored" at once, so there is nothing to publish either."""

    async def stored(_commits: GroupCommit, document: mongo.Document) -> Written:
        return Written(True, document)

    GroupCommit.write = stored  # type: ignore[assignment, method-assign]
    app, service, _intake = bootstrap(settings(kafka_bootstrap, mongodb_url, prefix))
    service.outboxes = ()
    await serve(app)


# Baseline


class Answer(BaseModel):
    case_number: UUID


def plain_application(collection: mongo.Collection) -> FastAPI:
    """FastAPI as its documentation shows it: a model for the body, one durable insert, a model for the answer."""
    app = FastAPI()

    @app.post("/api/v1/{agency}/registrations", status_code=201)
    async def post_registration(agency: str, registration: RegistrationInput) -> Answer:
        number = uuid4()
        now = datetime.now(UTC)
        await collection.insert_one(
            {"_id": number, "case_number": str(number), "agency": agency, "received_at": now, **registration.model_dump()}
        )
        return Answer(case_number=number)

    return app


async def serve_plain(mongodb_url: str, prefix: str, **_: Any) -> None:
    client = mongo.connect(mongodb_url, pool=ServiceSettings.model_fields["mongodb_pool"].default)
    await serve(plain_application(client[f"{prefix}_plain"]["registrations"]))


# Both


async def serve(app: FastAPI) -> None:
    """uvicorn as `doithoai serve` runs it; says its port, serves until told to stop."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None, timeout_graceful_shutdown=5))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.02)
    say(port=listening.getsockname()[1])
    await until_told()
    server.should_exit = True
    await serving


@contextlib.asynccontextmanager
async def running(machine: Machine, side: str, prefix: str) -> AsyncIterator[tuple[Target, Child]]:
    async with machine.child(f"bench.intake:{side}", prefix=prefix) as child:
        port = (await child.hear(60))["port"]
        target = Target(port, PATH, samples.body())
        await closed_loop(target, connections=CONNECTIONS, seconds=machine.warm_up)
        yield target, child


async def _round(machine: Machine, side: str, *, kept_in: str = "", latencies: bool = False) -> Measure:
    prefix = machine.new_prefix()
    await prepare_database(machine, prefix)
    async with running(machine, side, prefix) as (target, child):
        before = child.cpu()
        answers = [await closed_loop(target, connections=CONNECTIONS, seconds=machine.seconds)]
        beside = {"cpu_us": 1e6 * (child.cpu() - before) / len(answers[0].accepted)}
        if latencies:
            answers.append(await open_loop(target, connections=CONNECTIONS, seconds=machine.seconds / 2, rate=RATE))
            answers.append(await closed_loop(target, connections=1, seconds=machine.seconds / 4))
            beside |= {"p99_ms": answers[1].p99_ms, "one_ms": answers[2].p50_ms}
        await child.stop()
    if kept_in:
        await look_up(machine.client[f"{prefix}_{kept_in}"], answers)
    return Measure(len(answers[0].accepted) / machine.seconds, beside)


async def look_up(database: mongo.Database, answers: list[Answers]) -> None:
    """Every 2xx must be in MongoDB. Raises if one is not, or if anything was refused."""
    stored = database["registrations"].find({}, {"_id": 0, "case_number": 1})
    numbers = {row["case_number"] async for row in stored}
    told = {number for a in answers for number in a.accepted}
    if missing := told - numbers:
        raise AssertionError(f"{len(missing)} of {len(told)} accepted registrations are not in MongoDB")
    if refused := sum(a.refused for a in answers):
        raise AssertionError(f"{refused} requests were refused")


async def ours(machine: Machine) -> Measure:
    return await _round(machine, "serve_intake", kept_in="intake", latencies=True)


async def ours_without_latencies(machine: Machine) -> Measure:
    return await _round(machine, "serve_intake", kept_in="intake")


async def plain(machine: Machine) -> Measure:
    return await _round(machine, "serve_plain", kept_in="plain", latencies=True)


async def without_database(machine: Machine) -> Measure:
    return await _round(machine, "serve_intake_without_database")


R1 = Ratio(
    "R1",
    "intake durable POST/s with everything on ÷ bare FastAPI + insert_one, 64 connections",
    "POST/s",
    ours,
    plain,
    floor=2.0,
    target=3.5,
    beside=(
        Beside("p99_ms", f"p99 at {RATE} POST/s, open loop", 0.7),
        Beside("one_ms", "median latency of one connection", 1.2),
        Beside("cpu_us", "CPU of a POST, publishing included"),
    ),
)
R2 = Ratio(
    "R2",
    "intake ÷ the same handler without a database",
    "POST/s",
    ours_without_latencies,
    without_database,
    floor=0.45,
    target=0.8,
)
