"""Token buckets on the lab's clock, and what each provider says when one is empty."""

import asyncio

import anthropic
import openai
import pytest
from google.genai import errors

from labkit import registry
from labkit.server.clock import Clock
from labkit.server.limits import Bucket, Limits, Meter, tiers


class Hand:
    """A clock's hand that only a test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand():
    return Hand()


def test_bucket_refills_at_its_rate_and_never_overflows(hand):
    bucket = Bucket(60, 60.0, Clock(monotonic=hand))
    bucket.take(60)
    assert bucket.remaining == 0 and bucket.wait_for(1) == pytest.approx(1.0)
    hand.at = 10
    assert bucket.remaining == 10
    hand.at = 10_000
    assert bucket.remaining == 60 and bucket.resets_in == 0


def test_a_compressed_minute_refills_sooner(hand):
    clock = Clock(rate=60, monotonic=hand)
    bucket = Bucket(60, 60.0, clock)
    bucket.take(60)
    hand.at = 1
    assert bucket.remaining == 60
    clock.advance(30)
    assert clock.now() == pytest.approx(90)


def test_admission_takes_all_or_nothing(hand):
    meter = Meter(Limits(requests_per_minute=2, tokens_per_minute=100), Clock(monotonic=hand))
    assert meter.admit(90) is None
    refused = meter.admit(50)
    assert refused is not None and (refused.subject, refused.limit, refused.requested) == ("tokens", 100, 50)
    assert refused.wait == pytest.approx(24.0)
    assert meter.admit(10) is None, "the refused request took nothing"
    assert meter.admit(0).subject == "requests"


def test_openai_429_has_headers_that_come_true(tenant):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 2}})
    tenant.chat(), tenant.chat()
    with pytest.raises(openai.RateLimitError, match="requests per minute: Limit 2") as refusal:
        tenant.chat()
    wait = int(refusal.value.response.headers["retry-after-ms"]) / 1000
    assert refusal.value.code == "rate_limit_exceeded" and refusal.value.type == "requests"
    assert 0 < wait <= 30
    tenant.lab("tenant", {"clock": {"advance_s": wait}})
    assert tenant.chat().choices
    assert [e["status"] for e in tenant.lab("journal")["entries"]] == [200, 200, 429, 200]


def test_anthropic_429(tenant):
    model = registry.model("anthropic", "small")
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1, "model": model}})
    ask = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    tenant.anthropic.messages.create(**ask)
    with pytest.raises(anthropic.RateLimitError) as refusal:
        tenant.anthropic.messages.create(**ask)
    assert refusal.value.body["error"]["type"] == "rate_limit_error"
    assert 0 < int(refusal.value.response.headers["retry-after"]) <= 60


def test_gemini_429(tenant):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1}})
    model = registry.model("gemini", "small")
    tenant.genai.models.generate_content(model=model, contents="hi")
    with pytest.raises(errors.ClientError) as refusal:
        tenant.genai.models.generate_content(model=model, contents="hi")
    kinds = [d["@type"].rsplit(".", 1)[-1] for d in refusal.value.details["error"]["details"]]
    assert (refusal.value.code, refusal.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert kinds == ["QuotaFailure", "RetryInfo"]


def test_limits_are_per_tenant_and_model(tenant, lab_server):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1}})
    tenant.chat()
    others = [m.id for m in registry.models("openai", kind="chat") if m.samples_by_default]
    assert tenant.chat(model=next(m for m in others if m != registry.model("openai", "sampling"))).choices
    assert (
        openai.OpenAI(api_key=lab_server.key(), base_url=f"{tenant.url}/v1")
        .chat.completions.create(
            model=registry.model("openai", "sampling"), messages=[{"role": "user", "content": "hi"}]
        )
        .choices
    )


def test_sdk_waits_as_told_and_succeeds(tenant):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1}, "clock": {"rate": 600}})
    patient = tenant.openai.with_options(max_retries=3)
    ask = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": "hi"}]}
    assert all(patient.chat.completions.create(**ask).choices for _ in range(3))
    entries = tenant.lab("journal")["entries"]
    assert 429 in [e["status"] for e in entries] and max(e["retry"] for e in entries) >= 1


# --- tiers, requests at once, budget ---


def test_every_tier_is_complete_and_higher_ones_allow_more():
    rows = [tier.limits for tier in tiers().values()]
    assert list(tiers()) == ["free", "1", "2", "3", "4", "5"]
    for name in ("requests_per_minute", "tokens_per_minute", "concurrent", "budget_usd"):
        values = [getattr(row, name) for row in rows]
        assert values == sorted(values), name


def test_a_tier_sets_the_limits_and_more_can_be_set_on_top(tenant):
    described = tenant.lab("tenant", {"tier": "free", "limits": {"requests_per_day": 7}})
    assert described["tier"] == "free" and described["limits"]["requests_per_minute"] == 3
    assert described["limits"]["requests_per_day"] == described["provider_limits"]["gemini"]["requests_per_day"] == 7
    assert tenant.lab("tenant", {"tier": "2"})["limits"]["requests_per_day"] is None, "a new tier begins anew"
    assert tenant.lab("tenant", {"tier": None})["limits"]["requests_per_minute"] == 10_000


def test_a_tier_holds_by_provider(tenant):
    tenant.lab("tenant", {"tier": "free"})
    answer = tenant.openai.chat.completions.with_raw_response.create(
        model=registry.model("openai", "sampling"), messages=[{"role": "user", "content": "hi"}]
    )
    assert answer.headers["x-ratelimit-limit-requests"] == "3"
    for _ in range(10):
        tenant.genai.models.generate_content(model=registry.model("gemini", "small"), contents="hi")
    with pytest.raises(errors.ClientError):
        tenant.genai.models.generate_content(model=registry.model("gemini", "small"), contents="hi")


def test_an_unknown_tier_is_refused_by_name(tenant):
    answer = tenant.http.post("/lab/v1/tenant", json={"tier": "6"}, headers={"Authorization": f"Bearer {tenant.key}"})
    assert answer.status_code == 400 and "free, 1, 2, 3, 4, 5" in answer.json()["error"]["message"]


async def test_requests_at_once_are_limited_and_given_back(tenant):
    tenant.lab("tenant", {"pace": 1, "clock": {"rate": 20}, "limits": {"concurrent": 2}})
    ask = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": "What is an API?"}]}
    async with openai.AsyncOpenAI(api_key=tenant.key, base_url=f"{tenant.url}/v1", max_retries=0) as client:
        calls = [client.chat.completions.create(**ask) for _ in range(5)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused = [a for a in answers if isinstance(a, openai.RateLimitError)]
        assert len(refused) == 3 and all("concurrent requests: Limit 2" in str(r) for r in refused)
        assert (await client.chat.completions.create(**ask)).choices


async def test_a_stream_that_the_client_leaves_gives_its_place_back(tenant):
    tenant.lab("tenant", {"pace": 1, "limits": {"concurrent": 1}})
    ask = {"model": registry.model("openai", "sampling"), "messages": [{"role": "user", "content": "What is an API?"}]}
    async with openai.AsyncOpenAI(api_key=tenant.key, base_url=f"{tenant.url}/v1", max_retries=8) as client:
        stream = await client.chat.completions.create(stream=True, **ask)
        await anext(aiter(stream))
        await stream.close()
        tenant.lab("tenant", {"pace": 0})
        assert (await client.chat.completions.create(**ask)).choices


def test_a_spent_budget_is_a_billing_error_apart_from_the_rate(tenant):
    tenant.chat()
    tenant.lab("tenant", {"limits": {"budget_usd": 1e-9}})
    with pytest.raises(openai.RateLimitError) as refusal:
        tenant.chat()
    assert (refusal.value.type, refusal.value.code) == ("insufficient_quota", "insufficient_quota")
    assert "retry-after" not in refusal.value.response.headers
    with pytest.raises(anthropic.RateLimitError) as refusal:
        ask = {"model": registry.model("anthropic", "small"), "max_tokens": 9}
        tenant.anthropic.messages.create(messages=[{"role": "user", "content": "hi"}], **ask)
    assert refusal.value.body["error"]["details"]["error_code"] == "enforced_spend_limit_reached"
    tenant.lab("tenant", {"limits": {"budget_usd": 1.0}})
    assert tenant.chat().choices


def test_readings_say_what_is_left_of_every_bucket(hand):
    meter = Meter(Limits(requests_per_minute=6, tokens_per_minute=None, tokens_per_day=100), Clock(monotonic=hand))
    meter.admit(40)
    minute, day = meter.readings()
    assert minute == {"of": "requests", "per": "minute", "capacity": 6, "left": 5, "resets_in_s": 10.0}
    assert (day["of"], day["per"], day["left"], day["resets_in_s"]) == ("tokens", "day", 60, 34_560.0)
    hand.at = 10
    assert meter.readings()[0]["left"] == 6
