"""Google's interactions API: create, stream, get and delete; a conversation that the server keeps.

An interaction is a list of steps: what the user sent, what the model thought, said and called; with
`previous_interaction_id` a new one goes on from a stored one. Served: text, images, functions, structured text and
thinking. Agents, background runs and Google's own tools are refused by name.
Source: the types that `google-genai` 3.4 carries.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.generation import Generation, GenerationRequest, Part
from labkit.server.http import EVENT_STREAM_TYPE, Answer, EventStream, Response, Route, dump
from labkit.server.protocols.base import refuse_unserved
from labkit.server.protocols.gemini_request import find_model, read_generate
from labkit.server.shapes import Field, Violation, check, check_value

if TYPE_CHECKING:
    from labkit.server.tenants import Tenant

MOST_STORED = 2_000

# --- fields ----------------------------------------------------------------------------------------------------------

FIELDS = {
    "model": Field("string", required=True),
    "input": Field("any", required=True),
    "system_instruction": Field("string"),
    "generation_config": Field("object"),
    "previous_interaction_id": Field("string"),
    "tools": Field("array"),
    "response_format": Field("any"),
    "response_mime_type": Field("string"),
    "response_modalities": Field("array"),
    "safety_settings": Field("array"),
    "labels": Field("object"),
    "service_tier": Field("string"),
    "store": Field("boolean"),
    "stream": Field("boolean"),
    "background": Field("boolean"),
    "cached_content": Field("string"),
}
CONFIG = {
    "temperature": Field("number", low=0, high=2),
    "top_p": Field("number", low=0, high=1),
    "seed": Field("integer"),
    "stop_sequences": Field("array", high=5),
    "max_output_tokens": Field("integer", low=1),
    "thinking_level": Field("string"),
    "thinking_summaries": Field("string", choices=("auto", "none")),
    "tool_choice": Field("any"),
}
RENAMED = {"top_p": "topP", "stop_sequences": "stopSequences", "max_output_tokens": "maxOutputTokens"}
ROLES = {"user_input": "user", "model_output": "model", "function_call": "model", "function_result": "user"}
CHOICES = {"auto": "AUTO", "any": "ANY", "none": "NONE", "validated": "VALIDATED"}


# --- what is kept ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Stored:
    """A finished interaction, and the contents of the whole conversation up to its end."""

    interaction: dict[str, Any]
    contents: list[dict[str, Any]]


class Interactions:
    """The stored interactions of one tenant, the oldest dropped first."""

    def __init__(self, tenant: Tenant) -> None:
        self._kept: OrderedDict[str, Stored] = OrderedDict()

    def keep(self, stored: Stored) -> None:
        self._kept[stored.interaction["id"]] = stored
        if len(self._kept) > MOST_STORED:
            self._kept.popitem(last=False)

    def find(self, interaction_id: str) -> Stored:
        if interaction_id not in self._kept:
            raise ApiError("not_found", f"Interaction {interaction_id} not found.")
        return self._kept[interaction_id]

    def delete(self, interaction_id: str) -> None:
        self.find(interaction_id)
        del self._kept[interaction_id]


# --- reading a request -----------------------------------------------------------------------------------------------


def read_interaction(body: dict[str, Any], stored: Interactions) -> tuple[GenerationRequest, list[dict[str, Any]]]:
    """The request as generateContent would have it, and the contents of the conversation."""
    for name in ("agent", "background", "environment", "cached_content"):
        if body.get(name):
            raise refuse_unserved(f"{name} in interactions")
    check(body, FIELDS)
    model = find_model(body["model"].removeprefix("models/"))
    previous = body.get("previous_interaction_id")
    contents = list(stored.find(previous).contents) if previous else []
    contents += read_input(body["input"], {call["id"]: call["name"] for call in _calls(contents)})
    request: dict[str, Any] = {"contents": contents, "tools": read_tools(body.get("tools") or [])}
    if body.get("system_instruction"):
        request["systemInstruction"] = {"parts": [{"text": body["system_instruction"]}]}
    request |= read_config(body)
    return read_generate(request, model), contents


def read_config(body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("generation_config") or {}
    check(config, CONFIG, at="generation_config.")
    plain = {RENAMED.get(k, k): v for k, v in config.items() if k in ("temperature", "seed", *RENAMED)}
    thinking: dict[str, Any] = {"includeThoughts": config.get("thinking_summaries") == "auto"}
    if level := config.get("thinking_level"):
        thinking["thinkingLevel"] = str(level).upper()
    if level or thinking["includeThoughts"]:
        plain["thinkingConfig"] = thinking
    if (schema := read_format(body.get("response_format"))) is not None:
        plain |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
    found: dict[str, Any] = {"generationConfig": plain}
    if isinstance(choice := config.get("tool_choice"), str):
        if choice not in CHOICES:
            raise Violation("generation_config.tool_choice", "choice", got=choice, choices=tuple(CHOICES))
        found["toolConfig"] = {"functionCallingConfig": {"mode": CHOICES[choice]}}
    elif choice:
        raise refuse_unserved("tool_choice as an object in interactions")
    return found


def read_format(form: Any) -> dict[str, Any] | None:
    """The JSON schema of a text format, None for plain text."""
    for one in form if isinstance(form, list) else [form] if form else []:
        check_value(one, Field("object"), "response_format")
        if one.get("type") not in ("text", None):
            raise refuse_unserved(f"response_format of type {one.get('type')!r}")
        if one.get("schema") or one.get("mime_type") == "application/json":
            return dict(one.get("schema") or {"type": "object"})
    return None


def read_tools(tools: list[Any]) -> list[dict[str, Any]]:
    declared = []
    for n, tool in enumerate(tools):
        check_value(tool, Field("object"), f"tools[{n}]")
        if tool.get("type") != "function":
            raise refuse_unserved(f"tools of type {str(tool.get('type'))[:40]!r}")
        spec = {"name": tool.get("name"), "description": tool.get("description") or ""}
        declared.append(spec | {"parametersJsonSchema": tool.get("parameters") or {"type": "object"}})
    return [{"functionDeclarations": declared}] if declared else []


def read_input(given: Any, called: dict[str, str]) -> list[dict[str, Any]]:
    """A text, a content, contents or steps, as generateContent's contents."""
    if isinstance(given, str):
        return [{"role": "user", "parts": [{"text": given}]}]
    items = given if isinstance(given, list) else [given]
    if not items:
        raise Violation("input", "empty", limit=1)
    for n, item in enumerate(items):
        check_value(item, Field("object"), f"input[{n}]")
    if all(item.get("type") in ("text", "image") for item in items):
        return [{"role": "user", "parts": [read_content(item) for item in items]}]
    return [content for item in items for content in read_step(item, called)]


