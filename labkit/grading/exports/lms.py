"""CSV files for Canvas and Moodle.

Canvas' gradebook import wants its five identifying columns and one column an assignment, whose second row may give the
points possible. Moodle's grade import maps columns freely by name and takes one file an exercise with a feedback text.
Both match people by an id: here that is the student's name as the submission had it, which is the login where the
platform names folders so. Change that column if yours differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from labkit.grading.results import SubmissionResult, best
from labkit.grading.tables import table, write_table

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


def canvas(results: Sequence[SubmissionResult], folder: Path) -> list[Path]:
    """canvas.csv: a row a student, a column an exercise; the best submission of each counts."""
    worth = {result.exercise: result.points for result in results}
    numbers = sorted(worth)
    counted: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for result in best(results):
        counted[result.student][result.exercise] = result.total
    possible = ["    Points Possible", "", "", "", "", *(worth[number] for number in numbers)]
    rows = [[name, "", "", name, "", *(got.get(number, "") for number in numbers)] for name, got in counted.items()]
    columns = [*CANVAS, *(f"Exercise {number}" for number in numbers)]
    return [write_table(folder / "canvas.csv", table(columns, [possible, *rows]))]


def moodle(results: Sequence[SubmissionResult], folder: Path) -> list[Path]:
    """moodle-<exercise>.csv: identifier, grade, and what failed as feedback."""
    files = []
    for number in sorted({result.exercise for result in results}):
        rows = [(r.student, r.total, r.points, feedback(r)) for r in results if r.exercise == number]
        text = table(("Identifier", "Grade", "Maximum grade", "Feedback comments"), rows)
        files.append(write_table(folder / f"moodle-{number}.csv", text))
    return files


def feedback(result: SubmissionResult) -> str:
    """What a student should know, in a few plain lines."""
    if result.refusal:
        return f"Nothing was run: {result.refusal}"
    return "\n".join([*_tasks(result), *_comments(result)])


def _tasks(result: SubmissionResult) -> Iterable[str]:
    for task in result.tasks:
        line = f"Task {task.task}: {task.earned:g} of {task.points:g}"
        yield f"{line}. {task.message}" if task.message else line


def _comments(result: SubmissionResult) -> Iterable[str]:
    for part in result.manual:
        given = "not graded yet" if part.earned is None else f"{part.earned:g} of {part.points:g}"
        yield f"{part.name}: {given}. {part.comment}".strip()
