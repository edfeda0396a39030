"""All keys of one provider's model, and the queue before them."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from labkit.errors import ProviderRefused
from labkit.pacing.lane import Lane
from labkit.pacing.load import Estimator
from labkit.pacing.waiting import Queue

if TYPE_CHECKING:
    from labkit.pacing.permit import Permit


class Pool:
    """Under the lock of the pacer."""

    def __init__(self, provider: str, model: str, lanes: list[Lane], *, minute: float, live: bool) -> None:
        self.provider, self.model = provider, model
        self.lanes = lanes
        self.minute = minute
        """Seconds that a minute of the limits lasts."""
        self.queue = Queue()
        self.estimator = Estimator(provider, live=live)

    def tune(self, minute: float) -> None:
        """The lab's clock runs at another pace from now on."""
        self.minute = minute
        for lane in self.lanes:
            lane.tune(minute)

    def admit(self, permit: Permit, now: float) -> float:
        """Let a call go by the key with the most room: 0.0. If none has room: seconds until one may have."""
        load = self.estimator.expected(permit.size)
        best, soonest, room = None, inf, -inf
        for lane in self.lanes:
            delay = lane.delay(load, now)
            if delay == 0.0 and (len(self.lanes) == 1 or lane.room > room):
                best, room = lane, lane.room
            soonest = min(soonest, delay)
        if best is None:
            return soonest
        best.take(load, now)
        permit.admitted(best, load, now)
        return 0.0

    def dispatch(self, now: float) -> float:
        """Call everybody in the queue whose turn has come.

        Returns:
            Seconds until the next one's may; infinite when nobody waits, or when a call must end first.
        """
        while (ticket := self.queue.head()) is not None:
            if self.spent:
                if self.queue.call(ticket):
                    ticket.called.set_exception(self.no_key())
                continue
            delay = self.admit(ticket.permit, now)
            if delay > 0.0:
                return delay
            if self.queue.call(ticket):
                ticket.called.set_result(None)
            else:
                ticket.permit.withdraw()
        return inf

    @property
    def spent(self) -> bool:
        """No key is left."""
        return all(lane.out for lane in self.lanes)

    def no_key(self) -> ProviderRefused:
        told = " ".join(lane.out for lane in self.lanes)
        return ProviderRefused(
            f"No key is left for {self.provider}/{self.model}. {told}", provider=self.provider, model=self.model
        )
