"""JSON text as templates: quoting, arrays, objects, and one of several values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.engine import scalars
from labkit.engine.template import Choice, Template, Text, likeliest, map_text
from labkit.engine.validity import Json, number_fits, string_fits

FORGOTTEN = 0.06
"""Share of texts that leave out a property that may be left out although it is known."""
TIDY = 0.02
"""Branches less probable than this are left out: a choice as certain as that is no choice."""
Member = tuple[str, Template, bool]
"""Key, value, whether it must be there."""


def literal(value: Json) -> Template:
    return (Text(quoted(value)),)


def quoted(value: Json) -> str:
    """A value as JSON text. Half of a surrogate pair cannot be written in UTF-8, so such text is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def inside_quotes(text: str) -> str:
    """Text as it stands between the quotes of a JSON string."""
    return quoted(text)[1:-1]


def fitted(schema: Mapping[str, Any], kind: str, value: Json | Template) -> Template:
    """A candidate as JSON, fitted to the schema; empty when it does not fit."""
    if isinstance(value, tuple):
        if any(key in schema for key in ("minLength", "maxLength", "pattern", "format")):
            return fitted(schema, kind, likeliest(value))
        return (Text('"'), *map_text(value, inside_quotes), Text('"'))
    if kind == "string" and isinstance(value, str):
        shortened = scalars.shortened(value, schema.get("maxLength", len(value)))
        return literal(shortened) if string_fits(schema, shortened) else ()
    if kind == "boolean" and isinstance(value, bool):
        return literal(value)
    if kind in ("integer", "number") and isinstance(value, int | float) and not isinstance(value, bool):
        number = int(value) if value == int(value) else value
        if (kind == "number" or isinstance(number, int)) and number_fits(schema, number):
            return literal(number)
    return ()


def either(options: Sequence[tuple[float, Template]]) -> Template:
    """One of several templates; equal ones are one option, and very improbable ones none."""
    weights: dict[Template, float] = {}
    for weight, template in options:
        weights[template] = weights.get(template, 0.0) + weight
    total = sum(weights.values()) or 1.0
    kept = [(w / total, t) for t, w in sorted(weights.items(), key=lambda item: -item[1]) if w >= TIDY * total]
    return kept[0][1] if len(kept) == 1 else (Choice(tuple(kept)),)


def braced(members: Sequence[Member], *, forget: bool) -> Template:
    """An object. Members that are not required are sometimes forgotten, except where the comma would be in doubt."""
    nodes: list[Any] = [Text("{")]
    certain = False
    for n, (key, value, required) in enumerate(members):
        member = (Text(f"{', ' if n else ''}{quoted(key)}: "), *value)
        if required or not forget or not certain:
            nodes += member
            certain = True
        else:
            nodes.append(Choice(((1 - FORGOTTEN, member), (FORGOTTEN, ()))))
    return (*nodes, Text("}"))


def bracketed(items: Sequence[Template]) -> Template:
    nodes: list[Any] = [Text("[")]
    for n, item in enumerate(items):
        nodes += [Text(", "), *item] if n else item
    return (*nodes, Text("]"))
