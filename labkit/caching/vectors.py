"""The questions of one namespace as one matrix: exact nearest neighbour, one product a search.

Rows are of length 1, so the product with a vector is the cosine. The matrix grows by doubling, which moves each row a
constant number of times on average, and stays contiguous for the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.caching.stores.base import VectorRow

if TYPE_CHECKING:
    from labkit.caching.embedders import Matrix

FIRST_ROWS = 64
MAX_ROWS = 20_000
"""About 120 MB at 1,536 dimensions; then the older half goes."""


class VectorIndex:
    """Not safe for threads: its owner locks."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self.max_rows = max_rows
        self.position = 0
        """In the store: up to where the rows are here."""
        self._rows: list[VectorRow] = []
        self._matrix: Matrix = np.zeros((0, 0), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: Sequence[VectorRow]) -> None:
        """Rows of another number of dimensions than the first one are left out."""
        for row in rows:
            vector = np.frombuffer(row.vector, dtype="<f4")
            if not self._rows:
                self._matrix = np.zeros((FIRST_ROWS, len(vector)), dtype=np.float32)
            if len(vector) != self._matrix.shape[1]:
                continue
            if len(self._rows) == self.max_rows:
                self._forget_older_half()
            if len(self._rows) == len(self._matrix):
                grown = np.zeros((2 * len(self._matrix), len(vector)), dtype=np.float32)
                grown[: len(self._rows)] = self._matrix
                self._matrix = grown
            self._matrix[len(self._rows)] = vector
            self._rows.append(row)

    def nearest(self, vector: Matrix) -> tuple[int, float] | None:
        """Row number and cosine of the nearest question; None when there is none."""
        if not self._rows or len(vector) != self._matrix.shape[1]:
            return None
        scores = self._matrix[: len(self._rows)] @ vector
        best = int(scores.argmax())
        return best, float(scores[best])

    def row(self, number: int) -> VectorRow:
        return self._rows[number]

    def strike(self, number: int) -> None:
        """Never find this row again: what it stood for is gone."""
        self._matrix[number] = 0.0

    def _forget_older_half(self) -> None:
        half = len(self._rows) // 2
        kept = len(self._rows) - half
        self._matrix[:kept] = self._matrix[half : len(self._rows)].copy()
        self._matrix[kept:] = 0.0
        del self._rows[:half]
