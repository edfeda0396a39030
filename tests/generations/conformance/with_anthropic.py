"""Anthropic's SDK, 0.x to 2.x: messages, tools, prompt caching and message batches, under both API versions."""

# No postponed annotations here: a tool runner reads the types of a function's arguments, not their names.
from typing import Any

import anthropic
from observe import (
    MODELS,
    QUESTION,
    WEATHER,
    WRONG_KEY,
    a_day_later,
    main,
    one_request_a_minute,
    part,
    refusal,
)
from pydantic import BaseModel

MODEL = MODELS["small"]
ASK: Any = {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": QUESTION}]}
TOOL: Any = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
client = anthropic.Anthropic(max_retries=0, _strict_response_validation=True)
"""Every answer must have the fields that this release's types require."""


class Person(BaseModel):
    name: str
    age: int


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@part
def message() -> Any:
    answer = client.messages.create(**ASK)
    used = answer.usage
    return {
        "text": text_of(answer),
        "stop": answer.stop_reason,
        "usage": [used.input_tokens, used.output_tokens],
        "request_id": answer._request_id,
    }


@part
def stream() -> Any:
    events = list(client.messages.create(**ASK, stream=True))
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    ends: Any = next(event for event in events if event.type == "message_delta")
    return {
        "kinds": list(dict.fromkeys(event.type for event in events)),
        "text": "".join(getattr(delta, "text", "") for delta in deltas),
        "stop": ends.delta.stop_reason,
        "output_tokens": ends.usage.output_tokens,
    }


@part
def stream_helper() -> Any:
    with client.messages.stream(**ASK) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    return {"text": text, "final": text_of(final), "stop": final.stop_reason}


@part
async def async_client() -> Any:
    async with anthropic.AsyncAnthropic(_strict_response_validation=True) as calls:
        whole = await calls.messages.create(**ASK)
        async with calls.messages.stream(**ASK) as events:
            text = "".join([piece async for piece in events.text_stream])
    return {"text": text_of(whole), "streamed": text}


@part
def sampling() -> Any:
    """Releases that send the old API version may still sample on an old model; those with the new one may not."""
    ask: Any = {**ASK, "model": MODELS["sampling"], "extra_body": {"temperature": 0}}
    try:
        return {"texts": sorted({text_of(client.messages.create(**ask)) for _ in range(3)})}
    except anthropic.BadRequestError as error:
        return {"refused": str(error)}


@part
def errors() -> Any:
    create = client.messages.create
    return {
        "key": refusal(lambda: client.with_options(api_key=WRONG_KEY).models.list()),
        "model": refusal(lambda: create(**{**ASK, "model": "no-such-model"})),
        "retired": refusal(lambda: create(**{**ASK, "model": MODELS["retired"]})),
        "parameter": refusal(lambda: create(**ASK, extra_body={"top_p": 7, "nonsense": 1})),
        "batch": refusal(lambda: client.messages.batches.retrieve("msgbatch_nothing")),
    }


@part
def rate_limit() -> Any:
    """Refused at once without retries; with them, the SDK waits as told and gets through."""
    ask: Any = {**ASK, "model": MODELS["large"]}
    one_request_a_minute(MODELS["large"])
    client.messages.create(**ask)
    refused = refusal(lambda: client.messages.create(**ask))
    return {"refused": refused, "stop": client.with_options(max_retries=3).messages.create(**ask).stop_reason}


@part
def models() -> Any:
    return {"ids": [model.id for model in client.models.list()], "one": client.models.retrieve(MODEL).id}


@part
def count_tokens() -> Any:
    plain: Any = {"model": MODEL, "messages": ASK["messages"]}
    return {
        "plain": client.messages.count_tokens(**plain).input_tokens,
        "with_tool": client.messages.count_tokens(**plain, tools=[TOOL]).input_tokens,
    }


@part
def tools() -> Any:
    ask: Any = {**ASK, "messages": [{"role": "user", "content": WEATHER}], "tools": [TOOL]}
    answer = client.messages.create(**ask, tool_choice={"type": "any"})
    [call] = [block for block in answer.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": '{"temperature_c": 19, "sky": "cloudy"}'}
    turns = [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    told = client.messages.create(**{**ask, "messages": [*ask["messages"], *turns]})
    return {"stop": answer.stop_reason, "name": call.name, "input": call.input, "told": text_of(told)}


@part
def tools_streamed() -> Any:
    ask: Any = {**ASK, "messages": [{"role": "user", "content": WEATHER}], "tools": [TOOL]}
    with client.messages.stream(**ask, tool_choice={"type": "any"}) as events:
        final = events.get_final_message()
    [call] = [block for block in final.content if block.type == "tool_use"]
    return {"name": call.name, "input": call.input}


@part
def tools_run_by_the_sdk() -> Any:
    """A Python function given as a tool: the SDK writes its schema, calls it, and asks again."""

    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"19 C and cloudy in {city}"

    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=300,
        messages=[{"role": "user", "content": WEATHER}],
        tools=[anthropic.beta_tool(get_weather)],
    )
    return text_of(runner.until_done())


@part
def parse() -> Any:
    asked: Any = [{"role": "user", "content": "Extract the person: Dana Reyes is 34 years old."}]
    answer = client.messages.parse(model=MODEL, max_tokens=300, messages=asked, output_format=Person)
    return answer.parsed_output.model_dump() if answer.parsed_output else None


@part
def prompt_cache() -> Any:
    """The same long system prompt twice: written, then read."""
    rules = " ".join(f"Rule {n}: answer in one short sentence." for n in range(400))
    system: Any = [{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}]
    first, second = (client.messages.create(**ASK, system=system).usage for _ in range(2))
    return {
        "written": first.cache_creation_input_tokens,
        "read": second.cache_read_input_tokens,
        "uncached": [first.input_tokens, second.input_tokens],
    }


@part
def batches() -> Any:
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": ASK}])
    a_day_later()
    done = client.messages.batches.retrieve(batch.id)
    [line] = client.messages.batches.results(batch.id)
    text = text_of(line.result.message) if line.result.type == "succeeded" else line.result.type
    listed = [b.id for b in client.messages.batches.list()] == [batch.id]
    deleted = client.messages.batches.delete(batch.id).type
    return {
        "begun": batch.processing_status,
        "status": done.processing_status,
        "succeeded": done.request_counts.succeeded,
        "line": [line.custom_id, bool(text)],
        "listed": listed,
        "deleted": deleted,
    }


if __name__ == "__main__":
    main(anthropic.__version__)
