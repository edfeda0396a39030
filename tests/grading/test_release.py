"""The oracle is nbgrader itself: `data/awkward_released_by_nbgrader.ipynb` is what nbgrader 0.9.6's
`generate_assignment` made of `data/awkward_source.ipynb`, with our stubs as its `code_stub` and `text_stub`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit.grading.release import ReleaseError, main, products, release_checks, release_notebook
from labkit.grading.tasks import load_tasks

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
CHECKS = """
from labkit.grading import Task
one = Task("1.1", "One", points=3, hints=("a", "b"))


@one.check("seen", points=1)
def seen(answer): pass


### BEGIN HIDDEN TESTS
@one.check("unseen", points=2)
def unseen(answer): pass


### END HIDDEN TESTS
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one exercise: the awkward notebook and a check file."""
    (tmp_path / "solutions" / "checks").mkdir(parents=True)
    shutil.copy(DATA / "awkward_source.ipynb", tmp_path / "solutions" / "01_awkward.ipynb")
    (tmp_path / "solutions" / "checks" / "ex01.py").write_text(CHECKS)
    return tmp_path


def edit(project: Path, change: Callable[[dict[str, Any]], None], cell: str) -> Path:
    """Change one cell of the project's source notebook."""
    path = project / "solutions" / "01_awkward.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(next(c for c in notebook["cells"] if c["id"] == cell))
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def test_released_files_are_what_the_sources_give() -> None:
    drifted = [product.path.name for product in products(ROOT) if product.drifted()]
    assert drifted == [], "run `labkit release` and commit the result"


def test_release_equals_nbgraders_own() -> None:
    expected = (DATA / "awkward_released_by_nbgrader.ipynb").read_text(encoding="utf-8")
    assert release_notebook(DATA / "awkward_source.ipynb") == expected


def test_release_is_a_valid_notebook_without_outputs() -> None:
    notebook = nbformat.reads(release_notebook(DATA / "awkward_source.ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells)


def test_release_forgets_when_cells_ran(project: Path) -> None:
    path = project / "solutions" / "01_awkward.ipynb"
    before = release_notebook(path)
    edit(
        project, lambda cell: cell["metadata"].update(execution={"iopub.status.busy": "2026-01-01T00:00:00Z"}), "plain"
    )
    assert release_notebook(path) == before


def test_release_of_checks_has_no_trace_of_the_hidden_ones(project: Path) -> None:
    text = release_checks(project / "solutions" / "checks" / "ex01.py")
    assert "unseen" not in text and "HIDDEN" not in text
    target = project / "ex01.py"
    target.write_text(text)
    assert load_tasks(target).tasks["1.1"].withheld == 2


def test_main_writes_once_then_has_nothing_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(project) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote exercises/01_awkward.ipynb",
        "wrote exercises/released/ex01.py",
    ]
    assert (main(project), main(project, check=True)) == (0, 0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("generated", ["exercises/01_awkward.ipynb", "exercises/released/ex01.py"])
def test_check_reports_drift_and_writes_nothing(
    project: Path, generated: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(project)
    path = project / generated
    path.write_text(path.read_text().replace("1", "2", 1))
    edited = path.read_text()
    assert main(project, check=True) == 1
    assert generated in capsys.readouterr().err
    assert path.read_text() == edited


def source(text: str) -> Callable[[dict[str, Any]], None]:
    return lambda cell: cell.update(source=[text])


def mark(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda cell: cell["metadata"]["nbgrader"].update(values)


@pytest.mark.parametrize(
    ("cell", "change", "complaint"),
    [
        ("whole", source("### BEGIN SOLUTION\n### BEGIN SOLUTION"), r"cell 5 \(whole\): line 2: .*inside the region"),
        ("whole", source("### BEGIN SOLUTION\nx"), r"cell 5 \(whole\): line 1: .* never closed; add"),
        ("tests", source("### END HIDDEN TESTS"), r"cell 7 \(t\): line 1: .* closes nothing"),
        ("plain", source("### BEGIN SOLUTION\n### END SOLUTION\n"), "cell 3: a solution in a cell that is not marked"),
        ("plain", source("### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS"), "cell 3: hidden tests in a cell that is not"),
        ("whole", mark(grade_id="a"), "another cell has the grade_id 'a'"),
        ("whole", mark(schema_version=2), "schema_version is 2, make it 3"),
        ("tests", mark(points=None), "needs metadata.nbgrader.points"),
        ("tests", mark(locked=False), "needs metadata.nbgrader.locked = true"),
        ("whole", lambda cell: cell["metadata"]["nbgrader"].pop("task"), "lacks task"),
    ],
)
def test_a_bad_cell_is_named_with_its_fix(project: Path, cell: str, change: Any, complaint: str) -> None:
    path = edit(project, change, cell)
    with pytest.raises(ReleaseError, match=f"solutions/01_awkward.ipynb, .*{complaint}"):
        release_notebook(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"nbformat": 3, "worksheets": []}'])
def test_a_file_that_is_no_notebook(project: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "solutions" / "01_awkward.ipynb").write_text(text)
    assert main(project) == 2
    assert capsys.readouterr().err.startswith("labkit release: solutions/01_awkward.ipynb: ")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("points=2", "points=1", "task 1.1 is worth 3 points"),
        ("### END", "## END", "line 10: '### BEGIN HIDDEN TESTS' is never closed"),
        ("one = Task", "one = Tusk", "does not run (NameError: name 'Tusk' is not defined)"),
        ("one = Task", "one = = Task", "does not run (SyntaxError: "),
    ],
)
def test_bad_checks_are_named(
    project: Path, old: str, new: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "solutions" / "checks" / "ex01.py").write_text(CHECKS.replace(old, new))
    assert main(project) == 2
    assert f"labkit release: solutions/checks/ex01.py: {complaint}" in capsys.readouterr().err


def test_a_generated_file_without_source_is_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(project)
    (project / "exercises" / "02_gone.ipynb").write_text("{}")
    assert main(project) == 2
    assert "exercises/02_gone.ipynb has no source in solutions/ any more" in capsys.readouterr().err


def test_no_project_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path) == 2
    assert "run this in the project's folder" in capsys.readouterr().err
