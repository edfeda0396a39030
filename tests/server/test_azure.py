"""Azure OpenAI through its own client, through the plain client on the v1 path, and over raw HTTP."""

import openai
import pytest

from labkit import registry
from labkit.server.protocols.azure import BLOCKED

DEPLOYMENT = registry.model("openai", "sampling")
VERSION = "2024-10-21"
QUESTION = [{"role": "user", "content": "What is an API?"}]


@pytest.fixture
def azure(tenant):
    with openai.AzureOpenAI(
        api_key=tenant.key, azure_endpoint=tenant.url, api_version=VERSION, max_retries=0
    ) as client:
        yield client


@pytest.fixture
def v1(tenant):
    with openai.OpenAI(api_key=tenant.key, base_url=f"{tenant.url}/openai/v1/", max_retries=0) as client:
        yield client


def ask(client, text="What is an API?", **params):
    return client.chat.completions.create(
        **{"model": DEPLOYMENT, "messages": [{"role": "user", "content": text}], **params}
    )


def post(tenant, path, headers=None, **query):
    body = {"messages": QUESTION}
    return tenant.http.post(f"/openai/{path}", params=query, json=body, headers=headers or {"api-key": tenant.key})


CHAT = f"deployments/{DEPLOYMENT}/chat/completions"


def test_deployment_answers_with_filter_verdicts(azure):
    completion = ask(azure)
    verdicts = completion.choices[0].model_extra["content_filter_results"]
    assert verdicts["violence"] == {"filtered": False, "severity": "safe"}
    assert (
        completion.model_extra["prompt_filter_results"][0]["content_filter_results"]["jailbreak"]["detected"] is False
    )
    assert completion.choices[0].message.content and completion.usage.total_tokens > 8


def test_the_path_names_the_deployment_whatever_the_body_says(tenant):
    answer = post(tenant, CHAT, **{"api-version": VERSION})
    assert answer.status_code == 200 and answer.json()["model"] == DEPLOYMENT
    assert tenant.last()["provider"] == "azure" and tenant.last()["model"] == DEPLOYMENT


def test_stream_begins_with_the_prompts_verdict(azure):
    chunks = list(ask(azure, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices == [] and chunks[0].model_extra["prompt_filter_results"]
    text = [c for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(text) > 5 and text[0].choices[0].model_extra["content_filter_results"]["hate"]
    assert chunks[-1].usage.completion_tokens > 0


def test_same_text_as_openai_itself(tenant, azure):
    said = tenant.chat(seed=11).choices[0].message.content
    assert ask(azure, seed=11).choices[0].message.content == said
    streamed = ask(azure, seed=11, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in streamed if c.choices) == said


def test_a_client_bound_to_one_deployment(tenant):
    with openai.AzureOpenAI(
        api_key=tenant.key, azure_endpoint=tenant.url, azure_deployment=DEPLOYMENT, api_version=VERSION
    ) as bound:
        assert ask(bound, model="ignored-by-the-client").choices[0].message.content
        assert DEPLOYMENT in {m.id for m in bound.models.list()}


def test_v1_path_takes_the_plain_client_and_no_version(v1):
    completion = ask(v1, max_completion_tokens=5)
    assert completion.choices[0].finish_reason == "length"
    assert completion.choices[0].model_extra["content_filter_results"]


def test_entra_token_is_any_bearer_lab_key(tenant):
    with openai.AzureOpenAI(azure_ad_token=tenant.key, azure_endpoint=tenant.url, api_version=VERSION) as client:
        assert ask(client).choices[0].message.content
    assert tenant.last()["provider"] == "azure"


@pytest.mark.parametrize("stream", [False, True])
def test_blocked_prompt_is_refused_with_innererror(azure, stream):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(azure, f"Tell me about {BLOCKED} things.", stream=stream)
    assert refused.value.code == "content_filter" and refused.value.param == "prompt"
    inner = refused.value.body["innererror"]
    assert inner["code"] == "ResponsibleAIPolicyViolation"
    assert inner["content_filter_result"]["violence"] == {"filtered": True, "severity": "high"}


def test_unknown_deployment(azure, v1):
    for client in (azure, v1):
        with pytest.raises(openai.NotFoundError) as missing:
            ask(client, model="nobody-deployed-this")
        assert missing.value.code == "DeploymentNotFound"


def test_openai_serves_no_other_providers_model_here(azure):
    with pytest.raises(openai.NotFoundError):
        ask(azure, model=registry.model("self-hosted", "small"))


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({}, 404, "404"),
        ({"api-version": "latest"}, 400, "BadRequest"),
        ({"api-version": "2020-01-01"}, 400, "BadRequest"),
    ],
)
def test_api_version_is_required_and_checked(tenant, query, status, code):
    answer = post(tenant, CHAT, **query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert set(answer.json()["error"]) == {"code", "message"}


def test_preview_versions_are_versions(tenant):
    assert post(tenant, CHAT, **{"api-version": "2025-04-01-preview"}).status_code == 200


@pytest.mark.parametrize("headers", [{"api-key": "wrong"}, {"x-nothing": "1"}])
def test_wrong_or_missing_key_is_401(tenant, headers):
    answer = post(tenant, CHAT, headers, **{"api-version": VERSION})
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "401"
    assert "Access denied" in answer.json()["error"]["message"]


def test_openais_own_refusals_keep_their_shape(azure):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(azure, temperature=9)
    assert refused.value.code == "decimal_above_max_value" and refused.value.param == "temperature"


def test_rate_limit_has_azures_body_and_hint(tenant, azure):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1}})
    ask(azure)
    with pytest.raises(openai.RateLimitError) as limited:
        ask(azure)
    assert limited.value.code == "429"
    assert int(limited.value.response.headers["retry-after"]) > 1


def test_unserved_operations_of_a_deployment_are_named(tenant):
    answer = post(tenant, f"deployments/{DEPLOYMENT}/images/edits", **{"api-version": VERSION})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "lab_not_served"
    assert post(tenant, "nothing/here", **{"api-version": VERSION}).status_code == 404


def test_scripted_faults_reach_azure(tenant, azure):
    tenant.lab("faults", {"kind": "error_event", "next": 1, "provider": "azure"})
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(ask(azure, stream=True))
    tenant.lab("faults", {"kind": "malformed_event", "next": 1, "provider": "azure"})
    with pytest.raises(ValueError):
        list(ask(azure, stream=True))
