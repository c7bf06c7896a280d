"""The catalogue: every event type, the topic it goes to and the state it carries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts import topics
from contracts.envelope import Event, Payload
from contracts.model import (
    CalendarState,
    CaseState,
    DeliveryState,
    DialogueState,
    FeedbackState,
    LetterState,
    PlanState,
    QuestionStateData,
    RegistrationState,
    StaffState,
    SurveyState,
)
from contracts.topics import Topic


@dataclass(frozen=True, slots=True)
class EventType:
    """`name` is the envelope's `type`."""

    name: str
    topic: Topic
    state: type[Payload]


def _types(topic: Topic, state: type[Payload], aggregate: str, happenings: str) -> Iterable[EventType]:
    return (EventType(f"{aggregate}.{what}.v1", topic, state) for what in happenings.split())


CATALOGUE: Mapping[str, EventType] = {
    t.name: t
    for t in (
        *_types(topics.REGISTRATIONS, RegistrationState, "registration", "received amended withdrawn erased"),
        *_types(topics.FEEDBACK, FeedbackState, "feedback", "received amended withdrawn erased"),
        *_types(topics.SURVEYS, SurveyState, "survey", "given"),
        *_types(topics.DIALOGUES, PlanState, "plan", "published changed"),
        *_types(topics.DIALOGUES, DialogueState, "dialogue", "scheduled changed cancelled held notice_issued"),
        *_types(
            topics.CASES,
            CaseState,
            "case",
            "opened amended placed late admitted to_feedback to_registration invited attended closed withdrawn erased",
        ),
        *_types(
            topics.QUESTIONS,
            QuestionStateData,
            "question",
            "created sealed unsealed triaged proposed transferred drafted at_head returned submitted sent_back ready resolved "
            "to_write answered guided escalated escalated_done adopted excluded withdrawn to_feedback merged split amended "
            "extended due_recomputed published unpublished erased collecting to_dialogue asked_back",
        ),
        *_types(topics.STAFF, StaffState, "staff", "created changed disabled"),
        *_types(topics.CALENDARS, CalendarState, "calendar", "changed"),
        *_types(topics.INTAKE_LETTERS, LetterState, "intake_letter", "requested withdrawn"),
        *_types(topics.ROUTING_LETTERS, LetterState, "routing_letter", "requested withdrawn"),
        *_types(topics.REPORTING_LETTERS, LetterState, "reporting_letter", "requested withdrawn"),
        *_types(
            topics.DELIVERIES,
            DeliveryState,
            "delivery",
            "queued sent deferred failed unknown held to_print printed posted to_phone phoned returned skipped withdrawn",
        ),
    )
}


def models(*topics_read: Topic, views: Mapping[type[Payload], type[Payload]] | None = None) -> dict[str, type[Event[Any]]]:
    """The decoding table of a consumer of these topics: event type → the model it sees the event as.

    `views` replaces a state by a narrower one (reporting sees no contact data and so cannot keep them).
    """
    narrowed = views or {}
    return {
        t.name: Event[narrowed.get(t.state, t.state)]  # type: ignore[misc]
        for t in CATALOGUE.values()
        if t.topic in topics_read
    }
