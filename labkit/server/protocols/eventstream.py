"""AWS's event-stream framing: binary messages with headers and two checksums.

    total length   4 bytes, big-endian, the whole message
    headers length 4 bytes
    prelude CRC    CRC32 of the eight bytes before
    headers        one after the other: name length (1 byte), name, 7 for "string", value length (2 bytes), value
    payload        JSON here
    message CRC    CRC32 of everything before

Source: botocore's `eventstream.py`, which reads what this module writes.
"""

from __future__ import annotations

from struct import pack
from zlib import crc32

from labkit.server.http import Json, dump

EVENT_STREAM = (b"content-type", b"application/vnd.amazon.eventstream")

_PRELUDE, _CRC = 12, 4
_STRING = 7


def event(name: str, payload: Json) -> bytes:
    """A message that carries an event of the stream."""
    return message({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, dump(payload))


def exception(name: str, text: str) -> bytes:
    """A message that ends the stream with a modelled exception, such as `throttlingException`."""
    return message(
        {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"},
        dump({"message": text}),
    )


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """One framed message.

    >>> message({}, b"").hex()
    '000000100000000005c248eb7d98c8ff'
    """
    lines = b"".join(_header(name, value) for name, value in headers.items())
    prelude = pack("!II", _PRELUDE + len(lines) + len(payload) + _CRC, len(lines))
    whole = prelude + pack("!I", crc32(prelude)) + lines + payload
    return whole + pack("!I", crc32(whole))


def _header(name: str, value: str) -> bytes:
    raw = value.encode()
    return pack("!B", len(name)) + name.encode() + pack("!BH", _STRING, len(raw)) + raw
