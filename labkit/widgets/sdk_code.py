"""The providers' own code for a call, as a reader would type it: same arguments, same request on the wire.

The arguments are those that `LLMClient`'s adapter hands to the SDK, so code and call cannot drift apart. A test runs
the code and compares what the lab server received with what the playground had sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from textwrap import indent
from typing import Any, NamedTuple

from labkit import adapters
from labkit.chat import ChatRequest

WIDTH = 48
"""Characters in a line before a value is laid out over several."""
ROUND = "number"
"""The loop's variable, when several samples are drawn."""


class Spelling(NamedTuple):
    """How one SDK writes a streamed call."""

    opening: str
    """Import and client."""
    call: str
    more: Mapping[str, Any]
    """Arguments that make it a stream."""
    reading: str
    """The loop over `stream`."""


SPELLINGS = {
    "openai": Spelling(
        "from openai import OpenAI\n\nclient = OpenAI()",
        "client.chat.completions.create",
        {"stream": True, "stream_options": {"include_usage": True}},
        "for chunk in stream:\n"
        "    if chunk.choices:  # the last one brings the usage only\n"
        '        print(chunk.choices[0].delta.content or "", end="")',
    ),
    "anthropic": Spelling(
        "from anthropic import Anthropic\n\nclient = Anthropic()",
        "client.messages.create",
        {"stream": True},
        "for event in stream:\n"
        '    if event.type == "content_block_delta" and event.delta.type == "text_delta":\n'
        '        print(event.delta.text, end="")',
    ),
    "gemini": Spelling(
        "from google import genai\n\nclient = genai.Client()",
        "client.models.generate_content_stream",
        {},
        'for chunk in stream:\n    print(chunk.text or "", end="")',
    ),
}


class _Expression(str):
    """Code, not a text."""


def sdk_code(provider: str, request: ChatRequest, samples: int = 1) -> str:
    """Python that makes this call with the provider's SDK and prints the answer as it is written.

    Raises:
        KeyError: a provider whose SDK is not spelt here.
    """
    spelling = SPELLINGS[provider]
    wire = {**adapters.adapter(provider).to_wire(request), **spelling.more}
    if samples > 1:
        wire = _seeded_by_round(wire)
    rows = "".join(f"    {name}={literal(value, 4)},\n" for name, value in wire.items())
    body = f"stream = {spelling.call}(\n{rows})\n{spelling.reading}\nprint()"
    if samples > 1:
        body = f"for {ROUND} in range({samples}):\n{indent(body, '    ')}"
    return f"{spelling.opening}\n{body}\n"


def literal(value: Any, at: int = 0) -> str:
    """A value as Python source: what fits in a line stays in one.

    >>> print(literal({"role": "user", "content": "What is an API?"}))
    {"role": "user", "content": "What is an API?"}
    """
    if isinstance(value, _Expression) or not isinstance(value, str | dict | list):
        return str(value) if isinstance(value, _Expression) else repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    named = isinstance(value, dict)
    parts = [f"{json.dumps(k)}: " if named else "" for k in value]
    inner = value.values() if isinstance(value, dict) else value
    opening, closing = "{}" if named else "[]"
    flat = ", ".join(part + literal(v) for part, v in zip(parts, inner, strict=True))
    if "\n" not in flat and len(flat) + at < WIDTH:
        return f"{opening}{flat}{closing}"
    pad = " " * (at + 4)
    rows = "".join(f"{pad}{part}{literal(v, at + 4)},\n" for part, v in zip(parts, inner, strict=True))
    return f"{opening}\n{rows}{' ' * at}{closing}"


def _seeded_by_round(wire: dict[str, Any]) -> dict[str, Any]:
    """Samples with one seed would all be the same text: each adds its number."""
    changed = {name: _seeded_by_round(value) if isinstance(value, dict) else value for name, value in wire.items()}
    if changed.get("seed") is not None:
        changed["seed"] = _Expression(f"{changed['seed']} + {ROUND}")
    return changed
