from __future__ import annotations

import linecache
from typing import Any

import pytest

from labkit.grading.workspace import Outcome, Workspace

CELL = """
import sys

def double(x, *, plus=0): return 2 * x + plus
def pair(): return ("a", {1: None})
def stub(): raise NotImplementedError("your code goes here")
def broken(data): return inner(data)
def inner(data):
    return data["choice"]
def by_library(): return sys.intern(5)
def leave(): sys.exit(3)
def forever():
    while True: pass
def obj(): return object()
def objs(): return [object()]
def loop():
    found = []
    found.append(found)
    return found
def deep(): return deep()
class Evil(Exception):
    def __str__(self): raise ValueError
def evil(): raise Evil
def long(): raise ValueError("x" * 100_000 + "\\nsecond line")
class Counter:
    def __init__(self, start): self.count = start
    def up(self, by): self.count += by; return self.count
answer = 42
"""


@pytest.fixture
def workspace() -> Workspace:
    """As a kernel runs a cell: source known to linecache under the name it was compiled with."""
    linecache.cache["<cell>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell>")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(CELL, "<cell>", "exec"), namespace)
    return Workspace(namespace)


def call(workspace: Workspace, name: str, *args: Any, **kwargs: Any) -> Outcome:
    return workspace.run({"do": "call", "name": name, "args": list(args), "kwargs": kwargs, "seconds": 0.2})


def test_call_with_arguments(workspace: Workspace) -> None:
    assert call(workspace, "double", 4, plus=1) == {"value": 9}


def test_values_go_through_json(workspace: Workspace) -> None:
    assert call(workspace, "pair") == {"value": ["a", {"1": None}]}


def test_value_of_a_variable(workspace: Workspace) -> None:
    assert workspace.run({"do": "value", "name": "answer"}) == {"value": 42}


def test_made_objects_are_kept_apart(workspace: Workspace) -> None:
    one = workspace.run({"do": "make", "name": "Counter", "args": [1]})["made"]
    two = workspace.run({"do": "make", "name": "Counter", "args": [10]})["made"]
    assert workspace.run({"do": "call", "on": one, "name": "up", "args": [1]}) == {"value": 2}
    assert workspace.run({"do": "value", "on": two, "name": "count"}) == {"value": 10}
    assert workspace.run({"do": "call", "on": one, "name": "down"})["sentence"] == "A `Counter` has no `down` yet."


@pytest.mark.parametrize(
    ("name", "trouble", "sentence"),
    [
        ("nothing", "missing", "There is no `nothing` yet: define it and run its cell."),
        ("answer", "missing", "`answer` is an object of type int, expected something to call."),
        ("stub", "unwritten", "`stub` is not written yet: it still raises NotImplementedError."),
        ("by_library", "raised", "`by_library` raised TypeError: "),
        ("leave", "raised", "`leave` raised SystemExit: 3, in line 11 of that cell"),
        ("deep", "raised", "`deep` raised RecursionError: maximum recursion depth exceeded"),
        ("evil", "raised", "`evil` raised Evil: (its text cannot be shown)"),
        ("forever", "time", "`forever` had not returned after 0.2 seconds, so it was stopped."),
        ("obj", "not plain", "`obj` returned an object of type object, expected plain values: "),
        ("objs", "not plain", "`objs` returned a list with other objects in it, expected plain values: "),
        ("loop", "not plain", "`loop` returned a list with other objects in it"),
    ],
)
def test_trouble_in_one_sentence(workspace: Workspace, name: str, trouble: str, sentence: str) -> None:
    outcome = call(workspace, name)
    assert outcome["trouble"] == trouble
    assert outcome["sentence"].startswith(sentence)


def test_an_exception_names_the_students_own_line(workspace: Workspace) -> None:
    sentence = call(workspace, "broken", {})["sentence"]
    assert sentence == "`broken` raised KeyError: 'choice', in line 9 of that cell: return data[\"choice\"]"


def test_a_long_exception_text_is_cut(workspace: Workspace) -> None:
    assert len(call(workspace, "long")["sentence"]) < 600


def test_the_users_interrupt_passes_through() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Workspace({"interrupted": interrupted}).run({"do": "call", "name": "interrupted"})
