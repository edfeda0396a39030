"""Start the warm process, and one student's process after the other from it.

    with ForkServer(Tier.namespaces, Limits(), port=8765) as server:
        work = server.open({"LABKIT_KEY": "..."})
        work.ask({"do": "cell", "source": "1 + 1", "seconds": 5}, seconds=6)
        work.end()
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.errors import ServerError
from labkit.grading.closing import Closing
from labkit.grading.sandbox import bubblewrap, tiers
from labkit.grading.sandbox.channel import Channel
from labkit.grading.sandbox.limits import Limits
from labkit.grading.sandbox.tiers import Tier
from labkit.grading.scratch import Scratch

MODULES = (
    *("openai", "anthropic", "google.genai", "litellm", "boto3", "httpx", "requests", "fastapi", "numpy", "pandas"),
    *("matplotlib.pyplot", "IPython", "labkit.session", "labkit.settings", "labkit.status", "labkit.client"),
    *("labkit.grading.notebook", "labkit.daemon", "labkit.prices", "tiktoken", "pydantic", "tenacity"),
)
"""Imported before the first submission; those that are not installed are passed over."""
READY_SECONDS = 120.0
END_SECONDS = 15.0
FIRST_UID = 1_000_000
UIDS_OF_ONE = 100_000
"""Users of one grader process: another one's submissions never have the same."""
MESSAGE_BYTES = 65_536


class SandboxFailed(ServerError):
    """The grader's own trouble, never the student's: the warm process does not start, or is gone."""


class ForkServer(Closing):
    """A warm process and the submission that runs from it.

    Args:
        port: of the lab server.
        number: tells apart the users of several fork servers' submissions.
        modules: imported before the first submission.
        rehearsal: environment for the first calls to the lab server, made before the first submission; None for none.

    Raises:
        SandboxFailed: it does not start.
    """

    def __init__(
        self,
        tier: Tier,
        limits: Limits,
        *,
        port: int,
        number: int = 0,
        modules: Sequence[str] = MODULES,
        rehearsal: Mapping[str, str] | None = None,
    ) -> None:
        self.tier, self.limits = tier, limits
        self._serial = 0
        self._uid = FIRST_UID + number * UIDS_OF_ONE if tiers.can_change_user(tier) else None
        self._scratch = Scratch("warm")
        folder = str(self._scratch.path)
        os.chmod(folder, 0o711)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-m", "labkit.grading.sandbox.warm", str(theirs.fileno())]
        if tier is Tier.namespaces:
            command, environment, home = bubblewrap.enclosed(command), None, bubblewrap.HOME
        else:
            environment, home = {**bubblewrap.warm_environment(), **_own(folder)}, f"{folder}/work"
            os.mkdir(home, 0o711)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=environment, cwd="/", stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        theirs.close()
        read = bubblewrap.readable()
        self._tell({"modules": list(modules), "limits": limits.as_dict(), "tier": tier, "home": home, "read": read,
                    "port": port, "rehearsal": dict(rehearsal or {})})  # fmt: skip
        self.versions: Mapping[str, str] = self._hear(READY_SECONDS, "ready")["ready"]

    def open(self, environment: Mapping[str, str]) -> Work:
        """Start a student's process.

        Raises:
            SandboxFailed: the warm process cannot.
        """
        self._serial += 1
        ours, theirs = socket.socketpair()
        output, into = os.pipe()
        uid = None if self._uid is None else self._uid + self._serial % UIDS_OF_ONE
        try:
            message = {"start": self._serial, "uid": uid, "environment": dict(environment)}
            self._tell(message, [theirs.fileno(), into])
            answer = self._hear(END_SECONDS, "started", "failed")
        except SandboxFailed:
            ours.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(into)
        channel = Channel(ours, output, self.limits.reply_bytes, self.limits.output_bytes)
        if "failed" in answer:
            channel.close()
            raise SandboxFailed(f"no process could be started: {answer['failed']}")
        return Work(self, channel, self._serial)

    def end(self, serial: int) -> str:
        """Kill what a submission started, wait until it is gone, and say how it ended."""
        self._tell({"kill": serial})
        while (message := self._hear(END_SECONDS, "ended"))["ended"] != serial:
            continue
        return str(message["why"])

    def close(self) -> None:
        """End the warm process and everything under it."""
        self._control.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._scratch.close()

    def _tell(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)
        except OSError as error:
            raise SandboxFailed(self._why(str(error))) from None

    def _hear(self, seconds: float, *wanted: str) -> dict[str, Any]:
        """The next message that has one of the wanted names; others are old news."""
        deadline = time.monotonic() + seconds
        while select.select([self._control], [], [], max(deadline - time.monotonic(), 0))[0]:
            try:
                data = self._control.recv(MESSAGE_BYTES)
            except OSError:
                data = b""
            if not data:
                raise SandboxFailed(self._why("it ended"))
            message: dict[str, Any] = json.loads(data)
            if any(name in message for name in wanted):
                return message
        raise SandboxFailed(self._why(f"no answer in {seconds:g} seconds"))

    def _why(self, reason: str) -> str:
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"the sandbox's warm process failed ({reason}{': ' + last[0] if last else ''})"


class Work:
    """A student's process that runs."""

    def __init__(self, server: ForkServer, channel: Channel, serial: int) -> None:
        self._server, self._channel, self._serial = server, channel, serial
        self.output = channel.output
        self._ended: str | None = None

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """As `Channel.ask`."""
        return self._channel.ask(message, seconds)

    def end(self) -> str:
        """Kill all of it, take in its last words, and say how it ended: "exit 0", "signal 9", "memory", "processes".

        Raises:
            SandboxFailed: the warm process does not answer any more.
        """
        if self._ended is None:
            try:
                self._ended = self._server.end(self._serial)
            finally:
                self._channel.drain()
                self._channel.close()
        return self._ended


def _own(folder: str) -> dict[str, str]:
    return {name: f"{folder}/{part}" for name, part in (("HOME", ""), ("IPYTHONDIR", "i"), ("MPLCONFIGDIR", "m"))}


