"""What the public site shows and how it is found: published answers, procedures, countdowns, maps. Pure.

A published answer is found by keys that are kept beside it: every beginning of every word without accents, so that a search is a
few equalities and needs no text engine; every pair of neighbouring words of the question, for "Ông/Bà muốn hỏi…"; and marks
(`nam:2026`, `muc:…`, `hoi-nghi:…`). No word holds a space or a colon, so the three kinds cannot be taken for each other.
"""

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from uuid import UUID

from contracts.model import QuestionStateData
from kit.agency import Agency, Contacts, Procedure
from kit.calendar import WorkCalendar
from kit.clock import format_date_long, format_moment_long, format_time, local_date
from kit.text import bare_words

ALL = ""
"""The key that every published answer has."""
LONGEST = 16
"""Letters of a word that count; no Vietnamese syllable has more than seven."""
MOST_TERMS = 8
MOST_PAIRS = 40
TYPED = 2_000
"""Characters of a text being typed that are looked at: the last ones."""
SUGGESTED = 3
_COMMON = frozenset(
    " ".join(bare_words(words))
    for words in (
        "thủ tục", "tục hành", "hành chính", "đề nghị", "nghị sở", "khoa học", "học và", "và công", "công nghệ", "sở khoa",
        "quy định", "hồ sơ", "như thế", "thế nào", "cần những", "những gì", "giải quyết", "thực hiện", "hướng dẫn", "cho tôi",
        "tôi muốn",
        "muốn hỏi", "xin hỏi", "cho hỏi", "ông bà", "chúng tôi", "công ty", "doanh nghiệp", "của tôi", "thời gian", "cơ quan",
    )
)  # fmt: skip
"""Pairs of words that any question may hold and that tell nothing about it."""


# Published answers


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with its answer, as everybody may read it."""

    id: str
    section: str
    question: str
    answer: str
    answered_on: date
    """By which it is filed, and stands among the others."""
    published_on: date
    dialogue: str | None = None


def public_id(question: UUID) -> str:
    """The address of a published answer. The question's own id stays inside: it leads to the registration it came from."""
    digest = hashlib.blake2b(question.bytes, digest_size=8, person=b"hoi-dap").digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def published(question: UUID, state: QuestionStateData) -> Mapping[str, Any] | None:
    """What is kept beside a question's state while it is public: its address, the day of the answer, the keys. None: it is not
    public.
    """
    if state.sealed or not (state.public_question and state.public_answer and state.published_on):
        return None
    heading = state.public_field or state.section_title or ""
    answered_on = state.outcome_on or state.published_on
    marks = [ALL, year_mark(answered_on.year), section_mark(heading)]
    if state.dialogue:
        marks.append(dialogue_mark(state.dialogue))
    texts = (heading, state.public_question, state.public_answer)
    keys = {*marks, *beginnings(texts), *pairs(state.public_question)}
    return {"id": public_id(question), "on": answered_on.isoformat(), "keys": sorted(keys)}


def beginnings(texts: Iterable[str]) -> set[str]:
    """Every beginning of every word: what somebody may have typed of it so far."""
    words = {word[:LONGEST] for text in texts for word in bare_words(text)}
    return {word[:n] for word in words for n in range(1, len(word) + 1)}


def terms(typed: str) -> list[str]:
    """The keys that an answer must have, all of them, to be found by what was typed; in any order, with or without accents."""
    return list(dict.fromkeys(word[:LONGEST] for word in bare_words(typed)))[:MOST_TERMS]


def pairs(text: str) -> list[str]:
    """Telling pairs of neighbouring words, in order: "nhãn hiệu tập thể" → nhan hieu, hieu tap, tap the."""
    found = (f"{a[:LONGEST]} {b[:LONGEST]}" for a, b in pairwise(bare_words(text)))
    return [pair for pair in dict.fromkeys(found) if pair not in _COMMON]


def typed_pairs(typed: str) -> list[str]:
    """The pairs to look for while somebody types."""
    return pairs(typed[-TYPED:])[-MOST_PAIRS:]


