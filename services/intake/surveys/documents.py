"""An answer as it is stored, and what its event makes of it. Pure.

The document: `_id` (derived, see `domain.answer_id`), `agency`, `way`, `counter`, `unit`, `procedure`, `given_at`, `recorded_at`,
`marks`, `text` if there are words, and `unproven` (`kit.web.proof.Doubt`) if it came without a good proof of work. It names
neither the person nor the case.
"""

from datetime import datetime
from typing import Any

from contracts.envelope import Payload
from contracts.model import SurveyState
from services.intake.surveys.domain import About, Answers

Document = dict[str, Any]
GIVEN = "survey.given.v1"


def answer_fields(
    about: About, answers: Answers, *, given_at: datetime, recorded_at: datetime, unproven: str | None = None
) -> Document:
    """What the document holds beside its identity and events."""
    fields: Document = {
        "way": about.way.value,
        "counter": about.counter,
        "unit": about.unit,
        "procedure": about.procedure,
        "given_at": given_at,
        "recorded_at": recorded_at,
        "marks": {criterion.value: mark for criterion, mark in answers.marks.items()},
    }
    said = {"text": answers.text, "unproven": unproven}
    return fields | {name: value for name, value in said.items() if value}


def render(document: Document, _entry: Document) -> Payload:
    """The marks, without the words and without what is doubtful."""
    return SurveyState.model_validate({name: document[name] for name in SurveyState.model_fields if name in document})
