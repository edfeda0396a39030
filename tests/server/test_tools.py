"""Tools and structured output, in each provider's own shape, whole and streamed."""

import json

import anthropic
import openai
import pytest
from google.genai import types
from jsonschema import validate
from pydantic import BaseModel

from labkit import registry

OPENAI = registry.model("openai", "sampling")
CLAUDE = registry.model("anthropic", "small")
GEMINI = registry.model("gemini", "sampling")
WEATHER = "What is the weather in Paris?"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "the city"}},
    "required": ["city"],
    "additionalProperties": False,
}
DESCRIPTION = "Get the current weather in a city"
FUNCTION = {"name": "get_weather", "description": DESCRIPTION, "parameters": SCHEMA}
OPENAI_TOOL = {"type": "function", "function": {**FUNCTION, "strict": True}}
CLAUDE_TOOL = {"name": "get_weather", "description": DESCRIPTION, "input_schema": SCHEMA}
GEMINI_TOOL = types.Tool(
    function_declarations=[types.FunctionDeclaration(**FUNCTION | {"parameters": None}, parameters_json_schema=SCHEMA)]
)
RESULT = json.dumps({"temperature_c": 18, "sky": "clear"})


class Person(BaseModel):
    name: str
    age: int


NOTICE = "Dana Fox is 34 years old and lives in Bergen."


def chat(tenant, messages=None, **params):
    params = {"model": OPENAI, "temperature": 0, "tools": [OPENAI_TOOL]} | params
    messages = messages or [{"role": "user", "content": WEATHER}]
    return tenant.openai.chat.completions.create(messages=messages, **params)


def test_openai_calls_a_tool_and_answers_with_its_result(tenant):
    asked = chat(tenant)
    [call] = asked.choices[0].message.tool_calls
    assert asked.choices[0].finish_reason == "tool_calls" and asked.choices[0].message.content is None
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    result = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    answer = chat(tenant, [{"role": "user", "content": WEATHER}, asked.choices[0].message, result])
    assert answer.choices[0].finish_reason == "stop" and "18" in answer.choices[0].message.content


def test_openai_streams_a_call_in_fragments(tenant):
    calls, finish = {}, None
    for chunk in chat(tenant, stream=True):
        choice = chunk.choices[0]
        finish = choice.finish_reason or finish
        for delta in choice.delta.tool_calls or []:
            known = calls.setdefault(delta.index, {"name": "", "arguments": ""})
            known["name"] += delta.function.name or ""
            known["arguments"] += delta.function.arguments or ""
    assert finish == "tool_calls"
    assert calls == {0: {"name": "get_weather", "arguments": '{"city": "Paris"}'}} or json.loads(
        calls[0]["arguments"]
    ) == {"city": "Paris"}


def test_openai_tool_choice(tenant):
    hello = [{"role": "user", "content": "What is an API?"}]
    assert chat(tenant, hello).choices[0].message.tool_calls is None
    assert chat(tenant, tool_choice="none").choices[0].message.tool_calls is None
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", named):
        assert chat(tenant, hello, tool_choice=choice).choices[0].message.tool_calls


def test_openai_parallel_calls_and_none_of_them(tenant):
    both = [{"role": "user", "content": "What is the weather in Paris and in London?"}]
    cities = [json.loads(c.function.arguments)["city"] for c in chat(tenant, both).choices[0].message.tool_calls]
    assert cities == ["Paris", "London"]
    assert len(chat(tenant, both, parallel_tool_calls=False).choices[0].message.tool_calls) == 1


BOTH = [{"role": "user", "content": "What is the weather in Paris and in London?"}]


