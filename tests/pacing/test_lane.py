"""The accounting of one key and model, by a clock of the test's own."""

from __future__ import annotations

from math import inf

import pytest

from labkit.errors import CallTimeout, RateLimited
from labkit.pacing.buckets import Bucket
from labkit.pacing.lane import NOTHING, Lane
from labkit.pacing.load import Estimator, Load, Size
from labkit.pacing.window import FIRST, Window
from labkit.usage import Usage

CALL = Load(1, 100, 20)


def lane(*buckets: Bucket) -> Lane:
    return Lane(list(buckets), minute=60.0, ceiling=None)


def headers(remaining: int, limit: int = 500) -> dict[str, str]:
    return {"x-ratelimit-limit-requests": str(limit), "x-ratelimit-remaining-requests": str(remaining)}


def test_while_no_limit_is_known_the_first_call_goes_alone() -> None:
    way = lane()
    way.take(CALL, 0.0)
    assert way.delay(CALL, 0.0) == inf
    way.heard(headers(499), CALL, NOTHING, 0.0, 0.1)
    assert way.delay(CALL, 0.1) == 0.0 and int(way.window.size) == FIRST


def test_what_a_header_may_not_have_counted_is_taken_off() -> None:
    way = lane(Bucket("tokens", 1e6, 60.0, now=0.0))
    for _ in range(4):
        way.take(CALL, 0.0)
    way.heard(headers(100), CALL, NOTHING, 0.0, 0.0)
    assert way.learnt["requests"].level == 100 - 3


def test_tokens_are_corrected_by_what_was_used() -> None:
    tokens = Bucket("tokens", 1000, 60.0, now=0.0)
    way = lane(tokens)
    way.take(CALL, 0.0)
    assert tokens.level == 880
    way.settle(CALL, Load(1, 90, 200))
    assert tokens.level == 710 and way.window.in_flight == 0


def test_what_was_never_sent_leaves_no_trace() -> None:
    tokens = Bucket("tokens", 1000, 60.0, now=0.0)
    way = lane(tokens)
    way.take(CALL, 0.0)
    way.give_back(CALL)
    assert (tokens.level, way.window.in_flight, way.closed) == (1000, 0, NOTHING)


def test_retry_after_holds_everybody_back() -> None:
    way = lane(Bucket("requests", 500, 60.0, now=0.0))
    way.take(CALL, 0.0)
    way.answered(1.0)
    way.failed(RateLimited("Too many requests per minute", retry_after=7.0), CALL, NOTHING, 0.0, 1.0)
    assert way.delay(CALL, 1.0) == pytest.approx(7.0, abs=0.3)
    assert way.delay(CALL, 8.3) == 0.0


def test_without_headers_a_limit_is_learnt_from_the_first_refusal() -> None:
    way = lane()
    way.window = Window(None, known=True)
    for _ in range(120):  # 60 a minute, used up in a minute
        way.take(CALL, 0.0)
        way.settle(CALL, CALL)
    way.take(CALL, 60.0)
    way.failed(RateLimited("Quota of requests", retry_after=1.0), CALL, NOTHING, 60.0, 60.0)
    assert way.learnt["requests"].capacity == pytest.approx(60)


def test_trouble_halves_the_calls_at_once_but_once_for_what_was_sent_together() -> None:
    window = Window(64, known=True)
    for sent_at in (0.0, 0.1, 0.2):
        window.trouble(sent_at, 1.0)
    assert window.size == FIRST / 2
    window.trouble(2.0, 3.0)
    assert window.size == FIRST / 4


def test_the_window_grows_only_while_it_is_in_the_way() -> None:
    window = Window(64, known=True)
    window.in_flight = 2
    window.succeeded()
    assert window.size == FIRST
    window.in_flight = FIRST
    window.succeeded()
    assert window.size == FIRST + 1


def test_a_timeout_is_trouble_and_no_limit() -> None:
    way = lane(Bucket("requests", 500, 60.0, now=0.0))
    way.take(CALL, 0.0)
    way.failed(CallTimeout("nothing came"), CALL, NOTHING, 0.0, 1.0)
    assert way.window.size == FIRST / 2 and way.delay(CALL, 1.0) == 0.0


def test_a_changed_clock_changes_every_window() -> None:
    bucket = Bucket("requests", 500, 60.0, now=0.0)
    lane(bucket).tune(6.0)
    assert bucket.window == 6.0


def test_estimates_follow_what_comes_back() -> None:
    estimator, size = Estimator("openai", live=False), Size(characters=4000, most_output=4096)
    assert estimator.expected(size).output == 500
    for _ in range(60):
        estimator.counted(size, Usage(input=700, output=30))
    assert estimator.expected(size) == pytest.approx((1, 700, 30), rel=0.01)


def test_what_a_provider_does_not_count_is_not_counted() -> None:
    size, used = Size(400, 4096), Usage(input=10, cached=90, output=5)
    assert Estimator("anthropic", live=True).counted(size, used) == (1, 10, 5)
    assert Estimator("gemini", live=True).counted(size, used) == (1, 100, 5)
    assert Estimator("openai", live=True).counted(size, used) == (1, 100, 4096)
