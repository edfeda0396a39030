"""The lab's clock, from a notebook: make it faster, jump ahead, wait on it.

Windows, lifetimes, waits and batch durations of the lab server are in lab seconds. A provider's headers, and the
`retry-after` that an SDK obeys, are in real seconds: the server divides by the clock's rate before it says them.
"""

from __future__ import annotations

import time

from labkit.session import current

LOOK_S = 0.25
"""Real seconds after which a sleeper looks at the clock again: it may have been moved meanwhile."""


def clock(*, minute: float | None = None, advance: float | None = None) -> dict[str, float]:
    """This tenant's clock: windows, lifetimes and waits of the lab server are in lab time.

    Args:
        minute: real seconds that a lab minute takes; 60 is real time, 1 is sixty times faster.
        advance: lab seconds to jump ahead, once and at no wait.

    Returns:
        "rate", lab seconds per real second, and "now", lab seconds since this tenant began.

    Raises:
        ValueError: `minute` is not above zero.
    """
    if minute is not None and not minute > 0:
        raise ValueError(f"a lab minute takes more than 0 seconds, got {minute!r}")
    changes = {"rate": 60 / minute if minute else None, "advance_s": advance}
    given = {name: value for name, value in changes.items() if value is not None}
    described = current().configure(clock=given) if given else current().control("GET", "tenant")
    return dict(described["clock"])


def sleep(seconds: float) -> None:
    """Wait for lab seconds, however the clock is moved meanwhile. `clock(advance=...)` passes time without a wait."""
    until = clock()["now"] + seconds
    while pause := _real_seconds_to(until):
        time.sleep(min(pause, LOOK_S))


async def asleep(seconds: float) -> None:
    """The same for a coroutine: other tasks go on meanwhile."""
    import asyncio

    until = (await asyncio.to_thread(clock))["now"] + seconds
    while pause := await asyncio.to_thread(_real_seconds_to, until):
        await asyncio.sleep(min(pause, LOOK_S))


def _real_seconds_to(moment: float) -> float:
    """Until a lab time; 0 when it has come."""
    at = clock()
    return max(0.0, (moment - at["now"]) / at["rate"])
