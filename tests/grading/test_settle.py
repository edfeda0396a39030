from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from labkit.grading.settle import MOST_ITEMS
from labkit.grading.workspace import Outcome, Workspace


async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


def count(n: int) -> Iterator[int]:
    yield from range(n)


async def acount(n: int) -> AsyncIterator[int]:
    for number in range(n):
        await asyncio.sleep(0)
        yield number


async def returns_a_generator(n: int) -> Iterator[int]:
    return count(n)


async def forever(_: int) -> None:
    await asyncio.Event().wait()


def call(name: str, *args: Any, seconds: float = 5) -> Outcome:
    return Workspace(globals()).run({"do": "call", "name": name, "args": list(args), "seconds": seconds})


CASES = [("double", 42), ("count", list(range(21))), ("acount", list(range(21))), ("returns_a_generator", [*range(21)])]


@pytest.mark.parametrize(("name", "expected"), CASES)
def test_coroutines_are_awaited_and_generators_run(name: str, expected: Any) -> None:
    assert call(name, 21) == {"value": expected}


@pytest.mark.parametrize(("name", "expected"), CASES)
async def test_inside_a_running_loop_too(name: str, expected: Any) -> None:
    assert call(name, 21) == {"value": expected}


@pytest.mark.parametrize("name", ["count", "acount"])
def test_a_stream_without_end_is_no_answer(name: str) -> None:
    outcome = call(name, MOST_ITEMS + 1)
    assert (outcome["trouble"], "10,000 items" in outcome["sentence"]) == ("raised", True)


def test_a_coroutine_that_never_ends_is_stopped_and_the_next_one_runs() -> None:
    assert call("forever", 1, seconds=0.1)["trouble"] == "time"
    assert call("double", 4) == {"value": 8}


async def test_a_coroutine_that_never_ends_is_stopped_beside_a_running_loop() -> None:
    assert call("forever", 1, seconds=0.1)["trouble"] == "time"
    assert call("double", 4) == {"value": 8}


def test_calls_share_one_loop() -> None:
    loops: list[object] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    workspace = Workspace({"note": note})
    for _ in range(2):
        workspace.run({"do": "call", "name": "note"})
    assert loops[0] is loops[1]
