"""Scripted trouble, seen by the real SDKs."""

import json

import anthropic
import httpx
import openai
import pytest
from google.genai import errors as genai_errors

from labkit import registry
from labkit.server.faults import REFUSALS, Fault

OPENAI = registry.model("openai", "sampling")
CLAUDE = registry.model("anthropic", "small")
GEMINI = registry.model("gemini", "small")
LONG = "Explain recursion in three sentences."
STATUS = {
    "context_exceeded": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "timeout": 408,
    "rate_limit": 429,
    "quota": 429,
    "server_error": 500,
    "bad_gateway": 502,
    "unavailable": 503,
    "gateway_timeout": 504,
    "overloaded": 529,
}


def ask_openai(tenant):
    return tenant.chat(LONG)


def ask_claude(tenant):
    ask = {"role": "user", "content": LONG}
    return tenant.anthropic.messages.create(model=CLAUDE, max_tokens=300, messages=[ask])


def ask_gemini(tenant):
    return tenant.genai.models.generate_content(model=GEMINI, contents=LONG)


CALLS = {"openai": ask_openai, "anthropic": ask_claude, "gemini": ask_gemini}
ERRORS = (openai.APIStatusError, anthropic.APIStatusError, genai_errors.APIError)


@pytest.mark.parametrize("provider", CALLS)
@pytest.mark.parametrize("kind", REFUSALS)
def test_refusals_have_the_providers_status_and_then_pass(tenant, provider, kind):
    tenant.lab("faults", {"kind": kind, "next": 1})
    with pytest.raises(ERRORS) as refusal:
        CALLS[provider](tenant)
    status = getattr(refusal.value, "status_code", None) or refusal.value.code
    assert status == (503 if (provider, kind) == ("gemini", "overloaded") else STATUS[kind])
    assert CALLS[provider](tenant)
    entries = tenant.lab("journal")["entries"]
    assert [e["fault"] for e in entries] == [kind, None]
    assert (entries[0]["cost_usd"], entries[0]["usage"]) == (0.0, {})


def test_triggers_count_and_draw_reproducibly():
    third = Fault("overloaded", every=3)
    assert [third.strikes(0.0) for _ in range(6)] == [False, False, True] * 2
    window = Fault("overloaded", start_s=10, end_s=20)
    assert [window.strikes(t) for t in (9.9, 10, 19.9, 20)] == [False, True, True, False]
    drawn = [[Fault("overloaded", rate=0.3, seed=8).strikes(0.0) for _ in range(1)] for _ in range(3)]
    assert drawn[0] == drawn[1] == drawn[2]
    often = Fault("overloaded", rate=0.3, seed=8)
    assert 220 < sum(often.strikes(0.0) for _ in range(1000)) < 380


def test_a_window_opens_and_closes_on_the_labs_clock(tenant):
    now = tenant.lab("tenant")["clock"]["now"]
    tenant.lab("faults", {"kind": "unavailable", "start_s": now, "end_s": now + 2_700})
    with pytest.raises(openai.InternalServerError):
        tenant.chat()
    tenant.lab("tenant", {"clock": {"advance_s": 2_700}})
    assert tenant.chat().choices


def test_a_fault_may_be_for_one_model_only(tenant):
    tenant.lab("faults", {"kind": "overloaded", "start_s": 0, "model": CLAUDE})
    assert tenant.chat().choices
    with pytest.raises(anthropic.APIStatusError):
        ask_claude(tenant)


def test_endings_are_the_providers_finish_reasons(tenant):
    tenant.lab("faults", {"kind": "content_filter", "start_s": 0, "after": 4})
    assert tenant.chat(LONG).choices[0].finish_reason == "content_filter"
    assert ask_claude(tenant).stop_reason == "refusal"
    assert ask_gemini(tenant).candidates[0].finish_reason == "SAFETY"


