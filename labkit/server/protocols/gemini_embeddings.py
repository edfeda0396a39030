"""Gemini: embedContent and batchEmbedContents, which `google-genai` uses even for one text.

The vectors are lexical (`labkit.engine.embedding`). `taskType` and `title` are checked and change nothing: a lexical
model has no use for them. gemini-embedding-001 returns truncated vectors as they are, shorter than 1, as the real one
does; gemini-embedding-2 brings them back to length 1.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from labkit import tokens
from labkit.engine.embedding import embedding_model
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Response, Route
from labkit.server.protocols.base import refuse_unserved, retirement, served
from labkit.server.protocols.gemini_request import PROVIDERS, camel
from labkit.server.shapes import Field, Violation, check, check_value
from labkit.usage import Usage

TASKS = (
    "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
)
FIELDS = {
    "model": Field("string"),
    "content": Field("object", required=True, nullable=False),
    "taskType": Field("string", choices=TASKS),
    "title": Field("string"),
    "outputDimensionality": Field("integer", low=1),
}
BATCH = {"requests": Field("array", required=True, nullable=False, low=1, high=100)}
CONTENT = {"role": Field("string"), "parts": Field("array", required=True, nullable=False, low=1)}
NOT_NORMALISED = frozenset({"gemini-embedding-001"})
TEXTS_A_SLICE = 32


@dataclass(frozen=True, slots=True)
class Embedded:
    """One thing to embed, checked."""

    text: str
    tokens: int
    dimensions: int


# --- reading ---------------------------------------------------------------------------------------------------------


def find_model(name: str, method: str) -> Model:
    model = served(name, PROVIDERS, kind="embedding")
    if model is None:
        message = f"models/{name[:200]} is not found for API version v1, or is not supported for {method}. "
        raise ApiError("not_found", message + "Call ListModels to see the list of available models.")
    if gone := retirement(model):
        raise ApiError("not_found", f"models/{name} is no longer available. {gone}")
    return model


def read_embed(body: Any, model: Model, at: str = "") -> Embedded:
    """One embedContent body, keys in camelCase."""
    check_value(body, Field("object"), at.rstrip(".") or "request")
    check(body, FIELDS, at=at)
    if (named := body.get("model")) and served(named, PROVIDERS, kind="embedding") != model:
        message = f"{at}model: {named[:200]} must be the same model as in the URL, models/{model.id}."
        raise ApiError("invalid_request", message, param=f"{at}model")
    text = _read_text(body["content"], f"{at}content")
    count = tokens.count(text, model.id)
    if count > model.context:
        message = f"The input token count ({count}) exceeds the maximum number of tokens allowed ({model.context})."
        raise ApiError("invalid_request", message)
    longest = model.dimensions or 0
    wanted = body.get("outputDimensionality") or longest
    if wanted > longest:
        raise Violation(f"{at}outputDimensionality", "above", got=wanted, limit=longest)
    return Embedded(text, count, int(wanted))


def _read_text(content: dict[str, Any], at: str) -> str:
    check(content, CONTENT, at=f"{at}.")
    return "\n".join(_read_part(part, f"{at}.parts[{n}]") for n, part in enumerate(content["parts"]))


def _read_part(part: Any, at: str) -> str:
    check_value(part, Field("object"), at)
    if "text" not in part:
        raise refuse_unserved(f"embedding of parts of kind {next(iter(part), 'nothing')!r}")
    text = part["text"]
    if not isinstance(text, str):
        raise Violation(f"{at}.text", "type", got=text, kind="string")
    if not text:
        raise ApiError("invalid_request", f"* EmbedContentRequest.{at}: the text is empty", param=at)
    return text


# --- answering -------------------------------------------------------------------------------------------------------


async def embed_content(exchange: Exchange, model: str) -> Answer:
    row = find_model(model, "embedContent")
    wanted = read_embed(camel(exchange.request.json()), row)
    (values,) = await _embed(exchange, row, [wanted])
    return Response.json({"embedding": {"values": values}, **_usage([wanted])})


async def batch_embed_contents(exchange: Exchange, model: str) -> Answer:
    row = find_model(model, "batchEmbedContents")
    body = camel(exchange.request.json())
    check(body, BATCH)
    wanted = [read_embed(item, row, f"requests[{n}].") for n, item in enumerate(body["requests"])]
    vectors = await _embed(exchange, row, wanted)
    return Response.json({"embeddings": [{"values": values} for values in vectors], **_usage(wanted)})


async def _embed(exchange: Exchange, row: Model, wanted: list[Embedded]) -> list[list[float]]:
    count = sum(item.tokens for item in wanted)
    exchange.describe(row, {"outputDimensionality": wanted[0].dimensions}, stream=False)
    exchange.admit(row, count)
    model = embedding_model(row.id, row.dimensions or 0)
    embed = model.truncated if row.id in NOT_NORMALISED else model.embed
    vectors = []
    for n, item in enumerate(wanted):
        vectors.append(embed(item.text, item.dimensions).tolist())
        if n % TEXTS_A_SLICE == TEXTS_A_SLICE - 1:
            await asyncio.sleep(0)
    await exchange.spend(row, Usage(input=count))
    return vectors


def _usage(wanted: list[Embedded]) -> dict[str, Any]:
    return {"usageMetadata": {"promptTokenCount": sum(item.tokens for item in wanted)}}


ROUTES = [
    route
    for version in ("/v1", "/v1beta", "/v1alpha", "")
    for route in (
        Route("POST", version + "/models/{model}:embedContent", embed_content),
        Route("POST", version + "/models/{model}:batchEmbedContents", batch_embed_contents),
    )
]
