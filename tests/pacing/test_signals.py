from __future__ import annotations

from types import SimpleNamespace

import pytest

from labkit.errors import RateLimited
from labkit.pacing.signals import Refusal, levels, refusal

OPENAI = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "15000",
    "x-ratelimit-reset-tokens": "6m30.5s",
}
ANTHROPIC = {
    "anthropic-ratelimit-input-tokens-limit": "50000",
    "anthropic-ratelimit-input-tokens-remaining": "49000",
    "anthropic-ratelimit-input-tokens-reset": "2026-10-21T10:00:00Z",
}


def gemini(**violation: str) -> RateLimited:
    error = RateLimited("Resource has been exhausted")
    failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
    cause = ValueError()
    cause.details = {"error": {"code": 429, "details": [failure]}}  # type: ignore[attr-defined]
    error.__cause__ = cause
    return error


def test_both_limits_of_openai_are_read() -> None:
    requests, tokens = levels(OPENAI)
    assert (requests.limit, requests.remaining, requests.reset_s) == (500, 499, pytest.approx(0.12))
    assert (tokens.subject, tokens.reset_s) == ("tokens", 390.5)


def test_a_limit_of_anthropic_in_the_past_is_full_now() -> None:
    assert levels(ANTHROPIC)[0][:4] == ("input-tokens", 50_000, 49_000, 0.0)


@pytest.mark.parametrize("headers", [{}, {"x-ratelimit-limit-requests": "many"}, {"retry-after": "3"}])
def test_headers_that_say_nothing_are_no_limit(headers: dict[str, str]) -> None:
    assert levels(headers) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RateLimited("Rate limit reached on tokens per minute: Limit 100"), Refusal("tokens")),
        (RateLimited("Rate limit reached on requests per day: Limit 100"), Refusal("requests", per_day=True)),
        (RateLimited("Too many concurrent requests: Limit 4"), Refusal(None)),
        (RateLimited("Slow down."), Refusal(None)),
        (
            gemini(quotaMetric="generate_content_free_tier_requests", quotaId="PerMinute", quotaValue="5"),
            Refusal("requests", limit=5.0),
        ),
        (
            gemini(quotaMetric="generate_content_input_token_count", quotaId="PerDayPerModel"),
            Refusal("tokens", per_day=True),
        ),
    ],
)
def test_a_refusal_says_which_limit(error: RateLimited, told: Refusal) -> None:
    assert refusal(error) == told


def test_a_body_of_another_shape_is_no_trouble() -> None:
    error = RateLimited("Requests")
    error.__cause__ = Exception()
    error.__cause__.__dict__.update(vars(SimpleNamespace(details=["?"])))
    assert refusal(error) == Refusal("requests")
