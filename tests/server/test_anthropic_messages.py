"""Messages through the unmodified SDK, and over raw HTTP as older SDKs send them."""

import anthropic
import pytest

from labkit import registry, tokens

QUESTION = [{"role": "user", "content": "What is an API?"}]
MODEL = registry.model("anthropic", "small")
SAMPLED = registry.model("anthropic", "sampling")
OLD = {"anthropic-version": "2023-06-01"}
NEW = {"anthropic-version": "2026-10-21"}


def create(tenant, **params):
    return tenant.anthropic.messages.create(**{"model": MODEL, "max_tokens": 300, "messages": QUESTION} | params)


def post(tenant, body, **headers):
    body = {"model": SAMPLED, "max_tokens": 300, "messages": QUESTION} | body
    return tenant.http.post("/v1/messages", json=body, headers=headers)


def test_message_has_text_usage_and_stop_reason(tenant):
    message = create(tenant)
    assert message.content[0].type == "text" and message.content[0].text
    assert message.stop_reason == "end_turn"
    assert (
        message.usage.input_tokens
        == tenant.anthropic.messages.count_tokens(model=MODEL, messages=QUESTION).input_tokens
    )


def test_stream_accumulates_to_the_final_message(tenant):
    with tenant.anthropic.messages.stream(model=MODEL, max_tokens=300, messages=QUESTION) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert final.content[0].text == text and final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


def test_stream_events_come_in_the_documented_order(tenant):
    events = [e.type for e in create(tenant, stream=True)]
    frame = [e for e in events if e != "content_block_delta"]
    assert frame == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ] or frame == [e for e in events if e not in ("content_block_delta", "ping")]
    assert events.count("content_block_delta") > 3


async def test_async_client_streams(tenant):
    client = anthropic.AsyncAnthropic(api_key=tenant.key, base_url=tenant.url)
    async with client, client.messages.stream(model=MODEL, max_tokens=300, messages=QUESTION) as stream:
        text = "".join([t async for t in stream.text_stream])
    assert len(text) > 20


def test_system_prompt_may_be_text_or_blocks(tenant):
    plain = create(tenant, system="Answer in one word.").usage.input_tokens
    blocks = create(tenant, system=[{"type": "text", "text": "Answer in one word."}]).usage.input_tokens
    assert plain == blocks > create(tenant).usage.input_tokens


@pytest.mark.parametrize("headers", [{"x-api-key": "{key}"}, {"authorization": "Bearer {key}"}])
@pytest.mark.parametrize("version", [OLD, NEW])
def test_both_ways_to_send_a_key_and_both_versions(tenant, headers, version):
    sent = {name: value.format(key=tenant.key) for name, value in headers.items()}
    answer = post(tenant, {}, **sent, **version)
    assert answer.status_code == 200, answer.text
    assert answer.headers["request-id"].startswith("req_")


def test_with_both_keys_x_api_key_counts(tenant):
    answer = post(tenant, {}, **NEW, **{"x-api-key": "wrong-key", "authorization": f"Bearer {tenant.key}"})
    assert answer.status_code == 401


def test_old_version_samples_and_new_version_refuses_to(tenant):
    key = {"x-api-key": tenant.key}
    at_zero = {post(tenant, {"temperature": 0}, **key, **OLD).json()["content"][0]["text"] for _ in range(3)}
    assert len(at_zero) == 1
    refused = post(tenant, {"temperature": 1.0}, **key, **NEW)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "temperature: Extra inputs are not permitted"


def test_sdk_reaches_sampling_through_extra_body_and_header(tenant):
    texts = {
        create(tenant, model=SAMPLED, extra_headers=OLD, extra_body={"temperature": 0}).content[0].text
        for _ in range(3)
    }
    assert len(texts) == 1


def test_new_models_refuse_sampling_under_the_old_version_too(tenant):
    new = next(m for m in registry.models("anthropic") if m.sampling == "no")
    refused = post(tenant, {"model": new.id, "temperature": 0.5}, **{"x-api-key": tenant.key}, **OLD)
    assert refused.status_code == 400 and "sampling" in refused.json()["error"]["message"]


def test_cap_and_stop_sequence_give_their_stop_reasons(tenant):
    tenant.lab("tenant", {"seed": 1})
    capped = create(tenant, max_tokens=5)
    assert (capped.stop_reason, capped.usage.output_tokens) == ("max_tokens", 5)
    counting = [{"role": "user", "content": "Count from 1 to 20."}]
    stopped = create(tenant, messages=counting, stop_sequences=["7"], model=SAMPLED)
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "7")
    assert stopped.usage.output_tokens == tokens.count(stopped.content[0].text)


def test_prefill_is_refused_by_the_models_that_refuse_it(tenant):
    prefilled = [*QUESTION, {"role": "assistant", "content": "An API is"}]
    new = next(m for m in registry.models("anthropic") if not m.prefill)
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        create(tenant, model=new.id, messages=prefilled)


def test_models_list_pages_and_lifecycle(tenant):
    rows = list(tenant.anthropic.models.list())
    assert {MODEL, SAMPLED} <= {r.id for r in rows}
    assert all(r.lifecycle in ("active", "deprecated") for r in rows)
    assert tenant.anthropic.models.retrieve(MODEL).id == MODEL


def test_rate_limit_headers(tenant):
    raw = tenant.anthropic.messages.with_raw_response.create(model=MODEL, max_tokens=9, messages=QUESTION)
    assert int(raw.headers["anthropic-ratelimit-requests-remaining"]) < int(
        raw.headers["anthropic-ratelimit-requests-limit"]
    )
    assert raw.headers["anthropic-ratelimit-tokens-reset"].endswith("Z")
