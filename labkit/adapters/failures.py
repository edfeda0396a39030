"""From any exception of an SDK to one of ours, by what it means: whose turn it is, whether trying again can help."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from labkit.adapters.base import Adapter, Failure
from labkit.errors import (
    CallError,
    CallTimeout,
    ConnectionFailed,
    MalformedAnswer,
    Overloaded,
    ProviderRefused,
    QuotaExceeded,
    RateLimited,
)

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "ServiceQuotaExceededException",
    }
)
"""429s that no waiting mends. Sources: OpenAI's error codes guide and Anthropic's errors page, October 2026;
Bedrock's, a 400 there, from botocore's service model."""
TOO_FAST = ("rate_limit", "throttling")
TROUBLE = ("overloaded", "server_error", "api_error", "unavailable", "timeout", "internal", "modelstreamerror")
"""Parts of the codes that error events inside a stream carry when the provider is in trouble: no status comes there."""
PASSING = (408, 409, 424)
"""Refusals below 500 that are not the caller's fault; 424 is Bedrock's for a model that broke."""
NETWORK = ("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "anyio", "ssl", "urllib3")
UNREADABLE = (
    "UnknownApiResponseError",
    "APIResponseValidationError",
    "ResponseParserError",
    "ChecksumMismatch",
)
BROKEN = ("APIConnectionError", "HTTPClientError")
"""Base classes with which the SDKs say that no answer came, or not all of it."""


def as_call_error(error: Exception, adapter: Adapter, model: str) -> CallError | None:
    """Our error for an SDK's, with the SDK's as its cause; None for one that is neither the world's nor the provider's,
    such as a TypeError for an argument that the SDK does not know."""
    if isinstance(error, CallError):
        return error
    failure = adapter.failure(error)
    kind = _kind(failure) if failure else _kind_of_transport(error)
    if kind is None:
        return None
    told = failure or Failure(_sentence(error, kind))
    ours = kind(
        f"{adapter.name} {_verb(told, kind)} {model}: {told.message}",
        provider=adapter.name,
        model=model,
        status=told.status,
        code=told.code,
        request_id=told.request_id,
        retry_after=told.retry_after,
    )
    ours.__cause__ = error
    return ours


def _kind(failure: Failure) -> type[CallError]:
    status, code = failure.status, (failure.code or "").lower()
    if failure.code in QUOTA_CODES:
        return QuotaExceeded
    if status == 429 or any(word in code for word in TOO_FAST):
        return RateLimited
    in_trouble = status is None and any(word in code for word in TROUBLE)
    return Overloaded if status in PASSING or (status or 0) >= 500 or in_trouble else ProviderRefused


def _kind_of_transport(error: Exception) -> type[CallError] | None:
    if isinstance(error, json.JSONDecodeError) or type(error).__name__ in UNREADABLE:
        return MalformedAnswer
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return CallTimeout
    from_network = type(error).__module__.partition(".")[0] in NETWORK
    named = any(base.__name__ in BROKEN for base in type(error).__mro__)
    if from_network or isinstance(error, OSError) or named:
        return ConnectionFailed
    return None


def _sentence(error: Exception, kind: type[CallError]) -> str:
    if kind is MalformedAnswer:
        return f"what came cannot be read ({error})."
    reason = error.__cause__ or error
    return f"{type(reason).__name__}: {reason}"


def _verb(failure: Failure, kind: type[CallError]) -> str:
    if failure.status is None:
        return "failed for"
    return f"refused ({failure.status}{f', {failure.code}' if failure.code else ''}) for"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from the response headers that the SDKs read: milliseconds, seconds, or a date."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            return max(0.0, float(text) * scale)
        except ValueError:
            pass
    return _until(headers.get("retry-after"))


def _until(date: str | None) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time()) if date else None
    except ValueError:
        return None


def stainless_failure(error: Exception, *, base: type[Exception], id_header: str) -> Failure | None:
    """A refusal as OpenAI's and Anthropic's SDKs raise it: one code generator wrote both."""
    if not isinstance(error, base):
        return None
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    details: dict[str, Any] = inner if isinstance(inner, dict) else {}
    status = getattr(error, "status_code", None)
    if status is None and not details:
        return None  # a connection error: no answer came
    headers = getattr(getattr(error, "response", None), "headers", {})
    code = (details.get("details") or {}).get("error_code") or details.get("code") or details.get("type")
    return Failure(
        message=str(details.get("message") or error),
        status=None if status == 200 else status,
        code=str(code) if code else None,
        request_id=headers.get(id_header) or (body.get("request_id") if isinstance(body, dict) else None),
        retry_after=retry_after(headers),
    )
