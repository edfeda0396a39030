"""One JupyterLab and one browser for all tests here, on a copy of the notebooks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # lab_page is shared with shoot.py, which runs as a script

ROOT = Path(__file__).parents[2]
CONTINUOUS_INTEGRATION = os.environ.get("CI", "").lower() in ("1", "true")


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A `lab_page.Lab`. Without a browser its tests are skipped, but in CI they fail: there it is an omission."""
    from lab_page import chromium, running

    browser = chromium()
    if browser is None:
        (pytest.fail if CONTINUOUS_INTEGRATION else pytest.skip)("no Chromium: install the package `chromium`")
    home, folder = tmp_path_factory.mktemp("jupyter-home"), tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    with running(folder, home=home, browser=browser) as lab:
        yield lab
