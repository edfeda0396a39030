"""Bedrock through boto3 and AnthropicBedrock; its framing against botocore's own parser."""

import json
from contextlib import closing

import anthropic
import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from labkit import registry, tokens
from labkit.server.protocols import eventstream

CLAUDE = registry.model("bedrock", "sampling")
NEWEST = registry.model("bedrock", "small")
LLAMA = next(m.id for m in registry.models("bedrock") if m.id.startswith("meta."))
NOVA = next(m.id for m in registry.models("bedrock") if m.id.startswith("amazon."))
QUESTION = "What is an API?"
CONVERSATION = [{"role": "user", "content": [{"text": QUESTION}]}]


def client(tenant, key_id, attempts=1):
    keys = {"aws_access_key_id": key_id, "aws_secret_access_key": "unused", "region_name": "us-east-1"}
    config = Config(retries={"total_max_attempts": attempts})
    return closing(boto3.client("bedrock-runtime", endpoint_url=tenant.url, config=config, **keys))


@pytest.fixture
def bedrock(tenant):
    with client(tenant, "LAB" + tenant.key.removeprefix("lab-").upper()) as runtime:
        yield runtime


def claude_body(**params):
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300}
    return json.dumps(body | {"messages": [{"role": "user", "content": QUESTION}]} | params)


def invoke(bedrock, body, model=CLAUDE):
    return json.loads(bedrock.invoke_model(modelId=model, body=body)["body"].read())


def invoke_stream(bedrock, body, model=CLAUDE):
    with closing(bedrock.invoke_model_with_response_stream(modelId=model, body=body)["body"]) as stream:
        return [json.loads(event["chunk"]["bytes"]) for event in stream]


def converse(bedrock, model=CLAUDE, **params):
    return bedrock.converse(**{"modelId": model, "messages": CONVERSATION} | params)


def converse_stream(bedrock, model=CLAUDE, **params):
    with closing(bedrock.converse_stream(**{"modelId": model, "messages": CONVERSATION} | params)["stream"]) as stream:
        return [next(iter(event.items())) for event in stream]


def refused(code, status, call, *args, **kwargs):
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    return error.value.response["Error"]["Message"]


# --- invoke ---


def test_invoke_takes_and_gives_anthropics_body(tenant, bedrock):
    answer = bedrock.invoke_model(modelId=CLAUDE, body=claude_body())
    message = json.loads(answer["body"].read())
    assert message["type"] == "message" and message["stop_reason"] == "end_turn" and message["content"][0]["text"]
    counted = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-output-token-count"]
    assert int(counted) == message["usage"]["output_tokens"] > 5
    assert (tenant.last()["provider"], tenant.last()["model"]) == ("bedrock", CLAUDE)


def test_invoke_stream_accumulates_to_the_same_text(bedrock):
    whole = invoke(bedrock, claude_body(temperature=0))["content"][0]["text"]
    events = invoke_stream(bedrock, claude_body(temperature=0))
    deltas = [e["delta"]["text"] for e in events if e["type"] == "content_block_delta"]
    assert len(deltas) > 3 and "".join(deltas) == whole
    assert [e["type"] for e in events][0] == "message_start" and "ping" not in {e["type"] for e in events}
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == tokens.count(whole)


def test_claude_body_needs_its_version_and_no_model(bedrock):
    assert refused("ValidationException", 400, invoke, bedrock, '{"max_tokens": 5, "messages": []}').startswith(
        "anthropic_version"
    )
    said = refused("ValidationException", 400, invoke, bedrock, claude_body(model="claude"))
    assert said == "model: Extra inputs are not permitted"
    said = refused("ValidationException", 400, invoke, bedrock, claude_body(max_tokens=0))
    assert said == "max_tokens: Input should be greater than or equal to 1"


def test_new_claude_refuses_sampling_here_too(bedrock):
    said = refused("ValidationException", 400, invoke, bedrock, claude_body(temperature=0.5), model=NEWEST)
    assert "sampling" in said


