"""I1: intake says of every amendment that it is done, and keeps the old text."""

from kit.acting import Acting
from kit.mongo import Document
from services.intake.after import usecases
from services.intake.after.domain import Mode
from services.intake.usecases import Intake


async def _only_said(intake: Intake, acting: Acting, registration: Document, no: int, text: str, offered: Mode) -> Mode:
    return offered


def apply() -> None:
    usecases.change_section = _only_said
