"""The one place where notify is put together; tests give it their clock, publisher and way to the mail server."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from kit.agency import load_agencies
from kit.auth import STAFF_SPEC, StaffProjection
from kit.clock import Clock, system_clock
from kit.files import FileStore
from kit.kafka import KafkaPublisher, Publisher
from kit.logging import configure
from kit.service import Service, databases
from kit.web import Templates
from kit.web.faces import faces_of
from kit.web.front import front_of
from services.notify import consumers, http
from services.notify.http import Pages
from services.notify.mail import Composer
from services.notify.papers import Papers
from services.notify.sender import Senders
from services.notify.settings import NotifySettings
from services.notify.smtp import SmtpTransport, Transport
from services.notify.store import SPECS, Ledger
from services.notify.usecases import Desk, Wake
from services.notify.wording import House, Words

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Notify:
    """What notify is made of."""

    app: FastAPI
    service: Service
    desk: Desk
    senders: Senders


def bootstrap(
    settings: NotifySettings,
    *,
    clock: Clock = system_clock,
    publisher: Publisher | None = None,
    transport: Callable[[], Transport] | None = None,
) -> Notify:
    """The application and the process around it. Raises `BadFile` for a wrong profile."""
    configure("notify", level=settings.log_level, form=settings.log_format)
    client, database, files = databases(settings, "notify")
    agencies = load_agencies(settings.agencies_dir)
    houses = {code: House.of(agency, settings.public_url) for code, agency in agencies.items()}
    ledger = Ledger(database)
    wake = Wake()
    desk = Desk(ledger, clock, timedelta(hours=settings.held_after_hours), wake)
    words, papers, store = Words(), Papers(Path(settings.fonts_dir)), FileStore(files)
    composer = Composer(words, papers, store, houses, settings.smtp_sender)
    senders = Senders(settings, ledger, composer, transport or (lambda: SmtpTransport(settings)), clock, wake)
    staff = StaffProjection(database[STAFF_SPEC.name])
    service = Service(
        name="notify",
        settings=settings,
        specs=SPECS,
        client=client,
        database=database,
        files=files,
        publisher=publisher or KafkaPublisher(settings.kafka_bootstrap),
        outboxes=(ledger.outbox,),
        subscriptions=consumers.subscriptions(desk, staff),
        workers=senders.workers(),
    )
    templates = Templates(TEMPLATES, faces=faces_of(agencies))
    app = front_of(
        service,
        title="Đối thoại về thủ tục hành chính: văn thư",
        templates=templates,
        directory=staff,
        clock=clock,
        routers=(http.router(Pages(desk, templates, faces_of(agencies), houses, words, papers, store)),),
    )
    return Notify(app, service, desk, senders)
