from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from labkit.grading.deadline import OutOfTime, can_interrupt, within

needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers here")


def spin() -> None:
    while True:
        pass


def swallow_everything() -> None:
    stop = time.monotonic() + 20
    try:
        spin()
    except:  # noqa: E722 - what a student writes
        while time.monotonic() < stop:
            pass


def wait_on_a_lock() -> None:
    threading.Lock().acquire(timeout=20) and threading.Event().wait(20)


def on_a_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_within_returns_what_the_work_returns() -> None:
    assert within(5, lambda: 42) == 42


def test_within_lets_exceptions_through() -> None:
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


@needs_alarm
@pytest.mark.parametrize("work", [spin, swallow_everything, wait_on_a_lock, lambda: time.sleep(20)])
def test_within_interrupts(work: Callable[[], Any]) -> None:
    begun = time.monotonic()
    with pytest.raises(OutOfTime):
        within(0.05, work)
    assert time.monotonic() - begun < 2


@needs_alarm
def test_within_gives_an_outer_alarm_back() -> None:
    rang: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    outer = signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        within(5, lambda: None)
        assert 25 < signal.getitimer(signal.ITIMER_REAL)[0] <= 30
        signal.raise_signal(signal.SIGALRM)
        assert rang == [1]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *outer)


def test_on_another_thread_the_work_is_left_behind() -> None:
    release = threading.Event()
    with pytest.raises(OutOfTime):
        on_a_thread(lambda: within(0.05, release.wait))
    release.set()


def test_on_another_thread_results_and_exceptions_come_back() -> None:
    assert on_a_thread(can_interrupt) is False
    assert on_a_thread(lambda: within(5, lambda: 42)) == 42
    with pytest.raises(ZeroDivisionError):
        on_a_thread(lambda: within(5, lambda: 1 // 0))
