"""The lab's clock: a lab minute may last a second, and a day may pass at a word.

One clock a tenant. Every wait and every window of the lab server is in lab seconds on this clock; nothing sleeps
outside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Lab time: `rate` lab seconds pass per real second, and `advance` jumps ahead."""

    def __init__(self, rate: float = 1.0, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._rate = rate
        self._base = 0.0
        self._since = monotonic()
        self._moved: asyncio.Event | None = None

    @property
    def rate(self) -> float:
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._base, self._since, self._rate = self.now(), self._monotonic(), rate
        self._wake()

    def now(self) -> float:
        """Lab seconds since this clock was made."""
        return self._base + (self._monotonic() - self._since) * self._rate

    def advance(self, seconds: float) -> None:
        """Jump ahead by lab seconds; whoever sleeps past that moment wakes now."""
        self._base += seconds
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Wait for lab seconds, however the clock is moved meanwhile."""
        until = self.now() + seconds
        if asyncio.current_task() is None:  # a request that was begun at once: it goes on as a task (see cycle.py)
            await asyncio.sleep(0)
        while (left := until - self.now()) > 0:
            if self._moved is None:
                self._moved = asyncio.Event()
            try:
                async with asyncio.timeout(left / self._rate):
                    await self._moved.wait()
            except TimeoutError:
                return

    def _wake(self) -> None:
        if self._moved is not None:
            self._moved.set()
            self._moved = None
