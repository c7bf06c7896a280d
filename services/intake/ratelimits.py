"""What intake counts against floods: names of rates, and who is counted under them."""

from collections.abc import Mapping

from kit.limits import Limits
from services.intake.domain import Submission
from services.intake.settings import IntakeSettings

REQUEST = "request"
FORM = "form"
LOOKUP = "lookup"
_CONTACT = "contact"
_ALL_REGISTRATIONS = "all_registrations"
_ALL_LOOKUPS = "all_lookups"


def rates_of(settings: IntakeSettings) -> Mapping[str, str]:
    """Name → rates."""
    return {
        REQUEST: settings.rate_requests,
        FORM: settings.rate_registrations,
        LOOKUP: settings.rate_lookups,
        _CONTACT: settings.rate_contact,
        _ALL_REGISTRATIONS: settings.rate_all_registrations,
        _ALL_LOOKUPS: settings.rate_all_lookups,
    }


async def count_registration(limits: Limits, submission: Submission) -> None:
    """Count a registration that is about to be kept. Raises `TooMany`."""
    for contact in (submission.person.phone, submission.person.email):
        if contact:
            await limits.count(_CONTACT, contact)
    await limits.count(_ALL_REGISTRATIONS)


async def count_lookup(limits: Limits, address: str) -> None:
    """Count a look-up of a tracking code. Raises `TooMany`."""
    await limits.count(LOOKUP, address)
    await limits.count(_ALL_LOOKUPS)
