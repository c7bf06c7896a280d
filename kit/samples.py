"""Sample data of an agency: a plan, its dialogues and staff, with the dates of the source documents.

Only demonstrations and the local stack load it; dates are moved there so that registration is open, and tests freeze the
clock on them. Names are invented, and no file holds a password.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contracts.model import Mode
from kit.agency import Agency, Code, Model, Source, Text
from kit.auth import READ_SEALED, Role
from kit.yamlfile import BadFile, faults_at, read_yaml


class Posting(Model):
    """Where the plan was posted, and when if that is known (D1)."""

    place: Text
    on: date | None = None


class SamplePlan(Model):
    code: Code
    number: Text
    year: int = Field(ge=2000, le=2100)
    title: Text
    subjects: Text
    chair: Text
    issued_on: date | None
    opens_at: AwareDatetime
    postings: tuple[Posting, ...]
    source: Source


class SampleDialogue(Model):
    """A dialogue of the plan: either dated, or announced for a window of days."""

    code: Code
    ordinal: int = Field(ge=1)
    window_from: date | None
    window_to: date | None
    starts_at: AwareDatetime | None
    closes_at: AwareDatetime | None = Field(description="The last minute that is in time (D4)")
    invitations_due: date | None
    place: Text
    mode: Mode
    source: Source

    @model_validator(mode="after")
    def _dated_or_announced(self) -> Self:
        if self.starts_at is None and (self.window_from is None or self.window_to is None):
            raise faults_at("SampleDialogue", [(("starts_at",), "needs a date, or window_from and window_to")])
        return self


class SampleAccount(Model):
    username: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{2,39}$")]
    name: Text
    roles: tuple[Role, ...] = Field(min_length=1)
    unit: Code | None = None
    reads_sealed: bool = False

    @property
    def permissions(self) -> tuple[str, ...]:
        return (READ_SEALED,) if self.reads_sealed else ()


class SampleSender(Model):
    """Who asked: an invented name, no telephone and no e-mail, so that no letter goes anywhere."""

    name: Text
    address: Text


class SampleContent(Model):
    """A content of the earlier dialogue: as it stood on the form, and as everybody may read it with its answer."""

    section: int = Field(ge=1)
    sender: SampleSender
    text: Text
    question: Text
    answer: Text


class SampleFeedback(Model):
    """Feedback that a unit answered by a letter (K2)."""

    group: int = Field(ge=1, le=8)
    unit: Code
    sender: SampleSender
    text: Text
    question: Text
    answer: Text


class SampleAnswered(Model):
    """What the agency answered before: a dialogue that was held some weeks ago, with its published answers, and feedback."""

    number: Text
    title: Text
    subjects: Text
    place: Text
    contents: tuple[SampleContent, ...] = Field(min_length=1)
    feedback: tuple[SampleFeedback, ...] = ()
    source: Source


class Sample(Model):
    plan: SamplePlan
    dialogues: tuple[SampleDialogue, ...] = Field(min_length=1)
    staff: tuple[SampleAccount, ...] = Field(min_length=1)
    answered: SampleAnswered | None = None


def load_sample(directory: Path, agency: Agency) -> Sample:
    """`<directory>/samples/<agency>.yaml`. Raises `BadFile` for a wrong file, or an unknown unit or section."""
    path = directory / "samples" / f"{agency.code}.yaml"
    sample = read_yaml(path, Sample)
    units = {unit.code for unit in agency.units}
    faults = [
        f"{path}: staff[{i}].unit: {agency.code} has no unit {account.unit}"
        for i, account in enumerate(sample.staff)
        if account.unit is not None and account.unit not in units
    ]
    faults += _unknown_in(sample.answered, agency, path) if sample.answered else []
    if faults:
        raise BadFile(*faults)
    return sample


def _unknown_in(answered: SampleAnswered, agency: Agency, path: Path) -> list[str]:
    units, sections = {unit.code for unit in agency.units}, {section.no for section in agency.form.sections}
    faults = [
        f"{path}: answered.contents[{i}].section: the form of {agency.code} has no section {content.section}"
        for i, content in enumerate(answered.contents)
        if content.section not in sections
    ]
    return faults + [
        f"{path}: answered.feedback[{i}].unit: {agency.code} has no unit {feedback.unit}"
        for i, feedback in enumerate(answered.feedback)
        if feedback.unit not in units
    ]
