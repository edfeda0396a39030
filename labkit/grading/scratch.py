"""Folders that a grader process works in, and their removal when it was killed.

The process that made a folder holds a lock on it for as long as it lives. The system lets go of the lock when the
process ends, however it ends, and also when it ran in a namespace where its number meant nothing to others: so what
is left over can be told from what is in use.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from labkit.grading.closing import Closing

if sys.platform != "win32":  # there nothing is locked, and nothing is taken for left over
    import fcntl

PREFIX = "labkit-grader-"
NEW_SECONDS = 60.0
"""A folder as young as this may belong to somebody who has not locked it yet."""


class Scratch(Closing):
    """A folder of this process, readable by nobody else, until `close()`."""

    def __init__(self, purpose: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
        self._lock = _locked(self.path)

    def close(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_leftovers() -> list[Path]:
    """Remove the folders whose process is gone. Returns them."""
    if sys.platform == "win32":
        return []
    found = [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _left_over(path)]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return found


def _left_over(path: Path) -> bool:
    with suppress(OSError):
        state = path.lstat()
        if state.st_uid == os.geteuid() and time.time() - state.st_mtime > NEW_SECONDS:
            lock = _locked(path)
            if lock is not None:
                os.close(lock)
            return lock is not None
    return False


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of a folder; None if another process has it.

    Raises:
        OSError: it is no folder.
    """
    if sys.platform == "win32":
        return None
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
