"""Each lesson runs from top to bottom in a fresh kernel, with no key, and fails only where it says so.

No test file itself: each `test_lessons_*.py` takes these tests for the lessons that it names in LESSONS, so that
`--dist loadfile` runs several lessons at once.
"""

from __future__ import annotations

import os
import shutil
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SECONDS_PER_LESSON = 180
"""A guard against a lesson that hangs. It takes under 60 s on two idle cores, and longer beside other tests."""
EXPECTED = "raises-exception"
pytestmark = pytest.mark.timeout(2 * SECONDS_PER_LESSON)


def code(notebook: Any) -> list[Any]:
    return code_of(notebook.cells)


def code_of(cells: list[Any]) -> list[Any]:
    return [cell for cell in cells if cell.cell_type == "code"]


def failures(cell: Any) -> list[str]:
    return [output.ename for output in cell.outputs if output.output_type == "error"]


def test_lesson_runs_without_a_key(lesson: Path, fresh: Any) -> None:
    assert not any(name.endswith("_API_KEY") for name in os.environ)
    notebook, seconds = fresh(lesson)
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert seconds < SECONDS_PER_LESSON


def test_lesson_fails_where_it_says_so_and_nowhere_else(lesson: Path, fresh: Any) -> None:
    notebook, _ = fresh(lesson)
    wrong = [
        cell.source for cell in code(notebook) if (EXPECTED in cell.metadata.get("tags", [])) != bool(failures(cell))
    ]
    assert wrong == []


def test_lesson_writes_no_warning(lesson: Path, fresh: Any) -> None:
    notebook, _ = fresh(lesson)
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"] == []


def test_lesson_runs_again_in_the_same_kernel(lesson: Path, tmp_path: Path, save_notebooks: ModuleType) -> None:
    """Run All, and Run All again without a restart: nothing that a page leaves behind changes what it shows."""
    page = save_notebooks.read(lesson)
    once = len(page.cells)
    page.cells += deepcopy(page.cells)
    for cell in page.cells[once:]:
        cell.id += "-again"
    shutil.copytree(lesson.parent / "data", tmp_path / "data")
    save_notebooks.save(page, tmp_path / lesson.name)
    cells = save_notebooks.run(tmp_path / lesson.name).cells
    assert [kinds(cell) for cell in code_of(cells[:once])] == [kinds(cell) for cell in code_of(cells[once:])]


def test_saved_page_shows_what_a_fresh_run_shows(lesson: Path, fresh: Any, save_notebooks: ModuleType) -> None:
    page = save_notebooks.as_page(fresh(lesson)[0])
    saved = save_notebooks.read(lesson)
    assert [kinds(cell) for cell in code(saved)] == [kinds(cell) for cell in code(page)]


def kinds(cell: Any) -> tuple[str, list[str]]:
    """The first line of a cell and the kinds of output under it."""
    found = [output.output_type + "".join(sorted(output.get("data", {}))) for output in cell.outputs]
    return cell.source.partition("\n")[0], found
