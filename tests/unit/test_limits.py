"""Counting in windows, and who is counted as one."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import TooMany
from kit.limits import Limits, network_of


class Unused:
    """A collection that nothing is asked of."""

    def with_options(self, **_: Any) -> "Unused":
        return self


class Hand:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def limits(clock: Hand, **rates: str) -> Limits:
    return Limits(cast(Any, Unused()), b"secret", rates, clock)


def passed(limits: Limits, name: str, who: str, times: int) -> int:
    count = 0
    for _ in range(times):
        try:
            limits.count(name, who)
        except TooMany:
            continue
        count += 1
    return count


def test_as_many_as_the_rate_says_and_again_in_the_next_window() -> None:
    clock = Hand()
    one = limits(clock, form="3/minute")
    assert passed(one, "form", "a", 10) == 3
    assert passed(one, "form", "b", 10) == 3, "others are not concerned"
    clock.now += 60
    assert passed(one, "form", "a", 10) == 3


def test_the_strictest_of_several_rates_decides() -> None:
    clock = Hand()
    one = limits(clock, form="2/second;5/minute")
    total = 0
    for _ in range(10):
        total += passed(one, "form", "a", 4)
        clock.now += 1
    assert total == 5


def test_the_answer_says_how_long_to_wait() -> None:
    clock = Hand()
    clock.now = 60 * 1000 + 48.0
    one = limits(clock, form="1/minute")
    one.count("form", "a")
    with pytest.raises(TooMany) as refused:
        one.count("form", "a")
    assert refused.value.retry_after == 12


def test_no_rate_is_no_limit() -> None:
    assert passed(limits(Hand(), form=""), "form", "a", 1000) == 1000


def test_a_window_is_forgotten_whole() -> None:
    clock = Hand()
    one = limits(clock, form="3/minute")
    passed(one, "form", "a", 1)
    (rate,) = one._rates["form"]
    assert len(rate._here) == 1
    clock.now += 60
    one.check("form", "b")
    assert not rate._here


def test_asking_counts_nothing_and_says_the_same() -> None:
    one = limits(Hand(), form="2/minute")
    for _ in range(5):
        one.check("form", "a")
    assert passed(one, "form", "a", 5) == 2
    with pytest.raises(TooMany):
        one.check("form", "a")


def test_a_flood_of_one_name_leaves_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.limits._MOST_KEPT", 10)
    one = limits(Hand(), form="1/hour", contact="1/hour", all="25/hour")
    for n in range(20):
        one.count("form", f"flood {n}")
    assert passed(one, "form", "somebody new", 3) == 3, "beyond what is kept nobody is counted alone"
    assert passed(one, "contact", "a", 3) == 1
    assert passed(one, "all", "", 30) == 25


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_itself_however_it_is_written(address: Any) -> None:
    assert network_of(str(address)) == network_of(f"::ffff:{address}") == str(address)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_ipv6_customers_are_counted_by_their_network(one: int, other: int) -> None:
    base = 0x20010DB8 << 96
    from ipaddress import IPv6Address

    assert network_of(str(IPv6Address(base + one))) == network_of(str(IPv6Address(base + other))) == "2001:db8::"


def test_what_is_no_address_stays_as_it_is() -> None:
    assert network_of("testclient") == "testclient"
