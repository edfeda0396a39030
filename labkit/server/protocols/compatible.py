"""OpenAI's endpoints behind other doors: Azure, vLLM, Ollama and TGI all serve them at paths of their own.

Nothing of OpenAI is written twice: a door finds OpenAI's handler, hands it the body that OpenAI would have got, and
says its own extras over the answer. The journal keeps what the client really sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from copy import copy
from typing import Any

from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Handler, Headers, Request, Response, Routes, dump
from labkit.server.protocols.base import header, retirement, served
from labkit.server.protocols.openai import OpenAIProtocol
from labkit.server.protocols.openai_request import phrase
from labkit.server.shapes import Violation

SHARED_KEY = "lab-selfhosted"
"""Whose tenant answers a request to a self-hosted server that brings no lab key."""
CHAT = "/v1/chat/completions"

Revise = Callable[[dict[str, Any]], dict[str, Any]]
"""From a decoded answer, or a decoded event of a stream, to what this door says instead."""

OPENAI: Routes = OpenAIProtocol().routes


async def call(
    exchange: Exchange, handlers: Mapping[str, Handler], *, body: dict[str, Any] | None, **names: str
) -> Answer:
    """Let one of OpenAI's handlers answer, with `body` in place of the client's."""
    handler = handlers.get(exchange.request.method)
    if handler is None:
        raise ApiError("method_not_allowed", f"Not allowed to {exchange.request.method} here.")
    if body is not None:
        exchange.request = copy(exchange.request)  # the journal keeps the one that was sent
        exchange.request.body = dump(body)
    return await handler(exchange, **names)


async def chat(exchange: Exchange, body: dict[str, Any]) -> Answer:
    """OpenAI's chat completion of `body`."""
    handlers, _ = OPENAI.find(CHAT)
    return await call(exchange, handlers, body=body)


def revised(answer: Answer, revise: Revise, *, before: bytes = b"") -> Answer:
    """An answer of OpenAI's with `revise` applied to its JSON, or to each event of its stream.

    Args:
        before: an event to send ahead of the stream.
    """
    if isinstance(answer, Response):
        answer.body = dump(revise(json.loads(answer.body)))
    else:
        answer.frames = _revised_frames(answer.frames, revise, before)
    return answer


async def _revised_frames(frames: AsyncIterator[bytes], revise: Revise, before: bytes) -> AsyncIterator[bytes]:
    async for chunk in frames:  # whole events, one or many
        yield before + b"".join(_revised_event(event, revise) for event in chunk.split(b"\n\n") if event)
        before = b""


def _revised_event(event: bytes, revise: Revise) -> bytes:
    try:
        data = json.loads(event.removeprefix(b"data: "))
    except ValueError:  # [DONE], and what a scripted fault broke
        return event + b"\n\n"
    return b"data: " + dump(revise(data)) + b"\n\n"


# --- what the self-hosted servers share ------------------------------------------------------------------------------


class SelfHosted:
    """A server of open weights under a path prefix: a key is optional, a lab key opens its own tenant.

    A subclass says its name, its routes and its error bodies.
    """

    name: str
    prefix: str
    routes: Routes

    def claims(self, request: Request) -> bool:
        return request.path == self.prefix or request.path.startswith(f"{self.prefix}/")

    def key(self, request: Request) -> str:
        """These servers take any key or none; only a lab key means something."""
        key = request.bearer or request.headers.get("x-api-key") or ""
        return key if key.startswith("lab-") else SHARED_KEY

    def refuse_key(self, key: str) -> ApiError:
        return ApiError("authentication", "Unauthorized: this lab server admits listed keys only.")

    def phrase(self, violation: Violation) -> ApiError:
        return phrase(violation)

    def malformed(self, detail: str) -> ApiError:
        return ApiError("invalid_request", f"JSON decode error: {detail}")

    def headers(self, exchange: Exchange) -> Headers:
        return [header("x-request-id", exchange.entry.request_id)]


def find_weights(model_id: object) -> Model | None:
    """The registry's row of open weights, by any of its names, with or without Ollama's ":latest"."""
    if not isinstance(model_id, str):
        return None
    model = served(model_id.removesuffix(":latest"), ("self-hosted",))
    return None if model is None or retirement(model) else model
