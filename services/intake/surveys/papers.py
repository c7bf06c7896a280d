"""The papers of a counter's survey: the poster with its QR code, and the form to fill in by hand."""

import asyncio
from pathlib import Path

from kit.agency import Agency
from kit.documents import SurveyPaper, SurveyPoster, qr_svg, render_pdf
from kit.procedures import procedures_of
from services.intake.surveys import words
from services.intake.surveys.domain import Point, shown
from services.intake.surveys.usecases import Surveys


async def poster(surveys: Surveys, agency: Agency, point: Point) -> bytes:
    """The poster as PDF."""
    address = _address(surveys, point)
    paper = SurveyPoster(
        superior=agency.superior_upper,
        issuer=agency.name_upper,
        unit=agency.unit(point.unit).name,
        procedure=procedures_of(agency).get(point.procedure or "", ""),
        address=_without_scheme(address),
        qr=qr_svg(address),
    )
    return await asyncio.to_thread(render_pdf, paper, Path(surveys.settings.fonts_dir))


async def blank(surveys: Surveys, agency: Agency, point: Point) -> bytes:
    """The paper form as PDF."""
    address = _address(surveys, point)
    procedures = procedures_of(agency)
    paper = SurveyPaper(
        superior=agency.superior_upper,
        issuer=agency.name_upper,
        unit=agency.unit(point.unit).name,
        procedure=procedures.get(point.procedure or "", ""),
        procedure_asked=bool(procedures),
        marks=tuple(words.MARKS.values()),
        questions=tuple(question for _, question in words.CRITERIA.values()),
        no_name=words.NO_NAME,
        address=_without_scheme(address),
        qr=qr_svg(address),
    )
    return await asyncio.to_thread(render_pdf, paper, Path(surveys.settings.fonts_dir))


def _address(surveys: Surveys, point: Point) -> str:
    return f"{surveys.settings.public_url}/{point.agency}/khao-sat/{shown(point.slug)}"


def _without_scheme(address: str) -> str:
    return address.partition("://")[2]
