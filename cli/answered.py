"""What the sample agencies answered before, so that a newcomer finds answers on the public site and figures in the reports.

It came as papers to the counter some weeks ago, was answered in a meeting, and published; feedback came a few days ago and was
answered by a letter. All of it goes through the use cases behind the pages and through the handlers that read events, at the
hours at which it would have been done; the running services then find it as if they had been there.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from cli.sample import ACTOR, announced, plan_id, publishing
from contracts.envelope import Event
from contracts.model import CaseSource, Channel, Person, PlanState, QuestionState, Way
from kit.acting import Acting
from kit.agency import Agency
from kit.clock import at, local_date
from kit.errors import NotFound, Permanent
from kit.feedback import load_groups
from kit.kafka import Publisher
from kit.mongo import Document
from kit.outbox import Change, Outbox
from kit.samples import SampleAnswered, SampleContent, SampleFeedback, SampleSender, load_sample
from services.intake import bootstrap as intake
from services.intake.domain import Entry, Submission, registration_id
from services.intake.feedback.domain import Feedback, FeedbackEntry
from services.intake.feedback.usecases import FeedbackIntake
from services.intake.feedback.usecases import enter as enter_feedback
from services.intake.groupcommit import GroupCommit
from services.intake.settings import IntakeSettings
from services.intake.usecases import Intake, enter
from services.routing import bootstrap as routing
from services.routing.context import Routing
from services.routing.dialogues import usecases as dialogues
from services.routing.dialogues.domain import Terms
from services.routing.questions import domain, usecases
from services.routing.questions.intake import take_over, take_over_feedback
from services.routing.questions.publishing import Wording, is_public
from services.routing.questions.states import Who, question_id
from services.routing.settings import RoutingSettings

HELD_AGO = timedelta(weeks=8)
BEGINS = time(8)
REGISTERED_BEFORE = timedelta(weeks=3)
"""Before the meeting; each paper an hour after the one before it."""
PUBLISHED_AFTER = timedelta(days=7)
FEEDBACK_AGO = timedelta(days=6)
LETTER = "{}/SKHCN-VP"
SECTION_OF_FEEDBACK = 1
_TYPED = timedelta(minutes=30)
"""After a paper was handed over."""

Decision = Callable[[Document], Change | None]


@dataclass(slots=True)
class Then:
    """The hour of what is being done."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Past:
    """Both services, put together as when they run, and the hour they are told."""

    then: Then
    intake: Intake
    feedback: FeedbackIntake
    routing: Routing

    def acting(self, agency: Agency, now: datetime) -> Acting:
        """Somebody of the agency, who acts at that hour."""
        self.then.now = now
        return Acting(agency.code, ACTOR, now)


async def load_answered(
    settings: RoutingSettings, of_intake: IntakeSettings, now: datetime, *, publisher: Publisher | None = None
) -> None:
    """Enter, answer and publish what the samples say was answered before `now`. What is there already stays as it is."""
    then = Then(now)
    routed, routing_service = routing.bootstrap(settings, clock=then, publisher=publisher)
    _, intake_service, entered = intake.bootstrap(of_intake, clock=then, publisher=publisher)
    async with AsyncExitStack() as running:
        for service in (intake_service, routing_service):
            await running.enter_async_context(publishing(service))
        released = entered.releases[CaseSource.FEEDBACK]
        commits = GroupCommit(released.outbox.collection)
        desk = FeedbackIntake(entered, released.outbox, commits, released.store, load_groups(settings.agencies_dir))
        past = Past(then, entered, desk, routed)
        for agency in routed.agencies.values():
            if (answered := load_sample(settings.agencies_dir, agency).answered) is not None:
                await _earlier_dialogue(past, agency, answered, now)
                for n, feedback in enumerate(answered.feedback, start=1):
                    await _feedback(past, agency, n, feedback, now)
        for drain in (entered.commits.drain, commits.drain):
            await drain()


# A dialogue that was held


async def _earlier_dialogue(past: Past, agency: Agency, answered: SampleAnswered, now: datetime) -> None:
    meeting = await _announce(past, agency, answered, now)
    starts_at: datetime = meeting["starts_at"]
    questions = [await _registered(past, agency, meeting, n, content) for n, content in enumerate(answered.contents)]
    if meeting["status"] == "scheduled":
        after = past.acting(agency, starts_at + timedelta(hours=4))
        await dialogues.hold_dialogue(past.routing, after, meeting["_id"], local_date(starts_at))
    for question, content in zip(questions, answered.contents, strict=True):
        await _resolved(past, agency, starts_at, question, content)


async def _announce(past: Past, agency: Agency, answered: SampleAnswered, now: datetime) -> Document:
    """The dialogue, announced once: later it is that of the first time. Intake is told as its reader of events would tell it."""
    plans, of_plan = past.routing.plans, past.routing.dialogues
    calendar = await past.intake.calendars.of(agency.code)
    starts_at = at(calendar.working_day_until(local_date(now - HELD_AGO)), BEGINS)
    acting = past.acting(agency, starts_at - 2 * REGISTERED_BEFORE)
    if (plan := await announced(past.routing, agency, answered.number)) is None:
        state = PlanState(
            number=answered.number,
            year=starts_at.year,
            title=f"{answered.title} năm {starts_at.year}",
            subjects=answered.subjects,
            issued_on=local_date(acting.now),
            sample=True,
        )
        # "a" is the letter that no further plan of a year gets.
        plan = await dialogues.publish_plan(past.routing, acting, state, plan_id=f"{plan_id(agency.code, state.year)}a")
    closes_at = at(local_date(starts_at - timedelta(weeks=1)), time(17, 30))
    terms = Terms(starts_at=starts_at, closes_at=closes_at, place=answered.place)
    dialogue = await dialogues.add_dialogue(past.routing, acting, plan, 1, terms)
    told = [await _newest(plans, plan, agency), await _newest(of_plan, dialogue, agency)]
    await past.intake.projections.save_announcements(told)
    return await of_plan.get(dialogue, agency.code)


