"""Whatever is sent to the embedding, moderation, file and batch routes, the answer is a 200 or a refusal."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit import registry

EMBEDDING, GEMINI = registry.model("openai", "embedding"), registry.model("gemini", "embedding")
NAMES = [
    "model",
    "input",
    "dimensions",
    "encoding_format",
    "custom_id",
    "params",
    "requests",
    "batch",
    "inputConfig",
    "file_name",
    "request",
    "metadata",
    "content",
    "parts",
    "text",
    "outputDimensionality",
    "taskType",
    "endpoint",
    "input_file_id",
    "completion_window",
    "file",
    "name",
    "sizeBytes",
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


def body(**usual: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A body that is right but for a few fields."""
    changes = st.dictionaries(st.sampled_from([*usual, *NAMES]), values, max_size=2)
    return changes.map(lambda changed: {**usual, **changed})


text = {"parts": [{"text": "x"}]}
params = {"model": registry.model("anthropic"), "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
item = st.builds(lambda key, changed: {"custom_id": key, "params": {**params, **changed}}, st.text(max_size=8), body())
OPENAI, CLAUDE, GOOGLE = "authorization", "anthropic-version", "x-goog-api-key"
start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
ROUTES = [
    ("/v1/embeddings", {}, body(model=EMBEDDING, input="x")),
    ("/v1/moderations", {}, body(input="x")),
    ("/v1/batches", {}, body(endpoint="/v1/embeddings", completion_window="24h", input_file_id="file-x")),
    ("/v1/messages/batches", {CLAUDE: "2026-10-21"}, st.lists(item, max_size=3).map(lambda i: {"requests": i})),
    (f"/v1beta/models/{GEMINI}:embedContent", {}, body(content=text)),
    (f"/v1beta/models/{GEMINI}:batchEmbedContents", {}, body(requests=[{"content": text}])),
    (
        f"/v1beta/models/{registry.model('gemini')}:batchGenerateContent",
        {},
        st.lists(body(request={"contents": [text]}), max_size=3).map(
            lambda items: {"batch": {"inputConfig": {"requests": {"requests": items}}}}
        ),
    ),
    ("/upload/v1beta/files", start, body(name="files/a").map(lambda file: {"file": file})),
]


@pytest.mark.parametrize(("path", "headers", "bodies"), ROUTES, ids=[path for path, _, _ in ROUTES])
def test_no_body_is_answered_with_a_5xx(tenant, path, headers, bodies):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies)
    def ask(sent):
        raw = json.dumps(sent).encode()  # with NaN and lone surrogates, as a careless client would
        answer = tenant.http.post(path, content=raw, headers={OPENAI: f"Bearer {tenant.key}", **headers})
        assert answer.status_code < 500, answer.text

    ask()
    tenant.lab("tenant", {"clock": {"advance_s": 90_000}})
    for listed, more in (
        ("/v1/batches", {}),
        ("/v1/messages/batches", {CLAUDE: "2026-10-21"}),
        ("/v1beta/batches", {}),
    ):
        answer = tenant.http.get(listed, headers={OPENAI: f"Bearer {tenant.key}", **more})
        assert answer.status_code == 200, answer.text


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(form=st.lists(st.sampled_from([b"--X", b"\r\n", b"\r\n\r\n", b'name="file"', b": ", b"--", b"x"])).map(b"".join))
def test_no_form_is_answered_with_a_5xx(tenant, form):
    headers = {OPENAI: f"Bearer {tenant.key}", "content-type": "multipart/form-data; boundary=X"}
    assert tenant.http.post("/v1/files", content=form, headers=headers).status_code < 500
