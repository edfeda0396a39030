import pytest

from labkit.engine.base import Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.report import generate
from labkit.sampling import SamplingParams


@pytest.fixture(scope="session")
def engine():
    return EmbeddedEngine()


@pytest.fixture(scope="session")
def ask(engine):
    """ask("Hi", "Hello!", "What is my name?", system="..."): user and assistant by turns; the answer as text."""

    def answer(*said, system="", temperature=0.0, seed=0, tier="standard", json=False, **params):
        prompt = _conversation(*said, system=system, tier=tier, json=json)
        return generate(engine, prompt, SamplingParams(temperature=temperature, **params), seed).text

    return answer


@pytest.fixture(scope="session")
def conversation():
    """conversation("Hi", "Hello!", "Bye"): a prompt of user and assistant turns."""
    return _conversation


def _conversation(*said, system="", tier="standard", json=False):
    turns = [Turn("system", system)] if system else []
    turns += [Turn("assistant" if n % 2 else "user", text) for n, text in enumerate(said)]
    return Prompt(tuple(turns), tier, json)
