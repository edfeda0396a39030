import tomllib
from pathlib import Path

import pytest

from labkit.engine.finder import Finder
from labkit.engine.source import read_text
from labkit.engine.words import Language

PROMPTS = tomllib.loads(Path(__file__).with_name("prompts.toml").read_text(encoding="utf-8"))
SOURCE = """
## haiku
> Write a haiku about $topic
x
## recursion
> Explain recursion
> What is recursion?
x
## sum
skill: arithmetic
> What is 1 + 2?
x
"""


@pytest.fixture(scope="module")
def finder():
    return Finder(read_text(SOURCE), Language(["- explain: describe, define\n- write: compose"]))


def test_find_by_stem_and_synonym(finder):
    assert finder.find("Describing recursions")[0].intent.name == "recursion"


def test_find_corrects_spelling(finder):
    assert finder.find("what is recurson")[0].score > 0.9


@pytest.mark.parametrize(
    ("prompt", "topic"),
    [
        ("Write a haiku about the winter sea.", "the winter sea"),
        ("Please compose a haiku about 'C++ & rust'!", "C++ & rust"),
        ("haiku about été 한국", "été 한국"),
    ],
)
def test_slot_holds_the_words_of_the_prompt(finder, prompt, topic):
    assert finder.find(prompt)[0].slots == {"topic": topic}


def test_empty_slot_is_no_match(finder):
    assert all(m.intent.name != "haiku" for m in finder.find("Write a haiku about"))


def test_any_number_matches_a_skill(finder):
    assert finder.find("What is 81 + 9?")[0].intent.name == "sum"


@pytest.mark.parametrize("prompt", ["", "????", "   ", "한국어만", "\x00\x01"])
def test_find_bears_anything(finder, prompt):
    assert all(0 <= m.score <= 1 for m in finder.find(prompt))


def test_very_long_prompt_is_found_by_its_ends(finder):
    assert finder.find("What is recursion? " + "filler " * 20_000)


def test_paraphrases_are_found(conversation, engine):
    asked = [(name, prompt) for name, prompts in PROMPTS["paraphrases"].items() for prompt in prompts]
    missed = [prompt for name, prompt in asked if engine.answer(conversation(prompt)).intent != name]
    assert len(missed) <= 0.1 * len(asked), missed


@pytest.mark.parametrize("prompt", PROMPTS["outside"])
def test_what_is_not_known_gets_the_fallback(conversation, engine, prompt):
    assert engine.answer(conversation(prompt)).intent == "fallback"
