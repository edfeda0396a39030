"""The interactions API through the unmodified SDK."""

import pytest

from labkit import registry

MODEL = registry.model("gemini", "sampling")
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def create(tenant):
    def call(said="What is an API?", **params):
        params.setdefault("generation_config", {"temperature": 0})
        return tenant.genai.interactions.create(model=MODEL, input=said, **params)

    return call


def test_interaction_has_text_steps_and_usage(tenant, create):
    made = create()
    assert made.status == "completed" and made.output_text
    assert made.output_text == tenant.chat(temperature=0).choices[0].message.content
    assert [step.type for step in made.steps] == ["model_output"]
    assert made.usage.total_tokens == made.usage.total_input_tokens + made.usage.total_output_tokens


def test_previous_interaction_is_remembered(create):
    first = create("My name is Dana and I like hiking.")
    assert "Dana" in create("What is my name?", previous_interaction_id=first.id).output_text
    assert "Dana" not in create("What is my name?").output_text


def test_stream_events_in_order(create):
    events = list(create(stream=True))
    kinds = [e.event_type for e in events]
    assert [k for k in kinds if k != "step.delta"] == [
        "interaction.created",
        "interaction.status_update",
        "step.start",
        "step.stop",
        "interaction.completed",
    ]
    text = "".join(e.delta.text for e in events if e.event_type == "step.delta")
    assert text == create().output_text


def test_get_and_delete(tenant, create):
    made = create()
    assert tenant.genai.interactions.get(made.id).output_text == made.output_text
    tenant.genai.interactions.delete(made.id)
    with pytest.raises(Exception, match="not found"):
        tenant.genai.interactions.get(made.id)


def test_a_function_is_called_and_its_result_used(create):
    asked = create("What is the weather in Paris?", tools=[TOOL])
    call = asked.steps[-1]
    assert (asked.status, call.type, call.name, call.arguments) == (
        "requires_action",
        "function_call",
        "get_weather",
        {"city": "Paris"},
    )
    result = [{"type": "function_result", "call_id": call.id, "name": call.name, "result": {"temperature_c": 18}}]
    assert "18" in create(result, tools=[TOOL], previous_interaction_id=asked.id).output_text


def test_agents_are_refused_by_name(tenant):
    with pytest.raises(Exception, match="agent in interactions"):
        tenant.genai.interactions.create(agent="deep-research", input="x")


def test_a_cap_makes_it_incomplete(create):
    assert create(generation_config={"max_output_tokens": 4}).status == "incomplete"


def test_bad_temperature_is_refused(create):
    with pytest.raises(Exception, match="temperature"):
        create(generation_config={"temperature": 9})
