"""What each kind of letter needs to be told: the `fields` of a `LetterState`, one class per kind.

Whoever asks for a letter builds the class and sends `fields=ReceiptFields(...).sent()`; notify validates them against `FIELDS`
and words them. Moments and days travel as ISO strings. Not in the fields, because notify has them already: the recipient, the
agency's name, address, phone and mail address, the address of the tracking page and of the staff desk. The tracking code is
the one secret; it stands in `ReceiptFields.code`, `LateFields.code` and `FeedbackReceiptFields.code` alone.

Files that go with a letter (the signed invitation, the notice, the answer) are `LetterState.files`, never fields. The calendar
file and the personal slip are made by notify from the fields.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from contracts.envelope import Payload
from contracts.model import CaseSource, Channel, LetterKind, Mode, RegistrantKind

SURVEY_URL = "The survey about this case (K3), for a mail alone; empty: not asked"


class LetterFields(Payload):
    """Base of all. `registrant` decides the form of address ("Ông/Bà", "Quý doanh nghiệp" …); `source` whether it speaks of a
    registration form or of feedback.
    """

    registrant: RegistrantKind = RegistrantKind.INDIVIDUAL
    source: CaseSource = CaseSource.REGISTRATION

    def sent(self) -> dict[str, Any]:
        """As `LetterState.fields` carries it: JSON values only, so that it can lie in a document and travel in an event."""
        return self.model_dump(mode="json")


class Meeting(Payload):
    """What is known of a dialogue: its date, or only a period, or nothing yet (D1)."""

    starts_at: AwareDatetime | None = None
    window_from: date | None = Field(None, description="Where only a period is announced: its first day")
    window_to: date | None = None
    place: str = ""
    mode: Mode = Mode.IN_PERSON
    online_link: str = ""
    ordinal: int | None = Field(None, ge=1, description="1 for 'lần 1'")


class Question(Payload):
    """A question as its own registrant reads it. `no` is its number in the registrant's form, then in the notice."""

    no: int | None = None
    title: str = Field("", description="The section's title")
    text: str = ""


class Result(Question):
    """What became of a question at the meeting or after it (D10)."""

    outcome: str = Field(description="In the words a person reads, e.g. 'Đã giải đáp tại Hội nghị'")
    answer: str = ""
    due_on: date | None = Field(None, description="For a written answer still to come")


class ReceiptFields(LetterFields):
    """receipt (from intake): the registration was accepted (D3)."""

    year: int
    received_at: AwareDatetime
    channel: Channel
    sections: tuple[str, ...] = Field(description="Titles of the filled sections, in the form's order")
    code: str = Field(description="Tracking code")
    meeting: Meeting = Meeting()
    invitations_due: date | None = None
    full: bool = Field(False, description="As many had registered as the room has seats: the office decides about a seat")


class LateFields(LetterFields):
    """late (from intake): it came after the closing and is kept (D4)."""

    year: int
    received_at: AwareDatetime
    channel: Channel
    sections: tuple[str, ...]
    code: str
    closes_at: AwareDatetime | None = Field(None, description="None: no closing was fixed, and the meeting had begun")
    decide_by: date | None = Field(None, description="The day by which the office says what becomes of it")


class AdmittedFields(LetterFields):
    """admitted: a late registration was taken into the dialogue (D4). With files: the invitation is attached."""

    received_at: AwareDatetime
    meeting: Meeting


class ToFeedbackFields(LetterFields):
    """to_feedback: the questions are handled as feedback; the code is unchanged (D4)."""

    received_at: AwareDatetime
    questions: tuple[Question, ...] = ()
    answer_by: date | None = None


class DateFixedFields(LetterFields):
    """date_fixed: date, place or closing of the dialogue were fixed by a dated act (D1)."""

    year: int
    meeting: Meeting
    closes_at: AwareDatetime | None = None
    invitations_due: date | None = None


class InvitationFields(LetterFields):
    """invitation (D9). The giấy mời is in `LetterState.files`; slip and calendar file are made from this."""

    number: str = Field(description="Official number as printed, e.g. '05/GM-SKHCN'")
    signed_on: date
    year: int
    meeting: Meeting
    ends_at: AwareDatetime | None = None
    chair: str = ""
    speaking_order: int | None = Field(None, ge=1)
    questions: tuple[Question, ...] = ()
    confirm_by: AwareDatetime | None = None
    confirm_url: str = Field("", description="Page where the person says whether they come; empty: by phone or by answering")
    note: str = Field("", description="One more sentence, e.g. about health measures or a letter of introduction")
    sequence: int = Field(0, ge=0, description="Of the calendar entry: 0 for the first wave, higher after each change")


