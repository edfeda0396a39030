import ast
import json
import math
import os
import re
import subprocess
import sys

import pytest

from labkit.engine.base import O200K, next_distribution
from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.report import generate
from labkit.engine.source import SourceError
from labkit.sampling import SamplingParams
from labkit.tokens import encoding

ENCODING = encoding(O200K.encoding)
OPEN_ENDED = [
    "Write a haiku about the winter sea",
    "Write a tagline for a coffee shop",
    "Write the opening line of a mystery novel.",
    "Write a short poem about the sea.",
    "Write a one-sentence bedtime story about a unicorn.",
    "Once upon a time",
    "Explain what a list comprehension is in Python.",
    "What is an API?",
    "Explain what temperature does in an LLM.",
]


def test_distribution_covers_the_vocabulary(conversation, engine):
    d = next_distribution(engine, conversation("What is an API?"))
    assert math.fsum(d.probs) + d.floor * d.tail == pytest.approx(1)
    assert d.vocab == 199_998
    assert 0 < d.prob(150_000) < 1e-8
    assert d.prob(O200K.end) < 1e-3


def test_end_is_explicit_when_the_text_is_over(conversation, engine, ask):
    tokens = ENCODING.encode_ordinary(ask("What is the capital of France?"))
    assert next_distribution(engine, conversation("What is the capital of France?"), tokens).best == O200K.end


def test_same_state_gives_the_same_object(conversation, engine):
    one, two = (engine.open(conversation("What is an API?")) for _ in range(2))
    assert one.distribution() is two.distribution()


def test_fork_is_independent(conversation, engine):
    decoder = engine.open(conversation("What is an API?"))
    copy = decoder.fork()
    decoder.advance(decoder.distribution().best)
    assert copy.distribution() is not decoder.distribution()
    assert copy.distribution() is engine.open(conversation("What is an API?")).distribution()


@pytest.mark.parametrize("prompt", OPEN_ENDED)
def test_open_ended_answers_vary(ask, prompt):
    answers = {ask(prompt, temperature=0.7, seed=seed) for seed in range(50)}
    assert len(answers) >= 25
    assert len({ask(prompt, seed=seed) for seed in range(3)}) == 1


@pytest.mark.parametrize("prompt", ["The best thing about Monday mornings is", "Name a colour."])
def test_completion_has_many_first_tokens(conversation, engine, prompt):
    d = next_distribution(engine, conversation(prompt))
    assert sum(p > 0.005 for p in d.probs) >= 10
    assert d.probs[0] < 0.4


def test_hot_text_leaves_the_template_and_top_p_mends_it(engine, conversation):
    asked = conversation("Explain what a list comprehension is in Python.")

    def strayed(**params):
        return sum(generate(engine, asked, SamplingParams(**params), seed).strayed > 0 for seed in range(40))

    assert strayed(temperature=0.7) == 0
    assert 5 <= strayed(temperature=1.2) <= 35
    assert strayed(temperature=1.2, top_p=0.9) == 0
    assert strayed(temperature=1.5) >= 36


def test_strayed_text_finds_its_way_back(engine, conversation):
    decoder = engine.open(conversation("Explain what a list comprehension is in Python."))
    for token in ENCODING.encode_ordinary("A list zebra of builds a new"):
        decoder.advance(token)
    assert decoder.state is not None
    assert ENCODING.decode([decoder.distribution().best]) == " list"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("country", ["France", "Kenya", "South Korea"])
def test_facts_stay_right_whatever_is_sampled(ask, seed, country):
    capital = {"France": "Paris", "Kenya": "Nairobi", "South Korea": "Seoul"}[country]
    assert capital in ask(f"What is the capital of {country}?", temperature=0.8, seed=seed)


