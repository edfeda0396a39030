"""A file of lines that outlives the process: each one is appended in one write, and a cut one harms no other.

A kill of the process loses no line that was appended: the system has it. Only a power cut could take those that were
not yet forced to the disk; the writer says which must be at once, the others follow at most a second later.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from errno import ENOSPC
from pathlib import Path
from threading import Lock
from time import monotonic

SYNC_SECONDS = 1.0
"""Lines that need not be on the disk at once are forced there at most this often: it costs milliseconds."""


class LineFile:
    """Lines of bytes, in the order of `append`. Several threads and processes may append to the same file."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = monotonic) -> None:
        self.path = path
        self._clock = clock
        self._lock = Lock()
        self._file: int | None = None
        self._synced = clock()
        self._cut = False

    def append(self, line: bytes, *, at_once: bool = False) -> None:
        """Add one line, given without its end.

        Args:
            at_once: return when it is on the disk.

        Raises:
            OSError: it cannot be written, or not whole. A later line does not suffer from the part that was.
        """
        with self._lock:
            if self._file is None:
                self._file = self._opened()
                self._cut = not ends_with_newline(self._file)
            whole = b"\n" + line + b"\n" if self._cut else line + b"\n"
            written = os.write(self._file, whole)
            self._cut = (self._cut and written == 0) or 0 < written < len(whole)
            if written < len(whole):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            if at_once or self._clock() - self._synced >= SYNC_SECONDS:
                os.fsync(self._file)
                self._synced = self._clock()

    def __iter__(self) -> Iterator[bytes]:
        """Every line that is not empty, oldest first; the last one may be cut. Nothing when there is no file.

        Raises:
            OSError: it cannot be read.
        """
        if self.path.is_file():  # a pipe or a device may have no end
            with self.path.open("rb") as stream:
                yield from filter(bytes.strip, stream)

    def sync(self) -> None:
        """Force what was appended to the disk now."""
        with self._lock:
            if self._file is not None:
                os.fsync(self._file)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _opened(self) -> int:
        flags = os.O_APPEND | os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        return os.open(self.path, flags, 0o600)


def ends_with_newline(file: int) -> bool:
    """Whether an open file is empty or its last line whole."""
    size = os.fstat(file).st_size
    if size == 0:
        return True
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1) == b"\n"
