"""Ollama: its native API under `/ollama/api` or on port 11434, and its OpenAI-compatible one beside it.

    /api/chat, /api/generate        NDJSON, streamed unless told otherwise; durations in nanoseconds
    /api/embed, /api/embeddings     vectors
    /api/tags, /api/ps, /api/show   what is there, what is in memory, what one model is
    /v1/chat/completions, /v1/models

A model is loaded into memory at its first use, which takes modelled time, and leaves it after `keep_alive`.
Source: Ollama's API documentation and `api/types.go`. Not served: pull, push, create, copy, delete.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from labkit import __version__, registry, tokens
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import Generation, Part
from labkit.server.http import Answer, EventStream, Response, Route, Routes, dump
from labkit.server.protocols import ollama_embed, openai
from labkit.server.protocols.base import header, refuse_unserved
from labkit.server.protocols.chat_template import chat_ids
from labkit.server.protocols.compatible import SelfHosted, chat, find_weights
from labkit.server.protocols.ollama_models import Memory, details, family, model_object, size, tag, weights
from labkit.server.protocols.ollama_request import DEFAULTS, Ask, read_chat, read_generate
from labkit.server.shapes import Field, Violation, check

PREFIX = "/ollama"
TEMPLATE = (
    "{{ range .Messages }}<|im_start|>{{ .Role }}<|im_sep|>{{ .Content }}{{ end }}<|im_start|>assistant<|im_sep|>"
)
NDJSON = (b"content-type", b"application/x-ndjson")

# --- handlers: generation --------------------------------------------------------------------------------------------

Say = Callable[[str, list[dict[str, Any]]], dict[str, Any]]
"""Text and tool calls, in the shape of one endpoint."""


def _as_message(text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}}


def _as_response(text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {"response": text}


async def api_chat(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    return await _answer(exchange, read_chat(body), body, _as_message)


async def api_generate(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    return await _answer(exchange, read_generate(body), body, _as_response)


async def _answer(exchange: Exchange, ask: Ask, body: dict[str, Any], say: Say) -> Answer:
    exchange.describe(
        ask.model, {k: body[k] for k in ("options", "format", "keep_alive") if body.get(k)}, stream=ask.stream
    )
    memory = exchange.tenant.part(Memory)
    if ask.request is None:
        await memory.load(ask.model, ask.keep_alive)
        reason = "load" if ask.keep_alive else "unload"
        return Response.json({**_envelope(ask), **say("", []), "done": True, "done_reason": reason})
    generation = exchange.generate(ask.request)
    load_ns = await memory.load(ask.model, ask.keep_alive)

    def ending() -> dict[str, Any]:
        elapsed = round((perf_counter() - exchange.started) * 1e9)
        past = {"context": context_of(generation)} if say is _as_response else {}
        return {"done": True, "done_reason": done_reason(generation), **past, **durations(generation, elapsed, load_ns)}

    if ask.stream:
        frames = exchange.pace_frames(answer_frames(generation, ask, say, ending))
        return EventStream(frames, [NDJSON], watch=bool(exchange.tenant.pace))
    await exchange.finish_generation()
    choice = generation.choices[0]
    return Response.json({**_envelope(ask), **say(choice.text, [_call(part) for part in choice.calls]), **ending()})


def answer_frames(generation: Generation, ask: Ask, say: Say, ending: Callable[[], dict[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line: a piece of text, or a whole call; the last has the counts and no text."""
    called: Part | None = None
    for _, piece in generation.pieces():
        if called is not None and piece.part is not called:
            yield _line({**_envelope(ask), **say("", [_call(called)]), "done": False})
        called = piece.part if piece.part.tool else None
        if called is None and piece.text:
            yield _line({**_envelope(ask), **say(piece.text, []), "done": False})
    if called is not None:
        yield _line({**_envelope(ask), **say("", [_call(called)]), "done": False})
    yield _line({**_envelope(ask), **say("", []), **ending()})


def _line(data: dict[str, Any]) -> bytes:
    return dump(data) + b"\n"


def _envelope(ask: Ask) -> dict[str, Any]:
    return {"model": ask.name, "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z")}


def _call(part: Part) -> dict[str, Any]:
    assert part.tool is not None
    try:
        arguments = json.loads(part.text or "{}")
    except json.JSONDecodeError:  # cut by num_predict
        arguments = {}
    return {"function": {"name": part.tool.name, "arguments": arguments}}


def done_reason(generation: Generation) -> str:
    return "length" if generation.choices[0].finish == "length" else "stop"


def context_of(generation: Generation) -> list[int]:
    """The conversation and the answer, for the next /api/generate."""
    return chat_ids(generation.request.prompt.turns) + tokens.encode(generation.choices[0].text)


def durations(generation: Generation, elapsed: int, load_ns: int) -> dict[str, int]:
    """Nanoseconds. What passed after loading is split between reading and writing as the latency model splits it."""
    model, usage = generation.request.model, generation.usage
    reading = model.ttft_ms / 1000 + usage.prompt / model.prefill_tps
    share = reading / (reading + usage.output / model.output_tps)
    working = max(elapsed - load_ns, 0)
    return {
        "total_duration": elapsed,
        "load_duration": load_ns,
        "prompt_eval_count": usage.prompt,
        "prompt_eval_duration": round(working * share),
        "eval_count": usage.output,
        "eval_duration": round(working * (1 - share)),
    }


# --- handlers: the rest ----------------------------------------------------------------------------------------------


