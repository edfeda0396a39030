"""Measures how answers vary with temperature, and writes transcripts to be read.

python -m labkit.engine.report               # distinct answers and fluency against temperature and top_p
python -m labkit.engine.report --transcript  # every example prompt at T = 0, 0.7 and 1.2
python -m labkit.engine.report --accuracy    # right answers on the labelled sets, by tier and wording
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from labkit.engine.base import O200K, Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.source import Table
from labkit.sampling import Sampler, SamplingParams
from labkit.tokens import encoding

PROMPTS = (
    "Explain what a list comprehension is in Python.",
    "Write a haiku about the first snow",
    "Write the opening line of a mystery novel.",
    "Explain what temperature does in an LLM.",
    "The best thing about Monday mornings is",
)
SETTINGS = [
    *(SamplingParams(temperature=t) for t in (0.0, 0.2, 0.5, 0.7, 1.0, 1.2, 1.5, 2.0)),
    SamplingParams(temperature=1.2, top_p=0.9),
    SamplingParams(temperature=1.5, top_p=0.9),
]
LONGEST = 160


@dataclass(frozen=True, slots=True)
class Sample:
    """One generated text."""

    text: str
    strayed: int
    """Tokens that were written while off the template."""
    tokens: int


def generate(
    engine: EmbeddedEngine, prompt: Prompt, params: SamplingParams, seed: int, *, longest: int = LONGEST
) -> Sample:
    """One text, and how much of it the n-gram model wrote."""
    decoder, sampler = engine.open(prompt), Sampler(params, Random(seed))
    tokens: list[int] = []
    strayed = 0
    while len(tokens) < longest and (token := sampler.pick(decoder.distribution())) != O200K.end:
        decoder.advance(token)
        tokens.append(token)
        strayed += decoder.state is None
    return Sample(encoding(O200K.encoding).decode(tokens), strayed, len(tokens))


def measure(engine: EmbeddedEngine, prompt: str, params: SamplingParams, samples: int) -> tuple[int, int, float]:
    """Distinct texts, texts that left the template, and the share of tokens written off it."""
    asked = Prompt((Turn("user", prompt),))
    found = [generate(engine, asked, params, seed) for seed in range(samples)]
    tokens = sum(s.tokens for s in found)
    off = sum(s.strayed for s in found)
    return len({s.text for s in found}), sum(s.strayed > 0 for s in found), off / max(tokens, 1)


def table(engine: EmbeddedEngine, prompts: Iterable[str], samples: int) -> Iterator[str]:
    """Lines of a Markdown table a prompt."""
    for prompt in prompts:
        yield f"\n{prompt}\n"
        yield "| temperature | top_p | distinct | left the template | tokens off it |"
        yield "|---|---|---|---|---|"
        for params in SETTINGS:
            distinct, left, share = measure(engine, prompt, params, samples)
            yield f"| {params.temperature} | {params.top_p} | {distinct} of {samples} | {left} | {share:.0%} |"


def transcript(engine: EmbeddedEngine, temperatures: Iterable[float] = (0.0, 0.7, 1.2)) -> Iterator[str]:
    """What is said to the first example of every intent."""
    for intent in engine.library.intents.values():
        if intent.name.startswith(("manner-", "label-", "fallback")):
            continue
        prompt = Prompt((Turn("user", _spoken(intent.examples[0].text, intent.table)),))
        yield f"\n## {intent.name}: {prompt.last_user}  -> {engine.answer(prompt).intent}"
        for t in temperatures:
            yield f"[T={t}] " + generate(engine, prompt, SamplingParams(temperature=t), seed=5).text


def _spoken(example: str, table: Table | None) -> str:
    values = dict(zip(table.columns, table.rows[0], strict=True)) if table else {}
    stand_ins = {"topic": "old trees", "business": "a bakery", "name": "Dana", "text": "hello there", "last": "12"}
    for name, value in ({**stand_ins, **values}).items():
        example = example.replace(f"${name}", value.split(" / ")[0])
    return example.replace("$", "")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the embedded engine, or print what it says.")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--transcript", action="store_true")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("prompts", nargs="*", help="instead of the usual five; with --accuracy, names of sets")
    asked = parser.parse_args()
    engine = EmbeddedEngine()
    if asked.accuracy:
        from labkit.engine import accuracy  # which generates by way of this module

        lines = accuracy.table(engine, asked.prompts)
    elif asked.transcript:
        lines = transcript(engine)
    else:
        lines = table(engine, asked.prompts or PROMPTS, asked.samples)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
