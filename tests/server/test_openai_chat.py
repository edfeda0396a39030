"""Chat completions through the unmodified SDK."""

import math

import openai
import pytest

from labkit import registry, tokens

QUESTION = [{"role": "user", "content": "What is an API?"}]
MODEL = registry.model("openai", "sampling")


def test_usage_agrees_with_tiktoken(tenant):
    answer = tenant.chat(temperature=0)
    text = answer.choices[0].message.content
    assert answer.usage.completion_tokens == len(tokens.encode(text))
    assert answer.usage.prompt_tokens == tokens.count_messages([("user", "What is an API?")])
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream_holds_the_same_text_as_the_whole_answer(tenant):
    whole = tenant.chat(temperature=0).choices[0].message.content
    chunks = list(tenant.chat(temperature=0, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole
    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(c.usage is None for c in chunks)


def test_stream_usage_comes_last_and_only_when_asked(tenant):
    chunks = list(tenant.chat(temperature=0, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert all(c.usage is None for c in chunks[:-1])


async def test_async_client_chats_and_streams(tenant):
    async with openai.AsyncOpenAI(api_key=tenant.key, base_url=f"{tenant.url}/v1") as client:
        whole = await client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0)
        stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in stream])
    assert text == whole.choices[0].message.content


def test_n_gives_choices_that_differ_and_are_all_billed(tenant):
    answer = tenant.chat("Write a haiku about rain.", n=8, temperature=1, seed=4)
    texts = [c.message.content for c in answer.choices]
    assert [c.index for c in answer.choices] == list(range(8))
    assert len(set(texts)) > 3
    assert answer.usage.completion_tokens >= sum(len(tokens.encode(t)) for t in texts) * 0.9


def test_n_in_a_stream_keeps_the_choices_apart(tenant):
    whole = tenant.chat("Write a haiku about rain.", n=3, seed=4)
    parts = ["", "", ""]
    for chunk in tenant.chat("Write a haiku about rain.", n=3, seed=4, stream=True):
        parts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert parts == [c.message.content for c in whole.choices]


def test_seed_repeats_and_no_seed_does_not(tenant):
    seeded = {tenant.chat("Write a haiku about rain.", seed=11).choices[0].message.content for _ in range(4)}
    free = {tenant.chat("Write a haiku about rain.").choices[0].message.content for _ in range(8)}
    assert len(seeded) == 1
    assert len(free) > 3


@pytest.mark.parametrize("cap", [1, 5, 10])
def test_cap_cuts_with_finish_reason_length(tenant, cap):
    answer = tenant.chat(max_completion_tokens=cap, temperature=0)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == cap


def test_old_parameter_name_works_on_the_models_that_take_it(tenant):
    old = next(m for m in registry.models("openai", kind="chat") if m.legacy_max_tokens)
    assert tenant.chat(model=old.id, max_tokens=4, temperature=0).usage.completion_tokens == 4


def test_stop_sequence_is_left_out_of_the_text(tenant):
    whole = tenant.chat("Count from 1 to 20.", temperature=0).choices[0].message.content
    cut = tenant.chat("Count from 1 to 20.", temperature=0, stop=["7", "9"]).choices[0]
    assert cut.message.content == whole.split("7")[0]
    assert cut.finish_reason == "stop"


def test_stop_sequence_over_token_borders_never_leaks_into_a_stream(tenant):
    whole = tenant.chat(temperature=0).choices[0].message.content
    stop = whole[10:22]
    stream = tenant.chat(temperature=0, stop=[stop], stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream) == whole[: whole.index(stop)]


def test_logprobs_are_those_of_the_tokens_returned(tenant):
    answer = tenant.chat(temperature=0.8, seed=3, logprobs=True, top_logprobs=5)
    scored = answer.choices[0].logprobs.content
    assert "".join(s.token for s in scored) == answer.choices[0].message.content
    for s in scored:
        assert s.logprob <= 0 and bytes(s.bytes).decode() == s.token
        assert [t.logprob for t in s.top_logprobs] == sorted((t.logprob for t in s.top_logprobs), reverse=True)
        assert sum(math.exp(t.logprob) for t in s.top_logprobs) <= 1 + 1e-9


def test_logprobs_of_a_stream_are_those_of_the_whole(tenant):
    asked = {"temperature": 0, "logprobs": True, "top_logprobs": 2}
    whole = tenant.chat(**asked).choices[0].logprobs.content
    chunks = [c.choices[0] for c in tenant.chat(**asked, stream=True)]
    streamed = [s for c in chunks if c.logprobs for s in c.logprobs.content]
    assert [(s.token, s.logprob) for s in streamed] == [(s.token, s.logprob) for s in whole]


def test_bias_bans_and_forces_tokens(tenant):
    first = (
        tenant.chat(temperature=0, logprobs=True, top_logprobs=2, max_completion_tokens=1)
        .choices[0]
        .logprobs.content[0]
    )
    [banned] = tokens.encode(first.token)
    other = tenant.chat(temperature=0, logit_bias={str(banned): -100}, max_completion_tokens=1)
    forced = tenant.chat(temperature=1, logit_bias={"1000": 100}, max_completion_tokens=1)
    assert other.choices[0].message.content != first.token
    assert tokens.encode(forced.choices[0].message.content) == [1000]


def test_frequency_penalty_breaks_a_forced_repetition(tenant):
    bias = {"1000": 25}
    plain = tenant.chat(temperature=0, logit_bias=bias, max_completion_tokens=12).choices[0].message.content
    fined = tenant.chat(
        temperature=0, logit_bias=bias, max_completion_tokens=12, frequency_penalty=2, presence_penalty=2
    )
    assert tokens.encode(plain) == [1000] * 12
    assert tokens.encode(fined.choices[0].message.content).count(1000) < 12


def test_json_mode_gives_json(tenant):
    import json

    text = tenant.chat(
        "Give me a JSON object with the name, population and country of Paris.",
        response_format={"type": "json_object"},
        temperature=0,
    )
    assert isinstance(json.loads(text.choices[0].message.content), dict)


def test_rate_limit_headers_fall(tenant):
    tenant.lab("tenant", {"limits": {"tokens_per_minute": 10_000}})
    create = tenant.openai.chat.completions.with_raw_response.create
    seen = [create(model=MODEL, messages=QUESTION).headers for _ in range(2)]
    left = [int(h["x-ratelimit-remaining-tokens"]) for h in seen]
    assert left[1] < left[0] <= int(seen[0]["x-ratelimit-limit-tokens"])
    assert seen[0]["x-request-id"] == tenant.lab("journal")["entries"][0]["request_id"]


def test_models_list_and_retrieve(tenant):
    listed = {m.id for m in tenant.openai.models.list()}
    assert MODEL in listed and registry.model("openai", "embedding") in listed
    assert tenant.openai.models.retrieve(MODEL).id == MODEL


def test_retired_model_answers_404_and_names_its_successor(tenant):
    gone = registry.model("openai", "retired")
    with pytest.raises(openai.NotFoundError, match=registry.find(gone).successor) as refusal:
        tenant.chat(model=gone)
    assert refusal.value.code == "model_not_found"


@pytest.mark.parametrize("foreign", [{"anthropic-version": "2023-06-01"}, {"x-goog-api-key": "theirs"}])
def test_headers_of_other_providers_do_not_lead_a_request_astray(tenant, foreign):
    assert tenant.chat(extra_headers=foreign).object == "chat.completion"