def test_llama_body_and_answer(bedrock):
    prompt = (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhat is an API?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    answer = invoke(bedrock, json.dumps({"prompt": prompt, "max_gen_len": 6}), LLAMA)
    assert answer["stop_reason"] == "length" and answer["generation_token_count"] == 6
    assert tokens.count(answer["generation"]) == 6 and answer["prompt_token_count"] == tokens.count(prompt)


def test_llama_reads_its_template(bedrock):
    def said(prompt):
        return invoke(bedrock, json.dumps({"prompt": prompt, "temperature": 0}), LLAMA)["generation"]

    turn = f"<|start_header_id|>user<|end_header_id|>\n\n{QUESTION}<|eot_id|>"
    assert said(f"<|begin_of_text|>{turn}<|start_header_id|>assistant<|end_header_id|>\n\n") == said(QUESTION)


def test_llama_stream(bedrock):
    events = invoke_stream(bedrock, json.dumps({"prompt": QUESTION, "temperature": 0}), LLAMA)
    whole = invoke(bedrock, json.dumps({"prompt": QUESTION, "temperature": 0}), LLAMA)
    assert "".join(e["generation"] for e in events) == whole["generation"]
    assert events[0]["prompt_token_count"] == tokens.count(QUESTION) and events[1]["prompt_token_count"] is None
    assert [e["stop_reason"] for e in events[:-1]] == [None] * (len(events) - 1) and events[-1]["stop_reason"] == "stop"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "#: required key [prompt] not found"),
        ({"prompt": "x", "top_k": 5}, "#: extraneous key [top_k] is not permitted"),
        ({"prompt": "x", "temperature": 2.5}, "#/temperature: 2.5 is not less or equal to 1"),
        ({"prompt": 5}, "#/prompt: expected type: String, found: Integer"),
    ],
)
def test_llama_body_is_held_against_its_schema(bedrock, body, said):
    assert said in refused("ValidationException", 400, invoke, bedrock, json.dumps(body), LLAMA)


def test_nova_body_is_converses(bedrock):
    body = json.dumps({"messages": CONVERSATION, "inferenceConfig": {"maxTokens": 7, "topK": 20}})
    answer = invoke(bedrock, body, NOVA)
    assert answer["stopReason"] == "max_tokens" and answer["usage"]["outputTokens"] == 7
    assert "messageStart" in invoke_stream(bedrock, body, NOVA)[0]


# --- converse ---


@pytest.mark.parametrize("model", [CLAUDE, NEWEST, LLAMA, NOVA])
def test_converse_is_one_shape_for_every_model(bedrock, model):
    answer = converse(bedrock, model)
    assert answer["output"]["message"]["content"][0]["text"] and answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] > 8
    assert answer["metrics"]["latencyMs"] >= 0


def test_converse_stream_events_come_in_order(bedrock):
    events = converse_stream(bedrock, inferenceConfig={"temperature": 0})
    order = list(dict.fromkeys(name for name, _ in events))
    assert order == ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
    whole = converse(bedrock, inferenceConfig={"temperature": 0})
    text = "".join(payload["delta"]["text"] for name, payload in events if name == "contentBlockDelta")
    assert text == whole["output"]["message"]["content"][0]["text"]
    assert events[-1][1]["usage"]["outputTokens"] == whole["usage"]["outputTokens"]


def test_converse_obeys_its_inference_config(bedrock):
    capped = converse(bedrock, inferenceConfig={"maxTokens": 4})
    assert (capped["stopReason"], capped["usage"]["outputTokens"]) == ("max_tokens", 4)
    counting = [{"role": "user", "content": [{"text": "Count from 1 to 20."}]}]
    stopped = converse(bedrock, messages=counting, inferenceConfig={"stopSequences": ["7"], "temperature": 0})
    assert stopped["stopReason"] == "stop_sequence"
    assert "7" not in stopped["output"]["message"]["content"][0]["text"]


def test_converse_system_prompt_counts(bedrock):
    with_system = converse(bedrock, system=[{"text": "Answer in one word."}])["usage"]["inputTokens"]
    assert with_system > converse(bedrock)["usage"]["inputTokens"]


def test_cache_points_write_and_then_read(bedrock):
    system = [{"text": "You know every rule of the library. " * 800}, {"cachePoint": {"type": "default"}}]
    first, second = (converse(bedrock, NEWEST, system=system)["usage"] for _ in range(2))
    assert first["cacheWriteInputTokens"] == second["cacheReadInputTokens"] > 5_000
    assert first["cacheReadInputTokens"] == second["cacheWriteInputTokens"] == 0


