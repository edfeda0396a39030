"""instructor: Pydantic models filled by real tool calls, for each provider's SDK."""

import pytest

FAMILY = "instructor"
DANA = {"name": "Dana Reyes", "age": 34}
pytestmark = [pytest.mark.generations, pytest.mark.timeout(400)]


@pytest.mark.parametrize(
    ("client", "answer"),
    [
        ("openai", "ChatCompletion"),
        ("openai_schema", "ChatCompletion"),
        ("anthropic", "Message"),
        ("google", "GenerateContentResponse"),
    ],
)
def test_a_model_is_filled_from_the_prompt(seen, client, answer):
    assert seen[client] == {"person": DANA, "answer": answer}


def test_json_mode_with_the_schema_in_the_prompt(seen):
    assert seen["openai_json"]["person"] == DANA


def test_async_client_fills_it_too(seen):
    assert seen["async_client"] == DANA


def test_a_model_in_pieces(seen):
    pieces = seen["in_pieces"]
    assert pieces["first"] == {"name": None, "age": None} and pieces["last"] == DANA and pieces["pieces"] > 3


def test_several_models_from_one_prompt(seen):
    assert seen["several"] == [DANA, {"name": "Omar Haddad", "age": 51}]


def test_tools_were_used_and_nothing_was_retried(seen):
    calls = [entry for entry in seen.journal if entry["finish_reasons"] == ["tool_calls"]]
    assert seen.version == seen.generation.version and len(calls) >= 4
    assert {entry["status"] for entry in seen.journal} == {200} and not any(e["retry"] for e in seen.journal)
