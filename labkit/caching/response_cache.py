"""A cache of whole answers: the same call a second time costs nothing.

    client = lk.LLMClient("openai", cache=True)          # SQLite in the state folder, or Redis by LABKIT_REDIS_URL
    client.chat("What is an API?").cached                # False, then True
    client.chat("What is an API?", cache="refresh")      # ask anew and replace what is kept
    client.chat("Surprise me.", temperature=1, cache="force")

A hit is the kept answer with `cached=True`, no usage, cost 0 and what it saved; it has no `raw` and no headers.
`labkit.caching.keys` says what makes two calls the same, `labkit.caching.rules` what is never kept, and
`labkit.caching.flights` how equal calls at one time become one. A call that may not be cached is sent as ever, and
`response.notes` says why. Streams use it too: a kept answer comes word by word, and a stream that came to its end is
kept; equal streams at one time are each sent. Stores are read where the call is, also in a coroutine: memory and SQLite
take microseconds, a Redis that hangs half a second and a file that another process holds two, at most once per `pause`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.caching.flights import Flights
from labkit.caching.guard import PAUSE_SECONDS, Guard
from labkit.caching.records import Record
from labkit.caching.statistics import Statistics
from labkit.caching.stores import Store, opened
from labkit.flow import Flow

if TYPE_CHECKING:
    from labkit.caching.passage import Passage
    from labkit.chat import ChatResponse


class ResponseCache:
    """Answers by the exact call.

    >>> from labkit.chat import ChatResponse
    >>> at = 0.0
    >>> cache = ResponseCache("memory", ttl=60, clock=lambda: at)
    >>> cache.put("key", ChatResponse("An API is ...", finish_reason="stop", cost_usd=0.002))
    >>> cache.get("key").text
    'An API is ...'
    >>> at = 61.0
    >>> cache.get("key") is None
    True
    """

    def __init__(
        self,
        where: Store | Path | str | None = None,
        *,
        ttl: float | None = None,
        max_entries: int | None = None,
        salt: str = "",
        clock: Callable[[], float] = time.time,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """
        Args:
            where: "memory", "redis://...", the path of an SQLite file, or None for LABKIT_REDIS_URL if that is set,
                else `cache.sqlite3` in labkit's state folder.
            ttl: seconds until an answer is too old; None: never.
            max_entries: most answers kept, the oldest (in memory: the least recently used) go first.
            salt: part of every key: caches with another salt share nothing, in the same store.
            clock: seconds, on which `ttl` is measured.
            pause: seconds that a store is left alone after it failed; longer when it goes on failing.

        Raises:
            SettingsError: an address that cannot be used.
            ValueError: a ttl that is not above zero.
        """
        if ttl is not None and not ttl > 0:
            raise ValueError(f"ttl is in seconds and above zero, got {ttl!r}")
        self.ttl = ttl
        self.salt = salt
        self.statistics = Statistics()
        self.flights = Flights()
        self._clock = clock
        self._guard = Guard(opened(where, max_entries=max_entries, clock=clock), pause)

    @property
    def store(self) -> Store:
        return self._guard.store

    def get(self, key: str) -> Record | None:
        """What is kept under a key, unless it is too old. Trouble with the store is a miss."""
        record = self._guard.read(lambda store: store.get(key), None)
        if record is None or record.expires is None or self._clock() < record.expires:
            return record
        self._guard.write(lambda store: store.delete(key))
        return None

    def put(self, key: str, response: ChatResponse) -> None:
        """Keep a whole answer."""
        record = Record.of(response, created=self._clock(), ttl=self.ttl)
        self._guard.write(lambda store: store.put(key, record))

    def clear(self) -> None:
        """Forget every answer in the store; the statistics stay."""
        self._guard.write(lambda store: store.clear())

    def close(self) -> None:
        """Let go of the file or the connection; the next use opens it again."""
        self.store.close()

    def __len__(self) -> int:
        return self._guard.read(len, 0)

    def __bool__(self) -> bool:
        """A cache is a cache, also an empty one."""
        return True

    def __repr__(self) -> str:
        ttl = f", ttl {self.ttl:g} s" if self.ttl is not None else ""
        return f"<{type(self).__name__} {self.store.label}: {len(self)} answers{ttl}; {self._helped()}>"

    def _helped(self) -> str:
        return repr(self.statistics)[1:-1]

    # --- what a semantic cache adds ---

    def similar(self, passage: Passage) -> Flow[tuple[Record, str] | None]:
        """A kept answer to another call that may do, and a note that says so. Here: none."""
        yield from ()  # a flow, since other caches have to ask for embeddings
        return None

    def kept(self, passage: Passage) -> None:
        """Called when the answer of a passage was put under its key."""


_shared: dict[str, ResponseCache] = {}
"""By address: clients of one process that are given the same place share statistics and flights."""


def shared(where: Path | str | None) -> ResponseCache:
    """The cache of this process at a place; None: the default one."""
    if where == "memory":
        return ResponseCache("memory")  # its own each time: nothing outlives it
    cache = ResponseCache(where)
    return _shared.setdefault(cache.store.label, cache)
