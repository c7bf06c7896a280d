"""What intake does, one function per command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from prometheus_client import Counter
from pymongo.errors import PyMongoError

from contracts.model import CaseSource, Channel
from kit.acting import Acting
from kit.agency import Agency
from kit.calendars import CalendarProjection
from kit.clock import Clock, format_moment_long, local_date
from kit.deadlines import late_notice_due
from kit.errors import Conflict, Invalid, NotFound, TooMany, Unavailable
from kit.files import FileStore
from kit.limits import Limits
from kit.logging import get_logger
from kit.mongo import Document, is_transient
from kit.outbox import Act, Outbox
from kit.web.forms import Vouching
from kit.web.proof import Doubt, Proofs
from services.intake import domain
from services.intake.announcements import Announcements
from services.intake.attachments.usecases import Attachments
from services.intake.codes import code_hash
from services.intake.documents import LETTER, RECEIVED, registration_fields
from services.intake.domain import Entry, Placement, Plan, Submission, Window
from services.intake.groupcommit import GroupCommit, Written
from services.intake.metrics import PUBLISHED_AGAIN, REGISTRATIONS
from services.intake.moderation.domain import hold
from services.intake.moderation.store import HeldStore
from services.intake.ratelimits import check_registration, count_registration
from services.intake.settings import IntakeSettings
from services.intake.site.store import Answers
from services.intake.store import CaseNumbers, Projections, RegistrationStore

EXPIRED = (
    "Trang đã mở quá lâu nên phần tự kiểm tra ngăn thư rác đã hết hạn. Nội dung Ông/Bà ghi vẫn còn trên trang này: "
    "xin Ông/Bà bấm gửi lần nữa."
)


@dataclass(frozen=True, slots=True)
class Releases:
    """Where something that is held goes on: its collection, with the queries on it, and the event that announces it."""

    outbox: Outbox
    store: RegistrationStore
    event: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What intake is made of, handed to every use case and page: made once by bootstrap.py."""

    settings: IntakeSettings
    agencies: Mapping[str, Agency]
    calendars: CalendarProjection
    clock: Clock
    outbox: Outbox
    commits: GroupCommit
    registrations: RegistrationStore
    numbers: CaseNumbers
    projections: Projections
    announcements: Announcements
    files: FileStore
    attachments: Attachments
    code: Callable[[UUID], str]
    """The tracking code of a registration."""
    limits: Limits
    answers: Answers
    """Published answers."""
    proofs: Proofs
    held: HeldStore
    releases: Mapping[CaseSource, Releases]
    requests: Outbox
    """Requests about personal data."""
    waiting: dict[str, Mapping[str, int]] = field(default_factory=dict)
    """Page of the office's navigation → agency → how many wait there, as last counted."""

    def waiting_in(self, agency: str) -> dict[str, int]:
        """Page of the office's navigation → how many wait there in this agency."""
        return {page: counts.get(agency, 0) for page, counts in self.waiting.items()}

    def agency(self, code: str) -> Agency:
        """Raises `NotFound` for an agency that is not ours."""
        try:
            return self.agencies[code]
        except KeyError:
            raise NotFound("agency") from None


IN_FUTURE = "Thời điểm nhận ở trong tương lai. Xin kiểm tra lại ngày, giờ nhận."


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the answer to a registration shows. `created` is False for a repetition, which gets the same receipt."""

    created: bool
    code: str
    document: Document


async def register(
    intake: Intake,
    acting: Acting,
    key: str,
    submission: Submission,
    *,
    channel: Channel = Channel.WEB,
    vouching: Vouching | None = None,
) -> Receipt:
    """Accept a whole form that came by itself (web, API): durable when this returns.

    The same `key` with the same content is one registration, whatever has changed since it was kept. A public form's `vouching`
    decides whether it goes on at once or is held until the office has looked at it. Raises `Invalid` (fields wrong, not open
    yet, its challenge expired), `NotFound` (plan), `Conflict` (the key was used for other content), `TooMany` (of this contact,
    or of all) and `Unavailable` (not known to be kept: send it again).
    """
    entry = Entry(channel, acting.now)
    async with answering(intake, channel):
        agency = intake.agency(acting.agency)
        hashed = domain.payload_hash(submission)
        try:
            plan, placement = await _admitted(intake, agency, submission, entry)
            check_registration(intake.limits, submission)
            doubt = await vouched(intake, vouching, key)
        except (Invalid, NotFound, TooMany):
            if (kept := await _kept_before(intake, agency, key, hashed, channel)) is None:
                raise
            return kept
        if doubt is not None and (kept := await _kept_before(intake, agency, key, hashed, channel)) is not None:
            return kept
        receipt = await _keep(intake, acting, agency, key, submission, entry, plan, placement, hashed, (), doubt)
        if receipt.created:
            count_registration(intake.limits, submission)
        return receipt


async def _admitted(intake: Intake, agency: Agency, submission: Submission, entry: Entry) -> tuple[Plan, Placement]:
    """Where a form that came by itself goes, if today's profile and announcements take it. Raises `Invalid` or `NotFound`."""
    plan = await intake.announcements.plan(agency.code, submission.plan)
    placement = _place(plan, submission, entry.received_at)
    errors = check_whole(agency, submission)
    if errors:
        raise Invalid(errors)
    if placement.window is Window.NOT_YET:
        raise Invalid({"plan": not_yet_open(placement)})
    return plan, placement


