"""What a batch is built from, and what is said before anything is uploaded."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit import LLMClient
from labkit.batching import InvalidBatch, wire
from labkit.batching.lines import BatchLine, as_row, check_size, from_row
from labkit.chat import Message, ToolCall
from labkit.errors import UserError

pytestmark = pytest.mark.usefixtures("session")

CLIENTS = {"openai": "sampling", "anthropic": "sampling", "gemini": "sampling"}


def lines_of(requests: Any, provider: str = "openai", **params: Any) -> list[BatchLine]:
    return LLMClient(provider, tier=CLIENTS[provider]).batch(requests, **params)._lines


def problems(requests: Any, provider: str = "openai", **params: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidBatch) as refused:
        lines_of(requests, provider, **params)
    assert lk.lab.entries() == []
    return refused.value.problems


def test_texts_get_ids_in_order() -> None:
    lines = lines_of(["a", "b"], max_tokens=9)
    assert [line.id for line in lines] == ["line-1", "line-2"]
    assert [line.request.messages for line in lines] == [(Message("user", "a"),), (Message("user", "b"),)]
    assert {line.request.max_tokens for line in lines} == {9}


def test_a_row_has_an_id_and_parameters_of_its_own() -> None:
    turns = [("system", "Be brief."), ("user", "Hi")]
    first, second = lines_of([{"id": 7, "prompt": "Hi", "temperature": 1}, {"messages": turns}], temperature=0)
    assert (first.id, first.request.temperature, second.request.temperature) == ("7", 1, 0)
    assert [m.role for m in second.request.messages] == ["system", "user"]


def test_conversations_and_messages_are_rows_too() -> None:
    turns = [("user", "a"), ("assistant", "b"), ("user", "c")]
    lines = lines_of([turns, Message("user", "d"), {"role": "user", "content": "e"}])
    assert [len(line.request.messages) for line in lines] == [3, 1, 1]


def test_a_dataframe_is_rows_and_an_empty_cell_is_a_missing_one() -> None:
    frame = pd.DataFrame({"id": ["x", "y"], "prompt": ["a", "b"], "max_tokens": [5, None]})
    lines = lines_of(frame.astype({"max_tokens": "Int64"}), max_tokens=100)
    assert [(line.id, line.request.max_tokens) for line in lines] == [("x", 5), ("y", 100)]


def test_a_column_of_something_else_is_said_once() -> None:
    frame = pd.DataFrame({"id": ["x", "y"], "prompt": ["a", "b"], "stars": [1, 2]})
    assert problems(frame) == (
        "the table has columns that are no parameters, 'stars': pass df[['id', 'prompt']].",
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "a", "prompt": "x"}, {"id": "a", "prompt": "y"}], "line 2 (id 'a'): this id stands on an earlier"),
        (["x", {"prompt": "y", "temprature": 1}], "did you mean 'temperature'"),
        ([{"id": "a", "prompt": "x", "top_k": 3}], "line 1 (id 'a'): top_k=3 cannot be sent"),
        (["x", {"prompt": "y", "messages": "z"}], "line 2: give either 'prompt' or 'messages'"),
        ([{"id": "a"}], "give either 'prompt' or 'messages'"),
        (["x", []], "line 2 (id 'line-2'): There is no message"),
        ([{"prompt": "x", "model": "another"}], "it is for another, and all lines go to the client's model"),
        ([{"prompt": "x", "schema": {}}], "'schema' holds for a whole batch"),
        ([], "there are no requests"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_uploaded(rows: Any, said: str) -> None:
    (problem,) = problems(rows)
    assert said in problem


def test_all_problems_are_collected() -> None:
    found = problems([{"prompt": "x", "top_k": 1}] * 9)
    assert len(found) == 9 and [p.split(" (")[0] for p in found[:2]] == ["line 1", "line 2"]


def test_a_single_request_is_no_batch() -> None:
    with pytest.raises(UserError, match=r"put it into \[\.\.\.\]"):
        lines_of("What is an API?")


def test_ids_are_held_against_the_providers_pattern() -> None:
    row = {"id": "review 17", "prompt": "x"}
    assert lines_of([row], "openai")[0].id == "review 17"
    assert "anthropic takes ids that match" in problems([row], "anthropic")[0]


def test_too_many_lines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.batching.openai.OpenAIBatches.most_lines", 2)
    assert problems(["a", "b", "c"]) == ("3 requests, and openai takes at most 2 in a batch.",)


def test_too_many_bytes_are_refused_and_the_line_is_named() -> None:
    api, lines = wire.api_of("openai"), lines_of(["a", "b" * 500, "c"])
    api.most_bytes = 600
    with pytest.raises(InvalidBatch, match=r"line 2 \(id 'line-2'\)"):
        check_size([api.pack(line) for line in lines], lines, api)


@pytest.mark.parametrize("provider", ["azure", "bedrock", "vllm", "litellm"])
def test_a_provider_without_batches_says_who_has_them(provider: str) -> None:
    with pytest.raises(UserError, match="has no batches here: openai, anthropic, gemini have"):
        LLMClient(provider).batch(["Hi"])


@pytest.mark.parametrize("provider", CLIENTS)
def test_a_line_comes_back_from_its_file_as_it_was(provider: str) -> None:
    def lookup(city: str) -> str:
        """The weather"""
        return city

    call = Message("assistant", "", (ToolCall("c1", "lookup", {"city": "Paris"}),))
    turns = [Message("user", "Hi"), call, Message("tool", "22", tool_call_id="c1", name="lookup")]
    (line,) = lines_of([{"messages": turns, "stop": ["x"]}], provider, tools=[lookup], system="Be brief.")
    back = from_row(json.loads(json.dumps(as_row(line))))
    assert back == line
    assert wire.api_of(provider).pack(back) == wire.api_of(provider).pack(line)
