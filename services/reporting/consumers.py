"""What reporting hears: event → fact, nothing else.

Registrations and feedback are counted by their cases: `routing.cases` is compacted, so a rebuild finds every one, while what
intake says of them lives for seven days (docs/decisions/0007-reports-are-sums-of-dated-flows.md).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts import topics
from contracts.envelope import Event, Payload
from contracts.events import models
from contracts.model import CaseState, DialogueState
from contracts.topics import Topic
from contracts.views import FIGURES, QuestionFigures, SurveyFigures
from kit.auth import StaffProjection
from kit.consumer import Reject, Subscription, newest
from services.reporting.domain import Fact, case_fact, dialogue_fact, question_fact, survey_fact
from services.reporting.store import Recorded
from services.reporting.usecases import Reporting, record

FACTS_OF: Mapping[type[Payload], Callable[[Any], Fact]] = {
    CaseState: case_fact,
    QuestionFigures: question_fact,
    DialogueState: dialogue_fact,
    SurveyFigures: survey_fact,
}
READ: Mapping[str, Topic] = {
    "cases": topics.CASES,
    "questions": topics.QUESTIONS,
    "dialogues": topics.DIALOGUES,
    "surveys": topics.SURVEYS,
}
"""Consumer group → the topic that facts are made from."""


def recorded(events: Sequence[Event[Any]]) -> list[Recorded]:
    """The newest fact of each aggregate; what no fact is made of (plans) is left out."""
    return [(event, FACTS_OF[type(event.data)](event.data)) for event in newest(events) if type(event.data) in FACTS_OF]


def subscriptions(reporting: Reporting, staff: StaffProjection) -> tuple[Subscription, ...]:
    """One group for each topic, so that none waits for another."""

    async def facts(events: Sequence[Event[Any]], _: Reject) -> None:
        await record(reporting, recorded(events))

    async def accounts(events: Sequence[Event[Any]], _: Reject) -> None:
        await staff.apply(events)

    async def calendars(events: Sequence[Event[Any]], _: Reject) -> None:
        await reporting.calendars.apply(newest(events))

    return (
        *(Subscription(name, (topic,), models(topic, views=FIGURES), facts) for name, topic in READ.items()),
        Subscription("staff", (topics.STAFF,), models(topics.STAFF), accounts),
        Subscription("calendars", (topics.CALENDARS,), models(topics.CALENDARS), calendars),
    )
