"""What a model takes is known before a call is sent."""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit import LLMClient
from labkit.errors import UnsupportedParameter

pytestmark = pytest.mark.usefixtures("session")

REASONING = lk.model("openai", "reasoning")


def sent() -> dict[str, Any]:
    return lk.lab.last()["wire"]["request"]["body"]


def refused(client: LLMClient, **params: Any) -> UnsupportedParameter:
    with pytest.raises(UnsupportedParameter) as refusal:
        client.chat("Hi", **params)
    assert lk.lab.entries() == []
    return refusal.value


def test_the_refusal_names_model_parameter_and_one_that_takes_it() -> None:
    error = refused(LLMClient("openai", tier="reasoning"), temperature=0.7)
    assert (error.model, error.parameter) == (REASONING, "temperature")
    assert f"temperature=0.7 cannot be sent to {REASONING}" in str(error)
    assert error.instead is not None and error.instead in str(error)
    assert LLMClient(model=error.instead, temperature=0.7).chat("Hi").text


@pytest.mark.parametrize(
    ("provider", "tier", "params", "reason"),
    [
        ("openai", "small", {"temperature": 0.5}, "only while it does not reason"),
        ("openai", "sampling", {"temperature": 2.5}, "at most 2"),
        ("openai", "sampling", {"top_k": 5}, "no such parameter"),
        ("openai", "sampling", {"effort": "enormous"}, "knows none, low"),
        ("anthropic", "small", {"temperature": 0.5}, "refuses temperature"),
        ("anthropic", "small", {"seed": 7}, "no such parameter"),
        ("anthropic", "sampling", {"temperature": 1.5}, "at most 1"),
        ("anthropic", "sampling", {"temperature": 0.5, "top_p": 0.5}, "not both"),
        ("gemini", "large", {"top_p": 0.5}, "refuses top_p"),
        ("openai", "reasoning", {"tools": [len]}, None),
    ],
)
def test_every_rule_of_a_row(provider: str, tier: str, params: dict[str, Any], reason: str | None) -> None:
    if reason is None:
        params, reason = {"tools": [{"name": "f", "parameters": {"type": "object"}}]}, "Responses API only"
    assert reason in str(refused(LLMClient(provider, tier=tier), **params))


def test_dropping_leaves_a_note_and_sends_the_rest() -> None:
    answer = LLMClient("anthropic", drop_unsupported=True).chat("Hi", temperature=0.5, seed=7, stop="x")
    assert [note.split()[0] for note in answer.notes] == ["temperature", "seed"]
    assert sent().keys() & {"temperature", "seed"} == set() and sent()["stop_sequences"] == ["x"]


def test_effort_none_gives_sampling_back() -> None:
    assert LLMClient("openai").chat("Hi", temperature=0.5, effort="none").notes == ()
    assert (sent()["temperature"], sent()["reasoning_effort"]) == (0.5, "none")


def test_old_claude_samples_under_the_old_version() -> None:
    client = LLMClient("anthropic", tier="sampling")
    assert client.chat("Hi", temperature=0, top_k=3).text
    assert (sent()["temperature"], sent()["top_k"]) == (0, 3)
    assert lk.lab.last()["wire"]["request"]["headers"]["anthropic-version"] == "2023-06-01"


def test_what_has_no_effect_is_noted() -> None:
    assert "without any effect" in LLMClient("gemini").chat("Hi", temperature=0.5).notes[0]


def test_max_tokens_has_each_apis_own_name() -> None:
    LLMClient("openai", tier="reasoning").chat("Hi", max_tokens=900)
    assert sent()["max_completion_tokens"] == 900
    LLMClient("vllm").chat("Hi", max_tokens=900)
    assert sent()["max_tokens"] == 900
    LLMClient("gemini").chat("Hi", max_tokens=900)
    assert sent()["generationConfig"]["maxOutputTokens"] == 900


def test_a_model_nobody_knows_is_left_to_its_server() -> None:
    with pytest.raises(lk.errors.ProviderRefused) as refusal:
        LLMClient("openai", model="nobodys-model").chat("Hi", temperature=9.0)
    assert refusal.value.status in (400, 404)
