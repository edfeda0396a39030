"""Functions as tools: their schemas, the loop with three providers, and tools that fail."""

from __future__ import annotations

from typing import Literal

import pytest

import labkit as lk
from labkit import LLMClient
from labkit.chat import ToolCall, ToolSpec
from labkit.errors import UserError
from labkit.flow import run
from labkit.rounds import ToolsUnfinished
from labkit.tools import ran, spec

PROVIDERS = ("openai", "anthropic", "gemini", "bedrock")
QUESTION = "What is the weather in Paris?"


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Today's weather.

    Args:
        city: its English name,
            in one word.
        unit: Celsius or Fahrenheit.

    Returns:
        A sentence.
    """
    return f"18 degrees {unit} in {city}"


def test_the_schema_is_the_signature_and_the_docstring() -> None:
    told = spec(weather)
    assert (told.name, told.description) == ("weather", "Today's weather.")
    city, unit = told.parameters["properties"]["city"], told.parameters["properties"]["unit"]
    assert city == {"type": "string", "description": "its English name, in one word."}
    assert unit["enum"] == ["C", "F"] and told.parameters["required"] == ["city"]
    assert told.parameters["additionalProperties"] is False


def test_descriptions_pass_as_they_are() -> None:
    given = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert spec(given) == spec(ToolSpec("f", "d", {"type": "object"}))


def test_what_cannot_be_a_tool_says_why() -> None:
    def untyped(x): ...  # type: ignore[no-untyped-def]

    def starred(*x: int) -> None: ...

    for broken, why in ((untyped, "has no type"), (starred, "no name"), (3, "no tool")):
        with pytest.raises(UserError, match=why):
            spec(broken)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "failed", "text"),
    [
        ({"city": "Paris"}, False, "18 degrees C in Paris"),
        ({"city": "Paris", "unit": "K"}, True, "unit: Input should be 'C' or 'F'"),
        ({"town": "Paris"}, True, "town: Extra inputs are not permitted"),
        ({}, True, "city: Field required"),
    ],
)
def test_arguments_are_checked_before_the_function_runs(arguments: dict[str, str], failed: bool, text: str) -> None:
    result = run(ran(weather, ToolCall("c1", "weather", arguments)))
    assert (result.failed, result.tool_call_id, result.name) == (failed, "c1", "weather")
    assert text in result.text


def test_whatever_goes_wrong_becomes_the_result() -> None:
    def broken(city: str) -> str:
        raise RuntimeError("no network")

    assert run(ran(broken, ToolCall("c", "broken", {"city": "x"}))).text == "RuntimeError: no network"
    assert "no tool 'other'" in run(ran(None, ToolCall("c", "other", {}))).text
    assert "not JSON" in run(ran(weather, ToolCall.from_json("c", "weather", '{"city": '))).text


def test_results_that_are_no_text_are_sent_as_json() -> None:
    def sizes(n: int) -> dict[str, list[int]]:
        return {"sizes": [n]}

    assert run(ran(sizes, ToolCall("c", "sizes", {"n": 3}))).text == '{"sizes": [3]}'


# --- With a model ---


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_model_asks_and_finish_reasons_agree(provider: str) -> None:
    client = LLMClient(provider)
    whole, stream = client.chat(QUESTION, tools=[weather]), client.stream(QUESTION, tools=[weather])
    stream.read()
    for answer in (whole, stream.response):
        assert answer.finish_reason == "tool_calls"
        assert [(c.name, c.arguments["city"]) for c in answer.tool_calls] == [("weather", "Paris")]
        assert answer.tool_calls[0].id and "weather(city='Paris'" in repr(answer)


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_loop_ends_with_an_answer_from_the_result(provider: str) -> None:
    answer = LLMClient(provider).run_tools(QUESTION, [weather])
    assert answer.finish_reason == "stop" and "18 degrees" in answer.text
    assert [m.role for m in answer.transcript] == ["user", "assistant", "tool", "assistant"]
    booked = lk.lab.journal()
    assert answer.usage.total == booked["total"].sum() and answer.cost_usd == pytest.approx(booked["cost_usd"].sum())


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_loop_with_await_and_an_asynchronous_tool(provider: str) -> None:
    async def weather(city: str) -> str:
        """Today's weather in a city."""
        return f"18 degrees in {city}"

    assert "18 degrees" in (await LLMClient(provider).arun_tools(QUESTION, [weather])).text


@pytest.mark.usefixtures("session")
def test_an_asynchronous_tool_without_await_says_what_to_do() -> None:
    async def weather(city: str) -> str:
        """Today's weather in a city."""
        return ""

    with pytest.raises(UserError, match="await client.arun_tools"):
        LLMClient("openai").run_tools(QUESTION, [weather])


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_tool_that_fails_is_answered_too(provider: str) -> None:
    def weather(city: str) -> str:
        """Today's weather in a city."""
        raise RuntimeError("no network")

    answer = LLMClient(provider).run_tools(QUESTION, [weather])
    assert answer.finish_reason == "stop" and answer.transcript[2].failed


@pytest.mark.usefixtures("session")
def test_rounds_have_an_end_and_the_transcript_is_kept() -> None:
    with pytest.raises(ToolsUnfinished) as unfinished:
        LLMClient("openai").run_tools(QUESTION, [weather], max_rounds=1)
    assert unfinished.value.response and unfinished.value.response.tool_calls
    assert unfinished.value.transcript[-1].role == "tool"


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_transcript_of_one_provider_continues_with_another(provider: str) -> None:
    first = LLMClient("openai").run_tools(QUESTION, [weather])
    answer = LLMClient(provider).chat([*first.transcript, ("user", "Thank you.")])
    assert answer.finish_reason == "stop"


@pytest.mark.usefixtures("session")
def test_a_tool_can_be_demanded_or_forbidden() -> None:
    client = LLMClient("gemini")
    assert client.chat("Hi", tools=[weather], tool_choice="required").tool_calls
    assert not client.chat(QUESTION, tools=[weather], tool_choice="none").tool_calls


def test_a_forced_call_is_forced_once(session: object) -> None:
    answer = LLMClient("openai", tier="sampling").run_tools(QUESTION, [weather], tool_choice="required")
    assert "18" in answer.text and [turn.role for turn in answer.transcript].count("tool") == 1
