"""How often somebody may ask: counted in each process, merged through MongoDB once a second.

Asking MongoDB at each request would cost as much as keeping a registration. So somebody who finds N processes may for about a
second ask N times as often; after that they count together.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil

from limits import RateLimitItem, parse_many
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from prometheus_client import Counter as Metric
from pymongo import IndexModel, UpdateOne
from pymongo.errors import PyMongoError

from kit.errors import TooMany
from kit.logging import get_logger
from kit.mongo import FAST, Collection, CollectionSpec

SPEC = CollectionSpec("rates", (IndexModel([("ends", 1)], name="ended", expireAfterSeconds=60),))
LIMITED = Metric("requests_limited_total", "Requests refused because there were too many of them", ["what"])

MERGE_EVERY = 1.0
_MOST_MERGED = 1_000
"""Keys of a window that are merged at once, the busiest first."""
_MOST_KEPT = 100_000
"""Keys of a window that are counted; whoever comes after them in a flood is counted only where all are counted together."""
_NETWORK = 64
"""Bits of an IPv6 address that name a customer; the rest they choose themselves."""


@dataclass(slots=True)
class _Window:
    """A span of time: what was counted here, what of that is not merged yet, and what others counted."""

    ends: float
    here: Counter[str] = field(default_factory=Counter)
    unmerged: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)


class SharedCounts(Storage):
    """Storage of the `limits` library, of one name: whole windows by the clock, so that all processes count in the same ones.

    The library's own storage in memory looks through all keys again and again to find those that have expired, which under a
    flood takes longer than the requests. Here a window is dropped whole.
    """

    STORAGE_SCHEME = None

    def __init__(self, collection: Collection, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._collection = collection.with_options(write_concern=FAST)
        self._clock = clock
        self._windows: dict[tuple[float, int], _Window] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return PyMongoError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; returns what everybody counted of the key in this window, as far as it is known here."""
        window = self._window(expiry)
        if key not in window.here and len(window.here) >= _MOST_KEPT:
            return 0
        window.here[key] += amount
        window.unmerged[key] += amount
        return window.here[key] + window.elsewhere[key]

    def left(self, expiry: float) -> int:
        """Whole seconds until the present window ends, at least one."""
        return max(1, ceil(expiry - self._clock() % expiry))

    def _window(self, expiry: float) -> _Window:
        number = int(self._clock() // expiry)
        window = self._windows.get((expiry, number))
        if window is None:
            window = self._windows[expiry, number] = _Window((number + 1) * expiry)
        return window

    async def merge(self) -> None:
        """Tell what was counted here since the last time, and learn what others counted of the same keys.

        What was told and not acknowledged is not told again: a count too low does less harm than one too high.
        """
        self._windows = {place: window for place, window in self._windows.items() if window.ends > self._clock()}
        for (expiry, number), window in list(self._windows.items()):
            if window.unmerged and expiry > MERGE_EVERY:
                new = dict(window.unmerged.most_common(_MOST_MERGED))
                window.unmerged -= Counter(new)
                await self._merge(f"{expiry:g}/{number}", window, new)

    async def _merge(self, name: str, window: _Window, new: Mapping[str, int]) -> None:
        ends = datetime.fromtimestamp(window.ends, UTC)
        ids = {f"{name}/{key}": key for key in new}
        updates = [
            UpdateOne({"_id": _id}, {"$inc": {"n": new[key]}, "$setOnInsert": {"ends": ends}}, upsert=True)
            for _id, key in ids.items()
        ]
        await self._collection.bulk_write(updates, ordered=False)
        async for row in self._collection.find({"_id": {"$in": list(ids)}}, {"n": 1}):
            key = ids[row["_id"]]
            window.elsewhere[key] = max(0, row["n"] - window.here[key] + window.unmerged[key])

    # What the library's strategies may ask beside. Fixed windows ask only for `incr`.

    async def get(self, key: str) -> int:
        """What is counted of the key in the present window (a key says its rate, so it has one)."""
        present = [window for window in self._windows.values() if window.ends > self._clock()]
        return max((window.here[key] + window.elsewhere[key] for window in present), default=0)

    async def get_expiry(self, key: str) -> float:
        return max((window.ends for window in self._windows.values() if key in window.here), default=self._clock())

    async def check(self) -> bool:
        return True

    async def reset(self) -> int:
        count = sum(len(window.here) for window in self._windows.values())
        self._windows.clear()
        return count

    async def clear(self, key: str) -> None:
        for window in self._windows.values():
            for counter in (window.here, window.unmerged, window.elsewhere):
                counter.pop(key, None)


@dataclass(frozen=True, slots=True)
class _Named:
    """The rates of one name and what is counted under it: a flood of one name leaves the others alone."""

    counts: SharedCounts
    limiter: FixedWindowRateLimiter
    rates: list[RateLimitItem]


class Limits:
    """Named rates, in the library's notation (`60/minute;600/hour`; empty: none)."""

    def __init__(
        self, collection: Collection, secret: bytes, rates: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret[:64]
        self._named: dict[str, _Named] = {}
        for name, text in rates.items():
            counts = SharedCounts(collection, clock)
            self._named[name] = _Named(counts, FixedWindowRateLimiter(counts), parse_many(text) if text else [])
            LIMITED.labels(name)  # shown before the first: a rate needs a nought to grow from

    async def count(self, name: str, who: str = "") -> None:
        """Count one of `name` by `who` (an address, a contact; empty: everybody together). Raises `TooMany`.

        Nobody is kept as they are: `who` is hashed with a secret.
        """
        named, key = self._named[name], self._key(who)
        for rate in named.rates:
            if not await named.limiter.hit(rate, name, key):
                raise _too_many(name, named, rate)

    async def check(self, name: str, who: str = "") -> None:
        """Raises `TooMany` where `count` would, and counts nothing."""
        named, key = self._named[name], self._key(who)
        for rate in named.rates:
            if not await named.limiter.test(rate, name, key):
                raise _too_many(name, named, rate)

    def _key(self, who: str) -> str:
        return blake2b(who.encode(), key=self._secret, digest_size=12).hexdigest() if who else "all"

    async def merge(self) -> None:
        for named in self._named.values():
            await named.counts.merge()

    async def run(self) -> None:
        """Merge until cancelled. Without MongoDB each process counts for itself."""
        while True:
            await asyncio.sleep(MERGE_EVERY)
            try:
                await self.merge()
            except PyMongoError as error:
                get_logger().warning("rates_not_merged", error=type(error).__name__)


def _too_many(name: str, named: _Named, rate: RateLimitItem) -> TooMany:
    LIMITED.labels(name).inc()
    return TooMany(name, retry_after=named.counts.left(rate.get_expiry()))


def network_of(host: str) -> str:
    """What of an address names one customer: an IPv4 address, the first half of an IPv6 address; other text as it is."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> (128 - _NETWORK) << (128 - _NETWORK)))
    return str(address)
