"""Finished cells on disk: a file of lines, one a cell, read again when the sweep is run again.

    {"key": "3f9c...", "model": ..., "repeat": 1, "text": ..., "cost_usd": ..., ...}

Each line is written when its answer has come, before the next cell is begun, so that a kill loses none. Lines of live
calls are forced to the disk at once, others at most a second later (see `labkit.lines`). A line that was cut is left
out, and its cell asked again. Errors are not written: the next run tries again.

One process at a time may run a sweep: a lock beside the file, which ends with its process, keeps a second one out.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Container, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from labkit.errors import UserError
from labkit.lines import LineFile

Row = dict[str, Any]
"""One finished cell as its line says it."""


class StoreWarning(UserWarning):
    """Results cannot be written or read as they should be. The sweep goes on."""


class Store:
    """The finished cells of one sweep. Use it in a `with`: it holds the lock meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = LineFile(path)
        self._kept: dict[str, Row] = {}
        """What could not be written."""
        self._failed = False
        self._open = ExitStack()

    def __enter__(self) -> Store:
        """
        Raises:
            UserError: another process runs this sweep.
        """
        from filelock import FileLock, Timeout

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open.enter_context(FileLock(self.path.with_suffix(".lock"), timeout=0))
        except Timeout:
            raise UserError(
                f"Another process runs the sweep {self.path.stem!r} now: wait for it, or give this one another name."
            ) from None
        except OSError as error:
            self._lost(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._lines.sync()
        except OSError as failure:
            self._lost(failure)
        self._lines.close()
        self._open.close()

    def add(self, row: Row, *, live: bool) -> None:
        """Keep a finished cell. A disk that cannot be written is said once, and the cell kept in memory."""
        if not self._failed:
            try:
                self._lines.append(_encoded(row).encode(), at_once=live)
            except OSError as error:
                self._lost(error)
            else:
                return
        self._kept[row["key"]] = row

    def keys(self) -> set[str]:
        """Of all cells that are finished."""
        return {row["key"] for row in self._read()}

    def rows(self, wanted: Container[str]) -> dict[str, Row]:
        """The finished cells among `wanted`, by key."""
        return {row["key"]: row for row in self._read() if row["key"] in wanted}

    def _read(self) -> Iterator[Row]:
        broken = 0
        try:
            for line in self._lines:
                row = _row(line)
                broken += row is None
                if row is not None:
                    yield row
        except OSError as error:
            self._lost(error)
        if broken:
            cells = "a cell was cut and is" if broken == 1 else f"{broken} cells were cut and are"
            warnings.warn(f"{self.path}: {cells} asked again.", StoreWarning, stacklevel=4)
        yield from self._kept.values()

    def _lost(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            sentence = f"{self.path} cannot be used ({error.strerror}): results are kept in memory only from here on."
            warnings.warn(sentence, StoreWarning, stacklevel=4)


_encoded = json.JSONEncoder(ensure_ascii=False, default=str).encode


def _row(line: bytes) -> Row | None:
    """A finished cell, None for a line that is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("key"), str) and "text" in row else None
