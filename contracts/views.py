"""Narrow views of events for readers that must not see personal data: reporting decodes with these, so it cannot keep them."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Payload, Step
from contracts.model import (
    CaseSource,
    Channel,
    Clock,
    FeedbackState,
    QuestionState,
    QuestionStateData,
    RegistrantKind,
    RegistrationState,
    Transfer,
)


class SectionNumber(Payload):
    no: int


class RegistrationFigures(Payload):
    """A registration without person, texts and files."""

    case_number: str
    plan: str
    dialogue: str | None = None
    channel: Channel
    received_at: AwareDatetime
    recorded_at: AwareDatetime
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    sections: tuple[SectionNumber, ...] = ()
    incomplete: tuple[str, ...] = ()
    status: str = "received"
    steps: tuple[Step, ...] = ()


class FeedbackFigures(Payload):
    case_number: str
    channel: Channel
    received_at: AwareDatetime
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    group: int = Field(ge=1, le=8)
    registration: UUID | None = None
    status: str = "received"
    steps: tuple[Step, ...] = ()


class QuestionFigures(Payload):
    """A question without its texts."""

    case: UUID
    case_number: str
    plan: str | None = None
    dialogue: str | None = None
    section_no: int | None = None
    section_title: str | None = None
    source: CaseSource = CaseSource.REGISTRATION
    recorded_at: AwareDatetime | None = None
    state: QuestionState
    sealed: bool = False
    unit: str | None = None
    clocks: tuple[Clock, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    outcome: str | None = None
    merged_into: UUID | None = None
    parent: UUID | None = None
    published_on: date | None = None
    steps: tuple[Step, ...] = ()


FIGURES: Mapping[type[Payload], type[Payload]] = {
    RegistrationState: RegistrationFigures,
    FeedbackState: FeedbackFigures,
    QuestionStateData: QuestionFigures,
}
