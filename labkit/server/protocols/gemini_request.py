"""What a generateContent call may ask, and Google's words for what it may not.

The table first, then the sentences, then the reading of one body into a `GenerationRequest`. Keys come in camelCase and
in snake_case, from the same SDK, so both are read.
"""

from __future__ import annotations

import re
from typing import Any

from labkit.engine.base import Prompt
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.generation import UNCAPPED, GenerationRequest, thinking_steps
from labkit.server.prompt import render
from labkit.server.protocols.base import retirement, served
from labkit.server.protocols.gemini_contents import Contents, after_cached, read_choice, read_contents, read_schema
from labkit.server.shapes import Field, Violation, check, check_value, type_name

PROVIDERS = ("gemini",)

# --- fields ----------------------------------------------------------------------------------------------------------

FIELDS = {
    "contents": Field("any", required=True, nullable=False),
    "systemInstruction": Field("any"),
    "generationConfig": Field("object"),
    "tools": Field("array"),
    "toolConfig": Field("object"),
    "safetySettings": Field("array"),
    "cachedContent": Field("string"),
    "labels": Field("object"),
    "model": Field("string"),
    "serviceTier": Field("string"),
    "store": Field("boolean"),
}
CONFIG = {
    "temperature": Field("number", low=0, high=2),
    "topP": Field("number", low=0, high=1),
    "topK": Field("number", low=1),
    "candidateCount": Field("integer", low=1, high=8),
    "maxOutputTokens": Field("integer", low=1),
    "stopSequences": Field("array", high=5),
    "seed": Field("integer", low=-(2**31), high=2**31 - 1),
    "presencePenalty": Field("number", low=-2, high=2),
    "frequencyPenalty": Field("number", low=-2, high=2),
    "responseLogprobs": Field("boolean"),
    "logprobs": Field("integer", low=0, high=20),
    "responseMimeType": Field("string", choices=("text/plain", "application/json", "text/x.enum")),
    "responseSchema": Field("object"),
    "responseJsonSchema": Field("any"),
    "responseModalities": Field("array"),
    "thinkingConfig": Field("object"),
    "mediaResolution": Field("string"),
    "speechConfig": Field("object"),
    "imageConfig": Field("object"),
    "audioTimestamp": Field("boolean"),
    "enableEnhancedCivicAnswers": Field("boolean"),
}
THINKING = {
    "thinkingBudget": Field("integer", low=-1),
    "thinkingLevel": Field("string", choices=("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")),
    "includeThoughts": Field("boolean"),
}
FREE_FORM = frozenset(
    {"args", "response", "responseSchema", "responseJsonSchema", "parameters", "parametersJsonSchema"}
)
"""Values that belong to the caller: their keys stay as they are."""

# --- errors ----------------------------------------------------------------------------------------------------------

STATUS_NAMES = {
    "invalid_request": "INVALID_ARGUMENT",
    "authentication": "UNAUTHENTICATED",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "method_not_allowed": "INVALID_ARGUMENT",
    "too_large": "INVALID_ARGUMENT",
    "timeout": "DEADLINE_EXCEEDED",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "quota": "RESOURCE_EXHAUSTED",
    "server": "INTERNAL",
    "bad_gateway": "UNAVAILABLE",
    "unavailable": "UNAVAILABLE",
    "gateway_timeout": "DEADLINE_EXCEEDED",
    "overloaded": "UNAVAILABLE",
}
PROTO_TYPES = {"number": "TYPE_FLOAT", "integer": "TYPE_INT32", "string": "TYPE_STRING", "boolean": "TYPE_BOOL"}


def phrase(v: Violation) -> ApiError:
    """Google's sentences for a bad field."""
    where, _, name = v.path.rpartition(".")
    at = f" at '{where}'" if where else ""
    snake = re.sub(r"(?<!^)([A-Z])", r"_\1", v.path).lower()
    sentence = {
        "missing": f"* GenerateContentRequest.{snake}: {v.path} is not specified",
        "unknown": f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.',
        "type": f"Invalid value at '{snake}' ({PROTO_TYPES.get(v.kind, v.kind)}), {_quoted(v.got)}",
        "below": f"* GenerateContentRequest.{snake}: {name} must be at least {v.limit}, got {v.got}",
        "above": f"* GenerateContentRequest.{snake}: {name} must be at most {v.limit}, got {v.got}",
        "empty": f"* GenerateContentRequest.{snake}: {name} must not be empty",
        "too_many": f"* GenerateContentRequest.{snake}: the number of {name} must be at most {v.limit}",
        "choice": f"* GenerateContentRequest.{snake}: {_quoted(v.got)} is not one of {', '.join(v.choices)}",
    }[v.rule]
    return ApiError("invalid_request", sentence, param=v.path)


def _quoted(value: Any) -> str:
    return (
        f'"{value}"' if isinstance(value, str) else type_name(value) if isinstance(value, list | dict) else str(value)
    )


# --- reading a request -----------------------------------------------------------------------------------------------


