"""Rate limits as token buckets on the lab's clock, one set a tenant and model.

A bucket of 60 a minute refills one a second and holds at most 60. Accounting only: nobody waits here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from labkit.server.clock import Clock

MINUTE, DAY = 60.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant may use of one model. None is no limit."""

    requests_per_minute: int | None = 10_000
    tokens_per_minute: int | None = 30_000_000
    requests_per_day: int | None = None
    tokens_per_day: int | None = None

    def changed(self, **new: int | None) -> Limits:
        return replace(self, **new)


class Bucket:
    """A token bucket: holds at most `capacity`, refills `capacity` per `window` lab seconds."""

    __slots__ = ("_at", "_clock", "_level", "capacity", "window")

    def __init__(self, capacity: int, window: float, clock: Clock) -> None:
        self.capacity = capacity
        self.window = window
        self._clock = clock
        self._level = float(capacity)
        self._at = clock.now()

    def _refill(self) -> float:
        now = self._clock.now()
        self._level = min(self.capacity, self._level + (now - self._at) * self.capacity / self.window)
        self._at = now
        return self._level

    @property
    def remaining(self) -> int:
        return max(0, int(self._refill()))

    def wait_for(self, amount: float) -> float:
        """Lab seconds until `amount` is there; 0 when it is. More than the capacity waits for a full bucket."""
        short = min(amount, self.capacity) - self._refill()
        return max(0.0, short * self.window / self.capacity)

    def take(self, amount: float) -> None:
        self._level = self._refill() - amount

    @property
    def resets_in(self) -> float:
        """Lab seconds until full again."""
        return (self.capacity - self._refill()) * self.window / self.capacity


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit in the way: of what, how much it allows, how long to wait."""

    subject: str
    """"requests" or "tokens"."""
    per: str
    """"minute" or "day"."""
    limit: int
    used: int
    requested: int
    wait: float
    """Lab seconds."""


class Meter:
    """The buckets of one tenant and model."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        self._buckets: dict[tuple[str, str], Bucket] = {
            (subject, per): Bucket(limit, window, clock)
            for subject, per, window, limit in (
                ("requests", "minute", MINUTE, limits.requests_per_minute),
                ("tokens", "minute", MINUTE, limits.tokens_per_minute),
                ("requests", "day", DAY, limits.requests_per_day),
                ("tokens", "day", DAY, limits.tokens_per_day),
            )
            if limit is not None
        }

    def admit(self, tokens: int) -> Exceeded | None:
        """Take one request and its tokens, or take nothing and say which limit is in the way longest."""
        worst: Exceeded | None = None
        for (subject, per), bucket in self._buckets.items():
            amount = 1 if subject == "requests" else tokens
            wait = bucket.wait_for(amount)
            too_big = amount > bucket.capacity
            if (wait > 0 or too_big) and (worst is None or wait > worst.wait):
                used = bucket.capacity - bucket.remaining
                worst = Exceeded(subject, per, bucket.capacity, used, amount, wait or bucket.window)
        if worst is None:
            self.charge(tokens, requests=1)
        return worst

    def charge(self, tokens: int, *, requests: int = 0) -> None:
        """Count what turned out to be used, into debt if need be: generated tokens are known only afterwards."""
        for (subject, _), bucket in self._buckets.items():
            if amount := requests if subject == "requests" else tokens:
                bucket.take(amount)

    def minute(self) -> Iterator[tuple[str, Bucket]]:
        """The per-minute buckets, which the providers' headers report."""
        return ((subject, bucket) for (subject, per), bucket in self._buckets.items() if per == "minute")
