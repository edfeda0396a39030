"""OpenAI's Responses API: create, stream, get, delete, input items, and the count of input tokens.

The same model and the same sampling as chat completions; other names, items in place of messages, and a conversation
that the server keeps: `previous_response_id` goes on from what was stored.
Source: OpenAI's API reference and `openapi.yaml` of August 2026; the SDK's types decide the field names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.engine.base import Prompt
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import UNCAPPED, GenerationRequest, thinking_steps
from labkit.server.http import EVENT_STREAM_TYPE, NO_CACHE, Answer, EventStream, Response, Route, dump
from labkit.server.prompt import Block, Rendered, render
from labkit.server.protocols.base import refuse_unserved
from labkit.server.protocols.openai_request import (
    check_capabilities,
    known_model,
    place_breakpoints,
    read_messages,
)
from labkit.server.protocols.openai_response_items import finished, new_response, response_frames
from labkit.server.protocols.openai_tools import read_choice, read_format, read_function
from labkit.server.shapes import Field, Violation, check, check_value

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

MOST_STORED = 2_000

# --- fields ----------------------------------------------------------------------------------------------------------

FIELDS = {
    "model": Field("string", required=True),
    "input": Field("string or array", required=True, low=1),
    "instructions": Field("string"),
    "previous_response_id": Field("string"),
    "conversation": Field("any"),
    "max_output_tokens": Field("integer", low=16),
    "temperature": Field("number", low=0, high=2),
    "top_p": Field("number", low=0, high=1),
    "top_logprobs": Field("integer", low=0, high=20),
    "tools": Field("array"),
    "tool_choice": Field("any"),
    "parallel_tool_calls": Field("boolean"),
    "text": Field("object"),
    "reasoning": Field("object"),
    "include": Field("array"),
    "store": Field("boolean"),
    "stream": Field("boolean"),
    "stream_options": Field("object"),
    "background": Field("boolean"),
    "truncation": Field("string", choices=("auto", "disabled")),
    "metadata": Field("object"),
    "prompt_cache_key": Field("string"),
    "prompt_cache_options": Field("object"),
    "prompt_cache_retention": Field("string"),
    "safety_identifier": Field("string"),
    "service_tier": Field("string", choices=("auto", "default", "flex", "scale", "priority", "fast")),
    "user": Field("string"),
}
COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "text", "previous_response_id", "reasoning")
TEXT = {"format": Field("object"), "verbosity": Field("string", choices=("low", "medium", "high"))}
REASONING = {"effort": Field("string"), "summary": Field("string"), "generate_summary": Field("string")}
JOURNALED = ("max_output_tokens", "temperature", "top_p", "reasoning", "text", "store", "previous_response_id")
LOGPROBS = "message.output_text.logprobs"


# --- what is kept ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Stored:
    """A finished response, and the conversation that it ended, for the next one to go on from."""

    response: dict[str, Any]
    items: list[Any]
    """What was sent with this request."""
    messages: list[dict[str, Any]]
    """The whole conversation so far, in the shape of chat messages, without instructions."""


class Responses:
    """The stored responses of one tenant, the oldest dropped first."""

    def __init__(self, tenant: Tenant) -> None:
        self._kept: OrderedDict[str, Stored] = OrderedDict()

    def keep(self, stored: Stored) -> None:
        self._kept[stored.response["id"]] = stored
        if len(self._kept) > MOST_STORED:
            self._kept.popitem(last=False)

    def find(self, response_id: str) -> Stored:
        if response_id not in self._kept:
            raise ApiError("not_found", f"Response with id '{response_id}' not found.", param="id")
        return self._kept[response_id]

    def delete(self, response_id: str) -> None:
        self.find(response_id)
        del self._kept[response_id]


# --- reading a request -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """A checked request."""

    body: dict[str, Any]
    generation: GenerationRequest
    messages: list[dict[str, Any]]
    """The conversation without instructions."""
    items: list[Any] = field(default_factory=list)


def read_response(body: dict[str, Any], stored: Responses) -> Asked:
    check(body, FIELDS)
    model = known_model(body["model"])
    refuse_what_is_not_served(body)
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    check(text, TEXT, at="text.")
    check(reasoning, REASONING, at="reasoning.")
    check_capabilities({**body, "reasoning_effort": reasoning.get("effort"), "top_logprobs": None}, model)
    items = [{"role": "user", "content": body["input"]}] if isinstance(body["input"], str) else body["input"]
    messages = earlier_messages(body.get("previous_response_id"), stored) + list(to_messages(items))
    prompt, rendered = read_prompt(body, model, messages, text.get("format") or {"type": "text"})
    cap = body.get("max_output_tokens")
    if cap and cap > model.max_output:
        raise Violation("max_output_tokens", "above", got=cap, limit=model.max_output, kind="integer")
    if len(rendered) + (cap or 0) > model.context:
        message = "Your input exceeds the context window of this model. Please adjust your input and try again."
        raise ApiError("invalid_request", message, code="context_length_exceeded", param="input")
    temperature, top_p = body.get("temperature"), body.get("top_p")
    generation = GenerationRequest(
        model=model,
        prompt=prompt,
        prompt_tokens=len(rendered),
        rendered=rendered,
        sampling=SamplingParams(1.0 if temperature is None else temperature, 1.0 if top_p is None else top_p),
        max_tokens=int(cap or min(UNCAPPED, model.max_output)),
        top_logprobs=(body.get("top_logprobs") or 0) if LOGPROBS in (body.get("include") or []) else None,
        thinking_steps=thinking_steps(reasoning.get("effort") or model.default_effort),
    )
    return Asked(body, generation, messages, items)


def refuse_what_is_not_served(body: dict[str, Any]) -> None:
    for name in ("conversation", "background"):
        if body.get(name):
            raise refuse_unserved(name)


def earlier_messages(previous: str | None, stored: Responses) -> list[dict[str, Any]]:
    if previous is None:
        return []
    try:
        return list(stored.find(previous).messages)
    except ApiError:
        message = f"Previous response with id '{previous}' not found."
        raise ApiError(
            "invalid_request", message, code="previous_response_not_found", param="previous_response_id"
        ) from None


def to_messages(items: list[Any]) -> Iterator[dict[str, Any]]:
    """Responses items as chat messages."""
    for n, item in enumerate(items):
        at = f"input[{n}]"
        check_value(item, Field("object"), at)
        kind = item.get("type") or "message"
        if kind == "message":
            yield {"role": item.get("role"), "content": _content(item.get("content"), at)}
        elif kind == "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            yield {"role": "assistant", "content": None, "tool_calls": [call]}
        elif kind == "function_call_output":
            output = item.get("output")
            text = output if isinstance(output, str) else _content(output, at)
            yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": text}
        elif kind != "reasoning":
            raise refuse_unserved(f"input items of type {str(kind)[:40]!r}")


def _content(content: Any, at: str) -> Any:
    if not isinstance(content, list):
        return content
    parts = []
    for n, part in enumerate(content):
        check_value(part, Field("object"), f"{at}.content[{n}]")
        if part.get("type") == "input_image":
            image = {"url": part.get("image_url"), "detail": part.get("detail") or "auto"}
            parts.append({"type": "image_url", "image_url": image})
            continue
        if part.get("type") not in ("input_text", "output_text", "refusal", "text"):
            raise refuse_unserved(f"content of type {str(part.get('type'))[:40]!r}")
        kept = {k: v for k, v in part.items() if k == "prompt_cache_breakpoint"}
        parts.append({"type": "text", "text": part.get("text") or part.get("refusal") or "", **kept})
    return parts


def read_prompt(
    body: dict[str, Any], model: Model, messages: list[dict[str, Any]], form: dict[str, Any]
) -> tuple[Prompt, Rendered]:
    declared = body.get("tools") or []
    for n, tool in enumerate(declared):
        check_value(tool, Field("object"), f"tools[{n}]")
        if tool.get("type") != "function":
            raise refuse_unserved(f"tools of type {str(tool.get('type'))[:40]!r}")
    functions = [{k: v for k, v in tool.items() if k != "type"} for tool in declared]
    tools = tuple(read_function(function, f"tools[{n}]") for n, function in enumerate(functions))
    choice = read_choice(body.get("tool_choice"), tools)
    wants_json, schema = read_format(form, "text.format")
    instructions = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    turns, blocks = read_messages([*instructions, *messages], model, "input")
    blocks = [*(Block("tools", dump(t).decode(), opens=not n) for n, t in enumerate(declared)), *blocks]
    rendered = render(place_breakpoints(blocks, body.get("prompt_cache_options") or {}, model), model)
    prompt = Prompt(
        turns,
        tier=model.tier or "standard",
        json=wants_json,
        schema=schema,
        tools=tools,
        tool_choice=choice,
        parallel_calls=body.get("parallel_tool_calls") is not False,
    )
    return prompt, rendered


# --- handlers --------------------------------------------------------------------------------------------------------


async def create(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    stored = exchange.tenant.part(Responses)
    asked = read_response(body, stored)
    stream = bool(body.get("stream"))
    params = {k: body[k] for k in JOURNALED if body.get(k) is not None}
    exchange.describe(asked.generation.model, params, stream=stream)
    generation = exchange.generate(asked.generation)
    if stream:
        begun = new_response(body, generation)
        frames = exchange.pace_frames(response_frames(generation, begun, lambda whole: keep(asked, whole, stored)))
        return EventStream(frames, [EVENT_STREAM_TYPE, NO_CACHE], watch=bool(exchange.tenant.pace))
    await exchange.finish_generation()
    response = finished(generation, new_response(body, generation))
    keep(asked, response, stored)
    return Response.json(response)


async def get(exchange: Exchange, response: str) -> Answer:
    return Response.json(exchange.tenant.part(Responses).find(response).response)


async def delete(exchange: Exchange, response: str) -> Answer:
    exchange.tenant.part(Responses).delete(response)
    return Response.json({"id": response, "object": "response", "deleted": True})


async def input_items(exchange: Exchange, response: str) -> Answer:
    kept = exchange.tenant.part(Responses).find(response).items
    items = [listed(item, f"msg_{response[5:]}_{n}") for n, item in enumerate(kept)][::-1]
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {"first_id": None, "last_id": None}
    return Response.json({"object": "list", "data": items, "has_more": False, **ends})


async def count_input_tokens(exchange: Exchange) -> Answer:
    body = {k: v for k, v in exchange.request.json().items() if k in COUNTED}
    asked = read_response(body, exchange.tenant.part(Responses))
    exchange.describe(asked.generation.model, {}, stream=False)
    return Response.json({"object": "response.input_tokens", "input_tokens": asked.generation.prompt_tokens})


def listed(item: Any, item_id: str) -> Any:
    """An input item as it is given back: with an id, and with text as a content part however it was sent."""
    if not isinstance(item, dict):
        return item
    item = {"id": item_id, "type": "message", **item}
    if isinstance(text := item.get("content"), str):
        by_model = {"type": "output_text", "text": text, "annotations": []}
        part = by_model if item.get("role") == "assistant" else {"type": "input_text", "text": text}
        item |= {"content": [part], "status": "completed"}
    return item


def keep(asked: Asked, response: dict[str, Any], stored: Responses) -> None:
    if asked.body.get("store") is not False:
        stored.keep(Stored(response, asked.items, [*asked.messages, *to_messages(response["output"])]))


ROUTES = [
    Route("POST", "/v1/responses", create),
    Route("POST", "/v1/responses/input_tokens", count_input_tokens),
    Route("GET", "/v1/responses/{response}", get),
    Route("DELETE", "/v1/responses/{response}", delete),
    Route("GET", "/v1/responses/{response}/input_items", input_items),
]