def camel(value: Any) -> Any:
    """Keys in camelCase, whatever they came in, down to where the caller's own values begin.

    >>> camel({"generation_config": {"top_p": 1}, "args": {"my_key": 2}})
    {'generationConfig': {'topP': 1}, 'args': {'my_key': 2}}
    """
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), key): item for key, item in value.items()}
    return {key: item if key in FREE_FORM else camel(item) for key, item in renamed.items()}


def read_generate(body: dict[str, Any], model: Model, cached: Contents | None = None) -> GenerationRequest:
    """A generateContent body, checked against the table, then against the model's capability row."""
    body = camel(body)
    check(body, FIELDS)
    config = body.get("generationConfig") or {}
    check(config, CONFIG, at="generationConfig.")
    check_capabilities(config, model)
    contents = read_contents(body, model)
    if cached is not None:
        contents = after_cached(cached, contents)
    choice = read_choice((body.get("toolConfig") or {}).get("functionCallingConfig") or {}, contents.tools)
    rendered = render(contents.blocks, model)
    prompt_tokens = len(rendered)
    if prompt_tokens > model.context:
        raise ApiError(
            "invalid_request",
            f"The input token count ({prompt_tokens}) exceeds the maximum number of tokens allowed ({model.context}).",
        )
    wants_json = config.get("responseMimeType") == "application/json"
    return GenerationRequest(
        model=model,
        prompt=Prompt(
            contents.turns,
            tier=model.tier or "standard",
            json=wants_json,
            schema=read_schema(config),
            tools=contents.tools,
            tool_choice=choice,
        ),
        prompt_tokens=prompt_tokens,
        rendered=rendered,
        thinking_steps=read_thinking(config.get("thinkingConfig") or {}, model),
        show_thoughts=bool((config.get("thinkingConfig") or {}).get("includeThoughts")),
        explicitly_cached=cached.tokens if cached else 0,
        sampling=SamplingParams() if model.sampling == "ignored" else read_sampling(config),
        max_tokens=int(config.get("maxOutputTokens") or min(UNCAPPED, model.max_output)),
        stop=read_stop(config.get("stopSequences") or []),
        n=int(config.get("candidateCount") or 1),
        seed=config.get("seed"),
        top_logprobs=int(config.get("logprobs") or 0) if config.get("responseLogprobs") else None,
    )


def find_model(name: str) -> Model:
    model = served(name, PROVIDERS)
    if model is None:
        message = f"models/{name} is not found for API version v1, or is not supported for generateContent. "
        raise ApiError("not_found", message + "Call ListModels to see the list of available models.")
    if gone := retirement(model):
        raise ApiError("not_found", f"models/{name} is no longer available. {gone}")
    return model


def check_capabilities(config: dict[str, Any], model: Model) -> None:
    if (config.get("maxOutputTokens") or 0) > model.max_output:
        raise Violation(
            "generationConfig.maxOutputTokens", "above", got=config["maxOutputTokens"], limit=model.max_output
        )
    if model.sampling == "no" and (given := [n for n in ("temperature", "topP", "topK") if config.get(n) is not None]):
        raise ApiError("invalid_request", f"{given[0]} is not supported by models/{model.id}.", param=given[0])
    if config.get("logprobs") and not config.get("responseLogprobs"):
        raise ApiError("invalid_request", "logprobs is set but responseLogprobs is not: set response_logprobs to true.")
    if config.get("responseLogprobs") and not model.logprobs:
        raise ApiError("invalid_request", f"Logprobs is not enabled for models/{model.id}")


def read_thinking(config: dict[str, Any], model: Model) -> int:
    """How long to think, by `thinkingLevel` or within `thinkingBudget` (-1 leaves it to the model, 0 turns it off)."""
    check(config, THINKING, at="generationConfig.thinkingConfig.")
    if config and model.thinking == "no":
        raise ApiError("invalid_request", f"Thinking is not enabled for models/{model.id}")
    budget, level = config.get("thinkingBudget"), config.get("thinkingLevel")
    if budget is not None and level:
        raise ApiError("invalid_request", "You can only set one of thinking budget and thinking level.")
    if budget == 0 and model.thinking == "always":
        raise ApiError("invalid_request", "Budget 0 is invalid. This model only works in thinking mode.")
    if level:
        return thinking_steps(level.lower())
    thinks = model.thinking == "always" or (budget or 0) != 0
    effort = model.default_effort or "medium"
    return thinking_steps(effort, budget if budget is not None and budget >= 0 else None) if thinks else 0


def read_sampling(config: dict[str, Any]) -> SamplingParams:
    def given(name: str, default: float) -> float:
        value = config.get(name)
        return default if value is None else value

    return SamplingParams(
        temperature=given("temperature", 1.0),
        top_p=given("topP", 1.0),
        top_k=int(given("topK", 0)),
        presence_penalty=given("presencePenalty", 0.0),
        frequency_penalty=given("frequencyPenalty", 0.0),
    )


def read_stop(sequences: list[Any]) -> tuple[str, ...]:
    for n, sequence in enumerate(sequences):
        check_value(sequence, Field("string"), f"generationConfig.stopSequences[{n}]")
    return tuple(s for s in sequences if s)
