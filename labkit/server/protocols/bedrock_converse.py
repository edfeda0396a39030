"""Converse's request in the words of Anthropic's Messages API.

Pure translation: what either does not know passes through or is refused where it is read.
Source: the service model in botocore.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.generation import UNCAPPED
from labkit.server.protocols.base import refuse_unserved
from labkit.server.shapes import Field, Violation, check, check_value

INFERENCE = {
    "maxTokens": Field("integer", low=1),
    "temperature": Field("number", low=0, high=1),
    "topP": Field("number", low=0, high=1),
    "topK": Field("integer", low=1),
    "stopSequences": Field("array", high=2_500),
}
MESSAGE = {
    "role": Field("string", required=True, choices=("user", "assistant", "system")),
    "content": Field("array", required=True),
}
NAMES = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "topK": "top_k"}
NAMES |= {"stopSequences": "stop_sequences"}
"""Converse's inference parameters, as Anthropic calls them."""


def anthropic_body(body: dict[str, Any], model: Model) -> dict[str, Any]:
    """The same request in Anthropic's words."""
    config = body.get("inferenceConfig") or {}
    check(config, INFERENCE, at="inferenceConfig.")
    told: dict[str, Any] = {"max_tokens": min(UNCAPPED, model.max_output)}
    told |= {NAMES[name]: value for name, value in config.items() if value is not None}
    told["messages"] = [_message(message, f"messages[{n}]") for n, message in enumerate(body["messages"])]
    if body.get("system"):
        told["system"] = _blocks(body["system"], "system")
    if body.get("toolConfig"):
        told |= _tools(body["toolConfig"])
    if body.get("outputConfig"):
        told["output_config"] = _output(body["outputConfig"])
    return told | (body.get("additionalModelRequestFields") or {})


def _message(message: Any, at: str) -> dict[str, Any]:
    check_value(message, Field("object"), at)
    check(message, MESSAGE, at=f"{at}.")
    return {"role": message["role"], "content": _blocks(message["content"], f"{at}.content")}


def _blocks(blocks: list[Any], at: str) -> list[dict[str, Any]]:
    """Content blocks; a `cachePoint` is a mark on the block before it."""
    found: list[dict[str, Any]] = []
    for n, block in enumerate(blocks):
        kind, value = _member(block, f"{at}[{n}]")
        if kind == "cachePoint":
            if not found:
                raise Violation(f"{at}[{n}].cachePoint", "unknown", got=value)
            found[-1]["cache_control"] = _cache_control(value)
        elif (translate := BLOCKS.get(kind)) is None:
            raise refuse_unserved(f"content blocks of type {kind[:40]!r}")
        else:
            found.append(translate(value, f"{at}[{n}].{kind}"))
    return found


def _member(block: Any, at: str) -> tuple[str, Any]:
    """The one member of a union."""
    check_value(block, Field("object"), at)
    if len(block) != 1:
        raise Violation(at, "type", got=block, kind="object")
    [(name, value)] = block.items()
    return str(name), value


def _cache_control(point: Any) -> dict[str, Any]:
    ttl = point.get("ttl") if isinstance(point, dict) else None
    return {"type": "ephemeral"} if ttl is None else {"type": "ephemeral", "ttl": ttl}


def _text(value: Any, at: str) -> dict[str, Any]:
    check_value(value, Field("string"), at)
    return {"type": "text", "text": value}


def _image(value: Any, at: str) -> dict[str, Any]:
    check_value(value, Field("object"), at)
    data = (value.get("source") or {}).get("bytes")
    source = {"type": "base64", "media_type": f"image/{value.get('format')}", "data": data}
    return {"type": "image", "source": source}


def _tool_use(value: Any, at: str) -> dict[str, Any]:
    check_value(value, Field("object"), at)
    return {"type": "tool_use", "id": value.get("toolUseId"), "name": value.get("name"), "input": value.get("input")}


def _tool_result(value: Any, at: str) -> dict[str, Any]:
    check_value(value, Field("object"), at)
    content = []
    for n, part in enumerate(value.get("content") or ()):
        kind, inner = _member(part, f"{at}.content[{n}]")
        content.append(_text(json.dumps(inner) if kind == "json" else inner, f"{at}.content[{n}]"))
    failed = {"is_error": True} if value.get("status") == "error" else {}
    return {"type": "tool_result", "tool_use_id": value.get("toolUseId"), "content": content, **failed}


def _reasoning(value: Any, at: str) -> dict[str, Any]:
    check_value(value, Field("object"), at)
    said = value.get("reasoningText") or {}
    return {"type": "thinking", "thinking": said.get("text", ""), "signature": said.get("signature", "")}


BLOCKS: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "text": _text,
    "image": _image,
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "reasoningContent": _reasoning,
}


OUTPUT = {"textFormat": Field("object"), "effort": Field("string")}
TEXT_FORMAT = {
    "type": Field("string", required=True, choices=("json_schema",)),
    "structure": Field("object", required=True),
}
STRUCTURE = {"jsonSchema": Field("object", required=True)}
JSON_SCHEMA = {
    "schema": Field("string", required=True),
    "name": Field("string"),
    "description": Field("string"),
}


def _output(config: dict[str, Any]) -> dict[str, Any]:
    """Converse has the schema as text, Anthropic as an object."""
    check(config, OUTPUT, at="outputConfig.")
    told: dict[str, Any] = {"effort": config["effort"]} if config.get("effort") else {}
    if (form := config.get("textFormat")) is not None:
        at = "outputConfig.textFormat."
        check(form, TEXT_FORMAT, at=at)
        check(form["structure"], STRUCTURE, at=f"{at}structure.")
        definition = form["structure"]["jsonSchema"]
        check(definition, JSON_SCHEMA, at=f"{at}structure.jsonSchema.")
        told["format"] = {"type": "json_schema", "schema": _parsed(definition["schema"])}
    return told


def _parsed(schema: str) -> Any:
    try:
        return json.loads(schema)
    except (ValueError, RecursionError):
        raise ApiError("invalid_request", "outputConfig.textFormat: the schema is not JSON.") from None


def _tools(config: dict[str, Any]) -> dict[str, Any]:
    tools: list[dict[str, Any]] = []
    check(config, {"tools": Field("array", required=True, low=1), "toolChoice": Field("object")}, at="toolConfig.")
    for n, tool in enumerate(config["tools"]):
        kind, value = _member(tool, f"toolConfig.tools[{n}]")
        check_value(value, Field("object"), f"toolConfig.tools[{n}].{kind}")
        if kind == "cachePoint" and tools:
            tools[-1]["cache_control"] = _cache_control(value)
            continue
        if kind != "toolSpec":
            raise refuse_unserved(f"tools of type {kind[:40]!r}")
        schema = (value.get("inputSchema") or {}).get("json")
        spec = {"name": value.get("name"), "description": value.get("description"), "input_schema": schema}
        tools.append({name: given for name, given in spec.items() if given is not None})
    choice = config.get("toolChoice")
    return {"tools": tools, **({"tool_choice": _choice(choice)} if choice else {})}


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    kind, value = _member(choice, "toolConfig.toolChoice")
    return {"type": kind, **(value if isinstance(value, dict) else {})}
