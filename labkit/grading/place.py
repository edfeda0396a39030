"""Numbers for grader processes: no two on one machine have the same, whoever started them.

A grader's number decides which users its submissions run as. Two runs at once, or two workers of a cluster on one
machine, must not share them.
"""

from __future__ import annotations

from itertools import count

from filelock import FileLock, Timeout

from labkit import settings
from labkit.grading.closing import Closing
from labkit.state import state_folder


class Place(Closing):
    """The lowest number that is free, until `close()`; the system frees it if this process dies."""

    def __init__(self) -> None:
        folder = state_folder(settings.load().home).path / "graders"
        folder.mkdir(mode=0o700, exist_ok=True)
        for number in count():
            self._lock = FileLock(folder / f"{number}.lock", timeout=0, thread_local=False)
            try:
                self._lock.acquire()
            except Timeout:
                continue
            self.number = number
            return

    def close(self) -> None:
        self._lock.release()
