"""`make bench`: how long what a reader does takes on this machine.

    python -m bench            all of it, some minutes: the server's comparison (bench/server.py) comes last
    python -m bench streams    what has "streams" in its name; "grading" and "server" are comparisons of their own

Each line is the best and the median of some runs, of one action with a realistic input. Nothing here passes or fails:
the limits that must hold are tests.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import caching, grading, server, sweep
from bench.similarity import compare_three_hundred_students

RUNS = 5
STREAMS = 200
AT_ONCE = 20


def bare_python() -> float:
    return _seconds_of("pass")


def import_labkit() -> float:
    return _seconds_of("import labkit")


def first_look_at_the_registry() -> float:
    return _inside("from labkit import registry", "registry.find('gpt-4o-mini')")


def first_price() -> float:
    return _inside("from labkit import prices", "prices.price('gpt-4o-mini')")


def first_token_count() -> float:
    return _inside("from labkit import tokens", "tokens.count('hello')")


def count_the_tokens_of_a_megabyte() -> float:
    return _inside("from labkit import tokens; text = 'A plain English sentence. ' * 40_000; tokens.count('')",
                   "tokens.count(text)")  # fmt: skip


def start_a_lab_server() -> float:
    start = time.perf_counter()
    with _lab_server():
        return time.perf_counter() - start


def one_chat_completion() -> float:
    with _lab_server() as url, _client(url) as client:
        _chat(client)  # the first one of a server loads the engine's texts
        start = time.perf_counter()
        _chat(client)
        return time.perf_counter() - start


def two_hundred_streams_twenty_at_once() -> float:
    with _lab_server() as url:
        return asyncio.run(_streams(url))


ACTIONS: tuple[Callable[[], float], ...] = (
    bare_python,
    import_labkit,
    first_look_at_the_registry,
    first_price,
    first_token_count,
    count_the_tokens_of_a_megabyte,
    start_a_lab_server,
    one_chat_completion,
    two_hundred_streams_twenty_at_once,
    compare_three_hundred_students,
)


def main(only: str = "") -> None:
    """Run the actions whose name contains `only` and print a line for each."""
    print(f"{'action':40} {'best':>9} {'median':>9}")
    for action in ACTIONS:
        if only in action.__name__:
            seconds = [action() for _ in range(RUNS)]
            print(f"{action.__name__:40} {_shown(min(seconds))} {_shown(statistics.median(seconds))}", flush=True)
    if only in "caching":
        print()
        caching.main()
    if only in "sweep":
        print()
        sweep.main([])
    if only in "grading":
        print()
        grading.main([])
    if only in "server":
        print()
        server.main([])


def _shown(seconds: float) -> str:
    return f"{seconds * 1000:6.1f} ms" if seconds < 1 else f"{seconds:7.2f} s"


def _seconds_of(code: str) -> float:
    """A whole Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def _inside(setup: str, statement: str) -> float:
    """One statement in a fresh process, without the process."""
    code = f"import time\n{setup}\nstart = time.perf_counter()\n{statement}\nprint(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


@contextmanager
def _lab_server() -> Iterator[str]:
    """A lab server of this run's own; its URL once it accepts connections."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "server.json")
        command = [sys.executable, "-m", "labkit.server", "--port", "0", "--state", str(state), "--idle-minutes", "5"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                while not state.exists():
                    if process.poll() is not None:
                        raise SystemExit("the lab server did not start: try python -m labkit.server --port 0")
                    time.sleep(0.005)
                yield json.loads(state.read_text())["url"]
            finally:
                process.terminate()


def _client(url: str):  # type: ignore[no-untyped-def]  # openai is imported by who needs it
    from openai import OpenAI

    return OpenAI(base_url=f"{url}/v1", api_key="lab-bench")


def _question() -> dict[str, object]:
    from labkit import registry

    asked = "Explain in three sentences what a token is."
    return {"model": registry.model("openai"), "messages": [{"role": "user", "content": asked}]}


def _chat(client) -> None:  # type: ignore[no-untyped-def]
    client.chat.completions.create(**_question())


async def _streams(url: str) -> float:
    from openai import AsyncOpenAI

    gate = asyncio.Semaphore(AT_ONCE)

    async def stream(client: AsyncOpenAI) -> None:
        async with gate:
            async for _chunk in await client.chat.completions.create(stream=True, **_question()):  # type: ignore[call-overload]
                pass

    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="lab-bench", max_retries=0) as client:
        await stream(client)
        start = time.perf_counter()
        await asyncio.gather(*(stream(client) for _ in range(STREAMS)))
        return time.perf_counter() - start


if __name__ == "__main__":
    main(*sys.argv[1:2])
