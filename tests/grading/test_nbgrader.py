"""Grades in an nbgrader gradebook, read back by nbgrader itself, which lives in an environment of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from graded import HOSTILE, submission, task

sys.path.insert(0, str(Path(__file__).parents[1] / "generations"))  # environments of their own are made there

from environments import Generation, Unbuildable
from environments import interpreter as built

from labkit.grading.exercise import load_exercises
from labkit.grading.exports.nbgrader import NbgraderFailed, checks_by_cell, interpreter, students, write
from labkit.grading.ingest import find
from labkit.grading.results import CellResult, ManualPart, SubmissionResult

PINS = ("nbgrader==0.9.6",)
pytestmark = pytest.mark.timeout(600)  # an environment may have to be made; nbgrader is imported anew in each process
OWN = f"{HOSTILE}<img src=x onerror=alert(1)>\n\n[a link](javascript:alert(1)) $\\href{{javascript:alert(1)}}{{x}}$"
SOLUTION = "### BEGIN SOLUTION\ndef double(x):\n    return 2 * x\n### END SOLUTION"
RIGHT, WRONG = "def double(x):\n    return 2 * x", "def double(x):\n    return 4"
CHECKS = '''
from labkit.grading import Answer, Task, expect

double = Task("1.1", "Double", points=4, hints=("one", "two"))

@double.check("doubles", points=2)
def doubles(answer: Answer) -> None:
    expect(answer.call("double", 2), "twice two", is_=4)

### BEGIN HIDDEN TESTS
@double.check("doubles texts", points=2)
def texts(answer: Answer) -> None:
    expect(answer.call("double", "a"), "twice a", is_="aa")
### END HIDDEN TESTS
'''


@pytest.fixture(scope="session")
def python(missing: Callable[[str], NoReturn]) -> Path:
    """The Python that NBGRADER_PYTHON names, or of an environment that is made now."""
    if named := os.environ.get("NBGRADER_PYTHON"):
        return Path(named)
    try:
        return built(Generation("nbgrader", PINS[0].partition("==")[2], PINS))
    except Unbuildable as problem:
        missing(f"no nbgrader: {problem}")


def cell(id: str, source: str, kind: str = "code", **mark: Any) -> dict[str, Any]:
    nbgrader = {"grade": False, "grade_id": id, "locked": False, "solution": False, "task": False, "schema_version": 3}
    made = {"cell_type": kind, "id": id, "source": source, "metadata": {"nbgrader": {**nbgrader, **mark}}}
    return {**made, "outputs": [], "execution_count": None} if kind == "code" else made


def notebook(double: str, *own: str, essay: str = "Because.") -> str:
    cells = [
        cell("setup", "import math", locked=True),
        *({"cell_type": "markdown", "id": f"own-{n}", "metadata": {}, "source": text} for n, text in enumerate(own)),
        cell("answer-1-1", double, solution=True),
        cell("check-1-1", 'lk.check("1.1")', grade=True, locked=True, points=4),
        cell("essay", essay, "markdown", grade=True, solution=True, points=4),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells})


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    (folder / "solutions" / "checks").mkdir(parents=True)
    (folder / "solutions" / "01_small.ipynb").write_text(notebook(SOLUTION))
    (folder / "solutions" / "checks" / "ex01.py").write_text(CHECKS)
    for name, text in (("ada", notebook(RIGHT, OWN)), ("bob", notebook(WRONG)), ("eve", "{")):
        (folder / "in" / name / "ex01").mkdir(parents=True)
        (folder / "in" / name / "ex01" / "01_small.ipynb").write_text(text)
    return folder


@pytest.fixture(scope="module")
def results(course: Path) -> list[SubmissionResult]:
    """All right, half right with an essay that somebody has graded, and refused."""
    ids = {one.student: one.id for one in find(course / "in")}
    essay, ran = ManualPart("essay", 4, "Because."), (CellResult(3, "answer-1-1", "ok", output="hello from double"),)
    marked = replace(essay, earned=2.5, comment="Say more.")
    half = (task("1.1", True, False),)
    return [
        submission("ada", id=ids["ada"], sha256="a", tasks=(task("1.1", True, True),), manual=(essay,), cells=ran),
        submission("bob", id=ids["bob"], sha256="b", tasks=half, manual=(marked,)),
        submission("eve", id=ids["eve"], refusal="the file is no notebook"),
    ]


def run(python: Path, folder: Path, *words: str) -> str:
    """What nbgrader's Python prints, with nbgrader's other commands on the PATH."""
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run([python, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


SHOW = """
import json
from nbgrader.apps import ExportApp, GenerateFeedbackApp
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
for app, words in ((ExportApp(), []), (GenerateFeedbackApp(), ["ex01"])):
    app.initialize(words)
    app.start()
