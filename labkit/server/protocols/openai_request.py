"""What a chat completion may ask, and OpenAI's words for what it may not.

The table first, then the sentences, then the reading of one body into a `GenerationRequest`.
Source: OpenAI's API reference and `openapi.yaml` of August 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from labkit import prices
from labkit.engine.base import Call, Prompt, Role, Turn
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.generation import UNCAPPED, GenerationRequest, thinking_steps
from labkit.server.http import dump
from labkit.server.images import BadImage, openai_tokens, read_data_url
from labkit.server.prompt import Block, render
from labkit.server.protocols.base import refuse_unserved, retirement, served
from labkit.server.protocols.openai_tools import calls_text, read_calls, read_choice, read_format, read_tools
from labkit.server.shapes import Field, Violation, check, check_value, type_name

PROVIDERS = ("openai", "self-hosted")

# --- fields ----------------------------------------------------------------------------------------------------------

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIELDS = {
    "model": Field("string", required=True),
    "messages": Field("array", required=True, low=1),
    "temperature": Field("number", low=0, high=2),
    "top_p": Field("number", low=0, high=1),
    "n": Field("integer", low=1, high=128),
    "stream": Field("boolean"),
    "stream_options": Field("object"),
    "stop": Field("string or array", low=1, high=4),
    "max_tokens": Field("integer", low=1),
    "max_completion_tokens": Field("integer", low=1),
    "presence_penalty": Field("number", low=-2, high=2),
    "frequency_penalty": Field("number", low=-2, high=2),
    "logit_bias": Field("object"),
    "logprobs": Field("boolean"),
    "top_logprobs": Field("integer", low=0, high=20),
    "seed": Field("integer", low=-(2**63), high=2**63 - 1),
    "response_format": Field("object"),
    "reasoning_effort": Field("string", choices=EFFORTS),
    "tools": Field("array", low=1, high=128),
    "tool_choice": Field("any"),
    "parallel_tool_calls": Field("boolean"),
    "functions": Field("array"),
    "function_call": Field("any"),
    "metadata": Field("object"),
    "modalities": Field("array"),
    "audio": Field("object"),
    "moderation": Field("any"),
    "prediction": Field("object"),
    "prompt_cache_key": Field("string"),
    "prompt_cache_options": Field("object"),
    "prompt_cache_retention": Field("string", choices=("in_memory", "in-memory", "24h")),
    "safety_identifier": Field("string"),
    "service_tier": Field("string", choices=("auto", "default", "flex", "scale", "priority", "fast")),
    "store": Field("boolean"),
    "user": Field("string"),
    "verbosity": Field("string", choices=("low", "medium", "high")),
    "web_search_options": Field("object"),
}
SELF_HOSTED_FIELDS = {**FIELDS, "top_k": Field("integer", low=-1), "min_p": Field("number", low=0, high=1)}
STREAM_OPTIONS = {"include_usage": Field("boolean"), "include_obfuscation": Field("boolean")}
IMAGE = {
    "url": Field("string", required=True),
    "detail": Field("string", choices=("auto", "low", "high", "original")),
}
CACHE_TTLS = {"30m": 1_800.0, "12h": 43_200.0}
BREAKPOINT = {
    "mode": Field("string", required=True, choices=("explicit",)),
    "ttl": Field("string", choices=tuple(CACHE_TTLS)),
}
CACHE_OPTIONS = {
    "mode": Field("string", choices=("implicit", "explicit")),
    "ttl": Field("string", choices=tuple(CACHE_TTLS)),
}
MOST_BREAKPOINTS = 4
"""Cache writes a request; the implicit breakpoint is one of them."""
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
JOURNALED = frozenset(FIELDS) - {"model", "messages", "stream", "user", "safety_identifier"}

# --- errors ----------------------------------------------------------------------------------------------------------

TYPES = {"number": "a decimal", "integer": "an integer", "string": "a string", "boolean": "a boolean"}
TYPES |= {"array": "an array", "object": "an object", "string or array": "a string or an array of strings"}


ERROR_TYPES = {
    "rate_limit": "requests",
    "quota": "insufficient_quota",
    "server": "server_error",
    "bad_gateway": "server_error",
    "unavailable": "service_unavailable_error",
    "gateway_timeout": "server_error",
    "overloaded": "server_error",
}


def phrase(v: Violation) -> ApiError:
    """OpenAI's sentences and codes for a bad field."""
    number = "integer" if v.kind == "integer" else "decimal"
    got_type = type_name(v.got)
    article = "an" if got_type[0] in "aeio" else "a"
    messages = {
        "missing": (f"Missing required parameter: '{v.path}'.", "missing_required_parameter"),
        "unknown": (f"Unknown parameter: '{v.path}'.", "unknown_parameter"),
        "type": (
            f"Invalid type for '{v.path}': expected {TYPES.get(v.kind, v.kind)}, but got {article} {got_type} instead.",
            "invalid_type",
        ),
        "below": (
            f"Invalid '{v.path}': {number} below minimum value. "
            f"Expected a value >= {v.limit}, but got {v.got} instead.",
            f"{number}_below_min_value",
        ),
        "above": (
            f"Invalid '{v.path}': {number} above maximum value. "
            f"Expected a value <= {v.limit}, but got {v.got} instead.",
            f"{number}_above_max_value",
        ),
        "empty": (
            f"Invalid '{v.path}': empty array. Expected an array with minimum length {v.limit}, "
            "but got an empty array instead.",
            "empty_array",
        ),
        "too_many": (
            f"Invalid '{v.path}': array too long. Expected an array with maximum length {v.limit}, but got an array "
            f"with length {len(v.got) if isinstance(v.got, list) else 0} instead.",
            "array_above_max_length",
        ),
        "choice": (
            f"Invalid value: '{v.got}'. Supported values are: {_listed(v.choices)}.",
            "invalid_value",
        ),
    }
    message, code = messages[v.rule]
    return ApiError("invalid_request", message, code=code, param=v.path)


