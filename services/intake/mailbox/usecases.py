"""What intake does with mails, one function per command."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from contracts.model import CaseSource, Channel, FileRef
from kit.acting import Acting
from kit.agency import Agency
from kit.errors import Conflict, Invalid, NotFound
from kit.web.navigation import MAILS
from services.intake.attachments.usecases import Judged
from services.intake.domain import Entry, Submission
from services.intake.feedback import usecases as feedback_usecases
from services.intake.feedback.domain import Feedback, FeedbackEntry
from services.intake.feedback.usecases import FeedbackIntake
from services.intake.mailbox import domain, metrics
from services.intake.mailbox.domain import Document, State
from services.intake.mailbox.imap import Fetched
from services.intake.mailbox.mime import CUT
from services.intake.mailbox.prefill import FormWords
from services.intake.mailbox.reading import Form, Reading
from services.intake.mailbox.settings import Mailbox
from services.intake.mailbox.store import LetterCases, MailStore
from services.intake.mailbox.workshop import Workshop
from services.intake.usecases import Intake, Receipt, alike, enter

RAW = "message/rfc822"
Keep = Callable[[datetime, tuple[FileRef, ...]], Awaitable[Receipt]]
"""Makes a form what it is to become: from when the mailbox had it, and the files that go with it."""
FORMS_WAIT = (
    "Thư điện tử mà phiếu (hoặc phản ánh, kiến nghị) này đến theo còn phiếu khác chưa xử lý, nên chưa xóa được thư. "
    "Xin xử lý thư đó ở mục Thư điện tử trước, rồi bấm lại."
)


@dataclass(frozen=True, slots=True)
class Mailroom:
    """What the use cases and pages of mails are handed: made once by bootstrap.py."""

    intake: Intake
    boxes: Mapping[str, Mailbox]
    mails: MailStore
    letters: LetterCases


async def keep(room: Mailroom, agency: Agency, workshop: Workshop, fetched: Fetched) -> UUID:
    """Keep a mail durably with all that could be read of it; its id. The same mail again is the same document.

    Raises the driver's errors: then the mail is not known to be kept.
    """
    reading = await workshop.read(fetched.raw, form_words(agency))
    message_id = reading.mail.message_id
    print_ = domain.fingerprint(fetched.raw, message_id)
    mail, twin = domain.mail_id(agency.code, message_id, print_), False
    if await room.mails.fingerprint(mail) not in (None, print_):
        mail, twin = domain.twin_id(agency.code, message_id, print_), True
    if await room.mails.fingerprint(mail) is not None:
        return mail
    document = await _document(room, agency, mail, reading, fetched)
    if not await room.mails.insert(document | {"fingerprint": print_, "twin": twin}):
        return await keep(room, agency, workshop, fetched)  # another process was faster, with this mail or with its twin
    metrics.TAKEN.labels(agency.code, document["state"]).inc()
    return mail


async def _document(room: Mailroom, agency: Agency, mail: UUID, reading: Reading, fetched: Fetched) -> Document:
    """The files first: a document never names what is not there."""
    now = room.intake.clock()
    read = reading.mail
    raw = await room.mails.put_file(agency.code, mail, "thu-goc.eml", RAW, fetched.raw)
    attachments = [
        {"file": (await room.mails.put_file(agency.code, mail, a.name, a.media_type, a.content)).model_dump(), "kind": kind}
        for a, kind in zip(read.attachments, reading.kinds, strict=True)
    ]
    machine = domain.automatic(read, _own_addresses(room, agency))
    forms = [_stored(form) for form in reading.forms]
    state = domain.first_state(machine, forms)
    waits = state is State.WAITING
    answered = domain.letters_answered(read)
    return {
        "_id": mail,
        "agency": agency.code,
        "state": state,
        "automatic": machine,
        "received_at": min(fetched.received_at, now),  # the mail server's clock may be fast
        "taken_at": now,
        "size": len(fetched.raw),
        "raw": raw.model_dump(),
        "subject": read.subject,
        "sender": read.sender,
        "sender_name": read.sender_name,
        "to": read.to,
        "date": read.date,
        "text": read.text,
        "faults": [*read.faults, *([CUT] if fetched.cut else [])],
        "attachments": attachments,
        "forms": forms or ([domain.blank_form()] if waits else []),
        "answers": bool(answered),
        "reply": await room.letters.case_of(agency.code, answered),
        "acts": [],
        "version": 1,
        **({} if waits else {"dealt_at": now}),
    }


def _own_addresses(room: Mailroom, agency: Agency) -> tuple[str, ...]:
    return agency.contacts.email, room.boxes[agency.code].user if agency.code in room.boxes else ""


def _stored(form: Form) -> Document:
    sections = {str(no): text for no, text in form.prefill.sections.items()}
    return {
        "source": form.source,
        "fields": dict(form.prefill.fields),
        "sections": sections,
        "unread": list(form.prefill.unread),
    }


def form_words(agency: Agency) -> FormWords:
    """What of the agency's form its filled copies are read by."""
    form = agency.form
    fields: dict[str, str] = {field.key: field.label for field in form.fields}
    return FormWords(
        title=form.title,
        fields=fields,
        sections=form.titles,
        signature=form.signature or "",
        ends=tuple(filter(None, (form.intro, form.note, form.subtitle, form.addressee))),
    )


