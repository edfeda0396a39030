"""vLLM, Ollama and TGI under their prefixes of the main port, through the clients that people use for them."""

import json
from operator import mul

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from labkit import registry, tokens
from labkit.server.prompt import FRAME

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
    assert text == "<|im_start|>user<|im_sep|>What is an API?<|im_end|><|im_start|>assistant<|im_sep|>"


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
        for _ in range(3):
            next(stream)
        during = metrics(tenant)
    assert during["vllm:num_requests_running"] == 1 and 0 < during["vllm:kv_cache_usage_perc"] < 1
    assert during["vllm:generation_tokens_total"] >= 2
    wait_until(lambda: metrics(tenant)["vllm:num_requests_running"] == 0)
    assert metrics(tenant)["vllm:generation_tokens_total"] >= during["vllm:generation_tokens_total"]
    assert metrics(tenant)["vllm:request_success_totalabort"] == 1


def wait_until(happened, seconds=5.0):
    import time

    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


# --- Ollama ---


def native(tenant, path, **body):
    """A call of Ollama's own API that does not stream; its JSON."""
    answer = post(tenant, f"/ollama/api/{path}", {"model": MODEL, "stream": False} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


GREEDY = {"temperature": 0}


def test_ollama_chat_streams_lines_by_default(tenant):
    answer = post(tenant, "/ollama/api/chat", {"model": MODEL, "messages": QUESTION, "options": GREEDY})
    assert answer.headers["content-type"] == "application/x-ndjson"
    *pieces, last = lines(answer)
    whole = native(tenant, "chat", messages=QUESTION, options=GREEDY)
    assert "".join(p["message"]["content"] for p in pieces) == whole["message"]["content"]
    assert len(pieces) > 3 and not any(p["done"] for p in pieces)
    assert last["done"] and last["done_reason"] == "stop" and last["message"]["content"] == ""


def test_ollama_durations_are_nanoseconds_and_add_up(tenant):
    whole = native(tenant, "chat", messages=QUESTION)
    parts = sum(whole[f"{name}_duration"] for name in ("load", "prompt_eval", "eval"))
    assert 1e5 < whole["total_duration"] < 1e10 and parts == pytest.approx(whole["total_duration"], abs=2)
    assert whole["eval_count"] == tenant.last()["usage"]["output"]
    assert whole["prompt_eval_count"] == tenant.last()["usage"]["input"]


def test_ollama_options(tenant):
    capped = native(tenant, "chat", messages=QUESTION, options={"num_predict": 4})
    assert (capped["eval_count"], capped["done_reason"]) == (4, "length")
    counting = [{"role": "user", "content": "Count from 1 to 20."}]
    stopped = native(tenant, "chat", messages=counting, options={"stop": ["7"]} | GREEDY)
    assert "6" in stopped["message"]["content"] and "7" not in stopped["message"]["content"]
    seeded = {native(tenant, "chat", messages=QUESTION, options={"seed": 5})["message"]["content"] for _ in range(3)}
    assert len(seeded) == 1
    greedy = native(tenant, "chat", messages=QUESTION, options=GREEDY)["message"]["content"]
    assert native(tenant, "chat", messages=QUESTION, options={"top_k": 1})["message"]["content"] == greedy


def test_ollama_samples_more_narrowly_than_openai_unless_told(tenant):
    """Its defaults are temperature 0.8, top_k 40, top_p 0.9."""
    plain = native(tenant, "chat", messages=QUESTION, options={"seed": 1})
    spelt = native(
        tenant, "chat", messages=QUESTION, options={"seed": 1, "temperature": 0.8, "top_k": 40, "top_p": 0.9}
    )
    assert plain["message"] == spelt["message"]


def test_ollama_generate_and_its_context(tenant):
    first = native(tenant, "generate", prompt="What is an API?", system="Be brief.", options=GREEDY)
    assert first["response"] and isinstance(first["context"][0], int)
    second = native(tenant, "generate", prompt="Why?", context=first["context"], options=GREEDY)
    grown = first["prompt_eval_count"] + first["eval_count"] + tokens.count("Why?") + 2 * FRAME
    assert second["prompt_eval_count"] == grown
    *pieces, last = lines(post(tenant, "/ollama/api/generate", {"model": MODEL, "prompt": "hi", "options": GREEDY}))
    assert "".join(p["response"] for p in pieces) and last["done"] and last["context"]


def test_ollama_forgets_what_does_not_fit_its_window(tenant):
    history = [{"role": "user", "content": f"Message {n}. " + "word " * 100} for n in range(20)]
    messages = [{"role": "system", "content": "Be brief."}, *history]
    small = native(tenant, "chat", messages=messages, options={"num_ctx": 512, "num_predict": 1})
    large = native(tenant, "chat", messages=messages, options={"num_ctx": 8_192, "num_predict": 1})
    assert small["prompt_eval_count"] <= 512 < 2_000 < large["prompt_eval_count"]
    alone = [{"role": "user", "content": "word " * 3_000}]
    cut = native(tenant, "chat", messages=alone, options={"num_ctx": 256, "num_predict": 1})
    assert cut["prompt_eval_count"] == pytest.approx(256, abs=2)


def test_ollama_format_json(tenant):
    asked = [{"role": "user", "content": "List three primary colours as JSON."}]
    json.loads(native(tenant, "chat", messages=asked, format="json")["message"]["content"])


def test_ollama_format_schema(tenant):
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    schema |= {"required": ["name", "age"]}
    asked = [{"role": "user", "content": "Ada is 36 years old."}]
    shaped = json.loads(native(tenant, "chat", messages=asked, format=schema)["message"]["content"])
    assert isinstance(shaped["age"], int) and set(shaped) == {"name", "age"}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_ollama_tools_have_object_arguments_and_no_ids(tenant):
    asked = [{"role": "user", "content": "What is the weather in Paris?"}]
    said = native(tenant, "chat", messages=asked, tools=[WEATHER], options=GREEDY)["message"]
    (call,) = said["tool_calls"]
    assert call["function"]["name"] == "get_weather" and "city" in call["function"]["arguments"]
    result = {"role": "tool", "tool_name": "get_weather", "content": "22 degrees and sunny"}
    answered = native(tenant, "chat", messages=[*asked, said, result], tools=[WEATHER], options=GREEDY)
    assert "22" in answered["message"]["content"]
    body = {"model": MODEL, "messages": asked, "tools": [WEATHER], "options": GREEDY}
    streamed = lines(post(tenant, "/ollama/api/chat", body))
    assert [p["message"]["tool_calls"] for p in streamed if "tool_calls" in p["message"]] == [[call]]


def test_ollama_embeds_one_text_or_many(tenant):
    texts = ["How do I read a CSV file?", "Reading a CSV file", "A poem about the sea"]
    many = post(tenant, "/ollama/api/embed", {"model": MODEL, "input": texts}).json()
    first, near, far = many["embeddings"]
    assert sum(x * x for x in first) == pytest.approx(1, abs=1e-5)
    assert sum(map(mul, first, near)) > sum(map(mul, first, far)) + 0.2
    assert many["prompt_eval_count"] == sum(map(tokens.count, texts)) == tenant.last()["usage"]["total"]
    one = post(tenant, "/ollama/api/embed", {"model": MODEL, "input": texts[0], "dimensions": 256}).json()
    assert len(one["embeddings"]) == 1 and len(one["embeddings"][0]) == 256
    older = post(tenant, "/ollama/api/embeddings", {"model": MODEL, "prompt": texts[0]}).json()
    assert older["embedding"] == first


def test_ollama_cuts_what_is_too_long_to_embed_unless_told_not_to(tenant):
    long = {"model": MODEL, "input": "word " * (registry.find(MODEL).context + 10)}
    assert post(tenant, "/ollama/api/embed", long).json()["prompt_eval_count"] == registry.find(MODEL).context
    refused = post(tenant, "/ollama/api/embed", long | {"truncate": False})
    assert refused.status_code == 400 and "context length" in refused.json()["error"]


def test_ollama_tags_and_show(tenant):
    rows = tenant.http.get("/ollama/api/tags").json()["models"]
    assert MODEL in {row["name"] for row in rows} and all(":" in row["name"] for row in rows)
    assert all(len(row["digest"]) == 64 and row["size"] > 1e9 for row in rows)
    shown = post(tenant, "/ollama/api/show", {"model": rows[0]["name"]}).json()
    architecture = shown["model_info"]["general.architecture"]
    assert shown["model_info"][f"{architecture}.context_length"] == registry.find(rows[0]["name"]).context
    assert "completion" in shown["capabilities"] and shown["details"]["quantization_level"] == "Q4_K_M"


def loaded(tenant):
    answer = tenant.http.get("/ollama/api/ps", headers={"authorization": f"Bearer {tenant.key}"})
    return [row["name"] for row in answer.json()["models"]]


def test_ollama_keeps_a_model_in_memory_for_a_while(tenant):
    assert loaded(tenant) == []
    native(tenant, "chat", messages=QUESTION, options={"num_predict": 1})
    assert loaded(tenant) == [MODEL]
    tenant.lab("tenant", {"clock": {"advance_s": 301}})
    assert loaded(tenant) == []
    assert native(tenant, "generate", keep_alive="10m")["done_reason"] == "load"
    tenant.lab("tenant", {"clock": {"advance_s": 301}})
    assert loaded(tenant) == [MODEL]
    assert native(tenant, "generate", keep_alive=0)["done_reason"] == "unload"
    assert loaded(tenant) == []


def test_ollama_loading_takes_time_once(tenant):
    tenant.lab("tenant", {"pace": 0.1})
    cold, warm = (native(tenant, "chat", messages=QUESTION, options={"num_predict": 1}) for _ in range(2))
    assert cold["load_duration"] > 5e7 > 1e7 > warm["load_duration"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "model is required"),
        ({"model": "nobody:1b", "messages": QUESTION}, 404, "model 'nobody:1b' not found"),
        ({"options": {"num_predict": "x"}}, 400, 'option "num_predict" must be of type integer'),
        ({"options": {"temperature": True}}, 400, 'option "temperature" must be of type float32'),
        ({"options": {"stop": "x"}}, 400, 'option "stop" must be of type array'),
        ({"options": {"repeat_penalty": 1.3}}, 400, "The lab server does not serve options.repeat_penalty."),
        ({"messages": "hi"}, 400, "json: cannot unmarshal string into Go struct field messages of type array"),
        ({"format": "xml"}, 400, "invalid format"),
        ({"think": True}, 400, f'"{MODEL}" does not support thinking'),
        ({"keep_alive": "soon"}, 400, "time: invalid duration"),
    ],
)
def test_ollama_errors_are_one_string(tenant, body, status, said):
    sent = {"model": MODEL, "messages": QUESTION} | body if body else {}
    answer = post(tenant, "/ollama/api/chat", sent)
    assert answer.status_code == status and set(answer.json()) == {"error"}
    assert said in answer.json()["error"]


