"""References and combinations worked in: what a part of a schema comes to, and what plain value it wants.

    {"$ref": "#/$defs/age", "description": "..."}  ->  {"type": "integer", "minimum": 0, "description": "..."}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labkit.engine.evidence import Field
from labkit.engine.merging import merged
from labkit.engine.validity import Schema, Validator

UNROLLED = 2
"""How often a definition may stand inside itself."""
Stack = tuple[str, ...]
"""The references that lead to a place."""
_HINTS = {
    "object": frozenset(
        {"properties", "required", "additionalProperties", "minProperties", "patternProperties", "propertyNames"}
    ),
    "array": frozenset({"items", "prefixItems", "minItems", "contains"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}
_PLAIN = ("string", "number", "integer", "boolean", "choice")


class NoValue(Exception):
    """Nothing can stand here. Alternatives further up may still do; if none does, it becomes an UnsupportedSchema."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(problem)
        self.path, self.problem = path, problem


def settle(validator: Validator, schema: Schema, path: str, stack: Stack) -> tuple[dict[str, Any], Stack, bool]:
    """References and `allOf` worked in; last, whether nothing was lost in that."""
    exact, open_ = True, schema
    while True:
        if open_ is False:
            raise NoValue(path, "admits nothing")
        if open_ is True:
            return {}, stack, exact
        if "$ref" in open_:
            reference = str(open_["$ref"])
            if stack.count(reference) >= UNROLLED:
                raise NoValue(path, f"'{reference}' stands inside itself without end")
            target, stack = validator.resolve(reference, path), (*stack, reference)
            rest = {key: value for key, value in open_.items() if key != "$ref"}
            open_, same = merged(rest, target)
        elif "allOf" in open_:
            parts = open_["allOf"]
            open_, same = {key: value for key, value in open_.items() if key != "allOf"}, True
            for part in parts:
                part, stack, settled = settle(validator, part, path, stack)
                open_, merge_exact = merged(open_, part)
                same = same and settled and merge_exact
                if open_ is False:
                    break
        else:
            return dict(open_), stack, exact
        exact = exact and same


def plain_field(validator: Validator, key: str, schema: Schema, path: str, stack: Stack) -> list[Field]:
    """The property as a field, when it wants a plain value."""
    try:
        settled, _, _ = settle(validator, schema, path, stack)
    except NoValue:
        return []
    parts = settled.get("anyOf") or settled.get("oneOf")
    if parts:  # Optional[X]: as X
        inner = [p for p in parts if isinstance(p, dict) and p.get("type") != "null"]
        fields = plain_field(validator, key, inner[0], path, stack) if inner else []
        return [replace(f, schema={**f.schema, **_annotations(settled)}) for f in fields]
    kind = settled.get("type") or implied_type(settled)
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if "enum" in settled or "const" in settled:
        kind = "choice"
    return [Field(key, path, settled, kind)] if kind in _PLAIN else []


def implied_type(schema: Mapping[str, Any]) -> str:
    """What a schema without a type is meant for."""
    return next((kind for kind, keys in _HINTS.items() if not keys.isdisjoint(schema)), "string")


def _annotations(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("title", "description", "default", "examples") if key in schema}
