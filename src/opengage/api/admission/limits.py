"""How many requests a token and an account may send, and how many resources in bulk: token buckets in this process.

Step 1 of a text's path. Each web process counts by itself, so N of them let N times as much through. Headers follow
draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what is allowed, `RateLimit` what is left of it.
"""

import math
from collections.abc import Hashable
from typing import Final

import msgspec

from opengage.domain.errors import TooMany

WINDOW: Final = 10
"""Seconds whose worth may be used up at once."""
_MOST_REMEMBERED: Final = 10_000
"""Buckets kept at a time; the fullest go first, and whoever comes back finds a full one."""


class _Bucket(msgspec.Struct, gc=False):
    level: float
    at: float


class Limit(msgspec.Struct, frozen=True):
    """What one name may use of something: `rate` a second, a window's worth at once; 0 is no limit."""

    name: str
    rate: float
    noun: str
    window: int = WINDOW

    @property
    def quota(self) -> int:
        """What may be used in one window."""
        return round(self.rate * self.window)

    @property
    def policy(self) -> str:
        """As a member of RateLimit-Policy."""
        return f'"{self.name}";q={self.quota};w={self.window}'


class Buckets:
    """One limit, for every name that it is counted by."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._quota = float(limit.quota)
        self._buckets: dict[Hashable, _Bucket] = {}

    def take(self, name: Hashable, amount: int, now: float) -> None:
        """Use an amount. Whoever has anything left may use more than that at once, and then waits until it is paid off.

        So a bulk request of any size passes, and the mean stays what the limit says. Raises TooMany.
        """
        if self.limit.rate == 0:
            return
        bucket = self._at(name, now)
        if bucket.level < 1:
            seconds = (1 - bucket.level) / self.limit.rate
            limit = self.limit
            detail = f"The {limit.name} has used up its {limit.quota} {limit.noun} per {limit.window} seconds."
            raise TooMany(f"{detail} Wait {max(1, math.ceil(seconds))} s, and spread them out.", seconds)
        bucket.level -= amount

    def give_back(self, name: Hashable, amount: int, now: float) -> None:
        """Undo what `take` used."""
        if self.limit.rate:
            bucket = self._at(name, now)
            bucket.level = min(self._quota, bucket.level + amount)

    def left(self, name: Hashable, now: float) -> str:
        """As a member of RateLimit: what is left, and the seconds until all of it is there again."""
        bucket = self._at(name, now)
        full = math.ceil((self._quota - bucket.level) / self.limit.rate)
        return f'"{self.limit.name}";r={max(0, math.floor(bucket.level))};t={full}'

    def _at(self, name: Hashable, now: float) -> _Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _MOST_REMEMBERED:
                self._forget(now)
            bucket = self._buckets[name] = _Bucket(self._quota, now)
        if bucket.level < self._quota and now > bucket.at:
            bucket.level = min(self._quota, bucket.level + (now - bucket.at) * self.limit.rate)
        bucket.at = now
        return bucket

    def _forget(self, now: float) -> None:
        """Make room: half of the buckets, those that are fullest by now."""
        by_level = sorted(self._buckets, key=lambda name: self._at(name, now).level)
        for name in by_level[_MOST_REMEMBERED // 2 :]:
            del self._buckets[name]


class Limits:
    """The limits of the API."""

    def __init__(self, token_rate: int, account_rate: int, bulk_rate: int) -> None:
        self._token = Buckets(Limit("token", token_rate, "requests"))
        self._account = Buckets(Limit("account", account_rate, "requests"))
        self._bulk = Buckets(Limit("bulk", bulk_rate, "resources"))
        self._all = [each for each in (self._token, self._account, self._bulk) if each.limit.rate]
        self._policy = ", ".join(each.limit.policy for each in self._all).encode()

    def request(self, token: Hashable, account: Hashable, now: float) -> None:
        """Count a request. Raises TooMany."""
        self._account.take(account, 1, now)
        self._token.take(token, 1, now)

    def resources(self, account: Hashable, count: int, now: float) -> None:
        """Count the resources of a bulk request. Raises TooMany."""
        self._bulk.take(account, count, now)

    def headers(self, token: Hashable, account: Hashable, now: float) -> tuple[tuple[bytes, bytes], ...]:
        """RateLimit-Policy and RateLimit; nothing when nothing is limited."""
        left = ", ".join([each.left(token if each is self._token else account, now) for each in self._all])
        return ((b"ratelimit-policy", self._policy), (b"ratelimit", left.encode())) if left else ()
