"""What people at the survey and staff with a paper send, and what it means."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.model import Criterion, SurveyWay
from kit import clock
from kit.web.forms import FormDate, Input, Line, Text
from services.intake.surveys.domain import About, Answers

Mark = Annotated[int, Field(ge=1, le=5)]


class SurveyForm(Input):
    """The survey. Every criterion may be left out; that one is marked is asked for by the domain."""

    nonce: Annotated[str, Field(max_length=64)] = ""
    procedure: Line | None = None
    time: Mark | None = None
    attitude: Mark | None = None
    clarity: Mark | None = None
    result: Mark | None = None
    text: Text = ""

    def answers(self) -> Answers:
        marks = {criterion: getattr(self, criterion) for criterion in Criterion}
        return Answers({criterion: mark for criterion, mark in marks.items() if mark is not None}, self.text)


class PaperForm(SurveyForm):
    """What staff type from a paper."""

    required: ClassVar[Mapping[str, str]] = {
        "given_on": "Xin ghi ngày trên phiếu, hoặc ngày nhận phiếu.",
        "unit": "Xin chọn đơn vị.",
    }

    given_on: FormDate
    unit: Line

    def about(self) -> About:
        return About(SurveyWay.PAPER, self.unit, self.procedure)

    @property
    def given_at(self) -> datetime:
        return clock.start_of_day(self.given_on)


class PointForm(Input):
    """A QR code that is asked for."""

    required: ClassVar[Mapping[str, str]] = {"unit": "Xin chọn đơn vị."}

    unit: Line
    procedure: Line | None = None
