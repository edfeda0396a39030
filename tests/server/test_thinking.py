"""Thoughts: billed everywhere, shown where the protocol shows them."""

import anthropic
import pytest
from google.genai import errors, types

from labkit import registry

REASONER = registry.model("openai", "small")
CLAUDE = registry.find(registry.model("anthropic", "small"))
GEMINI = registry.model("gemini", "small")
ASK = "What is an API?"
QUESTION = [{"role": "user", "content": ASK}]


def reasoning(tenant, **params):
    tenant.lab("tenant", {"seed": 2})
    return tenant.chat(model=REASONER, **params).usage.completion_tokens_details.reasoning_tokens


def claude(tenant, **params):
    return tenant.anthropic.messages.create(**{"model": CLAUDE.id, "max_tokens": 2_000, "messages": QUESTION} | params)


def test_effort_decides_how_much_is_thought_and_the_default_is_the_models_own(tenant):
    by_effort = [reasoning(tenant, reasoning_effort=effort) for effort in ("none", "low", "medium", "high", "max")]
    assert by_effort[0] == 0 and by_effort == sorted(by_effort) and by_effort[-1] > 5 * by_effort[1]
    assert reasoning(tenant) > 0


def test_thoughts_are_billed_as_output_and_not_shown(tenant):
    tenant.lab("tenant", {"seed": 2})
    answer = tenant.chat(model=REASONER, reasoning_effort="high")
    details = answer.usage.completion_tokens_details
    visible = answer.usage.completion_tokens - details.reasoning_tokens
    assert 0 < visible < details.reasoning_tokens
    assert "They ask about" not in answer.choices[0].message.content
    chunks = list(tenant.chat(model=REASONER, reasoning_effort="high", stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_a_small_cap_is_eaten_by_thoughts(tenant):
    tenant.lab("tenant", {"seed": 2})
    answer = tenant.chat(model=REASONER, reasoning_effort="high", max_completion_tokens=40)
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("length", "")
    assert answer.usage.completion_tokens_details.reasoning_tokens == 40


def test_responses_have_a_reasoning_item(tenant):
    response = tenant.openai.responses.create(model=REASONER, input=ASK, reasoning={"effort": "low"})
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.usage.output_tokens_details.reasoning_tokens > 0
    again = tenant.openai.responses.create(model=REASONER, input="And?", previous_response_id=response.id)
    assert again.status == "completed"


def test_claude_thinks_when_asked_and_signs_it(tenant):
    silent, thinking = claude(tenant), claude(tenant, thinking={"type": "enabled", "budget_tokens": 1024})
    assert [block.type for block in silent.content] == ["text"]
    assert [block.type for block in thinking.content] == ["thinking", "text"]
    assert thinking.content[0].signature and len(thinking.content[0].thinking) > 40
    assert thinking.usage.output_tokens_details.thinking_tokens > 20
    history = [*QUESTION, {"role": "assistant", "content": thinking.content}, {"role": "user", "content": "Thanks!"}]
    assert claude(tenant, messages=history).content[-1].text


def test_claude_streams_thinking_before_text(tenant):
    with tenant.anthropic.messages.stream(
        model=CLAUDE.id, max_tokens=2_000, messages=QUESTION, thinking={"type": "adaptive"}
    ) as stream:
        kinds = [e.type for e in stream]
        final = stream.get_final_message()
    assert kinds.index("thinking") < kinds.index("signature") < kinds.index("text")
    assert [block.type for block in final.content] == ["thinking", "text"]


def test_claudes_that_always_think_cannot_be_told_not_to(tenant):
    always = next(m for m in registry.models("anthropic") if m.thinking == "always")
    assert claude(tenant, model=always.id).content[0].type == "thinking"
    with pytest.raises(anthropic.BadRequestError, match="disabling thinking"):
        claude(tenant, model=always.id, thinking={"type": "disabled"})


def test_omitted_thinking_is_billed_and_empty(tenant):
    message = claude(tenant, thinking={"type": "adaptive", "display": "omitted"})
    assert message.content[0].thinking == "" and message.usage.output_tokens_details.thinking_tokens > 0


def test_gemini_counts_thoughts_apart_and_shows_them_on_request(tenant):
    plain = tenant.genai.models.generate_content(model=GEMINI, contents=ASK)
    used = plain.usage_metadata
    assert used.thoughts_token_count > 0
    assert used.total_token_count == used.prompt_token_count + used.candidates_token_count + used.thoughts_token_count
    assert not any(part.thought for part in plain.candidates[0].content.parts)
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    shown = tenant.genai.models.generate_content(model=GEMINI, contents=ASK, config=config).candidates[0].content.parts
    assert [bool(part.thought) for part in shown] == [True, False]


def test_gemini_budget_turns_thinking_on_and_off(tenant):
    optional = next(m for m in registry.models("gemini", kind="chat") if m.thinking == "optional")

    def thoughts(model, **thinking):
        config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(**thinking))
        return tenant.genai.models.generate_content(model=model, contents=ASK, config=config).usage_metadata

    assert thoughts(optional.id, thinking_budget=0).thoughts_token_count is None
    assert thoughts(optional.id, thinking_budget=512).thoughts_token_count > 0
    with pytest.raises(errors.ClientError, match="only works in thinking mode"):
        thoughts(GEMINI, thinking_budget=0)
