"""The one place that puts intake together."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from pathlib import Path

from fastapi import FastAPI

from kit.agency import load_agencies, load_calendars
from kit.auth import STAFF_SPEC, StaffProjection
from kit.clock import Clock, system_clock
from kit.feedback import load_groups
from kit.files import FileStore
from kit.kafka import KafkaPublisher, Publisher
from kit.limits import SPEC as RATES
from kit.limits import Limits
from kit.logging import configure
from kit.mongo import Database, ServerClock
from kit.outbox import Outbox
from kit.service import Service, databases
from kit.web import Templates
from kit.web.faces import faces_of
from kit.web.front import front_of
from services.intake import api, consumers, documents, entry, http
from services.intake.announcements import Announcements
from services.intake.codes import tracking_code
from services.intake.feedback import api as feedback_api
from services.intake.feedback import documents as feedback_documents
from services.intake.feedback import entry as feedback_entry
from services.intake.feedback import http as feedback_http
from services.intake.feedback.forms import FeedbackInput
from services.intake.feedback.usecases import FeedbackIntake
from services.intake.groupcommit import GroupCommit
from services.intake.ratelimits import REQUEST, rates_of
from services.intake.settings import IntakeSettings
from services.intake.store import COUNTERS, FEEDBACK, REGISTRATIONS, SPECS, CaseNumbers, Projections, RegistrationStore
from services.intake.usecases import Intake, publish_again, publish_unrouted

TEMPLATES = Path(__file__).parent / "templates"
_UNROUTED_CHECKS = 10
"""In the time after which an unrouted registration is published again."""
_CODES_KEPT = 1_000
"""A code is wanted twice: for the answer, and a moment later for the letter."""


def bootstrap(
    settings: IntakeSettings, *, clock: Clock = system_clock, publisher: Publisher | None = None
) -> tuple[FastAPI, Service, Intake]:
    """The application, the service that runs behind it, and what its use cases are handed."""
    configure("intake", level=settings.log_level, form=settings.log_format)
    client, database, files = databases(settings, "intake")
    agencies = load_agencies(settings.agencies_dir)
    secret = settings.code_secret.get_secret_value().encode()
    code = lru_cache(maxsize=_CODES_KEPT)(partial(tracking_code, secret))
    outbox = Outbox(
        database[REGISTRATIONS.name],
        ServerClock(database),
        source="intake",
        render=documents.renderer(code),
        subject=documents.subject,
    )
    commits = GroupCommit(
        outbox.collection, size=settings.group_size, in_flight=settings.groups_in_flight, queue=settings.group_queue
    )
    projections = Projections(database)
    intake = Intake(
        settings=settings,
        agencies=agencies,
        calendars=load_calendars(settings.agencies_dir, agencies),
        clock=clock,
        outbox=outbox,
        commits=commits,
        registrations=RegistrationStore(outbox.collection),
        numbers=CaseNumbers(database[COUNTERS.name], settings.case_number_block),
        projections=projections,
        announcements=Announcements(projections),
        files=FileStore(files),
        code=code,
        limits=Limits(database[RATES.name], secret, rates_of(settings)),
    )
    feedback = _feedback(intake, database)
    staff = StaffProjection(database[STAFF_SPEC.name])
    service = Service(
        name="intake",
        settings=settings,
        specs=SPECS,
        client=client,
        database=database,
        files=files,
        publisher=publisher or KafkaPublisher(settings.kafka_bootstrap),
        outboxes=(outbox, feedback.outbox),
        subscriptions=consumers.subscriptions(projections, intake.registrations, feedback.store, staff),
        workers=(_every(settings.unrouted_after_seconds / _UNROUTED_CHECKS, lambda: _unrouted(feedback)), intake.limits.run),
        on_stop=(commits.drain, feedback.commits.drain),
        needs_kafka=False,
    )
    return _application(intake, feedback, service, staff), service, intake


def _feedback(intake: Intake, database: Database) -> FeedbackIntake:
    """The part that takes feedback (K2): a collection of its own, the same classes as for registrations."""
    settings = intake.settings
    outbox = Outbox(
        database[FEEDBACK.name],
        ServerClock(database),
        source="intake",
        render=feedback_documents.renderer(intake.code),
        subject=feedback_documents.subject,
    )
    commits = GroupCommit(
        outbox.collection, size=settings.group_size, in_flight=settings.groups_in_flight, queue=settings.group_queue
    )
    return FeedbackIntake(intake, outbox, commits, RegistrationStore(outbox.collection), load_groups(settings.agencies_dir))


async def _unrouted(feedback: FeedbackIntake) -> None:
    await publish_unrouted(feedback.intake)
    await publish_again(feedback.intake, feedback.store, feedback.outbox)


def _application(intake: Intake, feedback: FeedbackIntake, service: Service, staff: StaffProjection) -> FastAPI:
    templates = Templates(TEMPLATES, faces=faces_of(intake.agencies))
    programs = api.router(intake)
    feedback_pages = feedback_http.Pages(feedback, templates)
    app = front_of(
        service,
        title="Đối thoại về thủ tục hành chính: tiếp nhận đăng ký",
        templates=templates,
        directory=staff,
        clock=intake.clock,
        routers=(
            programs,
            feedback_api.router(feedback),
            feedback_entry.router(feedback, templates),
            entry.router(intake, templates),
            feedback_http.router(feedback_pages),
            http.router(intake, templates, feedback_pages),
        ),
        docs=True,
        admit=partial(intake.limits.count, REQUEST),
    )
    api.describe(app)
    api.describe(app, FeedbackInput)
    api.shorten(app, programs)
    return app


def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def repeat() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return repeat
