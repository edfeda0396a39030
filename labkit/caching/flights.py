"""Single flight: of equal calls at the same time one is sent, and the others wait for its answer.

Within one process, across threads and event loops. Two processes may each send the call: the second answer replaces the
first one in the store.

When the leader fails, so do those who wait, with the same error: it has been repeated as often as the policy says, and
ten more tries are what a struggling provider needs least. When the leader is cancelled, stopped by Ctrl-C or by its own
budget, that says nothing about the call: the next one takes the lead.
"""

from __future__ import annotations

import asyncio
import copy
import os
from concurrent.futures import Future
from threading import Lock, get_ident
from typing import Literal

from labkit.chat import ChatResponse
from labkit.errors import CallError

Outcome = ChatResponse | CallError | None
"""What the others get; None: nothing, go and ask."""
OWN: Literal["own"] = "own"
"""In place of an outcome for a call made inside its leader's own, which would wait for itself."""


class Flight:
    """One call on its way."""

    def __init__(self) -> None:
        self._landed: Future[Outcome] = Future()
        self._landed.set_running_or_notify_cancel()  # a waiter that is cancelled does not cancel it for the others
        self._leader = _who()

    def wait(self) -> Outcome | Literal["own"]:
        """The outcome, waited for in this thread; the thread that the leader needs must not wait."""
        return OWN if self._leader[0] == get_ident() else self._landed.result()

    async def wait_async(self) -> Outcome | Literal["own"]:
        """The same with `await`: only the leader's own task must not wait."""
        if self._leader == _who():
            return OWN
        outcome: Outcome = await asyncio.wrap_future(self._landed)
        return outcome

    def land(self, outcome: Outcome) -> None:
        self._landed.set_result(outcome)


class Flights:
    """The calls on their way, by key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pid = os.getpid()
        self._open: dict[str, Flight] = {}

    def __len__(self) -> int:
        """Calls on their way."""
        return len(self._open)

    def board(self, key: str) -> tuple[Flight, bool]:
        """The flight of a key, and whether the caller leads it: then it must call `land`, whatever happens."""
        with self._lock:
            if self._pid != os.getpid():  # forked: the leaders stayed behind
                self._open, self._pid = {}, os.getpid()
            flight = self._open.get(key)
            if flight is not None:
                return flight, False
            self._open[key] = flight = Flight()
            return flight, True

    def land(self, key: str, flight: Flight, outcome: Outcome) -> None:
        with self._lock:
            if self._open.get(key) is flight:
                del self._open[key]
        flight.land(outcome)


def again(error: CallError) -> CallError:
    """The error as another caller's own: a traceback belongs to one."""
    own = copy.copy(error)
    own.__cause__ = error
    return own


def _who() -> tuple[int, object]:
    """Thread and task."""
    try:
        return get_ident(), asyncio.current_task()
    except RuntimeError:  # no event loop in this thread
        return get_ident(), None
