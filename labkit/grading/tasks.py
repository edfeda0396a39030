"""Tasks and their checks, as an exercise's check file declares them.

A check file (`solutions/checks/ex01.py`) is plain Python that reads from top to bottom:

    by_hand = Task("1.1", "Two requests by hand", points=3, hints=("Look at ...", "The path is ..."))

    @by_hand.check("one GET asks for the model list", points=1)
    def asks_for_models(answer: Answer) -> None:
        answer.call("list_models")
        expect(len(answer.requests()), "the number of requests", is_=1)

Checks between `### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS` stay with the instructor: `labkit release` cuts them
from the copy that students get, while the task's points stay whole.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, cast

from labkit.grading.regions import HIDDEN, spans

if TYPE_CHECKING:
    from labkit.grading.answer import Answer

CheckFunction = Callable[["Answer"], None]

SECONDS_PER_CALL = 5.0
"""What one call of a student's function may take, unless the task says otherwise."""


class BadTask(ValueError):
    """A check file contradicts itself: the author's mistake. The text says where and what to change."""


@dataclass(frozen=True, slots=True)
class Check:
    """One demand on an answer, worth some of the task's points."""

    title: str
    """What is demanded, as a student reads it in the list of checks."""
    points: float
    demand: CheckFunction
    """Returns if the demand is met; raises `Unmet` with a sentence if not."""
    hidden: bool = False
    """Declared between the markers of a hidden region."""


@dataclass(slots=True)
class Task:
    """One task of an exercise: what it is worth, what helps, and the checks in the order they run."""

    id: str
    """Exercise and number, "1.2"."""
    title: str
    points: float
    """All points, hidden checks included."""
    hints: tuple[str, str]
    """Two, the second one stronger. Neither gives the answer."""
    seconds: float = SECONDS_PER_CALL
    checks: list[Check] = field(default_factory=list)

    def check(self, title: str, *, points: float) -> Callable[[CheckFunction], CheckFunction]:
        """Declare the decorated function as the next check of this task."""

        def declare(demand: CheckFunction) -> CheckFunction:
            self.checks.append(Check(title, points, demand))
            return demand

        return declare

    @property
    def withheld(self) -> float:
        """Points of checks that are not in this copy of the file."""
        return self.points - sum(check.points for check in self.checks)


@dataclass(frozen=True, slots=True)
class TaskFile:
    """The tasks of one exercise, by id, and whether its hidden checks are among them."""

    path: Path
    tasks: dict[str, Task]
    complete: bool


def load_tasks(path: Path) -> TaskFile:
    """Run a check file and collect its tasks.

    Raises:
        BadRegion: hidden regions that do not pair up.
        BadTask: the file does not run, no task, an id twice, no checks, hints missing, points that do not add up.
    """
    text = path.read_text(encoding="utf-8")
    hidden = spans(text, HIDDEN)
    tasks: dict[str, Task] = {}
    for value in _run(path).values():
        if isinstance(value, Task):
            if value.id in tasks and tasks[value.id] is not value:
                raise BadTask(f"{path.name}: task {value.id} is declared twice; give one of them another id")
            tasks[value.id] = value
    for task in tasks.values():
        task.checks = [_marked(check, hidden) for check in task.checks]
    _validate(path, tasks, complete=bool(hidden))
    return TaskFile(path, tasks, complete=bool(hidden))


def _run(path: Path) -> dict[str, object]:
    try:
        return runpy.run_path(str(path), run_name=f"labkit_checks_{path.stem}")
    except Exception as error:
        raise BadTask(f"{path.name}: does not run ({type(error).__name__}: {error})") from error


def _marked(check: Check, hidden: list[range]) -> Check:
    line = cast(FunctionType, check.demand).__code__.co_firstlineno
    return replace(check, hidden=any(line in span for span in hidden))


def _validate(path: Path, tasks: dict[str, Task], complete: bool) -> None:
    if not tasks:
        raise BadTask(f"{path.name}: declares no Task at module level")
    for task in tasks.values():
        where = f"{path.name}: task {task.id}"
        if not task.checks:
            raise BadTask(f"{where} has no visible check; a student could not tell right from wrong")
        if len(task.hints) != 2 or not all(task.hints):
            raise BadTask(f"{where} needs two hints")
        if task.withheld < 0 or (complete and task.withheld != 0):
            total = task.points - task.withheld
            raise BadTask(f"{where} is worth {task.points:g} points but its checks add up to {total:g}")


def file_name(task_id: str) -> str:
    """The check file that holds a task: "1.2" and "1" are in ex01.py.

    >>> file_name("12.3")
    'ex12.py'
    """
    exercise = task_id.split(".")[0]
    return f"ex{exercise.zfill(2)}.py"
