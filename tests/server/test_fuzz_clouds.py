"""Whatever JSON reaches Azure, Bedrock and the self-hosted servers, the answer is theirs: never a 5xx, never a hang."""

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit import registry
from labkit.server.protocols import bedrock_converse, bedrock_request, ollama_request, tgi_request, vllm

CLAUDE = registry.model("bedrock", "sampling")
LLAMA = next(m.id for m in registry.models("bedrock") if m.id.startswith("meta."))
WEIGHTS = registry.model("self-hosted", "small")
SAID = [{"role": "user", "content": "hi"}]
CONVERSATION = [{"role": "user", "content": [{"text": "hi"}]}]

small = st.sampled_from([0, 1, 2, -1, 0.5, "1", "json", [], {}, None, True, "user", "text", 1e308, 2**70, 200_264])
keys = st.sampled_from(
    ["role", "content", "type", "text", "toolUse", "toolSpec", "cachePoint", "function", "name", "tools", "converse"]
    + ["invokeModel", "body", "num_ctx", "num_predict", "temperature", "stop", "maxTokens", "properties", "input"]
)
values = st.recursive(
    small | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


CHAT = [*bedrock_request.CONVERSE, "model", "stop", "tools", "top_k", "min_p", "n", "logit_bias", "response_format"]
CASES = {
    f"/openai/deployments/{registry.model('openai', 'sampling')}/chat/completions?api-version=2024-10-21": (
        CHAT,
        {"messages": SAID},
    ),
    f"/model/{CLAUDE}/converse": (list(bedrock_request.CONVERSE), {"messages": CONVERSATION}),
    f"/model/{CLAUDE}/converse-stream": (list(bedrock_request.CONVERSE), {"messages": CONVERSATION}),
    f"/model/{LLAMA}/invoke": (list(bedrock_request.LLAMA), {"prompt": "hi"}),
    f"/model/{CLAUDE}/count-tokens": (["input"], {"input": {"converse": {"messages": CONVERSATION}}}),
    "/vllm/v1/chat/completions": ([*CHAT, *vllm.UNSERVED], {"model": WEIGHTS, "messages": SAID}),
    "/vllm/tokenize": (list(vllm.TOKENIZE), {"prompt": "hi"}),
    "/vllm/detokenize": (list(vllm.DETOKENIZE), {"tokens": [1, 2]}),
    "/ollama/api/chat": (list(ollama_request.CHAT), {"model": WEIGHTS, "messages": SAID}),
    "/ollama/api/generate": (list(ollama_request.GENERATE), {"model": WEIGHTS, "prompt": "hi"}),
    "/ollama/api/show": (["model", "name"], {"model": WEIGHTS}),
    "/tgi/generate": (list(tgi_request.FIELDS), {"inputs": "hi"}),
    "/tgi/generate_stream": (list(tgi_request.FIELDS), {"inputs": "hi"}),
}
NESTED = {
    f"/model/{CLAUDE}/converse": ("inferenceConfig", list(bedrock_converse.INFERENCE), {"messages": CONVERSATION}),
    "/ollama/api/chat": ("options", list(ollama_request.DEFAULTS), {"model": WEIGHTS, "messages": SAID}),
    "/tgi/generate": ("parameters", list(tgi_request.PARAMETERS), {"inputs": "hi"}),
}
STRATEGIES = [
    *(
        (path, valid, st.dictionaries(st.sampled_from(names), values, max_size=3))
        for path, (names, valid) in CASES.items()
    ),
    *(
        (path, valid, st.fixed_dictionaries({field: st.dictionaries(st.sampled_from(names), values, max_size=3)}))
        for path, (field, names, valid) in NESTED.items()
    ),
]


@pytest.mark.parametrize(("path", "valid", "broken"), STRATEGIES, ids=[path for path, _, _ in STRATEGIES])
def test_no_body_breaks_the_server(lab_server, path, valid, broken):
    key = lab_server.key()
    sent = {"authorization": f"Bearer {key}", "api-key": key}
    with httpx.Client(base_url=lab_server.url, headers=sent, timeout=20) as http:

        @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(fields=broken)
        def refuse_or_answer(fields):
            answer = http.post(path, json=valid | fields)
            assert answer.status_code in (200, 400, 404, 413, 422, 429), (fields, answer.text)
            if answer.status_code != 200:
                assert answer.json().get("error") or answer.json()["message"]

        refuse_or_answer()
