"""What the public site looks up: one function for each question it asks. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from kit.calendar import WorkCalendar
from kit.errors import NotFound
from kit.mongo import is_transient
from services.intake.site import domain
from services.intake.site.domain import Answer
from services.intake.site.store import MOST_FOUND, MOST_PAGES, PAGE
from services.intake.usecases import Intake

LATEST = 3
OF_A_DIALOGUE = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks for among published answers. `heading`: what they are filed under (`domain.headings`)."""

    words: str = ""
    heading: str = ""
    year: int | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(domain.terms(self.words) or self.heading or self.year)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of answers. `total` counts up to `MOST_FOUND`."""

    answers: Sequence[Answer]
    total: int
    page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))

    @property
    def is_counted(self) -> bool:
        return self.total < MOST_FOUND


async def search(intake: Intake, agency: str, asked: Asked, page: int) -> Found:
    """Published answers that fit, newest first. Raises `NotFound` for a page behind the last."""
    keys = _keys(asked)
    total = await intake.answers.count(agency, keys)
    if not 1 <= page <= MOST_PAGES or (page - 1) * PAGE >= max(total, 1):
        raise NotFound("page")
    return Found(await intake.answers.having(agency, keys, page=page), total, page)


def _keys(asked: Asked) -> list[str]:
    keys = domain.terms(asked.words)
    if asked.heading:
        keys.append(domain.section_mark(asked.heading))
    if asked.year is not None:
        keys.append(domain.year_mark(asked.year))
    return keys


async def answer(intake: Intake, agency: str, public_id: str) -> Answer:
    """Raises `NotFound` for what is not public, or not any more."""
    found = await intake.answers.one(agency, public_id)
    if found is None:
        raise NotFound("answer")
    return found


async def of_dialogue(intake: Intake, agency: str, dialogue: str) -> Sequence[Answer]:
    """The published answers of a dialogue."""
    return await intake.answers.having(agency, [domain.dialogue_mark(dialogue)], size=OF_A_DIALOGUE)


async def of_year(intake: Intake, agency: str, year: int) -> Sequence[Answer]:
    """Published answers that were given in the year, oldest first; the newest `MOST_FOUND` of them."""
    found = await intake.answers.having(agency, [domain.year_mark(year)], size=MOST_FOUND)
    return found[::-1]


async def years(intake: Intake, agency: str) -> Sequence[int]:
    """Years under which published answers are filed, newest first."""
    return await intake.answers.years(agency)


async def newest(intake: Intake, agency: str) -> Sequence[Answer]:
    """The newest `MOST_FOUND`."""
    return await intake.answers.having(agency, [], size=MOST_FOUND)


async def latest(intake: Intake, agency: str) -> Sequence[Answer]:
    """The newest few; none while MongoDB does not answer: a front page stands without them."""
    try:
        return await intake.answers.having(agency, [], size=LATEST)
    except PyMongoError as error:
        if not is_transient(error):
            raise
        return []


async def calendar(intake: Intake, agency: str) -> WorkCalendar | None:
    """What a countdown is explained by; None when it was never read and MongoDB does not answer: a page stands without."""
    try:
        return await intake.calendars.of(agency)
    except PyMongoError as error:
        if not is_transient(error):
            raise
        return None


async def like(intake: Intake, agency: str, typed: str) -> Sequence[Answer]:
    """Earlier answers to what somebody is typing now. The text is looked at and forgotten."""
    wanted = domain.typed_pairs(typed)
    if len(wanted) < 2:
        return []
    return domain.likest(wanted, await intake.answers.having_any(agency, wanted))
