"""OpenAI: chat completions and models, as `openai` 2.x and 3.x send and read them.

Source: OpenAI's API reference and `openapi.yaml` of August 2026; where they are soft, the SDK's own types.
"""

from __future__ import annotations

import math
import time
from calendar import timegm
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from labkit import registry, tokens
from labkit.engine.base import Prompt, Role, Turn
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import UNCAPPED, Choice, Generation, GenerationRequest, TokenScore
from labkit.server.http import (
    EVENT_STREAM_TYPE,
    NO_CACHE,
    Answer,
    EventStream,
    Headers,
    Request,
    Response,
    Route,
    Routes,
    dump,
    dump_text,
)
from labkit.server.journal import mask
from labkit.server.protocols.base import header, refuse_unserved, retirement, served
from labkit.server.shapes import Field, Violation, check, type_name

PROVIDERS = ("openai", "self-hosted")
FINGERPRINT = "fp_labkit"

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
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
JOURNALED = tuple(name for name in FIELDS if name not in ("model", "messages", "stream", "user", "safety_identifier"))

# --- errors ----------------------------------------------------------------------------------------------------------

TYPES = {"number": "a decimal", "integer": "an integer", "string": "a string", "boolean": "a boolean"}
TYPES |= {"array": "an array", "object": "an object", "string or array": "a string or an array of strings"}


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
            f"Invalid '{v.path}': {number} below minimum value. Expected a value >= {v.limit}, but got {v.got} instead.",
            f"{number}_below_min_value",
        ),
        "above": (
            f"Invalid '{v.path}': {number} above maximum value. Expected a value <= {v.limit}, but got {v.got} instead.",
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


# --- the protocol ----------------------------------------------------------------------------------------------------


class OpenAIProtocol:
    """Bearer keys, `{"error": {...}}` bodies, `data:` events that end in `[DONE]`."""

    name = "openai"

    def __init__(self) -> None:
        self.routes = Routes(ROUTES)

    def key(self, request: Request) -> str:
        if key := request.bearer:
            return key
        raise ApiError(
            "authentication",
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY). On the lab server any key that begins with 'lab-' will do.",
        )

    def refuse_key(self, key: str) -> ApiError:
        message = f"Incorrect API key provided: {mask(key)}. A key for the lab server begins with 'lab-'."
        return ApiError("authentication", message, code="invalid_api_key")

    def phrase(self, violation: Violation) -> ApiError:
        return phrase(violation)

    def malformed(self, detail: str) -> ApiError:
        return ApiError("invalid_request", f"We could not parse the JSON body of your request: {detail}.")

    def render_error(self, error: ApiError, request_id: str) -> Response:
        kind = {"rate_limit": error.subject or "requests", "server": "server_error"}.get(
            error.kind, "invalid_request_error"
        )
        body = {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}
        headers: Headers = [header("x-request-id", request_id)]
        if error.retry_after is not None:
            headers.append(header("retry-after-ms", math.ceil(error.retry_after * 1000)))
            headers.append(header("retry-after", max(1, math.ceil(error.retry_after))))
        return Response.json(body, status=error.status, headers=headers)

    def headers(self, exchange: Exchange) -> Headers:
        found = [
            header("x-request-id", exchange.entry.request_id),
            header("openai-organization", "lab"),
            header("openai-version", "2020-10-01"),
            header("openai-processing-ms", int((time.perf_counter() - exchange.started) * 1000)),
        ]
        if exchange.entry.model:
            for subject, bucket in exchange.tenant.meter(exchange.entry.model).minute():
                found.append(header(f"x-ratelimit-limit-{subject}", bucket.capacity))
                found.append(header(f"x-ratelimit-remaining-{subject}", bucket.remaining))
                reset = bucket.resets_in / exchange.tenant.clock.rate
                found.append(header(f"x-ratelimit-reset-{subject}", go_duration(reset)))
        return found


def go_duration(seconds: float) -> str:
    """A duration as Go prints it, which is what the reset headers hold.

    >>> go_duration(0.012), go_duration(1), go_duration(360), go_duration(90.5)
    ('12ms', '1s', '6m0s', '1m30.5s')
    """
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or hours else "") + f"{round(rest, 3):g}s"


# --- reading a request -----------------------------------------------------------------------------------------------


