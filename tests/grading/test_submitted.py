from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.exercise import Exercise, load_exercise
from labkit.grading.submitted import Cell, Refused, assemble, exercise_of, read_cells

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def exercise() -> Exercise:
    return load_exercise(ROOT / "solutions" / "01_anatomy_of_a_call.ipynb")


@pytest.fixture
def cells(exercise: Exercise) -> list[Cell]:
    """The exercise as it was handed out, with one cell of the student's own."""
    return read_cells((ROOT / "exercises" / f"{exercise.stem}.ipynb").read_bytes()) + [Cell(True, "mine = 1", "")]


def encoded(**notebook: Any) -> bytes:
    return json.dumps({"nbformat": 4, "cells": [], **notebook}).encode()


def at(cells: list[Cell], grade_id: str) -> int:
    return next(n for n, cell in enumerate(cells) if cell.id == grade_id)


BAD = {
    b"": "no valid JSON",
    b"{": "no valid JSON",
    b"\xff\xfe{}": "not UTF-8",
    b"[" * 100_000: "no valid JSON",
    b"[]": "outermost value",
    b'{"cells": []}': "nbformat None",
    encoded(nbformat=9): "nbformat 9",
    encoded(nbformat="4"): "nbformat '4'",
    encoded(nbformat=[0] * 10**4): "nbformat [0",
    encoded(cells={}): "no list of cells",
    encoded(cells=[{}] * 2_001): "more than 2,000",
    encoded(cells=["x"]): "cell 1 of the notebook is no cell",
    encoded(cells=[{"source": {"a": 1}}]): "cell 1 of the notebook has no text",
    encoded(nbformat=3, worksheets="x"): "cannot be converted",
}


@pytest.mark.parametrize("data", BAD, ids=lambda data: data[:40].decode("latin1"))
def test_what_is_no_notebook_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_cells(data)
    assert BAD[data] in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_notebook_of_format_3_is_upgraded() -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "x"}}
    cell = {"cell_type": "code", "language": "python", "input": ["a = 1\n", "b = 2"], "outputs": [], "metadata": {}}
    data = json.dumps({**old, "worksheets": [{"cells": [cell], "metadata": {}}]}).encode()
    assert read_cells(data) == [Cell(True, "a = 1\nb = 2", "")]


@pytest.mark.parametrize("metadata", [None, [], "x", {"nbgrader": []}, {"nbgrader": {"grade_id": 7}}, {"a": 1}])
def test_odd_metadata_means_a_cell_of_the_students_own(metadata: Any) -> None:
    data = encoded(cells=[{"cell_type": "code", "source": "x", "metadata": metadata, "id": "same"}] * 2)
    assert read_cells(data) == [Cell(True, "x", "")] * 2


def test_an_odd_kernelspec_and_script_in_outputs_are_not_looked_at() -> None:
    output = {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>"}, "metadata": {}}
    cell = {"cell_type": "code", "source": "x", "outputs": [output]}
    assert read_cells(encoded(cells=[cell], metadata={"kernelspec": {"name": "evil"}})) == [Cell(True, "x", "")]


def test_the_exercise_is_told_by_its_ids_then_by_the_name(exercise: Exercise, cells: list[Cell]) -> None:
    exercises = {"01": exercise}
    assert exercise_of(cells, "homework.ipynb", exercises) is exercise
    assert exercise_of([], "01 mine.ipynb", exercises) is exercise
    with pytest.raises(Refused, match="none of the exercises"):
        exercise_of([], "homework.ipynb", exercises)


def test_given_cells_run_as_handed_out_and_checks_do_not_run(exercise: Exercise, cells: list[Cell]) -> None:
    forged = [Cell(True, "raise SystemExit", cell.id) if cell.id in ("setup", "check-1-1") else cell for cell in cells]
    assembled = assemble(forged, exercise)
    released = next(cell.source for cell in exercise.cells if cell.id == "setup")
    assert [c.source for c in assembled.cells if c.id == "setup"] == [released]
    assert not any(c.id.startswith("check") for c in assembled.cells)
    assert assembled.notes == ["changed, but what was handed out counts: setup, check-1-1"]


def test_lines_that_end_as_on_windows_are_no_change(exercise: Exercise) -> None:
    text = (ROOT / "exercises" / f"{exercise.stem}.ipynb").read_text(encoding="utf-8")
    assert assemble(read_cells(text.replace("\\n", "\\r\\n").encode()), exercise).notes == []


def test_cells_run_in_the_students_order_with_their_own(exercise: Exercise, cells: list[Cell]) -> None:
    assembled = assemble(list(reversed(cells)), exercise)
    assert assembled.cells[0].source == "mine = 1"
    assert [c.id for c in assembled.cells[1:]] == [f"answer-1-{n}" for n in (5, 4, 3, 2, 1)] + ["setup"]


def test_a_missing_setup_runs_first_and_a_missing_answer_is_noted(exercise: Exercise, cells: list[Cell]) -> None:
    left = [cell for cell in cells if cell.id not in ("setup", "answer-1-2")]
    assembled = assemble(left, exercise)
    assert (assembled.cells[0].id, assembled.cells[0].number) == ("setup", 0)
    assert assembled.notes == ["the cell setup is missing", "the cell answer-1-2 is missing"]


def test_an_answer_that_was_split_runs_in_both_parts(exercise: Exercise, cells: list[Cell]) -> None:
    where = at(cells, "answer-1-1")
    parts = [Cell(True, "first = 1", "answer-1-1"), Cell(True, "second = 2", "answer-1-1")]
    assembled = assemble([*cells[:where], *parts, *cells[where + 1 :]], exercise)
    assert [c.source for c in assembled.cells if c.id == "answer-1-1"] == ["first = 1", "second = 2"]
    assert assembled.notes == ["the cell answer-1-1 is there more than once"]


def test_a_doubled_setup_runs_once(exercise: Exercise, cells: list[Cell]) -> None:
    assembled = assemble([cells[at(cells, "setup")], *cells], exercise)
    assert [c.id for c in assembled.cells].count("setup") == 1


def test_an_answer_turned_into_text_is_not_run(exercise: Exercise, cells: list[Cell]) -> None:
    where = at(cells, "answer-1-1")
    assembled = assemble([*cells[:where], Cell(False, "text", "answer-1-1"), *cells[where + 1 :]], exercise)
    assert "answer-1-1" not in {c.id for c in assembled.cells}
    assert assembled.notes == ["the cell answer-1-1 was turned into text, so it was not run"]
