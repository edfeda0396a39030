"""The lessons as the tests see them: the saved files, and the runner that saves them."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument `lesson` runs once for each lesson, by path."""
    if "lesson" in metafunc.fixturenames:
        paths = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
        metafunc.parametrize("lesson", paths, ids=[path.stem for path in paths])
