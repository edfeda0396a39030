"""What holds for all files of lesson runs: no lesson is forgotten, and a page that fails is noticed."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


def test_every_lesson_is_run_by_one_file() -> None:
    texts = [path.read_text(encoding="utf-8") for path in HERE.glob("test_lessons_*.py")]
    named = Counter(n for text in texts for n in re.findall(r'"(\d\d)"', text.partition("LESSONS = ")[2]))
    assert named == Counter(path.name[:2] for path in (HERE.parents[1] / "notebooks").glob("[0-9]*.ipynb"))


def test_a_failing_cell_stops_the_run(tmp_path: Path, save_notebooks: ModuleType) -> None:
    from nbclient.exceptions import CellExecutionError

    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": "1 / 0"}
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        save_notebooks.run(path)
