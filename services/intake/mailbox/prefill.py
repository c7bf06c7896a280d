"""Reading a filled form out of text by the labels of the agency's own form (D2). Pure.

Labels are compared without accents, case and punctuation; a label opens a line, or follows a gap. Fields are looked for before
the first section only, each label counts once, and sections come in the form's order: so whatever a person writes into a section
stays there. What is not found is named, never guessed.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from services.intake.mailbox.mime import tidy

_WORD = re.compile(r"[^\W_]+")
_LEADER = re.compile(r"(?:\.[ \t]?){4,}|(?:…[ \t]?){2,}|_{3,}|…(?=[ \t]*(?:\n|$))")
_GAP = re.compile(r"\t| {3,}|\.{4,}|…|_{3,}")
_ENDS = re.compile(r"[ \t]*(?:\([^()\n]{0,60}\))?[ \t]*(?:[:：]|\.{2,}|…|_{2,}|\t|\n|$)")
_OPENING = re.compile(r"[ \t]*(?:\([^()\n]{0,60}\)(?=[ \t]*[:：]))?[ \t]*[:：]?")
_DATE_LINE = re.compile(r"[^\n]{0,60}\bngày\b[^\n]{0,20}\btháng\b[^\n]{0,20}\bnăm\b[^\n]{0,20}", re.IGNORECASE)
_BULLET = re.compile(r"\s*(?:[-+*•–]|\d{1,2}[.)]|[a-zđ][.)])\s", re.IGNORECASE)
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "name": ("Họ và tên", "Họ tên", "Họ về tên", "Họ, tên", "Người đăng ký", "Tên người đại diện"),
    "address": ("Nơi thường trú", "Địa chỉ", "Địa chỉ liên hệ", "Địa chỉ thường trú", "Nơi ở"),
    "phone": ("Điện thoại liên hệ", "Điện thoại", "Số điện thoại", "Số điện thoại liên hệ", "ĐT", "SĐT", "Di động"),
    "email": ("Email", "E-mail", "Thư điện tử", "Địa chỉ email", "Địa chỉ thư điện tử"),
    "organisation": (
        "Tên cơ quan, tổ chức, doanh nghiệp, hợp tác xã",
        "Tên tổ chức, doanh nghiệp",
        "Tên doanh nghiệp",
        "Tên tổ chức",
    ),
}
_LONGEST_PRINTED = 120
_OPENING_WORDS = 6
"""So much of a printed sentence tells it from what a person wrote."""


@dataclass(frozen=True, slots=True)
class FormWords:
    """What of an agency's form tells where an answer begins and ends: `fields` key → label, `sections` number → label; `ends` are
    printed sentences around them.
    """

    title: str
    fields: Mapping[str, str]
    sections: Mapping[int, str]
    signature: str = ""
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prefill:
    """A form as far as it could be read. `unread`: fields and sections (`sections.2`) whose label was not found at all."""

    fields: Mapping[str, str]
    sections: Mapping[int, str]
    unread: tuple[str, ...] = ()

    @property
    def blank(self) -> bool:
        """The form that nobody filled in."""
        return not self.fields and not self.sections


@dataclass(frozen=True, slots=True)
class _Word:
    folded: str
    start: int
    end: int
    opens_line: bool
    after_gap: bool


@dataclass(frozen=True, slots=True)
class _Mark:
    """A label in the text: what it stands for ("" ends an answer without beginning one), where it starts and ends."""

    key: str
    start: int
    end: int


def read_forms(text: str, words: FormWords, *, wrapped: bool = False) -> tuple[Prefill, ...]:
    """Every form in the text, blank ones too; two labels at least make one. `wrapped`: lines end where the paper does (PDF)."""
    found = (_read_one(part, words, wrapped) for part in _split(tidy(text), words.title))
    return tuple(form for form in found if form is not None)


class _Folding(dict[int, str]):
    """Each letter without accent and case, one for one, so that places in the folded text are places in the text."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFD", chr(code).casefold().replace("đ", "d"))
        bare = "".join(c for c in plain if not unicodedata.combining(c))
        self[code] = bare if len(bare) == 1 else chr(code)
        return self[code]


_FOLDING = _Folding()


def folded(text: str) -> str:
    """Without accents and case, as long as it was: "Đối thoại" → "doi thoai"."""
    return text.translate(_FOLDING)


@lru_cache(maxsize=256)
def _label(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(folded(unicodedata.normalize("NFC", text))))


@lru_cache(maxsize=64)
def _alone(text: str) -> re.Pattern[str]:
    """A line that holds these words and no other."""
    return re.compile(r"^[^\w\n]*" + r"[^\w\n]+".join(_label(text)) + r"[^\w\n]*$", re.MULTILINE)


def _split(text: str, title: str) -> Iterator[str]:
    """The text of each form: a new one begins with its title on a line of its own."""
    starts = [0, *(match.start() for match in _alone(title).finditer(folded(text))), len(text)]
    for start, end in pairwise(starts):
        yield text[start:end]


def _read_one(text: str, words: FormWords, wrapped: bool) -> Prefill | None:
    marks = list(_marks(text, words))
    keys = [mark.key for mark in marks if mark.key]
    if len(keys) < 2:
        return None
    fields: dict[str, str] = {}
    sections: dict[int, str] = {}
    for mark, following in zip(marks, [*marks[1:], _Mark("", len(text), len(text))], strict=True):
        value = text[mark.end : following.start]
        if mark.key.startswith("sections."):
            if answer := _section(value, wrapped):
                sections[int(mark.key.partition(".")[2])] = answer
        elif mark.key and (line := _line(value, wrapped and mark.key in ("name", "address", "organisation"))):
            fields[mark.key] = line
    printed = [*words.fields, *(f"sections.{no}" for no in words.sections)]
    return Prefill(fields, sections, tuple(key for key in printed if key not in keys))


