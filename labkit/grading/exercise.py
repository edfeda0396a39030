"""The exercises of a course as the grader needs them: what was handed out, and the complete checks.

Everything comes from `solutions/`; nothing about what is graded is ever read from a submission.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError
from labkit.grading.release import release_notebook
from labkit.grading.tasks import Task, load_tasks


class NoExercise(LabkitError):
    """The folder holds no exercise to grade, or not the one that was asked for."""

    exit_code = 2


class Role(StrEnum):
    """What a cell of a released exercise is for."""

    given = "given"
    """Ours: it runs as it was handed out, whatever the student made of it."""
    answer = "answer"
    """The student's."""
    check = "check"
    """Runs nothing at grading: the checks do, outside the student's process."""
    manual = "manual"
    """The student's, and graded by a person."""


@dataclass(frozen=True, slots=True)
class Released:
    """One cell with a grade_id, as it was handed out."""

    id: str
    role: Role
    code: bool
    source: str
    points: float = 0.0


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise: what was handed out and how it is graded."""

    number: str
    """Two digits."""
    stem: str
    """Name of its notebook without the ending."""
    cells: tuple[Released, ...]
    tasks: tuple[Task, ...]
    checks: str
    """Text of the complete check file."""

    @property
    def points(self) -> float:
        """Points of all tasks and of the parts that a person grades."""
        return sum(task.points for task in self.tasks) + sum(cell.points for cell in self.manual)

    @property
    def manual(self) -> list[Released]:
        return [cell for cell in self.cells if cell.role is Role.manual]


def load_exercises(course: Path) -> dict[str, Exercise]:
    """All exercises of a course by number.

    Args:
        course: the folder with `solutions/` in it.

    Raises:
        NoExercise: there is none.
        ReleaseError, BadTask: one of them is wrong.
    """
    notebooks = sorted((course / "solutions").glob("*.ipynb"))
    found = [load_exercise(path) for path in notebooks if _checks_of(path).is_file()]
    if not found:
        raise NoExercise(f"no exercise in {course / 'solutions'}: name the course's folder with --course")
    return {exercise.number: exercise for exercise in found}


def chosen(exercises: Iterable[str], only: Iterable[str] | None) -> set[str]:
    """The numbers in `only`, with one digit or two, or all.

    Raises:
        NoExercise: one of them does not exist.
    """
    known = set(exercises)
    numbers = known if only is None else {name.zfill(2) for name in only}
    if unknown := numbers - known:
        raise NoExercise(f"there is no exercise {', '.join(sorted(unknown))}; those here: {', '.join(sorted(known))}")
    return numbers


def load_exercise(path: Path) -> Exercise:
    """The exercise that one notebook in `solutions/` makes.

    Raises:
        ReleaseError, BadTask: it is wrong.
    """
    notebook = json.loads(release_notebook(path))
    checks = _checks_of(path)
    return Exercise(
        number=path.name[:2],
        stem=path.stem,
        cells=tuple(_released(cell) for cell in notebook["cells"] if "nbgrader" in cell["metadata"]),
        tasks=tuple(load_tasks(checks).tasks.values()),
        checks=checks.read_text(encoding="utf-8"),
    )


def _checks_of(path: Path) -> Path:
    return path.parent / "checks" / f"ex{path.name[:2]}.py"


def _released(cell: dict[str, Any]) -> Released:
    mark = cell["metadata"]["nbgrader"]
    role = _role(mark)
    points = float(mark.get("points", 0)) if role is Role.manual else 0.0
    return Released(mark["grade_id"], role, cell["cell_type"] == "code", "".join(cell["source"]), points)


def _role(mark: dict[str, Any]) -> Role:
    if mark.get("task") or (mark["grade"] and mark["solution"]):
        return Role.manual
    if mark["grade"]:
        return Role.check
    return Role.answer if mark["solution"] else Role.given
