"""Text Generation Inference: raw prompts, greedy unless asked otherwise, under `/tgi` or on port 8080.

    /generate, /generate_stream, /          inputs and parameters; the stream tells every token's id and logprob
    /v1/chat/completions, /info, /health

One model, whatever a request names. A stop sequence stays in the text, as in TGI itself. Logprobs are the model's own,
before temperature. Source: TGI's `router/src/validation.rs` and its API documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from labkit import __version__, tokens
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import Choice, Generation, TokenScore
from labkit.server.http import EVENT_STREAM_TYPE, NO_CACHE, Answer, EventStream, Response, Route, Routes, dump
from labkit.server.protocols import openai_request
from labkit.server.protocols.base import header
from labkit.server.protocols.compatible import SelfHosted, chat, revised
from labkit.server.protocols.tgi_request import MOST_STOPS, read_generate, served_model
from labkit.server.shapes import Violation

PREFIX = "/tgi"

# --- handlers --------------------------------------------------------------------------------------------------------


def _start(exchange: Exchange, body: dict[str, Any], *, stream: bool) -> Generation:
    request = read_generate(body)
    params = {k: v for k, v in (body.get("parameters") or {}).items() if v is not None}
    exchange.describe(request.model, params, stream=stream)
    return exchange.generate(request)


async def generate(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    return Response.json(await _generated(exchange, body))


async def generate_stream(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    generation = _start(exchange, body, stream=True)
    frames = exchange.pace_frames(stream_frames(generation, _echoed(body)))
    return EventStream(frames, [EVENT_STREAM_TYPE, NO_CACHE], watch=bool(exchange.tenant.pace))


async def compatible_generate(exchange: Exchange) -> Answer:
    """`POST /`, as Hugging Face's hosted endpoints answer: a list, or the stream."""
    body = exchange.request.json()
    if body.get("stream") is True:
        return await generate_stream(exchange)
    return Response.json([await _generated(exchange, body)])


async def _generated(exchange: Exchange, body: dict[str, Any]) -> dict[str, Any]:
    generation = _start(exchange, body, stream=False)
    await exchange.finish_generation()
    answer: dict[str, Any] = {"generated_text": _echoed(body) + full_text(generation.choices[0])}
    if (body.get("parameters") or {}).get("details"):
        answer["details"] = details(generation)
    return answer


def _echoed(body: dict[str, Any]) -> str:
    return str(body["inputs"]) if (body.get("parameters") or {}).get("return_full_text") else ""


