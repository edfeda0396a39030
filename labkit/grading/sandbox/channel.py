"""The grader's end of a talk with a student's process: one question, one answer, and never longer than it may take."""

from __future__ import annotations

import os
import select
import socket
import time
from typing import Any

from labkit.grading.sandbox.frames import BrokenFrame, Unpacker, packed

PIECE = 65_536
SEND_SECONDS = 5.0


class Gone(Exception):
    """The student's process ended, or talked out of turn, which is treated alike. The text says which."""


class NoReply(Exception):
    """The time for an answer passed. The process has to be ended."""


class Output:
    """What a process printed since the last `take`, cut at a size while it arrives."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._kept = bytearray()
        self._seen = 0

    def feed(self, data: bytes) -> None:
        self._seen += len(data)
        self._kept += data[: max(self._largest - len(self._kept), 0)]

    def take(self) -> str:
        """As text; bytes that are none are shown as a sign. Says so when something was cut."""
        text = self._kept.decode("utf-8", "replace")
        cut = self._seen - len(self._kept)
        self._kept, self._seen = bytearray(), 0
        return f"{text}\n[{cut:,} more bytes]" if cut else text


class Channel:
    """Questions to a student's process over a socket, its output over a pipe.

    Args:
        talk: our end of the socket; closed by `close`.
        output: our end of the pipe; closed by `close`.
    """

    def __init__(self, talk: socket.socket, output: int, largest_reply: int, largest_output: int) -> None:
        self._talk, self._pipe = talk, output
        self._talk.settimeout(SEND_SECONDS)
        self._unpacker = Unpacker(largest_reply + 1024)
        self._asked = 0
        self.output = Output(largest_output)

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to a message.

        Raises:
            Gone: the process has ended, or what it sent is not one answer to this message.
            NoReply: `seconds` have passed.
        """
        self._asked += 1
        deadline = time.monotonic() + seconds
        try:
            self._talk.sendall(packed({"id": self._asked, **message}))
        except OSError:
            self.drain()
            raise Gone("its process has ended") from None
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self._talk.fileno(), self._pipe], [], [], left)
            if self._pipe in ready:
                self._read_output()
            if self._talk.fileno() in ready and (answers := self._read_answers()):
                self.drain()
                return the_answer(answers, self._asked)
        self.drain()
        raise NoReply

    def drain(self) -> None:
        """Take in what has been printed by now, a megabyte at most."""
        for _ in range(16):
            if not select.select([self._pipe], [], [], 0)[0] or not self._read_output():
                return

    def close(self) -> None:
        self._talk.close()
        os.close(self._pipe)

    def _read_output(self) -> bool:
        data = os.read(self._pipe, PIECE)
        self.output.feed(data)
        if not data:  # nobody holds the other end: always readable from now on, so look no more
            os.close(self._pipe)
            self._pipe = os.open(os.devnull, os.O_RDONLY)
        return bool(data)

    def _read_answers(self) -> list[Any]:
        try:
            data = self._talk.recv(PIECE)
        except OSError:
            data = b""
        if not data:
            self.drain()
            raise Gone("its process has ended")
        try:
            return self._unpacker.feed(data)
        except BrokenFrame as broken:
            raise Gone(f"its process sent {broken}") from None


def the_answer(answers: list[Any], asked: int) -> dict[str, Any]:
    """The one answer to the question with this number.

    Raises:
        Gone: there are others, or it has another form.
    """
    [answer] = answers if len(answers) == 1 else [None]
    if not isinstance(answer, dict) or answer.pop("id", None) != asked:
        raise Gone("its process talked out of turn")
    return answer
