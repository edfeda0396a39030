"""Anthropic's SDK from 0.125 to 2.x: what each release saw, under the API version and with the key header it sends."""

import pytest

from labkit import registry, tokens

FAMILY = "anthropic"
QUESTION = [("user", "What is an API?")]
MODEL = registry.model("anthropic", "small")
OLD, NEW = "2023-06-01", "2026-10-21"
pytestmark = [pytest.mark.generations, pytest.mark.timeout(400)]


def new(seen):
    return int(seen.version.split(".")[0]) >= 2


def test_requests_came_from_that_release(seen):
    assert seen.version == seen.generation.version
    agents = {entry["user_agent"] for entry in seen.sent}
    assert agents == {f"Anthropic/Python {seen.version}", f"AsyncAnthropic/Python {seen.version}"}
    assert all(entry["status"] < 500 for entry in seen.journal)


def test_version_and_key_are_sent_as_that_generation_sends_them(seen):
    sent = seen.wires["request"]["headers"]
    assert sent["anthropic-version"] == (NEW if new(seen) else OLD)
    assert ("authorization" in sent, "x-api-key" in sent) == (new(seen), not new(seen))


def test_sampling_parameters_depend_on_the_version_sent(seen):
    if new(seen):
        assert "temperature: Extra inputs are not permitted" in seen["sampling"]["refused"]
    else:
        assert len(seen["sampling"]["texts"]) == 1


def test_message_and_usage(seen):
    message = seen["message"]
    assert message["usage"] == [tokens.count_messages(QUESTION), tokens.count(message["text"])]
    assert message["stop"] == "end_turn" and message["request_id"].startswith("req_")


def test_streams(seen):
    stream, helper = seen["stream"], seen["stream_helper"]
    assert [kind.split("_")[-1] for kind in stream["kinds"]] == ["start", "start", "delta", "stop", "delta", "stop"]
    assert stream["output_tokens"] == tokens.count(stream["text"]) > 10
    assert (stream["stop"], helper["stop"]) == ("end_turn", "end_turn")
    assert helper["text"] == helper["final"] and all(len(text) > 20 for text in seen["async_client"].values())


@pytest.mark.parametrize(
    ("refused", "name", "status", "kind"),
    [
        ("key", "AuthenticationError", 401, "authentication_error"),
        ("model", "NotFoundError", 404, "not_found_error"),
        ("retired", "NotFoundError", 404, "not_found_error"),
        ("parameter", "BadRequestError", 400, "invalid_request_error"),
        ("batch", "NotFoundError", 404, "not_found_error"),
    ],
)
def test_refusals_are_the_sdks_classes(seen, refused, name, status, kind):
    error = seen["errors"][refused]
    assert (error["classes"][0], error["status"], error["body"]["error"]["type"]) == (name, status, kind)
    assert error["body"]["request_id"] in [entry["request_id"] for entry in seen.journal] or refused == "key"


def test_rate_limit_is_refused_and_the_sdk_waits_as_told(seen):
    refused = seen["rate_limit"]["refused"]
    assert (refused["classes"][0], refused["body"]["error"]["type"]) == ("RateLimitError", "rate_limit_error")
    assert seen["rate_limit"]["stop"] == "end_turn"
    tries = [(e["status"], e["retry"]) for e in seen.journal if e["model"] == registry.model("anthropic", "large")]
    assert tries == [(200, 0), (429, 0), (429, 0), (200, 1)]


def test_models_and_token_counts(seen):
    assert MODEL in seen["models"]["ids"] and seen["models"]["one"] == MODEL
    assert seen["count_tokens"]["plain"] == seen["message"]["usage"][0] < seen["count_tokens"]["with_tool"]


def test_tool_call_and_its_result(seen):
    tools = seen["tools"]
    assert (tools["stop"], tools["name"], tools["input"]) == ("tool_use", "get_weather", {"city": "Paris"})
    assert "19" in tools["told"] or "cloudy" in tools["told"]
    assert seen["tools_streamed"] == {"name": "get_weather", "input": {"city": "Paris"}}


def test_tool_runner_gets_through_also_where_it_first_asks_for_a_thread(seen):
    assert "19 C" in seen["tools_run_by_the_sdk"]
    codes = {entry["error"] for entry in seen.journal}
    assert ("thread_unsupported_request" in codes) == new(seen)


def test_parse_fills_a_pydantic_model(seen):
    assert seen["parse"] == {"name": "Dana Reyes", "age": 34}


def test_prompt_cache_is_written_then_read(seen):
    cache = seen["prompt_cache"]
    assert cache["written"] == cache["read"] > registry.find(MODEL).min_cache_tokens
    assert cache["uncached"][0] == cache["uncached"][1] < 20


def test_batch_to_its_end(seen):
    batch = seen["batches"]
    assert (batch["begun"], batch["status"], batch["succeeded"]) == ("in_progress", "ended", 1)
    assert batch["line"] == ["one", True] and batch["listed"] and batch["deleted"] == "message_batch_deleted"
