"""A JSON schema in the words of a prompt is filled as one that came by the API."""

import json

import pytest

from labkit.engine.base import Prompt, Turn
from labkit.engine.promptschema import taken_out
from labkit.engine.report import generate
from labkit.sampling import SamplingParams

PERSON = {
    "title": "Person",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
ASKED = f"Provide the objects in json that match this json_schema:\n\n{json.dumps(PERSON, indent=2)}\n\nNo schema."
TEXT = "Extract the person: Dana Reed is 34 years old."


def filled(engine, *turns, mode=True, tier="standard"):
    return generate(engine, Prompt(turns, tier, mode), SamplingParams(temperature=0.0), 0).text


@pytest.mark.parametrize("tier", ["small", "standard", "large"])
@pytest.mark.parametrize(
    "turns",
    [(Turn("system", ASKED), Turn("user", TEXT)), (Turn("user", f"{TEXT}\n\n{ASKED}"),)],
    ids=["system", "user"],
)
def test_json_mode_fills_a_schema_that_the_prompt_shows(engine, turns, tier):
    assert json.loads(filled(engine, *turns, tier=tier)) == {"name": "Dana Reed", "age": 34}


def test_without_json_mode_it_is_filled_too(engine):
    text = filled(engine, Turn("system", ASKED), Turn("user", TEXT), mode=False, tier="large")
    assert '"name": "Dana Reed", "age": 34' in text


def test_the_prompt_is_read_without_the_schema():
    prompt, schema = taken_out(Prompt((Turn("system", ASKED), Turn("user", TEXT)), json=True))
    assert json.loads(schema) == PERSON and "properties" not in prompt.system and prompt.last_user == TEXT


BRACES = ['{"name": "Ada", "age": 3}', '{"title": ', '{"properties": 3}', "{" * 50_000, '{"type":' * 9_000]


@pytest.mark.parametrize("said", BRACES, ids=range(len(BRACES)))
def test_other_braces_are_no_schema(said):
    assert taken_out(Prompt((Turn("user", f"As json: {said}"),), json=True)) is None


def test_a_schema_that_cannot_be_written_leaves_plain_json_mode(engine):
    impossible = PERSON | {"properties": {"age": {"type": "integer", "minimum": 3, "maximum": 2}}}
    said = f"What is the capital of France? Answer in json by this schema: {json.dumps(impossible)}"
    assert isinstance(json.loads(filled(engine, Turn("user", said))), dict)