api = NbGraderAPI(CourseDirectory())
listed = [(s["student"], s["autograded"], s["needs_manual_grade"]) for s in api.get_submissions("ex01")]
notebooks = [len(api.get_notebook_submissions("ex01", n["name"])) for n in api.get_notebooks("ex01")]
print(json.dumps([[a["name"] for a in api.get_assignments()], notebooks, sorted(listed)]))
"""


@pytest.fixture(scope="module")
def shown(course: Path, results: list[SubmissionResult], python: Path) -> Any:
    """What formgrader lists, once the grades are in a course of ours and nbgrader has exported and made feedback."""
    assert write(results, course / "in", course, course / "nbgrader", python) == ["ex01"]
    return json.loads(run(python, course / "nbgrader", "-c", SHOW).splitlines()[-1])


def test_nbgrader_exports_the_points(shown: Any, course: Path) -> None:
    with (course / "nbgrader" / "grades.csv").open() as file:
        points = {row["student_id"]: (row["score"], row["max_score"]) for row in csv.DictReader(file)}
    assert points == {"ada": ("4.0", "8.0"), "bob": ("4.5", "8.0"), "eve": ("0.0", "8.0")}


def test_formgrader_lists_who_is_to_be_graded_by_hand(shown: Any) -> None:
    assignments, notebooks, listed = shown
    assert (assignments, notebooks) == (["ex01"], [3])
    assert listed == [["ada", True, True], ["bob", True, False], ["eve", True, False]]


def feedback(course: Path, student: str) -> str:
    return (course / "nbgrader" / "feedback" / student / "ex01" / "01_small.html").read_text(encoding="utf-8")


def test_feedback_has_verdicts_outputs_and_comments(shown: Any, course: Path) -> None:
    ada, bob = feedback(course, "ada"), feedback(course, "bob")
    assert "Task 1.1: 4 of 4 points" in ada and "hello from double" in ada
    assert "✗ check 2 (0 of 2): expected 1 request, got 2" in bob and "Say more." in bob
    assert "Nothing was run: the file is no notebook" in feedback(course, "eve")


def test_nothing_that_a_student_wrote_runs_in_the_feedback(shown: Any, course: Path) -> None:
    page = feedback(course, "ada")
    assert "gpj.exe" in page and "\u202e" not in page
    assert "&lt;script&gt;document.title='run'&lt;/script&gt;" in page
    assert "<script>document.title" not in page and "<img" not in page and 'href="javascript' not in page
    assert "<pre><code>" in page.partition("gpj.exe")[0][-200:], "where formulas are left alone"


def essay(course: Path, folder: str = "nbgrader", change: str = "") -> tuple[float | None, int]:
    """The points that formgrader has for ada's essay, and whether somebody is to look at it."""
    joined = (
        "FROM grade JOIN base_cell ON base_cell.id = grade.cell_id JOIN submitted_notebook AS n ON n.id = notebook_id "
        "JOIN submitted_assignment AS a ON a.id = n.assignment_id WHERE base_cell.name = 'essay' AND student_id = 'ada'"
    ).replace("= notebook_id", "= grade.notebook_id")
    with sqlite3.connect(course / folder / "gradebook.db") as book:
        if change:
            book.execute(f"UPDATE grade SET {change} WHERE id IN (SELECT grade.id {joined})")
        found: tuple[float | None, int] = book.execute(f"SELECT manual_score, needs_manual_grade {joined}").fetchone()
    return found


