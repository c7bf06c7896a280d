"""What becomes of a mail (D3): whose it is, whether a machine wrote it, and when it has been dealt with. Pure.

The document of a mail: `_id`, `agency`, `state`, `received_at` (the mailbox's date), `taken_at`, `size`, `raw` (file),
`subject`, `sender`, `sender_name`, `to`, `date`, `text`, `faults`, `attachments` [file, kind], `forms`, `automatic` (why),
`twin` (another mail has its Message-ID), `answers` (a letter of ours), `reply` (that letter's case, if known), `fingerprint`,
`version`, `acts` [at, actor, what, reason], `dealt_at`, `emptied_at`.

A form of it (`forms`, in order): `source` (index of the attachment; None: the text), `fields`, `sections`, `unread`, while it is
being recorded `claim` (as, at), and once decided `registration` (the id of what it became; `feedback`: that this is feedback)
with `case_number`, `files` (keys of those that went with it) and `left_out` (why the others did not), or `dismissed` (why not).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid5

from contracts.model import CaseSource
from kit.acting import Acting
from kit.errors import Conflict, Unavailable
from services.intake.domain import registration_id
from services.intake.mailbox.mime import Mail

Document = dict[str, Any]
_MAILS = UUID("5b7a3a5e-8e52-5a0f-9f0c-3f5d7c9b1a10")
MOST_FORMS = 50
_LETTER = re.compile(r"([0-9a-f]{40})@[^@\s]+")


class State(StrEnum):
    """Where a mail stands."""

    WAITING = "waiting"
    AUTOMATIC = "automatic"
    REGISTERED = "registered"
    DISMISSED = "dismissed"


DEALT_WITH = (State.REGISTERED, State.DISMISSED, State.AUTOMATIC)


class Automatic(StrEnum):
    """By what a machine gave itself away, or may have."""

    AUTO_SUBMITTED = "auto_submitted"
    BULK = "bulk"
    LIST = "list"
    NEWSLETTER = "newsletter"
    REPORT = "report"
    NULL_SENDER = "null_sender"
    OUR_OWN = "our_own"


_UNSURE = (Automatic.LIST, Automatic.BULK)
"""What people write to an address that passes mails on carries these marks too."""
_FROM_SERVERS = (Automatic.REPORT, Automatic.NULL_SENDER)
"""What a form stands in there is a copy of something that was sent."""


def automatic(mail: Mail, own: Sequence[str]) -> Automatic | None:
    """Why this may be no person's mail; None: it is one's. Such a mail is kept and never answered (RFC 3834). `own`: our
    addresses.
    """
    marks = dict(mail.marks)
    if "content-type" in marks:
        return Automatic.REPORT
    if marks.get("auto-submitted", "no").partition(";")[0].strip() != "no" or any(m.startswith("x-auto") for m in marks):
        return Automatic.AUTO_SUBMITTED
    if marks.get("precedence") in ("junk", "auto_reply"):
        return Automatic.AUTO_SUBMITTED
    if "x-loop" in marks or mail.sender.casefold() in {address.casefold() for address in own}:
        return Automatic.OUR_OWN
    name = mail.sender.partition("@")[0].casefold()
    if marks.get("return-path", "").replace(" ", "") == "<>" or name in ("mailer-daemon", "postmaster"):
        return Automatic.NULL_SENDER
    return _passed_on(marks)


def _passed_on(marks: Mapping[str, str]) -> Automatic | None:
    """What went to many. To a newsletter nobody can write, and whoever gets it may end it (RFC 2369); a group has an address."""
    is_list = "list-id" in marks or marks.get("precedence") == "list"
    if not is_list and marks.get("precedence") != "bulk":
        return None
    if "list-unsubscribe" in marks and "mailto:" not in marks.get("list-post", ""):
        return Automatic.NEWSLETTER
    return Automatic.LIST if is_list else Automatic.BULK


def is_machines(why: str | None) -> bool:
    """Whether that mark is a machine's for certain."""
    return why is not None and why not in _UNSURE


def is_filled(form: Mapping[str, Any]) -> bool:
    """Whether something is asked in it: telephone and address alone stand at the foot of every mail."""
    return bool(form.get("sections"))


def first_state(why: Automatic | None, forms: Sequence[Mapping[str, Any]]) -> State:
    """Where a mail begins: what may be a person's waits for one of the office, and so does whatever brings a filled form."""
    if not is_machines(why) or (why not in _FROM_SERVERS and any(is_filled(form) for form in forms)):
        return State.WAITING
    return State.AUTOMATIC


