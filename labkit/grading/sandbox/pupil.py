"""The student's process: runs the cells of a notebook and the steps of checks, as messages ask for them.

    {"id": 3, "do": "cell", "source": "...", "seconds": 30} -> {"id": 3, "outcome": "ok", "error": "", "seconds": 0.01}
    {"id": 4, "do": "call", "name": "f", "args": [1], ...}   -> {"id": 4, "value": 2}      as labkit.grading.workspace

Cells run in an IPython shell, so that magics and top-level `await` work; a time limit interrupts a cell where it can.
Everything that a cell prints goes to file descriptors 1 and 2, which the grader reads from the other end.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import Any, BinaryIO

from labkit.grading.deadline import OutOfTime, within
from labkit.grading.refusals import short
from labkit.grading.sandbox.frames import packed, receive
from labkit.grading.workspace import Workspace

LONGEST_ERROR = 300
FROM_ENVIRONMENT = ("LC_ALL", "LANG", "TZ", "SYSTEMROOT")
"""Kept from the grader's environment."""


def make_shell() -> Any:
    """An IPython shell without history, colours or files of its own."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.xmode = "Plain"
    class Shell(InteractiveShell):
        """Runs `!ls` without a terminal, and keeps no copy of what cells print."""

        system = InteractiveShell.system_raw

        def _tee(self, channel: str) -> Any:  # of IPython 9, for a history of all output
            return nullcontext()

    return Shell.instance(config=config)


class Pupil:
    """Answers messages until the stream ends."""

    def __init__(self, shell: Any, steps: BinaryIO, replies: BinaryIO, largest_reply: int) -> None:
        self._shell = shell
        self._workspace = Workspace(shell.user_ns)
        self._steps, self._replies, self._largest = steps, replies, largest_reply
        self._pid = os.getpid()

    def serve(self) -> None:
        """Until the grader closes its end. A fork that a student's cell made and that came back here ends at once."""
        while (message := receive(self._steps)) is not None:
            number, mark = message.pop("id"), message.pop("mark", "")
            reply = self._answer(message)
            if os.getpid() != self._pid:
                os._exit(0)
            _flush()
            with suppress(OSError):  # a student's code may have closed it
                os.write(2, mark.encode())
            self._replies.write(self._frame(number, reply))
            self._replies.flush()

    def _answer(self, message: Any) -> dict[str, Any]:
        sys.stdout, sys.stderr = sys.stdout or sys.__stdout__, sys.stderr or sys.__stderr__
        try:
            return self._cell(message) if message["do"] == "cell" else dict(self._workspace.run(message))
        except KeyboardInterrupt:
            return {"trouble": "raised", "sentence": f"`{message.get('name')}` raised KeyboardInterrupt"}

    def _frame(self, number: int, reply: dict[str, Any]) -> bytes:
        frame = packed({"id": number, **reply})
        if len(frame) <= self._largest:
            return frame
        sentence = f"the value is {len(frame):,} bytes long as JSON, expected {self._largest:,} at most."
        return packed({"id": number, "trouble": "not plain", "sentence": sentence})

    def _cell(self, message: Any) -> dict[str, Any]:
        begun = time.monotonic()
        try:
            result = within(message["seconds"], lambda: self._shell.run_cell(message["source"], store_history=False))
            error = result.error_before_exec or result.error_in_exec
        except BaseException as escaped:  # the alarm rang in IPython's own code, or a cell bent IPython
            error = escaped
        outcome = "ok" if error is None else "time" if isinstance(error, OutOfTime) else "error"
        return {
            "outcome": outcome,
            "error": "" if outcome == "time" else _last_line(error),
            "seconds": round(time.monotonic() - begun, 3),
        }


def _last_line(error: BaseException | None) -> str:
    if error is None:
        return ""
    try:
        return short(f"{type(error).__name__}: {error}", LONGEST_ERROR)
    except BaseException:
        return "an exception whose text cannot be shown"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # a student may have put anything there
            continue


def fresh_streams() -> None:
    """Python's own stdout and stderr over descriptors 1 and 2, whatever the warm process had there."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        raw = io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=False))
        stream = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def set_environment(home: str, environment: Mapping[str, str]) -> None:
    """The submission's own environment, and nothing of the grader's."""

    kept = {name: os.environ[name] for name in FROM_ENVIRONMENT if name in os.environ}
    os.environ.clear()
    os.environ.update({"HOME": home, "TMPDIR": f"{home}/tmp", "PATH": "/usr/local/bin:/usr/bin:/bin", **kept})
    os.environ.update({"LABKIT_HOME": f"{home}/.labkit", **environment})
    tempfile.tempdir = None
