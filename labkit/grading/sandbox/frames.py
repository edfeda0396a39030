"""JSON over a byte stream: four bytes of length, most significant first, then the text in UTF-8.

What the outside reads comes from a student's process, so a length above the limit is refused before anything is
gathered, and what is no JSON is an error and not a value.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Protocol

HEADER = struct.Struct(">I")


class BrokenFrame(Exception):
    """The other end sent something that is no frame."""


class Reader(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


def packed(message: Any) -> bytes:
    """A message as its frame.

    Raises:
        TypeError, ValueError: it is no JSON value.
    """
    body = json.dumps(message).encode()
    return HEADER.pack(len(body)) + body


def receive(stream: Reader) -> Any:
    """The next message of a trusted stream; None at its end."""
    header = stream.read(HEADER.size) or b""
    if len(header) < HEADER.size:
        return None
    [size] = HEADER.unpack(header)
    return json.loads(stream.read(size) or b"null")


class Unpacker:
    """Puts frames together from pieces that arrive as they like."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are complete with this piece.

        Raises:
            BrokenFrame: too long, or no JSON.
        """
        self._held += data
        found = []
        while len(self._held) >= HEADER.size:
            [size] = HEADER.unpack_from(self._held)
            if size > self._largest:
                raise BrokenFrame(f"a reply of {size:,} bytes")
            end = HEADER.size + size
            if len(self._held) < end:
                break
            found.append(_decoded(bytes(self._held[HEADER.size : end])))
            del self._held[:end]
        return found


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BrokenFrame("a reply that is no JSON") from None
