"""LiteLLM with nothing but the environment that `labkit.start()` sets: one function, every provider's prefix."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import litellm
from observe import MODELS, QUESTION, WEATHER, WRONG_KEY, main, one_request_a_minute, part, refusal

litellm.suppress_debug_info = True
NAMES = {
    "openai": f"openai/{MODELS['openai.sampling']}",
    "anthropic": f"anthropic/{MODELS['anthropic.sampling']}",
    "gemini": f"gemini/{MODELS['gemini.sampling']}",
}
ASK: Any = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 200}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


BARE: Any = {} if find_spec("mcp") else {"_skip_mcp_handler": True}
"""1.106 imports `mcp` for any call with tools, and only its extras install that; this is how it skips the import."""


@part
def completion() -> Any:
    found = {}
    for provider, name in NAMES.items():
        answer: Any = litellm.completion(model=name, **ASK)
        found[provider] = {
            "text": answer.choices[0].message.content,
            "finish": answer.choices[0].finish_reason,
            "usage": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
            "cost": litellm.completion_cost(answer, model=name),
        }
    return found


@part
def stream() -> Any:
    found = {}
    for provider, name in NAMES.items():
        chunks: list[Any] = list(
            litellm.completion(model=name, stream=True, stream_options={"include_usage": True}, **ASK)
        )
        used = next(chunk.usage for chunk in reversed(chunks) if getattr(chunk, "usage", None))
        found[provider] = {
            "text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
            "usage": [used.prompt_tokens, used.completion_tokens],
        }
    return found


@part
async def async_stream() -> Any:
    async def text(name: str) -> str:
        chunks: Any = await litellm.acompletion(model=name, stream=True, **ASK)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    return dict(zip(NAMES, await asyncio.gather(*(text(name) for name in NAMES.values())), strict=True))


@part
def tools() -> Any:
    found = {}
    for provider, name in NAMES.items():
        asked: Any = {**ASK, "messages": [{"role": "user", "content": WEATHER}]}
        answer: Any = litellm.completion(model=name, tools=[TOOL], tool_choice="required", **BARE, **asked)
        [call] = answer.choices[0].message.tool_calls
        found[provider] = [call.function.name, call.function.arguments]
    return found


@part
def clouds() -> Any:
    """The same models by way of Azure's deployments and Bedrock's Converse."""
    names = {"azure": f"azure/{MODELS['openai.sampling']}", "bedrock": f"bedrock/converse/{MODELS['bedrock.small']}"}
    ask = {"messages": ASK["messages"], "max_tokens": 200}
    answers: Any = {provider: litellm.completion(model=name, **ask) for provider, name in names.items()}
    return {provider: answer.choices[0].finish_reason for provider, answer in answers.items()}


@part
def embedding() -> Any:
    found = {}
    for provider in ("openai", "gemini"):
        answer = litellm.embedding(model=f"{provider}/{MODELS[f'{provider}.embedding']}", input=["snow and ice"])
        found[provider] = [len(row["embedding"]) for row in answer.data]
    return found


@part
def errors() -> Any:
    found = {}
    for provider, name in NAMES.items():
        ask: Any = {**ASK, "num_retries": 0}
        found[provider] = {
            "key": refusal(lambda: litellm.completion(model=name, api_key=WRONG_KEY, **ask)),  # noqa: B023
            "model": refusal(lambda: litellm.completion(model=f"{provider}/no-such-model", **ask)),  # noqa: B023
        }
    return found


@part
def rate_limit() -> Any:
    found = {}
    for provider, name in NAMES.items():
        one_request_a_minute(name.partition("/")[2])
        litellm.completion(model=name, **ASK)
        found[provider] = refusal(lambda: litellm.completion(model=name, num_retries=0, max_retries=0, **ASK))  # noqa: B023
    return found


if __name__ == "__main__":
    main(version("litellm"))
