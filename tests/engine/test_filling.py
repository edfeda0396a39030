"""What stands in the fields of structured output, where no schema check can tell sense from nonsense."""

import json

import pytest

from labkit.engine.base import Prompt, Turn
from labkit.engine.mentions import mentions
from labkit.engine.report import generate
from labkit.sampling import SamplingParams

REVIEW = "Review: The tent was easy to pitch, but it leaked in the first rain and the zip broke."


@pytest.fixture(scope="module")
def filled(engine):
    """filled("prompt", answer="number", steps=["string"]): the object at temperature 0."""

    def fill(said, **types):
        one = {name: {"type": kind} for name, kind in types.items() if isinstance(kind, str)}
        many = {name: {"type": "array", "items": {"type": kind[0]}} for name, kind in types.items() if len(kind) == 1}
        schema = {"type": "object", "properties": one | many, "required": list(types), "additionalProperties": False}
        prompt = Prompt((Turn("user", said),), schema=json.dumps(schema))
        return json.loads(generate(engine, prompt, SamplingParams(temperature=0), 0).text)

    return fill


def test_a_sum_is_worked_out_in_the_fields_that_ask_for_it(filled):
    assert filled("What is 23 * 4?", reasoning="string", answer="number") == {"reasoning": "23 × 4 = 92", "answer": 92}
    story = filled("A tap fills 9 buckets an hour. How many in 4 hours?", steps=["string"], result="number")
    assert story == {"steps": ["9 × 4 = 36"], "result": 36}


def test_lists_are_filled_from_what_the_engine_knows(filled):
    found = filled("List five European countries", countries=["string"])["countries"]
    assert len(set(found)) == 5 and "France" in found


def test_praise_and_complaints_are_told_apart(filled):
    found = filled(REVIEW, pros=["string"], cons=["string"], reasoning="string")
    assert found["pros"] == ["The tent was easy to pitch"]
    assert found["cons"] == ["it leaked in the first rain", "the zip broke"]
    assert found["reasoning"].startswith('The text says "The tent')


def test_what_is_made_up_suits_the_field(filled):
    hero = filled("Create a character for a story", name="string", backstory="string", age="integer")
    assert len(hero["backstory"].split()) > 6 and hero["age"] > 15
    shop = filled("Suggest a name and a motto for a tea shop", name="string", motto="string")
    assert shop["name"] != hero["name"] and len(shop["motto"].split()) > 2


def test_a_question_alone_is_no_reason(filled):
    found = filled("What is the capital of France?", capital="string", explanation="string")
    assert found == {"capital": "Paris", "explanation": "The capital of France is Paris."}


def test_who_does_what_by_when(filled):
    found = filled("Notes: Priya will send the budget by Friday.", owner="string", task="string", due="string")
    assert found == {"owner": "Priya", "task": "send the budget", "due": "Friday"}


def test_a_request_gives_no_steps(filled):
    assert filled("Give me a recipe for pancakes", steps=["string"]) == {"steps": []}


def test_names_that_follow_each_other_are_two():
    people = [m.text for m in mentions("On Monday Maria Costa Jonas Weber and Ana Maria Silva joined.")]
    assert people[-3:] == ["Maria Costa", "Jonas Weber", "Ana Maria Silva"]


@pytest.mark.parametrize("said", ["EUR 250 was paid by Lena.", "Lena Fischer paid €250.", "She paid 250 euros."])
def test_a_currency_may_stand_on_either_side(filled, said):
    assert filled(said, amount="number", currency="string") == {"amount": 250, "currency": "EUR"}


def test_a_label_is_no_reason(filled):
    ticket = "Sort this ticket into a queue.\n\nThe trial was advertised as free and today 29 was taken from my Visa."
    assert filled(ticket, reasoning="string", queue="string")["reasoning"].startswith('The text says "')
