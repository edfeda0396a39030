"""OpenAI: chat completions and models, as `openai` 2.x and 3.x send and read them.

Source: OpenAI's API reference and `openapi.yaml` of August 2026; where they are soft, the SDK's own types.
"""

from __future__ import annotations

import math
import time
from calendar import timegm
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random
from typing import Any

from labkit import registry
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import Choice, Generation, GenerationRequest, Piece, TokenScore
from labkit.server.http import (
    EVENT_STREAM_TYPE,
    JSON_TYPE,
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
from labkit.server.protocols import (
    openai_batches,
    openai_embeddings,
    openai_files,
    openai_moderations,
    openai_responses,
)
from labkit.server.protocols.base import header, retirement, served
from labkit.server.protocols.openai_request import (
    ERROR_TYPES,
    JOURNALED,
    PROVIDERS,
    check_answered,
    phrase,
    read_chat,
)
from labkit.server.protocols.openai_scores import scored_tokens
from labkit.server.protocols.openai_tools import call_object
from labkit.server.shapes import Violation

FINGERPRINT = "fp_labkit"
READ_AGAIN_BYTES = 2_000
"""Longest body whose reading is kept."""
FIXED_HEADERS = ((b"openai-organization", b"lab"), (b"openai-version", b"2020-10-01"))
LIMIT_HEADERS = {
    subject: tuple(f"x-ratelimit-{what}-{subject}".encode() for what in ("limit", "remaining", "reset"))
    for subject in ("requests", "tokens")
}
"""Of a rate limit's subject: built once, since every answer carries them."""


# --- the protocol ----------------------------------------------------------------------------------------------------


class OpenAIProtocol:
    """Bearer keys, `{"error": {...}}` bodies, `data:` events that end in `[DONE]`."""

    name = "openai"

    def __init__(self) -> None:
        self.routes = Routes(ROUTES)

    def claims(self, request: Request) -> bool:
        return True

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
        body = error_body(error)
        headers: Headers = [header("x-request-id", request_id)]
        if error.retry_after is not None:
            headers.append(header("retry-after-ms", math.ceil(error.retry_after * 1000)))
            headers.append(header("retry-after", max(1, math.ceil(error.retry_after))))
        return Response.json(body, status=error.status, headers=headers)

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return b"data: " + dump(error_body(error)) + b"\n\n"

    def headers(self, exchange: Exchange) -> Headers:
        milliseconds = (time.perf_counter() - exchange.started) * 1000
        found = [
            (b"x-request-id", exchange.entry.request_id.encode()),
            *FIXED_HEADERS,
            (b"openai-processing-ms", b"%d" % milliseconds),
        ]
        if exchange.entry.model:
            rate = exchange.tenant.clock.rate
            for subject, capacity, remaining, resets_in in exchange.tenant.meter(exchange.entry.model).levels():
                limit, left, reset = LIMIT_HEADERS[subject]
                found.append((limit, b"%d" % capacity))
                found.append((left, b"%d" % remaining))
                found.append((reset, go_duration(resets_in / rate).encode()))
        return found


def error_body(error: ApiError) -> dict[str, Any]:
    kind = error.subject if error.subject else ERROR_TYPES.get(error.kind, "invalid_request_error")
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


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


# --- handlers --------------------------------------------------------------------------------------------------------


async def chat_completions(exchange: Exchange) -> Answer:
    body = exchange.request.body
    # A class runs the same cells, and a lesson asks the same thing a hundred times: such a body is read once a day.
    asked = _read_again(body, date.today()) if len(body) <= READ_AGAIN_BYTES else _read(exchange.request)
    exchange.describe(asked.request.model, asked.params, stream=asked.stream)
    generation = exchange.generate(asked.request)
    if asked.stream:
        frames = exchange.pace_frames(chat_frames(generation, with_usage=asked.with_usage))
        return EventStream(frames, [EVENT_STREAM_TYPE, NO_CACHE], watch=bool(exchange.tenant.pace))
    await exchange.finish_generation()
    return Response(200, completion_bytes(generation), [JSON_TYPE])


@dataclass(frozen=True, slots=True)
class Asked:
    """A chat completion's body, read and found valid."""

    request: GenerationRequest
    stream: bool
    with_usage: bool
    params: dict[str, Any]
    """What the journal shows; not to be changed."""


def _read(request: Request) -> Asked:
    body = request.json()
    asked = read_chat(body)
    check_answered(body["messages"])
    return Asked(
        request=asked,
        stream=bool(body.get("stream")),
        with_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        params={name: value for name, value in body.items() if name in JOURNALED and value is not None},
    )


@lru_cache(maxsize=256)
def _read_again(body: bytes, today: date) -> Asked:
    """`today` because models retire."""
    return _read(Request("POST", "", b"", (), body))


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

REFUSAL = "I'm sorry, I can't help with that."
"""Of a refusal whose text was cut before its first word."""
FINISH = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "stop",
}


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


_PLAIN = (
    b'{"id":"%s","object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":%s,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"%s"}],"usage":%s,'
    b'"service_tier":"default","system_fingerprint":"' + FINGERPRINT.encode() + b'"}'
)


