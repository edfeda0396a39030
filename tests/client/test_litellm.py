"""LiteLLM as one more provider behind the same client."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit import LLMClient
from labkit.errors import RateLimited

pytestmark = [
    pytest.mark.usefixtures("session"),
    pytest.mark.filterwarnings("ignore"),  # its imports and its own loggers warn, each release of something else
]

MODELS = [f"{provider}/{lk.model(provider)}" for provider in ("openai", "anthropic", "gemini")]


@pytest.mark.parametrize("model", MODELS)
def test_the_same_answer_the_same_figures(model: str) -> None:
    client = LLMClient("litellm", model=model)
    stream = client.stream("What is an API?")
    "".join(stream)
    for answer, entry in zip((stream.response, client.chat("What is an API?")), lk.lab.entries(), strict=True):
        assert answer.finish_reason == "stop" and answer.text
        assert answer.usage.total == entry["usage"]["total"]
        assert answer.cost_usd == pytest.approx(entry["cost_usd"])


@pytest.mark.parametrize("model", MODELS)
def test_its_errors_are_ours(model: str) -> None:
    lk.lab.faults("rate_limit", next=1)
    with pytest.raises(RateLimited) as refused:
        LLMClient(f"litellm/{model}", retry=1).chat("Hi")
    assert refused.value.status == 429 and refused.value.__cause__ is not None
    assert len(lk.lab.entries()) == 1


def test_a_live_model_is_known_by_its_own_providers_name() -> None:
    client = LLMClient("litellm")
    assert client.adapter.origin(client.model) == ("openai", lk.model("openai"))
    assert LLMClient("litellm", model=MODELS[1]).estimate("Hi") > 0
