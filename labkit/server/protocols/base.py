"""What the application asks of a protocol file."""

from __future__ import annotations

import logging
from datetime import date
from typing import Protocol as Interface

from labkit import registry
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Headers, MalformedJson, Request, Response, Routes
from labkit.server.shapes import Violation

log = logging.getLogger("labkit.server")


class Protocol(Interface):
    """A provider's way of saying things."""

    name: str
    routes: Routes

    def claims(self, request: Request) -> bool:
        """Whether a request is meant for this protocol, by its path first and its headers where paths are shared."""
        ...

    def key(self, request: Request) -> str:
        """The key that the request brings.

        Raises:
            ApiError: there is none, or a header that the provider insists on is missing.
        """
        ...

    def refuse_key(self, key: str) -> ApiError:
        """The provider's words for a key that opens nothing."""
        ...

    def phrase(self, violation: Violation) -> ApiError:
        """The provider's words for a field that breaks a rule."""
        ...

    def malformed(self, detail: str) -> ApiError:
        """The provider's words for a body that is not JSON."""
        ...

    def render_error(self, error: ApiError, request_id: str) -> Response:
        """The provider's own error body."""
        ...

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        """The provider's own error inside a stream, where the status is long sent."""
        ...

    def headers(self, exchange: Exchange) -> Headers:
        """Headers of every answer: request id, rate limits."""
        ...


OPENAI_ONLY = ("/v1/chat/", "/v1/responses", "/v1/embeddings", "/v1/moderations")
"""Paths that tell whose request it is, whatever other providers' headers come with it."""


def header(name: str, value: object) -> tuple[bytes, bytes]:
    return name.encode("latin-1"), str(value).encode("latin-1", "replace")


def served(model_id: str, providers: tuple[str, ...], kind: str = "chat") -> Model | None:
    """The registry's row of a model that these providers serve, retired or not; None when they have no such model."""
    try:
        model = registry.find(model_id)
    except registry.UnknownModel:
        return None
    return model if model.provider in providers and model.kind == kind else None


def retirement(model: Model) -> str | None:
    """What to say of a retired model, None while it lives."""
    if not model.retired(date.today()):
        return None
    advice = f" Use `{model.successor}` instead." if model.successor else ""
    return f"The model `{model.id}` was shut down on {model.retires}.{advice}"


def refuse_unserved(feature: str) -> ApiError:
    """A parameter that the real provider takes and this server does not serve: said, never ignored in silence."""
    return ApiError(
        "invalid_request", f"The lab server does not serve {feature}.", code="lab_not_served", param=feature
    )


def refusal_of(protocol: Protocol, problem: Exception, request: Request) -> ApiError:
    """What to tell the client of whatever went wrong. What is our own fault goes to the log in full."""
    if isinstance(problem, ApiError):
        return problem
    if isinstance(problem, Violation):
        return protocol.phrase(problem)
    if isinstance(problem, MalformedJson):
        return protocol.malformed(problem.detail)
    log.error("%s %s failed", request.method, request.path, exc_info=problem)
    return ApiError("server", "The lab server failed on this request; its log says why.", code="internal_error")
