"""I2: every request is a registration of its own."""

from uuid import UUID, uuid4

from services.intake import domain


def _new(agency: str, key: str) -> UUID:
    return uuid4()


def apply() -> None:
    domain.registration_id = _new
