"""Narrow views of events: a reader decodes with these what it needs and cannot keep more. Reporting's hold no personal data."""

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
    Person,
    QuestionState,
    QuestionStateData,
    RegistrantKind,
    RegistrationState,
    SurveyState,
    SurveyWay,
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


class Contact(Payload):
    """Of a registration what notify needs: whom letters go to, once that was corrected. No texts, no files.

    Its number tells that it is one: a record without a state is poison for every reader, and not an event without news.
    """

    case_number: str
    person: Person | None = None
    contact_changed_at: AwareDatetime | None = None
    status: str = "received"


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


class SurveyFigures(Payload):
    """An answer to the survey without what could lead to who gave it."""

    way: SurveyWay = SurveyWay.QR
    unit: str | None = None
    procedure: str | None = None
    given_at: AwareDatetime
    recorded_at: AwareDatetime | None = None
    marks: dict[str, int]


FIGURES: Mapping[type[Payload], type[Payload]] = {
    RegistrationState: RegistrationFigures,
    FeedbackState: FeedbackFigures,
    SurveyState: SurveyFigures,
    QuestionStateData: QuestionFigures,
}
