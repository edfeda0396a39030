"""Gemini: generateContent, streamGenerateContent, countTokens and models, under `/v1`, `/v1beta` and no version.

`google-genai` 3.x calls `/v1`, 1.x and 2.x call `/v1beta`, LiteLLM with a base URL calls neither. Keys come in
camelCase and in snake_case, from the same SDK, so both are read.
Source: the SDK's types and the Gemini API reference.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from labkit import registry, tokens
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import Choice, Generation, Part, Piece, TokenScore
from labkit.server.http import (
    EVENT_STREAM_TYPE,
    JSON_TYPE,
    Answer,
    EventStream,
    Headers,
    Request,
    Response,
    Route,
    Routes,
    dump,
)
from labkit.server.prompt import render
from labkit.server.protocols import gemini_batches, gemini_caches, gemini_embeddings, gemini_files, gemini_interactions
from labkit.server.protocols.base import OPENAI_ONLY, served
from labkit.server.protocols.gemini_caches import CachedContents
from labkit.server.protocols.gemini_contents import read_contents
from labkit.server.protocols.gemini_file_parts import with_files
from labkit.server.protocols.gemini_request import (
    FIELDS,
    PROVIDERS,
    STATUS_NAMES,
    camel,
    find_model,
    phrase,
    read_generate,
)
from labkit.server.shapes import Violation, check

PREFIXES = ("/v1beta/", "/v1alpha/", "/models/", "/upload/")
METHOD = re.compile(r":(generateContent|streamGenerateContent|countTokens|embedContent|\w*[bB]atch\w+Content\w*)$")

# --- the protocol ----------------------------------------------------------------------------------------------------


class GeminiProtocol:
    """`x-goog-api-key` or `?key=`, `{"error": {code, message, status, details}}`, whole responses as events."""

    name = "gemini"

    def __init__(self) -> None:
        # Those with a verb after the colon come first: `/models/{model}` would swallow it.
        self.routes = Routes(
            [
                *gemini_caches.ROUTES,
                *gemini_interactions.ROUTES,
                *gemini_embeddings.ROUTES,
                *gemini_batches.ROUTES,
                *gemini_files.ROUTES,
                *ROUTES,
            ]
        )

    def claims(self, request: Request) -> bool:
        path = request.path
        if path.startswith(PREFIXES) or path == "/models" or METHOD.search(path):
            return True
        if path.startswith(OPENAI_ONLY):
            return False
        return "x-goog-api-key" in request.headers or "key" in request.query

    def key(self, request: Request) -> str:
        if key := request.headers.get("x-goog-api-key") or request.query.get("key") or request.bearer:
            return key
        if key := gemini_files.upload_key(request):
            return key
        raise ApiError(
            "permission",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API.",
        )

    def refuse_key(self, key: str) -> ApiError:
        # The real API answers 400 here, not 401: code that looks for a 401 waits in vain.
        message = "API key not valid. Please pass a valid API key: for the lab server one that begins with 'lab-'."
        return ApiError("invalid_request", message, code="API_KEY_INVALID")

    def phrase(self, violation: Violation) -> ApiError:
        return phrase(violation)

    def malformed(self, detail: str) -> ApiError:
        return ApiError("invalid_request", f"Invalid JSON payload received. {detail}")

    def render_error(self, error: ApiError, request_id: str) -> Response:
        return Response.json(error_body(error), status=status_of(error))

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return b"data: " + dump(error_body(error)) + b"\r\n\r\n"

    def headers(self, exchange: Exchange) -> Headers:
        return [(b"server-timing", b"gfet4t7; dur=%d" % exchange.entry.timing.get("infer_ms", 0))]


def status_of(error: ApiError) -> int:
    """Google has no 529: an overloaded model is UNAVAILABLE."""
    return 503 if error.kind == "overloaded" else error.status


def error_body(error: ApiError) -> dict[str, Any]:
    inner: dict[str, Any] = {
        "code": status_of(error),
        "message": error.message,
        "status": STATUS_NAMES[error.kind],
    }
    if details := list(_details(error)):
        inner["details"] = details
    return {"error": inner}


def _details(error: ApiError) -> Iterator[dict[str, Any]]:
    google = "type.googleapis.com/google.rpc."
    if error.code == "API_KEY_INVALID":
        domain = {"reason": error.code, "domain": "googleapis.com"}
        yield {"@type": f"{google}ErrorInfo", **domain, "metadata": {"service": "generativelanguage.googleapis.com"}}
    elif error.retry_after is not None:
        quota = f"generativelanguage.googleapis.com/generate_content_{error.subject}"
        yield {"@type": f"{google}QuotaFailure", "violations": [{"quotaMetric": quota, "quotaId": error.code}]}
        yield {"@type": f"{google}RetryInfo", "retryDelay": f"{max(1, math.ceil(error.retry_after))}s"}
    elif error.param:
        violation = {"field": error.param, "description": error.message}
        yield {"@type": f"{google}BadRequest", "fieldViolations": [violation]}


# --- handlers --------------------------------------------------------------------------------------------------------


def _begin(exchange: Exchange, model: str, *, stream: bool) -> Generation:
    body = with_files(camel(exchange.request.json()), exchange.tenant)
    row = find_model(model)
    named = body.get("cachedContent")
    cached = exchange.tenant.part(CachedContents).use(named, row) if named else None
    request = read_generate(body, row, cached)
    config = body.get("generationConfig") or {}
    exchange.describe(row, {k: v for k, v in config.items() if v is not None}, stream=stream)
    return exchange.generate(request)


async def generate_content(exchange: Exchange, model: str) -> Answer:
    generation = _begin(exchange, model, stream=False)
    await exchange.finish_generation()
    return Response.json(generate_response(generation))


async def stream_generate_content(exchange: Exchange, model: str) -> Answer:
    """Events with `alt=sse`; without it, as the real API does, one JSON array that grows."""
    generation = _begin(exchange, model, stream=True)
    sse = exchange.request.query.get("alt") == "sse"
    frames = (b"data: " + f + b"\r\n\r\n" for f in response_frames(generation)) if sse else _array(generation)
    kind = EVENT_STREAM_TYPE if sse else JSON_TYPE
    return EventStream(exchange.pace_frames(frames), [kind], watch=bool(exchange.tenant.pace))


async def count_tokens(exchange: Exchange, model: str) -> Answer:
    """The lab counts with o200k_base: exact for what it bills, an estimate of what Gemini's own tokenizer gives."""
    body = camel(exchange.request.json())
    whole = body.get("generateContentRequest") or body
    check(whole, FIELDS)
    row = find_model(model)
    exchange.describe(row, {}, stream=False)
    total = len(render(read_contents(with_files(whole, exchange.tenant), row).blocks, row))
    return Response.json({"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]})


async def list_models(exchange: Exchange) -> Answer:
    return Response.json({"models": [model_object(m) for m in registry.models("gemini")]})


async def get_model(exchange: Exchange, model: str) -> Answer:
    return Response.json(model_object(served(model, PROVIDERS, kind="embedding") or find_model(model)))


# --- rendering -------------------------------------------------------------------------------------------------------

FINISH = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "PROHIBITED_CONTENT",
}


def generate_response(generation: Generation) -> dict[str, Any]:
    candidates = [
        _candidate(choice, _parts(choice.parts, generation), choice.scores, generation, finished=True)
        for choice in generation.choices
    ]
    return {"candidates": candidates, **_envelope(generation, uuid4().hex[:22])}


def _parts(parts: list[Part], generation: Generation) -> list[dict[str, Any]]:
    """Thoughts if they are wanted, text and calls. A call is whole or not there: Google streams no fragments of it."""
    shown: list[dict[str, Any]] = []
    for part in parts:
        if part.thinking:
            shown += [{"text": part.text, "thought": True}] if generation.request.show_thoughts else []
            continue
        if part.tool is None:
            shown += [{"text": part.text}] if part.text else []
            continue
        try:
            arguments = json.loads(part.text or "{}")
        except json.JSONDecodeError:  # cut by the token cap
            continue
        shown.append({"functionCall": {"id": part.call_id, "name": part.tool.name, "args": arguments}})
    return shown


def _candidate(
    choice: Choice, parts: list[dict[str, Any]], scores: Sequence[TokenScore], generation: Generation, *, finished: bool
) -> dict[str, Any]:
    shown = parts or ([{"text": ""}] if finished else [])
    found: dict[str, Any] = {"content": {"parts": shown, "role": "model"}, "index": choice.index}
    if finished:
        found["finishReason"] = FINISH[choice.finish or "stop"]
    if generation.request.top_logprobs is not None and scores:
        found["avgLogprobs"] = sum(s.logprob for s in choice.scores) / len(choice.scores)
        found["logprobsResult"] = {
            "chosenCandidates": [_scored(s.id, s.logprob) for s in scores],
            "topCandidates": [{"candidates": [_scored(t, p) for t, p in s.top]} for s in scores],
        }
    return found


def _scored(token: int, logprob: float) -> dict[str, Any]:
    raw = tokens.encoding("o200k_base").decode_single_token_bytes(token) if token < 199_998 else b"<end>"
    shown = logprob if logprob > -math.inf else -9999.0
    return {"token": raw.decode("utf-8", "backslashreplace"), "tokenId": token, "logProbability": shown}


def _envelope(generation: Generation, response_id: str) -> dict[str, Any]:
    usage = generation.usage
    counts: dict[str, Any] = {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.prompt}],
    }
    if usage.cached:
        counts["cachedContentTokenCount"] = usage.cached
    if usage.reasoning:
        counts["thoughtsTokenCount"] = usage.reasoning
    return {"usageMetadata": counts, "modelVersion": generation.request.model.id, "responseId": response_id}


