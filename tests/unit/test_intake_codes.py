"""The tracking code: long enough, readable, and sure to notice a slip of the pen."""

import math
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.codes import ALPHABET, LENGTH, check_symbol, code_hash, grouped, parse_code, tracking_code

codes = st.text(alphabet=ALPHABET, min_size=LENGTH - 1, max_size=LENGTH - 1).map(lambda data: data + check_symbol(data))


def test_code_has_at_least_65_bits_and_no_look_alikes() -> None:
    assert (LENGTH - 1) * math.log2(len(ALPHABET)) >= 65
    for pair in ("0O", "1I", "1L", "8B", "5S", "2Z", "6G", "UV"):
        assert not set(pair) <= set(ALPHABET)


def test_code_depends_on_key_and_registration_alone() -> None:
    registration = UUID("018f0000-0000-7000-8000-000000000001")
    assert tracking_code(b"k" * 32, registration) == tracking_code(b"k" * 32, registration)
    assert tracking_code(b"k" * 32, registration) != tracking_code(b"l" * 32, registration)
    assert len({tracking_code(b"k" * 32, uuid4()) for _ in range(1000)}) == 1000


@given(st.uuids())
def test_every_code_given_out_is_read_back(registration: UUID) -> None:
    code = tracking_code(b"k" * 32, registration)
    assert len(code.split("-")) == 4
    typed = parse_code(f"  {code.lower().replace('-', ' ')} ")
    assert typed is not None
    assert grouped(typed) == code
    assert code_hash(typed) == code_hash(code)


@given(codes, st.integers(0, LENGTH - 1), st.sampled_from(ALPHABET))
def test_one_wrong_symbol_is_noticed(code: str, position: int, symbol: str) -> None:
    if code[position] != symbol:
        assert parse_code(code[:position] + symbol + code[position + 1 :]) is None


@given(codes, st.integers(0, LENGTH - 1), st.integers(0, LENGTH - 1))
def test_two_symbols_exchanged_are_noticed(code: str, i: int, j: int) -> None:
    if code[i] != code[j]:
        symbols = list(code)
        symbols[i], symbols[j] = symbols[j], symbols[i]
        assert parse_code("".join(symbols)) is None


@pytest.mark.parametrize("typed", ["", "ABCD", "O" * 16, "A" * 17, "mã tra cứu", "\x00" * 16])
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert parse_code(typed) is None