def read_chat(body: dict[str, Any]) -> GenerationRequest:
    """A chat completion's body, checked against the table, then against the model's capability row."""
    model = find_model(body.get("model"))
    check(body, SELF_HOSTED_FIELDS if model and model.provider == "self-hosted" else FIELDS)
    if model is None:
        raise ApiError(
            "not_found",
            f"The model `{body['model']}` does not exist or you do not have access to it.",
            code="model_not_found",
        )
    if gone := retirement(model):
        raise ApiError("not_found", gone, code="model_not_found", param="model")
    check_capabilities(body, model)
    check(body.get("stream_options") or {}, STREAM_OPTIONS, at="stream_options.")
    turns, names = read_messages(body["messages"])
    prompt_tokens = tokens.count_messages(
        ((t.role, t.text, name) if name else (t.role, t.text) for t, name in zip(turns, names, strict=True)), model.id
    )
    max_tokens = read_cap(body, model, prompt_tokens)
    wants_json = (body.get("response_format") or {}).get("type") == "json_object"
    return GenerationRequest(
        model=model,
        prompt=Prompt(turns, tier=model.tier or "standard", json=wants_json),
        prompt_tokens=prompt_tokens,
        sampling=read_sampling(body),
        max_tokens=max_tokens,
        stop=read_stop(body.get("stop")),
        n=body.get("n") or 1,
        seed=body.get("seed"),
        top_logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
    )


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
    form = (body.get("response_format") or {"type": "text"}).get("type")
    if form not in ("text", "json_object"):
        raise refuse_unserved(f"response_format {form!r}")
    forced = body.get("tool_choice") not in (None, "none", "auto")
    if forced or body.get("functions"):
        raise refuse_unserved("tool_choice" if forced else "functions")
    if body.get("audio") or "audio" in (body.get("modalities") or ()):
        raise refuse_unserved("audio")


def read_messages(messages: list[Any]) -> tuple[tuple[Turn, ...], list[str | None]]:
    turns, names = [], []
    for n, message in enumerate(messages):
        at = f"messages[{n}]"
        if not isinstance(message, dict):
            raise Violation(at, "type", got=message, kind="object")
        if message.get("role") is None:
            raise Violation(f"{at}.role", "missing")
        if message["role"] not in ROLES:
            raise Violation(f"{at}.role", "choice", got=message["role"], choices=tuple(ROLES))
        turns.append(Turn(ROLES[message["role"]], read_content(message, at)))
        names.append(message["name"] if isinstance(message.get("name"), str) else None)
    return tuple(turns), names


def read_content(message: dict[str, Any], at: str) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if content is None:
        if message["role"] == "assistant" and (message.get("tool_calls") or message.get("refusal")):
            return ""
        text = f"Invalid value for 'content': expected a string, got {type_name(content)}."
        raise ApiError("invalid_request", text, param=f"{at}.content")
    if not isinstance(content, list):
        raise Violation(f"{at}.content", "type", got=content, kind="string or array")
    return "".join(_read_part(part, f"{at}.content[{n}]") for n, part in enumerate(content))


def _read_part(part: Any, at: str) -> str:
    if not isinstance(part, dict):
        raise Violation(at, "type", got=part, kind="object")
    kind = part.get("type")
    if kind in ("image_url", "input_audio", "file"):
        raise refuse_unserved(f"content parts of type {kind!r}")
    if kind not in ("text", "refusal"):
        raise Violation(
            f"{at}.type", "choice", got=kind, choices=("text", "image_url", "input_audio", "refusal", "file")
        )
    text = part.get(kind)
    if not isinstance(text, str):
        raise Violation(f"{at}.{kind}", "type" if text is not None else "missing", got=text, kind="string")
    return text


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


# --- handlers --------------------------------------------------------------------------------------------------------