def response_frames(generation: Generation) -> Iterator[bytes]:
    """Whole response objects, one a piece of text and one a call; the last of each candidate has the finish reason."""
    response_id = uuid4().hex[:22]
    held: dict[int, Piece] = {}
    for choice, piece in generation.pieces():
        hidden = piece.part.thinking and not generation.request.show_thoughts
        if piece.part.tool is not None or hidden:
            continue
        if (before := held.get(choice.index)) is not None:
            yield dump(_chunk(choice, _said(before), before.scores, generation, response_id, finished=False))
        held[choice.index] = piece
    for choice in generation.choices:
        last = held.get(choice.index, Piece("", choice.parts[0]))
        parts = _said(last) + _parts(choice.calls, generation)
        yield dump(_chunk(choice, parts, last.scores, generation, response_id, finished=True))


def _said(piece: Piece) -> list[dict[str, Any]]:
    thought = {"thought": True} if piece.part.thinking else {}
    return [{"text": piece.text, **thought}] if piece.text else []


def _chunk(
    choice: Choice,
    parts: list[dict[str, Any]],
    scores: Sequence[TokenScore],
    generation: Generation,
    response_id: str,
    *,
    finished: bool,
) -> dict[str, Any]:
    candidate = _candidate(choice, parts, scores, generation, finished=finished)
    return {"candidates": [candidate], **_envelope(generation, response_id)}


def _array(generation: Generation) -> Iterator[bytes]:
    opening = b"["
    for frame in response_frames(generation):
        yield opening + frame
        opening = b",\r\n"
    yield b"]"


def model_object(model: Model) -> dict[str, Any]:
    chat = model.kind == "chat"
    return {
        "name": f"models/{model.id}",
        "version": "001",
        "displayName": model.name,
        "inputTokenLimit": model.context,
        "outputTokenLimit": model.max_output,
        "supportedGenerationMethods": ["generateContent", "countTokens"] if chat else ["embedContent"],
        **({"temperature": 1.0, "maxTemperature": model.max_temperature, "topP": 0.95, "topK": 64} if chat else {}),
    }


ROUTES = [
    route
    for version in ("/v1", "/v1beta", "/v1alpha", "")
    for route in (
        Route("POST", version + "/models/{model}:generateContent", generate_content),
        Route("POST", version + "/models/{model}:streamGenerateContent", stream_generate_content),
        Route("POST", version + "/models/{model}:countTokens", count_tokens),
        Route("GET", version + "/models", list_models),
        Route("GET", version + "/models/{model}", get_model),
    )
]
