"""Who is next: the highest priority first, the longest waiting first within one, and nobody waits for ever."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.pacing.permit import Permit

FAIR_TURN = 8
"""Each so manieth turn goes to whoever waits longest, whatever the priority."""


class Ticket:
    """A place in the queue. `called` is a future so that a thread and a coroutine can both wait for it."""

    __slots__ = ("called", "number", "permit", "priority")

    def __init__(self, permit: Permit, priority: int, number: int) -> None:
        self.permit = permit
        self.priority = priority
        self.number = number
        self.called: Future[None] = Future()


class Queue:
    """Tickets that wait. A cancelled one stays until its turn comes, and is passed over then."""

    def __init__(self) -> None:
        self._by_priority: dict[int, deque[Ticket]] = {}
        self._turns = 0
        self._number = 0
        self.waiting = 0
        """Tickets that have not been called nor cancelled."""

    def join(self, permit: Permit, priority: int, *, again: bool) -> Ticket:
        """A place at the end; `again`, at the front: it has waited once."""
        self._number += 1
        ticket = Ticket(permit, priority, self._number)
        places = self._by_priority.setdefault(priority, deque())
        if again:
            places.appendleft(ticket)
        else:
            places.append(ticket)
        self.waiting += 1
        return ticket

    def head(self) -> Ticket | None:
        """Whose turn it is; the same one until it is called."""
        heads = [places[0] for places in list(self._by_priority.values()) if self._awake(places)]
        if not heads:
            return None
        if self._turns % FAIR_TURN == FAIR_TURN - 1:
            return min(heads, key=lambda ticket: ticket.number)
        return max(heads, key=lambda ticket: ticket.priority)

    def call(self, ticket: Ticket) -> bool:
        """Take the head out; False when it was cancelled in this very moment."""
        self._by_priority[ticket.priority].popleft()
        self._turns += 1
        if not ticket.called.set_running_or_notify_cancel():
            return False
        self.waiting -= 1
        return True

    def _awake(self, places: deque[Ticket]) -> bool:
        while places and places[0].called.cancelled():
            places.popleft()
        return bool(places)
