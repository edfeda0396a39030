"""The gauge: bars that follow the server's buckets, and a watch that ends by itself."""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit.display import WIDGET
from labkit.errors import ServerError
from labkit.widgets import limits_gauge
from labkit.widgets.gauge import Level, bars_html

JOIN_SECONDS = 20.0


@pytest.fixture
def limited(session: Any) -> str:
    """Five requests a minute that do not refill while a test runs, one of them used; the model."""
    lk.lab.limits(requests_per_minute=5, tokens_per_minute=2_000)
    lk.lab.clock(minute=60_000)
    client = lk.LLMClient("openai", tier="sampling")
    client.chat("Say hello.", max_tokens=20)
    return client.model


def test_bars_say_what_is_left(limited: str) -> None:
    gauge = limits_gauge()
    assert [(level.model, level.name, level.left) for level in gauge.levels][0] == (limited, "requests a minute", 4)
    assert "4 of 5 requests a minute left" in gauge.bars.value


def test_refresh_follows_the_calls(limited: str) -> None:
    gauge = limits_gauge(limited)
    lk.LLMClient("openai", tier="sampling").chat("Say hello.", max_tokens=20)
    gauge.update.click()
    assert gauge.levels[0].left == 3


def test_watch_follows_the_calls_and_ends_by_itself(limited: str) -> None:
    gauge = limits_gauge(limited)
    lk.LLMClient("openai", tier="sampling").chat("Say hello.", max_tokens=20)
    gauge.watch(seconds=0.03, every=0.01).join(JOIN_SECONDS)
    assert gauge.levels[0].left == 3
    assert gauge.watched.value is False


def test_watch_is_ended_by_the_button_and_by_closing(limited: str) -> None:
    gauge = limits_gauge(limited, watch=True)
    first = gauge.thread
    gauge.watched.value = False
    gauge.watched.value = True
    second = gauge.thread
    gauge.close()
    for thread in (first, second):
        assert thread is not None
        thread.join(JOIN_SECONDS)
        assert not thread.is_alive()


def test_lost_server_is_said_and_ends_the_watch(limited: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = limits_gauge(limited)

    def gone(*models: str) -> Any:
        raise ServerError("The lab server does not answer: run `lk.start()` again.")

    monkeypatch.setattr(lk.lab, "levels", gone)
    gauge.watch(every=0.01).join(JOIN_SECONDS)
    assert "does not answer" in gauge.bars.value


def test_before_any_call_everything_is_full(session: Any) -> None:
    assert "All limits are full" in limits_gauge().bars.value


def test_low_bar_differs_in_more_than_colour() -> None:
    low, high = (bars_html([Level("m", "requests a minute", 100, left, None)]) for left in (10, 90))
    assert ("⚠" in low, "gradient" in low) == (True, True)
    assert ("⚠" in high, "gradient" in high) == (False, False)


def test_saved_page_has_the_bars_and_the_words(limited: str) -> None:
    bundle = limits_gauge()._repr_mimebundle_()
    assert WIDGET in bundle
    assert 'role="meter"' in bundle["text/html"]
    assert f"{limited}: 4 of 5 requests a minute left" in bundle["text/plain"]


def test_headers_of_a_response_are_shown_as_they_came(limited: str) -> None:
    response = lk.LLMClient("anthropic", tier="sampling").chat("Say hello.", max_tokens=20)
    gauge = limits_gauge(response)
    left = int(response.headers["anthropic-ratelimit-requests-remaining"])
    assert f"{left} of 5 requests a minute left" in str(gauge)
    assert len(gauge.children) == 1  # nothing to refresh: what a header said stays


def test_answer_without_such_headers_says_so(session: Any) -> None:
    response = lk.LLMClient("gemini", tier="sampling").chat("Say hello.", max_tokens=20)
    assert "say nothing of limits" in limits_gauge(response).bars.value


def test_unknown_model_is_refused_by_name(session: Any) -> None:
    with pytest.raises(lk.registry.UnknownModel, match="no-such"):
        limits_gauge("no-such")
