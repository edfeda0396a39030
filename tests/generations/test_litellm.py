"""LiteLLM, as the course installs it, against three protocols with the variables that `labkit.start()` sets."""

import json

import pytest

from labkit import prices, registry, tokens
from labkit.usage import Usage

FAMILY = "litellm"
QUESTION = [("user", "What is an API?")]
PROVIDERS = ["openai", "anthropic", "gemini"]
pytestmark = [pytest.mark.generations, pytest.mark.timeout(400)]


def name(provider):
    return registry.model(provider, "sampling")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_completion_has_text_and_usage(seen, provider):
    answer = seen["completion"][provider]
    assert answer["usage"] == [tokens.count_messages(QUESTION), tokens.count(answer["text"])]
    assert answer["finish"] == "stop" and len(answer["text"]) > 20


@pytest.mark.parametrize("provider", PROVIDERS)
def test_cost_is_that_of_the_kits_own_ledger(seen, provider):
    asked, said = seen["completion"][provider]["usage"]
    expected = prices.cost(name(provider), Usage(input=asked, output=said))
    assert seen["completion"][provider]["cost"] == pytest.approx(expected)
    booked = next(entry for entry in seen.journal if entry["model"] == name(provider))
    assert booked["cost_usd"] == pytest.approx(expected)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_streams_hold_the_text_of_the_whole_answer(seen, provider):
    whole = seen["completion"][provider]
    assert seen["stream"][provider] == {"text": whole["text"], "usage": whole["usage"]}
    assert seen["async_stream"][provider] == whole["text"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_tool_call(seen, provider):
    called, arguments = seen["tools"][provider]
    assert (called, json.loads(arguments)) == ("get_weather", {"city": "Paris"})


def test_azure_and_bedrock(seen):
    assert seen["clouds"] == {"azure": "stop", "bedrock": "stop"}
    assert {"azure", "bedrock"} <= {entry["provider"] for entry in seen.journal}


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_embedding(seen, provider):
    assert seen["embedding"][provider] == [registry.find(registry.model(provider, "embedding")).dimensions]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_refusals_become_litellms_classes(seen, provider):
    errors = seen["errors"][provider]
    assert (errors["model"]["classes"][0], errors["model"]["status"]) == ("NotFoundError", 404)
    assert (errors["key"]["classes"][0], errors["key"]["status"]) == ("AuthenticationError", 401)
    limited = seen["rate_limit"][provider]
    assert (limited["classes"][0], limited["status"]) == ("RateLimitError", 429)


def test_nothing_failed_on_our_side(seen):
    assert {entry["provider"] for entry in seen.journal} >= set(PROVIDERS)
    assert all(entry["status"] < 500 for entry in seen.journal)