def test_a_refusal_stands_in_its_own_field_in_a_stream_too(tenant):
    tenant.lab("faults", {"kind": "refusal", "start_s": 0, "after": 4})
    message = tenant.chat(LONG, temperature=0).choices[0].message
    assert message.content is None and message.refusal
    chunks = list(tenant.chat(LONG, temperature=0, stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.refusal or "" for delta in deltas) == message.refusal
    assert not any(delta.content for delta in deltas) and chunks[-1].choices[0].finish_reason == "stop"


def test_a_refusal_of_the_responses_api_has_events_of_its_own(tenant):
    tenant.lab("faults", {"kind": "refusal", "start_s": 0, "after": 4})
    with tenant.openai.responses.stream(model=OPENAI, input=LONG) as stream:
        kinds = [event.type for event in stream]
        [part] = stream.get_final_response().output[0].content
    assert part.type == "refusal" and part.refusal
    assert kinds.count("response.refusal.delta") == 4 and "response.refusal.done" in kinds
    assert "response.output_text.delta" not in kinds


def stream_text(tenant, kind, **more):
    """What arrived of a stream under a fault, its last finish reason, and what was raised."""
    tenant.lab("faults", {"kind": kind, "next": 1, "after": 4, **more})
    arrived, finish = "", None
    try:
        for chunk in tenant.chat(LONG, stream=True, temperature=0):
            arrived += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason
    except Exception as error:
        return arrived, finish, error
    return arrived, finish, None


def test_a_cut_stream_ends_in_silence(tenant):
    whole = tenant.chat(LONG, temperature=0).choices[0].message.content
    arrived, finish, error = stream_text(tenant, "cut")
    assert (finish, error) == (None, None), "the SDK lets it pass: that is the lesson"
    assert arrived and whole.startswith(arrived) and arrived != whole


def test_an_error_event_keeps_what_came(tenant):
    arrived, _, error = stream_text(tenant, "error_event")
    assert arrived and isinstance(error, openai.APIError) and "Overloaded" in str(error)


def test_a_malformed_event_is_a_json_error(tenant):
    arrived, _, error = stream_text(tenant, "malformed_event")
    assert arrived and isinstance(error, json.JSONDecodeError)


def test_a_reset_inside_a_stream(tenant):
    arrived, _, error = stream_text(tenant, "reset_inside")
    assert isinstance(error, openai.APIError | httpx.TransportError), error
    assert tenant.last()["error"] == "connection_reset" and 0 < tenant.last()["tokens_sent"] < 20


def test_a_stall_takes_lab_time_and_then_goes_on(tenant):
    tenant.lab("tenant", {"clock": {"rate": 1000}})
    _, finish, error = stream_text(tenant, "stall", seconds=120)
    assert (finish, error) == ("stop", None)
    assert tenant.last()["timing"]["total_ms"] >= 100


@pytest.mark.parametrize("provider", CALLS)
@pytest.mark.parametrize("kind", ["reset", "reset_inside"])
def test_a_reset_is_a_connection_error(tenant, provider, kind):
    tenant.lab("faults", {"kind": kind, "next": 1})
    with pytest.raises((openai.APIConnectionError, anthropic.APIConnectionError, Exception)) as broken:
        CALLS[provider](tenant)
    names = {type(e).__name__ for e in (broken.value, broken.value.__cause__, broken.value.__context__)}
    assert names & {"APIConnectionError", "RemoteProtocolError", "ReadError", "ConnectError"}, names


def test_truncated_json_breaks_the_parser(tenant):
    tenant.lab("faults", {"kind": "truncated_json", "next": 1})
    with pytest.raises((json.JSONDecodeError, openai.APIError)):
        tenant.chat()


def test_anthropic_error_event_arrives_with_status_200(tenant):
    tenant.lab("faults", {"kind": "error_event", "next": 1, "after": 4})
    ask = {"role": "user", "content": LONG}
    with pytest.raises(anthropic.APIStatusError) as refusal:
        list(tenant.anthropic.messages.create(model=CLAUDE, max_tokens=300, messages=[ask], stream=True))
    assert refusal.value.status_code == 200 and refusal.value.type == "overloaded_error"


def test_faults_are_listed_cleared_and_checked(tenant):
    key = {"Authorization": f"Bearer {tenant.key}"}
    tenant.lab("faults", {"kind": "overloaded", "every": 2})
    assert tenant.lab("faults")["faults"][0]["every"] == 2
    assert tenant.http.delete("/lab/v1/faults", headers=key).json()["faults"] == []
    for bad in ({"kind": "nope", "next": 1}, {"kind": "cut"}, {"kind": "cut", "next": 1, "every": 2}):
        assert tenant.http.post("/lab/v1/faults", json=bad, headers=key).status_code == 400


def test_the_sdks_own_retries_are_seen_and_counted(tenant):
    tenant.lab("faults", {"kind": "overloaded", "next": 2})
    patient = tenant.openai.with_options(max_retries=3)
    ask = {"model": OPENAI, "messages": [{"role": "user", "content": "hi"}]}
    assert patient.chat.completions.create(**ask).choices
    assert [e["retry"] for e in tenant.lab("journal")["entries"]] == [0, 1, 2]


def test_the_hint_when_to_retry_is_in_the_clients_seconds(tenant):
    tenant.lab("tenant", {"clock": {"rate": 100}})
    tenant.lab("faults", {"kind": "rate_limit", "next": 1, "seconds": 30})
    with pytest.raises(openai.RateLimitError) as refusal:
        tenant.chat()
    assert refusal.value.response.headers["retry-after-ms"] == "300"
