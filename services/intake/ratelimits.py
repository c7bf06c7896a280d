"""What intake counts against floods: names of rates, and who is counted under them."""

import contextlib
from collections.abc import Mapping
from typing import Protocol

from contracts.model import Person
from kit.errors import TooMany
from kit.limits import Limits
from services.intake.settings import IntakeSettings

REQUEST = "request"
FORM = "form"
LOOKUP = "lookup"
UPLOAD = "upload"
_ALL_UPLOADS = "all_uploads"
_CONTACT = "contact"
ALL_REGISTRATIONS = "all_registrations"
_ALL_LOOKUPS = "all_lookups"
_SURVEY = "survey"
_ALL_SURVEYS = "all_surveys"


def rates_of(settings: IntakeSettings) -> Mapping[str, str]:
    """Name → rates."""
    return {
        REQUEST: settings.rate_requests,
        FORM: settings.rate_registrations,
        LOOKUP: settings.rate_lookups,
        _CONTACT: settings.rate_contact,
        ALL_REGISTRATIONS: settings.rate_all_registrations,
        _ALL_LOOKUPS: settings.rate_all_lookups,
        UPLOAD: settings.rate_uploads,
        _ALL_UPLOADS: settings.rate_all_uploads,
        _SURVEY: settings.rate_surveys,
        _ALL_SURVEYS: settings.rate_all_surveys,
    }


class FromPerson(Protocol):
    """What somebody sent: a registration, feedback."""

    @property
    def person(self) -> Person: ...


def check_registration(limits: Limits, submission: FromPerson) -> None:
    """Raises `TooMany` when no more of this contact, or of everybody, are kept at the moment."""
    for contact in _contacts(submission):
        limits.check(_CONTACT, contact)
    limits.check(ALL_REGISTRATIONS)


def count_registration(limits: Limits, submission: FromPerson) -> None:
    """Count a registration that was kept."""
    with contextlib.suppress(TooMany):  # others were kept at the same moment
        limits.count(ALL_REGISTRATIONS)
        for contact in _contacts(submission):
            limits.count(_CONTACT, contact)


def _contacts(submission: FromPerson) -> list[str]:
    """What a person can be reached by; of an e-mail address the mailbox, however it is written."""
    name, _, host = submission.person.email.casefold().rpartition("@")
    mailbox = f"{name.partition('+')[0]}@{host}" if name else ""
    return [contact for contact in (submission.person.phone, mailbox) if contact]


def count_lookup(limits: Limits, address: str) -> None:
    """Count a look-up of a tracking code. Raises `TooMany`."""
    limits.count(LOOKUP, address)
    limits.count(_ALL_LOOKUPS)


def count_uploads(limits: Limits, address: str, files: int) -> None:
    """Count files that came with a form, each of which is kept for a day at least. Raises `TooMany`."""
    for _ in range(files):
        limits.count(UPLOAD, address)
        limits.count(_ALL_UPLOADS)


def count_survey(limits: Limits, address: str) -> None:
    """Count an answer to the survey. Raises `TooMany`."""
    limits.count(_SURVEY, address)
    limits.count(_ALL_SURVEYS)
