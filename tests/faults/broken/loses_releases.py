"""I1: the office's release forgets what was held before it has become a registration."""

from kit.mongo import Document
from services.intake.moderation import usecases
from services.intake.usecases import Intake


async def _only_forget(intake: Intake, document: Document) -> None:
    await intake.held.remove(document["_id"])


def apply() -> None:
    usecases._go_on = _only_forget
