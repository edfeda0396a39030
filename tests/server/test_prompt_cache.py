"""Prompt caches, right to the token, as each provider bills them."""

import anthropic
import openai
import pytest

from labkit import prices, registry, tokens
from labkit.server.prompt import Block, render
from labkit.usage import Usage

CLAUDE = registry.find(registry.model("anthropic", "small"))
FREE = registry.find("gpt-4.1-mini")
PAID = registry.find(registry.model("openai", "small"))
GEMINI = registry.find(registry.model("gemini", "small"))


def text_of(count: int) -> str:
    """Stable text of exactly so many tokens."""
    text = " ".join(["manual"] * count)
    assert tokens.count(text) == count
    return text


def claude(tenant, system, messages=None, **more):
    ask = {"model": CLAUDE.id, "max_tokens": 20, "system": system}
    ask["messages"] = messages or [{"role": "user", "content": "What is an API?"}]
    return tenant.anthropic.messages.create(**ask | more).usage


def marked(text: str, **control) -> list[dict]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", **control}}]


def chat(tenant, model, system, user="What is an API?", **more):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return tenant.openai.chat.completions.create(model=model.id, messages=messages, **more).usage


def test_rendered_prompt_counts_as_count_messages_does():
    rendered = render([Block("system", "Be brief."), Block("user", "hello world", name="dana")], FREE)
    assert len(rendered) == tokens.count_messages([("system", "Be brief."), ("user", "hello world", "dana")], FREE.id)


def test_anthropic_writes_then_reads_and_adds_up(tenant):
    system = marked(text_of(600))
    first, second = claude(tenant, system), claude(tenant, system)
    whole = first.input_tokens + first.cache_creation_input_tokens
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (604, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 604)
    assert second.input_tokens == first.input_tokens == whole - 604
    assert first.cache_creation.ephemeral_5m_input_tokens == 604


def test_max_tokens_0_warms_the_cache_and_says_nothing(tenant):
    ask = {"model": CLAUDE.id, "system": marked(text_of(600)), "messages": [{"role": "user", "content": "Hello"}]}
    warm = tenant.anthropic.messages.create(**ask, max_tokens=0)
    assert (warm.content, warm.stop_reason) == ([], "max_tokens")
    assert (warm.usage.cache_creation_input_tokens, warm.usage.output_tokens) == (604, 0)
    assert claude(tenant, ask["system"]).cache_read_input_tokens == 604


def test_the_ledger_charges_writes_and_reads_at_their_rates(tenant):
    for _ in range(2):
        claude(tenant, marked(text_of(600)))
    wrote, read = tenant.lab("journal")["entries"]
    kinds = {k: v for k, v in wrote["usage"].items() if k != "total"}
    assert wrote["cost_usd"] == pytest.approx(prices.cost(CLAUDE.id, Usage(**kinds)))
    assert read["cost_usd"] < wrote["cost_usd"] / 3


def test_one_changed_character_misses(tenant):
    claude(tenant, marked(text_of(600)))
    changed = claude(tenant, marked("M" + text_of(600)[1:]))
    assert changed.cache_read_input_tokens == 0 and changed.cache_creation_input_tokens > 600


def test_below_the_minimum_nothing_is_cached_and_nothing_is_said(tenant):
    short = marked(text_of((CLAUDE.min_cache_tokens or 0) - 10))
    used = [claude(tenant, short) for _ in range(2)]
    assert all(u.cache_creation_input_tokens == u.cache_read_input_tokens == 0 for u in used)


@pytest.mark.parametrize(("ttl", "lives", "dies"), [("5m", 299, 301), ("1h", 3_599, 3_601)])
def test_a_read_refreshes_the_ttl_on_the_labs_clock(tenant, ttl, lives, dies):
    system = marked(text_of(600), ttl=ttl)
    written = claude(tenant, system)
    assert getattr(written.cache_creation, f"ephemeral_{ttl}_input_tokens") == 604
    for wait, hit in ((lives, True), (lives, True), (dies, False)):
        tenant.lab("tenant", {"clock": {"advance_s": wait}})
        assert bool(claude(tenant, system).cache_read_input_tokens) is hit


def test_a_growing_conversation_reads_what_the_last_turn_wrote(tenant):
    turns = [{"role": "user", "content": text_of(600)}]
    first = claude(tenant, "Be brief.", turns, cache_control={"type": "ephemeral"})
    turns += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And then?"}]
    second = claude(tenant, "Be brief.", turns, cache_control={"type": "ephemeral"})
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert 0 < second.cache_creation_input_tokens < 30


def test_tools_come_before_system_so_a_changed_tool_misses_all(tenant):
    tool = {"name": "clock", "description": "tells the time", "input_schema": {"type": "object"}}
    claude(tenant, marked(text_of(600)), tools=[tool])
    assert claude(tenant, marked(text_of(600)), tools=[tool]).cache_read_input_tokens > 604
    assert claude(tenant, marked(text_of(600)), tools=[tool | {"name": "watch"}]).cache_read_input_tokens == 0


