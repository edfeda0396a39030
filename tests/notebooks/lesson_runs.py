"""Each lesson runs from top to bottom in a fresh kernel, with no key, and fails only where it says so.

No test file itself: each `test_lessons_*.py` takes these tests for the lessons that it names in LESSONS, so that
`--dist loadfile` runs several lessons at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SECONDS_FOR_BOTH = 360
"""A guard against a lesson that hangs. One run takes under 60 s on two idle cores, and longer beside other tests."""
EXPECTED = "raises-exception"
pytestmark = pytest.mark.timeout(SECONDS_FOR_BOTH + 60)
RunTwice = Callable[[Path], Any]


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def failures(cell: Any) -> list[str]:
    return [output.ename for output in cell.outputs if output.output_type == "error"]


def kinds(notebook: Any) -> list[tuple[str, list[str]]]:
    """Of each cell the first line and the kinds of output under it."""
    return [
        (cell.source.partition("\n")[0], [o.output_type + "".join(sorted(o.get("data", {}))) for o in cell.outputs])
        for cell in code(notebook)
    ]


def test_lesson_runs_without_a_key(lesson: Path, run_twice: RunTwice) -> None:
    assert not any(name.endswith("_API_KEY") for name in os.environ)
    ran = run_twice(lesson)
    assert [cell.execution_count for cell in code(ran.first)] == list(range(1, len(code(ran.first)) + 1))
    assert ran.seconds < SECONDS_FOR_BOTH


def test_lesson_fails_where_it_says_so_and_nowhere_else(lesson: Path, run_twice: RunTwice) -> None:
    ran = run_twice(lesson)
    cells = code(ran.first) + code(ran.again)
    wrong = [cell.source for cell in cells if (EXPECTED in cell.metadata.get("tags", [])) != bool(failures(cell))]
    assert wrong == []


def test_lesson_writes_no_warning(lesson: Path, run_twice: RunTwice) -> None:
    ran = run_twice(lesson)
    outputs = [output for cell in code(ran.first) + code(ran.again) for output in cell.outputs]
    assert [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"] == []


def test_lesson_runs_again_in_the_same_kernel(lesson: Path, run_twice: RunTwice) -> None:
    """Nothing that a page leaves behind changes what it shows."""
    ran = run_twice(lesson)
    assert kinds(ran.first) == kinds(ran.again)


def test_saved_page_shows_what_a_fresh_run_shows(
    lesson: Path, run_twice: RunTwice, save_notebooks: ModuleType
) -> None:
    page = save_notebooks.as_page(deepcopy(run_twice(lesson).first))
    assert kinds(save_notebooks.read(lesson)) == kinds(page)
