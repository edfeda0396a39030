"""A JSON schema as a template: every expansion is a JSON text that the schema admits, filled from what the prompt holds.

    {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}}, ...}
    ->  {"city": "Oslo", "unit": "{C|F}"}

Values come from a `Source`: candidates with weights for one property. Candidates that the schema does not admit are
dropped; where none is left, a plain value that it does admit is written. Objects keep the order of the schema, and a
property that is not required is there when the source knows something of it. Keywords that cannot be built in
(`not`, `if`, `oneOf` whose parts overlap, `uniqueItems` ...) are met by checking whole expansions and keeping the valid ones.

Does not know tokens or prompts. What cannot be written at all raises `UnsupportedSchema`, which names the place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from labkit.engine import scalars
from labkit.engine.merging import merged, well_shaped
from labkit.engine.template import Choice, Template, Text, map_text, sample
from labkit.engine.validity import Json, Schema, UnsupportedSchema, Validator, item_schemas, number_fits, string_fits

MOST_PARTS = 4_000
"""Values of one text; OpenAI's limit on the properties of a strict schema is 5,000."""
MOST_ITEMS = 64
"""Items that an array may have to have."""
ITEMS_FOUND = 12
UNROLLED = 2
"""How often a definition may stand inside itself."""
KNOWN = 0.5
"""Evidence from which a property that may be left out is written."""
FORGOTTEN = 0.06
"""Share of texts that leave out such a property although it is known."""
EXPANSIONS = 24
"""Expansions that are tried where a keyword can only be checked."""
TIDY = 0.02
"""Branches less probable than this are left out: a choice as certain as that is no choice."""
_PLAINEST = ('"unknown"', "null", "0", "1", "false", "[]", "{}", "[0]", '""')
"""What is tried last."""
_CHECKED = (
    "not", "if", "oneOf", "uniqueItems", "contains", "patternProperties", "propertyNames", "minProperties",
    "maxProperties", "dependentRequired", "dependentSchemas",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that could stand somewhere."""

    value: Json | Template
    """A template (a tuple) stands for a string with alternatives inside it."""
    weight: float


@dataclass(frozen=True, slots=True)
class Field:
    """A place in the text that wants a value."""

    name: str
    """Of the property, or of the array that it is an item of; empty at the top."""
    path: str
    schema: Mapping[str, Any]
    """With references resolved."""
    kind: str
    """"string", "number", "integer", "boolean" or "choice"."""


class Source(Protocol):
    """What is known of the prompt."""

    def assign(self, fields: Sequence[Field]) -> None:
        """These stand side by side in one object: what one of them takes, another should not."""

    def candidates(self, field: Field) -> tuple[list[Candidate], float]:
        """Values for a field, and how sure it is that the prompt holds one (0 to 1)."""

    def options(self, field: Field, values: Sequence[Json]) -> tuple[list[float], float]:
        """A weight for each value of an enumeration, and the evidence."""

    def items(self, field: Field) -> tuple[list[list[Candidate]], float]:
        """The items of an array of plain values, each as its candidates."""

    def records(self, field: Field, properties: Mapping[str, Schema]) -> list[Source]:
        """A source for each item of an array of objects."""

    def entries(self, field: Field) -> list[tuple[str, Source]]:
        """Keys that the schema leaves open, each with a source for its value."""

    def inner(self, field: Field) -> Source:
        """The source for an object inside this one."""


class _NoValue(Exception):
    """Nothing can stand here. Alternatives further up may still do; if none does, it becomes an UnsupportedSchema."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(problem)
        self.path, self.problem = path, problem


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
    except _NoValue as missing:
        raise UnsupportedSchema(missing.path, missing.problem) from None
    except RecursionError:
        raise UnsupportedSchema("$", "nested too deeply") from None


class _Builder:
    def __init__(self, root: Schema) -> None:
        self.validator = Validator(root)
        self.parts = 0

    def value(self, schema: Schema, name: str, path: str, source: Source, stack: tuple[str, ...]) -> _Built:
        """What may stand at one place. `stack` holds the references that lead here."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise UnsupportedSchema(path, f"needs more than {MOST_PARTS} values")
        settled, inner, exact = self._settle(schema, path, stack)
        built = self._any_kind(settled, name, path, source, inner)
        if not exact or any(key in settled for key in _CHECKED):
            built = replace(built, template=self._checked(schema, built.template, path))
        return built

    def _settle(self, schema: Schema, path: str, stack: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...], bool]:
        """References and `allOf` worked in; last, whether nothing was lost in that."""
        exact, open_ = True, schema
        while True:
            if open_ is False:
                raise _NoValue(path, "admits nothing")
            if open_ is True:
                return {}, stack, exact
            if "$ref" in open_:
                reference = str(open_["$ref"])
                if stack.count(reference) >= UNROLLED:
                    raise _NoValue(path, f"'{reference}' stands inside itself without end")
                target, stack = self.validator.resolve(reference, path), (*stack, reference)
                rest = {key: value for key, value in open_.items() if key != "$ref"}
                open_, same = merged(rest, target)
            elif "allOf" in open_:
                parts = open_["allOf"]
                open_, same = {key: value for key, value in open_.items() if key != "allOf"}, True
                for part in parts:
                    part, stack, settled = self._settle(part, path, stack)
                    open_, merge_exact = merged(open_, part)
                    same = same and settled and merge_exact
                    if open_ is False:
                        break
            else:
                return dict(open_), stack, exact
            exact = exact and same

    def _any_kind(self, schema: dict[str, Any], name: str, path: str, source: Source, stack: tuple[str, ...]) -> _Built:
        if "const" in schema or "enum" in schema:
            return self._choice(schema, name, path, source)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                rest = {key: value for key, value in schema.items() if key != union}
                merges = [merged(rest, part)[0] for part in schema[union]]
                return self._union(merges, name, path, source, stack)
        kind = schema.get("type") or _implied_type(schema)
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

    def _union(self, parts: Iterable[Schema], name: str, path: str, source: Source, stack: tuple[str, ...]) -> _Built:
        """One of several schemas: those that the prompt has something for; null when it has nothing."""
        found: list[_Built] = []
        null: _Built | None = None
        missing = _NoValue(path, "none of the alternatives can be written")
        for part in parts:
            try:
                built = self.value(part, name, path, source, stack)
            except _NoValue as problem:
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
        return _Built(_either(weighted), best)

    def _choice(self, schema: dict[str, Any], name: str, path: str, source: Source) -> _Built:
        given = [schema["const"]] if "const" in schema else list(schema["enum"])
        values = [value for value in given if self.validator.admits(schema, value)]
        if not values:
            raise _NoValue(path, "none of the values of the enumeration is admitted")
        if len(values) == 1:
            return _Built(_literal(values[0]), 0.3)
        weights, evidence = source.options(Field(name, path, schema, "choice"), values)
        return _Built(_either([(w, _literal(v)) for w, v in zip(weights, values, strict=True)]), evidence)

    def _scalar(self, schema: dict[str, Any], kind: str, name: str, path: str, source: Source) -> _Built:
        candidates, evidence = source.candidates(Field(name, path, schema, kind))
        fitting = [(c.weight, _written(schema, kind, c.value)) for c in candidates]
        options = [(weight, template) for weight, template in fitting if template]
        if not options:
            evidence = 0.0
            plain = scalars.plain_values(schema, kind)
            options = [(1 / (n + 1) ** 2, _literal(value)) for n, value in enumerate(plain)]
        if not options:
            raise _NoValue(path, f"no {kind} can be found that the schema admits")
        return _Built(_either(options), evidence)

    def _object(self, schema: dict[str, Any], name: str, path: str, source: Source, stack: tuple[str, ...]) -> _Built:
        inner = source.inner(Field(name, path, schema, "object"))
        properties, required = self._properties(schema, path)
        inner.assign([f for key, part in properties.items() for f in self._field(key, part, f"{path}.{key}", stack)])
        members: list[tuple[str, _Built, bool]] = []
        spare: list[tuple[int, str, _Built]] = []
        for key, part in properties.items():
            try:
                built = self.value(part, key, f"{path}.{key}", inner, stack)
            except _NoValue:
                if key in required:
                    raise
                continue
            if key in required or built.evidence >= KNOWN:
                members.append((key, built, key in required))
            else:
                spare.append((len(members), key, built))
        members += self._open_members(schema, members, inner, name, path, stack)
        fewest, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
        for shift, (at, key, built) in enumerate(spare[: max(0, fewest - len(members))]):
            members.insert(at + shift, (key, built, True))
        if len(members) > most:
            surplus = [m for m in members if not m[2]][max(0, int(most) - sum(m[2] for m in members)) :]
            members = [m for m in members if m not in surplus]
        forget = not fewest and not any(m[0] in schema.get("dependentRequired", {}) for m in members)
        evidence = max((built.evidence for _, built, _ in members), default=0.0)
        return _Built(_braced(members, forget=forget), evidence)

    def _properties(self, schema: dict[str, Any], path: str) -> tuple[dict[str, Schema], set[str]]:
        """Named properties in order, those that are only required last."""
        named = dict(schema.get("properties", {}))
        required = set(schema.get("required", ()))
        rest = schema.get("additionalProperties", True)
        for key in schema.get("required", ()):
            named.setdefault(key, rest)
        return named, required

    def _field(self, key: str, schema: Schema, path: str, stack: tuple[str, ...]) -> list[Field]:
        """The property as a field, when it wants a plain value."""
        try:
            settled, _, _ = self._settle(schema, path, stack)
        except _NoValue:
            return []
        parts = settled.get("anyOf") or settled.get("oneOf")
        if parts:  # Optional[X]: as X
            inner = [p for p in parts if isinstance(p, dict) and p.get("type") != "null"]
            fields = self._field(key, inner[0], path, stack) if inner else []
            return [replace(f, schema={**f.schema, **_annotations(settled)}) for f in fields]
        kind = settled.get("type") or _implied_type(settled)
        if isinstance(kind, list):
            kind = next((k for k in kind if k != "null"), "null")
        if "enum" in settled or "const" in settled:
            kind = "choice"
        return [Field(key, path, settled, kind)] if kind in ("string", "number", "integer", "boolean", "choice") else []

    def _open_members(
        self, schema: dict[str, Any], members: Sequence[object], source: Source, name: str, path: str, stack: tuple[str, ...]
    ) -> list[tuple[str, _Built, bool]]:
        """Members under keys that the schema leaves open: what the prompt lists, and as many as there must be."""
        rest = schema.get("additionalProperties", True)
        if rest is False or (schema.get("properties") and not isinstance(rest, dict)):
            if len(members) >= schema.get("minProperties", 0) or rest is False:
                return []
        found = source.entries(Field(name, path, schema, "object")) if isinstance(rest, dict) else []
        names = schema.get("propertyNames", True)
        found = [(key, s) for key, s in found if key not in schema.get("properties", {}) and self.validator.admits(names, key)]
        missing = schema.get("minProperties", 0) - len(members) - len(found)
        keys = [key for key in scalars.plain_values(names if isinstance(names, dict) else {}, "string", missing) if missing > 0]
        found += [(key, source) for key in keys][:missing] if missing > 0 else []
        most = schema.get("maxProperties", MOST_ITEMS) - len(members)
        return [
            (key, self.value(rest, key, f"{path}.{key}", sub, stack), True) for key, sub in found[: max(0, most)]
        ]

    def _array(self, schema: dict[str, Any], name: str, path: str, source: Source, stack: tuple[str, ...]) -> _Built:
        first, rest = item_schemas(schema)
        fewest, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        if fewest > MOST_ITEMS:
            raise UnsupportedSchema(path, f"minItems is above {MOST_ITEMS}")
        if fewest > most:
            raise _NoValue(path, "minItems is above maxItems")
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
        return _Built(_bracketed([built.template for built in kept]), max(evidence, 0.7 * bool(found)))

    def _items(self, schema: Schema, name: str, path: str, source: Source, stack: tuple[str, ...]) -> tuple[list[_Built], float]:
        """The items that the prompt holds; the evidence."""
        try:
            settled, inner, _ = self._settle(schema, path, stack)
            parts = settled.get("anyOf") or settled.get("oneOf")
            if parts and isinstance(parts[0], dict):
                settled, inner, _ = self._settle(merged(parts[0], {})[0], path, inner)
        except _NoValue:
            return [], 0.0
        kind = settled.get("type") or _implied_type(settled)
        if kind == "object":
            sources = source.records(Field(name, path, settled, "object"), self._properties(settled, path)[0])
            built = [self._attempt(schema, "", f"{path}[]", s, stack) for s in sources]
            return [b for b in built if b], 0.9 * bool(sources)
        if kind == "array" or isinstance(kind, list):
            return [], 0.0
        field = Field(name, f"{path}[]", settled, "choice" if "enum" in settled else kind)
        lists, evidence = source.items(field)
        found: list[_Built] = []
        for candidates in lists:
            options = [(c.weight, _written(settled, kind, c.value)) for c in candidates]
            fitting = [(w, t) for w, t in options if t and self.validator.admits(schema, json.loads(likeliest(t)))]
            if fitting:
                found.append(_Built(_either(fitting), evidence))
        return found, evidence if found else 0.0

    def _attempt(self, schema: Schema, name: str, path: str, source: Source, stack: tuple[str, ...]) -> _Built | None:
        try:
            return self.value(schema, name, path, source, stack)
        except _NoValue:
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
            raise _NoValue(path, "nothing that was tried is admitted")
        return _either(valid)


def likeliest(template: Template) -> str:
    """The expansion that takes the heaviest option everywhere."""
    pieces: list[str] = []
    for node in template:
        if isinstance(node, Text):
            pieces.append(node.text)
        elif isinstance(node, Choice):
            pieces.append(likeliest(max(node.options, key=lambda option: option[0])[1]))
    return "".join(pieces)


def _share(evidence: float, best: float) -> float:
    return 1.0 if best == 0 else (evidence / best) ** 3


def _annotations(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("title", "description", "default", "examples") if key in schema}


def _implied_type(schema: Mapping[str, Any]) -> str:
    """What a schema without a type is meant for."""
    hints = {
        "object": ("properties", "required", "additionalProperties", "minProperties", "patternProperties", "propertyNames"),
        "array": ("items", "prefixItems", "minItems", "contains"),
        "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
    return next((kind for kind, keys in hints.items() if any(key in schema for key in keys)), "string")


def _literal(value: Json) -> Template:
    return (Text(quoted(value)),)


def quoted(value: Json) -> str:
    """A value as JSON text. Half of a surrogate pair cannot be written in UTF-8, so such text is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def inside_quotes(text: str) -> str:
    """Text as it stands between the quotes of a JSON string."""
    return quoted(text)[1:-1]


def _written(schema: Mapping[str, Any], kind: str, value: Json | Template) -> Template:
    """A candidate as JSON, fitted to the schema; empty when it does not fit."""
    if isinstance(value, tuple):
        if any(key in schema for key in ("minLength", "maxLength", "pattern", "format")):
            return _written(schema, kind, likeliest(value))
        return (Text('"'), *map_text(value, inside_quotes), Text('"'))
    if kind == "string" and isinstance(value, str):
        shortened = scalars.shortened(value, schema.get("maxLength", len(value)))
        return _literal(shortened) if string_fits(schema, shortened) else ()
    if kind == "boolean" and isinstance(value, bool):
        return _literal(value)
    if kind in ("integer", "number") and isinstance(value, int | float) and not isinstance(value, bool):
        number = int(value) if value == int(value) else value
        if (kind == "number" or isinstance(number, int)) and number_fits(schema, number):
            return _literal(number)
    return ()


def _either(options: Sequence[tuple[float, Template]]) -> Template:
    """One of several templates; equal ones are one option, and very improbable ones none."""
    weights: dict[Template, float] = {}
    for weight, template in options:
        weights[template] = weights.get(template, 0.0) + weight
    total = sum(weights.values()) or 1.0
    kept = [(w / total, t) for t, w in sorted(weights.items(), key=lambda item: -item[1]) if w >= TIDY * total]
    return kept[0][1] if len(kept) == 1 else (Choice(tuple(kept)),)


def _braced(members: Sequence[tuple[str, _Built, bool]], *, forget: bool) -> Template:
    """An object. Members that are not required are sometimes forgotten, except where the comma would be in doubt."""
    nodes: list[Any] = [Text("{")]
    certain = False
    for n, (key, built, required) in enumerate(members):
        member = (Text(f"{', ' if n else ''}{quoted(key)}: "), *built.template)
        if required or not forget or not certain:
            nodes += member
            certain = True
        else:
            nodes.append(Choice(((1 - FORGOTTEN, member), (FORGOTTEN, ()))))
    return (*nodes, Text("}"))


def _bracketed(items: Sequence[Template]) -> Template:
    nodes: list[Any] = [Text("[")]
    for n, item in enumerate(items):
        nodes += [Text(", "), *item] if n else item
    return (*nodes, Text("]"))


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