async def chat_completions(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    known = {k: v for k, v in body.items() if k in openai_request.SELF_HOSTED_FIELDS}
    answer = await chat(exchange, known | {"model": served_model().id})
    return revised(answer, lambda data: data | {"system_fingerprint": f"{__version__}-labkit"})


async def info(exchange: Exchange) -> Answer:
    model = served_model()
    return Response.json(
        {
            "model_id": model.id,
            "model_sha": None,
            "model_pipeline_tag": "text-generation",
            "max_concurrent_requests": 128,
            "max_best_of": 1,
            "max_stop_sequences": MOST_STOPS,
            "max_input_tokens": model.context - 1,
            "max_total_tokens": model.context,
            "router": "text-generation-router",
            "version": f"{__version__}+labkit",
        }
    )


async def health(exchange: Exchange) -> Answer:
    return Response(200, b"")


# --- rendering -------------------------------------------------------------------------------------------------------

FINISH = {"length": "length", "stop_sequence": "stop_sequence"}


def full_text(choice: Choice) -> str:
    return choice.text + (choice.stop_sequence or "")


def details(generation: Generation) -> dict[str, Any]:
    choice = generation.choices[0]
    found: dict[str, Any] = {
        "finish_reason": FINISH.get(choice.finish or "stop", "eos_token"),
        "generated_tokens": len(choice.scores),
        "seed": generation.request.seed,
        "prefill": [],
        "tokens": [token_object(score, _decoded(score.id)) for score in choice.scores],
        "best_of_sequences": None,
    }
    if generation.request.top_logprobs:
        found["top_tokens"] = [_top(score) for score in choice.scores]
    return found


def token_object(score: TokenScore, text: str) -> dict[str, Any]:
    return {"id": score.id, "text": text, "logprob": score.logprob, "special": False}


def _top(score: TokenScore) -> list[dict[str, Any]]:
    return [{"id": i, "text": _decoded(i), "logprob": logprob, "special": i >= 199_998} for i, logprob in score.top]


def _decoded(token: int) -> str:
    if token >= 199_998:
        return "<|endoftext|>"
    return tokens.encoding().decode_single_token_bytes(token).decode("utf-8", "replace")


def stream_frames(generation: Generation, echoed: str) -> Iterator[bytes]:
    """An event a token; the last also has the whole text. Tokens that share a character show it with the last."""
    held: dict[str, Any] | None = None
    for data in _token_events(generation):
        if held is not None:
            yield _event(held)
        held = data
    choice = generation.choices[0]
    if held is None:
        held = {"index": 0, "token": {"id": 199_999, "text": "", "logprob": 0.0, "special": True}, "top_tokens": []}
    counts = {**details(generation), "input_length": generation.request.prompt_tokens}
    ending = {name: counts[name] for name in ("finish_reason", "generated_tokens", "seed", "input_length")}
    yield _event({**held, "generated_text": echoed + full_text(choice), "details": ending})


def _token_events(generation: Generation) -> Iterator[dict[str, Any]]:
    choice, told = generation.choices[0], 0
    for _, piece in generation.pieces():
        told += len(piece.scores)
        text = piece.text + (choice.stop_sequence or "" if told == len(choice.scores) else "")
        yield from _shared(generation, piece.scores, text, told - len(piece.scores))
    yield from _shared(generation, choice.scores[told:], choice.stop_sequence or "", told)


def _shared(generation: Generation, scores: Sequence[TokenScore], text: str, before: int) -> Iterator[dict[str, Any]]:
    """Tokens whose text became certain together."""
    for n, score in enumerate(scores, 1):
        token = token_object(score, text if n == len(scores) else "")
        top = _top(score) if generation.request.top_logprobs else []
        yield {"index": before + n, "token": token, "top_tokens": top, "generated_text": None, "details": None}


def _event(data: dict[str, Any]) -> bytes:
    return b"data:" + dump(data) + b"\n\n"


# --- the protocol ----------------------------------------------------------------------------------------------------

ERROR_TYPES = {404: "not_found", 429: "overloaded", 500: "generation", 503: "unhealthy"}


class TGIProtocol(SelfHosted):
    """An error is `{"error", "error_type"}`; what does not validate is 422."""

    name = "tgi"
    prefix = PREFIX

    def __init__(self) -> None:
        self.routes = Routes(ROUTES)

    def phrase(self, violation: Violation) -> ApiError:
        """As its JSON reader puts it."""
        name = violation.path
        sentence = {
            "missing": f"missing field `{name}`",
            "type": f"{name}: invalid type: {type(violation.got).__name__}, expected {violation.kind}",
        }.get(
            violation.rule, f"{name}: {violation.rule} {violation.limit if violation.limit is not None else ''}".strip()
        )
        return ApiError("invalid_request", f"Failed to deserialize the JSON body into the target type: {sentence}")

    def render_error(self, error: ApiError, request_id: str) -> Response:
        status = 422 if error.status == 400 else error.status
        return Response.json(error_body(error), status=status, headers=[header("x-request-id", request_id)])

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return _event(error_body(error))


def error_body(error: ApiError) -> dict[str, Any]:
    return {"error": error.message, "error_type": ERROR_TYPES.get(error.status, "validation")}


ROUTES = [
    Route("POST", f"{PREFIX}/generate", generate),
    Route("POST", f"{PREFIX}/generate_stream", generate_stream),
    *(Route("POST", path, compatible_generate) for path in (PREFIX, f"{PREFIX}/")),
    Route("POST", f"{PREFIX}/v1/chat/completions", chat_completions),
    Route("GET", f"{PREFIX}/info", info),
    Route("GET", f"{PREFIX}/health", health),
]