def read_step(step: dict[str, Any], called: dict[str, str]) -> Iterator[dict[str, Any]]:
    kind = step.get("type")
    if kind == "thought":
        return
    if kind not in ROLES:
        raise refuse_unserved(f"steps of type {str(kind)[:40]!r}")
    if kind == "function_call":
        called[step.get("id", "")] = step.get("name", "")
        call = {"id": step.get("id"), "name": step.get("name"), "args": step.get("arguments") or {}}
        yield {"role": "model", "parts": [{"functionCall": call}]}
    elif kind == "function_result":
        name = step.get("name") or called.get(step.get("call_id", ""))
        if not name:
            raise ApiError("invalid_request", f"function_result: no function_call {step.get('call_id')!r} came before.")
        yield {"role": "user", "parts": [{"functionResponse": {"name": name, "response": _result(step.get("result"))}}]}
    else:
        yield {"role": ROLES[kind], "parts": [read_content(item) for item in step.get("content") or []]}


def _result(result: Any) -> dict[str, Any]:
    if isinstance(result, str):
        try:
            result = json.loads(result)
        except json.JSONDecodeError:
            return {"result": result}
    return result if isinstance(result, dict) else {"result": result}


def read_content(content: Any) -> dict[str, Any]:
    check_value(content, Field("object"), "content")
    if content.get("type") == "text":
        return {"text": content.get("text")}
    if content.get("type") == "image" and content.get("data"):
        return {"inlineData": {"mimeType": content.get("mime_type"), "data": content["data"]}}
    raise refuse_unserved(f"content of type {str(content.get('type'))[:40]!r}")


