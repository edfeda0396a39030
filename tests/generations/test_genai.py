"""Google's SDK from 1.75 to 3.x: what each release saw, under the path prefix that it calls."""

import pytest

from labkit import registry, tokens

FAMILY = "genai"
QUESTION = [("user", "What is an API?")]
MODEL = registry.model("gemini", "sampling")
pytestmark = [pytest.mark.generations, pytest.mark.timeout(400)]


def test_requests_came_from_that_release_on_its_own_path(seen):
    assert seen.version == seen.generation.version
    called = [entry for entry in seen.sent if not entry["path"].startswith("/upload/")]
    prefix = "/v1/" if seen.version.startswith("3.") else "/v1beta/"
    assert {entry["path"].startswith(prefix) for entry in called} == {True}
    assert f"google-genai-sdk/{seen.version}" in called[0]["user_agent"]
    assert all(entry["status"] < 500 for entry in seen.journal)


def test_usage(seen):
    answer = seen["generate"]
    asked, said = tokens.count_messages(QUESTION), tokens.count(answer["text"])
    assert answer["usage"] == [asked, said, asked + said] and seen["count_tokens"] == asked
    assert (answer["finish"], answer["model"]) == ("STOP", MODEL) and answer["id"]


def test_streams_hold_the_text_of_the_whole_answer(seen):
    whole, stream = seen["generate"], seen["stream"]
    assert (stream["text"], stream["finish"], stream["output_tokens"]) == (whole["text"], "STOP", whole["usage"][1])
    assert stream["chunks"] > 3
    assert set(seen["async_client"].values()) == {whole["text"]}


def test_chat_session_keeps_its_history(seen):
    assert "Dana" in seen["chat"]["text"] and seen["chat"]["turns"] == 4


@pytest.mark.parametrize(
    ("refused", "status", "word"),
    [
        ("key", 400, "API key not valid"),
        ("model", 404, "NOT_FOUND"),
        ("retired", 404, "NOT_FOUND"),
        ("parameter", 400, "INVALID_ARGUMENT"),
        ("file", 403, "PERMISSION_DENIED"),
    ],
)
def test_refusals_are_client_errors(seen, refused, status, word):
    error = seen["errors"][refused]
    assert (error["classes"][:2], error["status"]) == (["ClientError", "APIError"], status)
    assert word in error["message"]


def test_rate_limit_is_refused_and_gets_through_with_retries(seen):
    refused = seen["rate_limit"]["refused"]
    assert (refused["status"], seen["rate_limit"]["finish"]) == (429, "STOP")
    assert "RESOURCE_EXHAUSTED" in refused["message"] and "retryDelay" in refused["message"]
    statuses = [entry["status"] for entry in seen.journal if entry["model"] == registry.model("gemini", "large")]
    assert statuses[:3] == [200, 429, 429] and statuses[-1] == 200 and set(statuses[3:-1]) <= {429}


def test_models(seen):
    assert f"models/{MODEL}" in seen["models"]["ids"] and seen["models"]["one"] == f"models/{MODEL}"


def test_embeddings(seen):
    assert seen["embeddings"] == [registry.find(registry.model("gemini", "embedding")).dimensions]


def test_function_call_by_hand_and_by_the_sdk(seen):
    tools = seen["tools"]
    assert (tools["finish"], tools["name"], tools["args"]) == ("STOP", "get_weather", {"city": "Paris"})
    assert "19" in tools["told"] and "cloudy" in tools["told"]
    by_sdk = seen["tools_called_by_the_sdk"]
    assert "19" in by_sdk["told"] and "cloudy" in by_sdk["told"] and by_sdk["turns"] >= 3


def test_schema_fills_a_pydantic_model(seen):
    assert seen["parse"] == {"name": "Dana Reyes", "age": 34}


def test_file_upload_in_the_sdks_own_steps(seen):
    assert seen["files"] == {"size": 25, "same": True, "left": 0}


def test_explicit_cache_is_read(seen):
    assert seen["caches"]["read"] == seen["caches"]["held"] > 4_000


def test_inline_batch_to_its_end(seen):
    batch = seen["batches"]
    assert (batch["begun"], batch["state"]) == ("JOB_STATE_PENDING", "JOB_STATE_SUCCEEDED")
    assert batch["text"] == seen["generate"]["text"] and batch["listed"]
