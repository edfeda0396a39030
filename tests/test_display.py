"""What a saved notebook shows where no kernel runs."""

from __future__ import annotations

import nbformat

from labkit.display import WIDGET, block, still

VIEW = {"model_id": "abc", "version_major": 2, "version_minor": 0}


def notebook(**data: object) -> nbformat.NotebookNode:
    output = nbformat.v4.new_output("display_data", data={WIDGET: VIEW, "text/plain": "it", **data})
    cell = nbformat.v4.new_code_cell("lens", outputs=[output])
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})


def test_picture_stays_and_the_widget_goes() -> None:
    saved = notebook(**{"image/png": "AAAA"})
    assert still(saved) == 1
    assert set(saved.cells[0].outputs[0].data) == {"image/png", "text/plain"}
    assert "widgets" not in saved.metadata
    nbformat.validate(saved)


def test_widget_with_nothing_beside_it_stays() -> None:
    saved = notebook()
    assert still(saved) == 0
    assert WIDGET in saved.cells[0].outputs[0].data


def test_block_shows_markup_as_text() -> None:
    assert "&lt;script&gt;" in block("<script>")
