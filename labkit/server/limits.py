"""What a tenant may use: token buckets on the lab's clock, requests at once, and a budget.

A bucket of 60 a minute refills one a second and holds at most 60. Accounting only: nobody waits here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from labkit.server.clock import Clock

MINUTE, DAY = 60.0, 86_400.0
TIERS_FILE = Path(__file__).with_name("tiers.toml")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant may use of one model; the last two count over all models. None is no limit."""

    requests_per_minute: int | None = 10_000
    tokens_per_minute: int | None = 30_000_000
    requests_per_day: int | None = None
    tokens_per_day: int | None = None
    concurrent: int | None = None
    """Requests that may be generated at the same time."""
    budget_usd: float | None = None
    """What may be spent before the provider says that the credit is used up."""

    def changed(self, **new: Any) -> Limits:
        return replace(self, **new)


@dataclass(frozen=True, slots=True)
class Tier:
    """A documented preset."""

    limits: Limits
    by_provider: dict[str, Limits]
    """Where a provider differs."""

    def of(self, provider: str) -> Limits:
        return self.by_provider.get(provider, self.limits)


@cache
def tiers() -> dict[str, Tier]:
    """The presets of `tiers.toml`, by name."""
    return {name: _tier(row) for name, row in tomllib.loads(TIERS_FILE.read_text("utf-8")).items()}


def _tier(row: dict[str, Any]) -> Tier:
    own = {name: value for name, value in row.items() if not isinstance(value, dict)}
    by_provider = {name: Limits(**(own | changes)) for name, changes in row.items() if isinstance(changes, dict)}
    return Tier(Limits(**own), by_provider)


class Level(NamedTuple):
    """A bucket at one moment."""

    subject: str
    capacity: int
    remaining: int
    resets_in: float
    """Lab seconds until full again."""


class Bucket:
    """A token bucket: holds at most `capacity`, refills `capacity` per `window` lab seconds."""

    __slots__ = ("_at", "_clock", "_level", "capacity", "window")

    def __init__(self, capacity: int, window: float, clock: Clock) -> None:
        self.capacity = capacity
        self.window = window
        self._clock = clock
        self._level = float(capacity)
        self._at = clock.now()

    def refill(self, now: float | None = None) -> float:
        """Bring the level up to date, and return it. `now` saves another look at the clock."""
        if now is None:
            now = self._clock.now()
        if self._level < self.capacity:
            self._level = min(self.capacity, self._level + (now - self._at) * self.capacity / self.window)
        self._at = now
        return self._level

    @property
    def remaining(self) -> int:
        return max(0, int(self.refill()))

    def wait_for(self, amount: float) -> float:
        """Lab seconds until `amount` is there; 0 when it is. More than the capacity waits for a full bucket."""
        short = min(amount, self.capacity) - self.refill()
        return max(0.0, short * self.window / self.capacity)

    def take(self, amount: float) -> None:
        self._level = self.refill() - amount

    def spend(self, amount: float) -> None:
        """Take from a bucket that was just refilled."""
        self._level -= amount

    @property
    def resets_in(self) -> float:
        """Lab seconds until full again."""
        return (self.capacity - self.refill()) * self.window / self.capacity


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

    __slots__ = ("_buckets", "_clock", "limits")

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        self._clock = clock
        self._buckets: tuple[tuple[str, str, Bucket], ...] = tuple(
            (subject, per, Bucket(limit, window, clock))
            for subject, per, window, limit in (
                ("requests", "minute", MINUTE, limits.requests_per_minute),
                ("tokens", "minute", MINUTE, limits.tokens_per_minute),
                ("requests", "day", DAY, limits.requests_per_day),
                ("tokens", "day", DAY, limits.tokens_per_day),
            )
            if limit is not None
        )

    def admit(self, tokens: int) -> Exceeded | None:
        """Take one request and its tokens, or take nothing and say which limit is in the way longest."""
        now = self._clock.now()  # one moment for all buckets: this runs for every request
        short = False
        for subject, _, bucket in self._buckets:
            short |= bucket.refill(now) < (1 if subject == "requests" else tokens)
        if short and (worst := self._worst(tokens)):
            return worst
        for subject, _, bucket in self._buckets:
            bucket.spend(1 if subject == "requests" else tokens)
        return None

    def _worst(self, tokens: int) -> Exceeded | None:
        worst: Exceeded | None = None
        for subject, per, bucket in self._buckets:
            amount = 1 if subject == "requests" else tokens
            wait = bucket.wait_for(amount)
            too_big = amount > bucket.capacity
            if (wait > 0 or too_big) and (worst is None or wait > worst.wait):
                used = bucket.capacity - bucket.remaining
                worst = Exceeded(subject, per, bucket.capacity, used, amount, wait or bucket.window)
        return worst

    def charge(self, tokens: int, *, requests: int = 0) -> None:
        """Count what turned out to be used, into debt if need be: generated tokens are known only afterwards."""
        now = self._clock.now()
        for subject, _, bucket in self._buckets:
            if amount := requests if subject == "requests" else tokens:
                bucket.refill(now)
                bucket.spend(amount)

    def minute(self) -> Iterator[tuple[str, Bucket]]:
        """The per-minute buckets, which the providers' headers report."""
        return ((subject, bucket) for subject, per, bucket in self._buckets if per == "minute")

    def readings(self) -> list[dict[str, Any]]:
        """Every bucket at this moment, for who watches; `resets_in_s` is in lab seconds."""
        now = self._clock.now()
        found = []
        for subject, per, bucket in self._buckets:
            level, capacity = bucket.refill(now), bucket.capacity
            resets_in = round((capacity - level) * bucket.window / capacity, 3)
            left = max(0, int(level))
            found.append({"of": subject, "per": per, "capacity": capacity, "left": left, "resets_in_s": resets_in})
        return found

    def levels(self) -> list[Level]:
        """The per-minute buckets at this moment, for headers."""
        now = self._clock.now()
        found = []
        for subject, per, bucket in self._buckets:
            if per == "minute":
                level, capacity = bucket.refill(now), bucket.capacity
                resets_in = (capacity - level) * bucket.window / capacity
                found.append(Level(subject, capacity, max(0, int(level)), resets_in))
        return found
