"""The one place that puts intake together."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

from fastapi import FastAPI

from contracts.model import CaseSource
from kit.agency import load_agencies, load_calendars, load_emblems
from kit.auth import STAFF_SPEC, StaffProjection
from kit.calendars import SPEC as CALENDARS
from kit.calendars import CalendarProjection
from kit.clock import Clock, system_clock
from kit.feedback import load_groups
from kit.files import FileStore
from kit.kafka import KafkaPublisher, Publisher
from kit.limits import SPEC as RATES
from kit.limits import Limits
from kit.logging import configure
from kit.mongo import Database, Document, ServerClock
from kit.outbox import Outbox
from kit.service import Service, Worker, databases
from kit.surveylinks import SurveyLinks
from kit.web import Templates
from kit.web.faces import faces_of
from kit.web.front import front_of
from kit.web.proof import SPEC as PROOFS
from kit.web.proof import Proofs
from services.intake import api, consumers, documents, entry, http, waiting
from services.intake.after import desk as after_desk
from services.intake.after import http as after
from services.intake.announcements import Announcements
from services.intake.attachments import api as attachments_api
from services.intake.attachments.domain import Allowed
from services.intake.attachments.scanner import scanner_at
from services.intake.attachments.store import UPLOADS, UploadStore
from services.intake.attachments.usecases import Attachments
from services.intake.codes import tracking_code
from services.intake.data_requests import http as data_requests
from services.intake.data_requests.store import requests_outbox
from services.intake.data_requests.usecases import measure
from services.intake.feedback import api as feedback_api
from services.intake.feedback import documents as feedback_documents
from services.intake.feedback import entry as feedback_entry
from services.intake.feedback import http as feedback_http
from services.intake.feedback.forms import FeedbackInput
from services.intake.feedback.usecases import FeedbackIntake
from services.intake.groupcommit import GroupCommit
from services.intake.mailbox import http as mailbox_http
from services.intake.mailbox.reader import LEASE_SECONDS, MailboxReader
from services.intake.mailbox.store import Leases, LetterCases, MailStore
from services.intake.mailbox.usecases import Mailroom, forget, keep_house
from services.intake.moderation import http as moderation
from services.intake.moderation.store import SPEC as HELD
from services.intake.moderation.store import HeldStore
from services.intake.moderation.usecases import keep_up
from services.intake.ratelimits import REQUEST, rates_of
from services.intake.settings import IntakeSettings
from services.intake.site import http as site
from services.intake.site.store import Answers
from services.intake.store import (
    COUNTERS,
    FEEDBACK,
    QUESTIONS,
    REGISTRATIONS,
    SPECS,
    CaseNumbers,
    Projections,
    RegistrationStore,
)
from services.intake.surveys import desk as surveys_desk
from services.intake.surveys import documents as survey_documents
from services.intake.surveys import http as surveys_http
from services.intake.surveys.store import ANSWERS, POINTS, AnswerStore, PointStore
from services.intake.surveys.usecases import Surveys
from services.intake.usecases import Intake, Releases, publish_again, publish_unrouted

HERE = Path(__file__).parent
TEMPLATES = (HERE / "templates", *sorted(HERE.glob("*/templates")))
_HELD_EVERY = 10.0
"""Seconds between counts of what is held."""
_SEATS_EVERY = 5.0
"""Seconds between counts of taken seats: a form that is sent within them may still be told that there is one."""
_UNROUTED_CHECKS = 10
"""In the time after which an unrouted registration is published again."""
_SWEEP_EVERY = 900.0
_MEASURED_EVERY = 15.0
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
    outbox_clock = ServerClock(database)
    outbox = Outbox(
        database[REGISTRATIONS.name],
        outbox_clock,
        source="intake",
        render=documents.renderer(code),
        subject=documents.subject,
    )
    commits = GroupCommit(
        outbox.collection, size=settings.group_size, in_flight=settings.groups_in_flight, queue=settings.group_queue
    )
    projections = Projections(database)
    registrations = RegistrationStore(outbox.collection)
    feedback_outbox = Outbox(
        database[FEEDBACK.name],
        ServerClock(database),
        source="intake",
        render=feedback_documents.renderer(code),
        subject=feedback_documents.subject,
    )
    feedback_store = RegistrationStore(feedback_outbox.collection)
    held = HeldStore(database[HELD.name])
    store = FileStore(files)
    attachments = Attachments(
        store,
        UploadStore(database[UPLOADS.name]),
        secret=secret,
        allowed=Allowed(settings.attachment_count, settings.attachment_size, settings.attachment_total),
        scanner=scanner_at(settings.clamd),
        clock=clock,
        in_use=partial(_in_use, held, (registrations, feedback_store)),
    )
    intake = Intake(
        settings=settings,
        agencies=agencies,
        calendars=CalendarProjection(load_calendars(settings.agencies_dir, agencies), database[CALENDARS.name]),
        clock=clock,
        outbox=outbox,
        commits=commits,
        registrations=registrations,
        numbers=CaseNumbers(database[COUNTERS.name], settings.case_number_block),
        projections=projections,
        announcements=Announcements(projections),
        files=store,
        attachments=attachments,
        code=code,
        limits=Limits(database[RATES.name], secret, rates_of(settings)),
        answers=Answers(database[QUESTIONS.name]),
        proofs=Proofs(database[PROOFS.name], secret, cost=settings.proof_cost, seconds=settings.proof_seconds),
        held=held,
        releases={
            CaseSource.REGISTRATION: Releases(outbox, registrations, documents.RECEIVED),
            CaseSource.FEEDBACK: Releases(feedback_outbox, feedback_store, feedback_documents.RECEIVED),
        },
        requests=requests_outbox(database, outbox_clock),
    )
    surveys = _surveys(intake, database)
    feedback = _feedback(intake, feedback_outbox, feedback_store)
    staff = StaffProjection(database[STAFF_SPEC.name])
    letters = LetterCases(database)
    mailroom = Mailroom(intake, settings.mailboxes, MailStore(database, intake.files), letters)
    service = Service(
        name="intake",
        settings=settings,
        specs=SPECS,
        client=client,
        database=database,
        files=files,
        publisher=publisher or KafkaPublisher(settings.kafka_bootstrap),
        outboxes=(outbox, intake.requests, feedback.outbox, surveys.outbox),
        subscriptions=consumers.subscriptions(
            projections,
            intake.registrations,
            feedback.store,
            staff,
            intake.calendars,
            letters if settings.mailboxes else None,
        ),
        workers=(
            _every(settings.unrouted_after_seconds / _UNROUTED_CHECKS, lambda: _unrouted(feedback)),
            _every(_SWEEP_EVERY, attachments.sweep),
            _every(_HELD_EVERY, lambda: keep_up(intake)),
            _every(_MEASURED_EVERY, lambda: measure(intake)),
            _every(_SEATS_EVERY, projections.count_seats),
            intake.limits.run,
            *_mail_workers(mailroom, Leases(database, secrets.token_hex(8), LEASE_SECONDS)),
        ),
        on_stop=(commits.drain, feedback.commits.drain),
        needs_kafka=False,
    )
    return _application(mailroom, feedback, surveys, service, staff), service, intake


async def _in_use(held: HeldStore, received: Sequence[RegistrationStore], key: str, but: Document | None) -> bool:
    """Whether anything but that document has a file of this key."""
    _id = but["_id"] if but else None
    # In this order: what is released meanwhile is a registration, or feedback, before it is held no more.
    if await held.has_file(key, but=_id):
        return True
    # What is held has the id that it has when it comes once more with a proof, and then goes on beside it.
    other = None if but and "held" in but else _id
    return any([await store.has_file(key, but=other) for store in received])


def _surveys(intake: Intake, database: Database) -> Surveys:
    outbox = Outbox(database[ANSWERS.name], ServerClock(database), source="intake", render=survey_documents.render)
    return Surveys(
        settings=intake.settings,
        agencies=intake.agencies,
        clock=intake.clock,
        outbox=outbox,
        answers=AnswerStore(outbox.collection),
        points=PointStore(database[POINTS.name]),
        projections=intake.projections,
        links=SurveyLinks(intake.settings.session_secret),
        limits=intake.limits,
        proofs=intake.proofs,
    )


def _feedback(intake: Intake, outbox: Outbox, store: RegistrationStore) -> FeedbackIntake:
    """The part that takes feedback (K2): a collection of its own, the same classes as for registrations."""
    settings = intake.settings
    commits = GroupCommit(
        outbox.collection, size=settings.group_size, in_flight=settings.groups_in_flight, queue=settings.group_queue
    )
    return FeedbackIntake(intake, outbox, commits, store, load_groups(settings.agencies_dir))


async def _unrouted(feedback: FeedbackIntake) -> None:
    await publish_unrouted(feedback.intake)
    await publish_again(feedback.intake, feedback.store, feedback.outbox)


def _application(
    mailroom: Mailroom, feedback: FeedbackIntake, surveys: Surveys, service: Service, staff: StaffProjection
) -> FastAPI:
    intake = mailroom.intake
    templates = Templates(
        *TEMPLATES,
        faces=faces_of(intake.agencies),
        waiting=intake.waiting_in,
    )
    templates.environment.globals["proofs"] = intake.proofs
    programs = api.router(intake)
    app = front_of(
        service,
        title="Đối thoại về thủ tục hành chính: tiếp nhận đăng ký",
        templates=templates,
        directory=staff,
        clock=intake.clock,
        routers=(
            programs,
            attachments_api.router(intake),
            mailbox_http.router(mailroom, feedback, templates),
            surveys_desk.router(surveys, templates),
            moderation.router(intake, templates),
            waiting.router(intake),
            after_desk.router(intake, templates),
            data_requests.router(intake, templates, partial(forget, mailroom)),
            feedback_api.router(feedback),
            feedback_entry.router(feedback, templates, partial(forget, mailroom)),
            entry.router(intake, templates),
            site.router(intake, templates, load_emblems(intake.settings.agencies_dir, intake.agencies)),
            surveys_http.router(surveys, templates),
            after.router(intake, templates, feedback.groups),
            feedback_http.router(feedback, templates),
            http.router(intake, templates, feedback.groups),
        ),
        docs=True,
        large_bodies=("/*/dang-ky/*", "/*/phan-anh-kien-nghi", "/*/tiep-nhan/", "/*/tiep-nhan/phan-anh", "/api/v1/*/uploads"),
        admit=partial(intake.limits.count, REQUEST),
    )
    api.describe(app)
    api.describe(app, FeedbackInput)
    api.shorten(app, programs)
    return app


def _mail_workers(mailroom: Mailroom, leases: Leases) -> list[Worker]:
    """A reader for each mailbox, and one worker that measures what waits and removes what was kept long enough; none without a
    mailbox. Raises `NotFound` for one of an agency that is not ours.
    """
    settings = mailroom.intake.settings
    readers = [
        MailboxReader(mailroom, mailroom.intake.agency(code), leases, poll_seconds=settings.mailbox_poll_seconds).run
        for code in mailroom.boxes
    ]
    return [*readers, _every(_MEASURED_EVERY, lambda: keep_house(mailroom))] if readers else []


def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def repeat() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return repeat