async def tags(exchange: Exchange) -> Answer:
    return Response.json({"models": [model_object(m) for m in registry.models("self-hosted")]})


async def ps(exchange: Exchange) -> Answer:
    clock, now = exchange.tenant.clock, datetime.now(UTC)
    rows = []
    for model_id, left in exchange.tenant.part(Memory).loaded().items():
        model = registry.find(model_id)
        row = {name: value for name, value in model_object(model).items() if name != "modified_at"}
        stays = timedelta(seconds=min(left / clock.rate, 3e9)) if math.isfinite(left) else timedelta(days=36_500)
        row |= {"size_vram": size(model), "context_length": DEFAULTS["num_ctx"]}
        row["expires_at"] = (now + stays).isoformat()
        rows.append(row)
    return Response.json({"models": rows})


async def show(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    check(body, {"model": Field("string"), "name": Field("string")}, unknown_ok=True)
    name = body.get("model") or body.get("name")
    if not name:
        raise ApiError("invalid_request", "model is required")
    model = find_weights(name)
    if model is None:
        raise ApiError("not_found", f"model '{name}' not found")
    abilities = {"completion": True, "tools": model.tools, "vision": model.vision, "thinking": model.thinking != "no"}
    parameters = "\n".join(f"{k:<30} {v}" for k, v in DEFAULTS.items() if isinstance(v, int | float))
    return Response.json(
        {
            "modelfile": f"FROM {tag(model)}",
            "parameters": parameters,
            "template": TEMPLATE,
            "details": details(model),
            "model_info": {
                "general.architecture": family(model),
                "general.parameter_count": int(weights(model)),
                f"{family(model)}.context_length": model.context,
            },
            "capabilities": [name for name, able in abilities.items() if able],
        }
    )


async def version(exchange: Exchange) -> Answer:
    return Response.json({"version": f"{__version__}+labkit"})


async def home(exchange: Exchange) -> Answer:
    return Response(200, b"Ollama is running", [header("content-type", "text/plain; charset=utf-8")])


async def unserved(exchange: Exchange) -> Answer:
    raise refuse_unserved(exchange.request.path.removeprefix(PREFIX))


# --- handlers: OpenAI's API ------------------------------------------------------------------------------------------

OBEYED = frozenset(
    {"messages", "stream", "stream_options", "temperature", "top_p", "seed", "stop", "max_tokens"}
    | {"max_completion_tokens", "presence_penalty", "frequency_penalty", "response_format", "tools"}
)
"""What Ollama reads of a chat completion. The rest (n, logit_bias, tool_choice, ...) it ignores without a word."""


async def chat_completions(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    model = find_weights(body.get("model"))
    if model is None:
        raise ApiError("not_found", f"model '{body.get('model')}' not found", param="model")
    return await chat(exchange, {k: v for k, v in body.items() if k in OBEYED} | {"model": model.id})


async def list_models(exchange: Exchange) -> Answer:
    rows = [{**openai.model_object(m), "id": tag(m), "owned_by": "library"} for m in registry.models("self-hosted")]
    return Response.json({"object": "list", "data": rows})


# --- the protocols ---------------------------------------------------------------------------------------------------


class OllamaProtocol(SelfHosted):
    """The native API: an error is `{"error": text}`."""

    name = "ollama"
    prefix = PREFIX

    def __init__(self) -> None:
        self.routes = Routes(ROUTES)

    def phrase(self, violation: Violation) -> ApiError:
        """As Go's decoder puts it."""
        got = {str: "string", bool: "bool", list: "array", dict: "object"}.get(type(violation.got), "number")
        if violation.rule != "type":
            return super().phrase(violation)
        return ApiError(
            "invalid_request",
            f"json: cannot unmarshal {got} into Go struct field {violation.path} of type {violation.kind}",
        )

    def render_error(self, error: ApiError, request_id: str) -> Response:
        return Response.json({"error": error.message}, status=error.status)

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return _line({"error": error.message})


class OllamaCompatible(SelfHosted):
    """OpenAI's API on the same port, with OpenAI's errors in Ollama's types."""

    name = "ollama"
    prefix = f"{PREFIX}/v1"

    def __init__(self) -> None:
        self.routes = Routes(COMPATIBLE)

    def render_error(self, error: ApiError, request_id: str) -> Response:
        return Response.json(_compatible_error(error), status=error.status)

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return b"data: " + dump(_compatible_error(error)) + b"\n\n"


def _compatible_error(error: ApiError) -> dict[str, Any]:
    kind = {404: "not_found_error", 400: "invalid_request_error"}.get(error.status, "api_error")
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


ROUTES = [
    Route("POST", f"{PREFIX}/api/chat", api_chat),
    Route("POST", f"{PREFIX}/api/generate", api_generate),
    Route("GET", f"{PREFIX}/api/tags", tags),
    Route("GET", f"{PREFIX}/api/ps", ps),
    Route("POST", f"{PREFIX}/api/show", show),
    Route("GET", f"{PREFIX}/api/version", version),
    *(Route(method, f"{PREFIX}{path}", home) for method in ("GET", "HEAD") for path in ("", "/")),
    *(Route("POST", f"{PREFIX}/api/{name}", unserved) for name in ("pull", "push", "create", "copy")),
    *ollama_embed.routes(PREFIX),
    Route("DELETE", f"{PREFIX}/api/delete", unserved),
]
COMPATIBLE = [
    Route("POST", f"{PREFIX}/v1/chat/completions", chat_completions),
    Route("GET", f"{PREFIX}/v1/models", list_models),
]
