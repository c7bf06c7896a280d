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


class Sample(Model):
    plan: SamplePlan
    dialogues: tuple[SampleDialogue, ...] = Field(min_length=1)
    staff: tuple[SampleAccount, ...] = Field(min_length=1)


def load_sample(directory: Path, agency: Agency) -> Sample:
    """`<directory>/samples/<agency>.yaml`. Raises `BadFile` for a wrong file or a unit that the agency does not have."""
    path = directory / "samples" / f"{agency.code}.yaml"
    sample = read_yaml(path, Sample)
    units = {unit.code for unit in agency.units}
    faults = [
        f"{path}: staff[{i}].unit: {agency.code} has no unit {account.unit}"
        for i, account in enumerate(sample.staff)
        if account.unit is not None and account.unit not in units
    ]
    if faults:
        raise BadFile(*faults)
    return sample
