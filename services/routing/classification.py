"""Which unit a text is for, and whether it looks like a complaint or a denunciation (D5, D6). Pure.

Both are proposals for a person: a unit's clock starts with the office's transfer, and the named readers decide about
what was sealed. The phrases and their weights are data of the agency's profile.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from kit.text import bare_words, without_accents

if TYPE_CHECKING:  # the profile's module reads files; this one stays free of that
    from kit.agency import ClassificationRules, FieldOfWork, SealRules

Words = tuple[str, ...]
Kind = Literal["complaint", "denunciation"]
R = TypeVar("R")

_PROFILES = 64
"""Profiles whose phrases are kept ready."""

_WORD = re.compile(r"[^\W_]+")
_WORD_OR_COMMA = re.compile(r"[^\W_]+|,")
_SENTENCE_END = re.compile(r"[.;:!?…\n\r]+")

# In Vietnamese prose two words of three carry a diacritic; a sentence with fewer than one of three was typed without.
_ACCENTED_SHARE = 1 / 3
_WORDS_TO_THE_QUESTION = 4
"""How many words may stand between a term and "ở đâu": "khiếu nại quyết định hành chính ở đâu"."""
_WORDS_FROM_THE_PROCEDURE = 12
"""How far before a term "thủ tục" is looked for."""


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


def _with_accents(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _words_and_commas(text: str, accented: bool) -> Words:
    return tuple(_WORD_OR_COMMA.findall(_with_accents(text) if accented else without_accents(text)))


# Of phrases alone, which are few; never of what a person wrote.
_phrase = lru_cache(maxsize=4096)(bare_words)
_phrase_and_commas = lru_cache(maxsize=4096)(_words_and_commas)


class _Lookup:
    """Phrases to find at a place of a text."""

    def __init__(self, phrases: Iterable[Words]) -> None:
        self._by_first_word: dict[str, list[Words]] = {}
        for phrase in sorted(set(phrases), key=len, reverse=True):
            if phrase:
                self._by_first_word.setdefault(phrase[0], []).append(phrase)

    def at(self, words: Words, place: int) -> Words | None:
        """The longest phrase that stands at `place`."""
        if place >= len(words):
            return None
        candidates = self._by_first_word.get(words[place], ())
        return next((phrase for phrase in candidates if words[place : place + len(phrase)] == phrase), None)

    def all(self, words: Words) -> Iterator[tuple[int, Words]]:
        """Every phrase with its place; the longest at a place wins and uses up its words."""
        place = 0
        while place < len(words):
            phrase = self.at(words, place)
            if phrase:
                yield place, phrase
            place += len(phrase) if phrase else 1


def _quoted(phrases: Iterable[str]) -> str:
    return ", ".join(f"“{phrase}”" for phrase in phrases)


# D5: the unit


@dataclass
class _Entry:
    """A phrase of the profile and the fields it points to; none for a neutral one."""

    phrase: str
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

    As the longest uses up its words, "Sở Khoa học và Công nghệ" (neutral) does not count as "khoa học và công nghệ".
    """
    entries, lookup = _entries(_Same(rules))
    found = dict.fromkeys(phrase for _, phrase in lookup.all(bare_words(text)))
    return tuple(entries[phrase] for phrase in found if entries[phrase].points_to)


