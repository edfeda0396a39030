"""What a Bedrock request may ask: Claude's own body, Llama's, Amazon Nova's, and Converse for all of them.

Converse and Nova are translated into the body of Anthropic's Messages API and read as one, so that whatever that API
can do here (tools, caches, images) these can do too. Bounds: the service model in botocore; bodies of the models:
AWS's user guide, "Inference request parameters".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from labkit import registry, tokens
from labkit.engine.base import Prompt
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.generation import UNCAPPED, GenerationRequest
from labkit.server.http import MalformedJson
from labkit.server.protocols import anthropic_request
from labkit.server.protocols.base import refuse_unserved, retirement
from labkit.server.protocols.chat_template import read_template
from labkit.server.shapes import Field, Violation, check, check_value

ANTHROPIC_VERSIONS = {"bedrock-2023-05-31": anthropic_request.OLD, anthropic_request.NEW: anthropic_request.NEW}
"""`anthropic_version` of a body, and what it stands for; anthropic 2.x sends the newer one to Bedrock too."""

# --- fields ----------------------------------------------------------------------------------------------------------

LLAMA = {
    "prompt": Field("string", required=True, nullable=False),
    "temperature": Field("number", low=0, high=1),
    "top_p": Field("number", low=0, high=1),
    "max_gen_len": Field("integer", low=1),
    "images": Field("array"),
}
LLAMA_DEFAULTS = {"temperature": 0.5, "top_p": 0.9, "max_gen_len": 512}
CONVERSE = {
    "messages": Field("array", required=True, low=1),
    "system": Field("array"),
    "inferenceConfig": Field("object"),
    "toolConfig": Field("object"),
    "additionalModelRequestFields": Field("object"),
    "requestMetadata": Field("object"),
    "performanceConfig": Field("object"),
    "serviceTier": Field("object"),
    "guardrailConfig": Field("object"),
    "promptVariables": Field("object"),
    "additionalModelResponseFieldPaths": Field("array"),
    "outputConfig": Field("object"),
}
NOVA = {name: CONVERSE[name] for name in ("messages", "system", "inferenceConfig", "toolConfig")}
NOVA |= {"schemaVersion": Field("string")}
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
COUNT = {"input": Field("object", required=True)}
UNSERVED = ("guardrailConfig", "promptVariables", "additionalModelResponseFieldPaths")
NAMES = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "topK": "top_k"}
NAMES |= {"stopSequences": "stop_sequences"}
"""Converse's inference parameters, as Anthropic calls them."""
JOURNALED = (*anthropic_request.JOURNALED, "inferenceConfig", "max_gen_len", "additionalModelRequestFields")

# --- errors ----------------------------------------------------------------------------------------------------------

TYPES = {"number": "Number", "integer": "Integer", "string": "String", "boolean": "Boolean", "array": "JSONArray"}
TYPES |= {"object": "JSONObject", "string or array": "String"}


def phrase(v: Violation) -> ApiError:
    """Bedrock's sentences for a body that breaks a model's schema."""
    path = "#/" + v.path.replace(".", "/").replace("[", "/").replace("]", "")
    parent, _, name = path.rpartition("/")
    got = {dict: "JSONObject", list: "JSONArray", str: "String", bool: "Boolean", int: "Integer", float: "Double"}
    sentence = {
        "missing": f"{parent}: required key [{name}] not found",
        "unknown": f"{parent}: extraneous key [{name}] is not permitted",
        "type": f"{path}: expected type: {TYPES.get(v.kind, v.kind)}, found: {got.get(type(v.got), 'Null')}",
        "below": f"{path}: {v.got} is not greater or equal to {v.limit}",
        "above": f"{path}: {v.got} is not less or equal to {v.limit}",
        "empty": f"{path}: expected minimum item count: {v.limit}, found: 0",
        "too_many": f"{path}: expected maximum item count: {v.limit}",
        "choice": f"{path}: {v.got} is not a valid enum value",
    }[v.rule]
    return ApiError(
        "invalid_request", f"Malformed input request: {sentence}, please reformat your input and try again."
    )


def find_model(model_id: str) -> Model:
    """The model of an id, a cross-region profile or an ARN that ends in one of them."""
    try:
        model = registry.find(model_id.rsplit("/", 1)[-1])
    except registry.UnknownModel:
        model = None
    if model is None or model.provider != "bedrock":
        raise ApiError("invalid_request", "The provided model identifier is invalid.")
    if gone := retirement(model):
        raise ApiError("not_found", f"This model version has reached the end of its life. {gone}")
    return model


