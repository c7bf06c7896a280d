"""What intake does with surveys, one function per command (K3)."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pymongo.errors import PyMongoError

from contracts.model import SurveyWay
from kit.acting import Acting
from kit.agency import Agency
from kit.clock import Clock, local_date
from kit.errors import Invalid, NotFound, Permanent, Unavailable
from kit.limits import Limits
from kit.mongo import is_transient
from kit.outbox import Outbox
from kit.procedures import procedures_of
from kit.surveylinks import SurveyLinks
from kit.web.forms import Vouching
from kit.web.proof import Doubt, Proofs
from services.intake.codes import ALPHABET
from services.intake.settings import IntakeSettings
from services.intake.store import Projections
from services.intake.surveys import domain
from services.intake.surveys.documents import GIVEN, answer_fields
from services.intake.surveys.domain import About, Answers, Point
from services.intake.surveys.store import AnswerStore, PointStore


@dataclass(frozen=True, slots=True)
class Surveys:
    """What the survey is made of, handed to every use case and page: made once by bootstrap.py."""

    settings: IntakeSettings
    agencies: Mapping[str, Agency]
    clock: Clock
    outbox: Outbox
    answers: AnswerStore
    points: PointStore
    projections: Projections
    links: SurveyLinks
    limits: Limits
    proofs: Proofs

    def agency(self, code: str) -> Agency:
        """Raises `NotFound` for an agency that is not ours."""
        try:
            return self.agencies[code]
        except KeyError:
            raise NotFound("agency") from None


class Closed(Permanent):
    """The counter's survey has ended."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link asks about; `case` where it is one's own."""

    about: About
    case: UUID | None = None

    def key(self, nonce: str) -> str:
        """What an answer's identity is derived from."""
        return domain.page_key(self.about.counter or "", nonce) if self.case is None else domain.case_key(self.case)


async def asked(surveys: Surveys, agency: Agency, token: str) -> Asked:
    """What the link with this token asks about.

    Raises `NotFound` for a token that is not this agency's, `Closed` and `surveylinks.Expired` for one that was.
    """
    async with _answering(surveys):
        if (slug := domain.parse_slug(token)) is not None:
            point = await surveys.points.find(agency.code, slug)
            if point is None:
                raise NotFound("survey")
            if point.closed:
                raise Closed("survey")
            return Asked(About(SurveyWay.QR, point.unit, point.procedure, point.slug))
        case = surveys.links.case(agency.code, token, surveys.clock())
        questions = await surveys.projections.questions(agency.code, case)
        return Asked(About(SurveyWay.CASE, domain.unit_of(questions.values())), case)


async def is_answered(surveys: Surveys, agency: Agency, link: Asked) -> bool:
    """Whether the case that a link is about was answered for already; a counter is never done."""
    if link.case is None:
        return False
    async with _answering(surveys):
        return await surveys.answers.is_given(agency.code, domain.answer_id(agency.code, link.key("")))


async def give(surveys: Surveys, acting: Acting, about: About, key: str, answers: Answers, vouching: Vouching) -> bool:
    """Keep an answer that came by a link: durable when this returns. False: one with this key was kept before, and stays.

    One without a proof of work counts like any other and is marked; a filled trap brings the form back. Raises `Invalid`, and
    `Unavailable` when it is not known to be kept.
    """
    agency = surveys.agency(acting.agency)
    if errors := domain.check(answers, about, procedures=procedures_of(agency)):
        raise Invalid(errors)
    async with _answering(surveys):
        doubt = await surveys.proofs.judge(vouching, f"survey:{agency.code}/{key}")
    if doubt is Doubt.TRAP:
        raise Invalid({"": domain.TRAPPED})
    return await _keep(surveys, acting, about, key, answers, acting.now, doubt)


async def enter(surveys: Surveys, acting: Acting, about: About, key: str, answers: Answers, given_at: datetime) -> bool:
    """Keep an answer that staff typed from a paper; `given_at` is the paper's day. As `give` otherwise."""
    agency = surveys.agency(acting.agency)
    errors = domain.check(answers, about, units=units_of(agency, given_at), procedures=procedures_of(agency))
    if given_at > acting.now:
        errors["given_on"] = domain.IN_THE_FUTURE
    if errors:
        raise Invalid(errors)
    return await _keep(surveys, acting, about, key, answers, given_at)


async def _keep(
    surveys: Surveys,
    acting: Acting,
    about: About,
    key: str,
    answers: Answers,
    given_at: datetime,
    doubt: Doubt | None = None,
) -> bool:
    async with _answering(surveys):
        fields = answer_fields(about, answers, given_at=given_at, recorded_at=acting.now, unproven=doubt)
        acts = [acting.act(GIVEN, at=given_at)]
        document = await surveys.outbox.new(domain.answer_id(acting.agency, key), acting.agency, fields, acts)
        return await surveys.outbox.insert(document)


async def make_point(surveys: Surveys, acting: Acting, unit: str, procedure: str | None) -> Point:
    """A QR code for a unit (and a procedure): the one that there is, else a new one. Raises `Invalid`."""
    agency = surveys.agency(acting.agency)
    errors = {}
    if unit not in units_of(agency, acting.now):
        errors["unit"] = domain.NO_UNIT
    if procedure is not None and procedure not in procedures_of(agency):
        errors["procedure"] = domain.NO_PROCEDURE
    if errors:
        raise Invalid(errors)
    slug = "".join(secrets.choice(ALPHABET) for _ in range(domain.SLUG_LENGTH))
    return await surveys.points.make(Point(slug, agency.code, unit, procedure, closed=False), acting.now, acting.actor)


async def close_point(surveys: Surveys, acting: Acting, slug: str) -> None:
    """The code opens no form any more. Raises `NotFound`."""
    if not await surveys.points.close(acting.agency, slug, acting.now, acting.actor):
        raise NotFound("survey point")


def units_of(agency: Agency, at: datetime) -> dict[str, str]:
    """Code → name of the units that the agency has on that day."""
    return {unit.code: unit.name for unit in agency.units if unit.is_valid_on(local_date(at))}


@contextlib.asynccontextmanager
async def _answering(surveys: Surveys) -> AsyncIterator[None]:
    """A person waits: what is not known within the deadline is `Unavailable`."""
    try:
        async with asyncio.timeout(surveys.settings.request_deadline_seconds):
            yield
    except (TimeoutError, PyMongoError) as error:
        if isinstance(error, PyMongoError) and not is_transient(error):
            raise
        raise Unavailable("mongodb") from None
