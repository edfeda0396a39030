"""A JSON schema as a template: every expansion is JSON that the schema admits, filled from what the prompt holds.

    {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}}, ...}
    ->  {"city": "Oslo", "unit": "{C|F}"}

Values come from a `Source`: candidates with weights for one property. Candidates that the schema does not admit are
dropped; where none is left, a plain value that it does admit is written. Objects keep the order of the schema, and a
property that is not required is there when the source knows something of it. Keywords that cannot be built in
(`not`, `if`, `oneOf` whose parts overlap, `uniqueItems` ...) are met by checking whole expansions and keeping the valid
ones. `settling` works references in; `jsontext` writes.

Does not know tokens or prompts. What cannot be written at all raises `UnsupportedSchema`, which names the place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from labkit.engine import scalars
from labkit.engine.evidence import Field, Source
from labkit.engine.jsontext import Member, braced, bracketed, either, fitted, literal
from labkit.engine.merging import merged, well_shaped
from labkit.engine.settling import NoValue, Stack, implied_type, plain_field, settle
from labkit.engine.template import Template, Text, likeliest, sample
from labkit.engine.validity import Schema, UnsupportedSchema, Validator, item_schemas

MOST_PARTS = 4_000
"""Values of one text; OpenAI's limit on the properties of a strict schema is 5,000."""
MOST_ITEMS = 64
"""Items that an array may have to have."""
ITEMS_FOUND = 12
KNOWN = 0.5
"""Evidence from which a property that may be left out is written."""
EXPANSIONS = 24
"""Expansions that are tried where a keyword can only be checked."""
_PLAINEST = ('"unknown"', "null", "0", "1", "false", "[]", "{}", "[0]", '""')
"""What is tried last."""
_CHECKED = (
    *("not", "if", "oneOf", "uniqueItems", "contains", "patternProperties", "propertyNames"),
    *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
)
"""Keywords that are met by checking."""


@dataclass(frozen=True, slots=True)
class _Built:
    template: Template
    evidence: float
    """0 to 1: how sure it is that the prompt holds this."""


def compile_schema(schema: Schema, source: Source) -> Template:
    """All texts that fit the schema and the source.

    Raises:
        UnsupportedSchema: no text can be written; the message names the place in the schema.
    """
    well_shaped(schema)
    try:
        return _Builder(schema).value(schema, "", "$", source, ()).template
    except NoValue as missing:
        raise UnsupportedSchema(missing.path, missing.problem) from None
    except RecursionError:
        raise UnsupportedSchema("$", "nested too deeply") from None


