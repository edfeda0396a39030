"""How many prompts the finder understands: paraphrases that nobody tuned on, and prompts from outside the world.

python -m labkit.engine.report --finding

The prompts are in `paraphrases.toml`. Figures with sentence vectors need the model that `labkit.sentences` names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from labkit.engine.answers import FALLBACK
from labkit.engine.base import Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.meaning import SecondOpinion
from labkit.sentences import SentenceModel, WeightsError

PROMPTS = Path(__file__).with_name("paraphrases.toml")
HEAD = (
    "| finder | understood | taken for something else | not understood | outside, said so |",
    "|---|---|---|---|---|",
)


class Found(NamedTuple):
    """What became of the prompts."""

    understood: int
    mistaken: int
    missed: int
    outside: int
    """Of those outside the world, how many got the fallback."""

    def row(self, name: str, foreign: int) -> str:
        within = self.understood + self.mistaken + self.missed
        shares = [f"{n} of {within}" for n in self[:3]]
        return f"| {name} | {' | '.join(shares)} | {self.outside} of {foreign} |"


def found(engine: EmbeddedEngine) -> Found:
    """Ask all prompts."""
    given = tomllib.loads(PROMPTS.read_text(encoding="utf-8"))
    meant = [(name, _intent(engine, said)) for name, several in given["within"].items() for said in several]
    right, missed = sum(a == b for a, b in meant), sum(b == FALLBACK for _, b in meant)
    outside = sum(_intent(engine, said) == FALLBACK for said in given["outside"]["prompts"])
    return Found(right, len(meant) - right - missed, missed, outside)


def _intent(engine: EmbeddedEngine, said: str) -> str:
    return engine.answer(Prompt((Turn("user", said),))).intent


def table(engine: EmbeddedEngine, model: SentenceModel | None = None) -> Iterator[str]:
    """Lines of a Markdown table: words alone, then with sentence vectors."""
    foreign = len(tomllib.loads(PROMPTS.read_text(encoding="utf-8"))["outside"]["prompts"])
    yield from HEAD
    yield found(engine).row("words", foreign)
    try:
        opinion = SecondOpinion(engine.library.intents.values(), model)
    except WeightsError as problem:
        yield f"\nWith sentence vectors: {problem}"
        return
    yield found(EmbeddedEngine(second_opinion=lambda _: opinion)).row("words, then sentence vectors", foreign)
