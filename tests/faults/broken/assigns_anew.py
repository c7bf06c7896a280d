"""I3: a question's id does not follow from its registration, so a record that comes again is assigned again."""

from uuid import UUID, uuid4

from services.routing.questions import registrations


def _new(registration: UUID, section_no: int) -> UUID:
    return uuid4()


def apply() -> None:
    registrations.question_id = _new  # type: ignore[attr-defined]
