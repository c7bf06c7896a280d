"""Vietnamese text as it is compared and searched: without accents, word by word. Pure."""

import re
import unicodedata

_BARE_D = {"đ": "d", "ð": "d"}  # ð is what some keyboards type for đ
_WORD = re.compile(r"[^\W_]+")


def without_accents(text: str) -> str:
    """Small letters without diacritics, đ as d: "Đo lường" → "do luong". Doing it twice changes nothing."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(_BARE_D.get(letter, letter) for letter in letters if not unicodedata.combining(letter))


def bare_words(text: str) -> tuple[str, ...]:
    """The words without accents, in order: "Đo lường, thử" → ("do", "luong", "thu")."""
    return tuple(_WORD.findall(without_accents(text)))
