"""Whatever schema, temperature and seed, the text is JSON that the schema admits: jsonschema is the judge."""

import json
from contextlib import suppress
from datetime import date, datetime
from enum import Enum
from random import Random
from typing import Annotated, Literal, Optional
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from labkit.engine.base import O200K, Prompt, Turn
from labkit.engine.extraction import PromptSource
from labkit.engine.reading import read
from labkit.engine.report import generate
from labkit.engine.schema import compile_schema
from labkit.engine.template import sample
from labkit.engine.validity import UnsupportedSchema
from labkit.sampling import Sampler, SamplingParams
from labkit.tokens import encoding

NOTICE = """Extract the data:

Invoice INV-2041 from Acme Ltd, issued on 3 March 2026. Dana Reed ordered 3 desk lamps at $19.90 each and 2 rugs at \
$45.00 each, total $149.70, due by 2 April 2026. Questions to billing@acme.example or +44 20 7946 0123. "Thank you" \
from all of us in Oslo; see https://acme.example/help."""
CHAT = "What is the capital of France?"
SAID = {"notice": NOTICE, "question": CHAT, "invent": "Generate an example person.", "empty": ""}


class Colour(Enum):
    red = "red"
    blue = "blue"


class Address(BaseModel):
    street: str
    city: str
    postcode: Annotated[str, Field(pattern=r"^\d{4,5}$")]


class Person(BaseModel):
    name: str
    age: Annotated[int, Field(ge=0, le=120)]
    email: str | None = None
    address: Address


class Item(BaseModel):
    description: str
    quantity: Annotated[int, Field(gt=0)]
    unit_price: float


class Invoice(BaseModel):
    """An invoice."""

    reasoning: str
    number: Annotated[str, Field(pattern=r"^INV-\d+$")]
    issued: date
    paid_at: datetime | None
    items: Annotated[list[Item], Field(min_length=1, max_length=5)]
    total: Annotated[float, Field(ge=0, multiple_of=0.01)]
    currency: Literal["USD", "EUR", "GBP"]
    paid: bool


class Entity(BaseModel):
    text: str
    type: Literal["person", "organization", "location", "date", "money"]
    confidence: Annotated[float, Field(ge=0, le=1)]


class Entities(BaseModel):
    entities: list[Entity]


class Node(BaseModel):
    value: str
    children: list["Node"] = []
    parent: Optional["Node"] = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Pet(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    either: int | str
    colour: Colour


class Mixed(BaseModel):
    id: UUID
    ratings: dict[str, int]
    point: tuple[float, float]
    tags: Annotated[set[str], Field(min_length=2)]
    note: Annotated[str, Field(min_length=30, max_length=60)]


def obj(required=True, **properties):
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | {"required": list(properties)} if required else schema


STRING, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}
FORMATS = ("date", "date-time", "time", "email", "uri", "uuid", "ipv4", "hostname", "duration")


def number(**bounds):
    return NUMBER | bounds


def integer(**bounds):
    return INTEGER | bounds


def string(**limits):
    return STRING | limits


def array(items=True, **limits):
    return {"type": "array", "items": items} | limits