def completion_bytes(generation: Generation) -> bytes:
    """`chat_completion` as JSON; one plain text, which most answers are, from a template."""
    choice = generation.choices[0]
    if generation.request.n > 1 or generation.request.top_logprobs is not None or choice.finish == "refusal":
        return dump(chat_completion(generation))
    if len(choice.parts) > 1:
        return dump(chat_completion(generation))
    model, finish = dump_text(generation.request.model.id), FINISH[choice.finish or "stop"].encode()
    usage = usage_bytes(generation)
    return _PLAIN % (new_id().encode(), time.time(), model, dump_text(choice.text), finish, usage)


def new_id() -> str:
    return f"chatcmpl-{_ids.getrandbits(116):029x}"


_ids = Random()
"""Ids guard nothing, and a UUID takes ten times as long."""


def _choice(choice: Choice, logprobs: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "index": choice.index,
        "message": {"role": "assistant", **_said(choice), "annotations": []},
        "logprobs": logprobs,
        "finish_reason": FINISH[choice.finish or "stop"],
    }


def _said(choice: Choice) -> dict[str, Any]:
    if choice.finish == "refusal":
        return {"content": None, "refusal": choice.text or REFUSAL}
    if not choice.calls:
        return {"content": choice.text, "refusal": None}
    calls = [call_object(part.tool.name, part.text, part.call_id) for part in choice.calls if part.tool]
    return {"content": choice.text or None, "refusal": None, "tool_calls": calls}


def _scores(generation: Generation) -> Iterator[dict[str, Any] | None]:
    for choice in generation.choices:
        said = "refusal" if choice.finish == "refusal" else "content"
        yield logprobs_object(choice.scores, said) if generation.request.top_logprobs is not None else None


def usage_object(generation: Generation) -> dict[str, Any]:
    usage = generation.usage
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write + usage.cache_write_long,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


_USAGE = (
    b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d,'
    b'"cache_write_tokens":%d,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0,'
    b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)


def usage_bytes(generation: Generation) -> bytes:
    """`usage_object` as JSON."""
    usage = generation.usage
    written = usage.cache_write + usage.cache_write_long
    return _USAGE % (usage.prompt, usage.output, usage.total, usage.cached, written, usage.reasoning)


def logprobs_object(scores: Sequence[TokenScore], said: str = "content") -> dict[str, Any]:
    return {"content": None, "refusal": None, said: scored_tokens(scores)}


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
    said = b"refusal" if generation.request.refused else b"content"
    plain = [b'%s{"index":%d,"delta":{"%s":' % (head, choice.index, said) for choice in generation.choices]
    plain_end = b'},"logprobs":null,"finish_reason":null}' + end
    for choice, piece in generation.pieces():
        part = piece.part
        if part.tool is None and not logged and not part.thinking:  # nearly all pieces of nearly all streams
            yield plain[choice.index] + dump_text(piece.text) + plain_end
            continue
        if part.thinking:  # chat completions bill thoughts and never show them
            continue
        yield b'%s{"index":%d,"delta":%s,"logprobs":%s,"finish_reason":null}%s' % (
            head,
            choice.index,
            _delta(choice, piece, said),
            dump(logprobs_object(piece.scores, said.decode())) if logged else b"null",
            end,
        )
    for choice in generation.choices:
        if choice.finish == "refusal" and not choice.text:
            yield plain[choice.index] + dump_text(REFUSAL) + plain_end
        finish = FINISH[choice.finish or "stop"].encode()
        yield b'%s{"index":%d,"delta":{},"logprobs":null,"finish_reason":"%s"}%s' % (head, choice.index, finish, end)
    if with_usage:
        yield head + b'],"usage":' + usage_bytes(generation) + b"}\n\n"
    yield b"data: [DONE]\n\n"


def _delta(choice: Choice, piece: Piece, said: bytes) -> bytes:
    """What a piece adds to the message: text, the head of a call, or a fragment of its arguments."""
    part = piece.part
    if part.tool is None:
        return b'{"%s":%s}' % (said, dump_text(piece.text))
    index = choice.calls.index(part)
    if piece.text:
        return b'{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}' % (index, dump_text(piece.text))
    return dump({"tool_calls": [{"index": index, **call_object(part.tool.name, "", part.call_id)}]})


def model_object(model: Model) -> dict[str, Any]:
    created = timegm(model.released.timetuple()) if model.released else 0
    row: dict[str, Any] = {"id": model.id, "object": "model", "created": created, "owned_by": model.provider}
    if model.retires:
        row["shutdown_date"] = model.retires.isoformat()
    return row


ROUTES = [
    Route("POST", "/v1/chat/completions", chat_completions),
    Route("GET", "/v1/models", list_models),
    Route("GET", "/v1/models/{model}", get_model),
    *openai_responses.ROUTES,
    *openai_embeddings.ROUTES,
    *openai_moderations.ROUTES,
    *openai_files.ROUTES,
    *openai_batches.ROUTES,
]
