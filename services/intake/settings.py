"""What intake needs beside the settings of every service."""

from pathlib import Path
from typing import Annotated

from limits import parse_many
from pydantic import AfterValidator, Field, SecretStr

from kit.settings import ServiceSettings
from services.intake.mailbox.settings import Mailboxes


def _rates(text: str) -> str:
    if text:
        parse_many(text)
    return text


Rates = Annotated[str, AfterValidator(_rates)]
"""How many in how long, e.g. `60/minute;600/hour`; empty: no limit."""


class IntakeSettings(ServiceSettings):
    """Intake answers people while they wait, so its database operations are bounded much more tightly."""

    code_secret: SecretStr = Field(min_length=32, description="Key of the tracking codes; a change voids every code given out")
    mongodb_timeout_ms: int = Field(
        1_200, gt=0, description="Bound of every database operation; a write and its repetition fit into the request's deadline"
    )
    request_deadline_seconds: float = Field(3.0, gt=0, description="A registration is answered within this, with 503 if need be")
    group_size: int = Field(200, gt=0, description="Registrations that share one write at most")
    groups_in_flight: int = Field(2, gt=0, description="Writes under way at once")
    group_queue: int = Field(2_000, gt=0, description="Registrations that may wait for a write; more are told 503")
    case_number_block: int = Field(100, gt=0, description="Case numbers a process takes at once; unused ones stay gaps")
    unrouted_after_seconds: float = Field(600.0, gt=0, description="Unseen by routing for so long, it is published again")
    rate_requests: Rates = Field("50/second;1200/minute", description="Requests of one address")
    rate_registrations: Rates = Field(
        "60/minute;600/hour", description="Forms of one address: an office has many people behind one"
    )
    rate_contact: Rates = Field("60/hour", description="Registrations with one telephone number or e-mail address")
    rate_all_registrations: Rates = Field("6000/minute", description="Registrations of everybody together")
    rate_lookups: Rates = Field("30/minute", description="Look-ups of tracking codes from one address")
    rate_all_lookups: Rates = Field("1200/minute", description="Look-ups of everybody together")
    rate_uploads: Rates = Field("60/10minute;200/hour", description="Attachments from one address")
    rate_all_uploads: Rates = Field("600/10minute", description="Attachments of everybody together")
    attachment_count: int = Field(5, ge=0, le=20, description="Files that may come with one form; 0: none")
    attachment_size: int = Field(10_000_000, gt=0, description="Bytes of one file")
    attachment_total: int = Field(
        20_000_000,
        gt=0,
        le=20_000_000,
        description="Bytes of all files of a form; a request has at most 20 MiB",
    )
    clamd: Annotated[str, Field(pattern=r"^([^:\s]+:\d{1,5})?$")] = Field(
        "", description="host:port of a clamd that looks into attachments before they are kept; empty: none"
    )
    rate_surveys: Rates = Field("60/minute;600/hour", description="Answers to the survey from one address; a counter has one")
    rate_all_surveys: Rates = Field("3000/minute", description="Answers to the survey of everybody together")
    proof_cost: int = Field(
        5_000, ge=0, le=100_000, description="Iterations in each try of a form's proof of work; 0 asks for none"
    )
    proof_seconds: int = Field(3_600, ge=900, description="How long a form's challenge is good; the page renews it by itself")
    junk_days: int = Field(30, gt=0, description="After so many days what the office set aside as junk is erased")
    mailboxes: Mailboxes = Field(
        default_factory=dict,
        description="JSON: agency code → its mailbox (services/intake/mailbox/settings.py); an agency without one reads no mail",
    )
    mailbox_poll_seconds: float = Field(30.0, gt=0, le=30, description="How often a mailbox is looked into beside IDLE")
    mailbox_kept_days: int = Field(90, ge=1, description="A mail's content is removed so long after it was dealt with")
    fonts_dir: Path = Field(
        Path(".local/cache/fonts"), description="Directory of the Liberation Serif files that documents are set in"
    )