def _words_of(text: str) -> list[_Word]:
    found: list[_Word] = []
    end = 0
    for match in _WORD.finditer(folded(text)):
        start = match.start()
        between = text[end:start]
        spaced = between == " "  # as between most words
        opens = not spaced and "\n" in between
        gap = not spaced and bool(_GAP.search(between))
        end = match.end()
        found.append(_Word(match[0], start, end, opens or not found, gap))
    return found


def _marks(text: str, words: FormWords) -> Iterator[_Mark]:
    stream = _words_of(text)
    fields = _field_labels(words)
    begins_field = {label[0] for label, _ in fields}
    seen: set[str] = set()
    last_section = 0
    skip_until = 0
    for index, word in enumerate(stream):
        if word.start < skip_until or not (word.opens_line or (word.after_gap and not last_section)):
            continue
        if word.opens_line:
            if section := _section_at(text, stream, index, words.sections, last_section):
                last_section, skip_until = section
                yield _Mark(f"sections.{last_section}", word.start, skip_until)
                continue
            if _ends_here(text, stream, index, words):
                line_end = text.find("\n", word.start)
                skip_until = len(text) if line_end < 0 else line_end
                line_start = text.rfind("\n", 0, word.start) + 1  # its bullet or asterisk belongs to no answer either
                yield _Mark("", line_start, word.start)
                continue
        if last_section == 0 and word.folded in begins_field:
            for label, key in fields:
                end = _match(stream, index, label, folds=False)
                if key not in seen and end and _ENDS.match(text, end):
                    seen.add(key)
                    skip_until = end
                    yield _Mark(key, word.start, end)
                    break


def _field_labels(words: FormWords) -> list[tuple[tuple[str, ...], str]]:
    """Labels with their keys, the longest first; the form's own before common other wordings."""
    own = {_label(label): key for key, label in words.fields.items()}
    others = {_label(label): key for key, labels in _ALIASES.items() for label in labels}
    return sorted((others | own).items(), key=lambda pair: -len(pair[0]))


def _match(stream: Sequence[_Word], index: int, label: tuple[str, ...], *, folds: bool = True) -> int:
    """Where the label ends that begins at this word; 0 if it does not. `folds`: it may go on in the next line, as long ones."""
    if not label or index + len(label) > len(stream):
        return 0
    for offset, wanted in enumerate(label):
        word = stream[index + offset]
        if word.folded != wanted or (offset and (word.after_gap or (word.opens_line and not folds))):
            return 0
    return stream[index + len(label) - 1].end


def _section_at(text: str, stream: Sequence[_Word], index: int, sections: Mapping[int, str], last: int) -> tuple[int, int] | None:
    """Number and end of a section's label at this word; sections that were passed are not begun again."""
    for no, label in sections.items():
        if no <= last:
            continue
        words = _label(label)
        if stream[index].folded not in (str(no), words[0], "muc"):
            continue
        for wanted in ((str(no), *words), words, ("muc", str(no), *words), ("muc", str(no))):
            end = _match(stream, index, wanted)
            if end and _ENDS.match(text, end):
                return no, end
    return None


def _ends_here(text: str, stream: Sequence[_Word], index: int, words: FormWords) -> bool:
    """A printed line that belongs to no answer: the introduction, the note, place and date, the place for the signature."""
    ends = (_label(end)[:_OPENING_WORDS] for end in words.ends)
    if any(len(end) == _OPENING_WORDS and _match(stream, index, end) for end in ends):
        return True
    start = stream[index].start
    line_end = text.find("\n", start)
    line = text[start : len(text) if line_end < 0 else line_end].strip()
    if len(line) > _LONGEST_PRINTED:
        return False
    if " năm " in line and _DATE_LINE.fullmatch(line):
        return True
    return bool(words.signature) and bool(_alone(words.signature).fullmatch(folded(line)))


def _line(value: str, wrapped: bool) -> str:
    """A field's answer: the rest of its line, or the next one; where lines are those of the paper, its further lines as well."""
    lines = [" ".join(_LEADER.sub(" ", line).split()) for line in value[_opening(value) :].split("\n")]
    start = next((n for n, line in enumerate(lines) if line), None)
    if start is None or (start > 2 and not wrapped):
        return ""
    if not wrapped:
        return lines[start]
    answer: list[str] = []
    for line in lines[start:]:
        if not line:
            break
        answer.append(line)
    return " ".join(answer)


def _opening(value: str) -> int:
    """Where an answer begins: after the colon, and what is printed in brackets before it."""
    found = _OPENING.match(value)
    return found.end() if found else 0


def _section(value: str, wrapped: bool) -> str:
    """A section's answer, without the dotted lines, and the tab that draws one in our own form."""
    lines = [line.lstrip("\t") for line in value[_opening(value) :].split("\n")]
    kept = [_LEADER.sub(" ", line).rstrip() if _LEADER.search(line) else line.rstrip() for line in lines]
    kept = [line for line, was in zip(kept, lines, strict=True) if line.strip() or not was.strip()]
    if wrapped:
        kept = list(_joined(line.strip() for line in kept))
    return "\n".join(kept).strip()


def _joined(lines: Iterator[str]) -> Iterator[str]:
    """Lines of a paper as paragraphs; what begins with a bullet or a number stays a line."""
    paragraph = ""
    for line in lines:
        if paragraph and line and not _BULLET.match(line):
            paragraph = f"{paragraph} {line}"
        else:
            if paragraph:
                yield paragraph
            paragraph = line
    if paragraph:
        yield paragraph