def _listed(choices: tuple[str, ...]) -> str:
    quoted = [f"'{c}'" for c in choices]
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)


# --- reading a request -----------------------------------------------------------------------------------------------


def read_chat(body: dict[str, Any]) -> GenerationRequest:
    """A chat completion's body, checked against the table, then against the model's capability row."""
    named = find_model(body.get("model"))
    check(body, SELF_HOSTED_FIELDS if named and named.provider == "self-hosted" else FIELDS)
    model = known_model(body["model"])
    check_capabilities(body, model)
    check(body.get("stream_options") or {}, STREAM_OPTIONS, at="stream_options.")
    tools = read_tools(body.get("tools") or [])
    choice = read_choice(body.get("tool_choice"), tools)
    wants_json, schema = read_format(body.get("response_format") or {"type": "text"})
    turns, blocks = read_messages(body["messages"], model)
    if wants_json and schema is None and not any("json" in turn.text.lower() for turn in turns):
        needed = "'messages' must contain the word 'json' in some form"
        message = f"{needed}, to use 'response_format' of type 'json_object'."
        raise ApiError("invalid_request", message, param="messages")
    blocks = [*(Block("tools", dump(t).decode(), opens=not n) for n, t in enumerate(body.get("tools") or [])), *blocks]
    rendered = render(place_breakpoints(blocks, body.get("prompt_cache_options") or {}, model), model)
    prompt_tokens = len(rendered)
    max_tokens = read_cap(body, model, prompt_tokens)
    return GenerationRequest(
        model=model,
        prompt=Prompt(
            turns,
            tier=model.tier or "standard",
            json=wants_json,
            schema=schema,
            tools=tools,
            tool_choice=choice,
            parallel_calls=body.get("parallel_tool_calls") is not False,
        ),
        prompt_tokens=prompt_tokens,
        rendered=rendered,
        sampling=read_sampling(body),
        max_tokens=max_tokens,
        stop=read_stop(body.get("stop")),
        n=body.get("n") or 1,
        seed=body.get("seed"),
        top_logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        thinking_steps=thinking_steps(body.get("reasoning_effort") or model.default_effort),
    )