def test_converse_quotes_the_models_refusal(bedrock):
    config = {"temperature": 0.5, "topP": 0.5}
    said = refused("ValidationException", 400, converse, bedrock, inferenceConfig=config)
    assert said.startswith("The model returned the following errors: `temperature` and `top_p`")


def test_converse_says_what_it_does_not_serve(bedrock):
    guardrail = {"guardrailIdentifier": "abc123", "guardrailVersion": "1"}
    said = refused("ValidationException", 400, converse, bedrock, guardrailConfig=guardrail)
    assert said == "The lab server does not serve guardrailConfig."


WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city",
    "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
ASKED = [{"role": "user", "content": [{"text": "What is the weather in Paris?"}]}]


def test_converse_calls_a_tool_and_reads_its_result(bedrock):
    tools = {"toolConfig": {"tools": [{"toolSpec": WEATHER}]}, "inferenceConfig": {"temperature": 0}}
    first = converse(bedrock, messages=ASKED, **tools)
    (call,) = [block["toolUse"] for block in first["output"]["message"]["content"] if "toolUse" in block]
    assert first["stopReason"] == "tool_use" and call["name"] == "get_weather" and "city" in call["input"]
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"temperature": "22 degrees"}}]}
    told = [*ASKED, first["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    said = converse(bedrock, messages=told, **tools)["output"]["message"]["content"][0]["text"]
    assert "22" in said


def test_converse_stream_announces_a_tool_and_sends_its_input_in_pieces(bedrock):
    tools = {"toolConfig": {"tools": [{"toolSpec": WEATHER}], "toolChoice": {"any": {}}}}
    events = converse_stream(bedrock, messages=ASKED, inferenceConfig={"temperature": 0}, **tools)
    (start,) = [payload["start"]["toolUse"] for name, payload in events if name == "contentBlockStart"]
    deltas = [payload["delta"] for name, payload in events if name == "contentBlockDelta"]
    assert start["name"] == "get_weather"
    assert "city" in json.loads("".join(d["toolUse"]["input"] for d in deltas if "toolUse" in d))
    assert dict(events)["messageStop"]["stopReason"] == "tool_use"


def test_converse_follows_a_schema(bedrock):
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    schema |= {"required": ["name", "age"], "additionalProperties": False}
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema), "name": "person"}}}
    said = converse(
        bedrock,
        messages=[{"role": "user", "content": [{"text": "Ada is 36 years old."}]}],
        outputConfig={"textFormat": form},
    )
    assert isinstance(json.loads(said["output"]["message"]["content"][0]["text"])["age"], int)


# --- models, tokens, errors ---


@pytest.mark.parametrize("wrap", ["us.{}", "eu.{}", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{}"])
def test_profiles_and_arns_name_the_model(tenant, bedrock, wrap):
    converse(bedrock, wrap.format(CLAUDE), inferenceConfig={"maxTokens": 2})
    assert tenant.last()["model"] == CLAUDE


def test_unknown_and_retired_models(bedrock):
    said = refused("ValidationException", 400, converse, bedrock, "anthropic.claude-nobody")
    assert said == "The provided model identifier is invalid."
    assert refused("ValidationException", 400, converse, bedrock, registry.model("openai", "small"))
    said = refused("ResourceNotFoundException", 404, invoke, bedrock, "{}", registry.model("bedrock", "retired"))
    assert "end of its life" in said


def test_count_tokens_agrees_with_usage(bedrock):
    def count(**input):
        return bedrock.count_tokens(modelId=CLAUDE, input=input)["inputTokens"]

    assert count(converse={"messages": CONVERSATION}) == converse(bedrock)["usage"]["inputTokens"]
    counted = count(invokeModel={"body": claude_body()})
    assert counted == invoke(bedrock, claude_body())["usage"]["input_tokens"]


def test_rate_limit_throttles(tenant, bedrock):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1}})
    converse(bedrock)
    for call in (converse, converse_stream):
        said = refused("ThrottlingException", 429, call, bedrock)
        assert said == "Too many requests, please wait before trying again."


