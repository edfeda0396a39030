"""One limit, mirrored: a token bucket that runs beside the provider's own.

A bucket of 60 a minute refills one a second and holds at most 60. The mirror counts what this process sends and is
corrected by what the provider's headers say. Between the provider's count and the moment we read it, calls are under
way, so a header gives no number but an interval (see `Bucket.heard`); the mirror moves only when it lies outside.

Accounting only: nobody waits here, and the time is an argument.
"""

from __future__ import annotations

from typing import NamedTuple

JITTER_S = 0.05
"""Calls that we send evenly do not arrive evenly. What refills in so many seconds is kept back, so that a bunch of them
finds room. It costs nothing but the very first calls of a run: the refill is used whole."""
KEPT_BACK_AT_MOST = 0.1
"""Share of the capacity: a limit of 5 a minute is not shrunk to 4."""
READABLE = 50
"""A reset time is used for the window from so many times its own resolution on."""
GAIN = 0.2
"""Weight of the newest reset time in the window."""


class Level(NamedTuple):
    """A limit as a response's headers tell it."""

    subject: str
    limit: float
    remaining: float
    reset_s: float | None = None
    """Seconds until the bucket is full again; None when the provider does not say."""
    resolution_s: float = 1.0
    """Of `reset_s`."""


class Bucket:
    """Holds at most `capacity`, refills `capacity` per `window` seconds."""

    __slots__ = ("_at", "_held", "_window_heard", "capacity", "level", "subject", "window")

    def __init__(self, subject: str, capacity: float, window: float, *, now: float) -> None:
        self.subject = subject
        self.capacity = float(capacity)
        self.window = window
        self.level = self.capacity
        self._at = now
        self._held = False
        self._window_heard = False

    def __repr__(self) -> str:
        return f"<{self.level:.1f} of {self.capacity:g} {self.subject}, full in {self.window:.3g} s when empty>"

    @property
    def rate(self) -> float:
        """Refill, per second."""
        return self.capacity / self.window

    @property
    def kept_back(self) -> float:
        return min(1.0 + self.rate * JITTER_S, self.capacity * KEPT_BACK_AT_MOST)

    def refill(self, now: float) -> float:
        """Bring the level up to `now`, and return it."""
        if self._held:
            self._at = now
        elif now > self._at:
            self.level = min(self.capacity, self.level + (now - self._at) * self.capacity / self.window)
            self._at = now
        return self.level

    def wait_for(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken; 0 when it may. More than there ever is waits for a full bucket."""
        room = self.refill(now) - self.kept_back
        short = min(amount, self.capacity - self.kept_back) - room
        return short / self.rate if short > 1e-9 else 0.0

    def take(self, amount: float) -> None:
        """From a full bucket it runs ahead of the provider's, which stays full, and gains nothing, until the call has
        arrived there: so this one does not refill before an answer has come."""
        self._held = self._held or self.level >= self.capacity
        self.level -= amount

    def answered(self, now: float) -> None:
        """The provider's bucket is not full any more, for sure."""
        if self._held:
            self._held = False
            self._at = max(self._at, now)

    def give_back(self, amount: float) -> None:
        self.level = min(self.capacity, self.level + amount)

    def refused(self, amount: float, wait: float, now: float) -> None:
        """The provider's bucket will have `amount` in `wait` seconds: so much is in ours, at most."""
        self.level = min(self.refill(now), min(amount, self.capacity) - wait * self.rate)

    def heard(self, told: Level, *, unseen: float, seconds: float, now: float) -> None:
        """Take in what a header says.

        Args:
            unseen: amounts of our own that the provider may not have counted in it: whatever was under way since the
                call was sent. The provider's bucket holds at least `remaining - unseen`.
            seconds: since the call was sent. It holds at most `remaining` and what refilled in that time.
        """
        self.refill(now)
        if told.limit != self.capacity:
            self.level += told.limit - self.capacity
            self.capacity = told.limit
        self._hear_window(told)
        lowest, highest = told.remaining - unseen, told.remaining + 1.0 + self.rate * seconds
        self.level = min(max(self.level, lowest), highest, self.capacity)

    def _hear_window(self, told: Level) -> None:
        """A bucket that has used u of its limit is full again after u / limit of its window."""
        used = told.limit - told.remaining
        if told.reset_s is None or used <= 0 or told.reset_s < READABLE * told.resolution_s:
            return
        window = told.reset_s * told.limit / max(used - 0.5, 0.5)  # `remaining` is rounded down: half a unit on average
        gain = GAIN if self._window_heard else 1.0
        self._window_heard = True
        self.window += gain * (window - self.window)
