"""From a mail's bytes to what the office confirms: its parts, and the forms that were read in it. Pure.

Run as a program it is the process in which `workshop.py` has mails read: whatever somebody sends, it can cost that one alone.
"""

import base64
import contextlib
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO

import orjson

from services.intake.mailbox import mime
from services.intake.mailbox.domain import MOST_FORMS, letters_answered
from services.intake.mailbox.mime import Attachment, Mail
from services.intake.mailbox.papers import Kind, Unreadable, kind_of, text_of
from services.intake.mailbox.prefill import FormWords, Prefill, read_forms

Extract = Callable[[Kind, bytes], str]
MOST_DOCUMENTS = 60
_MEMORY = 1_500_000_000
_SECONDS_A_DOCUMENT = 5.0
_LENGTH = struct.Struct(">Q")
_WITH_TEXT = (Kind.DOCX, Kind.PDF, Kind.TEXT)
NOT_READ = "Không đọc được chữ trong tệp {name}; xin mở tệp để xem."
BLANK_FORM = "Tệp {name} là mẫu phiếu chưa điền."


@dataclass(frozen=True, slots=True)
class Form:
    """A filled form and where it was found: `source` is the index of the attachment, None the mail's own text."""

    source: int | None
    prefill: Prefill


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail as far as it could be read. `kinds` belong to the attachments one by one."""

    mail: Mail
    kinds: tuple[Kind, ...] = ()
    forms: tuple[Form, ...] = ()


def read(raw: bytes, words: FormWords, *, extract: Extract | None = text_of) -> Reading:
    """The mail with its forms. Never raises for what `raw` holds. `extract` None: documents stay files."""
    mail = mime.parse(raw)
    kinds = tuple(kind_of(a.content, a.media_type) for a in mail.attachments)
    faults = list(mail.faults)
    forms: list[Form] = []
    if not letters_answered(mail):  # a reply repeats our letter, which names the form's sections
        forms += [Form(None, p) for p in read_forms(_unquoted(mail.text), words) if not p.blank]
    documents = 0
    for index, (attachment, kind) in enumerate(zip(mail.attachments, kinds, strict=True)):
        if extract is None or kind not in _WITH_TEXT or documents >= MOST_DOCUMENTS:
            continue
        documents += 1
        try:
            found = read_forms(extract(kind, attachment.content), words, wrapped=kind is Kind.PDF)
        except (Unreadable, TimeoutError, MemoryError):
            faults.append(NOT_READ.format(name=attachment.name))
            continue
        if found and all(prefill.blank for prefill in found):
            faults.append(BLANK_FORM.format(name=attachment.name))
        forms += [Form(index, prefill) for prefill in found if not prefill.blank]
    return Reading(replace(mail, faults=tuple(faults)), kinds, tuple(_once(forms))[:MOST_FORMS])


def _once(forms: list[Form]) -> Iterator[Form]:
    """Without what only repeats another: a form pasted into the mail and attached to it. The attached one is kept."""
    for n, form in enumerate(forms):
        if not any(_same(form, other) for other in forms[n + 1 :]):
            yield form


def _same(one: Form, other: Form) -> bool:
    return (one.prefill.fields, one.prefill.sections) == (other.prefill.fields, other.prefill.sections)


def _unquoted(text: str) -> str:
    """Without what a reply quotes."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(">"))


# To and from the process ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is asked to do with the mail that follows."""

    words: FormWords
    documents: bool = True


def packed(reading: Reading) -> bytes:
    """A reading as bytes. JSON: nothing that comes out of that process is trusted to be code."""
    content = asdict(reading)
    for attachment in content["mail"]["attachments"]:
        attachment["content"] = base64.b64encode(attachment["content"]).decode()
    return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)


def unpacked(data: bytes) -> Reading:
    """The other way. Raises ValueError, KeyError or TypeError."""
    content: dict[str, Any] = orjson.loads(data)
    mail: dict[str, Any] = content["mail"]
    found = Mail(
        **mail
        | {
            "replies_to": tuple(mail["replies_to"]),
            "marks": tuple((name, value) for name, value in mail["marks"]),
            "attachments": tuple(_attachment(a) for a in mail["attachments"]),
            "faults": tuple(mail["faults"]),
        }
    )
    forms = tuple(Form(f["source"], _prefill(f["prefill"])) for f in content["forms"])
    return Reading(found, tuple(Kind(kind) for kind in content["kinds"]), forms)


def _attachment(content: dict[str, str]) -> Attachment:
    return Attachment(content["name"], content["media_type"], base64.b64decode(content["content"]))


def _prefill(content: dict[str, Any]) -> Prefill:
    sections = {int(no): text for no, text in content["sections"].items()}
    return Prefill(content["fields"], sections, tuple(content["unread"]))


def asked(task: Task, raw: bytes) -> bytes:
    """The bytes that ask the process."""
    head = orjson.dumps(asdict(task), option=orjson.OPT_NON_STR_KEYS)
    return b"".join((_LENGTH.pack(len(head)), head, _LENGTH.pack(len(raw)), raw))


def answered(data: bytes) -> bytes:
    """The bytes of its answer."""
    return _LENGTH.pack(len(data)) + data


def length(data: bytes) -> int:
    """What the eight bytes before a part say."""
    return int(_LENGTH.unpack(data)[0])


def _task(data: bytes) -> Task:
    content = orjson.loads(data)
    words = content.pop("words")
    sections = {int(no): label for no, label in words.pop("sections").items()}
    return Task(FormWords(**{**words, "ends": tuple(words["ends"])}, sections=sections), **content)


def _part(stream: BinaryIO) -> bytes:
    head = stream.read(_LENGTH.size)
    return stream.read(length(head)) if len(head) == _LENGTH.size else b""


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    def over(_signal: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _bounded(kind: Kind, content: bytes) -> str:
    with _within(_SECONDS_A_DOCUMENT):
        return text_of(kind, content)


def main() -> None:
    """Read mails from standard input until it ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    while head := _part(sys.stdin.buffer):
        task, raw = _task(head), _part(sys.stdin.buffer)
        reading = read(raw, task.words, extract=_bounded if task.documents else None)
        sys.stdout.buffer.write(answered(packed(reading)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
