"""Python functions as tools: the schema from the signature and the docstring, and one call run safely.

    def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
        \"\"\"Today's weather.

        Args:
            city: its English name.
        \"\"\"

    spec(weather).parameters     what the model is told
    ran(weather, call)           the result of one call, or its error, as a turn to send back
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, get_type_hints

from labkit.chat import Message, ToolCall, ToolSpec
from labkit.errors import UserError
from labkit.flow import Do, Flow
from labkit.structured import explained

Tool = Callable[..., Any] | ToolSpec | Mapping[str, Any]
"""A function, or its description: a `ToolSpec`, or {"name", "description", "parameters"}."""


def spec(tool: Tool) -> ToolSpec:
    """What the model is told of a tool.

    Raises:
        UserError: an argument without a type, or something that is no tool.
    """
    if isinstance(tool, ToolSpec):
        return tool
    if isinstance(tool, Mapping):
        return ToolSpec(tool["name"], tool.get("description", ""), tool["parameters"])
    if not callable(tool):
        raise UserError(f"{tool!r} is no tool: give a function, or a dict with name, description and parameters.")
    schema = _arguments(tool).model_json_schema()
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return ToolSpec(tool.__name__, _summary(tool), {**schema, "additionalProperties": False})


def functions(tools: Sequence[Tool]) -> dict[str, Callable[..., Any]]:
    """The tools that can be run here, by name."""
    return {spec(tool).name: tool for tool in tools if callable(tool)}


def ran(function: Callable[..., Any] | None, call: ToolCall) -> Flow[Message]:
    """Run one call. Whatever goes wrong becomes the result: the model can mend its arguments, or say so.

    A coroutine function is awaited where the flow is; elsewhere that is the user's mistake, and said.
    """
    try:
        if function is None:
            raise LookupError(f"there is no tool {call.name!r}")
        if call.error:
            raise ValueError(call.error)
        values = _arguments(function).model_validate(dict(call.arguments))
        arguments = {name: getattr(values, name) for name in values.model_fields_set}
        result = yield Do(lambda: function(**arguments))
        if inspect.iscoroutine(result):
            result.close()
            raise UserError(f"{call.name} is asynchronous: use `await client.arun_tools(...)`.")
    except UserError:
        raise
    except ValueError as error:
        return _result(call, f"{type(error).__name__}: {explained(error)}", failed=True)
    except Exception as error:
        return _result(call, f"{type(error).__name__}: {error}", failed=True)
    return _result(call, result if isinstance(result, str) else json.dumps(result, default=str, ensure_ascii=False))


def _result(call: ToolCall, text: str, *, failed: bool = False) -> Message:
    return Message("tool", text, tool_call_id=call.id, name=call.name, failed=failed)


def _arguments(function: Callable[..., Any]) -> Any:
    """A Pydantic model of a function's arguments, with the docstring's words on each."""
    from pydantic import ConfigDict, Field, create_model

    hints, said = get_type_hints(function, include_extras=True), dict(_described(function))
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UserError(f"{function.__name__} cannot be a tool: its argument {name!r} has no name to call it by.")
        if name not in hints:
            raise UserError(f"{function.__name__} cannot be a tool: its argument {name!r} has no type.")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints[name], Field(default, description=said.get(name)))
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def _summary(function: Callable[..., Any]) -> str:
    """The docstring before its sections."""
    text = inspect.getdoc(function) or ""
    return re.split(r"\n\s*(?:Args|Arguments|Returns|Raises|Examples?):\s*\n", f"\n{text}\n", maxsplit=1)[0].strip()


def _described(function: Callable[..., Any]) -> Generator[tuple[str, str], None, None]:
    """Argument and sentence of each line under "Args:", Google's style of docstring."""
    section = re.search(r"^Args:\s*\n((?:[ \t]+.*\n?|\n)+)", inspect.getdoc(function) or "", re.MULTILINE)
    lines = inspect.cleandoc(section[1]).split("\n") if section else []
    for text in re.split(r"\n(?=\S)", "\n".join(lines)):
        match = re.match(r"(\w+)\s*(?:\([^)]*\))?:\s*(.*)", text, re.DOTALL)
        if match:
            yield match[1], " ".join(match[2].split())
