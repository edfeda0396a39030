"""A circuit breaker: whoever has failed several times in a row is left alone for a while, then tried with one call.

    closed      calls go through; so many failures in a row open it
    open        calls are refused at once, with nothing sent, until the cool-down is over
    half-open   one call goes through: if it succeeds the breaker closes, if not it opens for twice as long
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Literal

from labkit.errors import UserError

State = Literal["closed", "open", "half-open"]
FAILURES = 5
COOL_DOWN_S = 30.0
LONGEST_COOL_DOWN = 8
"""Times the first one."""


class Circuit:
    """The state of one provider's model."""

    __slots__ = ("cool_down_s", "failures", "open_until", "probing")

    def __init__(self, cool_down_s: float) -> None:
        self.failures = 0
        self.cool_down_s = cool_down_s
        self.open_until: float | None = None
        """None while closed."""
        self.probing = False


class Breaker:
    """Circuits by name; one `Breaker` may serve many threads and clients."""

    def __init__(
        self, failures: int = FAILURES, cool_down_s: float = COOL_DOWN_S, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Args:
            failures: so many in a row open a circuit.
            cool_down_s: seconds on `clock` that it stays open at first.
            clock: seconds that never go back.

        Raises:
            UserError: not at least one failure, or a cool-down that is not above zero.
        """
        if failures < 1 or not cool_down_s > 0:
            raise UserError("A breaker opens after at least one failure, for more than 0 seconds.")
        self._failures, self._cool_down_s, self._clock = failures, cool_down_s, clock
        self._circuits: dict[str, Circuit] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {self.state(name)}" for name in list(self._circuits))
        return f"<Breaker {shown or 'not used yet'}>"

    def state(self, name: str) -> State:
        """"closed", "open" or "half-open"."""
        circuit = self._circuits.get(name)
        if circuit is None or circuit.open_until is None:
            return "closed"
        return "open" if self._clock() < circuit.open_until else "half-open"

    def closed_for(self, name: str) -> float:
        """Seconds until a call may be tried; 0 when it may be now."""
        circuit = self._circuits.get(name)
        return 0.0 if circuit is None or circuit.open_until is None else max(0.0, circuit.open_until - self._clock())

    def allows(self, name: str) -> bool:
        """Whether a call may be sent. Who gets a yes says afterwards how it went: `succeeded`, `failed`, `unknown`."""
        with self._lock:
            circuit = self._circuits.setdefault(name, Circuit(self._cool_down_s))
            if circuit.open_until is None:
                return True
            if circuit.probing or self._clock() < circuit.open_until:
                return False
            circuit.probing = True
            return True

    def succeeded(self, name: str) -> None:
        with self._lock:
            self._circuits[name] = Circuit(self._cool_down_s)

    def failed(self, name: str) -> None:
        with self._lock:
            circuit = self._circuits.setdefault(name, Circuit(self._cool_down_s))
            circuit.failures += 1
            if circuit.probing:
                circuit.cool_down_s = min(circuit.cool_down_s * 2, self._cool_down_s * LONGEST_COOL_DOWN)
            if circuit.probing or (circuit.open_until is None and circuit.failures >= self._failures):
                circuit.open_until = self._clock() + circuit.cool_down_s
            circuit.probing = False

    def unknown(self, name: str) -> None:
        """The call ended without saying anything about the provider: it was cancelled, or was wrong itself."""
        with self._lock:
            if (circuit := self._circuits.get(name)) is not None:
                circuit.probing = False
