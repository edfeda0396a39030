"""Bad input over raw HTTP: every refusal has the provider's own shape, none is ours, and the server goes on."""

import httpx
import pytest

from labkit import registry

OPENAI = registry.model("openai", "sampling")
REASONING = registry.model("openai", "reasoning")
CLAUDE = registry.model("anthropic", "small")
GEMINI = registry.model("gemini", "small")
HI = [{"role": "user", "content": "hi"}]


def chat(tenant, body, **headers):
    headers = headers or {"authorization": f"Bearer {tenant.key}"}
    content = body if isinstance(body, bytes) else None
    json = None if content is not None else {"model": OPENAI, "messages": HI} | body
    return tenant.http.post("/v1/chat/completions", json=json, content=content, headers=headers)


def claude(tenant, body, version="2026-10-21", **headers):
    headers = headers or {"x-api-key": tenant.key, "anthropic-version": version}
    content = body if isinstance(body, bytes) else None
    json = None if content is not None else {"model": CLAUDE, "max_tokens": 50, "messages": HI} | body
    return tenant.http.post("/v1/messages", json=json, content=content, headers=headers)


def gemini(tenant, body, path=f"/v1/models/{GEMINI}:generateContent", **headers):
    headers = headers or {"x-goog-api-key": tenant.key}
    content = body if isinstance(body, bytes) else None
    json = None if content is not None else {"contents": [{"parts": [{"text": "hi"}]}]} | body
    return tenant.http.post(path, json=json, content=content, headers=headers)


OPENAI_BAD = [
    ({"temperature": 9}, "temperature", "decimal_above_max_value"),
    ({"temperature": "hot"}, "temperature", "invalid_type"),
    ({"temperature": -0.1}, "temperature", "decimal_below_min_value"),
    ({"top_p": 1.2}, "top_p", "decimal_above_max_value"),
    ({"max_completion_tokens": 0}, "max_completion_tokens", "integer_below_min_value"),
    ({"max_completion_tokens": 10**9}, "max_completion_tokens", "invalid_value"),
    ({"max_completion_tokens": 2.5}, "max_completion_tokens", "invalid_type"),
    ({"max_completion_tokens": True}, "max_completion_tokens", "invalid_type"),
    ({"max_tokens": 5, "model": REASONING}, "max_tokens", "unsupported_parameter"),
    ({"temperature": 0.8, "model": REASONING}, "temperature", "unsupported_value"),
    ({"logprobs": True, "model": REASONING}, "logprobs", "unsupported_parameter"),
    ({"n": 0}, "n", "integer_below_min_value"),
    ({"n": 1000}, "n", "integer_above_max_value"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "array_above_max_length"),
    ({"stop": [1]}, "stop[0]", "invalid_type"),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": None}, "messages", "missing_required_parameter"),
    ({"messages": "hi"}, "messages", "invalid_type"),
    ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
    ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
    ({"messages": [{"role": "user", "content": [{"type": "txt"}]}]}, "messages[0].content[0].type", "invalid_value"),
    ({"model": None}, "model", "missing_required_parameter"),
    ({"model": 7}, "model", "invalid_type"),
    ({"top_logprobs": 5}, "top_logprobs", None),
    ({"logit_bias": {"cat": 1}}, "logit_bias", "invalid_logit_bias"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5", "decimal_above_max_value"),
    ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
    ({"stream_options": {"foo": 1}}, "stream_options.foo", "unknown_parameter"),
    ({"foo": 1}, "foo", "unknown_parameter"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.name", "missing_required_parameter"),
    ({"response_format": {"type": "json_object"}}, "messages", None),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    ({"tools": [{"type": "function"}]}, "tools[0].function.name", "missing_required_parameter"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name", "invalid_value"),
    ({"tool_choice": "required"}, "tool_choice", None),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
    ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "y"}]}, "messages[0].role", None),
    ({"functions": [{"name": "f"}]}, "functions (the old form of tools)", "lab_not_served"),
]


@pytest.mark.parametrize(("body", "param", "code"), OPENAI_BAD)
def test_openai_refuses_with_param_and_code(tenant, body, param, code):
    answer = chat(tenant, body)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"].endswith((".", "!"))


def test_openai_context_exceeded(tenant):
    small = min((m for m in registry.models("openai", kind="chat")), key=lambda m: m.context)
    text = "word " * (small.context + 10)
    answer = chat(tenant, {"model": small.id, "messages": [{"role": "user", "content": text}]})
    assert answer.json()["error"]["code"] == "context_length_exceeded"


