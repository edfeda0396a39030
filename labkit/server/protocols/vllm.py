"""vLLM: OpenAI's chat completions over open weights, and what its server adds, under `/vllm` or on port 8000.

    /v1/chat/completions, /v1/models            any key or none; max_model_len; top_k, min_p; fields unknown are dropped
    /tokenize, /detokenize                      the lab has one tokenizer, o200k_base, whatever the weights had
    /health, /ping, /version, /metrics

Source: vLLM's `entrypoints/openai` (protocol classes, which allow extra fields) and its documentation of metrics.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from labkit import __version__, registry, tokens
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import Generation
from labkit.server.http import Answer, EventStream, Response, Route, Routes, dump
from labkit.server.protocols import openai, openai_request
from labkit.server.protocols.base import header, refuse_unserved
from labkit.server.protocols.chat_template import chat_ids, text_of
from labkit.server.protocols.compatible import SelfHosted, chat, find_weights, revised
from labkit.server.protocols.vllm_metrics import Metrics
from labkit.server.shapes import Field, Violation, check, check_value

PREFIX = "/vllm"

# --- requests --------------------------------------------------------------------------------------------------------

UNSERVED: dict[str, tuple[Any, ...]] = {
    "repetition_penalty": (1,),
    "length_penalty": (1,),
    "min_tokens": (0,),
    "use_beam_search": (False,),
    "stop_token_ids": ([],),
    "ignore_eos": (False,),
    "include_stop_str_in_output": (False,),
    "bad_words": ([],),
    "allowed_token_ids": (),
    "prompt_logprobs": (),
    "structured_outputs": (),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
    "logits_processors": ([],),
    "chat_template": (),
    "continue_final_message": (False,),
    "echo": (False,),
    "truncate_prompt_tokens": (),
}
"""vLLM's own fields that change an answer and that the lab does not serve, with the values that change nothing."""
TOKENIZE = {
    "model": Field("string"),
    "prompt": Field("string"),
    "messages": Field("array", low=1),
    "add_special_tokens": Field("boolean"),
    "add_generation_prompt": Field("boolean"),
    "return_token_strs": Field("boolean"),
}
DETOKENIZE = {"model": Field("string"), "tokens": Field("array", required=True)}


def read_extras(body: dict[str, Any]) -> dict[str, Any]:
    """A body without the fields that vLLM ignores.

    Raises:
        ApiError: a field that vLLM would obey and the lab does not.
    """
    for name, neutral in UNSERVED.items():
        if body.get(name) is not None and body[name] not in neutral:
            raise refuse_unserved(name)
    return {k: v for k, v in body.items() if k in openai_request.SELF_HOSTED_FIELDS}


def find_model(model_id: object) -> Model:
    """The weights of that name; vLLM's first model where none is named."""
    model = registry.find(registry.model("self-hosted")) if model_id is None else find_weights(model_id)
    if model is None:
        text = f"The model `{model_id}` does not exist."
        raise ApiError("not_found", text, param="model", code="NotFoundError")
    return model


# --- handlers --------------------------------------------------------------------------------------------------------


async def chat_completions(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    model = find_model(body.get("model"))
    metrics = exchange.tenant.part(Metrics)
    answer = await chat(exchange, read_extras(body) | {"model": model.id})
    generation = exchange.generation
    assert generation is not None, "a chat that was not refused generates"
    if isinstance(answer, EventStream):
        answer.frames = metrics.watch(exchange, generation, answer.frames)
    else:
        metrics.book(exchange, generation)
    return revised(answer, partial(with_extras, generation=generation, name=body.get("model") or model.id))


def with_extras(data: dict[str, Any], *, generation: Generation, name: str) -> dict[str, Any]:
    """The model by the name that was asked for, and which stop sequence ended a choice."""
    for choice in data.get("choices", ()):
        ended = generation.choices[choice["index"]]
        choice["stop_reason"] = ended.stop_sequence if choice["finish_reason"] else None
    return {**data, "model": name} if "model" in data else data


async def list_models(exchange: Exchange) -> Answer:
    return Response.json({"object": "list", "data": [model_object(m) for m in registry.models("self-hosted")]})


def model_object(model: Model) -> dict[str, Any]:
    row = openai.model_object(model)
    permission = {"id": f"modelperm-{model.id}", "object": "model_permission", "allow_sampling": True}
    limits = {"root": model.id, "parent": None, "max_model_len": model.context, "permission": [permission]}
    return {**row, "owned_by": "vllm", **limits}


async def tokenize(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    check(body, TOKENIZE, unknown_ok=True)
    model = find_model(body.get("model"))
    if (messages := body.get("messages")) is not None:
        prompt = openai_request.read_chat({"model": model.id, "messages": messages}).prompt
        ids = chat_ids(prompt.turns, prime=body.get("add_generation_prompt") is not False)
    elif body.get("prompt") is not None:
        ids = tokens.encode(body["prompt"], model.id)
    else:
        raise Violation("prompt", "missing", kind="string")
    strings = [text_of([i]) for i in ids] if body.get("return_token_strs") else None
    counted = {"count": len(ids), "max_model_len": model.context, "tokens": ids, "token_strs": strings}
    return Response.json(counted)


async def detokenize(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    check(body, DETOKENIZE, unknown_ok=True)
    find_model(body.get("model"))
    for n, token in enumerate(body["tokens"]):
        check_value(token, Field("integer", low=0, high=2**31), f"tokens[{n}]")
    try:
        return Response.json({"prompt": text_of([int(token) for token in body["tokens"]])})
    except KeyError as unknown:
        raise ApiError("invalid_request", f"tokens: {unknown} is no token id.", param="tokens") from None


async def health(exchange: Exchange) -> Answer:
    return Response(200, b"")


async def version(exchange: Exchange) -> Answer:
    return Response.json({"version": f"{__version__}+labkit"})


async def expose_metrics(exchange: Exchange) -> Answer:
    text = exchange.tenant.part(Metrics).text(registry.models("self-hosted"))
    return Response(200, text.encode(), [header("content-type", "text/plain; version=0.0.4; charset=utf-8")])


# --- the protocol ----------------------------------------------------------------------------------------------------

ERROR_TYPES = {400: "BadRequestError", 401: "Unauthorized", 404: "NotFoundError", 429: "RateLimitError"}


def error_body(error: ApiError) -> dict[str, Any]:
    """vLLM's own: the status once more as the code, an exception's name as the type."""
    kind = ERROR_TYPES.get(error.status, "InternalServerError" if error.status >= 500 else "BadRequestError")
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.status}}


class VLLMProtocol(SelfHosted):
    """A model server that speaks OpenAI."""

    name = "vllm"
    prefix = PREFIX

    def __init__(self) -> None:
        self.routes = Routes(ROUTES)

    def render_error(self, error: ApiError, request_id: str) -> Response:
        return Response.json(error_body(error), status=error.status, headers=[header("x-request-id", request_id)])

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return b"data: " + dump(error_body(error)) + b"\n\n"


ROUTES = [
    Route("POST", f"{PREFIX}/v1/chat/completions", chat_completions),
    Route("GET", f"{PREFIX}/v1/models", list_models),
    Route("POST", f"{PREFIX}/tokenize", tokenize),
    Route("POST", f"{PREFIX}/detokenize", detokenize),
    Route("GET", f"{PREFIX}/health", health),
    Route("GET", f"{PREFIX}/ping", health),
    Route("GET", f"{PREFIX}/version", version),
    Route("GET", f"{PREFIX}/metrics", expose_metrics),
]
