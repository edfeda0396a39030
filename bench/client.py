"""What `LLMClient` adds to a call: `python bench/client.py`.

Median of one chat completion against the same lab server, in one run, the callers taking turns call by call so that a
busy moment of the machine hits all of them alike. Goals: at most 1.05 times the bare SDK, and `litellm.completion` at
least 3 times as long.

The bare SDK appears twice: the difference of the two is the noise of the machine.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import labkit as lk

CALLS = 400
WARM_UP = 30
QUESTION = "What is an API?"
MAX_TOKENS = 60


def callers() -> dict[str, Callable[[], object]]:
    """The same request through each of them: a model without reasoning, at temperature 0."""
    import litellm
    from openai import OpenAI

    model = lk.model("openai", "sampling")
    asked = [{"role": "user", "content": QUESTION}]
    bare, client = OpenAI(max_retries=0), lk.LLMClient("openai", model=model, temperature=0, max_tokens=MAX_TOKENS)

    def sdk() -> object:
        return bare.chat.completions.create(
            model=model, messages=asked, temperature=0, max_completion_tokens=MAX_TOKENS  # type: ignore[arg-type]
        )

    def through_litellm() -> object:
        return litellm.completion(
            model=f"openai/{model}", messages=asked, temperature=0, max_completion_tokens=MAX_TOKENS, num_retries=0
        )

    return {
        "bare SDK": sdk,
        "LLMClient.chat": lambda: client.chat(QUESTION),
        "litellm.completion": through_litellm,
        "bare SDK again": sdk,
    }


def medians(rounds: int) -> dict[str, float]:
    """Milliseconds, by caller."""
    calls = callers()
    took: dict[str, list[float]] = {name: [] for name in calls}
    for n in range(WARM_UP + rounds):
        order = list(calls.items())
        random.Random(n).shuffle(order)  # whoever follows litellm finds cold caches
        for name, call in order:
            begun = time.perf_counter()
            call()
            if n >= WARM_UP:
                took[name].append((time.perf_counter() - begun) * 1000)
    return {name: statistics.median(values) for name, values in took.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(LABKIT_HOME=str(Path(folder)))
        with lk.start(quiet=True, seed=7):
            lk.lab.limits(requests_per_minute=1_000_000)
            found = medians(CALLS)
        from labkit import daemon, settings

        daemon.stop(settings.load())
    sdk = found["bare SDK"]
    for name, ms in found.items():
        print(f"{name:20} {ms:7.2f} ms  {ms / sdk:5.2f} x the bare SDK")
    ours, theirs = found["LLMClient.chat"], found["litellm.completion"]
    print(f"litellm.completion takes {theirs / ours:.1f} x LLMClient.chat")
    print(f"added to the bare SDK: {(ours - sdk) * 1000:.0f} us, by litellm {(theirs - sdk) * 1000:.0f} us")


if __name__ == "__main__":
    main()
