"""What intake, routing and reporting share about feedback (K2): its content groups and its two deadlines.

The groups are data, the same for every agency: `agencies/feedback/groups.yaml` (NĐ 20/2008 art. 5). The days are the profile's.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from kit.agency import Agency, Model, Source, Text
from kit.calendar import Deadline, WorkCalendar
from kit.deadlines import counted
from kit.yamlfile import faults_at, read_yaml

UNSURE = "khong-ro"
"""What the form sends for "Tôi không rõ": the office classifies."""


class Group(Model):
    """One group in plain words."""

    no: int = Field(ge=1, le=8)
    label: Text
    example: Text


class Unsure(Model):
    """The way out for who cannot say; `counts_as` is the group that stands in until the office classifies."""

    label: Text
    example: Text
    counts_as: int = Field(ge=1, le=8)


class Cited(Model):
    """Where the groups come from."""

    number: Text
    title: Text
    article: Text
    mark: Literal["A", "B", "C", "U"]


class FeedbackGroups(Model):
    """The file as a whole."""

    law: Cited
    source: Source
    groups: tuple[Group, ...]
    unsure: Unsure

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if [group.no for group in self.groups] != list(range(1, 9)):
            raise faults_at("FeedbackGroups", [(("groups",), "must be the eight groups of the law, numbered 1 to 8")])
        return self

    def label(self, no: int | None) -> str:
        """The group in words; "" for what nobody has classified yet."""
        return next((f"{group.no}. {group.label}" for group in self.groups if group.no == no), "")

    def for_staff(self) -> list[tuple[str, str]]:
        """What staff choose from: value and words of each group, first that it is to be classified later."""
        return [(UNSURE, "Chưa rõ, để phân loại sau"), *((str(group.no), self.label(group.no)) for group in self.groups)]

    def name(self, no: int | None) -> str:
        """The same without its number."""
        return next((group.label for group in self.groups if group.no == no), "")


def load_groups(agencies_dir: Path) -> FeedbackGroups:
    """The groups. Raises `BadFile`."""
    return read_yaml(agencies_dir / "feedback" / "groups.yaml", FeedbackGroups)


RULE = "K2"


def forward_due(agency: Agency, calendar: WorkCalendar, since: datetime) -> Deadline | None:
    """Until when what is another body's is forwarded (NĐ 20/2008 art. 9); None where the profile has no such deadline."""
    return counted(agency, calendar, agency.deadlines.feedback_forward, since, rule=RULE)


def answer_due(agency: Agency, calendar: WorkCalendar, since: datetime, outside_due: date | None = None) -> Deadline | None:
    """Until when feedback is answered: the profile's days, or the day that the province set, whichever comes first."""
    own = counted(agency, calendar, agency.deadlines.feedback_answer, since, rule=RULE)
    outside = calendar.named_day(outside_due, rule=RULE) if outside_due else None
    return min((due for due in (own, outside) if due is not None), key=lambda due: due.due_at, default=None)