def test_five_breakpoints_are_refused(tenant):
    with pytest.raises(anthropic.BadRequestError, match="maximum of 4 blocks with cache_control"):
        claude(tenant, marked("a") * 5)


def test_cache_reads_do_not_count_towards_anthropics_tokens_per_minute(tenant):
    tenant.lab("tenant", {"limits": {"tokens_per_minute": 1_500}})
    system = marked(text_of(1_000))
    assert all(claude(tenant, system) for _ in range(6))


def test_openai_free_caches_hit_in_steps_of_128_from_1024(tenant):
    system = text_of(1_300)
    first, second = chat(tenant, FREE, system), chat(tenant, FREE, system, "What is a token?")
    assert first.prompt_tokens_details.cached_tokens == 0
    assert second.prompt_tokens_details.cached_tokens == 1_024 + 2 * 128
    assert second.prompt_tokens_details.cache_write_tokens == 0
    assert chat(tenant, FREE, text_of(900)).prompt_tokens_details.cached_tokens == 0


def test_openai_paid_caches_match_at_breakpoints_only(tenant):
    system = text_of(1_300)
    first, same, other = chat(tenant, PAID, system), chat(tenant, PAID, system), chat(tenant, PAID, system, "And?")
    assert first.prompt_tokens_details.cache_write_tokens == first.prompt_tokens - 3
    assert same.prompt_tokens_details.cached_tokens == first.prompt_tokens - 3
    assert other.prompt_tokens_details.cached_tokens == 0, "the implicit breakpoint stands after the changed question"


def test_openai_explicit_breakpoint_saves_the_stable_part(tenant):
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    system = [{"type": "text", "text": text_of(1_300), **mark}]
    first = chat(tenant, PAID, system, extra_body={"prompt_cache_options": {"mode": "explicit"}})
    second = chat(tenant, PAID, system, "And?", extra_body={"prompt_cache_options": {"mode": "explicit"}})
    assert first.prompt_tokens_details.cache_write_tokens == 1_304
    assert second.prompt_tokens_details.cached_tokens == 1_304
    with pytest.raises(openai.BadRequestError, match="prompt_cache"):
        chat(tenant, FREE, system)


def test_gemini_caches_implicitly_from_its_minimum_on(tenant):
    ask = {"model": GEMINI.id, "config": {"system_instruction": text_of((GEMINI.min_cache_tokens or 0) + 50)}}
    used = [tenant.genai.models.generate_content(contents=q, **ask).usage_metadata for q in ("Hi", "Hello", "Hey")]
    assert not used[0].cached_content_token_count
    assert used[2].cached_content_token_count == used[1].cached_content_token_count > GEMINI.min_cache_tokens
    assert used[2].prompt_token_count > used[2].cached_content_token_count


def test_a_cached_prefix_lowers_the_time_to_first_token(tenant):
    tenant.lab("tenant", {"pace": 1.0, "clock": {"rate": 20}})
    system = marked(text_of(20_000))
    for _ in range(2):
        claude(tenant, system)
    cold, warm = (e["timing"]["wait_ms"] for e in tenant.lab("journal")["entries"])
    assert cold - warm > 0.5 * (20_000 / CLAUDE.prefill_tps) / 20 * 1000


def test_tenants_do_not_share_a_cache(tenant, lab_server):
    claude(tenant, marked(text_of(600)))
    stranger = anthropic.Anthropic(api_key=lab_server.key(), base_url=tenant.url)
    ask = {"role": "user", "content": "What is an API?"}
    usage = stranger.messages.create(model=CLAUDE.id, max_tokens=9, system=marked(text_of(600)), messages=[ask]).usage
    assert usage.cache_read_input_tokens == 0


def test_anthropic_says_why_a_prompt_missed_the_cache(tenant):
    def ask(system=None, turns=("What is an API?",), previous=None, **more):
        messages = [{"role": "user" if n % 2 == 0 else "assistant", "content": t} for n, t in enumerate(turns)]
        asked = {"model": CLAUDE.id, "max_tokens": 20, "diagnostics": {"previous_message_id": previous}}
        return tenant.anthropic.messages.create(
            **asked | {"system": system or marked(text_of(600)), "messages": messages} | more
        )

    first = ask()
    assert first.diagnostics is None
    grown = ask(turns=("What is an API?", "A menu.", "And then?"), previous=first.id)
    assert grown.diagnostics is None and grown.usage.cache_read_input_tokens == 604
    other = next(m.id for m in registry.models("anthropic") if m.id != CLAUDE.id and m.thinking != "always")
    tool = {"name": "clock", "description": "tells the time", "input_schema": {"type": "object"}}
    changes = {
        "model_changed": {"model": other},
        "tools_changed": {"tools": [tool]},
        "system_changed": {"system": marked(text_of(601))},
        "messages_changed": {"turns": ("What is a token?",)},
    }
    for kind, change in changes.items():
        reason = ask(previous=first.id, **change).diagnostics.cache_miss_reason
        assert (reason.type, reason.cache_missed_input_tokens) == (kind, 604)
    assert ask(previous="msg_unknown").diagnostics.cache_miss_reason.type == "previous_message_not_found"
