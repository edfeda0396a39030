"""What providers say of their limits, in one form: the headers of an answer and the body of a refusal.

Sources: OpenAI's and Anthropic's rate limit guides (headers on every answer), Azure's (the same as OpenAI's without the
reset), Gemini's error bodies (google.rpc.QuotaFailure and RetryInfo; nothing on success). Read of October 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from labkit.errors import CallError
from labkit.pacing.buckets import Level

MILLISECOND, SECOND = 0.001, 1.0
BAD_KEY = "API_KEY_INVALID"
DIALECTS = (
    ("x-ratelimit-{what}-{subject}", ("requests", "tokens")),
    ("anthropic-ratelimit-{subject}-{what}", ("requests", "tokens", "input-tokens", "output-tokens")),
)
NAMES = tuple(
    tuple((s, *(name.format(what=w, subject=s) for w in ("limit", "remaining", "reset"))) for s in subjects)
    for name, subjects in DIALECTS
)
"""By dialect: subject and the names of its three headers."""
GO_PARTS = re.compile(r"([\d.]+)(h|ms|m|s)")
GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def levels(headers: Mapping[str, str]) -> list[Level]:
    """The limits that an answer's headers tell; none when the provider does not say.

    >>> levels({"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "499"})
    [Level(subject='requests', limit=500.0, remaining=499.0, reset_s=None, resolution_s=1.0)]
    """
    for names in NAMES:
        if found := [level for row in names if (level := _level(headers, *row)) is not None]:
            return found
    return []


def _level(headers: Mapping[str, str], subject: str, limit: str, remaining: str, reset: str) -> Level | None:
    whole = headers.get(limit)
    if whole is None:
        return None
    try:
        told = Level(subject, float(whole), float(headers.get(remaining, whole)))
        again = headers.get(reset)
        return told if again is None else Level(subject, told.limit, told.remaining, *_reset(again))
    except ValueError:
        return None


def _reset(text: str) -> tuple[float, float]:
    """Seconds until the bucket is full, and their resolution."""
    if "T" in text:
        until = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return max(0.0, (until - datetime.now(UTC)).total_seconds()), SECOND
    return go_seconds(text), MILLISECOND


def go_seconds(text: str) -> float:
    """Seconds of a duration as Go prints it, or of a plain number.

    >>> go_seconds("1m30.5s"), go_seconds("12ms"), go_seconds("6m0s")
    (90.5, 0.012, 360.0)

    Raises:
        ValueError: it is neither.
    """
    parts = GO_PARTS.findall(text)
    return sum(float(n) * GO_UNITS[unit] for n, unit in parts) if parts else float(text)


class Refusal(NamedTuple):
    """What a 429 says besides how long to wait."""

    subject: str | None
    """Which limit: "requests" or "tokens"; None: calls at once, or it does not say."""
    per_day: bool = False
    limit: float | None = None
    """The limit itself, where the body names it."""


def refusal(error: CallError) -> Refusal:
    """Read a 429: Gemini's QuotaFailure where there is one, else the sentence that all the others write."""
    for violation in _violations(getattr(error.__cause__, "details", None)):
        named = f"{violation.get('quotaMetric', '')} {violation.get('quotaId', '')}".lower()
        value = str(violation.get("quotaValue", ""))
        return Refusal(_subject(named), "perday" in named, float(value) if value.isdigit() else None)
    said = str(error).lower()
    if "concurrent" in said:
        return Refusal(None)
    return Refusal(_subject(said), "per day" in said)


def is_about_the_key(error: CallError) -> bool:
    """Whether a refusal means the key: a 401, or Gemini's 400 with google.rpc.ErrorInfo API_KEY_INVALID."""
    return error.status == 401 or BAD_KEY in str(getattr(error.__cause__, "details", ""))


def headers_of(error: CallError) -> Mapping[str, str]:
    """Response headers of a refusal, as far as the SDK's exception keeps them."""
    return getattr(getattr(error.__cause__, "response", None), "headers", None) or {}


def _subject(words: str) -> str | None:
    return "tokens" if "token" in words else "requests" if "request" in words else None


def _violations(details: Any) -> Iterator[Mapping[str, Any]]:
    inner = details.get("error", details) if isinstance(details, dict) else {}
    for detail in inner.get("details") or () if isinstance(inner, dict) else ():
        yield from detail.get("violations") or ()
