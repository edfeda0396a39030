"""Measures how answers vary with temperature, how often they are right, and writes transcripts to be read.

python -m labkit.engine.report               # distinct answers and fluency against temperature and top_p, 50 prompts
python -m labkit.engine.report "A prompt"    # the same for prompts of your own, a table each
python -m labkit.engine.report --transcript  # 40 prompts at T = 0, 0.7 and 1.5, each with several seeds
python -m labkit.engine.report --examples    # the first example of every intent of the texts
python -m labkit.engine.report --accuracy    # right answers on the labelled sets, by tier, wording and temperature
python -m labkit.engine.report --finding     # paraphrases and foreign prompts, with and without sentence vectors
python -m labkit.engine.report --page        # writes the tables of README.md anew
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from labkit.engine.base import O200K, Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.sampling import Sampler, SamplingParams
from labkit.tokens import encoding

PROMPTS = Path(__file__).with_name("prompts.toml")
PAGE = Path(__file__).with_name("README.md")
SETTINGS = [
    *(SamplingParams(temperature=t) for t in (0.0, 0.2, 0.5, 0.7, 1.0, 1.2, 1.5, 2.0)),
    SamplingParams(temperature=1.2, top_p=0.9),
    SamplingParams(temperature=1.5, top_p=0.9),
]
SAMPLES = 50
LONGEST = 160
HEAD = ("| temperature | top_p | distinct | stayed on the template | tokens on it |", "|---|---|---|---|---|")


@dataclass(frozen=True, slots=True)
class Sample:
    """One generated text."""

    text: str
    strayed: int
    """Tokens that were written while off the template."""
    tokens: int


@dataclass(frozen=True, slots=True)
class Variety:
    """How samples of some prompts differ, and how fluent they are."""

    distinct: float
    """Different texts among the samples of one prompt, the mean over the prompts."""
    stayed: float
    """Share of the texts that never left their template: those are as fluent as who wrote it."""
    on_template: float
    """Share of the tokens that were written on it."""

    def row(self, params: SamplingParams, samples: int) -> str:
        """A row of a Markdown table."""
        shares = f"{self.stayed:.1%} | {self.on_template:.1%}"
        return f"| {params.temperature} | {params.top_p} | {self.distinct:.1f} of {samples} | {shares} |"


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


def variety(engine: EmbeddedEngine, prompts: Sequence[str], params: SamplingParams, samples: int = SAMPLES) -> Variety:
    """Samples of each prompt, with the seeds from 0 on."""
    distinct = stayed = strayed = tokens = 0
    for said in prompts:
        asked = Prompt((Turn("user", said),))
        found = [generate(engine, asked, params, seed) for seed in range(samples if params.temperature else 1)]
        distinct += len({s.text for s in found})
        stayed += sum(s.strayed == 0 for s in found) * (samples // len(found))
        strayed, tokens = strayed + sum(s.strayed for s in found), tokens + sum(s.tokens for s in found)
    return Variety(distinct / len(prompts), stayed / len(prompts) / samples, 1 - strayed / max(tokens, 1))


def table(engine: EmbeddedEngine, prompts: Sequence[str], samples: int = SAMPLES) -> Iterator[str]:
    """Lines of a Markdown table, one a setting."""
    yield from HEAD
    for params in SETTINGS:
        yield variety(engine, prompts, params, samples).row(params, samples)


def varied() -> list[str]:
    """The prompts that variety is measured with."""
    return list(tomllib.loads(PROMPTS.read_text(encoding="utf-8"))["varied"])


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the embedded engine, or print what it says.")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    for name in ("transcript", "examples", "accuracy", "finding", "page"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("prompts", nargs="*", help="instead of the usual fifty; with --accuracy, names of sets")
    return parser.parse_args()


def _tables_of_own(engine: EmbeddedEngine, prompts: Iterable[str], samples: int) -> Iterator[str]:
    for prompt in prompts:
        yield f"\n{prompt}\n"
        yield from table(engine, [prompt], samples)


def lines(engine: EmbeddedEngine, asked: argparse.Namespace) -> Iterable[str]:
    """What was asked for, line by line."""
    from labkit.engine import accuracy, finding, page, transcript  # which generate by way of this module

    chosen: dict[str, Callable[[], Iterable[str]]] = {
        "accuracy": lambda: accuracy.table(engine, asked.prompts),
        "transcript": lambda: transcript.transcript(engine),
        "examples": lambda: transcript.examples(engine),
        "finding": lambda: finding.table(engine),
        "page": lambda: page.rewrite(engine),
    }
    if verb := next((name for name in chosen if getattr(asked, name)), None):
        return chosen[verb]()
    if asked.prompts:
        return _tables_of_own(engine, asked.prompts, asked.samples)
    return table(engine, varied(), asked.samples)


def main() -> None:
    asked = _asked()
    for line in lines(EmbeddedEngine(), asked):
        print(line, flush=True)


if __name__ == "__main__":
    main()