async def alike_to(room: Mailroom, document: Document, form: int, submission: Submission) -> list[Document]:
    """Registrations that a form of the mail may repeat, as at the counter; none once it has become something."""
    if not domain.is_open(_form(document, form)):
        return []
    key = domain.case_key(CaseSource.REGISTRATION, document["_id"], form)
    return await alike(room.intake, document["agency"], key, submission, Channel.EMAIL)


async def alike_as_feedback(
    desk: FeedbackIntake, acting: Acting, document: Document, form: int, feedback: Feedback
) -> list[Document]:
    """The same of feedback."""
    if not domain.is_open(_form(document, form)):
        return []
    key = domain.case_key(CaseSource.FEEDBACK, document["_id"], form)
    return await feedback_usecases.alike(desk, acting, key, feedback, Channel.EMAIL)


async def confirm(
    room: Mailroom, acting: Acting, mail: UUID, form: int, submission: Submission, incoming_number: str | None
) -> Document:
    """Make a form of the mail a registration, received when the mailbox had it (D3). The form as it now is: who confirms second
    gets what the first one made of it.

    A file that the forms' rules refuse, or the scanner, stays in the mail alone. Raises `NotFound` and as
    `services.intake.usecases.enter`.
    """

    async def keep_it(received_at: datetime, files: tuple[FileRef, ...]) -> Receipt:
        entry = Entry(Channel.EMAIL, received_at, incoming_number)
        key = domain.case_key(CaseSource.REGISTRATION, mail, form)
        return await enter(room.intake, acting, key, replace(submission, files=files), entry)

    return await _become(room, acting, mail, form, CaseSource.REGISTRATION, keep_it)


async def confirm_as_feedback(
    room: Mailroom,
    desk: FeedbackIntake,
    acting: Acting,
    mail: UUID,
    form: int,
    feedback: Feedback,
    noted: Callable[[datetime], FeedbackEntry],
) -> Document:
    """The same, as feedback (D3, K2). `noted`: what the office noted about feedback that was received at that moment. Raises
    `NotFound` and as `services.intake.feedback.usecases.enter`.
    """

    async def keep_it(received_at: datetime, files: tuple[FileRef, ...]) -> Receipt:
        key = domain.case_key(CaseSource.FEEDBACK, mail, form)
        return await feedback_usecases.enter(desk, acting, key, replace(feedback, files=files), noted(received_at))

    return await _become(room, acting, mail, form, CaseSource.FEEDBACK, keep_it)


async def _become(room: Mailroom, acting: Acting, mail: UUID, form: int, source: CaseSource, keep_it: Keep) -> Document:
    """Keep what the form becomes, then note it on the mail: cut off in between, whoever comes next notes it."""
    document = await room.mails.get(acting.agency, mail)
    found = _form(document, form)
    if found.get("registration"):
        return found
    if document.get("emptied_at"):
        raise Conflict("mail emptied")
    if kept := await _kept(room, acting.agency, mail, form):
        return await _note(room, acting, mail, form, *kept)
    files = await judged_files(room, document, form, scan=True)
    document = await room.mails.change(acting.agency, mail, lambda m: domain.claimed(m, form, source, room.intake.clock()))
    if document["forms"][form].get("registration"):
        return _form(document, form)
    try:
        receipt = await keep_it(document["received_at"], tuple(judged.file for judged in files if not judged.reason))
    except Conflict:  # somebody confirmed it with other words, a moment ago
        if (kept := await _kept(room, acting.agency, mail, form)) is None:
            raise
        return await _note(room, acting, mail, form, *kept)
    return await _note(room, acting, mail, form, source, receipt.document, [j.reason for j in files if j.reason])