def likest(typed: Sequence[str], candidates: Sequence[Answer]) -> list[Answer]:
    """The few candidates whose question is most like what is typed; at least two pairs in common.

    A pair that many candidates have says little; a long question has many pairs by chance.
    """
    wanted = set(typed)
    having = [(answer, set(pairs(answer.question))) for answer in candidates]
    seen = Counter(pair for _, found in having for pair in found & wanted)
    scored: list[tuple[float, Answer]] = []
    for answer, found in having:
        shared = found & wanted
        if len(shared) >= 2:
            weight = sum(math.log(1 + len(having) / seen[pair]) for pair in shared)
            scored.append((weight / math.sqrt(len(found)), answer))
    scored.sort(key=lambda pair: (-pair[0], pair[1].id))
    return [answer for _, answer in scored[:SUGGESTED]]


def year_mark(year: int) -> str:
    return f"nam:{year}"


def section_mark(title: str) -> str:
    """By its title: sections are numbered anew when a form changes."""
    return f"muc:{'-'.join(bare_words(title))}"


def headings(agency: Agency) -> dict[str, str]:
    """What published answers are filed under, by the value of the filter: the sections of the form by number; then fields of work
    that no section stands for, under which feedback is found (K2).
    """
    form = agency.form
    sections = {str(section.no): section.label for section in form.sections}
    fields = [field.name for field in agency.classification.fields if form.of_unit(field.unit) is None]
    fields += [procedure.field for procedure in agency.procedures if form.of_unit(procedure.unit) is None]
    return sections | {"-".join(bare_words(name)): name for name in fields}


def dialogue_mark(dialogue: str) -> str:
    return f"hoi-nghi:{dialogue}"


# Procedures (K4)


def fields_of(procedures: Iterable[Procedure]) -> list[str]:
    """The fields of work in the order of the list."""
    return list(dict.fromkeys(procedure.field for procedure in procedures))


def matching(procedures: Iterable[Procedure], typed: str, field: str = "") -> list[Procedure]:
    """Procedures that hold every word typed (or begin one with it), in any order and without accents, by name, field and code."""
    wanted = set(terms(typed))
    return [
        procedure
        for procedure in procedures
        if (not field or procedure.field == field)
        and wanted <= beginnings((procedure.name, procedure.field, procedure.code, procedure.decision))
    ]


# Countdown and map


@dataclass(frozen=True, slots=True)
class Countdown:
    """How long there is still, in words, and how that was counted."""

    left: str
    explanation: str


def countdown(calendar: WorkCalendar, now: datetime, until: datetime | None) -> Countdown | None:
    """Until the last minute in time; None when there is none or it has passed."""
    if until is None or now > until:
        return None
    today, last = local_date(now), local_date(until)
    if today == last:
        return Countdown("hôm nay là ngày cuối", f"Nhận đến hết {format_time(until)}, {format_date_long(last)}.")
    left = calendar.days_left(today, last)
    free = [f"{left.weekend_days} ngày thứ Bảy, Chủ nhật"] if left.weekend_days else []
    free += [calendar.describe(day) for day in left.days_off]
    without = f"; không tính {', '.join(free)}" if free else ""
    years = " và ".join(map(str, calendar.provisional_years(today + timedelta(days=1), last)))
    provisional = f" (dự kiến, vì lịch nghỉ năm {years} chưa được xác nhận)" if years else ""
    return Countdown(
        f"còn {left.calendar_days} ngày",
        f"Tính từ ngày mai đến {format_moment_long(until)}: {left.calendar_days} ngày, trong đó {left.working_days} ngày "
        f"làm việc{provisional}{without}. Thời điểm đã công bố không dời, kể cả khi rơi vào ngày nghỉ.",
    )


_MAP = "https://www.openstreetmap.org/"


def map_link(place: str, contacts: Contacts) -> str:
    """A plain link to a map: the agency's own position for a place at its address, else a search; "" without a place.

    A map knows streets and towns, not halls and floors, so only the end of an address is searched for.
    """
    if not place.strip():
        return ""
    parts = [part.strip() for part in place.split(",") if part.strip()]
    own = {bare_words(part) for part in contacts.address.split(",")}
    if contacts.position is not None and any(bare_words(part) in own for part in parts[:-1] or parts):
        at = f"{contacts.position.latitude:.5f}", f"{contacts.position.longitude:.5f}"
        return f"{_MAP}?mlat={at[0]}&mlon={at[1]}#map=17/{at[0]}/{at[1]}"
    return f"{_MAP}search?query={quote(', '.join(parts[-3:]))}"
