"""Anthropic: messages, count_tokens and models, under both API versions and both ways to send a key.

`anthropic` 2.x sends `Authorization: Bearer` and `anthropic-version: 2026-10-21`; 0.x and 1.x send `x-api-key` and
`2023-06-01`. The newer version refuses every sampling parameter, whatever its value.
Source: the SDK's types and Anthropic's API documentation of October 2026.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from labkit import registry
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import Choice, Generation, Part, Piece
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
from labkit.server.protocols import anthropic_batches
from labkit.server.protocols.anthropic_diagnostics import Prompts
from labkit.server.protocols.anthropic_request import (
    ERROR_TYPES,
    INPUT_FIELDS,
    JOURNALED,
    VERSIONS,
    find_model,
    phrase,
    read_message,
    read_prompt,
)
from labkit.server.protocols.base import OPENAI_ONLY, header
from labkit.server.shapes import Violation, check

# --- the protocol ----------------------------------------------------------------------------------------------------


class AnthropicProtocol:
    """Two ways to send a key, a version header, `{"type": "error", ...}` bodies, named events."""

    name = "anthropic"

    def __init__(self) -> None:
        self.routes = Routes([*anthropic_batches.ROUTES, *ROUTES])

    def claims(self, request: Request) -> bool:
        if request.path.startswith("/v1/messages"):
            return True
        return "anthropic-version" in request.headers and not request.path.startswith(OPENAI_ONLY)

    def key(self, request: Request) -> str:
        if key := request.headers.get("x-api-key") or request.bearer:  # with both, x-api-key counts
            read_version(request)
            return key
        raise ApiError("authentication", "x-api-key header is required")

    def refuse_key(self, key: str) -> ApiError:
        return ApiError("authentication", "invalid x-api-key: a key for the lab server begins with 'lab-'")

    def phrase(self, violation: Violation) -> ApiError:
        return phrase(violation)

    def malformed(self, detail: str) -> ApiError:
        return ApiError("invalid_request", f"The request body is not valid JSON: {detail}")

    def render_error(self, error: ApiError, request_id: str) -> Response:
        headers: Headers = [header("request-id", request_id)]
        if error.retry_after is not None:
            headers.append(header("retry-after", max(1, math.ceil(error.retry_after))))
        return Response.json(error_body(error, request_id), status=error.status, headers=headers)

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return b"event: error\ndata: " + dump(error_body(error, request_id)) + b"\n\n"

    def headers(self, exchange: Exchange) -> Headers:
        found = [header("request-id", exchange.entry.request_id), header("anthropic-organization-id", "lab")]
        if exchange.entry.model:
            now, rate = datetime.now(UTC), exchange.tenant.clock.rate
            for subject, bucket in exchange.tenant.meter(exchange.entry.model).minute():
                reset = (now + timedelta(seconds=bucket.resets_in / rate)).isoformat(timespec="seconds")
                found.append(header(f"anthropic-ratelimit-{subject}-limit", bucket.capacity))
                found.append(header(f"anthropic-ratelimit-{subject}-remaining", bucket.remaining))
                found.append(header(f"anthropic-ratelimit-{subject}-reset", reset.replace("+00:00", "Z")))
        return found


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": ERROR_TYPES[error.kind], "message": error.message}
    if error.kind in ("rate_limit", "quota") or error.code in ("lab_not_served", "thread_unsupported_request"):
        inner["details"] = {"error_code": error.code}
    return {"type": "error", "error": inner, "request_id": request_id}


def read_version(request: Request) -> str:
    version = request.headers.get("anthropic-version")
    if version is None:
        raise ApiError("invalid_request", "anthropic-version: header is required")
    if version not in VERSIONS:
        raise ApiError("invalid_request", f'anthropic-version: "{version[:40]}" is not a valid version')
    return version


# --- handlers --------------------------------------------------------------------------------------------------------


async def messages(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    request = read_message(body, read_version(exchange.request))
    stream = bool(body.get("stream"))
    exchange.describe(request.model, {k: body[k] for k in JOURNALED if body.get(k) is not None}, stream=stream)
    generation = exchange.generate(request)
    message_id = new_id()
    extra = exchange.tenant.part(Prompts).diagnose(body, message_id, generation)
    if stream:
        frames = exchange.pace_frames(message_frames(generation, id=message_id, **extra))
        return EventStream(frames, [EVENT_STREAM_TYPE, NO_CACHE], watch=bool(exchange.tenant.pace))
    await exchange.finish_generation()
    return Response.json(message(generation, id=message_id, **extra))


async def count_tokens(exchange: Exchange) -> Answer:
    """The lab counts with o200k_base: exact for what it bills, an estimate of what Anthropic's own tokenizer gives."""
    body = exchange.request.json()
    check(body, INPUT_FIELDS)
    model = find_model(body["model"])
    exchange.describe(model, {}, stream=False)
    return Response.json({"input_tokens": len(read_prompt(body, model)[1])})


