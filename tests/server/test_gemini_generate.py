"""generateContent through the unmodified SDK, and under every path it has been called by."""

import math

import pytest
from google import genai
from google.genai import errors, types

from labkit import registry, tokens

MODEL = registry.model("gemini", "sampling")


def generate(tenant, contents="What is an API?", **config):
    return tenant.genai.models.generate_content(model=MODEL, contents=contents, config=config or None)


def post(tenant, path, body=None, **headers):
    body = body or {"contents": [{"parts": [{"text": "What is an API?"}]}]}
    return tenant.http.post(path, json=body, headers=headers or {"x-goog-api-key": tenant.key})


def test_answer_has_text_usage_and_finish_reason(tenant):
    answer = generate(tenant, temperature=0)
    used = answer.usage_metadata
    assert used.candidates_token_count == len(tokens.encode(answer.text))
    assert used.total_token_count == used.prompt_token_count + used.candidates_token_count
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == MODEL


def test_stream_holds_the_same_text_and_ends_with_a_finish_reason(tenant):
    whole = generate(tenant, temperature=0)
    config = {"temperature": 0}
    chunks = list(tenant.genai.models.generate_content_stream(model=MODEL, contents="What is an API?", config=config))
    assert "".join(c.text or "" for c in chunks) == whole.text and len(chunks) > 3
    assert [c.candidates[0].finish_reason for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count == whole.usage_metadata.candidates_token_count


async def test_async_client_streams(tenant):
    client = genai.Client(api_key=tenant.key, http_options={"base_url": tenant.url})
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents="What is an API?")
    assert len("".join([c.text or "" async for c in stream])) > 20
    await client.aio.aclose()


def test_chat_session_carries_history(tenant):
    chat = tenant.genai.chats.create(model=MODEL)
    chat.send_message("My name is Dana and I like hiking.")
    assert "Dana" in chat.send_message("What is my name?").text


@pytest.mark.parametrize("version", ["/v1", "/v1beta", ""])
def test_every_path_prefix(tenant, version):
    assert post(tenant, f"{version}/models/{MODEL}:generateContent").status_code == 200


def test_key_may_stand_in_the_query_and_is_masked_in_the_journal(tenant):
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    answer = tenant.http.post(f"/v1beta/models/{MODEL}:generateContent?key={tenant.key}", json=body)
    assert answer.status_code == 200
    entry = tenant.lab(f"journal/{tenant.last()['id']}")
    assert tenant.key not in str(entry)


def test_snake_case_and_camel_case_mean_the_same(tenant):
    contents = [{"parts": [{"text": "Write a haiku about rain."}]}]
    camel = {"contents": contents, "generationConfig": {"maxOutputTokens": 4, "temperature": 0}}
    snake = {"contents": contents, "generation_config": {"max_output_tokens": 4, "temperature": 0}}
    texts = [post(tenant, f"/v1/models/{MODEL}:generateContent", b).json()["candidates"] for b in (camel, snake)]
    assert texts[0] == texts[1] and texts[0][0]["finishReason"] == "MAX_TOKENS"


def test_stream_without_sse_is_one_json_array(tenant):
    answer = post(tenant, f"/v1beta/models/{MODEL}:streamGenerateContent")
    chunks = answer.json()
    assert len(chunks) > 3 and chunks[-1]["candidates"][0]["finishReason"] == "STOP"


def test_cap_stop_sequences_candidates_and_seed(tenant):
    assert generate(tenant, max_output_tokens=3).candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert "7" not in generate(tenant, "Count from 1 to 20.", temperature=0, stop_sequences=["7"]).text
    poems = generate(tenant, "Write a haiku about rain.", candidate_count=4, seed=5, temperature=1.0)
    assert len({c.content.parts[0].text for c in poems.candidates}) > 1
    again = generate(tenant, "Write a haiku about rain.", candidate_count=4, seed=5, temperature=1.0)
    assert [c.content for c in again.candidates] == [c.content for c in poems.candidates]


def test_top_k_one_is_greedy(tenant):
    greedy = generate(tenant, "Write a haiku about rain.", temperature=0).text
    assert {generate(tenant, "Write a haiku about rain.", temperature=1.5, top_k=1).text for _ in range(3)} == {greedy}


def test_logprobs(tenant):
    able = next(m for m in registry.models("gemini", kind="chat") if m.logprobs)
    answer = tenant.genai.models.generate_content(
        model=able.id, contents="What is an API?", config={"response_logprobs": True, "logprobs": 3, "temperature": 0}
    )
    result = answer.candidates[0].logprobs_result
    assert "".join(c.token for c in result.chosen_candidates) == answer.text
    assert all(len(top.candidates) == 3 for top in result.top_candidates)
    mean = sum(c.log_probability for c in result.chosen_candidates) / len(result.chosen_candidates)
    assert math.isclose(answer.candidates[0].avg_logprobs, mean, rel_tol=1e-6)


def test_system_instruction_and_count_tokens(tenant):
    counted = tenant.genai.models.count_tokens(model=MODEL, contents="What is an API?").total_tokens
    assert generate(tenant).usage_metadata.prompt_token_count == counted
    assert generate(tenant, system_instruction="Be brief.").usage_metadata.prompt_token_count > counted


def test_models_list_and_get(tenant):
    assert f"models/{MODEL}" in {m.name for m in tenant.genai.models.list()}
    assert tenant.genai.models.get(model=MODEL).input_token_limit == registry.find(MODEL).context


def test_a_model_that_ignores_sampling_samples_all_the_same(tenant):
    deaf = next(m for m in registry.models("gemini", kind="chat") if m.sampling == "ignored")
    ask = {"model": deaf.id, "contents": "Write a haiku about rain.", "config": {"temperature": 0}}
    assert len({tenant.genai.models.generate_content(**ask).text for _ in range(8)}) > 3


def test_retired_model_names_its_successor(tenant):
    gone = registry.find(registry.model("gemini", "retired"))
    with pytest.raises(errors.ClientError, match=gone.successor) as refusal:
        tenant.genai.models.generate_content(model=gone.id, contents="hi")
    assert refusal.value.code == 404
