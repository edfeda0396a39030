"""One call as it went over the wire: request line, headers, body; status, headers, body. Shown by `wire`.

The lab server keeps the bytes of recent calls; this module makes them readable: JSON laid out, an event stream cut into
its frames, long parts folded, headers that only plumbing cares about out of the way. Keys were masked by the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

from labkit import lab
from labkit.display import LINE, block, folded
from labkit.errors import NothingRecorded
from labkit.secret import mask
from labkit.session import current

LINES_SHOWN = 30
FRAMES_SHOWN = 4
"""Frames of a stream shown before and, but for one, after the fold."""
WIDTH = 88
"""Characters in a line of JSON before it is laid out over several."""
LONGEST_STRING = 1_200
"""Characters of one string in a body; an image in base64 has more."""

PLUMBING = (
    *("host", "connection", "accept", "user-agent", "content-length", "transfer-encoding", "date", "server"),
    *("x-stainless-", "x-goog-api-client", "amz-sdk-"),
)
"""Beginnings of header names that a first look can do without."""
SECRET = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "x-amz-security-token")


class Parts(NamedTuple):
    """A body cut for showing; "" for what is not needed."""

    head: str
    hidden: str = ""
    tail: str = ""
    fold: str = ""
    """What the hidden part is called."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response."""

    line: str
    """The request line, or the status line."""
    headers: Mapping[str, str]
    body: Any
    """A JSON value, text, or None if there is none."""

    @property
    def frames(self) -> list[str]:
        """The events of a stream, each as it was sent; empty for any other body."""
        if not (isinstance(self.body, str) and "event-stream" in self.headers.get("content-type", "")):
            return []
        return [f for f in self.body.replace("\r\n", "\n").split("\n\n") if f.strip()]

    @property
    def text(self) -> str:
        """The whole body, readable."""
        if self.body is None:
            return ""
        return self.body if isinstance(self.body, str) else pretty(self.body)

    @property
    def parts(self) -> Parts:
        """The body as it is shown."""
        if frames := self.frames:
            cut = FRAMES_SHOWN if len(frames) > 2 * FRAMES_SHOWN else len(frames)
            middle, tail = frames[cut : 1 - FRAMES_SHOWN], frames[cut:][1 - FRAMES_SHOWN :]
            head, fold, end = ("\n\n".join(part) for part in (frames[:cut], middle, tail))
            return Parts(head, fold, end, f"{len(middle)} more frames" if middle else "")
        lines = self.text.splitlines()
        if len(lines) <= LINES_SHOWN + 4:  # a fold that hides three lines costs more than it saves
            return Parts(self.text)
        rest = lines[LINES_SHOWN:]
        return Parts("\n".join(lines[:LINES_SHOWN]), "\n".join(rest), "", f"{len(rest)} more lines")

    def shown_headers(self) -> tuple[list[str], list[str]]:
        """Lines of headers that matter, and of the plumbing."""
        lines = {name: f"{name}: {_unspoken(name, value)}" for name, value in self.headers.items()}
        plumbing = {name for name in lines if name.startswith(PLUMBING)}
        return [lines[n] for n in lines if n not in plumbing], [lines[n] for n in lines if n in plumbing]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call."""

    id: int
    request: Message
    response: Message
    seconds: float
    """From the request's last byte to the response's."""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Exchange:
        """From a journal entry with its "wire".

        Raises:
            NothingRecorded: the server has dropped the bytes, as it does after some hundreds of calls.
        """
        wire = entry.get("wire")
        if wire is None:
            raise NothingRecorded(f"The lab server no longer has the bytes of call {entry['id']}: make the call again.")
        asked, answered = wire["request"], wire["response"]
        return cls(
            entry["id"],
            Message(f"{asked['method']} {asked['path']} HTTP/1.1", asked["headers"], asked["body"]),
            Message(_status_line(answered["status"]), answered["headers"], answered["body"]),
            (entry.get("timing") or {}).get("total_ms", 0.0) / 1000,
        )


class Wire:
    """Calls side by side: HTML in a notebook, text in a script."""

    def __init__(self, exchanges: list[Exchange], notice: str = "") -> None:
        self.exchanges = exchanges
        self.notice = notice

    def __str__(self) -> str:
        calls = [f"{_text(e.request, '>')}\n\n{_text(e.response, '<')}" for e in self.exchanges]
        return ("\n\n" + "-" * 40 + "\n\n").join(calls) + (f"\n\n{self.notice}" if self.notice else "")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        style = f"flex: 1 1 340px; min-width: 0; border: {LINE}; border-radius: 4px; padding: 6px 10px"
        calls = "".join(
            f'<div style="{style}">{_html(e.request, f"call {e.id}: request")}'
            f"{_html(e.response, f'response after {1000 * e.seconds:,.0f} ms')}</div>"
            for e in self.exchanges
        )
        notice = f'<div style="opacity: 0.75">{self.notice}</div>' if self.notice else ""
        return f'<div style="display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start">{calls}</div>{notice}'


def wire(*which: int | Mapping[str, Any]) -> Wire:
    """Calls of this session as they went over the wire, side by side if there are several.

    Args:
        which: journal ids, or -1 for the last call, -2 for the one before; or entries from `lab.last()`. Without any,
            the last call.

    Raises:
        NothingRecorded: no such call. Calls to a live provider do not pass the lab server and leave nothing here.
    """
    live = ", ".join(current().live)
    notice = f"{live}: live calls do not pass the lab server and are not shown here." if live else ""
    try:
        return Wire([Exchange.of(_entry(w)) for w in which or (-1,)], notice)
    except NothingRecorded as error:
        raise NothingRecorded(f"{error} {notice}".strip()) from None


def pretty(value: Any, indent: int = 0) -> str:
    """JSON laid out for reading: what fits in a line stays in one, very long strings are cut.

    >>> print(pretty({"model": "m", "bytes": [65, 80, 73]}))
    {"model": "m", "bytes": [65, 80, 73]}
    """
    flat = json.dumps(_clipped(value), ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        rows = [f"{pad}{json.dumps(k, ensure_ascii=False)}: {pretty(v, indent + 2)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + pretty(v, indent + 2) for v in value) + "\n" + " " * indent + "]"


def _entry(which: int | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(which, Mapping):
        return which if "wire" in which else lab.entry(which["id"])
    if which >= 0:
        return lab.entry(which)
    if which == -1:
        return lab.last()
    found = lab.entries(after=max(0, lab.mark() + which))
    if len(found) < -which:
        raise NothingRecorded(f"The journal does not go back {-which} calls: `lk.lab.journal()` lists what it holds.")
    return lab.entry(found[which]["id"])


def _status_line(status: int) -> str:
    try:
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    except ValueError:  # 529 is Anthropic's own
        return f"HTTP/1.1 {status}"


def _unspoken(name: str, value: str) -> str:
    """The server masks keys; this is the second lock on the same door."""
    if name not in SECRET or "…" in value:
        return value
    scheme, space, key = value.partition(" ")
    return f"{scheme} {mask(key)}" if space else mask(value)


def _clipped(value: Any) -> Any:
    if isinstance(value, str):
        extra = len(value) - LONGEST_STRING
        return value if extra <= 0 else f"{value[:LONGEST_STRING]}… ({extra:,} more characters)"
    if isinstance(value, dict):
        return {k: _clipped(v) for k, v in value.items()}
    return [_clipped(v) for v in value] if isinstance(value, list) else value


def _text(message: Message, mark: str) -> str:
    headers, plumbing = message.shown_headers()
    rest = [f"({len(plumbing)} more headers)"] if plumbing else []
    parts = message.parts
    top = [f"{mark} {line}" for line in [message.line, *headers, *rest]]
    return "\n".join([*top, "", parts.head, f"... {parts.fold} ..." if parts.fold else "", parts.tail]).rstrip()


def _html(message: Message, label: str) -> str:
    headers, plumbing = message.shown_headers()
    rest = folded(f"{len(plumbing)} more headers", block("\n".join(plumbing))) if plumbing else ""
    return (
        f'<div style="opacity: 0.75; margin-top: 4px">{label}</div>'
        f"{block(chr(10).join([message.line, *headers]))}{rest}{_body_html(message)}"
    )


def _body_html(message: Message) -> str:
    parts = message.parts
    head, tail = (block(text) if text else "" for text in (parts.head, parts.tail))
    return head + (folded(parts.fold, block(parts.hidden)) if parts.hidden else "") + tail
