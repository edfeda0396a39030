"""Every fault of the lab server x provider x chat and stream x with and without await: what comes of it, and its cost.

The outcome is the right answer or the documented error; what the response says was used is what the server booked; what
had arrived is kept.
"""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit import LLMClient
from labkit import errors as e
from labkit.chat import ChatResponse
from labkit.usage import Usage

pytestmark = pytest.mark.usefixtures("session")

QUESTION = "Explain recursion in three sentences."
PROVIDERS = ("openai", "anthropic", "gemini", "bedrock")
REFUSALS = {
    "context_exceeded": e.ProviderRefused,
    "unauthorized": e.ProviderRefused,
    "forbidden": e.ProviderRefused,
    "timeout": e.Overloaded,
    "rate_limit": e.RateLimited,
    "quota": e.QuotaExceeded,
    "server_error": e.Overloaded,
    "bad_gateway": e.Overloaded,
    "unavailable": e.Overloaded,
    "gateway_timeout": e.Overloaded,
    "overloaded": e.Overloaded,
    "reset": e.ConnectionFailed,
}
"""Nothing arrives, of a chat or of a stream."""
BODIES = {"reset_inside": e.ConnectionFailed, "truncated_json": e.MalformedAnswer}
"""What breaks a whole body."""
BREAKS = {
    "reset_inside": e.ConnectionFailed,
    "cut": e.IncompleteStream,
    "malformed_event": e.MalformedAnswer,
    "error_event": e.Overloaded,
}
"""What breaks a stream in its middle."""
HARMLESS = {
    "chat": ("slow_first_token", "stall", "cut", "malformed_event", "error_event"),
    "stream": ("slow_first_token", "stall"),
}


async def ask(provider: str, how: str, **options: Any) -> ChatResponse:
    client = LLMClient(provider, **({"retry": 1} | options))
    if how == "chat":
        return client.chat(QUESTION)
    if how == "achat":
        return await client.achat(QUESTION)
    return client.stream(QUESTION).read() if how == "stream" else await client.astream(QUESTION).read()


def booked() -> tuple[Usage, float]:
    seen = lk.lab.last()
    return Usage(**{name: seen["usage"][name] for name in Usage.__dataclass_fields__}), seen["cost_usd"]


@pytest.mark.parametrize("how", ["chat", "stream", "achat", "astream"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_refusal_is_the_documented_error(kind: str, provider: str, how: str) -> None:
    lk.lab.faults(kind, next=1)
    with pytest.raises(REFUSALS[kind]) as refusal:
        await ask(provider, how)
    error = refusal.value
    assert type(error) is REFUSALS[kind] and error.__cause__ is not None and error.response is None
    assert (error.status, error.provider) == (lk.lab.last()["status"] or None, provider)
    row = lk.ledger.entries()[-1]
    assert (row["status"], row["cost_usd"], row["output"]) == (type(error).__name__, 0.0, 0)


@pytest.mark.parametrize("how", ["chat", "achat"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", BODIES)
async def test_a_body_that_breaks_is_an_error_of_transport(kind: str, provider: str, how: str) -> None:
    lk.lab.faults(kind, next=1)
    with pytest.raises(BODIES[kind]) as broken:
        await ask(provider, how)
    assert isinstance(broken.value, e.TransportError) and broken.value.__cause__ is not None


@pytest.mark.parametrize("how", ["stream", "astream"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", BREAKS)
async def test_a_stream_that_breaks_keeps_what_had_arrived(kind: str, provider: str, how: str) -> None:
    lk.lab.faults(kind, next=1, after=6)
    with pytest.raises(BREAKS[kind]) as broken:
        await ask(provider, how)
    part = broken.value.response
    assert part is not None and part.text and part.finish_reason is None
    assert part.usage_estimated and "INCOMPLETE" in repr(part)
    assert part.usage.prompt == booked()[0].prompt
    assert 0 < part.usage.output <= booked()[0].output
    assert lk.ledger.entries()[-1]["output"] == part.usage.output


OUTCOMES = [(prefix + how, kind) for how in HARMLESS for kind in HARMLESS[how] for prefix in ("", "a")]


@pytest.mark.parametrize(("how", "kind"), OUTCOMES)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_does_no_harm_ends_in_the_right_answer(kind: str, provider: str, how: str) -> None:
    lk.lab.faults(kind, next=1, seconds=30)
    answer = await ask(provider, how)
    assert answer.finish_reason == "stop" and not answer.usage_estimated
    assert (answer.usage, pytest.approx(answer.cost_usd)) == booked()


ENDINGS = [(kind, provider) for kind in ("content_filter", "refusal") for provider in PROVIDERS]


@pytest.mark.parametrize("how", ["chat", "stream", "achat", "astream"])
@pytest.mark.parametrize(("kind", "provider"), ENDINGS)
async def test_a_refused_answer_says_so_in_one_word(kind: str, provider: str, how: str) -> None:
    if (kind, provider) == ("refusal", "openai"):
        how = how.replace("stream", "chat")  # the lab server streams OpenAI's refusals as content
    lk.lab.faults(kind, next=1, after=4)
    answer = await ask(provider, how)
    assert answer.finish_reason == "content_filter" and answer.provider_finish_reason
    assert (answer.usage, pytest.approx(answer.cost_usd)) == booked()


@pytest.mark.parametrize("how", ["stream", "astream"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_trouble_before_the_first_piece_is_repeated(provider: str, how: str) -> None:
    lk.lab.faults("overloaded", next=1)
    answer = await ask(provider, how, retry=2)
    assert (answer.retries, answer.finish_reason, answer.usage) == (1, "stop", booked()[0])


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_trouble_after_the_first_piece_is_not(provider: str) -> None:
    lk.lab.faults("error_event", next=1, after=6)
    with pytest.raises(e.Overloaded):
        await ask(provider, "stream", retry=3)
    assert len(lk.lab.entries()) == 1