class InternalInvitationFields(LetterFields):
    """internal_invitation: to units, deputies, one-stop and CCHC officers (D9)."""

    number: str
    signed_on: date
    year: int
    meeting: Meeting
    ends_at: AwareDatetime | None = None
    chair: str = ""
    unit: str = Field("", description="Name of the unit addressed")
    questions: tuple[Question, ...] = Field((), description="Those the unit answers")
    note: str = ""
    sequence: int = Field(0, ge=0)


class RescheduledFields(LetterFields):
    """rescheduled: another date, place or mode; the invitation stays valid (D9)."""

    number: str
    year: int
    old_starts_at: AwareDatetime
    meeting: Meeting
    ends_at: AwareDatetime | None = None
    reason: str
    confirm_by: AwareDatetime | None = None
    confirm_url: str = ""
    sequence: int = Field(1, ge=1)


class CancelledFields(LetterFields):
    """cancelled: the dialogue does not take place; questions are answered in writing (D9)."""

    number: str = ""
    year: int
    meeting: Meeting
    reason: str
    answer_by: date | None = None
    sequence: int = Field(1, ge=1)


class ConclusionFields(LetterFields):
    """conclusion: to those who came, with the notice and their own results (D12)."""

    year: int
    held_on: date
    number: str = Field("", description="Number of the conclusion notice; empty with `no_conclusion`")
    issued_on: date | None = None
    no_conclusion: bool = False
    results: tuple[Result, ...] = ()
    survey_url: str = Field("", description=SURVEY_URL)


class AbsentAnswerFields(LetterFields):
    """absent_answer: to invitees who did not come, at the address on their form (D11)."""

    year: int
    held_on: date
    number: str = ""
    issued_on: date | None = None
    no_conclusion: bool = False
    results: tuple[Result, ...] = ()
    survey_url: str = Field("", description=SURVEY_URL)


class WrittenAnswerFields(LetterFields):
    """written_answer: one question answered in writing, by letter with a number and a date (D10)."""

    number: str
    issued_on: date
    question: Question
    answer: str
    basis: str = Field("", description="Legal basis")
    survey_url: str = Field("", description=SURVEY_URL)


class GuidanceFields(LetterFields):
    """guidance: the matter is another agency's (D7)."""

    received_at: AwareDatetime
    question: Question
    body: str = Field(description="The competent body")
    basis: str = ""
    body_address: str = ""
    body_phone: str = ""
    body_website: str = ""
    number: str = ""
    issued_on: date | None = None
    others_remain: bool = Field(False, description="Other questions of the same form are still answered at the meeting")


class ComplaintGuidanceFields(LetterFields):
    """complaint_guidance: how a complaint is made; quotes nothing (D6)."""

    received_at: AwareDatetime
    plan_number: str
    addressee: str = Field(description="Who has authority over the complaint")
    reception: str = Field("", description="Office that receives citizens")
    reception_address: str = ""
    reception_hours: str = ""
    number: str = ""
    issued_on: date | None = None
    others_remain: bool = False


class DenunciationPassedFields(LetterFields):
    """denunciation_passed: neutral, quotes nothing, by post where the mailbox is shared (D6)."""

    received_at: AwareDatetime
    passed_to: str
    passed_on: date
    contact: str = ""
    contact_address: str = ""
    contact_phone: str = ""


class ExtendedFields(LetterFields):
    """extended: to the registrant: the answer comes later, with an apology and the new day."""

    question: Question
    due_on: date
    new_due_on: date
    reason: str


class FeedbackReceiptFields(LetterFields):
    """feedback_receipt (from intake): the feedback was accepted (K2)."""

    received_at: AwareDatetime
    channel: Channel
    text: str
    code: str = Field(description="Tracking code")
    forward_by: date | None = Field(None, description="When at the latest it is forwarded if it is another body's")
    answer_by: date | None = None


class FeedbackAskedFields(LetterFields):
    """feedback_asked: the person is asked for more information (K2)."""

    received_at: AwareDatetime
    question: Question
    wanted: str = Field(description="What the office asks for")


