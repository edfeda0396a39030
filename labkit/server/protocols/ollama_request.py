"""What an Ollama request may ask: options with Ollama's own defaults, and a context that quietly forgets.

A conversation is read as OpenAI's chat completion, whose messages and tools have the same shape; options, `format`,
`context` and `keep_alive` are Ollama's. Source: Ollama's `api/types.go` and its API documentation.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from labkit import tokens
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.generation import UNCAPPED, GenerationRequest
from labkit.server.http import dump
from labkit.server.prompt import FRAME, PRIMING
from labkit.server.protocols import openai_request
from labkit.server.protocols.base import refuse_unserved
from labkit.server.protocols.chat_template import read_ids, read_template
from labkit.server.protocols.compatible import find_weights
from labkit.server.shapes import Field, Violation, check, check_value

# --- fields ----------------------------------------------------------------------------------------------------------

COMMON = {
    "model": Field("string"),
    "stream": Field("boolean"),
    "options": Field("object"),
    "format": Field("any"),
    "keep_alive": Field("any"),
    "think": Field("any"),
}
CHAT = COMMON | {"messages": Field("array"), "tools": Field("array")}
GENERATE = COMMON | {
    "prompt": Field("string"),
    "system": Field("string"),
    "context": Field("array"),
    "raw": Field("boolean"),
    "suffix": Field("string"),
    "template": Field("string"),
    "images": Field("array"),
}
MESSAGE = {
    "role": Field("string", required=True),
    "content": Field("string"),
    "images": Field("array"),
    "tool_calls": Field("array"),
    "tool_name": Field("string"),
}
DEFAULTS: dict[str, Any] = {
    "temperature": 0.8,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "num_predict": -1,
    "num_ctx": 4_096,
    "seed": -1,
    "stop": [],
}
"""Not OpenAI's: a request that says nothing is cut to 40 tokens, 0.9 of the mass and 4,096 tokens of context."""
NEUTRAL = {"repeat_penalty": 1, "typical_p": 1, "tfs_z": 1, "mirostat": 0}
"""Options that the lab does not serve, at the values that do nothing. (Ollama itself defaults to a repeat_penalty of
1.1, which the lab leaves out.) Whatever else an option may be is about speed and memory, or unknown: ignored."""
JOURNALED = ("options", "format", "keep_alive")
LARGEST_PENALTY = 100.0
KEEP_ALIVE = 300.0
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as Ollama means it."""

    model: Model
    name: str
    """How the client called it."""
    stream: bool
    keep_alive: float
    """Lab seconds that the model stays in memory afterwards; inf is for ever."""
    request: GenerationRequest | None
    """None: nothing was asked, only to load the model."""


# --- reading ---------------------------------------------------------------------------------------------------------


def read_chat(body: dict[str, Any]) -> Ask:
    check(body, CHAT, unknown_ok=True)
    messages = body.get("messages") or []
    for n, message in enumerate(messages):
        check_value(message, Field("object"), f"messages[{n}]")
        check(message, MESSAGE, at=f"messages[{n}].", unknown_ok=True)
        if message.get("images"):
            raise refuse_unserved("images")
    return _read(body, messages)


def read_generate(body: dict[str, Any]) -> Ask:
    """A prompt, with the conversation before it as the token ids that an earlier answer gave."""
    check(body, GENERATE, unknown_ok=True)
    for name in ("suffix", "template", "images"):
        if body.get(name):
            raise refuse_unserved(name)
    prompt = body.get("prompt") or ""
    turns = [*_read_context(body.get("context") or [])]
    turns += read_template(prompt) if body.get("raw") and prompt else []
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    if body.get("system") and not body.get("raw"):
        messages.insert(0, {"role": "system", "content": body["system"]})
    if prompt and not body.get("raw"):
        messages.append({"role": "user", "content": prompt})
    return _read(body, messages if prompt else [])


def _read_context(context: list[Any]) -> Any:
    for n, token in enumerate(context):
        check_value(token, Field("integer", low=0, high=2**31), f"context[{n}]")
    try:
        return read_ids([int(token) for token in context])
    except KeyError as unknown:
        raise ApiError("invalid_request", f"context: {unknown} is no token id") from None


def _read(body: dict[str, Any], messages: list[dict[str, Any]]) -> Ask:
    name = body.get("model")
    if not name:
        raise ApiError("invalid_request", "model is required")
    if (model := find_weights(name)) is None:
        raise ApiError("not_found", f"model '{name}' not found")
    check_thinking(body.get("think"), model, name)
    options = read_options(body.get("options") or {})
    asked = _generation(body, messages, options, model) if messages else None
    stream = body.get("stream") is not False
    return Ask(model, name, stream, read_keep_alive(body.get("keep_alive")), asked)


def check_thinking(think: Any, model: Model, name: str) -> None:
    if think and model.thinking == "no":
        raise ApiError("invalid_request", f'"{name}" does not support thinking')
    if think:
        raise refuse_unserved("think")


def _generation(
    body: dict[str, Any], messages: list[dict[str, Any]], options: dict[str, Any], model: Model
) -> GenerationRequest:
    as_openai: dict[str, Any] = {"model": model.id, "messages": with_call_ids(fit(messages, options["num_ctx"], model))}
    if body.get("tools"):
        as_openai["tools"] = body["tools"]
    if (form := read_format(body.get("format"))) is not None:
        as_openai["response_format"] = form
    limit = int(options["num_predict"])
    return replace(
        openai_request.read_chat(as_openai),
        sampling=read_sampling(options),
        max_tokens=min(limit if limit > 0 else UNCAPPED, model.max_output),
        stop=tuple(s for s in options["stop"] if s),
        seed=int(options["seed"]) if options["seed"] >= 0 else None,
    )


def read_options(options: dict[str, Any]) -> dict[str, Any]:
    """Ollama's defaults and the options over them. Unknown ones are ignored, as Ollama ignores them."""
    for name, neutral in NEUTRAL.items():
        if options.get(name) is not None and options[name] != neutral:
            raise refuse_unserved(f"options.{name}")
    found = DEFAULTS | {k: v for k, v in options.items() if k in DEFAULTS and v is not None}
    for name, value in found.items():
        _check_option(name, value, DEFAULTS[name])
    return found


