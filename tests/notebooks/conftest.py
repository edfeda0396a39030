"""The lessons as the tests see them: the saved files, and the runner that saves them."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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


@pytest.fixture(scope="module")
def fresh(save_notebooks: ModuleType) -> Any:
    """{lesson: (executed notebook, seconds)}; each lesson runs once for all tests here."""
    done: dict[Path, tuple[Any, float]] = {}

    def executed(lesson: Path) -> tuple[Any, float]:
        if lesson not in done:
            begin = time.perf_counter()
            notebook = save_notebooks.run(lesson)
            done[lesson] = notebook, time.perf_counter() - begin
        return done[lesson]

    return executed


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument `lesson` runs once for each lesson, by path, or for those in its module's LESSONS."""
    if "lesson" in metafunc.fixturenames:
        wanted = getattr(metafunc.module, "LESSONS", None)
        paths = [path for path in LESSON_FILES if wanted is None or path.stem[:2] in wanted]
        metafunc.parametrize("lesson", paths, ids=[path.stem for path in paths])
