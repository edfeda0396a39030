"""Contents, parts and tools of a Gemini request: what the model reads, and what it costs in tokens.

Google's schema dialect is brought to JSON schema here, so that the engine knows one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from labkit.engine.base import Call, Role, Tool, Turn
from labkit.registry import Model
from labkit.server.errors import ApiError
from labkit.server.http import dump
from labkit.server.images import BadImage, gemini_tokens, read_base64
from labkit.server.prompt import Block
from labkit.server.protocols.base import refuse_unserved
from labkit.server.shapes import Field, Violation, check, check_value

DECLARATION = {"name": Field("string", required=True), "description": Field("string")}
CALLING_MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto", "MODE_UNSPECIFIED": "auto"}
CONTENT = {"role": Field("string"), "parts": Field("any", required=True)}
ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "system": "system", "function": "tool"}
INLINE = {"mimeType": Field("string", required=True), "data": Field("string", required=True)}
NAMED = {"name": Field("string", required=True)}


@dataclass(frozen=True, slots=True)
class Contents:
    """A prompt: tools, system instruction and contents, in the order in which the model reads them."""

    tools: tuple[Tool, ...]
    system: tuple[Turn, ...]
    said: tuple[Turn, ...]
    blocks: tuple[Block, ...]
    tokens: int = 0
    """Of a cached prefix: what it holds."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        return self.system + self.said


def read_contents(body: dict[str, Any], model: Model, *, required: bool = True) -> Contents:
    """Tools, `systemInstruction` and `contents` of a request or of a cached content."""
    contents = body.get("contents")
    contents = [contents] if isinstance(contents, dict | str) else contents
    if contents is not None or required:
        check_value(contents, Field("array", low=1), "contents")
    tools = read_tools(body.get("tools") or [])
    blocks = [Block("tools", f"{t.name} {t.description} {t.parameters}", opens=not n) for n, t in enumerate(tools)]
    system: list[Turn] = []
    if instruction := body.get("systemInstruction"):
        parts = _read_parts(instruction, "system", model, "systemInstruction")
        system.append(Turn("system", "".join(part.said for part in parts)))
        blocks += parts
    said = []
    for n, content in enumerate(contents or ()):
        turn, parts = _read_content(content, model, f"contents[{n}]")
        said.append(turn)
        blocks += parts
    return Contents(tools, tuple(system), tuple(said), tuple(blocks))


def after_cached(cached: Contents, contents: Contents) -> Contents:
    """A request that goes on from a cached prefix, which alone may bring tools and a system instruction."""
    if contents.tools or contents.system:
        message = "CachedContent can not be used with GenerateContent request setting system_instruction or tools."
        raise ApiError("invalid_request", message, param="cachedContent")
    return replace(cached, said=cached.said + contents.said, blocks=cached.blocks + contents.blocks)


def _read_content(content: Any, model: Model, at: str) -> tuple[Turn, list[Block]]:
    role = content.get("role") or "user" if isinstance(content, dict) else "user"
    if not isinstance(role, str) or role not in ROLES:
        raise ApiError("invalid_request", "Please use a valid role: user, model.", param=f"{at}.role")
    blocks = _read_parts(content, ROLES[role], model, at)
    parts = content["parts"] if isinstance(content, dict) else [{"text": content}]
    parts = parts if isinstance(parts, list) else [parts]
    calls = [
        Call(p["functionCall"]["name"], dump(p["functionCall"].get("args") or {}).decode())
        for p in parts
        if "functionCall" in p
    ]
    answered = [p["functionResponse"]["name"] for p in parts if "functionResponse" in p]
    shown = "functionResponse" if answered else "functionCall"
    said = "".join(b.said for b, p in zip(blocks, parts, strict=True) if (shown in p) is bool(answered))
    turn = Turn("tool" if answered else ROLES[role], said, calls=tuple(calls), tool=", ".join(answered))
    return turn, blocks


def _read_parts(content: Any, role: Role, model: Model, at: str) -> list[Block]:
    if isinstance(content, str):
        return [Block(role, content)]
    check_value(content, Field("object"), at)
    check(content, CONTENT, at=f"{at}.")
    parts = content["parts"] if isinstance(content["parts"], list) else [content["parts"]]
    if not parts:
        raise Violation(f"{at}.parts", "empty", limit=1)
    blocks = [_read_part(part, role, model, f"{at}.parts[{n}]") for n, part in enumerate(parts)]
    return [replace(block, opens=n == 0) for n, block in enumerate(blocks)]


