"""grades.csv: one row a submission, for a spreadsheet or a learning platform.

Names come from strangers and spreadsheets run what begins with `=`, `+`, `-` or `@`: such a text gets an apostrophe
before it, as spreadsheets themselves write it (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from labkit.grading.results import SubmissionResult

GRADES = "grades.csv"
FIRST = ("student", "exercise", "total", "points", "earned", "manual_earned", "manual_points", "ungraded")
LAST = ("refusal", "notes", "file", "sandbox", "sha256", "id")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_grades(results: Iterable[SubmissionResult], folder: Path) -> Path:
    """Write the table, whole or not at all; `utf-8-sig`, so that spreadsheets read names right."""
    path = folder / GRADES
    part = path.with_suffix(".part")
    part.write_text(grades(list(results)), encoding="utf-8-sig", newline="")
    part.replace(path)
    return path


def grades(results: Sequence[SubmissionResult]) -> str:
    """The table as CSV: a column a task, empty where an exercise has no such task; refused ones have 0 points."""
    tasks = sorted({task.task for result in results for task in result.tasks}, key=_by_number)
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow([*FIRST, *tasks, *LAST])
    for result in results:
        earned = {task.task: f"{task.earned:g}" for task in result.tasks}
        head = [getattr(result, name) for name in FIRST]
        tail = (result.refusal, "; ".join(result.notes), result.file, result.sandbox, result.sha256, result.id)
        rows.writerow([_safe(value) for value in (*head, *(earned.get(task, "") for task in tasks), *tail)])
    return file.getvalue()


def _safe(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:g}"
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _by_number(task: str) -> tuple[int, ...]:
    """ "2.10" comes after "2.9"."""
    return tuple(int(part) for part in task.split(".") if part.isdigit())
