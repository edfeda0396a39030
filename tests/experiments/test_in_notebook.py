"""A sweep in a notebook's kernel, whose event loop is running."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    "import labkit as lk\nlk.start(quiet=True)",
    'frame = lk.sweep("What is an API?", "openai:sampling", temperature=[0, 1.0], max_tokens=8)',
    "import json\nprint(json.dumps([len(frame), int(frame.error.isna().sum()), frame.attrs['stopped']]))",
    'lk.sweep("Hi", "openai:sampling", max_tokens=8, confirm_above=0.0)',
)


@pytest.mark.usefixtures("session")
def test_a_cell_sweeps_shows_a_bar_and_cannot_be_asked_where_nobody_is(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[-1].metadata.tags = ["raises-exception"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    _, swept, told, refused = (cell.outputs for cell in notebook.cells)
    assert all("error" not in output.output_type for output in swept)
    assert json.loads(told[0].text) == [2, 2, ""]
    assert refused[-1].ename == "NotConfirmed" and "yes=True" in refused[-1].evalue
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in swept)