ANTHROPIC_BAD = [
    ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"max_tokens": 10**9}, "max_tokens: 1000000000 > "),
    ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": [{"role": "bot", "content": "x"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: text content blocks must be non-empty"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type: Field required"),
    ({"temperature": 1}, "temperature: Extra inputs are not permitted"),
    ({"foo": 1}, "foo: Extra inputs are not permitted"),
    ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    ({"stop_sequences": ["  "]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    ({"thinking": {"type": "loud"}}, "thinking.type: Input should be "),
    ({"system": 5}, "system: Input should be a valid string or list"),
    ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be 'low' or "),
]


@pytest.mark.parametrize(("body", "message"), ANTHROPIC_BAD)
def test_anthropic_refuses_with_a_path_and_a_sentence(tenant, body, message):
    answer = claude(tenant, body)
    error = answer.json()
    assert answer.status_code == 400
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert error["error"]["message"].startswith(message)
    assert error["request_id"] == answer.headers["request-id"]


def test_anthropic_temperature_range_under_the_old_version(tenant):
    old = {"model": registry.model("anthropic", "sampling"), "temperature": 1.5}
    message = claude(tenant, old, version="2023-06-01").json()["error"]["message"]
    assert message == "temperature: Input should be less than or equal to 1"


@pytest.mark.parametrize("version", [None, "2020-01-01", ""])
def test_anthropic_insists_on_a_version(tenant, version):
    headers = {"x-api-key": tenant.key} | ({} if version is None else {"anthropic-version": version})
    answer = claude(tenant, {}, **headers)
    assert answer.status_code == 400 and "anthropic-version" in answer.json()["error"]["message"]


GEMINI_BAD = [
    ({"generationConfig": {"temperature": 9}}, "temperature must be at most 2"),
    ({"generationConfig": {"temperature": "hot"}}, "Invalid value at 'generation_config.temperature' (TYPE_FLOAT)"),
    ({"generationConfig": {"maxOutputTokens": 0}}, "maxOutputTokens must be at least 1"),
    ({"generationConfig": {"maxOutputTokens": 10**8}}, "maxOutputTokens must be at most"),
    ({"generationConfig": {"stopSequences": list("abcdef")}}, "the number of stopSequences must be at most 5"),
    ({"generationConfig": {"foo": 1}}, "Unknown name \"foo\" at 'generationConfig': Cannot find field."),
    ({"foo": 1}, 'Invalid JSON payload received. Unknown name "foo": Cannot find field.'),
    ({"contents": []}, "contents must not be empty"),
    ({"contents": None}, "contents is not specified"),
    ({"contents": [{"role": "bot", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
    ({"contents": [{"parts": []}]}, "parts must not be empty"),
    ({"contents": [{"parts": [{"text": 5}]}]}, "Invalid value at"),
    ({"contents": 7}, "Invalid value at 'contents'"),
]


@pytest.mark.parametrize(("body", "message"), GEMINI_BAD)
def test_gemini_refuses_with_invalid_argument(tenant, body, message):
    answer = gemini(tenant, body)
    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 400
    assert error["status"] == "INVALID_ARGUMENT"
    assert message in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a":' * 40_000, b'{"model": NaN}'])
@pytest.mark.parametrize("call", [chat, claude, gemini])
def test_a_body_that_is_no_json_object(tenant, call, body):
    answer = call(tenant, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(("call", "kind"), [(chat, "type"), (claude, "type"), (gemini, "status")])
def test_a_body_of_50_mb_is_413_in_the_providers_shape(tenant, call, kind):
    answer = call(tenant, b"x" * (50 * 2**20))
    assert answer.status_code == 413
    assert answer.json()["error"][kind] in ("invalid_request_error", "request_too_large", "INVALID_ARGUMENT")


KEYS = [
    (chat, {"authorization": "Bearer sk-wrong"}, "invalid_request_error"),
    (chat, {"authorization": "lab-without-scheme"}, "invalid_request_error"),
    (claude, {"x-api-key": "wrong", "anthropic-version": "2026-10-21"}, "authentication_error"),
    (claude, {"anthropic-version": "2026-10-21"}, "authentication_error"),
]


@pytest.mark.parametrize(("call", "headers", "kind"), KEYS)
def test_a_wrong_or_missing_key_is_401(tenant, call, headers, kind):
    answer = call(tenant, {}, **headers)
    error = answer.json()["error"]
    assert answer.status_code == 401
    assert kind in (error.get("type"), error.get("status"))
    assert "sk-wrong" not in answer.text


def test_gemini_answers_a_wrong_key_with_400_and_a_missing_one_with_403_as_the_real_one_does(tenant):
    wrong = gemini(tenant, {}, **{"x-goog-api-key": "wrong"}).json()["error"]
    assert (wrong["code"], wrong["status"], wrong["details"][0]["reason"]) == (
        400,
        "INVALID_ARGUMENT",
        "API_KEY_INVALID",
    )
    missing = gemini(tenant, {}, **{"accept": "application/json"}).json()["error"]
    assert (missing["code"], missing["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/chat/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/models/no-such-model", 404),
        ("POST", "/v1/models/no-such-model:generateContent", 404),
        ("POST", "/v1beta/models", 405),
        ("GET", "/v1/messages", 405),
        ("GET", "/v1/chat/../../etc/passwd", 404),
    ],
)
def test_unknown_paths_and_methods(tenant, method, path, status):
    headers = {"authorization": f"Bearer {tenant.key}", "anthropic-version": "2026-10-21"} if "messages" in path else {}
    headers = headers or (
        {"x-goog-api-key": tenant.key} if ":" in path or "beta" in path else {"authorization": f"Bearer {tenant.key}"}
    )
    body = {"contents": "hi"} if method == "POST" else None
    answer = tenant.http.request(method, path, headers=headers, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["no-such-model", "gemini", "", "../../etc", "x" * 5_000])
def test_unknown_models_are_404_everywhere(tenant, model):
    assert chat(tenant, {"model": model}).status_code in (400, 404)
    assert claude(tenant, {"model": model}).status_code in (400, 404)
    assert (
        gemini(
            tenant,
            {},
            path=f"/v1/models/{httpx.URL('/').copy_with(path='/' + model[:200]).path[1:] or 'x'}:generateContent",
        ).status_code
        == 404
    )


def test_foreign_host_and_origin_are_refused(tenant):
    key = {"authorization": f"Bearer {tenant.key}"}
    assert tenant.http.get("/v1/models", headers=key | {"host": "evil.example"}).status_code == 403
    assert tenant.http.get("/v1/models", headers=key | {"origin": "https://evil.example"}).status_code == 403
    assert tenant.http.get("/v1/models", headers=key | {"origin": "http://localhost:8888"}).status_code == 200


def test_the_server_goes_on_and_says_no_500(tenant):
    entries = tenant.lab("journal")["entries"]
    assert chat(tenant, {}).status_code == 200
    assert all(e["status"] < 500 for e in entries)
