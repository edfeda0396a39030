"""Explicit context caches through the unmodified SDK."""

import pytest
from google.genai import errors, types

from labkit import registry

GEMINI = registry.find(registry.model("gemini", "small"))
MANUAL = " ".join(["manual"] * ((GEMINI.min_cache_tokens or 0) + 100))


@pytest.fixture
def cache(tenant):
    config = types.CreateCachedContentConfig(system_instruction=MANUAL, ttl="300s", display_name="manual")
    return tenant.genai.caches.create(model=GEMINI.id, config=config)


def ask(tenant, cache, **more):
    config = {"cached_content": cache.name, **more}
    return tenant.genai.models.generate_content(model=GEMINI.id, contents="What is an API?", config=config)


def test_a_request_reads_the_cached_prefix_and_is_billed_for_it_as_such(tenant, cache):
    used = ask(tenant, cache).usage_metadata
    assert used.cached_content_token_count == cache.usage_metadata.total_token_count > GEMINI.min_cache_tokens
    assert used.prompt_token_count > used.cached_content_token_count
    plain = tenant.genai.models.generate_content(
        model=GEMINI.id, contents="What is an API?", config={"system_instruction": MANUAL}
    )
    assert used.prompt_token_count - 3 <= plain.usage_metadata.prompt_token_count + 3
    cached, whole = (e["cost_usd"] for e in tenant.lab("journal")["entries"] if e["usage"])
    assert cached < whole / 2


def test_it_expires_on_the_labs_clock_and_an_update_keeps_it_alive(tenant, cache):
    tenant.lab("tenant", {"clock": {"advance_s": 200}})
    tenant.genai.caches.update(name=cache.name, config=types.UpdateCachedContentConfig(ttl="600s"))
    tenant.lab("tenant", {"clock": {"advance_s": 500}})
    assert ask(tenant, cache).text
    tenant.lab("tenant", {"clock": {"advance_s": 200}})
    with pytest.raises(errors.ClientError, match="CachedContent not found"):
        ask(tenant, cache)


def test_get_list_and_delete(tenant, cache):
    assert tenant.genai.caches.get(name=cache.name).display_name == "manual"
    assert [c.name for c in tenant.genai.caches.list()] == [cache.name]
    tenant.genai.caches.delete(name=cache.name)
    assert list(tenant.genai.caches.list()) == []


def test_too_small_a_content_is_refused(tenant):
    config = types.CreateCachedContentConfig(system_instruction="short")
    with pytest.raises(errors.ClientError, match="Cached content is too small"):
        tenant.genai.caches.create(model=GEMINI.id, config=config)


def test_another_model_or_a_second_system_instruction_is_refused(tenant, cache):
    other = next(m for m in registry.models("gemini", kind="chat") if m.id != GEMINI.id)
    with pytest.raises(errors.ClientError, match="has to be the same"):
        tenant.genai.models.generate_content(model=other.id, contents="Hi", config={"cached_content": cache.name})
    with pytest.raises(errors.ClientError, match="can not be used with"):
        ask(tenant, cache, system_instruction="Be brief.")
