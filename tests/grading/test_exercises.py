"""Every exercise, whichever there are: the solution earns all, the empty exercise nothing, wrong answers lose points.

Cells run in this process for speed; `test_empty_exercise_in_a_kernel` does it once as a student would.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from labkit.grading.journal import Journal
from labkit.grading.mutants import Mutant, load_mutants
from labkit.grading.practice.sheet import answer_id
from labkit.grading.results import TaskResult
from labkit.grading.run import run_task
from labkit.grading.tasks import Task, load_tasks
from labkit.grading.workspace import Workspace
from labkit.session import Session, start

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
SEEDS = (1, 2, 3)


def check_file(notebook: Path) -> Path:
    return ROOT / "solutions" / "checks" / f"ex{notebook.name[:2]}.py"


def tasks_of(notebook: Path) -> dict[str, Task]:
    return load_tasks(check_file(notebook)).tasks


MUTANTS = [mutant for notebook in SOLUTIONS for mutant in load_mutants(notebook)]
TASKS = [(notebook, task) for notebook in SOLUTIONS for task in tasks_of(notebook)]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with start(seed=7, quiet=True) as session:
        yield session


def namespace_of(notebook: Path, edit: Mutant | None = None) -> dict[str, Any]:
    """What the notebook's cells define: its setup without `lk.start`, and the answers, one of them edited."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code" and not cell.metadata.nbgrader.grade:
            text = "\n".join(line for line in cell.source.split("\n") if not line.startswith("lk.start("))
            if edit and cell.metadata.nbgrader.grade_id == answer_id(edit.task):
                text = edit.edited(text)
            exec(compile(text, f"<{cell.id}>", "exec", dont_inherit=True), namespace)
    return namespace


def is_check(cell: Any) -> bool:
    mark = cell.metadata.get("nbgrader", {})
    return bool(mark.get("grade") and not mark.get("solution"))


def grade(session: Session, task: Task, namespace: dict[str, Any], seed: int) -> TaskResult:
    with Journal(session.url, session.key) as journal:
        return run_task(task, Workspace(namespace), journal, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_solution_earns_everything(session: Session, notebook: Path, seed: int) -> None:
    namespace = namespace_of(notebook)
    results = [grade(session, task, namespace, seed) for task in tasks_of(notebook).values()]
    assert {r.task: r.message for r in results if not r.passed} == {}
    assert all(r.earned == r.points for r in results)


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_empty_exercise_fails_every_check(session: Session, notebook: Path) -> None:
    namespace = namespace_of(ROOT / "exercises" / notebook.name)
    for task in tasks_of(notebook).values():
        result = grade(session, task, namespace, seed=1)
        assert [check.kind for check in result.checks] == ["unwritten"] * len(task.checks)
        assert result.earned == 0


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_empty_exercise_in_a_kernel(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_GRADING", "points")
    exercise = nbformat.read(ROOT / "exercises" / notebook.name, as_version=4)
    NotebookClient(exercise, timeout=60, allow_errors=True, resources={"metadata": {"path": str(ROOT)}}).execute()
    graded = [cell for cell in exercise.cells if is_check(cell)]
    assert [cell.outputs[0]["data"]["text/plain"] for cell in graded] == ["0.0"] * len(tasks_of(notebook))


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_wrong_answer_loses_points(session: Session, mutant: Mutant) -> None:
    task = tasks_of(mutant.notebook)[mutant.task]
    result = grade(session, task, namespace_of(mutant.notebook, mutant), seed=1)
    assert result.earned <= task.points - mutant.costs
    assert not mutant.exact or result.earned == task.points - mutant.costs
    assert not any(check.kind in ("check", "missing", "unwritten", "time") for check in result.checks), result.message


@pytest.mark.parametrize(("notebook", "task"), TASKS)
def test_every_task_has_two_mutants(notebook: Path, task: str) -> None:
    assert sum(mutant.task == task for mutant in MUTANTS) >= 2


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_points_in_notebook_and_checks_agree(notebook: Path) -> None:
    cells = nbformat.read(notebook, as_version=4).cells
    marks = [cell.metadata.nbgrader for cell in cells if is_check(cell)]
    declared = {f"check-{task.id.replace('.', '-')}": task.points for task in tasks_of(notebook).values()}
    assert {mark.grade_id: mark.points for mark in marks} == declared
