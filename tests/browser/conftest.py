"""One JupyterLab and one browser for all tests here, on a copy of the notebooks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # lab_page is shared with shoot.py, which runs as a script

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[str], NoReturn]) -> Iterator[Any]:
    """A `lab_page.Lab`."""
    from lab_page import chromium, running

    browser = chromium()
    if browser is None:
        missing("no Chromium: install the package `chromium`")
    home, folder = tmp_path_factory.mktemp("jupyter-home"), tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    with running(folder, home=home, browser=browser) as lab:
        yield lab
