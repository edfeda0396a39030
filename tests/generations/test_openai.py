"""OpenAI's SDK from 1.109 to 3.x: what each release saw of the lab server, in an environment of its own."""

import pytest

from labkit import registry, tokens

FAMILY = "openai"
QUESTION = "What is an API?"
MODEL = registry.model("openai", "sampling")
pytestmark = [pytest.mark.generations, pytest.mark.timeout(400)]


def test_requests_came_from_that_release(seen):
    assert seen.version == seen.generation.version
    agents = {entry["user_agent"] for entry in seen.sent}
    assert agents == {f"{client}/Python {seen.version}" for client in ("OpenAI", "AsyncOpenAI", "AzureOpenAI")}
    assert all(entry["status"] < 500 for entry in seen.journal)


def test_usage_agrees_with_tiktoken(seen):
    used = seen["chat"]["usage"]
    assert used["prompt"] == tokens.count_messages([("user", QUESTION)])
    assert used["completion"] == tokens.count(seen["chat"]["text"]) == used["total"] - used["prompt"]
    assert seen["chat"]["request_id"] in [entry["request_id"] for entry in seen.journal]


def test_streams_hold_the_text_of_the_whole_answer(seen):
    whole = seen["chat"]
    for text in (seen["stream"]["text"], seen["stream_helper"]["text"], *seen["async_client"].values()):
        assert text == whole["text"]
    assert (seen["stream"]["finish"], seen["stream"]["usage"]) == (whole["finish"], whole["usage"]) and whole["text"]
    assert seen["stream"]["chunks"] > 10 and "content.delta" in seen["stream_helper"]["kinds"]


@pytest.mark.parametrize(
    ("refused", "name", "status", "code"),
    [
        ("key", "AuthenticationError", 401, "invalid_api_key"),
        ("model", "NotFoundError", 404, "model_not_found"),
        ("retired", "NotFoundError", 404, "model_not_found"),
        ("parameter", "BadRequestError", 400, "decimal_above_max_value"),
        ("file", "NotFoundError", 404, None),
    ],
)
def test_refusals_are_the_sdks_classes(seen, refused, name, status, code):
    error = seen["errors"][refused]
    assert (error["classes"][0], error["status"]) == (name, status)
    assert error["body"].keys() == {"message", "type", "param", "code"}
    assert code in (None, error["body"]["code"])


def test_rate_limit_is_refused_and_the_sdk_waits_as_told(seen):
    refused = seen["rate_limit"]["refused"]
    assert (refused["classes"][0], refused["body"]["code"]) == ("RateLimitError", "rate_limit_exceeded")
    assert seen["rate_limit"]["finish"] == "stop"
    tries = [(e["status"], e["retry"]) for e in seen.journal if e["model"] == registry.model("openai", "large")]
    assert tries == [(200, 0), (429, 0), (429, 0), (200, 1)]


def test_models(seen):
    assert {MODEL, registry.model("openai", "embedding")} <= set(seen["models"]["ids"])
    assert registry.model("openai", "retired") not in seen["models"]["ids"]
    assert seen["models"]["one"] == MODEL


def test_embeddings_come_the_same_as_base64_and_as_floats(seen):
    size = registry.find(registry.model("openai", "embedding")).dimensions
    assert seen["embeddings"]["lengths"] == [size, size] and seen["embeddings"]["same"]
    assert seen["embeddings"]["usage"] == tokens.count("rain") + tokens.count("snow and ice")


def test_tool_call_and_its_result(seen):
    tools = seen["tools"]
    assert (tools["finish"], tools["name"], tools["arguments"]) == ("tool_calls", "get_weather", {"city": "Paris"})
    assert "19" in tools["told"] and "cloudy" in tools["told"]
    assert seen["tools_streamed"] == {"name": "get_weather", "arguments": {"city": "Paris"}}


def test_parse_fills_a_pydantic_model(seen):
    assert seen["parse"] == {"name": "Dana Reyes", "age": 34}


def test_responses(seen):
    responses, whole = seen["responses"], seen["chat"]
    assert (responses["text"], responses["status"]) == (whole["text"], "completed")
    assert responses["usage"] == list(whole["usage"].values())
    history = [("user", QUESTION), ("assistant", whole["text"]), ("user", "And why?")]
    assert responses["followed_input"] == tokens.count_messages(history)
    streamed = seen["responses_streamed"]
    assert streamed == {"first": "response.created", "last": "response.completed", "text": whole["text"]}


def test_responses_are_kept_and_deleted(seen):
    assert seen["responses_kept"] == {"same": True, "asked": [QUESTION], "gone": "NotFoundError"}


def test_azure_answers_the_same(seen):
    assert set(seen["azure"].values()) == {seen["chat"]["text"]}


def test_moderations(seen):
    assert seen["moderations"] is False


def test_tokens_are_counted_by_the_releases_that_can(seen):
    able = not seen.version.startswith("1.")
    assert seen["count_tokens"] == (tokens.count_messages([("user", QUESTION)]) if able else None)


def test_batch_from_file_to_file(seen):
    batch = seen["batches"]
    assert batch["begun"] in ("validating", "in_progress")  # lab time goes on between two calls
    assert (batch["status"], batch["text"]) == ("completed", seen["chat"]["text"])
    assert batch["lasted"] and batch["listed"] and batch["deleted"]
