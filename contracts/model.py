"""The state each event carries. One class per aggregate; `events.py` says which type carries which.

Contact data stand in `RegistrationState`, `FeedbackState` and `LetterState` alone (topics kept 7 days). A sealed
question's events carry ids and state only (D6).
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Payload, Step


class Channel(StrEnum):
    """How a registration reached the agency (D3)."""

    WEB = "web"
    API = "api"
    EMAIL = "email"
    PAPER = "paper"
    POST = "post"
    FEEDBACK_SECTION = "feedback_section"
    PHONE = "phone"
    TELEVISION = "television"


class RegistrantKind(StrEnum):
    INDIVIDUAL = "individual"
    ORGANISATION = "organisation"
    ENTERPRISE = "enterprise"
    COOPERATIVE = "cooperative"


class Way(StrEnum):
    """How a letter reaches its recipient."""

    EMAIL = "email"
    POST = "post"
    PHONE = "phone"


class Mode(StrEnum):
    IN_PERSON = "in_person"
    ONLINE = "online"
    HYBRID = "hybrid"


class Participation(StrEnum):
    """How a registrant would take part, where a dialogue is, or may be, held online too."""

    IN_PERSON = "in_person"
    ONLINE = "online"


class CaseStatus(StrEnum):
    OPEN = "open"
    INVITED = "invited"
    ATTENDED = "attended"
    SUBSTITUTE = "substitute"
    ABSENT = "absent"
    CLOSED = "closed"
    LATE = "late"
    ADMITTED = "admitted"
    TO_FEEDBACK = "to_feedback"
    WITHDRAWN = "withdrawn"


SEATLESS = frozenset({CaseStatus.LATE, CaseStatus.TO_FEEDBACK, CaseStatus.WITHDRAWN})
"""Cases of a dialogue that take no seat in its room: not admitted yet (D4), answered by letter instead, withdrawn."""


class CaseSource(StrEnum):
    REGISTRATION = "registration"
    FEEDBACK = "feedback"
    WALK_IN = "walk_in"


class QuestionState(StrEnum):
    """States of a question; who may move it where is in services/routing (the table of docs/rules.md)."""

    NEW = "new"
    SEALED = "sealed"
    TRIAGE = "triage"
    PROPOSED = "proposed"
    TRANSFERRED = "transferred"
    AT_HEAD = "at_head"
    RETURNED = "returned"
    SUBMITTED = "submitted"
    SENT_BACK = "sent_back"
    READY = "ready"
    RESOLVED = "resolved"
    TO_WRITE = "to_write"
    ANSWERED = "answered"
    GUIDED = "guided"
    ESCALATED = "escalated"
    ESCALATED_DONE = "escalated_done"
    ADOPTED = "adopted"
    EXCLUDED = "excluded"
    WITHDRAWN = "withdrawn"
    TO_FEEDBACK = "to_feedback"
    MERGED = "merged"
    COLLECTING = "collecting"
    TO_DIALOGUE = "to_dialogue"


CLOSED_STATES = frozenset(
    {
        QuestionState.RESOLVED,
        QuestionState.ANSWERED,
        QuestionState.GUIDED,
        QuestionState.ESCALATED_DONE,
        QuestionState.ADOPTED,
        QuestionState.EXCLUDED,
        QuestionState.WITHDRAWN,
        QuestionState.TO_FEEDBACK,
        QuestionState.TO_DIALOGUE,
    }
)
"""Ends of a question. `merged` is neither open nor closed: it stands outside every sum."""


class Person(Payload):
    """Who registered: personal data. Empty strings stand for what a paper left out."""

    name: str = ""
    address: str = ""
    phone: str = ""
    email: str = ""
    organisation: str = ""


class Addition(Payload):
    """What the registrant added to a section after its question had gone to a unit."""

    at: AwareDatetime
    text: str


class SectionText(Payload):
    """One filled section of the form."""

    no: int = Field(ge=1)
    title: str
    text: str
    additions: tuple[Addition, ...] | None = None


class AttendanceReply(Payload):
    """What an invited person says about coming (D9, D11). It holds for the meeting at that moment alone."""

    at: AwareDatetime
    answer: Literal["coming", "substitute", "absent"]
    substitute: str = Field("", description="Who comes instead")
    reason: str = Field("", description="Why the person does not come: noted if given, never required")
    dialogue: str | None = None
    starts_at: AwareDatetime | None = Field(None, description="The moment the invitation named")


class FileRef(Payload):
    """A file in the file store. The key is `<agency>/<aggregate>/<uuid>`; the SHA-256 proves its content."""

    key: str
    sha256: str
    name: str
    media_type: str
    size: int = Field(ge=0)


class RegistrationState(Payload):
    case_number: str
    plan: str = Field(description="Id of the plan it belongs to (D1)")
    dialogue: str | None = Field(None, description="Id of the dialogue the person chose; None: the plan's next open one")
    channel: Channel
    received_at: AwareDatetime = Field(description="When the agency had it; lateness is judged by this (D4)")
    recorded_at: AwareDatetime = Field(description="When it was typed")
    incoming_number: str | None = None
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    person: Person | None = Field(None, description="None once erased")
    preferred_way: Way | None = None
    participation: Participation | None = Field(None, description="None: not said")
    sections: tuple[SectionText, ...] = ()
    files: tuple[FileRef, ...] = ()
    consent_version: str | None = Field(None, description="Version of the privacy notice agreed to; None for a paper")
    incomplete: tuple[str, ...] = Field((), description="Fields a paper left out")
    status: str = Field("received", description="received | withdrawn | erased")
    steps: tuple[Step, ...] = ()
    withdrawn_sections: tuple[int, ...] = Field((), description="Sections that the person took back, each by itself")
    withdrawal_reason: str = Field("", description="If the person gave one")
    contact_changed_at: AwareDatetime | None = Field(None, description="When `person` was corrected last; letters follow it")
    attendance_reply: AttendanceReply | None = None
    decide_by: date | None = Field(None, description="Of a late one: the day by which it was told that the office decides (D4)")


class FeedbackState(Payload):
    case_number: str
    channel: Channel
    received_at: AwareDatetime
    recorded_at: AwareDatetime
    incoming_number: str | None = None
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    person: Person | None = None
    preferred_way: Way | None = None
    group: int = Field(ge=1, le=8, description="Content group of NĐ 20/2008 art. 5")
    group_unknown: bool = Field(False, description="The person could not say: `group` is 6 (other) until the office classifies")
    procedure: str = Field("", description="The administrative procedure concerned, in the person's words")
    text: str = ""
    files: tuple[FileRef, ...] = ()
    consent_version: str | None = None
    outside_number: str | None = None
    outside_due: date | None = None
    incomplete: tuple[str, ...] = Field((), description="Fields that what came on paper or by telephone left out")
    registration: UUID | None = Field(None, description="The registration it came from; its code is unchanged (D3)")
    status: str = Field("received", description="received | withdrawn | erased")
    steps: tuple[Step, ...] = ()
    additions: tuple[Addition, ...] | None = Field(None, description="What its sender added once it was in work")
    withdrawal_reason: str = Field("", description="If the person gave one")
    contact_changed_at: AwareDatetime | None = Field(None, description="When `person` was corrected last; letters follow it")
    attendance_reply: AttendanceReply | None = Field(None, description="Of feedback that was taken into a dialogue (D3)")


class SurveyWay(StrEnum):
    """How an answer to the survey was asked for (K3)."""

    QR = "qr"
    PAPER = "paper"
    CASE = "case"


class Criterion(StrEnum):
    """What a survey asks about (K3)."""

    TIME = "time"
    ATTITUDE = "attitude"
    CLARITY = "clarity"
    RESULT = "result"


class SurveyState(Payload):
    """An answer to the survey, without its free text. It names no person, and intake leaves its case out as well."""

    case_number: str | None = None
    counter: str | None = Field(None, description="The QR code that it was given by")
    way: SurveyWay = Field(SurveyWay.QR, description="qr | paper (both at the counter) | case (by the link of a letter)")
    unit: str | None = None
    procedure: str | None = Field(None, description="Code in the agency's list of procedures (K4)")
    given_at: AwareDatetime
    recorded_at: AwareDatetime | None = Field(None, description="When intake had it: a paper is typed in later")
    marks: dict[str, int] = Field(description="1–5 on time, attitude, clarity, result")


class PlanState(Payload):
    """A published plan; it may announce several dialogues, with dates still unknown (D1)."""

    number: str
    year: int
    title: str
    subjects: str = ""
    chair: str = ""
    opens_at: AwareDatetime | None = Field(None, description="Registration is possible from then on")
    issued_on: date | None = None
    postings: tuple[str, ...] = ()
    sample: bool = False
    steps: tuple[Step, ...] = ()


class ConclusionItem(Payload):
    heading: str
    text: str


class PublicNotice(Payload):
    """The conclusion notice as the public sees it: names nobody (D12)."""

    number: str = ""
    issued_on: date | None = None
    no_conclusion: bool = False
    opening: str = ""
    items: tuple[ConclusionItem, ...] = ()
    closing: str = ""
    file: FileRef | None = None


class DialogueState(Payload):
    plan: str
    plan_number: str
    plan_title: str
    year: int
    ordinal: int = Field(ge=1, description="1 for 'lần 1'")
    window_from: date | None = Field(None, description="Where only a period is announced: its first day")
    window_to: date | None = None
    starts_at: AwareDatetime | None = Field(None, description="None until fixed by a dated act")
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = Field(None, description="Last minute that is in time is the one shown (D4)")
    place: str = ""
    capacity: int | None = Field(None, ge=1, description="Seats in the room; None: no limit is known. Nobody is refused by it")
    mode: Mode = Mode.IN_PERSON
    online_link: str = ""
    chair: str = ""
    status: str = Field("scheduled", description="scheduled | cancelled | held")
    held_on: date | None = None
    invitations_due: date | None = None
    notice: PublicNotice | None = None
    steps: tuple[Step, ...] = ()


class CaseState(Payload):
    """A registration, or feedback (K2), as routing keeps it. No contact data."""

    case_number: str
    plan: str = Field("", description="Empty for feedback, which belongs to none")
    dialogue: str | None = None
    source: CaseSource
    channel: Channel | None = None
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    received_at: AwareDatetime
    recorded_at: AwareDatetime | None = Field(
        None, description="When intake had it; a report at a cut-off counts what was known then"
    )
    status: CaseStatus
    late: bool = False
    questions: tuple[UUID, ...] = ()
    invited_on: date | None = None
    invitation_number: str | None = None
    speaking_order: int | None = None
    attendance: str | None = Field(None, description="attended | substitute | absent")
    attendance_reply: str | None = Field(None, description="What the person said before: coming | substitute | absent")
    group: int | None = Field(None, ge=1, le=8, description="Of feedback: content group; None: not classified yet")
    grouped_at: AwareDatetime | None = Field(None, description="When the office classified what its sender could not")
    steps: tuple[Step, ...] = ()


class Clock(Payload):
    """A deadline with the rule and the calendar that made it, and its explanation in words ."""

    kind: str = Field(description="preparation (D7) | written (D10) | forward, feedback (K2)")
    rule: str
    start: AwareDatetime
    due_on: date
    due_at: AwareDatetime = Field(description="Exclusive: 24:00 of the due day")
    calendar_version: str
    explanation: str
    extended: bool = False
    stopped_at: AwareDatetime | None = Field(None, description="When the draft was handed over or the answer issued")


class Transfer(Payload):
    n: int
    unit: str
    at: AwareDatetime


class Amendment(Payload):
    """What routing made of a change of the registrant's: a question before its transfer is replaced, afterwards added to."""

    at: AwareDatetime
    taken_as: Literal["replaced", "added", "late"] = Field(description="late: the question had been answered before")


