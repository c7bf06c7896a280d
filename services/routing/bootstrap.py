"""The one place where routing is put together; tests give it their clock and publisher."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from kit.agency import load_agencies, load_calendars
from kit.clock import Clock, system_clock
from kit.feedback import load_groups
from kit.files import FileStore
from kit.kafka import KafkaPublisher, Publisher
from kit.letters import COLLECTION as LETTERS
from kit.letters import LetterDesk, render_letter
from kit.logging import configure
from kit.mongo import ServerClock
from kit.outbox import Outbox
from kit.service import Service, databases
from kit.surveylinks import SurveyLinks
from kit.web import Templates
from kit.web.faces import faces_of
from kit.web.front import front_of
from services.routing.calendars import Calendars, calendars_outbox
from services.routing.context import Routing
from services.routing.dialogues import fanouts, recount
from services.routing.dialogues import http as dialogues_http
from services.routing.dialogues import store as dialogues
from services.routing.questions import afterwards, consumers
from services.routing.questions import http as questions_http
from services.routing.questions import store as questions
from services.routing.settings import RoutingSettings
from services.routing.staff import http as staff_http
from services.routing.staff.store import StaffStore
from services.routing.store import SPECS

HERE = Path(__file__).parent
TEMPLATES = tuple(HERE / part / "templates" for part in ("questions", "dialogues", "staff"))


def bootstrap(
    settings: RoutingSettings, *, clock: Clock = system_clock, publisher: Publisher | None = None
) -> tuple[Routing, Service]:
    """What use cases and pages need, and the process that runs around it. Raises `BadFile` for a wrong profile."""
    client, database, files = databases(settings, "routing")
    server_clock = ServerClock(database)
    letters = Outbox(database[LETTERS], server_clock, source="routing", render=render_letter)
    agencies = load_agencies(settings.agencies_dir)
    routing = Routing(
        settings=settings,
        agencies=agencies,
        groups=load_groups(settings.agencies_dir),
        calendars=Calendars(load_calendars(settings.agencies_dir, agencies), calendars_outbox(database, server_clock)),
        clock=clock,
        database=database,
        files=FileStore(files),
        letters=LetterDesk(letters, "routing_letter.requested.v1"),
        survey_links=SurveyLinks(settings.session_secret),
        plans=dialogues.plans_outbox(database, server_clock),
        dialogues=dialogues.dialogues_outbox(database, server_clock),
        cases=questions.cases_outbox(database, server_clock),
        questions=questions.questions_outbox(database, server_clock),
        staff=StaffStore(database),
    )
    service = Service(
        name="routing",
        settings=settings,
        specs=SPECS,
        client=client,
        database=database,
        files=files,
        publisher=publisher or KafkaPublisher(settings.kafka_bootstrap),
        outboxes=(
            routing.plans,
            routing.dialogues,
            routing.cases,
            routing.questions,
            routing.staff.accounts,
            routing.calendars.outbox,
            letters,
        ),
        subscriptions=consumers.subscriptions(routing),
        workers=(*afterwards.workers(routing), partial(fanouts.work, routing), partial(recount.work, routing)),
    )
    return routing, service


def application(routing: Routing, service: Service) -> FastAPI:
    """The pages of routing, and its background work while they are served."""
    configure("routing", level=routing.settings.log_level, form=routing.settings.log_format)
    templates = Templates(*TEMPLATES, faces=faces_of(routing.agencies))
    return front_of(
        service,
        title="Đối thoại về thủ tục hành chính: bàn làm việc của cán bộ",
        templates=templates,
        directory=routing.staff,
        clock=routing.clock,
        routers=(
            dialogues_http.router(routing, templates),
            questions_http.router(routing, templates),
            staff_http.router(routing.staff, routing.agencies, templates, routing.clock),
        ),
        # A form of intake's counter may come here with its files when the session is over; what was typed is kept.
        large_bodies=("/*/can-bo/doi-thoai/*", "/*/can-bo/gia-han-phien"),
    )
