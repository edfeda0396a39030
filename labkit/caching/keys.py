"""What makes two calls the same: SHA-256 of the call as canonical JSON.

    {"v":1, "provider", "service", "model", "messages", "max_tokens", ...}     keys sorted, no spaces, UTF-8

In it: provider and service (the lab and the real thing never share answers), model, system prompt, every turn, tools,
schema and every parameter that was given. Not in it: the API key, tag, timeout and retry policy, which change no
answer, and a turn's `native` form, which a cached turn has not. Nothing is normalised beyond the temperature's form:
one space more is another call. A change to this layout raises `VERSION`, and old entries are then no longer found.

A namespace is the same without the last question: what a semantic cache must not mix.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.calls import Line
    from labkit.chat import ChatRequest, Message, ToolCall

VERSION = 1
PARAMETERS = ("top_k", "seed", "effort", "tool_choice", "schema")
_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Any) -> str:
    """The one JSON text of a value.

    >>> canonical({"b": 1, "a": [None, "é"]})
    '{"a":[null,"é"],"b":1}'

    Raises:
        TypeError, ValueError: it has no JSON form.
    """
    return _json(value)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits. Raises what `canonical` does."""
    return sha256(_json(value).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer comes from."""

    provider: str
    service: str
    """"local", "live", or the address of a compatible server."""

    @classmethod
    def of(cls, line: Line, model: str) -> Place:
        return cls(line.adapter.name, getattr(line.adapter, "base_url", None) or line.mode(model))


def described(request: ChatRequest, place: Place) -> dict[str, Any]:
    """A request as plain values: what its key is made of."""
    found: dict[str, Any] = {
        "v": VERSION,
        "provider": place.provider,
        "service": place.service,
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": [_turn(message) for message in request.messages],
    }
    if request.system:
        found["system"] = request.system
    for name in ("temperature", "top_p"):  # 0 and 0.0 are one temperature
        if (number := getattr(request, name)) is not None:
            found[name] = float(number)
    for name in PARAMETERS:
        if (value := getattr(request, name)) is not None:
            found[name] = value
    if request.stop:
        found["stop"] = request.stop
    if request.schema is not None:
        found["schema_name"] = request.schema_name
    if request.tools:
        found["tools"] = [[tool.name, tool.description, tool.parameters] for tool in request.tools]
    if request.extra:
        found["extra"] = request.extra
    return found


def namespace(description: dict[str, Any], question: str, *, embedder: str) -> str:
    """The digest of a described request without its last turn's text, and of the embedder that its vectors are from."""
    *before, last = description["messages"]
    assert last[1] == question
    return digest({**description, "messages": [*before, [last[0], None, *last[2:]]], "embedder": embedder})


def _turn(message: Message) -> list[Any]:
    turn: list[Any] = [message.role, message.text]
    if message.tool_calls or message.tool_call_id or message.name or message.failed:
        turn += [[_asked(c) for c in message.tool_calls], message.tool_call_id, message.name, message.failed]
    return turn


def _asked(call: ToolCall) -> list[Any]:
    return [call.id, call.name, call.arguments, call.error]