def _check_option(name: str, value: Any, like: Any) -> None:
    if isinstance(like, list):
        if not isinstance(value, list):
            raise ApiError("invalid_request", f'option "{name}" must be of type array')
        if not all(isinstance(item, str) for item in value):
            raise ApiError("invalid_request", f'option "{name}" must be of an array of strings')
    elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        kind = "float32" if isinstance(like, float) else "integer"
        raise ApiError("invalid_request", f'option "{name}" must be of type {kind}')


def read_sampling(options: dict[str, Any]) -> SamplingParams:
    """Ollama checks no bounds: what is out of range acts like the nearest that is not."""

    def bounded(name: str, low: float, high: float) -> float:
        return min(max(float(options[name]), low), high)

    return SamplingParams(
        temperature=bounded("temperature", 0.0, 1_000.0),
        top_p=bounded("top_p", 0.0, 1.0),
        top_k=int(bounded("top_k", 0, 1_000_000)),
        min_p=bounded("min_p", 0.0, 1.0),
        presence_penalty=bounded("presence_penalty", -LARGEST_PENALTY, LARGEST_PENALTY),
        frequency_penalty=bounded("frequency_penalty", -LARGEST_PENALTY, LARGEST_PENALTY),
    )


def read_format(form: Any) -> dict[str, Any] | None:
    """`format` as OpenAI's response_format."""
    if form is None or form == "":
        return None
    if form == "json":
        return {"type": "json_object"}
    if isinstance(form, dict):
        return {"type": "json_schema", "json_schema": {"name": "format", "schema": form}}
    raise ApiError("invalid_request", f'invalid format: {form!r:.80}; expected "json" or a valid JSON Schema object')


def read_keep_alive(value: Any) -> float:
    """Seconds: a number, or text such as "5m" or "1h30m"; negative is for ever.

    >>> read_keep_alive(None), read_keep_alive("1h30m"), read_keep_alive(-1), read_keep_alive(0)
    (300.0, 5400.0, inf, 0.0)
    """
    if value is None:
        return KEEP_ALIVE
    if isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
        return math.inf if value < 0 else float(value)
    if isinstance(value, str):
        parts = DURATION.findall(value)
        if parts and "".join(number + unit for number, unit in parts) == value.lstrip("-"):
            return math.inf if value.startswith("-") else sum(float(n) * SECONDS[unit] for n, unit in parts)
    raise ApiError("invalid_request", f"time: invalid duration {str(value)[:40]!r}")


# --- the context window ----------------------------------------------------------------------------------------------


def fit(messages: list[dict[str, Any]], num_ctx: float, model: Model) -> list[dict[str, Any]]:
    """The messages that fit: all system ones, the last one, and as many before it as there is room for.

    Nothing tells the client that the rest was dropped, except a `prompt_eval_count` that stops growing. A last message
    that is too long on its own loses its beginning.
    """
    sizes = [FRAME + tokens.count(message.get("content") or "", model.id) for message in messages]
    window = min(max(int(num_ctx), FRAME + PRIMING + 1), model.context)
    system = [n for n, message in enumerate(messages) if message["role"] == "system"]
    room = window - PRIMING - sum(sizes[n] for n in system)
    last = len(messages) - 1
    kept = set(system)
    for n in range(last, -1, -1):
        if n not in kept:
            room -= sizes[n]
            if room < 0 and n != last:
                break
            kept.add(n)
    shown = [messages[n] for n in sorted(kept)]
    if room < 0:
        shown[-1] = _without_beginning(shown[-1], -room, model)
    return shown


def _without_beginning(message: dict[str, Any], excess: int, model: Model) -> dict[str, Any]:
    ids = tokens.encode(message.get("content") or "", model.id)
    rest = ids[min(excess, len(ids) - 1) :] if ids else []
    return {**message, "content": tokens.encoding(model.encoding).decode(rest)}


def with_call_ids(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ollama's calls have no ids and arguments as objects; OpenAI's have both the other way.

    A tool's result goes to the oldest open call of its name. One whose call was dropped becomes a user's message.
    """
    shown: list[dict[str, Any]] = []
    open_calls: list[tuple[str, str]] = []
    for n, message in enumerate(messages):
        plain = {"role": message["role"], "content": message.get("content") or ""}
        if message["role"] == "tool":
            name = message.get("tool_name")
            match = next((call for call in open_calls if name in (None, call[1])), None)
            plain |= {"tool_call_id": match[0]} if match else {"role": "user"}
            open_calls = [call for call in open_calls if call != match]
        elif calls := message.get("tool_calls"):
            plain["tool_calls"] = [_call(call, f"call_{n}_{m}") for m, call in enumerate(calls)]
            open_calls += [(call["id"], call["function"]["name"]) for call in plain["tool_calls"]]
        shown.append(plain)
    return shown


def _call(call: Any, call_id: str) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Violation("messages.tool_calls.function", "type", got=function, kind="object")
    arguments = dump(function.get("arguments") or {}).decode()
    return {"id": call_id, "type": "function", "function": {"name": function["name"], "arguments": arguments}}