async def _newest(outbox: Outbox, _id: str, agency: Agency) -> Event[Any]:
    document = await outbox.whole(_id, agency.code)
    return outbox.event(document, document["events"][-1])


async def _registered(past: Past, agency: Agency, meeting: Document, n: int, content: SampleContent) -> UUID:
    """A paper at the counter, taken over by routing as its reader of events would; returns its question."""
    key = f"sample/{meeting['_id']}/{n}"
    question = question_id(registration_id(agency.code, key), content.section)
    if await _known(past.routing, agency, question) is None:
        received_at = meeting["starts_at"] - REGISTERED_BEFORE + timedelta(hours=n)
        submission = Submission(
            plan=meeting["plan"],
            dialogue=meeting["_id"],
            person=_person(content.sender),
            texts={content.section: content.text},
        )
        acting = past.acting(agency, received_at + _TYPED)
        receipt = await enter(past.intake, acting, key, submission, Entry(Channel.PAPER, received_at))
        await take_over(past.routing, [await _first(past.intake.outbox, receipt.document)], _reject)
    return question


async def _resolved(past: Past, agency: Agency, starts_at: datetime, question: UUID, content: SampleContent) -> None:
    """Answered in the meeting, and published a week later."""
    document = await past.routing.questions.get(question, agency.code)
    if document["state"] != QuestionState.RESOLVED:
        in_the_meeting = past.acting(agency, starts_at + timedelta(hours=2))
        outcome = usecases.Outcome(usecases.OutcomeKind.RESOLVED, text=content.answer)
        await usecases.record_outcome(past.routing, in_the_meeting, question, outcome)
    await _published(past, past.acting(agency, starts_at + PUBLISHED_AFTER), question, content)


# Feedback


async def _feedback(past: Past, agency: Agency, n: int, feedback: SampleFeedback, now: datetime) -> None:
    """Feedback that came on paper some days ago, and is answered now by a letter of the unit that it was put before."""
    key = f"sample/feedback/{n}"
    question = question_id(registration_id(agency.code, key), SECTION_OF_FEEDBACK)
    acting = past.acting(agency, now)
    if await _known(past.routing, agency, question) is None:
        sheet = Feedback(_person(feedback.sender), feedback.text, feedback.group, preferred_way=Way.POST)
        entry = FeedbackEntry(Channel.PAPER, now - FEEDBACK_AGO)
        receipt = await enter_feedback(past.feedback, acting, key, sheet, entry)
        await take_over_feedback(past.routing, [await _first(past.feedback.outbox, receipt.document)], _reject)
    if (await past.routing.questions.get(question, agency.code))["state"] != QuestionState.ANSWERED:
        await _answered(past.routing, agency, acting, question, n, feedback)
    await _published(past, acting, question, feedback)


async def _answered(routing: Routing, agency: Agency, acting: Acting, question: UUID, n: int, feedback: SampleFeedback) -> None:
    """The way of every question: put before a unit, drafted, handed over, approved, issued. It goes on where it was cut off."""
    office, head, leadership = (
        Who(frozenset({role}), unit, assign_by=agency.assign_by.value)
        for role, unit in (("office", None), ("head", feedback.unit), ("leadership", None))
    )
    draft = domain.Draft(domain.ANSWER, feedback.answer)
    state = (await routing.questions.get(question, agency.code))["state"]
    if state in (QuestionState.TRIAGE, QuestionState.PROPOSED):
        await usecases.transfer(routing, acting, office, question, feedback.unit)
        state = QuestionState.TRANSFERRED
    steps: dict[str, tuple[Decision, ...]] = {
        QuestionState.TRANSFERRED: (
            lambda document: domain.drafted(document, acting, head, draft),
            lambda document: domain.submitted(document, acting, head),
        ),
        QuestionState.SUBMITTED: (lambda document: domain.approved(document, acting, leadership),),
        QuestionState.TO_WRITE: (
            lambda document: domain.answered(document, acting, office, LETTER.format(n), local_date(acting.now)),
        ),
    }
    order = list(steps)
    for decision in (decision for step in order[order.index(state) :] for decision in steps[step]):
        await usecases.decide(routing, agency.code, question, decision)


# What both share


async def _published(past: Past, acting: Acting, question: UUID, content: SampleContent | SampleFeedback) -> None:
    if not is_public(await past.routing.questions.get(question, acting.agency)):
        wording = Wording(content.question, content.answer)
        await usecases.publish(past.routing, acting, usecases.OFFICE, question, wording, confirmed=False)


async def _known(routing: Routing, agency: Agency, question: UUID) -> Document | None:
    try:
        return await routing.questions.get(question, agency.code)
    except NotFound:
        return None


async def _first(outbox: Outbox, document: Document) -> Event[Any]:
    """The event that announces what was entered."""
    whole = await outbox.whole(document["_id"], document["agency"])
    return outbox.event(whole, whole["events"][0])


def _person(sender: SampleSender) -> Person:
    return Person(name=sender.name, address=sender.address)


def _reject(_event: Event[Any], error: Permanent) -> None:
    raise error
