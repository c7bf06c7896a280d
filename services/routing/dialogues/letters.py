"""The letters a dialogue causes, as requests that notify words and sends (contracts/letters.py). Pure.

Keys name dialogue, registration and what it is about, so asking twice is asking once.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from contracts.letters import (
    AbsentAnswerFields,
    CancelledFields,
    ConclusionFields,
    DateFixedFields,
    InternalInvitationFields,
    InvitationFields,
    LetterFields,
    Meeting,
    Question,
    RescheduledFields,
    Result,
)
from contracts.model import FileRef, LetterKind, LetterState, QuestionState, Recipient, Way
from kit.agency import Agency, Unit
from kit.clock import at as moment_at
from kit.mongo import Document
from services.routing.dialogues import papers
from services.routing.questions.letters import NO_WAY, recipient, ways_to

OUTCOMES = {
    QuestionState.RESOLVED: "Đã giải đáp tại Hội nghị",
    QuestionState.TO_WRITE: "Sẽ trả lời bằng văn bản",
    QuestionState.ANSWERED: "Đã trả lời bằng văn bản",
    QuestionState.GUIDED: "Đã hướng dẫn đến cơ quan có thẩm quyền",
    QuestionState.ESCALATED: "Đã kiến nghị cấp trên, đang chờ trả lời",
    QuestionState.ESCALATED_DONE: "Đã thông báo ý kiến của cấp trên",
    QuestionState.ADOPTED: "Đã tiếp thu",
}
"""What a person reads of each outcome (texts §8)."""


def key(dialogue: Document, case: Document, what: str) -> str:
    """<dialogue>/<registration>/<kind and revision>."""
    return f"{dialogue['_id']}/{case['_id']}/{what}"


def invitation(
    agency: Agency,
    dialogue: Document,
    wave: Document,
    case: Document,
    questions: Iterable[Document],
    at: datetime,
    *,
    confirm_url: str = "",
) -> LetterState:
    """Giấy mời with the personal slip: own contents, own number in the speaking order, how to confirm (D9): at `confirm_url`,
    where the person signs in with the code, since a link that confirmed by itself would be used up by mail scanners.
    """
    fields = InvitationFields(
        registrant=case["kind"],
        number=printed_number(agency.documents.invitation.symbol, wave["number"]),
        signed_on=wave["signed_on"],
        year=dialogue["year"],
        meeting=meeting(dialogue),
        chair=papers.chair_of(agency, dialogue),
        speaking_order=case["speaking_order"],
        questions=_questions(questions),
        confirm_by=_confirm_by(agency, wave),
        confirm_url=confirm_url,
        note=wave["draft"]["note"],
        sequence=len(dialogue["told"]),
    )
    file = FileRef.model_validate(wave["document"])
    what = f"invitation/{wave['n']}"
    return _letter(dialogue, case, LetterKind.INVITATION, what, fields, at, not_after=dialogue["starts_at"], files=(file,))


def internal_invitation(
    agency: Agency, dialogue: Document, wave: Document, unit: Unit, questions: Iterable[Document], at: datetime
) -> LetterState:
    """A unit's own notice of the meeting, with the sections it answers for: no person, no text, as a mailbox has many readers."""
    fields = InternalInvitationFields(
        number=printed_number(agency.documents.invitation.symbol, wave["number"]),
        signed_on=wave["signed_on"],
        year=dialogue["year"],
        meeting=meeting(dialogue),
        chair=papers.chair_of(agency, dialogue),
        unit=unit.name,
        questions=tuple(Question(title=q["section_title"] or "") for q in questions),
        sequence=len(dialogue["told"]),
    )
    return LetterState(
        letter_key=f"{dialogue['_id']}/unit/{unit.code}/invitation/{wave['n']}",
        kind=LetterKind.INTERNAL_INVITATION,
        recipient=Recipient(name=unit.name, email=unit.email),
        ways=(Way.EMAIL,),
        not_after=dialogue["starts_at"],
        requested_at=at,
        dialogue=dialogue["_id"],
        files=(FileRef.model_validate(wave["document"]),),
        fields=fields.sent(),
    )


def date_fixed(dialogue: Document, case: Document, fanout: Document) -> LetterState:
    """Date and place were fixed (D1)."""
    fields = DateFixedFields(
        registrant=case["kind"],
        year=dialogue["year"],
        meeting=meeting(dialogue),
        closes_at=dialogue["closes_at"],
        invitations_due=dialogue["invitations_due"],
    )
    return _about_date(dialogue, case, LetterKind.DATE_FIXED, fields, fanout, ())


def rescheduled(agency: Agency, dialogue: Document, case: Document, fanout: Document, *, confirm_url: str = "") -> LetterState:
    """Date, place or mode changed: takes the place of every earlier word about them (D9)."""
    wave = invited_by(dialogue, case)
    fields = RescheduledFields(
        registrant=case["kind"],
        number=printed_number(agency.documents.invitation.symbol, wave["number"]) if wave else "",
        year=dialogue["year"],
        old_starts_at=fanout["args"]["was"],
        meeting=meeting(dialogue),
        reason=fanout["args"]["reason"],
        confirm_url=confirm_url if wave else "",
        sequence=max(len(dialogue["told"]), 1),
    )
    files = (FileRef.model_validate(wave["document"]),) if wave else ()
    return _about_date(dialogue, case, LetterKind.RESCHEDULED, fields, fanout, files)