def test_points_given_in_formgrader_stay_and_a_new_version_is_to_be_looked_at(
    shown: Any, course: Path, results: list[SubmissionResult], python: Path
) -> None:
    assert essay(course) == (None, 1)
    essay(course, change="manual_score = 3, needs_manual_grade = 0")
    write(results, course / "in", course, course / "nbgrader", python)
    assert essay(course) == (3, 0)
    write([replace(results[0], sha256="new")], course / "in", course, course / "nbgrader", python)
    assert essay(course) == (3, 1)


def test_a_course_that_nbgrader_made_gets_grades_and_penalties_under_its_own_assignment(
    course: Path, python: Path, results: list[SubmissionResult]
) -> None:
    theirs = course / "theirs"
    (theirs / "source" / "homework one").mkdir(parents=True)
    shutil.copy(course / "solutions" / "01_small.ipynb", theirs / "source" / "homework one")
    (theirs / "nbgrader_config.py").write_text("get_config().LateSubmissionPlugin.penalty_method = 'zero'")
    run(python, theirs, "-m", "nbgrader", "generate_assignment", "homework one")
    with sqlite3.connect(theirs / "gradebook.db") as book:
        book.execute("UPDATE assignment SET duedate = '2020-01-01 00:00:00.000000'")
    (theirs / "submitted" / "bob" / "homework one").mkdir(parents=True)
    (theirs / "submitted" / "bob" / "homework one" / "timestamp.txt").write_text("2020-01-02 00:00:00 UTC")
    assert write(results, course / "in", course, theirs, python) == ["homework one"]
    with sqlite3.connect(theirs / "gradebook.db") as book:
        penalties = book.execute(
            "SELECT student_id, late_submission_penalty FROM submitted_notebook AS n "
            "JOIN submitted_assignment AS a ON a.id = n.assignment_id ORDER BY student_id"
        ).fetchall()
    assert penalties == [("ada", None), ("bob", 4.5), ("eve", None)]
    assert (theirs / "autograded" / "ada" / "homework one" / "01_small.ipynb").is_file()


def test_a_task_that_no_cell_checks_is_an_error(course: Path, tmp_path: Path) -> None:
    shutil.copytree(course / "solutions", tmp_path / "solutions")
    path = tmp_path / "solutions" / "01_small.ipynb"
    path.write_text(path.read_text().replace("check-1-1", "other").replace("lk.check", "look at"))
    with pytest.raises(NbgraderFailed, match="no graded cell checks task 1.1"):
        checks_by_cell(load_exercises(tmp_path)["01"])


def test_every_student_has_a_folder_of_their_own() -> None:
    names = ["ada", "Ada", "..", "a/b", "ada ", "Zoë Łukasz"]
    made = students(submission(name, id=f"id-{n}") for n, name in enumerate(names))
    assert made == ["ada", "id-1", "id-2", "id-3", "id-4", "Zoë Łukasz"]


def test_without_nbgrader_one_sentence_says_what_to_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NbgraderFailed, match="name the Python that has nbgrader with --nbgrader"):
        interpreter(None)


def test_an_environment_is_named_by_its_folder_or_its_python(tmp_path: Path) -> None:
    made = tmp_path / "bin" / "python"
    made.parent.mkdir()
    made.touch()
    assert interpreter(tmp_path) == interpreter(made) == made


def test_a_python_without_nbgrader_is_said_to_lack_it(
    course: Path, results: list[SubmissionResult], tmp_path: Path
) -> None:
    with pytest.raises(NbgraderFailed, match="No module named 'nbgrader'"):
        write(results, course / "in", course, tmp_path / "nbgrader", Path(sys.executable))
