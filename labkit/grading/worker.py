"""A grader process: jobs in, results out, one JSON value a line.

    python -m labkit.grading.worker TIER NUMBER

`Grader` starts one and talks to it. In the strongest tier it runs in namespaces of its own, together with its lab
server and its sandbox: there is no network in there but a loopback, and everything ends when the grader does.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress

from labkit.errors import ServerError
from labkit.grading.closing import Closing
from labkit.grading.job import Job
from labkit.grading.judge import Judge
from labkit.grading.results import SubmissionResult
from labkit.grading.sandbox import bubblewrap
from labkit.grading.sandbox.forkserver import MODULES
from labkit.grading.sandbox.limits import Limits
from labkit.grading.sandbox.tiers import Tier

SLACK_SECONDS = 180.0
"""Beyond a submission's own limit: parts that start anew, checks that read large journals."""


class GraderFailed(ServerError):
    """The grader process is gone, or does not answer. Never the student's fault."""


class Grader(Closing):
    """A grader process, from outside. Use it in a `with`; one job at a time."""

    def __init__(
        self, tier: Tier, *, number: int = 0, limits: Limits | None = None, modules: Sequence[str] = MODULES
    ) -> None:
        command = [sys.executable, "-P", "-m", "labkit.grading.worker", tier, str(number)]
        if tier is Tier.namespaces:
            command = bubblewrap.with_network_of_its_own(command)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="labkit-grader-results", daemon=True)
        self._reader.start()
        self._tell({"limits": (limits or Limits()).as_dict(), "modules": list(modules)})

    def grade(self, job: Job) -> SubmissionResult:
        """The result of one job.

        Raises:
            GraderFailed: the process is gone or takes too long; make another one.
        """
        self._tell(job.as_dict())
        line = self._hear(job.limits.total_seconds + SLACK_SECONDS)
        return SubmissionResult.from_dict(json.loads(line))

    def close(self) -> None:
        """End it and all that it started."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(1)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    @property
    def pid(self) -> int:
        """Of the process that everything else hangs on."""
        return self._process.pid

    def _tell(self, message: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise GraderFailed(self._why(str(error))) from None

    def _hear(self, seconds: float) -> bytes:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise GraderFailed(self._why(f"no result in {seconds:g} seconds")) from None
        if not line.endswith(b"\n"):
            raise GraderFailed(self._why("it ended"))
        return line

    def _read(self) -> None:
        """In a thread, since Windows cannot wait for a pipe with a time limit."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _why(self, reason: str) -> str:
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"a grader process failed ({reason}{': ' + last[0] if last else ''})"


def main() -> None:
    """Serve jobs from stdin until it ends. What check files print goes to stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    first = json.loads(sys.stdin.readline())
    with Judge(Tier(sys.argv[1]), number=int(sys.argv[2]), modules=first["modules"]) as judge:
        judge.warm_up(Limits(**first["limits"]))
        for line in sys.stdin:
            result = judge.grade(Job.from_dict(json.loads(line)))
            replies.write(json.dumps(result.as_dict()).encode() + b"\n")
            replies.flush()


if __name__ == "__main__":
    main()