SCHEMAS = {
    "scalars": obj(name=STRING, age=INTEGER, score=NUMBER, member={"type": "boolean"}),
    "optional": obj(required=False, name=STRING, total=NUMBER, colour=STRING, email=STRING),
    "enum": obj(
        sentiment={"enum": ["positive", "negative", "neutral"]},
        level={"enum": [1, 2, 3]},
        odd={"enum": [None, "a", 2.5, [1], {"b": 1}]},
    ),
    "const": obj(kind={"const": "fixed"}, version={"const": 2}),
    "bounds": obj(
        a=integer(minimum=5, maximum=5),
        b=number(exclusiveMinimum=0, exclusiveMaximum=0.001),
        c=integer(minimum=-7.5, maximum=-3),
    ),
    "multiples": obj(
        a=integer(multipleOf=7, minimum=100),
        b=number(multipleOf=0.25, minimum=0.1),
        c=integer(multipleOf=1.5, minimum=1),
    ),
    "lengths": obj(short=string(maxLength=3), long=string(minLength=200), exact=string(minLength=9, maxLength=9)),
    "patterns": obj(
        zip=string(pattern="^[0-9]{5}$"),
        sku=string(pattern="^(AB|CD)-[A-Z]{2}\\d+$"),
        hex=string(pattern="^#[0-9a-f]{6}$"),
        part=string(pattern="x+y"),
        alt=string(pattern="^(?:yes|no|maybe)$"),
        not_space=string(pattern="^[^ ]{4}$"),
        sized=string(pattern="^[a-z]+$", minLength=12),
    ),
    "formats": obj(**{name.replace("-", "_"): string(format=name) for name in FORMATS}),
    "nested": obj(a=obj(b=obj(c=obj(d=INTEGER, e=obj(f=STRING))))),
    "arrays": obj(
        names=array(STRING, minItems=2, maxItems=3), grid=array(array(INTEGER)), none={"type": "array", "maxItems": 0}
    ),
    "tuple": array(False, prefixItems=[STRING, INTEGER]),
    "unique": array({"enum": ["a", "b", "c"]}, uniqueItems=True, minItems=3),
    "contains": array(INTEGER, contains={"type": "integer", "minimum": 10}),
    "type list": obj(a={"type": ["string", "null"]}, b={"type": ["integer", "boolean"]}),
    "anyOf": obj(a={"anyOf": [STRING, {"type": "null"}]}, b={"anyOf": [INTEGER, obj(x=STRING)]}),
    "oneOf overlapping": obj(
        a={"oneOf": [INTEGER, NUMBER, STRING]}, b={"oneOf": [{"minimum": 3}, {"maximum": 5}], "type": "integer"}
    ),
    "allOf": {
        "allOf": [
            obj(name=STRING) | {"additionalProperties": True},
            {"properties": {"age": integer(minimum=18)}, "required": ["age"]},
        ]
    },
    "not": obj(a=string(**{"not": {"enum": ["unknown"]}}), b=integer(**{"not": {"const": 0}})),
    "if": {
        "type": "object",
        "properties": {"a": {"enum": ["x", "y"]}, "b": INTEGER},
        "required": ["a"],
        "if": {"properties": {"a": {"const": "x"}}},
        "then": {"required": ["b"]},
    },
    "refs": {
        "$defs": {"n/a": INTEGER, "p": obj(v={"$ref": "#/$defs/n~1a"})},
        "type": "object",
        "properties": {"p": {"$ref": "#/$defs/p"}},
        "required": ["p"],
    },
    "recursive": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "v": INTEGER},
        "required": ["next", "v"],
    },
    "map": {"type": "object", "additionalProperties": NUMBER, "minProperties": 2},
    "map with names": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z]{3}$"},
        "additionalProperties": STRING,
        "minProperties": 1,
    },
    "required only": {"type": "object", "required": ["a", "b"]},
    "dependent": {
        "type": "object",
        "properties": {"a": STRING, "b": STRING},
        "dependentRequired": {"a": ["b"]},
        "minProperties": 1,
    },
    "anything": {},
    "true": True,
    "odd names": obj(
        **{'quo"te': STRING, "back\\slash": STRING, "naïve 名前": STRING, "": STRING, "{brace|bar}": STRING}
    ),
    **{model.__name__: model.model_json_schema() for model in (Person, Invoice, Entities, Node, Pet, Mixed)},
}


