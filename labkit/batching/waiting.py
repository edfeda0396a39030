"""How long to wait between two looks at a batch, on which clock, and what is shown meanwhile.

Waits are lab seconds while a batch is at the lab server, so that a compressed clock shortens them and a jump ends them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, Any

from labkit import control
from labkit.errors import ServerError
from labkit.flow import Do, Flow, Wait
from labkit.secret import Secret
from labkit.session import current

if TYPE_CHECKING:
    from labkit.batching.job import Batch

FIRST_S, LONGEST_S = 5.0, 60.0
"""The first wait and the longest: a day's job needs no look a second, a lesson's should not wait a minute more."""
GROWTH = 1.5
SPREAD = 0.2
"""Share by which a wait is spread at random: what was submitted together does not ask together."""
BLIPS = 20
"""Looks in a row that may fail for a passing reason before waiting gives up. The batch goes on without it."""
LOOK_S = 0.25
"""Real seconds after which a wait asks the lab's clock again: it may have been moved meanwhile."""

Clock = Callable[[], tuple[float, float]]
"""Lab seconds now, and how many of them pass in a real one."""


def pauses(random: Random) -> Iterator[float]:
    """Seconds between looks: they grow up to a longest.

    >>> [round(p) for p, _ in zip(pauses(Random(1)), range(4))]
    [4, 9, 12, 15]
    """
    pause = FIRST_S
    while True:
        yield pause * random.uniform(1 - SPREAD, 1 + SPREAD)
        pause = min(pause * GROWTH, LONGEST_S)


def lab_clock(key: str) -> Clock:
    """The clock of the lab tenant that a batch belongs to."""

    def read() -> tuple[float, float]:
        clock = control.call(current().url, "GET", "tenant", key=Secret(key))["clock"]
        return clock["now"], clock["rate"]

    return read


def slept(seconds: float, clock: Clock | None) -> Flow[None]:
    """Let seconds pass: on the lab's clock, or real ones without it."""
    if clock is None:
        yield Wait(seconds)
        return
    try:
        now, rate = yield Do(clock)
        until = now + seconds
        while until > now:
            yield Wait(min((until - now) / rate, LOOK_S))
            now, rate = yield Do(clock)
    except ServerError:
        yield Wait(LOOK_S)  # the lab server is away: the next look says whether it has come back


class Bar:
    """A progress bar with the money."""

    def __init__(self, batch: Batch, *, shown: bool) -> None:
        from tqdm.auto import tqdm

        self._batch = batch
        self._bar: Any = tqdm(total=len(batch), unit="line", disable=not shown)

    def show(self) -> None:
        batch = self._batch
        self._bar.set_description(batch.phase, refresh=False)
        self._bar.set_postfix_str(batch.money, refresh=False)
        self._bar.update(min(len(batch), batch.done) - self._bar.n)
        self._bar.refresh()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
