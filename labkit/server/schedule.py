"""How long a batch takes, as a pure function of lab time: no I/O, no clock, no waiting.

    created --validating_s--> started --queue_s, then lines_per_s--> lines done --finalizing_s--> completed
       |                         |                   |
       |                         +- failed           +- expired, at created + window
       +- cancelling, from wherever it stood --CANCELLING_S--> cancelled

The durations are choices of ours, in lab seconds, near what small batches take on a quiet day. A batch of 100 lines
takes under 3 minutes, one of 50,000 under 3 hours; a day of lab time always ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["validating", "running", "finalizing", "cancelling", "failed", "completed", "expired", "cancelled"]
ENDED: frozenset[Phase] = frozenset({"failed", "completed", "expired", "cancelled"})
CANCELLING_S = 10.0


@dataclass(frozen=True, slots=True)
class BatchPace:
    """How fast a tenant's batches go, in lab seconds. A slow one makes batches expire."""

    validating_s: float = 10.0
    queue_s: float = 120.0
    """From the start to the first lines."""
    lines_per_s: float = 5.0
    finalizing_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """The course of one batch. Times are lab seconds of the Unix epoch."""

    created: float
    lines: int
    window_s: float
    """What is not done after this long expires."""
    pace: BatchPace
    valid: bool = True
    cancelled_at: float | None = None

    @property
    def started(self) -> float:
        return self.created + self.pace.validating_s

    @property
    def lines_done(self) -> float:
        """When the last line would be done, if nothing came between."""
        return self.started + self.pace.queue_s + self.lines / self.pace.lines_per_s

    @property
    def expires(self) -> float:
        return self.created + self.window_s

    @property
    def end(self) -> tuple[float, Phase]:
        """When and how it ends."""
        if self.cancelled_at is not None:
            return self.cancelled_at + CANCELLING_S, "cancelled"
        if not self.valid:
            return self.started, "failed"
        if self.lines_done > self.expires:
            return self.expires, "expired"
        return self.lines_done + self.pace.finalizing_s, "completed"

    def phase(self, now: float) -> Phase:
        """Where it stands."""
        at, how = self.end
        if now >= at:
            return how
        if self.cancelled_at is not None and now >= self.cancelled_at:
            return "cancelling"
        if now < self.started:
            return "validating"
        return "running" if now < self.lines_done else "finalizing"

    def due(self, now: float) -> int:
        """How many lines are done by then."""
        if not self.valid:
            return 0
        until = min(now, self.expires, now if self.cancelled_at is None else self.cancelled_at)
        return max(0, min(self.lines, int((until - self.started - self.pace.queue_s) * self.pace.lines_per_s + 1e-6)))
