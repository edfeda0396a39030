"""OpenAI's SDK, 1.x to 3.x: chat completions, Responses, embeddings, files and batches."""

from __future__ import annotations

import io
import json
from typing import Any

import openai
from observe import (
    DAY,
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

MODEL = MODELS["sampling"]
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
client = openai.OpenAI(max_retries=0, _strict_response_validation=True)
"""Every answer must have the fields that this release's types require."""
lenient = openai.OpenAI(max_retries=0)
"""For what a type cannot say: embeddings come as base64, and 1.x does not know of reasoning effort "none"."""
newest = lenient if openai.__version__.startswith("1.") else client


class Person(BaseModel):
    name: str
    age: int


def usage(used: Any) -> dict[str, int]:
    return {"prompt": used.prompt_tokens, "completion": used.completion_tokens, "total": used.total_tokens}


@part
def chat() -> Any:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0)
    choice = answer.choices[0]
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "usage": usage(answer.usage),
        "request_id": answer._request_id,
    }


@part
def stream() -> Any:
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, temperature=0, stream=True, stream_options=options
        )
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    return {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "finish": choices[-1].finish_reason,
        "usage": usage(chunks[-1].usage),
        "chunks": len(chunks),
    }


@part
def stream_helper() -> Any:
    with client.chat.completions.stream(model=MODEL, messages=MESSAGES, temperature=0) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    return {"text": final.choices[0].message.content, "kinds": sorted(set(kinds))}


@part
async def async_client() -> Any:
    async with openai.AsyncOpenAI(_strict_response_validation=True) as calls:
        whole = await calls.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0)
        chunks = await calls.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
    return {"text": whole.choices[0].message.content, "streamed": text}


@part
def errors() -> Any:
    create = client.chat.completions.create
    return {
        "key": refusal(lambda: client.with_options(api_key=WRONG_KEY).models.list()),
        "model": refusal(lambda: create(model="no-such-model", messages=MESSAGES)),
        "retired": refusal(lambda: create(model=MODELS["retired"], messages=MESSAGES)),
        "parameter": refusal(lambda: create(model=MODEL, messages=MESSAGES, temperature=9)),
        "file": refusal(lambda: client.files.retrieve("file-nothing")),
    }


@part
def rate_limit() -> Any:
    """Refused at once without retries; with them, the SDK waits as told and gets through."""
    model = MODELS["large"]
    one_request_a_minute(model)
    client.chat.completions.create(model=model, messages=MESSAGES)
    refused = refusal(lambda: client.chat.completions.create(model=model, messages=MESSAGES))
    patient = client.with_options(max_retries=3)
    answer = patient.chat.completions.create(model=model, messages=MESSAGES)
    return {"refused": refused, "finish": answer.choices[0].finish_reason}


@part
def models() -> Any:
    return {"ids": [model.id for model in client.models.list()], "one": client.models.retrieve(MODEL).id}


@part
def embeddings() -> Any:
    model, texts = MODELS["embedding"], ["rain", "snow and ice"]
    plain = lenient.embeddings.create(model=model, input=texts)
    floats = lenient.embeddings.create(model=model, input=texts, encoding_format="float")
    return {
        "lengths": [len(row.embedding) for row in plain.data],
        "same": [row.embedding for row in plain.data] == [row.embedding for row in floats.data],
        "usage": plain.usage.prompt_tokens,
    }


@part
def tools() -> Any:
    asked: Any = [{"role": "user", "content": WEATHER}]
    tools: Any = [TOOL]
    answer = client.chat.completions.create(model=MODEL, messages=asked, tools=tools, tool_choice="required", seed=1)
    message = answer.choices[0].message
    [call] = message.tool_calls or []
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"temperature_c": 19, "sky": "cloudy"}'}
    told = client.chat.completions.create(model=MODEL, messages=[*asked, message, result], tools=tools, seed=1)
    return {
        "finish": answer.choices[0].finish_reason,
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "told": told.choices[0].message.content,
    }


@part
def tools_streamed() -> Any:
    asked: Any = [{"role": "user", "content": WEATHER}]
    tools: Any = [TOOL]
    with client.chat.completions.stream(
        model=MODEL, messages=asked, tools=tools, tool_choice="required", seed=1
    ) as events:
        final = events.until_done().get_final_completion()
    [call] = final.choices[0].message.tool_calls or []
    return {"name": call.function.name, "arguments": json.loads(call.function.arguments)}


@part
def parse() -> Any:
    asked: Any = [{"role": "user", "content": "Extract the person: Dana Reyes is 34 years old."}]
    answer = client.chat.completions.parse(model=MODEL, messages=asked, response_format=Person, temperature=0)
    parsed = answer.choices[0].message.parsed
    return parsed.model_dump() if parsed else None


@part
def responses() -> Any:
    answer = newest.responses.create(model=MODEL, input=QUESTION, temperature=0)
    follow = newest.responses.create(model=MODEL, input="And why?", previous_response_id=answer.id)
    used = answer.usage
    assert used and follow.usage
    return {
        "text": answer.output_text,
        "status": answer.status,
        "usage": [used.input_tokens, used.output_tokens, used.total_tokens],
        "followed_input": follow.usage.input_tokens,
    }


@part
def responses_streamed() -> Any:
    with newest.responses.stream(model=MODEL, input=QUESTION, temperature=0) as events:
        kinds = [event.type for event in events]
        final = events.get_final_response()
    return {"first": kinds[0], "last": kinds[-1], "text": final.output_text}


@part
def responses_kept() -> Any:
    """What the server holds of a response: itself and what was asked."""
    made = newest.responses.create(model=MODEL, input=QUESTION, temperature=0)
    asked: Any = client.responses.input_items.list(made.id).data
    same = newest.responses.retrieve(made.id).output_text == made.output_text
    newest.responses.delete(made.id)
    gone = refusal(lambda: newest.responses.retrieve(made.id))
    return {"same": same, "asked": [item.content[0].text for item in asked], "gone": gone["classes"][0]}


@part
def azure() -> Any:
    """The same release's client for Azure: deployments in the path, `api-key` in a header."""
    calls = openai.AzureOpenAI(max_retries=0)
    answer = calls.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0)
    chunks = calls.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return {"text": answer.choices[0].message.content, "streamed": text}


@part
def moderations() -> Any:
    return client.moderations.create(input=[QUESTION, "rain"]).results[1].flagged


@part
def count_tokens() -> Any:
    """Since 2.6; None before."""
    counter = getattr(newest.responses, "input_tokens", None)
    return None if counter is None else counter.count(model=MODEL, input=QUESTION).input_tokens


@part
def batches() -> Any:
    body = {"model": MODEL, "messages": MESSAGES, "temperature": 0}
    line = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file = client.files.create(file=("in.jsonl", io.BytesIO(json.dumps(line).encode())), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    a_day_later()
    done = client.batches.retrieve(batch.id)
    output = json.loads(client.files.content(done.output_file_id or "").text)
    return {
        "begun": batch.status,
        "status": done.status,
        "lasted": (done.completed_at or 0) - done.created_at < DAY,
        "text": output["response"]["body"]["choices"][0]["message"]["content"],
        "listed": [b.id for b in client.batches.list()] == [batch.id],
        "deleted": client.files.delete(file.id).deleted,
    }


if __name__ == "__main__":
    main(openai.__version__)
