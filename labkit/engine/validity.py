"""Whether a value matches a JSON schema: a small validator for what the engine itself is about to write.

Covers the vocabulary of draft 2020-12 that a schema for structured output can use. Two things differ from a general
validator: a pattern that takes too long to decide counts as not matching, so that no request can hang the server, and
what the engine does not know (`$dynamicRef`, references to other documents) is refused instead of passed over.

    validator = Validator({"type": "object", "required": ["name"]})
    validator.admits(validator.root, {"name": "Ada"})

Formats are checked for the ones that `formats` can write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import regex

from labkit.engine.formats import well_formed

Schema = Any
"""A mapping, or true or false."""
Json = Any

PATTERN_SECONDS = 0.02
DEEPEST = 60
TYPES: dict[str, Callable[[Json], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: _is_number(v) and v == int(v),
    "number": lambda v: _is_number(v),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


class UnsupportedSchema(ValueError):
    """The engine cannot write a text for this schema. `path` leads to the part that is to blame."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


class Validator:
    """One schema document: what its references mean, and which values it admits."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self._targets: dict[str, Schema] = {}

    def resolve(self, reference: object, path: str = "$") -> Schema:
        """What a `$ref` stands for.

        Raises:
            UnsupportedSchema: it leads nowhere, or out of the document.
        """
        if not isinstance(reference, str):
            raise UnsupportedSchema(path, "$ref must be a string")
        if reference not in self._targets:
            self._targets[reference] = self._look_up(reference, path)
        return self._targets[reference]

    def _look_up(self, reference: str, path: str) -> Schema:
        if not reference.startswith("#"):
            raise UnsupportedSchema(path, f"$ref '{reference}' leads out of the schema")
        found = self.root
        for step in unquote(reference[1:]).split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and step.isdigit() and int(step) < len(found):
                found = found[int(step)]
            elif isinstance(found, dict) and step in found:
                found = found[step]
            else:
                raise UnsupportedSchema(path, f"$ref '{reference}' leads nowhere")
        if not isinstance(found, dict | bool):
            raise UnsupportedSchema(path, f"$ref '{reference}' leads to no schema")
        return found

    def admits(self, schema: Schema, value: Json, depth: int = 0) -> bool:
        """Whether `value` matches `schema`, a part of the document."""
        if isinstance(schema, bool):
            return schema
        if depth > DEEPEST:
            return False
        if schema.get("nullable") is True and value is None:
            return True
        if "$ref" in schema and not self.admits(self.resolve(schema["$ref"]), value, depth + 1):
            return False
        return (
            _right_type(schema.get("type"), value)
            and ("enum" not in schema or any(same(value, option) for option in schema["enum"]))
            and ("const" not in schema or same(value, schema["const"]))
            and self._combined(schema, value, depth + 1)
            and self._inside(schema, value, depth + 1)
        )

    def _combined(self, schema: Mapping[str, Any], value: Json, depth: int) -> bool:
        def holds(part: Schema) -> bool:
            return self.admits(part, value, depth)

        if not all(holds(part) for part in schema.get("allOf", ())):
            return False
        if "anyOf" in schema and not any(holds(part) for part in schema["anyOf"]):
            return False
        if "oneOf" in schema and sum(holds(part) for part in schema["oneOf"]) != 1:
            return False
        if "not" in schema and holds(schema["not"]):
            return False
        return "if" not in schema or holds(schema.get("then" if holds(schema["if"]) else "else", True))

    def _inside(self, schema: Mapping[str, Any], value: Json, depth: int) -> bool:
        if isinstance(value, dict):
            return self._object(schema, value, depth)
        if isinstance(value, list):
            return self._array(schema, value, depth)
        if isinstance(value, str):
            return string_fits(schema, value)
        return not _is_number(value) or number_fits(schema, value)

    def _object(self, schema: Mapping[str, Any], value: dict[str, Json], depth: int) -> bool:
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        rest = schema.get("additionalProperties", True)
        for key, item in value.items():
            parts = [properties[key]] if key in properties else []
            parts += [part for pattern, part in patterns.items() if matches(pattern, key)]
            if not all(self.admits(part, item, depth) for part in parts or [rest]):
                return False
        return (
            all(key in value for key in schema.get("required", ()))
            and schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
            and all(self.admits(schema.get("propertyNames", True), key, depth) for key in value)
            and self._dependencies(schema, value, depth)
        )

    def _dependencies(self, schema: Mapping[str, Any], value: dict[str, Json], depth: int) -> bool:
        """What a key that is there asks of the others."""
        needs, parts = schema.get("dependentRequired", {}), schema.get("dependentSchemas", {})
        return all(set(needs.get(key, ())) <= set(value) for key in value) and all(
            self.admits(parts.get(key, True), value, depth) for key in value
        )

    def _array(self, schema: Mapping[str, Any], value: list[Json], depth: int) -> bool:
        first, rest = item_schemas(schema)
        parts = [*first, *[rest] * len(value)]
        if not all(self.admits(part, item, depth) for part, item in zip(parts, value, strict=False)):
            return False
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return False
        if schema.get("uniqueItems") and any(same(a, b) for n, a in enumerate(value) for b in value[:n]):
            return False
        if "contains" not in schema:
            return True
        found = sum(self.admits(schema["contains"], item, depth) for item in value)
        return bool(schema.get("minContains", 1) <= found <= schema.get("maxContains", found))


def item_schemas(schema: Mapping[str, Any]) -> tuple[list[Schema], Schema]:
    """The schemas of the first items, and that of the others; drafts before 2020-12 write both into `items`."""
    items = schema.get("items", True)
    if isinstance(items, list):
        return items, schema.get("additionalItems", True)
    return schema.get("prefixItems", []), items


def string_fits(schema: Mapping[str, Any], text: str) -> bool:
    """Length, pattern and format."""
    return (
        schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))
        and ("pattern" not in schema or matches(schema["pattern"], text))
        and well_formed(schema.get("format", ""), text)
    )


def number_fits(schema: Mapping[str, Any], value: float) -> bool:
    """Bounds and multiples. Draft 4 and OpenAPI 3.0 write the exclusive bounds as true or false."""
    low, high, above, below = number_bounds(schema)
    if not (low <= value <= high and above < value < below):
        return False
    step = schema.get("multipleOf")
    return not step or (value % step == 0 if isinstance(step, int) else (value / step) % 1 == 0)


def number_bounds(schema: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """At least, at most, above, below; infinite where the schema sets no bound."""
    low, high = schema.get("minimum", -INFINITY), schema.get("maximum", INFINITY)
    above, below = schema.get("exclusiveMinimum", -INFINITY), schema.get("exclusiveMaximum", INFINITY)
    if isinstance(above, bool):
        above = low if above else -INFINITY
    if isinstance(below, bool):
        below = high if below else INFINITY
    return low, high, above, below


INFINITY = float("inf")


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, in a short time."""
    try:
        return regex.search(pattern, text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


def same(a: Json, b: Json) -> bool:
    """JSON equality: 1 and 1.0 are the same, 1 and true are not."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


def _right_type(wanted: str | list[str] | None, value: Json) -> bool:
    if wanted is None:
        return True
    return any(TYPES[name](value) for name in (wanted if isinstance(wanted, list) else [wanted]))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
