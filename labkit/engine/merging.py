"""Two JSON schemas as one that admits what both admit, and a look at whether a schema is one at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import regex

from labkit.engine.validity import TYPES, Schema, UnsupportedSchema, same

_ADMITTING_ALL = """title description default examples example $comment deprecated readOnly writeOnly $schema
$id $defs definitions discriminator contentMediaType contentEncoding xml externalDocs propertyOrdering"""
_ANNOTATIONS = frozenset(_ADMITTING_ALL.split())
_REFUSED = ("$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems")


def merged(first: Schema, second: Schema) -> tuple[Schema, bool]:
    """A schema that admits at most what both admit, and whether nothing of either was lost.

    Where keywords cannot be combined, the first's are kept and the second's stand under `allOf` no more: the caller
    checks what is written. Annotations of the first win, as those beside a `$ref` do.
    """
    if first is False or second is False:
        return False, True
    if first is True or second is True:
        return (second if first is True else first), True
    result, exact = dict(first), True
    for key, value in second.items():
        if key not in result:
            result[key] = value
        elif key in _ANNOTATIONS or same(result[key], value):
            continue
        elif key in _COMBINED:
            result[key] = _COMBINED[key](result[key], value)
        else:
            exact = False
    if result.get("enum") == [] or result.get("type") == []:
        return False, True
    structural = [s for s in (first, second) if set(s) - _ANNOTATIONS]
    return result, exact and not (len(structural) > 1 and any("additionalProperties" in s for s in structural))


def _both_types(first: str | list[str], second: str | list[str]) -> str | list[str]:
    ones = first if isinstance(first, list) else [first]
    others = second if isinstance(second, list) else [second]
    both = [t for t in ones if t in others or (t == "integer" and "number" in others)]
    both += [t for t in others if t == "integer" and "number" in ones and t not in both]
    return both[0] if len(both) == 1 else both


def _both_properties(first: Mapping[str, Schema], second: Mapping[str, Schema]) -> dict[str, Schema]:
    # What a merge of two properties loses is found when the whole is checked: `merged` calls objects inexact then.
    either = {**first, **second}
    return {
        key: {"allOf": [first[key], second[key]]} if key in first and key in second else part
        for key, part in either.items()
    }


_COMBINED: dict[str, Callable[[Any, Any], Any]] = {
    "type": _both_types,
    "properties": _both_properties,
    "required": lambda a, b: [*a, *(key for key in b if key not in a)],
    "enum": lambda a, b: [value for value in a if any(same(value, other) for other in b)],
    "items": lambda a, b: {"allOf": [a, b]},
    "allOf": lambda a, b: [*a, *b],
    **dict.fromkeys(("minimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "maxProperties"), min),
    "uniqueItems": lambda a, b: a or b,
}

_COUNTS = (
    *("minLength", "maxLength", "minItems", "maxItems"),
    *("minProperties", "maxProperties", "minContains", "maxContains"),
)
_NUMBERS = ("minimum", "maximum", "multipleOf")
_SCHEMAS = ("not", "if", "then", "else", "additionalProperties", "propertyNames", "contains", "additionalItems")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_DEEPEST = 80


def well_shaped(schema: object, path: str = "$", depth: int = 0) -> None:
    """Look at every keyword's own form, so that later steps need not.

    Raises:
        UnsupportedSchema: a keyword has the wrong form, or is one that the engine cannot follow.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise UnsupportedSchema(path, "a schema is an object, true or false")
    if depth > _DEEPEST:
        raise UnsupportedSchema(path, "nested too deeply")
    for key in _REFUSED:
        if key in schema:
            raise UnsupportedSchema(path, f"'{key}' is not supported")
    for key, value in schema.items():
        _look_at(key, value, f"{path}.{key}", depth)


def _look_at(key: str, value: object, path: str, depth: int) -> None:
    if key in _SCHEMAS or (key == "items" and not isinstance(value, list)):
        well_shaped(value, path, depth + 1)
    elif key in _LISTS or key == "items":
        if not isinstance(value, list) or not (value or key in ("prefixItems", "items")):
            raise UnsupportedSchema(path, "must be a list of schemas")
        for n, part in enumerate(value):
            well_shaped(part, f"{path}[{n}]", depth + 1)
    elif key in _MAPS:
        if not isinstance(value, dict):
            raise UnsupportedSchema(path, "must be an object of schemas")
        for name, part in value.items():
            if key == "patternProperties":
                _pattern(name, path)
            well_shaped(part, f"{path}.{name}", depth + 1)
    else:
        _plain_keyword(key, value, path)


def _plain_keyword(key: str, value: object, path: str) -> None:
    if key == "type":
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name in TYPES for name in names):
            raise UnsupportedSchema(path, f"unknown type {value!r}")
    elif key in _COUNTS and not (_number(value) and value == int(value) >= 0):  # type: ignore[call-overload]
        raise UnsupportedSchema(path, "must be a whole number, not below 0")
    elif key in _NUMBERS and not (_number(value) and (key != "multipleOf" or value > 0)):  # type: ignore[operator]
        raise UnsupportedSchema(path, "must be a number" + (" above 0" if key == "multipleOf" else ""))
    elif key in ("exclusiveMinimum", "exclusiveMaximum") and not (_number(value) or isinstance(value, bool)):
        raise UnsupportedSchema(path, "must be a number")
    elif key == "enum" and not (isinstance(value, list) and value):
        raise UnsupportedSchema(path, "must be a list of values")
    elif key == "required" and not _strings(value):
        raise UnsupportedSchema(path, "must be a list of strings")
    elif key == "dependentRequired" and not (isinstance(value, dict) and all(map(_strings, value.values()))):
        raise UnsupportedSchema(path, "must be an object of lists of strings")
    elif key == "pattern":
        _pattern(value, path)


def _pattern(value: object, path: str) -> None:
    try:
        regex.compile(value)
    except (regex.error, TypeError, ValueError, RecursionError, OverflowError) as problem:
        raise UnsupportedSchema(path, f"cannot be read as a pattern: {problem}") from None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
