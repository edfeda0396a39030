"""How much of a rate limit a sweep uses: `python -m bench.sweep`, or `--full` for 10,000 and 100,000 cells.

One model under R requests and T tokens a lab minute. The same questions go through

    a sweep that is told the limits, and one that learns them from the answers;
    a loop as it is often written: a semaphore, the SDK's call, and an exponential wait after a 429;
    litellm.batch_completion, with its own retries.

"share" is what was answered by what the limit allows in that time: the bucket, which is full at the start, and its
refill. Goals: 97 % and no 429 for known limits, 93 % and less than one 429 in 1,000 for unknown ones. Then, without
limits, cells a second beside the bare SDK, and the memory of a long run: its growth from the first quarter to the end.

The lab's minute is short, so that this takes a few minutes; the calls and the server are real.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil

import labkit as lk
from labkit.experiments import Sweep
from labkit.pacing import Pacer

MINUTE_S = 4.0
"""Real seconds of a lab minute."""
A_SECOND = 50
"""Requests that the limit allows a real second: below what the machine can do, so that the limit is what limits."""
REQUESTS = round(A_SECOND * MINUTE_S)
MAX_TOKENS = 4
AT_ONCE = 32
QUICK, FULL = 1_500, 10_000
LONG_QUICK, LONG_FULL = 10_000, 100_000
LONG_TEXT = "Read this note and say what it is about. " + "The limit counts the tokens of the prompt too. " * 4


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    requests: int
    """A lab minute."""
    tokens: int
    """A lab minute."""

    def set(self) -> None:
        lk.lab.reset()
        lk.lab.clock(minute=MINUTE_S)
        lk.lab.limits(requests_per_minute=self.requests, tokens_per_minute=self.tokens)

    def share(self, calls: int, tokens: int, seconds: float) -> float:
        """Of what the tighter of the two buckets allows in that time."""
        minutes = 1 + seconds / MINUTE_S
        return max(calls / (self.requests * minutes), tokens / (self.tokens * minutes))


BY_REQUESTS = Limit("requests bind", REQUESTS, REQUESTS * 1_000)
BY_TOKENS = Limit("tokens bind", REQUESTS * 1_000, REQUESTS * 40)


def questions(cells: int) -> list[str]:
    """Short and longer prompts, mixed."""
    dice = random.Random(0)
    return [f"{'What is an API?' if dice.random() < 0.7 else LONG_TEXT} ({n})" for n in range(cells)]


# --- The ways to ask ---


def swept(pacer: Pacer) -> Callable[[list[str]], None]:
    def ask(prompts: list[str]) -> None:
        planned(prompts, pacer=pacer).run(progress=False)

    return ask


def planned(prompts: list[str], *, pacer: Pacer | None = None, name: str | None = None) -> Sweep:
    name = name or f"bench-{time.monotonic_ns()}"
    return Sweep(prompts, "openai:sampling", temperature=0, max_tokens=MAX_TOKENS, pacer=pacer, name=name)


def looped(prompts: list[str]) -> None:
    """A semaphore, and an exponential wait with jitter after a refusal."""
    from openai import AsyncOpenAI, RateLimitError

    async def main() -> None:
        gate, model = asyncio.Semaphore(AT_ONCE), lk.model("openai", "sampling")

        async def one(client: AsyncOpenAI, prompt: str) -> None:
            async with gate:
                for attempt in range(20):
                    try:
                        await client.chat.completions.create(**_request(model, prompt))  # type: ignore[call-overload]
                        return
                    except RateLimitError:
                        await asyncio.sleep(min(0.5 * 2**attempt, 8.0) * random.uniform(0.5, 1.0))

        async with AsyncOpenAI(max_retries=0) as client:
            await asyncio.gather(*(one(client, prompt) for prompt in prompts))

    asyncio.run(main())


def batched(prompts: list[str]) -> None:
    """LiteLLM's threads, with its own repetitions."""
    import litellm

    litellm.suppress_debug_info = True  # five lines a refusal
    request = _request(f"openai/{lk.model('openai', 'sampling')}", "")
    turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
    litellm.batch_completion(**{**request, "messages": turns}, max_workers=AT_ONCE, num_retries=8)


