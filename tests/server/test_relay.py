"""A second real server process behind the lab server: every protocol answers with its words."""

import json
import subprocess
import sys

import anthropic
import httpx
import openai
import pytest
from google import genai

from labkit import registry

ASK = "What is an API?"
UPSTREAM_MODEL = next(m.id for m in registry.models("self-hosted", kind="chat"))


def serve(tmp_path, *options):
    """A lab server on a free port, ready; and its address."""
    command = [sys.executable, "-m", "labkit.server", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip().rsplit(" ", 1)[-1]


@pytest.fixture(scope="module")
def relay(lab_server, tmp_path_factory):
    options = ["--relay", f"{lab_server.url}/v1", "--relay-model", UPSTREAM_MODEL, "--relay-key", "lab-upstream"]
    process, url = serve(tmp_path_factory.mktemp("relay"), *options)
    yield url
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="module")
def upstream_says(lab_server):
    """What the upstream itself answers at temperature 0."""
    with openai.OpenAI(api_key="lab-upstream", base_url=f"{lab_server.url}/v1") as client:
        answer = client.chat.completions.create(
            model=UPSTREAM_MODEL, messages=[{"role": "user", "content": ASK}], temperature=0
        )
    return answer.choices[0].message.content


def test_openai_whole_and_streamed(relay, upstream_says):
    with openai.OpenAI(api_key="lab-x", base_url=f"{relay}/v1") as client:
        ask = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": ASK}]}
        whole = client.chat.completions.create(**ask, temperature=0)
        chunks = list(client.chat.completions.create(**ask, temperature=0, stream=True))
    assert whole.choices[0].message.content == upstream_says
    assert whole.choices[0].finish_reason == "stop" and whole.usage.completion_tokens > 5
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == upstream_says and len(chunks) > 5


def test_anthropic_and_gemini(relay, upstream_says):
    ask = [{"role": "user", "content": ASK}]
    with anthropic.Anthropic(api_key="lab-x", base_url=relay) as client:
        message = client.messages.create(
            model=registry.model("anthropic", "sampling"),
            max_tokens=300,
            messages=ask,
            extra_headers={"anthropic-version": "2023-06-01"},
            extra_body={"temperature": 0},
        )
    google = genai.Client(api_key="lab-x", http_options={"base_url": relay})
    model = registry.model("gemini", "sampling")
    text = google.models.generate_content(model=model, contents=ASK, config={"temperature": 0}).text
    google.close()
    assert message.content[0].text == text == upstream_says


def test_tools_and_their_results_pass_through(relay):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"name": "get_weather", "description": "Get the current weather in a city", "input_schema": schema}
    ask = {"role": "user", "content": "What is the weather in Paris?"}
    httpx.post(f"{relay}/lab/v1/tenant", json={"seed": 3}, headers={"Authorization": "Bearer lab-tools"})
    with anthropic.Anthropic(api_key="lab-tools", base_url=relay) as client:
        params = {"model": registry.model("anthropic", "small"), "max_tokens": 300, "tools": [tool]}
        asked = client.messages.create(**params, messages=[ask], tool_choice={"type": "any"})
        use = asked.content[-1]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": json.dumps({"temperature_c": 18})}
        history = [ask, {"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
        answer = client.messages.create(**params, messages=history)
    assert (asked.stop_reason, use.input) == ("tool_use", {"city": "Paris"})
    assert "18" in answer.content[0].text


def test_the_labs_limits_and_journal_stand_before_the_relay(relay):
    headers = {"Authorization": "Bearer lab-limited"}
    body = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": ASK}]}
    with httpx.Client(base_url=relay, headers=headers, timeout=30) as http:
        http.post("/lab/v1/tenant", json={"limits": {"requests_per_minute": 1}})
        assert [http.post("/v1/chat/completions", json=body).status_code for _ in range(2)] == [200, 429]
        entries = http.get("/lab/v1/journal").json()["entries"]
    assert [e["status"] for e in entries] == [200, 429] and entries[0]["usage"]["output"] > 5


def test_a_dead_upstream_is_a_502_that_says_so(tmp_path):
    process, url = serve(tmp_path, "--relay", "http://127.0.0.1:9/v1", "--relay-model", "m")
    try:
        body = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": ASK}]}
        answer = httpx.post(
            f"{url}/v1/chat/completions", json=body, headers={"Authorization": "Bearer lab-x"}, timeout=30
        )
        assert answer.status_code == 502 and "Is it running?" in answer.json()["error"]["message"]
        with (
            openai.OpenAI(api_key="lab-x", base_url=f"{url}/v1", max_retries=0) as client,
            pytest.raises(openai.APIError, match="Is it running?"),
        ):
            list(client.chat.completions.create(**body, stream=True))
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_what_a_relay_cannot_know_is_refused(relay):
    with openai.OpenAI(api_key="lab-x", base_url=f"{relay}/v1", max_retries=0) as client:
        ask = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": ASK}]}
        with pytest.raises(openai.BadRequestError, match="log-probabilities"):
            client.chat.completions.create(**ask, logprobs=True)
