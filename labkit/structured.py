"""Answers as objects: a schema goes out with the request, the text that comes back becomes a checked value.

    class City(BaseModel):
        name: str
        population: int

    client.chat("Which city is the largest of Japan?", schema=City).parsed

A Pydantic model is checked in full, validators included, and the model is asked again with the error when a check
fails. With a JSON schema as a dict, only the answer's JSON is checked here; the rest is the provider's word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labkit.chat import ChatResponse, Message
from labkit.errors import InvalidOutput, UserError

if TYPE_CHECKING:
    from pydantic import BaseModel

    Schema = type[BaseModel] | Mapping[str, Any]

REASKS = 2
"""How often a model is asked again: a third error in a row is rarely the last."""


class Shape:
    """What an answer must look like."""

    def __init__(self, schema: Schema) -> None:
        """
        Raises:
            UserError: neither a Pydantic model nor a JSON schema of an object.
        """
        if isinstance(schema, Mapping):
            self._model = None
            found = dict(schema)
            self.name = str(found.get("title", "answer"))
        elif hasattr(schema, "model_json_schema"):
            self._model = schema
            found = schema.model_json_schema()
            self.name = schema.__name__
        else:
            raise UserError(f"schema={schema!r} is neither a Pydantic model nor a JSON schema.")
        if found.get("type") != "object":
            raise UserError(f"The schema {self.name} must be an object at the top: put a list or a value into a field.")
        self.schema = strict(found)

    def parse(self, text: str) -> Any:
        """The value of a text.

        Raises:
            ValueError: no JSON, or it does not fit; pydantic's ValidationError is one.
        """
        return json.loads(text) if self._model is None else self._model.model_validate_json(text)

    def applied(self, response: ChatResponse) -> ChatResponse:
        """The response with its text parsed.

        Raises:
            InvalidOutput: it cannot be.
        """
        try:
            return replace(response, parsed=self.parse(response.text))
        except ValueError as error:
            raise invalid(response, error) from error


def invalid(response: ChatResponse, problem: ValueError) -> InvalidOutput:
    """The error for an answer that does not fit, with the reason that a reader can act on."""
    if response.truncated:
        reason = "it was cut at max_tokens: allow more"
    elif response.finish_reason == "content_filter":
        reason = "the model refused"
    else:
        reason = explained(problem)
    error = InvalidOutput(
        f"The answer of {response.model} does not fit the schema"
        f"{f', also after asking {response.reasks} times more' if response.reasks else ''}: {reason}",
        provider=response.provider,
        model=response.model,
        request_id=response.request_id,
    )
    error.response = response
    return error


def asking_again(response: ChatResponse, problem: ValueError) -> tuple[Message, Message]:
    """The answer and what is wrong with it, as turns."""
    complaint = f"That does not fit the schema: {explained(problem)}\nGive the whole answer again, mended."
    return response.message, Message("user", complaint)


def explained(problem: ValueError) -> str:
    """One line an error: where, and what.

    >>> explained(ValueError("no JSON"))
    'no JSON'
    """
    if not hasattr(problem, "errors"):
        return str(problem)
    rows = problem.errors(include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, row['loc'])) or 'answer'}: {row['msg']}" for row in rows)


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as the providers' strict modes want it: every field required, no other allowed, no defaults.

    A field with a default is asked for all the same; the model says what it thinks, null where the type allows it.

    >>> strict({"type": "object", "properties": {"a": {"type": "integer", "default": 1}}})
    {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a'], 'additionalProperties': False}
    """
    found: dict[str, Any] = _strict(deepcopy(dict(schema)))
    return found


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(child) for child in node]
    if not isinstance(node, dict):
        return node
    node.pop("default", None)
    for key in ("properties", "$defs", "definitions"):  # here the keys are names, not words of the schema language
        if isinstance(node.get(key), dict):
            node[key] = {name: _strict(child) for name, child in node[key].items()}
    for key in ("items", "anyOf", "allOf", "oneOf", "prefixItems"):
        if key in node:
            node[key] = _strict(node[key])
    if node.get("type") == "object" and "properties" in node:
        node["required"] = list(node["properties"])
        node["additionalProperties"] = False
    return node
