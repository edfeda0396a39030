"""How fast the embedded engine is: `python bench/engine.py`.

Targets, on one core: ready in under 1 s, 50,000 tokens/s at T = 0, 20,000 at T = 1, under 150 MB.
"""

from __future__ import annotations

import time
from random import Random

START = time.perf_counter()

import psutil  # noqa: E402

from labkit.engine.base import O200K, Engine, Prompt, Turn  # noqa: E402
from labkit.engine.embedded import EmbeddedEngine  # noqa: E402
from labkit.sampling import Sampler, SamplingParams  # noqa: E402

PROMPTS = (
    "What is an API?",
    "Explain what temperature does in an LLM.",
    "Write a haiku about the sea",
    "How do I read a CSV file in Python?",
)
SECONDS = 2.0
NEW_PROMPTS = 300


def generate(engine: Engine, prompt: Prompt, params: SamplingParams, seed: int) -> int:
    """Tokens of one text, at most 300."""
    decoder, sampler = engine.open(prompt), Sampler(params, Random(seed))
    for n in range(300):
        token = sampler.pick(decoder.distribution())
        if token == O200K.end:
            return n
        decoder.advance(token)
    return 300


def tokens_per_second(engine: Engine, params: SamplingParams) -> float:
    """Over whole texts, opening included; each prompt was answered before, as in a busy server."""
    prompts = [Prompt((Turn("user", text),)) for text in PROMPTS]
    for seed in range(200):
        generate(engine, prompts[seed % len(prompts)], params, seed)
    begun, tokens, seed = time.perf_counter(), 0, 0
    while (spent := time.perf_counter() - begun) < SECONDS:
        tokens += generate(engine, prompts[seed % len(prompts)], params, seed)
        seed += 1
    return tokens / spent


def open_milliseconds(engine: Engine) -> float:
    """Mean time to read a prompt that was never seen, and give its first distribution."""
    begun = time.perf_counter()
    for n in range(NEW_PROMPTS):
        engine.open(Prompt((Turn("user", f"Please write a haiku about {n} small boats"),))).distribution()
    return (time.perf_counter() - begun) / NEW_PROMPTS * 1000


def main() -> None:
    engine = EmbeddedEngine()
    engine.open(Prompt((Turn("user", PROMPTS[0]),))).distribution()
    print(f"ready, with the first distribution  {time.perf_counter() - START:8.2f} s")
    print(f"a new prompt                        {open_milliseconds(engine):8.2f} ms")
    for name, params in {
        "T = 0": SamplingParams(temperature=0),
        "T = 1": SamplingParams(),
        "T = 0.7, top_p = 0.9": SamplingParams(temperature=0.7, top_p=0.9),
        "T = 1.5": SamplingParams(temperature=1.5),
        "T = 1, frequency penalty": SamplingParams(frequency_penalty=0.5),
    }.items():
        print(f"{name:34}  {tokens_per_second(engine, params):8,.0f} tokens/s")
    print(f"memory                              {psutil.Process().memory_info().rss / 1e6:8.0f} MB")


if __name__ == "__main__":
    main()