async def _kept(room: Mailroom, agency: str, mail: UUID, form: int) -> tuple[CaseSource, Document] | None:
    """What this form has become, whether or not that was noted."""
    for source, release in room.intake.releases.items():
        document = await release.store.by_id(agency, domain.case_id(agency, source, mail, form))
        if document is not None:
            return source, document
    return None


async def judged_files(room: Mailroom, document: Document, form: int, *, scan: bool = False) -> tuple[Judged, ...]:
    """The files of one form of a mail, each with the reason why it may not go with what that becomes, if there is one."""
    files = [FileRef.model_validate(file) for file in domain.files_of(document, form)]
    return await room.intake.attachments.judge(files, scan=scan)


async def _note(
    room: Mailroom,
    acting: Acting,
    mail: UUID,
    form: int,
    source: CaseSource,
    kept: Document,
    left_out: Sequence[str] = (),
) -> Document:
    document = await room.mails.change(acting.agency, mail, lambda m: domain.registered(m, form, source, kept, acting, left_out))
    return _form(document, form)


async def dismiss(room: Mailroom, acting: Acting, mail: UUID, form: int, reason: str) -> None:
    """It is neither a registration nor feedback. Raises `NotFound`, and `Conflict` if it has been made one."""
    _form(await room.mails.get(acting.agency, mail), form)
    if kept := await _kept(room, acting.agency, mail, form):
        await _note(room, acting, mail, form, *kept)
        raise Conflict("mail registered")
    await room.mails.change(acting.agency, mail, lambda m: domain.dismissed(m, form, reason, acting))


async def reopen(room: Mailroom, acting: Acting, mail: UUID) -> None:
    """Back to the office: a machine's mail that is a person's after all, or one dismissed too soon. Raises `Conflict`."""
    await room.mails.change(acting.agency, mail, lambda m: domain.reopened(m, acting))


async def add_form(room: Mailroom, acting: Acting, mail: UUID) -> int:
    """Another form of the same mail, for the office to fill in; its index."""
    document = await room.mails.change(acting.agency, mail, lambda m: domain.form_added(m, acting))
    return len(document["forms"]) - 1


def _form(document: Document, form: int) -> Document:
    """Raises `NotFound`, of a machine's mail as well: it is to be reopened first."""
    if document["state"] == State.AUTOMATIC or not 0 <= form < len(document["forms"]):
        raise NotFound("form")
    found: Document = document["forms"][form]
    return found


async def empty(room: Mailroom, before: datetime) -> int:
    """Remove what mails held that were dealt with before that moment; what became of them stays, and files of registrations.

    Returns how many.
    """
    count = 0
    async for mail in room.mails.to_empty(before):
        await _empty(room, mail)
        count += 1
    return count


async def forget(room: Mailroom, agency: str, registration: UUID) -> None:
    """Empty the mail from which a registration, or feedback, was made, for one that is erased; may be repeated. Raises `Invalid`
    while another form of that mail waits: it is somebody else's.
    """
    for mail in await room.mails.of_registration(agency, registration):
        if mail.get("emptied_at"):
            continue
        if mail["state"] == State.WAITING:
            raise Invalid({"": FORMS_WAIT})
        await _empty(room, mail)


async def _empty(room: Mailroom, mail: Document) -> None:
    await room.mails.remove_files(domain.files_to_remove(mail))
    await room.mails.change(mail["agency"], mail["_id"], lambda m: domain.emptied(m, room.intake.clock()))


async def keep_house(room: Mailroom) -> None:
    """Set the gauges of what waits; remove what has been kept for its time."""
    now = room.intake.clock()
    counts: dict[str, int] = {}
    for agency in room.boxes:
        waiting = await room.mails.waiting(agency)
        counts[agency] = waiting.count
        metrics.WAITING.labels(agency).set(waiting.count)
        age = now - waiting.oldest if waiting.oldest else timedelta()
        metrics.OLDEST.labels(agency).set(max(age, timedelta()).total_seconds())
    room.intake.waiting[MAILS] = counts
    await empty(room, now - timedelta(days=room.intake.settings.mailbox_kept_days))