def letters_answered(mail: Mail) -> tuple[str, ...]:
    """Ids of letters in the headers of a reply, the nearest first: a Message-ID of ours is the letter's id and our domain."""
    found = (_LETTER.fullmatch(reference) for reference in mail.replies_to)
    return tuple(match[1] for match in found if match)[:20]


# Identity --------------------------------------------------------------------------------------------------------------


def fingerprint(raw: bytes, message_id: str) -> str:
    """What tells one mail from another whatever way it came: its body and its own headers, without those of transport. Of a mail
    without a Message-ID, or without a body, it is all that there is.
    """
    head, found, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    if not message_id or not found:
        return sha256(head + found + body).hexdigest()
    own = [line for line in re.split(rb"\n(?![ \t])", head) if line.lower().startswith((b"from:", b"subject:", b"date:", b"to:"))]
    return sha256(b"\n".join(sorted(own)) + found + body.rstrip()).hexdigest()


def mail_id(agency: str, message_id: str, print_: str) -> UUID:
    """The same Message-ID is the same mail; without one the same content is."""
    return uuid5(_MAILS, f"{agency}/id/{message_id}" if message_id else f"{agency}/content/{print_}")


def twin_id(agency: str, message_id: str, print_: str) -> UUID:
    """For another mail under a Message-ID that was seen before: none is lost for its sender's fault."""
    return uuid5(_MAILS, f"{agency}/twin/{message_id}/{print_}")


def case_key(source: CaseSource, mail: UUID, form: int) -> str:
    """A form of a mail is one registration, or one feedback, however often and by whomever it is confirmed."""
    return f"feedback-mail:{mail}:{form}" if source is CaseSource.FEEDBACK else f"mail:{mail}:{form}"


def case_id(agency: str, source: CaseSource, mail: UUID, form: int) -> UUID:
    """The id that it then has."""
    return registration_id(agency, case_key(source, mail, form))


# What the office decides -----------------------------------------------------------------------------------------------


def is_open(form: Mapping[str, Any]) -> bool:
    """Nobody has decided about this form."""
    return not form.get("registration") and not form.get("dismissed")


def state_of(forms: Sequence[Mapping[str, Any]]) -> State:
    """The state of a person's mail from its forms: dealt with when all of them are."""
    if any(is_open(form) for form in forms):
        return State.WAITING
    return State.REGISTERED if any(form.get("registration") for form in forms) else State.DISMISSED


def blank_form() -> Document:
    """A form of which nothing could be read: the office fills it in from what it sees."""
    return {"source": None, "fields": {}, "sections": {}, "unread": []}


def files_of(mail: Mapping[str, Any], form: int) -> list[Document]:
    """Files that belong to one form of the mail: its own paper first, and what is nobody else's paper. Which of them may go with
    a registration is for the rules of attachments to say.
    """
    own = mail["forms"][form]["source"]
    others = {f["source"] for n, f in enumerate(mail["forms"]) if n != form} - {own}
    belonging = [n for n in range(len(mail["attachments"])) if n not in others]
    return [mail["attachments"][n]["file"] for n in sorted(belonging, key=lambda n: n != own)]


CLAIMED = "mail claimed"
CLAIMED_FOR = timedelta(seconds=20)
"""Longer than a request may take to keep what it is about."""


def claimed(mail: Mapping[str, Any], form: int, source: CaseSource, at: datetime) -> Document:
    """Before it is kept as a registration, or as feedback: so two people at once do not make it both. The fields that change;
    `{}` if it has become something. Raises `Unavailable` while somebody makes it the other; who died over that holds it no
    longer.
    """
    if mail["forms"][form].get("registration"):
        return {}
    claim = mail["forms"][form].get("claim")
    if claim and claim["as"] != source and at - claim["at"] < CLAIMED_FOR:
        raise Unavailable(CLAIMED)
    return {"forms": _with(mail, form, {"claim": {"as": source, "at": at}})}