@dataclass(frozen=True, eq=False, slots=True)
class _Same(Generic[R]):
    """A profile's rules as a cache's key, by identity: they never change, but hold mappings and so have no hash."""

    rules: R

    def __hash__(self) -> int:
        return id(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.rules is self.rules


@lru_cache(maxsize=_PROFILES)
def _entries(key: "_Same[ClassificationRules]") -> tuple[dict[Words, _Entry], _Lookup]:
    """The phrases of a profile, made once: thousands of texts are held against them."""
    rules = key.rules
    entries = {_phrase(phrase): _Entry(phrase, []) for phrase in rules.neutral}
    for field in rules.fields:
        for phrase, weight in field.phrases.items():
            entries.setdefault(_phrase(phrase), _Entry(phrase, [])).points_to.append((field, weight))
    return entries, _Lookup(entries)


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


class _Signs:
    """The rules as words, with accents or without, each made when it is first needed."""

    def __init__(self, rules: "SealRules", accented: bool) -> None:
        self._rules = rules
        self._accented = accented

    def words(self, text: str) -> Words:
        return _words_and_commas(text, self._accented)

    def _phrases(self, phrases: Iterable[str]) -> dict[Words, str]:
        return {_phrase_and_commas(phrase, self._accented): phrase for phrase in phrases}

    @cached_property
    def complaint(self) -> dict[Words, str]:
        return self._phrases(self._rules.complaint)

    @cached_property
    def denunciation(self) -> dict[Words, str]:
        return self._phrases(self._rules.denunciation)

    @cached_property
    def terms(self) -> _Lookup:
        return _Lookup([*self._phrases(self._rules.not_a_term), *self.complaint, *self.denunciation])

    @cached_property
    def asking_before(self) -> _Lookup:
        return _Lookup(_backwards(self._phrases(self._rules.asking_before)))

    @cached_property
    def between(self) -> _Lookup:
        return _Lookup(_backwards(self._phrases(self._rules.between)))

    @cached_property
    def asking_after(self) -> _Lookup:
        return _Lookup(self._phrases(self._rules.asking_after))

    @cached_property
    def against(self) -> _Lookup:
        return _Lookup(self._phrases(self._rules.against))

    @cached_property
    def own_case(self) -> _Lookup:
        return _Lookup(self._phrases(self._rules.own_case))


@lru_cache(maxsize=_PROFILES)
def _signs(key: "_Same[SealRules]") -> tuple[_Signs, _Signs]:
    """A profile's signs with accents and without."""
    return _Signs(key.rules, True), _Signs(key.rules, False)


def _backwards(phrases: Iterable[Words]) -> Iterator[Words]:
    """To be found from a term towards the sentence's beginning."""
    return (phrase[::-1] for phrase in phrases)


def looks_sealed(text: str, rules: "SealRules") -> SealFlag | None:
    """Whether `text` looks like a complaint or a denunciation; None also when it only asks about the procedure.

    A term counts as it is written where the sentence has accents ("yếu tố cao" holds no "tố cáo"), and without them
    where the sentence was typed without. Doubt seals: a person opens what was sealed wrongly.
    """
    with_accents, without = _signs(_Same(rules))
    complaints: dict[str, None] = {}
    denunciations: dict[str, None] = {}
    for sentence in _SENTENCE_END.split(text):
        signs = with_accents if _is_accented(sentence) else without
        for term in _terms_that_count(signs.words(sentence), signs):
            if term in signs.denunciation:
                denunciations[signs.denunciation[term]] = None
            elif term in signs.complaint:
                complaints[signs.complaint[term]] = None
    if denunciations:
        return _flag("denunciation", "tố cáo", denunciations)
    return _flag("complaint", "khiếu nại", complaints) if complaints else None


def _flag(kind: Kind, name: str, phrases: Iterable[str]) -> SealFlag:
    return SealFlag(kind, tuple(phrases), f"Có dấu hiệu {name}: nội dung có {_quoted(phrases)}.")


def _is_accented(sentence: str) -> bool:
    words = _WORD.findall(_with_accents(sentence))
    accented = [word for word in words if word != without_accents(word)]
    return len(accented) > len(words) * _ACCENTED_SHARE


def _terms_that_count(words: Words, signs: _Signs) -> Iterator[Words]:
    """The terms of a sentence that are not merely asked about; among them those of `not_a_term`."""
    terms = list(signs.terms.all(words))
    if not terms:
        return
    last_own_case = max((place for place, _ in signs.own_case.all(words)), default=-1)
    for start, term in terms:
        end = start + len(term)
        states_a_case = last_own_case >= end or signs.against.at(words, end) is not None
        if states_a_case or not (_asks_after(words, end, signs) or _asks_before(words, start, signs)):
            yield term


def _asks_after(words: Words, end: int, signs: _Signs) -> bool:
    """Whether a question follows soon: "tố cáo thì gửi ở đâu"."""
    soon = range(end, end + _WORDS_TO_THE_QUESTION + 1)
    return any(signs.asking_after.at(words, place) is not None for place in soon)


def _asks_before(words: Words, start: int, signs: _Signs) -> bool:
    """Whether a phrase like "thủ tục" precedes, with none but words of `between` after it: "thủ tục giải quyết …"."""
    before = words[max(0, start - _WORDS_FROM_THE_PROCEDURE) : start][::-1]
    place = 0
    while place < len(before):
        if signs.asking_before.at(before, place) is not None:
            return True
        filler = signs.between.at(before, place)
        if filler is None:
            return False
        place += len(filler)
    return False
