"""The rules of feedback at its reception (K2): what it must hold, what makes it the same request. Pure: no I/O and no clock."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import orjson

from contracts.model import FileRef, Person, RegistrantKind, Way
from kit.clock import local
from services.intake.domain import BLANK, CONSENT, Entry


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback as it was filled in, from whatever channel. `group` None: its sender could not say, the office classifies."""

    person: Person
    text: str
    group: int | None = None
    procedure: str = ""
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    preferred_way: Way | None = None
    consent_version: str | None = None
    files: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedbackEntry(Entry):
    """What staff note about feedback that did not come by itself; from the province with its number and its day."""

    outside_number: str | None = None
    outside_due: date | None = None


def payload_hash(feedback: Feedback, entry: FeedbackEntry | None = None) -> bytes:
    """What tells a repetition from another request under the same key."""
    content: dict[str, object] = {
        "person": feedback.person.model_dump(),
        "text": feedback.text,
        "group": feedback.group,
        "procedure": feedback.procedure,
        "kind": feedback.kind,
        "preferred_way": feedback.preferred_way,
        "consent": feedback.consent_version,
    }
    if feedback.files:  # named only where given, so that hashes of older feedback stay what they were
        content["files"] = [file.sha256 for file in feedback.files]
    if entry is not None:
        received = local(entry.received_at).isoformat()
        content["entry"] = [entry.channel, received, entry.incoming_number, entry.outside_number, entry.outside_due]
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


MISSING = {
    "name": "Xin Ông/Bà ghi họ và tên.",
    "address": "Xin Ông/Bà ghi địa chỉ, để Sở gửi văn bản trả lời.",
    "phone": "Xin Ông/Bà ghi số điện thoại hoặc địa chỉ thư điện tử, để Sở liên hệ khi cần.",
    "text": "Ông/Bà chưa ghi nội dung. Xin Ông/Bà ghi điều muốn phản ánh hoặc kiến nghị.",
}


def missing(feedback: Feedback) -> tuple[str, ...]:
    """Fields without which feedback cannot be answered (NĐ 20/2008 art. 7): name, address, telephone or mail, and a text.

    The web and the API refuse it; what came on paper is taken as it is and flagged (D3).
    """
    return (*missing_contact(feedback.person), *(() if feedback.text else ("text",)))


def missing_contact(person: Person) -> tuple[str, ...]:
    """The same of the sender alone: what a corrected contact must hold."""
    present = {"name": person.name, "address": person.address, "phone": person.phone or person.email}
    return tuple(name for name, value in present.items() if not value)


def check(feedback: Feedback, *, consent_version: str) -> dict[str, str]:
    """Field → what is wrong, for feedback that came by itself. `consent_version` is the privacy notice's."""
    errors = {name: MISSING[name] for name in missing(feedback)}
    if feedback.consent_version != consent_version:
        errors["consent"] = CONSENT
    return errors


def check_entry(feedback: Feedback, entry: FeedbackEntry) -> dict[str, str]:
    """Field → what is wrong, for what staff typed: only what nobody could work on is refused."""
    errors: dict[str, str] = {}
    if feedback.person == Person() and not feedback.text and not feedback.files:
        errors["name"] = BLANK
    if entry.outside_due is not None and entry.outside_due < local(entry.received_at).date():
        errors["outside_due"] = "Hạn cơ quan chuyển đến giao ở trước ngày nhận. Xin kiểm tra lại."
    return errors
