"""Which unit a text is for, and whether it looks like a complaint or a denunciation (D5, D6). Pure.

Both are proposals for a person: a unit's clock starts with the office's transfer, and the named readers decide about
what was sealed. The phrases and their weights are data of the agency's profile.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the profile's module reads files; this one stays free of that
    from kit.agency import ClassificationRules, FieldOfWork, SealRules

Words = tuple[str, ...]
Kind = Literal["complaint", "denunciation"]

_BARE_D = {"đ": "d", "ð": "d"}  # ð is what some keyboards type for đ

_WORD = re.compile(r"[^\W_]+")
_WORD_OR_COMMA = re.compile(r"[^\W_]+|,")
_SENTENCE_END = re.compile(r"[.;:!?…\n\r]+")

# In Vietnamese prose two words of three carry a diacritic; a sentence with fewer than one of three was typed without.
_ACCENTED_SHARE = 1 / 3
_WORDS_TO_THE_QUESTION = 4
"""How many words may stand between a term and "ở đâu": "khiếu nại quyết định hành chính ở đâu"."""


@dataclass(frozen=True)
class Proposal:
    """A unit for a text; `unit` and `field` are None when a person has to decide (triage).

    `confidence` lies between 0 and 1 and is told in triage too. `phrases` are those of the profile that were found, so
    they hold nothing personal.
    """

    unit: str | None
    field: str | None
    confidence: float
    phrases: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class SealFlag:
    """Why a question is sealed at once. A denunciation outweighs a complaint, as its rules are the stricter."""

    kind: Kind
    phrases: tuple[str, ...]
    reason: str


# Text


def without_accents(text: str) -> str:
    """Small letters without diacritics, đ as d: "Đo lường" → "do luong". Doing it twice changes nothing."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(_BARE_D.get(letter, letter) for letter in letters if not unicodedata.combining(letter))