@pytest.mark.parametrize("seed", range(10))
def test_json_is_valid_until_it_is_cut(ask, seed):
    text = ask("Give me a JSON object with the name, population and country of Paris.", temperature=0.8, seed=seed)
    assert json.loads(text)["country"] == "France"
    with pytest.raises(json.JSONDecodeError):
        json.loads(text[: len(text) // 2])


def test_json_mode_gives_an_object_to_every_prompt(engine, conversation):
    for intent in engine.library.intents.values():
        for example in intent.examples[:2]:
            prompt = conversation(example.text.replace("$", ""), json=True)
            text = generate(engine, prompt, SamplingParams(temperature=1.5), seed=3, longest=1000).text
            assert isinstance(json.loads(text), dict), (example, text)


def test_json_mode_lets_nothing_else_come(engine, conversation):
    d = next_distribution(engine, conversation("What is a token?", json=True))
    assert d.floor == 0
    assert ENCODING.decode([d.best]).startswith("{")


@pytest.mark.parametrize("seed", range(8))
def test_code_in_answers_is_python(ask, seed):
    text = ask("Write a Python function that adds two numbers.", temperature=0.8, seed=seed)
    code = re.search(r"```python\n(.*?)\n```", text, re.DOTALL)[1]
    function = ast.parse(code).body[0].name
    scope = {}
    exec(code, scope)  # written in this repository
    assert scope[function](2, 3) == 5


@pytest.mark.parametrize("seed", range(10))
def test_five_planets_are_five_planets(ask, seed):
    planets = {"Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"}
    assert len(planets & set(re.findall(r"\w+", ask("List five planets.", temperature=0.8, seed=seed)))) == 5


def test_follow_up_needs_the_history(ask):
    first, second = "How do I read a CSV file in Python?", "What if the file has no header row?"
    assert "fieldnames" in ask(first, "Use the csv module.", second)
    assert "Which file" in ask(second)


@pytest.mark.parametrize(
    ("system", "check"),
    [
        (
            "You are a teacher. Answer in one short sentence for a ten-year-old.",
            lambda t: len(t) < 140 and "waiter" in t,
        ),
        ("Be concise.", lambda t: t.count(".") == 1),
        ("Talk like a pirate.", lambda t: re.match("Arr|Ahoy|Aye", t)),
        ("Answer in French.", lambda t: t.startswith("Une API")),
        ("Answer in one word.", lambda t: t == "Interface"),
        ("Respond only with JSON.", lambda t: json.loads(t)["term"] == "API"),
        ("You are helpful.", lambda t: t.count(".") >= 2),
    ],
)
def test_system_prompt_changes_the_answer(ask, system, check):
    assert check(ask("What is an API?", system=system))


@pytest.mark.parametrize(
    ("prompt", "check"),
    [
        ("Explain recursion to a five-year-old", "doll"),
        ("Explain what an API is, in one sentence", "An API is"),
        ("Answer in French: what is an API?", "Une API"),
        ("Explain rate limits like a pirate", "Arr"),
    ],
)
def test_prompt_may_ask_for_a_manner(ask, prompt, check):
    assert check in ask(prompt)


def test_assistant_turn_is_continued(ask):
    assert ask("Give me a JSON object with the name, population and country of Paris.", '{"name": "Par') == (
        'is", "population": 2100000, "country": "France"}'
    )


def test_assistant_turn_of_another_kind_is_still_continued(ask):
    assert isinstance(ask("What is an API?", "Bananas are yellow and"), str)


def test_prompt_without_turns_is_answered(conversation, engine):
    assert next_distribution(engine, conversation()).best


def test_instructor_teaches_an_answer(conversation, tmp_path, ask):
    (tmp_path / "own.md").write_text("## school\n> When does the school library open?\nAt nine.\n", encoding="utf-8")
    engine = EmbeddedEngine([tmp_path])
    tokens = ENCODING.encode_ordinary("At nine.")
    prompt = conversation("When does our school library open?")
    assert next_distribution(engine, prompt, tokens[:-1]).best == tokens[-1]


def test_instructor_mistake_is_named(tmp_path):
    (tmp_path / "own.md").write_text("## school\n> When?\nAt {nine|ten.\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"own.md, line 3: .*Fix"):
        EmbeddedEngine([tmp_path])


def test_shipped_answers_read_well(engine):
    """No slips that alternatives invite: a space before a comma, two spaces, an unfilled slot, a lost weight."""
    from random import Random

    from labkit.engine.template import sample

    rng = Random(1)
    for template in engine.library.templates():
        for _ in range(20):
            text = sample(template, rng)
            prose = re.sub(r"```.*?```|`[^`]*`|^ +", "x", text, flags=re.DOTALL | re.MULTILINE)
            assert not re.search(r"\w [,.;](?!\w)|[^\n ]  +\S|@\d|\$[a-z]", prose), text


def test_another_process_says_the_same(ask):
    code = (
        "from labkit.engine.base import Prompt, Turn; from labkit.engine.embedded import EmbeddedEngine;"
        "from labkit.engine.report import generate; from labkit.sampling import SamplingParams;"
        "print(generate(EmbeddedEngine(), Prompt((Turn('user', 'What is a token?'),)), SamplingParams(1.4), 3).text)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONIOENCODING": "utf-8"}
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=environment, encoding="utf-8"
    )
    assert said.stdout.strip() == ask("What is a token?", temperature=1.4, seed=3).strip()
