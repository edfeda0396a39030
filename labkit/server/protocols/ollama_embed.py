"""Ollama: /api/embed, and the older /api/embeddings for one text.

Ollama makes vectors with any model it has; the lab makes them with the models of the registry, each as long as the real
one's hidden state would be. They are lexical (`labkit.engine.embedding`). Source: Ollama's API documentation.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from labkit import tokens
from labkit.engine.embedding import embedding_model
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Response, Route
from labkit.server.protocols.compatible import find_weights
from labkit.server.protocols.ollama_models import Memory
from labkit.server.protocols.ollama_request import read_keep_alive
from labkit.server.protocols.openai_embeddings import embed
from labkit.server.shapes import Field, Violation, check
from labkit.usage import Usage

COMMON = {
    "model": Field("string", required=True),
    "options": Field("object"),
    "keep_alive": Field("any"),
}
EMBED = COMMON | {
    "input": Field("string or array"),
    "truncate": Field("boolean"),
    "dimensions": Field("integer", low=1),
}
EMBEDDINGS = COMMON | {"prompt": Field("string")}
LENGTH = 3_072
"""Numbers of a vector when the model's row does not say: the hidden size of a 3 B model."""
MOST_TEXTS = 2_048


def _find(name: str) -> Model:
    model = find_weights(name)
    if model is None:
        raise ApiError("not_found", f'model "{name[:100]}" not found, try pulling it first')
    return model


async def api_embed(exchange: Exchange) -> Answer:
    """Unit vectors, one a text. A text longer than the context loses its end, or is refused with `truncate: false`."""
    body = exchange.request.json()
    check(body, EMBED, unknown_ok=True)
    model = _find(body["model"])
    given = body.get("input") or []
    texts = [given] if isinstance(given, str) else given
    for n, text in enumerate(texts):
        if not isinstance(text, str):
            raise Violation(f"input[{n}]", "type", got=text, kind="string")
    if len(texts) > MOST_TEXTS:
        raise ApiError("invalid_request", f"at most {MOST_TEXTS} inputs in one request")
    read = [_fitting(text, model, cut=body.get("truncate") is not False) for text in texts]
    length = min(body.get("dimensions") or LENGTH, LENGTH)
    vectors, timing = await _vectors(exchange, body, model, read, length)
    return Response.json({"model": body["model"], "embeddings": vectors, **timing})


async def api_embeddings(exchange: Exchange) -> Answer:
    """The older call: one prompt, one vector, no counts."""
    body = exchange.request.json()
    check(body, EMBEDDINGS, unknown_ok=True)
    model = _find(body["model"])
    read = [_fitting(body["prompt"], model, cut=True)] if body.get("prompt") else []
    vectors, _ = await _vectors(exchange, body, model, read, LENGTH)
    return Response.json({"embedding": vectors[0] if vectors else []})


def _fitting(text: str, model: Model, *, cut: bool) -> tuple[str, int]:
    """The text as it is read, and its tokens."""
    ids = tokens.encode(text, model.id)
    if len(ids) <= model.context:
        return text, len(ids)
    if not cut:
        raise ApiError("invalid_request", "the input length exceeds the context length")
    return tokens.encoding(model.encoding).decode(ids[: model.context]), model.context


async def _vectors(
    exchange: Exchange, body: dict[str, Any], model: Model, read: list[tuple[str, int]], length: int
) -> tuple[list[list[float]], dict[str, int]]:
    """The vectors, and Ollama's durations in nanoseconds."""
    exchange.describe(model, {k: body[k] for k in ("dimensions", "truncate") if k in body}, stream=False)
    count = sum(size for _, size in read)
    exchange.admit(model, count)
    load_ns = await exchange.tenant.part(Memory).load(model, read_keep_alive(body.get("keep_alive")))
    vectors = await embed(embedding_model(model.id, length), [text for text, _ in read], length)
    await exchange.spend(model, Usage(input=count))
    elapsed = round((perf_counter() - exchange.started) * 1e9)
    timing = {"total_duration": elapsed, "load_duration": load_ns, "prompt_eval_count": count}
    return [vector.tolist() for vector in vectors], timing


def routes(prefix: str) -> list[Route]:
    return [Route("POST", f"{prefix}/api/embed", api_embed), Route("POST", f"{prefix}/api/embeddings", api_embeddings)]