def test_ollama_says_what_is_not_there(tenant):
    assert tenant.http.get("/ollama/").text == "Ollama is running"
    assert "does not serve /api/pull" in post(tenant, "/ollama/api/pull", {"model": "x"}).json()["error"]
    assert tenant.http.get("/ollama/api/nothing").status_code == 404


def test_ollama_error_inside_a_stream(tenant):
    tenant.lab("faults", {"kind": "error_event", "next": 1, "after": 2})
    *pieces, last = lines(post(tenant, "/ollama/api/chat", {"model": MODEL, "messages": QUESTION}))
    assert len(pieces) == 2 and last == {"error": "Overloaded"}


def test_ollama_speaks_openai_too_and_ignores_n(tenant):
    with openai.OpenAI(api_key="ollama", base_url=f"{tenant.url}/ollama/v1", max_retries=0) as client:
        assert len(ask(client, n=3).choices) == 1
        assert MODEL in {m.id for m in client.models.list()}
        with pytest.raises(openai.NotFoundError, match="not found") as missing:
            ask(client, model="nobody:1b")
    assert missing.value.type == "not_found_error"


# --- TGI ---


def generate(tenant, inputs="What is an API?", **parameters):
    answer = post(tenant, "/tgi/generate", {"inputs": inputs, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def generate_stream(tenant, inputs="What is an API?", **parameters):
    answer = post(tenant, "/tgi/generate_stream", {"inputs": inputs, "parameters": parameters})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data:")) for line in answer.text.splitlines() if line]


def test_tgi_is_greedy_unless_it_samples(tenant):
    greedy = {generate(tenant)["generated_text"] for _ in range(3)}
    assert len(greedy) == 1
    sampled = {generate(tenant, temperature=1.8, seed=n)["generated_text"] for n in range(4)}
    assert len(sampled) > 1
    assert generate(tenant, do_sample=True, seed=4) == generate(tenant, do_sample=True, seed=4)


def test_tgi_details_tell_every_token(tenant):
    answer = generate(tenant, details=True, max_new_tokens=8, top_n_tokens=2, seed=1)
    told = answer["details"]
    assert (told["finish_reason"], told["generated_tokens"], told["seed"]) == ("length", 8, 1)
    assert "".join(t["text"] for t in told["tokens"]) == answer["generated_text"]
    assert [t["id"] for t in told["tokens"]] == [top[0]["id"] for top in told["top_tokens"]]
    assert all(t["logprob"] <= 0 for t in told["tokens"])


def test_tgi_stream_ends_with_the_whole_text(tenant):
    *tokens_before, last = generate_stream(tenant)
    assert last["generated_text"] == generate(tenant)["generated_text"]
    events = [*tokens_before, last]
    assert "".join(e["token"]["text"] for e in events) == last["generated_text"]
    assert [e["index"] for e in events] == list(range(1, len(events) + 1))
    assert last["details"]["finish_reason"] == "eos_token" and tokens_before[0]["generated_text"] is None


@pytest.mark.parametrize("stop", ["7", " 7, 8"])
def test_tgi_keeps_the_stop_sequence_in_the_text(tenant, stop):
    answer = generate(tenant, "Count from 1 to 20.", stop=[stop], details=True)
    assert answer["generated_text"].endswith(stop) and answer["details"]["finish_reason"] == "stop_sequence"
    events = generate_stream(tenant, "Count from 1 to 20.", stop=[stop])
    assert "".join(e["token"]["text"] for e in events) == events[-1]["generated_text"] == answer["generated_text"]
    assert len(events) == events[-1]["details"]["generated_tokens"]


def test_tgi_reads_a_chat_template_and_can_echo(tenant):
    prompt = "<|im_start|>user\nWhat is an API?<|im_end|>\n<|im_start|>assistant\n"
    assert generate(tenant, prompt)["generated_text"] == generate(tenant)["generated_text"]
    assert generate(tenant, prompt, return_full_text=True)["generated_text"].startswith(prompt)
    listed = post(tenant, "/tgi/", {"inputs": "What is an API?"}).json()
    assert listed == [generate(tenant)]


@pytest.mark.parametrize(
    ("inputs", "parameters", "said"),
    [
        ("", {}, "`inputs` cannot be empty"),
        ("x", {"temperature": 0}, "`temperature` must be strictly positive"),
        ("x", {"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ("x", {"stop": list("abcde")}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ("x", {"max_new_tokens": 10**9}, "`inputs` tokens + `max_new_tokens` must be <="),
        ("x", {"top_k": "many"}, "expected integer"),
        ("x", {"repetition_penalty": 1.2}, "does not serve repetition_penalty"),
    ],
)
def test_tgi_refuses_in_its_own_words(tenant, inputs, parameters, said):
    answer = post(tenant, "/tgi/generate", {"inputs": inputs, "parameters": parameters})
    assert answer.status_code == 422 and said in answer.json()["error"]
    assert answer.json()["error_type"] == "validation"


def test_tgi_overloaded_is_429(tenant):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1}})
    generate(tenant)
    answer = post(tenant, "/tgi/generate", {"inputs": "x"})
    assert (answer.status_code, answer.json()["error_type"]) == (429, "overloaded")


def test_tgi_serves_one_model_by_any_name(tenant):
    with openai.OpenAI(api_key=tenant.key, base_url=f"{tenant.url}/tgi/v1", max_retries=0) as client:
        assert ask(client, model="tgi").choices[0].message.content
    info = tenant.http.get("/tgi/info").json()
    assert info["model_id"] == tenant.last()["model"] == registry.model("self-hosted", "standard")
    assert tenant.http.get("/tgi/health").content == b""