def test_openai_insists_on_a_result_for_every_call(tenant):
    asked = chat(tenant, BOTH).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": RESULT} for call in asked.tool_calls]
    with pytest.raises(openai.BadRequestError, match=f"did not have response messages: {asked.tool_calls[1].id}"):
        chat(tenant, [*BOTH, asked, results[0]])
    with pytest.raises(openai.BadRequestError, match="must be followed by tool messages"):
        chat(tenant, [*BOTH, asked, results[0], {"role": "user", "content": "Well?"}, results[1]])
    assert chat(tenant, [*BOTH, asked, *reversed(results)]).choices[0].message.content


def test_who_forces_a_call_gets_one_also_after_a_result(tenant):
    asked = chat(tenant).choices[0].message
    result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "Error: try again"}
    history = [{"role": "user", "content": WEATHER}, asked, result]
    named = {"type": "function", "function": {"name": "get_weather"}}
    assert chat(tenant, history, tool_choice=named).choices[0].message.tool_calls
    assert not chat(tenant, history).choices[0].message.tool_calls


def test_claude_insists_on_a_result_for_every_call(tenant):
    asked = claude(tenant, BOTH, tool_choice={"type": "any"}).content
    uses = [block.id for block in asked if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use, "content": RESULT} for use in uses]
    history = [*BOTH, {"role": "assistant", "content": asked}]
    assert len(uses) == 2
    with pytest.raises(anthropic.BadRequestError, match=f"without `tool_result` blocks immediately after: {uses[1]}"):
        claude(tenant, [*history, {"role": "user", "content": results[:1]}])
    assert claude(tenant, [*history, {"role": "user", "content": results}]).stop_reason == "end_turn"