def _with_accents(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


@lru_cache(maxsize=4096)
def _bare_phrase(phrase: str) -> Words:
    return tuple(_WORD.findall(without_accents(phrase)))


@lru_cache(maxsize=4096)
def _phrase(phrase: str, *, accented: bool) -> Words:
    return _words_and_commas(phrase, accented=accented)


def _words_and_commas(text: str, *, accented: bool) -> Words:
    return tuple(_WORD_OR_COMMA.findall(_with_accents(text) if accented else without_accents(text)))


def _starts_at(words: Words, place: int, phrase: Words) -> bool:
    return bool(phrase) and words[place : place + len(phrase)] == phrase


def _quoted(phrases: Iterable[str]) -> str:
    return ", ".join(f"“{phrase}”" for phrase in phrases)


# D5: the unit


@dataclass
class _Entry:
    """A phrase of the profile: its words without accents, and the fields it points to; none for a neutral one."""

    phrase: str
    words: Words
    points_to: list[tuple["FieldOfWork", float]]


def classify(section_default: str | None, text: str, rules: "ClassificationRules") -> Proposal:
    """Propose a unit for `text`; `section_default` is the unit of the form's section, if it has one.

    Each phrase found counts once with its weight, for the unit of its field; the section's own unit starts with
    `section_weight`. Confidence = best ÷ (sum of all + `doubt`); below `threshold` a person decides.
    """
    found = _found(text, rules)
    phrases = tuple(entry.phrase for entry in found)
    scores = _scores(section_default, found, rules.section_weight)
    if not scores:
        return Proposal(None, None, 0.0, phrases, "Chưa có căn cứ để đề xuất đơn vị.")
    best = max(scores, key=lambda unit: (scores[unit], unit == section_default))
    confidence = scores[best] / (sum(scores.values()) + rules.doubt)
    if confidence < rules.threshold:
        reason = f"Nội dung có {_quoted(phrases)} nhưng chưa đủ rõ thuộc đơn vị nào." if phrases else "Chưa đủ căn cứ."
        return Proposal(None, None, confidence, phrases, reason)
    return Proposal(best, _field(best, found, rules), confidence, phrases, _reason(best, section_default, found))


def _found(text: str, rules: "ClassificationRules") -> tuple[_Entry, ...]:
    """The phrases in `text` that point somewhere, in order of appearance, each once.

    The longest phrase at a place uses up its words, so "Sở Khoa học và Công nghệ" (neutral) does not count as
    "khoa học và công nghệ".
    """
    index = _index(rules)
    words = tuple(_WORD.findall(without_accents(text)))
    found: dict[Words, _Entry] = {}
    place = 0
    while place < len(words):
        entry = next((e for e in index.get(words[place], ()) if _starts_at(words, place, e.words)), None)
        if entry and entry.points_to:
            found.setdefault(entry.words, entry)
        place += len(entry.words) if entry else 1
    return tuple(found.values())


def _index(rules: "ClassificationRules") -> Mapping[str, list[_Entry]]:
    """Every phrase under its first word, the longest first."""
    entries = {words: _Entry(phrase, words, []) for phrase in rules.neutral if (words := _bare_phrase(phrase))}
    for field in rules.fields:
        for phrase, weight in field.phrases.items():
            if words := _bare_phrase(phrase):
                entries.setdefault(words, _Entry(phrase, words, [])).points_to.append((field, weight))
    index: dict[str, list[_Entry]] = {}
    for entry in sorted(entries.values(), key=lambda entry: len(entry.words), reverse=True):
        index.setdefault(entry.words[0], []).append(entry)
    return index


def _scores(section_default: str | None, found: Iterable[_Entry], section_weight: float) -> dict[str, float]:
    scores = {section_default: section_weight} if section_default and section_weight else {}
    for entry in found:
        for field, weight in entry.points_to:
            scores[field.unit] = scores.get(field.unit, 0.0) + weight
    return scores


def _field(unit: str, found: Iterable[_Entry], rules: "ClassificationRules") -> str | None:
    """The field within `unit` that the text points to most; without a phrase, the unit's only field."""
    weights = {field.code: 0.0 for field in rules.fields if field.unit == unit}
    for entry in found:
        for field, weight in entry.points_to:
            if field.unit == unit:
                weights[field.code] += weight
    best = max(weights, key=lambda code: weights[code], default=None)
    return best if best is not None and (weights[best] or len(weights) == 1) else None


def _reason(unit: str, section_default: str | None, found: Iterable[_Entry]) -> str:
    phrases = [entry.phrase for entry in found if any(field.unit == unit for field, _ in entry.points_to)]
    if unit != section_default:
        aside = ", khác với mục đã chọn trên phiếu" if section_default else ""
        return f"Nội dung có {_quoted(phrases)}{aside}."
    return f"Theo mục của phiếu; nội dung có {_quoted(phrases)}." if phrases else "Theo mục của phiếu."


# D6: complaints and denunciations


@dataclass(frozen=True)
class _Term:
    phrase: str
    kind: Kind
    start: int
    end: int


def looks_sealed(text: str, rules: "SealRules") -> SealFlag | None:
    """Whether `text` looks like a complaint or a denunciation; None also when it only asks about the procedure.

    A term counts as it is written where the sentence has accents ("yếu tố cao" holds no "tố cáo"), and without them
    where the sentence was typed without. Doubt seals: a person opens what was sealed wrongly.
    """
    terms = [term for sentence in _SENTENCE_END.split(text) for term in _terms_that_count(sentence, rules)]
    if not terms:
        return None
    kind: Kind = "denunciation" if any(term.kind == "denunciation" for term in terms) else "complaint"
    phrases = tuple(dict.fromkeys(term.phrase for term in terms if term.kind == kind))
    what = "tố cáo" if kind == "denunciation" else "khiếu nại"
    return SealFlag(kind, phrases, f"Có dấu hiệu {what}: nội dung có {_quoted(phrases)}.")


def _terms_that_count(sentence: str, rules: "SealRules") -> Iterator[_Term]:
    accented = _is_accented(sentence)
    words = _words_and_commas(sentence, accented=accented)
    for term in _terms(words, rules, accented=accented):
        if not _only_asked_about(words, term, rules, accented=accented):
            yield term


def _is_accented(sentence: str) -> bool:
    words = _WORD.findall(_with_accents(sentence))
    accented = [word for word in words if word != without_accents(word)]
    return len(accented) > len(words) * _ACCENTED_SHARE


def _terms(words: Words, rules: "SealRules", *, accented: bool) -> Iterator[_Term]:
    """The terms in a sentence; the longest at a place wins, and `not_a_term` uses up its words."""
    kinds: dict[str, Kind | None] = {
        **dict.fromkeys(rules.not_a_term),
        **dict.fromkeys(rules.complaint, "complaint"),
        **dict.fromkeys(rules.denunciation, "denunciation"),
    }
    longest_first = sorted(kinds, key=lambda phrase: len(_phrase(phrase, accented=accented)), reverse=True)
    place = 0
    while place < len(words):
        phrase = _phrase_at(words, place, longest_first, accented=accented)
        if phrase is None:
            place += 1
            continue
        end = place + len(_phrase(phrase, accented=accented))
        if kind := kinds[phrase]:
            yield _Term(phrase, kind, place, end)
        place = end


def _phrase_at(words: Words, place: int, phrases: Iterable[str], *, accented: bool) -> str | None:
    return next((p for p in phrases if _starts_at(words, place, _phrase(p, accented=accented))), None)


def _only_asked_about(words: Words, term: _Term, rules: "SealRules", *, accented: bool) -> bool:
    """Whether the sentence asks about the procedure ("thủ tục giải quyết khiếu nại", "tố cáo thì gửi ở đâu")."""
    if _phrase_at(words, term.end, rules.against, accented=accented) is not None:
        return False
    rest = range(term.end, len(words))
    if any(_phrase_at(words, place, rules.own_case, accented=accented) is not None for place in rest):
        return False
    soon = rest[: _WORDS_TO_THE_QUESTION + 1]
    if any(_phrase_at(words, place, rules.asking_after, accented=accented) is not None for place in soon):
        return True
    return _is_asked_before(words[: term.start], rules, accented=accented)


def _is_asked_before(before: Words, rules: "SealRules", *, accented: bool) -> bool:
    """Whether `before` ends in a phrase like "thủ tục", with nothing after it but words of `between`."""
    asking = [_phrase(phrase, accented=accented) for phrase in rules.asking_before]
    between = [_phrase(phrase, accented=accented) for phrase in rules.between]
    while before:
        if any(_ends_with(before, phrase) for phrase in asking):
            return True
        filler = next((phrase for phrase in between if _ends_with(before, phrase)), None)
        if filler is None:
            return False
        before = before[: -len(filler)]
    return False


def _ends_with(words: Words, phrase: Words) -> bool:
    return bool(phrase) and words[-len(phrase) :] == phrase