# --- reading a request -----------------------------------------------------------------------------------------------


def read_claude(body: dict[str, Any], model: Model) -> GenerationRequest:
    """Anthropic's body without its model, whose place is the path, and with the version in it."""
    version = body.get("anthropic_version")
    if version not in ANTHROPIC_VERSIONS:
        wrong = "Field required" if version is None else "Input should be 'bedrock-2023-05-31'"
        raise ApiError("invalid_request", f"anthropic_version: {wrong}")
    for name in ("model", "stream"):
        if name in body:
            raise ApiError("invalid_request", f"{name}: Extra inputs are not permitted")
    bare = {k: v for k, v in body.items() if k not in ("anthropic_version", "anthropic_beta")}
    return read_as_anthropic(bare, model, ANTHROPIC_VERSIONS[version])


def read_as_anthropic(body: dict[str, Any], model: Model, version: str) -> GenerationRequest:
    """A body of Anthropic's for a model of Bedrock's, with Anthropic's own words for what is wrong with it."""
    try:
        return anthropic_request.read_message({**body, "model": model.id}, version, model)
    except Violation as violation:
        raise anthropic_request.phrase(violation) from None


def read_llama(body: dict[str, Any], model: Model) -> GenerationRequest:
    check(body, LLAMA)
    if body.get("images"):
        raise refuse_unserved("images")
    given = LLAMA_DEFAULTS | {name: value for name, value in body.items() if value is not None}
    if given["max_gen_len"] > model.max_output:
        raise Violation("max_gen_len", "above", got=given["max_gen_len"], limit=model.max_output)
    prompt_tokens = tokens.count(body["prompt"], model.id)
    if prompt_tokens + given["max_gen_len"] > model.context:
        text = f"This model's maximum context length is {model.context} tokens. Please reduce the length of the prompt"
        raise ApiError("invalid_request", text)
    return GenerationRequest(
        model=model,
        prompt=Prompt(read_template(body["prompt"]), tier=model.tier or "standard"),
        prompt_tokens=prompt_tokens,
        sampling=SamplingParams(temperature=given["temperature"], top_p=given["top_p"]),
        max_tokens=int(given["max_gen_len"]),
    )


def read_nova(body: dict[str, Any], model: Model) -> GenerationRequest:
    check(body, NOVA)
    return _read_translated(body, model)


def read_converse(body: dict[str, Any], model: Model) -> GenerationRequest:
    check(body, CONVERSE)
    for name in UNSERVED:
        if body.get(name):
            raise refuse_unserved(name)
    return _read_translated(body, model)


def _read_translated(body: dict[str, Any], model: Model) -> GenerationRequest:
    try:
        return read_as_anthropic(anthropic_body(body, model), model, anthropic_request.OLD)
    except ApiError as error:
        if error.kind == "invalid_request" and error.code is None:
            error.message = f"The model returned the following errors: {error.message}"
        raise


def read_count(body: dict[str, Any], model: Model) -> int:
    """Input tokens of what /count-tokens holds: an invoke body, in base64, or a conversation."""
    check(body, COUNT)
    if (conversation := body["input"].get("converse")) is not None:
        check_value(conversation, Field("object"), "input.converse")
        return read_converse(conversation, model).prompt_tokens
    invoke = body["input"].get("invokeModel")
    check(invoke if isinstance(invoke, dict) else {}, {"body": Field("string", required=True)}, at="input.invokeModel.")
    assert isinstance(invoke, dict)
    try:
        inner = json.loads(base64.b64decode(invoke["body"], validate=True))
    except ValueError as error:
        raise MalformedJson(f"input.invokeModel.body: {error}") from None
    check_value(inner, Field("object"), "input.invokeModel.body")
    return READERS[vendor(model)](inner, model).prompt_tokens


def vendor(model: Model) -> str:
    """Who made a model, by the first word of its id: whose body /invoke takes."""
    return model.id.partition(".")[0]


READERS: dict[str, Callable[[dict[str, Any], Model], GenerationRequest]] = {
    "anthropic": read_claude,
    "meta": read_llama,
    "amazon": read_nova,
}

# --- from Converse to Anthropic --------------------------------------------------------------------------------------


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
    return next(iter(block.items()))


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