async def chat_completions(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    request = read_chat(body)
    stream = bool(body.get("stream"))
    exchange.describe(request.model, {k: body[k] for k in JOURNALED if body.get(k) is not None}, stream=stream)
    generation = exchange.generate(request)
    if stream:
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        frames = exchange.pace_frames(chat_frames(generation, with_usage=with_usage))
        return EventStream(frames, [EVENT_STREAM_TYPE, NO_CACHE], watch=bool(exchange.tenant.pace))
    await exchange.finish_generation()
    return Response.json(chat_completion(generation))


async def list_models(exchange: Exchange) -> Answer:
    rows = [model_object(m) for m in registry.models("openai")]
    return Response.json({"object": "list", "data": rows})


async def get_model(exchange: Exchange, model: str) -> Answer:
    found = served(model, PROVIDERS) or served(model, PROVIDERS, kind="embedding")
    if found is None or retirement(found):
        message = (found and retirement(found)) or f"The model '{model}' does not exist"
        raise ApiError("not_found", message, code="model_not_found", param="model")
    return Response.json(model_object(found))


# --- rendering -------------------------------------------------------------------------------------------------------

FINISH = {"stop": "stop", "stop_sequence": "stop", "length": "length"}


def chat_completion(generation: Generation) -> dict[str, Any]:
    return {
        "id": new_id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": generation.request.model.id,
        "choices": [
            _choice(choice, scores) for choice, scores in zip(generation.choices, _scores(generation), strict=True)
        ],
        "usage": usage_object(generation),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def new_id() -> str:
    return f"chatcmpl-{uuid4().hex[:29]}"


def _choice(choice: Choice, logprobs: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "index": choice.index,
        "message": {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []},
        "logprobs": logprobs,
        "finish_reason": FINISH[choice.finish or "stop"],
    }


def _scores(generation: Generation) -> Iterator[dict[str, Any] | None]:
    for choice in generation.choices:
        yield logprobs_object(choice.scores) if generation.request.top_logprobs is not None else None


def usage_object(generation: Generation) -> dict[str, Any]:
    usage = generation.usage
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def logprobs_object(scores: list[TokenScore]) -> dict[str, Any]:
    return {"content": [_scored(s.id, s.logprob, s.top) for s in scores], "refusal": None}


def _scored(token: int, logprob: float, top: tuple[tuple[int, float], ...] | None) -> dict[str, Any]:
    raw = tokens.encoding("o200k_base").decode_single_token_bytes(token) if token < 199_998 else b"<|endoftext|>"
    shown = {
        "token": raw.decode("utf-8", "backslashreplace"),
        "logprob": logprob if logprob > -math.inf else -9999.0,
        "bytes": list(raw),
    }
    return shown if top is None else {**shown, "top_logprobs": [_scored(t, lp, None) for t, lp in top]}


def chat_frames(generation: Generation, *, with_usage: bool) -> Iterator[bytes]:
    """The stream's events: the role, the text, the finish reason of each choice; then usage if asked for; `[DONE]`."""
    head = (
        b'data: {"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":"default",'
        b'"system_fingerprint":"%s","choices":['
        % (dump_text(new_id()), time.time(), dump_text(generation.request.model.id), FINGERPRINT.encode())
    )
    end = b'],"usage":null}\n\n' if with_usage else b"]}\n\n"
    first = (
        b'{"index":%d,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}'
    )
    for choice in generation.choices:
        yield head + first % choice.index + end
    logged = generation.request.top_logprobs is not None
    for choice, piece in generation.pieces():
        yield b'%s{"index":%d,"delta":{"content":%s},"logprobs":%s,"finish_reason":null}%s' % (
            head,
            choice.index,
            dump_text(piece.text),
            dump(logprobs_object(piece.scores)) if logged else b"null",
            end,
        )
    for choice in generation.choices:
        finish = FINISH[choice.finish or "stop"].encode()
        yield b'%s{"index":%d,"delta":{},"logprobs":null,"finish_reason":"%s"}%s' % (head, choice.index, finish, end)
    if with_usage:
        yield head + b'],"usage":' + dump(usage_object(generation)) + b"}\n\n"
    yield b"data: [DONE]\n\n"


def model_object(model: Model) -> dict[str, Any]:
    created = timegm(model.released.timetuple()) if model.released else 0
    row: dict[str, Any] = {"id": model.id, "object": "model", "created": created, "owned_by": model.provider}
    if model.retires:
        row["shutdown_date"] = timegm(model.retires.timetuple())
    return row


ROUTES = [
    Route("POST", "/v1/chat/completions", chat_completions),
    Route("GET", "/v1/models", list_models),
    Route("GET", "/v1/models/{model}", get_model),
]
