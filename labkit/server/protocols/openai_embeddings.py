"""OpenAI: embeddings. Texts or token ids in, unit vectors out, as floats or as little-endian 32-bit floats in base64.

The vectors are lexical (`labkit.engine.embedding`); counts, limits, prices and shapes are the provider's.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from array import array
from dataclasses import dataclass
from typing import Any

from labkit import tokens
from labkit.engine.embedding import EmbeddingModel, embedding_model
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Response, Route
from labkit.server.protocols.base import retirement, served
from labkit.server.protocols.openai_request import PROVIDERS
from labkit.server.shapes import Field, Violation, check
from labkit.usage import Usage

FIELDS = {
    "model": Field("string", required=True, nullable=False),
    "input": Field("string or array", required=True, nullable=False, low=1, high=2_048),
    "dimensions": Field("integer", low=1),
    "encoding_format": Field("string", choices=("float", "base64")),
    "user": Field("string"),
}
MOST_TOKENS = 300_000
"""In all inputs of one request together."""
FIXED_LENGTH = frozenset({"text-embedding-ada-002"})
"""Models that take no `dimensions`."""
TEXTS_A_SLICE = 32
"""Other requests are let in after this many texts."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """What to embed, checked."""

    model: Model
    texts: list[str]
    tokens: int
    dimensions: int
    base64: bool


# --- reading ---------------------------------------------------------------------------------------------------------


def read_embeddings(body: dict[str, Any]) -> EmbeddingRequest:
    """An embeddings body, checked against the table, then against the model."""
    check(body, FIELDS)
    model = find_model(body["model"])
    inputs = _split(body["input"])
    ids = [_ids(item, f"input[{n}]" if isinstance(body["input"], list) else "input", model) for n, item in inputs]
    total = sum(count for _, count in ids)
    if total > MOST_TOKENS:
        message = f"Invalid 'input': maximum request size is {MOST_TOKENS} tokens per request."
        raise ApiError("invalid_request", message, code="max_tokens_per_request")
    dimensions = _dimensions(body.get("dimensions"), model)
    return EmbeddingRequest(
        model, [text for text, _ in ids], total, dimensions, body.get("encoding_format") == "base64"
    )


def find_model(model_id: str) -> Model:
    model = served(model_id, PROVIDERS, kind="embedding")
    if model is None and served(model_id, PROVIDERS):
        raise ApiError("permission", "You are not allowed to generate embeddings from this model")
    if model is None:
        message = f"The model `{model_id[:200]}` does not exist or you do not have access to it."
        raise ApiError("not_found", message, code="model_not_found")
    if gone := retirement(model):
        raise ApiError("not_found", gone, code="model_not_found", param="model")
    return model


def _split(given: str | list[Any]) -> list[tuple[int, Any]]:
    """One string or one list of token ids is one input; else each item is one."""
    one = isinstance(given, str) or all(isinstance(item, int) and not isinstance(item, bool) for item in given)
    return [(0, given)] if one else list(enumerate(given))


def _ids(item: Any, at: str, model: Model) -> tuple[str, int]:
    """One input as text and its number of tokens."""
    if isinstance(item, str):
        if not item:
            raise ApiError("invalid_request", f"Invalid '{at}': input cannot be an empty string.", param="input")
        text, count = item, tokens.count(item, model.id)
    elif isinstance(item, list):
        if not item:
            raise ApiError("invalid_request", f"Invalid '{at}': input cannot be an empty array.", param="input")
        text, count = _decode(item, at, model), len(item)
    else:
        raise Violation(at, "type", got=item, kind="string or array")
    if count > model.context:
        raise ApiError(
            "invalid_request",
            f"This model's maximum context length is {model.context} tokens, however you requested {count} tokens "
            f"({count} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
        )
    return text, count


def _decode(ids: list[Any], at: str, model: Model) -> str:
    encoding = tokens.encoding(model.encoding)
    for n, token in enumerate(ids):
        if not isinstance(token, int) or isinstance(token, bool):
            raise Violation(f"{at}[{n}]", "type", got=token, kind="integer")
    try:
        return str(encoding.decode(ids))
    except (KeyError, OverflowError):
        bad = next(token for token in ids if not 0 <= token < encoding.n_vocab or token not in _known(model.encoding))
        raise ApiError(
            "invalid_request", f"Invalid '{at}': {bad} is no token id of this model.", param="input"
        ) from None


def _known(name: str) -> range:
    return range(tokens.encoding(name).max_token_value + 1)


def _dimensions(wanted: int | None, model: Model) -> int:
    longest = model.dimensions or 0
    if wanted is None:
        return longest
    if model.id in FIXED_LENGTH:
        raise ApiError("invalid_request", "This model does not support specifying dimensions.", param="dimensions")
    if wanted > longest:
        message = f"Invalid value for 'dimensions' = {int(wanted)}. Must be less than or equal to {longest}."
        raise ApiError("invalid_request", message, param="dimensions")
    return int(wanted)


# --- answering -------------------------------------------------------------------------------------------------------


async def embeddings(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    request = read_embeddings(body)
    params = {name: body[name] for name in ("dimensions", "encoding_format") if body.get(name) is not None}
    exchange.describe(request.model, params, stream=False)
    exchange.admit(request.model, request.tokens)
    model = embedding_model(request.model.id, request.model.dimensions or 0)
    vectors = await embed(model, request.texts, request.dimensions)
    await exchange.spend(request.model, Usage(input=request.tokens))
    shown: list[Any] = [in_base64(v) if request.base64 else v.tolist() for v in vectors]
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(shown)]
    usage = {"prompt_tokens": request.tokens, "total_tokens": request.tokens}
    return Response.json({"object": "list", "data": data, "model": request.model.id, "usage": usage})


async def embed(model: EmbeddingModel, texts: list[str], dimensions: int) -> list[array[float]]:
    """Unit vectors of the texts."""
    vectors = []
    for n, text in enumerate(texts):
        vectors.append(model.embed(text, dimensions))
        if n % TEXTS_A_SLICE == TEXTS_A_SLICE - 1:
            await asyncio.sleep(0)
    return vectors


def in_base64(vector: array[float]) -> str:
    """32-bit floats, little-endian whatever the machine."""
    if sys.byteorder == "big":
        vector = array("f", vector)
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode("ascii")


ROUTES = [Route("POST", "/v1/embeddings", embeddings)]
