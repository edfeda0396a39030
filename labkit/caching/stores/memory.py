"""Records in this process: fastest, gone with it. Bounded: the least recently used goes first."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable
from threading import Lock

from cachetools import TLRUCache

from labkit.caching.records import Record
from labkit.caching.stores.base import VectorRow

MAX_ENTRIES = 10_000


class MemoryStore:
    label = "memory"

    def __init__(self, max_entries: int = MAX_ENTRIES, *, clock: Callable[[], float] = time.time) -> None:
        self.max_entries = max_entries
        self._lock = Lock()
        self._records: TLRUCache[str, Record] = TLRUCache(max_entries, _expiry, timer=clock)
        self._rows: defaultdict[str, list[VectorRow]] = defaultdict(list)
        self._dropped: defaultdict[str, int] = defaultdict(int)
        """By namespace: rows that were let go, so that positions stay true."""

    def get(self, key: str) -> Record | None:
        with self._lock:
            return self._records.get(key)

    def put(self, key: str, record: Record) -> None:
        with self._lock:
            self._records[key] = record

    def delete(self, key: str) -> None:
        with self._lock:
            self._records.pop(key, None)

    def add_vector(self, namespace: str, row: VectorRow) -> None:
        with self._lock:
            rows = self._rows[namespace]
            rows.append(row)
            if len(rows) > 2 * self.max_entries:
                del rows[: self.max_entries]
                self._dropped[namespace] += self.max_entries

    def vectors(self, namespace: str, after: int) -> tuple[int, list[VectorRow]]:
        with self._lock:
            dropped, rows = self._dropped[namespace], self._rows[namespace]
            return dropped + len(rows), rows[max(0, after - dropped) :]

    def clear(self) -> None:
        with self._lock:
            self._records.clear()
            self._rows.clear()
            self._dropped.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._records)

    def close(self) -> None:
        """Nothing to close."""


def _expiry(key: str, record: Record, now: float) -> float:
    return math.inf if record.expires is None else record.expires
