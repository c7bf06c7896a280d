"""I2: feedback that is sent again is another feedback."""

from uuid import uuid4

from services.intake.feedback import api


def _new(idempotency_key: str) -> str:
    return f"feedback-api:{uuid4()}"


def apply() -> None:
    api.api_key = _new  # type: ignore[attr-defined]
