"""The tracking code: the registrant's secret, and its shape.

Sixteen symbols in four groups of four: fifteen from an HMAC of the registration's id (15 · log2 23 = 67.8 bits) and one check
symbol. The alphabet holds the letters that Vietnamese names clearly and no two symbols that look alike (no 0/O, 1/I/L, B/8,
S/5, Z/2, G/6, U/V). 23 is prime and the weights differ, so the check finds every single wrong symbol and every swap of two.
Nobody stores a code: it is computed from the id, and found again by the hash of what a person types.
"""

import hmac
from hashlib import sha256
from operator import mul
from uuid import UUID

ALPHABET = "ACDEHKMNPQRTUXY23456789"
_BASE = len(ALPHABET)
_VALUE = {symbol: value for value, symbol in enumerate(ALPHABET)}
_DATA = 15
_CODES = _BASE**_DATA
LENGTH = _DATA + 1
_INVERSE = pow(LENGTH, -1, _BASE)
_WEIGHTS = range(1, LENGTH)
_READ_AS = str.maketrans({"Đ": "D", "Ê": "E", "Â": "A", "Ă": "A", "Ư": "U"})


def tracking_code(secret: bytes, registration: UUID) -> str:
    """The code of a registration, grouped for reading aloud: XXXX-XXXX-XXXX-XXXX."""
    number = int.from_bytes(hmac.digest(secret, registration.bytes, "sha256"), "big") % _CODES  # small numbers divide faster
    symbols = []
    for _ in range(_DATA):
        number, value = divmod(number, _BASE)
        symbols.append(ALPHABET[value])
    data = "".join(symbols)
    return grouped(data + check_symbol(data))


def check_symbol(data: str) -> str:
    """The symbol that makes the weighted sum of all sixteen a multiple of 23 (weights 1 to 16)."""
    total = sum(map(mul, _WEIGHTS, map(_VALUE.__getitem__, data)))
    return ALPHABET[-total * _INVERSE % _BASE]


def grouped(code: str) -> str:
    """Four groups of four."""
    return f"{code[:4]}-{code[4:8]}-{code[8:12]}-{code[12:]}"


def parse_code(typed: str) -> str | None:
    """The sixteen symbols a person meant, whatever case, spaces and dashes they used; None if they cannot be a code."""
    code = "".join(c for c in typed.upper() if not c.isspace() and c not in "-–—.").translate(_READ_AS)
    if len(code) != LENGTH or any(symbol not in _VALUE for symbol in code):
        return None
    return code if check_symbol(code[:_DATA]) == code[_DATA] else None


def code_hash(code: str) -> bytes:
    """What a registration is found by: SHA-256 of the sixteen symbols (dashes or not). Codes are random, so no salt is needed."""
    return sha256(code.replace("-", "").encode()).digest()
