"""An exercise as material for made-up submissions: its notebook as handed out, and the ways to answer each task."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit.grading.exercise import Exercise, NoExercise, chosen, load_exercises
from labkit.grading.mutants import load_mutants
from labkit.grading.regions import without_markers
from labkit.grading.release import release_notebook


@dataclass(frozen=True, slots=True)
class Answer:
    """One way to answer a task, and the points that it must get."""

    source: str
    earned: float
    what: str
    """What is wrong with it; empty if nothing is."""


@dataclass(frozen=True)
class Sheet:
    """One exercise of a course."""

    exercise: Exercise
    handed_out: dict[str, Any]
    """The notebook that students get."""
    answers: dict[str, list[Answer]]
    """By task: the right answer, the cell as it was handed out, then the mutants whose cost is known exactly."""

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """By task, what its answer defines."""
        return {task: list(_defined(answers[0].source)) for task, answers in self.answers.items()}

    @cached_property
    def alone(self) -> list[str]:
        """Tasks whose answers no other answer builds on: one that is wrong costs its own points only."""
        used = {task: _used(answers[0].source) for task, answers in self.answers.items()}
        return [t for t, names in self.names.items() if not any(set(names) & used[o] for o in used if o != t)]


def answer_id(task: str) -> str:
    """The grade_id of the cell that answers a task.

    >>> answer_id("1.2")
    'answer-1-2'
    """
    return f"answer-{task.replace('.', '-')}"


def load_sheets(course: Path, only: Iterable[str] | None = None) -> list[Sheet]:
    """The exercises of a course whose tasks have an answer cell each.

    Raises:
        NoExercise: there is none, or not one that `only` names.
    """
    exercises = load_exercises(course)
    sheets = [_sheet(course, exercises[number]) for number in sorted(chosen(exercises, only))]
    whole = [sheet for sheet in sheets if len(sheet.answers) == len(sheet.exercise.tasks)]
    if not whole:
        raise NoExercise(f"no exercise in {course / 'solutions'} has a cell like {answer_id('1.1')} for each task")
    return whole


def _sheet(course: Path, exercise: Exercise) -> Sheet:
    path = course / "solutions" / f"{exercise.stem}.ipynb"
    solved = {_id(cell): "".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]}
    mutants = [mutant for mutant in load_mutants(path) if mutant.exact]
    empty = {cell.id: cell.source for cell in exercise.cells}
    answers = {}
    for task in exercise.tasks:
        if (source := solved.get(answer_id(task.id))) is not None:
            wrong = [Answer(without_markers(m.edited(source)), task.points - m.costs, m.why) for m in mutants
                     if m.task == task.id]  # fmt: skip
            stub = Answer(empty[answer_id(task.id)], 0.0, "left as it was handed out")
            answers[task.id] = [Answer(without_markers(source), task.points, ""), stub, *wrong]
    return Sheet(exercise, json.loads(release_notebook(path)), answers)


def _id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def _defined(source: str) -> Iterator[str]:
    """Functions and classes at the top of a cell."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def _used(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
