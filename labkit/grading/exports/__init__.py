"""Grades for other systems.

    export("canvas", results, Path("grades"))      one of EXPORTS; gives the files that it wrote

A refused submission has 0 points, with the reason where the format has room for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from labkit.grading.exports import gradescope, lms
from labkit.grading.results import SubmissionResult

EXPORTS: dict[str, Callable[[Sequence[SubmissionResult], Path], list[Path]]] = {
    "canvas": lms.canvas,
    "moodle": lms.moodle,
    "gradescope": gradescope.results_json,
}


def export(name: str, results: Sequence[SubmissionResult], folder: Path) -> list[Path]:
    """Write the files of one format below a folder.

    Raises:
        KeyError: no such format.
    """
    return EXPORTS[name](results, folder)
