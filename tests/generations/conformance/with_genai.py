"""Google's SDK, 1.x to 3.x: generateContent, function calling, schemas, embeddings, files, caches and batches."""

# No postponed annotations here: 1.x calls a Python function only if its annotations are types, not their names.
import io
import warnings
from typing import Any

from google import genai
from google.genai import types
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

MODEL = MODELS["sampling"]
GREEDY = types.GenerateContentConfig(temperature=0)
client = genai.Client()


class Person(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> dict[str, Any]:
    """The weather in a city."""
    return {"city": city, "temperature_c": 19, "sky": "cloudy"}


def finish(answer: Any) -> str:
    return answer.candidates[0].finish_reason.name


@part
def generate() -> Any:
    answer = client.models.generate_content(model=MODEL, contents=QUESTION, config=GREEDY)
    used = answer.usage_metadata
    assert used is not None
    return {
        "text": answer.text,
        "finish": finish(answer),
        "usage": [used.prompt_token_count, used.candidates_token_count, used.total_token_count],
        "model": answer.model_version,
        "id": answer.response_id,
    }


@part
def stream() -> Any:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=QUESTION, config=GREEDY))
    used = chunks[-1].usage_metadata
    return {
        "text": "".join(chunk.text or "" for chunk in chunks),
        "finish": finish(chunks[-1]),
        "output_tokens": used.candidates_token_count if used else None,
        "chunks": len(chunks),
    }


@part
async def async_client() -> Any:
    calls = genai.Client()
    whole = await calls.aio.models.generate_content(model=MODEL, contents=QUESTION, config=GREEDY)
    chunks = await calls.aio.models.generate_content_stream(model=MODEL, contents=QUESTION, config=GREEDY)
    return {"text": whole.text, "streamed": "".join([chunk.text or "" async for chunk in chunks])}


@part
def chat() -> Any:
    session = client.chats.create(model=MODEL, config=GREEDY)
    session.send_message("My name is Dana and I like hiking.")
    return {"text": session.send_message("What is my name?").text, "turns": len(session.get_history())}


@part
def errors() -> Any:
    def ask(model: str = MODEL, **config: Any) -> Any:
        return client.models.generate_content(
            model=model, contents=QUESTION, config=types.GenerateContentConfig(**config)
        )

    stranger = genai.Client(api_key=WRONG_KEY)
    return {
        "key": refusal(lambda: stranger.models.count_tokens(model=MODEL, contents=QUESTION)),
        "model": refusal(lambda: ask("no-such-model")),
        "retired": refusal(lambda: ask(MODELS["retired"])),
        "parameter": refusal(lambda: ask(temperature=9)),
        "file": refusal(lambda: client.files.get(name="files/nothing")),
    }


@part
def rate_limit() -> Any:
    """Refused at once as the SDK comes; told to retry, it gets through."""
    model = MODELS["large"]
    one_request_a_minute(model)
    client.models.generate_content(model=model, contents=QUESTION)
    refused = refusal(lambda: client.models.generate_content(model=model, contents=QUESTION))
    retries = types.HttpRetryOptions(attempts=6, initial_delay=0.2, max_delay=0.5)
    patient = genai.Client(http_options=types.HttpOptions(retry_options=retries))
    return {"refused": refused, "finish": finish(patient.models.generate_content(model=model, contents=QUESTION))}


@part
def models() -> Any:
    return {"ids": [model.name for model in client.models.list()], "one": client.models.get(model=MODEL).name}


@part
def count_tokens() -> Any:
    return client.models.count_tokens(model=MODEL, contents=QUESTION).total_tokens


@part
def embeddings() -> Any:
    answer = client.models.embed_content(model=MODELS["embedding"], contents="snow and ice")
    return [len(row.values or []) for row in answer.embeddings or []]


@part
def tools() -> Any:
    """Declared by hand, one call and its result."""
    declared = {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
    }
    config: Any = {
        "temperature": 0,
        "tools": [{"function_declarations": [declared]}],
        "tool_config": {"function_calling_config": {"mode": "ANY"}},
    }
    answer = client.models.generate_content(model=MODEL, contents=WEATHER, config=config)
    [call] = answer.function_calls or []
    result = types.Part.from_function_response(name=str(call.name), response=get_weather("Paris"))
    turns: Any = [
        types.Content(role="user", parts=[types.Part(text=WEATHER)]),
        answer.candidates[0].content,  # type: ignore[index]
        types.Content(role="user", parts=[result]),
    ]
    config["tool_config"]["function_calling_config"]["mode"] = "AUTO"
    told = client.models.generate_content(model=MODEL, contents=turns, config=config)
    return {"finish": finish(answer), "name": call.name, "args": call.args, "told": told.text}


@part
def tools_called_by_the_sdk() -> Any:
    """A Python function given as a tool: the SDK writes its schema, calls it, and asks again."""
    config = types.GenerateContentConfig(temperature=0, tools=[get_weather])
    answer = client.models.generate_content(model=MODEL, contents=WEATHER, config=config)
    return {"told": answer.text, "turns": len(answer.automatic_function_calling_history or [])}


@part
def parse() -> Any:
    config = types.GenerateContentConfig(temperature=0, response_mime_type="application/json", response_schema=Person)
    asked = "Extract the person: Dana Reyes is 34 years old."
    parsed: Any = client.models.generate_content(model=MODEL, contents=asked, config=config).parsed
    return parsed.model_dump() if parsed else None


@part
def files() -> Any:
    file = client.files.upload(file=io.BytesIO(b"rain\n" * 5), config={"mime_type": "text/plain"})
    name = str(file.name)
    same = client.files.get(name=name) == file
    client.files.delete(name=name)
    return {"size": file.size_bytes, "same": same, "left": len(list(client.files.list()))}


@part
def caches() -> Any:
    """A long text cached by name, and used by a question about it."""
    rules = " ".join(f"Rule {n}: answer in one short sentence." for n in range(600))
    model = MODELS["small"]
    config = types.CreateCachedContentConfig(
        contents=[types.Content(role="user", parts=[types.Part(text=rules)])], ttl="300s"
    )
    cache = client.caches.create(model=model, config=config)
    using = types.GenerateContentConfig(cached_content=cache.name)
    used = client.models.generate_content(model=model, contents=QUESTION, config=using).usage_metadata
    client.caches.delete(name=str(cache.name))
    held = cache.usage_metadata.total_token_count if cache.usage_metadata else None
    return {"held": held, "read": used.cached_content_token_count if used else None}


@part
def batches() -> Any:
    request: Any = {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}], "config": {"temperature": 0}}
    job = client.batches.create(model=MODEL, src=[request])
    a_day_later()
    done = client.batches.get(name=str(job.name))
    dest: Any = done.dest
    return {
        "begun": job.state.name if job.state else None,
        "state": done.state.name if done.state else None,
        "text": dest.inlined_responses[0].response.text,
        "listed": [b.name for b in client.batches.list()] == [job.name],
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # experimental features say that they are; each release about others
    main(genai.__version__)