def _calls(contents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (part["functionCall"] for content in contents for part in content["parts"] if "functionCall" in part)


# --- handlers --------------------------------------------------------------------------------------------------------


async def create(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    stored = exchange.tenant.part(Interactions)
    request, contents = read_interaction(body, stored)
    stream = bool(body.get("stream"))
    exchange.describe(request.model, body.get("generation_config") or {}, stream=stream)
    generation = exchange.generate(request)
    begun = new_interaction(body, request)

    def keep(whole: dict[str, Any]) -> None:
        if body.get("store") is not False:
            said = [c for step in whole["steps"] for c in read_step(step, {})]
            stored.keep(Stored(whole, contents + said))

    if stream:
        frames = exchange.pace_frames(interaction_frames(generation, begun, keep))
        return EventStream(frames, [EVENT_STREAM_TYPE], watch=bool(exchange.tenant.pace))
    await exchange.finish_generation()
    whole = finished(generation, begun)
    keep(whole)
    return Response.json(whole)


async def get(exchange: Exchange, interaction: str) -> Answer:
    return Response.json(exchange.tenant.part(Interactions).find(interaction).interaction)


async def delete(exchange: Exchange, interaction: str) -> Answer:
    exchange.tenant.part(Interactions).delete(interaction)
    return Response.json({})


# --- rendering -------------------------------------------------------------------------------------------------------

STATUS = {"length": "incomplete", "tool_calls": "requires_action", "content_filter": "failed", "refusal": "failed"}


def new_interaction(body: dict[str, Any], request: GenerationRequest) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    previous = (
        {"previous_interaction_id": body["previous_interaction_id"]} if body.get("previous_interaction_id") else {}
    )
    return {
        "id": f"int_{uuid4().hex}",
        "object": "interaction",
        "model": request.model.id,
        "status": "in_progress",
        "created": now,
        "updated": now,
        **previous,
    }


def finished(generation: Generation, begun: dict[str, Any]) -> dict[str, Any]:
    choice = generation.choices[0]
    steps = [step(part, generation) for part in choice.parts if part.text or part.tool or part.thinking]
    status = STATUS.get(choice.finish or "stop", "completed")
    return {**begun, "status": status, "steps": steps, "usage": usage_object(generation)}


def step(part: Part, generation: Generation) -> dict[str, Any]:
    """A part of the answer as a step."""
    if part.thinking:
        shown = [{"type": "text", "text": part.text}] if generation.request.show_thoughts and part.text else []
        return {"type": "thought", "summary": shown}
    if part.tool is None:
        return {"type": "model_output", "content": [{"type": "text", "text": part.text}] if part.text else []}
    try:
        arguments = json.loads(part.text or "{}")
    except json.JSONDecodeError:  # cut by the token cap
        arguments = {}
    return {"type": "function_call", "id": part.call_id, "name": part.tool.name, "arguments": arguments}


def usage_object(generation: Generation) -> dict[str, Any]:
    usage = generation.usage
    return {
        "total_input_tokens": usage.prompt,
        "total_cached_tokens": usage.cached,
        "total_output_tokens": usage.output - usage.reasoning,
        "total_thought_tokens": usage.reasoning,
        "total_tokens": usage.total,
    }


def interaction_frames(
    generation: Generation, begun: dict[str, Any], keep: Callable[[dict[str, Any]], None]
) -> Iterator[bytes]:
    """created, a start and deltas and a stop a step, completed."""
    yield _event("interaction.created", interaction=begun)
    yield _event("interaction.status_update", interaction_id=begun["id"], status="in_progress")
    yield from _step_frames(generation)
    whole = finished(generation, begun)
    keep(whole)
    yield _event("interaction.completed", interaction={k: v for k, v in whole.items() if k != "steps"})


def _step_frames(generation: Generation) -> Iterator[bytes]:
    open_part: Part | None = None
    index = -1
    for _, piece in generation.pieces():
        if piece.part is not open_part:
            if open_part is not None:
                yield _event("step.stop", index=index)
            open_part, index = piece.part, index + 1
            yield _event("step.start", index=index, step=_empty(piece.part, generation))
        if piece.text and (delta := _delta(piece.part, piece.text, generation)):
            yield _event("step.delta", index=index, delta=delta)
    if open_part is not None:
        yield _event("step.stop", index=index)


def _empty(part: Part, generation: Generation) -> dict[str, Any]:
    return step(Part(part.index, part.tool, thinking=part.thinking, call_id=part.call_id), generation)


def _delta(part: Part, text: str, generation: Generation) -> dict[str, Any] | None:
    if part.tool is not None:
        return {"type": "arguments_delta", "arguments": text}
    if not part.thinking:
        return {"type": "text", "text": text}
    shown = generation.request.show_thoughts
    return {"type": "thought_summary", "content": {"type": "text", "text": text}} if shown else None


def _event(kind: str, **data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), dump({"event_type": kind, **data}))


ROUTES = [
    route
    for version in ("/v1", "/v1beta", "/v1alpha")
    for route in (
        Route("POST", version + "/interactions", create),
        Route("GET", version + "/interactions/{interaction}", get),
        Route("DELETE", version + "/interactions/{interaction}", delete),
    )
]
