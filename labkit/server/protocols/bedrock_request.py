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
from labkit.server.generation import GenerationRequest
from labkit.server.http import MalformedJson
from labkit.server.protocols import anthropic_request
from labkit.server.protocols.base import refuse_unserved, retirement
from labkit.server.protocols.bedrock_converse import anthropic_body
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
COUNT = {"input": Field("object", required=True)}
UNSERVED = ("guardrailConfig", "promptVariables", "additionalModelResponseFieldPaths")
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
        if body.get("max_tokens") == 0:  # warming a cache is of Anthropic's own API only
            raise Violation("max_tokens", "below", got=0, limit=1)
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
