"""What a request body may hold, said once as a table; each protocol then phrases a violation in its provider's words.

    FIELDS = {"temperature": Field("number", low=0, high=2), "model": Field("string", required=True)}
    check(body, FIELDS)     # raises Violation(path="temperature", rule="above", limit=2, got=9)

A protocol file holds its table and one function from `Violation` to message and code. Checks that need more than one
field, or the model's capability row, stand in the protocol file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Rule = Literal["missing", "unknown", "type", "below", "above", "empty", "too_many", "choice"]
Kind = Literal["number", "integer", "string", "boolean", "array", "object", "string or array", "any"]

_PYTHON: dict[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "string or array": (str, list),
    "any": (object,),
}


@dataclass(slots=True)
class Violation(Exception):
    """One field breaks one rule."""

    path: str
    """Where, in dots and brackets: `messages[0].role`."""
    rule: Rule
    got: Any = None
    limit: float | None = None
    """The bound."""
    choices: tuple[str, ...] = ()
    kind: str = ""
    """What type was expected."""


@dataclass(frozen=True, slots=True)
class Field:
    """The shape of one field. `low` and `high` bound a number's value, or an array's length."""

    kind: Kind = "any"
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    nullable: bool = True


def check(body: Mapping[str, Any], fields: Mapping[str, Field], *, at: str = "", unknown_ok: bool = False) -> None:
    """Hold `body` against the table, required fields first, then in the body's own order.

    Raises:
        Violation: the first that is found.
    """
    for name, field in fields.items():
        if field.required and body.get(name) is None:
            raise Violation(f"{at}{name}", "missing", kind=field.kind)
    for name, value in body.items():
        known = fields.get(name)
        if known is None:
            if unknown_ok:
                continue
            raise Violation(f"{at}{name}", "unknown", got=value)
        if value is None and known.nullable:
            continue
        check_value(value, known, f"{at}{name}")


def check_value(value: Any, field: Field, path: str) -> None:
    """Hold one value against its field."""
    kind = field.kind
    fits = isinstance(value, _PYTHON[kind]) or (kind == "integer" and isinstance(value, float) and value.is_integer())
    if not fits or (isinstance(value, bool) and kind in ("number", "integer")):
        raise Violation(path, "type", got=value, kind=kind)
    if field.choices and value not in field.choices:
        raise Violation(path, "choice", got=value, choices=field.choices, kind=kind)
    if isinstance(value, list):
        if field.low and len(value) < field.low:
            raise Violation(path, "empty", got=value, limit=field.low, kind=kind)
        if field.high is not None and len(value) > field.high:
            raise Violation(path, "too_many", got=value, limit=field.high, kind=kind)
    elif kind in ("number", "integer"):
        if value != value or value in (float("inf"), float("-inf")):  # json.loads lets NaN and Infinity in
            raise Violation(path, "type", got=value, kind=kind)
        if field.low is not None and value < field.low:
            raise Violation(path, "below", got=value, limit=field.low, kind=kind)
        if field.high is not None and value > field.high:
            raise Violation(path, "above", got=value, limit=field.high, kind=kind)


def type_name(value: Any) -> str:
    """A JSON type's name, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    if isinstance(value, dict):
        return "object"
    return "integer" if isinstance(value, int) else "decimal"
