"""The one place that puts intake together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI

from kit.agency import Agency, load_agencies
from kit.auth import STAFF_SPEC, SessionCodec, StaffProjection
from kit.calendar import WorkCalendar, load_calendar
from kit.clock import Clock, system_clock
from kit.files import FileStore
from kit.kafka import KafkaPublisher, Publisher
from kit.logging import configure
from kit.mongo import ServerClock
from kit.outbox import Outbox
from kit.service import Service, databases
from kit.web import StaffGate, Templates, create_app
from kit.web.faces import faces_of
from services.intake import api, consumers, documents, entry, http
from services.intake.announcements import Announcements
from services.intake.codes import tracking_code
from services.intake.groupcommit import GroupCommit
from services.intake.settings import IntakeSettings
from services.intake.store import COUNTERS, REGISTRATIONS, SPECS, CaseNumbers, Projections, RegistrationStore
from services.intake.usecases import Intake, publish_unrouted

TEMPLATES = Path(__file__).parent / "templates"
UNROUTED_CHECK_SECONDS = 60.0


def bootstrap(
    settings: IntakeSettings, *, clock: Clock = system_clock, publisher: Publisher | None = None
) -> tuple[FastAPI, Service, Intake]:
    """The application, the service that runs behind it, and what its use cases are handed."""
    configure("intake", level=settings.log_level, form=settings.log_format)
    client, database, files = databases(settings, "intake")
    agencies = load_agencies(settings.agencies_dir)
    secret = settings.code_secret.get_secret_value().encode()
    outbox = Outbox(
        database[REGISTRATIONS.name],
        ServerClock(database),
        source="intake",
        render=documents.renderer(lambda registration: tracking_code(secret, registration)),
        subject=documents.subject,
    )
    commits = GroupCommit(
        outbox.collection, size=settings.group_size, in_flight=settings.groups_in_flight, queue=settings.group_queue
    )
    projections = Projections(database)
    intake = Intake(
        settings=settings,
        agencies=agencies,
        calendars=_calendars(settings.agencies_dir, agencies),
        clock=clock,
        outbox=outbox,
        commits=commits,
        registrations=RegistrationStore(outbox.collection),
        numbers=CaseNumbers(database[COUNTERS.name], settings.case_number_block),
        projections=projections,
        announcements=Announcements(projections),
        files=FileStore(files),
    )
    staff = StaffProjection(database[STAFF_SPEC.name])
    service = Service(
        name="intake",
        settings=settings,
        specs=SPECS,
        client=client,
        database=database,
        files=files,
        publisher=publisher or KafkaPublisher(settings.kafka_bootstrap),
        outboxes=(outbox,),
        subscriptions=consumers.subscriptions(projections, intake.registrations, staff),
        workers=(_every(UNROUTED_CHECK_SECONDS, lambda: publish_unrouted(intake)),),
        on_stop=(commits.drain,),
        needs_kafka=False,
    )
    return _application(intake, service, staff), service, intake


def _application(intake: Intake, service: Service, staff: StaffProjection) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    templates = Templates(TEMPLATES, faces=faces_of(intake.agencies))
    app = create_app(
        title="Đối thoại về thủ tục hành chính: tiếp nhận đăng ký",
        service="intake",
        settings=intake.settings,
        lifespan=lifespan,
        ready=service.ready,
        templates=templates,
        docs=True,
    )
    app.state.staff_gate = StaffGate(
        SessionCodec(intake.settings.session_secret), staff, intake.clock, secure=intake.settings.session_secure
    )
    app.include_router(api.router(intake))
    app.include_router(entry.router(intake, templates))
    app.include_router(http.router(intake, templates))
    api.describe(app)
    return app


def _calendars(directory: Path, agencies: Mapping[str, Agency]) -> dict[str, WorkCalendar]:
    """Each agency's calendar as its profile has it."""
    country = load_calendar(directory / "calendars" / "vn.yaml")
    return {code: _with_extras(country, agency) for code, agency in agencies.items()}


def _with_extras(country: WorkCalendar, agency: Agency) -> WorkCalendar:
    calendar = country.with_office_hours(agency.office_hours)
    for off in agency.calendar.days_off:
        calendar = calendar.with_day_off(off.day, off.name, off.kind)
    for worked in agency.calendar.working_days:
        calendar = calendar.with_working_day(worked.day, worked.name)
    return calendar


def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def repeat() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return repeat
