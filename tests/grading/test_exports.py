"""Grades in the formats of other systems."""

import csv
import json
from pathlib import Path

from graded import HOSTILE, submission, task

from labkit.cli.grading import Format
from labkit.grading.exports import EXPORTS, export
from labkit.grading.results import ManualPart, SubmissionResult


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def ada(**more: object) -> SubmissionResult:
    part = ManualPart("essay", 4, "why", 2.5, "Good")
    return submission("ada", tasks=(task("1.1", True, False),), manual=(part,), **more)


def test_the_command_offers_every_format() -> None:
    assert {str(name) for name in Format} == {*EXPORTS, "nbgrader"}


def test_canvas_gets_a_row_a_student_and_a_column_an_exercise(tmp_path: Path) -> None:
    [path] = export("canvas", [ada(), submission("ada", exercise="06", points=5)], tmp_path)
    possible, student = rows(path)
    assert (possible["Student"].strip(), possible["Exercise 01"], possible["Exercise 06"]) == (
        "Points Possible",
        "8",
        "5",
    )
    assert (student["SIS Login ID"], student["Exercise 01"], student["Exercise 06"]) == ("ada", "4.5", "0")


def test_canvas_counts_the_best_of_two_submissions(tmp_path: Path) -> None:
    [path] = export("canvas", [ada(), submission("ada", refusal="no notebook")], tmp_path)
    assert [row["Exercise 01"] for row in rows(path)] == ["8", "4.5"]


def test_moodle_gets_a_file_an_exercise_with_feedback(tmp_path: Path) -> None:
    paths = export("moodle", [ada(), submission("=1", exercise="06", refusal="no notebook")], tmp_path)
    [first], [second] = map(rows, paths)
    assert first["Grade"] == "4.5" and first["Feedback comments"].splitlines() == [
        "Task 1.1: 2 of 4. expected 1 request, got 2",
        "essay: 2.5 of 4. Good",
    ]
    assert second["Identifier"] == "'=1" and second["Feedback comments"] == "Nothing was run: no notebook"


def test_gradescope_adds_up_and_shows_text_as_text(tmp_path: Path) -> None:
    hostile = submission(
        "eve", tasks=(task("1.1", True, False, message=HOSTILE),), manual=(ManualPart("essay", 4, ""),)
    )
    [path] = export("gradescope", [hostile], tmp_path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["score"] == sum(test["score"] for test in found["tests"]) == 2
    assert sum(test["max_score"] for test in found["tests"]) == 8
    assert found["test_output_format"] == "text" and "⟨202E⟩" in found["tests"][1]["output"]