def registered(
    mail: Mapping[str, Any],
    form: int,
    source: CaseSource,
    kept: Mapping[str, Any],
    acting: Acting,
    left_out: Sequence[str] = (),
) -> Document:
    """It has become this registration, or this feedback, whatever was decided of it meanwhile. The fields that change; `{}` if
    none does.

    `left_out`: a sentence for each file that stays with the mail alone.
    """
    if mail["forms"][form].get("registration"):
        return {}
    case_number, is_feedback = kept["case_number"], source is CaseSource.FEEDBACK
    files = [file["key"] for file in kept.get("files") or ()]
    decided = {"registration": kept["_id"], "case_number": case_number, "files": files, "left_out": list(left_out)}
    if is_feedback:
        decided["feedback"] = True
    return _decided(mail, form, decided, acting, "registered_as_feedback" if is_feedback else "registered", case_number)


def dismissed(mail: Mapping[str, Any], form: int, reason: str, acting: Acting) -> Document:
    """It is neither a registration nor feedback, and why. Raises `Conflict` if somebody decided before."""
    if not is_open(mail["forms"][form]):
        raise Conflict("form decided")
    return _decided(mail, form, {"dismissed": reason}, acting, "dismissed", reason)


def _decided(mail: Mapping[str, Any], form: int, decided: Mapping[str, Any], acting: Acting, what: str, reason: str) -> Document:
    forms = _with(mail, form, decided)
    state = state_of(forms)
    dealt_at = None if state is State.WAITING else acting.now
    return {"forms": forms, "state": state, "dealt_at": dealt_at, **_noted(mail, acting, what, reason)}


def _with(mail: Mapping[str, Any], form: int, fields: Mapping[str, Any]) -> list[Document]:
    """Its forms, one of them with these fields, and claimed by nobody else."""
    return [{**{k: v for k, v in f.items() if k != "claim"}, **fields} if n == form else f for n, f in enumerate(mail["forms"])]


def reopened(mail: Mapping[str, Any], acting: Acting) -> Document:
    """Back to the office. Raises `Conflict` if it waits, was registered, or has been emptied."""
    if mail["state"] not in (State.AUTOMATIC, State.DISMISSED) or mail.get("emptied_at"):
        raise Conflict("mail not closed")
    forms = [{k: v for k, v in f.items() if k != "dismissed"} for f in mail["forms"]] or [blank_form()]
    return {"forms": forms, "state": State.WAITING, "dealt_at": None, **_noted(mail, acting, "reopened", "")}


def form_added(mail: Mapping[str, Any], acting: Acting) -> Document:
    """Another form of the same mail, blank. Raises `Conflict` when there are too many, or it is a machine's."""
    if mail["state"] == State.AUTOMATIC or mail.get("emptied_at") or len(mail["forms"]) >= MOST_FORMS:
        raise Conflict("no more forms")
    forms = [*mail["forms"], blank_form()]
    return {"forms": forms, "state": State.WAITING, "dealt_at": None, **_noted(mail, acting, "form_added", "")}


def _noted(mail: Mapping[str, Any], acting: Acting, what: str, reason: str) -> Document:
    return {"acts": [*mail["acts"], {"at": acting.now, "actor": acting.actor, "what": what, "reason": reason}]}


def files_to_remove(mail: Mapping[str, Any]) -> list[Document]:
    """Files of a mail but those that have become a registration's, or feedback's."""
    kept = {key for n, form in enumerate(mail["forms"]) if form.get("registration") for key in _gone_with(mail, n)}
    files = [mail["raw"], *(a["file"] for a in mail["attachments"])]
    return [f for f in files if f["key"] not in kept]


def _gone_with(mail: Mapping[str, Any], form: int) -> Sequence[str]:
    """Keys of the files that its registration has; before that was noted, all of the form's were kept."""
    noted: Sequence[str] | None = mail["forms"][form].get("files")
    return [file["key"] for file in files_of(mail, form)] if noted is None else noted


def emptied(mail: Mapping[str, Any], at: datetime) -> Document:
    """Nothing personal is left of it but what its registrations hold; its id stays, so it is not taken again."""
    forms = [{k: f[k] for k in ("registration", "case_number", "feedback") if k in f} for f in mail["forms"]]
    blank = dict.fromkeys(("subject", "sender", "sender_name", "to", "date", "text"), "")
    return {
        **blank,
        "forms": forms,
        "attachments": [],
        "faults": [],
        "acts": _without_words(mail["acts"]),
        "emptied_at": at,
        "dealt_at": None,
    }


def _without_words(acts: Sequence[Mapping[str, Any]]) -> list[Document]:
    return [{**act, "reason": ""} if act["what"] == "dismissed" else dict(act) for act in acts]