async def list_models(exchange: Exchange) -> Answer:
    rows = [model_object(m) for m in registry.models("anthropic")]
    ends = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
    return Response.json({"data": rows, "has_more": False, **ends})


async def get_model(exchange: Exchange, model: str) -> Answer:
    return Response.json(model_object(find_model(model)))


# --- rendering -------------------------------------------------------------------------------------------------------

STOP_REASON = {
    "stop": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
}


def new_id() -> str:
    return f"msg_{uuid4().hex[:24]}"


def message(generation: Generation, **extra: Any) -> dict[str, Any]:
    """The whole message; `extra` fields are added to it or replace its own."""
    choice = generation.choices[0]
    shown = generation.request.show_thoughts
    content = [_block(part, shown) for part in choice.parts if part.text or part.tool or part.thinking]
    ended = {"content": content, **_ending(choice), "usage": usage_object(generation)}
    return {**_envelope(generation), **ended, **extra}


def _block(part: Part, shown: bool) -> dict[str, Any]:
    if part.thinking:
        return {"type": "thinking", "thinking": part.text if shown else "", "signature": signature(part.text)}
    if part.tool is None:
        return {"type": "text", "text": part.text}
    try:
        arguments = json.loads(part.text or "{}")
    except json.JSONDecodeError:  # cut by max_tokens
        arguments = {}
    return {"type": "tool_use", "id": f"toolu_{part.call_id}", "name": part.tool.name, "input": arguments}


def _envelope(generation: Generation) -> dict[str, Any]:
    return {
        "id": new_id(),
        "type": "message",
        "role": "assistant",
        "model": generation.request.model.id,
    }


def _ending(choice: Choice) -> dict[str, Any]:
    return {"stop_reason": STOP_REASON[choice.finish or "stop"], "stop_sequence": choice.stop_sequence}


def usage_object(generation: Generation) -> dict[str, Any]:
    usage = generation.usage
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_long,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_long,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        "service_tier": "standard",
    }


def message_frames(generation: Generation, **extra: Any) -> Iterator[bytes]:
    """The named events, in the documented order. An SDK drops an event that has no `event:` line."""
    usage = usage_object(generation) | {"output_tokens": 1}
    start = {**_envelope(generation), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield _event("message_start", {"message": {**start, **extra}})
    yield from _block_frames(generation)
    ended = {"delta": _ending(generation.choices[0]), "usage": {"output_tokens": generation.usage.output}}
    yield _event("message_delta", ended)
    yield _event("message_stop", {})


def _block_frames(generation: Generation) -> Iterator[bytes]:
    """Each part is a block: started, filled by deltas, stopped. A ping follows the first start, as on the wire."""
    open_part: Part | None = None
    index = -1
    for _, piece in generation.pieces():
        if piece.part is not open_part:
            if open_part is not None:
                yield from _stop(index, open_part)
            open_part, index = piece.part, index + 1
            yield _event("content_block_start", {"index": index, "content_block": _empty(open_part)})
            if index == 0:
                yield _event("ping", {})
        if piece.text and (generation.request.show_thoughts or not piece.part.thinking):
            yield _delta(index, piece)
    if open_part is not None:
        yield from _stop(index, open_part)


def _stop(index: int, part: Part) -> Iterator[bytes]:
    """The end of a block; a thinking block is signed first."""
    if part.thinking:
        signed = {"type": "signature_delta", "signature": signature(part.text)}
        yield _event("content_block_delta", {"index": index, "delta": signed})
    yield _event("content_block_stop", {"index": index})


def signature(thought: str) -> str:
    """Stands for Anthropic's proof that the thought is the model's own; opaque to the client there as here."""
    return base64.b64encode(hashlib.sha256(thought.encode()).digest()).decode()


def _empty(part: Part) -> dict[str, Any]:
    if part.thinking:
        return {"type": "thinking", "thinking": "", "signature": ""}
    if part.tool is None:
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": f"toolu_{part.call_id}", "name": part.tool.name, "input": {}}


def _delta(index: int, piece: Piece) -> bytes:
    """The hot one of the events, and so a byte template."""
    part = piece.part
    if part.thinking:
        kind = b'"thinking_delta","thinking"'
    else:
        kind = b'"text_delta","text"' if part.tool is None else b'"input_json_delta","partial_json"'
    return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%s:%s}}\n\n' % (
        index,
        kind,
        dump_text(piece.text),
    )


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), dump({"type": name, **data}))


def model_object(model: Model) -> dict[str, Any]:
    released = datetime.combine(model.released or date(2026, 1, 1), datetime.min.time(), UTC)
    return {
        "id": model.id,
        "type": "model",
        "display_name": model.name,
        "created_at": released.isoformat().replace("+00:00", "Z"),
        "lifecycle": "retired" if model.retired(date.today()) else "deprecated" if model.retires else "active",
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
    }


ROUTES = [
    Route("POST", "/v1/messages", messages),
    Route("POST", "/v1/messages/count_tokens", count_tokens),
    Route("GET", "/v1/models", list_models),
    Route("GET", "/v1/models/{model}", get_model),
]
