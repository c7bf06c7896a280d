"""The one place that puts reporting together."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from kit.agency import load_agencies, load_calendars
from kit.auth import STAFF_SPEC, StaffProjection
from kit.calendars import SPEC as CALENDARS
from kit.calendars import CalendarProjection
from kit.clock import Clock, system_clock
from kit.feedback import load_groups
from kit.kafka import KafkaPublisher, Publisher
from kit.logging import configure
from kit.service import Service, databases
from kit.web import Templates
from kit.web.faces import faces_of
from kit.web.front import front_of
from services.reporting import consumers, http
from services.reporting.settings import ReportingSettings
from services.reporting.store import SPECS, Buckets, Facts
from services.reporting.usecases import Reporting, keep_sums

TEMPLATES = Path(__file__).parent / "templates"


def bootstrap(
    settings: ReportingSettings, *, clock: Clock = system_clock, publisher: Publisher | None = None
) -> tuple[FastAPI, Service, Reporting]:
    """The application, the service that runs behind it, and what its use cases are handed. Raises `BadFile`."""
    configure("reporting", level=settings.log_level, form=settings.log_format)
    client, database, files = databases(settings, "reporting")
    agencies = load_agencies(settings.agencies_dir)
    reporting = Reporting(
        settings=settings,
        agencies=agencies,
        calendars=CalendarProjection(load_calendars(settings.agencies_dir, agencies), database[CALENDARS.name]),
        groups=load_groups(settings.agencies_dir),
        clock=clock,
        facts=Facts(database),
        buckets=Buckets(database),
    )
    staff = StaffProjection(database[STAFF_SPEC.name])
    service = Service(
        name="reporting",
        settings=settings,
        specs=SPECS,
        client=client,
        database=database,
        files=files,
        publisher=publisher or KafkaPublisher(settings.kafka_bootstrap),
        subscriptions=consumers.subscriptions(reporting, staff),
        workers=(partial(keep_sums, reporting),),
        needs_kafka=False,
    )
    templates = Templates(TEMPLATES, faces=faces_of(agencies))
    app = front_of(
        service,
        title="Báo cáo đối thoại về thủ tục hành chính",
        templates=templates,
        directory=staff,
        clock=clock,
        routers=(http.router(reporting, templates),),
    )
    return app, service, reporting
