"""Cells of a sweep: their order, their seeds, and the keys under which their answers are kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest

import labkit as lk
from labkit.chat import ChatRequest, Message
from labkit.experiments import NotConfirmed, Sweep
from labkit.experiments.grid import Cell, Grid, key_of, seed_of

pytestmark = pytest.mark.usefixtures("session")

REQUEST = ChatRequest("m", (Message("user", "Hi"),), 10, system="Be brief.", temperature=0.5, seed=3)
CHANGES: dict[str, Callable[[ChatRequest], ChatRequest]] = {
    "model": lambda r: replace(r, model="n"),
    "prompt": lambda r: replace(r, messages=(Message("user", "Ho"),)),
    "role": lambda r: replace(r, messages=(Message("assistant", "Hi"),)),
    "system": lambda r: replace(r, system=None),
    "max_tokens": lambda r: replace(r, max_tokens=11),
    "temperature": lambda r: replace(r, temperature=0.6),
    "top_p": lambda r: replace(r, top_p=0.5),
    "top_k": lambda r: replace(r, top_k=5),
    "stop": lambda r: replace(r, stop=("x",)),
    "seed": lambda r: replace(r, seed=4),
    "effort": lambda r: replace(r, effort="low"),
    "schema": lambda r: replace(r, schema={"type": "object"}),
    "extra": lambda r: replace(r, extra={"user": "me"}),
}


def key(request: ChatRequest, provider: str = "openai", repeat: int = 1, epoch: int = 0, stream: bool = False) -> str:
    return key_of(lk.LLMClient(provider), request, repeat=repeat, epoch=epoch, stream=stream)


def cells(grid: Grid) -> list[Cell]:
    return [cell for cell in grid if isinstance(cell, Cell)]


def test_a_key_is_the_same_in_every_year() -> None:
    # another value asks again for all that lies on disk: change it with KEY_VERSION, and on purpose
    assert key(REQUEST) == "d3aebfc424974b2577a1199c7dccb829"


@pytest.mark.parametrize("change", CHANGES)
def test_what_can_change_an_answer_changes_its_key(change: str) -> None:
    assert key(CHANGES[change](REQUEST)) != key(REQUEST)


@pytest.mark.parametrize("other", [{"provider": "anthropic"}, {"repeat": 2}, {"epoch": 1}, {"stream": True}], ids=str)
def test_so_do_provider_repeat_epoch_and_stream(other: dict[str, object]) -> None:
    assert key(REQUEST, **other) != key(REQUEST)  # type: ignore[arg-type]


def test_names_metrics_and_concurrency_do_not() -> None:
    plain = Sweep("Hi", "openai:sampling", temperature=[0, 1])
    named = Sweep({"greeting": "Hi"}, "openai:sampling", temperature=[0, 1], metrics="words", concurrency=1, name="x")
    assert [cell.key for cell in cells(plain.grid)] == [cell.key for cell in cells(named.grid)]


def test_repeats_come_last_so_that_a_sweep_cut_short_has_seen_everything() -> None:
    grid = Sweep(["a", "b"], "openai:sampling", temperature=[0, 1], repeats=2).grid
    seen = [(cell.repeat, cell.prompt.text, cell.params["temperature"]) for cell in cells(grid)]
    assert seen == [(r, p, t) for r in (1, 2) for p in "ab" for t in (0, 1)] and len(grid) == 8


def test_seeds_differ_by_repeat_and_fit_the_narrowest_provider() -> None:
    seeds = {seed_of(0, repeat) for repeat in range(1, 1_000)}
    assert len(seeds) == 999 and all(0 <= seed < 2**31 for seed in seeds) and not seeds & {seed_of(1, 1)}


def test_a_provider_without_seeds_is_sent_none() -> None:
    grid = Sweep("Hi", ["openai:sampling", "anthropic:sampling", "gemini:sampling"]).grid
    assert [cell.seed is None for cell in cells(grid)] == [False, True, False]
    assert all(cell.seed is None for cell in cells(Sweep("Hi", "openai:sampling", seed=None).grid))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "asked"), [("y\n", 1), ("YES\n", 1), ("\n", 0), ("n\n", 0), ("", 0)])
def test_whoever_is_asked_may_say_no(typed: str, asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    try:
        lk.sweep("Hi", "openai:sampling", max_tokens=4, confirm_above=0.0, progress=False)
    except NotConfirmed:
        assert not asked
    assert len(lk.lab.entries()) == asked