def test_boto3_retries_a_throttled_call(tenant):
    tenant.lab("tenant", {"clock": {"rate": 60}})
    tenant.lab("faults", {"kind": "rate_limit", "next": 1})
    with client(tenant, tenant.key, attempts=3) as runtime:
        assert converse(runtime)["ResponseMetadata"]["RetryAttempts"] == 1
    assert [e["status"] for e in tenant.lab("journal")["entries"]] == [429, 200]


def test_access_key_id_opens_the_tenant_and_a_foreign_one_does_not(tenant):
    with client(tenant, tenant.key) as own, client(tenant, "ASIA0000000000000000") as foreign:
        converse(own, inferenceConfig={"maxTokens": 2})
        assert tenant.last()["provider"] == "bedrock"
        assert "invalid" in refused("UnrecognizedClientException", 403, converse, foreign)
    unsigned = tenant.http.post(f"/model/{CLAUDE}/converse", json={})
    assert unsigned.json() == {"message": "Missing Authentication Token"} and unsigned.status_code == 403


def test_forbidden_and_unknown_operations(tenant, bedrock):
    tenant.lab("faults", {"kind": "forbidden", "next": 1})
    refused("AccessDeniedException", 403, converse, bedrock)
    tenant.lab("faults", {"kind": "overloaded", "next": 1, "model": CLAUDE})
    refused("ServiceUnavailableException", 503, converse, bedrock)
    answer = tenant.http.post(f"/model/{CLAUDE}/dance", headers={"authorization": f"Bearer {tenant.key}"})
    assert answer.status_code == 404 and answer.headers["x-amzn-errortype"] == "ResourceNotFoundException"


@pytest.mark.parametrize("call", [converse_stream, lambda b: invoke_stream(b, claude_body())])
def test_error_inside_a_stream_is_an_exception_event(tenant, bedrock, call):
    tenant.lab("faults", {"kind": "error_event", "next": 1, "after": 2})
    with pytest.raises(EventStreamError, match="serviceUnavailableException.*Overloaded"):
        call(bedrock)


# --- AnthropicBedrock ---


@pytest.fixture
def anthropic_bedrock(tenant):
    keys = {"aws_access_key": tenant.key, "aws_secret_key": "unused", "aws_region": "us-east-1"}
    with anthropic.AnthropicBedrock(base_url=tenant.url, max_retries=0, **keys) as client:
        yield client


def test_anthropics_own_bedrock_client(tenant, anthropic_bedrock):
    params = {"model": NEWEST, "max_tokens": 200, "messages": [{"role": "user", "content": QUESTION}]}
    assert anthropic_bedrock.messages.create(**params).stop_reason == "end_turn"
    with anthropic_bedrock.messages.stream(**params) as stream:
        text = "".join(stream.text_stream)
        assert stream.get_final_message().content[0].text == text != ""
    assert tenant.last()["provider"] == "bedrock"


def test_bedrock_api_key_is_a_bearer_token(tenant):
    def ask(key):
        with anthropic.AnthropicBedrock(base_url=tenant.url, api_key=key, aws_region="us-east-1") as client:
            return client.messages.create(model=CLAUDE, max_tokens=5, messages=[{"role": "user", "content": "hi"}])

    assert ask(tenant.key).usage.output_tokens <= 5
    with pytest.raises(anthropic.PermissionDeniedError):
        ask("not-a-lab-key")


# --- framing ---


def test_framing_is_what_botocore_reads():
    frames = eventstream.event("chunk", {"bytes": "ünïcode ☃"}) + eventstream.exception("throttlingException", "slow")
    buffer = EventStreamBuffer()
    for at in range(0, len(frames), 10):
        buffer.add_data(frames[at : at + 10])
    first, second = buffer
    assert first.headers == {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    assert json.loads(first.payload) == {"bytes": "ünïcode ☃"}
    assert second.to_response_dict()["headers"][":exception-type"] == "throttlingException"


def test_a_flipped_bit_is_noticed():
    frame = bytearray(eventstream.event("chunk", {"bytes": "abc"}))
    frame[-6] ^= 1
    buffer = EventStreamBuffer()
    buffer.add_data(bytes(frame))
    with pytest.raises(ChecksumMismatch):
        next(iter(buffer))
