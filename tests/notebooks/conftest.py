"""The lessons as the tests see them: the saved files, and the runner that saves them."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).parent))  # for `lesson_runs`
pytest.register_assert_rewrite("lesson_runs")

ROOT = Path(__file__).resolve().parents[2]
LESSON_FILES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="session")
def save_notebooks() -> ModuleType:
    """`scripts/save-notebooks` as a module: lessons are tested with the code that saves them."""
    path = ROOT / "scripts" / "save-notebooks"
    loader = importlib.machinery.SourceFileLoader("save_notebooks", str(path))
    spec = importlib.util.spec_from_loader("save_notebooks", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class Twice(NamedTuple):
    """A lesson after Run All, and Run All again without a restart."""

    first: NotebookNode
    again: NotebookNode
    seconds: float
    """Of both."""


@pytest.fixture(scope="module")
def run_twice(save_notebooks: ModuleType) -> Callable[[Path], Twice]:
    """Each lesson in a kernel of its own, for all tests of a file together: running is what takes the time."""

    @cache
    def run(lesson: Path) -> Twice:
        page, begin = save_notebooks.read(lesson), time.perf_counter()
        again = deepcopy(page)
        for cell in again.cells:
            cell.id += "-again"
        both = save_notebooks.run_in(lesson.parent, NotebookNode({**page, "cells": page.cells + again.cells}))
        page.cells, again.cells = both.cells[: len(page.cells)], both.cells[len(page.cells) :]
        return Twice(page, again, time.perf_counter() - begin)

    return run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument `lesson` runs once for each lesson, by path, or for those in its module's LESSONS."""
    if "lesson" in metafunc.fixturenames:
        wanted = getattr(metafunc.module, "LESSONS", None)
        paths = [path for path in LESSON_FILES if wanted is None or path.stem[:2] in wanted]
        metafunc.parametrize("lesson", paths, ids=[path.stem for path in paths])
