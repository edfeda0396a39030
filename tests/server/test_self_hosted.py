"""vLLM, Ollama and TGI under their prefixes of the main port, through the clients that people use for them."""


import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from labkit import registry, tokens

MODEL = registry.model("self-hosted", "small")
QUESTION = [{"role": "user", "content": "What is an API?"}]


@pytest.fixture
def vllm(tenant):
    with openai.OpenAI(api_key=tenant.key, base_url=f"{tenant.url}/vllm/v1", max_retries=0) as client:
        yield client


def ask(client, text="What is an API?", **params):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(**{"model": MODEL, "messages": messages} | params)


def post(tenant, path, body, key=None):
    return tenant.http.post(path, json=body, headers={"authorization": f"Bearer {key or tenant.key}"})


# --- vLLM ---


def test_vllm_answers_the_openai_client(tenant, vllm):
    completion = ask(vllm, temperature=0)
    streamed = ask(vllm, temperature=0, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in streamed) == completion.choices[0].message.content
    assert (tenant.last()["provider"], tenant.last()["model"]) == ("vllm", MODEL)


def test_vllm_takes_top_k_and_min_p(vllm):
    greedy = ask(vllm, temperature=0).choices[0].message.content
    for narrow in ({"top_k": 1}, {"min_p": 1.0}):
        assert ask(vllm, temperature=1.5, extra_body=narrow).choices[0].message.content == greedy


def test_vllm_names_the_stop_sequence(vllm):
    stopped = ask(vllm, "Count from 1 to 20.", stop=["7", "zzz"], temperature=0)
    assert stopped.choices[0].model_extra["stop_reason"] == "7"
    last = list(ask(vllm, "Count from 1 to 20.", stop=["7"], temperature=0, stream=True))[-1]
    assert (last.choices[0].finish_reason, last.choices[0].model_extra["stop_reason"]) == ("stop", "7")


def test_vllm_ignores_unknown_fields_and_refuses_those_it_should_obey(vllm):
    assert ask(vllm, extra_body={"nobody_knows": 1, "repetition_penalty": 1.0}).choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="does not serve repetition_penalty"):
        ask(vllm, extra_body={"repetition_penalty": 1.3})


def test_vllm_errors_have_the_status_as_code(vllm):
    with pytest.raises(openai.NotFoundError) as missing:
        ask(vllm, model=registry.model("openai", "small"))
    assert missing.value.body["code"] == 404 and missing.value.type == "NotFoundError"
    with pytest.raises(openai.BadRequestError) as refused:
        ask(vllm, temperature=-1)
    assert refused.value.type == "BadRequestError"


def test_vllm_lists_models_with_their_length(vllm):
    rows = {m.id: m.model_extra for m in vllm.models.list()}
    assert rows[MODEL]["max_model_len"] == registry.find(MODEL).context
    assert set(rows) == {m.id for m in registry.models("self-hosted")}


@pytest.mark.parametrize("key", ["EMPTY", None])
def test_a_request_without_a_lab_key_has_a_shared_tenant(lab_server, tenant, key):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = {"model": MODEL, "messages": QUESTION, "max_tokens": 3}
    answer = tenant.http.post("/vllm/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200
    shared = tenant.lab("journal?tenant=lab-selfhosted", key=lab_server.admin_key)["entries"][-1]
    assert shared["request_id"] == answer.headers["x-request-id"]


def test_vllm_tokenizes_what_it_bills(tenant, vllm):
    counted = post(tenant, "/vllm/tokenize", {"model": MODEL, "messages": QUESTION}).json()
    assert counted["count"] == len(counted["tokens"]) == ask(vllm).usage.prompt_tokens
    assert counted["max_model_len"] == registry.find(MODEL).context
    text = post(tenant, "/vllm/detokenize", {"model": MODEL, "tokens": counted["tokens"]}).json()["prompt"]
    assert text == "<|im_start|>user<|im_sep|>What is an API?<|im_start|>assistant<|im_sep|>"


def test_tokenize_a_prompt_and_back(tenant):
    text = "naïve café ☕ 日本"
    counted = post(tenant, "/vllm/tokenize", {"prompt": text, "return_token_strs": True}).json()
    assert counted["tokens"] == tokens.encode(text) and len(counted["token_strs"]) == counted["count"]
    assert post(tenant, "/vllm/detokenize", {"tokens": counted["tokens"]}).json() == {"prompt": text}
    for broken in ([10**9], ["a"], [-1]):
        assert post(tenant, "/vllm/detokenize", {"tokens": broken}).status_code == 400


def test_vllm_health_and_version(tenant):
    health = tenant.http.get("/vllm/health")
    assert (health.status_code, health.content) == (200, b"")
    assert tenant.http.get("/vllm/version").json()["version"]


def metrics(tenant):
    text = tenant.http.get("/vllm/metrics", headers={"authorization": f"Bearer {tenant.key}"}).text
    families = text_string_to_metric_families(text)
    samples = [s for family in families for s in family.samples if s.labels.get("model_name") == MODEL]
    return {s.name + s.labels.get("finished_reason", "") + s.labels.get("le", ""): s.value for s in samples}


def test_metrics_count_what_was_done(tenant, vllm):
    assert metrics(tenant)["vllm:generation_tokens_total"] == 0
    whole, capped = ask(vllm).usage, ask(vllm, max_tokens=3).usage
    list(ask(vllm, stream=True, max_tokens=4))
    counted = metrics(tenant)
    assert counted["vllm:prompt_tokens_total"] == whole.prompt_tokens * 3
    assert counted["vllm:generation_tokens_total"] == whole.completion_tokens + capped.completion_tokens + 4
    assert (counted["vllm:request_success_totalstop"], counted["vllm:request_success_totallength"]) == (1, 2)
    assert counted["vllm:e2e_request_latency_seconds_count"] == 3
    assert counted["vllm:time_to_first_token_seconds_count"] == 1
    assert counted["vllm:e2e_request_latency_seconds_bucket+Inf"] == 3


def test_metrics_show_a_running_request_and_its_abort(tenant, vllm):
    tenant.lab("tenant", {"pace": 1.0})
    with ask(vllm, "Write a long story.", stream=True) as stream:
        next(iter(stream))
        during = metrics(tenant)
    assert during["vllm:num_requests_running"] == 1 and 0 < during["vllm:kv_cache_usage_perc"] < 1
    wait_until(lambda: metrics(tenant)["vllm:num_requests_running"] == 0)
    assert metrics(tenant)["vllm:request_success_totalabort"] == 1


def wait_until(happened, seconds=5.0):
    import time

    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
