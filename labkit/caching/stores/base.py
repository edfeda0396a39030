"""What a store is: a place for records by key, and for the vectors of a semantic cache.

A store does no counting, knows no rules and asks nobody. What it cannot do it raises as `StoreTrouble`, in a sentence
that the cache says once; a record that has expired may be returned, the cache looks at its date.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from labkit.caching.records import Record


class StoreTrouble(Exception):
    """The store cannot be read or written now. The message says what and why, without the consequence."""


class VectorRow(NamedTuple):
    """One question of a semantic cache."""

    key: str
    """Of the record that answers it."""
    question: str
    vector: bytes
    """32-bit floats, little endian, of length 1."""


class Store(Protocol):
    """All methods may be called from several threads."""

    label: str
    """What a repr shows: "memory", the path, the address without its password."""

    def get(self, key: str) -> Record | None: ...

    def put(self, key: str, record: Record) -> None: ...

    def delete(self, key: str) -> None: ...

    def add_vector(self, namespace: str, row: VectorRow) -> None: ...

    def vectors(self, namespace: str, after: int) -> tuple[int, list[VectorRow]]:
        """The rows that came after a position, oldest first, and the position to ask from next time; 0 to begin."""

    def clear(self) -> None: ...

    def __len__(self) -> int:
        """Records, expired ones that nobody removed included."""

    def close(self) -> None: ...
