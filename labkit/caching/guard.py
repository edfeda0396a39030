"""A store that may fail without the call failing: trouble is said once, and the store left alone for a moment.

Reading and writing are judged apart: a full disk still reads. After `pause` seconds it is tried again, and if that
fails after twice as long, so that a store that hangs costs little; one that comes back is used again. A later outage is
said again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from time import monotonic
from typing import Literal, NamedTuple, TypeVar

from labkit.caching.stores import Store, StoreTrouble
from labkit.caching.warning import CacheWarning

PAUSE_SECONDS = 1.0
DOUBLINGS = 5
"""Of the pause: with the usual one, a store is tried again every 32 seconds at the latest."""
CONSEQUENCE = {"read": "calls go on without it", "write": "new answers are not kept"}

T = TypeVar("T")
Verb = Literal["read", "write"]


class _Outage(NamedTuple):
    latest: float
    """When it last failed, on the process's clock."""
    failures: int


class Guard:
    def __init__(self, store: Store, pause: float = PAUSE_SECONDS) -> None:
        self.store = store
        self.pause = pause
        self._down: dict[Verb, _Outage] = {}

    def read(self, call: Callable[[Store], T], default: T) -> T:
        return self._do("read", call, default)

    def write(self, call: Callable[[Store], None]) -> None:
        self._do("write", call, None)

    @property
    def works(self) -> bool:
        """Whether the last access of each kind went well."""
        return not self._down

    def _do(self, verb: Verb, call: Callable[[Store], T], default: T) -> T:
        down = self._down.get(verb)
        if down is not None and monotonic() - down.latest < self.pause * 2 ** min(down.failures - 1, DOUBLINGS):
            return default
        try:
            value = call(self.store)
        except StoreTrouble as trouble:
            self._down[verb] = _Outage(monotonic(), down.failures + 1 if down else 1)
            if down is None and not (verb == "write" and "read" in self._down):  # that was said already
                warnings.warn(f"{trouble}: {CONSEQUENCE[verb]}.", CacheWarning, stacklevel=3)
            return default
        self._down.pop(verb, None)
        return value