def known_model(model_id: str) -> Model:
    """The row of a model that is there and not retired."""
    model = find_model(model_id)
    if model is None:
        message = f"The model `{model_id}` does not exist or you do not have access to it."
        raise ApiError("not_found", message, code="model_not_found")
    if gone := retirement(model):
        raise ApiError("not_found", gone, code="model_not_found", param="model")
    return model


def find_model(model_id: object) -> Model | None:
    return served(model_id, PROVIDERS) if isinstance(model_id, str) else None


def check_capabilities(body: dict[str, Any], model: Model) -> None:
    """What this model refuses, in OpenAI's words."""
    effort = body.get("reasoning_effort")
    if effort and effort not in model.efforts:
        if not model.efforts:
            raise _unsupported_parameter("reasoning_effort")
        raise ApiError(
            "invalid_request",
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
            f"Supported values are: {_listed(model.efforts)}.",
            code="unsupported_value",
            param="reasoning_effort",
        )
    if body.get("max_tokens") is not None and not model.legacy_max_tokens:
        raise _unsupported_parameter("max_tokens", " Use 'max_completion_tokens' instead.")
    if not samples(model, effort):
        for name, default in (("temperature", 1), ("top_p", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
            if body.get(name) is not None and body[name] != default:
                raise ApiError(
                    "invalid_request",
                    f"Unsupported value: '{name}' does not support {body[name]} with this model. "
                    f"Only the default ({default}) value is supported.",
                    code="unsupported_value",
                    param=name,
                )
        for name in ("logprobs", "top_logprobs", "logit_bias"):
            if body.get(name):
                raise _unsupported_parameter(name)
    if body.get("top_logprobs") and not body.get("logprobs"):
        message = "Invalid value for 'top_logprobs': 'logprobs' must be true when 'top_logprobs' is given."
        raise ApiError("invalid_request", message, param="top_logprobs")
    refuse_what_is_not_served(body)


def samples(model: Model, effort: str | None) -> bool:
    """Whether this model takes sampling parameters at this reasoning effort."""
    if model.sampling == "effort-none":
        return (effort or model.default_effort) == "none"
    return model.sampling == "yes"


def _unsupported_parameter(name: str, advice: str = "") -> ApiError:
    message = f"Unsupported parameter: '{name}' is not supported with this model.{advice}"
    return ApiError("invalid_request", message, code="unsupported_parameter", param=name)


def refuse_what_is_not_served(body: dict[str, Any]) -> None:
    if body.get("functions") or body.get("function_call"):
        raise refuse_unserved("functions (the old form of tools)")
    if body.get("audio") or "audio" in (body.get("modalities") or ()):
        raise refuse_unserved("audio")


def read_messages(messages: list[Any], model: Model, where: str = "messages") -> tuple[tuple[Turn, ...], list[Block]]:
    """The conversation for the engine, and its content parts for the tokenizer and the prompt cache."""
    turns: list[Turn] = []
    blocks: list[Block] = []
    made: dict[str, Call] = {}
    for n, message in enumerate(messages):
        at = f"{where}[{n}]"
        if not isinstance(message, dict):
            raise Violation(at, "type", got=message, kind="object")
        if message.get("role") is None:
            raise Violation(f"{at}.role", "missing")
        check_value(message["role"], Field("string", choices=tuple(ROLES)), f"{at}.role")
        parts = list(read_content(message, model, at))
        calls = read_calls(message.get("tool_calls") or [], f"{at}.tool_calls")
        blocks += [*parts, *([Block("assistant", calls_text(calls), opens=False)] if calls else [])]
        made |= calls
        text = "".join(part.said for part in parts)
        tool = _answered_call(message, made, at) if message["role"] == "tool" else ""
        turns.append(Turn(ROLES[message["role"]], text, calls=tuple(calls.values()), tool=tool))
    return tuple(turns), blocks


def _answered_call(message: dict[str, Any], made: dict[str, Call], at: str) -> str:
    """The name of the tool whose result a message brings."""
    if message.get("tool_call_id") is None:
        raise Violation(f"{at}.tool_call_id", "missing")
    if message["tool_call_id"] not in made:
        text = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
        raise ApiError("invalid_request", f"Invalid parameter: {text}", param=f"{at}.role")
    return made[message["tool_call_id"]].name


def check_answered(messages: list[dict[str, Any]]) -> None:
    """Every call of a turn has its result before anybody else speaks, as OpenAI's own API insists."""
    waiting: list[str] = []
    for n, message in enumerate([*messages, {"role": "user"}]):
        if message["role"] == "tool":
            waiting = [call for call in waiting if call != message["tool_call_id"]]
            continue
        if waiting:
            text = (
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
            )
            raise ApiError("invalid_request", text, param=f"messages.[{n}].role")
        waiting = [call["id"] for call in message.get("tool_calls") or []]


def read_content(message: dict[str, Any], model: Model, at: str) -> Iterator[Block]:
    content, role = message.get("content"), ROLES[message["role"]]
    name = message["name"] if isinstance(message.get("name"), str) else None
    if isinstance(content, str):
        yield Block(role, content, name=name)
    elif content is None:
        if message["role"] != "assistant" or not (message.get("tool_calls") or message.get("refusal")):
            text = "Invalid value for 'content': expected a string, got null."
            raise ApiError("invalid_request", text, param=f"{at}.content")
        yield Block(role, "", name=name)
    elif isinstance(content, list):
        for n, part in enumerate(content):
            block = _read_part(part, role, model, f"{at}.content[{n}]")
            yield replace(block, opens=n == 0, name=name if n == 0 else None)
    else:
        raise Violation(f"{at}.content", "type", got=content, kind="string or array")


def _read_part(part: Any, role: str, model: Model, at: str) -> Block:
    if not isinstance(part, dict):
        raise Violation(at, "type", got=part, kind="object")
    kind, ttl = part.get("type"), read_breakpoint(part.get("prompt_cache_breakpoint"), at)
    if kind == "image_url":
        return _read_image(part.get("image_url"), role, model, ttl, f"{at}.image_url")
    if kind in ("input_audio", "file"):
        raise refuse_unserved(f"content parts of type {kind!r}")
    if kind not in ("text", "refusal"):
        choices = ("text", "image_url", "input_audio", "refusal", "file")
        raise Violation(f"{at}.type", "choice", got=kind, choices=choices)
    text = part.get(kind)
    if not isinstance(text, str):
        raise Violation(f"{at}.{kind}", "type" if text is not None else "missing", got=text, kind="string")
    return Block(role, text, ttl=ttl)


def _read_image(spec: Any, role: str, model: Model, ttl: float | None, at: str) -> Block:
    check_value(spec if spec is not None else "", Field("object"), at)
    check(spec, IMAGE, at=f"{at}.")
    if not model.vision:
        message = f"Invalid content type. image_url is not supported by {model.id}."
        raise ApiError("invalid_request", message, code="invalid_value", param=at)
    try:
        image = read_data_url(spec["url"])
    except BadImage as bad:
        raise ApiError("invalid_request", f"Invalid image: {bad}.", code="invalid_image_url", param=at) from None
    tokens = openai_tokens(image, model, spec.get("detail") or "auto")
    return Block(role, "", ttl=ttl, extra_tokens=tokens, alt=image.alt)


def read_breakpoint(mark: Any, at: str) -> float | None:
    """Lab seconds that a marked prefix lives, None for a part without a mark."""
    if mark is None:
        return None
    check_value(mark, Field("object"), f"{at}.prompt_cache_breakpoint")
    check(mark, BREAKPOINT, at=f"{at}.prompt_cache_breakpoint.")
    return CACHE_TTLS[mark.get("ttl") or "30m"]


def place_breakpoints(blocks: list[Block], options: dict[str, Any], model: Model) -> list[Block]:
    """The explicit marks, and the implicit one at the end of the newest message unless the mode is explicit."""
    check(options, CACHE_OPTIONS, at="prompt_cache_options.")
    explicit = options.get("mode") == "explicit"
    marked = sum(block.ttl is not None for block in blocks)
    if marked > (most := MOST_BREAKPOINTS if explicit else MOST_BREAKPOINTS - 1):
        message = f"Too many prompt cache breakpoints: {marked}. This mode allows at most {most}."
        raise ApiError("invalid_request", message, code="invalid_value", param="messages")
    if (marked or options) and not prices.price(model.id).cache_write:
        raise _unsupported_parameter("prompt_cache_options" if options else "prompt_cache_breakpoint")
    if explicit or not blocks:
        return blocks
    return [*blocks[:-1], replace(blocks[-1], ttl=CACHE_TTLS[options.get("ttl") or "30m"])]


def read_cap(body: dict[str, Any], model: Model, prompt_tokens: int) -> int:
    name = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    cap = body.get(name)
    if cap is not None and cap > model.max_output:
        raise ApiError(
            "invalid_request",
            f"{name} is too large: {int(cap)}. This model supports at most {model.max_output} completion tokens, "
            f"whereas you provided {int(cap)}.",
            code="invalid_value",
            param=name,
        )
    if prompt_tokens + (cap or 0) > model.context:
        split = f" ({prompt_tokens} in the messages, {int(cap)} in the completion)" if cap else ""
        raise ApiError(
            "invalid_request",
            f"This model's maximum context length is {model.context} tokens. However, you requested "
            f"{prompt_tokens + int(cap or 0)} tokens{split}. Please reduce the length of the messages or completion.",
            code="context_length_exceeded",
            param="messages",
        )
    return int(cap) if cap else min(UNCAPPED, model.max_output)


def read_sampling(body: dict[str, Any]) -> SamplingParams:
    def given(name: str, default: float) -> float:
        value = body.get(name)
        return default if value is None else value

    return SamplingParams(
        temperature=given("temperature", 1.0),
        top_p=given("top_p", 1.0),
        top_k=max(0, int(given("top_k", 0))),
        min_p=given("min_p", 0.0),
        presence_penalty=given("presence_penalty", 0.0),
        frequency_penalty=given("frequency_penalty", 0.0),
        logit_bias=read_bias(body.get("logit_bias") or {}),
    )


def read_bias(bias: dict[str, Any]) -> tuple[tuple[int, float], ...]:
    found = []
    for key, value in bias.items():
        at = f"logit_bias.{key}"
        if not (key.isascii() and key.isdigit()):
            message = f"Invalid key in 'logit_bias': {key}. You should only be submitting token IDs."
            raise ApiError("invalid_request", message, code="invalid_logit_bias", param="logit_bias")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Violation(at, "type", got=value, kind="number")
        if not -100 <= value <= 100:
            raise Violation(at, "below" if value < -100 else "above", got=value, limit=-100 if value < -100 else 100)
        found.append((int(key), float(value)))
    return tuple(sorted(found))


def read_stop(stop: str | list[Any] | None) -> tuple[str, ...]:
    sequences = [stop] if isinstance(stop, str) else stop or []
    for n, sequence in enumerate(sequences):
        if not isinstance(sequence, str):
            raise Violation(f"stop[{n}]", "type", got=sequence, kind="string")
    return tuple(s for s in sequences if s)
