"""Where there is no fork to build on (Windows, macOS): a process that has imported everything waits for its submission.

    python -m labkit.grading.sandbox.spare '["openai", ...]' '{"cell_seconds": 30, ...}'

While one submission runs, the process for the next one is already importing. The interface is the fork server's; what
it keeps apart is what the system keeps apart between two processes of one user, so this is never more than limits.
Steps come in on stdin, replies go out on what was stdout, and everything that is printed goes to stderr's pipe.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from labkit.grading.closing import Closing
from labkit.grading.sandbox.bubblewrap import warm_environment
from labkit.grading.sandbox.channel import PIECE, Gone, NoReply, Output, the_answer
from labkit.grading.sandbox.forkserver import MODULES, READY_SECONDS, SandboxFailed
from labkit.grading.sandbox.frames import BrokenFrame, Unpacker, packed, receive
from labkit.grading.sandbox.limits import Limits
from labkit.grading.sandbox.tiers import Tier
from labkit.grading.scratch import Scratch

OF_THE_SYSTEM = ("SYSTEMROOT", "WINDIR", "TEMP", "TMP", "PYTHONPATH")
"""What a process of Windows cannot start without, and where an uninstalled labkit lies."""
MARK_SECONDS = 1.0
"""How long output may be behind its answer."""


class SpareServer(Closing):
    """Processes that wait, one ahead. The same face as `ForkServer`."""

    tier = Tier.limits

    def __init__(self, limits: Limits, *, modules: Sequence[str] = MODULES) -> None:
        self.limits = limits
        self._modules = list(modules)
        self._next = self._launch()
        self.versions: Mapping[str, str] = self._next.ready()

    def open(self, environment: Mapping[str, str]) -> SpareWork:
        """Give the process that waits to a submission, and start another one.

        Raises:
            SandboxFailed: it has ended meanwhile.
        """
        work, self._next = self._next, self._launch()
        work.ready()
        work.begin(environment)
        return work

    def close(self) -> None:
        self._next.end()

    def _launch(self) -> SpareWork:
        command = [sys.executable, "-P", "-m", "labkit.grading.sandbox.spare"]
        command += [json.dumps(self._modules), json.dumps(self.limits.as_dict())]
        scratch = Scratch("spare")
        home = str(scratch.path)
        for name in ("tmp", "shm"):
            os.mkdir(os.path.join(home, name))
        kept = {name: os.environ[name] for name in OF_THE_SYSTEM if name in os.environ}
        folders = dict.fromkeys(("HOME", "IPYTHONDIR", "MPLCONFIGDIR"), os.path.join(home, "tmp"))
        process = subprocess.Popen(
            command, bufsize=0, cwd=home, env={**warm_environment(), **kept, **folders},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        return SpareWork(process, scratch, self.limits)


class MarkedOutput(Output):
    """Output that a thread reads, so perhaps after the answer has come: a mark at its end tells that it is whole."""

    def __init__(self, largest: int) -> None:
        super().__init__(largest)
        self._changed = threading.Condition()
        self._newest = b""

    def feed(self, data: bytes) -> None:
        with self._changed:
            super().feed(data)
            self._newest = (self._newest + data)[-PIECE:]
            self._changed.notify_all()

    def take(self) -> str:
        with self._changed:
            return super().take()

    def wait_for(self, mark: bytes) -> None:
        """Wait until the mark has arrived, for a second at most, and take it out."""
        with self._changed:
            if self._changed.wait_for(lambda: mark in self._newest, MARK_SECONDS):
                self._seen -= len(mark)
                self._kept = self._kept.replace(mark, b"")


class SpareWork:
    """A process that waits for a submission or runs one. The same face as the fork server's `Work`."""

    def __init__(self, process: subprocess.Popen[bytes], scratch: Scratch, limits: Limits) -> None:
        self._process, self._scratch = process, scratch
        self._unpacker = Unpacker(limits.reply_bytes + 1024)
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._asked = 0
        self._versions: dict[str, str] | None = None
        self._ended: str | None = None
        self.output = MarkedOutput(limits.output_bytes)
        self._threads = [
            _reading(process.stdout, self._answers.put),
            _reading(process.stderr, self.output.feed),
        ]

    def ready(self) -> Mapping[str, str]:
        """Wait until it has imported everything. Returns the versions that it has.

        Raises:
            SandboxFailed: it ended, or took too long.
        """
        if self._versions is None:
            try:
                [message] = self._wait(time.monotonic() + READY_SECONDS)
                self._versions = dict(message["ready"])
            except (Gone, NoReply, ValueError, KeyError) as error:
                raise SandboxFailed(f"the process that waits failed: {error!r} {self.output.take()[-300:]}") from None
        return self._versions

    def begin(self, environment: Mapping[str, str]) -> None:
        """Hand it to a submission."""
        self.output.take()
        self._send({"home": str(self._scratch.path), "environment": dict(environment)})

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """As `Channel.ask`."""
        self._asked += 1
        mark = secrets.token_hex(16)
        self._send({"id": self._asked, "mark": mark, **message})
        answer = the_answer(self._wait(time.monotonic() + seconds), self._asked)
        self.output.wait_for(mark.encode())
        return answer

    def end(self) -> str:
        """Kill it and what it started, and say how it ended."""
        if self._ended is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)  # it may be about to say by itself how it ends
            _kill(self._process)
            code = self._process.wait()
            self._ended = f"signal {-code}" if code < 0 else f"exit {code}"
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                for thread in self._threads:
                    thread.join(1)
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            self._scratch.close()
        return self._ended

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(packed(message))
        except OSError:
            raise Gone("its process has ended") from None

    def _wait(self, deadline: float) -> list[Any]:
        while (left := deadline - time.monotonic()) > 0:
            try:
                data = self._answers.get(timeout=left)
            except queue.Empty:
                break
            if not data:
                raise Gone("its process has ended")
            try:
                if answers := self._unpacker.feed(data):
                    return answers
            except BrokenFrame as broken:
                raise Gone(f"its process sent {broken}") from None
        raise NoReply


def _reading(stream: IO[bytes] | None, take: Any) -> threading.Thread:
    """A thread that hands on whatever arrives, and b"" at the end."""

    def read() -> None:
        assert stream is not None
        data = b"x"
        while data:
            try:
                data = stream.read(PIECE)
            except (OSError, ValueError):
                data = b""
            take(data)

    thread = threading.Thread(target=read, name="labkit-grading-pipe", daemon=True)
    thread.start()
    return thread


def _kill(process: subprocess.Popen[bytes]) -> None:
    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()


def main() -> None:
    """Import, say so, wait for a submission, run it."""
    from labkit.grading.sandbox.pupil import Pupil, fresh_streams, make_shell, set_environment
    from labkit.grading.sandbox.rehearsal import warm_up

    steps, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    fresh_streams()
    versions, shell = warm_up(json.loads(sys.argv[1])), make_shell()
    limits = Limits(**json.loads(sys.argv[2]))
    replies.write(packed({"ready": versions}))
    replies.flush()
    if (first := receive(steps)) is not None:
        set_environment(first["home"], first["environment"])
        limits.impose()
        Pupil(shell, steps, replies, limits.reply_bytes).serve()


if __name__ == "__main__":
    main()
