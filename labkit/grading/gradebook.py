"""grades.csv: one row a submission, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labkit.grading.results import SubmissionResult
from labkit.grading.tables import by_number, table, write_table

GRADES = "grades.csv"
FIRST = ("student", "exercise", "total", "points", "earned", "manual_earned", "manual_points", "ungraded")
LAST = ("refusal", "notes", "file", "sandbox", "sha256", "id")


def write_grades(results: Sequence[SubmissionResult], folder: Path) -> Path:
    """Write the table: a column a task, empty where an exercise has no such task; refused ones have 0 points."""
    tasks = sorted({task.task for result in results for task in result.tasks}, key=by_number)
    columns = (*FIRST, *tasks, *LAST)
    return write_table(folder / GRADES, table(columns, [_row(result, tasks) for result in results]))


def _row(result: SubmissionResult, tasks: Sequence[str]) -> list[object]:
    earned = {task.task: task.earned for task in result.tasks}
    tail = (result.refusal, "; ".join(result.notes), result.file, result.sandbox, result.sha256, result.id)
    return [*(getattr(result, name) for name in FIRST), *(earned.get(task, "") for task in tasks), *tail]
