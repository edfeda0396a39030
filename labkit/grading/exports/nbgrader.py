"""Grades for nbgrader: an nbgrader course that its formgrader, `nbgrader export` and `generate_feedback` read.

    write(results, Path("submitted"), Path("."), Path("grades/nbgrader"), interpreter(None))

nbgrader stays in an environment of its own. What is written there, `into_nbgrader.py` writes, run by that
environment's Python. Into a course that an instructor has already, the grades go under the assignment that has the
exercise's notebook; otherwise a course is made: gradebook, source and autograded notebooks.

An autograded notebook is what was handed out with the student's cells in it: nothing of the submission's metadata or
outputs is kept, cells that were handed out stand as they were, and each check says below it what it found. A student's
text is a block of code, shown as it was typed: nbgrader's pages run scripts in Markdown, its links and its formulas.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError
from labkit.grading.exercise import Exercise, NoExercise, Role, load_exercises
from labkit.grading.ingest import Found, find, read, visible_lines
from labkit.grading.release import release_notebook
from labkit.grading.results import SubmissionResult, TaskResult, best
from labkit.grading.submitted import Cell, Refused, read_cells

FOLDER = "nbgrader"
SECONDS = 1800
"""After which nbgrader is taken to hang."""
CONFIG = "# This nbgrader course is made by `labkit grade --export nbgrader`; delete the folder to have it made anew.\n"
"""By this a course of ours is known."""
ASKED = re.compile(r"""check\(\s*["'](\d+\.\d+)["']""")
UNFIT = set('/\\:*?"<>|+')
"""Characters that no folder on some system, or no name in nbgrader, may have."""


class NbgraderFailed(LabkitError):
    """nbgrader is not there, or did not take the grades. The text says what to do."""

    exit_code = 2


def interpreter(given: Path | None) -> Path:
    """The Python that has nbgrader.

    Args:
        given: that Python or the folder of its environment; by default the one of the `nbgrader` on the PATH.

    Raises:
        NbgraderFailed: there is none.
    """
    command = shutil.which("nbgrader")
    if given is not None:
        folders = [given, given / "bin", given / "Scripts"]
    elif importlib.util.find_spec("nbgrader"):
        return Path(sys.executable)
    else:
        folders = [Path(command).parent, Path(command).parent.parent] if command else []
    for place in folders:
        for path in (place, place / "python", place / "python.exe"):
            if path.is_file():
                return path.absolute()
    where = f"no Python at {given}" if given else "no command `nbgrader` on the PATH"
    raise NbgraderFailed(f"{where}: name the Python that has nbgrader with --nbgrader")


def write(
    results: Sequence[SubmissionResult], submissions: Path, course: Path, folder: Path, python: Path
) -> list[str]:
    """Write the grades into an nbgrader course, the best submission of each student to each exercise.

    Args:
        submissions: where the notebooks are that the results are of.
        course: the folder with `solutions/` in it.
        folder: the nbgrader course; made if there is none.
        python: as `interpreter` gives it.

    Returns:
        The assignments, by their names in nbgrader.

    Raises:
        NbgraderFailed: nbgrader did not take them.
    """
    own = _is_own(folder)
    found = {one.id: one for one in find(submissions)}
    exercises = load_exercises(course)
    counted = best(results)
    sent = []
    for number in sorted({result.exercise for result in counted}):
        if number not in exercises:
            raise NoExercise(f"exercise {number} is not in {course / 'solutions'}")
        path = course / "solutions" / f"{exercises[number].stem}.ipynb"
        released = _joined(json.loads(release_notebook(path)))
        sent.append(
            {
                "notebook": path.stem,
                "assignment": f"ex{number}",
                "released": released,
                "source": json.loads(path.read_text(encoding="utf-8")),
                "submissions": list(_submissions(counted, exercises[number], released, found)),
            }
        )
    if own:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    return _hand_over({"own": own, "exercises": sent}, folder, python)


def _is_own(folder: Path) -> bool:
    """Whether the course there is one that we made, or will be."""
    config = folder / "nbgrader_config.py"
    if config.is_file():
        return config.read_text(encoding="utf-8", errors="replace") == CONFIG
    return not (folder / "gradebook.db").exists()


def _joined(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook whose sources are texts, as nbformat has them in memory; files may have lists of lines."""
    cells = [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]
    return {**notebook, "cells": cells}


def _submissions(
    results: Sequence[SubmissionResult], exercise: Exercise, released: dict[str, Any], found: dict[str, Found]
) -> Iterator[dict[str, Any]]:
    checked = checks_by_cell(exercise)
    own = [result for result in results if result.exercise == exercise.number]
    for result, student in zip(own, students(own), strict=True):
        tasks = {task.task: task for task in result.tasks}
        auto = {id: sum(tasks[n].earned for n in numbers if n in tasks) for id, numbers in checked.items()}
        manual = {part.id: {"auto": None, "manual": part.earned} for part in result.manual}
        nothing = {cell.id: {"auto": 0.0, "manual": None} for cell in exercise.manual} if result.refusal else {}
        yield {
            "student": student,
            "graded": graded_notebook(released, exercise, _cells(found.get(result.id)), result),
            "grades": {id: {"auto": points, "manual": None} for id, points in auto.items()} | nothing | manual,
            "comments": {part.id: visible_lines(part.comment) for part in result.manual if part.comment},
        }


def checks_by_cell(exercise: Exercise) -> dict[str, list[str]]:
    """The tasks that each graded cell stands for, by its grade_id.

    A cell names them in its `lk.check("1.1")`; one that does not goes by its grade_id, as `check-1-1`.

    Raises:
        NbgraderFailed: a task has no such cell, so that its points would be lost.
    """
    known = {task.id for task in exercise.tasks}
    cells = [cell for cell in exercise.cells if cell.role is Role.check]
    asked = {cell.id: ASKED.findall(cell.source) or [cell.id.partition("-")[2].replace("-", ".")] for cell in cells}
    found = {id: [number for number in dict.fromkeys(numbers) if number in known] for id, numbers in asked.items()}
    if lost := known - {number for numbers in found.values() for number in numbers}:
        raise NbgraderFailed(f"exercise {exercise.number}: no graded cell checks task {', '.join(sorted(lost))}")
    return found


def students(results: Iterable[SubmissionResult]) -> list[str]:
    """Each result's student, by name if a folder may have it and no other's differs from it by case alone."""
    names: list[str] = []
    for result in results:
        name = result.student
        fit = name == name.strip(" .") and not UNFIT & set(name)
        names.append(name if fit and name.casefold() not in map(str.casefold, names) else result.id)
    return names


def _cells(found: Found | None) -> list[Cell]:
    """The cells of a submission; none if it cannot be read, or is there no more."""
    try:
        return read_cells(read(found)) if found else []
    except Refused:
        return []


def graded_notebook(
    released: dict[str, Any], exercise: Exercise, cells: Sequence[Cell], result: SubmissionResult
) -> dict[str, Any]:
    """The notebook that nbgrader shows: the student's order, then what was handed out and is missing."""
    theirs = {cell.id for cell in exercise.cells if cell.role in (Role.answer, Role.manual)}
    ours = {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in released["cells"] if _marked(cell)}
    ran = {cell.number: cell for cell in result.cells}
    said = {id: _verdict(result, numbers) for id, numbers in checks_by_cell(exercise).items()}
    made: list[dict[str, Any]] = []
    for number, cell in enumerate(cells, start=1):
        handed_out = ours.pop(cell.id, None)
        if handed_out is None:
            made.append(_plain(cell))
        else:
            made.append(copy.deepcopy(handed_out))
            if cell.id in theirs and cell.source.strip() != made[-1]["source"].strip():
                made[-1]["source"] = _harmless(cell.source, made[-1]["cell_type"])
        if made[-1]["cell_type"] == "code" and number in ran:
            made[-1]["outputs"] = [*_stream("stdout", ran[number].output), *_stream("stderr", ran[number].error)]
    made.extend(map(copy.deepcopy, ours.values()))
    for position, cell_dict in enumerate(made):
        cell_dict["id"] = f"cell-{position}"
        if verdict := said.get(cell_dict["metadata"].get("nbgrader", {}).get("grade_id", "")):
            cell_dict["outputs"] = _stream("stdout", verdict)
    metadata = {"kernelspec": released["metadata"].get("kernelspec", {}), "labkit": {"sha256": result.sha256}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}


def _marked(cell: dict[str, Any]) -> bool:
    return "nbgrader" in cell["metadata"]


def _plain(cell: Cell) -> dict[str, Any]:
    kind = "code" if cell.code else "markdown"
    made = {"cell_type": kind, "metadata": {}, "source": _harmless(cell.source, kind)}
    return made | {"outputs": [], "execution_count": None} if cell.code else made


def _harmless(source: str, kind: str) -> str:
    text = visible_lines(source)
    return text if kind == "code" else "\n".join(f"    {line}" for line in text.split("\n"))


def _stream(name: str, text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": name, "text": visible_lines(text)}] if text else []


def _verdict(result: SubmissionResult, numbers: Sequence[str]) -> str:
    if result.refusal:
        return f"Nothing was run: {result.refusal}\n"
    return "\n".join(line for task in result.tasks if task.task in numbers for line in _lines(task)) + "\n"


def _lines(task: TaskResult) -> Iterator[str]:
    yield f"Task {task.task}: {task.earned:g} of {task.points:g} points"
    for check in task.checks:
        why = f": {check.message}" if check.message else ""
        yield f"{'✓' if check.passed else '✗'} {check.title} ({check.earned:g} of {check.points:g}){why}"


def _hand_over(message: dict[str, Any], folder: Path, python: Path) -> list[str]:
    script = Path(__file__).with_name("into_nbgrader.py").read_text(encoding="utf-8")
    python = python.absolute()
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"  # nbgrader calls alembic by name
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            [str(python), "-c", script],
            cwd=folder,
            env={**variables, "PATH": path, "PYTHONIOENCODING": "utf-8"},
            input=json.dumps(message),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NbgraderFailed(f"nbgrader did not take the grades: {error}") from None
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it said nothing")
        raise NbgraderFailed(f"nbgrader did not take the grades: {last.strip()}")
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names