class _Builder:
    def __init__(self, root: Schema) -> None:
        self.validator = Validator(root)
        self.parts = 0

    def value(self, schema: Schema, name: str, path: str, source: Source, stack: Stack) -> _Built:
        """What may stand at one place. `stack` holds the references that lead here."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise UnsupportedSchema(path, f"needs more than {MOST_PARTS} values")
        settled, inner, exact = settle(self.validator, schema, path, stack)
        built = self._any_kind(settled, name, path, source, inner)
        if not exact or any(key in settled for key in _CHECKED):
            built = replace(built, template=self._checked(schema, built.template, path))
        return built

    def _any_kind(self, schema: dict[str, Any], name: str, path: str, source: Source, stack: Stack) -> _Built:
        if "const" in schema or "enum" in schema:
            return self._choice(schema, name, path, source)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                rest = {key: value for key, value in schema.items() if key != union}
                merges = [merged(rest, part)[0] for part in schema[union]]
                return self._union(merges, name, path, source, stack)
        kind = schema.get("type") or implied_type(schema)
        if isinstance(kind, list):
            return self._union([schema | {"type": k} for k in kind], name, path, source, stack)
        if schema.get("nullable") is True:
            plain = {key: value for key, value in schema.items() if key != "nullable"}
            return self._union([plain, {"type": "null"}], name, path, source, stack)
        if kind == "object":
            return self._object(schema, name, path, source, stack)
        if kind == "array":
            return self._array(schema, name, path, source, stack)
        if kind == "null":
            return _Built((Text("null"),), 0.0)
        return self._scalar(schema, kind, name, path, source)

    def _union(self, parts: Iterable[Schema], name: str, path: str, source: Source, stack: Stack) -> _Built:
        """One of several schemas: those that the prompt has something for; null when it has nothing."""
        found: list[_Built] = []
        null: _Built | None = None
        missing = NoValue(path, "none of the alternatives can be written")
        for part in parts:
            try:
                built = self.value(part, name, path, source, stack)
            except NoValue as problem:
                missing = problem
                continue
            if built.template == (Text("null"),):
                null = built
            else:
                found.append(built)
        if not found and null is None:
            raise missing
        best = max((built.evidence for built in found), default=0.0)
        weighted = [(_share(built.evidence, best) / (n + 1), built.template) for n, built in enumerate(found)]
        if null:
            weighted = [(w * best, t) for w, t in weighted] + [(0.9 * max(0.0, 1 - 1.6 * best), null.template)]
        return _Built(either(weighted), best)

    def _choice(self, schema: dict[str, Any], name: str, path: str, source: Source) -> _Built:
        given = [schema["const"]] if "const" in schema else list(schema["enum"])
        values = [value for value in given if self.validator.admits(schema, value)]
        if not values:
            raise NoValue(path, "none of the values of the enumeration is admitted")
        if len(values) == 1:
            return _Built(literal(values[0]), 0.3)
        weights, evidence = source.options(Field(name, path, schema, "choice"), values)
        return _Built(either([(w, literal(v)) for w, v in zip(weights, values, strict=True)]), evidence)

    def _scalar(self, schema: dict[str, Any], kind: str, name: str, path: str, source: Source) -> _Built:
        candidates, evidence = source.candidates(Field(name, path, schema, kind))
        fitting = [(c.weight, fitted(schema, kind, c.value)) for c in candidates]
        options = [(weight, template) for weight, template in fitting if template]
        if not options:
            evidence = 0.0
            plain = scalars.plain_values(schema, kind)
            options = [(1 / (n + 1) ** 2, literal(value)) for n, value in enumerate(plain)]
        if not options:
            raise NoValue(path, f"no {kind} can be found that the schema admits")
        return _Built(either(options), evidence)

    def _object(self, schema: dict[str, Any], name: str, path: str, source: Source, stack: Stack) -> _Built:
        inner = source.inner(Field(name, path, schema, "object"))
        properties, required = _properties(schema), set(schema.get("required", ()))
        inner.assign(
            [
                field
                for key, part in properties.items()
                for field in plain_field(self.validator, key, part, f"{path}.{key}", stack)
            ]
        )
        members: list[_Member] = []
        spare: list[_Spare] = []
        for key, part in properties.items():
            try:
                built = self.value(part, key, f"{path}.{key}", inner, stack)
            except NoValue:
                if key in required:
                    raise
                continue
            if key in required or built.evidence >= KNOWN:
                members.append((key, built, key in required))
            else:
                spare.append((len(members), key, built))
        members += self._open_members(schema, members, inner, name, path, stack)
        members = _as_many_as_allowed(schema, members, spare)
        evidence = max((built.evidence for _, built, _ in members), default=0.0)
        depended_on = schema.get("dependentRequired", {})
        forget = not schema.get("minProperties") and not any(key in depended_on for key, _, _ in members)
        texts: list[Member] = [(key, built.template, needed) for key, built, needed in members]
        return _Built(braced(texts, forget=forget), evidence)

    def _open_members(
        self,
        schema: dict[str, Any],
        members: Sequence[object],
        source: Source,
        name: str,
        path: str,
        stack: Stack,
    ) -> list[_Member]:
        """Members under keys that the schema leaves open: what the prompt lists, and as many as there must be."""
        rest, fewest = schema.get("additionalProperties", True), schema.get("minProperties", 0) - len(members)
        named = schema.get("properties", {})
        if rest is False or (named and not isinstance(rest, dict) and fewest <= 0):
            return []
        entries = source.entries(Field(name, path, schema, "object")) if isinstance(rest, dict) else []
        names = schema.get("propertyNames", True)
        found = [(key, s) for key, s in entries if key not in named and self.validator.admits(names, key)]
        if (missing := fewest - len(found)) > 0:
            keys = scalars.plain_values(names if isinstance(names, dict) else {}, "string", missing)
            found += [(key, source) for key in keys][:missing]
        most = max(0, schema.get("maxProperties", MOST_ITEMS) - len(members))
        return [(key, self.value(rest, key, f"{path}.{key}", sub, stack), True) for key, sub in found[:most]]

    def _array(self, schema: dict[str, Any], name: str, path: str, source: Source, stack: Stack) -> _Built:
        first, rest = item_schemas(schema)
        fewest, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        if fewest > MOST_ITEMS:
            raise UnsupportedSchema(path, f"minItems is above {MOST_ITEMS}")
        if fewest > most:
            raise NoValue(path, "minItems is above maxItems")
        items = [self.value(part, name, f"{path}[{n}]", source, stack) for n, part in enumerate(first) if n < most]
        found, evidence = ([], 0.0) if rest is False else self._items(rest, name, path, source, stack)
        contains = schema.get("contains")
        if isinstance(contains, dict):
            wanted = max(fewest, schema.get("minContains", 1))
            found = [self.value(merged(rest, contains)[0], name, f"{path}[]", source, stack)] * wanted or found
        items += found
        while len(items) < fewest:
            items.append(self.value(rest, name, f"{path}[{len(items)}]", source, stack))
        kept = items[: min(int(min(most, 1e9)), max(ITEMS_FOUND, fewest, len(first)))]
        if schema.get("uniqueItems"):
            kept = _distinct(kept, fewest)
        return _Built(bracketed([built.template for built in kept]), max(evidence, 0.7 * bool(found)))

    def _items(
        self, schema: Schema, name: str, path: str, source: Source, stack: Stack
    ) -> tuple[list[_Built], float]:
        """The items that the prompt holds; the evidence."""
        try:
            settled, inner, _ = settle(self.validator, schema, path, stack)
            parts = settled.get("anyOf") or settled.get("oneOf")
            if parts and isinstance(parts[0], dict):
                settled, inner, _ = settle(self.validator, merged(parts[0], {})[0], path, inner)
        except NoValue:
            return [], 0.0
        kind = settled.get("type") or implied_type(settled)
        if kind == "object":
            sources = source.records(Field(name, path, settled, "object"), _properties(settled))
            built = [self._attempt(schema, "", f"{path}[]", s, stack) for s in sources]
            return [b for b in built if b], 0.9 * bool(sources)
        if kind == "array" or isinstance(kind, list):
            return [], 0.0
        field = Field(name, f"{path}[]", settled, "choice" if "enum" in settled else kind)
        lists, evidence = source.items(field)
        found: list[_Built] = []
        for candidates in lists:
            options = [(c.weight, fitted(settled, kind, c.value)) for c in candidates]
            fitting = [(w, t) for w, t in options if t and self.validator.admits(schema, json.loads(likeliest(t)))]
            if fitting:
                found.append(_Built(either(fitting), evidence))
        return found, evidence if found else 0.0

    def _attempt(self, schema: Schema, name: str, path: str, source: Source, stack: Stack) -> _Built | None:
        try:
            return self.value(schema, name, path, source, stack)
        except NoValue:
            return None

    def _checked(self, schema: Schema, template: Template, path: str) -> Template:
        """Those expansions that the schema admits, as often as they came."""
        rng = Random(0)
        texts = [likeliest(template), *(sample(template, rng) for _ in range(EXPANSIONS))]
        counts: dict[str, float] = {}
        for text in texts:
            counts[text] = counts.get(text, 0.0) + 1.0
        admitted = {text: n for text, n in counts.items() if self.validator.admits(schema, json.loads(text))}
        admitted = admitted or {text: 1.0 for text in _PLAINEST if self.validator.admits(schema, json.loads(text))}
        valid = [(n, (Text(text),)) for text, n in admitted.items()]
        if not valid:
            raise NoValue(path, "nothing that was tried is admitted")
        return either(valid)


_Member = tuple[str, _Built, bool]
"""Key, value, whether it must be there."""
_Spare = tuple[int, str, _Built]
"""A member that nothing calls for: its place among the others, key, value."""


def _properties(schema: dict[str, Any]) -> dict[str, Schema]:
    """Named properties in order, those that are only required last."""
    named = dict(schema.get("properties", {}))
    rest = schema.get("additionalProperties", True)
    for key in schema.get("required", ()):
        named.setdefault(key, rest)
    return named


def _as_many_as_allowed(schema: dict[str, Any], members: list[_Member], spare: Sequence[_Spare]) -> list[_Member]:
    """Spare members put in where there must be more, optional ones taken out where there may not be as many."""
    missing = max(0, schema.get("minProperties", 0) - len(members))
    for shift, (at, key, built) in enumerate(spare[:missing]):
        members.insert(at + shift, (key, built, True))
    most = schema.get("maxProperties", math.inf)
    if len(members) <= most:
        return members
    kept = max(0, int(most) - sum(needed for _, _, needed in members))
    surplus = [m for m in members if not m[2]][kept:]
    return [m for m in members if m not in surplus]


def _share(evidence: float, best: float) -> float:
    return 1.0 if best == 0 else (evidence / best) ** 3


def _distinct(items: Sequence[_Built], fewest: int) -> list[_Built]:
    """Items whose likeliest texts differ, settled to those; others only where there must be more."""
    kept: dict[str, _Built] = {}
    for built in items:
        texts = [likeliest(built.template)]
        if len(kept) < fewest:
            rng = Random(len(kept))
            texts += [sample(built.template, rng) for _ in range(EXPANSIONS)]
        text = next((t for t in texts if t not in kept), None)
        if text is not None:
            kept[text] = replace(built, template=(Text(text),))
    return list(kept.values())