class QuestionStateData(Payload):
    """A question as others may see it. For a sealed one only ids and state are filled (D6)."""

    case: UUID
    case_number: str
    plan: str | None = None
    dialogue: str | None = None
    section_no: int | None = None
    section_title: str | None = None
    source: CaseSource = CaseSource.REGISTRATION
    recorded_at: AwareDatetime | None = Field(None, description="When intake had the registration that it came with")
    state: QuestionState
    sealed: bool = False
    unit: str | None = None
    clocks: tuple[Clock, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    outcome: str | None = None
    outcome_on: date | None = None
    outcome_number: str | None = Field(None, description="Number of the written answer or of the letter upwards")
    outcome_body: str | None = Field(None, description="The body guided to or escalated to")
    answer: str | None = Field(None, description="The approved answer")
    public_question: str | None = Field(None, description="Wording for the public, without personal data, approved by a person")
    public_answer: str | None = None
    public_field: str | None = Field(None, description="Of feedback: the field it is filed under; None: its section's title")
    published_on: date | None = Field(None, description="Day of the first publication; stays when it is taken back")
    asked_on: date | None = Field(None, description="Since when the person is asked for more information (K2)")
    merged_into: UUID | None = None
    parent: UUID | None = None
    amendments: tuple[Amendment, ...] | None = None
    steps: tuple[Step, ...] = ()


class StaffState(Payload):
    username: str
    name: str
    roles: tuple[str, ...] = ()
    unit: str | None = None
    permissions: tuple[str, ...] = ()
    session_version: int = Field(ge=1, description="A session signed with a lower one is void")
    disabled: bool = False


class CalendarDay(Payload):
    """A day off, or a Saturday or Sunday that is worked, as the office entered it."""

    what: Literal["day_off", "working_day"]
    day: date
    name: str = Field(min_length=1)


class CalendarYear(Payload):
    """A year whose days off a person confirmed: it is no longer "dự kiến". `name` is the decision they rest on."""

    what: Literal["confirmed"]
    year: int = Field(ge=2000, le=2099)
    name: str = Field(min_length=1)


CalendarEntry = Annotated[CalendarDay | CalendarYear, Field(discriminator="what")]


class CalendarState(Payload):
    """What an agency's office entered into its working calendar, in this order, on top of what the agency's file has (S3)."""

    entries: tuple[CalendarEntry, ...]


class LetterKind(StrEnum):
    """What a letter is about; notify has one template for each."""

    RECEIPT = "receipt"
    LATE = "late"
    ADMITTED = "admitted"
    TO_FEEDBACK = "to_feedback"
    INVITATION = "invitation"
    INTERNAL_INVITATION = "internal_invitation"
    RESCHEDULED = "rescheduled"
    CANCELLED = "cancelled"
    CONCLUSION = "conclusion"
    ABSENT_ANSWER = "absent_answer"
    WRITTEN_ANSWER = "written_answer"
    GUIDANCE = "guidance"
    COMPLAINT_GUIDANCE = "complaint_guidance"
    DENUNCIATION_PASSED = "denunciation_passed"
    NEW_QUESTION = "new_question"
    REMINDER = "reminder"
    OVERDUE = "overdue"
    EXTENDED = "extended"
    DATE_FIXED = "date_fixed"
    AMENDED = "amended"
    CONTACT_CHANGED = "contact_changed"
    DATA_REQUEST = "data_request"
    FEEDBACK_RECEIPT = "feedback_receipt"
    FEEDBACK_ASKED = "feedback_asked"
    FEEDBACK_COLLECTING = "feedback_collecting"


SEALED_KINDS = frozenset({LetterKind.COMPLAINT_GUIDANCE, LetterKind.DENUNCIATION_PASSED})
"""That such a letter exists says what its question was: only the named readers may know of it (D6)."""


class Recipient(Payload):
    name: str
    email: str = ""
    phone: str = ""
    address: str = ""
    organisation: str = ""


class LetterState(Payload):
    """A request to write to one recipient, decided by its owner, sent by notify."""

    letter_key: str = Field(description="What it is about: dialogue, registration, kind, revision")
    kind: LetterKind
    recipient: Recipient | None = Field(None, description="None once withdrawn by erasure")
    ways: tuple[Way, ...] = Field((), description="In order of preference; empty: not to be sent, `reason` says why")
    reason: str = ""
    not_after: AwareDatetime | None = Field(None, description="Never sent or retried after this")
    supersedes: tuple[str, ...] = Field((), description="Letter keys that must not go out any more")
    status: str = Field("requested", description="requested | withdrawn")
    requested_at: AwareDatetime
    case: UUID | None = None
    case_number: str | None = None
    dialogue: str | None = None
    files: tuple[FileRef, ...] = ()
    fields: dict[str, Any] = Field(default_factory=dict, description="Values of the kind's template; personal data")


class DeliveryState(Payload):
    """What became of a letter, without contact data."""

    letter_key: str
    kind: LetterKind
    owner: str = Field(description="Service that asked for it")
    case: UUID | None = None
    case_number: str | None = None
    dialogue: str | None = None
    way: Way | None = None
    status: str = Field(
        description="As in the event type: sent, deferred, failed, unknown, held, to_print, posted, to_phone, phoned, returned…"
    )
    reason: str = ""
    at: AwareDatetime
    steps: tuple[Step, ...] = ()