async def enter(intake: Intake, acting: Acting, key: str, submission: Submission, entry: Entry) -> Receipt:
    """Accept what staff typed from a paper, a mail or a call (D3): what is missing is flagged, only a blank form is refused.

    Raises as `register` does.
    """
    async with answering(intake, entry.channel):
        agency = intake.agency(acting.agency)
        hashed = domain.payload_hash(submission, entry)
        try:
            plan, placement = await _admitted_entry(intake, agency, submission, entry, acting.now)
        except (Invalid, NotFound):
            if (kept := await _kept_before(intake, agency, key, hashed, entry.channel)) is None:
                raise
            return kept
        incomplete = (*domain.missing(submission, printed_fields(agency)), *entry.left_out)
        return await _keep(intake, acting, agency, key, submission, entry, plan, placement, hashed, incomplete)


async def _admitted_entry(
    intake: Intake, agency: Agency, submission: Submission, entry: Entry, now: datetime
) -> tuple[Plan, Placement]:
    """As `_admitted`, for what staff typed."""
    plan = await intake.announcements.plan(agency.code, submission.plan)
    placement = _place(plan, submission, entry.received_at)
    errors = domain.unknown_sections(submission, agency.form.titles)
    if domain.is_blank(submission):
        errors["name"] = domain.BLANK
    if entry.received_at > now:
        errors["received_on"] = IN_FUTURE
    if errors:
        raise Invalid(errors)
    return plan, placement


async def _kept_before(intake: Intake, agency: Agency, key: str, hashed: bytes, channel: Channel) -> Receipt | None:
    """The receipt of an equal request that was kept; what was accepted once is not refused because the notice, the form or the
    opening has changed since. Asked only where a request would be refused, so an accepted one costs no read. Raises `Conflict`.
    """
    registration = domain.registration_id(agency.code, key)
    document = await stored(intake, intake.commits, registration, hashed, channel)
    if document is None:
        return None
    REGISTRATIONS.labels(channel, "repeated").inc()
    return Receipt(False, intake.code(registration), document)


async def _keep(
    intake: Intake,
    acting: Acting,
    agency: Agency,
    key: str,
    submission: Submission,
    entry: Entry,
    plan: Plan,
    placement: Placement,
    hashed: bytes,
    incomplete: tuple[str, ...],
    doubt: Doubt | None = None,
) -> Receipt:
    """One durable write: the registration with the events that announce it and ask for its receipt; with a doubt, the same
    without events, among those that are held.
    """
    registration = domain.registration_id(agency.code, key)
    code = intake.code(registration)
    fields = registration_fields(
        submission,
        entry,
        plan=plan,
        placement=placement,
        titles=agency.form.titles,
        case_number=await intake.numbers.next(agency.code, agency.case_prefix, entry.received_at),
        recorded_at=acting.now,
        incomplete=incomplete,
        decide_by=await _decide_by(intake, agency, entry.received_at, acting.now) if placement.late else None,
    )
    alike = domain.alike_keys(agency.code, submission.plan, submission.person)
    fields |= {"payload_hash": hashed, "code_hash": code_hash(code), "alike": alike}
    document = await intake.outbox.new(registration, agency.code, fields, announcing(acting, fields))
    if doubt is not None:
        held = await hold_back(intake, CaseSource.REGISTRATION, document, doubt, REGISTRATIONS)
        return Receipt(held.created, code, held.document)
    written = await intake.commits.write(document)
    if written.created:
        intake.outbox.offer(written.document)
    REGISTRATIONS.labels(entry.channel, "created" if written.created else "repeated").inc()
    return Receipt(written.created, code, written.document)


async def check(intake: Intake, acting: Acting, submission: Submission) -> None:
    """What `register` would refuse of a form that came by itself, before it is sent. Keeps nothing. Raises as `register` does."""
    entry = Entry(Channel.WEB, acting.now)
    async with answering(intake, Channel.WEB):
        await _admitted(intake, intake.agency(acting.agency), submission, entry)


async def alike(intake: Intake, agency: str, key: str, submission: Submission, channel: Channel) -> list[Document]:
    """Registrations of the same plan with the same name or telephone (D3: a form that came twice, by two ways); the newest
    first, without that of `key` itself. Raises `Unavailable`.
    """
    keys = domain.alike_keys(agency, submission.plan, submission.person)
    if not keys:
        return []
    async with answering(intake, channel):
        return await intake.registrations.alike(agency, keys, but=domain.registration_id(agency, key))