def cancelled(agency: Agency, dialogue: Document, case: Document, fanout: Document) -> LetterState:
    """The meeting does not take place; nothing about it may go out any more (texts §2)."""
    wave = invited_by(dialogue, case)
    args = fanout["args"]
    fields = CancelledFields(
        registrant=case["kind"],
        number=printed_number(agency.documents.invitation.symbol, wave["number"]) if wave else "",
        year=dialogue["year"],
        meeting=meeting(dialogue),
        reason=args["reason"],
        answer_by=args["answers_by"],
        sequence=len(dialogue["told"]) + 1,
    )
    earlier = _earlier(dialogue, case, args["revision"])
    return _letter(dialogue, case, LetterKind.CANCELLED, "cancelled", fields, fanout["at"], supersedes=earlier)


def result(
    agency: Agency, dialogue: Document, case: Document, results: Sequence[Result], at: datetime, *, survey_url: str = ""
) -> LetterState:
    """Each person's own result: to who was there with the notice, to the absent with the answers (D11, D12)."""
    conclusion = dialogue["conclusion"]
    absent = case.get("attendance") == "absent"
    kind = LetterKind.ABSENT_ANSWER if absent else LetterKind.CONCLUSION
    number = conclusion["number"]
    said = {
        "registrant": case["kind"],
        "year": dialogue["year"],
        "held_on": dialogue["held_on"],
        "number": printed_number(agency.documents.conclusion.symbol, number) if number else "",
        "issued_on": conclusion["signed_on"],
        "no_conclusion": conclusion["no_conclusion"],
        "results": results,
        "survey_url": survey_url,
    }
    fields = (AbsentAnswerFields if absent else ConclusionFields).model_validate(said)
    document = conclusion["document"]
    files = (FileRef.model_validate(document),) if document else ()
    return _letter(dialogue, case, kind, "conclusion", fields, at, files=files)


def result_of(n: int | None, question: Document, due_on: str | None) -> Result:
    """What became of one content, as its own registrant reads it."""
    state = QuestionState(question["state"])
    outcome = OUTCOMES.get(state, "Đang xử lý")
    if question.get("outcome") == "answered_to_absent":
        outcome = "Trả lời theo địa chỉ ghi trên phiếu đăng ký"
    body = question.get("outcome_body")
    return Result(
        no=n,
        title=question["section_title"] or "",
        text=question.get("text", ""),
        outcome=f"{outcome} ({body})" if body else outcome,
        answer=question.get("answer") or "",
        due_on=date.fromisoformat(due_on) if due_on else None,
    )


def meeting(dialogue: Document) -> Meeting:
    """What is known of the dialogue."""
    return Meeting.model_validate({name: dialogue[name] for name in Meeting.model_fields})


def printed_number(symbol: str, number: str) -> str:
    """05/GM-SKHCN: below 10 with a leading zero (NĐ 30/2020, appendix I)."""
    return f"{number.zfill(2) if number.isdigit() else number}/{symbol}"


def invited_by(dialogue: Document, case: Document) -> Document | None:
    """The wave whose number the case was invited under."""
    number = case.get("invitation_number")
    return next((wave for wave in dialogue["waves"] if number and wave["number"] == number), None)


def _questions(questions: Iterable[Document]) -> tuple[Question, ...]:
    return tuple(Question(no=q["section_no"], title=q["section_title"] or "", text=q.get("text", "")) for q in questions)


def _confirm_by(agency: Agency, wave: Document) -> datetime | None:
    day = wave["draft"]["confirm_by"]
    return moment_at(date.fromisoformat(day), agency.office_hours.closing) if day else None


def _earlier(dialogue: Document, case: Document, revision: int) -> tuple[str, ...]:
    """Keys of what was asked for before about when and where: it must not go out after this.

    Only the wave that invited this person: one sent on to them later must still go out.
    """
    wave = invited_by(dialogue, case)
    invitations = [f"invitation/{wave['n']}"] if wave else []
    dates = [f"date/{told}" for told in dialogue["told"] if told < revision]
    return tuple(key(dialogue, case, what) for what in (*invitations, *dates))


def _about_date(
    dialogue: Document, case: Document, kind: LetterKind, fields: LetterFields, fanout: Document, files: tuple[FileRef, ...]
) -> LetterState:
    revision = fanout["args"]["revision"]
    return _letter(
        dialogue,
        case,
        kind,
        f"date/{revision}",
        fields,
        fanout["at"],
        not_after=dialogue["starts_at"],
        supersedes=_earlier(dialogue, case, revision),
        files=files,
    )


def _letter(
    dialogue: Document,
    case: Document,
    kind: LetterKind,
    what: str,
    fields: LetterFields,
    at: datetime,
    *,
    not_after: datetime | None = None,
    supersedes: tuple[str, ...] = (),
    files: tuple[FileRef, ...] = (),
) -> LetterState:
    ways = ways_to(case)
    return LetterState(
        letter_key=key(dialogue, case, what),
        kind=kind,
        recipient=recipient(case),
        ways=ways,
        reason="" if ways else NO_WAY,
        not_after=not_after,
        supersedes=supersedes,
        requested_at=at,
        case=case["_id"],
        case_number=case["case_number"],
        dialogue=dialogue["_id"],
        files=files,
        fields=fields.sent(),
    )