class FeedbackCollectingFields(LetterFields):
    """feedback_collecting: noted, not enough to act upon yet (K2: chưa đủ cơ sở, tiếp tục tập hợp)."""

    received_at: AwareDatetime
    question: Question
    reason: str


class StaffItem(Payload):
    """A question as a mail to staff names it: never its text, never a person."""

    case_number: str
    section_title: str = ""
    due_on: date | None = None
    days_over: int | None = Field(None, ge=1)
    unit: str = Field("", description="Name of the unit, in lists by unit")
    url: str = Field("", description="Its page on the staff desk")


class NewQuestionFields(LetterFields):
    """new_question: a unit is told of what was transferred to it."""

    unit: str
    transferred_at: AwareDatetime
    items: tuple[StaffItem, ...] = Field(min_length=1)
    explanation: str = Field("", description="How the due day was counted")


class ReminderFields(LetterFields):
    """reminder: one working day before, and on the day (D13)."""

    unit: str
    stage: Literal["before", "on_day"]
    due_on: date
    items: tuple[StaffItem, ...] = Field(min_length=1)


class OverdueFields(LetterFields):
    """overdue: to the unit, to the office (by unit), weekly to the leadership (D13)."""

    audience: Literal["unit", "office", "leadership"] = "unit"
    unit: str = ""
    items: tuple[StaffItem, ...] = Field(min_length=1)
    escalated_after: int | None = Field(None, ge=1, description="From which overdue day the leadership is told")


class AmendedFields(LetterFields):
    """amended (from intake): a short confirmation of what the registrant changed after registering. Quotes nothing."""

    what: Literal["amended", "added", "contact", "way", "attendance", "withdrawn", "withdrawn_all"]
    at: AwareDatetime
    sections: tuple[str, ...] = Field((), description="Titles of the sections concerned")
    answer: str = Field("", description="attendance: coming, substitute or absent")


class ContactChangedFields(LetterFields):
    """contact_changed (from intake): to the address that was replaced. Does not show the new one."""

    at: AwareDatetime


class DataRequestFields(LetterFields):
    """data_request (from intake): each step of a request to see or delete one's data."""

    what: Literal["see", "delete"]
    step: Literal["received", "granted", "partly", "refused", "extended", "done"]
    asked_at: AwareDatetime
    answer_by: date | None = None
    due_on: date | None = None
    explanation: str = Field("", description="How the day was counted")
    reason: str = Field("", description="Why it is refused, in part or wholly, or takes longer")


FIELDS: Mapping[LetterKind, type[LetterFields]] = {
    LetterKind.RECEIPT: ReceiptFields,
    LetterKind.LATE: LateFields,
    LetterKind.ADMITTED: AdmittedFields,
    LetterKind.TO_FEEDBACK: ToFeedbackFields,
    LetterKind.INVITATION: InvitationFields,
    LetterKind.INTERNAL_INVITATION: InternalInvitationFields,
    LetterKind.RESCHEDULED: RescheduledFields,
    LetterKind.CANCELLED: CancelledFields,
    LetterKind.CONCLUSION: ConclusionFields,
    LetterKind.ABSENT_ANSWER: AbsentAnswerFields,
    LetterKind.WRITTEN_ANSWER: WrittenAnswerFields,
    LetterKind.GUIDANCE: GuidanceFields,
    LetterKind.COMPLAINT_GUIDANCE: ComplaintGuidanceFields,
    LetterKind.DENUNCIATION_PASSED: DenunciationPassedFields,
    LetterKind.NEW_QUESTION: NewQuestionFields,
    LetterKind.REMINDER: ReminderFields,
    LetterKind.OVERDUE: OverdueFields,
    LetterKind.EXTENDED: ExtendedFields,
    LetterKind.DATE_FIXED: DateFixedFields,
    LetterKind.AMENDED: AmendedFields,
    LetterKind.CONTACT_CHANGED: ContactChangedFields,
    LetterKind.DATA_REQUEST: DataRequestFields,
    LetterKind.FEEDBACK_RECEIPT: FeedbackReceiptFields,
    LetterKind.FEEDBACK_ASKED: FeedbackAskedFields,
    LetterKind.FEEDBACK_COLLECTING: FeedbackCollectingFields,
}
