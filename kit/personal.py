"""What looks personal in a text that is to be made public: a guard beside whoever reads it, not instead (promise 6). Pure."""

import re
from collections.abc import Iterable, Mapping

from kit.text import bare_words

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\d/.,])(?:\+?84|0)[ .-]?\d(?:[ .-]?\d){7,9}(?![\d/])")
_IDENTITY = re.compile(r"(?<!\d)(?:\d{12}|\d{9})(?!\d)")
_SEPARATORS = re.compile(r"[ .-]")
_WHOLE = ("name", "organisation", "address")
"""Fields of a person that count when all their words stand in the text, in order; single words are too common."""


def personal_in(text: str, person: Mapping[str, str] | None = None, *, public: Iterable[str] = ()) -> tuple[str, ...]:
    """Telephone numbers, e-mail addresses, identity numbers, and what the `person` wrote about themselves, as found in `text`.

    `public` are contacts that everybody may see: the agency's own.
    """
    known = {_bare(contact) for contact in public}
    found = [match.group() for pattern in (_EMAIL, _PHONE, _IDENTITY) for match in pattern.finditer(text)]
    shown = [f"{part}" for part in found if _bare(part) not in known]
    words = f" {' '.join(bare_words(text))} "
    for name in _WHOLE:
        own = bare_words((person or {}).get(name) or "")
        if len(own) >= 2 and f" {' '.join(own)} " in words:
            shown.append((person or {})[name])
    return tuple(dict.fromkeys(shown))


def _bare(contact: str) -> str:
    return _SEPARATORS.sub("", contact).casefold()
