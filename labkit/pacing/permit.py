"""One call's permission to be sent: asked for before each attempt, given back however the call ends.

    with pacer.permit("openai", model, size) as permit:
        yield from permit.admission()       waits until there is room
        ...send, with permit.key...
        permit.heard(headers)
        permit.done(usage)                  or permit.failed(error)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from labkit.errors import CallError, ProviderRefused
from labkit.flow import Either, Flow
from labkit.pacing.lane import NOTHING, Lane
from labkit.pacing.load import Load, Size
from labkit.pacing.signals import is_about_the_key

if TYPE_CHECKING:
    from labkit.pacing.pacer import Pacer
    from labkit.pacing.pool import Pool
    from labkit.pacing.waiting import Ticket
    from labkit.secret import Secret
    from labkit.usage import Usage


class Free:
    """The permit of a client without a pacer: it says yes to everything."""

    key: Secret | None = None
    waited_s = 0.0

    def admission(self, *, again: bool = False) -> Flow[None]:
        return
        yield

    def heard(self, headers: Mapping[str, str]) -> None:
        pass

    def done(self, usage: Usage) -> None:
        pass

    def failed(self, error: BaseException) -> bool:
        return False

    def __enter__(self) -> Free:
        return self

    def __exit__(self, *_: object) -> None:
        pass


FREE = Free()


class Permit:
    """Made by `Pacer.permit`."""

    __slots__ = ("_closed", "_lane", "_load", "_pacer", "_pool", "_priority", "_sent_at", "_ticket", "size", "waited_s")

    def __init__(self, pacer: Pacer, pool: Pool, size: Size, priority: int) -> None:
        self._pacer, self._pool, self._priority = pacer, pool, priority
        self.size = size
        self.waited_s = 0.0
        """Seconds spent waiting for room, in all."""
        self._lane: Lane | None = None
        self._load = self._closed = NOTHING
        self._sent_at = 0.0
        self._ticket: Ticket | None = None

    @property
    def key(self) -> Secret | None:
        """The key to send with; None: the session's."""
        return self._lane.key if self._lane else None

    def admission(self, *, again: bool = False) -> Flow[None]:
        """Wait until there is room. A call that is repeated, `again`, goes to the front of its priority.

        Raises:
            ProviderRefused: every key has been refused.
        """
        self._ticket = ticket = self._pacer.enter(self, self._pool, self._priority, again=again)
        if ticket is None:
            return
        called, began = ticket.called, perf_counter()
        try:
            yield Either(called.result, lambda: asyncio.wrap_future(called))
        finally:
            self.waited_s += perf_counter() - began
            self._ticket = None
            self._pacer.left(self._pool, ticket)

    def admitted(self, lane: Lane, load: Load, now: float) -> None:
        """Under the lock: the pool lets this call go."""
        self._lane, self._load, self._closed, self._sent_at = lane, load, lane.closed, now

    def heard(self, headers: Mapping[str, str]) -> None:
        """The head of an answer has come."""
        with self._pacer.changing(self._pool) as now:
            if self._lane is not None:
                self._lane.heard(headers, self._load, self._closed, self._sent_at, now)

    def done(self, usage: Usage) -> None:
        """The call is over, and this is what it took."""
        with self._pacer.changing(self._pool) as now:
            lane = self._lane
            if lane is not None:
                lane.answered(now)
                lane.window.succeeded()
                lane.settle(self._load, self._pool.estimator.counted(self.size, usage))
                self._lane = None
                self._pacer.note(self._pool, lane, now)

    def failed(self, error: BaseException) -> bool:
        """The call failed: what the error says of limits and keys holds for all.

        Returns:
            Whether it was the key's fault and another one is there to try.
        """
        with self._pacer.changing(self._pool) as now:
            lane = self._lane
            if lane is None:
                return False
            lane.answered(now)
            if isinstance(error, CallError):
                lane.failed(error, self._load, self._closed, self._sent_at, now)
            lane.settle(self._load, Load(self._load.requests))  # a failed request counts, tokens it has none
            self._lane = None
            self._pacer.note(self._pool, lane, now)
            return self._key_refused(lane, error)

    def _key_refused(self, lane: Lane, error: BaseException) -> bool:
        if lane.key is None or not isinstance(error, ProviderRefused) or not is_about_the_key(error):
            return False
        self._pacer.take_out(self._pool.provider, lane.key, f"The key {lane.key} was refused and is not used any more.")
        return not self._pool.spent

    def withdraw(self) -> None:
        """Under the lock: admitted and never sent."""
        if self._lane is not None:
            self._lane.answered(self._sent_at)
            self._lane.give_back(self._load)
            self._lane = None

    def __enter__(self) -> Permit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lane is not None:
            with self._pacer.changing(self._pool):
                self.withdraw()
