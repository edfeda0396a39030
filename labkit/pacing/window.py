"""How many calls at once: additive increase, multiplicative decrease, as TCP does it.

The window grows while calls succeed and it is in the way, by one a call at first and by one a round after the first
trouble; it halves on trouble. Calls that were sent before a halving and fail after it say nothing new.

Source: V. Jacobson, Congestion Avoidance and Control, 1988.
"""

from __future__ import annotations

FIRST = 16
"""Calls at once where the limits are known."""
CEILING = 256


class Window:
    """Of one lane."""

    __slots__ = ("_halved_at", "_threshold", "ceiling", "in_flight", "size")

    def __init__(self, ceiling: int | None = None, *, known: bool) -> None:
        """
        Args:
            ceiling: most calls at once.
            known: limits are given. If not, the first call goes alone: its headers say how many may follow.
        """
        self.ceiling = float(ceiling or CEILING)
        self.size = min(self.ceiling, float(FIRST if known else 1))
        self.in_flight = 0
        # A provider that never says its limits refuses all that is under way at once: not many, then.
        self._threshold = self.ceiling if known else min(self.ceiling, float(FIRST))
        self._halved_at = float("-inf")

    @property
    def open(self) -> bool:
        return self.in_flight < int(self.size)

    def known(self) -> None:
        """The limits have become known."""
        if self._halved_at == float("-inf"):
            self.size = max(self.size, min(self.ceiling, float(FIRST)))
            self._threshold = self.ceiling

    def succeeded(self) -> None:
        """A call, still counted in `in_flight`, was answered."""
        if self.in_flight * 2 >= self.size:
            step = 1.0 if self.size < self._threshold else 1.0 / self.size
            self.size = min(self.ceiling, self.size + step)

    def trouble(self, sent_at: float, now: float) -> None:
        """A call that was sent at `sent_at` was refused or timed out."""
        if sent_at >= self._halved_at:
            self._halved_at = now
            self.size = max(1.0, self.size / 2)
            self._threshold = self.size