@pytest.mark.parametrize("temperature", [0, 1, 2])
def test_openai_structured_output_always_validates(tenant, temperature):
    schema = Person.model_json_schema() | {"additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    ask = [{"role": "user", "content": NOTICE}]
    answers = chat(tenant, ask, tools=openai.omit, response_format=form, temperature=temperature, n=8)
    for choice in answers.choices:
        validate(json.loads(choice.message.content), schema)
    if temperature == 0:
        assert json.loads(answers.choices[0].message.content) == {"name": "Dana Fox", "age": 34}


def test_openai_parse_helper(tenant):
    ask = [{"role": "user", "content": NOTICE}]
    parsed = tenant.openai.chat.completions.parse(model=OPENAI, messages=ask, response_format=Person, temperature=0)
    assert parsed.choices[0].message.parsed == Person(name="Dana Fox", age=34)


def test_openai_refuses_a_loose_schema_as_strict(tenant):
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": loose, "strict": True}}
    with pytest.raises(openai.BadRequestError, match="additionalProperties"):
        chat(tenant, tools=openai.omit, response_format=form)


def test_responses_call_a_tool_and_go_on(tenant):
    tools = [{"type": "function", **FUNCTION}]
    first = tenant.openai.responses.create(model=OPENAI, input=WEATHER, tools=tools, temperature=0)
    call = first.output[0]
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Paris"})
    result = [{"type": "function_call_output", "call_id": call.call_id, "output": RESULT}]
    second = tenant.openai.responses.create(
        model=OPENAI, input=result, tools=tools, previous_response_id=first.id, temperature=0
    )
    assert "18" in second.output_text


def test_responses_stream_a_call(tenant):
    tools = [{"type": "function", **FUNCTION}]
    events = list(tenant.openai.responses.create(model=OPENAI, input=WEATHER, tools=tools, temperature=0, stream=True))
    done = next(e for e in events if e.type == "response.function_call_arguments.done")
    deltas = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
    assert deltas == done.arguments and json.loads(deltas) == {"city": "Paris"}


def test_responses_parse_structured_text(tenant):
    parsed = tenant.openai.responses.parse(model=OPENAI, input=NOTICE, text_format=Person, temperature=0)
    assert parsed.output_parsed == Person(name="Dana Fox", age=34)


def claude(tenant, messages=None, **params):
    tenant.lab("tenant", {"seed": 3})  # this model takes no temperature
    messages = messages or [{"role": "user", "content": WEATHER}]
    params = {"model": CLAUDE, "max_tokens": 500, "tools": [CLAUDE_TOOL]} | params
    return tenant.anthropic.messages.create(messages=messages, **params)


def test_claude_uses_a_tool_and_answers_with_its_result(tenant):
    asked = claude(tenant, tool_choice={"type": "tool", "name": "get_weather"})
    use = asked.content[-1]
    assert (asked.stop_reason, use.type, use.name, use.input) == (
        "tool_use",
        "tool_use",
        "get_weather",
        {"city": "Paris"},
    )
    result = [{"type": "tool_result", "tool_use_id": use.id, "content": RESULT}]
    history = [{"role": "user", "content": WEATHER}, {"role": "assistant", "content": asked.content}]
    answer = claude(tenant, [*history, {"role": "user", "content": result}])
    assert answer.stop_reason == "end_turn" and "18" in answer.content[0].text


def test_claude_streams_the_input_as_partial_json(tenant):
    tenant.lab("tenant", {"seed": 3})
    with tenant.anthropic.messages.stream(
        model=CLAUDE,
        max_tokens=500,
        tools=[CLAUDE_TOOL],
        tool_choice={"type": "any"},
        messages=[{"role": "user", "content": WEATHER}],
    ) as stream:
        partial = [e.partial_json for e in stream if e.type == "input_json"]
        final = stream.get_final_message()
    assert json.loads("".join(partial)) == final.content[-1].input == {"city": "Paris"}


def test_claude_refuses_a_result_of_no_call(tenant):
    result = [{"type": "tool_result", "tool_use_id": "toolu_none", "content": "x"}]
    with pytest.raises(anthropic.BadRequestError, match="unexpected `tool_use_id`"):
        claude(tenant, [{"role": "user", "content": result}])


def test_claude_structured_output(tenant):
    schema = Person.model_json_schema() | {"additionalProperties": False}
    message = claude(
        tenant,
        [{"role": "user", "content": NOTICE}],
        tools=anthropic.omit,
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    validate(json.loads(message.content[0].text), schema)


def gemini(tenant, contents=WEATHER, **config):
    config = types.GenerateContentConfig(
        temperature=0,
        tools=[GEMINI_TOOL],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        **config,
    )
    return tenant.genai.models.generate_content(model=GEMINI, contents=contents, config=config)


def test_gemini_calls_a_function_and_answers_with_its_result(tenant):
    asked = gemini(tenant)
    [call] = asked.function_calls
    assert (call.name, call.args, asked.candidates[0].finish_reason) == ("get_weather", {"city": "Paris"}, "STOP")
    result = types.Part.from_function_response(name="get_weather", response=json.loads(RESULT))
    history = [types.UserContent(WEATHER), asked.candidates[0].content, types.UserContent([result])]
    assert "18" in gemini(tenant, history).text


def test_gemini_runs_python_functions_by_itself(tenant):
    def get_weather(city: str) -> dict[str, int]:
        """Get the current weather in a city."""
        return {"temperature_c": len(city) + 13}

    config = types.GenerateContentConfig(tools=[get_weather], temperature=0)
    assert "18" in tenant.genai.models.generate_content(model=GEMINI, contents=WEATHER, config=config).text


@pytest.mark.parametrize("key", ["response_schema", "response_json_schema"])
def test_gemini_structured_output(tenant, key):
    schema = Person if key == "response_schema" else Person.model_json_schema()
    config = {"response_mime_type": "application/json", key: schema, "temperature": 0}
    answer = tenant.genai.models.generate_content(model=GEMINI, contents=NOTICE, config=config)
    assert json.loads(answer.text) == {"name": "Dana Fox", "age": 34}


def test_a_call_cut_by_the_cap_is_no_valid_json(tenant):
    cut = chat(tenant, max_completion_tokens=3).choices[0]
    assert cut.finish_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.message.tool_calls[0].function.arguments)