async def vouched(intake: Intake, vouching: Vouching | None, key: str) -> Doubt | None:
    """Why the office has to look at a form that is otherwise right; None: for no reason, or a program sent it. `key` names the
    submission. Raises `Invalid` when its challenge expired.
    """
    doubt = await intake.proofs.judge(vouching, key) if vouching is not None else None
    if doubt is Doubt.EXPIRED:
        raise Invalid({"proof": EXPIRED})
    return doubt


async def stored(intake: Intake, commits: GroupCommit, _id: UUID, hashed: bytes, channel: Channel) -> Document | None:
    """The document of an equal request that was kept, or is held, as a public form may be. Raises `Conflict`."""
    document = await commits.stored(_id, hashed)
    if document is None and channel is Channel.WEB:
        document = await intake.held.stored(_id, hashed)
    return document


async def hold_back(intake: Intake, what: CaseSource, document: Document, doubt: Doubt, counter: Counter) -> Written:
    """Keep it durably without its events, until the office has looked at it. Raises `Conflict`."""
    held = await intake.held.keep(hold(document, what, doubt))
    counter.labels(document["channel"], "held" if held.created else "repeated").inc()
    return held


def announcing(acting: Acting, fields: Document, event: str = RECEIVED, **changes: str) -> list[Act]:
    """The acts that announce what was received, and ask for its receipt."""
    received = acting.act(event, at=fields["received_at"], changes={"channel": fields["channel"], **changes})
    return [received, acting.act(LETTER)]


async def receipt_of(intake: Intake, agency: str, registration: UUID) -> Receipt:
    """The receipt of a registration that staff entered. Raises `NotFound`, for one that came by itself as well: its code is
    its registrant's alone.
    """
    document = await intake.registrations.by_id(agency, registration)
    if document is None or document["status"] == "erased" or document["channel"] in (Channel.WEB, Channel.API):
        raise NotFound("registration")
    return Receipt(False, intake.code(registration), document)


async def publish_unrouted(intake: Intake) -> int:
    """Publish again what routing has not shown for too long (promise 2): no new event. Returns how many."""
    return await publish_again(intake, intake.registrations, intake.outbox)


async def publish_again(intake: Intake, store: RegistrationStore, outbox: Outbox) -> int:
    """`publish_unrouted` for one collection of what was received."""
    now = intake.clock()
    before = now - timedelta(seconds=intake.settings.unrouted_after_seconds)
    count = 0
    async for document in store.publish_again(before, now):
        outbox.offer(document)
        PUBLISHED_AGAIN.inc()
        count += 1
    if count:
        get_logger().warning(f"{outbox.name}_published_again", count=count)
    return count


# What the agency's profile says about its form -------------------------------------------------------------------------


def check_whole(agency: Agency, submission: Submission) -> dict[str, str]:
    """Field → what is wrong, for a form that comes by itself."""
    return domain.check(
        submission,
        required=agency.form.required,
        sections=agency.form.titles,
        consent_version=agency.privacy.version,
    )


def printed_fields(agency: Agency) -> tuple[str, ...]:
    """Fields of the printed form: what a complete paper holds. An e-mail address is nobody's duty to have."""
    return tuple(field.key for field in agency.form.fields if field.key != "email")


def not_yet_open(placement: Placement) -> str:
    """When one may register (texts: Chưa mở)."""
    assert placement.opens_at is not None  # noqa: S101 - nothing is "not yet open" without an opening
    return f"Thời gian đăng ký bắt đầu từ {format_moment_long(placement.opens_at)}; Ông/Bà có thể tải mẫu phiếu để chuẩn bị."


def _place(plan: Plan, submission: Submission, received_at: datetime) -> Placement:
    try:
        return domain.place(plan, received_at, submission.dialogue)
    except KeyError:
        raise Invalid({"dialogue": "Kế hoạch này không có Hội nghị đối thoại đã chọn. Xin chọn lại."}) from None


async def _decide_by(intake: Intake, agency: Agency, received_at: datetime, now: datetime) -> str | None:
    """The day by which the office says what becomes of a late registration (D4). None: by no rule, or it was over when the paper
    was typed, and nobody is promised a day that is past.
    """
    due = late_notice_due(agency, await intake.calendars.of(agency.code), received_at)
    return due.due_on.isoformat() if due and due.due_on >= local_date(now) else None


@contextlib.asynccontextmanager
async def answering(intake: Intake, channel: Channel, counter: Counter = REGISTRATIONS) -> AsyncIterator[None]:
    """A person waits: what is not known to be kept within the deadline is `Unavailable`. Counts what became of the request."""
    try:
        async with asyncio.timeout(intake.settings.request_deadline_seconds):
            yield
    except (TimeoutError, Unavailable, PyMongoError) as error:
        if isinstance(error, PyMongoError) and not is_transient(error):
            raise
        counter.labels(channel, "unavailable").inc()
        raise Unavailable("mongodb") from None
    except (Invalid, Conflict):
        counter.labels(channel, "refused").inc()
        raise
