"""What routing is made of, handed to every use case and page: made once by bootstrap.py."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.agency import Agency
from kit.clock import Clock
from kit.feedback import FeedbackGroups
from kit.files import FileStore
from kit.letters import LetterDesk
from kit.mongo import Database
from kit.outbox import Outbox
from kit.surveylinks import SurveyLinks
from services.routing.calendars import Calendars
from services.routing.settings import RoutingSettings
from services.routing.staff.store import StaffStore


@dataclass(frozen=True, slots=True)
class Routing:
    """Stores, clock and profiles. Queries are functions in each capability's store.py that take this."""

    settings: RoutingSettings
    agencies: Mapping[str, Agency]
    groups: FeedbackGroups
    calendars: Calendars
    clock: Clock
    database: Database
    files: FileStore
    letters: LetterDesk
    survey_links: SurveyLinks
    plans: Outbox
    dialogues: Outbox
    cases: Outbox
    questions: Outbox
    staff: StaffStore
