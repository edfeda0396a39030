"""Run a function of a student's, but not for ever.

On the main thread of a system with interval timers, an alarm interrupts the function wherever it is, in a loop or in a
socket. Elsewhere (Windows, a thread) the function runs in a thread of its own that is left behind when time is up: it
cannot be stopped from outside, only no longer waited for.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_AGAIN = 0.2
"""Seconds between alarms after the first, for code that swallows the first one in a bare `except:`."""


class OutOfTime(BaseException):
    """The time limit passed. Not an `Exception`, so that a student's `except Exception` lets it through."""


def can_interrupt() -> bool:
    """Whether an alarm can interrupt the code that runs here."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work()` returns, if it does so in time.

    Raises:
        OutOfTime: it did not.
        BaseException: whatever `work` raised.
    """
    return _with_alarm(seconds, work) if can_interrupt() else _in_thread(seconds, work)


def _with_alarm(seconds: float, work: Callable[[], T]) -> T:
    def ring(*_: object) -> None:
        raise OutOfTime

    begun = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    outer, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:  # somebody else's alarm (pytest-timeout) goes on where it was
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - begun), 0.001), interval)


def _in_thread(seconds: float, work: Callable[[], T]) -> T:
    box: dict[str, Any] = {}

    def keep() -> None:
        try:
            box["value"] = work()
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=keep, name="labkit-check", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise OutOfTime
    if "error" in box:
        raise box["error"]
    value: T = box["value"]
    return value
