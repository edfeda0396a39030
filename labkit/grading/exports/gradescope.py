"""Gradescope's results.json, one a submission.

Format: the autograder specification of Gradescope, "Output Format". `output_format` is always "text", so that nothing
that a student wrote is taken for HTML or Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.grading.ingest import visible_lines
from labkit.grading.results import CheckResult, ManualPart, SubmissionResult, TaskResult

FOLDER = "gradescope"


def results_json(results: Sequence[SubmissionResult], folder: Path) -> list[Path]:
    """gradescope/<id>/results.json for each submission."""
    return [_write(result, folder / FOLDER / result.id) for result in results]


def as_gradescope(result: SubmissionResult) -> dict[str, Any]:
    """The object that the file holds; hidden checks show once grades are published."""
    checks = [_check(task, number, check) for task in result.tasks for number, check in enumerate(task.checks, start=1)]
    said = f"Nothing was run: {result.refusal}" if result.refusal else "\n".join(result.notes)
    return {
        "score": result.total,
        "execution_time": round(result.seconds),
        "output": visible_lines(said),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [*checks, *map(_manual, result.manual)],
    }


def _check(task: TaskResult, number: int, check: CheckResult) -> dict[str, Any]:
    return {
        "score": check.earned,
        "max_score": check.points,
        "status": "passed" if check.passed else "failed",
        "name": visible_lines(check.title),
        "number": f"{task.task}.{number}",
        "output": visible_lines(check.message),
        "visibility": "after_published" if check.hidden else "visible",
    }


def _manual(part: ManualPart) -> dict[str, Any]:
    said = "Not graded yet." if part.earned is None else part.comment
    return {"score": part.earned or 0.0, "max_score": part.points, "name": part.name, "output": visible_lines(said)}


def _write(result: SubmissionResult, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    path.write_text(json.dumps(as_gradescope(result), ensure_ascii=False, indent=1), encoding="utf-8")
    return path