def _request(model: str, prompt: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}]
    return {"model": model, "messages": turns, "temperature": 0, "max_completion_tokens": MAX_TOKENS}


# --- Measuring ---


def compare(limit: Limit, cells: int, ways: dict[str, Callable[[list[str]], None]]) -> None:
    print(f"\n{limit.name}: {limit.requests:,} requests, {limit.tokens:,} tokens a lab minute of {MINUTE_S:g} s")
    print(f"{'':28}{'cells':>8}{'seconds':>9}{'share':>8}{'429s':>8}{'cells/s':>9}")
    for name, ask in ways.items():
        limit.set()
        begun = time.perf_counter()
        ask(questions(cells))
        seconds = time.perf_counter() - begun
        billed = lk.lab.ledger().sum()
        refused = len(lk.lab.entries(status=429))
        answered = int(billed["requests"] - billed["errors"])
        share = limit.share(answered, int(billed["input"] + billed["output"]), seconds)
        print(f"{name:28}{answered:8,}{seconds:9.1f}{share:8.1%}{refused:8,}{answered / seconds:9.0f}", flush=True)


def unpaced(cells: int) -> None:
    """Without limits: what the machine does, and what of that the SDK alone does with the same calls."""
    print(f"\nwithout limits, {cells:,} cells, {AT_ONCE} at once")
    ways: dict[str, Callable[[list[str]], None]] = {"bare SDK": looped, "sweep": swept(Pacer()), "bare again": looped}
    for name, ask in ways.items():
        lk.lab.reset()
        lk.lab.limits(requests_per_minute=None, tokens_per_minute=None)
        begun, busy = time.perf_counter(), time.process_time()
        ask(questions(cells))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - busy
        print(f"{name:28}{cells / seconds:8.0f} cells/s{cpu / cells * 1000:8.2f} ms of this process a cell", flush=True)


def memory(cells: int) -> None:
    """Resident memory while a long sweep runs, without its table."""
    name = f"memory-{time.monotonic_ns()}"
    seen: list[float] = []
    done = Event()

    def look() -> None:
        while not done.wait(0.5):
            seen.append(psutil.Process().memory_info().rss / 2**20)

    watcher = Thread(target=look)
    watcher.start()
    try:
        planned([f"What is an API? ({n})" for n in range(cells)], name=name).fill(progress=False)
    finally:
        done.set()
        watcher.join()
    quarter, end = seen[len(seen) // 4], seen[-1]
    print(f"memory over {cells:,} cells: {quarter:.0f} MB after a quarter, {end:.0f} MB at the end")


def lab(folder: Path) -> Iterator[None]:
    os.environ.update(LABKIT_HOME=str(folder))
    with lk.start(quiet=True, seed=7):
        yield
    from labkit import daemon, settings

    daemon.stop(settings.load())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="10,000 cells a row, and memory over 100,000")
    parser.add_argument("--only", default="", help="limits, rivals, unpaced or memory")
    chosen = parser.parse_args(arguments)
    cells = FULL if chosen.full else QUICK
    known = {"sweep, limits known": lambda limit: swept(Pacer(limit.requests, limit.tokens))}
    with tempfile.TemporaryDirectory() as folder:
        for _ in lab(Path(folder)):
            planned(questions(AT_ONCE)).run(progress=False)  # the first call of a process loads the SDK
            if chosen.only in ("", "limits"):
                for limit in (BY_REQUESTS, BY_TOKENS):
                    ways = {name: way(limit) for name, way in known.items()}
                    compare(limit, cells, {**ways, "sweep, limits unknown": swept(Pacer())})
            if chosen.only in ("", "rivals"):
                ways = {"semaphore and retry": looped, "litellm.batch_completion": batched}
                compare(BY_REQUESTS, min(cells, QUICK), ways)
            if chosen.only in ("", "unpaced"):
                unpaced(QUICK)
            if chosen.only in ("", "memory"):
                memory(LONG_FULL if chosen.full else LONG_QUICK)


if __name__ == "__main__":
    main()
