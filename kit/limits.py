"""How often somebody may ask: counted in each process, merged through MongoDB once a second.

Asking MongoDB at each request would cost as much as keeping a registration. So somebody who finds N processes may for about a
second ask N times as often; after that they count together.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil

from limits import RateLimitItem, parse_many
from prometheus_client import Counter as Metric
from pymongo import IndexModel, UpdateOne
from pymongo.errors import PyMongoError

from kit.errors import TooMany
from kit.logging import get_logger
from kit.mongo import FAST, Collection, CollectionSpec

SPEC = CollectionSpec("rates", (IndexModel([("ends", 1)], name="ended", expireAfterSeconds=60),))
LIMITED = Metric("requests_limited_total", "Requests refused because there were too many of them", ["what"])

_MERGE_EVERY = 1.0
_MOST_MERGED = 1_000
"""Keys of a window that are merged at once, the busiest first."""
_MOST_KEPT = 100_000
"""Keys of a window that are counted; whoever comes after them in a flood is counted only where all are counted together."""
_NETWORK = 64
"""Bits of an IPv6 address that name a customer; the rest they choose themselves."""


class _Rate:
    """One rate of one name: what was counted in the present window, here and, as far as it is known, elsewhere.

    Windows are those of the clock, so that all processes count in the same ones; one that is over is dropped whole.
    """

    def __init__(self, name: str, item: RateLimitItem, clock: Callable[[], float]) -> None:
        self.amount = item.amount
        self.seconds = item.get_expiry()
        self._name = f"{name}/{item.amount}/{self.seconds}"
        self._clock = clock
        self._begin(int(clock() // self.seconds))

    def _begin(self, number: int) -> None:
        self._number = number
        self._here: Counter[str] = Counter()
        self._unmerged: Counter[str] = Counter()
        self._elsewhere: Counter[str] = Counter()

    def _now(self) -> None:
        if (number := int(self._clock() // self.seconds)) != self._number:
            self._begin(number)

    def seen(self, key: str) -> int:
        """What everybody counted of the key."""
        self._now()
        return self._here[key] + self._elsewhere[key]

    def add(self, key: str) -> int:
        """Count one, and say what everybody counted of the key."""
        self._now()
        if key not in self._here and len(self._here) >= _MOST_KEPT:
            return 0
        self._here[key] += 1
        self._unmerged[key] += 1
        return self._here[key] + self._elsewhere[key]

    def left(self) -> int:
        """Whole seconds until the present window ends, at least one."""
        return max(1, ceil(self.seconds - self._clock() % self.seconds))

    async def merge(self, collection: Collection) -> None:
        """Tell what was counted here since the last time, and learn what others counted of the same keys.

        What was told and not acknowledged is not told again: a count too low does less harm than one too high.
        """
        self._now()
        if not self._unmerged or self.seconds <= _MERGE_EVERY:
            return
        new = dict(self._unmerged.most_common(_MOST_MERGED))
        self._unmerged -= Counter(new)
        number, ends = self._number, datetime.fromtimestamp((self._number + 1) * self.seconds, UTC)
        ids = {f"{self._name}/{number}/{key}": key for key in new}
        updates = [
            UpdateOne({"_id": _id}, {"$inc": {"n": new[key]}, "$setOnInsert": {"ends": ends}}, upsert=True)
            for _id, key in ids.items()
        ]
        await collection.bulk_write(updates, ordered=False)
        rows = await collection.find({"_id": {"$in": list(ids)}}, {"n": 1}).to_list(len(ids))
        if number == self._number:
            for row in rows:
                key = ids[row["_id"]]
                self._elsewhere[key] = max(0, row["n"] - self._here[key] + self._unmerged[key])


class Limits:
    """Named rates, in the library's notation (`60/minute;600/hour`; empty: none)."""

    def __init__(
        self, collection: Collection, secret: bytes, rates: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._collection = collection.with_options(write_concern=FAST)
        self._secret = secret[:64]
        self._rates = {
            name: [_Rate(name, item, clock) for item in parse_many(text)] if text else [] for name, text in rates.items()
        }
        for name in rates:
            LIMITED.labels(name)  # shown before the first: a rate needs a nought to grow from

    def count(self, name: str, who: str = "") -> None:
        """Count one of `name` by `who` (an address, a contact; empty: everybody together). Raises `TooMany`.

        Nobody is kept as they are: `who` is hashed with a secret.
        """
        key = self._key(who)
        for rate in self._rates[name]:
            if rate.add(key) > rate.amount:
                raise _too_many(name, rate)

    def check(self, name: str, who: str = "") -> None:
        """Raises `TooMany` where `count` would, and counts nothing."""
        key = self._key(who)
        for rate in self._rates[name]:
            if rate.seen(key) >= rate.amount:
                raise _too_many(name, rate)

    def _key(self, who: str) -> str:
        return blake2b(who.encode(), key=self._secret, digest_size=12).hexdigest() if who else "all"

    async def merge(self) -> None:
        for rates in self._rates.values():
            for rate in rates:
                await rate.merge(self._collection)

    async def run(self) -> None:
        """Merge until cancelled. Without MongoDB each process counts for itself."""
        while True:
            await asyncio.sleep(_MERGE_EVERY)
            try:
                await self.merge()
            except PyMongoError as error:
                get_logger().warning("rates_not_merged", error=type(error).__name__)


def _too_many(name: str, rate: _Rate) -> TooMany:
    LIMITED.labels(name).inc()
    return TooMany(name, retry_after=rate.left())


@lru_cache(maxsize=4096)
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