def _read_part(part: Any, role: Role, model: Model, at: str) -> Block:
    check_value(part, Field("object"), at)
    for kind, reader in _PARTS.items():
        if kind in part:
            return reader(part[kind], role, model, f"{at}.{kind}")
    kind = next(iter(part), "nothing")
    if kind in ("fileData", "executableCode", "codeExecutionResult"):
        raise refuse_unserved(f"parts of kind {kind!r}")
    raise Violation(f"{at}.{kind}", "unknown", got=part)


def _text(value: Any, role: Role, model: Model, at: str) -> Block:
    check_value(value, Field("string"), at)
    return Block(role, value)


def _image(value: Any, role: Role, model: Model, at: str) -> Block:
    check_value(value, Field("object"), at)
    check(value, INLINE, at=f"{at}.", unknown_ok=True)
    if not model.vision:
        raise ApiError("invalid_request", f"Image input modality is not enabled for models/{model.id}", param=at)
    try:
        image = read_base64(value["mimeType"], value["data"].replace("-", "+").replace("_", "/"))
    except BadImage as bad:
        raise ApiError("invalid_request", f"Unable to process input image: {bad}.", param=at) from None
    return Block(role, "", extra_tokens=gemini_tokens(image), alt=image.alt)


def _call(value: Any, role: Role, model: Model, at: str) -> Block:
    check_value(value, Field("object"), at)
    check(value, NAMED, at=f"{at}.", unknown_ok=True)
    return Block(role, dump(value.get("args") or {}).decode())


def _response(value: Any, role: Role, model: Model, at: str) -> Block:
    check_value(value, Field("object"), at)
    check(value, NAMED, at=f"{at}.", unknown_ok=True)
    return Block(role, dump(value.get("response") or {}).decode())


_PARTS: dict[str, Callable[[Any, Role, Model, str], Block]] = {
    "functionCall": _call,
    "functionResponse": _response,
    "inlineData": _image,
    "text": _text,
}


def read_tools(tools: list[Any]) -> tuple[Tool, ...]:
    """Function declarations. Google's own tools (search, code execution) are refused."""
    found = []
    for n, tool in enumerate(tools):
        check_value(tool, Field("object"), f"tools[{n}]")
        if others := [name for name in tool if name != "functionDeclarations" and tool[name] is not None]:
            raise refuse_unserved(f"the tool {others[0]!r}")
        for declared in tool.get("functionDeclarations") or []:
            check_value(declared, Field("object"), f"tools[{n}].functionDeclarations")
            check(declared, DECLARATION, at=f"tools[{n}].functionDeclarations.", unknown_ok=True)
            schema = declared.get("parametersJsonSchema") or json_schema(declared.get("parameters") or {})
            found.append(Tool(declared["name"], declared.get("description") or "", dump(schema).decode()))
    return tuple(found)


def read_choice(config: dict[str, Any], tools: tuple[Tool, ...]) -> str:
    mode = config.get("mode") or "AUTO"
    if mode not in CALLING_MODES:
        raise Violation("toolConfig.functionCallingConfig.mode", "choice", got=mode, choices=tuple(CALLING_MODES))
    allowed = config.get("allowedFunctionNames") or []
    if unknown := [name for name in allowed if name not in {tool.name for tool in tools}]:
        raise ApiError("invalid_request", f"allowed_function_names: {unknown[0]!r} is not declared in tools.")
    if mode == "ANY" and len(allowed) == 1:
        return str(allowed[0])
    return CALLING_MODES[mode]


def read_schema(config: dict[str, Any]) -> str | None:
    """The schema that the text must match, of whichever of the two kinds was sent."""
    schema = config.get("responseJsonSchema") or json_schema(config.get("responseSchema") or {})
    if not schema:
        return None
    if config.get("responseMimeType") not in ("application/json", "text/x.enum"):
        raise ApiError("invalid_request", "response_schema needs response_mime_type application/json.")
    return dump(schema).decode()


def json_schema(schema: Any) -> Any:
    """Google's own schema dialect as JSON schema: types in lower case, `nullable` as a type, `anyOf` as it is.

    >>> json_schema({"type": "STRING", "nullable": True})
    {'type': ['string', 'null']}
    """
    if isinstance(schema, list):
        return [json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        k: json_schema(v) if k != "enum" else v for k, v in schema.items() if k not in ("nullable", "propertyOrdering")
    }
    if isinstance(plain.get("type"), str):
        plain["type"] = plain["type"].lower()
        if schema.get("nullable"):
            plain["type"] = [plain["type"], "null"]
    return plain
