"""Tools, tool choice, calls in history and response formats, as OpenAI writes them.

The lab counts the tokens of a tool as those of its JSON: an estimate, since the real framing is not published.
"""

from __future__ import annotations

import re
from typing import Any

from labkit.engine.base import Call, Tool
from labkit.server.errors import ApiError
from labkit.server.http import dump
from labkit.server.shapes import Field, Violation, check, check_value

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
FUNCTION = {
    "name": Field("string", required=True),
    "description": Field("string"),
    "parameters": Field("object"),
    "strict": Field("boolean"),
}
JSON_SCHEMA = {
    "name": Field("string", required=True),
    "description": Field("string"),
    "schema": Field("object"),
    "strict": Field("boolean"),
}
CALL = {"id": Field("string", required=True), "type": Field("string"), "function": Field("object", required=True)}
CALLED = {"name": Field("string", required=True), "arguments": Field("string", required=True)}


def read_tools(tools: list[Any]) -> tuple[Tool, ...]:
    """Function tools. A custom tool has no schema to fill and is refused."""
    found = []
    for n, tool in enumerate(tools):
        at = f"tools[{n}]"
        check_value(tool, Field("object"), at)
        if tool.get("type") != "function":
            raise Violation(f"{at}.type", "choice", got=tool.get("type"), choices=("function",))
        check_value(tool.get("function") or {}, Field("object"), f"{at}.function")
        found.append(read_function(tool.get("function") or {}, f"{at}.function"))
    return tuple(found)


def read_function(function: dict[str, Any], at: str) -> Tool:
    check(function, FUNCTION, at=f"{at}.")
    check_name(function["name"], f"{at}.name")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    if function.get("strict"):
        check_strict(schema, f"Invalid schema for function '{function['name']}'", f"{at}.parameters")
    return Tool(function["name"], function.get("description") or "", dump(schema).decode())


def check_name(name: str, param: str) -> None:
    if not NAME.fullmatch(name):
        message = (
            f"Invalid '{param}': string does not match pattern. Expected a string that matches '^[a-zA-Z0-9_-]+$'."
        )
        raise ApiError("invalid_request", message, code="invalid_value", param=param)


def check_strict(schema: Any, what: str, param: str, path: tuple[str, ...] = ()) -> None:
    """Strict schemas close every object and require every property."""
    if not isinstance(schema, dict):
        return
    problem = None
    if schema.get("type") == "object" or "properties" in schema:
        names = list(schema.get("properties") or {})
        if schema.get("additionalProperties") is not False:
            problem = "'additionalProperties' is required to be supplied and to be false."
        elif missing := [n for n in names if n not in (schema.get("required") or [])]:
            problem = (
                "'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{missing[0]}'."
            )
    if problem:
        message = f"{what}: In context={path!r}, {problem}"
        raise ApiError("invalid_request", message, code="invalid_json_schema", param=param)
    for name, inner in (schema.get("properties") or {}).items():
        check_strict(inner, what, param, (*path, "properties", name))
    for key in ("items", "$defs"):
        inner = schema.get(key)
        for name, sub in (inner or {}).items() if key == "$defs" and isinstance(inner, dict) else ((key, inner),):
            check_strict(sub, what, param, (*path, name))


def read_choice(choice: Any, tools: tuple[Tool, ...]) -> str:
    """`tool_choice` as the engine takes it: auto, none, required or a tool's name."""
    if choice is None:
        return "auto"
    if choice not in ("none",) and not tools:
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise ApiError("invalid_request", message, param="tool_choice")
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise Violation("tool_choice", "choice", got=choice, choices=("none", "auto", "required"))
        return choice
    check_value(choice, Field("object"), "tool_choice")
    named = (choice.get("function") or choice).get("name") if choice.get("type") == "function" else None
    if named not in [tool.name for tool in tools]:
        message = f"Tool choice '{named}' not found in 'tools' parameter."
        raise ApiError("invalid_request", message, code="invalid_value", param="tool_choice")
    return str(named)


def read_calls(calls: list[Any], at: str) -> dict[str, Call]:
    """An assistant message's `tool_calls`, by id."""
    found = {}
    for n, call in enumerate(calls):
        where = f"{at}[{n}]"
        check_value(call, Field("object"), where)
        check(call, CALL, at=f"{where}.", unknown_ok=True)
        check(call["function"], CALLED, at=f"{where}.function.", unknown_ok=True)
        found[call["id"]] = Call(call["function"]["name"], call["function"]["arguments"])
    return found


def read_format(form: dict[str, Any], param: str = "response_format") -> tuple[bool, str | None]:
    """`response_format`: whether JSON is asked for, and the schema that it must match."""
    kind = form.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        raise Violation(f"{param}.type", "choice", got=kind, choices=("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return kind == "json_object", None
    spec = form.get("json_schema") if param == "response_format" else {k: v for k, v in form.items() if k != "type"}
    check_value(spec if spec is not None else {}, Field("object"), f"{param}.json_schema")
    at = f"{param}.json_schema" if param == "response_format" else param
    check(spec or {}, JSON_SCHEMA, at=f"{at}.")
    assert spec is not None
    check_name(spec["name"], f"{at}.name")
    if spec.get("strict"):
        check_strict(spec.get("schema"), f"Invalid schema for response_format '{spec['name']}'", param)
    return True, dump(spec.get("schema") or {"type": "object"}).decode()


def call_object(name: str, arguments: str, call_id: str) -> dict[str, Any]:
    return {"id": f"call_{call_id}", "type": "function", "function": {"name": name, "arguments": arguments}}


def calls_text(calls: dict[str, Call]) -> str:
    """What calls in history cost: the tokens of their JSON."""
    return "".join(dump({"name": call.name, "arguments": call.arguments}).decode() for call in calls.values())
