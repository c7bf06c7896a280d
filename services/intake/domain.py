"""The rules of intake: who may register when, what a form must hold, what a registration looks like (D1–D4).

Pure: no I/O and no clock. Moments are aware datetimes.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b, sha256
from typing import Any
from uuid import UUID

import orjson
from uuid_utils.compat import uuid5

from contracts.letters import Meeting
from contracts.model import (
    Channel,
    DialogueState,
    FileRef,
    Mode,
    Participation,
    Person,
    PlanState,
    RegistrantKind,
    SectionText,
    Way,
)
from kit.clock import local, local_date

_REQUESTS = UUID("0c6d6f0e-2d7b-5a53-9c5f-4f2a6b1c7d20")


# When one may register -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dialogue:
    """A dialogue as it was announced. Without `starts_at` only its window is known, or nothing.

    `registered`: how many took a seat when last counted; only counted where the dialogue names its seats. What follows from the
    announcement alone is worked out once and not for each registration.
    """

    id: str
    state: DialogueState
    registered: int = 0

    @property
    def is_full(self) -> bool:
        """Whether every seat of the room is taken (D4). Where all take part online, no room can be full."""
        seats = self.state.capacity
        return seats is not None and self.state.mode is not Mode.ONLINE and self.registered >= seats

    @cached_property
    def over_at(self) -> datetime | None:
        """From when a registration is late (D4): after the closing, or after the beginning where none is fixed; None: never.
        The closing names the last minute in time: "đến 17h30" ends at 17:31:00.
        """
        closes_at = self.state.closes_at
        if closes_at is None:
            return self.state.starts_at
        return (closes_at.replace(second=0, microsecond=0) + timedelta(minutes=1)).astimezone(UTC)  # compared fastest in UTC

    @cached_property
    def announced(self) -> Mapping[str, Any]:
        """What a registration keeps of it. The link of an online meeting goes to those invited, with the invitation."""
        state = self.state
        meeting = Meeting.model_validate(state.model_dump(exclude={"online_link"}))
        return {
            "meeting": meeting.model_dump(mode="json"),
            "closes_at": state.closes_at,
            "invitations_due": state.invitations_due.isoformat() if state.invitations_due else None,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """A published plan with its dialogues, by ordinal."""

    id: str
    state: PlanState
    dialogues: tuple[Dialogue, ...] = ()

    def dialogue(self, dialogue_id: str) -> Dialogue | None:
        return next((d for d in self.dialogues if d.id == dialogue_id), None)


class Window(StrEnum):
    """Where a moment lies relative to registration."""

    NOT_YET = "not_yet"
    OPEN = "open"
    CLOSED = "closed"


def opening(plan: Plan, dialogue: Dialogue | None) -> datetime | None:
    """From when one may register; None: since the plan was published."""
    return (dialogue.state.opens_at if dialogue else None) or plan.state.opens_at


def window(plan: Plan, dialogue: Dialogue | None, at: datetime) -> Window:
    """Whether one may register for this dialogue, or for the plan when it has announced none yet."""
    opens_at = opening(plan, dialogue)
    if opens_at is not None and at < opens_at:
        return Window.NOT_YET
    return Window.OPEN if dialogue is None or not _is_over(dialogue, at) else Window.CLOSED


def _is_over(dialogue: Dialogue, at: datetime) -> bool:
    """By that moment alone, whatever has become of it since: a paper in time is typed when the dialogue has been held (D4)."""
    if dialogue.state.status == "cancelled":
        return True
    return dialogue.over_at is not None and at >= dialogue.over_at


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a registration would go: `dialogue` None means that the plan has announced none yet."""

    window: Window
    dialogue: Dialogue | None
    opens_at: datetime | None = None

    @property
    def late(self) -> bool:
        return self.window is Window.CLOSED

    @property
    def full(self) -> bool:
        """In time, for a room without a free seat as last counted: kept like any other, and told so. Late counts before full."""
        return self.window is Window.OPEN and self.dialogue is not None and self.dialogue.is_full


def place(plan: Plan, at: datetime, chosen: str | None = None) -> Placement:
    """The dialogue for a registration received at that moment (D1), as routing will find it: the chosen one, else the next that
    was open then, before those that have been held since, else the next that opens, else the last that closed (D4: kept, and told
    so). What was called off takes none. Raises KeyError when the plan has no such dialogue.
    """
    if chosen is not None and plan.dialogue(chosen) is None:
        raise KeyError("dialogue")
    standing = [d for d in plan.dialogues if d.state.status != "cancelled"]
    candidates = [d for d in standing if d.id == chosen] or standing
    if not candidates:
        return _placement(plan, None, at)
    to_come_first = sorted(candidates, key=lambda d: d.state.status != "scheduled")
    placements = [_placement(plan, d, at) for d in to_come_first]
    for wanted in (Window.OPEN, Window.NOT_YET):
        if found := next((p for p in placements if p.window is wanted), None):
            return found
    return _placement(plan, candidates[-1], at)


def _placement(plan: Plan, dialogue: Dialogue | None, at: datetime) -> Placement:
    return Placement(window(plan, dialogue, at), dialogue, opening(plan, dialogue))


def asks_participation(plan: Plan, at: datetime) -> bool:
    """Whether "in person or online" is a question: a dialogue that is open is held online too, or none is fixed yet."""
    coming = [d.state for d in plan.dialogues if window(plan, d, at) is not Window.CLOSED]
    return not coming or any(state.starts_at is None or state.mode is not Mode.IN_PERSON for state in coming)


