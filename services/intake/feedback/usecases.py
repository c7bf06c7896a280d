"""What intake does with feedback, one function per command: as with registrations, accepted means durable (promise 1)."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from contracts.model import CaseSource, Channel
from kit import feedback as k2
from kit.acting import Acting
from kit.agency import Agency
from kit.errors import Invalid, NotFound, TooMany
from kit.feedback import FeedbackGroups
from kit.logging import get_logger
from kit.mongo import Document
from kit.outbox import Outbox
from kit.web.forms import Vouching
from kit.web.proof import Doubt
from services.intake.codes import code_hash
from services.intake.data_requests import usecases as data_requests
from services.intake.domain import alike_keys, registration_id
from services.intake.feedback import domain
from services.intake.feedback.documents import NO_PLAN, RECEIVED, feedback_fields
from services.intake.feedback.domain import Feedback, FeedbackEntry
from services.intake.groupcommit import GroupCommit
from services.intake.metrics import FEEDBACK
from services.intake.ratelimits import check_registration, count_registration
from services.intake.store import RegistrationStore
from services.intake.usecases import IN_FUTURE, Intake, Receipt, announcing, answering, hold_back, stored, vouched

ALIKE_WITHIN = timedelta(days=90)
"""What comes twice, by two ways, does so within weeks; after a year the same name says nothing but that it is a common one."""
NO_SUCH_NUMBER = "Không có phản ánh, kiến nghị với số này. Xin kiểm tra lại số trên thư tiếp nhận."


@dataclass(frozen=True, slots=True)
class FeedbackIntake:
    """What the use cases and pages of feedback are handed: intake, and a collection of their own."""

    intake: Intake
    outbox: Outbox
    commits: GroupCommit
    store: RegistrationStore
    groups: FeedbackGroups


async def receive(
    desk: FeedbackIntake,
    acting: Acting,
    key: str,
    feedback: Feedback,
    *,
    channel: Channel = Channel.WEB,
    vouching: Vouching | None = None,
) -> Receipt:
    """Accept feedback that came by itself (web, API): durable when this returns.

    The same `key` with the same content is one feedback. The public form's `vouching` decides whether it goes on at once or is
    held until the office has looked at it. Raises `Invalid`, `NotFound` (agency), `Conflict` (the key was used for other
    content), `TooMany` and `Unavailable` (not known to be kept: send it again).
    """
    limits = desk.intake.limits
    async with answering(desk.intake, channel, FEEDBACK):
        agency = desk.intake.agency(acting.agency)
        hashed = domain.payload_hash(feedback)
        try:
            _admit(desk, agency, feedback)
            check_registration(limits, feedback)
            doubt = await vouched(desk.intake, vouching, key)
        except (Invalid, TooMany):
            if (kept := await _kept_before(desk, agency, key, hashed, channel)) is None:
                raise
            return kept
        if doubt is not None and (kept := await _kept_before(desk, agency, key, hashed, channel)) is not None:
            return kept
        receipt = await _keep(desk, acting, agency, key, feedback, FeedbackEntry(channel, acting.now), hashed, (), doubt)
        if receipt.created:
            count_registration(limits, feedback)
        return receipt


async def enter(desk: FeedbackIntake, acting: Acting, key: str, feedback: Feedback, entry: FeedbackEntry) -> Receipt:
    """Accept what staff typed (D3): what is missing is flagged, only a blank form is refused. Raises as `receive` does."""
    async with answering(desk.intake, entry.channel, FEEDBACK):
        agency = desk.intake.agency(acting.agency)
        hashed = domain.payload_hash(feedback, entry)
        errors = _errors(desk, feedback, domain.check_entry(feedback, entry))
        if entry.received_at > acting.now:
            errors["received_on"] = IN_FUTURE
        if errors:
            if (kept := await _kept_before(desk, agency, key, hashed, entry.channel)) is None:
                raise Invalid(errors)
            return kept
        incomplete = (*domain.missing(feedback), *entry.left_out)
        return await _keep(desk, acting, agency, key, feedback, entry, hashed, incomplete)


async def check(desk: FeedbackIntake, acting: Acting, feedback: Feedback) -> None:
    """What `receive` would refuse of feedback that came by itself, before it is sent. Keeps nothing. Raises `Invalid`."""
    async with answering(desk.intake, Channel.WEB, FEEDBACK):
        _admit(desk, desk.intake.agency(acting.agency), feedback)


async def alike(desk: FeedbackIntake, acting: Acting, key: str, feedback: Feedback, channel: Channel) -> list[Document]:
    """Feedback of the last `ALIKE_WITHIN` with the same name or telephone (D3: what came twice, by two ways); the newest first,
    without that of `key` itself. Raises `Unavailable`.
    """
    keys = alike_keys(acting.agency, NO_PLAN, feedback.person)
    if not keys:
        return []
    but = registration_id(acting.agency, key)
    async with answering(desk.intake, channel, FEEDBACK):
        return await desk.store.alike(acting.agency, keys, but=but, since=acting.now - ALIKE_WITHIN)


def _admit(desk: FeedbackIntake, agency: Agency, feedback: Feedback) -> None:
    """Raises `Invalid` for what came by itself and is not whole."""
    if errors := _errors(desk, feedback, domain.check(feedback, consent_version=agency.privacy.version)):
        raise Invalid(errors)


def _errors(desk: FeedbackIntake, feedback: Feedback, errors: dict[str, str]) -> dict[str, str]:
    if feedback.group is not None and not desk.groups.label(feedback.group):
        return errors | {"group": "Xin chọn một nhóm trong danh sách, hoặc “Tôi không rõ”."}
    return errors


async def _kept_before(desk: FeedbackIntake, agency: Agency, key: str, hashed: bytes, channel: Channel) -> Receipt | None:
    """The receipt of an equal request that was kept before; asked only where a request would be refused. Raises `Conflict`."""
    _id = registration_id(agency.code, key)
    document = await stored(desk.intake, desk.commits, _id, hashed, channel)
    if document is None:
        return None
    FEEDBACK.labels(channel, "repeated").inc()
    return Receipt(False, desk.intake.code(_id), document)


async def _keep(
    desk: FeedbackIntake,
    acting: Acting,
    agency: Agency,
    key: str,
    feedback: Feedback,
    entry: FeedbackEntry,
    hashed: bytes,
    incomplete: tuple[str, ...],
    doubt: Doubt | None = None,
) -> Receipt:
    """One durable write: the feedback with the events that announce it and ask for its receipt; with a doubt, the same without
    events, among what is held.
    """
    intake = desk.intake
    _id = registration_id(agency.code, key)
    code = intake.code(_id)
    calendar = await intake.calendars.of(agency.code)
    fields = feedback_fields(
        feedback,
        entry,
        case_number=await intake.numbers.next(agency.code, agency.case_prefix, entry.received_at),
        recorded_at=acting.now,
        unsure_counts_as=desk.groups.unsure.counts_as,
        incomplete=incomplete,
        forward_by=k2.forward_due(agency, calendar, entry.received_at),
        answer_by=k2.answer_due(agency, calendar, entry.received_at, entry.outside_due),
    )
    alike = alike_keys(agency.code, NO_PLAN, feedback.person)
    fields |= {"payload_hash": hashed, "code_hash": code_hash(code), "alike": alike}
    document = await desk.outbox.new(_id, agency.code, fields, announcing(acting, fields, RECEIVED))
    if doubt is not None:
        held = await hold_back(intake, CaseSource.FEEDBACK, document, doubt, FEEDBACK)
        return Receipt(held.created, code, held.document)
    written = await desk.commits.write(document)
    if written.created:
        desk.outbox.offer(written.document)
    FEEDBACK.labels(entry.channel, "created" if written.created else "repeated").inc()
    return Receipt(written.created, code, written.document)


async def erase(desk: FeedbackIntake, acting: Acting, case_number: str, forget: data_requests.Forget) -> None:
    """Remove everything personal of feedback, as its sender asked and a person decided (law: personal data): the mail that it
    came by, files, then person and texts with the event that routing and notify obey. May be repeated. Raises `Invalid` where no
    feedback has that number, and as `forget`.
    """
    found = await desk.store.by_number(acting.agency, case_number)
    if found is None:
        raise Invalid({"number": NO_SUCH_NUMBER})
    await forget(acting.agency, found)
    await data_requests.erase(desk.intake, acting, found)
    get_logger().info("feedback_erased", feedback=str(found), by=acting.actor)


async def receipt_of(desk: FeedbackIntake, agency: str, feedback: UUID) -> Receipt:
    """The receipt of feedback that staff entered. Raises `NotFound`, for what came by itself as well."""
    document = await desk.store.by_id(agency, feedback)
    if document is None or document["status"] == "erased" or document["channel"] in (Channel.WEB, Channel.API):
        raise NotFound("feedback")
    return Receipt(False, desk.intake.code(feedback), document)
