"""I8: a question begins where no rule lets it begin."""

from contracts.model import QuestionState
from kit.agency import Agency
from services.routing.questions import registrations
from services.routing.questions.domain import Classified


def _ready_at_once(agency: Agency, section_no: int | None, text: str) -> Classified:
    return Classified(QuestionState.READY)


def apply() -> None:
    registrations.classified = _ready_at_once