def write(engine, schema, said=NOTICE, *, temperature=0.0, seed=0, tier="large"):
    prompt = Prompt((Turn("user", said),), tier, schema=json.dumps(schema))
    decoder, tokens = engine.open(prompt), []
    sampler = Sampler(SamplingParams(temperature=temperature), Random(seed))
    while (token := sampler.pick(decoder.distribution())) != O200K.end and len(tokens) < 4_000:
        decoder.advance(token)
        tokens.append(token)
    return encoding(O200K.encoding).decode(tokens)


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_every_text_is_valid_at_any_temperature(engine, name, said):
    judge = Draft202012Validator(SCHEMAS[name], format_checker=Draft202012Validator.FORMAT_CHECKER)
    for temperature in (0.0, 1.0, 2.0):
        for seed in range(4):
            text = write(engine, SCHEMAS[name], said, temperature=temperature, seed=seed)
            judge.validate(json.loads(text))


def test_what_cannot_be_written_is_refused_with_its_place(engine):
    for schema, place in (
        (False, "$"),
        ({"type": "strin"}, "$.type"),
        (obj(a={"$ref": "https://example.com/x"}), "$.a"),
        (obj(a={"$ref": "#/$defs/none"}), "$.a"),
        (obj(a=INTEGER | {"minimum": 3, "maximum": 2}), "$.a"),
        (obj(a=STRING | {"pattern": "("}), "$.properties.a.pattern"),
        (obj(a={"type": "array", "items": STRING, "minItems": 100_000}), "$.a"),
        ({"$ref": "#"}, "$"),
        ({"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]}, "$.me.me.me"),
        ({"unevaluatedProperties": False}, "$"),
        ([], "$"),
    ):
        with pytest.raises(UnsupportedSchema) as refused:
            write(engine, schema)
        assert refused.value.path == place


def test_a_slow_pattern_does_not_hang(engine):
    schema = obj(a=STRING | {"pattern": "^(a+)+$", "not": {"pattern": "^(a|a)*b$"}})
    assert json.loads(write(engine, schema, "Extract this: " + "a" * 60 + "!"))["a"].strip("a") == ""


NAMES = st.sampled_from(["name", "total", "due_date", "items", "type", "city", "x", "ok", ""])
TYPES = ("object", "array", "string", "integer", "number", "null")
SMALL = st.integers(-3, 12)
FLOATS = st.floats(-5, 5, width=16)
VALUES = st.one_of(st.none(), st.booleans(), SMALL, FLOATS, st.text(max_size=4), st.lists(SMALL, max_size=2))


def schemas(parts):
    """Some keywords together, also such as contradict each other. References only where they end."""
    inside = st.one_of(parts, st.sampled_from([{"$ref": "#"}, {"$ref": "#/$defs/a"}]))
    keywords = {
        "type": st.sampled_from([*TYPES, ["string", "null"], ["integer", "array"]]),
        "properties": st.dictionaries(NAMES, inside, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": parts,
        "items": inside,
        "prefixItems": st.lists(parts, min_size=1, max_size=2),
        "minItems": st.integers(0, 4),
        "maxItems": st.integers(0, 4),
        "uniqueItems": st.booleans(),
        "contains": parts,
        "minProperties": st.integers(0, 3),
        "maxProperties": st.integers(0, 3),
        "propertyNames": st.one_of(st.booleans(), st.just({"maxLength": 4})),
        "minLength": st.integers(0, 20),
        "maxLength": st.integers(0, 20),
        "pattern": st.sampled_from(["^a", "[0-9]+$", "^(x|y)z?$", "\\d{2}", ".", "^$", "(?=b)b"]),
        "format": st.sampled_from(["date", "no-such-format"]),
        "minimum": SMALL,
        "maximum": SMALL,
        "exclusiveMinimum": SMALL,
        "multipleOf": st.sampled_from([1, 2, 0.5, 0.01, 7]),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "anyOf": st.lists(parts, min_size=1, max_size=2),
        "oneOf": st.lists(parts, min_size=1, max_size=2),
        "allOf": st.lists(parts, min_size=1, max_size=2),
        "not": parts,
        "if": parts,
        "then": parts,
        "patternProperties": st.dictionaries(st.sampled_from(["^n", "e$"]), parts, max_size=1),
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=1),
        "default": VALUES,
    }
    pairs = [st.tuples(st.just(key), value) for key, value in keywords.items()]
    return st.lists(st.one_of(pairs), max_size=4).map(dict)


PARTS = st.recursive(st.sampled_from([True, False, {"type": "string"}, {"type": "integer"}]), schemas, max_leaves=5)


@settings(max_examples=400, deadline=2_000, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas(PARTS), shared=PARTS, seed=st.integers(0, 9))
def test_a_random_schema_is_met_or_refused(schema, shared, seed):
    schema = schema | {"$defs": {"a": shared}}
    source = PromptSource(read(Prompt((Turn("user", NOTICE),))))
    try:
        template = compile_schema(schema, source)
    except UnsupportedSchema:
        return
    judge, rng = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER), Random(seed)
    for _ in range(3):
        judge.validate(json.loads(sample(template, rng)))


KEYWORDS = ["type", "properties", "items", "enum", "required", "$ref", "anyOf", "pattern", "minimum", "minItems"]
ANY_JSON = st.recursive(
    VALUES,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.dictionaries(st.sampled_from([*KEYWORDS, "$defs", "const", "format", "default"]), parts),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=1_000)
@given(schema=ANY_JSON)
def test_no_json_value_breaks_the_compiler(schema):
    source = PromptSource(read(Prompt((Turn("user", CHAT),))))
    with suppress(UnsupportedSchema):
        json.loads(sample(compile_schema(schema, source), Random(0)))


@settings(max_examples=50, deadline=3_000, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas(PARTS), temperature=st.sampled_from([0.0, 1.0, 2.0]), longest=st.integers(1, 12))
def test_a_short_limit_cuts_a_text_that_is_valid_when_whole(engine, schema, temperature, longest):
    prompt = Prompt((Turn("user", NOTICE),), schema=json.dumps(schema))
    params = SamplingParams(temperature=temperature)
    with suppress(UnsupportedSchema):
        whole, cut = (generate(engine, prompt, params, 1, longest=most) for most in (4_000, longest))
        Draft202012Validator(schema).validate(json.loads(whole.text))
        assert whole.strayed == 0 and cut.tokens == min(longest, whole.tokens)
        assert cut.tokens < whole.tokens or cut.text == whole.text


LISTS = [
    ("Name three colours: red, green, blue.", ["red", "green", "blue"]),
    ("Return the words apple, pear and plum as a list.", ["apple", "pear", "plum"]),
    ("My favourite cities are Paris, Rome and Oslo. List them.", ["Paris", "Rome", "Oslo"]),
    ("Extract the names: Anna met Tom and Maria in Rome.", ["Anna", "Tom", "Maria"]),
    ("Shopping:\n- bread\n- two lemons\n", ["bread", "two lemons"]),
    ("Hello!", []),
]


@pytest.mark.parametrize(("said", "items"), LISTS)
def test_a_list_without_a_name_gets_what_the_prompt_lists(engine, said, items):
    assert json.loads(write(engine, array(STRING), said)) == items


def test_a_list_gets_what_the_plain_answer_lists(engine):
    planets = json.loads(write(engine, array(STRING), "List the planets."))
    assert len(planets) == 8 and planets[2] == "Earth"
    assert json.loads(write(engine, obj(planets=array(STRING)), "List the planets."))["planets"] == planets


ROUTES = [("Where is my parcel?", "B"), ("I have a charge on my invoice that is not mine.", "A")]


@pytest.mark.parametrize(("said", "queue"), ROUTES)
def test_an_enumeration_is_chosen_by_what_the_description_says_of_its_values(engine, said, queue):
    queues = {"enum": ["A", "B"], "description": "A: billing and charges. B: parcels and delivery"}
    assert json.loads(write(engine, obj(queue=queues), said)) == {"queue": queue}
