"""Every solution runs again under nbval, which compares each cell's output with the saved one.

`lk.start(seed=...)` makes the answers repeat, so the outputs are compared as they are, but for `nbval_timing.cfg`: the
requests that a check card lists when their number depends on time. The one cell that is tagged
`nbval-ignore-output` starts the session: its table shows a port and a key that are new each time.

nbval is behind this one file. It has had no release since March 2024; whatever replaces it needs to take a path and say
which cells differ. It runs in a process of its own, because its plugin would take over this run's collection.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
TIMING = Path(__file__).with_name("nbval_timing.cfg")
SECONDS_PER_CELL = 60
IF_MEANT = "If the new outputs are right (the engine's texts changed, say): scripts/save-notebooks solutions/{name}"
# jsonschema, which nbformat imports, would build parsers for two seconds that no notebook needs.
PYTEST = "import sys; sys.modules['rfc3987_syntax'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def nbval(notebook: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval on one notebook; return code 0 means that every cell gave its saved output."""
    options = ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={SECONDS_PER_CELL}"]
    options += ["--nbval-sanitize-with", str(TIMING)]
    alone = ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(notebook.parent)]
    environment = {**os.environ, "LABKIT_GRADING": "raise"}
    command = [sys.executable, "-c", PYTEST, *options, *alone, str(notebook)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_solution_gives_its_saved_outputs(notebook: Path) -> None:
    run = nbval(notebook)
    assert run.returncode == 0, f"{run.stdout[-8000:]}{run.stderr[-2000:]}\n{IF_MEANT.format(name=notebook.name)}"


def test_another_output_is_noticed(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "id": "a", "execution_count": 1, "metadata": {}, "source": ["print(6 * 7)"]}
    for printed, code in (("42\n", 0), ("41\n", 1)):
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [printed]}]
        path = tmp_path / f"printed_{code}.ipynb"
        path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        assert nbval(path).returncode == code


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_only_the_start_of_the_session_is_not_compared(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    ignored = [c for c in cells if "nbval-ignore-output" in c["metadata"].get("tags", [])]
    assert all("lk.start(" in "".join(cell["source"]) for cell in ignored)
    assert all(
        cell["outputs"] for cell in cells if cell["cell_type"] == "code" and "lk.check" in "".join(cell["source"])
    )