# Numbers and identities ------------------------------------------------------------------------------------------------


def registration_id(agency: str, key: str) -> UUID:
    """The same request key of an agency is the same registration."""
    return uuid5(_REQUESTS, f"{agency}/{key}")


def case_number(prefix: str, received_at: datetime, n: int) -> str:
    """SL-2026-000123; the year is that of the day of receipt in Vietnam."""
    return f"{prefix}-{local_date(received_at).year}-{n:06d}"


# What a form holds -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submission:
    """A form as it was filled in, from whatever channel."""

    plan: str
    person: Person
    texts: Mapping[int, str]
    dialogue: str | None = None
    kind: RegistrantKind = RegistrantKind.INDIVIDUAL
    preferred_way: Way | None = None
    consent_version: str | None = None
    participation: Participation | None = None
    files: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """What staff note about a form that came on paper, by mail or by phone (D3). `read_back`: a call's content was read back to
    the caller; None where nobody called.
    """

    channel: Channel
    received_at: datetime
    incoming_number: str | None = None
    read_back: bool | None = None

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of the entry itself is still to be done."""
        return ("read_back",) if self.read_back is False else ()


def payload_hash(submission: Submission, entry: Entry | None = None) -> bytes:
    """What tells a repetition from another request under the same key."""
    content: dict[str, object] = {
        "plan": submission.plan,
        "dialogue": submission.dialogue,
        "kind": submission.kind,
        "person": submission.person.model_dump(),
        "texts": {str(no): text for no, text in sorted(submission.texts.items())},
        "preferred_way": submission.preferred_way,
        "consent": submission.consent_version,
    }
    # What older forms did not have is named only where it was given, so that their hashes stay what they were.
    if submission.participation is not None:
        content["participation"] = submission.participation
    if submission.files:
        content["files"] = [file.sha256 for file in submission.files]
    if entry is not None:
        content["entry"] = [entry.channel, local(entry.received_at).isoformat(), entry.incoming_number]
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


BLANK = "Phiếu còn trắng. Xin ghi ít nhất họ và tên, cách liên hệ hoặc một nội dung."
SECTIONS_EMPTY = "Ông/Bà chưa ghi nội dung nào. Xin Ông/Bà ghi nội dung vào ít nhất một mục của phiếu."
CONSENT = "Sở cần sự đồng ý của Ông/Bà để xử lý thông tin trên phiếu. Xin Ông/Bà đọc thông báo và đánh dấu vào ô đồng ý."
UNKNOWN_SECTION = "Mục này không có trong phiếu đăng ký."
MISSING = {
    "name": "Xin Ông/Bà ghi họ và tên.",
    "phone": "Xin Ông/Bà ghi số điện thoại, để Văn phòng Sở liên hệ khi cần.",
    "address": "Xin Ông/Bà ghi địa chỉ, để Sở gửi giấy mời và trả lời.",
    "email": "Xin Ông/Bà ghi địa chỉ thư điện tử.",
}


def missing(submission: Submission, required: Collection[str]) -> tuple[str, ...]:
    """Names of required fields that are empty, in the form's order; `sections` when no section is filled.

    The web and the API refuse such a form; a paper is taken as it is and flagged (D3).
    """
    absent = [name for name in required if not getattr(submission.person, name)]
    return (*absent, *(() if submission.texts else ("sections",)))


def is_blank(submission: Submission) -> bool:
    """Nothing of a person, nothing asked and nothing attached: a button pressed by mistake, not a paper."""
    return not submission.texts and not submission.files and submission.person == Person()


def check(
    submission: Submission, *, required: Collection[str], sections: Collection[int], consent_version: str
) -> dict[str, str]:
    """Field → what is wrong, for a form that must be whole. `consent_version` is the privacy notice's that must be agreed to."""
    errors = {name: SECTIONS_EMPTY if name == "sections" else MISSING[name] for name in missing(submission, required)}
    if submission.consent_version != consent_version:
        errors["consent"] = CONSENT
    return errors | unknown_sections(submission, sections)


def unknown_sections(submission: Submission, sections: Collection[int]) -> dict[str, str]:
    """Sections that the agency's form does not have."""
    return {f"sections.{no}": UNKNOWN_SECTION for no in submission.texts if no not in sections}


def section_texts(submission: Submission, titles: Mapping[int, str]) -> tuple[SectionText, ...]:
    """The filled sections in the form's order."""
    return tuple(SectionText(no=no, title=titles[no], text=submission.texts[no]) for no in sorted(submission.texts))


# Who may have registered already ---------------------------------------------------------------------------------------


_ACCENTS = re.compile("[\u0300-\u036f]")


def folded(text: str) -> str:
    """Without case, accents and superfluous spaces: two hands write a Vietnamese name in many ways."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFD", text.casefold()))
    return " ".join(plain.replace("đ", "d").split())


def alike_keys(agency: str, plan: str, person: Person) -> list[int]:
    """By which registrations of one plan with the same name or telephone find each other; 64 bits of a hash, for an index.
    Feedback is of no plan: "".
    """
    name, phone = folded(person.name), _national(person.phone)
    said = (f"{agency}/{plan}/name/{name}" if name else "", f"{agency}/{plan}/phone/{phone}" if phone else "")
    return [_key(text) for text in said if text]


def _national(phone: str) -> str:
    """Digits without the country's and the trunk's: a paper's number stays as it is written there."""
    if phone.startswith("+84"):
        phone = phone[3:]
    return "".join(filter(str.isdigit, phone)).removeprefix("0")


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
