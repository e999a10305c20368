"""Rate limits: one token bucket for each caller and kind of request."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol

from cadenza_server.errors import ApiError

Kind = Literal["auth", "write", "read"]
_MAX_BUCKETS = 50_000


class Limiter(Protocol):
    """What the routes ask; one worker's own, or shared by all (`shared_limits`)."""

    def check(self, kind: Kind, caller: str) -> None:
        """Take one token, or raise `rate_limited`."""

    async def acheck(self, kind: Kind, caller: str) -> None:
        """The same on an event loop."""


def refuse(wait_seconds: float) -> NoReturn:
    """Raise `rate_limited`, with the whole seconds until there is a token again."""
    raise ApiError("rate_limited", retry_after_seconds=max(1, math.ceil(wait_seconds)))


@dataclass
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """Allows a burst of one minute's worth, then the steady rate.

    Held in this process: for a server that has but one.

    Args:
        per_minute: requests a minute for each kind.
        monotonic: seconds from a clock that never goes back.
    """

    def __init__(self, per_minute: dict[Kind, int], monotonic: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._buckets: dict[tuple[Kind, str], _Bucket] = {}
        self._lock = threading.Lock()

    def check(self, kind: Kind, caller: str) -> None:
        """Take one token.

        Raises:
            ApiError: `rate_limited`, with the seconds until there is a token again.
        """
        limit = self._per_minute[kind]
        now = self._monotonic()
        with self._lock:
            bucket = self._buckets.get((kind, caller))
            if bucket is None:
                self._make_room(now)
                bucket = self._buckets[kind, caller] = _Bucket(float(limit), now)
            bucket.tokens = min(limit, bucket.tokens + (now - bucket.at) * limit / 60)
            bucket.at = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return
            wait = (1 - bucket.tokens) * 60 / limit
        refuse(wait)

    async def acheck(self, kind: Kind, caller: str) -> None:
        """The same on an event loop: nothing here waits."""
        self.check(kind, caller)

    def _make_room(self, now: float) -> None:
        """Forget callers whose bucket is full again: they are as good as new."""
        if len(self._buckets) < _MAX_BUCKETS:
            return
        self._buckets = {
            key: bucket for key, bucket in self._buckets.items() if now - bucket.at < 60
        }
